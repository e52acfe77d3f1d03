"""Where settings come from.

Later wins: defaults < recipe < the game's own ``recipe`` < the recipe's preset < YAML file <
variables that the recipe names < environment (``LUDUS__SECTION__KEY``) < ``--set a.b=value`` and
the options of the command.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from ludus import reading
from ludus.errors import ConfigError, UserError
from ludus.games import GameEntry
from ludus.training.keys import Given, changes, flatten, known_keys, merge, suggest, validate
from ludus.training.settings import Settings
from ludus.training.variables import named_layer

ENVIRONMENT_PREFIX = "LUDUS__"
_KEY_LIMIT = 200


@dataclass(frozen=True)
class Recipe:
    """A named configuration: game, learner, settings that differ from the defaults, presets.

    Attributes:
        name: as in ``ludus train NAME``.
        game: name of the game; None for a recipe for any game, which is named with ``--game``.
        learner: name of the learner.
        about: one sentence.
        settings: nested settings of every preset.
        presets: nested differences by name of preset.
        environment: variables without ``LUDUS__`` that it reads (:mod:`ludus.training.variables`).
    """

    name: str
    game: str | None
    learner: str
    about: str
    settings: dict[str, Any]
    presets: dict[str, dict[str, Any]]
    environment: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What a command asks for, layer by layer.

    Attributes:
        preset: name of the preset, None for the default one.
        file: bytes of a YAML file, None if there is none.
        file_name: its name, for sentences.
        environment: variables; ``LUDUS__*`` are looked at, and those that the recipe names.
        assignments: texts ``a.b=value``, in order.
        options: settings given by options of the command, by dotted key.
    """

    preset: str | None = None
    file: bytes | None = None
    file_name: str = "configuration file"
    environment: Mapping[str, str] = field(default_factory=dict)
    assignments: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Resolved:
    """Settings with what the user gave explicitly.

    Attributes:
        settings: every value.
        explicit: those of file, environment and command line, by dotted key.
        preset: the preset in force.
    """

    settings: Settings
    explicit: dict[str, Given]
    preset: str


def recipe_names() -> list[str]:
    """All recipes, in order."""
    files = resources.files("ludus.training").joinpath("recipes").iterdir()
    return sorted(entry.name[:-5] for entry in files if entry.name.endswith(".yaml"))


def load_recipe(name: str) -> Recipe:
    """A recipe by name.

    Raises:
        UserError: there is none of that name.
    """
    names = recipe_names()
    if name not in names:
        raise UserError(
            f"there is no recipe {name!r}{suggest(name, names)} (recipes: {', '.join(names)})"
        )
    entry = resources.files("ludus.training").joinpath("recipes", f"{name}.yaml")
    data = yaml.safe_load(entry.read_text(encoding="utf-8"))
    return Recipe(
        name=name,
        game=None if data["game"] is None else str(data["game"]),
        learner=str(data["learner"]),
        about=str(data["about"]),
        settings=dict(data.get("settings") or {}),
        presets={str(key): dict(value or {}) for key, value in data["presets"].items()},
        environment=tuple(data.get("environment") or ()),
    )


def parse_yaml(data: bytes, source: str) -> dict[str, Any]:
    """A YAML file of settings.

    Raises:
        ConfigError: no YAML, or no mapping at the top.
    """
    try:
        tree = reading.parse_yaml(data)
    except ValueError as error:
        raise ConfigError(f"{source} is no YAML of settings: {error}") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{source} must hold settings by section, such as 'search: {{...}}'")
    return tree


