"""`ludus inspect` on a run of pattern tables."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.training.test_tables import train

from ludus.cli.main import main
from ludus.evaluators.tables import TableEvaluator
from ludus.games.othello_position import START
from ludus.monitor.inspect.diff import compare
from ludus.monitor.inspect.learning import learner_of, trace_game
from ludus.monitor.inspect.sampled import sampled_anomalies, sampled_games
from ludus.monitor.inspect.table_changes import compare_checkpoints
from ludus.runs import list_checkpoints
from ludus.runs.tensors import decode, encode

GAME = "e6f4e3f6g5d6e7f5c5"


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "run"
    patterns = path.parent / "few.txt"
    patterns.write_text("edge: a1 b1 c1 d1 e1 f1 g1 h1\ncentre: c3 d3 c4 d4 c5 d5")
    train(path, f"td.patterns={patterns}", iterations=2)
    return path


def ludus(capsys, *words) -> str:
    assert main(["inspect", *map(str, words)]) == 0
    return capsys.readouterr().out


def test_games_that_were_kept(trained, capsys, tmp_path):
    """One game in td.record_every (100) is a transcript; there is no replay."""
    kept = sampled_games(trained)
    assert list(kept) == list(range(0, 2048, 100))
    document = json.loads(ludus(capsys, "game", trained, 300, "--json"))
    assert document["transcript"] == kept[300]
    assert "".join(one["text"] for one in document["plies"] if one["text"] != "pass") == kept[300]
    assert document["difference"] == trace_game(learner_of(trained).tables, kept[300]).difference
    text = ludus(capsys, "game", trained, 300, "--ply", 2)
    assert "    a b c d e f g h" in text and kept[300] in text and " target " in text
    before = json.loads(ludus(capsys, "position", trained, "--record", "300:2", "--json"))
    assert before["position"] == document["plies"][2]["position"]
    assert ludus(capsys, "updates", trained, "--game", 300) == ludus(
        capsys, "updates", trained, kept[300]
    )
    ludus(capsys, "updates", trained, "--csv", tmp_path / "moves.csv")
    with (tmp_path / "moves.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {int(row["game"]) for row in rows} == set(kept)
    mine = [row["square"] for row in rows if row["game"] == "300"]
    assert "".join(mine) == kept[300]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("game", "RUN", 301), "has not kept game 301; it has 21 games, such as 100, 200, 300"),
        (("game", "RUN", 300, "--ply", 99), "and no ply 99"),
        (("game", "RUN", 300, "--search", "played"), "pattern tables play without one"),
        (("position", "RUN", "--record", "300:99"), "there is no decision 99"),
        (("updates", "RUN"), "give the moves of a game, or --game N"),
        (("updates", "RUN", GAME, "--game", 300), "not both"),
    ],
)
def test_games_that_were_not_kept(trained, capsys, words, sentence):
    words = ["inspect", *(str(trained) if word == "RUN" else str(word) for word in words)]
    assert main(words) == 2
    found = capsys.readouterr().err
    assert sentence in found and found.count("\n") == 1


def test_kept_games_that_are_odd_are_told(trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    assert sampled_anomalies(run, 200) == (21, [])
    log = run / "logs/games.ndjson"
    lines = [line for line in log.read_text().splitlines() if '"transcript"' in line]
    moves = json.loads(lines[0])["moves"]
    for step, spoiled in ((5000, moves), (5100, moves[:-10]), (5200, moves[:20] + "a1" * 20)):
        lines.append(json.dumps({**json.loads(lines[0]), "step": step, "moves": spoiled}))
    log.write_text("\n".join(lines) + "\n")
    count, found = sampled_anomalies(run, 200)
    assert count == 24
    assert [one.kind for one in found] == ["game_damaged", "game_damaged", "repeated_games"]
    assert "game 5100 ends after" in found[0].text and "of game 5200" in found[1].text
    assert found[2].place["games"] == [0, 5000]


def test_two_checkpoints(trained, capsys):
    first, second = (trained / one.path for one in list_checkpoints(trained))
    found = compare_checkpoints(first, second, 3)
    assert found["changed"] > 100 and [one["name"] for one in found["patterns"]] == [
        "edge",
        "centre",
    ]
    text = ludus(capsys, "diff", first, second, "--top", "3")
    assert f"{found['changed']:,} of {found['entries']:,} weights changed" in text
    document = compare(str(first), str(second), top=3)
    assert document["tables"] == found
    (weights,) = document["tensors"]
    assert weights["max_abs"] == found["largest"]  # in discs
    among_files = compare(f"{trained}:1024", f"{trained}:2048", top=3)
    assert among_files["tables"] == found and among_files["first"]["part"] is None
    learner = compare(str(first), str(second), part="champion")
    assert learner["tables"]["changed"] == found["changed"]


def test_a_pattern_and_a_position(trained, capsys):
    assert "centre" in ludus(capsys, "pattern", trained)
    text = ludus(capsys, "pattern", trained, "1", "--position", START)
    assert "stage 0" in text and "  3 . . 0 1 . . . . 3" in text
    document = json.loads(
        ludus(capsys, "pattern", trained, "1", "--position", START, "--model", "1024", "--json")
    )
    evaluator = TableEvaluator(trained, "1024")
    one = document["found"][0]
    assert one["weight"] == evaluator.weight(1, 0, one["index"])
    assert main(["inspect", "pattern", str(trained), "2"]) == 2
    assert "there are 0 to 1" in capsys.readouterr().err


def test_updates_of_a_game(trained, capsys):
    text = ludus(capsys, "updates", trained, GAME, "--top", "2")
    assert "black ends +64" in text and "weights change" in text
    checkpoint = trained / list_checkpoints(trained)[-1].path
    document = json.loads(ludus(capsys, "updates", checkpoint, GAME, "--json"))
    assert len(document["moves"]) == 9
    assert f"{len(document['updates'])} weights change" in text
    model = next((trained / "models").glob("*.safetensors"))
    assert main(["inspect", "updates", str(model), GAME]) == 2
    assert "has no learner" in capsys.readouterr().err
    assert main(["inspect", "updates", str(trained), "e6"]) == 2
    assert "not over" in capsys.readouterr().err


def test_a_weight_that_jumped_is_told(trained, capsys):
    assert "weights_jumped" not in ludus(capsys, "anomalies", trained, "--json")
    model = trained / "models" / "tables-002048.safetensors"
    beside, kept = model.with_suffix(".json"), model.read_bytes()
    said = beside.read_text()
    arrays, meta = decode(kept, "model")
    weights = np.array(arrays["weights"])
    weights[11, 5] = 40000
    try:
        model.write_bytes(b"".join(encode({"weights": weights}, meta)))
        beside.unlink()
        text = ludus(capsys, "anomalies", trained)
    finally:
        model.write_bytes(kept)
        beside.write_text(said)
    assert "models/tables-001024.safetensors to models/tables-002048.safetensors" in text
    assert "1 weights changed by more than 8 discs" in text and "edge (pattern 0) stage 11" in text
