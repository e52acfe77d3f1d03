"""The file in which calibrations are kept: ``$LUDUS_CACHE/calibration.json``.

Without the variable the folder is ``~/.cache/ludus``. A file that cannot be read or written, or is
of another version, is as good as none: calibrating again costs a second.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ludus import reading
from ludus.evaluators.backends import BACKENDS
from ludus.evaluators.machine import core_count, cpu_flags

if TYPE_CHECKING:  # torch is loaded when a network is
    from ludus.nets import Network

_VERSION = 1
_LIMIT = 4 << 20
_KEPT = 64
"""Newest calibrations in the file."""


@dataclass(frozen=True, kw_only=True)
class CalibrationRow:
    """What is known of one backend for one network and batch.

    Attributes:
        backend: name.
        version: of its library, or ``missing``.
        positions_per_second: one thread, by processor time; None if it was not timed.
        difference: from ``torch-f32`` on the probe batch: the largest absolute difference of a
            logit or value; for bf16 logits relative to the largest one. None if not compared.
        usable: available, in agreement and not hopelessly slow.
        note: why it is not usable; else empty.
        cached: read from the file instead of measured now.
    """

    backend: str
    version: str
    positions_per_second: int | None
    difference: float | None
    usable: bool
    note: str
    cached: bool = False

    def as_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)


def calibration_path() -> Path:
    """The file."""
    folder = os.environ.get("LUDUS_CACHE")
    return (Path(folder) if folder else Path.home() / ".cache" / "ludus") / "calibration.json"


def load(net: Network, rows: int) -> list[CalibrationRow] | None:
    """The calibration of this machine, these packages, this architecture and batch, if kept."""
    found = _entries().get(_key(net, rows))
    if not isinstance(found, dict):
        return None
    try:
        report = [replace(CalibrationRow(**row), cached=True) for row in found["rows"]]
    except (TypeError, KeyError):
        return None
    return report if [row.backend for row in report] == list(BACKENDS) else None


def store(net: Network, rows: int, report: list[CalibrationRow]) -> None:
    """Keep a calibration."""
    entries = _entries()
    entries.pop(_key(net, rows), None)
    entries[_key(net, rows)] = {
        "network": {**net.spec.as_json(), "parameters": net.parameter_count},
        "batch_rows": rows,
        "rows": [row.as_json() for row in report],
    }
    newest = dict(list(entries.items())[-_KEPT:])
    path = calibration_path()
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"version": _VERSION, "calibrations": newest}, indent=1)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError:
        # No place to keep it: it is measured each time.
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _entries() -> dict[str, Any]:
    try:
        data = reading.parse_json(reading.read_regular(calibration_path(), _LIMIT))
    except (OSError, ValueError):
        return {}
    if not isinstance(data, dict) or data.get("version") != _VERSION:
        return {}
    entries = data.get("calibrations")
    return entries if isinstance(entries, dict) else {}


def _key(net: Network, rows: int) -> str:
    """Digest of everything that the result depends on."""
    facts = {
        "cpu": cpu_flags(),
        "cores": core_count(),
        "packages": {
            name: version
            for backend in BACKENDS.values()
            for name, version in backend.versions().items()
        },
        # Devices come and go without any package changing.
        "obstacles": [backend.obstacle() for backend in BACKENDS.values()],
        "network": net.spec.as_json(),
        "sizes": [net.observation_shape, net.num_actions, net.value_columns],
        "rows": rows,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
