"""``ludus replay list | show | audit | export``: the game records of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ludus.cli.output import megabytes, note, print_json, printable, say, table
from ludus.cli.status import RUN_OPTION, chosen_run

if TYPE_CHECKING:
    from ludus.replay import Audit, GameRecords, ReplaySchema, ShardEntry
    from ludus.runs import Run

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
    app.add_typer(group, name="replay")


class _Replay:
    """The committed replay of a run, read only."""

    def __init__(self, path: Path) -> None:
        from ludus.errors import RunError
        from ludus.replay import ReplaySchema, ShardEntry
        from ludus.runs import Run

        self.run: Run = Run.open(path, write=False)
        objects = self.run.manifest.objects
        if "replay" not in objects:
            raise RunError(f"{path} has no replay yet")
        files, index = self.run.get_index(objects["replay"])
        self._refs = {ref.path: ref for ref in files}
        self.schema: ReplaySchema = ReplaySchema(**index["schema"])
        self.entries: list[ShardEntry] = [ShardEntry(**entry) for entry in index["shards"]]
        self.games_per_shard = int(index["games_per_shard"])

    def tail(self) -> GameRecords:
        """Games that are in no shard yet."""
        from ludus.replay import GameRecords

        arrays, _ = self.run.get_object(self.run.manifest.objects["tail"])
        return GameRecords(arrays)

    def shard(self, entry: ShardEntry) -> GameRecords:
        """Records of a shard, verified."""
        from ludus.replay import decode_shard

        read = self.run.store.read
        return decode_shard(
            self.schema, entry, read(self._refs[entry.name]), read(self._refs[entry.meta_name])
        )

    def find(self, game: int) -> GameRecords:
        """The record of one game.

        Raises:
            RunError: the replay does not have it (any more).
        """
        from ludus.errors import RunError

        shards = [e for e in self.entries if e.index == game // self.games_per_shard]
        tail = self.shard(shards[0]) if shards else self.tail()
        found = [i for i, number in enumerate(tail.game_ids.tolist()) if number == game]
        if not found:
            raise RunError(f"game {game} is not in the committed replay of {self.run.path}")
        return tail.take(found)

    def newest(self, games: int) -> GameRecords:
        """The newest games, by id.

        Raises:
            RunError: there is none.
        """
        from ludus.errors import RunError
        from ludus.replay import GameRecords

        parts = [self.tail()]
        count = len(parts[0])
        for entry in reversed(self.entries):
            if count >= games:
                break
            parts.append(self.shard(entry))
            count += entry.games
        records = GameRecords.concatenate(parts).sorted()
        records = records.slice(max(0, len(records) - games), len(records))
        if not len(records):
            raise RunError(f"{self.run.path} has no finished game yet")
        return records


def list_shards(argument: Argument = None, run: RunOption = None, json: Json = False) -> None:
    """List the shards of a run's replay."""
    path = chosen_run(run, argument)
    replay = _Replay(path)
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

    replay = _Replay(chosen_run(run))
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
    scores = columns["scores"][0].tolist()
    if json:
        print_json(
            {
                "game": game,
                "seed": int(columns["seed"][0]),
                "scores": scores,
                "returns": columns["returns"][0].tolist(),
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

    replay = _Replay(chosen_run(run, argument))
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
    target: Annotated[Path, typer.Argument(help="A .safetensors file to write.")],
    run: RunOption = None,
    games: Annotated[int, typer.Option("--games", min=1, help="Newest games at most.")] = 1000,
) -> None:
    """Write training rows of the newest games, for use elsewhere.

    Arrays: observations f32[n, F], policy f32[n, A], legal_mask u8[n, A], value f32[n],
    margin f32[n], root_value f32[n], searched u8[n], game i64[n], ply i32[n].
    """
    import numpy as np

    from ludus import _core
    from ludus.errors import RunError
    from ludus.runs import replace_file
    from ludus.training.plays import game_of_run

    if target.exists():
        raise RunError(f"{target} exists: name another target")
    replay = _Replay(chosen_run(run))
    records = replay.newest(games)
    rules = game_of_run(replay.run).rules
    lengths = records.columns["plies"].astype(np.int64)
    which = np.repeat(np.arange(len(records)), lengths)
    plies = np.concatenate([np.arange(length) for length in lengths.tolist()]).astype(np.int32)
    schema = replay.schema
    rows = _core.decode_rows(
        rules, dict(records.columns), which, plies, schema.c_visit, schema.c_scale, schema.q_spread
    )
    shape = (len(which), rules.num_actions)
    policy, mask = np.zeros(shape, np.float32), np.zeros(shape, np.uint8)
    policy.reshape(-1)[rows["legal"]] = rows["policy"]
    mask.reshape(-1)[rows["legal"]] = 1
    from safetensors import numpy as safetensors_numpy

    data = safetensors_numpy.save(
        {
            "observations": rows["observations"],
            "policy": policy,
            "legal_mask": mask,
            "value": rows["value"],
            "margin": rows["margin"],
            "root_value": rows["root_value"],
            "searched": rows["searched"],
            "game": np.ascontiguousarray(records.game_ids[which]),
            "ply": plies,
        },
        metadata={key: str(value) for key, value in schema.as_json().items()},
    )
    replace_file(target, data, durable=True)
    note(f"{len(which)} rows of {len(records)} games, {megabytes(len(data))}")
    say(str(target))
