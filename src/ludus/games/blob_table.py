"""A table of Blob in a terminal, as one seat sees it."""

from __future__ import annotations

from ludus import _core
from ludus.games.blob_cards import (
    NO_TRUMP,
    RANKS,
    SUIT_NAMES,
    SYMBOLS,
    Table,
    card_text,
    cards_of,
    winning_place,
)
from ludus.games.blob_variant import Variant


def card_symbol(card: int) -> str:
    """``♠Q``, and ``♠10`` for the ten, as cards are shown on tables."""
    return SYMBOLS[card // 13] + rank_symbol(card)


def rank_symbol(card: int) -> str:
    """``Q`` or ``10``."""
    rank = RANKS[card % 13]
    return "10" if rank == "T" else rank


def hand_symbols(hand: int) -> str:
    """A hand by suits, the highest cards first: ``♠ A 10 4   ♦ K``."""
    groups = []
    for suit, symbol in enumerate(SYMBOLS):
        ranks = [rank_symbol(card) for card in reversed(cards_of(hand)) if card // 13 == suit]
        if ranks:
            groups.append(" ".join([symbol, *ranks]))
    return "   ".join(groups) or "no cards"


def trump_text(trump: int) -> str:
    """``hearts are trump``."""
    return "no trump" if trump == NO_TRUMP else f"{SUIT_NAMES[trump]} {SYMBOLS[trump]} are trump"


def render(variant: Variant, state: _core.State) -> str:
    """The table as the seat to move sees it."""
    return view(variant, state, Table.of(state).seat)


def view(variant: Variant, state: _core.State, seat: int | None) -> str:
    """The table as one seat sees it, or with all hands open.

    Args:
        variant: the game.
        state: a state of it.
        seat: who looks; None opens all hands.

    Returns: lines without a final newline. What the others hold shows nowhere in them unless
        ``seat`` is None.
    """
    t = Table.of(state)
    if t.players == 0:
        return "Nothing is dealt yet."
    lines = [headline(variant, t, seat), "", *_seats(t, seat), ""]
    if t.phase == "play" or t.trick:
        lines.append(f"  trick      {_trick(t, seat)}")
    if t.phase in ("deal", "over"):
        return "\n".join(lines).rstrip()
    if seat is None:
        lines += [
            f"  {f'seat {i}':<10} {hand_symbols(hand)}" for i, hand in enumerate(t.hands) if hand
        ]
        return "\n".join(lines)
    lines.append(f"  your hand  {hand_symbols(t.hands[seat])}")
    if seat == t.seat:
        lines.append(f"  you may    {_choices(variant, t, state)}")
    return "\n".join(lines)


def headline(variant: Variant, t: Table, seat: int | None) -> str:
    """Which round and trick it is, and whose turn."""
    if t.phase == "over":
        return _ending(t, seat)
    done = sum(t.won)
    turn = who(t.seat, seat)
    cards = f"{t.cards} card{'s' * (t.cards > 1)} each, {trump_text(t.trump)}"
    if t.phase == "deal":
        return f"{round_text(variant, t, t.round - 1)} is over; {turn} deal{_s(t, seat)} the next."
    what = "bid" if t.phase == "bid" else f"play, trick {done + 1} of {t.cards}"
    return f"{round_text(variant, t, t.round)}: {cards}. {turn.capitalize()} to {what}."


def round_text(variant: Variant, t: Table, number: int) -> str:
    """``Round 3 of 12``, where a game has more than one."""
    return f"Round {number + 1} of {len(variant.rounds(t.players))}" if variant.games else "Round"


def seats_lacking(t: Table, other: int, seat: int | None) -> str:
    """``seat 2 has no ♥ ♣``, as everybody has seen; empty where nobody has seen anything."""
    lacking = " ".join(symbol for s, symbol in enumerate(SYMBOLS) if t.voids[other] >> s & 1)
    return (
        f"{who(other, seat)} {'have' if other == seat else 'has'} no {lacking}" if lacking else ""
    )


def who(other: int, seat: int | None) -> str:
    """A seat in the eyes of another."""
    return "you" if other == seat else f"seat {other}"


def _s(t: Table, seat: int | None) -> str:
    return "" if t.seat == seat else "s"


def _ending(t: Table, seat: int | None) -> str:
    best = [i for i, points in enumerate(t.totals) if points == max(t.totals)]
    names = [who(i, seat) for i in best]
    named = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    verb = "has" if len(best) == 1 and best != [seat] else "have"
    return f"The game is over: {named} {verb} most points, {max(t.totals)}."


def _seats(t: Table, seat: int | None) -> list[str]:
    """A row for each seat: bid, tricks, points, and what everybody knows of it."""
    lines = [f"    {'':<8}{'bid':>5}{'tricks':>8}{'points':>8}"]
    for i in range(t.players):
        notes = ["dealer"] * (i == t.dealer)
        lacking = "".join(symbol for s, symbol in enumerate(SYMBOLS) if t.voids[i] >> s & 1)
        notes += [f"has no {' '.join(lacking)}"] * bool(lacking)
        if t.phase in ("deal", "over"):
            notes.append("made it" if t.bids[i] == t.won[i] else "missed")
        bid = "." if t.bids[i] is None else str(t.bids[i])
        mark = ">" if i == t.seat and t.phase in ("bid", "play") else " "
        lines.append(
            f"  {mark} {who(i, seat):<8}{bid:>5}{t.won[i]:>8}{t.totals[i]:>8}  {', '.join(notes)}"
        )
    made = [bid for bid in t.bids if bid is not None]
    if t.phase in ("bid", "play"):
        over = sum(made) - t.cards
        fits = "" if len(made) < t.players or over == 0 else f", {abs(over)} too "
        fits += "" if not fits else "many" if over > 0 else "few"
        lines.append(f"    {'all':<8}{sum(made):>5} of {t.cards} tricks{fits}")
    return [line.rstrip() for line in lines]


def _trick(t: Table, seat: int | None) -> str:
    if not t.trick:
        return f"{who(t.leader, seat)} lead{'' if t.leader == seat else 's'}"
    laid = [
        f"{who(i, seat)} {card_symbol(card)}"
        for i, card in zip(t.trick_seats(), t.trick, strict=True)
    ]
    best = t.trick_seats()[winning_place(t.trick, t.trump)]
    return f"{', '.join(laid)}; {who(best, seat)} ahead"


def _choices(variant: Variant, t: Table, state: _core.State) -> str:
    if t.phase == "play":
        return f"play {', '.join(map(card_text, state.legal().tolist()))}"
    forbidden = variant.forbidden_bid(t) if t.seat == t.dealer else None
    free = f"bid 0 to {t.cards}"
    return free if forbidden is None else f"{free}, not {forbidden} (the sum would be {t.cards})"
