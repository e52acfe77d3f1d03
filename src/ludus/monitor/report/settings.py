"""What was asked of a run: settings that differ from those of its recipe, and their sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ludus.errors import LudusError
from ludus.monitor.report.reading import RunData
from ludus.training.keys import flat_values, flatten, known_keys, validate
from ludus.training.layers import Asked, load_recipe, resolve
from ludus.training.plays import game_to_train


def told_settings(data: RunData) -> dict[str, Any]:
    """All settings, and those that differ.

    Returns: ``preset``; ``changed``: rows of ``key``, ``value``, ``usual`` (as the recipe has it;
        None where unknown) and ``source`` (``asked``, ``preset``, ``while it ran``,
        ``chosen here``); ``all``: every value by key.
    """
    changed = dict((data.manifest.get("progress") or {}).get("changed") or {})
    values = {**_flat(data.config), **changed}
    asked = _flat(data.asked)
    usual, preset = _usual(data), str(data.config.get("preset") or "default")
    preset_keys = _preset_keys(data, preset)
    rows = [
        {
            "key": key,
            "value": value,
            "usual": usual.get(key),
            "source": "while it ran"
            if key in changed
            else "asked"
            if key in asked or any(key.startswith(f"{name}.") for name in asked)
            else f"preset {preset}"
            if key in preset_keys
            else "chosen here",
        }
        for key, value in sorted(values.items())
        if key in changed or (usual and value != usual.get(key)) or (not usual and key in asked)
    ]
    return {"preset": preset, "changed": rows, "all": dict(sorted(values.items()))}


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by dotted key; what is no setting (any more) is left out, and so is its kind."""
    known = known_keys()
    groups = {key.rsplit(".", depth)[0] for key in known for depth in range(1, key.count(".") + 1)}
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if key in groups and isinstance(value, Mapping):
            flat.update(_flat(value, f"{key}."))
        elif key in known or key in groups:
            flat[key] = value
    return flat


def _usual(data: RunData) -> dict[str, Any]:
    """The values of the recipe without anything asked; empty if it cannot be had."""
    try:
        recipe = load_recipe(str(data.manifest.get("recipe")))
        game = data.config.get("game")
        entry = game_to_train(recipe, str(game)) if game else None
        return flat_values(resolve(recipe, Asked(), entry).settings)
    except LudusError:
        pass
    try:  # the game is gone: compare with the recipe alone
        return flat_values(resolve(load_recipe(str(data.manifest.get("recipe"))), Asked()).settings)
    except LudusError:
        return {}


def _preset_keys(data: RunData, preset: str) -> set[str]:
    try:
        tree = load_recipe(str(data.manifest.get("recipe"))).presets.get(preset, {})
        return set(flat_values(validate(flatten(tree, "preset")))) & set(flatten(tree, "preset"))
    except LudusError:
        return set()
