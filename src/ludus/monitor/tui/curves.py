"""The panel of curves: sparklines, or charts of several lines where there is room."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

from ludus.monitor.series import Series
from ludus.monitor.tui import palette
from ludus.monitor.tui.charts import chart, spark
from ludus.monitor.tui.words import plain, short
from ludus.monitor.view import RunView

_LABEL, _VALUE = 11, 8
_CHART = 5


@dataclass(frozen=True)
class Shown:
    """A curve of the panel.

    Attributes:
        keys: of curves in the view; the first that is there is drawn.
        label: for people.
        colour: of the chart.
        form: of its newest value.
        tall: whether it gets a chart of several lines where there is room.
    """

    keys: tuple[str, ...]
    label: str
    colour: str
    form: str = ""
    tall: bool = True


CHOSEN = (
    Shown(("train_step.loss_total",), "loss", palette.ACCENT, "{:.4f}"),
    Shown(("rating.elo",), "Elo", palette.GOOD, "{:.0f}"),
    Shown(("evaluation.win_rate.",), "wins", palette.GOOD, "{:.1%}", tall=False),
    Shown(("gate_summary.win_rate",), "gate", palette.VIOLET, "{:.1%}"),
    Shown(("game_stats.score_difference",), "difference", palette.TEAL, "{:.2f}"),
    Shown(
        ("game_stats.mean_score", "selfplay_iter.mean_score"), "mean score", palette.TEAL, "{:.1f}"
    ),
    Shown(("selfplay_iter.games_per_second",), "games/s", palette.WARN),
    Shown(
        ("train_step.entropy", "selfplay_iter.policy_entropy"), "entropy", palette.VIOLET, "{:.3f}"
    ),
    Shown(("train_step.loss_policy",), "policy π", palette.ACCENT, "{:.3f}"),
    Shown(("train_step.loss_value",), "value v", palette.ACCENT, "{:.3f}"),
    Shown(("selfplay_iter.leaves_per_second",), "leaves/s", palette.WARN),
    Shown(("oracle_eval.oracle_match_rate_overall",), "oracle", palette.GOOD, "{:.1%}"),
    Shown(("oracle_eval.mean",), "solitaire", palette.GOOD, "{:.1f}"),
    Shown(("selfplay_iter.mean_plies",), "plies", palette.DIM, "{:.1f}"),
    Shown(("train_step.grad_norm",), "gradient", palette.DIM, "{:.3f}"),
)
"""Curves in the order of their use to somebody who looks in once a day."""


def found_curves(view: RunView) -> list[tuple[str, Shown, Series]]:
    """The chosen curves that the run has; those by opponent once for each."""
    found = []
    for one in CHOSEN:
        for key in one.keys:
            if key.endswith("."):
                names = sorted(name for name in view.curves if name.startswith(key))
                for name in names:
                    if len(view.curves[name]):
                        found.append((plain(name[len(key) :]), one, view.curves[name]))
            elif key in view.curves and len(view.curves[key]):
                found.append((one.label, one, view.curves[key]))
                break
    return found


def curve_lines(view: RunView, width: int, height: int) -> list[Text]:
    """The panel: as many lines a chart as fit, at most six.

    Args:
        view: the run.
        width: of the panel in cells.
        height: likewise; more curves than fit are there to scroll to.
    """
    curves = found_curves(view)
    if not curves:
        return [Text("no curves yet: they begin with the first iteration", style=palette.DIM)]
    # Charts for the first ones, as many as leave a line to each of the others.
    room = max(0, (height - len(curves)) // (_CHART - 1))
    tall = [one for one in curves if one[1].tall][:room]
    lines = [line for one in tall for line in _chart(*one, width)]
    return lines + [_spark(*one, width) for one in curves if one not in tall]


def _value(shown: Shown, value: float) -> str:
    return shown.form.format(value).replace("%", " %") if shown.form else short(value)


def _spark(label: str, shown: Shown, series: Series, width: int) -> Text:
    line = Text(f"{label[:_LABEL]:<{_LABEL}} ", style=palette.DIM)
    room = max(4, width - _LABEL - _VALUE - 2)
    line.append(spark(series.y, room), style=shown.colour)
    line.append(f" {_value(shown, series.y[-1]):>{_VALUE}}", style=f"bold {palette.TEXT}")
    return line


def _chart(label: str, shown: Shown, series: Series, width: int) -> list[Text]:
    """A title with the newest value and the range, and the chart below it."""
    title = Text(f"{label:<{_LABEL}} ", style=palette.DIM)
    title.append(_value(shown, series.y[-1]), style=f"bold {palette.TEXT}")
    title.append(
        f"   {_value(shown, min(series.y))} to {_value(shown, max(series.y))}",
        style=palette.FAINT,
    )
    title.truncate(width)
    rows = chart(series.y, width, _CHART - 2)
    return [title, *(Text(row, style=shown.colour) for row in rows), Text("")]
