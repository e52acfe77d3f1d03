"""One real run of seconds that the tests of the readers look at; copies of it may be spoiled."""

import shutil
from pathlib import Path

import pytest
from tests.training.tiny import train


@pytest.fixture(scope="session")
def _tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("monitor") / "tiny"
    ending = train(path, "selfplay.root_sample_every=1", iterations=3)
    assert ending is not None
    assert ending.code == 0
    return path


@pytest.fixture
def tiny_run(_tiny_run: Path) -> Path:
    """A trained run of three iterations; not to be changed."""
    return _tiny_run


@pytest.fixture
def spoiled_run(_tiny_run: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(_tiny_run, tmp_path / "spoiled"))
