"""The two forms of a line: one for people, one JSON object."""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime
from typing import Any

FIELDS = "ludus_fields"
"""Attribute of a stdlib record that holds the event and the data fields of a line."""

MOST = 8192
"""Characters of a message or of a field, the rest is cut off."""

_ENVELOPE = frozenset({"timestamp", "level", "component", "event", "message"})


def timestamp(record: logging.LogRecord) -> str:
    """When it was logged: ISO 8601, UTC, milliseconds."""
    when = datetime.fromtimestamp(record.created, UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z"


def component(record: logging.LogRecord) -> str:
    """Label of whoever logged: ``runs`` for ``ludus.runs``; another library's whole name."""
    return record.name.removeprefix("ludus.")


def entry(record: logging.LogRecord) -> dict[str, Any]:
    """A line as an object: timestamp, level, component, event, message, then the data fields.

    Args:
        record: of Ludus, or of any other library.
    """
    fields = dict(getattr(record, FIELDS, {}))
    found = {
        "timestamp": timestamp(record),
        "level": record.levelname.lower(),
        "component": component(record),
        "event": fields.pop("event", "message"),
        "message": record.getMessage()[:MOST],
    }
    for name, value in fields.items():
        found[f"{name}_" if name in _ENVELOPE else name] = value
    if record.exc_info and record.exc_info[0] is not None:
        found["exception"] = "".join(traceback.format_exception(*record.exc_info))[-MOST:]
    return found


def as_json(line: dict[str, Any]) -> str:
    """One JSON object, by structlog's renderer; numbers that are not finite become null."""
    import structlog

    text = structlog.processors.JSONRenderer(serializer=_dumps)(None, "", line)
    return text if isinstance(text, str) else text.decode()


def as_text(line: dict[str, Any]) -> str:
    """``time level component: message key=value``, an exception on lines of its own below.

    Fields without a value are left out.
    """
    hidden = {*_ENVELOPE, "exception"}
    shown = {k: v for k, v in line.items() if k not in hidden and v is not None}
    tail = "".join(f" {name}={_shown(value)}" for name, value in shown.items())
    head = f"{line['timestamp']} {line['level']} {line['component']}: {visible(line['message'])}"
    text = head + tail
    if "exception" in line:
        below = str(line["exception"]).rstrip("\n").split("\n")
        text += "".join(f"\n    {visible(row)}" for row in below)
    return text


def visible(text: str) -> str:
    """Text whose control characters are written out: a message cannot fake a line of its own."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = visible(str(value)[:MOST])
    return f'"{text}"' if " " in text or not text else text


def _plain(value: Any) -> Any:
    """Numpy's scalars as numbers, anything else as text."""
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", 0) == 0:
        return item()
    return str(value)[:MOST]


def _dumps(line: dict[str, Any], **_: Any) -> str:
    import msgspec

    try:
        return msgspec.json.encode(line, enc_hook=_plain).decode()
    except (TypeError, ValueError):  # keys that are no text, half a surrogate pair
        safe = {str(name): _safe(value) for name, value in line.items()}
        return msgspec.json.encode(safe).decode()


def _safe(value: Any) -> Any:
    value = value if isinstance(value, bool | int | float | str | None) else _plain(value)
    if not isinstance(value, str):
        return value if isinstance(value, bool | int | float | None) else str(value)
    return value[:MOST].encode("utf-8", "backslashreplace").decode()
