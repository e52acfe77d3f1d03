"""``ludus export``: the network of a run as an ONNX model, for programs that are not Ludus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ludus.cli.output import say
from ludus.cli.status import RUN_OPTION, chosen_run


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    argument: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="Run directory.", show_default=False)
    ] = None,
    target: Annotated[
        Path | None, typer.Argument(help="Where to; MODEL.onnx in this folder by default.")
    ] = None,
    run: Annotated[Path | None, RUN_OPTION] = None,
    model: Annotated[
        str, typer.Option(help="champion, candidate, first, a unit's number, or a file of models/.")
    ] = "champion",
    rows: Annotated[int, typer.Option(min=1, max=65536, help="Rows of a batch.")] = 64,
) -> None:
    """Write a run's network as an ONNX model of one batch size, with what its columns mean."""
    import json

    from ludus.errors import RunError, UserError
    from ludus.nets import describe
    from ludus.players.search import load_network
    from ludus.runs import Run
    from ludus.runs.objects import replace_file
    from ludus.training.plays import game_of_run

    path = chosen_run(run, argument)
    entry = game_of_run(Run.open(path, write=False))
    where = target or Path(f"{entry.name}-{model}.onnx")
    if where.suffix != ".onnx":
        raise UserError(f"{where} must end in .onnx")
    if where.exists():
        raise RunError(f"{where} exists: name another target")
    net, _ = load_network(entry.rules, path, model)
    actions, seats = net.num_actions, net.value_columns
    margins = actions + seats
    about = {
        **describe(net, entry.rules),
        "input": {"name": "observations", "shape": [rows, net.num_inputs], "dtype": "float32"},
        "output": {"name": "fused", "shape": [rows, net.columns], "dtype": "float32"},
        "columns": {
            "policy logits, one an action; softmax over the legal ones": [0, actions],
            "values before tanh, in [-1, 1] after it, the seat to move first": [actions, margins],
            "margins before tanh, likewise": [margins, margins + seats * net.spec.margin],
        },
    }
    replace_file(where, net.to_onnx(rows), durable=False)
    neighbour = where.with_suffix(".json")
    replace_file(neighbour, (json.dumps(about, indent=1) + "\n").encode(), durable=False)
    say(f"{where} ({rows} rows) and {neighbour}, which says what goes in and comes out")
