"""``ludus compare``: runs beside each other, as text, page or JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ludus.cli.output import note, print_json, printable, say, table
from ludus.cli.status import chosen_run


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare")(compare)


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Run directories.")],
    clock: Annotated[
        str, typer.Option("--clock", help="Of the curves: iterations, games or minutes.")
    ] = "iterations",
    output: Annotated[Path | None, typer.Option("--output", help="An .html file to write.")] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Compare runs of one game: settings that differ, figures, curves."""
    from ludus.errors import UserError
    from ludus.monitor.report.comparing import compare_document, render_comparison
    from ludus.runs import SaveError, replace_file

    if output is not None and output.is_dir():
        raise UserError(f"{output} is a folder: name a file with --output")
    document = compare_document([chosen_run(path) for path in runs], clock)
    if output is not None:
        try:
            page = render_comparison(document).encode("utf-8", "backslashreplace")
            replace_file(output, page, durable=False)
        except (SaveError, OSError) as error:
            raise UserError(f"the comparison cannot be written: {error}") from error
        note(f"wrote {output}")
    if json:
        print_json(document)
    elif output is None:
        _say(document)


def _say(document: Mapping[str, Any]) -> None:
    from ludus.monitor.report.charts import form_of
    from ludus.monitor.report.comparing import figure_text, title_of
    from ludus.monitor.report.words import settings_text, sparkline

    runs = document["runs"]
    names = [printable(run["name"]) for run in runs]
    keys = list(dict.fromkeys(key for run in runs for key in run["figures"]))
    rows = [
        ("recipe, seed", *(f"{run['recipe']}, {run['seed']}" for run in runs)),
        ("state", *(run["state"] for run in runs)),
    ]
    for key in keys:
        values = [run["figures"].get(key) for run in runs]
        shown = ["-" if value is None else figure_text(key, value) for value in values]
        rows.append((key.replace("_", " ").replace(":", " "), *shown))
    say(table(("figure", *names), rows))
    say()
    if document["settings"]:
        settings = [
            (row["key"], *(settings_text(value) for value in row["values"]))
            for row in document["settings"]
        ]
        say(table(("setting that differs", *names), settings))
    else:
        say("no setting differs")
    width = max(map(len, names))
    for key, curves in document["curves"].items():
        say(f"\n{printable(title_of(key))}, over {document['clock']}")
        for name, curve in zip(names, curves, strict=True):
            if curve is not None:
                first, last = form_of(key)(curve["y"][0]), form_of(key)(curve["y"][-1])
                say(f"  {name:<{width}}  {sparkline(curve['y']):<32}  {first} to {last}")
    for sentence in document["notes"]:
        note(printable(sentence))
