"""How the kit says that something is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def require(subject: Any, where: str, holds: bool, wrong: str) -> None:
    """Raise AssertionError "<name>, <where>: <wrong>." unless ``holds``."""
    if not holds:
        raise AssertionError(f"{getattr(subject, 'name', subject)}, {where}: {wrong}.")


def refuses(subject: Any, where: str, call: Callable[[], object], what: str) -> None:
    """Require that ``call`` raises ValueError (``ludus.errors.GameError`` is one)."""
    try:
        call()
    except ValueError:
        return
    raise AssertionError(
        f"{getattr(subject, 'name', subject)}, {where}: {what} was accepted; "
        "it must raise ludus.errors.GameError."
    )
