"""``ludus players``: who can play, and with which options."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ludus.cli.output import print_json, say, table
from ludus.cli.playing import GAME_HELP


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("players")(players)


def players(
    game: Annotated[
        str | None, typer.Argument(help=f"{GAME_HELP} All of the house by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """List the players of a game and their options.

    A specification is a name, or name:option=value,option=value. A run directory by itself means a
    search with that run's champion.
    """
    from ludus.games import game_names, get_game
    from ludus.players.spec import ABOUT, OPTIONS, known_players

    found: list[dict[str, Any]] = []
    for name in [game] if game is not None else game_names():
        entry = get_game(name)
        for player in known_players(entry):
            about = ABOUT.get(player) or entry.about_players.get(player, "")
            found.append(
                {
                    "game": entry.name,
                    "player": player,
                    "about": about,
                    "options": dict(OPTIONS.get(player, {})),
                }
            )
    if as_json:
        print_json(found)
        return 0
    rows = [(p["game"], p["player"], p["about"], " ".join(p["options"]) or "-") for p in found]
    say(table(("game", "player", "what it is", "options"), rows))
    say()
    named: dict[tuple[str, str], list[str]] = {}
    for one in found:
        for key, text in one["options"].items():
            players_with = named.setdefault((key, text), [])
            players_with += [one["player"]] * (one["player"] not in players_with)
    rows_of = [(key, " ".join(who), text) for (key, text), who in named.items()]
    say(table(("option", "of", "meaning"), rows_of))
    say()
    say("Examples: uniform:sims=64   search:run=runs/yatzy,sims=64   td:run=runs/othello,depth=8")
    return 0
