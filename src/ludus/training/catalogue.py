"""The catalogue of figures: one flat name for each number of a run.

Status, alert rules, exporters and monitor speak of a run's numbers by these names. ``status.json``
has all of them under ``figures``, null where unknown. How they come about is in ``figures``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
        speed_ratio="Simulations a second over their median in the five iterations before.",
        leaves_per_second="Simulations a second.",
        steps_per_second="Optimizer steps a second.",
        loss="Training loss.",
        loss_policy="Policy part of the loss.",
        loss_value="Value part of the loss.",
        loss_ratio="Training loss over its mean in the five iterations before.",
        learning_rate="Learning rate.",
        target_temperature="Tau: temperature of the policy targets of the last training.",
        budget="Simulations of a decision of self-play, in each world.",
        worlds="Deals of the hidden cards that a decision of self-play is searched in.",
        policy_entropy="Mean entropy of sampled root policies in nats.",
        policy_max="Mean largest share of sampled root policies.",
        confident_share="Share of sampled decisions whose largest share is above 0.5.",
        elo="Rating of the champion.",
        elo_se="Its standard error.",
        elo_change="Change of the champion's rating against the one before.",
        elo_change_session="Change since this process began.",
        elo_change_worst="The lower of elo_change and elo_change_session.",
        elo_per_10_games="Change against the rating before by ten games of self-play.",
        elo_per_20_minutes="Change against the rating before by twenty minutes of work.",
        win_rate_trend="Slope of the win rate over the rolling window, a share an iteration.",
        gate_win_rate="Win rate of the last gate.",
        mean_plies="Mean length of games of the last iteration.",
        mean_score="Mean score of the last iteration.",
        score_variance="Variance of scores of the last iteration.",
        games_without_progress="Games since value error or loss last fell or the rating rose.",
        coverage="Share of audited positions of the last iteration that are distinct.",
        failure_rate="Share of games with an error in the window.",
        fallback_rate="Share of decisions whose search gave no policy.",
        timeout_rate="Share of games of the last iteration that the game's cap ended.",
        memory_bytes="Resident memory of the trainer.",
        memory_growth_mb="Its growth in MB since the end of the warm-up.",
        memory_budget_bytes="Memory budget of the trainer.",
        memory_fragmentation="Share of the allocator's memory that is free but not returned.",
        free_disk_bytes="Free space of the run's disk.",
        buffer_games="Games in the replay.",
        buffer_samples="Plies in the replay.",
        saves_failing="Saves that failed since the last commit.",
        commit_age_seconds="Seconds of work since the last commit.",
    ),
)
"""Every figure, counters first."""

KINDS: dict[str, str] = {figure.name: figure.kind for figure in CATALOGUE}
"""Kind of every figure by its name."""
