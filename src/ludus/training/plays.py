"""Which game a run plays: found when it is made, and found again ever after.

A house game has its name; an own game has the place of its class (``examples/pig.py:Pig``). The
run's configuration keeps that place, and a commit the newer one after the file has moved. No torch
here: the supervisor asks too.
"""

from __future__ import annotations

from ludus.errors import ConfigError, GameError, RunError, UserError
from ludus.games import GameEntry, get_game
from ludus.runs import Run
from ludus.training.layers import Recipe
from ludus.training.settings import Settings

ANY_GAME = "alphazero"
"""The recipe that ``--game`` alone means."""


def game_to_train(recipe: Recipe, asked: str | None) -> GameEntry:
    """The game of a new run.

    Args:
        recipe: the recipe.
        asked: what ``--game`` says, if anything; options of the recipe's game replace its own.

    Raises:
        UserError: the recipe has a game of its own and another is asked for, or it has none and
            none is named.
        GameError: there is no such game, or what is named is none.
    """
    if recipe.game is not None:
        refuse_game(recipe, asked)
        return get_game(asked or recipe.game)
    if asked is None:
        raise UserError(
            f"the recipe {recipe.name} trains any game: name it, as in "
            "--game examples/tictactoe.py:TicTacToe"
        )
    return get_game(asked)


def refuse_game(recipe: Recipe, asked: str | None) -> None:
    """Refuse ``--game`` beside a recipe that has a game, unless it says options of that game.

    Raises:
        UserError: naming both.
    """
    if recipe.game is None or asked is None:
        return
    name = recipe.game.partition(":")[0]
    if asked.partition(":")[0] != name:
        raise UserError(
            f"the recipe {recipe.name} trains {name} and nothing else: leave --game "
            f"{asked} out, or train it with the recipe {ANY_GAME}"
        )


def recorded_game(run: Run) -> str:
    """What finds the run's game, as last recorded.

    Raises:
        ConfigError: the run does not say.
    """
    found = run.manifest.progress.get("game") or run.config.get("game")
    if not isinstance(found, str) or not found:
        raise ConfigError(f"{run.path}/config.resolved.yaml names no game: it is no training run")
    return found


def game_of_run(run: Run, asked: str | None = None) -> GameEntry:
    """The game that a run plays.

    Args:
        run: the run.
        asked: where it is now; None for the place that the run recorded.

    Raises:
        GameError, RunError: it is not there any more, or is another game by now.
    """
    recorded = recorded_game(run)
    try:
        entry = get_game(asked or recorded)
    except GameError as error:
        if asked is not None:
            raise
        raise RunError(
            f"{run.path} plays {recorded}, which cannot be had: {error}; if it has moved, say "
            f"where it is now: ludus train --run {run.path} --game PLACE"
        ) from error
    require_same_game(run, entry)
    if asked is not None and entry.own is None and entry.source != recorded:
        raise RunError(
            f"{run.path} plays {recorded}, and a run keeps the options of its game: leave --game "
            f"{asked} out, or start another run with --new"
        )
    return entry


def require_same_game(run: Run, entry: GameEntry) -> None:
    """A change of encoder, actions or rules never changes the data silently.

    Raises:
        RunError: an identifier differs; the sentence names both.
    """
    rules = entry.rules
    for name, stored, here in (
        ("ruleset_id", run.schema.ruleset_id, rules.rules_id),
        ("action_space_id", run.schema.action_space_id, rules.action_space_id),
        ("feature_schema_id", run.schema.feature_schema_id, rules.encoder_id),
    ):
        if stored != here:
            whose = "this version of Ludus" if entry.source == entry.name else entry.source
            raise RunError(
                f"{run.path} has {name} {stored}, but {whose} has {here}: continue it with the "
                "version that made it, or start another run"
            )


def require_trainable(entry: GameEntry, settings: Settings) -> None:
    """Refuse what self-play or matches cannot do with a game.

    Raises:
        UserError: hidden information in rules that draw no worlds, matches of one seat, or a gate
            that is for another number of seats.
    """
    rules = entry.rules
    if rules.has_hidden and rules.interpreted:
        raise UserError(
            f"{entry.name} has hidden information, and rules in Python cannot draw worlds for a "
            "search: it can be checked and played, but not trained"
        )
    gating = settings.gating
    if rules.num_seats == 1 and (gating.enabled or settings.evaluation.every > 0):
        raise UserError(
            f"{entry.name} has one seat, and matches need two players: train it with "
            "--set gating.enabled=false --set evaluation.every=0"
        )
    many = rules.num_seats > 2
    if gating.enabled and many != (gating.mode == "duplicate"):
        right = "duplicate" if many else "sprt"
        raise UserError(
            f"{entry.name} has {rules.num_seats} seats, and gating.mode = {gating.mode} is for "
            f"{'two' if many else 'more than two'}: set --set gating.mode={right}"
        )
