"""What a person at a table of Blob is told, and what the others could know."""

from __future__ import annotations

from functools import partial

from ludus import _core
from ludus.games.blob_cards import (
    BID,
    CARDS,
    MADE,
    SUIT_NAMES,
    Table,
    mask_of,
    suit_of,
    winning_place,
)
from ludus.games.blob_table import (
    card_symbol,
    hand_symbols,
    round_text,
    seats_lacking,
    trump_text,
    who,
)
from ludus.games.blob_variant import Variant
from ludus.games.telling import Telling

_SCALE = 11.5
"""A score of s points is worth s / 11.5 - 1 (cpp/games/blob.h)."""


def telling(variant: Variant) -> Telling:
    """The texts of a game with these options."""
    return Telling(
        dealt=partial(_dealt, variant),
        happened=_happened,
        ended=_ended,
        knew=partial(_knew, variant),
        opened=_opened,
        value=lambda value: f"{(value + 1.0) * _SCALE:.1f} points",
        stage="round",
    )


def _verb(seat: int, reader: int, word: str) -> str:
    """``you play`` or ``seat 2 plays``."""
    return f"{who(seat, reader)} {word}{'' if seat == reader else 's'}"


def _dealt(variant: Variant, state: _core.State, seat: int) -> str:
    t = Table.of(state)
    cards = f"{t.cards} card{'s' * (t.cards > 1)} each"
    dealer = _verb(t.dealer, seat, "deal")
    return f"{round_text(variant, t, t.round)}: {dealer} {cards}, {trump_text(t.trump)}."


def _happened(before: _core.State, action: int, after: _core.State, seat: int) -> list[str]:
    """The bids when all are made, a trick when it is taken."""
    t, then = Table.of(before), Table.of(after)
    if action >= BID:
        if then.phase == "bid":
            return []
        order = [t.after(t.dealer, i + 1) for i in range(t.players)]
        return ["Bids: " + ", ".join(f"{who(i, seat)} {then.bids[i]}" for i in order) + "."]
    if len(t.trick) + 1 < t.players:
        return []
    trick = (*t.trick, action)
    laid = [
        f"{who(t.after(t.leader, i), seat)} {card_symbol(card)}" for i, card in enumerate(trick)
    ]
    winner = t.after(t.leader, winning_place(trick, t.trump))
    line = f"Trick {sum(t.won) + 1}: {', '.join(laid)}; {_verb(winner, seat, 'take')} it."
    return [line]


def _ended(state: _core.State, seat: int) -> list[str]:
    """Who made the bid, and the running totals."""
    t = Table.of(state)
    lines = [f"    {'':<8}{'bid':>5}{'tricks':>8}{'round':>8}{'total':>8}"]
    for i in range(t.players):
        bid = t.bids[i] or 0
        points = MADE + bid if t.won[i] == bid else 0
        lines.append(f"    {who(i, seat):<8}{bid:>5}{t.won[i]:>8}{f'+{points}':>8}{t.totals[i]:>8}")
    return lines


def _knew(variant: Variant, before: _core.State, action: int, seat: int) -> list[str]:
    """What a seat saw when it bid or played: all of it public, but for its hand."""
    t = Table.of(before)
    mover = t.seat
    unseen = CARDS - t.played.bit_count() - t.hand_size(mover)
    hidden = unseen - sum(t.hand_size(i) for i in range(t.players) if i != mover)
    held = f"its own {t.hand_size(mover)} card{'s' * (t.hand_size(mover) > 1)}"
    others = f"it saw {held}, and not {unseen} others, of which {hidden} are not dealt"
    lines = []
    if t.phase == "bid":
        bids = [
            f"{who(i, seat)} {t.bids[i]}"
            for i in (t.after(t.dealer, k + 1) for k in range(t.players))
            if t.bids[i] is not None
        ]
        lines.append(f"{who(mover, seat)} bid {action - BID}")
        said = f"bids before it: {', '.join(bids)}" if bids else "it was the first to bid"
        lines.append(f"  {said}")
        forbidden = variant.forbidden_bid(t) if mover == t.dealer else None
        if forbidden is not None:
            lines.append(f"  as the dealer it could not bid {forbidden}")
    else:
        lines.append(f"{who(mover, seat)} played {card_symbol(action)} in trick {sum(t.won) + 1}")
        laid = ", ".join(
            f"{who(i, seat)} {card_symbol(card)}"
            for i, card in zip(t.trick_seats(), t.trick, strict=True)
        )
        wanted = (t.bids[mover] or 0) - t.won[mover]
        lines.append(
            f"  {f'on the table: {laid}' if laid else 'it led'}; it wanted {max(wanted, 0)} more "
            f"trick{'s' * (max(wanted, 0) != 1)}{' (it had too many)' * (wanted < 0)}"
        )
        if t.trick and suit_of(action) != suit_of(t.trick[0]):
            lines.append(f"  it showed that it has no {SUIT_NAMES[suit_of(t.trick[0])]}")
        known = [
            text for i in range(t.players) if i != mover and (text := seats_lacking(t, i, seat))
        ]
        if known:
            lines.append(f"  it had seen that {', '.join(known)}")
        if earlier := t.played & ~mask_of(t.trick):
            lines.append(f"  cards of earlier tricks: {hand_symbols(earlier)}")
    lines.insert(1, f"  {others}")
    return lines


def _opened(before: _core.State, action: int) -> str:
    """What it held, and what it could do."""
    t = Table.of(before)
    legal = before.legal().tolist()
    if len(legal) == 1:
        could = "nothing else was legal"
    elif action >= BID:
        could = f"bids {', '.join(str(one - BID) for one in legal)} were free"
    elif len(legal) == t.hand_size(t.seat):
        could = "every card was legal"
    else:
        could = f"{', '.join(map(card_symbol, legal))} were legal"
    return f"it held {hand_symbols(t.hands[t.seat])}; {could}"
