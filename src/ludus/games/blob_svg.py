"""Pictures of Blob's tables as SVG: one string, nothing fetched from elsewhere."""

from __future__ import annotations

import math

from ludus import _core
from ludus.games.blob_cards import (
    NO_TRUMP,
    SUIT_NAMES,
    SYMBOLS,
    Table,
    cards_of,
    winning_place,
)
from ludus.games.blob_table import rank_symbol
from ludus.games.blob_variant import Variant

_WIDTH, _HEIGHT = 560, 460
_MIDDLE = (280.0, 205.0)
_ROUND = (215.0, 152.0)
_TRICK = (104.0, 62.0)
"""Half axes of the ellipses that seats and cards of the trick stand on."""

_CARD = (34.0, 46.0)
_SMALL = (24.0, 33.0)
_RED, _BLACK = "#b3261e", "#15181c"
_FELT, _RAIL, _LIGHT, _GOLD = "#2e6b4f", "#1c4634", "#e8f1ec", "#f2c14e"

# Suits as paths around (0, 0), 20 units high: pictures must not depend on the fonts of a machine.
_SHAPES = (
    "M0 -10C3 -5 9 -2 9 3C9 7 4 8 1.5 5C1.5 8 3 9.5 4.5 10H-4.5C-3 9.5 -1.5 8 -1.5 5"
    "C-4 8 -9 7 -9 3C-9 -2 -3 -5 0 -10Z",
    "M0 10C-3 5 -9 1 -9 -4C-9 -8 -6 -9.5 -4 -9.5C-2 -9.5 -0.5 -8 0 -6C0.5 -8 2 -9.5 4 -9.5"
    "C6 -9.5 9 -8 9 -4C9 1 3 5 0 10Z",
    "M0 -10A4.4 4.4 0 0 1 3.4 -2.8A4.4 4.4 0 1 1 1.4 4.2C1.5 7.5 3 9.5 4.5 10H-4.5"
    "C-3 9.5 -1.5 7.5 -1.4 4.2A4.4 4.4 0 1 1 -3.4 -2.8A4.4 4.4 0 0 1 0 -10Z",
    "M0 -10L7.5 0L0 10L-7.5 0Z",
)


def picture(variant: Variant, state: _core.State) -> str:
    """The table as the seat to move sees it."""
    t = Table.of(state)
    return table_svg(variant, state, seat=t.seat if t.players else None)


def table_svg(
    variant: Variant, state: _core.State, *, seat: int | None, standalone: bool = False
) -> str:
    """A table with its seats, seen from above.

    Args:
        variant: the game.
        state: of Blob.
        seat: who looks, and sits at the lower edge; the others' cards lie face down. None: all
            cards are open, and seat 0 sits there.
        standalone: whether it is to be a file of its own instead of a part of a page.

    Returns: an ``<svg>`` element 560 units wide and 460 high.
    """
    t = Table.of(state)
    space = ' xmlns="http://www.w3.org/2000/svg"' if standalone else ""
    parts = [
        f'<svg{space} viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="a table of Blob" '
        'font-family="sans-serif" text-anchor="middle">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" rx="10" fill="{_RAIL}"/>',
        f'<ellipse cx="{_MIDDLE[0]:g}" cy="{_MIDDLE[1]:g}" rx="236" ry="150" fill="{_FELT}" '
        'stroke="#143527" stroke-width="5"/>',
    ]
    if t.players == 0:
        parts.append(_text(*_MIDDLE, "nothing is dealt yet", 16))
        return "".join([*parts, "</svg>"])
    parts += _heading(variant, t)
    best = None
    if t.trick:
        best = t.trick_seats()[winning_place(t.trick, t.trump)]
    for other, card in zip(t.trick_seats(), t.trick, strict=True):
        x, y = _place(t, other, seat, _TRICK)
        parts += _card(x, y, card, _CARD, marked=other == best)
    for other in range(t.players):
        parts += _seat(t, other, seat, points=variant.games)
    if seat is not None:
        parts += _hand(t.hands[seat], _MIDDLE[0], 422.0, _CARD, 500.0)
    return "".join([*parts, "</svg>"])


def _place(
    t: Table, other: int, seat: int | None, axes: tuple[float, float]
) -> tuple[float, float]:
    """Where a seat is, clockwise from the one who looks at the lower edge."""
    turn = math.pi / 2 + 2 * math.pi * ((other - (seat or 0)) % t.players) / t.players
    return _MIDDLE[0] + axes[0] * math.cos(turn), _MIDDLE[1] + axes[1] * math.sin(turn)


