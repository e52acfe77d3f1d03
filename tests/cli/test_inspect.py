"""The command ``ludus inspect``."""

import json
from pathlib import Path

import pytest
from tests.monitor.inspected import _tiny_run, tiny_run  # noqa: F401 - fixtures

from ludus.cli.main import main

TICTACTOE = f"{Path(__file__).parents[2] / 'examples' / 'tictactoe.py'}:TicTacToe"


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["inspect", *arguments]) == code
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return out if code == 0 else out + err


def test_a_position_of_a_run(tiny_run: Path, capsys) -> None:  # noqa: F811
    text = said(
        capsys, "position", str(tiny_run), "--record", "215:3", "--sims", "12", "--top", "4"
    )
    assert "12 visits" in text
    assert "prior entropy" in text
    assert "keep" in text
    assert "... and " in text
    found = json.loads(said(capsys, "position", str(tiny_run), "--record", "215:3", "--json"))
    assert found["search"]["edges"][0]["visits"] > 0


def test_a_game_with_its_searches_done_again(tiny_run: Path, capsys) -> None:  # noqa: F811
    text = said(capsys, "game", str(tiny_run), "215", "--to", "5", "--search", "played")
    assert "6 of 6 with the same visits" in text
    one = said(capsys, "game", str(tiny_run), "215", "--ply", "2")
    assert "upper total" in one  # the board is drawn
    assert "ply 3" not in one


def test_roots_diff_anomalies_metrics(tiny_run: Path, tmp_path: Path, capsys) -> None:  # noqa: F811
    assert "surprise" in said(capsys, "roots", str(tiny_run), "--sort", "entropy", "--edges")
    target = tmp_path / "roots.csv"
    said(capsys, "roots", str(tiny_run), "--csv", str(target))
    assert target.read_text().startswith("iteration,game,ply")
    text = said(capsys, "diff", f"{tiny_run}:0", str(tiny_run))
    assert "output.weight" in text
    assert "was 0" in text
    found = json.loads(said(capsys, "anomalies", str(tiny_run), "--games", "20", "--json"))
    assert found["looked"] == ["games", "metrics", "models"]
    assert "train_step" in said(capsys, "metrics", str(tiny_run))
    assert "loss_total=" in said(capsys, "metrics", str(tiny_run), "--event", "train_step")


@pytest.mark.slow
def test_an_own_game_from_its_run(tmp_path: Path, capsys) -> None:
    run = tmp_path / "own"
    settings = [
        "selfplay.games_per_iteration=24",
        "search.budget=8",
        "selfplay.root_sample_every=1",
    ]
    command = ["train", "--game", TICTACTOE, "--quick", "--run", str(run), "--iterations", "1"]
    for one in [*settings, "gating.max_pairs=8", "training.steps_per_iteration=4"]:
        command += ["--set", one]
    assert main(command) == 0
    capsys.readouterr()
    text = said(capsys, "game", str(run), "3", "--search", "played")
    plies = text.count("again: ")
    assert f"{plies} of {plies} with the same visits" in text
    assert "seat      0 decides" in said(capsys, "position", str(run), "start", "--top", "3")
    said(capsys, "anomalies", str(run))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("position", "yatzy", "blub"), "position 'blub' must look like"),
        (("position", "yatzy", "--record", "1:2"), "--record needs a run"),
        (("position", "yatzy", "--sims", "3"), "needs a player that searches"),
        (("position", "nogame"), "nogame"),
        (("game", "nowhere", "1"), "nowhere"),
        (("roots", "nowhere"), "nowhere"),
        (("diff", "a", "b"), "a is no checkpoint, model or run"),
        (("anomalies", "nowhere"), "nowhere"),
        (("metrics", "nowhere"), "nowhere"),
    ],
)
def test_mistakes_get_one_sentence(arguments, sentence, capsys) -> None:
    text = said(capsys, *arguments, code=2)
    assert sentence in text
    assert len(text.splitlines()) == 1


def test_mistakes_in_runs(tiny_run: Path, tmp_path: Path, capsys) -> None:  # noqa: F811
    run = str(tiny_run)
    assert "must be GAME:PLY" in said(capsys, "position", run, "--record", "9", code=2)
    assert "past its end" in said(capsys, "position", run, "--record", "215:200", code=2)
    assert "has the plies 0 to" in said(capsys, "game", run, "215", "--from", "9999", code=2)
    assert "does not search" in said(capsys, "game", run, "215", "--search", "random", code=2)
    assert main(["replay", "export", str(tmp_path / "x.parquet"), "--run", run]) == 2
    assert "cannot be exported as 'parquet'" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["csv", "json", "ndjson", "safetensors"])
def test_rows_are_exported(tiny_run: Path, tmp_path: Path, form: str, capsys) -> None:  # noqa: F811
    target = tmp_path / f"rows.{form}"
    command = ["replay", "export", str(target), "--run", str(tiny_run), "--limit", "7"]
    assert main(command) == 0
    assert "7 rows" in capsys.readouterr().err
    if form == "safetensors":
        from safetensors.numpy import load

        assert load(target.read_bytes())["value"].shape == (7,)
    else:
        lines = target.read_text().splitlines()
        assert len(lines) == {"csv": 8, "json": 9, "ndjson": 7}[form]
    assert main(command) == 2  # never written over
