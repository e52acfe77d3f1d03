"""Draws the learning curve of a run: python tools/learning_curve.py RUN OUT.svg.

Left: mean score of self-play games of Yatzy by minutes of training, with the oracle's, the greedy
player's and a random player's mean for comparison; of a run with pattern tables the mean error of
their estimates. Right: win rate of the champion in the run's own evaluation.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib
from matplotlib import pyplot

ORACLE, GREEDY, RANDOM = 248.44, 200.73, 49.3  # the last one over 2,000 games


def events(run: Path) -> list[dict[str, object]]:
    """All whole lines of the metric stream."""
    lines = (run / "logs" / "metrics.ndjson").read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def main(run: Path, out: Path) -> None:
    """Read the run, write the picture."""
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "ludus", "font.size": 9})
    stream = events(run)
    start = min(float(str(event["ts_ms"])) for event in stream)

    def minutes(event: dict[str, object]) -> float:
        return (float(str(event["ts_ms"])) - start) / 60_000

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    games = [event for event in stream if event["event"] == "selfplay_iter"]
    tables = "coverage" in games[0]
    shown = "loss" if tables else "mean_score"
    left.plot([minutes(e) for e in games], [e[shown] for e in games], "o-", ms=3)
    if tables:
        left.set(xlabel="minutes", ylabel="discs", title="Mean absolute TD error")
    else:
        for name, mean in (("oracle", ORACLE), ("greedy", GREEDY), ("random", RANDOM)):
            left.axhline(mean, color="grey", lw=0.8, ls=":")
            left.annotate(name, (0, mean), xytext=(2, 2), textcoords="offset points", color="grey")
        left.set(xlabel="minutes", ylabel="points", title="Mean score of self-play games")
    matches: dict[str, list[tuple[float, float]]] = {}
    for event in stream:
        if event["event"] == "evaluation" and "win_rate" in event:
            point = (minutes(event), float(str(event["win_rate"])))
            matches.setdefault(str(event["opponent"]), []).append(point)
    for opponent, points in matches.items():
        right.plot(*zip(*points, strict=True), "o-", ms=3, label=opponent)
    right.set(xlabel="minutes", ylabel="win rate", ylim=(0, 1.02), title="Champion against ...")
    right.legend(frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlim(left=0)
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