def _heading(variant: Variant, t: Table) -> list[str]:
    """Trump in the upper left corner, the round in the upper right one."""
    parts = [_text(14, 24, "trump", 12, _LIGHT, "start")]
    if t.trump == NO_TRUMP:
        parts.append(_text(14, 44, "none", 16, _GOLD, "start"))
    else:
        parts += [
            '<rect x="14" y="32" width="24" height="24" rx="4" fill="#fbfbf8"/>',
            _suit(26, 44, t.trump, 0.85),
        ]
    bids = sum(bid for bid in t.bids if bid is not None)
    lines = [f"{t.cards} card{'s' * (t.cards > 1)} each", f"{bids} bid"]
    if variant.games:
        number = t.round - (t.phase == "deal")
        lines.insert(0, f"round {number + 1} of {len(variant.rounds(t.players))}")
    return parts + [
        _text(_WIDTH - 14, 24 + 16 * i, line, 12, _LIGHT, "end") for i, line in enumerate(lines)
    ]


def _seat(t: Table, other: int, seat: int | None, *, points: bool) -> list[str]:
    """A plate with who it is, bid and tricks; cards beside it where somebody else's are held."""
    x, y = _place(t, other, seat, _ROUND)
    turn = other == t.seat and t.phase in ("bid", "play")
    bid = "-" if t.bids[other] is None else t.bids[other]
    name = "you" if other == seat else f"seat {other}"
    parts = []
    held = t.hands[other]
    if seat is None:
        parts += _hand(held, x, y + 38, _SMALL, 150.0)
    elif other != seat and held:
        parts += _backs(t.hand_size(other), x, y + 32)
    parts.append(
        f'<rect x="{x - 46:.1f}" y="{y - 21:.1f}" width="92" height="42" rx="8" fill="#10261c" '
        f'stroke="{_GOLD if turn else "#5f8a75"}" stroke-width="{3 if turn else 1}"/>'
    )
    parts.append(_text(x, y - 5, f"{name}: {t.totals[other]}" if points else name, 13))
    parts.append(_text(x, y + 13, f"{t.won[other]} of {bid}", 13, _GOLD))
    if other == t.dealer:
        parts.append(f'<circle cx="{x + 46:.1f}" cy="{y - 21:.1f}" r="9" fill="{_LIGHT}"/>')
        parts.append(_text(x + 46, y - 17, "D", 12, _BLACK))
    for i, suit in enumerate(s for s in range(4) if t.voids[other] >> s & 1):
        left, top = x - 44 + 17 * i, y - 31
        parts += [
            f'<circle cx="{left:.1f}" cy="{top:.1f}" r="8" fill="#fbfbf8"/>',
            _suit(left, top, suit, 0.5),
            f'<path d="M{left - 6:.1f} {top + 6:.1f}l12 -12" stroke="{_BLACK}" stroke-width="2"/>',
        ]
    return parts


def _backs(count: int, x: float, y: float) -> list[str]:
    step = 7.0
    first = x - step * (count - 1) / 2
    return [
        f'<rect x="{first + step * i - 7:.1f}" y="{y - 9:.1f}" width="14" height="19" rx="2" '
        'fill="#3d5a80" stroke="#e0e6ee"/>'
        for i in range(count)
    ]


def _hand(held: int, x: float, y: float, size: tuple[float, float], width: float) -> list[str]:
    """Cards in a row, by suits, the highest first; closer together where they are many."""
    cards = sorted(cards_of(held), key=lambda card: (card // 13, -card))
    if not cards:
        return []
    step = min(size[0] + 4, width / len(cards))
    half = step * (len(cards) - 1) / 2 + size[0] / 2 + 4
    first = min(max(x, half), _WIDTH - half) - step * (len(cards) - 1) / 2
    return [part for i, card in enumerate(cards) for part in _card(first + step * i, y, card, size)]


def _card(
    x: float, y: float, card: int, size: tuple[float, float], marked: bool = False
) -> list[str]:
    """A card around its middle; the rank and the suit stand at its left, which stays in sight."""
    width, height = size
    left, top = x - width / 2, y - height / 2
    stroke = f'stroke="{_GOLD}" stroke-width="3"' if marked else 'stroke="#5a5f66"'
    font = round(height * 0.38)
    middle = left + width * 0.36
    return [
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:g}" height="{height:g}" rx="4" '
        f'fill="#fbfbf8" {stroke}/>',
        _text(middle, top + font + 1, rank_symbol(card), font, _colour(card // 13)),
        _suit(middle, top + height * 0.72, card // 13, height / 62),
    ]


def _colour(suit: int) -> str:
    return _RED if suit in (1, 3) else _BLACK


def _suit(x: float, y: float, suit: int, scale: float) -> str:
    return (
        f'<path transform="translate({x:.1f} {y:.1f}) scale({scale:.2f})" d="{_SHAPES[suit]}" '
        f'fill="{_colour(suit)}"><title>{SUIT_NAMES[suit]} {SYMBOLS[suit]}</title></path>'
    )


def _text(
    x: float, y: float, text: str, size: int, colour: str = _LIGHT, anchor: str = "middle"
) -> str:
    side = "" if anchor == "middle" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}"{side}>{text}</text>'
