"""The log of a trainer process: its name, its form, what is in it."""

import json
import re
import subprocess

import pytest
from tests.training.tiny import SETTINGS, command, environment


@pytest.mark.parametrize("json_output", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_command_leaves_a_log_of_its_trainer(tmp_path, json_output):
    path = tmp_path / "run"
    settings = (
        *SETTINGS,
        "evaluation.every=0",
        "gating.enabled=false",
        "metrics.game_stats_every=24",
        f"logging.json_output={str(json_output).lower()}",
        "logging.level=debug" if json_output else "logging.level=info",
    )
    sets = [part for one in settings for part in ("--set", one)]
    done = subprocess.run(
        command("train", "yatzy", "--run", str(path), "--iterations", "1", *sets),
        env=environment(),
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (log,) = (path / "logs").glob("training_*.log")
    assert re.fullmatch(r"training_\d{8}_\d{6}\.log", log.name)
    lines = log.read_text().splitlines()
    if not json_output:
        assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z \w+ [\w.]+: ", line) for line in lines)
        assert any("info runs: checkpoint saved path=checkpoints/cache/" in line for line in lines)
        assert not any(" debug " in line for line in lines)
        return
    entries = [json.loads(line) for line in lines]
    assert all({"timestamp", "level", "component", "event", "message"} <= set(e) for e in entries)
    kinds = [entry["event"] for entry in entries]
    assert {"note", "checkpoint_saved", "iteration", "game_stats"} <= set(kinds)
    saved = entries[kinds.index("checkpoint_saved")]
    assert saved["bytes"] == (path / saved["path"]).stat().st_size
    assert saved["seconds"] > 0
    assert kinds.count("game_stats") == 3


def test_a_run_that_cannot_be_made_is_one_sentence():
    """There is no log yet, and nobody is helped by a traceback."""
    done = subprocess.run(
        command("train", "othello", "--run", "/proc/self/run", "--games", "10"),
        env=environment(),
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "ludus: SaveError: could not make /proc/self/run: No such file or directory\n"
    )
