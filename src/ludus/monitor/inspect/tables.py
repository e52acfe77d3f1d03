"""Tables for other programs: metrics as CSV, training rows as CSV, JSON or NDJSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ludus import _core
from ludus.errors import RunError, UserError
from ludus.monitor.cells import cell
from ludus.monitor.inspect.diff import flat
from ludus.monitor.inspect.stored import StoredReplay
from ludus.replay import GameRecords
from ludus.runs import read_ndjson, replace_file
from ludus.training.plays import game_of_run

FORMATS = ("safetensors", "csv", "json", "ndjson")
"""Of exported training rows."""

ROW_COLUMNS: Mapping[str, str] = {
    "game": "number of the game, from the run's birth",
    "ply": "decision, from 0",
    "seat": "who decides",
    "action": "what was played",
    "outcome": "chance event after it; -1 without one",
    "simulations": "of the search",
    "searched": "1 if the row teaches a policy",
    "value": "result for the seat that decides, in [-1, 1]",
    "margin": "tanh of the difference in points over the game's scale",
    "root_value": "value of the search's root for that seat",
    "policy": "policy target: pairs of action and share",
    "observation": "what the seat sees, flat (JSON and NDJSON, or o0, o1, ... in CSV)",
}
"""Columns of exported rows, in order."""

_LEFT_OUT = ("v", "run_id", "git_hash", "config_hash")
"""Of the envelope: the same in all records."""


def metric_records(run: Path, log: str = "metrics") -> dict[str, list[dict[str, Any]]]:
    """The records of a log, flat, by event, in the order of the log.

    Args:
        run: the directory.
        log: ``metrics``, ``events`` or ``roots``.

    Raises:
        RunError: the run has no such log.
    """
    path = run / "logs" / f"{log}.ndjson"
    if not path.is_file():
        raise RunError(f"there is no {path}")
    found: dict[str, list[dict[str, Any]]] = {}
    for record in read_ndjson(path)[0]:
        row = dict(flat({k: v for k, v in record.items() if k not in _LEFT_OUT}))
        found.setdefault(str(record.get("event")), []).append(row)
    return found


def columns_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """All names in the rows, in the order in which they first come."""
    return list(dict.fromkeys(name for row in rows for name in row))


def as_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """A table with a head; lists as JSON, what is missing or no number empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([cell(name) for name in columns])
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in columns])
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    if isinstance(value, list | tuple | dict):
        return json.dumps(value)
    return "" if value is None else cell(value)


def write_new(target: Path, text: str) -> None:
    """Write a file that is not there yet.

    Raises:
        RunError: it is there, or cannot be written.
    """
    if target.exists():
        raise RunError(f"{target} exists: name another target")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(target, text.encode(), durable=True)
    except OSError as error:
        raise RunError(f"{target} cannot be written: {error.strerror}") from error


def write_metrics(run: Path, target: Path, event: str | None = None) -> list[tuple[Path, int]]:
    """Metrics of a run as CSV: one table for each type of record.

    Args:
        run: the directory.
        target: a new folder for ``<event>.csv``; with ``event`` the new file itself.
        event: one type only.

    Returns: the files, with their numbers of rows.

    Raises:
        RunError: no metrics, or a target that exists.
        UserError: no such type of record.
    """
    records = metric_records(run)
    if event is not None:
        rows = of_event(records, event)
        write_new(target, as_csv(columns_of(rows), rows))
        return [(target, len(rows))]
    if target.exists():
        raise RunError(f"{target} exists: name a new folder, or one record with --event")
    written = []
    for name, rows in records.items():
        file = target / f"{name}.csv"
        write_new(file, as_csv(columns_of(rows), rows))
        written.append((file, len(rows)))
    return written


def of_event(records: Mapping[str, list[dict[str, Any]]], event: str) -> list[dict[str, Any]]:
    """The records of one type.

    Raises:
        UserError: there are none; the sentence lists the types.
    """
    if event not in records:
        raise UserError(f"no record is a {event!r}; there are {', '.join(sorted(records))}")
    return records[event]


def training_rows(
    replay: StoredReplay, games: int, limit: int | None = None
) -> tuple[GameRecords, dict[str, Any]]:
    """Training rows of the newest games, derived from their records.

    Args:
        replay: of the run.
        games: newest ones at most.
        limit: most rows; the oldest of these games come first.

    Returns: the records, and arrays: those of ``ludus._core.decode_rows`` with ``game``, ``ply``
        and the columns ``seat``, ``action``, ``outcome``, ``simulations`` of the plies.
    """
    records = replay.newest(games)
    rules = game_of_run(replay.run).rules
    lengths = records.columns["plies"].astype(np.int64)
    which = np.repeat(np.arange(len(records)), lengths)
    plies = np.concatenate([np.arange(length) for length in lengths.tolist()]).astype(np.int32)
    which, plies = which[:limit], plies[:limit]
    schema = replay.schema
    rows: dict[str, Any] = dict(
        _core.decode_rows(
            rules,
            dict(records.columns),
            which,
            plies,
            schema.c_visit,
            schema.c_scale,
            schema.q_spread,
        )
    )
    rows["game"], rows["ply"] = np.ascontiguousarray(records.game_ids[which]), plies
    for name in ("seat", "action", "outcome", "simulations"):
        rows[name] = records.columns[name][: len(which)]
    return records, rows


def row_documents(rows: Mapping[str, Any], num_actions: int) -> Iterator[dict[str, Any]]:
    """Training rows as JSON objects with the columns of :data:`ROW_COLUMNS`."""
    offsets = rows["offsets"].tolist()
    for index in range(len(rows["game"])):
        edges = slice(offsets[index], offsets[index + 1])
        actions = (rows["legal"][edges] % num_actions).tolist()
        document = {
            name: rows[name][index].item()
            for name in ROW_COLUMNS
            if name not in ("policy", "observation")
        }
        shares = rows["policy"][edges].tolist()
        yield document | {
            "policy": [[action, share] for action, share in zip(actions, shares, strict=True)],
            "observation": rows["observations"][index].reshape(-1).tolist(),
        }


def rows_as_text(rows: Mapping[str, Any], num_actions: int, form: str) -> str:
    """Training rows in a text format.

    Args:
        rows: as of :func:`training_rows`.
        num_actions: of the game.
        form: ``csv``, ``json`` or ``ndjson``.
    """
    documents = row_documents(rows, num_actions)
    if form == "ndjson":
        return "".join(json.dumps(one) + "\n" for one in documents)
    if form == "json":
        return "[\n" + ",\n".join(json.dumps(one) for one in documents) + "\n]\n"
    size = int(np.prod(rows["observations"].shape[1:]))
    plain = [name for name in ROW_COLUMNS if name != "observation"]
    columns = [*plain, *(f"o{index}" for index in range(size))]
    flattened = (
        {
            **{name: one[name] for name in plain},
            "policy": " ".join(f"{action}:{share:.6g}" for action, share in one["policy"]),
            **{f"o{index}": value for index, value in enumerate(one["observation"])},
        }
        for one in documents
    )
    return as_csv(columns, flattened)


def format_of(target: Path, asked: str | None) -> str:
    """The format of an export: as asked, or by the end of the file's name.

    Raises:
        UserError: neither is one of :data:`FORMATS`.
    """
    found = asked or target.suffix.removeprefix(".") or "safetensors"
    if found not in FORMATS:
        raise UserError(
            f"rows cannot be exported as {found!r}; there are {', '.join(FORMATS)} "
            "(by the end of the file's name, or --format)"
        )
    return found
