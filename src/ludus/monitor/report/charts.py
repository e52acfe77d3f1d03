"""Which charts a report has: chosen from the curves that a run happens to have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ludus.monitor.report.curves import Curve
from ludus.monitor.report.plots import Chart, Line, percent, short

MOST_LINES = 6


def curves_of(document: Mapping[str, Any]) -> dict[str, Curve]:
    """The curves of a document by name."""
    return {
        name: Curve(
            name,
            found["clock"],
            found["x"],
            found["y"],
            found.get("low", []),
            found.get("high", []),
            found.get("notes", []),
        )
        for name, found in document["curves"].items()
        if found["x"]
    }


def _elo(value: float) -> str:
    return f"{value:.0f}"


def _bytes(value: float) -> str:
    return f"{value / 1e9:.3g} GB" if abs(value) >= 1e9 else f"{value / 1e6:.0f} MB"


def _small(value: float) -> str:
    return f"{value:.3g}"


FORMS: Mapping[str, Callable[[float], str]] = {"elo": _elo, "gate_win_rate": percent}
"""How the values of a figure are told, where plain numbers would not do."""


def form_of(name: str) -> Callable[[float], str]:
    """How the values of a curve are told."""
    return percent if name.startswith("win_rate:") else FORMS.get(name, short)


def _named(curves: Mapping[str, Curve], prefix: str) -> list[tuple[str, str]]:
    found = [name for name in curves if name.startswith(prefix)]
    return [(name, name[len(prefix) :]) for name in found][:MOST_LINES]


def strength_charts(curves: Mapping[str, Curve]) -> list[Chart]:
    """Rating, win rates, gates, scores of suites."""
    return _made(
        curves,
        [
            (
                ("elo", "Rating", "Elo by evaluation games, with its 95 % band.", _elo, {}),
                [("elo", "champion")],
            ),
            (
                (
                    "winrates",
                    "Win rate by opponent",
                    "Share of points of the champion, draws half, with 95 % intervals.",
                    percent,
                    {"limits": (-0.02, 1.02), "level": 0.5},
                ),
                _named(curves, "win_rate:"),
            ),
            (
                (
                    "gates",
                    "Gates",
                    "Win rate of each candidate against the champion; whiskers are 95 % intervals, "
                    "diamonds were not promoted.",
                    percent,
                    {"level": 0.5, "dots": True},
                ),
                [("gate_win_rate", "candidate")],
            ),
            (
                (
                    "suites",
                    "Mean score of suites",
                    "Mean result of the champion's own games, with 95 % intervals.",
                    short,
                    {},
                ),
                _named(curves, "mean:"),
            ),
        ],
    )


def learning_charts(curves: Mapping[str, Curve]) -> list[Chart]:
    """Losses, entropies, learning rate, gradient."""
    fine = "step:loss_total" in curves
    losses = [
        ("step:loss_total" if fine else "loss", "total"),
        ("step:loss_policy" if fine else "loss_policy", "policy"),
        ("step:loss_value" if fine else "loss_value", "value"),
    ]
    return _made(
        curves,
        [
            (("loss", "Loss", "Training loss and its two main parts.", short, {}), losses),
            (
                (
                    "entropy",
                    "Entropy of the policy",
                    "In nats: what the search answered, what it was learned from, what the network "
                    "says. A fall to nothing is a collapse.",
                    short,
                    {},
                ),
                [
                    ("policy_entropy", "self-play"),
                    ("target_entropy", "targets"),
                    ("network_entropy", "network"),
                ],
            ),
            (
                ("rate", "Learning rate", "As the optimizer used it.", _small, {}),
                [("step:lr" if fine else "learning_rate", "learning rate")],
            ),
            (
                ("gradient", "Gradient", "Norm before clipping.", short, {}),
                [("step:grad_norm", "norm")],
            ),
        ],
    )


def play_charts(curves: Mapping[str, Curve]) -> list[Chart]:
    """Scores, lengths and speeds of self-play."""
    scores = curves.get("mean_score")
    scored = scores is not None and len(set(scores.y)) > 1
    return _made(
        curves,
        [
            (
                ("score", "Mean score", "Of a seat in self-play.", short, {}),
                [("mean_score", "self-play")] if scored else [],
            ),
            (
                ("difference", "Score difference", "Of seat 0 in self-play.", short, {}),
                [("score_difference", "self-play")],
            ),
            (
                ("length", "Length of games", "Mean plies of a game of self-play.", short, {}),
                [("mean_plies", "plies")],
            ),
            (
                ("games", "Games a second", "Of self-play.", short, {"zero": True}),
                [("games_per_second", "games/s")],
            ),
            (
                ("leaves", "Leaves a second", "Simulations of self-play.", short, {"zero": True}),
                [("leaves_per_second", "leaves/s")],
            ),
            (
                (
                    "hourly",
                    "Games an hour",
                    "Games of self-play over all the time of an iteration, training and matches "
                    "included.",
                    short,
                    {"zero": True},
                ),
                [("games_per_hour", "games/h")],
            ),
        ],
    )


def memory_charts(curves: Mapping[str, Curve]) -> list[Chart]:
    """Resident memory of the trainer."""
    return _made(
        curves,
        [
            (
                ("memory", "Memory", "Resident memory of the trainer.", _bytes, {"zero": True}),
                [("memory", "resident")],
            )
        ],
    )


def _made(
    curves: Mapping[str, Curve], wanted: Iterable[tuple[tuple[Any, ...], Sequence[tuple[str, str]]]]
) -> list[Chart]:
    """Charts of the lines that there are; those without any are left out."""
    charts = []
    for (key, title, about, form, options), names in wanted:
        lines = [
            Line(label, curves[name], index)
            for index, (name, label) in enumerate(names)
            if name in curves
        ]
        if lines:
            how = dict(options)
            if how.pop("zero", False):
                top = max(max(line.curve.y) for line in lines)
                how["limits"] = (0.0, top * 1.08 or 1.0)
            charts.append(Chart(key, title, about, lines, form, **how))
    return charts
