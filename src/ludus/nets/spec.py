"""What a network knows about its game, and the shape of the network itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

from ludus.errors import ConfigError, VersionError

CHECKPOINT_VERSION = 1
"""Version of the weights file and of its JSON neighbour."""

COLUMN_MULTIPLE = 64
"""The fused output layer is padded to a multiple of this many columns: a one-wide head made
results depend on the position of a row in its batch (measured; docs/data-path.md)."""


class GameShape(Protocol):
    """The part of ``ludus._core.Game`` that networks, evaluators and replay need."""

    @property
    def name(self) -> str:
        """Name in the registry, for example ``yatzy``."""
        ...

    @property
    def num_seats(self) -> int:
        """Number of seats."""
        ...

    @property
    def num_actions(self) -> int:
        """Size of the action space."""
        ...

    @property
    def observation_size(self) -> int:
        """Floats of one observation."""
        ...

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """Planes, rows and columns on a board; one number elsewhere."""
        ...

    @property
    def rules_id(self) -> str:
        """Identifier of the rules variant."""
        ...

    @property
    def encoder_id(self) -> str:
        """Identifier of the observation encoding."""
        ...

    @property
    def action_space_id(self) -> str:
        """Identifier of the action numbering."""
        ...


@dataclass(frozen=True, kw_only=True)
class NetSpec:
    """Shape of a network; what is needed, besides the game, to build it again.

    Attributes:
        kind: architecture; only ``residual_mlp`` so far.
        hidden: width of the trunk, a multiple of 32, at most 8192.
        blocks: residual blocks after the input layer, 0 to 64.
        margin: whether there is a head for the score margin.
    """

    kind: str = "residual_mlp"
    hidden: int = 256
    blocks: int = 2
    margin: bool = True

    def __post_init__(self) -> None:
        """Refuse shapes that cannot work.

        Raises:
            ConfigError: an unknown kind, or a number out of range.
        """
        if self.kind != "residual_mlp":
            raise ConfigError(f"network kind {self.kind!r} is unknown; known is 'residual_mlp'")
        if not 32 <= self.hidden <= 8192 or self.hidden % 32:
            raise ConfigError(
                f"network hidden = {self.hidden} must be a multiple of 32 from 32 to 8192"
            )
        if not 0 <= self.blocks <= 64:
            raise ConfigError(f"network blocks = {self.blocks} must lie between 0 and 64")

    def as_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> NetSpec:
        """The inverse of :meth:`as_json`.

        Raises:
            VersionError: a missing or unknown field, or one of the wrong type.
            ConfigError: a value out of range.
        """
        expected = {"kind": str, "hidden": int, "blocks": int, "margin": bool}
        if not isinstance(data, dict) or set(data) != set(expected):
            raise VersionError(
                f"network description {data!r} must have exactly the fields {', '.join(expected)}"
            )
        for name, kind in expected.items():
            if type(data[name]) is not kind:
                raise VersionError(
                    f"network field {name} = {data[name]!r} must be of type {kind.__name__}"
                )
        return cls(**data)


def schema_ids(game: GameShape) -> dict[str, str]:
    """The identifiers that must agree between a file of weights or records and the game."""
    return {
        "game": game.name,
        "rules_id": game.rules_id,
        "encoder_id": game.encoder_id,
        "action_space_id": game.action_space_id,
    }


def require_schema(found: Any, game: GameShape, where: str) -> None:
    """Refuse a file that was made for other rules, another encoding or other actions.

    Args:
        found: the JSON object of the file, with at least the keys of :func:`schema_ids`.
        game: the game that is to use it.
        where: name of the file, for the sentence.

    Raises:
        VersionError: an identifier is missing or differs; the sentence names both.
    """
    for key, wanted in schema_ids(game).items():
        have = found.get(key) if isinstance(found, dict) else None
        if have != wanted:
            raise VersionError(f"{where} has {key} {have!r}, but this game needs {wanted!r}")
