"""``ludus match``: two players over seed pairs or deals, a sequential test, or a gate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ludus.cli.dealing import DEALS, MOST_DEALS, deal_rows, play
from ludus.cli.output import note, print_json, say, table
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
    from ludus.arena import GameFigures, Gate, Hypotheses, Result, SeedSet
    from ludus.games import GameEntry


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("match")(match)


def match(
    player_a: Annotated[str, typer.Argument(help="A player or a run directory.")],
    player_b: Annotated[str, typer.Argument(help="Its opponent.")],
    terms: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TERM=VALUE]...", help="Further terms of --sprt."),
    ] = None,
    game: Annotated[str | None, typer.Option("--game", help=GAME_OF_RUN_HELP)] = None,
    pairs: Annotated[
        int | None, typer.Option("--pairs", help="Seed pairs, two games each; 500 by default.")
    ] = None,
    deals: Annotated[
        int | None,
        typer.Option(
            "--deals", help="More than two seats: deals, played twice per seat; 500 by default."
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="All seeds of games follow from it.")] = 1,
    seeds: Annotated[
        str | None,
        typer.Option("--seeds", help="A seed set by name, file or id, instead of --seed."),
    ] = None,
    write_seeds: Annotated[
        Path | None, typer.Option("--write-seeds", help="Store the seeds that were used.")
    ] = None,
    unpaired: Annotated[
        bool, typer.Option("--unpaired", help="Every game has its own seed: faster to vary.")
    ] = False,
    gate: Annotated[
        bool,
        typer.Option("--gate", help="A is a candidate, B the champion: stop when it is decided."),
    ] = False,
    sprt: Annotated[
        str | None,
        typer.Option(
            "--sprt",
            metavar="TERM=VALUE",
            help="Stop when decided between two strengths of A: elo0=0 elo1=10 (or rate0=0.495 "
            "rate1=0.515), with alpha=0.05 beta=0.05; --pairs is the cap, 20000 by default.",
        ),
    ] = None,
    oracle: Annotated[
        bool, typer.Option("--oracle", help="Also compare A's actions with the game's oracle.")
    ] = False,
    from_start: Annotated[
        bool,
        typer.Option(
            "--from-start",
            help="Begin all games at the start, not with the game's stored opening lines.",
        ),
    ] = False,
    lanes: Annotated[int, typer.Option("--lanes", help="Threads; 0: one a core.")] = 0,
    per_pair: Annotated[
        bool, typer.Option("--per-pair", help="With --json: the result of each pair.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Also write the whole report to this file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Play A against B with paired seeds and seats exchanged.

    Players: random, greedy, oracle, uniform:sims=64, search:run=DIR,sims=64, policy:run=DIR, or a
    run directory; see `ludus players`. Draws count half. The interval treats a seed pair as one
    unit. The last bound is one-sided: "at least x" is shown when it is above x. Where a game has
    neither dice nor cards, both games of pair i begin with line i of a stored list of openings.

    A game with more than two seats is played by deals: A alone on every seat among B's, then B
    alone among A's; the difference in points a round is a mean over deals, whose luck cancels.

    With --sprt or --gate the match stops as soon as it is decided; the exit code tells of errors
    only, never of the verdict.
    """
    from ludus.arena import Gate, GateSettings, MatchSettings, make_match
    from ludus.arena.sequential import CAP
    from ludus.players import parse_player

    prepare_threads()
    entry = chosen_game(game, (player_a, player_b))
    hypotheses = _hypotheses(sprt, terms, gate)
    many = entry.rules.num_seats > 2
    if many:
        _check_deals(entry, pairs, hypotheses, unpaired)
        chosen = _seeds(seeds, seed, deals, False, DEALS, option="--deals", most=MOST_DEALS)
    elif deals is not None:
        raise UserError(
            f"--deals is for more than two seats, and {entry.name} has two: use --pairs"
        )
    else:
        chosen = _seeds(seeds, seed, pairs, unpaired, 1000 if gate else CAP if hypotheses else 500)
    settings = MatchSettings(
        lanes=lanes_or_default(lanes),
        paired=not unpaired,
        openings=None if from_start else entry.match_openings(),
    )
    players = parse_player(player_a, entry), parse_player(player_b, entry)
    figures = _judging(entry) if oracle else None
    if write_seeds is not None:
        chosen.write(write_seeds)
    if gate or hypotheses is not None:
        count = len(chosen) // (2 if unpaired else 1)
        mode: Any = {"mode": "duplicate", "deals": count} if many else {"pairs": count}
        test = GateSettings(**mode) if hypotheses is None else hypotheses.gate(count)
        with_test = Gate(entry.rules, *players, chosen, test, settings, figures=figures)
        report = _run_gate(with_test, entry.name, hypotheses)
        if oracle:
            report["oracle"] = _agreement(
                entry, with_test.match.result(report[with_test.match.unit])
            )
    else:
        plain = make_match(entry.rules, *players, chosen, settings, figures=figures)
        report = {"game": entry.name, **play(plain)}
        if oracle:
            report["oracle"] = _agreement(entry, plain.result())
    if out is not None:
        from ludus.runs.objects import replace_file

        out.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(report, indent=1) + "\n"
        replace_file(out.resolve(), text.encode(), durable=True)
        note(f"report written to {out}")
    if as_json:
        if not per_pair:
            report.pop("per_seed", None)
        print_json(report)
    else:
        _print(report)
    return 0


