"""``ludus evaluate`` for more than two seats: players against fixed opponents over deals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ludus.cli.dealing import DEALS, MOST_DEALS, deal_rows, play
from ludus.cli.output import say, table
from ludus.cli.playing import percent
from ludus.errors import UserError

if TYPE_CHECKING:
    from ludus.games import GameEntry


def measure_by_deals(
    entry: GameEntry,
    players: Sequence[str],
    against: Sequence[str],
    *,
    deals: int | None,
    seed: int,
    lanes: int,
    judged: bool = False,
) -> list[dict[str, Any]]:
    """One report for each player and opponent; all play the same deals.

    Args:
        entry: the game.
        players: specifications of who is measured.
        against: specifications of whom they meet; none for the game's sparring partner.
        deals: of a match; None for :data:`~ludus.cli.dealing.DEALS`.
        seed: all seeds follow from it.
        lanes: threads.
        judged: whether the game's judge also says how good the player's actions were.

    Raises:
        UserError: a number of deals out of range, or an unknown player.
    """
    from ludus.arena import DuplicateMatch, MatchSettings, SeedSet, match_figures, match_rates
    from ludus.players import parse_player

    count = DEALS if deals is None else deals
    if not 1 <= count <= MOST_DEALS:
        raise UserError(f"--deals {count} must lie in 1..{MOST_DEALS}")
    seeds = SeedSet.generate(seed, count, purpose="evaluation")
    how = MatchSettings(lanes=lanes, openings=entry.match_openings())
    figures = match_figures(entry.rules, entry.suites["judge"]) if judged else None
    reports = []
    for spec in players:
        for opponent in against or (entry.sparring,):
            pair = parse_player(spec, entry), parse_player(opponent, entry)
            match = DuplicateMatch(entry.rules, *pair, seeds, how, figures=figures)
            report = play(match, f"{spec} / {opponent}")
            report.pop("per_seed")
            if judged:
                kinds = list(entry.rules.decision_kinds)
                report["oracle"] = match_rates(match.result().figures, kinds)
            reports.append({"player": spec, "opponent": opponent, **report})
    return reports


def print_by_deals(reports: Sequence[dict[str, Any]]) -> None:
    """One block of lines for each match."""
    for number, report in enumerate(reports):
        if number:
            say()
        say(f"{report['player']}  against  {report['opponent']}")
        rows = deal_rows(report)
        if "oracle" in report:
            rate, regret = (
                report["oracle"][k] for k in ("oracle_match_rate_overall", "mean_regret")
            )
            if rate is not None:
                about = f"{percent(rate)} of {report['oracle']['decisions']} judged decisions"
                rows.append(("as good as best", f"{about}, {regret:.3f} points given away in each"))
        if report["fallbacks"]:
            rows.append(("fallbacks", f"{report['fallbacks']} searches fell back"))
        rows += [("warning", warning) for warning in report["warnings"]]
        say(table(("", ""), rows).lstrip("\n"))
