"""``ludus oracle othello solve | test``: exact endgames, and the published test set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ludus.cli.output import print_json, say, table
from ludus.errors import UserError

if TYPE_CHECKING:
    from ludus import _core

MOST_EMPTY = 30
"""Empty squares up to which a position is taken: hours, and more beyond."""

Tables = Annotated[
    str | None,
    typer.Option(
        "--tables",
        help="A run, checkpoint or file of pattern tables that puts moves in order: faster, and "
        "the same answers.",
    ),
]
Threads = Annotated[int, typer.Option("--threads", help="Of the search, 1 to 64.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def commands() -> typer.Typer:
    """The commands."""
    othello = typer.Typer(
        help="Othello endgames with best play of both sides.",
        no_args_is_help=True,
        add_completion=False,
    )
    othello.command("solve")(solve)
    othello.command("test")(check)
    return othello


def solve(
    position: Annotated[
        str, typer.Option("--position", help="64 squares a1 to h8 (X, O, -) and the side to move.")
    ],
    tables: Tables = None,
    threads: Threads = 1,
    as_json: Json = False,
) -> None:
    """The exact score of a position, and best play to the end of the game."""
    from ludus.games.othello_position import SIDES, Discs, parse_position
    from ludus.games.othello_search import OthelloSearch

    state = parse_position(position)
    discs = Discs.of(state)
    empty = 64 - sum(discs.counts)
    if empty > MOST_EMPTY:
        raise UserError(f"--position has {empty} empty squares; at most {MOST_EMPTY} are solved")
    found = OthelloSearch(_tables(tables)).analyse(state, threads=_threads(threads))
    score = found.score * (1 if discs.seat == 0 else -1) + 0.0
    if as_json:
        print_json(
            {
                "score": score,
                "best": found.line[0] if found.line else None,
                "line": found.line,
                "nodes": found.nodes,
                "seconds": found.seconds,
            }
        )
        return
    say(f"{score:+.0f} for {SIDES[discs.seat]}  {' '.join(found.line)}".rstrip())
    say(f"{found.nodes:,} nodes in {found.seconds:.2f} s")


def check(
    empty: Annotated[
        int, typer.Option("--empty", help="Problems with at most so many empty squares; all: 23.")
    ] = 16,
    tables: Tables = None,
    threads: Threads = 1,
    as_json: Json = False,
) -> int:
    """Solve the published endgames of FForum; exit code 1 if an answer is wrong."""
    from ludus.games.othello_position import SQUARES
    from ludus.games.othello_problems import problems
    from ludus.games.othello_problems import solve as solve_all

    asked = problems(empty)
    if not asked:
        raise UserError(f"--empty {empty}: no problem has so few; the least has 14 empty squares")
    solved = list(solve_all(asked, _tables(tables), threads=_threads(threads)))
    wrong = [one.problem.number for one in solved if not one.right]
    seconds = sum(one.analysis.seconds for one in solved)
    nodes = sum(one.analysis.nodes for one in solved)
    if as_json:
        rows = [
            {
                "number": one.problem.number,
                "empty": one.problem.empty,
                "score": one.score,
                "published": one.problem.score,
                "move": one.analysis.line[0],
                "best": [SQUARES[action] for action in one.problem.best],
                "nodes": one.analysis.nodes,
                "seconds": one.analysis.seconds,
                "right": one.right,
            }
            for one in solved
        ]
        print_json({"wrong": wrong, "nodes": nodes, "seconds": seconds, "problems": rows})
        return 1 if wrong else 0
    lines = [
        (
            f"#{one.problem.number}",
            one.problem.empty,
            f"{one.score:+.0f}",
            f"{one.problem.score:+d}",
            one.analysis.line[0],
            " ".join(SQUARES[action] for action in one.problem.best),
            f"{one.analysis.nodes:,}",
            f"{one.analysis.seconds:.3f}",
            "" if one.right else "WRONG",
        )
        for one in solved
    ]
    heads = ("", "empty", "score", "published", "move", "best", "nodes", "seconds", "")
    say(table(heads, lines))
    say(
        f"{len(solved) - len(wrong)} of {len(solved)} right; {nodes:,} nodes in {seconds:.2f} s, "
        f"{nodes / max(seconds, 1e-9) / 1e6:.1f} million a second"
    )
    return 1 if wrong else 0


def _tables(source: str | None) -> _core.PatternTables:
    from ludus.evaluators.tables import TableEvaluator

    return TableEvaluator(source).tables


def _threads(threads: int) -> int:
    if not 1 <= threads <= 64:
        raise UserError(f"--threads {threads} must lie in 1..64")
    return threads
