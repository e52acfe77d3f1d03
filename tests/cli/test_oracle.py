"""`ludus oracle`, `ludus games` and `ludus perft` as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ludus.cli import main as cli


@pytest.fixture
def ludus(monkeypatch, capsys):
    """Runs a command; returns exit code, stdout and stderr."""
    monkeypatch.setattr(cli, "COMMAND_MODULES", ("games", "oracle"))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_expected_prints_two_decimals(ludus):
    assert ludus("oracle", "yatzy", "expected") == (0, "248.44\n", "")
    code, out, _ = ludus("oracle", "yatzy", "expected", "--json")
    assert code == 0
    assert json.loads(out)["expected"] == pytest.approx(248.439989, abs=1e-3)


def test_value(ludus):
    code, out, _ = ludus("oracle", "yatzy", "value", "512", "45", "--json")
    assert code == 0
    assert json.loads(out)["value"] == pytest.approx(30.3813887878, abs=1e-3)
    assert ludus("oracle", "yatzy", "value", "2", "63")[1] == "23.3333\n"


@pytest.mark.parametrize("dice", ["41231", "4,1,2,3,1", "4 1 2 3 1"])
def test_advise_gives_all_legal_actions(ludus, dice):
    code, out, _ = ludus("oracle", "yatzy", "advise", dice, "1", "2081", "50", "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["dice"] == [1, 1, 2, 3, 4]
    actions = answer["actions"]
    assert sorted(a["index"] for a in actions) == [*range(31), 35, 41, 46]
    assert actions[0]["optimal"] and actions[0]["value"] == answer["value"]
    values = [a["value"] for a in actions if not a["optimal"]]
    assert values == sorted(values, reverse=True)
    marks = {a["name"]: a for a in actions if a["kind"] == "mark"}
    assert set(marks) == {"mark fours", "mark four_kind", "mark yatzy"}
    assert marks["mark fours"]["score"] == 4
    keeps = {a["name"]: [b["mask"] for b in actions if b["name"] == a["name"]] for a in actions}
    assert keeps["keep 1"] == [8, 16]
    assert all(a["mask"] == a["index"] for a in actions if a["kind"] == "keep")


def test_advise_marks_every_optimal_mask(ludus):
    out = ludus("oracle", "yatzy", "advise", "44446", "1", "2081", "50", "--json")[1]
    best = [a["index"] for a in json.loads(out)["actions"] if a["optimal"]]
    assert best == [30]
    table = ludus("oracle", "yatzy", "advise", "44446", "1", "2081", "50")[1]
    line = next(line for line in table.splitlines() if line.startswith("*"))
    assert line.split()[1:-1] == ["keep", "4", "4", "4", "4", "30"]
    assert float(line.split()[-1]) == pytest.approx(76.7597, abs=1e-3)
    assert "14 22 26 28" in table


def test_simulate(ludus):
    arguments = ("oracle", "yatzy", "simulate", "--games", "12000", "--seed", "3")
    code, out, _ = ludus(*arguments, "--json")
    result = json.loads(out)
    assert code == 0
    assert {"mean", "std", "median", "min", "max", "bonus_rate", "games", "policy_id"} <= set(
        result
    )
    assert result["games"] == 12000 and result["policy_id"] == "oracle"
    assert abs(result["mean"] - 248.44) < 5 * result["standard_error"]
    again = json.loads(ludus(*arguments, "--threads", "1", "--json")[1])
    assert {**again, "seconds": 0} == {**result, "seconds": 0}
    text = ludus(*arguments)[1]
    assert f"mean       {result['mean']:.2f}" in text
    assert text.count("#") > 100


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("value", "32768", "0"), "MASK is 32768; it must lie in 0..32767"),
        (("value", "0", "64"), "UPPER is 64; it must lie in 0..63"),
        (("value", "32767", "1"), "UPPER is 1, but no marks"),
        (("value", "x", "1"), "MASK"),
        (("advise", "1234", "1", "1", "0"), "DICE is '1234'"),
        (("advise", "12347", "1", "1", "0"), "DICE is '12347'"),
        (("advise", "keep all", "1", "1", "0"), "DICE is 'keep all'"),
        (("advise", "12345", "3", "1", "0"), "REROLLS is 3; it must lie in 0..2"),
        (("advise", "12345", "1", "0", "0"), "every category is marked"),
        (("simulate", "--games", "0"), "--games is 0"),
        (("simulate", "--policy", "bold"), "--policy is 'bold'"),
        (("simulate", "--threads", "0"), "--threads is 0"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(ludus, arguments, sentence):
    code, out, err = ludus("oracle", "yatzy", *arguments)
    assert code == 2 and out == ""
    assert err.startswith("ludus: ") and err.count("\n") == 1
    assert sentence in err


def test_games(ludus):
    code, out, _ = ludus("games", "--json")
    assert code == 0
    yatzy = next(one for one in json.loads(out) if one["name"] == "yatzy")
    assert yatzy["name"] == "yatzy" and yatzy["actions"] == 47
    assert yatzy["players"] == ["greedy", "oracle"]
    assert "yatzy" in ludus("games")[1]


def test_perft(ludus):
    assert ludus("perft", "yatzy", "2")[:2] == (0, f"{252 * 46}\n")
    position = "32767/0/0 32767/0/0 0 66345 2"
    code, out, _ = ludus("perft", "yatzy", "1", "--position", position, "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["leaves"] == 46
    assert answer["position"] == "32767/0/0 32767/0/0 0 34566 2"
    assert ludus("perft", "yatzy", "0")[1] == "1\n"
    assert ludus("perft", "yatzy", "3", "--position", "0/0/0 0/0/0 -")[1] == "0\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("go", "2"), "there is no game 'go'"),
        (("yatzy", "101"), "DEPTH is 101"),
        (("yatzy", "1", "--position", "nothing"), "must look like"),
    ],
)
def test_bad_perft_is_one_sentence_and_exit_2(ludus, arguments, sentence):
    code, out, err = ludus("perft", *arguments)
    assert code == 2 and out == "" and err.count("\n") == 1
    assert sentence in err


def test_the_oracle_starts_without_torch():
    script = (
        "import sys; from ludus.cli import main as m; m.COMMAND_MODULES = ('oracle', 'games');"
        "code = m.main(['oracle', 'yatzy', 'expected']); assert 'torch' not in sys.modules;"
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "248.44\n"), done.stderr
