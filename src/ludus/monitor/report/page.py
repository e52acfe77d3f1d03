"""The report as one HTML page, drawn from the document alone: no script, no network, no fonts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ludus.monitor.report import charts
from ludus.monitor.report.plots import Chart, percent, short, svg
from ludus.monitor.report.timeline import MOST_LINES
from ludus.monitor.report.words import count, settings_text
from ludus.runs import duration_text

MOST_ROWS = 120
"""Iterations in the table; the newest stay, ``iterations.csv`` has all."""


FEW_PROMOTIONS = 12
"""So many are told among the events; more stand in the table of iterations alone."""


def environment() -> Environment:
    """Templates of this room, with everything escaped that is not known to be markup."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters.update(
        short=_or_dash(short),
        percent=_or_dash(percent),
        duration=_or_dash(duration_text),
        briefly=_or_dash(briefly),
        size=_or_dash(size_text),
        when=when,
        setting=settings_text,
        whole=_or_dash(lambda value: f"{value:,.0f}"),
    )
    made.globals.update(
        count=count,
        at=lambda value, start, end: 120 * min(1.0, max(0.0, (value - start) / (end - start))),
    )
    return made


def _or_dash(form: Any) -> Any:
    return lambda value: "–" if value is None else form(value)


def briefly(seconds: float) -> str:
    """A duration in a few characters: ``45 s``, ``30 min``, ``7.5 h``, ``12.3 d``."""
    for limit, unit, name in ((172_800, 86_400, "d"), (5_400, 3_600, "h")):
        if seconds >= limit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def size_text(size: float) -> str:
    """Bytes for people."""
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(size) >= limit:
            return f"{size / limit:.3g} {unit}"
    return f"{size:.0f} B"


def when(ts_ms: float | None, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A moment in UTC."""
    if ts_ms is None or not 0 <= ts_ms < 253_402_300_800_000:
        return "–"
    return time.strftime(form, time.gmtime(ts_ms / 1000))


def drawn(found: Sequence[Chart]) -> list[dict[str, Any]]:
    """Charts with their pictures and legends, for a template."""
    return [
        {
            "key": chart.key,
            "title": chart.title,
            "about": chart.about,
            "svg": Markup(svg(chart)),  # noqa: S704 - our own markup; users' words are not in it
            "legend": [
                {"label": line.label, "colour": line.colour + 1, "last": chart.form(line.last)}
                for line in chart.lines
            ],
        }
        for chart in found
    ]


def render(document: Mapping[str, Any]) -> str:
    """The page of a report.

    Args:
        document: of :func:`~ludus.monitor.report.document.report_document`.

    Returns: HTML, the same bytes for the same document.
    """
    curves = charts.curves_of(document)
    rows = [row for row in document["iterations"] if row["finished"] or row["seconds"]]
    lines = document["timeline"]
    promotions = sum(line["kind"] == "promotion" for line in lines)
    told = [line for line in lines if line["kind"] != "promotion" or promotions <= FEW_PROMOTIONS]
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            d=document,
            strength=drawn(charts.strength_charts(curves)),
            learning=drawn(charts.learning_charts(curves)),
            play=drawn(charts.play_charts(curves)),
            memory=drawn(charts.memory_charts(curves)),
            rows=list(reversed(rows[-MOST_ROWS:])),
            rows_left_out=max(0, len(rows) - MOST_ROWS),
            timeline=told[-MOST_LINES:],
            timeline_left_out=max(0, len(told) - MOST_LINES),
            promotions_aside=promotions > FEW_PROMOTIONS,
            scored=any(row["mean_score"] for row in rows),
            rated=any(row["elo"] is not None for row in rows),
        )
    )
