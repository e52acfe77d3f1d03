"""What ``ludus train`` was asked: which run, new or continued, and what may differ.

No torch here: this runs in the supervisor, so that every mistake of the user is told before a
trainer is started.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ludus.errors import ConfigError, RunError, UserError
from ludus.runs import Run, is_run, lock_holder
from ludus.training.beginnings import find_source, require_same_source
from ludus.training.keys import Given, changed_values, flat_values, flatten, known_keys, validate
from ludus.training.layers import (
    Asked,
    Recipe,
    asked_document,
    explicit_layers,
    load_recipe,
    read_file,
    recipe_names,
    resolve,
)
from ludus.training.plays import (
    ANY_GAME,
    game_of_run,
    game_to_train,
    recorded_game,
    refuse_game,
    require_trainable,
)
from ludus.training.settings import Settings

RUNS = Path("runs")
"""Where runs are made unless ``--run`` says otherwise."""


@dataclass(frozen=True)
class TrainRequest:
    """A checked request; everything in it is JSON.

    Attributes:
        recipe: name of the recipe.
        path: the run directory.
        create: whether to make it.
        asked: bytes of ``config.yaml`` as text (create only).
        preset: name of the preset (create only).
        settings: all settings of a new run, nested (create only).
        changes: settings that may change and do, by dotted key (continue only).
        explicit: dotted keys that file, environment and command line gave.
        minutes: to work from this start; None for no limit.
        iterations, games: limits that count from the run's birth; None for none.
        pause_at: ``iteration`` or None.
        accept_change: go on although the environment computes other bits.
        nothing_to_do: why no trainer is needed (a limit is reached already), or an empty text.
        game: what finds the game: of a new run, or where that of an older one has moved to; else
            an empty text.
        restarts: why the supervisor has restarted the trainer, where the run's events do not say
            so yet: ``reason``, ``cause``, ``lost_seconds``.
        asked_ms: when it was asked, milliseconds since 1970.
        init_from: whose champion a new run starts from (:mod:`ludus.training.beginnings`).
    """

    recipe: str
    path: str
    create: bool
    asked: str = ""
    preset: str = "default"
    settings: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    explicit: list[str] = field(default_factory=list)
    minutes: float | None = None
    iterations: int | None = None
    games: int | None = None
    pause_at: str | None = None
    accept_change: bool = False
    nothing_to_do: str = ""
    game: str = ""
    restarts: list[dict[str, Any]] = field(default_factory=list)
    init_from: dict[str, Any] = field(default_factory=dict)
    asked_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000, compare=False)

    @property
    def learner(self) -> str:
        """Name of the recipe's learner."""
        return load_recipe(self.recipe).learner

    @classmethod
    def make(
        cls,
        recipe: str | None = None,
        *,
        game: str | None = None,
        run: Path | None = None,
        new: bool = False,
        minutes: float | None = None,
        iterations: int | None = None,
        games: int | None = None,
        seed: int | None = None,
        assignments: Sequence[str] = (),
        preset: str | None = None,
        config: Path | None = None,
        pause_at: str | None = None,
        accept_change: bool = False,
        init_from: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> TrainRequest:
        """Check a request against the run directory.

        Without a recipe it is that of the run, or the one for any game.

        Raises:
            UserError: an unknown recipe, an option out of range, a game that cannot be trained.
            GameError: no such game, or what is named is none.
            ConfigError: a setting that is refused, or differs from the run's and may not.
            RunError: a directory that is foreign, missing its recipe or its game, or in use.
        """
        known = _recipe(recipe, game, run)
        refuse_game(known, game)
        for name, limit in (("--iterations", iterations), ("--games", games)):
            if limit is not None and limit < 0:
                raise UserError(f"{name} {limit} must be at least 0")
        if minutes is not None and not 0 <= minutes < 1e7:
            raise UserError(f"--minutes {minutes} must be at least 0")
        if pause_at not in (None, "iteration"):
            raise UserError(f"--pause-at {pause_at!r} must be 'iteration'")
        asked = Asked(
            preset=preset,
            file=None if config is None else read_file(config),
            file_name=str(config) if config is not None else "",
            environment=os.environ if environment is None else environment,
            assignments=assignments,
            options={} if seed is None else {"run.seed": seed},
        )
        path = run or _which(known, game, new)
        limits: dict[str, Any] = {
            "minutes": minutes,
            "iterations": iterations,
            "games": games,
            "pause_at": pause_at,
            "accept_change": accept_change,
        }
        if is_run(path):
            if new:
                raise RunError(f"{path} is a run already: leave out --new to continue it")
            require_same_source(Run.open(path, write=False), init_from)
            return cls._continue(known, path, game, asked, limits)
        if path.exists() and not path.is_dir():
            raise RunError(f"{path} exists and is no directory: name another run directory")
        entry = game_to_train(known, game)
        resolved = resolve(known, asked, entry)
        require_trainable(entry, resolved.settings)
        return cls(
            recipe=known.name,
            path=str(path),
            create=True,
            asked=asked_document(known, asked, resolved).decode("utf-8", "surrogateescape"),
            preset=resolved.preset,
            settings=resolved.settings.model_dump(mode="json"),
            explicit=sorted(resolved.explicit),
            game=entry.source,
            init_from={} if init_from is None else find_source(init_from, entry),
            **limits,
        )

    @classmethod
    def resume(cls, path: Path) -> TrainRequest:
        """The request that ``ludus resume`` makes of a run that nobody trains.

        Raises:
            RunError: no run, or its game is not where it was.
        """
        run = Run.open(path, write=False)
        game_of_run(run)
        limits = dict(run.manifest.progress.get("limits") or {})
        return cls(
            recipe=str(run.config.get("recipe", run.manifest.recipe)),
            path=str(path),
            create=False,
            iterations=limits.get("iterations"),
            games=limits.get("games"),
        )

    @classmethod
    def _continue(
        cls, recipe: Recipe, path: Path, game: str | None, asked: Asked, limits: dict[str, Any]
    ) -> TrainRequest:
        holder = lock_holder(path)
        if holder is not None:
            Run.open(path, write=True).close()  # waits a moment, then names the holder
        run = Run.open(path, write=False)
        if run.manifest.recipe != recipe.name:
            raise RunError(
                f"{path} is a run of the recipe {run.manifest.recipe}, not {recipe.name}: "
                "name another with --run"
            )
        preset = str(run.config.get("preset", "default"))
        if asked.preset is not None and asked.preset != preset:
            raise ConfigError(
                f"the run {path} was made with preset {preset}, not {asked.preset}: leave "
                "--preset out, or start another with --new"
            )
        entry = game_of_run(run, game)
        explicit = explicit_layers(asked, recipe)
        changes = differences(explicit, current_settings(run, coming=True), str(path))
        return cls(
            recipe=recipe.name,
            path=str(path),
            create=False,
            changes=changes,
            explicit=sorted(explicit),
            nothing_to_do=_reached(run, changes, limits["iterations"], limits["games"]),
            game="" if entry.source == recorded_game(run) else entry.source,
            **limits,
        )

    def as_json(self) -> str:
        """One line for the trainer."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> TrainRequest:
        """The inverse of :meth:`as_json`."""
        return cls(**json.loads(line))


def _reached(
    run: Run, changes: Mapping[str, Any], iterations: int | None, games: int | None
) -> str:
    """Why a run that exists has nothing to do; an empty text if it has."""
    settings = current_settings(run).run
    caps = (
        ("iterations", "total_iterations", iterations, run.manifest.progress.get("iteration", 0)),
        ("games", "total_games", games, run.manifest.counters.get("selfplay_games", 0)),
    )
    for what, key, asked, done in caps:
        cap = changes.get(f"run.{key}", getattr(settings, key))
        limit = min((value for value in (cap, asked) if value is not None), default=None)
        if limit is not None and done >= limit:
            return (
                f"nothing to do: {run.path} has done {done} {what} since its birth, and the limit "
                f"is {limit}; ask for more with --{what}"
            )
    return ""


def _recipe(name: str | None, game: str | None, run: Path | None) -> Recipe:
    """The recipe that is meant.

    Raises:
        UserError: it is unknown, or nothing says what to train.
    """
    if name is not None:
        return load_recipe(name)
    if run is not None and is_run(run):
        return load_recipe(Run.open(run, write=False).manifest.recipe)
    if game is None:
        raise UserError(
            f"say what to train: a recipe ({', '.join(recipe_names())}), or a game with --game"
        )
    return load_recipe(ANY_GAME)


def _which(recipe: Recipe, game: str | None, new: bool) -> Path:
    """The directory below ``runs/``: named after the recipe, or the game of one for any game."""
    name = recipe.name if recipe.game is not None else game_to_train(recipe, game).name
    first = RUNS / name
    if not new or not first.exists():
        return first
    number = 2
    while (RUNS / f"{name}-{number}").exists():
        number += 1
    return RUNS / f"{name}-{number}"


def current_settings(run: Run, *, coming: bool = False) -> Settings:
    """Settings of a run with the changes it was told since its birth.

    Args:
        run: the run.
        coming: with those that wait for its next iteration.
    """
    tree = {name: run.config[name] for name in Settings.model_fields if name in run.config}
    if not {"run", "model", "training"} <= set(tree):  # sections that came later have defaults
        raise RunError(f"{run.path}/config.resolved.yaml lacks settings: it is no training run")
    flat = flatten(tree, "config.resolved.yaml")
    for name in ("changed", "pending") if coming else ("changed",):
        for key, value in dict(run.manifest.progress.get(name) or {}).items():
            flat[str(key)] = Given(value, "changed at run time")
    return validate(flat)


def differences(explicit: Mapping[str, Given], current: Settings, where: str) -> dict[str, Any]:
    """Settings given explicitly that differ from a run's, all of which may change.

    Raises:
        ConfigError: one or more differ and may not change; the sentence names all of them.
    """
    now = flat_values(current)
    may_change = known_keys()
    changes: dict[str, Any] = {}
    refused: list[str] = []
    for key, value in changed_values(explicit, current).items():
        if key == "runtime.backend" and value == "auto":
            continue
        if may_change[key]:
            changes[key] = value
        else:
            refused.append(f"{key} ({now[key]} in the run, {value} asked)")
    if refused:
        raise ConfigError(
            f"the run {where} was made with other settings: {', '.join(refused)}; leave them out "
            "to continue it, or start another with --new"
        )
    return changes
