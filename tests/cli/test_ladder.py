"""`ludus ladder`, `ludus seeds` and `ludus evaluate --calibration` as a user types them."""

import json

import pytest
import torch
from tests.arena.ladder_run import make_run

from ludus.arena import SeedSet
from ludus.cli import main as cli


@pytest.fixture(scope="module")
def run_path(tmp_path_factory):
    torch.set_num_threads(1)
    return make_run(tmp_path_factory.mktemp("runs") / "yatzy")


@pytest.fixture
def ludus(monkeypatch, capsys):
    """Runs a command; returns exit code, stdout and stderr."""
    monkeypatch.setattr(cli, "COMMAND_MODULES", ("ladder", "seeds", "match", "evaluate"))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_a_ladder_is_played_printed_and_gone_on_with(ludus, run_path):
    run = str(run_path)
    code, out, _ = ludus("ladder", run, "--pairs", "24", "--batch", "4", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["games"] == 48
    by_name = {line["player"]: line for line in found["players"]}
    assert set(by_name) <= {"champion-0", "champion-2", "champion-5", "random", "greedy", "oracle"}
    assert len(by_name) >= 4
    assert by_name["greedy"]["elo"] == 1000.0
    assert {"predicted", "found", "z", "games"} <= set(found["pairings"][0])
    assert {"chi_square", "freedom", "p"} == set(found["fit"])
    more = json.loads(ludus("ladder", run, "--pairs", "8", "--batch", "8", "--json")[1])
    assert more["games"] == 64
    code, out, _ = ludus("ladder", run, "--pairs", "0", "--anchor", "mean", "--start", "1500")
    assert code == 0
    assert "64 rating games, mean is 1500" in out
    assert "pairing" in out and "predicted" in out and "from the others" in out
    timed = json.loads(
        ludus(
            "ladder", run, "--minutes", "0.0001", "--batch", "2", "--players", "random", "--json"
        )[1]
    )
    assert timed["games"] in (64, 68)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--pairs", "4", "--minutes", "1"), "exclude each other"),
        (("--pairs", "-1"), "--pairs -1"),
        (("--minutes", "0"), "--minutes 0"),
        (("--batch", "0"), "--batch 0"),
        (("--champions", "65"), "--champions 65"),
        (("--sims", "-2"), "--sims -2"),
        (("--players", "nobody"), "player 'nobody' is unknown"),
        (("--anchor", "nobody", "--pairs", "1"), "anchor 'nobody' has played no rating game"),
        (("--champions", "1", "--players", ""), "no name"),
        (("--game", "go"), "no game 'go'"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(ludus, run_path, arguments, words):
    code, out, err = ludus("ladder", str(run_path), *arguments)
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith("ludus: ") and words in err


def test_no_run(ludus, tmp_path):
    code, _, err = ludus("ladder", str(tmp_path / "none"))
    assert code == 2 and "there is no run directory" in err


def test_calibration_needs_games(ludus, run_path):
    code, _, err = ludus("evaluate", str(run_path), "--calibration")
    assert code == 2 and "has no replay yet" in err


def test_seed_sets_by_name(ludus, tmp_path, monkeypatch):
    """Y-204: a set is made and stored, and a match names it."""
    monkeypatch.chdir(tmp_path)
    code, out, _ = ludus("seeds", "make", "dev", "--pairs", "12", "--seed", "3")
    assert (code, out.strip()) == (0, "seeds/dev.json")
    assert json.loads(ludus("seeds", "list", "--json")[1])[0]["id"] == "arena-3-12"
    by_name = json.loads(ludus("match", "greedy", "random", "--seeds", "dev", "--json")[1])
    by_file = json.loads(
        ludus("match", "greedy", "random", "--seeds", "seeds/dev.json", "--json")[1]
    )
    by_id = json.loads(ludus("match", "greedy", "random", "--seeds", "arena-3-12", "--json")[1])
    assert by_name == by_file == by_id
    assert by_name["seeds_hash"] == SeedSet.generate(3, 12).hash
    cut = json.loads(ludus("match", "greedy", "random", "--seeds", "arena-3-12[:5]", "--json")[1])
    assert cut["pairs"] == 5 and cut["seeds_id"] == "arena-3-12[:5]"
    shown = json.loads(ludus("seeds", "show", "dev")[1])
    assert shown["count"] == 12
    assert ludus("seeds", "make", "dev", "--pairs", "12", "--seed", "3")[0] == 0
    for arguments, words in (
        (("seeds", "make", "dev", "--seed", "4"), "holds other seeds already"),
        (("seeds", "make", "../dev"), "is no name for a seed set"),
        (("seeds", "make", "x", "--pairs", "0"), "--pairs 0"),
        (("match", "random", "random", "--seeds", "tomorrow"), "stored in seeds/ are dev"),
        (("match", "random", "random", "--seeds", "arena-1-9999999"), "9999999 seeds"),
        (("match", "random", "random", "--seeds", "nowhere/x.json"), "no seed set nowhere/x.json"),
    ):
        code, out, err = ludus(*arguments)
        assert (code, out) == (2, "") and words in err and err.count("\n") == 1
    (tmp_path / "seeds" / "dev.json").write_text("{}")
    assert "has schema None" in ludus("match", "random", "random", "--seeds", "dev")[2]


def test_sprt(ludus):
    code, out, _ = ludus("match", "oracle", "random", "--sprt", "elo0=0", "elo1=20", "--json")
    assert code == 0
    report = json.loads(out)
    assert report["sprt"]["verdict"] == "H1"
    assert 32 <= report["pairs"] < 100  # the first look, and no more than a doubt needs
    assert report["sprt"]["elo1"] == pytest.approx(20.0)
    assert "promoted" not in report and "schema" not in report
    code, out, _ = ludus("match", "random", "oracle", "--sprt", "rate0=50%,rate1=0.55")
    assert code == 0 and "H0 accepted after 32 pairs" in out
    code, out, _ = ludus(
        "match", "greedy", "greedy", "--sprt", "elo0=-5", "elo1=5", "--pairs", "40"
    )
    assert code == 0 and "undecided after 40 pairs" in out
    assert "only 40 of 80 games are distinct (50%)" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--sprt", "elo0=0"), "needs elo1 or rate1"),
        (("--sprt", "elo0=0", "elo1=5", "--gate"), "exclude each other"),
        (("elo1=5",), "further terms need --sprt"),
    ],
)
def test_sprt_bad_input(ludus, arguments, words):
    code, out, err = ludus("match", "random", "random", *arguments)
    assert (code, out) == (2, "") and words in err and err.count("\n") == 1
