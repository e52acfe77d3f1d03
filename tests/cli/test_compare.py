"""Runs beside each other; and what ``ludus status`` says of the operation."""

import json
import re
import shutil
import time
from html.parser import HTMLParser

import pytest
from tests.training.tiny import train

from ludus.cli import main as cli
from ludus.runs import Run


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two runs that differ by a setting and the seed."""
    root = tmp_path_factory.mktemp("compare")
    for name, *more in (("one", "run.seed=1"), ("other", "run.seed=2", "search.c_visit=40")):
        assert train(root / name, "evaluation.every=1", *more, iterations=1) is not None
    return root / "one", root / "other"


def ludus(capsys, *arguments):
    code = cli.main(list(map(str, arguments)))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_settings_figures_and_curves_as_text(capsys, two):
    code, out, err = ludus(capsys, "compare", *two)
    assert code == 0
    assert re.search(r"^search\.c_visit +50 +40$", out, re.M)
    assert re.search(r"^run\.seed +1 +2$", out, re.M)
    assert "search.budget" not in out
    assert re.search(r"^games +72 +72$", out, re.M)
    assert re.search(r"^Win rate against random, over iterations$", out, re.M)
    assert "anchor" in err or "Ratings" in err or err == ""


@pytest.mark.parametrize("clock", ["games", "minutes", "iterations"])
def test_json_by_every_clock(capsys, two, clock):
    document = json.loads(ludus(capsys, "compare", *two, "--clock", clock, "--json")[1])
    assert [run["name"] for run in document["runs"]] == ["one", "other"]
    curves = document["curves"]["loss"]
    assert {curve["clock"] for curve in curves} == {clock}
    if clock == "games":
        assert [curve["x"] for curve in curves] == [[72.0], [72.0]]
    assert all(run["figures"]["loss"] > 0 for run in document["runs"])


def test_the_page_is_one_file(capsys, two, tmp_path):
    target = tmp_path / "both.html"
    code, out, _ = ludus(capsys, "compare", *two, "--output", target)
    assert (code, out) == (0, "")
    page = target.read_text()
    tags = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: tags.append(tag)
    parser.feed(page)
    assert tags.count("svg") >= 6
    assert not {"script", "link", "img"} & set(tags)
    assert "http" not in page
    again = tmp_path / "again.html"
    ludus(capsys, "compare", *two, "--output", again)
    assert again.read_bytes() == target.read_bytes()


def test_mistakes_are_one_sentence(capsys, two, tmp_path):
    other_game = shutil.copytree(two[0], tmp_path / "othello", symlinks=True)
    cases = [
        ([two[0]], "2 to 12"),
        ([two[0], two[0]], "named twice"),
        ([two[0], "/nowhere"], "/nowhere"),
        ([*two, "--clock", "moons"], "moons"),
        ([*two, "--output", tmp_path], "is a folder"),
        ([*two, "--output", "/nowhere/x.html"], "cannot be written"),
    ]
    for arguments, words in cases:
        code, out, err = ludus(capsys, "compare", *arguments)
        assert (code, out) == (2, "")
        assert err.count("\n") == 1
        assert words in err
    from ludus.monitor.report import comparing, read_run

    data = [read_run(two[0]), read_run(other_game)]
    data[1].summary.__dict__["rules"] = "othello_v1"
    with pytest.raises(comparing.UserError, match="different games"):
        comparing._require_one_game(data)


# -- status -----------------------------------------------------------------------------------


@pytest.fixture
def troubled(two, tmp_path):
    """A run whose status tells of everything that can stand against it."""
    path = shutil.copytree(two[0], tmp_path / "yatzy", symlinks=True)
    said = json.loads((path / "status.json").read_text())
    said.update(
        state="training",
        restarts=2,
        save_failures=1,
        memory_bytes=5e8,
        memory={"replay": 2e8, "network": 1e7, "total": 5e8, "budget": 1e9},
        guards=[
            {"name": "disk", "state": "warning", "text": "1.5 GB free", "count": 3},
            {"name": "errors", "state": "ok", "text": "0 errors", "count": 0},
        ],
        alerts=[
            {
                "name": "loss_ratio",
                "message": "the loss\x1b[2J doubled",
                "since_ms": (time.time() - 61) * 1000,
            }
        ],
        health={"findings": ["the value head learns nothing"]},
        pending={"training.learning_rate": 0.001},
        ts_ms=(time.time() - 100) * 1000,
    )
    (path / "status.json").write_text(json.dumps(said))
    return path


def test_status_tells_what_stands_against_a_run(capsys, troubled):
    with Run.open(troubled, write=True):
        out = ludus(capsys, "status", troubled)[1]
    assert re.search(r"silent +the trainer has said nothing for 1 min 4\d s", out)
    assert re.search(r"memory +500\.0 MB of 1000\.0 MB: replay 200\.0 MB, network 10\.0 MB", out)
    assert re.search(r"restarts +2$", out, re.M)
    assert re.search(r"failed saves +1$", out, re.M)
    assert re.search(r"alert +the loss\?\[2J doubled \(for 1 min \d s\)", out)
    assert re.search(r"guard +disk \(warning\): 1.5 GB free", out)
    assert "errors (ok)" not in out
    assert "the value head learns nothing" in out
    assert "training.learning_rate = 0.001 with the next iteration" in out


def test_status_of_a_killed_run_says_its_age(capsys, troubled):
    out = ludus(capsys, "status", troubled)[1]
    assert f"{troubled}: dead" in out
    assert re.search(r"killed +this is what it said 1 min 4\d s ago", out)
    assert not re.search(r"^ +memory ", out, re.M)
