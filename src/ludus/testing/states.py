"""Whether two states of an own game are the same, whatever they are made of."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np

OPAQUE = object()
"""Stands for the copy of something that cannot be copied."""


def snapshot(state: Any, shared: Any) -> Any:
    """An independent copy of a state, :data:`OPAQUE` if it cannot be had.

    Args:
        state: of any type.
        shared: what states may point at without being copied: the rules.
    """
    try:
        return copy.deepcopy(state, {id(shared): shared})
    except Exception:  # noqa: BLE001 - whatever a class raises, there is just no copy then
        return OPAQUE


def difference(one: Any, other: Any) -> str | None:
    """What is different between two states, in words; None if nothing can be seen to be.

    Values that know no equality and have no attributes to look at count as the same.
    """
    if one is other or one is OPAQUE or other is OPAQUE:
        return None
    if type(one) is not type(other):
        return f"{_short(one)} has become {_short(other)}"
    return _inside(one, other)


def _inside(one: Any, other: Any) -> str | None:
    if isinstance(one, np.ndarray):
        return (
            None
            if np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
            else _pair(one.tolist(), other.tolist())
        )
    if isinstance(one, str | bytes | bytearray | int | float | complex | Set):
        return None if one == other or one != one else _pair(one, other)
    if isinstance(one, Mapping):
        if set(one) != set(other):
            return _pair(one, other)
        return _first((f"[{key!r}]", one[key], other[key]) for key in one)
    if isinstance(one, Sequence):
        if len(one) != len(other):
            return _pair(one, other)
        if all(type(item) in (int, str, float, bool) for item in one):
            return None if list(one) == list(other) else _pair(one, other)
        return _first((f"[{i}]", a, b) for i, (a, b) in enumerate(zip(one, other, strict=True)))
    fields = _fields(one)
    if fields:
        return _first(
            (f".{name}", getattr(one, name), getattr(other, name, None)) for name in fields
        )
    if "__eq__" in {name for kind in type(one).__mro__[:-1] for name in vars(kind)}:
        return None if bool(one == other) else _pair(one, other)
    return None


def _fields(value: Any) -> list[str]:
    names = list(getattr(value, "__dict__", {}))
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        names += [slots] if isinstance(slots, str) else list(slots)
    return [name for name in names if hasattr(value, name)]


def _first(parts: Iterable[tuple[str, Any, Any]]) -> str | None:
    """The first part that differs, with the way to it: ``.board[3]: 0 has become 1``."""
    for name, one, other in parts:
        found = difference(one, other)
        if found is not None:
            return f"{name}{found}" if found[0] in ".[" and ": " in found else f"{name}: {found}"
    return None


def _pair(one: Any, other: Any) -> str:
    return f"{_short(one)} has become {_short(other)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
