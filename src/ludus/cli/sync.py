"""``ludus sync``: a run's metrics to TensorBoard, W&B or Braintrust."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ludus.cli.output import note, say
from ludus.cli.status import RUN_OPTION, chosen_run


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sync")(sync)


def sync(
    sink: Annotated[str, typer.Argument(help="tensorboard, wandb or braintrust.")],
    argument: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="Run directory.", show_default=False)
    ] = None,
    run: Annotated[Path | None, RUN_OPTION] = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Folder for its files; RUN/reports/SINK by default."),
    ] = None,
    project: Annotated[
        str | None, typer.Option("--project", help="Project of W&B or Braintrust.")
    ] = None,
    artifacts: Annotated[
        bool, typer.Option("--artifacts", help="Send checkpoints too (wandb).")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until the run's trainer ends, or Ctrl-C.")
    ] = False,
    every: Annotated[float, typer.Option("--every", help="Seconds between two looks.")] = 10.0,
) -> int:
    """Send what is new in a run to a sink; again, and only what is new since is sent.

    Needs nothing but the run's directory: it works while the run trains, after its end, and on a
    copy elsewhere.
    """
    from ludus.errors import UserError
    from ludus.monitor.exporters.base import make_sink
    from ludus.monitor.exporters.feed import Feed, default_target, sentence
    from ludus.runs import lock_holder

    if not 0.1 <= every <= 3600:
        raise UserError(f"--every {every:g} must be 0.1 to 3600 seconds")
    path = chosen_run(run, argument)
    target = to or default_target(path, sink)
    try:
        with Feed(
            path, make_sink(sink, target, project=project), sink, target, artifacts=artifacts
        ) as feed:
            try:
                while True:
                    working = follow and lock_holder(path) is not None
                    feed.poll()
                    if not working:
                        break
                    time.sleep(every)
            except KeyboardInterrupt:
                note("ludus: stopped; the same command goes on")
            again = f", after {feed.rewinds} cuts of its log" if feed.rewinds else ""
            say(f"{sink}: {feed.sent} new records of {path}{again}; kept in {target}")
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a service's library raises
        note(f"ludus: {sink} failed: {sentence(error)}; the same command goes on")
        return 1
    return 0
