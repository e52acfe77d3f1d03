"""Every setting of the schema as something that a form can show and turn."""

from __future__ import annotations

import math
import types
import typing
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from pydantic.fields import FieldInfo

from ludus.training.keys import allowed, fields
from ludus.training.operating_settings import only_at_start


@dataclass(frozen=True)
class Knob:
    """One setting.

    Attributes:
        key: dotted.
        kind: how it is turned.
        optional: whether it may be null.
        choices: of a choice.
        low: least value, None without one; `low_open` says that it is excluded.
        high: likewise.
        low_open, high_open: whether the bound itself is excluded.
        multiple: whole numbers only in multiples of this.
        about: what it means.
        allowed: type and bounds in words.
        changeable: whether it may change in a run's life.
        at_start: whether then only when the run is started again.
    """

    key: str
    kind: Literal["bool", "choice", "int", "float", "text"]
    optional: bool
    choices: tuple[str, ...]
    low: float | None
    high: float | None
    low_open: bool
    high_open: bool
    multiple: int
    about: str
    allowed: str
    changeable: bool
    at_start: bool

    @property
    def section(self) -> str:
        """The first part of the key."""
        return self.key.split(".", 1)[0]

    def turned(self, value: Any, by: int) -> Any:
        """The value one step up or down; the same where it cannot be stepped."""
        if self.kind == "bool":
            return not value
        if self.kind == "choice":
            places: list[Any] = [*self.choices, *([None] if self.optional else [])]
            at = places.index(value) if value in places else 0
            return places[(at + by) % len(places)]
        if self.kind == "text":
            return value
        if value is None or isinstance(value, bool) or not isinstance(value, int | float):
            return self._kept(self.low if self.low is not None else 1.0)
        if self.kind == "int":
            step = self.multiple if self.multiple > 1 else _int_step(int(value), by)
            return self._kept(int(value) + by * step, value)
        return self._kept(float(value) + by * _float_step(float(value), by), value)

    def _kept(self, value: float, before: Any = None) -> Any:
        """Within the bounds; a bound that is excluded is not stepped to."""
        if self.low is not None and (value < self.low or (self.low_open and value <= self.low)):
            value = self.low if not self.low_open or before is None else before
            if self.low_open and before is None:
                value = self.low + 1 if self.kind == "int" else self.low + 0.1
        if self.high is not None and (value > self.high or (self.high_open and value >= self.high)):
            value = self.high if not self.high_open or before is None else before
        return int(value) if self.kind == "int" else float(f"{value:.10g}")


def _int_step(value: int, by: int) -> int:
    """By the second digit: 32 goes by 1, 128 by 10, 1024 by 100; 100 down to 99."""
    size = abs(value) - (1 if by < 0 else 0)
    return int(10 ** max(0, len(str(max(0, size))) - 2))


def _float_step(value: float, by: int) -> float:
    """A tenth of the number's order: 0.25 goes by 0.01, 0.001 by 0.0001."""
    size = abs(value)
    if size == 0.0:
        return 0.01
    order = math.floor(math.log10(size) + 1e-9)
    if by < 0 and math.isclose(size, 10.0**order):
        order -= 1  # from 0.1 the way down is 0.09
    return float(10.0 ** (order - 1))


@cache
def knobs() -> dict[str, Knob]:
    """All settings in the order of the schema."""
    return {key: _knob(key, field, changeable) for key, field, changeable in fields()}


def _knob(key: str, field: FieldInfo, changeable: bool) -> Knob:
    annotation, optional = _without_none(field.annotation)
    metadata = list(field.metadata)
    if typing.get_origin(annotation) is typing.Annotated:
        annotation, *inner = typing.get_args(annotation)
        for one in inner:
            metadata += getattr(one, "metadata", [one])
    choices: tuple[str, ...] = ()
    kind: Literal["bool", "choice", "int", "float", "text"] = "text"
    if typing.get_origin(annotation) is Literal:
        kind, choices = "choice", tuple(str(one) for one in typing.get_args(annotation))
    elif annotation is bool:
        kind = "bool"
    elif annotation is int:
        kind = "int"
    elif annotation is float:
        kind = "float"
    bounds: dict[str, Any] = {}
    for bound in metadata:
        for name in ("ge", "gt", "le", "lt", "multiple_of"):
            value = getattr(bound, name, None)
            if value is not None:
                bounds[name] = value
    return Knob(
        key=key,
        kind=kind,
        optional=optional,
        choices=choices,
        low=bounds.get("ge", bounds.get("gt")),
        high=bounds.get("le", bounds.get("lt")),
        low_open="gt" in bounds,
        high_open="lt" in bounds,
        multiple=int(bounds.get("multiple_of", 1)),
        about=field.description or "",
        allowed=allowed(key),
        changeable=changeable,
        at_start=only_at_start(field.json_schema_extra),
    )


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """A type without ``None``, and whether that was one of its choices."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        parts = [one for one in typing.get_args(annotation) if one is not type(None)]
        if len(parts) == 1:
            return parts[0], True
    return annotation, False
