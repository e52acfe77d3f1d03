"""Real trainings of seconds, as commands: how they are started, watched and found by process id."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.durability.places import environment, ludus_command
from tests.testing.processes import of_session
from tests.training.tiny import SETTINGS as YATZY
from tests.training.tiny import digests as digests_of_replay
from tests.training.tiny import train

from ludus.errors import LudusError
from ludus.runs import Run, layout, read_manifest, read_status

PATTERNS = """edge: a1 b1 c1 d1
corner: a1 b1 a2 b2
row: c3 d3 e3 f3
"""
"""Small tables: a commit of the standard ones writes 40 MB, which hides all other phases."""

BLOB = (
    "model.hidden_dim=32",
    "model.num_blocks=1",
    "search.budget=3",
    "selfplay.games_per_iteration=32",
    "selfplay.slots=64",
    "selfplay.group_size=64",
    "training.steps_per_iteration=12",
    "training.batch_size=32",
    "training.threads=1",
    "replay.games_per_shard=16",
    "gating.deals=4",
    "gating.simulations=1",
    "gating.rows=64",
    "evaluation.every=2",
    "evaluation.deals=8",
    "evaluation.worlds=2",
    "evaluation.simulations=1",
    "evaluation.opponents=[first, random]",
    "runtime.unit_seconds=0.02",
    "runtime.backend=torch-f32",
    "run.commit_seconds=0.5",
)


_WITHOUT_REPORT = """
import sys
import ludus.monitor.after
ludus.monitor.after.after_training = lambda *words: None
from ludus.cli.main import main
sys.exit(main())
"""
"""``ludus`` without the report at the end of a training, which takes longer than all the rest."""


@dataclass(frozen=True)
class Recipe:
    """A training of seconds.

    Attributes:
        name: of the recipe of Ludus.
        settings: assignments of its birth.
        limit: its end, as an option and its value.
        torch: whether it loads torch.
    """

    name: str
    settings: tuple[str, ...]
    limit: tuple[str, float]
    torch: bool = True

    def words(self, path: Path, *more: str) -> list[str]:
        """Arguments of ``ludus``; the settings are asked for at the birth alone."""
        born = any((path / layout.MANIFESTS).glob("0*.json"))
        asked = [*(() if born else self.settings), *more]
        options = [word for text in asked for word in ("--set", text)]
        option, value = self.limit
        return ["train", self.name, "--run", str(path), f"--{option}", str(value), *options]

    def undisturbed(self, path: Path, *more: str) -> dict[str, str]:
        """Digests of a training that nobody touches, in this process and with one lane."""
        asked = (*more, "runtime.lanes=1")
        option, value = self.limit
        options = {option: value}
        assert train(path, *asked, recipe=self.name, settings=self.settings, **options) is not None
        return digests(path)


def othello(folder: Path, *, games: int = 24_000, iteration: int = 6000) -> Recipe:
    """Small pattern tables; the file of patterns is written to the folder."""
    patterns = folder / "patterns.txt"
    patterns.write_text(PATTERNS)
    settings = (
        f"selfplay.games_per_iteration={iteration}",
        f"td.patterns={patterns}",
        "td.batch_games=100",
        "td.average_every=1000",
        "evaluation.pairs=20",
        "evaluation.opponents=[first, previous, random]",
        "metrics.game_stats_every=1000",
        "metrics.game_details_every=2000",
        "runtime.unit_seconds=0.02",
        "run.commit_seconds=0.5",
        "run.checkpoint_every=2",
    )
    return Recipe("othello", settings, ("games", games), torch=False)


def yatzy(folder: Path) -> Recipe:
    """A network of nothing, with replay, gates and evaluations."""
    settings = (*YATZY[:-1], "search.budget_by_kind.mark=8", "run.commit_seconds=0.5")
    return Recipe("yatzy", settings, ("iterations", 2))


def blob(folder: Path) -> Recipe:
    """The same with hidden cards, deals and playout growth."""
    return Recipe("blob", BLOB, ("iterations", 3))


def digests(path: Path) -> dict[str, str]:
    """Digests of all that a run has learned and kept."""
    objects = Run.open(path, write=False).manifest.objects
    if "replay" in objects:
        return digests_of_replay(path)
    return {name: ref.sha256 for name, ref in objects.items() if name != "iterations"}


class Command:
    """A ``ludus train`` that was started here, in a session of its own."""

    def __init__(
        self,
        words: Sequence[str],
        said: Path,
        *,
        before: Sequence[str] = (),
        report: bool = True,
        **more: str,
    ):
        """Start it.

        Args:
            words: arguments of ``ludus``.
            said: what it says is appended to this file.
            before: a command that starts it, such as strace.
            report: whether it is the whole command; else no report is written at the end.
            more: variables of its environment.
        """
        start = [] if report else [sys.executable, "-c", _WITHOUT_REPORT]
        with said.open("ab") as file:
            self.process = subprocess.Popen(
                [*before, *(start or ludus_command()), *words],
                env=environment(**more),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self.said = said

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    def trainer(self) -> int | None:
        """Its process that trains now."""
        return child_of(self.process.pid, b"ludus.training.trainer")

    def left(self) -> list[int]:
        """Its processes that are still there."""
        return of_session(self.process.pid)

    def end(self, *, seconds: float = 10.0) -> None:
        """Kill all that is left of it."""
        deadline = time.monotonic() + seconds
        while (left := self.left()) and time.monotonic() < deadline:
            for pid in left:
                kill(pid, signal.SIGKILL)
            self.process.poll()
            time.sleep(0.01)
        self.process.wait()

    def text(self) -> str:
        """What it has said, its last words."""
        return self.said.read_text(errors="replace")[-400:].strip()


def run_quietly(words: Sequence[str]) -> int:
    """Run a command to its end; its exit code."""
    return subprocess.run(words, env=environment(), capture_output=True, check=False).returncode


def child_of(parent: int, word: bytes) -> int | None:
    """The child of a process whose command line has the word."""
    try:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    except OSError:
        return None
    for child in children:
        try:
            if word in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
        except OSError:
            continue
    return None


def kill(pid: int, number: signal.Signals) -> bool:
    """Send a signal; whether somebody was there."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def gone(pid: int) -> bool:
    """Whether a process is a zombie or no more."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"


def newest(path: Path) -> int:
    """Number of the newest manifest; 0 without one."""
    return max(layout.manifest_numbers(path), default=0) if path.is_dir() else 0


def ended(path: Path, number: int) -> bool:
    """Whether commit `number` says that the run has reached its limit."""
    try:
        manifest = read_manifest(path / layout.MANIFESTS / f"{number:06d}.json")
    except (OSError, LudusError):
        return False
    return manifest.progress.get("left") == "done"


def at_work(path: Path, trainer: int | None) -> bool:
    """Whether this trainer has told that it trains."""
    status = read_status(path) or {}
    return trainer is not None and status.get("pid") == trainer and status["state"] == "training"


def wait_for(what: object, *, seconds: float = 60.0, pause: float = 0.005) -> bool:
    """Wait until ``what()`` is true; whether it became so."""
    assert callable(what)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(pause)
    return bool(what())


def moment(path: Path) -> str:
    """Where a run was killed: a phase, ``commit``, ``start`` (nobody had begun), ``end``.

    Every phase begins with a commit, so the newest manifest says which it was. Files that no
    commit reaches yet tell of a commit in progress.
    """
    number = newest(path)
    if not number:
        return "start"
    file = path / layout.MANIFESTS / f"{number:06d}.json"
    try:
        manifest, made = read_manifest(file), file.stat().st_mtime_ns
    except (OSError, LudusError):
        return "commit"
    for folder in ("state", "models", "replay", "manifests", "checkpoints/cache"):
        for entry in (path / folder).glob("*"):
            try:
                if entry.suffix == ".tmp" or entry.stat().st_mtime_ns > made:
                    return "commit"
            except OSError:
                return "commit"
    if not manifest.progress:
        return "start"
    return "end" if manifest.progress.get("left") == "done" else str(manifest.progress["phase"])
