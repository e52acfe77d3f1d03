"""Games that are not of the house: found by file, entry point or OpenSpiel's name."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.games.own_play import play, searcher
from tests.games.small_games import TicTacToe

from ludus import _core
from ludus.errors import GameError, UserError
from ludus.games import Game, Symmetry, get_game
from ludus.games import loader as loading
from ludus.games.own import make_entry
from ludus.players import RandomPlayer, parse_player

SMALL = Path(__file__).parent / "small_games.py"

GOOD = '''
"""A file with a game."""
from __future__ import annotations

import dataclasses

import neighbour_of_the_game

from ludus.games import Game


@dataclasses.dataclass(frozen=True)
class Where:
    left: int
    seat: int


class Nim(Game):
    """Take one or two of five."""

    name = "nim"
    num_actions = 2
    observation_shape = (6,)
    max_plies = neighbour_of_the_game.FIVE

    def initial(self):
        return Where(5, 0)

    def turn(self, state):
        return state.seat if state.left else self.OVER

    def legal(self, state):
        return range(min(2, state.left))

    def apply(self, state, action):
        return Where(state.left - action - 1, 1 - state.seat)

    def returns(self, state):
        return [-1, 1] if state.seat == 0 else [1, -1]

    def observe(self, state, seat):
        return [float(state.left == n) for n in range(6)]
'''


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a file of a game and returns what finds it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "neighbour_of_the_game.py").write_text("FIVE = 5\n")

    def make(text, name="mine.py"):
        (tmp_path / name).write_text(text)
        return name

    return make


# ---- files ---------------------------------------------------------------------------------------


def test_a_class_in_a_file(write, tmp_path):
    path = list(sys.path)
    entry = get_game(write(GOOD) + ":Nim")
    assert sys.path == path
    assert entry.name == "nim"
    assert entry.title == "Take one or two of five"
    assert entry.source == f"{tmp_path}/mine.py:Nim"
    assert entry.rules.rules_id == entry.rules.encoder_id == entry.rules.action_space_id == "nim_v1"
    assert entry.rules.decision_kinds == ["move"]
    assert (entry.rules.max_legal, entry.rules.observation_shape) == (2, (6,))
    assert get_game(entry.source) is entry
    assert get_game("./mine.py") is not None  # the only game of the file needs no name
    assert get_game("./mine.py").source == entry.source
    records, _ = play(
        entry.rules, [searcher(200, temperature=[0.0]), RandomPlayer()], 20, slots=128
    )
    assert records["returns"][np.arange(20), np.arange(20) % 2].mean() > 0.5


def test_files_of_the_same_name_are_different_games(write, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    write(GOOD, "a/mine.py")
    write(GOOD.replace('"nim"', '"other_nim"'), "b/mine.py")
    (tmp_path / "a" / "neighbour_of_the_game.py").write_text("FIVE = 5\n")
    assert [get_game(f"{folder}/mine.py").name for folder in "ab"] == ["nim", "other_nim"]


ABSTRACT = "from ludus.games import Game\nclass Half(Game):\n    name = 'half'\n"
BAD_FILES = {
    "no file": (None, "mine.py:Nim", "there is no file .*/mine.py$"),
    "no class of that name": (GOOD, "mine.py:Nom", "has no class 'Nom'; its games are: Nim"),
    "no game": (GOOD, "mine.py:Where", "mine.py:Where is no class that inherits from ludus.games"),
    "a module, no class": (GOOD, "mine.py:dataclasses", "is no class that inherits"),
    "no game at all": ("x = 1\n", "mine.py", "has no class that is a ludus.games.Game"),
    "nothing of that name": ("x = 1\n", "mine.py:Nim", "has no class 'Nim'$"),
    "a method is missing": (ABSTRACT, "mine.py:Half", "lacks the methods apply, initial, legal"),
    "the only one is unfinished": (ABSTRACT, "mine.py", "mine.py:Half lacks the methods"),
    "several": (
        GOOD + "\nclass Nim2(Nim):\n    name = 'nim2'\n",
        "mine.py",
        "several games, Nim, Nim2: name one, as in .*mine.py:Nim$",
    ),
    "syntax": ("def (:\n", "mine.py", "mine.py:1: SyntaxError: "),
    "an import fails": ("\nimport not_there_at_all\n", "mine.py", "mine.py:2: ModuleNotFoundError"),
    "it raises": ("x = 1\ny = 1 / 0\n", "mine.py", "mine.py:2: ZeroDivisionError: division"),
    "the constructor fails": (
        GOOD + "\n    def __init__(self):\n        self.x = [][1]\n",
        "mine.py",
        r"mine.py:\d+: IndexError: list index out of range \(while .*mine.py:Nim was made\)",
    ),
    "the constructor wants something": (
        GOOD + "\n    def __init__(self, size):\n        pass\n",
        "mine.py",
        "TypeError: .*missing 1 required positional argument",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_what_is_wrong_with_a_file_is_one_sentence(write, case):
    text, spec, sentence = BAD_FILES[case]
    if text is not None:
        write(text)
    with pytest.raises(GameError, match=sentence) as caught:
        get_game(spec)
    assert "\n" not in str(caught.value)
    assert not [name for name in sys.modules if name.startswith("mine")]


def test_an_unknown_game_lists_the_forms():
    with pytest.raises(
        GameError, match=r"'go'; the games are: .*yatzy.*file.py:Class.*openspiel:NAME"
    ):
        get_game("go")


# ---- facts ---------------------------------------------------------------------------------------

FACTS = {
    "name missing": (dict(name=None), "name = None; it must be small letters"),
    "name with capitals": (dict(name="TicTacToe"), "'TicTacToe'; it must be small letters"),
    "version": (dict(version=0), "version = 0; it must be an integer in 1.."),
    "seats": (dict(num_seats=9), "num_seats = 9; it must be an integer in 1..8"),
    "actions": (dict(num_actions=65536), "num_actions = 65536; .* 1..65535"),
    "actions as text": (dict(num_actions="9"), "num_actions = '9'"),
    "actions as truth": (dict(num_actions=True), "num_actions = True"),
    "many actions": (dict(num_actions=5000), "5000 and no max_legal: set max_legal to the most"),
    "legal": (dict(max_legal=1025), "max_legal = 1025; .* 1..1024"),
    "plies": (dict(max_plies=0), "max_plies = 0"),
    "outcomes": (dict(max_outcomes=40000), "max_outcomes = 40000; .* 0..32767"),
    "shape as a number": (dict(observation_shape=27), "observation_shape = 27; it must be a tuple"),
    "empty shape": (dict(observation_shape=()), "it must be a tuple of positive integers"),
    "shape with a zero": (dict(observation_shape=(3, 0)), "a tuple of positive integers"),
    "huge shape": (dict(observation_shape=(5000, 5000)), "of at most 16777216 numbers"),
    "margin": (dict(margin_scale=0), "margin_scale = 0; it must be a number above 0"),
    "hidden": (dict(hidden="yes"), "hidden = 'yes'; it must be True or False"),
    "players": (dict(players=["greedy"]), "players = .*; it must be a mapping of names"),
    "a player": (dict(players={"greedy": 3}), "a mapping of names to functions"),
}


@pytest.mark.parametrize("case", FACTS)
def test_facts_are_checked(case):
    attributes, sentence = FACTS[case]
    wrong = type("Wrong", (TicTacToe,), attributes)
    with pytest.raises(GameError, match=f"^Wrong has {sentence}|{sentence}"):
        make_entry(wrong(), "tests")


def test_missing_facts_are_named():
    for fact in ("num_actions", "observation_shape", "max_plies", "name"):
        methods = {
            k: v
            for k, v in vars(TicTacToe).items()
            if k != fact and k not in ("__dict__", "__weakref__", "_abc_impl")
        }
        lacking = type("Lacking", (Game,), methods)
        with pytest.raises(GameError, match=f"Lacking lacks the attribute {fact}; "):
            make_entry(lacking(), "tests")


def test_many_actions_with_few_legal_ones():
    class Wide(TicTacToe):
        num_actions = 65535
        max_legal = 9
        symmetries = Game.symmetries

    rules = make_entry(Wide(), "tests").rules
    assert (rules.num_actions, rules.max_legal) == (65535, 9)
    records, _ = play(rules, [searcher(8)], 10, slots=64)
    assert len(records["game_id"]) == 10


def test_the_core_guards_its_memory():
    for facts in ({}, {"name": "x"}):
        with pytest.raises(GameError, match="The facts of a game in Python lack"):
            _core.python_game(TicTacToe(), facts)


def test_symmetries_are_permutations():
    entry = make_entry(TicTacToe(), "tests")
    (turn,) = entry.symmetries
    assert turn.observation.dtype == turn.action.dtype == np.intp
    state = entry.rules.initial()
    turned = entry.rules.initial()
    for action in (0, 1, 5):  # the turned game's observations are the turned observations
        state.apply(action)
        turned.apply(int(turn.action[action]))
        assert np.array_equal(state.observe(0)[turn.observation], turned.observe(0))

    class Askew(TicTacToe):
        def symmetries(self):
            return [Symmetry(np.arange(27), np.array([0, 0, 1, 2, 3, 4, 5, 6, 7]))]

    with pytest.raises(
        GameError, match=r"symmetries\(\)\[0\].action must be a permutation of 0..8"
    ):
        make_entry(Askew(), "tests")


# ---- entries -------------------------------------------------------------------------------------


def test_people_read_and_write_actions():
    entry = get_game(f"{SMALL}:TicTacToe")
    state = entry.rules.initial()
    assert entry.render(state) == ". . .\n. . .\n. . ."
    assert entry.action_text(state, 5) == "c2"
    for text in ("c2", " C2 ", "5"):
        assert entry.parse_action(state, text) == 5
    state.apply(5)
    with pytest.raises(
        GameError, match=r"'c2' is no action here; there are: a1, b1, c1, a2, b2, a3"
    ):
        entry.parse_action(state, "c2")
    assert entry.recipe == {"model": {"hidden_dim": 32}}
    assert isinstance(entry.own, Game)
    assert not entry.has_scores
    assert get_game(f"{SMALL}:DiceRace").has_scores
    assert get_game("yatzy").source == "yatzy"
    assert get_game("yatzy").own is None


def test_players_of_an_own_game_have_specifications():
    entry = get_game(f"{SMALL}:DiceRace")
    assert parse_player("cautious", entry).name == "cautious"
    with pytest.raises(UserError, match=r"dice_race knows .*cautious"):
        parse_player("bold", entry)


def test_installed_packages_offer_games(monkeypatch):
    class Point:
        def __init__(self, name, value, found):
            self.name, self.value, self.dist, self._found = name, value, None, found

        def load(self):
            if isinstance(self._found, Exception):
                raise self._found
            return self._found

    points = [
        Point("noughts", "package:TicTacToe", TicTacToe),
        Point("twice", "a:B", TicTacToe),
        Point("twice", "c:D", TicTacToe),
        Point("broken", "package:Gone", AttributeError("no attribute Gone")),
        Point("nothing", "package:x", 3),
        Point("yatzy", "package:Yatzy", TicTacToe),
    ]

    def found(group, name=None):
        assert group == "ludus.games"
        return [point for point in points if name in (None, point.name)]

    monkeypatch.setattr(importlib.metadata, "entry_points", found)
    entry = get_game("noughts")
    assert (entry.name, entry.source) == ("tic_tac_toe", "noughts")
    assert loading.entry_points() == ["broken", "nothing", "noughts", "twice"]
    assert get_game("yatzy").own is None  # the house's names are the house's
    for name, sentence in (
        ("twice", "offered by several packages"),
        ("broken", "package:Gone cannot be loaded: .*AttributeError: no attribute Gone"),
        ("nothing", "is no class that inherits"),
        ("noughty", "the games are: .*yatzy, broken, nothing, noughts, twice"),
    ):
        with pytest.raises(GameError, match=sentence):
            get_game(name)


# ---- OpenSpiel -----------------------------------------------------------------------------------


def test_openspiel_that_is_not_there_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspiel", None)
    with pytest.raises(GameError, match=r"needs OpenSpiel: install the extra openspiel"):
        get_game("openspiel:nim")