def read_file(path: Path) -> bytes:
    """Bytes of a configuration file.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return reading.read_regular(path, reading.SETTINGS_LIMIT)
    except OSError as error:
        raise ConfigError(f"configuration {path} cannot be read: {error.strerror}") from None


def parse_value(text: str) -> Any:
    """A value from the command line or environment, read as YAML; plain text stays text."""
    try:
        value = reading.parse_yaml(text)
    except ValueError:
        return text
    if isinstance(value, str):
        try:  # YAML 1.1 takes 1e-3 for a text
            return float(value)
        except ValueError:
            return value
    return text if value is None and text.strip() not in ("", "null", "~", "none") else value


def parse_assignment(text: str, source: str = "--set") -> dict[str, Given]:
    """``a.b=value``.

    Raises:
        ConfigError: no ``=``, or an unknown key.
    """
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise ConfigError(f"{source} {text[:200]!r} must look like section.key=value")
    if len(key) > _KEY_LIMIT:
        raise ConfigError(f"{source} {key[:40]!r}... is longer than the name of any setting")
    tree: Any = parse_value(value.strip())
    for part in reversed(key.split(".")):
        tree = {part: tree}
    return flatten(tree, f"{source} {text}")


def require_changeable(given: Mapping[str, Given], where: str) -> None:
    """Refuse what SET may not change.

    Args:
        given: settings by dotted key; a schedule may be named as a whole.
        where: the run directory, for the sentence.

    Raises:
        ConfigError: a setting that is fixed, or may only be given at a start.
    """
    known = changes()
    for name in given:
        kinds = {kind for key, kind in known.items() if key == name or key.startswith(f"{name}.")}
        if not kinds:
            raise ConfigError(f"unknown setting {name}{suggest(name, known)}")
        if "never" in kinds:
            raise ConfigError(f"setting {name} is fixed for the life of a run")
        if "at_start" in kinds:
            raise ConfigError(
                f"setting {name} is read when a run is started: pause the run, and go on with "
                f"ludus train --run {where} --set {name}=..."
            )


def environment_layer(environment: Mapping[str, str]) -> dict[str, Given]:
    """Settings of ``LUDUS__SECTION__KEY`` variables.

    Raises:
        ConfigError: a variable that names no setting.
    """
    layer: dict[str, Given] = {}
    for name in sorted(environment):
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        key = name[len(ENVIRONMENT_PREFIX) :].lower().replace("__", ".")
        try:
            layer.update(parse_assignment(f"{key}={environment[name]}", f"variable {name}:"))
        except ConfigError:
            if key in known_keys():
                raise
            raise ConfigError(
                f"variable {name} names no setting {key}{suggest(key, known_keys())}"
            ) from None
    return layer


def explicit_layers(asked: Asked, recipe: Recipe) -> dict[str, Given]:
    """What file, environment and command line give, merged in their order.

    Args:
        asked: what the user gives.
        recipe: names the variables that are read besides ``LUDUS__*``.

    Raises:
        ConfigError: as of the layers.
    """
    layers: list[dict[str, Given]] = []
    if asked.file is not None:
        layers.append(flatten(parse_yaml(asked.file, asked.file_name), asked.file_name))
    if recipe.environment:
        below = merge([flatten(recipe.settings, f"recipe {recipe.name}"), *layers])
        values = {key: given.value for key, given in below.items()}
        layers.append(named_layer(recipe.environment, asked.environment, values))
    layers.append(environment_layer(asked.environment))
    layers.extend(parse_assignment(text) for text in asked.assignments)
    layers.append({key: Given(value, "option") for key, value in asked.options.items()})
    return merge(layers)


def resolve(recipe: Recipe, asked: Asked, game: GameEntry | None = None) -> Resolved:
    """All layers of a new run.

    Args:
        recipe: the recipe.
        asked: what the user gives.
        game: the game that is to be trained; None leaves out its settings and the checks that
            need to know it.

    Raises:
        ConfigError: an unknown preset or setting, or a value that is refused.
    """
    preset = asked.preset or "default"
    if preset not in recipe.presets:
        raise ConfigError(
            f"recipe {recipe.name} has no preset {preset!r}{suggest(preset, recipe.presets)} "
            f"(presets: {', '.join(recipe.presets)})"
        )
    explicit = explicit_layers(asked, recipe)
    layers = [
        flatten(recipe.settings, f"recipe {recipe.name}"),
        {} if game is None else _game_layer(game),
        flatten(recipe.presets[preset], f"preset {preset}"),
        explicit,
    ]
    if game is not None and recipe.game is None:
        # Whom a game brings along is whom its player should learn to beat.
        met = ("first", "random", *sorted(game.players))
        layers.insert(0, {"evaluation.opponents": Given(met, f"players of {game.name}")})
    flat = merge(layers)
    settings = validate(flat)
    if game is not None:
        require_kinds(settings, game, flat)
    return Resolved(settings, explicit, preset)


def _game_layer(game: GameEntry) -> dict[str, Given]:
    """What an own game asks for by itself, as a layer.

    Raises:
        ConfigError: no mapping, or an unknown setting; the sentence names the game's class.
    """
    source = f"recipe of {game.source.rpartition(':')[2]}"
    if not isinstance(game.recipe, Mapping):
        raise ConfigError(
            f"the {source} must be a mapping of settings by section, such as "
            f"{{'model': {{'hidden_dim': 64}}}}, not {game.recipe!r}"
        )
    return flatten(game.recipe, source)


def require_kinds(settings: Settings, game: GameEntry, flat: Mapping[str, Given]) -> None:
    """Refuse budgets for kinds of decision that the game does not have.

    Raises:
        ConfigError: naming the kinds that it has.
    """
    key, kinds = "search.budget_by_kind", list(game.rules.decision_kinds)
    for kind in settings.search.budget_by_kind:
        if kind not in kinds:
            source = flat[key].source if key in flat else "settings"
            raise ConfigError(
                f"{key} ({source}) names the kind {kind!r}{suggest(kind, kinds)}; the decisions "
                f"of {game.name} are of the kind{'s' * (len(kinds) > 1)} {', '.join(kinds)}"
            )


def asked_document(recipe: Recipe, asked: Asked, resolved: Resolved) -> bytes:
    """The bytes kept as ``config.yaml``: the user's file as it was, or what was asked as YAML."""
    if asked.file is not None:
        return asked.file
    tree: dict[str, Any] = {}
    for key, given in resolved.explicit.items():
        *path, last = key.split(".")
        at = tree
        for part in path:
            at = at.setdefault(part, {})
        at[last] = given.value
    head = f"# recipe {recipe.name}, preset {resolved.preset}; settings that were asked for:\n"
    return (head + yaml.safe_dump(tree, sort_keys=True)).encode("utf-8")
