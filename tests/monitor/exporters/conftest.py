"""A real run of seconds, made once, and copies of it to do things to."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.training import tiny


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "run"
    tiny.train(path, iterations=1)
    return path


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy, as on another machine: other inodes, no trainer."""
    return Path(shutil.copytree(made, tmp_path / "run"))


@pytest.fixture
def lines(run: Path) -> Callable[[], list[bytes]]:
    """Lines of the run's metrics.ndjson now."""
    return lambda: (run / "logs" / "metrics.ndjson").read_bytes().splitlines(keepends=True)
