"""Own games through the training: recipe, run directory, resume, and what is refused."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.training.tiny import SETTINGS, command, environment

from ludus.arena import Match, SeedSet
from ludus.errors import ConfigError, GameError, RunError, UserError
from ludus.games import get_game, loader
from ludus.players import RandomPlayer
from ludus.runs import Run
from ludus.training.birth import open_session
from ludus.training.layers import Asked, load_recipe, resolve
from ludus.training.loop import Loop
from ludus.training.messages import Sender
from ludus.training.plays import game_of_run
from ludus.training.request import TrainRequest

TINY = [text for text in SETTINGS if not text.startswith("search.budget_by_kind")]


@pytest.fixture
def place(tmp_path, repository) -> Path:
    """A copy of the example in a folder that the test may change."""
    return Path(shutil.copy(repository / "examples" / "tictactoe.py", tmp_path / "mine.py"))


def make(game=None, recipe=None, **options):
    return TrainRequest.make(recipe, game=game, environment={}, **options)


def train(request: TrainRequest) -> list[str]:
    """Train in this process; what was noted."""
    notes: list[str] = []
    session = open_session(request, notes.append)
    with session.run:
        Loop(session, request, Sender(None), lambda: False).run()
    return notes


def test_the_game_alone_names_recipe_and_run(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    asked = make("mine.py:TicTacToe")
    assert (asked.recipe, asked.path, asked.create) == ("alphazero", "runs/tictactoe", True)
    assert asked.game == f"{place}:TicTacToe"
    assert make("mine.py:TicTacToe", "alphazero") == asked
    assert TrainRequest.from_json(asked.as_json()) == asked
    (tmp_path / "runs/tictactoe").mkdir(parents=True)
    assert make("mine.py:TicTacToe", new=True).path == "runs/tictactoe-2"


def test_what_to_train_must_be_said_and_once(place):
    with pytest.raises(
        UserError, match=r"say what to train: a recipe \(alphazero, .*yatzy\), or a"
    ):
        make()
    with pytest.raises(UserError, match="recipe alphazero trains any game: name it"):
        make(recipe="alphazero")
    with pytest.raises(UserError, match="recipe yatzy trains yatzy and nothing else: leave --game"):
        make(f"{place}:TicTacToe", "yatzy")
    with pytest.raises(GameError, match=r"none\.py"):
        make(f"{place.parent}/none.py:Game")


def test_the_games_recipe_lies_between_recipe_and_preset(place):
    entry = get_game(f"{place}:TicTacToe")
    recipe = load_recipe("alphazero")
    assert recipe.settings["model"]["hidden_dim"] != entry.recipe["model"]["hidden_dim"]
    plain = resolve(recipe, Asked(), entry).settings
    assert plain.model.hidden_dim == entry.recipe["model"]["hidden_dim"]
    assert plain.search.budget == recipe.settings["search"]["budget"]
    quick = resolve(recipe, Asked(preset="quick"), entry).settings
    assert quick.training.steps_per_iteration == 100
    given = resolve(recipe, Asked(assignments=["model.hidden_dim=96"]), entry).settings
    assert given.model.hidden_dim == 96


def test_the_games_players_are_met(repository):
    entry = get_game(f"{repository}/examples/pig.py:Pig")
    settings = resolve(load_recipe("alphazero"), Asked(), entry).settings
    assert settings.evaluation.opponents == ("first", "random", "hold20")


def test_unknown_settings_of_a_game_are_refused_by_class(tmp_path, place):
    place.write_text(place.read_text().replace('"hidden_dim"', '"hiden_dim"'))
    with pytest.raises(
        ConfigError,
        match=r"unknown setting model.hiden_dim \(recipe of TicTacToe\); did you mean model.hid",
    ):
        make(f"{place}:TicTacToe", run=tmp_path / "run")


def test_budgets_of_kinds_that_a_game_has_not(place, tmp_path):
    with pytest.raises(
        ConfigError, match=r"the kind 'mark'.*the decisions of tictactoe are of the k"
    ):
        make(f"{place}:TicTacToe", run=tmp_path, assignments=["search.budget_by_kind.mark=3"])
    with pytest.raises(ConfigError, match=r"'marks'; did you mean mark.*the kinds reroll, mark"):
        make(recipe="yatzy", run=tmp_path, assignments=["search.budget_by_kind.marks=3"])


def test_opponents_that_a_game_has_not(place, tmp_path):
    """Those asked for at birth are refused; those that come later are left out and named."""
    run = tmp_path / "run"
    asked = make(
        f"{place}:TicTacToe", run=run, assignments=[*TINY, "evaluation.opponents=[oracle]"]
    )
    with pytest.raises(UserError, match="player 'oracle' is unknown; tictactoe knows"):
        open_session(asked, lambda text: None)
    assert not run.exists()
    train(make(f"{place}:TicTacToe", run=run, assignments=TINY, iterations=1))
    later = ["evaluation.opponents=[random, oracle]"]
    train(make(run=run, assignments=later, iterations=2))
    events = [json.loads(line) for line in (run / "logs/events.ndjson").read_text().splitlines()]
    unknown = [event for event in events if event["event"] == "opponents_unknown"]
    assert [event["players"] for event in unknown] == [["oracle"]]
    results = Run.open(run, write=False).iterations[1]["evaluate"]["results"]
    assert list(results) == ["random"]


def test_a_run_finds_its_game_again_and_says_when_it_is_gone(place, tmp_path):
    run, home = tmp_path / "run", f"{place}:TicTacToe"
    train(make(home, run=run, assignments=TINY, iterations=1))
    config = yaml.safe_load((run / "config.resolved.yaml").read_text())
    assert (config["game"], config["game_name"], config["recipe"]) == (
        home,
        "tictactoe",
        "alphazero",
    )
    assert make(run=run, iterations=2).nothing_to_do == ""
    assert TrainRequest.resume(run).recipe == "alphazero"

    moved = place.rename(tmp_path / "moved.py")
    loader._from_file.cache_clear()  # as in another process
    for look in (
        lambda: make(run=run),
        lambda: TrainRequest.resume(run),
        lambda: game_of_run(Run.open(run, write=False)),
    ):
        with pytest.raises(
            RunError, match=r"plays .*mine.py:TicTacToe, which cannot be had: "
        ) as e:
            look()
        assert f"ludus train --run {run} --game PLACE" in str(e.value)

    asked = make(f"{moved}:TicTacToe", run=run, iterations=2)
    assert asked.game == f"{moved}:TicTacToe"
    assert f"{run} plays {moved}:TicTacToe from now on" in train(asked)
    assert game_of_run(Run.open(run, write=False)).source == f"{moved}:TicTacToe"
    assert make(run=run, iterations=3).game == ""
    train(make(run=run, iterations=3))
    assert Run.open(run, write=False).manifest.progress["iteration"] == 3


def test_another_game_or_version_is_refused(place, tmp_path, repository):
    run = tmp_path / "run"
    train(make(f"{place}:TicTacToe", run=run, assignments=TINY, iterations=1))
    with pytest.raises(RunError, match=r"ruleset_id tictactoe_v1, but .*pig.py:Pig has pig_v1"):
        make(f"{repository}/examples/pig.py:Pig", run=run)
    newer = tmp_path / "newer.py"
    newer.write_text(place.read_text().replace("    max_plies", "    version = 2\n    max_plies"))
    with pytest.raises(RunError, match=r"ruleset_id tictactoe_v1, but .* has tictactoe_v2"):
        make(f"{newer}:TicTacToe", run=run)


def test_hidden_games_and_odd_seats_are_refused(tmp_path):
    file = tmp_path / "odd.py"
    file.write_text(
        "from tests.testing.toys import Cards, Nim\n"
        "class Hidden(Cards):\n    name = 'hidden'\n"
        "class Alone(Nim):\n    name = 'alone'\n    num_seats = 1\n"
        "class Three(Nim):\n    name = 'three'\n    num_seats = 3\n"
    )
    with pytest.raises(UserError, match=r"hidden has hidden information.*not trained"):
        make(f"{file}:Hidden", run=tmp_path / "run")
    with pytest.raises(UserError, match="alone has one seat, and matches need two players"):
        make(f"{file}:Alone", run=tmp_path / "run")
    with pytest.raises(UserError, match=r"three has 3 seats.*set --set gating.mode=duplicate"):
        make(f"{file}:Three", run=tmp_path / "run")


FLAKY = """
import itertools
from examples.tictactoe import TicTacToe as Sound

