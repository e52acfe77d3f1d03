"""How a gate judges, and what its decision says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ludus import _core
from ludus.arena.deals import DuplicateResult
from ludus.arena.results import MatchResult
from ludus.arena.stats import Sprt
from ludus.errors import ConfigError

SCHEMA = "ludus_gate_report_v1"
"""Identifier of the format of ``gate_report.json``."""


@dataclass(frozen=True)
class GateSettings:
    """How a candidate is judged.

    Attributes:
        mode: ``sprt``; ``threshold``: all pairs are played and a win rate of at least
            ``threshold`` promotes; ``duplicate``: for more than two seats, see below.
        pairs: cap of the sequential test, number of pairs of the other.
        null, alternative, alpha, beta, least: of the sequential test, see
            :class:`ludus.arena.stats.Sprt`.
        undecided: win rate at which a test that reached its cap promotes.
        threshold: win rate at which the mode ``threshold`` promotes.
        score_confidence: with mode ``threshold``, also ask that the mean score difference less
            this many standard errors is not below 0; None asks nothing.
        guardrail_delta: a promotion is refused if the candidate's solitaire mean is lower than the
            champion's by more than this; None plays no solitaire games.
        deals: number of deals with mode ``duplicate``. It promotes when the one-sided 95 % lower
            bound of the mean difference in points a round is above 0.
        win_share: with mode ``duplicate``, also ask that the share of deals won by the difference,
            ties half, is at least this; None asks nothing.
        looks: with mode ``duplicate``, at how many equally spaced numbers of deals to look whether
            it is decided already. Each look tests at a ``looks``-th of 5 % (Bonferroni), so that
            all of them together promote an equal candidate in at most 5 % of gates. 1 looks once,
            at the end.
    """

    mode: Literal["sprt", "threshold", "duplicate"] = "sprt"
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
    deals: int = 400
    win_share: float | None = None
    looks: int = 1

    def __post_init__(self) -> None:
        if self.mode not in ("sprt", "threshold", "duplicate"):
            raise ConfigError(
                f"gate mode {self.mode!r} must be 'sprt' or 'threshold', or 'duplicate' for more "
                "than two seats"
            )
        if self.pairs < 1:
            raise ConfigError(f"gate pairs = {self.pairs} must be at least 1")
        if not (0.0 <= self.undecided <= 1.0 and 0.0 <= self.threshold <= 1.0):
            raise ConfigError("gate win rates must lie between 0 and 1")
        if not 1 <= self.looks <= self.deals:
            raise ConfigError(
                f"gate looks = {self.looks} must lie in 1..{self.deals}, the number of its deals"
            )
        if self.win_share is not None and not 0.0 <= self.win_share <= 1.0:
            raise ConfigError(f"gate win_share = {self.win_share} must lie between 0 and 1")
        try:
            self.test()
        except ValueError as error:
            raise ConfigError(f"gate: {error}") from error

    def test(self) -> Sprt:
        """The sequential test."""
        return Sprt(self.null, self.alternative, self.alpha, self.beta, self.least)

    @property
    def units(self) -> int:
        """Pairs or deals of the match, at most."""
        return self.deals if self.mode == "duplicate" else self.pairs

    def check_game(self, game: _core.Game) -> None:
        """Refuse a mode that is for another number of seats.

        Raises:
            ConfigError: naming both.
        """
        if (game.num_seats > 2) != (self.mode == "duplicate"):
            right = "'duplicate'" if game.num_seats > 2 else "'sprt' or 'threshold'"
            raise ConfigError(
                f"{game.name} has {game.num_seats} seats, for which the gate mode must be {right}, "
                f"not {self.mode!r}"
            )


@dataclass(frozen=True)
class GateDecision:
    """The end of a gate.

    Attributes:
        promoted: whether the candidate becomes champion.
        reason: one of ``sprt_h1``, ``sprt_h0``, ``cap``, ``threshold``, ``guardrail``; of deals
            ``deals`` (all were played), ``deals_better``, ``deals_worse`` (at an earlier look).
        result: the pairs or deals that the decision rests on, the candidate being player A.
        ratio: log-likelihood ratio at the end; None without a sequential test.
        guardrail: solitaire summaries of both sides and the delta; None without a guardrail.
        settings: of the gate.
    """

    promoted: bool
    reason: str
    result: MatchResult | DuplicateResult
    ratio: float | None
    guardrail: Mapping[str, Any] | None
    settings: GateSettings

    def summary(self) -> dict[str, Any]:
        """All numbers of the decision for the event ``gate_summary``; no list by unit."""
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
            per_seed: whether to list the result of each unit, in the order of the seeds.
        """
        report = {
            "schema": SCHEMA,
            **self.summary(),
            "gating": {"seeds_id": self.result.seeds_id, "seeds_hash": self.result.seeds_hash},
            "oracle": dict(oracle) if oracle is not None else None,
        }
        if per_seed:
            report["per_seed"] = self.result.as_json(per_unit=True)["per_seed"]
        return report
