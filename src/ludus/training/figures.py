"""The catalogue of figures: one flat name for each number of a run.

Status, alert rules, exporters and monitor speak of a run's numbers by these names. ``status.json``
has all of them under ``figures``, null where unknown.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ludus.runs import free_bytes
from ludus.training.health import health_figures
from ludus.training.phases import Phase
from ludus.training.rating import latest
from ludus.training.session import Session


@dataclass(frozen=True)
class Figure:
    """A number that a run has at any moment.

    Attributes:
        name: ``[a-z][a-z0-9_]*``, without unit prefix; base units.
        kind: ``counter`` (from the run's birth, only grows) or ``gauge``.
        about: what it is, with its unit.
    """

    name: str
    kind: Literal["counter", "gauge"]
    about: str


def _counters(**about: str) -> tuple[Figure, ...]:
    return tuple(Figure(name, "counter", text) for name, text in about.items())


def _gauges(**about: str) -> tuple[Figure, ...]:
    return tuple(Figure(name, "gauge", text) for name, text in about.items())


CATALOGUE: tuple[Figure, ...] = (
    *_counters(
        games="Games of self-play.",
        plies="Plies of self-play.",
        simulations="Simulations of self-play, counted at the end of an iteration.",
        train_steps="Optimizer steps.",
        positions_learned="Rows that the learner has seen.",
        iterations="Finished iterations.",
        gate_games="Games of gates.",
        errors="Errors of every kind.",
        divergences="Numbers that were not finite or out of range.",
        save_failures="Saves that failed.",
        restarts="Restarts of the trainer by its supervisor.",
        alerts="Alerts raised.",
        callback_errors="Errors of callbacks.",
    ),
    *_gauges(
        iteration="Iteration in progress, 0-based.",
        progress="Share of the run's iterations that is done.",
        elapsed_seconds="Seconds worked on the run.",
        eta_seconds="Seconds left.",
        games_per_second="Games of self-play a second.",
        games_per_minute="Games of self-play a minute.",
        leaves_per_second="Simulations a second.",
        steps_per_second="Optimizer steps a second.",
        loss="Training loss.",
        loss_policy="Policy part of the loss.",
        loss_value="Value part of the loss.",
        loss_ratio="Training loss over the mean of the last iterations.",
        learning_rate="Learning rate.",
        policy_entropy="Mean entropy of sampled root policies in nats.",
        policy_max="Mean largest share of sampled root policies.",
        confident_share="Share of sampled decisions whose largest share is above 0.5.",
        elo="Rating of the champion.",
        elo_se="Its standard error.",
        elo_change="Change against the rating before.",
        elo_change_session="Change since this process began.",
        elo_per_10_games="Change of the rating a ten games of self-play.",
        win_rate_trend="Slope of the win rate over the rolling window, a share an iteration.",
        gate_win_rate="Win rate of the last gate.",
        mean_plies="Mean length of games of the last iteration.",
        mean_score="Mean score of the last iteration.",
        score_variance="Variance of scores of the last iteration.",
        games_without_progress="Games since value error or loss last fell or the rating rose.",
        coverage="Share of audited positions of the last iteration that are distinct.",
        failure_rate="Share of games with an error in the window.",
        fallback_rate="Share of decisions whose search gave no policy.",
        timeout_rate="Share of games ended by a cap.",
        memory_bytes="Resident memory of the trainer.",
        memory_growth_mb="Its growth in MB since the end of the warm-up.",
        memory_budget_bytes="Memory budget of the trainer.",
        memory_fragmentation="Share of the allocator's memory that is free but not returned.",
        free_disk_bytes="Free space of the run's disk.",
        buffer_games="Games in the replay.",
        buffer_samples="Plies in the replay.",
        commit_age_seconds="Seconds since the last commit.",
    ),
)
"""Every figure, counters first."""


def gather(session: Session, phase: Phase | None) -> dict[str, float | None]:
    """All figures as they are now; None where unknown.

    Args:
        session: of the run.
        phase: in progress, if one is.
    """
    view: Mapping[str, Any] = phase.view() if phase is not None else {}
    run = session.run
    counters = run.counters
    rating = latest(run.iterations) or {}
    figures: dict[str, float | None] = dict.fromkeys((figure.name for figure in CATALOGUE), None)
    figures.update(
        games=counters["selfplay_games"],
        plies=counters["plies"],
        simulations=counters["simulations"],
        train_steps=counters["train_step"],
        positions_learned=counters["samples"],
        iterations=counters["iterations"],
        gate_games=counters["gate_games"],
        save_failures=run.save_failures,
        iteration=session.iteration,
        elapsed_seconds=run.elapsed_seconds,
        games_per_second=_number(view, "games_per_second"),
        leaves_per_second=_number(view, "leaves_per_second"),
        steps_per_second=_number(view, "steps_per_second"),
        loss=_number(view, "loss"),
        loss_policy=_number(view, "loss_policy"),
        loss_value=_number(view, "loss_value"),
        learning_rate=_number(view, "lr"),
        policy_entropy=_number(view, "policy_entropy"),
        policy_max=_number(view, "policy_max"),
        fallback_rate=_number(view, "fallback_rate"),
        elo=_number(rating, "elo"),
        elo_se=_number(rating, "elo_se"),
        elo_change=_number(rating, "change"),
        free_disk_bytes=free_bytes(run.path),
        buffer_games=session.replay.games,
        buffer_samples=session.replay.samples,
        commit_age_seconds=max(0.0, time.time() - run.manifest.written_ms / 1000),
        confident_share=_number(view, "confident_share"),
    )
    for name, value in health_figures(run.iterations).items():
        if name in figures and figures[name] is None:
            figures[name] = value
    return figures


def _number(view: Mapping[str, Any], name: str) -> float | None:
    value = view.get(name)
    return float(value) if isinstance(value, int | float) else None
