"""Environment variables by which a recipe's settings can be given, besides ``LUDUS__*``.

A recipe lists under ``environment`` which of :data:`VARIABLES` it reads; one that it does not list
is not looked at, so that a variable meant for another program changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ludus.errors import ConfigError
from ludus.training.keys import Given

_PORT, _SINKS, _INTERVAL = "metrics.prometheus_port", "metrics.sinks", "metrics.export_interval"
_DEFAULT_PORT = 8000

VARIABLES: dict[str, str] = {
    "ENABLE_WANDB": _SINKS,
    "ENABLE_BRAINTRUST": _SINKS,
    "METRICS_INTERVAL": _INTERVAL,
    "METRICS_EXPORT_INTERVAL": _INTERVAL,
    "PROMETHEUS_PORT": _PORT,
    "ENABLE_PROMETHEUS": _PORT,
}
"""Variable -> the setting that it gives. Of two for one setting the later wins."""

_SINK_OF = {"ENABLE_WANDB": "wandb", "ENABLE_BRAINTRUST": "braintrust"}
_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def named_layer(
    names: Sequence[str], environment: Mapping[str, str], below: Mapping[str, Any]
) -> dict[str, Given]:
    """Settings of the variables that a recipe reads.

    Args:
        names: the variables; in any order.
        environment: all variables there are. An empty one counts as not there.
        below: values that hold otherwise, by dotted key.

    Returns: the settings that are given, by dotted key.

    Raises:
        ConfigError: a value that is none; the sentence names the variable.
    """
    layer: dict[str, Given] = {}
    for name, key in VARIABLES.items():
        text = environment.get(name, "").strip()
        if name not in names or not text:
            continue
        before = layer[key].value if key in layer else below.get(key)
        layer[key] = Given(_value(name, text, before), f"variable {name}")
    return layer


def _value(name: str, text: str, before: Any) -> Any:
    """What the variable makes of a setting."""
    if name in _SINK_OF:
        others = [one for one in before or () if one != _SINK_OF[name]]
        return (*others, _SINK_OF[name]) if _switch(name, text) else tuple(others)
    if name == "ENABLE_PROMETHEUS":
        if not _switch(name, text):
            return None
        return _DEFAULT_PORT if before is None else before
    try:
        return int(text) if name == "PROMETHEUS_PORT" else float(text)
    except ValueError:
        raise ConfigError(f"variable {name}: {text!r} is no number") from None


def _switch(name: str, text: str) -> bool:
    if text.lower() not in _WORDS:
        raise ConfigError(f"variable {name}: {text!r} must be true or false")
    return _WORDS[text.lower()]
