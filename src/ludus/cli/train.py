"""``ludus train``: start a run, or go on with one; ``ludus recipes`` is part of its help."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ludus.cli.finishing import train_and_report
from ludus.cli.output import say, table
from ludus.cli.playing import GAME_HELP

if TYPE_CHECKING:
    from ludus.training.request import TrainRequest


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train")(train)


def _show_settings(
    recipe: str | None, game: str | None, preset: str | None, assignments: list[str]
) -> None:
    from ludus.training.keys import fields, flat_values
    from ludus.training.layers import Asked, load_recipe, resolve
    from ludus.training.plays import ANY_GAME, game_to_train

    known = load_recipe(recipe or ANY_GAME)
    entry = None if known.game is None and game is None else game_to_train(known, game)
    found = resolve(known, Asked(preset=preset, assignments=assignments), entry)
    values = flat_values(found.settings)
    rows = [
        (key, "null" if values.get(key) is None else str(values.get(key)), about.description or "")
        for key, about, _ in fields()
    ]
    say(table(("setting", "value", "meaning"), rows))


def train(
    recipe: Annotated[
        str | None,
        typer.Argument(
            help="Recipe, such as yatzy; that for any game by default.", show_default=False
        ),
    ] = None,
    game: Annotated[str | None, typer.Option("--game", help=GAME_HELP)] = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", help="Run directory; runs/<recipe or game> by default."),
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="Start the next run instead.")] = False,
    minutes: Annotated[
        float | None, typer.Option("--minutes", help="Work this long, from this start.")
    ] = None,
    iterations: Annotated[
        int | None, typer.Option("--iterations", help="End at this many, from the run's birth.")
    ] = None,
    games: Annotated[
        int | None, typer.Option("--games", help="End at this many, from the run's birth.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of a new run.")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", help="A setting: section.key=value. Repeatable.")
    ] = None,
    preset: Annotated[str | None, typer.Option("--preset", help="Preset of the recipe.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="The preset quick.")] = False,
    config: Annotated[
        Path | None, typer.Option("--config", help="YAML file with settings.")
    ] = None,
    pause_at: Annotated[
        str | None, typer.Option("--pause-at", help="'iteration': pause at its end.")
    ] = None,
    accept_change: Annotated[
        bool,
        typer.Option("--accept-change", help="Go on although numbers come out differently here."),
    ] = False,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            "--metrics-port", help="Serve /metrics for Prometheus on this port.", min=0, max=65535
        ),
    ] = None,
    sweep: Annotated[
        str | None, typer.Option("--sweep", help="'wandb': settings as its sweep's agent chose.")
    ] = None,
    init_from: Annotated[
        Path | None,
        typer.Option(
            "--init-from", help="A run or checkpoint whose champion a new run begins with."
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Look whether it could start, start nothing, and end.")
    ] = False,
    settings: Annotated[
        bool, typer.Option("--settings", help="Print all settings with their meaning, and end.")
    ] = False,
) -> int:
    """Train a player; the same command again goes on where it stopped.

    `ludus train yatzy` trains by that recipe, `ludus train --game my_game.py:MyGame` a game of
    your own.

    Ctrl-C commits and stops; a second Ctrl-C ends at once. Exit codes: 0 done or stopped,
    2 user error, 3 paused, 1 failure.
    """
    from ludus.training.request import TrainRequest

    chosen = _preset(preset, quick)
    assignments = [*_swept(sweep), *(assignments or [])]
    if settings:
        _show_settings(recipe, game, chosen, assignments)
        return 0

    def make() -> TrainRequest:
        return TrainRequest.make(
            recipe,
            game=game,
            run=run,
            new=new,
            minutes=minutes,
            iterations=iterations,
            games=games,
            seed=seed,
            assignments=assignments,
            preset=chosen,
            config=config,
            pause_at=pause_at,
            accept_change=accept_change,
            init_from=init_from,
        )

    if check:
        return _check(make)
    return train_and_report(make(), metrics_port, () if sweep is None else (sweep,))


def _check(make: Callable[[], TrainRequest]) -> int:
    """The table of what was looked at; 2 where a start would be refused or useless."""
    from ludus.training.preflight import look_before

    checks = look_before(make)
    say(table(("check", "level", "found"), [(one.name, one.level, one.text) for one in checks]))
    return 2 if any(one.level == "bad" for one in checks) else 0


def _swept(sweep: str | None) -> list[str]:
    """Assignments of a sweep; what is given by --set comes after them."""
    from ludus.errors import UserError

    if sweep is None:
        return []
    if sweep != "wandb":
        raise UserError(f"--sweep {sweep!r} must be 'wandb'")
    from ludus.monitor.exporters.sweeps import chosen_by_agent

    return chosen_by_agent()


def _preset(preset: str | None, quick: bool) -> str | None:
    from ludus.errors import UserError

    if quick and preset not in (None, "quick"):
        raise UserError(f"--quick is --preset quick, which contradicts --preset {preset}")
    return "quick" if quick else preset
