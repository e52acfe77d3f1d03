"""The gate: does the candidate become champion?

By default a sequential test for non-regression over seed pairs: H0 "49.5 %" against H1 "51.5 %",
5 % error each way, at most 1,000 pairs, and an undecided candidate is promoted at 50 % or more. A
fixed threshold of 55 % would stop all learning near the optimum of a game of luck.

The test walks over pairs by number, and pair ``i`` is looked at only when all before it are
finished. So the decision, and the pairs in its report, are the same for any number of lanes and any
interruptions; games that were still being played when it fell are thrown away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ludus import _core
from ludus.arena.match import Match, MatchSettings
from ludus.arena.results import GameFigures, MatchResult
from ludus.arena.seeds import SeedSet
from ludus.arena.stats import Sprt, sprt_walk
from ludus.arena.suites import Solitaire
from ludus.errors import ConfigError
from ludus.players import Player

SCHEMA = "ludus_gate_report_v1"
"""Identifier of the format of ``gate_report.json``."""


@dataclass(frozen=True)
class GateSettings:
    """How a candidate is judged.

    Attributes:
        mode: ``sprt``, or ``threshold``: all pairs are played and a win rate of at least
            ``threshold`` promotes.
        pairs: cap of the sequential test, number of pairs of the other.
        null, alternative, alpha, beta, least: of the sequential test, see
            :class:`ludus.arena.stats.Sprt`.
        undecided: win rate at which a test that reached its cap promotes.
        threshold: win rate at which the mode ``threshold`` promotes.
        score_confidence: with mode ``threshold``, also ask that the mean score difference less
            this many standard errors is not below 0; None asks nothing.
        guardrail_delta: a promotion is refused if the candidate's solitaire mean is lower than the
            champion's by more than this; None plays no solitaire games.
    """

    mode: Literal["sprt", "threshold"] = "sprt"
    pairs: int = 1000
    null: float = 0.495
    alternative: float = 0.515
    alpha: float = 0.05
    beta: float = 0.05
    least: int = 32
    undecided: float = 0.5
    threshold: float = 0.55
    score_confidence: float | None = None
    guardrail_delta: float | None = None

    def __post_init__(self) -> None:
        if self.mode not in ("sprt", "threshold"):
            raise ConfigError(f"gate mode {self.mode!r} must be 'sprt' or 'threshold'")
        if self.pairs < 1:
            raise ConfigError(f"gate pairs = {self.pairs} must be at least 1")
        if not (0.0 <= self.undecided <= 1.0 and 0.0 <= self.threshold <= 1.0):
            raise ConfigError("gate win rates must lie between 0 and 1")
        try:
            self.test()
        except ValueError as error:
            raise ConfigError(f"gate: {error}") from error

    def test(self) -> Sprt:
        """The sequential test."""
        return Sprt(self.null, self.alternative, self.alpha, self.beta, self.least)


@dataclass(frozen=True)
class GateDecision:
    """The end of a gate.

    Attributes:
        promoted: whether the candidate becomes champion.
        reason: one of ``sprt_h1``, ``sprt_h0``, ``cap``, ``threshold``, ``guardrail``.
        result: the pairs that the decision rests on, the candidate being player A.
        ratio: log-likelihood ratio at the end; None without a sequential test.
        guardrail: solitaire summaries of both sides and the delta; None without a guardrail.
        settings: of the gate.
    """

    promoted: bool
    reason: str
    result: MatchResult
    ratio: float | None
    guardrail: Mapping[str, Any] | None
    settings: GateSettings

    def summary(self) -> dict[str, Any]:
        """All numbers of the decision for the event ``gate_summary``; no list by pair."""
        test = self.settings.test()
        report = {
            "promoted": self.promoted,
            "reason": self.reason,
            **self.result.as_json(),
            "mode": self.settings.mode,
            "settings": asdict(self.settings),
        }
        if self.ratio is not None:
            report["sprt"] = {"llr": self.ratio, "bounds": list(test.bounds)}
        if self.guardrail is not None:
            report["guardrail"] = dict(self.guardrail)
        return report

    def report(
        self, *, oracle: Mapping[str, Any] | None = None, per_seed: bool = True
    ) -> dict[str, Any]:
        """The content of ``gate_report.json``.

        Args:
            oracle: summary of the candidate's agreement with an oracle, if it was measured (see
                :func:`ludus.arena.suites.match_rates`).
            per_seed: whether to list the result of each pair, in the order of the seeds.
        """
        report = {
            "schema": SCHEMA,
            **self.summary(),
            "gating": {"seeds_id": self.result.seeds_id, "seeds_hash": self.result.seeds_hash},
            "oracle": dict(oracle) if oracle is not None else None,
        }
        if per_seed:
            report["per_seed"] = self.result.as_json(per_pair=True)["per_seed"]
        return report


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


class Gate:
    """Candidate against champion until the decision falls, in slices.

    Args:
        game: the rules.
        candidate, champion: the players, with evaluation settings (see
            :func:`ludus.players.evaluation_settings`).
        seeds: at least ``settings.pairs`` seeds; the first so many are used.
        settings: how to judge.
        match: how to play.
        figures: further figures of each game, about the candidate.
        guardrail: the suites for ``settings.guardrail_delta``.

    Raises:
        UserError: too few seeds.
        ConfigError: a guardrail delta without suites, or the reverse.
    """

    def __init__(
        self,
        game: _core.Game,
        candidate: Player,
        champion: Player,
        seeds: SeedSet,
        settings: GateSettings | None = None,
        match: MatchSettings | None = None,
        *,
        figures: GameFigures | None = None,
        guardrail: Guardrail | None = None,
    ) -> None:
        self.settings = settings or GateSettings()
        if (guardrail is None) != (self.settings.guardrail_delta is None):
            raise ConfigError("a gate's guardrail_delta and its solitaire suites come together")
        how = match or MatchSettings()
        self.match = Match(
            game,
            candidate,
            champion,
            seeds.first(self.settings.pairs * (1 if how.paired else 2)),
            how,
            figures=figures,
        )
        self.guardrail = guardrail
        self.decision: GateDecision | None = None
        self._test = self.settings.test()
        self._verdict: str | None = None
        self._seen = 0
        self._counts = [0] * 5
        self._guarded = False

    def advance(self, seconds: float) -> GateDecision | None:
        """Play on for about ``seconds``; the decision once it has fallen, and ever after."""
        if self.decision is not None:
            return self.decision
        if self._verdict is None:
            self.match.advance(seconds)
            self._judge()
        elif self.guardrail is not None and self._would_promote():
            self._guarded = not self.guardrail.advance(seconds)
        return self._settle()

    def run(self) -> GateDecision:
        """Play to the decision and close."""
        try:
            while (decision := self.advance(1.0)) is None:
                pass
            return decision
        finally:
            self.close()

    def close(self) -> None:
        """End all lanes."""
        self.match.close()
        if self.guardrail is not None:
            for suite in self.guardrail.suites().values():
                suite.close()

    def progress(self) -> dict[str, Any]:
        """For the status: pairs looked at, the cap, the win rate and ratio so far."""
        counts = self._counts
        seen = sum(counts)
        rate = sum(i * n for i, n in enumerate(counts)) / (4.0 * seen) if seen else None
        return {
            "pairs": seen,
            "pairs_cap": self.settings.pairs,
            "games": self.match.games_finished,
            "win_rate": rate,
            "llr": self._test.ratio(counts) if seen and self.settings.mode == "sprt" else None,
        }

    def state(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        """All that :meth:`restore` needs."""
        arrays: dict[str, npt.NDArray[Any]] = {}
        meta: dict[str, Any] = {"settings": asdict(self.settings)}
        parts: dict[str, Match] = {"match": self.match}
        if self.guardrail is not None:
            parts |= {name: suite.match for name, suite in self.guardrail.suites().items()}
        for name, part in parts.items():
            columns, meta[name] = part.state()
            arrays |= {f"{name}.{key}": value for key, value in columns.items()}
        return arrays, meta

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]], meta: Mapping[str, Any]) -> None:
        """Go on from a state; the decision is the one that would have fallen without the break.

        Raises: as :meth:`ludus.arena.match.Match.restore`.
        """
        parts: dict[str, Match] = {"match": self.match}
        if self.guardrail is not None:
            parts |= {name: suite.match for name, suite in self.guardrail.suites().items()}
        for name, part in parts.items():
            prefix = f"{name}."
            columns = {
                key.removeprefix(prefix): value
                for key, value in arrays.items()
                if key.startswith(prefix)
            }
            part.restore(columns, meta.get(name, {}))
        self._verdict, self._seen, self._counts = None, 0, [0] * 5
        self.decision = None
        self._guarded = False
        self._judge()

    # -- inside ------------------------------------------------------------------------------

    def _settle(self) -> GateDecision | None:
        """Decide as soon as all is known that the decision needs."""
        if self._verdict is not None:
            guarded = self.guardrail is None or self._guarded or not self._would_promote()
            if guarded:
                self.decision = self._decide()
        return self.decision

    def _judge(self) -> None:
        """Look at the pairs that joined the finished prefix, in their order."""
        scores = self.match.pair_scores()
        if self.settings.mode == "sprt":
            verdict, self._seen, self._counts = sprt_walk(
                self._test, scores.tolist(), self._seen, self._counts
            )
            self._verdict = {"H0": "sprt_h0", "H1": "sprt_h1", None: None}[verdict]
        else:
            self._seen = len(scores)
            self._counts = np.bincount(np.rint(scores * 4).astype(int), minlength=5).tolist()
        if self._verdict is None and self._seen == self.match.pairs:
            self._verdict = "cap" if self.settings.mode == "sprt" else "threshold"

    def _would_promote(self) -> bool:
        if self._verdict in ("sprt_h0", "sprt_h1"):
            return self._verdict == "sprt_h1"
        result = self.match.result(self._seen)
        if self._verdict == "cap":
            return result.rate.rate >= self.settings.undecided
        promoted = result.rate.rate >= self.settings.threshold
        if self.settings.score_confidence is not None:
            spread = self.settings.score_confidence * result.score_difference_se
            promoted = promoted and result.score_difference - spread >= 0.0
        return promoted

    def _decide(self) -> GateDecision:
        assert self._verdict is not None
        promoted, reason = self._would_promote(), self._verdict
        guardrail = None
        delta = self.settings.guardrail_delta
        if promoted and self.guardrail is not None and delta is not None:
            guardrail = self.guardrail.summary(delta)
            if not guardrail["passed"]:
                promoted, reason = False, "guardrail"
        return GateDecision(
            promoted=promoted,
            reason=reason,
            result=self.match.result(self._seen),
            ratio=self._test.ratio(self._counts) if self.settings.mode == "sprt" else None,
            guardrail=guardrail,
            settings=self.settings,
        )
