"""Fixtures of the run directory's tests."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.runs.helpers import Crash, FaultyOs, new_run

from ludus.runs import Run, control, garbage, logs, ndjson, objects, retention, store


@pytest.fixture
def faulty_os(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FaultyOs]:
    """Put a :class:`FaultyOs` in place of ``os`` in every module that writes; None restores."""
    modules: tuple[ModuleType, ...] = (
        objects, store, ndjson, logs, garbage, control, retention
    )  # fmt: skip

    def install(at: int, fault: int | type[Crash] = errno.ENOSPC, **options: Any) -> FaultyOs:
        faulty = FaultyOs(at, fault, **options)
        for module in modules:
            monkeypatch.setattr(module, "os", faulty)
        return faulty

    return install


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A directory in memory where there is one: these tests make thousands of small files.

    What a flush guarantees cannot be seen by a test whose process or machine goes on anyway.
    """
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory, prefix="ludus-test-") as name:
        yield Path(name)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A new run, open for writing."""
    with new_run(tmp_path / "run") as fresh:
        yield fresh
