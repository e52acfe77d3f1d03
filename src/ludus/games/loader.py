"""Finds games that are not of the house: entry points, classes in files, OpenSpiel's."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import inspect
import re
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

from ludus.errors import GameError
from ludus.games.game import Game
from ludus.games.own import make_entry, place_of
from ludus.games.registry import MODULES, GameEntry

GROUP = "ludus.games"
"""Group of the entry points by which installed packages offer games: ``name = "package:Class"``."""

_FILE = re.compile(r"(?P<path>.+\.py)(?::(?P<name>[^:/]*))?")


def find(spec: str) -> GameEntry:
    """The entry of a game that is none of the house; see :func:`ludus.games.get_game`.

    Raises:
        GameError: there is none, or it is none.
    """
    if spec.startswith("openspiel:"):
        return _openspiel(spec)
    if file := _FILE.fullmatch(spec):
        return _from_file(str(Path(file["path"]).expanduser().resolve()), file["name"])
    if spec in entry_points():
        return _from_entry_point(spec)
    installed = entry_points()
    known = ", ".join([*MODULES, *sorted(installed)])
    raise GameError(
        f"there is no game {spec!r}; the games are: {known}; a class of your own is "
        "path/to/file.py:Class, a game of OpenSpiel is openspiel:NAME"
    )


def entry_points() -> list[str]:
    """Names of the games that installed packages offer; the house's own names win."""
    found = importlib.metadata.entry_points(group=GROUP)
    return sorted({point.name for point in found} - set(MODULES))


@cache
def _openspiel(spec: str) -> GameEntry:
    from ludus.games.openspiel import OpenSpielGame

    return make_entry(OpenSpielGame(spec.removeprefix("openspiel:")), spec)


@cache
def _from_entry_point(name: str) -> GameEntry:
    (point, *others) = importlib.metadata.entry_points(group=GROUP, name=name)
    if others:
        packages = ", ".join(sorted(p.dist.name if p.dist else "?" for p in (point, *others)))
        raise GameError(f"the game {name} is offered by several packages: {packages}")
    where = f"the entry point {name} = {point.value}"
    try:
        found = point.load()
    except Exception as error:
        raise GameError(f"{where} cannot be loaded: {place_of(error, set())}") from error
    return make_entry(_instance(found, where), name)


@cache
def _from_file(path: str, name: str | None) -> GameEntry:
    module = _module(path)
    found = {
        key: value
        for key, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, Game) and value is not Game
    }
    if name is None:
        here = {
            key: value
            for key, value in found.items()
            if value.__module__ == module.__name__ and not inspect.isabstract(value)
        }
        if not here and (unfinished := [k for k, v in found.items() if inspect.isabstract(v)]):
            name = unfinished[0]
        elif not here:
            raise GameError(f"{path} has no class that is a ludus.games.Game")
        elif len(here) > 1:
            raise GameError(
                f"{path} has several games, {', '.join(here)}: name one, as in "
                f"{path}:{next(iter(here))}"
            )
        else:
            name = next(iter(here))
    if not hasattr(module, name):
        there = f"; its games are: {', '.join(found)}" if found else ""
        raise GameError(f"{path} has no class {name!r}{there}")
    return make_entry(_instance(getattr(module, name), f"{path}:{name}"), f"{path}:{name}")


def _module(path: str) -> ModuleType:
    """The module of a file, under a name of its own; its neighbours can be imported by it."""
    if not Path(path).is_file():
        raise GameError(f"there is no file {path}")
    name = f"ludus_own_{hashlib.sha256(path.encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise GameError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    folder = str(Path(path).parent)
    sys.modules[name] = module  # dataclasses look their module up there
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        del sys.modules[name]
        raise GameError(f"{error.filename}:{error.lineno}: SyntaxError: {error.msg}") from error
    except Exception as error:
        del sys.modules[name]
        raise GameError(f"{place_of(error, {path})} (while {path} was imported)") from error
    finally:
        sys.path.remove(folder)
    return module


def _instance(found: object, where: str) -> Game:
    if isinstance(found, Game):
        return found
    if not inspect.isclass(found) or not issubclass(found, Game):
        raise GameError(f"{where} is no class that inherits from ludus.games.Game")
    if missing := sorted(getattr(found, "__abstractmethods__", ())):
        raise GameError(f"{where} lacks the methods {', '.join(missing)}")
    try:
        return found()
    except Exception as error:
        files = {code.co_filename} if (code := getattr(found.__init__, "__code__", None)) else set()
        raise GameError(f"{place_of(error, files)} (while {where} was made)") from error
