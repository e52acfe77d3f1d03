"""Feeds one sink from one run directory: what is new since last time, nothing twice.

The log may grow, be torn, be cut back by a resume, or be another file with the same beginning (a
copy on another machine).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ludus.errors import LudusError, UserError
from ludus.monitor.exporters.base import RunFacts, Sink, step_of
from ludus.monitor.exporters.cursor import Cursor, only_writer
from ludus.monitor.exporters.retry import with_retry
from ludus.runs import NdjsonReader, list_checkpoints, read_status

LOG = "metrics"
_BATCH = 2000
"""Records between two moments at which the cursor is saved."""


def default_target(run: Path, sink: str) -> Path:
    """Where a sink writes unless told otherwise: among the run's reports."""
    return run / "reports" / sink


class Feed:
    """One sink and its cursor. Use as a context; :meth:`poll` as often as you like.

    Attributes:
        sent: records handed over by this object.
        rewinds: how often the log was found cut.
    """

    def __init__(
        self,
        run: Path,
        sink: Sink,
        name: str,
        target: Path,
        *,
        artifacts: bool = False,
        retry: Callable[..., Any] = with_retry,
    ) -> None:
        """Prepare.

        Args:
            run: the directory.
            sink: closed; takes the records.
            name: of the sink.
            target: folder of the cursor and of what the sink writes on this machine.
            artifacts: whether checkpoints are sent too.
            retry: as :func:`with_retry`.

        Raises:
            UserError: artifacts for a sink that takes none.
        """
        if artifacts and not sink.takes_artifacts:
            raise UserError(f"{name} takes no checkpoints: leave out --artifacts")
        self._run, self._sink, self._name, self._target = run, sink, name, target
        self._artifacts = artifacts
        self._retry = retry
        self._log = run / "logs" / f"{LOG}.ndjson"
        self._held = ExitStack()
        self._reader = NdjsonReader(self._log)
        self.sent = 0
        self.rewinds = 0

    def __enter__(self) -> Feed:
        """Hold the folder and open the sink.

        Raises:
            UserError: the folder or the service refuses.
            RunError: the run cannot be read.
        """
        facts = RunFacts.of(self._run)
        self._held.enter_context(only_writer(self._target))
        try:
            self._cursor = cursor = Cursor.load(self._target, self._name, facts.run_id)
            if not self._retry(lambda: self._sink.open(facts, cursor.mark), self._name):
                cursor.offset, cursor.tail, cursor.again = 0, "", {}
            self._reader.offset = cursor.offset
        except BaseException:
            self._held.close()
            raise
        return self

    def __exit__(self, *about: object) -> None:
        try:
            self._sink.close()
        finally:
            self._held.close()

    def poll(self) -> int:
        """Hand over what is new; returns the number of records."""
        before = self.sent
        if not self._cursor.fits(self._log):
            self._begin_again()
        for record in self._new_records():
            self._retry(lambda one=record: self._sink.record(LOG, one), self._name)
            self._cursor.steps[_name(record)] = step_of(record)
            self.sent += 1
            if self.sent % _BATCH == 0:
                self._save()
        self._save()
        self._send_figures()
        if self._artifacts:
            self._send_checkpoints()
        self._save()
        return self.sent - before

    def _new_records(self) -> Iterator[dict[str, Any]]:
        restarts = self._reader.restarts
        for record in self._reader.poll():
            if self._reader.restarts != restarts:  # cut while we looked: it began from the start
                restarts = self._reader.restarts
                self._cut()
            known = self._cursor.again.get(_name(record))
            if known is not None:
                if step_of(record) <= known:
                    continue
                del self._cursor.again[_name(record)]
            yield record

    def _begin_again(self) -> None:
        self._reader = NdjsonReader(self._log)
        self._cut()
        self._save()

    def _cut(self) -> None:
        """The log no longer begins with what was read: it is read from its beginning."""
        self.rewinds += 1
        if self._sink.rewrites:
            self._sink.rewind()
        else:
            self._cursor.again = dict(self._cursor.steps)
        self._cursor.steps = dict(self._cursor.again)

    def _save(self) -> None:
        # First the log, which may be cut at any moment: what is noted must be what was read.
        self._cursor.take(self._log, self._reader.offset)
        self._cursor.mark = self._retry(self._sink.flush, self._name)
        self._cursor.save(self._target)

    def _send_figures(self) -> None:
        status = read_status(self._run) or {}
        figures, written = status.get("figures"), status.get("ts_ms")
        if not isinstance(figures, dict) or not isinstance(written, int):
            return
        if written <= self._cursor.figures_ms:
            return
        numbers = {
            str(name): value
            for name, value in figures.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
        step = int(numbers.get("elapsed_seconds") or 0)
        self._retry(lambda: self._sink.figures(numbers, step, written), self._name)
        self._cursor.figures_ms = written

    def _send_checkpoints(self) -> None:
        found = [entry for entry in list_checkpoints(self._run) if entry.error is None]
        for entry in found:
            key = f"{entry.path}:{entry.size}"
            if key in self._cursor.checkpoints:
                continue
            aliases = [f"iteration-{entry.unit}", *(["latest"] if entry is found[-1] else [])]
            self._sink.checkpoint(self._run / entry.path, aliases)
            self._cursor.checkpoints.append(key)
            self._save()


def sentence(error: BaseException) -> str:
    """An error for people, in one line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, LudusError) else f"{type(error).__name__}: {text}"


def _name(record: dict[str, Any]) -> str:
    return str(record.get("event"))
