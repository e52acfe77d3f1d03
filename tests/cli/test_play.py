"""`ludus play` with typed input through a pipe."""

import io

import numpy as np
import pytest

from ludus import _core
from ludus.cli import main as cli
from ludus.games import get_game
from ludus.games.analysis import Line
from ludus.games.yatzy_cards import CATEGORIES
from ludus.players import ExternalPlayer, parse_player, uniform_player
from ludus.players.single import SingleGame, choice_after

YATZY, OTHELLO = get_game("yatzy"), get_game("othello")


@pytest.fixture
def play(monkeypatch, capsys, tmp_path):
    """Plays with these lines as input; returns exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)  # where no run is
    monkeypatch.setattr(cli, "COMMAND_MODULES", ("play", "players"))

    def run(lines, *arguments, game="yatzy"):
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        code = cli.main(("play", game, *arguments))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--against", "greedy", "--seat", "1"),
        ("--against", "random"),
        ("--against", "uniform:sims=4", "--seat", "1"),
    ],
)
def test_a_whole_game(play, arguments):
    code, out, err = play([f"mark {c}" for c in CATEGORIES], "--seed", "7", *arguments)
    assert (code, err) == (0, "")
    assert "The game is over" in out
    last = out.strip().splitlines()[-1]
    assert last.startswith(("You win: ", "You lose: ", "A draw: "))
    own, other = (int(word) for word in last.split(": ")[1].rstrip(".").split(" to "))
    assert f"wins by {max(own, other)} to {min(own, other)}" in out
    # The same seed gives the same game.
    assert play([f"mark {c}" for c in CATEGORIES], "--seed", "7", *arguments)[1] == out


def test_both_cards_dice_and_points_are_shown(play):
    out = play(["quit"], "--seed", "5")[1]
    assert "You have seat 0, oracle plays; seed 5" in out
    assert "seat 0  seat 1" in out
    assert "dice  1 1 2 5 5" in out
    chance = next(line for line in out.splitlines() if line.strip().startswith("chance"))
    assert chance.split() == ["chance", ".", ".", "14"]
    assert "You leave the game at 0 to 0 points." in out


def test_keep_hint_help_and_mistakes(play):
    lines = ["help", "hint", "keep 6 6", "nonsense", "", "keep 5 5", "show", "keep 1 2 3 4 5"]
    code, out, _ = play(lines, "--seed", "5")
    assert code == 0  # the input ends before the game
    assert "keep 1 1 5 5" in out and "mark two_pairs" in out
    first_hint = out[out.index("by the oracle:") :].splitlines()[1]
    assert first_hint.split() == ["247.64", "keep", "5", "5"]
    assert "the dice 6 6 are not among 1 1 2 5 5." in out
    assert "'nonsense' is no action" in out
    assert "You: keep 5 5; rolled 55 + " in out
    assert out.count("1 reroll left") == 2  # after the roll, and by show
    assert "You leave the game" in out


def test_the_opponents_moves_are_told(play):
    out = play(["mark chance", "quit"], "--seed", "5")[1]
    told = [line.strip() for line in out.splitlines() if line.strip().startswith("oracle")]
    assert told[0].startswith("oracle rolled ")
    assert any(line.startswith("oracle: mark ") for line in told)


def test_hint_of_a_game_without_an_oracle_comes_from_the_opponent(play, monkeypatch):
    monkeypatch.delitem(YATZY.suites, "action_values")
    out = play(["hint", "quit"], "--seed", "5", "--against", "greedy")[1]
    assert "greedy would play: " in out
    out = play(["hint", "quit"], "--seed", "5", "--against", "uniform:sims=4")[1]
    assert "uniform:sims=4 would play: " in out
    err = play(["hint", "quit"], "--seed", "5", "--against", "person")[2]
    assert "nobody who could give a hint" in err


def test_hint_where_the_oracle_says_nothing_comes_from_the_opponent(play):
    """Othello's oracle knows endgames only; it said ``nan`` of each move before."""
    out = play(["hint", "d3", "quit"], "--seed", "5", game="othello")[1]
    assert "nan" not in out and "weights would play: " in out
    assert "You: d3, +2 discs" in out and "You leave the game at 3 to 3 discs." in out


def test_hint_of_an_opponent_who_judges(play, monkeypatch):
    class Judge:
        def __call__(self, states, keys):
            return np.array(
                [_core.game("othello").state(one.tobytes()).legal()[0] for one in states]
            )

        def analyse(self, state, limits, lines=1, tell=None):
            assert limits.seconds == 1.0
            return [Line((19, 18, 26), 2.25, 3), Line((26,), None)][:lines]

    monkeypatch.setitem(OTHELLO.players, "judge", lambda options: Judge())
    out = play(["hint", "quit"], "--against", "judge", game="othello")[1]
    assert "judge expects, in discs for you:" in out
    assert "+2.25  d3 c3 c4" in out


def test_two_people(play):
    out = play(["mark chance", "mark ones", "quit"], "--against", "person", "--seed", "5")[1]
    assert "seat 0> mark chance" in out
    assert "seat 1> mark ones" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--seat", "2"), "--seat 2 must lie in 0..1"),
        (("--seed", "-1"), "--seed -1"),
        (("--against", "nobody"), "player 'nobody' is unknown"),
    ],
)
def test_bad_input(play, arguments, words):
    code, out, err = play([], *arguments)
    assert (code, out) == (2, "")
    assert words in err


def test_single_game_plays_what_a_match_plays():
    """A player does the same one game at a time as in the slots of a match."""
    rules = YATZY.rules
    search = uniform_player({"simulations": [6]})
    greedy = parse_player("greedy", YATZY)
    assert isinstance(greedy, ExternalPlayer)
    whole = SingleGame(rules, [search, greedy], 11)
    assert not whole.advance()
    columns = whole.columns()
    # The person plays the same actions as greedy did: the same game comes out.
    asked = SingleGame(rules, [search, None], 11)
    while asked.advance():
        asked.play(choice_after(rules, greedy, asked.columns()))
    for name in ("action", "outcome", "seat", "scores", "returns"):
        assert asked.columns()[name].tolist() == columns[name].tolist()
    with pytest.raises(ValueError, match="no person"):
        asked.play(0)


def test_illegal_action_changes_nothing():
    game = SingleGame(_core.game("yatzy"), [None, None], 3)
    assert game.advance()
    with pytest.raises(ValueError, match="illegal"):
        game.play(31)
    assert game.advance()
    game.play(int(game.state.legal()[-1]))
