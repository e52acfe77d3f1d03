"""The storm's own judgement: it must see what was lost, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.monitor.inspected import _tiny_run, spoiled_run  # noqa: F401 - fixtures

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    import storm_watch

    return storm_watch


def test_a_run_in_which_nothing_was_lost(watch, spoiled_run: Path) -> None:  # noqa: F811
    watcher = watch.Watcher(spoiled_run)
    watcher.close()
    wrong, figures = watch.verify(spoiled_run, watcher)
    # Only the newest commits are kept, so the parent of the oldest is not seen here.
    assert [text for text in wrong if "was never seen" not in text] == []
    assert figures["games"] == 216
    assert figures["commits"] == 8


def test_losses_are_seen(watch, spoiled_run: Path) -> None:  # noqa: F811
    watcher = watch.Watcher(spoiled_run)
    watcher.close()
    newest = max(watcher.manifests)
    champion = watcher.manifests[newest].champion
    assert champion is not None
    (spoiled_run / champion.path).write_bytes(b"other")
    wrong, _ = watch.verify(spoiled_run, watcher)
    assert any("of an acknowledged commit is not there" in text for text in wrong)
    assert any(text.startswith("object champion") for text in wrong)
    # A commit that was acknowledged and that the end does not descend from.
    lost = watcher.manifests[newest]
    watcher.manifests[newest[0] - 1, "another digest"] = lost
    wrong, _ = watch.verify(spoiled_run, watcher)
    assert f"commit {newest[0] - 1} was acknowledged and then lost" in wrong
    watcher.manifests[newest[0] + 1, "newer"] = lost
    wrong, _ = watch.verify(spoiled_run, watcher)
    assert any("the run ends at commit" in text for text in wrong)


@pytest.mark.slow
def test_the_poison_is_for_trainers_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A weight becomes NaN by itself, which the learner refuses; other programs notice nothing."""
    monkeypatch.syspath_prepend(str(TOOLS))
    from storm_faults import SITE

    (tmp_path / "sitecustomize.py").write_text(SITE)
    (tmp_path / "poison").touch()
    (tmp_path / "clock").write_text("3600")
    look = (
        "import time, os, json; from ludus.learners.alphazero import AlphaZeroLearner as A;"
        "print(json.dumps([time.time() - os.stat(os.environ['MARK']).st_mtime, A.step.__name__]))"
    )
    import os

    path = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    mark = tmp_path / "mark"
    mark.touch()
    environment = {
        **os.environ,
        "PYTHONPATH": path,
        "LUDUS_STORM_FLAGS": str(tmp_path),
        "MARK": str(mark),
    }
    found = []
    for more in ([], ["ludus.training.trainer"]):
        done = subprocess.run(
            [sys.executable, "-c", look, *more],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(json.loads(done.stdout))
    assert found[0][0] < 300
    assert found[0][1] == "step"
    assert found[1][0] > 3500
    assert found[1][1] == "poisoned"
