"""Makes failed saves visible: one is tried again, several in a row are an error to look at."""

from __future__ import annotations

from ludus.runs import SaveHistory
from ludus.training.guards.base import GuardState, Moment

_ACTS_AT = 3
"""Periodic saves that failed in a row; the run has then not been safe for as many periods."""


class SavesGuard:
    """Saves of the run (decision 6): each is tried twice, then the run goes on and says so."""

    name = "saves"

    def __init__(self) -> None:
        self._seen = 0
        self._history = SaveHistory()
        self._told = 0

    def look(self, moment: Moment) -> None:
        """Count new failures, and say so when the third in a row has failed."""
        session = moment.session
        self._history = saves = session.run.saves
        new = saves.failures - self._seen
        if new > 0:
            self._seen = saves.failures
            session.book.add(
                "save",
                saves.last_message,
                games=session.begun_games,
                window=session.settings.guards.error_window_games,
                count=new,
                iteration=session.iteration,
            )
        if saves.in_a_row < _ACTS_AT:
            self._told = 0
        elif saves.in_a_row > self._told:
            self._told = saves.in_a_row
            text = (
                f"{saves.in_a_row} saves in a row have failed, the last commit is "
                f"{session.run.manifest.sequence}: {saves.last_message}"
            )
            session.run.events.append_if_possible(
                "guard_warned", guard=self.name, message=text, severity="error"
            )
            session.note(text)

    def resumed(self, moment: Moment) -> None:
        """It never holds the run."""

    def state(self) -> GuardState:
        """By the saves of this process."""
        saves = self._history
        if saves.in_a_row >= _ACTS_AT:
            text = f"{saves.in_a_row} saves in a row have failed: {saves.last_message}"
            return GuardState(self.name, "acting", text, saves.failures)
        if saves.in_a_row:
            return GuardState(
                self.name, "warning", f"the last save failed: {saves.last_message}", saves.failures
            )
        if saves.failures:
            text = f"the last save worked, {saves.failures} attempts before it failed"
            return GuardState(self.name, "ok", text, saves.failures)
        return GuardState(self.name, "ok", "every save worked")
