"""Packages whose parts are imported when they are asked for.

torch takes a second and 200 MB to load. Whoever needs a package's light parts (a timer, a shape)
must not pay for its heavy ones: a training without a network imports no torch at all.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def importer(package: str, parts: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package (PEP 562).

    Args:
        package: its ``__name__``.
        parts: names by the module below the package that has them.
    """
    home = {name: module for module, names in parts.items() for name in names}

    def find(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{home[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return find
