"""The book of a run's errors: counted by kind over a window of games, kept through every restart.

It is part of each commit (``progress["guards"]``), so a window goes on where it was. What the
guards have done is in it too: a return to a good commit that comes twice in a window is no
accident.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

KINDS = ("game", "search", "worker", "numbers", "save", "callback")
"""Games that their rules ended; searches, and evaluators or players, that raised; numbers that
were not finite or out of range; saves that failed; callbacks that raised."""

RATED = ("game", "search", "worker")
"""Kinds that count for the rate. Numbers have a guard of their own; a failed save is tried again
and a callback is nothing but a guest: they are counted and told, and the run goes on."""

LEAST_GAMES = 100
"""A rate is of at least so many games: one error in the first ten games is no rate of 10 %."""

_SPANS = 100
"""Parts of a window, the grain in which errors leave it."""

_LOST = 500
"""Numbers of lost games that are remembered, so that none is counted twice."""


class ErrorBook:
    """Counts of errors over a sliding window of games, with examples.

    Games are counted as they were begun: those of self-play that are finished and those that were
    lost.

    Attributes:
        totals: by kind, since the run's birth.
        begun: games when the window began: 0, or those of the last resume after a pause.
        held: guard that holds the run until somebody resumes it; None if none does. To start the
            run again is to resume it.
        examples: by kind, the ``first`` and ``last`` error of the window.
        marks: by guard, the games at which it acted.
        reports: number of reports written.
        base: what a guard counts from, by its name; JSON.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self.totals: dict[str, int] = {}
        self.begun = 0
        self.held: str | None = None
        self.examples: dict[str, dict[str, Any]] = {}
        self.marks: dict[str, list[int]] = {}
        self.reports = 0
        self.base: dict[str, Any] = {}
        self._spans: dict[str, list[list[int]]] = {}
        self._lost: list[int] = []

    # -- counting -----------------------------------------------------------------------------

    def add(
        self, kind: str, text: str, *, games: int, window: int, count: int = 1, **where: Any
    ) -> None:
        """Count errors.

        Args:
            kind: of :data:`KINDS`.
            text: one sentence, kept as example.
            games: begun so far.
            window: games of a window.
            count: how many.
            where: names the place, for people: game, phase, iteration, ...
        """
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is no kind of error: {', '.join(KINDS)}")
        self.totals[kind] = self.totals.get(kind, 0) + count
        spans = self._spans.setdefault(kind, [])
        width = max(1, window // _SPANS)
        start = games - games % width
        if spans and spans[-1][0] >= start:
            spans[-1][1] += count
        else:
            spans.append([start, count])
        del spans[:-_SPANS]
        example = {"text": text[:500], "at_games": games, **where}
        self.examples.setdefault(kind, {"first": example})["last"] = example

    def new_games(self, games: Iterable[int]) -> list[int]:
        """Of these lost games, those that were not counted yet; they are from now on.

        A game whose rules end it is begun again when the run is resumed, and ends again.
        """
        fresh = [game for game in dict.fromkeys(games) if game not in self._lost]
        self._lost = (self._lost + fresh)[-_LOST:]
        return fresh

    def count(self, kinds: Iterable[str], *, games: int, window: int) -> int:
        """Errors of these kinds in the window that ends now."""
        return sum(
            count
            for kind in kinds
            for start, count in self._spans.get(kind, ())
            if start > games - window
        )

    def counts(self, *, games: int, window: int) -> dict[str, int]:
        """Errors in the window by kind; kinds without any are left out."""
        found = {kind: self.count((kind,), games=games, window=window) for kind in KINDS}
        return {kind: count for kind, count in found.items() if count}

    def games_in(self, *, games: int, window: int) -> int:
        """Games of the window so far."""
        return max(0, min(window, games - self.begun))

    def rate(self, *, games: int, window: int) -> float:
        """Share of the window's games with an error of a kind that counts for it."""
        errors = self.count(RATED, games=games, window=window)
        return errors / max(LEAST_GAMES, self.games_in(games=games, window=window))

    def begin_anew(self, games: int) -> None:
        """The window begins now; totals stay."""
        self.begun = games
        self._spans.clear()
        self.examples.clear()

    # -- what guards have done ----------------------------------------------------------------

    def mark(self, guard: str, *, games: int, window: int) -> int:
        """Note that a guard acts; returns how often it did in the window, this time included."""
        recent = [at for at in self.marks.get(guard, ()) if at > games - window]
        self.marks[guard] = [*recent, games][-16:]
        return len(recent) + 1

    # -- JSON ---------------------------------------------------------------------------------

    def as_json(self) -> dict[str, Any]:
        """For a commit: a few KB at most."""
        return {
            "totals": dict(self.totals),
            "begun": self.begun,
            "held": self.held,
            "examples": self.examples,
            "marks": self.marks,
            "reports": self.reports,
            "base": self.base,
            "spans": self._spans,
            "lost": self._lost,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any] | None) -> ErrorBook:
        """The inverse of :meth:`as_json`; empty for a run that had none yet."""
        book = cls()
        if not document:
            return book
        book.totals = {str(kind): int(count) for kind, count in document["totals"].items()}
        book.begun = int(document["begun"])
        book.held = document["held"]
        book.examples = {kind: dict(pair) for kind, pair in document["examples"].items()}
        book.marks = {name: list(games) for name, games in document["marks"].items()}
        book.reports = int(document["reports"])
        book.base = dict(document["base"])
        book._spans = {kind: [list(s) for s in spans] for kind, spans in document["spans"].items()}
        book._lost = list(document["lost"])
        return book
