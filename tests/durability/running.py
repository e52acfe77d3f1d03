"""Runs experiments, two at a time where time is not measured, and prints the table."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.durability.experiment import FULL_MINUTES, Budget, Experiment, Outcome, upper_bound
from tests.durability.places import ROOT, environment, module_command
from tests.durability.suite import EXPERIMENTS

KINDS = ("lost", "torn", "code", "other")

Row = dict[str, Any]


def arguments(words: list[str]) -> argparse.Namespace:
    """What was asked for."""
    names = [experiment.name for experiment in EXPERIMENTS]
    parser = argparse.ArgumentParser(
        prog="ludus test durability",
        description="Try to make runs lose what they committed, and count.",
        epilog="Experiments: "
        + "; ".join(f"{experiment.name} ({experiment.proves})" for experiment in EXPERIMENTS),
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="experiments; all by default")
    parser.add_argument(
        "--budget",
        type=float,
        default=10.0,
        metavar="MINUTES",
        help="scales every count; 60 is the whole suite on two cores, 10 the default",
    )
    parser.add_argument("--seed", type=int, default=1, help="of all random choices")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at a time")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary one by default")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    asked = parser.parse_args(words)
    unknown = [name for name in asked.names if name not in names]
    if unknown:
        parser.error(f"there is no experiment {unknown[0]}; there are {', '.join(names)}")
    if not 0 < asked.budget <= 10_000:
        parser.error(f"--budget {asked.budget:g} must be above 0 and at most 10000 minutes")
    if asked.jobs < 1:
        parser.error(f"--jobs {asked.jobs} must be at least 1")
    if asked.folder is not None and not asked.folder.is_dir():
        parser.error(f"--folder {asked.folder} is not a folder")
    return asked


def hear_signals() -> None:
    """Let children be told to end, also where whoever started this ignores it (nohup, a shell's &).

    A signal that is ignored stays so in children; one with a handler is theirs to meet.
    """
    for number in (signal.SIGHUP, signal.SIGINT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def try_one(experiment: Experiment, minutes: float, seed: int, where: Path | None) -> Row:
    """Run an experiment in this process."""
    row: Row = {"name": experiment.name, "proves": experiment.proves}
    missing = experiment.missing()
    if missing is not None:
        return {**row, "skipped": missing}
    hear_signals()
    folder = Path(tempfile.mkdtemp(prefix="ludus-durability-", dir=where))
    began = time.monotonic()
    try:
        outcome = experiment.run(Budget(minutes, seed, folder))
    except Exception:  # noqa: BLE001 - one broken experiment must not hide the others
        outcome = Outcome("trials")
        outcome.failures["other"] += 1
        outcome.said.append("broke: " + traceback.format_exc())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found = asdict(outcome)
    found["parts_skipped"] = found.pop("skipped")
    return {
        **row,
        **found,
        "failures": {kind: outcome.failures[kind] for kind in KINDS},
        "upper_95": upper_bound(outcome.failed, outcome.trials),
        "seconds": time.monotonic() - began,
    }


def in_a_process(experiment: Experiment, asked: argparse.Namespace) -> Row:
    """Run an experiment in a process of its own, so that none can disturb another."""
    words = [experiment.name, "--budget", str(asked.budget), "--seed", str(asked.seed), "--json"]
    if asked.folder is not None:
        words += ["--folder", str(asked.folder)]
    done = subprocess.run(
        module_command("tests.durability", *words),
        env=environment(),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    try:
        row: Row = json.loads(done.stdout)["experiments"][0]
    except (ValueError, LookupError):
        row = {
            "name": experiment.name,
            "proves": experiment.proves,
            "unit": "trials",
            "trials": 0,
            "failures": {**dict.fromkeys(KINDS, 0), "other": 1},
            "said": [f"broke: its process ended with {done.returncode}"],
            "figures": {},
            "parts_skipped": [],
            "upper_95": 1.0,
            "seconds": 0.0,
        }
    tell(row)
    return row


def tell(row: Row) -> None:
    """A line on stderr as soon as an experiment is over."""
    if row.get("skipped"):
        said = f"skipped: {row['skipped']}"
    else:
        said = f"{row['trials']:,} {row['unit']}, {sum(row['failures'].values())} failed, "
        said += f"{row['seconds']:.0f} s"
    print(f"{row['name']}: {said}", file=sys.stderr, flush=True)
    for sentence in row.get("said", ()):
        print(f"{row['name']}: FAILED: {sentence}", file=sys.stderr, flush=True)


def run_all(chosen: list[Experiment], asked: argparse.Namespace) -> list[Row]:
    """Those that may run beside others first, with the longest ahead; then the others by turns."""
    if len(chosen) == 1:
        return [try_one(chosen[0], asked.budget, asked.seed, asked.folder)]
    rows: dict[str, Row] = {}
    together = [experiment for experiment in chosen if not experiment.alone]
    together.sort(key=lambda experiment: experiment.name != "teeth")
    with ThreadPoolExecutor(asked.jobs) as pool:
        for row in pool.map(lambda experiment: in_a_process(experiment, asked), together):
            rows[row["name"]] = row
    for experiment in chosen:
        if experiment.alone:
            rows[experiment.name] = in_a_process(experiment, asked)
    return [rows[experiment.name] for experiment in chosen]


def table(rows: list[Row]) -> str:
    """The table of figures."""
    head = ("experiment", "trials", "lost", "torn", "code", "other", "rate below", "s")
    lines = [head]
    for row in rows:
        if row.get("skipped"):
            lines.append((row["name"], "skipped", "", "", "", "", "", ""))
            continue
        lines.append(
            (
                row["name"],
                f"{row['trials']:,} {row['unit']}",
                *(str(row["failures"][kind]) for kind in KINDS),
                f"{row['upper_95']:.2g}",
                f"{row['seconds']:.0f}",
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    text.append("(rate below: upper 95 % bound of the rate of failure)")
    for row in rows:
        for figure, value in row.get("figures", {}).items():
            shown = f"{value:.4g}" if isinstance(value, float) else value
            text.append(f"{row['name']}: {figure}: {shown}")
        if row.get("skipped"):
            text.append(f"{row['name']}: skipped: {row['skipped']}")
        text += [f"{row['name']}: skipped: {why}" for why in row.get("parts_skipped", ())]
        text += [f"{row['name']}: FAILED: {said}" for said in row.get("said", ())]
    return "\n".join(text)


def main(words: list[str]) -> int:
    """Run what was asked for; 0 if nothing failed, 1 if something did, 2 for a wrong command."""
    asked = arguments(words)
    chosen = [e for e in EXPERIMENTS if not asked.names or e.name in asked.names]
    began = time.monotonic()
    rows = run_all(chosen, asked)
    if asked.json:
        report = {
            "schema": "ludus_durability_v1",
            "budget_minutes": asked.budget,
            "full_minutes": FULL_MINUTES,
            "seed": asked.seed,
            "cores": os.cpu_count(),
            "seconds": time.monotonic() - began,
            "experiments": rows,
        }
        print(json.dumps(report, indent=1))
    else:
        print(table(rows))
        print(f"{time.monotonic() - began:.0f} s, budget {asked.budget:g} min, seed {asked.seed}")
    return 1 if any(sum(row.get("failures", {}).values()) for row in rows) else 0
