"""`ludus play blob` with typed input through a pipe: what a person reads, and what leaks."""

import io
import re

import pytest
from tests.games.blob_walks import same_to, walk

from ludus.cli import main as cli
from ludus.cli.play_table import Step, TableSession, steps_of
from ludus.games import get_game
from ludus.games.blob_cards import Table
from ludus.games.blob_table import hand_symbols
from ludus.players import parse_player
from ludus.players.single import SingleGame


@pytest.fixture
def play(monkeypatch, capsys, tmp_path):
    """Plays with these lines as input; returns exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)  # where no run is
    monkeypatch.setattr(cli, "COMMAND_MODULES", ("play",))

    def run(lines, *arguments, game="blob"):
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        code = cli.main(("play", game, *arguments))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


class Careless(io.StringIO):
    """A person who tries words until one is legal, and asks for explanations on the way."""

    WORDS = ("explain", "1", "2", *(rank + suit for suit in "shcd" for rank in "23456789TJQKA"))

    def __init__(self):
        super().__init__()
        self.number = -1

    def readline(self, *_):
        self.number += 1
        return self.WORDS[self.number % len(self.WORDS)] + "\n"


SHORT = "blob:players=4,play=games,highest=2"


def test_a_whole_game_to_its_end(play, monkeypatch):
    monkeypatch.setattr("ludus.cli.play_table.TableSession._pause", lambda *_: True)
    monkeypatch.setattr(io, "StringIO", lambda _: Careless())
    code, out, err = play([], "--seed", "5", "--against", "rules", game=SHORT)
    assert (code, err) == (0, "")
    assert out.count("The round is over.") == 6
    assert [int(n) for n in re.findall(r"^  Round (\d) of 6:", out, re.M)] == [1, 2, 3, 4, 5, 6]
    assert out.count("takes it.") + out.count("take it.") == 2 + 4 + 2
    last = out.strip().splitlines()[-1]
    found = re.fullmatch(
        r"(You win|You come in at place \d)(, shared)?, of 4: points by seat ([\d, ]+)\.", last
    )
    assert found
    points = [int(word) for word in found[3].split(", ")]
    better = sum(other > points[0] for other in points)
    assert ("win" in found[1]) == (better == 0 and points.count(points[0]) == 1)
    if "place" in found[1]:
        assert found[1].endswith(str(better + 1))


def test_by_default_four_play_whole_games(play):
    code, out, _ = play(["quit"], "--seed", "3")
    assert code == 0
    assert "4 players, games of many rounds. You have seat 0, rules plays all the others" in out
    assert "Round 1 of 12:" in out
    assert "seat 3" in out
    assert "seat 4" not in out
    assert "You leave the game at 0 to 0 to 0 to 0 points." in out


def test_who_sits_where(play):
    against = ("--against", "random", "--against", "random", "--against", "rules")
    out = play(["quit"], "--seed", "3", "--seat", "1", *against)[1]
    assert "You have seat 1, random seat 0, random seat 2, rules seat 3" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--seat", "4"), "--seat 4 must lie in 0..3"),
        (
            ("--against", "random", "--against", "random"),
            "--against is given 2 times, but 3 others",
        ),
        (("--against", "person"), "blob has hidden cards, which one screen cannot keep"),
        (("--against", "nobody"), "player 'nobody' is unknown; blob knows"),
    ],
)
def test_seats_and_players_that_are_none(play, arguments, sentence):
    code, _, err = play([], *arguments)
    assert code == 2
    assert sentence in err


def test_what_is_typed_wrong_is_told(play):
    out = play(
        ["9", "bid", "As", "explain 7", "help", "hint", "explain 0 1", "quit"], "--seed", "3"
    )[1]
    assert "a bid of 9 is too high: there are 5 tricks." in out
    assert "it is time to bid, not to play a card; bids are 0 to 5." in out
    assert "explain a seat of 1, 2, 3, such as explain 2." in out
    assert "bid 0" in out
    assert "explain (what the others could know" in out
    assert "rules would play: bid " in out


def test_between_rounds_cards_are_opened(play):
    game = "blob:players=3,cards=1,trumps=s"
    entry = get_game(game)
    table = SingleGame(entry.rules, [parse_player("rules", entry)] * 3, 11)
    table.advance()
    steps = steps_of(entry.rules.initial(), table.columns())
    mine = [step for step in steps if step.action is not None and step.before.seat == 0]
    said = [entry.action_text(step.before, step.action) for step in mine]
    start = Table.of(steps[0].after)
    out = play([*said, "explain", "what", "explain 1", ""], "--seed", "11", game=game)[1]
    before, after = out.split("The round is over.")
    for seat in (1, 2):
        assert f"it held {hand_symbols(start.hands[seat])}" in after
        assert "it held" not in before
    assert "The round is over: press Enter, or type explain, explain 2." in after
    assert "nothing else was legal" in after
    assert "it saw its own 1 card, and not 51 others, of which 49 are not dealt" in after
    assert "The game is over" in after


def test_a_search_says_what_it_found_once_the_cards_are_open(play):
    arguments = ("--seed", "4", "--against", "uniform:sims=8,worlds=2")
    out = play(["1", "explain 2", "", "explain 2", ""], *arguments, game="blob:players=3,cards=1")[
        1
    ]
    before, after = out.split("The round is over.")
    assert "its search" not in before
    # Of a bid, and not of the only card that there was to play.
    assert len(re.findall(r"it expected [\d.]+ points; its search: bid \d", after)) == 1
    assert "You (Enter: As)>" in before


def test_one_may_leave_between_two_rounds(play):
    game = "blob:players=3,play=games,highest=1"
    code, out, _ = play(["1", "", "quit"], "--seed", "4", game=game)
    assert code == 0
    assert out.count("The round is over.") == 1
    assert re.search(r"You leave the game at \d+ to \d+ to \d+ points\.\n$", out)


# ---- nothing hidden shows before the round is over -----------------------------------------------


class Waiting:
    """A table at which a person is to move."""

    def __init__(self, state):
        self.state = state

    def advance(self):
        return True


def screen(monkeypatch, capsys, entry, seat, steps):
    """All that a person can read who asks everything at this point of a round."""
    monkeypatch.setattr(
        "sys.stdin", io.StringIO("show\nexplain\nexplain 0\nexplain 1\nexplain 2\nhelp\nquit\n")
    )

    class Told(TableSession):
        def _steps(self):
            return steps

    state = steps[-1].after
    seats = [parse_player("random", entry)] * state.players
    seats[seat] = None
    session = Told(entry, Waiting(state), seats, ["random"] * state.players)
    session.run()
    return capsys.readouterr().out


def round_steps(start, actions):
    """The steps of a round from its first bid on."""
    steps, state = [], start.copy()
    for ply, action in enumerate(actions):
        after = state.copy()
        after.apply(action)
        steps.append(Step(state, action, after, ply, 1))
        state = after
    return steps


@pytest.mark.parametrize("spec", ["blob:players=4,cards=5", "blob:players=3,cards=8"])
def test_the_screen_is_the_same_for_all_hidden_hands(monkeypatch, capsys, spec):
    entry, permuted = get_game(spec), 0
    for seed in range(3):
        (_, deal), *played = walk(spec, seed)[:-1]
        start = entry.rules.initial()
        start.apply_outcome(deal)
        actions = [action for _, action in played]
        for length in range(2, len(actions), 3):
            state = round_steps(start, actions[:length])[-1].after
            seat = state.seat
            other = same_to(start, actions[:length], seat, seed)
            permuted += other.packed() != start.packed()
            texts = [
                screen(monkeypatch, capsys, entry, seat, round_steps(one, actions[:length]))
                for one in (start, other)
            ]
            assert texts[0] == texts[1]
    assert permuted > 15
