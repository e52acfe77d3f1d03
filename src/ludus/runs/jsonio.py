"""JSON that is read strictly and written in one way only."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ludus.errors import CorruptError, NumericsError


def plain(value: object) -> object:
    """Scalars of numpy and small arrays as JSON; paths as text."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")


_PRETTY = msgspec.json.Encoder(enc_hook=plain)


def canonical_json(document: Mapping[str, Any]) -> bytes:
    """The one encoding of `document`: sorted keys, ASCII, no blanks, a last newline.

    Raises: NumericsError for a number that is not finite; TypeError for what JSON lacks.
    """
    try:
        text = json.dumps(
            document, sort_keys=True, separators=(",", ":"), allow_nan=False, default=plain
        )
    except ValueError as error:
        raise NumericsError(
            f"a document to be stored holds a number that is not finite: {error}"
        ) from error
    return text.encode("ascii") + b"\n"


def pretty_json(document: Mapping[str, Any]) -> bytes:
    """For people: in the order given; numbers that are not finite become null."""
    return msgspec.json.format(_PRETTY.encode(document), indent=1) + b"\n"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is larger than any number here")
    return value


def strict_json(data: bytes, what: str) -> dict[str, Any]:
    """Parse a JSON object; raises CorruptError for bad UTF-8, double keys, NaN, deep nesting."""
    try:
        document = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as error:
        raise CorruptError(f"{what} is damaged: {error}") from error
    if not isinstance(document, dict):
        raise CorruptError(f"{what} is damaged: it holds no JSON object")
    return document
