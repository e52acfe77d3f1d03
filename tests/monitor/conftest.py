"""A real tiny run for the readers, and copies of it in conditions that runs get into."""

import json
import shutil
import time
from pathlib import Path

import pytest
from tests.training.tiny import train


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two iterations, done; nobody may write to it."""
    path = tmp_path_factory.mktemp("monitor") / "tiny"
    assert train(path, iterations=2) is not None
    return path


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of the run to be doctored."""
    path = tmp_path / "runs" / "tiny"
    shutil.copytree(finished_run, path)
    return path


def doctor(run: Path, **changes: object) -> dict[str, object]:
    """Change the status document; it is as young as a trainer's at work."""
    path = run / "status.json"
    status = {**json.loads(path.read_text()), "ts_ms": int(time.time() * 1000), **changes}
    path.write_text(json.dumps(status))
    return status


def at_work(run: Path, pid: int, **changes: object) -> None:
    """The status of a trainer in the middle of its second iteration."""
    figures = json.loads((run / "status.json").read_text())["figures"]
    share = int(changes.get("iteration", 1)) / int(changes.get("total_iterations", 2) or 2)
    doctor(
        run,
        **{
            "figures": {**figures, "progress": share},
            "state": "training",
            "phase": "train",
            "reason": None,
            "pid": pid,
            "iteration": 1,
            "total_iterations": 2,
            "eta_seconds": 5.2 * 86400,
            "elapsed_seconds": 48.3 * 3600,
            "progress": {"done": 3, "total": 8, "unit": "steps"},
            **changes,
        },
    )
