"""Blob (Oh Hell) for people: notation, drawing, records."""

from __future__ import annotations

from functools import partial

from ludus.games import blob_endgame, blob_players, blob_svg, blob_table
from ludus.games.blob_notation import action_text, event_text, parse_action
from ludus.games.blob_position import parse_position, position_text
from ludus.games.blob_records import of_actions, read_transcripts, write_transcripts
from ludus.games.blob_telling import telling
from ludus.games.blob_tokens import LAYOUT
from ludus.games.blob_variant import OPTIONS, Variant
from ludus.games.formats import RecordFormat
from ludus.games.registry import GameEntry

__all__ = ["OPTIONS", "entry"]


def entry(options: str = "") -> GameEntry:
    """The game's entry in the registry.

    Args:
        options: see :data:`~ludus.games.blob_variant.OPTIONS`.

    Raises:
        GameError: an unknown option, or a value that it cannot have.
    """
    variant = Variant.of(options)
    return GameEntry(
        name="blob",
        title=_title(variant),
        rules=variant.rules,
        render=partial(blob_table.render, variant),
        view=partial(blob_table.view, variant),
        action_text=action_text,
        parse_action=parse_action,
        position_text=position_text,
        parse_position=partial(parse_position, variant),
        event_text=event_text,
        picture=partial(blob_svg.picture, variant),
        formats={
            ".txt": RecordFormat(
                "transcripts", partial(read_transcripts, variant), write_transcripts
            )
        },
        record_of=partial(of_actions, variant),
        source=f"blob:{variant.options}" if variant.options else "blob",
        players=blob_players.players(variant.rules),
        about_players=blob_players.ABOUT,
        sparring="rules",
        suites=blob_endgame.suites(variant.rules),
        players_of_a_game=variant.players,
        units="games" if variant.games else "rounds",
        telling=telling(variant),
        for_people="blob:players=4,play=games,highest=5",
        values_are="Points of the round",
        tokens=LAYOUT,
    )


def _title(variant: Variant) -> str:
    first, last = variant.players[0], variant.players[-1]
    players = f"{first}" if first == last else f"{first} to {last}"
    what = "games of many rounds" if variant.games else "single rounds"
    return f"Blob (Oh Hell), {players} players, {what}"
