"""What a player is: anything that chooses an action, seen from the slots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus.evaluators import Evaluator

StateRows = npt.NDArray[np.uint8]
"""Packed states ``u8[n, state_size]``."""

Keys = npt.NDArray[np.uint64]
"""One random seed for each decision, ``u64[n]``; it depends on game id and ply alone."""

Actions = npt.NDArray[np.int32]
"""Chosen actions ``i32[n]``."""

Chooser = Callable[[StateRows, Keys], Actions]
"""A batch player without an evaluator: packed states and keys in, legal actions out."""


@dataclass(frozen=True)
class SearchPlayer:
    """A tree search over an evaluator.

    Attributes:
        evaluator: answers the leaves; shared by all lanes, so its ``evaluate`` is thread-safe.
        settings: the dictionary of a searching player as ``ludus._core.Slots`` wants it; without
            ``kind`` it is taken as ``search``.
        name: how reports call the player.
    """

    evaluator: Evaluator
    settings: Mapping[str, Any] = field(default_factory=dict)
    name: str = "search"


@dataclass(frozen=True)
class ExternalPlayer:
    """A player that chooses for a batch of states by itself (oracle, heuristic, engine).

    Attributes:
        choose: the chooser; called from any lane, so it is thread-safe.
        name: how reports call the player.
    """

    choose: Chooser
    name: str = "external"


@dataclass(frozen=True)
class RandomPlayer:
    """All legal actions with equal probability, drawn from a stream keyed by game and ply."""

    name: str = "random"


Player = SearchPlayer | ExternalPlayer | RandomPlayer
"""Whatever may take a seat in the slots."""


def slots_settings(player: Player) -> dict[str, Any]:
    """The dictionary by which ``ludus._core.Slots`` knows this player."""
    match player:
        case SearchPlayer():
            return {"kind": "search", **player.settings}
        case ExternalPlayer():
            return {"kind": "external"}
        case RandomPlayer():
            return {"kind": "random"}


def searchers(players: tuple[Player, ...] | list[Player]) -> int:
    """How many of the players search: so many slots share one row of a batch."""
    return sum(isinstance(player, SearchPlayer) for player in players)
