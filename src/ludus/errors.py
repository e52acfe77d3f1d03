"""The one tree of exceptions.

Whatever is the user's to mend is a :class:`UserError`: the command line prints its sentence and
exits with 2. Anything else that Ludus raises on purpose is a plain :class:`LudusError`.
"""

from __future__ import annotations

import math
from typing import Any, Literal


class LudusError(Exception):
    """Base of everything that Ludus raises on purpose."""


class UserError(LudusError):
    """Bad input: one sentence that says what was wrong, where, and what would be right."""


class ConfigError(UserError):
    """A setting with an unknown key, a wrong type or a value out of range."""


class GameError(UserError, ValueError):
    """What the core refuses: an illegal action, a malformed state, a setting out of range."""


class PlayerError(UserError):
    """A player specification that names nothing, or an option that the player lacks."""


class RunError(UserError):
    """A run directory that is missing, foreign or in the wrong condition for the request."""


class RunLockedError(RunError):
    """Another process writes to the run; the sentence names it."""


class CorruptError(RunError):
    """A file that fails its checksum, or is cut short."""


class UnreadableError(CorruptError):
    """A file that the disk does not give now (EIO): it may be whole."""


class VersionError(RunError):
    """A file of a newer or foreign format, with both versions named."""


class NumericsError(LudusError):
    """A number that is not finite, or out of range, where it must not be.

    Attributes:
        place: ``observation``, ``target``, ``loss``, ``gradient``, ``weight``, ``evaluation``,
            ``game record`` or ``number``.
        value: the offending number; None where it is not known.
        where: further fields that name the place: update, row, weights, ...
    """

    def __init__(
        self,
        sentence: str = "a number is not finite",
        *,
        place: str = "number",
        value: float | None = None,
        **where: Any,
    ) -> None:
        super().__init__(sentence)
        self.place = place
        self.value = value
        self.where = where

    @property
    def what(self) -> Literal["nan", "inf", "range"]:
        """What is wrong with the number; ``nan`` where the number is not known."""
        if self.value is None or math.isnan(self.value):
            return "nan"
        return "inf" if math.isinf(self.value) else "range"
