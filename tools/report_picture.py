"""Four charts of a run's report as one picture that stands alone.

python tools/report_picture.py runs/yatzy docs/images/report-curves.svg
"""

from __future__ import annotations

import html
import re
import sys
from pathlib import Path

from ludus.monitor.report import read_run, report_document
from ludus.monitor.report.charts import curves_of, learning_charts, play_charts, strength_charts
from ludus.monitor.report.plots import FIXED, Chart, svg

WANTED = ("elo", "winrates", "gates", "suites", "loss", "score")
WIDTH, HEIGHT, HEAD, GAP = 360, 170, 50, 22
COLOURS = list(FIXED.values())[2:]


def panel(chart: Chart, x: int, y: int) -> str:
    """A chart with its title and legend, in its place."""
    place = f'<svg x="{x}" y="{y + HEAD}" width="{WIDTH}" height="{HEIGHT}"'
    inner = re.sub(r"^<svg", place, svg(chart, FIXED))
    at, down, legend = x + 4.0, y + 26, []
    for line in chart.lines:
        text = f"{line.label} {chart.form(line.last)}"
        if at + 20 + 6 * len(text) > x + WIDTH:
            at, down = x + 4.0, down + 13
        colour = COLOURS[line.colour % len(COLOURS)]
        legend.append(
            f'<rect x="{at:.0f}" y="{down}" width="11" height="3" rx="1.5" fill="{colour}"/>'
            f'<text x="{at + 15:.0f}" y="{down + 5}" font-size="9.5" fill="#5c6470">'
            f"{html.escape(text)}</text>"
        )
        at += 27 + 5.5 * len(text)
    title = f'<text x="{x + 4}" y="{y + 14}" font-size="13" font-weight="600" fill="#1b1f24">'
    return f"{title}{html.escape(chart.title)}</text>{''.join(legend)}{inner}"


def main(arguments: list[str]) -> int:
    """Draw the run named first into the file named second."""
    curves = curves_of(report_document(read_run(arguments[0])))
    found = [*strength_charts(curves), *learning_charts(curves), *play_charts(curves)]
    charts = [chart for chart in found if chart.key in WANTED]
    rows = -(-len(charts) // 2)
    width, height = 2 * WIDTH + 3 * GAP, rows * (HEIGHT + HEAD + GAP) + GAP
    panels = "".join(
        panel(chart, GAP + at % 2 * (WIDTH + GAP), GAP + at // 2 * (HEIGHT + HEAD + GAP))
        for at, chart in enumerate(charts)
    )
    Path(arguments[1]).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'style="--font: system-ui, sans-serif" font-family="system-ui, sans-serif">'
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>{panels}</svg>\n',
        encoding="utf-8",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
