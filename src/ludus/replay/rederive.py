"""Stored games derived a second time, in plain Python, and held against the C++ decoder.

The road here shares nothing with ``cpp/play/rows.cpp`` but the rules: it walks a ``_core.State``
ply by ply, asks it everything that a record claims, and computes every target from the record's
16-bit numbers in double precision. Observations and legal actions must agree to the bit, targets
to what single precision can lose.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.errors import LudusError
from ludus.replay.findings import Finding
from ludus.replay.records import GameRecords
from ludus.replay.rows import TrainingRows

_NONE, _PUCT, _GUMBEL = 0, 1, 2
"""Rules of a search as records number them."""

_CAPPED = 4
"""Flag of a decision that was searched with the small budget only and teaches no policy."""

_EPSILON = float(np.finfo(np.float32).eps)
_CLOSE = 1e-5
"""What single precision may lose in a target of a few operations."""

Doubles = npt.NDArray[np.float64]
Decode = Callable[[GameRecords], TrainingRows]
"""Training rows of every ply of some games, in order: the decoder that is audited."""


@dataclass(frozen=True)
class TargetRule:
    """How the improved policy is computed (Danihelka et al. 2022), as in the replay's schema."""

    c_visit: float = 50.0
    c_scale: float = 1.0
    q_spread: float = 0.2


def decoder(game: _core.Game, rule: TargetRule) -> Decode:
    """The C++ decoder over all plies of some games."""

    def decode(records: GameRecords) -> TrainingRows:
        lengths = records.columns["plies"].astype(np.int64)
        games = np.repeat(np.arange(len(records)), lengths)
        plies = np.concatenate([np.arange(n, dtype=np.int32) for n in lengths.tolist()])
        return TrainingRows(
            **_core.decode_rows(
                game,
                dict(records.columns),
                games,
                plies,
                rule.c_visit,
                rule.c_scale,
                rule.q_spread,
            )
        )

    return decode


@dataclass(frozen=True)
class _Position:
    """What one ply of a replayed game looked like before its action, and what came of it."""

    seat: int
    players: int
    observation: npt.NDArray[np.float32]
    actions: npt.NDArray[np.int32]
    result: _Result


@dataclass
class _Result:
    """What the stage of some plies brought, by seat; known when it is over."""

    returns: list[float] = field(default_factory=list)
    margins: list[float] = field(default_factory=list)


class _Contradiction(Exception):  # noqa: N818 - the way out of a replay, caught right outside
    """The record says what the rules deny."""

    def __init__(self, tripwire: str, ply: int | None, text: str) -> None:
        super().__init__(text)
        self.tripwire = tripwire
        self.ply = ply
        self.text = text


def _replay(game: _core.Game, columns: dict[str, Any], seed: int) -> list[_Position]:
    """Walk one game through the rules; every claim of its record is held against them."""
    state = game.initial()
    _chance(state, int(columns["opening"][0]), seed, None)
    positions = []
    edges = columns["edges"].tolist()
    result = _Result()
    for ply, action in enumerate(columns["action"].tolist()):
        if state.kind != "decision":
            raise _Contradiction(
                "replay", ply, f"is a decision there, but the state is {state.kind}"
            )
        seat, kind = state.seat, state.decision_kind
        if seat != columns["seat"][ply]:
            raise _Contradiction(
                "seats", ply, f"is seat {columns['seat'][ply]}'s there, but seat {seat} moves"
            )
        if kind != columns["kind"][ply]:
            raise _Contradiction(
                "replay", ply, f"has decision kind {columns['kind'][ply]}, but it is {kind}"
            )
        legal, actions = state.legal(), state.search_actions()
        if action not in legal:
            raise _Contradiction(
                "legal_actions",
                ply,
                f"has action {action}, which is not among the {len(legal)} legal ones",
            )
        if edges[ply] and (edges[ply] != len(actions) or action not in actions):
            raise _Contradiction(
                "legal_actions",
                ply,
                f"has {edges[ply]} edges and action {action}, but the search has {len(actions)} "
                "actions" + ("" if action in actions else " without that one"),
            )
        positions.append(_Position(seat, state.players, state.observe(seat), actions, result))
        state.apply(action)
        if state.kind == "terminal" or (state.kind == "chance" and game.sampled_chance):
            result.returns, result.margins = _results(game, state, columns)
            result = _Result()
        _chance(state, int(columns["outcome"][ply]), seed, ply)
    if state.kind != "terminal":
        raise _Contradiction(
            "replay", None, f"ends after {len(positions)} plies, but the game is not over"
        )
    for name, here in (("returns", state.returns()), ("scores", state.scores())):
        stored = columns[name][0]
        if stored.tobytes() != np.asarray(here, np.float32).tobytes():
            raise _Contradiction(
                "results",
                None,
                f"has {name} {stored.tolist()}, but the rules give {list(map(float, here))}",
            )
    return positions


