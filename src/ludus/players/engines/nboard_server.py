"""Ludus as an engine of the NBoard protocol, versions 1 and 2.

A line that is not understood is passed over, as the protocol wants; what was wrong with one that is
goes to the status line of the interface. ``ping`` ends the thinking that is going on.

Protocol: C. Welty, "NBoard Protocol", https://github.com/weltyc/ntest, instructions/Protocol.htm.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from ludus.errors import GameError, LudusError
from ludus.games.analysis import Limits, Line
from ludus.games.protocols import NBoardGame
from ludus.players.engines.session import Session

Say = Callable[[str], None]

_LARGEST = 2**31 - 1
_LAG = 0.05
"""Seconds of each move that are left to pipes and interfaces."""


class NBoardServer:
    """Answers commands.

    Args:
        session: the game and its player.
        adapter: what the protocol must know of the game.
    """

    def __init__(self, session: Session, adapter: NBoardGame) -> None:
        self.stop = threading.Event()
        self._session, self._game = session, adapter
        self._pings = 0  # heard and not yet answered
        self._lock = threading.Lock()
        self._depth: int | None = None
        self._clocks: list[float] | None = None
        self._wrong = ""  # why there is no position to think about
        self._commands: dict[str, Callable[[str, Say], None]] = {
            "nboard": self._nboard,
            "set": self._set,
            "move": self._move,
            "hint": self._hint,
            "go": self._go,
            "ping": self._ping,
            "learn": lambda _, say: say("learned"),
            "analyze": self._analyze,
        }

    def heard(self, line: str) -> None:
        """By the thread that reads, at once: a ping or the end stops the thinking."""
        match line.split(maxsplit=1)[:1]:
            case ["ping"]:
                with self._lock:
                    self._pings += 1
                    self.stop.set()
            case ["quit"]:
                self.stop.set()

    def answer(self, line: str, say: Say) -> bool:
        """Obey one line; whether to go on."""
        word, rest = (*line.split(maxsplit=1), "", "")[:2]
        if word == "quit":
            return False
        command = self._commands.get(word)
        try:
            if command is not None:
                command(rest.strip(), say)
            elif self._is_move(word):  # version 1 sends moves without a word before them
                self._move(line.strip(), say)
        except LudusError as error:
            say(f"status {' '.join(str(error).split())}")
        return True

    def failed(self, line: str, error: Exception, say: Say) -> None:
        """A bug: the interface is told on its status line."""
        say(f"status internal error: {' '.join(str(error).split())}")

    # -- the game ------------------------------------------------------------------------------

    def _nboard(self, rest: str, say: Say) -> None:
        _positive("nboard", rest)
        say(f"set myname {self._session.name}")

    def _set(self, rest: str, say: Say) -> None:
        what, value = (*rest.split(maxsplit=1), "", "")[:2]
        if what == "depth":
            self._depth = _positive("set depth", value)
            say(f"set myname {self._session.name}@{self._depth}")
        elif what == "game":
            self._set_game(value)

    def _set_game(self, text: str) -> None:
        self._wrong = "the interface has sent no game that can be read"
        record = self._game.read(text)
        self._session.begin(record.start, record.actions)
        self._clocks = None if record.clocks is None else list(record.clocks)
        self._wrong = ""

    def _is_move(self, word: str) -> bool:
        text = word.partition("/")[0]
        return len(text) == 2 and (text[1].isdecimal() or text.lower() == "pa")

    def _move(self, text: str, say: Say) -> None:
        self._require_game()
        session = self._session
        word, *rest = text.split("/")
        if session.over:
            raise GameError("the game is over; there is nothing to play")
        if word.strip().isdecimal():
            raise GameError(f"{word.strip()!r} is no move")
        seat = session.state.seat
        try:
            session.play(session.entry.parse_action(session.state, word))
        except GameError as error:
            self._wrong = f"a move was illegal: {error}"
            raise
        if self._clocks is not None and len(rest) > 1:
            self._clocks[seat] -= _seconds(rest[1])

    def _require_game(self) -> None:
        if self._wrong:
            raise GameError(self._wrong)

    # -- thinking ------------------------------------------------------------------------------

    def _go(self, rest: str, say: Say) -> None:
        self._require_decision()
        state = self._session.state
        seconds = None
        if self._clocks is not None:
            spare = self._clocks[state.seat] / (self._game.moves_left(state) + 1)
            seconds = max(0.01, 0.95 * spare - _LAG)
        say("status Thinking")
        begun = time.monotonic()
        line = self._think(seconds, 1, say)[0]
        spent = time.monotonic() - begun
        value = "" if line.value is None else f"{line.value:.2f}"
        say(f"=== {self._game.word(line.actions[0])}/{value}/{spent:.2f}")
        say("status")

    def _hint(self, rest: str, say: Say) -> None:
        wanted = _positive("hint", rest)
        self._require_decision()
        say("status Analyzing")
        for line in self._think(None, wanted, say):
            say(self._search_line(line))
        say("status")

    def _analyze(self, rest: str, say: Say) -> None:
        """From the end to the start, as far as the player judges."""
        self._require_game()
        session = self._session
        here, actions = session.state, list(session.actions)
        if session.over:
            scores = here.scores().tolist()
            margin = scores[here.seat] - scores[1 - here.seat]
            say(f"analysis {len(actions)} {margin:.2f}")
        say("status Analyzing")
        start = session.start
        try:
            for count in range(len(actions) - session.over, -1, -1):
                if self.stop.is_set():
                    break
                session.begin(start, actions[:count])
                line = self._think(None, 1, lambda _: None)[0]
                if line.value is None:
                    raise GameError(f"{session.player.name} does not judge positions")
                say(f"analysis {count} {line.value:.2f}")
        finally:
            session.begin(start, actions)
        say("status")

    def _require_decision(self) -> None:
        self._require_game()
        if self._session.over:
            raise GameError("the game is over; there is nothing to decide")

    def _think(self, seconds: float | None, lines: int, say: Say) -> Sequence[Line]:
        limits = Limits(depth=self._depth, seconds=seconds, stop=self.stop)
        begun = time.monotonic()

        def tell(interim: Sequence[Line]) -> None:
            for line in interim:
                say(self._search_line(line))

        found = self._session.think(limits, lines, tell)
        if nodes := max(line.nodes for line in found):
            say(f"nodestats {nodes} {time.monotonic() - begun:.2f}")
        return found

    def _search_line(self, line: Line) -> str:
        """A line of play; the protocol has no way to say that a position was not judged."""
        words = "-".join(self._game.word(action) for action in line.actions)
        depth = "100%" if line.exact else str(line.depth)
        return f"search {words} {line.value or 0.0:.2f} 0 {depth}"

    def _ping(self, rest: str, say: Say) -> None:
        with self._lock:
            self._pings = max(0, self._pings - 1)
            if not self._pings:
                self.stop.clear()
        say(f"pong {_positive('ping', rest, least=0)}")


def _positive(command: str, text: str, least: int = 1) -> int:
    """The integer that a command wants."""
    word = text.strip()
    if not (word.isascii() and word.isdecimal() and len(word) <= 10):
        raise GameError(f"{command} wants a number, not {word[:40]!r}")
    number = int(word)
    if not least <= number <= _LARGEST:
        raise GameError(f"{command} wants a number in {least}..{_LARGEST}, not {number}")
    return number


def _seconds(text: str) -> float:
    """Seconds of a move; nothing, or no number, is 0."""
    try:
        found = float(text)
    except ValueError:
        return 0.0
    return found if 0.0 < found < 1e9 else 0.0
