"""Shows what numbers went wrong, and keeps commits from being called good while one looks wrong.

A number that is not finite or out of range is caught in the unit where it appears, and
:mod:`ludus.training.returning` brings the run back; here is only what is seen of it.
"""

from __future__ import annotations

from ludus.training.book import ErrorBook
from ludus.training.guards.base import GuardState, Moment

_SECONDS = 1.0

_SPIKE = 3.0
"""Loss over its usual size at which the numbers are suspicious: a commit then is not good."""

_OWN = "loss"
"""How a suspicion of this guard begins; those of others are theirs to take back."""


class NumbersGuard:
    """NaN, infinities and values out of range (decision 13)."""

    name = "numbers"

    def __init__(self) -> None:
        self._looked = 0.0
        self._count = 0
        self._text = ""
        self._book = ErrorBook()

    def look(self, moment: Moment) -> None:
        """Look whether the loss is far above what it was."""
        session = moment.session
        self._book = session.book
        self._count = session.book.totals.get("numbers", 0)
        last = session.book.examples.get("numbers", {}).get("last")
        self._text = "" if last is None else str(last["text"])
        if moment.now - self._looked < _SECONDS:
            return
        self._looked = moment.now
        ratio = moment.figures().get("loss_ratio")
        if ratio is not None and ratio > _SPIKE:
            session.suspicion = f"{_OWN} {ratio:.1f} times what it was"
        elif session.suspicion is not None and session.suspicion.startswith(_OWN):
            session.suspicion = None
        if session.suspicion is not None:
            self._text = f"commits are not marked good: {session.suspicion}"

    def resumed(self, moment: Moment) -> None:
        """The next number that goes wrong is the first again."""
        moment.session.book.marks.pop(self.name, None)

    def state(self) -> GuardState:
        """What went wrong last."""
        if self._book.held == self.name:
            last = self._book.examples[self.name]["last"]["text"]
            return GuardState(self.name, "acting", last, self._book.totals[self.name])
        if self._text:
            return GuardState(self.name, "warning", self._text, self._count)
        return GuardState(self.name, "ok", "all numbers finite and in range", self._count)
