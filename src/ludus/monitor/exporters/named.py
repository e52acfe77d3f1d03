"""Exact metric names of recipes that declare a prefix.

A recipe's file may say ``metrics: {prefix: mcts_continuous_play}``: then its runs show the names
of :data:`NAMES` with that prefix, besides those with ``ludus_``. ``names: {elo_estimate: elo}``
beside the prefix takes a metric from another figure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

NAMES: dict[str, tuple[str, str, str]] = {
    "session_duration_seconds": ("gauge", "elapsed_seconds", "Seconds worked on the run."),
    "elo_estimate": ("gauge", "elo", "Rating of the champion."),
    "training_loss": ("gauge", "loss", "Training loss."),
    "positions_learned_total": ("counter", "positions_learned", "Rows the learner has seen."),
    "buffer_size": ("gauge", "buffer_samples", "Plies in the replay."),
    "games_per_minute": ("gauge", "games_per_minute", "Games of self-play a minute."),
}
"""Metric -> kind, figure of the catalogue, meaning."""

RESULTS = {"white_win": "wins_seat_0", "black_win": "wins_seat_1", "draw": "draws"}
"""Label ``result`` of ``games_total`` -> counter of the run."""

_PREFIX = re.compile(r"^[a-z][a-z0-9_]{0,63}$")
_RECIPE = re.compile(r"^[A-Za-z0-9_-]{1,64}$")


@cache
def prefix_of(recipe: str, folder: Path | None = None) -> tuple[str, Mapping[str, str]]:
    """Prefix of a recipe's exact names, and where they differ from :data:`NAMES`.

    Args:
        recipe: its name.
        folder: of the recipes; those of Ludus by default.

    Returns: the prefix, empty if the recipe declares none, and figures by metric.
    """
    if _RECIPE.fullmatch(recipe) is None:
        return "", {}
    where = folder or resources.files("ludus.training").joinpath("recipes")
    try:
        tree = yaml.safe_load(where.joinpath(f"{recipe}.yaml").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeError):
        return "", {}
    about = tree.get("metrics") if isinstance(tree, Mapping) else None
    if not isinstance(about, Mapping):
        return "", {}
    prefix, names = str(about.get("prefix") or ""), about.get("names") or {}
    if _PREFIX.fullmatch(prefix) is None or prefix.startswith("ludus"):
        return "", {}
    given = {str(key): str(value) for key, value in names.items()}
    return prefix, {key: value for key, value in given.items() if key in NAMES}


def named_figures(
    names: Mapping[str, str], figures: Mapping[str, Any], counters: Mapping[str, Any]
) -> Iterator[tuple[str, str, str, dict[str, str], float]]:
    """Metric without prefix, kind, meaning, labels and value of every exact name.

    Args:
        names: figures by metric where they differ from :data:`NAMES`.
        figures: of the catalogue.
        counters: of the run.
    """
    for result, counter in RESULTS.items():
        count = float(counters.get(counter) or 0)
        yield "games_total", "counter", "Games by their result.", {"result": result}, count
    for name, (kind, figure, about) in NAMES.items():
        value = figures.get(names.get(name, figure))
        if value is None and name == "games_per_minute" and figures.get("games_per_second"):
            value = 60.0 * figures["games_per_second"]
        if value is None and kind == "counter":
            continue
        yield name, kind, about, {}, math.nan if value is None else float(value)
