"""Who a player is: a key that two different players never share.

The key of a player made of weights follows from the weights, the search's settings and the rules;
so the champion of one unit is never taken for another's, nor for itself with another budget.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ludus import _core
from ludus.errors import RunError
from ludus.players.player import Player, SearchPlayer
from ludus.players.spec import OPTIONS, PlayableGame, parse_player, split_spec
from ludus.runs import Run
from ludus.runs.models import model_file
from ludus.runs.objects import hash_file


@dataclass(frozen=True)
class Identity:
    """A player as results are stored under.

    Attributes:
        key: 16 hexadecimal digits.
        name: of the kind of player: ``search``, ``random``, ``greedy``, ...
        weights: SHA-256 of the weights' file; None for a player without weights.
        settings: of the search, with evaluation settings; empty for others.
    """

    key: str
    name: str
    weights: str | None
    settings: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        game: _core.Game,
        player: Player,
        name: str,
        *,
        weights: str | None = None,
        options: Mapping[str, str] | None = None,
    ) -> Identity:
        """Make the key.

        Args:
            game: the rules.
            player: gives the settings of a search.
            name: kind of player.
            weights: digest of its weights, if it has any.
            options: what else makes it different.
        """
        settings = dict(player.settings) if isinstance(player, SearchPlayer) else {}
        document = {
            "rules": game.rules_id,
            "name": name,
            "weights": weights,
            "settings": settings,
            "options": dict(options or {}),
        }
        text = json.dumps(document, sort_keys=True, default=str)
        return cls(hashlib.sha256(text.encode()).hexdigest()[:16], name, weights, settings)


def weights_digest(run: str | Path, model: str = "champion") -> str:
    """SHA-256 of the file of a run's model; ``model`` as in :func:`load_network`.

    Raises:
        RunError: no such run or model.
    """
    opened = Run.open(run, write=False)
    if model in ("champion", "candidate"):
        ref = opened.manifest.objects.get(model)
        if ref is None:
            raise RunError(f"run {run} has no {model} yet; let it finish its first iteration")
        return ref.sha256
    return hash_file(model_file(opened.path, model))[1]


def identify(spec: str, game: PlayableGame) -> tuple[Player, Identity]:
    """Make the player of a specification, and say who it is.

    Raises: as :func:`ludus.players.parse_player`.
    """
    player = parse_player(spec, game)
    if ":" not in spec and spec not in game.players and spec not in OPTIONS:
        return player, Identity.of(game.rules, player, "search", weights=weights_digest(spec))
    name, options = split_spec(spec)
    weights = None
    if "run" in options and "run" in OPTIONS.get(name, {}):
        weights = weights_digest(options.pop("run"), options.pop("model", "champion"))
    # What the search's settings say already need not be the same words.
    if isinstance(player, SearchPlayer):
        options = {key: value for key, value in options.items() if key in ("precision", "backend")}
    return player, Identity.of(game.rules, player, name, weights=weights, options=options)
