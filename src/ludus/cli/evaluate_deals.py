"""``ludus evaluate`` for more than two seats: players against fixed opponents over deals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ludus.cli.dealing import DEALS, MOST_DEALS, deal_rows, play
from ludus.cli.output import say, table
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
) -> list[dict[str, Any]]:
    """One report for each player and opponent; all play the same deals.

    Args:
        entry: the game.
        players: specifications of who is measured.
        against: specifications of whom they meet; none for the game's sparring partner.
        deals: of a match; None for :data:`~ludus.cli.dealing.DEALS`.
        seed: all seeds follow from it.
        lanes: threads.

    Raises:
        UserError: a number of deals out of range, or an unknown player.
    """
    from ludus.arena import DuplicateMatch, MatchSettings, SeedSet
    from ludus.players import parse_player

    count = DEALS if deals is None else deals
    if not 1 <= count <= MOST_DEALS:
        raise UserError(f"--deals {count} must lie in 1..{MOST_DEALS}")
    seeds = SeedSet.generate(seed, count, purpose="evaluation")
    how = MatchSettings(lanes=lanes, openings=entry.match_openings())
    reports = []
    for spec in players:
        for opponent in against or (entry.sparring,):
            pair = parse_player(spec, entry), parse_player(opponent, entry)
            report = play(DuplicateMatch(entry.rules, *pair, seeds, how), f"{spec} / {opponent}")
            report.pop("per_seed")
            reports.append({"player": spec, "opponent": opponent, **report})
    return reports


def print_by_deals(reports: Sequence[dict[str, Any]]) -> None:
    """One block of lines for each match."""
    for number, report in enumerate(reports):
        if number:
            say()
        say(f"{report['player']}  against  {report['opponent']}")
        rows = deal_rows(report)
        if report["fallbacks"]:
            rows.append(("fallbacks", f"{report['fallbacks']} searches fell back"))
        rows += [("warning", warning) for warning in report["warnings"]]
        say(table(("", ""), rows).lstrip("\n"))