calls = itertools.count()

class Flaky(Sound):
    name = "flaky"

    def apply(self, state, action):
        if next(calls) {when}:
            raise RuntimeError("the board fell off the table")
        return super().apply(state, action)
"""


def flaky(folder, when):
    (folder / "flaky.py").write_text(FLAKY.format(when=when))
    return f"{folder / 'flaky.py'}:Flaky"


def test_a_game_that_its_rules_end_is_left_out(tmp_path):
    run = tmp_path / "run"
    sets = [*TINY, "replay.capacity_shards=40"]
    train(make(flaky(tmp_path, "== 300"), run=run, assignments=sets, iterations=2))
    opened = Run.open(run, write=False)
    assert [entry["selfplay"]["failed"] for entry in opened.iterations] == [1, 0]
    index = opened.get_index(opened.manifest.objects["replay"])[1]
    games = [shard["games"] for shard in index["shards"]]
    assert sorted(games) == [11] + [12] * 11, "the shard of the lost game is closed without it"
    events = [json.loads(line) for line in (run / "logs/events.ndjson").read_text().splitlines()]
    (failed,) = [event for event in events if event["event"] == "games_failed"]
    assert re.search(r"flaky.py:\d+.*RuntimeError: the board fell off", failed["error"])


def test_a_match_without_one_of_its_games_is_no_match(tmp_path):
    entry = get_game(flaky(tmp_path, "== 30"))
    match = Match(entry.rules, RandomPlayer(), RandomPlayer(), SeedSet.generate(1, 20))
    with pytest.raises(GameError, match=r"game \d+ of the match was ended: .*flaky.py:\d+"):
        match.run()


def test_the_supervisor_loads_an_own_game_without_torch(place, tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from ludus.training.request import TrainRequest\n"
        f"TrainRequest.make(game={f'{place}:TicTacToe'!r}, run=Path({str(tmp_path / 'run')!r}))\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_the_commands_find_the_game_by_the_run(place, tmp_path):
    """One run from the command line to the last look at it."""
    run = tmp_path / "run"

    def ludus(*arguments, text=None):
        return subprocess.run(
            command(*map(str, arguments)),
            env=environment(),
            cwd=tmp_path,
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    sets = [part for text in TINY for part in ("--set", text)]
    done = ludus("train", "--game", "mine.py:TicTacToe", "--run", run, "--iterations", 1, *sets)
    assert done.returncode == 0, done.stderr
    assert "tictactoe" in ludus("status", run).stdout
    match = ludus("match", run, "random", "--pairs", 4, "--json")
    assert json.loads(match.stdout)["game"] == "tictactoe", match.stderr
    assert json.loads(match.stdout)["games"] == 8
    shown = ludus("replay", "show", 0, "--run", run)
    assert shown.returncode == 0 and "scores:" in shown.stdout, shown.stderr
    assert ludus("replay", "export", "rows.safetensors", "--run", run).returncode == 0
    played = ludus("play", run, text="4\nquit\n")
    assert played.returncode == 0 and "0 1 2" in played.stdout, played.stderr
    refused = ludus("evaluate", run)
    assert refused.returncode == 2 and "tictactoe has no suite" in refused.stderr
    assert ludus("players", "mine.py:TicTacToe").returncode == 0
    checked = ludus("games", "check", "mine.py:TicTacToe", "--games", 2)
    assert checked.returncode == 0 and "checks passed in 2 games" in checked.stdout, checked.stderr
    place.rename(tmp_path / "gone.py")
    gone = ludus("match", run, "random", "--pairs", 4)
    assert gone.returncode == 2
    assert gone.stderr.count("\n") == 1 and "cannot be had" in gone.stderr
