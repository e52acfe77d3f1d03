"""Draws the learning curve of a run: python tools/learning_curve.py RUN OUT.svg.

Of Yatzy, by minutes: left the mean score of self-play games, with the oracle's, the greedy player's
and a random player's mean for comparison; right the champion's win rates in the run's own
evaluation. Of a run with pattern tables, by games: left the champion's rating, right the win rates.
Of a run that is measured over deals, by minutes: left the points a round that the champion is ahead
of its fixed opponents, right the shares of bids that both make there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot
from matplotlib.axes import Axes

ORACLE, GREEDY, RANDOM = 248.44, 200.73, 49.3  # the last one over 2,000 games

Event = dict[str, Any]


def events(run: Path) -> list[Event]:
    """All whole lines of the metric stream."""
    lines = (run / "logs" / "metrics.ndjson").read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def draw_scores(axes: Axes, stream: list[Event], start: float) -> None:
    """Mean scores of self-play by minutes."""
    games = [event for event in stream if event["event"] == "selfplay_iter"]
    minutes = [(event["ts_ms"] - start) / 60_000 for event in games]
    axes.plot(minutes, [event["mean_score"] for event in games], "o-", ms=3)
    for name, mean in (("oracle", ORACLE), ("greedy", GREEDY), ("random", RANDOM)):
        axes.axhline(mean, color="grey", lw=0.8, ls=":")
        axes.annotate(name, (0, mean), xytext=(2, 2), textcoords="offset points", color="grey")
    axes.set(xlabel="minutes", ylabel="points", title="Mean score of self-play games")


def draw_ratings(axes: Axes, stream: list[Event]) -> None:
    """Ratings of champions by games, as the last rating has all of them."""
    ratings = [event for event in stream if event["event"] == "rating"]
    players = {one["player"]: one for event in ratings for one in event["players"]}
    rated = [
        (int(name.removeprefix("champion-")), one["elo"], one["error"])
        for name, one in players.items()
        if name.startswith("champion-") and one["elo"] is not None
    ]
    games, elo, error = zip(*sorted(one for one in rated if one[0] > 0), strict=True)
    axes.errorbar(games, elo, yerr=error, fmt="o-", ms=3, lw=1)
    for name, one in players.items():
        if not name.startswith("champion-") and name != "first" and one["elo"] is not None:
            axes.axhline(one["elo"], color="grey", lw=0.8, ls=":")
            place = (games[0], one["elo"])
            axes.annotate(name, place, xytext=(2, 2), textcoords="offset points", color="grey")
    axes.set(xlabel="games", xscale="log", ylabel="Elo", title="Rating of the champion")


def draw_matches(axes: Axes, stream: list[Event], start: float, by_games: bool) -> None:
    """Win rates by opponent; those of the run itself are left out where games count."""
    matches: dict[str, list[tuple[float, float]]] = {}
    for event in stream:
        if event["event"] == "evaluation" and "win_rate" in event:
            if by_games and event["opponent"] in ("first", "previous"):
                continue
            at = float(event["model"]) if by_games else (event["ts_ms"] - start) / 60_000
            matches.setdefault(event["opponent"], []).append((at, float(event["win_rate"])))
    for opponent, points in matches.items():
        axes.plot(*zip(*points, strict=True), "o-", ms=3, label=opponent)
    axes.set(
        xlabel="games" if by_games else "minutes",
        xscale="log" if by_games else "linear",
        ylabel="win rate",
        ylim=(0.5 if by_games else 0, 1.02),
        title="Champion against ...",
    )
    axes.legend(frameon=False)


def draw_deals(left: Axes, right: Axes, stream: list[Event], start: float) -> None:
    """Points a round ahead, with 95 % intervals, and stages won, by opponent."""
    for opponent in ("random", "rules"):
        met = [event for event in stream if event.get("opponent") == opponent and "deals" in event]
        minutes = [(event["ts_ms"] - start) / 60_000 for event in met]
        ahead = [event["mean_score_difference"] for event in met]
        spread = [event["score_difference_high"] - event["mean_score_difference"] for event in met]
        left.errorbar(minutes, ahead, yerr=spread, fmt="o-", ms=3, lw=1, label=opponent)
        line = right.plot(minutes, [event["made"][0] for event in met], "o-", ms=3)[0]
        right.plot(minutes, [event["made"][1] for event in met], ":", color=line.get_color())
    left.axhline(0.0, color="grey", lw=0.8, ls=":")
    left.set(xlabel="minutes", ylabel="points a round", title="Champion ahead of ...")
    left.legend(frameon=False)
    right.set(xlabel="minutes", ylim=(0, 1), title="Bids made: champion, and dotted the opponent")


def main(run: Path, out: Path) -> None:
    """Read the run, write the picture."""
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "ludus", "font.size": 9})
    stream = events(run)
    start = min(event["ts_ms"] for event in stream)
    tables = any("coverage" in event for event in stream if event["event"] == "selfplay_iter")
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    if any(event["event"] == "evaluation" and "deals" in event for event in stream):
        draw_deals(left, right, stream, start)
    else:
        if tables:
            draw_ratings(left, stream)
        else:
            draw_scores(left, stream, start)
        draw_matches(right, stream, start, tables)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        if not tables:
            axes.set_xlim(left=0)
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
