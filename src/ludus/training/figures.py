"""How the figures of the catalogue come about: from counters, the phase in progress, the history.

A gauge that only some phases know (a loss, an entropy) keeps its newest value in the others, taken
from the newest record of an iteration; a speed is only told while it is measured. What is unknown
is None, and gathering never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ludus.runs import free_bytes
from ludus.training.catalogue import CATALOGUE, KINDS, Figure
from ludus.training.memory import resident_bytes
from ludus.training.past import Past
from ludus.training.phases import Phase
from ludus.training.session import Session

__all__ = ["CATALOGUE", "KINDS", "Figure", "Figures", "gather"]

_HEALTH = ("win_rate_trend", "score_variance", "games_without_progress", "coverage")
"""Figures that the health record of an iteration has, under the same names."""


class Figures:
    """Gathers the figures of a run, again and again; knows what has changed since it was made."""

    def __init__(
        self,
        session: Session,
        *,
        past: Past | None = None,
        progress: Callable[[], float | None] = lambda: None,
        seconds_left: Callable[[], float | None] = lambda: None,
    ) -> None:
        """Begin a session's figures.

        Args:
            session: of the run.
            past: its history.
            progress: share of the run that is done, where it has an end.
            seconds_left: until that end.
        """
        self._session = session
        self._past = past or Past(session)
        self._progress = progress
        self._left = seconds_left
        self._rated_first = self._rating()
        self._failures_at = (session.run.manifest.sequence, session.run.save_failures)

    def now(self, phase: Phase | None) -> dict[str, float | None]:
        """All figures; None where unknown.

        Args:
            phase: in progress, if one is.
        """
        view: Mapping[str, Any] = phase.view() if phase is not None else {}
        figures: dict[str, float | None] = dict.fromkeys(KINDS, None)
        figures.update(self._counters())
        figures.update(self._work(view))
        figures.update(self._learning(view))
        figures.update(self._play(view))
        figures.update(self._strength())
        figures.update(self._machine())
        return figures

    def _counters(self) -> dict[str, float | None]:
        run = self._session.run
        counters = run.counters
        same = ("simulations", "iterations", "gate_games", "plies")
        more = ("restarts", "alerts")
        totals = self._session.book.totals
        return {
            **{name: counters[name] for name in (*same, *more)},
            "errors": sum(totals.values()),
            "divergences": totals.get("numbers", 0),
            "callback_errors": totals.get("callback", 0),
            "games": counters["selfplay_games"],
            "train_steps": counters["train_step"],
            "positions_learned": counters["samples"],
            "save_failures": max(counters["save_failures"], run.save_failures),
        }

    def _work(self, view: Mapping[str, Any]) -> dict[str, float | None]:
        session = self._session
        run = session.run
        games, leaves = number(view, "games_per_second"), number(view, "leaves_per_second")
        usual = None if leaves is None else self._past.usual_speed(view.get("budgets"))
        if self._failures_at[0] != run.manifest.sequence:
            self._failures_at = (run.manifest.sequence, run.save_failures)
        return {
            "iteration": session.iteration,
            "progress": self._progress(),
            "elapsed_seconds": run.elapsed_seconds,
            "eta_seconds": self._left(),
            "games_per_second": games,
            "games_per_minute": None if games is None else 60.0 * games,
            "leaves_per_second": leaves,
            "speed_ratio": None if leaves is None or not usual else leaves / usual,
            "steps_per_second": number(view, "steps_per_second"),
            "saves_failing": run.save_failures - self._failures_at[1],
            # By time worked, which no change of the wall clock moves.
            "commit_age_seconds": max(0.0, run.elapsed_seconds - run.manifest.elapsed_seconds),
        }

    def _learning(self, view: Mapping[str, Any]) -> dict[str, float | None]:
        past = self._past
        loss = number(view, "loss")
        usual = past.usual_loss()
        if usual is None:  # in the first iteration: the steps before the newest
            usual = number(view, "loss_before")
        found = loss if loss is not None else past.number("train", "loss_total")
        rate = number(view, "lr")
        return {
            "loss": found,
            "loss_policy": self._newest(view, "loss_policy", "train"),
            "loss_value": self._newest(view, "loss_value", "train"),
            "loss_ratio": None if found is None or not usual or usual < 0 else found / usual,
            "learning_rate": past.number("train", "learning_rate") if rate is None else rate,
            "target_temperature": past.number("train", "target_temperature"),
        }

    def _play(self, view: Mapping[str, Any]) -> dict[str, float | None]:
        past, session = self._past, self._session
        roots = ("policy_entropy", "policy_max", "confident_share", "fallback_rate")
        names = (*roots, "budget", "worlds")
        scores = past.number("selfplay", "mean_score") if session.entry.has_scores else None
        health = past.health() or {}
        return {
            **{name: self._newest(view, name, "selfplay") for name in names},
            **{name: number(health, name) for name in _HEALTH},
            "failure_rate": session.book.rate(
                games=session.begun_games, window=session.settings.guards.error_window_games
            ),
            "timeout_rate": past.number("selfplay", "timeout_rate"),
            "mean_plies": past.number("selfplay", "mean_plies"),
            "mean_score": scores,
            "gate_win_rate": past.number("gate", "win_rate"),
            "buffer_games": session.stored[0],
            "buffer_samples": session.stored[1],
        }

    def _newest(self, view: Mapping[str, Any], name: str, part: str) -> float | None:
        """From the phase in progress, else from the newest record that has it."""
        value = number(view, name)
        return self._past.number(part, name) if value is None else value

    # -- rating ---------------------------------------------------------------------------------

    def _rating(self) -> Mapping[str, Any] | None:
        """The newest rating, if it is no bound."""
        rating = self._past.rating()
        return rating if rating is not None and rating.get("standing") == "rated" else None

    def _strength(self) -> dict[str, float | None]:
        rating = self._rating()
        if self._rated_first is None:
            self._rated_first = rating
        first, session = self._rated_first, None
        if rating is not None and first is not None and rating["anchor"] == first["anchor"]:
            session = float(rating["elo"]) - float(first["elo"])
        known = self._past.elo()
        changes = [change for change in (known["elo_change"], session) if change is not None]
        return {
            **known,
            "elo": number(self._past.rating() or {}, "elo"),
            "elo_se": number(self._past.rating() or {}, "elo_se"),
            "elo_change_session": session,
            "elo_change_worst": min(changes, default=None),
        }

    # -- machine --------------------------------------------------------------------------------

    def _machine(self) -> dict[str, float | None]:
        run = self._session.run
        try:
            free: float | None = free_bytes(run.path)
        except OSError:
            free = None
        memory = self._session.memory
        growth = memory.get("growth")
        return {
            "memory_bytes": memory.get("total") or resident_bytes(),
            "memory_growth_mb": None if growth is None else growth / 1e6,
            "memory_budget_bytes": memory.get("budget"),
            "memory_fragmentation": memory.get("fragmentation"),
            "free_disk_bytes": free,
        }


def gather(session: Session, phase: Phase | None) -> dict[str, float | None]:
    """All figures of a run at one moment, without those that compare with an earlier one."""
    return Figures(session).now(phase)


def number(view: Mapping[str, Any], name: str) -> float | None:
    """A number of a mapping; None if it is missing or no number."""
    value = view.get(name)
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if known else None  # type: ignore[arg-type]
