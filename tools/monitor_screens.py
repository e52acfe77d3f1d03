"""A picture of the terminal monitor as it shows a run at this moment, for the documentation.

    PYTHONPATH=src python tools/monitor_screens.py RUN --size 120x40 --out healthy.svg

The run is only read. What is in the picture is what was there: to show a pause, pause it.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from pathlib import Path

from ludus.monitor.tui.app import MonitorApp

_PATIENCE = 200
"""Looks until the history of the run is read, a tenth of a second apart."""


def portable(svg: str) -> str:
    """The picture without fonts from the network: whatever the reader has of one width."""
    svg = re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.S)
    family = "'DejaVu Sans Mono', 'Fira Code', Menlo, Consolas, monospace"
    return re.sub(r"font-family:\s*Fira Code,\s*monospace", f"font-family: {family}", svg)


async def picture(run: Path, size: tuple[int, int]) -> str:
    """The dashboard of a run as SVG, once all of its history is read."""
    app = MonitorApp(run, run.parent, 0.2)
    async with app.run_test(size=size) as pilot:
        for _ in range(_PATIENCE):
            await pilot.pause(0.1)
            svg = app.export_screenshot(title="ludus monitor")
            if app.last_view is not None and "reading" not in svg:
                break
        return portable(svg)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


def main() -> int:
    """Take the picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--size", type=_size, default=(120, 40), help="columns x rows")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    asked.out.write_text(asyncio.run(picture(asked.run, asked.size)), encoding="utf-8")
    sys.stderr.write(f"{asked.out}: {asked.size[0]}x{asked.size[1]}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
