"""How a gate looks at the match it plays: when it is decided, and what it would say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ludus.arena import stats
from ludus.arena.decision import GateSettings
from ludus.arena.duplicate import DuplicateMatch
from ludus.arena.match import Match

ERROR = 0.05
"""Share of gates over deals in which an equal candidate is promoted, at most."""


class PairView:
    """Seed pairs in their order, by the sequential test or all at the end.

    Attributes:
        seen: pairs looked at.
    """

    def __init__(self, settings: GateSettings, match: Match) -> None:
        self._settings = settings
        self._match = match
        self._test = settings.test()
        self._counts = [0] * 5
        self.seen = 0

    def look(self) -> str | None:
        """The reason of the decision, as soon as there is one."""
        scores = self._match.pair_scores()
        verdict = None
        if self._settings.mode == "sprt":
            verdict, self.seen, self._counts = stats.sprt_walk(
                self._test, scores.tolist(), self.seen, self._counts
            )
        else:
            self.seen = len(scores)
            self._counts = np.bincount(np.rint(scores * 4).astype(int), minlength=5).tolist()
        if verdict is not None:
            return {"H0": "sprt_h0", "H1": "sprt_h1"}[verdict]
        if self.seen < self._match.pairs:
            return None
        return "cap" if self._settings.mode == "sprt" else "threshold"

    def promotes(self, reason: str) -> bool:
        """What a decision for that reason says."""
        if reason in ("sprt_h0", "sprt_h1"):
            return reason == "sprt_h1"
        result = self._match.result(self.seen)
        if reason == "cap":
            return result.rate.rate >= self._settings.undecided
        promoted = result.rate.rate >= self._settings.threshold
        if self._settings.score_confidence is not None:
            spread = self._settings.score_confidence * result.score_difference_se
            promoted = promoted and result.score_difference - spread >= 0.0
        return promoted

    def ratio(self) -> float | None:
        """Log-likelihood ratio so far; None without a sequential test."""
        return self._test.ratio(self._counts) if self._settings.mode == "sprt" else None

    def figures(self) -> Mapping[str, Any]:
        """Win rate and ratio so far."""
        seen = sum(self._counts)
        points = sum(i * n for i, n in enumerate(self._counts))
        return {
            "win_rate": points / (4.0 * seen) if seen else None,
            "llr": self.ratio() if seen else None,
        }


class DealView:
    """Deals in their order, looked at after fixed numbers of them.

    A look promotes when the mean difference is above 0 at a ``looks``-th of 5 %, one-sided and
    normal, and the share of deals won is high enough. Before the last one it also ends a gate whose
    candidate is worse at that level; that can only make promotions rarer.

    Attributes:
        seen: deals looked at.
    """

    def __init__(self, settings: GateSettings, match: DuplicateMatch) -> None:
        self._settings = settings
        self._match = match
        looks = settings.looks
        self._marks = [-(-settings.deals * (i + 1) // looks) for i in range(looks)]
        self._z = stats.normal_quantile(1.0 - ERROR / looks, sided=1)
        self.seen = 0

    def look(self) -> str | None:
        """The reason of the decision, as soon as there is one."""
        finished = self._match.units_finished
        for mark in self._marks:
            if not self.seen < mark <= finished:
                continue
            self.seen = mark
            if mark == self._marks[-1]:
                return "deals"
            mean, spread = self._difference()
            if mean - spread > 0.0 and self._shared():
                return "deals_better"
            if mean + spread < 0.0:
                return "deals_worse"
        return None

    def promotes(self, reason: str) -> bool:
        """What a decision for that reason says."""
        if reason != "deals":
            return reason == "deals_better"
        mean, spread = self._difference()
        return mean - spread > 0.0 and self._shared()

    def ratio(self) -> float | None:
        """None: there is no ratio of likelihoods here."""
        return None

    def figures(self) -> Mapping[str, Any]:
        """Of all finished deals: share of deals won, and mean difference."""
        deals = self._match.units_finished
        if not deals:
            return {"win_rate": None, "difference": None, "llr": None}
        found = self._match.table.differences(deals)
        rate = float(0.5 + 0.5 * np.sign(found).mean())
        return {"win_rate": rate, "difference": float(found.mean()), "llr": None}

    def _difference(self) -> tuple[float, float]:
        mean, error = stats.mean_and_error(self._match.table.differences(self.seen))
        return mean, self._z * error

    def _shared(self) -> bool:
        least = self._settings.win_share
        return least is None or self._match.result(self.seen).rate.rate >= least
