"""Recorded games of Blob: transcripts that people read and the rules check.

A file has games one after the other; empty lines and lines that begin with ``#`` are skipped::

    game 1
    options: players=4,play=games,highest=2
    seats: 0=anna 1=search 2=search 3=random
    round 1: deal 83520147, 4 players, 2 cards, trump spades, dealer 3
    hands: 0=AsKh 1=Qs2d 2=9c3c 3=JhTd
    bids: 0=1 1=1 2=0 3=1
    trick 1: 0=As 1=Qs 2=3c 3=Td, seat 0 takes it
    trick 2: 0=Kh 1=2d 2=9c 3=Jh, seat 0 takes it
    points: 0 0 10 0
    totals: 0 0 10 0

``options`` are those of the specification of the game; without the line those of the game that
reads. ``seats`` may be left out, and so may the number of a deal, which says players, cards, trump,
dealer and hands by itself: cards that people dealt have none. ``totals`` may be left out too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ludus import _core
from ludus.errors import GameError
from ludus.games.blob_cards import (
    BID,
    MADE,
    NO_TRUMP,
    SUIT_NAMES,
    Table,
    card_text,
    cards_of,
    hand_text,
)
from ludus.games.blob_reading import Reader, split_games
from ludus.games.blob_variant import Variant
from ludus.games.formats import collect, read_text


@dataclass(frozen=True)
class BlobRound:
    """One round, played by the rules.

    Attributes:
        deal: number of the deal; None where people dealt.
        start: the position after the deal.
        actions: bids, then cards.
    """

    deal: int | None
    start: Table
    actions: tuple[int, ...]


@dataclass(frozen=True)
class BlobRecord:
    """One game.

    Attributes:
        options: of the specification of the game.
        names: of the players by seat; empty where not known.
        rounds: in order.
    """

    options: str
    names: tuple[str, ...]
    rounds: tuple[BlobRound, ...]


def of_actions(
    variant: Variant, actions: Sequence[int], names: Sequence[str], outcomes: Sequence[int]
) -> BlobRecord:
    """A record of a game, such as the replay of a run has.

    Args:
        variant: the game.
        actions: of all seats.
        names: by seat; those beyond the players are left out.
        outcomes: the deals in order.

    Raises:
        GameError: an illegal action or an impossible deal, or the game is not over behind them.
    """
    state = variant.rules.initial()
    deals, rest = list(outcomes), list(actions)
    rounds: list[BlobRound] = []
    while state.kind != "terminal":
        if not deals:
            raise GameError(f"the game is not over after {len(rounds)} rounds")
        deal = deals.pop(0)
        state.apply_outcome(deal)
        start = Table.of(state)
        played: list[int] = []
        while state.kind == "decision":
            if not rest:
                raise GameError(f"round {len(rounds) + 1} is not over behind the last action")
            state.apply(rest[0])
            played.append(rest.pop(0))
        rounds.append(BlobRound(deal, start, tuple(played)))
    if rest or deals:
        raise GameError(f"the game is over after {len(rounds)} rounds, but the record goes on")
    return BlobRecord(variant.options, tuple(names)[: rounds[0].start.players], tuple(rounds))


# -- writing ---------------------------------------------------------------------------------------


def write_transcripts(records: Sequence[BlobRecord]) -> dict[str, bytes]:
    """A file of transcripts."""
    texts = [transcript_text(record, number=i) for i, record in enumerate(records, 1)]
    return {".txt": "\n".join(texts).encode()}


def transcript_text(record: BlobRecord, *, number: int = 1) -> str:
    """One game as lines (see the module)."""
    variant = Variant.of(record.options)
    lines = [f"game {number}"]
    lines += [f"options: {record.options}"] * bool(record.options)
    if any(record.names):
        lines.append(f"seats: {_by_seat(enumerate(map(_name, record.names)))}")
    for i, one in enumerate(record.rounds, 1):
        lines += _round_lines(variant, one, i)
    return "\n".join(lines) + "\n"


def _name(name: str) -> str:
    """A name that is one printable word, as a line of names needs it."""
    return "_".join("".join(c if c.isprintable() else "?" for c in name).split()) or "?"


def _by_seat(pairs: Sequence[tuple[int, object]] | enumerate[str]) -> str:
    return " ".join(f"{seat}={what}" for seat, what in pairs)


def setup_text(t: Table) -> str:
    """``4 players, 2 cards, trump spades, dealer 3``."""
    trump = "none" if t.trump == NO_TRUMP else SUIT_NAMES[t.trump]
    return f"{t.players} players, {t.cards} cards, trump {trump}, dealer {t.dealer}"


def _round_lines(variant: Variant, one: BlobRound, number: int) -> list[str]:
    t = one.start
    deal = "" if one.deal is None else f"deal {one.deal}, "
    hands = [(seat, hand_text(cards_of(hand))) for seat, hand in enumerate(t.hands)]
    lines = [f"round {number}: {deal}{setup_text(t)}", f"hands: {_by_seat(hands)}"]
    state = variant.rules.state(t.packed())
    said: list[tuple[int, object]] = []
    for action in one.actions:
        seat = int(state.seat)
        said.append((seat, action - BID if action >= BID else card_text(action)))
        state.apply(action)
        if len(said) < t.players:
            continue
        now = Table.of(state)
        if action >= BID:
            lines.append(f"bids: {_by_seat(said)}")
        else:
            lines.append(f"trick {sum(now.won)}: {_by_seat(said)}, seat {now.leader} takes it")
        said = []
    end = Table.of(state)
    lines.append(f"points: {' '.join(map(str, points_of(end)))}")
    lines.append(f"totals: {' '.join(map(str, end.totals))}")
    return lines


def points_of(t: Table) -> list[int]:
    """Points by seat of a round that is over."""
    return [
        MADE + bid if bid is not None and bid == won else 0
        for bid, won in zip(t.bids, t.won, strict=True)
    ]


# -- reading ---------------------------------------------------------------------------------------


def read_transcripts(
    variant: Variant, path: Path, problems: list[str] | None = None
) -> list[BlobRecord]:
    """The games of a file of transcripts (see :class:`~ludus.games.formats.RecordFormat`)."""
    return parse_transcripts(variant, read_text(path), problems)


def parse_transcripts(
    variant: Variant, text: str, problems: list[str] | None = None
) -> list[BlobRecord]:
    """The games of a text.

    Args:
        variant: the game, where the text does not say its options.
        text: see the module.
        problems: see :attr:`~ludus.games.formats.RecordFormat.read`.

    Raises:
        GameError: the line that is wrong, and what would be right there.
    """
    return collect(
        split_games(text), lambda number, lines: _read_game(variant, Reader(lines)), problems
    )


def _read_game(variant: Variant, reader: Reader) -> BlobRecord:
    variant = reader.options(variant)
    names = reader.names()
    rounds: list[BlobRound] = []
    state = variant.rules.initial()
    while state.kind != "terminal":
        if reader.done:
            # Nobody is at the table before the first deal.
            more = f", which has {len(variant.rounds(Table.of(state).players))}" if rounds else ""
            raise reader.error(f"round {len(rounds) + 1} of the game is missing{more}")
        deal, state = reader.deal(variant, state, len(rounds) + 1)
        start = Table.of(state)
        actions: list[int] = []
        while state.kind == "decision":
            actions += reader.turn(state)
        reader.result(Table.of(state), points_of(Table.of(state)))
        rounds.append(BlobRound(deal, start, tuple(actions)))
    if not reader.done:
        raise reader.error("the game is over, but the text goes on", ahead=True)
    if names and len(names) != rounds[0].start.players:
        raise reader.error(f"{len(names)} seats are named, but {rounds[0].start.players} play")
    return BlobRecord(variant.options, names, tuple(rounds))


def last_state(record: BlobRecord) -> _core.State:
    """The position at the end of a recorded game."""
    rules = Variant.of(record.options).rules
    state = rules.state(record.rounds[-1].start.packed())
    for action in record.rounds[-1].actions:
        state.apply(action)
    return state
