"""A position as a document: drawing, legal actions, network, search."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ludus import _core
from ludus.evaluators import UniformEvaluator
from ludus.games import GameEntry
from ludus.games.analysis import Analyst, Limits, line_text
from ludus.monitor.inspect.searching import NOT_SEARCHED, Searched, judge, search_position
from ludus.players import ExternalPlayer, Player, SearchPlayer

SECONDS = 10.0
"""That a player who judges positions may take."""

_LINES = 64
_CHANCES = 12
"""Outcomes of a chance event that a document lists."""


def describe_position(
    entry: GameEntry, state: _core.State, player: Player | None = None, *, seed: int = 1
) -> dict[str, Any]:
    """Everything about a position.

    Args:
        entry: the game.
        state: the position; at a chance event or at the end only what there is.
        player: whose network and search are asked; None for nobody.
        seed: of the search.

    Returns: JSON: ``position``, ``drawing``, ``kind``, ``seat``; at a decision ``decision``,
        ``legal`` (action, text, stands_for), ``network`` (value of the mover and of all seats,
        prior entropy), ``search`` (value, action, simulations, ``edges`` most visited first);
        of a player who judges ``analysis`` instead (its lines, best first: action, text, value in
        points ahead for the seat that decides, depth, exact, nodes);
        where cards are hidden ``not_searched``, why there is none;
        ``outcomes`` at a chance event (none if sampled), ``returns`` and ``scores`` at the end.
    """
    found: dict[str, Any] = {
        "game": entry.name,
        "position": entry.position_text(state),
        "drawing": entry.render(state),
        "kind": state.kind,
        "seat": None if state.kind == "terminal" else int(state.seat),
        "scores": state.scores().tolist()[: state.players],
    }
    if state.kind == "terminal":
        return found | {"returns": state.returns().tolist()[: state.players]}
    if state.kind == "chance":
        return found | {"outcomes": _outcomes(entry, state)}
    kinds = entry.rules.decision_kinds
    found["decision"] = kinds[state.decision_kind] if kinds else None
    found["legal"] = [
        {
            "action": action,
            "text": entry.action_text(state, action),
            "stands_for": int(state.canonical(action)),
        }
        for action in state.legal().tolist()
    ]
    if isinstance(player, SearchPlayer) and not isinstance(player.evaluator, UniformEvaluator):
        judged = judge(state, player)
        found["network"] = {
            "value": judged.values[state.seat],
            "values": list(judged.values[: state.players]),
            "prior_entropy": entropy(judged.prior),
            "prior": [
                {"action": action, "text": entry.action_text(state, action), "prior": share}
                for action, share in zip(judged.actions, judged.prior, strict=True)
            ],
        }
    if isinstance(player, ExternalPlayer) and isinstance(player.choose, Analyst):
        found["analysis"] = [
            {
                "action": line.actions[0],
                "text": line_text(entry.action_text, state, line),
                **{key: getattr(line, key) for key in ("value", "depth", "exact", "nodes")},
            }
            for line in player.choose.analyse(
                np.frombuffer(state.packed(), np.uint8), Limits(seconds=SECONDS), _LINES
            )
        ]
    elif isinstance(player, SearchPlayer) and entry.rules.has_hidden:
        found["not_searched"] = NOT_SEARCHED
    elif player is not None:
        searched = search_position(entry, state, player, seed)
        found["search"] = searched_document(entry, state, searched)
    return found


def _outcomes(entry: GameEntry, state: _core.State) -> list[dict[str, Any]]:
    if entry.rules.sampled_chance:  # too many to be listed
        return []
    numbers, shares = state.outcomes()
    order = np.argsort(-np.asarray(shares), kind="stable")[:_CHANCES]
    return [
        {
            "outcome": int(numbers[index]),
            "text": entry.event_text(state, int(numbers[index])),
            "probability": float(shares[index]),
        }
        for index in order.tolist()
    ]


def searched_document(entry: GameEntry, state: _core.State, found: Searched) -> dict[str, Any]:
    """A search as a document; the edges with the most visits first, then by prior."""
    policy: list[float | None] = [*found.policy] or [None] * len(found.actions)
    edges: list[dict[str, Any]] = [
        {
            "action": action,
            "text": entry.action_text(state, action),
            "visits": visits,
            "q": q if visits else None,
            "prior": prior,
            "policy": share,
        }
        for action, visits, q, prior, share in zip(
            found.actions, found.visits, found.q, found.prior, policy, strict=True
        )
    ]
    edges.sort(key=lambda edge: (-edge["visits"], -edge["prior"], edge["action"]))
    return {
        "action": found.action,
        "text": entry.action_text(state, found.action),
        "value": found.value,
        "simulations": sum(found.visits),
        "entropy": entropy(found.policy) if found.policy else None,
        "surprise": divergence(found.policy, found.prior) if found.policy else None,
        "edges": edges,
    }


def entropy(shares: Iterable[float]) -> float:
    """Of a distribution, in nats."""
    return -sum(share * math.log(share) for share in shares if share > 0)


def divergence(shares: Iterable[float], others: Iterable[float]) -> float:
    """Kullback-Leibler divergence of the first distribution from the second, in nats.

    It is how surprised the network would be by what the search found.
    """
    return sum(
        share * math.log(share / max(other, 1e-12))
        for share, other in zip(shares, others, strict=True)
        if share > 0
    )
