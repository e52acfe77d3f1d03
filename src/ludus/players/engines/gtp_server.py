"""Ludus as an engine of the Go Text Protocol, version 2, for games other than Go.

The commands that every engine must have, those of regression, time and undo, and ``list_games`` and
``set_game`` as interfaces for several games ask for. Squares and ``pass`` are written as the game
writes them, rows from the top in Othello. Two things are taken easily: where a side has to pass,
the pass may be left out; after the end of the game, passes are played and answered.

Protocol: G. Farneback, "Specification of the Go Text Protocol, version 2, draft 2", 2002.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable

import ludus
from ludus import _core
from ludus.errors import GameError, LudusError
from ludus.games.analysis import Limits
from ludus.games.protocols import GtpGame
from ludus.players.engines.session import Session

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ID = re.compile(r"[0-9]{1,10}")
_LAG = 0.05
"""Seconds of each move that are left to pipes and interfaces."""


class _RefusedError(Exception):
    """A command that fails; its text is the answer."""


class _Clock:
    """What the time commands said about one side.

    Attributes:
        left: seconds for ``stones`` moves, or for the rest of the game if that is 0.
        stones: see above.
    """

    def __init__(self, main: int, byo_time: int, byo_stones: int) -> None:
        in_byo = main == 0
        self.left = float(byo_time if in_byo else main)
        self.stones = byo_stones if in_byo else 0
        self._period = (float(byo_time), byo_stones)

    def seconds(self, moves: int) -> float:
        """For the next move, when at most so many are left."""
        spare = 0.0
        if self.stones:
            spare = self.left / self.stones
        else:
            period, stones = self._period
            spare = self.left / (moves + 1) + (period / stones if stones else 0.0)
        return max(0.01, 0.95 * spare - _LAG)

    def spend(self, seconds: float) -> None:
        """Time passes; the interface may correct it."""
        self.left = max(0.0, self.left - seconds)
        if self.stones > 1:
            self.stones -= 1
        elif self._period[1] and (self.stones or self.left == 0.0):
            self.left, self.stones = self._period


class GtpServer:
    """Answers commands.

    Args:
        session: the game and its player.
        adapter: what the protocol must know of the game.
    """

    def __init__(self, session: Session, adapter: GtpGame) -> None:
        self.stop = threading.Event()
        self._session, self._game = session, adapter
        self._groups: list[int] = []  # actions that each command played, for undo
        self._clocks: dict[int, _Clock] = {}
        self._commands: dict[str, Callable[[list[str]], str]] = {
            "protocol_version": lambda _: "2",
            "name": lambda _: "Ludus",
            "version": lambda _: f"{ludus.__version__} {session.player.name}",
            "known_command": self._known_command,
            "list_commands": lambda _: "\n".join(self._commands),
            "quit": lambda _: "",
            "boardsize": self._boardsize,
            "clear_board": self._clear_board,
            "komi": self._komi,
            "play": self._play,
            "genmove": lambda words: self._genmove(words, play=True),
            "reg_genmove": lambda words: self._genmove(words, play=False),
            "undo": self._undo,
            "showboard": self._showboard,
            "time_settings": self._time_settings,
            "time_left": self._time_left,
            "final_score": self._final_score,
            "list_games": lambda _: adapter.name,
            "set_game": self._set_game,
        }

    def heard(self, line: str) -> None:
        """Nothing in this protocol is urgent: a controller waits for answers."""

    def answer(self, line: str, say: Callable[[str], None]) -> bool:
        """Obey one line; whether to go on."""
        words = _CONTROL.sub("", line.partition("#")[0].replace("\t", " ")).split()
        if not words:
            return True
        number = words.pop(0) if _ID.fullmatch(words[0]) else ""
        name = words.pop(0) if words else ""
        sign = "="
        try:
            command = self._commands.get(name)
            if command is None:
                raise _RefusedError("unknown command")
            text = command(words)
        except (_RefusedError, LudusError) as error:
            sign, text = "?", " ".join(str(error).split())
        space = "" if not text or text.startswith("\n") else " "
        say(f"{sign}{number}{space}{text}\n")
        return name != "quit" or sign == "?"

    def failed(self, line: str, error: Exception, say: Callable[[str], None]) -> None:
        """A bug: the controller gets an answer all the same."""
        words = line.split()
        number = words[0] if words and _ID.fullmatch(words[0]) else ""
        say(f"?{number} internal error: {' '.join(str(error).split())}\n")

    # -- administration ------------------------------------------------------------------------

    def _known_command(self, words: list[str]) -> str:
        return "true" if _one(words) in self._commands else "false"

    def _set_game(self, words: list[str]) -> str:
        if _one(words).lower() != self._game.name.lower():
            raise _RefusedError(f"unknown game: there is only {self._game.name}")
        return self._clear_board([])

    def _boardsize(self, words: list[str]) -> str:
        if _number(_one(words)) != self._game.size:
            raise _RefusedError("unacceptable size")
        return self._clear_board([])

    def _clear_board(self, words: list[str]) -> str:
        self._session.begin()
        self._groups.clear()
        return ""

    def _komi(self, words: list[str]) -> str:
        try:
            wanted = float(_one(words))
        except ValueError:
            wanted = math.nan
        if not math.isfinite(wanted):
            raise _RefusedError("syntax error: komi is a number")
        return ""

    # -- playing -------------------------------------------------------------------------------

    def _play(self, words: list[str]) -> str:
        if len(words) != 2:
            raise _RefusedError("syntax error: play COLOUR SQUARE")
        seat, text = self._seat(words[0]), words[1]
        if self._session.over:
            if text.lower() != "pass":
                raise _RefusedError("illegal move: the game is over")
            self._groups.append(0)
            return ""
        state, before = self._to_move(seat)
        try:
            if text.isdecimal():
                raise GameError(f"{text!r} is no move")
            action = self._session.entry.parse_action(state, text)
        except GameError as error:
            raise _RefusedError(f"illegal move: {error}") from None
        self._carry_out([*before, action])
        return ""

    def _genmove(self, words: list[str], *, play: bool) -> str:
        seat = self._seat(_one(words))
        if self._session.over:
            if play:
                self._groups.append(0)
            return "PASS"
        state, before = self._to_move(seat)
        if before:  # the player is asked after the pass that was left out
            self._carry_out(before)
        try:
            action = self._choose(state)
            text = self._session.entry.action_text(state, action).upper()
        finally:
            if before:
                self._take_back()
        if play:
            self._carry_out([*before, action])
        return text

    def _choose(self, state: _core.State) -> int:
        clock = self._clocks.get(state.seat)
        seconds = None if clock is None else clock.seconds(self._game.moves_left(state))
        begun = time.monotonic()
        found = self._session.think(Limits(seconds=seconds, stop=self.stop))[0].actions[0]
        if clock is not None:
            clock.spend(time.monotonic() - begun)
        return found

    def _to_move(self, seat: int) -> tuple[_core.State, list[int]]:
        """The position in which a seat moves, and the pass before it that was left out."""
        state = self._session.state
        if state.seat == seat:
            return state, []
        if state.legal().tolist() == [self._game.passing]:
            state = state.copy()
            state.apply(self._game.passing)
            return state, [self._game.passing]
        raise _RefusedError(f"illegal move: it is {self._game.colours[state.seat]}'s turn")

    def _carry_out(self, actions: list[int]) -> None:
        for action in actions:
            self._session.play(action)
        self._groups.append(len(actions))

    def _take_back(self) -> None:
        self._session.take_back(self._groups.pop())

    def _undo(self, words: list[str]) -> str:
        if not self._groups:
            raise _RefusedError("cannot undo")
        self._take_back()
        return ""

    def _seat(self, text: str) -> int:
        for seat, colour in enumerate(self._game.colours):
            if text.lower() in (colour, colour[0]):
                return seat
        raise _RefusedError(f"syntax error: {text!r} is none of {', '.join(self._game.colours)}")

    # -- looking -------------------------------------------------------------------------------

    def _showboard(self, words: list[str]) -> str:
        drawing = self._session.entry.render(self._session.state)
        # An empty line would end the answer.
        return "\n" + "\n".join(line for line in drawing.splitlines() if line.strip())

    def _final_score(self, words: list[str]) -> str:
        if not self._session.over:
            raise _RefusedError("cannot score: the game is not over")
        scores = self._session.state.scores().tolist()
        best = max(range(len(scores)), key=scores.__getitem__)
        ahead = scores[best] - max(s for seat, s in enumerate(scores) if seat != best)
        return f"{self._game.colours[best][0].upper()}+{ahead:g}" if ahead else "0"

    # -- time ----------------------------------------------------------------------------------

    def _time_settings(self, words: list[str]) -> str:
        if len(words) != 3:
            raise _RefusedError("syntax error: time_settings MAIN BYO_YOMI STONES")
        main, byo_time, byo_stones = (_number(word) for word in words)
        self._clocks.clear()
        if main or byo_stones:  # without either, time is not limited
            for seat in range(len(self._game.colours)):
                self._clocks[seat] = _Clock(main, byo_time, byo_stones)
        return ""

    def _time_left(self, words: list[str]) -> str:
        if len(words) != 3:
            raise _RefusedError("syntax error: time_left COLOUR SECONDS STONES")
        seat, seconds, stones = self._seat(words[0]), _number(words[1]), _number(words[2])
        clock = self._clocks.setdefault(seat, _Clock(seconds, 0, 0))
        clock.left, clock.stones = float(seconds), stones
        return ""


def _one(words: list[str]) -> str:
    if len(words) != 1:
        raise _RefusedError("syntax error: one argument is wanted")
    return words[0]


def _number(text: str) -> int:
    """A number of the protocol: 0 to 2^31 - 1."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 10 or int(text) >= 2**31:
        raise _RefusedError(f"syntax error: {text!r} is no number")
    return int(text)
