"""What a network knows about its game, and the shape of the network itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from ludus.errors import ConfigError, VersionError
from ludus.games.tokens import TokenLayout

CHECKPOINT_VERSION = 2
"""Version of the weights file and of its JSON neighbour, as written."""

READABLE_VERSIONS = (1, 2)
"""Versions that can be read. Version 1 knew the residual MLP only, described as it is now."""

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


_FIELDS: dict[str, dict[str, type]] = {
    "residual_mlp": {"kind": str, "hidden": int, "blocks": int, "margin": bool},
    "residual_tower": {
        "kind": str,
        "channels": int,
        "blocks": int,
        "head_channels": int,
        "margin": bool,
    },
    "token_transformer": {
        "kind": str,
        "hidden": int,
        "width": int,
        "heads": int,
        "blocks": int,
        "margin": bool,
        "tokens": list,
    },
}
"""The fields that describe a network of each kind, with their types."""

KINDS = tuple(_FIELDS)
"""The architectures."""

_RANGES = {
    # name: (lowest, highest, multiple)
    "hidden": (32, 8192, 32),
    "channels": (8, 1024, 8),
    "head_channels": (1, 256, 1),
    "blocks": (0, 64, 1),
    "width": (8, 1024, 8),
    "heads": (1, 64, 1),
}


_OPTIONAL: dict[str, dict[str, type]] = {"residual_mlp": {"belief": int}}
"""Fields that a description has only where they are not 0: what networks without that part were
described as before there was one, and are still."""


@dataclass(frozen=True, kw_only=True)
class NetSpec:
    """Shape of a network; what is needed, besides the game, to build it again.

    Attributes:
        kind: architecture: ``residual_mlp``, ``residual_tower`` (3x3 convolutions) for games
            whose observations are planes of a board, or ``token_transformer`` (attention) for
            games that say how theirs are cut into tokens.
        hidden: MLP, transformer: width of the trunk, a multiple of 32, at most 8192.
        channels: tower: channels of the trunk, a multiple of 8, at most 1024.
        head_channels: tower: channels that are left before the output layer, 1 to 256.
        blocks: residual blocks after the input layer, 0 to 64; of attention in a transformer.
        width: transformer: numbers of a token, a multiple of 8, at most 1024.
        heads: transformer: of the attention, 1 to 64; a divisor of the width.
        tokens: transformer: how observations are cut; None for the other kinds.
        margin: whether there is a head for the score margin.
        belief: MLP: numbers of the head that says who may hold what is hidden, the game's
            ``belief_size``; 0 without one.
    """

    kind: str = "residual_mlp"
    hidden: int = 256
    channels: int = 64
    head_channels: int = 32
    blocks: int = 2
    width: int = 32
    heads: int = 2
    tokens: TokenLayout | None = None
    margin: bool = True
    belief: int = 0

    def __post_init__(self) -> None:
        """Refuse shapes that cannot work.

        Raises:
            ConfigError: an unknown kind, or a number out of range.
        """
        if self.kind not in _FIELDS:
            raise ConfigError(
                f"network kind {self.kind!r} is unknown; known are {', '.join(_FIELDS)}"
            )
        for name, (low, high, multiple) in _RANGES.items():
            value = getattr(self, name)
            if name in _FIELDS[self.kind] and not (low <= value <= high and value % multiple == 0):
                what = "lie between" if multiple == 1 else f"be a multiple of {multiple} between"
                raise ConfigError(f"network {name} = {value} must {what} {low} and {high}")
        if self.belief < 0:
            raise ConfigError(f"network belief = {self.belief} must be at least 0")
        if self.belief and "belief" not in _OPTIONAL.get(self.kind, {}):
            raise ConfigError(f"a {self.kind} has no belief head: use kind residual_mlp")
        if self.kind == "token_transformer":
            if self.width % self.heads:
                raise ConfigError(
                    f"network heads = {self.heads} must divide the width {self.width} of a token"
                )
            if self.tokens is None:
                raise ConfigError(
                    "a token_transformer needs a game that says how its observations are cut into "
                    "tokens: use kind residual_mlp"
                )

    def as_json(self) -> dict[str, Any]:
        """The fields that the kind has, as a JSON object; optional ones where they are not 0."""
        found = {name: getattr(self, name) for name in _FIELDS[self.kind]}
        optional = {name: getattr(self, name) for name in _OPTIONAL.get(self.kind, {})}
        found |= {name: value for name, value in optional.items() if value}
        if self.tokens is not None and "tokens" in found:
            found["tokens"] = self.tokens.as_json()
        return found

    @classmethod
    def from_json(cls, data: Any) -> NetSpec:
        """The inverse of :meth:`as_json`.

        Raises:
            VersionError: a missing or unknown field, or one of the wrong type.
            ConfigError: an unknown kind or a value out of range.
        """
        if not isinstance(data, dict) or not isinstance(data.get("kind"), str):
            raise VersionError(f"network description {data!r} must have a field kind")
        expected = _FIELDS.get(data["kind"])
        if expected is None:
            return cls(kind=data["kind"])  # raises, naming the kinds
        optional = _OPTIONAL.get(data["kind"], {})
        expected = expected | {name: kind for name, kind in optional.items() if name in data}
        if set(data) != set(expected):
            raise VersionError(
                f"network description {data!r} must have exactly the fields {', '.join(expected)}"
            )
        for name, kind in expected.items():
            if type(data[name]) is not kind:
                raise VersionError(
                    f"network field {name} = {data[name]!r} must be of type {kind.__name__}"
                )
        if "tokens" in expected:
            return cls(**{**data, "tokens": TokenLayout.from_json(data["tokens"])})
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
