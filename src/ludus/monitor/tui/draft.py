"""The settings of a run that is to be made or changed, as a form edits them. No screen in here."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ludus.errors import ConfigError, LudusError
from ludus.games import GameEntry
from ludus.monitor.tui.knobs import knobs
from ludus.runs import Run, is_run, replace_file
from ludus.training.keys import Given, flat_values, flatten, nest
from ludus.training.layers import (
    Asked,
    Recipe,
    load_recipe,
    parse_value,
    parse_yaml,
    read_file,
    recipe_names,
    resolve,
)
from ludus.training.plays import game_to_train, require_trainable
from ludus.training.request import current_settings, differences
from ludus.training.settings import Settings

DRAFT = "config.draft.yaml"
"""Name of the draft in the run's directory."""

_HEAD = "# draft of ludus monitor: "
_recipe = cache(load_recipe)


@dataclass
class Draft:
    """Settings that differ from those of recipe and preset, or from those of a run.

    Attributes:
        path: the run directory, which need not exist.
        recipe: name of the recipe.
        preset: name of the preset.
        game: what finds the game, where the recipe has none of its own.
        exists: whether the run does, so that only some settings may change.
        base: every setting without the changes, by dotted key.
        changes: settings that differ, by dotted key.
        saved: whether everything is in the file.
        current: settings of the run, if it exists.
    """

    path: Path
    recipe: str = "yatzy"
    preset: str = "default"
    game: str | None = None
    exists: bool = False
    base: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    saved: bool = True
    current: Settings | None = None

    @classmethod
    def open(cls, path: Path) -> tuple[Draft, str | None]:
        """The draft of a directory as last saved, or a new one.

        Returns: it, and why what was saved is not used; None if it is or there was nothing.

        Raises:
            LudusError: a run whose settings cannot be read.
        """
        draft = cls(path, exists=is_run(path))
        if draft.exists:
            run = Run.open(path, write=False)
            draft.recipe = str(run.config.get("recipe", run.manifest.recipe))
            draft.preset = str(run.config.get("preset", "default"))
            draft.current = current_settings(run)
            draft.base = flat_values(draft.current)
        trouble = draft._load()
        if not draft.exists:
            trouble = draft.rebase() or trouble
        return draft, trouble

    @property
    def file(self) -> Path:
        """Where the draft is kept."""
        return self.path / DRAFT

    def _load(self) -> str | None:
        """Take the saved draft; returns why it is not used."""
        if not self.file.is_file():
            return None
        try:
            data = read_file(self.file)
            flat = flatten(parse_yaml(data, DRAFT), DRAFT)
        except ConfigError as error:
            return f"the draft is not used: {error}"
        self._take_head(data)
        changes = {key: given.value for key, given in flat.items()}
        if not self.exists:
            self.changes = changes
            return None
        self.changes = {
            key: value
            for key, value in changes.items()
            if key in knobs() and knobs()[key].changeable and value != self.base.get(key)
        }
        left = [
            key
            for key, value in changes.items()
            if key in self.base and key not in self.changes and value != self.base[key]
        ]
        if left:
            return f"left out, because it is fixed for the life of a run: {', '.join(left)}"
        return None

    def _take_head(self, data: bytes) -> None:
        """Recipe, preset and game stand in a comment, so that the file is one of settings."""
        first = data.split(b"\n", 1)[0].decode("utf-8", "replace")
        if self.exists or not first.startswith(_HEAD):
            return
        try:
            said = json.loads(first[len(_HEAD) :])
            recipe, preset, game = said["recipe"], said["preset"], said["game"]
        except (ValueError, KeyError, TypeError):
            return
        if recipe in recipe_names() and preset in _recipe(recipe).presets:
            self.recipe, self.preset = recipe, preset
            self.game = None if game is None else str(game)

    # -- what it is based on ------------------------------------------------------------------

    def choose(self, recipe: str, preset: str, game: str | None) -> str | None:
        """Another recipe, preset or game; changes stay. Returns what is wrong with that."""
        found = _recipe(recipe)
        self.recipe = recipe
        self.preset = preset if preset in found.presets else next(iter(found.presets))
        self.game = game if found.game is None else None
        self.saved = False
        return self.rebase()

    def presets(self) -> list[str]:
        """Presets of the recipe."""
        return list(_recipe(self.recipe).presets)

    @property
    def needs_game(self) -> bool:
        """Whether the recipe trains any game, so that one must be named."""
        return _recipe(self.recipe).game is None

    def rebase(self) -> str | None:
        """Find the values without the changes; returns what is wrong with recipe or game."""
        recipe, trouble = _recipe(self.recipe), None
        try:
            entry = self._entry(recipe)
        except LudusError as error:
            entry, trouble = None, str(error)
        try:
            asked = Asked(preset=self.preset)
            self.base = flat_values(resolve(recipe, asked, entry).settings)
        except LudusError as error:
            trouble = trouble or str(error)
        return trouble

    def _entry(self, recipe: Recipe) -> GameEntry:
        return game_to_train(recipe, self.game)

    # -- values -------------------------------------------------------------------------------

    def value(self, key: str) -> Any:
        """The value of a setting with the changes."""
        return self.changes.get(key, self.base.get(key))

    def fixed(self, key: str) -> bool:
        """Whether a setting cannot be changed any more."""
        return self.exists and not knobs()[key].changeable

    def set(self, key: str, value: Any) -> str | None:
        """Change a setting; returns the sentence about the first thing that is wrong now."""
        if self.fixed(key):
            return f"setting {key} is fixed for the life of a run"
        if value == self.base.get(key) and type(value) is type(self.base.get(key)):
            self.changes.pop(key, None)
        else:
            self.changes[key] = value
        self.saved = False
        return self.check()

    def set_text(self, key: str, text: str) -> str | None:
        """Change a setting to what was typed; as :meth:`set`."""
        return self.set(key, parse_value(text))

    def reset(self, key: str) -> str | None:
        """Take back a change; as :meth:`set`."""
        self.changes.pop(key, None)
        self.saved = False
        return self.check()

    def text(self, key: str) -> str:
        """A value as it would be typed."""
        return value_text(self.value(key))

    def check(self) -> str | None:
        """What is wrong with the settings, in the schema's own sentence; None if nothing is."""
        layer = {key: Given(value, DRAFT) for key, value in self.changes.items()}
        try:
            if self.exists:
                assert self.current is not None
                differences(layer, self.current, str(self.path))
                return None
            recipe = _recipe(self.recipe)
            entry = self._entry(recipe)
            asked = Asked(preset=self.preset, file=self._yaml(), file_name=DRAFT)
            require_trainable(entry, resolve(recipe, asked, entry).settings)
        except LudusError as error:
            return str(error)
        return None

    # -- the file -----------------------------------------------------------------------------

    def _yaml(self) -> bytes:
        layer = {key: Given(value, DRAFT) for key, value in self.changes.items()}
        return yaml.safe_dump(nest(layer), sort_keys=True, allow_unicode=True).encode("utf-8")

    def save(self) -> None:
        """Write the draft over the one before; the directory is made.

        Raises:
            LudusError: it cannot be written.
        """
        said = {"recipe": self.recipe, "preset": self.preset, "game": self.game}
        head = f"{_HEAD}{json.dumps(said)}\n".encode()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be made: {error.strerror}") from None
        replace_file(self.file, head + self._yaml(), durable=False)
        self.saved = True

    def command(self) -> list[str]:
        """Arguments of ``ludus`` that train with the draft."""
        where = str(self.path.resolve())
        config = ["--config", str(self.file.resolve())] if self.changes else []
        if self.exists:
            return ["train", "--run", where, *config]
        game = ["--game", self.game] if self.game and self.needs_game else []
        preset = ["--preset", self.preset] if self.preset != "default" else []
        return ["train", self.recipe, "--run", where, *game, *preset, *config]


def value_text(value: Any) -> str:
    """A value as YAML in one line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:.10g}" if isinstance(value, float) else str(value)
    if isinstance(value, str):
        return value
    return json.dumps(value)


def free_path(root: Path, name: str) -> Path:
    """A directory below `root` that is not there yet, named after `name`."""
    path, number = root / name, 2
    while path.exists():
        path, number = root / f"{name}-{number}", number + 1
    return path
