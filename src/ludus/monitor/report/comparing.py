"""Several runs beside each other: settings that differ, figures, curves over one clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ludus.errors import UserError
from ludus.monitor.report.charts import FORMS, form_of
from ludus.monitor.report.curves import CLOCKS, Curve, history_curves, iteration_rows
from ludus.monitor.report.page import drawn, environment
from ludus.monitor.report.plots import Chart, Line
from ludus.monitor.report.reading import RunData, read_run
from ludus.monitor.report.settings import told_settings
from ludus.training.rating import latest

MOST_RUNS = 12
_CURVES = (
    "elo",
    "gate_win_rate",
    "loss",
    "loss_policy",
    "loss_value",
    "mean_score",
    "score_difference",
    "mean_plies",
    "policy_entropy",
    "games_per_second",
    "games_per_hour",
)
_TITLES = {
    "elo": "Rating",
    "gate_win_rate": "Win rate in the gate",
    "loss": "Loss",
    "loss_policy": "Loss of the policy",
    "loss_value": "Loss of the value",
    "mean_score": "Mean score in self-play",
    "score_difference": "Score difference of seat 0 in self-play",
    "mean_plies": "Length of games",
    "policy_entropy": "Entropy of the search's policy",
    "games_per_second": "Games a second",
    "games_per_hour": "Games an hour",
}


def compare_document(
    paths: Sequence[str | Path], clock: str = "iterations", *, now: float | None = None
) -> dict[str, Any]:
    """What differs between runs, as JSON.

    Args:
        paths: two run directories or more, of one game.
        clock: of the curves: ``iterations``, ``games`` or ``minutes`` (of work).
        now: seconds since 1970; the clock's by default.

    Returns: ``clock``, ``runs`` (one object each), ``settings`` (``key`` and ``values`` in order
        of the runs), ``curves`` (by name: one curve or null for each run), ``notes``.

    Raises:
        UserError: fewer than two runs, one twice, more than :data:`MOST_RUNS`, runs of different
            games, or an unknown clock.
        RunError: one of them is no run.
    """
    if clock not in CLOCKS:
        raise UserError(f"--clock {clock} must be one of {', '.join(CLOCKS)}")
    if not 2 <= len(paths) <= MOST_RUNS:
        raise UserError(f"{len(paths)} runs cannot be compared: name 2 to {MOST_RUNS} of them")
    if len({Path(path).resolve() for path in paths}) < len(paths):
        raise UserError("a run is named twice: compare different ones")
    found = [read_run(path, now=now) for path in paths]
    _require_one_game(found)
    names = _names(found)
    rows = [iteration_rows(data.iterations) for data in found]
    curves = [{one.name: one for one in history_curves(each, clock)} for each in rows]
    wanted = [name for name in _CURVES if any(name in each for each in curves)]
    wanted += sorted(
        {name for each in curves for name in each if name.startswith(("win_rate:", "mean:"))}
    )
    told = [told_settings(data)["all"] for data in found]
    return {
        "clock": clock,
        "runs": [
            _about(name, data, each, now_)
            for name, data, each, now_ in zip(names, found, rows, curves, strict=True)
        ],
        "settings": _differences(told),
        "curves": {
            name: [each[name].as_json() if name in each else None for each in curves]
            for name in wanted
        },
        "notes": _notes(found),
    }


def _require_one_game(found: Sequence[RunData]) -> None:
    first = found[0].summary
    for data in found[1:]:
        if data.summary.rules != first.rules:
            raise UserError(
                f"{first.path} plays by {first.rules} and {data.summary.path} by "
                f"{data.summary.rules}: figures of different games do not compare"
            )


def _names(found: Sequence[RunData]) -> list[str]:
    """Names of the folders, or paths where these are not enough."""
    short = [data.path.absolute().name for data in found]
    return short if len(set(short)) == len(short) else [str(data.path) for data in found]


def _about(
    name: str, data: RunData, rows: Sequence[Mapping[str, Any]], curves: Mapping[str, Curve]
) -> dict[str, Any]:
    one, rating = data.summary, latest(data.iterations)
    games, seconds = one.counters.get("selfplay_games", 0), one.elapsed_seconds
    gated = [row for row in rows if row["promoted"] is not None]
    figures: dict[str, float | None] = {
        "iterations": one.counters.get("iterations", 0),
        "games": games,
        "minutes": None if seconds is None else seconds / 60.0,
        "games_per_hour": 3600.0 * games / seconds if games and seconds else None,
        "promotions": sum(bool(row["promoted"]) for row in gated),
        "candidates": len(gated),
    }
    for key in ("loss", "loss_policy", "loss_value"):
        figures[key] = curves[key].y[-1] if key in curves else None
    for key, curve in curves.items():
        if key == "elo" or key.startswith(("win_rate:", "mean:")):
            figures[key] = curve.y[-1]
            figures[f"best {key}"] = max(curve.y)
    return {
        "name": name,
        "path": str(data.path),
        "recipe": one.recipe,
        "seed": one.seed,
        "state": one.state,
        "git_hash": data.manifest.get("git_hash"),
        "anchor": None if rating is None else rating.get("anchor"),
        "elo_se": None if rating is None else rating.get("elo_se"),
        "figures": figures,
    }


def _differences(told: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    keys = sorted({key for each in told for key in each})
    found = [{"key": key, "values": [each.get(key) for each in told]} for key in keys]
    return [row for row in found if any(one != row["values"][0] for one in row["values"])]


def _notes(found: Sequence[RunData]) -> list[str]:
    notes = []
    ratings = [latest(data.iterations) for data in found]
    anchors = {str(one["anchor"]) for one in ratings if one is not None}
    if len(anchors) > 1:
        notes.append(
            f"The ratings have different anchors ({', '.join(sorted(anchors))}): their numbers do "
            "not compare."
        )
    elif anchors:
        notes.append(
            "Ratings are of each run's own evaluation games; for the difference of two champions "
            "let them play: ludus match RUN search:run=OTHER"
        )
    live = [str(data.path) for data in found if data.summary.holder is not None]
    if live:
        notes.append(f"Still going: {', '.join(live)}.")
    return [*notes, *(f"{data.path}: {text}" for data in found for text in data.trouble)]


def title_of(name: str) -> str:
    """What a curve shows, for people."""
    kind, _, who = name.partition(":")
    if who:
        return f"Win rate against {who}" if kind == "win_rate" else f"Mean score in {who}"
    return _TITLES.get(name, name)


def render_comparison(document: Mapping[str, Any]) -> str:
    """The page of a comparison: HTML in one file, the same bytes for the same document."""
    names = [run["name"] for run in document["runs"]]
    charts = []
    for number, (name, curves) in enumerate(document["curves"].items()):
        lines = [
            Line(
                names[at],
                Curve(name, one["clock"], one["x"], one["y"], *_band(one, len(names))),
                at,
            )
            for at, one in enumerate(curves)
            if one is not None
        ]
        charts.append(Chart(f"curve{number}", title_of(name), "", lines, form_of(name)))
    figures = list(dict.fromkeys(key for run in document["runs"] for key in run["figures"]))
    shown = [
        {
            "name": key,
            "values": [
                None if (value := run["figures"].get(key)) is None else figure_text(key, value)
                for run in document["runs"]
            ],
        }
        for key in figures
    ]
    return (
        environment()
        .get_template("compare.html.j2")
        .render(d=document, names=names, charts=drawn(charts), figures=shown)
    )


def _band(curve: Mapping[str, Any], runs: int) -> tuple[list[float], list[float]]:
    """The interval; many bands over each other would hide the lines."""
    return (curve.get("low", []), curve.get("high", [])) if runs <= 3 else ([], [])


def figure_text(name: str, value: float) -> str:
    """A figure of a run as text."""
    bare = name.removeprefix("best ")
    if bare in FORMS or ":" in bare:
        return form_of(bare)(value)
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1e4 else f"{value:,.4g}"
