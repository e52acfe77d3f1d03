"""Dotted names of settings: the flat view of the schema, and sentences about mistakes in it."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from ludus.errors import ConfigError
from ludus.training.settings import Settings


@dataclass(frozen=True)
class Given:
    """A value and where it came from, for sentences."""

    value: Any
    source: str


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


Change = Literal["never", "at_start", "next_iteration", "now"]
"""When a changed setting takes effect: never in a run's life, only where the run is started again,
from the next iteration on, or at once."""


def _change(extra: Any) -> Change:
    """When a setting with these marks may change."""
    if not isinstance(extra, dict) or not extra.get("changeable"):
        return "never"
    if extra.get("only_at_start"):
        return "at_start"
    return "next_iteration" if extra.get("next_iteration") else "now"


def _described(
    model: type[BaseModel], prefix: str, outer: Change
) -> Iterator[tuple[str, FieldInfo, Change]]:
    for name, field in model.model_fields.items():
        key, inner = f"{prefix}{name}", _model_of(field)
        change = _change(field.json_schema_extra)
        change = outer if change == "never" else change  # what holds for a schedule: for its parts
        if inner is None:
            yield key, field, change
        else:
            yield from _described(inner, f"{key}.", change)


def fields() -> Iterator[tuple[str, FieldInfo, bool]]:
    """Every setting: dotted key, its field, and whether it may change in a run's life."""
    for key, field, change in _described(Settings, "", "never"):
        yield key, field, change != "never"


@cache
def changes() -> Mapping[str, Change]:
    """When each setting may change, by dotted key."""
    return {key: change for key, _, change in _described(Settings, "", "never")}


def known_keys() -> dict[str, bool]:
    """All dotted keys, and whether each may change in a run's life."""
    return {key: change != "never" for key, change in changes().items()}


def groups() -> set[str]:
    """Dotted names of what holds further settings: sections and schedules."""
    return {
        key.rsplit(".", depth)[0] for key in known_keys() for depth in range(1, key.count(".") + 1)
    }


def suggest(wrong: str, among: Iterable[str]) -> str:
    """`` (did you mean x?)`` for the closest name, or an empty text."""
    names = list(among)
    close = difflib.get_close_matches(wrong, names, n=1, cutoff=0.6)
    if not close:
        last = wrong.rsplit(".", 1)[-1]
        tails = {name.rsplit(".", 1)[-1]: name for name in names}
        found = difflib.get_close_matches(last, list(tails), n=1, cutoff=0.75)
        close = [tails[found[0]]] if found else []
    return f"; did you mean {close[0]}?" if close else ""


def flatten(tree: Mapping[Any, Any], source: str, prefix: str = "") -> dict[str, Given]:
    """A nested mapping by dotted key.

    Raises:
        ConfigError: a key that is no setting, or no mapping where one must be.
    """
    known, inner = known_keys(), groups()
    flat: dict[str, Given] = {}
    for name, value in tree.items():
        # YAML 1.1 reads the word off as false, as a key too.
        key = f"{prefix}{'off' if name is False else name}"
        if key in known:
            flat[key] = Given(value, source)
        elif key in inner:
            if isinstance(value, Mapping):
                flat.update(flatten(value, source, f"{key}."))
            elif key.count(".") == 1 and isinstance(value, int | float | str):
                flat[key] = Given(value, source)  # a schedule given as a number
            else:
                raise ConfigError(f"{key} = {value!r} ({source}) must hold settings by name")
        else:
            raise ConfigError(f"unknown setting {key} ({source}){suggest(key, [*known, *inner])}")
    return flat


