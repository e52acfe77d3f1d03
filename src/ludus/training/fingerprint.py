"""What decides the bits of network results besides weights and batch shape.

Stored when a run is created and compared on resume. A change that nobody thought of shows in the
probe digest: the answer of the run's first network to a fixed batch.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from typing import Any

from ludus.evaluators import cpu_flags

VARIABLES = ("ONEDNN_", "MKL_", "DNNL_", "ATEN_CPU_CAPABILITY")
"""Beginnings of the names of environment variables that can change bits."""

_OURS = ("MKL_NUM_THREADS",)
"""Set by the trainer itself, whatever the environment says."""


def of_backend(backend: str) -> dict[str, Any]:
    """What decides the bits of a network, as JSON; equal ones are expected to give equal bits."""
    import torch

    from ludus.evaluators import BACKENDS

    return {
        "torch": str(torch.__version__),
        "cpu_capability": str(torch.backends.cpu.get_cpu_capability()),
        "machine": platform.machine(),
        "cpu_flags": cpu_flags(),
        "backend": backend,
        "backend_versions": BACKENDS[backend].versions(),
        "variables": {
            name: os.environ[name]
            for name in sorted(os.environ)
            if name.startswith(VARIABLES) and name not in _OURS
        },
    }


def differences(stored: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs, each as a text with both values."""
    found = []
    for key in sorted({*stored, *now}):
        before, after = stored.get(key), now.get(key)
        if before != after:
            found.append(f"{key} was {_short(before)} and is {_short(after)}")
    return found


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:16]}..."
