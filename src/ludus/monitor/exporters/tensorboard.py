"""TensorBoard: event files that are exactly what the run's log says.

Two folders, each one file: ``records`` holds the records of ``metrics.ndjson``, ``figures`` the
figures of the catalogue at the times at which somebody looked. Files are appended to, and cut to
what the cursor vouches for when they are opened: a sync that died half-way leaves no duplicates.
Neither TensorFlow nor torch is needed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from ludus.monitor.exporters.base import RunFacts, library, safe_name, scalars, step_of

_FOLDERS = ("records", "figures")


class TensorboardSink:
    """Writes event files below a folder."""

    rewrites = True
    takes_artifacts = False

    def __init__(self, target: Path) -> None:
        self._target = target
        self._name = ""
        self._files: dict[str, IO[bytes]] = {}
        self._writers: dict[str, Any] = {}
        self._event: Any = None

    def open(self, facts: RunFacts, mark: Mapping[str, Any]) -> bool:
        """Open both files, cut to the sizes in `mark`; an absent or shorter one begins anew."""
        # No time and no host in the name: there is one file for ever.
        self._name = f"events.out.tfevents.0000000000.{safe_name(facts.run_id)}"
        self._event = library("tensorboard.compat.proto.event_pb2", "tensorboard")
        whole = {name: self._begin(name, int(mark.get(name) or 0)) for name in _FOLDERS}
        return whole["records"]  # figures of former looks are nowhere else: they cannot come again

    def _begin(self, folder: str, size: int) -> bool:
        """A file cut to `size` bytes; an empty one, and False, if it is not that long."""
        writing = library("tensorboard.summary.writer.record_writer", "tensorboard")
        self._end(folder)
        path = self._target / folder / self._name
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        there = os.fstat(descriptor).st_size
        whole = size <= there
        os.ftruncate(descriptor, size if whole else 0)
        file = os.fdopen(descriptor, "r+b")
        file.seek(0, os.SEEK_END)
        self._files[folder] = file
        self._writers[folder] = writing.RecordWriter(file)
        if file.tell() == 0:
            self._write(folder, self._event.Event(wall_time=0.0, file_version="brain.Event:2"))
        return whole

    def _write(self, folder: str, event: Any) -> None:
        self._writers[folder].write(event.SerializeToString())

    def record(self, log: str, record: Mapping[str, Any]) -> None:
        """One event with all numbers of the record, at its own clock."""
        self._scalars("records", scalars(record), step_of(record), record.get("ts_ms"))

    def figures(self, figures: Mapping[str, float | None], step: int, ts_ms: int) -> None:
        """One event with all known figures."""
        known = ((f"figures/{safe_name(k)}", v) for k, v in figures.items() if v is not None)
        self._scalars("figures", known, step, ts_ms)

    def _scalars(self, folder: str, values: Any, step: int, ts_ms: Any) -> None:
        seconds = float(ts_ms) / 1000.0 if isinstance(ts_ms, int | float) else 0.0
        event = self._event.Event(wall_time=seconds, step=step)
        for name, value in values:
            event.summary.value.add(tag=name, simple_value=value)
        if event.summary.value:
            self._write(folder, event)

    def checkpoint(self, path: Path, aliases: Sequence[str]) -> None:
        """TensorBoard takes no files."""

    def rewind(self) -> None:
        """Empty the file of the records; a reader that has it open is told to drop its points."""
        self._begin("records", 0)
        session_log = self._event.SessionLog
        start = session_log(status=session_log.START)
        self._write("records", self._event.Event(wall_time=0.0, step=0, session_log=start))

    def flush(self) -> dict[str, Any]:
        """Hand the files to the system; returns their sizes."""
        for file in self._files.values():
            file.flush()
        return {folder: file.tell() for folder, file in self._files.items()}

    def _end(self, folder: str) -> None:
        self._writers.pop(folder, None)
        file = self._files.pop(folder, None)
        if file is not None:
            file.close()

    def close(self) -> None:
        """Close the files."""
        for folder in _FOLDERS:
            self._end(folder)
