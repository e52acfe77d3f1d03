"""``ludus monitor``: watch a run in the terminal, and steer it by keys."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

EPILOG = (
    "Keys: p pause, r resume, s stop, c save a checkpoint, e settings, o runs, Tab next panel, "
    "Enter one panel alone, ? help, q quit. For Unix terminals, also over SSH and in tmux; on "
    "Windows use WSL. Examples: `ludus monitor`; `ludus monitor runs/yatzy --refresh-interval 2`; "
    "`watch -n 10 ludus monitor runs/yatzy --once`."
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("monitor", epilog=EPILOG)(monitor)


def monitor(
    argument: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="Run directory.", show_default=False)
    ] = None,
    run: Annotated[Path | None, typer.Option("--run", help="The same as RUN.")] = None,
    root: Annotated[
        Path, typer.Option("--root", help="Folder of runs to choose from, without RUN.")
    ] = Path("runs"),
    refresh_interval: Annotated[
        float, typer.Option("--refresh-interval", help="Seconds between two looks at the run.")
    ] = 5.0,
    once: Annotated[bool, typer.Option("--once", help="Print one frame as text, and end.")] = False,
) -> int:
    """Watch a run in the terminal; the training does not notice, and goes on when you leave.

    Needs nothing but the run's directory, so it works while a training runs, after it, and through
    a mounted directory of another machine. Without RUN it lets you choose, and make new runs.
    """
    from ludus.errors import LudusError, UserError

    if not 0.1 <= refresh_interval <= 3600:
        raise UserError(f"--refresh-interval {refresh_interval:g} must be from 0.1 to 3600 seconds")
    path = _place(run, argument, root, once)
    if once:
        from ludus.monitor.tui.once import print_frame
        from ludus.monitor.view import RunReader

        assert path is not None
        print_frame(RunReader(path).look())
        return 0
    try:
        import termios  # noqa: F401 - only whether it is there
    except ImportError:
        raise LudusError(
            "the monitor needs a Unix terminal: on Windows, run Ludus in WSL; "
            "--once prints one frame anywhere"
        ) from None
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise UserError("the monitor needs a terminal; --once prints one frame as text")
    from ludus.monitor.tui.app import run_app

    return run_app(path, root, refresh_interval)


def _place(run: Path | None, argument: Path | None, root: Path, once: bool) -> Path | None:
    """The directory to watch; None to choose one on the screen.

    Raises:
        UserError: it is named twice, or is no run and none can be made there.
    """
    from ludus.cli.status import chosen_run
    from ludus.errors import UserError
    from ludus.runs import list_runs

    if run is not None and argument is not None:
        raise UserError(f"the run is named twice: {argument} and --run {run}")
    path = run or argument
    if path is None:
        if once and root == Path("runs"):
            return chosen_run(None)
        found = [one.path for one in list_runs(root)]
        if once and not found:
            raise UserError(f"there is no run in {root}: name one, or train one first")
        return found[0] if once or len(found) == 1 else None
    if not path.exists() and path.parent == Path() and (root / path).is_dir():
        path = root / path
    _require_place(path)
    return path


def _require_place(path: Path) -> None:
    """A run, or a place where a run is being born or can be made.

    Raises:
        RunError: it is something else.
    """
    from ludus.runs import is_run, require_run

    if not path.exists():
        return
    if path.is_dir() and not is_run(path):
        inside = {entry.name for entry in path.iterdir()}
        if not inside or inside & {"manifests", "run.lock", "config.draft.yaml"}:
            return
    require_run(path)
