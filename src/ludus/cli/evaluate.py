"""``ludus evaluate``: suites of figures of players, and the calibration of runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ludus.cli.output import print_json, say, table
from ludus.cli.playing import (
    GAME_OF_RUN_HELP,
    chosen_game,
    drive,
    lanes_or_default,
    percent,
    prepare_threads,
)
from ludus.cli.progress import Work
from ludus.errors import UserError

if TYPE_CHECKING:
    from ludus.games import GameEntry

SUITES = ("all", "solitaire", "oracle")
"""Suites that a game may offer; ``all`` means those that it does."""

Suite = Literal["all", "solitaire", "oracle"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate")(evaluate)


def evaluate(
    players: Annotated[
        list[str], typer.Argument(help="Players or run directories, one or several.")
    ],
    suite: Annotated[
        str, typer.Option("--suite", help="solitaire, oracle (agreement with it), or all.")
    ] = "all",
    game: Annotated[str | None, typer.Option("--game", help=GAME_OF_RUN_HELP)] = None,
    games: Annotated[int, typer.Option("--games", help="Games of each player, even.")] = 2000,
    deals: Annotated[
        int | None,
        typer.Option("--deals", help="More than two seats: deals of each match; 500 by default."),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against",
            help="More than two seats: whom to meet, once or several times; by default the game's "
            "sparring partner.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="All seeds of games follow from it.")] = 1,
    calibration: Annotated[
        bool,
        typer.Option(
            "--calibration",
            help="Of runs: values of the search against results, in the newest --games games of "
            "self-play. Plays nothing.",
        ),
    ] = False,
    lanes: Annotated[int, typer.Option("--lanes", help="Threads; 0: one a core.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Measure players by the game's oracle.

    The solitaire figures are the totals of the player's own seat in games against the oracle,
    seats alternating, a seed for each game. A player that maximises wins may score lower here and
    still be stronger. The agreement tells how often an action is as good as the oracle's, and what
    the others give away; where the oracle solves only the end of a game, earlier decisions are
    ignored, and the opponent is the game's sparring partner.

    A game with more than two seats has duplicate deals in place of suites: every deal is played
    with the player alone on each seat, and with the opponent alone.
    """
    if calibration:
        if not 1 <= games <= 10_000_000:
            raise UserError(f"--games {games} must lie in 1..10000000")
        return _calibration(players, games, as_json=as_json)
    prepare_threads()
    entry = chosen_game(game, players)
    if suite not in SUITES:
        raise UserError(f"suite {suite!r} is unknown; there are {', '.join(SUITES)}")
    if entry.rules.num_seats > 2:
        from ludus.cli.evaluate_deals import measure_by_deals, print_by_deals

        threads = lanes_or_default(lanes)
        judged = suite != "solitaire" and "judge" in entry.suites
        found = measure_by_deals(
            entry, players, against or (), deals=deals, seed=seed, lanes=threads, judged=judged
        )
        if as_json:
            print_json({"game": entry.name, "seed": seed, "matches": found})
        else:
            print_by_deals(found)
        return 0
    if deals is not None or against:
        raise UserError(f"--deals and --against are for more than two seats; {entry.name} has two")
    if not {"opponent", "judge"} & set(entry.suites):
        raise UserError(f"{entry.name} has no suite: it offers no opponent for one, and no oracle")
    if suite == "oracle" and "judge" not in entry.suites:
        raise UserError(f"{entry.name} has no oracle that could judge actions")
    if suite == "solitaire" and "opponent" not in entry.suites:
        raise UserError(f"{entry.name} offers no opponent for a solitaire suite")
    if not 2 <= games <= 1_000_000 or games % 2:
        raise UserError(f"--games {games} must be an even number in 2..1000000")
    reports = [
        _measure(entry, spec, suite, games, seed, lanes_or_default(lanes)) for spec in players
    ]
    if as_json:
        print_json({"game": entry.name, "suite": suite, "seed": seed, "players": reports})
    else:
        _print(reports)
    return 0


def _calibration(runs: list[str], games: int, *, as_json: bool) -> int:
    from pathlib import Path

    from ludus.arena.values import value_calibration
    from ludus.cli.calibrating import document, print_calibration
    from ludus.cli.status import chosen_run

    reports = [value_calibration(chosen_run(Path(run)), games) for run in runs]
    if as_json:
        print_json({"runs": [document(report) for report in reports]})
    else:
        for report in reports:
            print_calibration(report)
    return 0


