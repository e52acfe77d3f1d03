"""What is measured on the way: figures of play and learning, and what a game offers for more.

A game's own measures (oracle, solitaire) come from its registry entry; all of them are optional.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus.arena import GameFigures, MatchSettings, Solitaire, match_figures, match_rates
from ludus.evaluators import Durations, EvaluatorTimes, TimedEvaluator
from ludus.games import GameEntry
from ludus.players import Player, SearchPlayer, parse_player
from ludus.replay import GameRecords


def oracle_figures(entry: GameEntry) -> GameFigures | None:
    """Counts of decisions that agree with the game's oracle; None for a game without one."""
    judge = entry.suites.get("judge")
    return None if judge is None else match_figures(entry.rules, judge)


def oracle_rates(entry: GameEntry, figures: Mapping[str, float]) -> dict[str, Any] | None:
    """Match rates by kind of decision from summed figures; None if there are none."""
    if "ignored" not in figures:
        return None
    return match_rates(figures, list(entry.rules.decision_kinds))


def has_solitaire(entry: GameEntry) -> bool:
    """Whether the game names an opponent for the solitaire suite."""
    return "opponent" in entry.suites


def solitaire(
    entry: GameEntry, player: Player, policy_id: str, games: int, seed: int, how: MatchSettings
) -> Solitaire:
    """The solitaire suite of a player (decision 26).

    Args:
        entry: a game with :func:`has_solitaire`.
        player: who is measured.
        policy_id: its name in reports.
        games: even.
        seed: of the games.
        how: to play.
    """
    return Solitaire(
        entry.rules,
        player,
        parse_player(str(entry.suites["opponent"]()), entry),
        games=games,
        seed=seed,
        policy_id=policy_id,
        bonus=entry.suites.get("bonus"),
        settings=how,
        figures=oracle_figures(entry),
    )


SPEEDS = (
    "games_per_second",
    "leaves_per_second",
    "steps_per_second",
    "simulations_per_second",
    "expansions_per_second",
    "evaluations_per_second",
    "samples_per_second",
    "pending_batches",
    "batch_fill",
    "latency_us_p50",
    "latency_us_p95",
    "step_ms_p50",
    "step_ms_p95",
    "fallback_rate",
    "policy_entropy",
    "policy_max",
    "confident_share",
)
"""Figures of a phase's view that ``status.json`` shows under ``speed``; null where unknown."""


def evaluator_figures(times: EvaluatorTimes, seconds: float) -> dict[str, Any]:
    """What evaluators did, for records and status: numbers by name, null before the first batch.

    Args:
        times: counts.
        seconds: of wall clock in which they came about.
    """
    return {
        "evaluations_per_second": times.rows / max(1e-3, seconds),
        "batch_fill": times.fill,
        "latency_us_p50": times.latency.quantile(0.5),
        "latency_us_p95": times.latency.quantile(0.95),
    }


def evaluator_histograms(times: EvaluatorTimes) -> dict[str, Any]:
    """Counts behind :func:`evaluator_figures`, for records.

    ``batch_fill_histogram`` counts batches by tenths of their rows that held a leaf,
    ``latency_us_histogram`` by the lower edge of the bucket in microseconds.
    """
    return {
        "evaluations": times.rows,
        "batches": times.batches,
        "batch_fill_histogram": times.fills,
        "latency_us_histogram": times.latency.sparse(),
    }


def player_times(players: Iterable[Player]) -> EvaluatorTimes:
    """What the timed evaluators of these players did in this process."""
    total = EvaluatorTimes()
    for player in players:
        if isinstance(player, SearchPlayer) and isinstance(player.evaluator, TimedEvaluator):
            total.merge(player.evaluator.times())
    return total


def first_seat_rate(records: GameRecords) -> float | None:
    """What seat 0 made of two-seat games, in 0..1, draws half; None with more seats."""
    if records.seats > 2:
        return None
    return float((records.columns["returns"][:, 0] / 2 + 0.5).mean())


