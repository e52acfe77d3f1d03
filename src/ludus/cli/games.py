"""``ludus games`` lists the games; ``ludus perft GAME DEPTH`` counts their trees."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from ludus.cli.output import note, print_json, say, table
from ludus.errors import UserError

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("games")(games)
    app.command("perft")(perft)


def games(as_json: Json = False) -> None:
    """List the games."""
    from ludus.games import game_names, get_game

    entries = [get_game(name) for name in game_names()]
    if as_json:
        print_json(
            [
                {
                    "name": entry.name,
                    "title": entry.title,
                    "seats": entry.rules.num_seats,
                    "actions": entry.rules.num_actions,
                    "max_legal": entry.rules.max_legal,
                    "max_plies": entry.rules.max_plies,
                    "observation_size": entry.rules.observation_size,
                    "state_size": entry.rules.state_size,
                    "decision_kinds": list(entry.rules.decision_kinds),
                    "chance": entry.rules.has_chance,
                    "hidden": entry.rules.has_hidden,
                    "rules_id": entry.rules.rules_id,
                    "encoder_id": entry.rules.encoder_id,
                    "action_space_id": entry.rules.action_space_id,
                    "players": sorted(entry.players),
                    "start": entry.position_text(entry.rules.initial()),
                }
                for entry in entries
            ]
        )
        return
    rows = [
        (
            entry.name,
            entry.rules.num_seats,
            entry.rules.num_actions,
            entry.rules.max_plies,
            "dice or deals" if entry.rules.has_chance else "none",
            entry.title,
        )
        for entry in entries
    ]
    say(table(("game", "seats", "actions", "plies", "chance", ""), rows))


def perft(
    game: Annotated[str, typer.Argument(help="The game's name, such as yatzy.")],
    depth: Annotated[int, typer.Argument(help="Plies; a chance event counts as one.")],
    position: Annotated[
        str | None, typer.Option("--position", metavar="TEXT", help="Start here, not at the start.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Count the lines of so many plies, all legal actions and chance outcomes included."""
    from ludus import _core
    from ludus.games import get_game

    entry = get_game(game)
    if not 0 <= depth <= 100:
        raise UserError(f"DEPTH is {depth}; it must lie in 0..100")
    state = entry.rules.initial() if position is None else entry.parse_position(position)
    start = time.perf_counter()
    leaves = 0
    if depth < 2 or state.kind == "terminal":
        leaves = _core.perft(state, depth)
    else:
        # One child at a time, so that Ctrl-C gets through.
        at_chance = state.kind == "chance"
        for step in (state.outcomes()[0] if at_chance else state.legal()).tolist():
            child = state.copy()
            if at_chance:
                child.apply_outcome(step)
            else:
                child.apply(step)
            leaves += _core.perft(child, depth - 1)
    seconds = time.perf_counter() - start
    if as_json:
        print_json(
            {
                "game": entry.name,
                "position": entry.position_text(state),
                "depth": depth,
                "leaves": leaves,
                "seconds": seconds,
            }
        )
        return
    say(str(leaves))
    note(f"{seconds:.2f} s, {leaves / max(seconds, 1e-9):.3g} leaves/s")
