"""What of a machine decides which numbers come out and how fast."""

from __future__ import annotations

import hashlib
import os
import platform


def cpu_flags() -> str:
    """SHA-256 of the processor's features, in order; of the machine's name where unknown."""
    flags = platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith(("flags", "Features")):
                    flags = " ".join(sorted(line.partition(":")[2].split()))
                    break
    except OSError:
        pass  # no Linux: the machine's name has to do
    return hashlib.sha256(flags.encode()).hexdigest()[:16]


def core_count() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
