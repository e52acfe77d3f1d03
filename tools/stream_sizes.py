"""How much the logs of a run grow: a table for docs/metrics.md, computed from a real run.

python tools/stream_sizes.py runs/yatzy
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from ludus.runs import Run


def sizes(run: Path) -> dict[tuple[str, str], tuple[int, int]]:
    """Records and bytes by (log, event).

    Args:
        run: a run directory.
    """
    records: Counter[tuple[str, str]] = Counter()
    size: Counter[tuple[str, str]] = Counter()
    for path in sorted((run / "logs").glob("*.ndjson")):
        with path.open("rb") as file:
            for line in file:
                key = (path.stem, str(json.loads(line)["event"]))
                records[key] += 1
                size[key] += len(line)
    for path in (run / "logs").glob("training_*.log"):
        data = path.read_bytes()
        records["training_*.log", "line"] += data.count(b"\n")
        size["training_*.log", "line"] += len(data)
    history = json.dumps(Run.open(run, write=False).iterations)
    records["run.json", "iterations"] = len(Run.open(run, write=False).iterations)
    size["run.json", "iterations"] = len(history)
    return {key: (records[key], size[key]) for key in sorted(size)}


def table(run: Path) -> str:
    """The table in Markdown."""
    with Run.open(run, write=False) as opened:
        games = opened.counters["selfplay_games"]
        iterations = opened.counters["iterations"]
        seconds = opened.manifest.elapsed_seconds
    rows = [
        "| log | record | records | bytes each | bytes an iteration | bytes per 1,000 games |",
        "|---|---|---|---|---|---|",
    ]
    totals: Counter[str] = Counter()
    for (log, event), (records, size) in sizes(run).items():
        totals[log] += size
        rows.append(
            f"| {log} | {event} | {records} | {size / records:,.0f} | {size / iterations:,.0f} | "
            f"{1000 * size / games:,.0f} |"
        )
    rows.append("")
    rows.append(f"{games} games, {iterations} iterations, {seconds:.0f} s.")
    for log, size in totals.items():
        rows.append(f"{log}: {size:,} bytes, {size / seconds * 86400 / 1e6:.1f} MB a day")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.stdout.write(table(Path(sys.argv[1])) + "\n")
