"""What a game offers to be measured by, found in its registry entry; all of it is optional."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ludus.arena import GameFigures, MatchSettings, Solitaire, match_figures, match_rates
from ludus.games import GameEntry
from ludus.players import Player, parse_player


def oracle_figures(entry: GameEntry) -> GameFigures | None:
    """Counts of decisions that agree with the game's oracle; None for a game without one."""
    judge = entry.suites.get("judge")
    return None if judge is None else match_figures(entry.rules, judge)


def oracle_rates(entry: GameEntry, figures: Mapping[str, float]) -> dict[str, Any] | None:
    """Match rates by kind of decision from summed figures; None if there are none."""
    if "ignored" not in figures:
        return None
    return match_rates(figures, list(entry.rules.decision_kinds))


def has_solitaire(entry: GameEntry) -> bool:
    """Whether the game names an opponent for the solitaire suite."""
    return "opponent" in entry.suites


def solitaire(
    entry: GameEntry, player: Player, policy_id: str, games: int, seed: int, how: MatchSettings
) -> Solitaire:
    """The solitaire suite of a player (decision 26).

    Args:
        entry: a game with :func:`has_solitaire`.
        player: who is measured.
        policy_id: its name in reports.
        games: even.
        seed: of the games.
        how: to play.
    """
    return Solitaire(
        entry.rules,
        player,
        parse_player(str(entry.suites["opponent"]()), entry),
        games=games,
        seed=seed,
        policy_id=policy_id,
        bonus=entry.suites.get("bonus"),
        settings=how,
        figures=oracle_figures(entry),
    )
