"""``ludus report``: a run as one HTML page and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ludus.cli.output import note, print_json, printable, say
from ludus.cli.status import RUN_OPTION, chosen_run


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    argument: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="Run directory.", show_default=False)
    ] = None,
    run: Annotated[Path | None, RUN_OPTION] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", help="Folder for the files; reports/ of the run by default."),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the document instead; nothing is written.")
    ] = False,
    open_path_only: Annotated[
        bool, typer.Option("--open-path-only", help="Print only where the page is.")
    ] = False,
) -> None:
    """Write a report of a run: one HTML page, metrics.json and tables.

    The run may be training, paused or killed: it is only read. Reports lie in its folder
    reports/, the newest one by the name reports/latest.
    """
    from ludus.errors import UserError

    if json and (output is not None or open_path_only):
        raise UserError("--json prints the document and writes no file: leave the other out")
    path = _chosen(run, argument)
    from ludus.monitor.report import read_run, report_document, write_report

    if json:
        print_json(report_document(read_run(path)))
        return
    if output is not None and output.exists() and not output.is_dir():
        raise UserError(f"{output} is a file: name a folder with --output")
    written = write_report(path, output)
    if open_path_only:
        say(str(written.page))
        return
    say(printable(written.document["headline"]))
    say(printable(written.document["outcome"]))
    say(f"report: {written.page}")
    for sentence in written.notes:
        note(sentence)


def _chosen(run: Path | None, argument: Path | None) -> Path:
    """The run; a folder of its reports means it too (``runs/yatzy/reports/latest``)."""
    from ludus.runs import is_run

    path = argument or run
    if path is not None and (run is None or argument is None) and path.exists():
        for parent in path.absolute().parents[:2]:
            if not is_run(path) and is_run(parent):
                return parent
    return chosen_run(run, argument)
