"""``ludus replay list | show | audit | export | games``: the game records of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ludus.cli.output import megabytes, note, print_json, printable, say, table
from ludus.cli.status import RUN_OPTION, chosen_run

if TYPE_CHECKING:
    from ludus.monitor.inspect.stored import StoredReplay
    from ludus.replay import Audit

Argument = Annotated[
    Path | None, typer.Argument(metavar="[RUN]", help="Run directory.", show_default=False)
]
RunOption = Annotated[Path | None, RUN_OPTION]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Game records of runs.", no_args_is_help=True)
    group.command("list")(list_shards)
    group.command("show")(show)
    group.command("audit")(audit)
    group.command("export")(export)
    group.command("games")(games_as_records)
    app.add_typer(group, name="replay")


def _opened(path: Path) -> StoredReplay:
    from ludus.monitor.inspect.stored import StoredReplay

    return StoredReplay(path)


def list_shards(argument: Argument = None, run: RunOption = None, json: Json = False) -> None:
    """List the shards of a run's replay."""
    path = chosen_run(run, argument)
    replay = _opened(path)
    tail = replay.tail()
    if json:
        print_json(
            {
                "shards": [entry.as_json() for entry in replay.entries],
                "tail": {"games": len(tail), "samples": tail.samples},
                "schema": replay.schema.as_json(),
            }
        )
        return
    size = replay.games_per_shard
    rows = [
        (
            entry.index,
            entry.index * size,
            entry.games,
            entry.samples,
            megabytes(entry.size),
            entry.sha256[:12],
        )
        for entry in replay.entries
    ]
    say(table(("shard", "first game", "games", "plies", "size", "sha256"), rows))
    say(f"and {len(tail)} games ({tail.samples} plies) that are in no shard yet")


def show(
    game: Annotated[int, typer.Argument(help="Number of the game, from the run's birth.")],
    run: RunOption = None,
    json: Json = False,
) -> None:
    """Show one game of self-play, move by move."""
    from ludus.training.plays import game_of_run

    replay = _opened(chosen_run(run))
    columns = replay.find(game).columns
    entry = game_of_run(replay.run)
    state = entry.rules.initial()
    plies: list[dict[str, Any]] = []
    opening = int(columns["opening"][0])
    if opening >= 0:
        state.apply_outcome(opening)
    for ply in range(int(columns["plies"][0])):
        action = int(columns["action"][ply])
        plies.append(
            {
                "ply": ply,
                "seat": state.seat,
                "position": entry.position_text(state),
                "action": entry.action_text(state, action),
                "root_value": float(columns["root_value"][ply]),
                "simulations": int(columns["simulations"][ply]),
                "temperature": float(columns["temperature"][ply]),
                "flags": int(columns["flags"][ply]),
            }
        )
        state.apply(action)
        outcome = int(columns["outcome"][ply])
        if outcome >= 0:
            state.apply_outcome(outcome)
    scores = columns["scores"][0].tolist()[: state.players]
    if json:
        print_json(
            {
                "game": game,
                "seed": int(columns["seed"][0]),
                "scores": scores,
                "returns": columns["returns"][0].tolist()[: state.players],
                "plies": plies,
            }
        )
        return
    rows = [
        (
            p["ply"],
            p["seat"],
            p["position"],
            p["action"],
            f"{p['root_value']:+.3f}",
            p["simulations"],
        )
        for p in plies
    ]
    say(table(("ply", "seat", "position", "action", "value", "sims"), rows))
    say(f"scores: {' to '.join(f'{score:.0f}' for score in scores)}")


def audit(
    argument: Argument = None,
    run: RunOption = None,
    games: Annotated[
        int, typer.Option("--games", min=1, help="Newest games to derive again, at most.")
    ] = 100,
    json: Json = False,
) -> None:
    """Derive games a second time and look at what training learns from.

    Ends with 1 when data are wrong; warnings end with 0.
    """
    from ludus.games import get_game
    from ludus.replay import AuditLimits, TargetRule, audit_games, audit_results

    replay = _opened(chosen_run(run, argument))
    records = replay.newest(games)
    rules = get_game(replay.schema.game).rules
    config = replay.run.config
    training, search = config.get("training", {}), config.get("search", {})
    schema = replay.schema
    limits = AuditLimits(
        entropy_floor=float(training.get("audit_entropy", AuditLimits.entropy_floor))
    )
    found = audit_games(
        rules, records, TargetRule(schema.c_visit, schema.c_scale, schema.q_spread), limits
    )
    found.add(
        audit_results(
            rules,
            records,
            limits,
            margin_weight=float(search.get("margin_weight", 0.0)),
            trained=any(entry.get("promoted") for entry in replay.run.iterations[:-1]),
        )
    )
    if json:
        print_json(
            {"figures": found.figures, "findings": [one.as_json() for one in found.findings]}
        )
    else:
        _say_audit(found)
    if found.errors:
        raise typer.Exit(1)


