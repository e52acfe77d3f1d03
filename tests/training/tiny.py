"""A training run of seconds, driven in this process or as the command."""

import os
import sys
from pathlib import Path

from ludus.runs import Run
from ludus.training.birth import open_session
from ludus.training.loop import Ending, Loop
from ludus.training.messages import Sender
from ludus.training.request import TrainRequest

SETTINGS = (
    "model.hidden_dim=32",
    "model.num_blocks=1",
    "search.budget=2",
    "search.budget_by_kind={mark: 4}",
    "selfplay.games_per_iteration=72",
    "selfplay.slots=128",
    "selfplay.group_size=64",
    "training.steps_per_iteration=8",
    "training.batch_size=64",
    "training.threads=1",
    "replay.games_per_shard=12",
    "replay.capacity_shards=8",
    "gating.max_pairs=24",
    "gating.simulations=2",
    "evaluation.every=2",
    "evaluation.pairs=4",
    "evaluation.simulations=2",
    "evaluation.solitaire_games=4",
    "evaluation.opponents=[first, random]",
    "runtime.unit_seconds=0.02",
    "runtime.backend=torch-f32",
    "run.commit_seconds=60",
)


class Crash(BaseException):
    """The process is gone: nothing after the last commit counts."""


def request(
    path: Path,
    *more: str,
    recipe: str = "yatzy",
    settings: tuple[str, ...] = SETTINGS,
    **options: object,
) -> TrainRequest:
    """A request for a tiny run; the run's own settings are only asked for at its birth."""
    if (path / "manifests").is_dir():
        settings = ()
    return TrainRequest.make(
        recipe, run=path, assignments=[*settings, *more], environment={}, **options
    )


def train(
    path: Path,
    *more: str,
    crash_at: int | None = None,
    commit_always: bool = False,
    act=None,
    notes: list[str] | None = None,
    **options: object,
) -> Ending | None:
    """Train in this process.

    Args:
        path: the run directory.
        more: further settings.
        crash_at: number of the unit after which everything is dropped without a commit; the
            answer is None then.
        commit_always: commit after every unit.
        act: called with the loop and the number of the unit, after each unit.
        notes: takes what is told to the user.
        options: of ``TrainRequest.make``, and recipe and settings of :func:`request`.
    """
    asked = request(path, *more, **options)
    session = open_session(asked, (lambda text: None) if notes is None else notes.append)
    units = 0

    def stop_asked() -> bool:
        nonlocal units
        units += 1
        if commit_always:
            session.run.cadence.seconds = 0.0
            session.run.cadence.share = 1.0
        if act is not None:
            act(loop, units)
        if crash_at is not None and units > crash_at:
            raise Crash
        return False

    loop = Loop(session, asked, Sender(None), stop_asked)
    try:
        return loop.run()
    except Crash:
        return None
    finally:
        session.run.close()


def digests(path: Path) -> dict[str, str]:
    """Digests of everything that a commit reaches and that must not depend on interruptions."""
    run = Run.open(path, write=False)
    objects = run.manifest.objects
    found = {name: ref.sha256 for name, ref in objects.items() if name != "iterations"}
    for ref in run.get_index(objects["replay"])[0]:
        found[ref.path] = ref.sha256
    return found


def command(*arguments: str) -> list[str]:
    """The command ``ludus`` with these arguments."""
    return [sys.executable, "-m", "ludus.cli", *arguments]


def environment() -> dict[str, str]:
    """For commands: nobody's settings, and a terminal that is none."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LUDUS_")}
