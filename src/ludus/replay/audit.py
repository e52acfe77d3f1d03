"""Tripwires on training rows: some games derived again, and the targets of all their rows.

Pure functions of records and rows. What each tripwire catches and says is in docs/tripwires.md;
those on results of many games are in :mod:`ludus.replay.outcomes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.errors import LudusError
from ludus.replay.findings import Audit, AuditLimits, Finding
from ludus.replay.records import GameRecords
from ludus.replay.rederive import Decode, TargetRule, decoder, rederive
from ludus.replay.rows import TrainingRows

_SUM = 1e-4
"""By how much a policy target in single precision may miss a sum of 1."""


def audit_games(
    game: _core.Game,
    records: GameRecords,
    how: TargetRule,
    limits: AuditLimits | None = None,
    *,
    decode: Decode | None = None,
) -> Audit:
    """Derive these games again, and look at the targets of all their rows.

    Args:
        game: the rules.
        records: games, all plies of which are looked at; a few, this is plain Python.
        how: constants of the improved policy.
        limits: where a figure becomes a warning.
        decode: the decoder that is audited; that of the core by default.
    """
    decode = decode or decoder(game, how)
    findings, plies = rederive(game, records, decode, how)
    result = Audit({"games_rederived": len(records), "plies_rederived": plies}, findings)
    try:
        rows = decode(records)
    except LudusError:
        return result  # rederive() has named the game
    result.rows = rows
    owner = np.repeat(np.arange(len(records)), records.columns["plies"])
    first = np.cumsum(records.columns["plies"]) - records.columns["plies"]
    places = [
        (int(records.game_ids[index]), row - int(first[index])) for row, index in enumerate(owner)
    ]
    seats = records.columns["seat"].astype(np.int64)
    result.add(audit_targets(rows, places, seats, game.num_actions, limits or AuditLimits()))
    return result


def audit_targets(
    rows: TrainingRows,
    places: list[tuple[int, int]],
    seats: npt.NDArray[np.int64],
    num_actions: int,
    limits: AuditLimits,
) -> Audit:
    """Sums, support, signs, ranges and entropies of the targets of some rows.

    Args:
        rows: as decoded.
        places: game id and ply of each row.
        seats: i64[n], who moves in it.
        num_actions: size of the action space.
        limits: where a figure becomes a warning.
    """
    result = Audit()

    def refuse(bad: npt.NDArray[np.bool_], tripwire: str, what: str) -> None:
        if bad.any():
            game, ply = places[int(np.argmax(bad))]
            more = int(np.count_nonzero(bad))
            text = f"game {game}, ply {ply} {what} ({more} of {len(bad)} rows)"
            result.findings.append(Finding(tripwire, "error", text, game, ply))

    count = len(rows)
    lengths = np.diff(rows.offsets)
    owner = np.repeat(np.arange(count), lengths)

    def by_row(bad: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        found = np.zeros(count, bool)
        found[owner[bad]] = True
        return found

    refuse(lengths <= 0, "legal_actions", "has no legal action")
    refuse(
        ~np.asarray(np.isfinite(rows.observations).all(axis=1)),
        "observation",
        "has an observation not finite",
    )
    refuse(
        by_row(rows.legal // num_actions != owner),
        "legal_actions",
        "has policy weight outside its own legal actions",
    )
    refuse(
        by_row(~(rows.policy >= 0)), "policy_target", "has a policy weight that is not at least 0"
    )
    policy = rows.policy.astype(np.float64)
    sums = np.bincount(owner, policy, count)
    off = np.abs(sums - 1.0)
    worst = float(sums[int(np.argmax(np.nan_to_num(off, nan=np.inf)))]) if count else 1.0
    refuse(
        ~(off < _SUM), "policy_target", f"has a policy that does not sum to 1 (worst {worst:.4f})"
    )
    targets = {"value": rows.value, "margin": rows.margin, "root_value": rows.root_value}
    for name, target in targets.items():
        inside = np.asarray((np.abs(target.reshape(count, -1)) <= 1.0).all(axis=1))
        refuse(~inside, "value_target", f"has a {name} outside [-1, 1]")
    if result.findings:
        return result

    entropy = -np.bincount(owner, policy * np.log(np.maximum(policy, 1e-12)), count)
    most = np.maximum.reduceat(policy, rows.offsets[:-1]) if count else policy
    choice = lengths > 1
    taught = choice & (rows.searched != 0)
    figures: dict[str, Any] = {
        "target_rows": int(np.count_nonzero(taught)),
        "target_share": _mean(taught[choice]),
        "target_entropy": _mean(entropy[taught]),
        "target_entropy_of_most": _mean(entropy[taught] / np.log(lengths[taught])),
        "target_max": _mean(most[taught]),
        "targets_by_seat": _by_seat(targets, seats),
    }
    result.figures = figures
    if choice.any() and figures["target_share"] < limits.teaching:
        result.findings.append(
            Finding(
                "policy_rows",
                "warning",
                f"only {figures['target_share']:.1%} of the decisions with a choice have a policy "
                f"target (limit {limits.teaching:.0%}): nearly nothing teaches the policy",
                figures={"target_share": figures["target_share"]},
            )
        )
    if taught.any() and figures["target_entropy"] < limits.entropy_floor:
        result.findings.append(
            Finding(
                "policy_collapse",
                "warning",
                f"policy targets have a mean entropy of {figures['target_entropy']:.4f} nats, "
                f"below the floor of {limits.entropy_floor:g} (mean largest share "
                f"{figures['target_max']:.1%}): the search sees one action only",
                figures={
                    "target_entropy": figures["target_entropy"],
                    "target_max": figures["target_max"],
                },
            )
        )
    return result


def _mean(values: npt.NDArray[Any]) -> float | None:
    return float(np.mean(values, dtype=np.float64)) if len(values) else None


def _by_seat(
    targets: Mapping[str, npt.NDArray[np.float32]], seats: npt.NDArray[np.int64]
) -> list[dict[str, Any]]:
    found = []
    for seat in range(int(seats.max(initial=-1)) + 1):
        mine = seats == seat
        if not mine.any():
            continue
        entry: dict[str, Any] = {"seat": seat, "rows": int(np.count_nonzero(mine))}
        for name, target in targets.items():
            own = target.reshape(len(seats), -1)[mine, 0]  # the mover's comes first
            entry[f"{name}_mean"] = float(own.mean(dtype=np.float64))
            entry[f"{name}_min"] = float(own.min())
            entry[f"{name}_max"] = float(own.max())
        found.append(entry)
    return found