def _say_audit(found: Audit) -> None:
    figures = found.figures
    say(f"{figures['games_rederived']} games with {figures['plies_rederived']} plies derived again")
    rows = [
        (name.replace("_", " "), f"{figures[name]:.4g}")
        for name in (
            "target_entropy",
            "target_max",
            "target_share",
            "searched_share",
            "capped_share",
            "fallback_share",
            "duplicate_share",
            "calibration_error",
            "root_value_correlation",
        )
        if figures.get(name) is not None
    ]
    say(table(("figure", "value"), rows))
    for finding in found.findings:
        say(f"{finding.severity}: {printable(finding.text)}")
    if not found.findings:
        say("nothing is wrong")


def export(
    target: Annotated[
        Path, typer.Argument(help="A new file: .safetensors, .csv, .json or .ndjson.")
    ],
    run: RunOption = None,
    games: Annotated[int, typer.Option("--games", min=1, help="Newest games at most.")] = 1000,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Rows at most, from the oldest of them.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", help="safetensors, csv, json or ndjson; by the name by default."),
    ] = None,
) -> None:
    """Write training rows of the newest games, for use elsewhere.

    Safetensors: observations f32[n, F], policy f32[n, A], legal_mask u8[n, A], value f32[n],
    margin f32[n], root_value f32[n], searched u8[n], game i64[n], ply i32[n]. The text formats
    have the columns that docs/data-path.md lists.
    """
    from ludus.errors import RunError
    from ludus.monitor.inspect.tables import format_of, rows_as_text, training_rows, write_new
    from ludus.runs import replace_file
    from ludus.training.plays import game_of_run

    kind = format_of(target, form)
    if target.exists():
        raise RunError(f"{target} exists: name another target")
    replay = _opened(chosen_run(run))
    records, rows = training_rows(replay, games, limit)
    num_actions = game_of_run(replay.run).rules.num_actions
    if kind == "safetensors":
        data = _as_safetensors(rows, num_actions, replay.schema.as_json())
        replace_file(target, data, durable=True)
    else:
        text = rows_as_text(rows, num_actions, kind)
        write_new(target, text)
        data = text.encode()
    note(f"{len(rows['game'])} rows of {len(records)} games, {megabytes(len(data))}")
    say(str(target))


def _as_safetensors(rows: dict[str, Any], num_actions: int, schema: dict[str, Any]) -> bytes:
    import numpy as np
    from safetensors import numpy as safetensors_numpy

    shape = (len(rows["game"]), num_actions)
    policy, mask = np.zeros(shape, np.float32), np.zeros(shape, np.uint8)
    policy.reshape(-1)[rows["legal"]] = rows["policy"]
    mask.reshape(-1)[rows["legal"]] = 1
    kept = ("observations", "value", "margin", "root_value", "searched", "game", "ply")
    return bytes(
        safetensors_numpy.save(
            {**{name: rows[name] for name in kept}, "policy": policy, "legal_mask": mask},
            metadata={key: str(value) for key, value in schema.items()},
        )
    )


def games_as_records(
    target: Annotated[Path, typer.Argument(help="A new file; the end of its name is the format.")],
    run: RunOption = None,
    games: Annotated[int, typer.Option("--games", min=1, help="Newest games at most.")] = 1000,
) -> None:
    """Write the newest games in a format of the world, such as .ggf for Othello."""
    from ludus.games.formats import format_of, write_files
    from ludus.training.plays import game_of_run

    replay = _opened(chosen_run(run))
    entry = game_of_run(replay.run)
    _, form = format_of(entry.formats, target, entry.name)
    assert entry.record_of is not None  # where there are formats
    columns = replay.newest(games).columns
    records, ply = [], 0
    names = ("ludus",) * entry.rules.num_seats
    for opening, plies in zip(columns["opening"].tolist(), columns["plies"].tolist(), strict=True):
        actions = columns["action"][ply : ply + plies].tolist()
        events = [opening, *columns["outcome"][ply : ply + plies].tolist()]
        records.append(entry.record_of(actions, names, [one for one in events if one >= 0]))
        ply += plies
    files = write_files(target, form.write(records))
    say(f"{len(records):,} games in {', '.join(file.name for file in files)}")
