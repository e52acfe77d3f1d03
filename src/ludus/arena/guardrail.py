"""The solitaire suites that a promotion must pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ludus.arena.suites import Solitaire
from ludus.errors import ConfigError


@dataclass
class Guardrail:
    """The solitaire suites that a promotion must pass.

    Attributes:
        candidate: suite of the candidate, played only when the match would promote it.
        champion: suite of the champion, unless ``champion_mean`` is known.
        champion_mean: its mean total from earlier.
    """

    candidate: Solitaire
    champion: Solitaire | None = None
    champion_mean: float | None = None

    def advance(self, seconds: float) -> bool:
        """Play on; True while games are left."""
        if self.candidate.advance(seconds):
            return True
        known = self.champion is None or self.champion_mean is not None
        return False if known or self.champion is None else self.champion.advance(seconds)

    def summary(self, delta: float) -> dict[str, Any]:
        """Both means and whether the candidate's is high enough."""
        mean = self.candidate.summary()["mean"]
        before = self.champion_mean
        if before is None and self.champion is not None:
            before = self.champion.summary()["mean"]
        if before is None:
            raise ConfigError("a guardrail needs the champion's solitaire mean or its suite")
        return {
            "delta": delta,
            "candidate_mean": mean,
            "champion_mean": before,
            "passed": mean >= before - delta,
        }

    def suites(self) -> dict[str, Solitaire]:
        """The suites by name."""
        both = {"candidate": self.candidate}
        if self.champion is not None and self.champion_mean is None:
            both["champion"] = self.champion
        return both
