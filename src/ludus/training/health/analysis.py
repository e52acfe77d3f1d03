"""Learning health: is the run getting better, standing still, or falling apart?

Pure functions of the history. A figure that needs more iterations than there are is None; only
what is known to be wrong is a finding. docs/learning-health.md says what each means.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from ludus.training.health import history as past
from ludus.training.health.history import History, Points
from ludus.training.health.trends import Trend, since_decrease, spread, trend
from ludus.training.tripwires import policy_collapse

WINDOW = 20
"""Iterations of the rolling window."""

MEASURED = 10
"""Evaluations of the rolling window of win rates."""

ALPHA = 0.01
"""Level of significance of a finding."""

STAGNATION_GAMES = 50_000
"""Games without progress that are stagnation."""

STAGNATION_ITERATIONS = 5
"""And of so many iterations, where these are longer: one of them that looks no better is noise."""

WIN_RATE_FALL = 0.05
"""Fall of the win rate over its window that is worth a word."""

LOSS_RISE = 0.05
"""Rise of the loss over its window, as a share of its median, that is worth a word."""

LENGTH_FALL = 0.1
"""Fall of the length of games over their window, as a share, that is worth a word."""

COVERAGE_FALL = 0.5
"""Share of the median coverage of the window below which play repeats itself."""


@dataclass(frozen=True)
class Health:
    """How learning stands after an iteration.

    Attributes:
        figures: numbers by name, None where too few iterations are done.
        findings: kind -> sentence, of what is wrong.
    """

    figures: dict[str, float | None]
    findings: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        """Flat, for records: the figures to six digits, ``findings`` and their ``kinds``."""
        return {
            **{
                name: None if value is None else float(f"{value:.6g}")
                for name, value in self.figures.items()
            },
            "findings": list(self.findings.values()),
            "kinds": list(self.findings),
        }


def health_of(
    history: History, *, started_ms: int | None = None, entropy_floor: float = 0.0
) -> Health:
    """Health after the last iteration of a history.

    Args:
        history: entries of ``run.json``, oldest first; the last one is judged.
        started_ms: when this process began, for the change of the session.
        entropy_floor: mean entropy in nats that search roots must have.
    """
    health = Health({}, {})
    if not history:
        return health
    for part in (_progress, _strength, _loss, _policy, _length, _coverage, _tables):
        part(history, health)
    _elo(history, health, started_ms)
    for finding in policy_collapse(history[:-1], history[-1], entropy_floor):
        health.findings["policy_collapse"] = finding.text
    health.figures["converged"] = _converged(health.figures)
    return health


def _put(health: Health, name: str, found: Trend | None) -> None:
    health.figures[f"{name}_trend"] = None if found is None else found.slope
    health.figures[f"{name}_trend_p"] = None if found is None else found.p


def _window(history: History, part: str, *names: str) -> Points:
    return past.series(history[-WINDOW:], part, *names)


def _progress(history: History, health: Health) -> None:
    """Variances, and the games since anything last got better."""
    now = history[-1]
    health.figures.update(
        value_error_variance=past.figure(now, "selfplay", "value_error_variance"),
        score_variance=past.figure(now, "selfplay", "score_variance"),
    )
    newest = _window(history, "selfplay", "value_error_variance")
    _put(health, "value_error_variance", trend(newest.x, newest.y))
    idle = [
        _since_fall(history, "selfplay", "value_error_variance"),
        _since_fall(history, "train", "loss_mean", "loss_total"),
        since_rise(history),
    ]
    known = [games for games in idle if games is not None]
    health.figures["games_without_progress"] = min(known, default=None)


def _since_fall(history: History, part: str, *names: str) -> float | None:
    """Games since a figure last fell; see :func:`since_decrease`."""
    known = [entry for entry in history if past.figure(entry, part, *names) is not None]
    values = past.series(known, part, *names).y
    return since_decrease(values, [past.games(entry) for entry in known])


def since_rise(history: History) -> float | None:
    """Games since the rating last rose by more than three standard errors of a change.

    Changes add up from the last such rise on: many small steps are one in the end, and errors of
    single ratings cancel. A change without an error, such as one between bounds, is no evidence.
    None before the first change.
    """
    level, at, seen = 0.0, 0, False
    for index, entry in enumerate(history):
        rating = past.rating(entry) or {}
        change, error = past.number(rating.get("change")), past.number(rating.get("change_se"))
        if change is None or error is None:
            continue
        if not seen:
            seen, at = True, index  # the first rating is where counting begins
        level += change
        if level > 3.0 * error:
            level, at = 0.0, index
    return sum(past.games(entry) for entry in history[at + 1 :]) if seen else None


def chosen_opponent(rates: dict[str, Points]) -> str | None:
    """The opponent whose win rate says most: the one nearest to one half in the window.

    Win rates near 0 or 1 cannot move. None where nobody was met often enough.
    """
    known = {
        name: median(points.last(MEASURED).y)
        for name, points in rates.items()
        if trend(points.x, points.y) is not None
    }
    return min(known, key=lambda name: (abs(known[name] - 0.5), name), default=None)


def _strength(history: History, health: Health) -> None:
    """Win rates over the last evaluations, and stagnation where they do not rise either."""
    rates = past.win_rates(history)
    name = chosen_opponent(rates)
    points = rates[name].last(MEASURED) if name is not None else Points([], [])
    found = trend(points.x, points.y)
    _put(health, "win_rate", found)
    health.figures["win_rate_mean"] = sum(points.y) / len(points) if found is not None else None
    if found is not None and found.falls(ALPHA) and found.change < -WIN_RATE_FALL:
        health.findings["win_rate_falls"] = (
            f"the win rate against {name} falls: by {-found.change:.1%} over the last "
            f"{found.points} evaluations (p = {found.p:.3f})"
        )
    idle = health.figures["games_without_progress"]
    rising = found is not None and found.rises(ALPHA)
    least = max(STAGNATION_GAMES, STAGNATION_ITERATIONS * past.games(history[-1]))
    if idle is not None and idle >= least and not rising:
        health.findings["stagnation"] = (
            f"no progress for {idle:,.0f} games: neither the variance of the value error nor the "
            "loss has fallen, and the rating has not risen"
        )


def _loss(history: History, health: Health) -> None:
    """Slope of the loss, and its standard deviation in the newest half of the window."""
    points = _window(history, "train", "loss_mean", "loss_total")
    found = trend(points.x, points.y)
    _put(health, "loss", found)
    half = WINDOW // 2
    full = len(points) >= WINDOW
    now = spread(points.y[-half:]) if full else None
    before = spread(points.y[-WINDOW:-half]) if full else None
    health.figures.update(
        loss_std=now,
        loss_std_ratio=now / before if now is not None and before else None,
    )
    if found is None:
        return
    usual = abs(median(points.y))
    if found.rises(ALPHA) and found.change > LOSS_RISE * usual:
        health.findings["loss_rises"] = (
            f"the loss rises: by {found.change:.4g} over the last {found.points} iterations, "
            f"{found.change / max(usual, 1e-12):.0%} of its median (p = {found.p:.3f})"
        )


def _policy(history: History, health: Health) -> None:
    """Entropy and confidence at sampled search roots."""
    points = _window(history, "selfplay", "policy_entropy")
    _put(health, "policy_entropy", trend(points.x, points.y))
    for name in ("policy_entropy", "confident_share"):
        health.figures[name] = past.figure(history[-1], "selfplay", name)


def _length(history: History, health: Health) -> None:
    """Mean plies of a game."""
    points = _window(history, "selfplay", "mean_plies")
    found = trend(points.x, points.y)
    _put(health, "mean_plies", found)
    if found is None:
        return
    usual = median(points.y)
    if found.falls(ALPHA) and found.change < -LENGTH_FALL * usual:
        health.findings["games_shorten"] = (
            f"games become shorter: by {-found.change:.3g} plies over the last {found.points} "
            f"iterations, {-found.change / usual:.0%} of their median length (p = {found.p:.3f})"
        )


def coverage_of(entry: past.Entry) -> float | None:
    """Share of audited positions that are distinct; of games where no positions were looked at."""
    share = past.figure(entry, "audit", "distinct_positions")
    if share is not None:
        return share
    repeated = past.figure(entry, "audit", "duplicate_share")
    return None if repeated is None else 1.0 - repeated


def _coverage(history: History, health: Health) -> None:
    """How much of what is played is new."""
    now = coverage_of(history[-1])
    health.figures["coverage"] = now
    before = [share for entry in history[-WINDOW:-1] if (share := coverage_of(entry)) is not None]
    if now is not None and len(before) >= 5 and now < COVERAGE_FALL * median(before):
        health.findings["coverage_falls"] = (
            f"only {now:.1%} of the audited positions are distinct, {median(before):.1%} were "
            f"usual (median of {len(before)} iterations): self-play repeats itself"
        )


def _tables(history: History, health: Health) -> None:
    """What the phase that learned pattern tables found."""
    found = (history[-1].get("selfplay") or {}).get("findings") or {}
    health.findings.update({str(kind): str(text) for kind, text in found.items()})


def _elo(history: History, health: Health, started_ms: int | None) -> None:
    """Changes of the rating by games, by time, and since this process began.

    A change is taken from one fit of all games (:mod:`ludus.training.rating`), not from numbers
    that were published at different times.
    """
    rated = [index for index, entry in enumerate(history) if past.rating(entry) is not None]
    per_games = per_time = session = None
    if len(rated) >= 2:
        change = past.number((past.rating(history[rated[-1]]) or {}).get("change"))
        between = history[rated[-2] + 1 : rated[-1] + 1]
        played = sum(past.games(entry) for entry in between)
        worked = sum(past.seconds(entry) for entry in between)
        if change is not None:
            per_games = 10.0 * change / played if played else None
            per_time = 1200.0 * change / worked if worked else None
    if started_ms is not None:
        changes = [
            change
            for index in rated
            if (history[index]["evaluate"].get("finished_ms") or 0) >= started_ms
            and (change := past.number((past.rating(history[index]) or {}).get("change")))
            is not None
        ]
        session = sum(changes) if changes else None
    health.figures.update(
        elo_per_10_games=per_games, elo_per_20_minutes=per_time, elo_change_session=session
    )


def _converged(figures: dict[str, float | None]) -> float | None:
    """1 where loss and value error have no trend and the win rate does not rise; None: unknown."""
    loss, error = figures["loss_trend_p"], figures["value_error_variance_trend_p"]
    if loss is None or error is None or figures["loss_std_ratio"] is None:
        return None
    rate, slope = figures["win_rate_trend_p"], figures["win_rate_trend"] or 0.0
    rising = rate is not None and rate < ALPHA and slope > 0
    return float(loss >= ALPHA and error >= ALPHA and not rising)