def _results(
    game: _core.Game, state: _core.State, columns: dict[str, Any]
) -> tuple[list[float], list[float]]:
    """Returns and margins by seat: of a stage by the rules, of a whole game as it was recorded."""
    if game.sampled_chance:
        return state.stage_returns().tolist(), state.stage_margins().tolist()
    scores = columns["scores"][0].tolist()
    margins = []
    for seat, own in enumerate(scores):
        best = max(
            (score for other, score in enumerate(scores) if other != seat), default=-math.inf
        )
        margins.append(math.tanh((own - best) / game.margin_scale))
    return columns["returns"][0].tolist(), margins


def _chance(state: _core.State, outcome: int, seed: int, ply: int | None) -> None:
    """Apply the stored outcome of a chance event, if the state is one."""
    where = "at the opening" if ply is None else "after its action"
    if state.kind != "chance":
        if outcome >= 0:
            raise _Contradiction(
                "chance", ply, f"has outcome {outcome} {where}, but nothing is left to chance there"
            )
        return
    drawn = state.draw(seed)
    if outcome != drawn:
        raise _Contradiction(
            "chance", ply, f"has outcome {outcome} {where}, but its seed gives {drawn}"
        )
    state.apply_outcome(outcome)


def policy_target(
    rule: int,
    visits: npt.ArrayLike,
    q: npt.ArrayLike,
    prior: npt.ArrayLike,
    root_value: float,
    q_variance: float,
    *,
    how: TargetRule,
    has_chance: bool,
) -> tuple[Doubles, float]:
    """The policy target of one searched decision, in double precision.

    Args:
        rule: 1 PUCT (shares of visits), 2 Gumbel (improved policy with completed Q).
        visits: n[edges].
        q: mean value of each edge for the mover, in [-1, 1].
        prior: of the network, without noise.
        root_value: mean value of the root for the mover.
        q_variance: pooled variance of one simulation's value.
        how: constants of the improved policy.
        has_chance: whether Q's own error shrinks it.

    Returns: f64[edges] that sums to 1, and by how much single precision may miss it.
    """
    n, value, p = (np.asarray(array, np.float64) for array in (visits, q, prior))
    total = float(n.sum())
    if rule != _GUMBEL:
        share = n if total > 0 else np.maximum(p, 1e-8)
        return share / share.sum(), _CLOSE
    # The root's own value: what its mean over all simulations holds beyond its edges' sums.
    own = min(1.0, max(-1.0, (total + 1.0) * root_value - float((n * value).sum())))
    seen = n > 0
    mixed = own
    if total > 0 and p[seen].sum() > 0:
        mean = float((p[seen] * value[seen]).sum() / p[seen].sum())
        mixed = (own + total * mean) / (1.0 + total)
    weight = 0.5 * (how.c_visit + float(n.max(initial=0.0))) * how.c_scale
    advantage = np.where(seen, value - mixed, 0.0)
    if has_chance:
        spread = how.q_spread**2
        advantage *= spread / (spread + q_variance / np.maximum(n, 1.0))
    logits = np.log(np.maximum(p, 1e-12)) + weight * advantage
    shares = np.exp(logits - logits.max())
    lost = 8.0 * _EPSILON * (float(np.abs(logits).max()) + 2.0 * weight)
    return shares / shares.sum(), _CLOSE + lost


