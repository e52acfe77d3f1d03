"""Pauses a training at many random moments, and measures how long each pause takes.

    python tools/pause_moments.py --recipe yatzy --pauses 100 [--quick] [--seed 1] [--run DIR]
    python tools/pause_moments.py --recipe alphazero --game examples/tictactoe.py:TicTacToe

Trains as the command line does (``ludus train``), asks for a pause by a file at a random moment of
each phase in turn, and measures the seconds from the request until the process has ended with exit
code 3 and the status on the disk is ``paused``. Then it goes on with the same run. Every second
pause is written by hand into ``control.signal``, the others are command files. After each one no
counter may be lower than what the status had shown before. Prints a table by phase; ends with 1
when a pause took 5 seconds or more, or anything was lost.

Each pause costs a start of the program (imports, opening the run) besides the work between.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from ludus.runs import Run, lock_holder, read_status, send_command

LIMIT_SECONDS = 5.0
PHASES = ("selfplay", "train", "gate", "evaluate")


@dataclass(frozen=True)
class Pause:
    """A pause that was asked for.

    Attributes:
        phase: in which the run stands paused.
        by_hand: whether it was written into ``control.signal``.
        seconds: from the request until the process had ended.
        start_seconds: from the start of the program until it worked.
        wrong: what was not as it must be; empty if all was well.
    """

    phase: str
    by_hand: bool
    seconds: float
    start_seconds: float
    wrong: str


class Moments:
    """One run, paused again and again."""

    def __init__(self, asked: argparse.Namespace, run: Path) -> None:
        """Prepare; `run` is a new folder."""
        self.asked = asked
        self.run = run
        self.random = random.Random(asked.seed)
        self.counters: dict[str, int] = {}
        self.pauses: list[Pause] = []

    def pause_once(self, number: int) -> Pause:
        """Start or go on, wait for a moment, ask, and measure."""
        options = ["--quick"] if self.asked.quick else []
        options += [] if self.asked.game is None else ["--game", self.asked.game]
        for one in self.asked.set:
            options += ["--set", one]
        begun = time.monotonic()
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "ludus.cli", "train", self.asked.recipe,
                 "--run", str(self.run), *options],
                stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1] / "src")},
            )  # fmt: skip
            try:
                return self._pause(process, number, begun)
            except EndedEarlyError as ended:
                said.seek(0)
                text = said.read()[-2000:].decode("utf-8", "replace")
                raise SystemExit(f"{ended}\n{text}") from None
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()

    def _pause(self, process: subprocess.Popen[bytes], number: int, begun: float) -> Pause:
        before = _incarnation(self.run)
        while True:  # what lies there before the run is taken would be cleared
            status = self._look(process, begun)
            if status.get("incarnation") != before and status.get("state") == "training":
                break
        start_seconds = time.monotonic() - begun
        wanted = PHASES[number % len(PHASES)]
        patience = time.monotonic() + self.asked.patience
        while status.get("phase") != wanted and time.monotonic() < patience:
            status = self._look(process, begun)
        moment = time.monotonic() + self.random.uniform(0.0, self.asked.spread)
        while time.monotonic() < moment:
            status = self._look(process, begun)
        seen = dict(status.get("counters") or {})
        by_hand = number % 2 == 1
        asked_at = time.monotonic()
        if by_hand:
            (self.run / "control.signal").write_text("PAUSE\n", encoding="ascii")
        else:
            send_command(self.run, "pause")
        try:
            code = process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            raise EndedEarlyError("asked to pause, the training still works after 120 s") from None
        seconds = time.monotonic() - asked_at
        run = Run.open(self.run, write=False)
        return Pause(
            str(run.manifest.progress.get("phase")),
            by_hand,
            round(seconds, 3),
            round(start_seconds, 3),
            self._wrong(code, seen, dict(run.manifest.counters)),
        )

    def _look(self, process: subprocess.Popen[bytes], begun: float) -> dict[str, Any]:
        """The status, after a moment."""
        if process.poll() is not None:
            raise EndedEarlyError(
                f"the training ended by itself with exit code {process.returncode}"
            )
        if time.monotonic() - begun > 600:
            raise EndedEarlyError("the training has not come to its moment within 10 minutes")
        time.sleep(0.01)
        return _status(self.run)

    def _wrong(self, code: int, seen: dict[str, int], now: dict[str, int]) -> str:
        """What is not as it must be after a pause."""
        wrong = []
        if code != 3:
            wrong.append(f"exit code {code}")
        if (state := _status(self.run).get("state")) != "paused":
            wrong.append(f"state {state}")
        if lock_holder(self.run) is not None:
            wrong.append("the run is still held")
        for name, value in {**self.counters, **seen}.items():
            least = max(value, self.counters.get(name, value))
            if now.get(name, 0) < least:
                wrong.append(f"{name} went from {least} to {now.get(name, 0)}")
        self.counters = now
        return ", ".join(wrong)


class EndedEarlyError(Exception):
    """The training did not get to its pause."""


def _status(run: Path) -> dict[str, Any]:
    return read_status(run) or {}


def _incarnation(run: Path) -> Any:
    return _status(run).get("incarnation")


def table(pauses: list[Pause]) -> str:
    """Seconds by phase, and over all."""
    lines = [f"{'phase':<10} {'pauses':>6} {'median s':>9} {'maximum s':>10}"]
    rows = [(phase, [one for one in pauses if one.phase == phase]) for phase in PHASES]
    rows += [("all", pauses)]
    for name, found in rows:
        seconds = [one.seconds for one in found]
        figures = f"{statistics.median(seconds):>9.2f} {max(seconds):>10.2f}" if seconds else ""
        lines.append(f"{name:<10} {len(found):>6} {figures}".rstrip())
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="yatzy")
    parser.add_argument("--game", help="of a recipe for any game: path.py:Class")
    parser.add_argument("--pauses", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="the preset quick")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--run", type=Path, help="a new run directory, which stays")
    parser.add_argument("--spread", type=float, default=0.8, help="most seconds into a phase")
    parser.add_argument("--patience", type=float, default=20.0, help="seconds to wait for a phase")
    parser.add_argument("--json", type=Path, help="write every pause here")
    parser.add_argument("set", nargs="*", help="further settings: section.key=value")
    asked = parser.parse_args()
    if asked.pauses < 1:
        parser.error(f"--pauses {asked.pauses} must be at least 1")
    if asked.run is not None and asked.run.exists():
        parser.error(f"--run {asked.run} exists: name a new folder")
    return asked


def main() -> int:
    """Pause, measure, judge; returns the exit code."""
    asked = arguments()
    work = Path(tempfile.mkdtemp(prefix="ludus-pauses-"))
    moments = Moments(asked, asked.run or work / "run")
    try:
        for number in range(asked.pauses):
            one = moments.pause_once(number)
            moments.pauses.append(one)
            wrong = f"  WRONG: {one.wrong}" if one.wrong else ""
            print(
                f"{number + 1:4} {one.phase:<9} {one.seconds:6.2f} s "
                f"(started in {one.start_seconds:.1f} s){wrong}",
                flush=True,
            )
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if asked.json is not None:
            asked.json.write_text(json.dumps([asdict(one) for one in moments.pauses], indent=1))
    longest = max(one.seconds for one in moments.pauses)
    bad = sum(bool(one.wrong) for one in moments.pauses)
    print(f"\n{table(moments.pauses)}\n")
    starts = statistics.median(one.start_seconds for one in moments.pauses)
    print(f"starting took {starts:.1f} s (median); {bad} pauses were wrong")
    print(f"maximum: {longest:.2f} s (limit {LIMIT_SECONDS:.0f} s)")
    return int(bad > 0 or longest >= LIMIT_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
