"""``ludus metrics``: figures of runs for Prometheus."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from ludus.cli.output import note
from ludus.cli.status import RUN_OPTION, chosen_run


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("metrics")(metrics)


def metrics(
    argument: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RUN]", help="Run directory, or a folder of runs.", show_default=False
        ),
    ] = None,
    run: Annotated[Path | None, RUN_OPTION] = None,
    port: Annotated[int, typer.Option("--port", help="0 takes any free one.")] = 8000,
    address: Annotated[
        str, typer.Option("--address", help="To listen on; not 127.0.0.1 needs a token.")
    ] = "127.0.0.1",
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file", help="File with the token that askers need; or LUDUS_METRICS_TOKEN."
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Print the metrics and end.")] = False,
) -> None:
    """Serve a run's figures at /metrics for Prometheus, from its directory alone.

    Works on a run that trains, that has ended, or that was copied from elsewhere. Ctrl-C ends it.
    """
    from ludus.monitor.exporters.prometheus import Exporter
    from ludus.monitor.exporters.server import MetricsServer
    from ludus.runs import list_runs

    if run is None and argument is not None and argument.is_dir() and list_runs(argument):
        path = argument
    else:
        path = chosen_run(run, argument)
    exporter = Exporter(path)
    if once:
        sys.stdout.write(exporter.text().decode())
        return
    server = MetricsServer(exporter.text, address=address, port=port, token=_token(token_file))
    server.start()
    note(f"ludus: metrics of {path} at {server.url} (Ctrl-C ends it)")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        note("ludus: stopped")
    finally:
        server.stop()


def _token(file: Path | None) -> str | None:
    from ludus.errors import UserError

    if file is None:
        return os.environ.get("LUDUS_METRICS_TOKEN") or None
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise UserError(f"--token-file {file} cannot be read: {error}") from None
    if not token:
        raise UserError(f"--token-file {file} is empty: put a token into it")
    return token