def _compare(
    game: _core.Game,
    columns: dict[str, Any],
    positions: list[_Position],
    rows: TrainingRows,
    how: TargetRule,
) -> tuple[str, int, str] | None:
    """The first difference between replayed positions and decoded rows: tripwire, ply, words."""
    if len(rows) != len(positions):
        return "replay", 0, f"was decoded into {len(rows)} rows for {len(positions)} plies"
    starts = np.concatenate([[0], np.cumsum(columns["edges"], dtype=np.int64)])
    for ply, position in enumerate(positions):
        seat, players, result = position.seat, position.players, position.result
        if int(rows.players[ply]) != players:
            return "seats", ply, f"was decoded with {int(rows.players[ply])} of {players} players"
        # Column k is that of seat (mover + k) mod players; with two seats there is the mover's.
        width = game.num_seats if game.num_seats > 2 else 1
        order = [(seat + ahead) % players for ahead in range(min(players, width))]
        spare = [0.0] * (width - len(order))
        won = [result.returns[one] for one in order] + spare
        by = [result.margins[one] for one in order] + spare
        seen = rows.observations[ply]
        if seen.tobytes() != np.ascontiguousarray(position.observation).reshape(-1).tobytes():
            count = int(np.count_nonzero(seen != position.observation.reshape(-1)))
            return (
                "observation",
                ply,
                f"was decoded with {count} other numbers than seat {seat} sees",
            )
        begin, end = int(rows.offsets[ply]), int(rows.offsets[ply + 1])
        decoded = rows.legal[begin:end] - ply * game.num_actions
        if not np.array_equal(decoded, position.actions):
            return (
                "legal_actions",
                ply,
                f"was decoded with legal actions {decoded.tolist()[:8]}, "
                f"but they are {position.actions.tolist()[:8]}",
            )
        capped = bool(int(columns["flags"][ply]) & _CAPPED)
        edges = slice(int(starts[ply]), int(starts[ply + 1]))
        searched = edges.stop > edges.start
        teaches = searched and not capped
        if bool(rows.searched[ply]) != teaches:
            said = "teaches" if rows.searched[ply] else "does not teach"
            return "policy_target", ply, f"was decoded as a row that {said} a policy"
        if teaches:
            wanted, tolerance = policy_target(
                int(columns["rule"][ply]),
                columns["visits"][edges],
                columns["q"][edges],
                columns["prior"][edges],
                float(columns["root_value"][ply]),
                float(columns["q_variance"][ply]),
                how=how,
                has_chance=game.has_chance or game.has_hidden,
            )
            off = float(np.abs(rows.policy[begin:end] - wanted).max())
            if not off <= tolerance:
                return "policy_target", ply, f"was decoded with a policy target off by {off:.2g}"
        for name, got, value in (
            ("value", rows.value[ply], won),
            ("margin", rows.margin[ply], by),
            (
                "root value",
                rows.root_value[ply],
                [float(columns["root_value"][ply])] if searched else won[:1],
            ),
        ):
            for ahead, (have, wants) in enumerate(zip(np.atleast_1d(got), value, strict=True)):
                if not abs(float(have) - wants) <= _CLOSE:
                    return (
                        "value_target",
                        ply,
                        f"was decoded with {name} {float(have):+.4f} for seat "
                        f"{(seat + ahead) % players}, but its record gives {wants:+.4f}",
                    )
    return None


def rederive(
    game: _core.Game,
    records: GameRecords,
    decode: Decode,
    how: TargetRule,
    *,
    most: int = 20,
) -> tuple[list[Finding], int]:
    """Derive games again and compare; each game gives its first finding at most.

    Args:
        game: the rules.
        records: games to look at; all of their plies are.
        decode: the decoder that is audited, usually :func:`decoder`.
        how: constants of the improved policy, as the decoder was given.
        most: findings after which it stops.

    Returns: findings, all of them errors, and the number of plies that were compared.
    """
    findings: list[Finding] = []
    compared = 0
    for index in range(len(records)):
        one = records.slice(index, index + 1)
        columns = one.columns
        name = int(columns["game_id"][0])
        try:
            positions = _replay(game, columns, int(columns["seed"][0]))
        except _Contradiction as found:
            findings.append(_error(found.tripwire, name, found.ply, found.text))
        else:
            try:
                rows = decode(one)
            except LudusError as error:
                findings.append(_error("replay", name, None, f"is refused by the decoder: {error}"))
            else:
                compared += len(positions)
                difference = _compare(game, columns, positions, rows, how)
                if difference is not None:
                    tripwire, ply, text = difference
                    findings.append(_error(tripwire, name, ply, text))
        if len(findings) >= most:
            break
    return findings, compared


def _error(tripwire: str, game: int, ply: int | None, text: str) -> Finding:
    where = f"game {game}" if ply is None else f"game {game}, ply {ply}"
    return Finding(tripwire, "error", f"{where} {text}", game, ply)
