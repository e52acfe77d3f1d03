"""Othello over the protocols of game engines: GTP and NBoard."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from ludus import _core
from ludus.errors import GameError
from ludus.games.othello_ggf import ggf_text, parse_ggf
from ludus.games.othello_position import PASS, SQUARES, Discs, parse_position, position_text
from ludus.games.othello_records import OthelloRecord
from ludus.games.protocols import GtpGame, NBoardGame, NBoardRecord

_RESULT = re.compile(r"RE\[[^\]]*\]", re.I)
"""Property of GGF; an engine is asked about the board, whatever the game's result is said to be."""

_TRIES = 100_000
"""Positions that the search for a way looks at; they take about a second."""


def moves_left(state: _core.State) -> int:
    """The most discs that the side to move still puts, at least 1."""
    return max(1, (65 - sum(Discs.of(state).counts)) // 2)


def way(state: _core.State) -> list[int]:
    """Actions that lead from the start to a position.

    A depth-first search that puts discs on the squares that hold one in the end; every position is
    looked at once. It finds openings of 8 plies within some milliseconds and some of up to about
    16; the sooner the more of the squares have one order only.

    Raises:
        GameError: it gives up.
    """
    goal, target = state.packed(), Discs.of(state)
    taken = target.black | target.white
    seen: set[bytes] = set()
    found: list[int] = []

    def search(here: _core.State) -> bool:
        packed = here.packed()
        if packed == goal:
            return True
        if packed in seen or len(seen) >= _TRIES:
            return False
        seen.add(packed)
        discs = Discs.of(here)
        if discs.over or ((discs.black | discs.white) == taken and discs.moves):
            return False
        for action in here.legal().tolist():
            if action != PASS and not taken >> action & 1:
                continue
            then = here.copy()
            then.apply(action)
            found.append(action)
            if search(then):
                return True
            found.pop()
        return False

    if not search(_core.game("othello").initial()):
        raise GameError(
            f"no moves were found that lead to {position_text(state)}, and GTP cannot set up a "
            "position; over NBoard it can be played"
        )
    return found


GTP = GtpGame(
    name="Othello",
    size=8,
    colours=("black", "white"),
    passing=PASS,
    moves_left=moves_left,
    way=way,
)
"""Squares are called as everywhere in Othello, a1 at the upper left, as other engines do."""


def _clock(text: str) -> float | None:
    """Seconds of a clock of GGF: ``15:00``, ``1:00:00``, with further periods behind slashes."""
    try:
        seconds = 0.0
        for part in text.partition("/")[0].split(":"):
            seconds = 60.0 * seconds + float(part)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds > 0.0 else None


def read_game(text: str) -> NBoardRecord:
    """A game in GGF, with what its moves have left of the clocks.

    Raises:
        GameError: it is none, or has an illegal move.
    """
    record = parse_ggf(_RESULT.sub("", text))[0]
    start = parse_position(record.start)
    clocks = [_clock(record.tags.get(name, record.tags.get("TI", ""))) for name in ("TB", "TW")]
    for number, seconds in enumerate(record.seconds):
        seat = start.seat ^ number & 1
        if (left := clocks[seat]) is not None:
            clocks[seat] = left - (seconds or 0.0)
    known = tuple(left for left in clocks if left is not None)
    return NBoardRecord(start, record.actions, known if len(known) == len(clocks) else None)


def write_game(start: _core.State, actions: Sequence[int], seconds: float) -> str:
    """A game in GGF, on one line."""
    minutes, rest = divmod(round(seconds), 60)
    record = OthelloRecord(
        tuple(actions), start=position_text(start), tags={"TI": f"{minutes:02d}:{rest:02d}"}
    )
    return ggf_text([record]).strip()


def word(action: int) -> str:
    """A square such as ``F5``, or ``PA``."""
    return "PA" if action == PASS else SQUARES[action].upper()


NBOARD = NBoardGame(
    passing=PASS, moves_left=moves_left, word=word, read=read_game, write=write_game
)