def _policy_id(spec: str) -> str:
    """``oracle``, ``champion``, ``candidate``, ...: the role that a specification names."""
    from ludus.players.spec import OPTIONS, split_spec

    name, options = split_spec(spec)
    if "/" in name or (name in OPTIONS and "run" in OPTIONS[name]):
        return options.get("model", "champion")
    return name


def _measure(
    entry: GameEntry, spec: str, suite: str, games: int, seed: int, lanes: int
) -> dict[str, Any]:
    from ludus.arena import Match, MatchSettings, SeedSet, Solitaire, match_figures, match_rates
    from ludus.players import parse_player

    judged = suite in ("all", "oracle") and "judge" in entry.suites
    figures = match_figures(entry.rules, entry.suites["judge"]) if judged else None
    player = parse_player(spec, entry)
    how = MatchSettings(lanes=lanes, openings=entry.match_openings())
    played: Solitaire | Match
    if "opponent" in entry.suites:
        played = Solitaire(
            entry.rules,
            player,
            parse_player(str(entry.suites["opponent"]()), entry),
            games=games,
            seed=seed,
            policy_id=_policy_id(spec),
            bonus=entry.suites.get("bonus"),
            settings=how,
            figures=figures,
        )
        match = played.match
    else:
        seeds = SeedSet.generate(seed, games // 2, purpose="oracle")
        sparring = parse_player(entry.sparring, entry)
        played = match = Match(entry.rules, player, sparring, seeds, how, figures=figures)
    try:
        with Work(spec, games) as work:
            drive(played.advance, lambda: work.update(match.games_finished))
    finally:
        played.close()
    report: dict[str, Any] = {"policy_id": _policy_id(spec), "player": spec}
    result = match.result()
    if isinstance(played, Solitaire) and suite in ("all", "solitaire"):
        report["solitaire"] = played.summary()
    if judged:
        report["oracle"] = match_rates(result.figures, list(entry.rules.decision_kinds))
    report["opponent"] = match.names[1]
    report["win_rate"] = result.rate.rate
    report["distinct_games"] = result.distinct_games
    report["fallbacks"] = int(match.counters()["fallbacks"])
    return report


def _print(reports: list[dict[str, Any]]) -> None:
    if "solitaire" in reports[0]:
        heads = (
            "player",
            "games",
            "mean",
            "se",
            "std",
            "median",
            "min",
            "max",
            "bonus",
            "win rate",
        )
        say(table(heads, [_solitaire_row(report) for report in reports]))
        say(f"against {reports[0]['solitaire']['opponent']}, seats alternating")
    if "oracle" in reports[0]:
        if "solitaire" in reports[0]:
            say()
        kinds = [
            name.removeprefix("oracle_match_rate_")
            for name in reports[0]["oracle"]
            if name.startswith("oracle_match_rate_")
        ]
        agrees = [f"agrees {kind}" for kind in kinds]
        columns = ["player", *agrees, "regret", "ignored", "decisions"]
        say(table(columns, [_oracle_row(report, kinds) for report in reports]))
        if "solitaire" not in reports[0]:
            say(f"against {reports[0]['opponent']}, seats alternating")


def _solitaire_row(report: Mapping[str, Any]) -> tuple[object, ...]:
    at = report["solitaire"]
    return (
        report["player"],
        at["games"],
        f"{at['mean']:.2f}",
        f"{at['mean_se']:.2f}",
        f"{at['std']:.2f}",
        f"{at['median']:.1f}",
        f"{at['min']:.0f}",
        f"{at['max']:.0f}",
        "-" if at["bonus_rate"] is None else f"{at['bonus_rate']:.4f}",
        f"{percent(at['win_rate'])} ({percent(at['win_rate_low'])} to "
        f"{percent(at['win_rate_high'])})",
    )


def _oracle_row(report: Mapping[str, Any], kinds: list[str]) -> tuple[object, ...]:
    at = report["oracle"]
    rates = [at[f"oracle_match_rate_{kind}"] for kind in kinds]
    regret = at["mean_regret"]
    return (
        report["player"],
        *("-" if rate is None else percent(rate) for rate in rates),
        "-" if regret is None else f"{regret:.4f}",
        at["oracle_keepall_ignored"],
        at["decisions"],
    )
