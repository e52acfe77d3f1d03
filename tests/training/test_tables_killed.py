"""A training of pattern tables as users run it: threads and SIGKILL change no bit."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.training.tiny import command, environment

from ludus.runs import Run

GAMES = 100_000
SETTINGS = (
    "selfplay.games_per_iteration=50000",
    "evaluation.pairs=20",
    "run.commit_seconds=2",
)


def start(path: Path, lanes: int) -> subprocess.Popen[bytes]:
    settings = [word for text in SETTINGS for word in ("--set", text)]
    asked = ("train", "othello", "--run", str(path), "--games", str(GAMES))
    return subprocess.Popen(
        command(*asked, *settings, "--set", f"runtime.lanes={lanes}"),
        env=environment(),
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finish(path: Path, lanes: int) -> dict[str, str]:
    """Digests of all that was learned and kept."""
    process = start(path, lanes)
    _, said = process.communicate(timeout=400)
    assert process.returncode == 0, said.decode()
    manifest = Run.open(path, write=False).manifest
    assert manifest.counters["selfplay_games"] == GAMES
    return {name: ref.sha256 for name, ref in manifest.objects.items() if name != "iterations"}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return finish(tmp_path_factory.mktemp("undisturbed") / "run", 1)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_threads_and_ten_kills_give_the_same_tables(undisturbed, tmp_path):
    path, moments = tmp_path / "run", random.Random(5)
    for _ in range(10):
        process = start(path, 2)
        time.sleep(moments.uniform(1.0, 3.5))
        assert process.poll() is None, "it was done before it could be killed"
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert finish(path, 2) == undisturbed


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_threads_give_the_same_tables(undisturbed, tmp_path):
    assert finish(tmp_path / "run", 2) == undisturbed
