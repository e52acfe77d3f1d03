"""Pictures of the terminal monitor for the documentation, from a real run.

    PYTHONPATH=src python tools/monitor_screens.py RUN [--out docs/images]

RUN is copied, so nothing happens to it. The copy gets a status as of a trainer at work, of one that
waits, and of one with alerts: states that a run which is done cannot be in. All figures and curves
are those of the run.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ludus.monitor.tui.app import MonitorApp
from ludus.runs import RunLock

GUARDS = (
    ("errors", "0 errors in the last 2,048 games"),
    ("numbers", "all numbers finite"),
    ("memory", "0.7 GB of 20.6 GB"),
    ("disk", "68.6 GB free"),
    ("saves", "no failed save"),
    ("watchdog", "progress 0.2 s ago"),
    ("fallbacks", "no decision without its search"),
    ("alerts", "no alert"),
)


def _guards(**other: tuple[str, str]) -> list[dict[str, Any]]:
    found = []
    for name, text in GUARDS:
        state, said = other.get(name, ("ok", text))
        found.append({"name": name, "state": state, "text": said, "count": int(state != "ok")})
    return found


def states(
    status: dict[str, Any], newest: dict[str, Any]
) -> dict[str, tuple[tuple[int, int], dict[str, Any]]]:
    """Size of the screen and changes to the status, by name of the picture.

    Args:
        status: of the run.
        newest: what the history has of self-play in its last whole iteration.
    """
    now = int(time.time() * 1000)
    speed = ("games_per_second", "leaves_per_second")
    total = int(status["iteration"]) + 16
    work = {
        "state": "training",
        "phase": "selfplay",
        "reason": None,
        "pid": os.getpid(),
        "ts_ms": now,
        "iteration": status["iteration"],
        "total_iterations": total,
        "progress": {"done": 164, "total": 256, "unit": "games"},
        "eta_seconds": 78.0,
        "commit": {**status["commit"], "written_ms": now - 12_000},
        "guards": _guards(),
        "speed": {key: newest.get(key) for key in speed},
    }
    alerts = [
        {
            "name": "elo_drop",
            "severity": "error",
            "message": "Elo fell by 74 against the rating before",
            "since_ms": now - 540_000,
        },
        {
            "name": "disk_low",
            "severity": "warning",
            "message": "1.8 GB of disk are free, below 2 GB",
            "since_ms": now - 60_000,
        },
    ]
    bad = _guards(
        disk=("warning", "1.8 GB free, below 2 GB; saves may fail"),
        alerts=("acting", "2 alerts are active"),
    )
    paused = _guards(disk=("acting", "0.4 GB free, below the floor of 512 MB"))
    waits = {"state": "paused", "phase": None, "reason": "only 402 MB of disk are free"}
    health = {"findings": ["the policy's entropy fell by a third within five iterations"]}
    return {
        "healthy": ((120, 40), work),
        "paused": ((80, 24), {**work, **waits, "guards": paused, "free_disk_bytes": 402e6}),
        "alert": ((200, 60), {**work, "alerts": alerts, "guards": bad, "health": health}),
    }


def portable(svg: str) -> str:
    """The picture without fonts from the network: whatever the reader has of one width."""
    svg = re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.S)
    family = "'DejaVu Sans Mono', 'Fira Code', Menlo, Consolas, monospace"
    return re.sub(r"font-family:\s*Fira Code,\s*monospace", f"font-family: {family}", svg)


async def picture(run: Path, size: tuple[int, int]) -> str:
    """The dashboard of a run as SVG."""
    app = MonitorApp(run, run.parent)
    async with app.run_test(size=size) as pilot:
        await pilot.pause(0.3)
        return portable(app.export_screenshot(title="ludus monitor"))


@contextlib.contextmanager
def copied(run: Path) -> Iterator[Path]:
    """A copy named ``runs/<recipe>`` in a folder that is the working directory meanwhile."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        there = Path("runs") / "yatzy"
        source = run.resolve()
        try:
            os.chdir(folder)
            shutil.copytree(source, there)
            yield there
        finally:
            os.chdir(before)


def main() -> int:
    """Render all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path, help="a run that has trained for some iterations")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    asked = parser.parse_args()
    out = asked.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with copied(asked.run) as run:
        lock = RunLock.acquire(run)
        status = json.loads((run / "status.json").read_text(encoding="utf-8"))
        history = json.loads((run / "run.json").read_text(encoding="utf-8"))["iterations"]
        newest = next(one["selfplay"] for one in reversed(history) if one.get("finished_ms"))
        for name, (size, changes) in states(status, newest).items():
            (run / "status.json").write_text(json.dumps({**status, **changes}), encoding="utf-8")
            svg = asyncio.run(picture(run, size))
            (out / f"monitor-{name}.svg").write_text(svg, encoding="utf-8")
            sys.stderr.write(f"{out / f'monitor-{name}.svg'}: {size[0]}x{size[1]}\n")
        lock.release()
    return 0


if __name__ == "__main__":
    sys.exit(main())
