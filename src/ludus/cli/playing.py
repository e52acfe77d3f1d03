"""What the commands that play games have in common."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ludus.errors import UserError

if TYPE_CHECKING:
    from ludus.games import GameEntry

GAME_HELP = "A game: its name, file.py:Class for one of your own, or openspiel:NAME."
"""Of the option ``--game``."""

GAME_OF_RUN_HELP = f"{GAME_HELP} By default that of a run that plays, else one with such players."
"""Of the option ``--game`` where players are named."""

MATCH_SLICE = 0.25
"""Seconds between two updates of the progress."""


def lanes_or_default(lanes: int) -> int:
    """Threads that play: as asked, or one for each core that the process may use.

    Raises:
        UserError: a negative number, or more than 256.
    """
    if not 0 <= lanes <= 256:
        raise UserError(f"--lanes {lanes} must lie in 0..256, where 0 means one a core")
    return lanes or len(os.sched_getaffinity(0))


def chosen_game(asked: str | None, players: Sequence[str]) -> GameEntry:
    """The game that a command means.

    As asked, that of the first run among the players, or the first game of the house, beginning
    with yatzy, that has players of all these names.

    Args:
        asked: ``--game``.
        players: specifications; unreadable ones are left to those who make players of them.

    Raises:
        GameError, RunError: it is not there.
    """
    from ludus.games import get_game

    if asked is not None:
        return get_game(asked)
    for spec in players:
        run = run_of(spec)
        if run is not None:
            return game_of(run)
    return next(_games_with(players), get_game("yatzy"))


def _games_with(players: Sequence[str]) -> Iterator[GameEntry]:
    """Games of the house that know the names of all players."""
    from ludus.games import game_names, get_game
    from ludus.players.spec import is_weights_file, known_players, split_spec

    try:
        wanted = {"td" if is_weights_file(spec) else split_spec(spec)[0] for spec in players}
    except UserError:
        return
    for name in sorted(game_names(), key=lambda name: name != "yatzy"):
        entry = get_game(name)
        if wanted <= set(known_players(entry)):
            yield entry


def game_of(run: Path) -> GameEntry:
    """The game of a run.

    Raises:
        GameError, RunError: the run or its game is not there.
    """
    from ludus.runs import Run
    from ludus.training.plays import game_of_run

    return game_of_run(Run.open(run, write=False))


def run_of(spec: str) -> Path | None:
    """The run directory that a specification of a player names, if it does."""
    from ludus.players.spec import split_spec

    try:
        path = Path(split_spec(spec)[1].get("run", spec))
    except UserError:
        return None
    if not path.is_dir():
        return None
    from ludus.runs import is_run  # no need to wait for it where nothing could be a run

    return path if is_run(path) else None


def prepare_threads() -> None:
    """Lanes are the threads: torch gets none of its own, whether it is imported yet or later."""
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)


def percent(rate: float) -> str:
    """A share for people."""
    return f"{100.0 * rate:.2f} %"


def drive(advance: Callable[[float], bool], show: Callable[[], None]) -> None:
    """Call ``advance(seconds)`` until it says that nothing is left, with progress in between."""
    while advance(MATCH_SLICE):
        show()
    show()
