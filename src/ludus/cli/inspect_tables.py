"""``ludus inspect pattern`` and ``ludus inspect updates``: looking into pattern tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ludus.cli.output import note, print_json, say, table
from ludus.cli.status import chosen_run
from ludus.errors import UserError

Source = Annotated[
    Path,
    typer.Argument(
        metavar="RUN", help="Run directory, or its name below runs/; a checkpoint or model file."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


def _source(where: Path) -> Path:
    return where if where.is_file() else chosen_run(where)


def pattern(
    source: Source,
    number: Annotated[
        int | None, typer.Argument(metavar="[N]", help="Of the pattern; without it all are listed.")
    ] = None,
    position: Annotated[
        str | None,
        typer.Option(
            "--position", help="64 squares a1, b1, ... as X, O and -, and the side to move."
        ),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", help="Of a run: champion, first or a number of games.")
    ] = "champion",
    json: Json = False,
) -> None:
    """Draw a pattern on a board; for a position its indices and weights."""
    from ludus.evaluators.tables import TableEvaluator
    from ludus.games.othello_position import SQUARES, parse_position
    from ludus.monitor.inspect.patterns import pattern_document, pattern_text

    evaluator = TableEvaluator(_source(source), model)
    if number is None:
        if json:
            print_json(evaluator.describe())
            return
        rows = [
            (
                each,
                one["name"],
                len(one["placements"]),
                one["contents"],
                " ".join(SQUARES[square] for square in one["placements"][0]),
            )
            for each, one in enumerate(evaluator.describe())
        ]
        say(table(("pattern", "name", "placements", "contents", "squares"), rows))
        return
    state = None if position is None else parse_position(position)
    if json:
        print_json(pattern_document(evaluator.tables, number, state))
    else:
        say(pattern_text(evaluator.tables, number, state))


def updates(
    source: Source,
    moves: Annotated[
        str | None, typer.Argument(metavar="[MOVES]", help="A whole game: f5d6c3d3c4...")
    ] = None,
    game: Annotated[
        int | None, typer.Option("--game", help="A game that the run has kept instead.")
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", help="Write targets and errors to a new file; of all kept games."),
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="Weights that are shown.")] = 20,
    json: Json = False,
) -> None:
    """Show what TD(lambda) makes of a game: targets, errors, and each weight before and after.

    The step is that of a batch of this game alone, from the newest commit or the checkpoint;
    nothing is changed.
    """
    from ludus.monitor.inspect.learned_csv import export_moves
    from ludus.monitor.inspect.learning import learner_of, replay_updates, trace_text, updates_text
    from ludus.monitor.inspect.sampled import sampled_game, sampled_games

    path = _source(source)
    if path.is_file() and path.suffix != ".ckpt":
        raise UserError(f"{path} has no learner: give a run or a checkpoint (.ckpt)")
    if moves is not None and game is not None:
        raise UserError("give the moves of a game or --game N, not both")
    if moves is None and path.is_file():
        raise UserError(f"give the moves of a game: {path} is a file, which keeps no games")
    kept: dict[int, str | Sequence[int]]
    if moves is not None:
        kept = {0: moves}
    elif game is not None:
        kept = {game: sampled_game(path, game).actions}
    elif csv is not None:
        kept = dict(sampled_games(path))
    else:
        raise UserError("give the moves of a game, or --game N for one that the run has kept")
    if csv is not None:
        note(f"{export_moves(learner_of(path), list(kept.values()), csv, numbers=list(kept))} rows")
        say(str(csv))
        return
    (played,) = kept.values()
    trace, found = replay_updates(path, played)
    if json:
        print_json(
            {
                "difference": trace.difference,
                "moves": [asdict(one) for one in trace.moves],
                "updates": [asdict(one) for one in found],
            }
        )
    else:
        say(trace_text(trace))
        say("")
        say(updates_text(found, top))
