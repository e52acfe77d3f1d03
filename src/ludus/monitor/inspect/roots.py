"""Search roots that self-play has sampled, from ``logs/roots.ndjson``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ludus.errors import LudusError, RunError, UserError
from ludus.games import GameEntry
from ludus.monitor.inspect.position import divergence
from ludus.monitor.inspect.replayed import state_before
from ludus.monitor.inspect.stored import StoredReplay
from ludus.replay import GameRecords
from ludus.runs import read_ndjson
from ludus.training.plays import game_of_run

FIELDS = ("iteration", "game", "ply", "entropy", "surprise", "disagreement", "value")
"""What roots can be ordered by."""


@dataclass(frozen=True)
class RootFilter:
    """Which roots are wanted; None lets everything pass.

    Attributes:
        iteration, game: exactly these.
        entropy: least and most entropy of the policy, in nats.
        surprise: least divergence of policy from prior, in nats.
        disagreement: least |Q of the chosen action - value of the root|.
    """

    iteration: int | None = None
    game: int | None = None
    entropy: tuple[float | None, float | None] = (None, None)
    surprise: float | None = None
    disagreement: float | None = None

    def wants(self, root: dict[str, Any]) -> bool:
        """Whether a root passes."""
        low, high = self.entropy
        return (
            (self.iteration is None or root["iteration"] == self.iteration)
            and (self.game is None or root["game"] == self.game)
            and (low is None or root["entropy"] >= low)
            and (high is None or root["entropy"] <= high)
            and (self.surprise is None or root["surprise"] >= self.surprise)
            and (self.disagreement is None or root["disagreement"] >= self.disagreement)
        )


def read_roots(
    run: Path, wanted: RootFilter | None = None, *, order: str | None = None, limit: int = 20
) -> tuple[list[dict[str, Any]], int]:
    """Sampled roots of a run.

    Args:
        run: the directory.
        wanted: a filter.
        order: one of :data:`FIELDS`, largest first; None for the newest first.
        limit: most roots that are given.

    Returns: the roots (iteration, game, ply, seat, action, value, temperature, entropy, largest,
        surprise, disagreement, ``edges`` with action, visits, q, prior, noised, policy), and how
        many passed the filter.

    Raises:
        RunError: the run has sampled none.
        UserError: an unknown order.
    """
    if order is not None and order not in FIELDS:
        raise UserError(f"roots cannot be ordered by {order!r}; there are {', '.join(FIELDS)}")
    path = run / "logs" / "roots.ndjson"
    if not path.is_file():
        raise RunError(
            f"{run} has sampled no search roots: train with --set selfplay.root_sample_every=10"
        )
    wanted = wanted or RootFilter()
    found = [root for root in _all(path) if wanted.wants(root)]
    found.reverse()
    if order is not None:
        found.sort(key=lambda root: -root[order])
    return found[:limit], len(found)


def _all(path: Path) -> Iterator[dict[str, Any]]:
    for record in read_ndjson(path)[0]:
        if record.get("event") == "mcts_root":
            try:
                yield _root(record)
            except (KeyError, TypeError, ValueError):
                continue  # written by another version: what cannot be read is left out


def _root(record: dict[str, Any]) -> dict[str, Any]:
    edges = [
        dict(zip(("action", "visits", "q", "prior", "noised", "policy"), values, strict=True))
        for values in zip(
            *(
                record[name]
                for name in ("actions", "visits", "q", "prior", "prior_noised", "policy")
            ),
            strict=True,
        )
    ]
    chosen = next(edge for edge in edges if edge["action"] == record["action"])
    value = float(record["value"])
    return {
        "iteration": int(record["iteration"]),
        "game": int(record["game_id"]),
        "ply": int(record["ply"]),
        "seat": int(record["seat"]),
        "action": int(record["action"]),
        "value": value,
        "temperature": float(record["temperature"]),
        "entropy": float(record["pi_entropy"]),
        "largest": float(record["pi_max"]),
        "surprise": divergence(record["policy"], record["prior"]),
        "disagreement": abs(chosen["q"] - value) if chosen["visits"] else 0.0,
        "simulations": sum(record["visits"]),
        "edges": edges,
    }


def add_notation(run: Path, roots: list[dict[str, Any]]) -> GameEntry | None:
    """Put ``position`` and the texts of actions to the roots whose games the replay still has.

    Returns: the game; None where it cannot be had, and nothing is added.
    """
    try:
        replay = StoredReplay(run)
        entry = game_of_run(replay.run)
    except LudusError:
        return None
    known: dict[int, GameRecords | None] = {}
    for root in roots:
        game = root["game"]
        if game not in known:
            try:
                known[game] = replay.find(game)
            except RunError:
                known[game] = None
        record = known[game]
        if record is None or root["ply"] >= int(record.columns["plies"][0]):
            continue
        state = state_before(entry, record, root["ply"])
        root["position"] = entry.position_text(state)
        root["text"] = entry.action_text(state, root["action"])
        for edge in root["edges"]:
            edge["text"] = entry.action_text(state, edge["action"])
    return entry