def _hypotheses(sprt: str | None, terms: list[str] | None, gate: bool) -> Hypotheses | None:
    from ludus.arena import Hypotheses

    if sprt is None:
        if terms:
            raise UserError(f"{terms[0]!r} is no player of this match: further terms need --sprt")
        return None
    if gate:
        raise UserError("--gate and --sprt exclude each other: a gate has its own hypotheses")
    return Hypotheses.parse([sprt, *(terms or [])])


def _check_deals(
    entry: GameEntry, pairs: int | None, hypotheses: Hypotheses | None, unpaired: bool
) -> None:
    """Refuse options that are for two seats."""
    for given, option, instead in (
        (pairs is not None, "--pairs", "use --deals"),
        (hypotheses is not None, "--sprt", "use --gate, or read the interval"),
        (unpaired, "--unpaired", "all games of a deal have its seed"),
    ):
        if given:
            seats = entry.rules.num_seats
            raise UserError(f"{option} is for two seats, and {entry.name} has {seats}: {instead}")


def _seeds(
    name: str | None,
    seed: int,
    pairs: int | None,
    unpaired: bool,
    default: int,
    *,
    option: str = "--pairs",
    most: int = 1_000_000,
) -> SeedSet:
    from ludus.arena import SeedSet, find_seed_set

    if pairs is not None and not 1 <= pairs <= most:
        raise UserError(f"{option} {pairs} must lie in 1..{most}")
    games_a_seed = 2 if unpaired else 1
    if name is None:
        return SeedSet.generate(seed, (pairs or default) * games_a_seed)
    stored = find_seed_set(name)
    return stored if pairs is None else stored.first(pairs * games_a_seed)


def _judging(entry: GameEntry) -> GameFigures:
    from ludus.arena import match_figures

    if "judge" not in entry.suites:
        raise UserError(f"{entry.name} has no oracle that could judge actions")
    return match_figures(entry.rules, entry.suites["judge"])


def _agreement(entry: GameEntry, result: Result) -> dict[str, Any]:
    from ludus.arena import match_rates

    return match_rates(result.figures, list(entry.rules.decision_kinds))


def _run_gate(gate: Gate, game: str, hypotheses: Hypotheses | None) -> dict[str, Any]:
    try:
        with Work(f"{gate.match.unit}, at most", gate.settings.units) as work:

            def show() -> None:
                at = gate.progress()
                ratio = at["llr"]
                about = gate.match.standing()
                about = about if ratio is None else f"log-likelihood ratio {ratio:+.2f}"
                work.update(at["seen"], about)

            drive(lambda seconds: gate.advance(seconds) is None, show)
    finally:
        gate.close()
    decision = gate.decision
    assert decision is not None
    report = {
        "game": game,
        **decision.report(),
        "fallbacks": int(gate.match.counters()["fallbacks"]),
    }
    if hypotheses is not None:
        report["sprt"] = hypotheses.outcome(decision)
        for name in ("schema", "promoted", "reason", "mode", "settings"):
            report.pop(name)  # a gate's, and this is none
    return report


def _print(report: dict[str, Any]) -> None:
    say(f"{report['player_a']}  against  {report['player_b']}")
    rows = deal_rows(report) if "deals" in report else _pair_rows(report)
    rows.append(("seeds", f"{report['seeds_id']}, SHA-256 {report['seeds_hash'][:16]}..."))
    if "promoted" in report:
        what = "promoted" if report["promoted"] else "not promoted"
        ratio = report.get("sprt", {}).get("llr")
        about = "" if ratio is None else f", log-likelihood ratio {ratio:+.2f}"
        rows.append(("decision", f"{what} ({report['reason']}{about})"))
    elif "sprt" in report:
        rows.append(("verdict", report["sprt"]["sentence"]))
    if report.get("oracle"):
        rows += agreement_rows(report["oracle"])
    if report["fallbacks"]:
        rows.append(("fallbacks", f"{report['fallbacks']} searches fell back to uniform priors"))
    rows += [("warning", warning) for warning in report["warnings"]]
    say(table(("", ""), rows).lstrip("\n"))


def _pair_rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    difference = report["mean_score_difference"]
    error = report["score_difference_se"]
    return [
        (
            "games",
            f"{report['games']} in {report['pairs']} pairs, {report['distinct_games']} distinct",
        ),
        ("wins / draws / losses", f"{report['wins']} / {report['draws']} / {report['losses']}"),
        (
            "win rate",
            f"{percent(report['win_rate'])}, 95 % interval {percent(report['win_rate_low'])} to "
            f"{percent(report['win_rate_high'])}, at least {percent(report['win_rate_bound'])}",
        ),
        (
            "by seat",
            ", ".join(f"seat {i} {percent(r)}" for i, r in enumerate(report["win_rate_by_seat"])),
        ),
        ("mean scores", " and ".join(f"{mean:.2f}" for mean in report["mean_scores"])),
        (
            "score difference",
            f"{difference:+.3f}" + (f" +- {error:.3f}" if error is not None else ""),
        ),
    ]


def agreement_rows(oracle: dict[str, Any]) -> list[tuple[str, str]]:
    """Lines on the agreement with an oracle, for people."""
    rows = []
    for name, value in oracle.items():
        if name.startswith("oracle_match_rate_"):
            kind = name.removeprefix("oracle_match_rate_")
            rows.append((f"agrees ({kind})", "-" if value is None else percent(value)))
    regret = oracle["mean_regret"]
    rows.append(("regret a decision", "-" if regret is None else f"{regret:.4f}"))
    rows.append(("keep-all ignored", str(oracle["oracle_keepall_ignored"])))
    return rows
