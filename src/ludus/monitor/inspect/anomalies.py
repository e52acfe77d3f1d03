"""Looking for what is odd in a run: its stored games, its metrics, its models."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from ludus.errors import LudusError, RunError
from ludus.games import GameEntry
from ludus.monitor.inspect.findings import Anomaly
from ludus.monitor.inspect.models import model_anomalies
from ludus.monitor.inspect.outliers import metric_outliers, robust_scores
from ludus.monitor.inspect.replayed import state_before
from ludus.monitor.inspect.sampled import sampled_anomalies
from ludus.monitor.inspect.stored import StoredReplay, newest_of
from ludus.players.tables import is_table_run
from ludus.replay import (
    AuditLimits,
    GameRecords,
    TargetRule,
    TrainingRows,
    audit_games,
    audit_results,
)
from ludus.training.plays import game_of_run

_OFTEN = 200
"""Decisions in which an action must have been legal before its absence is told."""

_MISCALIBRATED = 0.1
"""Mean gap of root values from results, in [0, 2], that is told."""

_LENGTH_LIMIT = 8.0
_SHOWN = 5
_ORDER = {"error": 0, "warning": 1, "notice": 2}


def find_anomalies(run: Path, games: int = 200, derived: int = 50) -> dict[str, Any]:
    """Everything odd about a run.

    Args:
        run: the directory; it may be in training.
        games: newest games that are looked at.
        derived: of those, newest ones whose plies are derived a second time, in plain Python;
            a training of pattern tables keeps samples, all of which are played again.

    Returns: JSON: ``games`` looked at, ``looked`` (what was looked at) and ``findings``, errors
        first; a run without games has its metrics and models looked at.

    Raises:
        RunError: there is no such run.
    """
    found = [*metric_outliers(run), *model_anomalies(run)]
    looked = ["metrics", "models"]
    count = 0
    try:
        count, odd = _odd_games(run, games, derived)
    except RunError as error:
        found.append(Anomaly("games", "notice", f"no games were looked at: {error}", {}))
    else:
        looked.insert(0, "games")
        found += odd
    found.sort(key=lambda one: _ORDER[one.severity])
    return {
        "run": str(run),
        "games": count,
        "looked": looked,
        "findings": [one.as_json() for one in found],
    }


def _odd_games(run: Path, games: int, derived: int) -> tuple[int, list[Anomaly]]:
    """How many of the newest games were looked at, and what is odd in them."""
    if is_table_run(run):
        return sampled_anomalies(run, games)
    replay, records = newest_of(run, games)
    return len(records), game_anomalies(replay, records, derived)


def game_anomalies(replay: StoredReplay, records: GameRecords, derived: int) -> list[Anomaly]:
    """What is odd in some games of a run.

    Args:
        replay: of the run.
        records: the games.
        derived: newest ones that are derived again.
    """
    entry = game_of_run(replay.run)
    config, schema = replay.run.config, replay.schema
    limits = AuditLimits(
        entropy_floor=float(
            config.get("training", {}).get("audit_entropy", AuditLimits.entropy_floor)
        )
    )
    rule = TargetRule(schema.c_visit, schema.c_scale, schema.q_spread)
    some = records.slice(max(0, len(records) - derived), len(records))
    audit = audit_games(entry.rules, some, rule, limits)
    rows = audit.rows
    audit.add(
        audit_results(
            entry.rules,
            records,
            limits,
            margin_weight=float(config.get("search", {}).get("margin_weight", 0.0)),
            trained=any(one.get("promoted") for one in replay.run.iterations[:-1]),
        )
    )
    found = [
        Anomaly(
            one.tripwire,
            one.severity,
            one.text,
            {key: value for key in ("game", "ply") if (value := getattr(one, key)) is not None},
        )
        for one in audit.findings
    ]
    gap = audit.figures.get("calibration_error")
    if gap is not None and gap > _MISCALIBRATED:
        found.append(
            Anomaly(
                "value_calibration",
                "notice",
                f"root values miss the results by {gap:.3f} on average over {len(records)} games "
                f"(told above {_MISCALIBRATED}); see: ludus evaluate RUN --calibration",
                {"figure": "calibration_error", "value": gap},
            )
        )
    found += _lengths(records)
    found += _repeated(records)
    if rows is not None:
        found += _never_played(entry, some, rows)
    return found


def _lengths(records: GameRecords) -> list[Anomaly]:
    lengths = records.columns["plies"].astype(np.float64)
    scores = robust_scores(lengths, neighbours=len(lengths))
    odd = np.flatnonzero(np.abs(scores) > _LENGTH_LIMIT)
    odd = odd[np.argsort(-np.abs(scores[odd]), kind="stable")]
    if not len(odd):
        return []
    ids = [int(records.game_ids[index]) for index in odd[:_SHOWN]]
    first = int(odd[0])
    return [
        Anomaly(
            "game_length",
            "warning",
            f"game {ids[0]} has {lengths[first]:.0f} plies where {np.median(lengths):.0f} are "
            f"usual ({len(odd)} of {len(records)} games are that far off"
            + (f": {', '.join(map(str, ids))})" if len(odd) > 1 else ")"),
            {"game": ids[0], "games": ids},
        )
    ]


def _repeated(records: GameRecords) -> list[Anomaly]:
    """Games that are the same move by move; few of them are no matter in a small game."""
    columns = records.columns
    ends = np.cumsum(columns["plies"])
    same: defaultdict[tuple[int, bytes, bytes], list[int]] = defaultdict(list)
    for index, (end, plies) in enumerate(
        zip(ends.tolist(), columns["plies"].tolist(), strict=True)
    ):
        key = (
            int(columns["opening"][index]),
            columns["action"][end - plies : end].tobytes(),
            columns["outcome"][end - plies : end].tobytes(),
        )
        same[key].append(int(records.game_ids[index]))
    groups = sorted((ids for ids in same.values() if len(ids) > 1), key=len, reverse=True)
    if not groups:
        return []
    extra = sum(len(ids) - 1 for ids in groups)
    return [
        Anomaly(
            "repeated_games",
            "notice",
            f"{extra} of {len(records)} games repeat another one move by move, such as games "
            f"{', '.join(map(str, groups[0][:_SHOWN]))}",
            {"game": groups[0][0], "games": groups[0][:_SHOWN], "repeated": extra},
        )
    ]


def _never_played(entry: GameEntry, records: GameRecords, rows: TrainingRows) -> list[Anomaly]:
    """Actions that were legal often and chosen never."""
    actions = rows.legal % entry.rules.num_actions
    legal = np.bincount(actions, minlength=entry.rules.num_actions)
    played = np.bincount(
        records.columns["action"].astype(np.int64), minlength=entry.rules.num_actions
    )
    never = [
        action
        for action in np.argsort(-legal, kind="stable").tolist()
        if legal[action] >= _OFTEN and not played[action]
    ]
    if not never:
        return []
    starts = rows.offsets[:-1]
    lengths = records.columns["plies"].astype(np.int64)
    firsts = np.cumsum(lengths) - lengths
    shown = []
    for action in never[:_SHOWN]:
        row = int(np.searchsorted(starts, int(np.flatnonzero(actions == action)[0]), "right")) - 1
        game = int(np.searchsorted(firsts, row, "right")) - 1
        try:
            state = state_before(entry, records.take([game]), row - int(firsts[game]))
            text = f"{action} (such as {entry.action_text(state, action)!r})"
        except LudusError:
            text = str(action)
        shown.append(f"{text} in {legal[action]} decisions")
    return [
        Anomaly(
            "never_played",
            "notice",
            f"{len(never)} actions were legal at least {_OFTEN} times in {len(records)} games and "
            f"never played: {'; '.join(shown)}" + ("; ..." if len(never) > _SHOWN else ""),
            {"actions": never},
        )
    ]
