"""``ludus inspect``: positions, search roots, weights, recorded games, anomalies, metrics."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ludus.cli import inspect_tables, inspecting
from ludus.cli.output import note, print_json, say
from ludus.cli.playing import GAME_HELP, game_of, prepare_threads
from ludus.cli.status import chosen_run
from ludus.errors import UserError

if TYPE_CHECKING:
    from ludus import _core
    from ludus.games import GameEntry

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Run directory, or its name below runs/.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Csv = Annotated[
    Path | None, typer.Option("--csv", help="Write a new CSV file (metrics: a new folder).")
]
Top = Annotated[int, typer.Option("--top", min=1, help="Rows of a table that are shown.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Look into runs, games and weights.", no_args_is_help=True)
    group.command("position")(position)
    group.command("roots")(roots)
    group.command("diff")(diff)
    group.command("game")(game)
    group.command("anomalies")(anomalies)
    group.command("metrics")(metrics)
    group.command("pattern")(inspect_tables.pattern)
    group.command("updates")(inspect_tables.updates)
    app.add_typer(group, name="inspect")


def _pair(text: str) -> tuple[int, int]:
    """``GAME:PLY``."""
    first, colon, second = text.partition(":")
    if not colon or not (first.isdecimal() and second.isdecimal()):
        raise UserError(f"--record {text} must be GAME:PLY, two numbers, such as 120:7")
    return int(first), int(second)


def position(
    where: Annotated[
        str, typer.Argument(metavar="GAME|RUN", help=f"{GAME_HELP} Or a run directory.")
    ],
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="[POSITION]",
            help="A position as `inspect game` and `replay show` write it.",
            show_default=False,
        ),
    ] = None,
    record: Annotated[
        str | None, typer.Option("--record", help="GAME:PLY of the run's replay instead.")
    ] = None,
    player: Annotated[
        str | None, typer.Option("--player", help="Who is asked; of a run its champion.")
    ] = None,
    sims: Annotated[
        int | None, typer.Option("--sims", min=0, max=60000, help="Simulations of the search.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the search.")] = 1,
    top: Top = 12,
    json: Json = False,
) -> None:
    """Draw a position, its legal actions, what the network thinks of it and what a search finds."""
    from dataclasses import replace

    from ludus.monitor.inspect.position import describe_position
    from ludus.players import SearchPlayer, parse_player
    from ludus.players.spec import player_of_run
    from ludus.runs import is_run

    prepare_threads()
    run = Path(where) if is_run(Path(where)) else None
    entry, state = _entry_and_state(where, run, text, record)
    asked = None
    if player is not None:
        asked = parse_player(player, entry)
    elif run is not None:
        asked = player_of_run(entry, run)
    if sims is not None:
        if not isinstance(asked, SearchPlayer):
            raise UserError(f"--sims {sims} needs a player that searches: name one with --player")
        asked = replace(asked, settings={**asked.settings, "simulations": [sims]})
    if state.kind != "decision":
        asked = None
    document = describe_position(entry, state, asked, seed=seed)
    if json:
        print_json(document)
    else:
        say(inspecting.position_text(document, top))


def _entry_and_state(
    where: str, run: Path | None, text: str | None, record: str | None
) -> tuple[GameEntry, _core.State]:
    from ludus.games import get_game
    from ludus.monitor.inspect.replayed import state_before
    from ludus.monitor.inspect.sampled import sampled_state
    from ludus.monitor.inspect.stored import StoredReplay
    from ludus.players.tables import is_table_run

    if text is not None and record is not None:
        raise UserError("give a position or --record, not both")
    entry = get_game(where) if run is None else game_of(run)
    if record is not None:
        if run is None:
            raise UserError(f"--record needs a run, and {where} is a game")
        number, ply = _pair(record)
        if is_table_run(run):
            return entry, sampled_state(run, number, ply)
        found = StoredReplay(run).find(number)
        last = int(found.columns["plies"][0])
        if ply > last:
            raise UserError(f"game {number} has {last} plies: --record {record} is past its end")
        return entry, state_before(entry, found, ply)
    if text is not None:
        return entry, entry.parse_position(text)
    return entry, entry.rules.initial()


def roots(
    run: Run,
    iteration: Annotated[int | None, typer.Option("--iteration", help="Of this one only.")] = None,
    game: Annotated[int | None, typer.Option("--game", help="Of this game only.")] = None,
    min_entropy: Annotated[
        float | None, typer.Option("--min-entropy", help="Of the policy, nats.")
    ] = None,
    max_entropy: Annotated[float | None, typer.Option("--max-entropy", help="Likewise.")] = None,
    surprise: Annotated[
        float | None,
        typer.Option("--surprise", help="Least divergence of the policy from the prior, nats."),
    ] = None,
    disagreement: Annotated[
        float | None,
        typer.Option("--disagreement", help="Least gap of the chosen action's Q from the value."),
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(
            "--sort",
            help="iteration, game, ply, entropy, surprise, disagreement or value; newest first "
            "by default.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Roots at most.")] = 20,
    edges: Annotated[bool, typer.Option("--edges", help="With the table of each root.")] = False,
    top: Top = 8,
    json: Json = False,
    csv: Csv = None,
) -> None:
    """List search roots that self-play has sampled (selfplay.root_sample_every)."""
    from ludus.monitor.inspect.roots import RootFilter, add_notation, read_roots
    from ludus.monitor.inspect.tables import as_csv, columns_of, write_new

    path = chosen_run(run)
    wanted = RootFilter(iteration, game, (min_entropy, max_entropy), surprise, disagreement)
    found, total = read_roots(path, wanted, order=order, limit=limit)
    add_notation(path, found)
    if json:
        print_json({"run": str(path), "found": total, "roots": found})
    elif csv is not None:
        write_new(csv, as_csv(columns_of(found), found))
        note(f"{len(found)} of {total} roots")
        say(str(csv))
    else:
        say(inspecting.roots_text(found, total, edges=edges, top=top))


def diff(
    first: Annotated[
        str, typer.Argument(help="A .ckpt or .safetensors file, a run (its champion), or RUN:UNIT.")
    ],
    second: Annotated[str, typer.Argument(help="Likewise.")],
    part: Annotated[
        str | None,
        typer.Option("--part", help="Of checkpoints: champion, candidate, weights, average, adam."),
    ] = None,
    top: Top = 12,
    json: Json = False,
) -> None:
    """Compare two sets of weights: what changed most, and which settings and counters differ."""
    from ludus.monitor.inspect.diff import compare

    document = compare(first, second, part=part, top=top)
    if json:
        print_json(document)
    else:
        say(inspecting.diff_text(document, top))


def game(
    run: Run,
    number: Annotated[int, typer.Argument(metavar="GAME", min=0, help="Number of the game.")],
    ply: Annotated[int | None, typer.Option("--ply", min=0, help="This decision only.")] = None,
    first: Annotated[int, typer.Option("--from", min=0, help="First decision.")] = 0,
    last: Annotated[int | None, typer.Option("--to", min=0, help="Last decision.")] = None,
    search: Annotated[
        str | None,
        typer.Option(
            "--search",
            help="Search again: played (the weights, noise and keys of then), champion, candidate, "
            "or any player that searches.",
        ),
    ] = None,
    drawings: Annotated[bool, typer.Option("--boards", help="Draw each position.")] = False,
    top: Top = 5,
    json: Json = False,
) -> int:
    """Replay a recorded game with the searches of each decision.

    Of pattern tables, a game that was kept (td.record_every), with targets and errors.

    Ends with 1 when --search played gives other visits than the record.
    """
    from ludus.monitor.inspect.replayed import PLAYED, describe_game, search_again
    from ludus.monitor.inspect.sampled import describe_sampled, sampled_game, sampled_text
    from ludus.monitor.inspect.stored import StoredReplay
    from ludus.players.tables import is_table_run

    path = chosen_run(run)
    if is_table_run(path):
        if search is not None:
            raise UserError("--search: pattern tables play without one; see `inspect updates`")
        total = len(sampled_game(path, number).actions)
        plies = _plies(number, total, ply, first, last)
        found = describe_sampled(path, number, plies, drawings=drawings or ply is not None)
        if json:
            print_json(found)
        else:
            say(sampled_text(found))
        return 0
    replay = StoredReplay(path)
    total = int(replay.find(number).columns["plies"][0])
    plies = _plies(number, total, ply, first, last)
    document = describe_game(replay, number, plies, drawings=drawings or ply is not None)
    again = []
    if search is not None:
        prepare_threads()
        again = search_again(replay, number, plies, search)
        document["searched_again"] = again
    if json:
        print_json(document)
    else:
        say(inspecting.game_text(document, top))
    return int(search == PLAYED and any(not one["same_visits"] for one in again))


def _plies(number: int, total: int, ply: int | None, first: int, last: int | None) -> list[int]:
    """The decisions of a game that the options mean."""
    if ply is not None:
        return [ply]
    end = total - 1 if last is None else last
    if first > end or end >= total:
        raise UserError(f"--from {first} --to {end}: game {number} has the plies 0 to {total - 1}")
    return list(range(first, end + 1))


def anomalies(
    run: Run,
    games: Annotated[int, typer.Option("--games", min=1, help="Newest games looked at.")] = 200,
    derived: Annotated[
        int, typer.Option("--derived", min=1, help="Of those, derived a second time.")
    ] = 50,
    json: Json = False,
) -> None:
    """Look for what is odd in a run's games, metrics and models.

    Ends with 1 when something is wrong; warnings and notices end with 0.
    """
    from ludus.monitor.inspect.anomalies import find_anomalies

    document = find_anomalies(chosen_run(run), games, derived)
    if json:
        print_json(document)
    else:
        say(inspecting.anomalies_text(document))
    if any(one["severity"] == "error" for one in document["findings"]):
        raise typer.Exit(1)


def metrics(
    run: Run,
    event: Annotated[str | None, typer.Option("--event", help="This type of record only.")] = None,
    top: Top = 20,
    json: Json = False,
    csv: Csv = None,
) -> None:
    """List a run's metrics, or write them as CSV: one table for each type of record."""
    from ludus.monitor.inspect.tables import metric_records, of_event, write_metrics

    path = chosen_run(run)
    if csv is not None:
        for file, rows in write_metrics(path, csv, event):
            note(f"{rows} rows")
            say(str(file))
        return
    records = metric_records(path)
    if event is not None:
        rows_of = of_event(records, event)
        if json:
            print_json(rows_of)
        else:
            say(inspecting.records_text(rows_of, top))
    elif json:
        print_json(records)
    else:
        say(inspecting.record_types_text(records))
