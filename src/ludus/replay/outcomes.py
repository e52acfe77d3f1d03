"""Tripwires on the results of many games, from their records alone: seats, repetitions, values."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.replay.findings import Audit, AuditLimits, Finding
from ludus.replay.records import GameRecords
from ludus.replay.rederive import TargetRule, decoder, rederive

_SEARCHED, _FORCED, _CAPPED, _FALLBACK = 1, 2, 4, 8
"""Flags of a ply."""

BINS = 10
"""Of the calibration of root values, over [-1, 1]."""

_ENOUGH_GAMES = 32
"""Games below which shares and means of games say nothing."""


def _mean(values: npt.NDArray[Any]) -> float | None:
    return float(np.mean(values, dtype=np.float64)) if len(values) else None


def audit_results(
    game: _core.Game,
    records: GameRecords,
    limits: AuditLimits | None = None,
    *,
    margin_weight: float = 0.0,
    trained: bool = True,
) -> Audit:
    """Results, seats, repetitions, flags and calibration of many games, from the records alone.

    Args:
        game: gives seats and the margin's scale.
        records: usually all games of an iteration.
        limits: where a figure becomes a warning.
        margin_weight: share of the margin in the value that the search used.
        trained: whether the network that played had learned before; an untrained one may well
            believe the opposite of what is true.
    """
    limits = limits or AuditLimits()
    columns = records.columns
    flags = columns["flags"]
    edges = columns["edges"]
    result = Audit(
        {
            "games": len(records),
            "plies": records.samples,
            "searched_share": _mean((flags & _SEARCHED) != 0),
            "forced_share": _mean((flags & _FORCED) != 0),
            "capped_share": _mean((flags & _CAPPED) != 0),
            "fallback_share": _mean((flags & _FALLBACK) != 0),
            "mean_edges": _mean(edges[edges > 0]),
        }
    )
    if not len(records):
        return result
    for part in (
        _order(game, records),
        _seats(records, limits),
        _repetitions(records, limits),
        calibration(game, records, limits, margin_weight=margin_weight, trained=trained),
    ):
        result.add(part)
    return result


def _order(game: _core.Game, records: GameRecords) -> Audit:
    """Whoever has more points must not have the smaller return."""
    scores, returns = records.columns["scores"], records.columns["returns"]
    found = Audit({"score_order_violations": 0})
    bad = np.zeros(len(records), bool)
    sits = records.seats_in_play
    for one in range(game.num_seats):
        for two in range(game.num_seats):
            better = sits[:, one] & sits[:, two] & (scores[:, one] > scores[:, two])
            bad |= better & (returns[:, one] < returns[:, two])
    if bad.any():
        index = int(np.argmax(bad))
        count = int(np.count_nonzero(bad))
        name = int(records.game_ids[index])
        found.figures["score_order_violations"] = count
        # If the rules themselves say so, the margin teaches the opposite of the result, which is
        # the author's to decide; if they do not, the record is wrong.
        suspect = records.slice(index, index + 1)
        wrong, _ = rederive(game, suspect, decoder(game, TargetRule()), TargetRule())
        found.findings.append(
            Finding(
                "score_order",
                "error" if wrong else "warning",
                f"game {name} has scores {scores[index].tolist()} but returns "
                f"{returns[index].tolist()}: more points lost ({count} of {len(records)} games"
                + (")" if wrong else "; the rules say so)"),
                name,
                figures={"games": float(count)},
            )
        )
    return found


def _seats(records: GameRecords, limits: AuditLimits) -> Audit:
    """Means of results by seat, and whether one seat is favoured or every game ends alike."""
    returns = records.columns["returns"].astype(np.float64)
    sits = records.seats_in_play
    games = len(returns)
    seats = int(sits.any(0).sum())  # seats that no game had have no result
    played = [returns[sits[:, seat], seat] for seat in range(seats)]
    means = np.array([one.mean() for one in played])
    spread = np.array([one.std(ddof=1) if len(one) > 1 else 0.0 for one in played])
    errors = spread / np.sqrt([len(one) for one in played])
    off = means - means.mean()
    found = Audit(
        {
            "results_by_seat": [
                {"seat": seat, "mean": float(means[seat]), "error": float(errors[seat])}
                for seat in range(seats)
            ]
        }
    )
    if games < _ENOUGH_GAMES:
        return found
    if not spread.any():
        found.findings.append(
            Finding(
                "equal_results",
                "warning",
                f"all {games} games ended with returns {returns[0].tolist()}: the value has "
                "nothing to learn",
            )
        )
        return found
    # Where players differ in number, a seat may have had a handful of games.
    judged = [seat for seat in range(seats) if len(played[seat]) >= _ENOUGH_GAMES]
    if not judged:
        return found
    seat = max(judged, key=lambda one: abs(off[one]))
    units = abs(off[seat]) / errors[seat] if errors[seat] > 0 else math.inf
    if units > limits.imbalance_errors and abs(off[seat]) > limits.imbalance:
        figures = {"seat": float(seat), "mean": float(means[seat])}
        far = "the same in each"
        if math.isfinite(units):  # what is stored must be a number
            figures["errors"] = float(units)
            far = f"{units:.1f} standard errors from its share"
        found.findings.append(
            Finding(
                "side_imbalance",
                "warning",
                f"seat {seat} has a mean result of {means[seat]:+.3f} over {len(played[seat])} "
                f"games, {far}: the game favours a seat, or seats are mixed up",
                figures=figures,
            )
        )
    return found


def _repetitions(records: GameRecords, limits: AuditLimits) -> Audit:
    """Games that repeat another one, action by action and outcome by outcome."""
    columns = records.columns
    ends = np.cumsum(columns["plies"])
    games = Counter(
        (
            int(columns["opening"][index]),
            columns["action"][end - plies : end].tobytes(),
            columns["outcome"][end - plies : end].tobytes(),
        )
        for index, (end, plies) in enumerate(
            zip(ends.tolist(), columns["plies"].tolist(), strict=True)
        )
    )
    share = 1.0 - len(games) / len(records)
    found = Audit({"distinct_games": len(games), "duplicate_share": share})
    if len(records) >= _ENOUGH_GAMES and share > limits.duplicates:
        found.findings.append(
            Finding(
                "duplicate_games",
                "warning",
                f"{share:.1%} of {len(records)} games repeat another one move by move (limit "
                f"{limits.duplicates:.0%}): self-play explores too little",
                figures={"duplicate_share": share, "distinct_games": float(len(games))},
            )
        )
    return found


def calibration(
    game: _core.Game,
    records: GameRecords,
    limits: AuditLimits,
    *,
    margin_weight: float = 0.0,
    trained: bool = True,
) -> Audit:
    """Root values of searched plies against what came of them, in bins; see audit_results()."""
    columns = records.columns
    chosen = columns["edges"] > 0
    owner = np.repeat(np.arange(len(records)), columns["plies"])[chosen]
    seat = columns["seat"].astype(np.int64)[chosen]
    said = columns["root_value"].astype(np.float64)[chosen]
    scores = columns["scores"].astype(np.float64)
    others = np.stack(
        [np.delete(scores, one, 1).max(1, initial=-np.inf) for one in range(records.seats)], 1
    )
    with np.errstate(invalid="ignore"):
        margins = np.tanh((scores - others) / game.margin_scale)
    outcome = (1.0 - margin_weight) * columns["returns"].astype(np.float64)
    if margin_weight > 0.0:
        outcome = outcome + margin_weight * margins
    came = outcome[owner, seat]
    stages = records.seats > 2 and bool((columns["outcome"] >= 0).any())
    if not len(said) or stages or (records.seats > 2 and margin_weight > 0.0):
        # Beside an end there are results that records do not have: of stages, and margins by seat.
        return Audit({"calibration": [], "calibration_error": None})
    index = np.clip(((said + 1.0) * 0.5 * BINS).astype(np.int64), 0, BINS - 1)
    bins = []
    error = 0.0
    for number in range(BINS):
        mine = index == number
        count = int(np.count_nonzero(mine))
        if count:
            mean, result = float(said[mine].mean()), float(came[mine].mean())
            bins.append({"rows": count, "root_value": mean, "result": result})
            error += count * abs(mean - result) / len(said)
    # Plies of a game share its result, so games are what is counted.
    product = (said - said.mean()) * (came - came.mean())
    rows = np.bincount(owner, minlength=len(records))
    sums = np.bincount(owner, product, len(records))[rows > 0] / rows[rows > 0]
    games = len(sums)
    spread = float(sums.std(ddof=1)) / math.sqrt(games) if games > 1 else 0.0
    units = float(sums.mean()) / spread if spread > 0 else 0.0
    scale = float(said.std() * came.std())
    related = float(product.mean()) / scale if scale > 0 else 0.0
    found = Audit(
        {"calibration": bins, "calibration_error": error, "root_value_correlation": related}
    )
    if trained and games >= _ENOUGH_GAMES and units < -limits.contradiction:
        found.findings.append(
            Finding(
                "calibration",
                "warning",
                f"root values contradict results: correlation {related:+.2f} over {games} games, "
                f"{-units:.1f} standard errors below 0; a value may have the wrong seat's sign",
                figures={"correlation": related, "errors": -units},
            )
        )
    return found
