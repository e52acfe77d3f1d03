"""How an observation is cut into tokens, for networks that attend over them.

A token is a thing that a position has several of: a card, a seat. A layout says where an
observation keeps what belongs to each, without a word about any game, so it can be written beside
the weights of a network and read again without the game.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ludus.errors import ConfigError, VersionError

Head = Literal["policy", "value", "margin"]
"""A part of a network's output."""

MAX_TOKENS = 128
"""Of a group: ranks among them are whole numbers that bfloat16 holds exactly."""


@dataclass(frozen=True, kw_only=True)
class TokenGroup:
    """Tokens of one kind, numbered 0 to ``size - 1``.

    Places in the observation are ``(start, step)``: token i has its number at ``start + step * i``.

    Attributes:
        name: of the kind, a Python identifier.
        size: tokens that there can be, 1 to 128.
        keep: most of them that are real at the same time. If more are, the first ``keep`` count.
        features: places of what belongs to a token.
        marks: a token is real where the number at any of these places is not 0.
        number: instead of marks, ``(start, stop, lowest)``: a one-hot count of the real tokens,
            which are the first; ``start`` says ``lowest`` of them. None: see ``marks``.
        heads: ``(head, first)``: token i adds a number of its own to column ``first + i`` of that
            part of the output.
    """

    name: str
    size: int
    keep: int
    features: tuple[tuple[int, int], ...]
    marks: tuple[tuple[int, int], ...] = ()
    number: tuple[int, int, int] | None = None
    heads: tuple[tuple[Head, int], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ConfigError: with the group and what is wrong.
        """
        where = f"token group {self.name!r}"
        if not self.name.isidentifier():
            raise ConfigError(f"{where} must have a name of letters, digits and _")
        if not 1 <= self.keep <= self.size <= MAX_TOKENS:
            raise ConfigError(
                f"{where}: keep = {self.keep} and size = {self.size} must satisfy "
                f"1 <= keep <= size <= {MAX_TOKENS}"
            )
        if bool(self.marks) == (self.number is not None):
            raise ConfigError(f"{where} must have either marks or a number, not both or none")
        if not self.features:
            raise ConfigError(f"{where} must have at least one feature")
        for start, step in (*self.features, *self.marks):
            if start < 0 or step < 1:
                raise ConfigError(
                    f"{where}: place ({start}, {step}) must have start >= 0, step >= 1"
                )
        if self.number is not None and not (
            0 <= self.number[0] < self.number[1] and self.number[2] >= 0
        ):
            raise ConfigError(f"{where}: number {self.number} must be (start, stop, lowest)")
        for head, first in self.heads:
            if head not in ("policy", "value", "margin") or first < 0:
                raise ConfigError(f"{where}: head {(head, first)} must name a part of the output")

    @property
    def chosen(self) -> bool:
        """Whether the real tokens are picked out, as ``keep`` is less than ``size``."""
        return self.keep < self.size

    def last(self) -> int:
        """The highest place in the observation that is read."""
        places = [start + step * (self.size - 1) for start, step in (*self.features, *self.marks)]
        return max([*places, self.number[1] - 1 if self.number else 0])


@dataclass(frozen=True)
class TokenLayout:
    """All groups of tokens of a game's observations.

    Attributes:
        groups: in the order in which a network sees them.
    """

    groups: tuple[TokenGroup, ...]

    def __post_init__(self) -> None:
        """Refuse a layout without groups or with two of one name.

        Raises:
            ConfigError: the same.
        """
        names = [group.name for group in self.groups]
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"token groups {names} must be at least one, with different names")

    @property
    def tokens(self) -> int:
        """Tokens of a position that a network computes, real or not."""
        return sum(group.keep for group in self.groups)

    def only(self, names: Sequence[str]) -> TokenLayout:
        """The layout with some of its groups; all of them for no names.

        Raises:
            ConfigError: there is no group of a name.
        """
        known = [group.name for group in self.groups]
        for name in names:
            if name not in known:
                raise ConfigError(f"there are no tokens {name!r}; there are {', '.join(known)}")
        chosen = tuple(group for group in self.groups if not names or group.name in names)
        return TokenLayout(chosen)

    def check(self, observation_size: int, widths: Mapping[Head, int], game: str) -> None:
        """Refuse a layout that does not fit a game.

        Args:
            observation_size: floats of an observation.
            widths: columns of ``policy``, ``value`` and ``margin``.
            game: name of the game, for the sentence.

        Raises:
            ConfigError: a place outside the observation, or a column outside its part.
        """
        for group in self.groups:
            if group.last() >= observation_size:
                raise ConfigError(
                    f"token group {group.name!r} reads place {group.last()}, but observations of "
                    f"{game} have {observation_size} numbers"
                )
            for head, first in group.heads:
                if first + group.size > widths[head]:
                    raise ConfigError(
                        f"token group {group.name!r} writes {head} columns up to "
                        f"{first + group.size - 1}, but {game} has {widths[head]}"
                    )

    def as_json(self) -> list[dict[str, Any]]:
        """The groups as JSON objects with all their fields."""
        return [
            {
                "name": group.name,
                "size": group.size,
                "keep": group.keep,
                "features": [list(place) for place in group.features],
                "marks": [list(place) for place in group.marks],
                "number": None if group.number is None else list(group.number),
                "heads": [list(head) for head in group.heads],
            }
            for group in self.groups
        ]

    @classmethod
    def from_json(cls, data: Any) -> TokenLayout:
        """The inverse of :meth:`as_json`.

        Raises:
            VersionError: not such a list.
            ConfigError: a layout that cannot be.
        """
        wrong = VersionError(f"token groups {data!r} are not those that a network is described by")
        fields = {"name", "size", "keep", "features", "marks", "number", "heads"}
        if not isinstance(data, list) or not data:
            raise wrong
        for item in data:
            if not isinstance(item, dict) or set(item) != fields:
                raise wrong
            numbers = [*item["features"], *item["marks"]] if _lists(item) else [None]
            if not (
                isinstance(item["name"], str)
                and all(type(item[name]) is int for name in ("size", "keep"))
                and all(_whole(place, 2) for place in numbers)
                and (item["number"] is None or _whole(item["number"], 3))
                and all(
                    isinstance(head, list) and len(head) == 2 and type(head[1]) is int
                    for head in item["heads"]
                )
            ):
                raise wrong
        return cls(
            tuple(
                TokenGroup(
                    name=item["name"],
                    size=item["size"],
                    keep=item["keep"],
                    features=_places(item["features"]),
                    marks=_places(item["marks"]),
                    number=None if item["number"] is None else (*item["number"],),
                    heads=tuple((head, first) for head, first in item["heads"]),
                )
                for item in data
            )
        )


def _lists(item: dict[str, Any]) -> bool:
    return all(isinstance(item[name], list) for name in ("features", "marks", "heads"))


def _whole(place: Any, length: int) -> bool:
    return (
        isinstance(place, list)
        and len(place) == length
        and all(type(number) is int for number in place)
    )


def _places(lists: list[list[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((start, step) for start, step in lists)
