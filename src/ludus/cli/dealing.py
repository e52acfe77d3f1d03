"""Figures of duplicate deals for people; what the commands for more than two seats share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ludus.cli.playing import drive, percent
from ludus.cli.progress import Work

if TYPE_CHECKING:
    from ludus.arena import AnyMatch

DEALS = 500
"""Deals of a match where nothing else is said."""

MOST_DEALS = 100_000
"""Most deals of a match: a deal of eight players is sixteen games."""


def play(match: AnyMatch, about: str = "games") -> dict[str, Any]:
    """Play a match to its end with a line of progress, close it, and report."""
    with match, Work(about, match.games_total) as work:
        drive(match.advance, lambda: work.update(match.games_finished, match.standing()))
    report = match.result().as_json(per_unit=True)
    return {**report, "fallbacks": int(match.counters()["fallbacks"])}


def deal_rows(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Lines on a match of deals, from its report."""
    by_players = report["by_players"]
    rows = [
        (
            "deals",
            f"{report['deals']} with {numbers_text(by_players)} players, {report['games']} games, "
            f"{report['distinct_games']} distinct, {report['rounds']} rounds",
        ),
        ("difference", f"{difference_text(report)} points a round"),
        (
            "deals won",
            f"{percent(report['win_rate'])}, 95 % interval {percent(report['win_rate_low'])} to "
            f"{percent(report['win_rate_high'])} ({report['wins']} won, {report['draws']} equal, "
            f"{report['losses']} lost)",
        ),
        ("points a round", _both(report["mean_scores"], "{:.2f}")),
        ("rounds made", _both(report["made"], "{:.1%}")),
        ("rank when alone", rank_text(report)),
    ]
    if len(by_players) > 1:
        rows += [(f"{n} players", _part(found)) for n, found in by_players.items()]
    return rows


def difference_text(report: Mapping[str, Any]) -> str:
    """The mean difference with its interval, where there is one."""
    error = report["score_difference_se"]
    text = f"{report['mean_score_difference']:+.3f}"
    if error is None:
        return text
    return (
        f"{text} +- {error:.3f}, 95 % interval {report['score_difference_low']:+.3f} to "
        f"{report['score_difference_high']:+.3f}"
    )


def rank_text(report: Mapping[str, Any]) -> str:
    """Ranks of A alone and of B alone."""
    return f"{_both(report['rank'], '{:.3f}')}, equal players {report['rank_expected']:.3f}"


def numbers_text(by_players: Mapping[str, Any]) -> str:
    """The numbers of players that occur: ``4, 5 or 6``."""
    *some, last = sorted(by_players, key=int)
    return f"{', '.join(some)} or {last}" if some else last


def _both(values: list[float], form: str) -> str:
    return " and ".join(form.format(value) for value in values)


def _part(found: Mapping[str, Any]) -> str:
    error = found["score_difference_se"]
    spread = "" if error is None else f" +- {error:.3f}"
    return (
        f"{found['deals']} deals, difference {found['mean_score_difference']:+.3f}{spread}, "
        f"rank {rank_text(found)}"
    )
