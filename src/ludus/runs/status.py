"""``status.json``: what is happening now, for anyone who looks."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ludus.errors import RunError
from ludus.runs import layout
from ludus.runs.jsonio import pretty_json, strict_json
from ludus.runs.objects import SaveError, read_file, replace_file
from ludus.runs.schema import PROTOCOL_VERSION

_LIMIT = 1 << 20


class StatusWriter:
    """Replaces the status document atomically, without flushing: it need not survive a power cut.

    Attributes:
        failures: how often it could not be written. A full disk never stops the training here.
    """

    def __init__(self, run: Path, *, run_id: str, incarnation: str) -> None:
        self._path = run / layout.STATUS
        self._about = {
            "protocol_version": PROTOCOL_VERSION,
            "run_id": run_id,
            "incarnation": incarnation,
            "pid": os.getpid(),
        }
        self._number = 0
        self.failures = 0

    def write(self, fields: Mapping[str, Any]) -> bool:
        """Publish a new document; returns whether that worked. Takes well under 10 ms.

        Added to the fields: ``protocol_version``, ``run_id``, ``incarnation``, ``pid``, ``ts_ms``
        and ``number``, which only grows within an incarnation. What is unknown should be None;
        numbers that are not finite become null.
        """
        self._number += 1
        about = {**self._about, "ts_ms": time.time_ns() // 1_000_000, "number": self._number}
        try:
            # Plain replace: readers must see a whole document, a power cut may lose it.
            replace_file(self._path, pretty_json({**about, **fields}), durable=False)
        except SaveError:
            self.failures += 1
            return False
        return True


def read_status(run: str | Path) -> dict[str, Any] | None:
    """The status of a run; None if unknown (missing, empty, not parsable)."""
    try:
        return strict_json(read_file(Path(run) / layout.STATUS, _LIMIT), layout.STATUS)
    except (OSError, RunError):
        return None
