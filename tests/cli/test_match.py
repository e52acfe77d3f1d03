"""`ludus match` as a user types it."""

import json

import pytest

from ludus.arena import SeedSet
from ludus.cli import main as cli


@pytest.fixture
def ludus(monkeypatch, capsys):
    """Runs a command; returns exit code, stdout and stderr."""
    monkeypatch.setattr(cli, "COMMAND_MODULES", ("match", "players"))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_greedy_beats_random(ludus):
    code, out, err = ludus("match", "greedy", "random", "--pairs", "50", "--seed", "1", "--json")
    assert code == 0
    report = json.loads(out)
    assert report["game"] == "yatzy"
    assert (report["player_a"], report["player_b"]) == ("greedy", "random")
    assert report["wins"] == report["games"] == 100
    assert report["win_rate_bound"] > 0.97
    assert report["distinct_games"] == 100
    assert report["fallbacks"] == 0
    assert "per_seed" not in report
    assert err == ""
    # The same command gives the same bytes, whatever the lanes.
    for lanes in ("1", "2"):
        again = ludus(
            "match", "greedy", "random", "--pairs", "50", "--seed", "1", "--json", "--lanes", lanes
        )
        assert again[1] == out


def test_text(ludus):
    code, out, _ = ludus("match", "oracle", "greedy", "--pairs", "64", "--oracle")
    assert code == 0
    assert "oracle  against  greedy" in out
    assert "128 in 64 pairs, 128 distinct" in out
    assert "agrees (overall)" in out
    assert "100.00 %" in out
    assert "arena-1-64, SHA-256" in out


def test_oracle_agrees_with_itself_and_greedy_less(ludus):
    out = ludus("match", "oracle", "greedy", "--pairs", "20", "--oracle", "--json")[1]
    own = json.loads(out)["oracle"]
    assert own["oracle_match_rate_overall"] == 1.0
    assert own["mean_regret"] == 0.0
    out = ludus("match", "greedy", "oracle", "--pairs", "20", "--oracle", "--json")[1]
    other = json.loads(out)["oracle"]
    assert 0.5 < other["oracle_match_rate_reroll"] < 0.9
    assert 0.5 < other["oracle_match_rate_mark"] < 0.9
    assert other["oracle_keepall_ignored"] >= 0
    # Regret adds up to about what greedy loses a game: 248.44 - 200.73 over 43 decisions.
    assert other["mean_regret"] == pytest.approx(47.7 / 43.3, abs=0.25)


def test_gate(ludus, tmp_path):
    out_file = tmp_path / "reports" / "gate_report.json"
    code, out, err = ludus(
        "match", "greedy", "random", "--gate", "--pairs", "200", "--json", "--out", str(out_file)
    )
    assert code == 0
    report = json.loads(out)
    assert report["promoted"] is True
    assert report["reason"] == "sprt_h1"
    assert report["pairs"] < 200
    written = json.loads(out_file.read_text())
    assert len(written["per_seed"]) == report["pairs"]
    assert written["gating"]["seeds_hash"] == SeedSet.generate(1, 200).hash
    assert "report written" in err
    text = ludus("match", "random", "greedy", "--gate", "--pairs", "200")[1]
    assert "not promoted (sprt_h0" in text


def test_stored_seeds(ludus, tmp_path):
    path = str(tmp_path / "dev.json")
    first = ludus(
        "match", "greedy", "random", "--pairs", "8", "--seed", "3", "--write-seeds", path,
        "--json", "--per-pair",
    )  # fmt: skip
    second = ludus("match", "greedy", "random", "--seeds", path, "--json", "--per-pair")
    assert first[0] == 0
    assert first[1] == second[1]
    assert len(json.loads(first[1])["per_seed"]) == 8
    fewer = json.loads(
        ludus("match", "greedy", "random", "--seeds", path, "--pairs", "5", "--json")[1]
    )
    assert fewer["pairs"] == 5
    code, out, err = ludus("match", "greedy", "random", "--seeds", path, "--pairs", "9")
    assert (code, out) == (2, "")
    assert "has 8 seeds, but 9" in err


def test_unpaired(ludus):
    report = json.loads(
        ludus("match", "greedy", "random", "--pairs", "8", "--unpaired", "--json")[1]
    )
    assert report["games"] == 16
    assert report["unit"] == "two games of different seeds"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nobody", "random"), "player 'nobody' is unknown; yatzy knows random"),
        (("runs/a:simulations=9", "random"), "a run takes them as search:run=runs/a,simulations=9"),
        (("random", "uniform:simss=4"), "no option 'simss': its options are sims"),
        (("random", "search:run=/nowhere"), "no run directory /nowhere"),
        (("random", "random", "--game", "go"), "no game 'go'"),
        (("random", "random", "--pairs", "0"), "--pairs 0 must lie in"),
        (("random", "random", "--pairs", "many"), "'--pairs'"),
        (("random", "random", "--lanes", "-1"), "--lanes -1"),
        (("random", "random", "--seeds", "/nowhere.json"), "no seed set /nowhere.json"),
        (("random", "random", "--seed", "-4"), "seed -4 must lie"),
        (("person", "random"), "only in `ludus play`"),
        (("random",), "'player_b'"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(ludus, arguments, words):
    code, out, err = ludus("match", *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("ludus: ")
    assert err.count("\n") == 1
    assert words in err


def test_players(ludus):
    code, out, _ = ludus("players", "yatzy")
    assert code == 0
    for name in ("random", "greedy", "oracle", "search", "policy", "uniform", "person"):
        assert any(line.split()[1:2] == [name] for line in out.splitlines())
    listed = json.loads(ludus("players", "--json")[1])
    search = next(p for p in listed if p["player"] == "search")
    assert "sims" in search["options"]
    assert all(p["about"] for p in listed)
    code, _, err = ludus("players", "chess2")
    assert (code, "no game 'chess2'" in err) == (2, True)


def test_the_game_is_one_that_has_the_players(ludus):
    out = ludus("match", "corners", "weights", "--pairs", "2", "--json")[1]
    assert json.loads(out)["game"] == "othello"
    out = ludus("match", "random", "random", "--pairs", "2", "--json")[1]
    assert json.loads(out)["game"] == "yatzy"  # several have it: the first
    assert "yatzy knows" in ludus("match", "corners", "greedy")[2]


def test_more_than_two_seats_play_deals(ludus):
    arguments = ("match", "random", "random", "--game", "blob", "--deals", "12")
    code, out, err = ludus(*arguments, "--json", "--per-pair")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert report["unit"] == "deal"
    assert report["deals"] == len(report["per_seed"]) == 12
    assert report["score_difference_low"] < 0.0 < report["score_difference_high"]
    code, out, _ = ludus(*arguments)
    assert code == 0
    for words in ("points a round", "rounds made", "rank when alone", "deals won"):
        assert words in out
    code, out, _ = ludus(*arguments, "--gate")
    assert code == 0
    assert "promoted (deals)" in out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--game", "blob", "--pairs", "5"), "--pairs is for two seats, and blob has 8: use --d"),
        (("--game", "blob", "--unpaired"), "all games of a deal have its seed"),
        (("--game", "blob", "--sprt", "elo0=0,elo1=10"), "--sprt is for two seats"),
        (("--game", "blob", "--deals", "0"), "--deals 0 must lie in 1..100000"),
        (("--game", "yatzy", "--deals", "5"), "--deals is for more than two seats"),
    ],
)
def test_options_for_another_number_of_seats(ludus, options, sentence):
    code, out, err = ludus("match", "random", "random", *options)
    assert (code, out) == (2, "")
    assert sentence in err
