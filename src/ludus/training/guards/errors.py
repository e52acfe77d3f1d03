"""The error budget: past a share of games with an error the run is held, with a report."""

from __future__ import annotations

import json
from typing import Any, Protocol, runtime_checkable

from ludus.errors import GameError
from ludus.runs import DurabilityError, SaveError, replace_file
from ludus.training.book import RATED
from ludus.training.checkpointing import save_checkpoint
from ludus.training.guards.base import GuardState, Hold, Moment
from ludus.training.phases import Leave
from ludus.training.session import Session, now_ms

_LEAST_ERRORS = 3
"""One error, or two, may come to any run."""


@runtime_checkable
class LosesGames(Protocol):
    """A phase in which games may be ended by their own rules."""

    def lost_games(self) -> tuple[list[tuple[int, str]], int]:
        """Number and reason of the games lost last, and how many more since the last call."""
        ...


class ErrorsGuard:
    """Counts errors of every kind in the run's book, and holds the run when there are too many.

    A game in Python whose rules raise cannot be mended in a process that has loaded it: there the
    pause ends the process, and where no game was ever finished it is the user's error at once.
    """

    name = "errors"

    def __init__(self) -> None:
        self._state = GuardState(self.name, "ok", "no errors")

    def look(self, moment: Moment) -> None:
        """Count what the phase has lost, and compare with the budget.

        Raises:
            Hold: too many errors.
            Leave: too many, and they are those of a game's own rules.
            GameError: not one game could be finished.
        """
        session = moment.session
        if isinstance(moment.phase, LosesGames):
            self._count(session, *moment.phase.lost_games())
        settings, games = session.settings.guards, session.begun_games
        window = settings.error_window_games
        errors = session.book.count(RATED, games=games, window=window)
        rate = session.book.rate(games=games, window=window)
        self._state = _state(session, games, window)
        if errors < _LEAST_ERRORS or rate <= settings.error_rate:
            return
        total = session.book.games_in(games=games, window=window)
        text = f"{errors} errors in {total} games, more than {settings.error_rate:.2%}"
        lost = session.book.count(("game",), games=games, window=window)
        broken = session.rules.interpreted and lost * 2 > errors
        last = session.book.examples.get("game", {}).get("last", {}).get("text", "").rstrip(".")
        most = 2 * lost > session.settings.selfplay.games_in(session.iteration)
        if broken and most and not session.run.counters["selfplay_games"]:
            text = f"self-play: the rules of {session.entry.name} ended every game: {last}"
            moment.reporter.status("error", None, error=text)
            raise GameError(f"{text}; mend {session.entry.source} and start it again")
        path = self._report(session, text, rate)
        self._checkpoint(session)
        self._state = GuardState(self.name, "acting", text, errors)
        if broken:
            session.book.held = self.name
            text = f"the rules of {session.entry.name} ended games: {text}; {last}"
            session.run.events.append_if_possible("guard_paused", guard=self.name, reason=text)
            raise Leave("paused", f"{text}; see {path}; mend {session.entry.source}")
        raise Hold(self.name, f"{text}; see {path}, then: ludus resume --run {session.run.path}")

    def _count(self, session: Session, lost: list[tuple[int, str]], more: int) -> None:
        """Put games that were lost into the book, each once, and tell."""
        window = session.settings.guards.error_window_games
        if more:
            text = f"{more} games that are not named"
            session.book.add("game", text, games=session.begun_games, window=window, count=more)
        texts = dict(lost)
        for game in session.book.new_games(texts):
            text = texts[game]
            session.book.add(
                "game",
                text,
                games=session.begun_games,
                window=window,
                game=game,
                iteration=session.iteration,
            )
            session.run.events.append_if_possible(
                "games_failed", failed=session.book.totals["game"], game=game, error=text
            )

    def _report(self, session: Session, text: str, rate: float) -> str:
        """The pattern of the errors as event and file; returns where the file is."""
        book, games = session.book, session.begun_games
        window = session.settings.guards.error_window_games
        book.reports += 1
        path = session.run.path / "reports" / f"errors_{book.reports}.json"
        report: dict[str, Any] = {
            "message": text,
            "rate": rate,
            "limit": session.settings.guards.error_rate,
            "window_games": window,
            "games": book.games_in(games=games, window=window),
            "counts": book.counts(games=games, window=window),
            "totals": dict(book.totals),
            "examples": book.examples,
            "iteration": session.iteration,
            "phase": session.phase,
        }
        about = {"run_id": session.run.id, "written_ms": now_ms()}
        data = (json.dumps({**about, **report}, indent=1) + "\n").encode()
        session.run.events.append_if_possible("error_report", path=path.name, **report)
        try:
            replace_file(path, data, durable=False)
        except DurabilityError:
            raise
        except SaveError as error:
            session.note(f"no error report: {error}")
        return str(path)

    def _checkpoint(self, session: Session) -> None:
        """A checkpoint for the user; a failure to write it changes nothing about the pause."""
        try:
            save_checkpoint(session, permanent=False)
        except DurabilityError:
            raise
        except SaveError as error:
            session.note(f"no checkpoint: {error}")

    def resumed(self, moment: Moment) -> None:
        """The window begins now."""
        moment.session.book.begin_anew(moment.session.begun_games)

    def state(self) -> GuardState:
        """Errors in the window, by kind."""
        return self._state


def _state(session: Session, games: int, window: int) -> GuardState:
    counts = session.book.counts(games=games, window=window)
    total = sum(session.book.totals.values())
    if not counts:
        return GuardState("errors", "ok", f"no errors in the last {window} games", total)
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    rate = session.book.rate(games=games, window=window)
    text = f"in the last {window} games: {kinds} ({rate:.2%} of games)"
    return GuardState("errors", "warning", text, total)
