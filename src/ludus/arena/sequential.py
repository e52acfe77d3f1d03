"""Sequential tests of a match: hypotheses in words, and the verdict as a sentence.

The test itself is :class:`ludus.arena.stats.Sprt`: the generalised sequential probability ratio
test over the five outcomes of a seed pair (Van den Bergh 2015), as fishtest runs it. Here are the
two ways to say what is tested: Elo points (logistic: a mean score of ``1 / (1 + 10^(-elo/400))``)
or win rates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ludus.arena.decision import GateDecision, GateSettings
from ludus.arena.ratings import elo_difference, expected_score
from ludus.arena.results import MatchResult
from ludus.arena.stats import Sprt
from ludus.errors import UserError

CAP = 20_000
"""Pairs after which a test is given up, where nothing else is said."""

TERMS = ("elo0", "elo1", "rate0", "rate1", "alpha", "beta")
"""Names of what a test is made of."""

Verdict = Literal["H0", "H1", "undecided"]


@dataclass(frozen=True)
class Hypotheses:
    """What a match is to decide between.

    Attributes:
        null, alternative: mean scores of player A under H0 and H1, 0 < null < alternative < 1.
        alpha: probability of the verdict H1 where H0 is true.
        beta: probability of the verdict H0 where H1 is true.
    """

    null: float
    alternative: float
    alpha: float = 0.05
    beta: float = 0.05

    @classmethod
    def parse(cls, terms: Sequence[str]) -> Hypotheses:
        """Read ``elo0=0 elo1=10 alpha=0.05 beta=0.05``, words or parts with commas between.

        ``rate0`` and ``rate1`` give win rates (0.5, or 50%) in place of Elo points.

        Raises:
            UserError: an unknown, missing or repeated term, or a value out of range.
        """
        given: dict[str, float] = {}
        for term in (part.strip() for text in terms for part in text.split(",")):
            if not term:
                continue
            name, equals, text = (part.strip() for part in term.partition("="))
            if not equals or name not in TERMS:
                raise UserError(
                    f"--sprt: {term!r} must have the form name=value with one of {', '.join(TERMS)}"
                )
            if name in given:
                raise UserError(f"--sprt: {name} is given twice")
            given[name] = _number(name, text)
        bounds = []
        for number in ("0", "1"):
            names = [name for name in (f"elo{number}", f"rate{number}") if name in given]
            if len(names) != 1:
                raise UserError(
                    f"--sprt needs elo{number} or rate{number}, one of them: "
                    "elo0=0 elo1=10, or rate0=0.495 rate1=0.515"
                )
            value = given[names[0]]
            bounds.append(expected_score(value) if names[0].startswith("elo") else value)
        found = cls(bounds[0], bounds[1], given.get("alpha", 0.05), given.get("beta", 0.05))
        try:
            found.test()
        except ValueError as error:
            raise UserError(f"--sprt: {error}") from error
        return found

    def test(self) -> Sprt:
        """The test. Raises ValueError for numbers out of range."""
        return Sprt(self.null, self.alternative, self.alpha, self.beta)

    def gate(self, cap: int) -> GateSettings:
        """Settings of the match that stops when the test decides."""
        return GateSettings(
            pairs=cap,
            null=self.null,
            alternative=self.alternative,
            alpha=self.alpha,
            beta=self.beta,
        )

    def outcome(self, decision: GateDecision) -> dict[str, Any]:
        """Verdict, ratio, hypotheses and the sentence, for a report."""
        verdicts: Mapping[str, Verdict] = {"sprt_h0": "H0", "sprt_h1": "H1"}
        verdict: Verdict = verdicts.get(decision.reason, "undecided")
        assert decision.ratio is not None
        assert isinstance(decision.result, MatchResult)
        low, high = self.test().bounds
        return {
            "verdict": verdict,
            "sentence": self.sentence(verdict, decision.result.pairs, decision.ratio),
            "llr": decision.ratio,
            "bounds": [low, high],
            "null": self.null,
            "alternative": self.alternative,
            "elo0": elo_difference(self.null),
            "elo1": elo_difference(self.alternative),
            "alpha": self.alpha,
            "beta": self.beta,
            "cap": decision.settings.pairs,
        }

    def sentence(self, verdict: Verdict, pairs: int, ratio: float) -> str:
        """The verdict for people, with what it does not say."""
        low, high = self.test().bounds
        h0, h1 = _hypothesis(self.null), _hypothesis(self.alternative)
        if verdict == "undecided":
            return (
                f"undecided after {pairs} pairs, the most that were allowed: the log-likelihood "
                f"ratio {ratio:+.2f} lies between {low:.2f} (H0: {h0}) and {high:+.2f} (H1: {h1})"
            )
        chosen, other = (h1, h0) if verdict == "H1" else (h0, h1)
        error = self.alpha if verdict == "H1" else self.beta
        return (
            f"{verdict} accepted after {pairs} pairs (log-likelihood ratio {ratio:+.2f}): {chosen} "
            f"rather than {other}; if the latter were true, this verdict would come in at most "
            f"{error:.3g} of such tests. The win rate at the stop leans towards the verdict"
        )


def _hypothesis(rate: float) -> str:
    elo = elo_difference(rate)
    shown = 0.0 if math.isclose(elo, 0.0, abs_tol=0.05) else elo  # no minus before a zero
    return f"a win rate of {rate:.2%} ({shown:+.1f} Elo)"


def _number(name: str, text: str) -> float:
    percent = text.endswith("%") and name.startswith("rate")
    try:
        value = float(text.removesuffix("%") if percent else text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"--sprt: {name}={text} must be a number")
    return value / 100.0 if percent else value
