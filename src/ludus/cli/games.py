"""``ludus games`` lists, checks and converts; ``ludus perft`` counts."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ludus.cli.output import note, print_json, say, table
from ludus.cli.playing import GAME_HELP
from ludus.errors import UserError

if TYPE_CHECKING:
    from ludus.games import GameEntry

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="List the games, check one, convert records.", invoke_without_command=True
    )
    group.callback()(games)
    group.command("check")(check)
    group.command("convert")(convert)
    app.add_typer(group, name="games")
    app.command("perft")(perft)


def games(context: typer.Context, as_json: Json = False) -> None:
    """List the games; `ludus games check GAME` looks whether one is sound."""
    from ludus.games import game_names, get_game

    if context.invoked_subcommand is not None:
        return
    entries = [get_game(name) for name in game_names()]
    if as_json:
        print_json(
            [
                {
                    "name": entry.name,
                    "title": entry.title,
                    "seats": entry.rules.num_seats,
                    "players_of_a_game": list(entry.players_of_a_game),
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
            _seats_text(entry),
            entry.rules.num_actions,
            entry.rules.max_plies,
            "dice or deals" if entry.rules.has_chance else "none",
            entry.title,
        )
        for entry in entries
    ]
    say(table(("game", "seats", "actions", "plies", "chance", ""), rows))


def _seats_text(entry: GameEntry) -> str:
    first, last = entry.players_of_a_game[0], entry.players_of_a_game[-1]
    return str(first) if first == last else f"{first}-{last}"


def check(
    game: Annotated[str, typer.Argument(help=GAME_HELP)],
    games: Annotated[int, typer.Option("--games", help="Random games to play.")] = 12,
    seed: Annotated[int, typer.Option("--seed", help="Of the games.")] = 0,
    as_json: Json = False,
) -> None:
    """Play random games and check at every position what a game must do.

    The first thing that is wrong is told in a sentence: in which method, at which ply of which
    game, and what would be right. Exit code 2 then.
    """
    from ludus.games import get_game
    from ludus.testing import check_game

    if not 1 <= games <= 100_000:
        raise UserError(f"--games {games} must lie in 1..100000")
    entry = get_game(game)
    if not as_json:
        say(f"{entry.name}: {entry.title}")
        say(table(("", ""), _facts(entry)).lstrip("\n"))
    try:
        checks = check_game(entry, games=games, seed=seed)
    except AssertionError as error:
        raise UserError(str(error)) from None
    if as_json:
        print_json({"game": entry.name, "source": entry.source, "games": games, "checks": checks})
    else:
        say(f"all {checks:,} checks passed in {games} games")


def convert(
    game: Annotated[str, typer.Argument(help="A game whose records have formats.")],
    source: Annotated[Path, typer.Argument(help="A file of game records.")],
    target: Annotated[Path, typer.Argument(help="A new file; the end of its name is the format.")],
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave games out that are not sound, and tell them.")
    ] = False,
) -> None:
    """Read game records, play every game by the rules, and write them in another format.

    Formats go by the ends of names: .txt for transcripts; of Othello also .ggf and .wtb (WTHOR,
    with .jou and .trn beside it). `ludus games check GAME` lists those of a game.
    """
    from ludus.games import get_game
    from ludus.games.formats import format_of, write_files

    entry = get_game(game)
    _, reading = format_of(entry.formats, source, entry.name)
    _, writing = format_of(entry.formats, target, entry.name)
    problems: list[str] | None = [] if skip_bad else None
    records = reading.read(source, problems)
    for problem in problems or ():
        note(problem)
    files = write_files(target, writing.write(records))
    say(f"{len(records):,} games in {', '.join(file.name for file in files)}")
    if problems:
        say(f"{len(problems):,} games left out")


def _facts(entry: GameEntry) -> list[tuple[str, object]]:
    rules = entry.rules
    shape = " x ".join(str(size) for size in rules.observation_shape)
    chance = f"at most {rules.max_outcomes} outcomes" if rules.has_chance else "none"
    if rules.sampled_chance:
        chance = f"sampled, of {rules.max_outcomes} outcomes"
    hidden = "nothing"
    if rules.has_hidden:
        worlds = entry.own is None or hasattr(entry.own, "sample_world")
        hidden = "yes" if worlds else "yes; leaks are not looked for without sample_world()"
    return [
        ("seats", _seats_text(entry)),
        ("actions", f"{rules.num_actions}, at most {rules.max_legal} legal"),
        ("longest game", f"{rules.max_plies} plies"),
        ("chance", chance),
        ("hidden", hidden),
        ("observation", f"{shape} = {rules.observation_size} numbers"),
        ("symmetries", len(entry.symmetries)),
        ("players", ", ".join(sorted(entry.players)) or "-"),
        ("records", ", ".join(one.about for one in entry.formats.values()) or "-"),
        ("rules", rules.rules_id),
    ]


def perft(
    game: Annotated[str, typer.Argument(help=GAME_HELP)],
    depth: Annotated[int, typer.Argument(help="Plies; a chance event counts as one.")],
    position: Annotated[
        str | None, typer.Option("--position", metavar="TEXT", help="Start here, not at the start.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Count the lines of so many plies, all legal actions and chance outcomes included.

    A pass is a ply. A game that ends before is no line, in Othello one line, as in the counts that
    are published.
    """
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
