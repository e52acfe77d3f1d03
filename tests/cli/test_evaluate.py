"""`ludus evaluate` as a user types it."""

import json

import pytest

from ludus.cli import main as cli


@pytest.fixture
def ludus(monkeypatch, capsys):
    """Runs a command; returns exit code, stdout and stderr."""
    monkeypatch.setattr(cli, "COMMAND_MODULES", ("evaluate", "players"))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_oracle_and_greedy(ludus):
    """Y-110, Y-111, Y-207, Y-216, Y-217: known players have their known figures."""
    code, out, _ = ludus("evaluate", "oracle", "greedy", "--games", "600", "--json")
    assert code == 0
    oracle, greedy = json.loads(out)["players"]
    solitaire = oracle["solitaire"]
    assert solitaire["policy_id"] == "oracle"
    assert solitaire["games"] == 600
    # Four standard errors around the exact optimum.
    assert solitaire["mean"] == pytest.approx(248.44, abs=4 * 38.5 / 600**0.5)
    assert solitaire["std"] == pytest.approx(38.5, abs=5)
    assert solitaire["bonus_rate"] == pytest.approx(0.898, abs=0.05)
    assert solitaire["min"] < solitaire["median"] < solitaire["max"]
    assert oracle["oracle"]["oracle_match_rate_overall"] == 1.0
    assert greedy["solitaire"]["mean"] == pytest.approx(200.73, abs=4 * 40.0 / 600**0.5)
    assert greedy["oracle"]["oracle_match_rate_mark"] < 0.9
    shares = list(greedy["oracle"]["regret_distribution"].values())
    assert shares == sorted(shares, reverse=True)
    assert 0.0 < shares[-1] < shares[0] < 1.0 - greedy["oracle"]["oracle_match_rate_overall"] + 1e-9
    assert greedy["solitaire"]["win_rate_high"] < 0.4
    assert (oracle["fallbacks"], oracle["distinct_games"]) == (0, 600)


def test_text_of_each_suite(ludus):
    out = ludus("evaluate", "random", "--games", "10")[1]
    assert "bonus" in out and "agrees reroll" in out and "seats alternating" in out
    out = ludus("evaluate", "random", "--games", "10", "--suite", "solitaire")[1]
    assert "bonus" in out and "agrees" not in out
    out = ludus("evaluate", "random", "--games", "10", "--suite", "oracle")[1]
    assert "agrees mark" in out and "bonus" not in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nobody",), "player 'nobody' is unknown"),
        (("random", "--suite", "speed"), "suite 'speed' is unknown; there are all"),
        (("random", "--games", "5"), "--games 5 must be an even number"),
        (("random", "--games", "0"), "--games 0"),
        (("random", "--game", "go"), "no game 'go'"),
        ((), "'players'"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(ludus, arguments, words):
    code, out, err = ludus("evaluate", *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("ludus: ")
    assert words in err


def test_an_oracle_of_the_end_only(ludus):
    """Othello: no solitaire, and decisions before the endgame are ignored."""
    code, out, _ = ludus(
        "evaluate", "endgame", "corners", "--game", "othello", "--games", "12", "--json"
    )
    assert code == 0
    perfect, corners = json.loads(out)["players"]
    assert "solitaire" not in perfect and perfect["opponent"] == "weights"
    assert perfect["oracle"]["mean_regret"] == 0.0
    assert perfect["oracle"]["oracle_match_rate_move"] == 1.0
    assert corners["oracle"]["mean_regret"] > 1.0
    assert 12 * 4 <= corners["oracle"]["decisions"] <= 12 * 8
    assert corners["oracle"]["oracle_keepall_ignored"] > 12 * 20
    out = ludus("evaluate", "corners", "--game", "othello", "--games", "2")[1]
    assert "agrees move" in out and "bonus" not in out and "against weights" in out
    code, _, err = ludus("evaluate", "corners", "--game", "othello", "--suite", "solitaire")
    assert code == 2 and "othello offers no opponent for a solitaire suite" in err


def test_more_than_two_seats_are_measured_by_deals(ludus):
    arguments = ("evaluate", "random", "--game", "blob", "--deals", "6", "--lanes", "1")
    code, out, _ = ludus(*arguments, "--against", "rules", "--against", "random", "--json")
    assert code == 0
    matches = json.loads(out)["matches"]
    assert [match["opponent"] for match in matches] == ["rules", "random"]
    assert matches[0]["mean_score_difference"] < 0.0
    assert matches[0]["deals"] == 6
    code, out, _ = ludus(*arguments)
    assert code == 0
    assert "random  against  rules" in out
    assert "rank when alone" in out
    code, _, err = ludus("evaluate", "random", "--game", "yatzy", "--deals", "6")
    assert code == 2
    assert "--deals and --against are for more than two seats" in err
