"""What becomes of an error in a unit: the run goes back to a commit and on, or the error ends it.

To go back is to do in this process what a restart does: the session is that of the commit, logs
are cut back to it, and what was played and learned since is done again from the same keys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from ludus.errors import NumericsError, UserError
from ludus.logs import get_logger
from ludus.players import failure_of
from ludus.runs import Manifest, SaveError, disk_is_full, newest_good
from ludus.training.changing import Wishes
from ludus.training.guards.base import Hold, RestartError, ReturnToGood
from ludus.training.session import Session

_LOG = get_logger("training")

_TRIES = 3
"""The same error so often in a row, with no commit of progress between, ends the process."""

_FATAL = (UserError, SaveError, MemoryError, RestartError)
"""What going back would not help: the user's to mend, the disk's, the machine's."""


@dataclass(frozen=True)
class Outcome:
    """What the loop does after the session has gone back, when it has committed.

    Attributes:
        hold: to be kept before the run goes on.
        error: that ends the process all the same.
    """

    hold: Hold | None = None
    error: Exception | None = None


class Returns:
    """Judges errors that left a unit, by kind, and brings the session back to a commit.

    Nothing of the state in which the error was raised is ever committed.
    """

    def __init__(self, session: Session, alive: Callable[[], None]) -> None:
        """Prepare.

        Args:
            session: of the run.
            alive: called now and then, for heartbeats.
        """
        self._session = session
        self._alive = alive
        self._last, self._tries = "", 0

    def progressed(self) -> None:
        """A commit with progress was made: errors from now on are no longer in a row."""
        self._tries = 0

    def after(self, error: Exception, phase: str) -> Outcome:
        """Go back to a commit because of an error that left a unit.

        The caller commits then: the book of errors is durable only with that.

        Args:
            error: what was raised.
            phase: in which it was raised.

        Raises:
            Exception: the error itself, where going back does not help.
        """
        if isinstance(error, ReturnToGood):
            return self._to_good(error.guard, error.reason)
        if isinstance(error, NumericsError):
            return self._diverged(error, phase)
        if isinstance(error, SaveError) and disk_is_full(error):
            self._back(self._session.run.manifest, str(error))
            return Outcome()
        if isinstance(error, _FATAL):
            raise error
        return self._failed(error, phase)

    # -- numbers ------------------------------------------------------------------------------

    def _diverged(self, error: NumericsError, phase: str) -> Outcome:
        session = self._session
        games = session.begun_games
        where: dict[str, Any] = {"phase": phase, "iteration": session.iteration}
        session.run.events.append_if_possible(
            "divergence",
            place=error.place,
            what=error.what,
            value=None if error.value is None else str(error.value),
            message=str(error),
            games=games,
            **{**where, **error.where},
        )
        _LOG.warning(f"divergence in {error.place}: {error}", event="divergence")
        window = session.settings.guards.error_window_games
        session.book.add("numbers", str(error), games=games, window=window, **where)
        return self._to_good("numbers", str(error))

    def _to_good(self, guard: str, reason: str) -> Outcome:
        """Back to the last good commit; the second time in a window the run is held there."""
        session = self._session
        run = session.run
        window = session.settings.guards.error_window_games
        times = session.book.mark("numbers", games=session.begun_games, window=window)
        before = run.manifest.sequence
        good = run.manifest if run.manifest.good else newest_good(run.path, run.store)
        self._back(good, reason)
        run.events.append_if_possible(
            "returned_to_good",
            guard=guard,
            reason=reason,
            from_sequence=before,
            to_sequence=good.sequence,
        )
        session.suspicion = None
        session.note(f"{reason}; back to commit {good.sequence}, whose numbers were good")
        if times < 2:
            return Outcome()
        text = f"back at the last good commit for the second time within {window} games: {reason}"
        return Outcome(hold=Hold("numbers", text))

    # -- exceptions ---------------------------------------------------------------------------

    def _failed(self, error: Exception, phase: str) -> Outcome:
        """An exception in a lane, an evaluator or a step: once more from the last commit."""
        session = self._session
        text = f"{type(error).__name__}: {error}"
        mark = f"{phase}: {text}"
        self._tries = self._tries + 1 if mark == self._last else 1
        self._last = mark
        failure = failure_of(error)
        where: dict[str, Any] = {"phase": phase, "iteration": session.iteration}
        if failure is not None:
            where |= asdict(failure)
            where["games"] = list(failure.games)
        kind = "search" if failure is not None and failure.stage == "search" else "worker"
        _LOG.error(f"{phase} failed ({where})", event="worker_failed", exception=error)
        session.run.events.append_if_possible(
            "worker_failed", kind=kind, error=text, tries=self._tries, **where
        )
        session.book.add(
            kind,
            text,
            games=session.begun_games,
            window=session.settings.guards.error_window_games,
            **{"of_games" if name == "games" else name: where[name] for name in where},
        )
        self._back(session.run.manifest, text)
        session.run.events.append_if_possible(
            "phase_rebuilt",
            phase=session.phase,
            reason=text,
            sequence=session.run.manifest.sequence,
        )
        if self._tries >= _TRIES:
            return Outcome(error=error)
        session.note(f"{text}; once more from commit {session.run.manifest.sequence}")
        return Outcome()

    # -- the way back -------------------------------------------------------------------------

    def _back(self, to: Manifest, reason: str) -> None:
        """The session as it was at a commit. What the user changed since stays changed."""
        session = self._session
        wishes = Wishes.of(session)
        self._alive()
        session.run.rewind(to, reason)
        session.restore(self._alive)
        wishes.keep(session)
        self._alive()