def timeout_rate(cap_plies: int | None, lengths: npt.NDArray[Any]) -> float | None:
    """Share of games that the game's cap ended; None for a game that names none.

    Args:
        cap_plies: length at which the game cuts itself off.
        lengths: plies of games, i[games].
    """
    if cap_plies is None or not len(lengths):
        return None
    return float((lengths >= cap_plies).mean())


@dataclass
class RootFigures:
    """Policies of sampled search roots: how many, their entropies in nats, their largest shares.

    A root is confident when its largest share is above a half.
    """

    roots: int = 0
    entropy: float = 0.0
    largest: float = 0.0
    confident: int = 0

    def add(self, policy: npt.NDArray[Any]) -> tuple[float, float]:
        """Count a root's policy f[edges]; returns its entropy and its largest share."""
        entropy = float(-(policy * np.log(np.maximum(policy, 1e-12))).sum())
        largest = float(policy.max())
        self.roots += 1
        self.entropy += entropy
        self.largest += largest
        self.confident += largest > 0.5
        return entropy, largest

    def figures(self) -> dict[str, float | None]:
        """Means; null before the first root."""
        some = self.roots > 0
        return {
            "policy_entropy": self.entropy / self.roots if some else None,
            "policy_max": self.largest / self.roots if some else None,
            "confident_share": self.confident / self.roots if some else None,
        }


class StepFigures:
    """Times and losses of an iteration's optimizer steps; goes through a commit as JSON."""

    def __init__(self, saved: Mapping[str, Any] | None = None) -> None:
        """Begin empty, or where :meth:`as_json` was taken."""
        self.times = Durations() if saved is None else Durations.from_json(saved["times"])
        self.samples = 0 if saved is None else int(saved["samples"])
        self._losses: dict[str, dict[str, float]] = (
            {} if saved is None else {name: dict(of) for name, of in saved["losses"].items()}
        )

    def add(self, losses: Mapping[str, float], samples: int, nanoseconds: int) -> None:
        """Count a step.

        Args:
            losses: of the step by name; empty where they were not asked for.
            samples: its rows.
            nanoseconds: its time, the making of its rows included.
        """
        self.times.add(nanoseconds)
        self.samples += samples
        for name, value in losses.items():
            if name not in self._losses:
                self._losses[name] = {
                    "first": value,
                    "sum": 0.0,
                    "count": 0,
                    "min": value,
                    "max": value,
                }
            of = self._losses[name]
            of["count"] += 1
            of["sum"] += value
            of["min"] = min(of["min"], value)
            of["max"] = max(of["max"], value)
            of["last"] = value

    def before(self, name: str) -> float | None:
        """Mean of a loss over the reported steps before the newest one; None without any."""
        of = self._losses.get(name)
        if of is None or of["count"] < 2:
            return None
        return (of["sum"] - of["last"]) / (of["count"] - 1)

    def as_json(self) -> dict[str, Any]:
        """JSON to begin from again."""
        return {
            "times": self.times.as_json(),
            "samples": self.samples,
            "losses": self._losses,
        }

    def speeds(self) -> dict[str, float | None]:
        """Samples a second of step time and quantiles of the time of a step."""
        middle, slow = self.times.quantile(0.5), self.times.quantile(0.95)
        seconds = self.times.total_ns * 1e-9
        return {
            "samples_per_second": self.samples / seconds if seconds > 0 else None,
            "step_ms_p50": None if middle is None else middle / 1000,
            "step_ms_p95": None if slow is None else slow / 1000,
        }

    def losses(self) -> dict[str, dict[str, float]]:
        """First, last, mean, least and largest value of every loss, learning rate and norm."""
        return {
            name: {
                "first": of["first"],
                "last": of["last"],
                "mean": of["sum"] / of["count"],
                "min": of["min"],
                "max": of["max"],
            }
            for name, of in self._losses.items()
        }
