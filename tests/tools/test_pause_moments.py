"""The measurement of pauses: it must see a slow one and a lost game."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.training.tiny import train

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    import pause_moments

    return pause_moments


def test_what_is_wrong_after_a_pause_is_seen(tool, tmp_path: Path) -> None:
    path = tmp_path / "run"
    train(path, minutes=0.0)
    moments = tool.Moments(argparse.Namespace(seed=1), path)
    assert moments._wrong(3, {"games": 4}, {"games": 4}) == "state done"
    assert moments._wrong(0, {"games": 5}, {"games": 5}) == "exit code 0, state done"
    assert "games went from 6 to 5" in moments._wrong(3, {"games": 6}, {"games": 5})
    assert "games went from 5 to 4" in moments._wrong(3, {}, {"games": 4})  # since the last pause


def test_the_table_and_the_judgement(tool, monkeypatch, capsys, tmp_path: Path) -> None:
    slow = iter([0.5, 0.25, 6.0, 0.5, 0.25, 0.5])

    def measured(self, number):
        return tool.Pause(tool.PHASES[number % 2], False, next(slow), 3.0, "")

    monkeypatch.setattr(tool.Moments, "pause_once", measured)
    for pauses, code in ((2, 0), (4, 1)):
        monkeypatch.setattr(sys, "argv", ["pause_moments", "--pauses", str(pauses)])
        assert tool.main() == code
    said = capsys.readouterr().out
    assert "maximum: 6.00 s (limit 5 s)" in said
    assert "selfplay        2      3.12       6.00" in said
    assert "evaluate        0\n" in said


@pytest.mark.slow
def test_pauses_of_a_real_training(tmp_path: Path) -> None:
    out = tmp_path / "pauses.json"
    done = subprocess.run(
        [sys.executable, str(TOOLS / "pause_moments.py"), "--quick", "--pauses", "3",
         "--patience", "5", "--json", str(out)],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    pauses = json.loads(out.read_text())
    assert len(pauses) == 3
    assert all(one["seconds"] < 5 and not one["wrong"] for one in pauses)
