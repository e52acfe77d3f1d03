"""Values of the options of a player's specification."""

from __future__ import annotations

from typing import TypeVar

from ludus.errors import PlayerError

Number = TypeVar("Number", int, float)


def require_number(
    spec: str, key: str, value: str, low: float, high: float, kind: type[Number]
) -> Number:
    """A number from text.

    Args:
        spec: the whole specification, for the sentence.
        key: the option.
        value: its text.
        low: least value.
        high: largest one.
        kind: int or float.

    Raises:
        PlayerError: no number of this kind, or out of range.
    """
    try:
        number = kind(value)
    except ValueError:
        number = None
    if number is None or not low <= number <= high:
        what = "an integer" if kind is int else "a number"
        raise PlayerError(f"player {spec!r}: {key}={value} must be {what} in {low:g}..{high:g}")
    return number
