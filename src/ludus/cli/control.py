"""``ludus pause | resume | stop | save | set``: commands to a run that is being trained."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ludus.cli.finishing import train_and_report
from ludus.cli.output import note
from ludus.cli.status import RUN_OPTION, chosen_run

if TYPE_CHECKING:
    from ludus.training.states import Word

_WAIT_SECONDS = 10.0

Argument = Annotated[
    Path | None, typer.Argument(metavar="[RUN]", help="Run directory.", show_default=False)
]
Run = Annotated[Path | None, RUN_OPTION]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("pause")(pause)
    app.command("resume")(resume)
    app.command("stop")(stop)
    app.command("save")(save)
    app.command("set")(set_value)


def _send(path: Path, name: Word, **args: object) -> None:
    """Leave a command for the trainer of a run.

    Raises:
        RunError: nobody trains it.
    """
    from ludus.errors import RunError
    from ludus.runs import lock_holder, send_command
    from ludus.training.states import refusal

    reason = refusal(name, lock_holder(path) is not None, str(path))
    if reason is not None:
        raise RunError(reason)
    send_command(path, name, **args)


def _wait_for_end(path: Path, what: str) -> None:
    """Wait until the trainer has let go of the run, and say so."""
    from ludus.runs import lock_holder

    end = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < end:
        if lock_holder(path) is None:
            note(f"{path} is {what}")
            return
        time.sleep(0.1)
    note(f"{path} has not answered within {_WAIT_SECONDS:.0f} s; it still will")


def pause(
    argument: Argument = None,
    run: Run = None,
    at: Annotated[
        str | None, typer.Option("--at", help="'iteration': at the end of the iteration.")
    ] = None,
) -> None:
    """Commit and end a training; `ludus resume` goes on."""
    from ludus.errors import UserError

    if at not in (None, "iteration"):
        raise UserError(f"--at {at!r} must be 'iteration'")
    path = chosen_run(run, argument)
    if at:
        _send(path, "pause", at=at)
        note(f"{path} will pause at the end of its iteration")
        return
    _send(path, "pause")
    _wait_for_end(path, f"paused; go on with: ludus resume --run {path}")


def resume(argument: Argument = None, run: Run = None) -> int:
    """Go on with a run: signal its trainer, or start one."""
    from ludus.runs import lock_holder, send_command
    from ludus.training.request import TrainRequest

    path = chosen_run(run, argument)
    if lock_holder(path) is not None:
        send_command(path, "resume")
        note(f"told the trainer of {path} to go on")
        return 0
    return train_and_report(TrainRequest.resume(path))


def stop(argument: Argument = None, run: Run = None) -> None:
    """Commit and end a training."""
    path = chosen_run(run, argument)
    _send(path, "stop")
    _wait_for_end(path, "stopped")


def save(argument: Argument = None, run: Run = None) -> None:
    """Commit now and write a checkpoint that stays."""
    path = chosen_run(run, argument)
    _send(path, "save")
    note(f"told the trainer of {path} to save; see: ludus checkpoint list --run {path}")


def set_value(
    assignment: Annotated[str, typer.Argument(help="section.key=value")],
    run: Run = None,
) -> None:
    """Change a setting of a run while it trains."""
    from ludus.runs import Run as RunDirectory
    from ludus.training.changing import apply_changes
    from ludus.training.layers import parse_assignment, require_changeable
    from ludus.training.request import current_settings

    path = chosen_run(run)
    key, _, value = assignment.partition("=")
    given = parse_assignment(assignment, "setting")
    require_changeable(given, str(path))
    known = current_settings(RunDirectory.open(path, write=False), coming=True)
    apply_changes(known, {name: one.value for name, one in given.items()})  # refused here and now
    _send(path, "set", key=key.strip(), value=value.strip())
    note(f"told the trainer of {path}: {assignment}")
