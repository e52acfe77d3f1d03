"""Where reports lie: ``reports/<UTC time>-<commit>/``, with the pointer ``reports/latest``."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ludus.errors import RunError
from ludus.monitor.cells import cell
from ludus.monitor.folders import KEPT, remove_old_reports
from ludus.monitor.report.document import report_document
from ludus.monitor.report.page import render
from ludus.monitor.report.reading import read_run
from ludus.runs import SaveError, replace_file

LATEST = "latest"


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Attributes:
        folder: where it lies.
        page: the HTML file, by way of the pointer where there is one.
        document: what ``metrics.json`` holds.
        removed: older reports that were removed.
        notes: sentences for the user.
    """

    folder: Path
    page: Path
    document: dict[str, Any]
    removed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def write_report(
    path: str | Path, output: Path | None = None, *, now: float | None = None
) -> Report:
    """Write the report of a run.

    The run may be training: it is only read, and ``reports/`` is where readers may write.

    Args:
        path: the run directory.
        output: a folder for the files; ``reports/<UTC time>-<commit>`` of the run by default,
            with the pointer ``reports/latest`` and without the oldest beyond :data:`KEPT`.
        now: seconds since 1970; the clock's by default.

    Raises:
        RunError: no run, or the folder cannot be written to.
    """
    data = read_run(path, now=now)
    document = report_document(data)
    page = render(document)
    files = {
        "metrics.json": json.dumps(document, indent=1, default=str, allow_nan=False) + "\n",
        "iterations.csv": iterations_csv(document["iterations"]),
        "curves.csv": curves_csv(document["curves"]),
        "dashboard.html": page,
    }
    if output is not None:
        _write(output, files)
        return Report(output, output / "dashboard.html", document)
    reports = data.path / "reports"
    folder = _free_folder(reports, data.taken, data.summary.sequence or 0)
    _write(folder, files)
    pointed, notes = _point(reports, folder.name)
    removed = remove_old_reports(reports)
    if removed:
        notes.append(f"removed {len(removed)} older report(s); the newest {KEPT} are kept")
    page_at = (reports / LATEST if pointed else folder) / "dashboard.html"
    return Report(folder, page_at, document, tuple(removed), tuple(notes))


def _free_folder(reports: Path, now: float, commit: int) -> Path:
    stem = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now)) + f"-{commit:06d}"
    names = [stem, *(f"{stem}-{again}" for again in range(2, 100))]
    return next((reports / name for name in names if not (reports / name).exists()), reports / stem)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"the report cannot be written to {folder}: {error.strerror}; name another folder "
            "with --output"
        ) from error
    for name, text in files.items():
        try:
            replace_file(folder / name, text.encode("utf-8", "backslashreplace"), durable=False)
        except (SaveError, OSError) as error:
            raise RunError(
                f"the report cannot be written: {error}; name another folder with --output"
            ) from error


def _point(reports: Path, name: str) -> tuple[bool, list[str]]:
    """Let ``latest`` mean the folder; returns whether it is a way to its files."""
    pointer = reports / LATEST
    draft = reports / f".{LATEST}.{os.getpid()}.{secrets.token_hex(4)}.tmp"
    try:
        draft.symlink_to(name, target_is_directory=True)
        os.replace(draft, pointer)
        return True, []
    except OSError as error:
        reason = error.strerror
        with contextlib.suppress(OSError):
            draft.unlink()
    try:  # a file system without links: the name of the folder, as text
        if pointer.is_symlink() or not pointer.is_dir():
            replace_file(pointer, f"{name}\n".encode(), durable=False)
            return False, [f"{pointer} is a text file with the folder's name ({reason})"]
    except SaveError as error:
        reason = str(error)
    return False, [f"{pointer} could not be set to {name}: {reason}"]


# -- exports ----------------------------------------------------------------------------------


def iterations_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line an iteration; win rates by opponent are columns of their own."""
    opponents = list(dict.fromkeys(who for row in rows for who in row["matches"]))
    plain = [name for name in rows[0] if name != "matches"] if rows else ["iteration"]
    figures = ("win_rate", "win_rate_low", "win_rate_high", "games", "mean")
    head = [*plain, *(f"{who}.{figure}" for who in opponents for figure in figures)]
    body = (
        [
            *(row[name] for name in plain),
            *((row["matches"].get(who) or {}).get(f) for who in opponents for f in figures),
        ]
        for row in rows
    )
    return _csv(head, body)


def curves_csv(curves: Mapping[str, Mapping[str, Any]]) -> str:
    """One line a point: curve, clock, x, y, low, high, note."""
    return _csv(
        ["curve", "clock", "x", "y", "low", "high", "note"],
        (
            [name, one["clock"], x, one["y"][at], *(_at(one, key, at) for key in _MORE)]
            for name, one in curves.items()
            for at, x in enumerate(one["x"])
        ),
    )


_MORE = ("low", "high", "notes")


def _at(curve: Mapping[str, Any], name: str, at: int) -> Any:
    return curve[name][at] if name in curve else None


def _csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([cell(name) for name in head])
    writer.writerows([cell(value) for value in row] for row in rows)
    return text.getvalue()
