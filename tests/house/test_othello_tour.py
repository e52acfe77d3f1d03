"""The tour of docs/othello-python.md runs."""

import re

from tests.training.test_tables import train


def test_every_block_of_the_tour_runs(repository, tmp_path, monkeypatch, capsys):
    text = (repository / "docs/othello-python.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len(blocks) == text.count("```python") >= 8
    monkeypatch.chdir(tmp_path)
    few = ("selfplay.games_per_iteration=64", "evaluation.pairs=1")
    train(tmp_path / "runs/othello", *few, iterations=1)
    names = {"folder": tmp_path}
    for block in blocks:
        exec(compile(block, "docs/othello-python.md", "exec"), names)  # noqa: S102 - our own page
    shown = capsys.readouterr().out
    assert "board 0 has 3 on a1; a cell is 0 (empty)" in shown
    assert "pattern 0, edge + 2X" in shown and "weights changed" in shown
    assert len(names["games"]) >= 100
    assert names["found"].line and "depth 8" in shown and "game 0, " in shown
    assert (tmp_path / "statistics.json").is_file()
    assert (tmp_path / "moves.csv").is_file()
