"""Values of the search against results of games, from the records of a run's self-play.

Nothing is played: every searched ply of the newest games carries the root's value for the mover,
and every game its returns.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus.arena.calibration import Calibration, calibrate
from ludus.errors import CorruptError, RunError
from ludus.replay import GameRecords, ReplaySchema, ShardEntry, decode_shard
from ludus.runs import Run

SEARCHED = 1
"""Flag of a ply that was searched, as in the core's records."""

PARTS = 4
"""Parts of a game, by its plies, that are looked at apart."""


@dataclass(frozen=True)
class RootValues:
    """Root values of searched plies.

    Attributes:
        predicted: expected score of the mover, ``(value + 1) / 2``, f64[n].
        outcome: its score at the end, ``(return + 1) / 2``, f64[n].
        game: number of the game, i64[n].
        part: share of the game's plies that came before, f64[n] in [0, 1).
        games: games that were read.
    """

    predicted: npt.NDArray[np.float64]
    outcome: npt.NDArray[np.float64]
    game: npt.NDArray[np.int64]
    part: npt.NDArray[np.float64]
    games: int


def newest_games(run: Run, games: int) -> tuple[GameRecords, ReplaySchema]:
    """The newest games of a run's committed replay, by id.

    Args:
        run: open for reading.
        games: at most so many.

    Raises:
        RunError: no replay, or no finished game in it.
        CorruptError: a damaged shard.
    """
    objects = run.manifest.objects
    if "replay" not in objects:
        raise RunError(f"{run.path} has no replay yet; let it finish some games of self-play")
    files, index = run.get_index(objects["replay"])
    refs = {ref.path: ref for ref in files}
    schema = ReplaySchema(**index["schema"])
    parts = [GameRecords(run.get_object(objects["tail"])[0])]
    count = len(parts[0])
    for entry in reversed([ShardEntry(**one) for one in index["shards"]]):
        if count >= games:
            break
        read = run.store.read
        parts.append(
            decode_shard(schema, entry, read(refs[entry.name]), read(refs[entry.meta_name]))
        )
        count += entry.games
    records = GameRecords.concatenate(parts, int(index["seats"])).sorted()
    if not len(records):
        raise RunError(f"{run.path} has no finished game yet")
    return records.slice(max(0, len(records) - games), len(records)), schema


def root_values(records: GameRecords) -> RootValues:
    """Values and results of all searched plies."""
    columns = records.columns
    lengths = columns["plies"].astype(np.int64)
    game = np.repeat(np.arange(len(records), dtype=np.int64), lengths)
    starts = np.cumsum(lengths) - lengths
    ply = np.arange(len(game), dtype=np.int64) - starts[game]
    chosen = (columns["flags"] & SEARCHED) != 0
    value = columns["root_value"][chosen].astype(np.float64)
    mover = columns["seat"][chosen].astype(np.int64)
    result = columns["returns"][game[chosen], mover].astype(np.float64)
    return RootValues(
        np.clip((value + 1.0) / 2.0, 0.0, 1.0),
        np.clip((result + 1.0) / 2.0, 0.0, 1.0),
        game[chosen],
        ply[chosen] / lengths[game[chosen]],
        len(records),
    )


def value_calibration(path: str | Path, games: int) -> dict[str, Any]:
    """The calibration of a run's search in its newest games, as a report.

    Self-play explores, and its players learn, so small gaps belong to it; a mixed-in margin shifts
    values on purpose, which the report says.

    Args:
        path: run directory; it may be in training.
        games: newest games at most.

    Raises:
        RunError: no run, no finished game, or no ply that was searched.
        CorruptError: a damaged shard.
    """
    try:
        run = Run.open(path, write=False)
        records, schema = newest_games(run, games)
    except CorruptError:
        # The run trains on: a newer commit may have dropped the shards of the one just read.
        run = Run.open(path, write=False)
        records, schema = newest_games(run, games)
    found = root_values(records)
    if not len(found.predicted):
        raise RunError(f"no ply of the newest {found.games} games of {path} was searched")
    share = float(run.config.get("search", {}).get("margin_weight", 0.0))
    notes = []
    if share > 0.0:
        notes.append(
            f"the search's values hold a share of {share:.0%} of the margin "
            "(search.margin_weight), which is no expected score: gaps may come from that alone"
        )
    parts = np.minimum((found.part * PARTS).astype(int), PARTS - 1)
    return {
        "run": str(path),
        "game": schema.game,
        "games": found.games,
        "first_game": int(records.game_ids[0]),
        "last_game": int(records.game_ids[-1]),
        "all": calibrate(found.predicted, found.outcome, groups=found.game),
        "parts": [_part(found, parts == part) for part in range(PARTS)],
        "notes": notes,
    }


def _part(found: RootValues, mine: npt.NDArray[np.bool_]) -> Calibration | None:
    if not mine.any():
        return None
    return calibrate(found.predicted[mine], found.outcome[mine], groups=found.game[mine])