def merge(layers: Iterable[Mapping[str, Given]]) -> dict[str, Given]:
    """Later layers win, setting by setting; a number for a schedule replaces all of it.

    A setting that is a mapping itself is merged entry by entry.
    """
    merged: dict[str, Given] = {}
    for layer in layers:
        for key, given in layer.items():
            for other in [name for name in merged if name.startswith(f"{key}.")]:
                del merged[other]
            parent = key.rsplit(".", 1)[0]
            if parent in merged:  # a schedule given as a number, now refined
                number = merged.pop(parent)
                merged[f"{parent}.start"] = number
            before = merged.get(key)
            if before and isinstance(before.value, Mapping) and isinstance(given.value, Mapping):
                given = Given({**before.value, **given.value}, given.source)
            merged[key] = given
    return merged


def nest(flat: Mapping[str, Given]) -> dict[str, Any]:
    """The inverse of :func:`flatten`."""
    tree: dict[str, Any] = {}
    for key, given in flat.items():
        *path, last = key.split(".")
        at = tree
        for part in path:
            at = at.setdefault(part, {})
        at[last] = given.value
    return tree


def flat_values(settings: Settings) -> dict[str, Any]:
    """Every setting with its value by dotted key; values are plain JSON."""
    tree = settings.model_dump(mode="json")
    return {key: given.value for key, given in flatten(tree, "").items()}


def changed_values(given: Mapping[str, Given], current: Settings) -> dict[str, Any]:
    """What given settings make different, by dotted key; the values are plain JSON.

    Args:
        given: settings by dotted key; a number may stand for a schedule.
        current: the settings in force.

    Raises:
        ConfigError: a value that is refused.
    """
    now = flat_values(current)
    run = {key: Given(value, "run") for key, value in now.items()}
    wanted = flat_values(validate(merge([run, given])))
    return {key: value for key, value in wanted.items() if value != now[key]}


def allowed(key: str) -> str:
    """What a setting may be, in words."""
    for name, field, _ in fields():
        if name != key:
            continue
        return ", ".join([_type_words(field.annotation), *_bounds(field.metadata)])
    return "a number or a schedule (kind, clock, start, end, over)"


def _bounds(metadata: Iterable[Any]) -> Iterator[str]:
    for bound in metadata:
        for attribute, text in (
            ("ge", "at least"),
            ("gt", "above"),
            ("le", "at most"),
            ("lt", "below"),
            ("multiple_of", "a multiple of"),
        ):
            limit = getattr(bound, attribute, None)
            if limit is not None:
                yield f"{text} {limit}"


def _type_words(annotation: Any) -> str:
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return "one of " + ", ".join(str(choice) for choice in typing.get_args(annotation))
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_type_words(part) for part in typing.get_args(annotation))
    if origin is tuple:
        inner = typing.get_args(annotation)[0]
        mapped = isinstance(inner, type) and issubclass(inner, BaseModel)
        return "a list of mappings" if mapped else "a list of texts"
    if origin is dict:
        value = _type_words(typing.get_args(annotation)[1])
        return f"a mapping from names to values, each {value}"
    if origin is typing.Annotated:
        inner, *metadata = typing.get_args(annotation)
        return ", ".join([_type_words(inner), *_bounds(metadata[0].metadata)])
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    return names.get(annotation, "null" if annotation is type(None) else "a value")


def validate(flat: Mapping[str, Given]) -> Settings:
    """The typed settings.

    Raises:
        ConfigError: one sentence about the first value that is refused: key, value, source and
            what is allowed.
    """
    try:
        return Settings.model_validate(nest(flat))
    except ValidationError as error:
        raise ConfigError(_sentence(error, flat)) from None


def _sentence(error: ValidationError, flat: Mapping[str, Given]) -> str:
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"] if not str(part)[:1].isupper()]
    key = ".".join(path)
    while key and key not in flat and key not in known_keys():
        key = key.rpartition(".")[0]
    given = flat.get(key)
    if first["type"] == "value_error":
        message = str(first["msg"]).removeprefix("Value error, ")
        prefix = ".".join(path)
        return f"{prefix}: {message}" if prefix else message
    shown = repr(given.value) if given is not None else repr(first.get("input"))
    source = f" ({given.source})" if given is not None and given.source else ""
    return f"{key} = {shown}{source} must be {allowed(key)}"
