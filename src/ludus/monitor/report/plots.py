"""Charts as SVG text for a page: no fonts, no scripts, colours by the page's style sheet.

The same input gives the same bytes. Words of users never get in here: legends are HTML.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ludus.monitor.report.curves import Curve

COLOURS = 6
"""Lines of one chart that have a colour of their own; further ones begin again."""

_INK, _GRID = "#00aa01", "#00aa02"
_LINES = tuple(f"#00bb0{number}" for number in range(1, COLOURS + 1))
_VARIABLES = {
    _INK: "var(--muted)",
    _GRID: "var(--rule)",
    **{colour: f"var(--c{number})" for number, colour in enumerate(_LINES, 1)},
}
"""Colours that matplotlib draws with -> what the page puts there."""

FIXED = {
    _INK: "#5c6470",
    _GRID: "#e3e5e8",
    **dict(
        zip(
            _LINES,
            ("#2563ae", "#d2691e", "#1a8a7d", "#a8468f", "#7d7a1e", "#5c6470"),
            strict=True,
        )
    ),
}
"""The same for pictures that stand alone."""

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "ludus",
    "svg.fonttype": "none",
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "path.simplify": True,
    "path.simplify_threshold": 0.3,
    "axes.unicode_minus": True,
}
_MOST_BARS = 90


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        label: for the legend; whatever the run says, so it is escaped by the page.
        curve: its points.
        colour: index of its colour, from 0.
    """

    label: str
    curve: Curve
    colour: int = 0

    @property
    def last(self) -> float:
        """The newest value."""
        return self.curve.y[-1]


@dataclass(frozen=True)
class Chart:
    """A chart before it is drawn.

    Attributes:
        key: a word, unique on the page.
        title: of the card.
        about: one sentence on how to read it.
        lines: at least one.
        form: a value as text, for axis and legend.
        limits: of the y axis; None for those of the data.
        level: a horizontal line of reference; None for none.
        log: a logarithmic y axis.
        dots: points with intervals instead of a line (gates).
    """

    key: str
    title: str
    about: str
    lines: Sequence[Line]
    form: Callable[[float], str]
    limits: tuple[float, float] | None = None
    level: float | None = None
    log: bool = False
    dots: bool = False
    size: tuple[float, float] = field(default=(5.0, 2.35))


_CLOCK_WORDS = {
    "iterations": "iterations done",
    "games": "games of self-play",
    "minutes": "minutes of work",
    "train_step": "optimizer steps",
}


def short(value: float) -> str:
    """A number with at most four characters or so: ``0.25``, ``12``, ``1.2k``, ``3.4M``."""
    size = abs(value)
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= limit:
            return f"{value / limit if unit != 'k' else value / 1e3:.3g}{unit}"
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percent(value: float) -> str:
    """A share as text."""
    return f"{value:.0%}" if abs(value * 100 - round(value * 100)) < 0.05 else f"{value:.1%}"


def svg(chart: Chart, colours: Mapping[str, str] | None = None) -> str:
    """Draw one chart.

    Args:
        chart: what to draw.
        colours: what stands for the colours; the page's variables by default.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=chart.size, facecolor="none")
        figure.subplots_adjust(left=0.105, right=0.985, top=0.965, bottom=0.175)
        _draw(figure.add_subplot(facecolor="none"), chart)
        return _text(figure, chart.key, _VARIABLES if colours is None else colours)


def _draw(axes: Axes, chart: Chart) -> None:
    _frame(axes, chart)
    for line in chart.lines:
        colour = _LINES[line.colour % COLOURS]
        if chart.dots and line.curve.notes and len(line.curve.x) <= _MOST_BARS:
            _dots(axes, line.curve, colour)
        else:
            _line(axes, line.curve, colour, dashed=line.colour >= COLOURS)
    if chart.level is not None:
        axes.axhline(chart.level, color=_INK, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1.5)


def _frame(axes: Axes, chart: Chart) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_GRID)
    axes.grid(axis="y", color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=_INK, pad=4)
    if chart.log:
        axes.set_yscale("log")
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: chart.form(value)))
    whole = chart.lines[0].curve.clock != "minutes"
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=whole, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    clock = chart.lines[0].curve.clock
    axes.set_xlabel(_CLOCK_WORDS.get(clock, "time"), color=_INK, labelpad=3)
    if chart.limits is not None:
        axes.set_ylim(*chart.limits)
    axes.margins(x=0.02, y=0.08)


def _line(axes: Axes, curve: Curve, colour: str, *, dashed: bool = False) -> None:
    if curve.low:
        axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.16, linewidth=0)
    few = len(curve.x) <= 40
    marker: dict[str, Any] = {"marker": "o", "markersize": 2.6} if few else {}
    if dashed:
        marker["linestyle"] = (0, (4, 2))
    axes.plot(curve.x, curve.y, color=colour, linewidth=1.5, solid_joinstyle="round", **marker)


def _dots(axes: Axes, curve: Curve, colour: str) -> None:
    """Gates: promoted ones filled, kept ones hollow; whiskers are intervals."""
    axes.vlines(curve.x, curve.low, curve.high, color=colour, alpha=0.35, linewidth=1.4)
    for note, shade, other in (("promoted", colour, None), ("kept", _LINES[1], _LINES[1])):
        chosen = [at for at, said in enumerate(curve.notes) if said == note]
        if chosen:
            axes.plot(
                [curve.x[at] for at in chosen],
                [curve.y[at] for at in chosen],
                linestyle="none",
                marker="o" if other is None else "D",
                markersize=3.6 if other is None else 3.0,
                color=shade,
            )


def _text(figure: Figure, key: str, colours: Mapping[str, str]) -> str:
    """The figure as an ``<svg>`` element to stand in a page."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r'\s(?:xmlns(?::\w+)?|version)="[^"]*"', "", text)
    text = text.replace("xlink:href=", "href=")
    # Ids are for what refers to them, and must differ between the charts of a page.
    wanted = set(re.findall(r"(?:url\(#|href=\"#)([\w.-]+)", text))
    text = re.sub(
        r'\sid="([^"]*)"',
        lambda found: f' id="{key}-{found[1]}"' if found[1] in wanted else "",
        text,
    )
    text = re.sub(r"(url\(#|href=\"#)([\w.-]+)", rf"\g<1>{key}-\g<2>", text)
    text = re.sub(r"#00[ab]{2}0\d", lambda found: colours.get(found[0], colours[_INK]), text)
    text = re.sub(r'font: [\d.]+px [^;"]*', _font, text)
    text = re.sub(r' width="[^"]*pt"| height="[^"]*pt"', "", text, count=2)
    text = re.sub(r"^\s+", "", text, flags=re.M)
    return re.sub(r"\n+", "\n", text).strip()


def _font(found: re.Match[str]) -> str:
    """The fonts of the page, in the size of the chart."""
    size = re.search(r"[\d.]+px", found[0])
    return f"font: {size[0] if size else '8.5px'} var(--font, sans-serif)"
