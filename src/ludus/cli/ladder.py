"""``ludus ladder``: rating games between a run's champions and fixed players."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ludus.cli.output import note, print_json, say, table
from ludus.cli.playing import lanes_or_default, percent, prepare_threads
from ludus.cli.progress import Work
from ludus.cli.status import chosen_run
from ludus.errors import UserError, VersionError

if TYPE_CHECKING:
    from ludus.arena.ladder import Ladder
    from ludus.games import GameEntry
    from ludus.runs import Run

DEFAULT_MINUTES = 5.0
"""Time that is played where neither a time nor a number of pairs is given."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ladder")(ladder)


def ladder(
    argument: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="Run directory.", show_default=False)
    ] = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="The same; the newest below runs/ by default.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", help="Begin no batch of games after so long; 5 by default."),
    ] = None,
    pairs: Annotated[
        int | None,
        typer.Option("--pairs", help="Seed pairs to play now; 0 prints what is stored."),
    ] = None,
    champions: Annotated[
        int, typer.Option("--champions", help="Champions that play, spread over the history.")
    ] = 6,
    players: Annotated[
        list[str] | None,
        typer.Option(
            "--players",
            help="Who else plays, instead of the game's own players; may be given again.",
        ),
    ] = None,
    simulations: Annotated[
        int | None, typer.Option("--sims", help="Simulations of champions; the run's by default.")
    ] = None,
    anchor: Annotated[
        str | None, typer.Option("--anchor", help="Player with the start value, or mean.")
    ] = None,
    start: Annotated[float, typer.Option("--start", help="Rating of the anchor.")] = 1000.0,
    batch: Annotated[int, typer.Option("--batch", help="Seed pairs of a batch.")] = 32,
    game: Annotated[
        str | None, typer.Option("--game", help="Where the run's game is, if it has moved.")
    ] = None,
    lanes: Annotated[int, typer.Option("--lanes", help="Threads; 0: one a core.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Rate a run's champions against each other and the game's fixed players.

    Each batch goes to the pairing that is expected to tell most. All results are kept in
    reports/ladder.json of the run, and a further call adds to them. The run is only read: it may
    train meanwhile. Ratings are Elo points with standard errors; the anchor has the start value.
    """
    from ludus.arena.ladder import Ladder, default_anchor, gather, report
    from ludus.arena.ladder_file import LadderFile
    from ludus.arena.playing import MatchSettings
    from ludus.runs import Run

    _check(minutes, pairs, champions, simulations, batch)
    prepare_threads()
    path = chosen_run(run, argument)
    opened = Run.open(path, write=False)
    entry = _game(opened, game)
    if entry.rules.num_seats > 2:
        raise UserError(
            f"a ladder is of pairs, and {entry.name} has {entry.rules.num_seats} seats: its runs "
            "are rated by openskill at every evaluation, and `ludus match A B --deals N` compares "
            "two players"
        )
    settings = MatchSettings(lanes=lanes_or_default(lanes))
    with LadderFile(path) as file:
        document = file.load(
            run_id=opened.id,
            game=entry.name,
            rules_id=entry.rules.rules_id,
            seed=opened.manifest.seed,
        )
        contenders, sentences = gather(
            opened, entry, count=champions, players=players, simulations=simulations
        )
        for sentence in sentences:
            note(sentence)
        if pairs != 0:
            played = Ladder(file, document, entry, contenders, settings)
            try:
                _play(played, minutes, pairs, batch)
            except KeyboardInterrupt:
                note("interrupted: the batch in progress is dropped, all before it is stored")
        known = [one for one in contenders if one.entry.key in document.players]
        chosen = anchor or (default_anchor(entry, known) if known else "mean")
        if anchor is None and chosen not in document.table().names:
            chosen = "mean"
        _, found = report(document, anchor=chosen, start=start)
        document.ratings = found
        file.store(document)
    if as_json:
        print_json({"run": str(path), "game": entry.name, **found})
    else:
        _print(path, found)
    return 0


def _check(
    minutes: float | None, pairs: int | None, champions: int, simulations: int | None, batch: int
) -> None:
    if minutes is not None and pairs is not None:
        raise UserError("--minutes and --pairs exclude each other")
    if minutes is not None and not 0.0 < minutes <= 100_000.0:
        raise UserError(f"--minutes {minutes:g} must lie in 0..100000")
    if pairs is not None and not 0 <= pairs <= 10_000_000:
        raise UserError(f"--pairs {pairs} must lie in 0..10000000")
    if not 0 <= champions <= 64:
        raise UserError(f"--champions {champions} must lie in 0..64")
    if simulations is not None and not 0 <= simulations <= 60_000:
        raise UserError(f"--sims {simulations} must lie in 0..60000")
    if not 1 <= batch <= 100_000:
        raise UserError(f"--batch {batch} must lie in 1..100000")


def _game(run: Run, asked: str | None) -> GameEntry:
    from ludus.games import get_game

    entry = get_game(asked or str(run.config.get("game", "")))
    if entry.rules.rules_id != run.schema.ruleset_id:
        raise VersionError(
            f"{run.path} was trained under rules {run.schema.ruleset_id}, but {entry.name} has "
            f"{entry.rules.rules_id} here"
        )
    return entry


def _play(played: Ladder, minutes: float | None, pairs: int | None, batch: int) -> None:
    """Batches until the time or the pairs are spent, or nothing new can be played."""
    end = time.monotonic() + 60.0 * (minutes or DEFAULT_MINUTES)
    total = pairs or 0
    title = "pairs" if pairs else "pairs of this batch"
    with Work(title, total or batch) as work:
        while pairs is None or played.pairs_played < pairs:
            size = batch if pairs is None else min(batch, pairs - played.pairs_played)
            if pairs is None and time.monotonic() >= end:
                break
            chosen = played.choose(size)
            if chosen is None:
                note("nothing new can be played between these players")
                break
            about = f"{chosen[0]} against {chosen[1]}"
            before = played.pairs_played if pairs else 0

            def tell(games: int, before: int = before, about: str = about) -> None:
                work.update(before + games // 2, about)

            played.play(chosen, size, tell=tell)


def _print(path: Path, found: dict[str, Any]) -> None:
    say(f"{path}: {found['games']} rating games, {found['anchor']} is {found['start']:.0f}")
    say()
    rows = [
        (
            line["player"],
            _elo(line),
            line["games"],
            "-" if line["score"] is None else percent(line["score"]),
            line["opponents"],
            _standing(line),
        )
        for line in found["players"]
    ]
    say(table(("player", "Elo", "games", "score", "opponents", ""), rows))
    say()
    held = {(row["a"], row["b"]): row for row in found["held_out"]["pairings"]}
    pairings = []
    for row in found["pairings"]:
        other = held.get((row["a"], row["b"]))
        pairings.append(
            (
                f"{row['a']} against {row['b']}",
                row["games"],
                f"{percent(row['found'])} +- {percent(row['found_error'])}",
                percent(row["predicted"]),
                "-" if row["z"] is None else f"{row['z']:+.1f}",
                "-" if other is None else percent(other["predicted"]),
                "-" if other is None else f"{other['z']:+.1f}",
            )
        )
    heads = ("pairing", "games", "found", "predicted", "z", "from the others", "z")
    say(table(heads, pairings))
    fit = found["fit"]
    if fit["p"] is not None:
        say(
            f"fit of the model: chi-square {fit['chi_square']:.1f} with {fit['freedom']} degrees "
            f"of freedom, p = {fit['p']:.2g}"
        )
    check = found["held_out"]["calibration"]
    if check is not None:
        say(
            f"held-out predictions: calibration error {percent(check['ece'])} +- "
            f"{percent(check['ece_error'])} ({percent(check['ece_if_calibrated'])} if perfect), "
            f"Brier score {check['brier']:.4f} ({check['brier_reference']:.4f} without ratings)"
        )
    for warning in found["warnings"]:
        say(f"warning: {warning}")


def _elo(line: dict[str, Any]) -> str:
    if line["elo"] is None:
        return "-"
    if line["bound_only"]:
        return f"{line['elo']:.0f}"
    return f"{line['elo']:.0f} +- {line['error']:.0f}"


def _standing(line: dict[str, Any]) -> str:
    if not line["bound_only"]:
        return ""
    if line["standing"] == "unconnected":
        return "not connected with the anchor"
    return f"bound only: {line['standing']} {line['bound_elo']:.0f} (95 %)"
