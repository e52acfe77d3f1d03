"""Pictures of Othello boards as SVG: one string, nothing fetched from elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from xml.sax.saxutils import escape

from ludus import _core
from ludus.games.othello_position import Discs

_CELL = 40
_RIM = 20
_SIZE = 2 * _RIM + 8 * _CELL


def board_svg(
    state: _core.State,
    *,
    last: int | None = None,
    marks: Mapping[int, str] | None = None,
    shaded: Collection[int] = (),
    legal: bool = True,
    standalone: bool = False,
) -> str:
    """A board with its coordinates.

    Args:
        state: of Othello.
        last: square of the last move, which gets a red dot.
        marks: short texts on squares, such as values of moves.
        shaded: squares that stand out, such as those of a pattern.
        legal: whether legal moves are shown as small dots.
        standalone: whether it is to be a file of its own instead of a part of a page.

    Returns: an ``<svg>`` element 360 units wide and high.
    """
    discs = Discs.of(state)
    space = ' xmlns="http://www.w3.org/2000/svg"' if standalone else ""
    parts = [
        f'<svg{space} viewBox="0 0 {_SIZE} {_SIZE}" role="img" '
        'font-family="sans-serif" text-anchor="middle">',
        f'<rect width="{_SIZE}" height="{_SIZE}" fill="#1f4d36"/>',
    ]
    for i in range(8):
        middle = _RIM + _CELL * i + _CELL // 2
        for x, y, name in ((middle, 14, "abcdefgh"[i]), (10, middle + 4, str(i + 1))):
            parts.append(f'<text x="{x}" y="{y}" font-size="12" fill="#dce8e0">{name}</text>')
    for square in range(64):
        parts += _square(discs, square, last, (marks or {}).get(square), square in shaded, legal)
    parts.append("</svg>")
    return "".join(parts)


def _square(
    discs: Discs, square: int, last: int | None, mark: str | None, shaded: bool, legal: bool
) -> list[str]:
    x, y = _RIM + _CELL * (square % 8), _RIM + _CELL * (square // 8)
    middle = f'cx="{x + _CELL // 2}" cy="{y + _CELL // 2}"'
    fill = "#8bbf6a" if shaded else "#2e7d4f"
    parts = [
        f'<rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" fill="{fill}" stroke="#1f4d36"/>'
    ]
    black, white = discs.black >> square & 1, discs.white >> square & 1
    if black or white:
        colour = "#111111" if black else "#f7f7f2"
        parts.append(f'<circle {middle} r="16" fill="{colour}" stroke="#0b0b0b"/>')
    elif legal and mark is None and discs.moves >> square & 1:
        colour = "#111111" if discs.seat == 0 else "#f7f7f2"
        parts.append(f'<circle {middle} r="4" fill="{colour}" fill-opacity="0.6"/>')
    if square == last:
        parts.append(f'<circle {middle} r="4" fill="#d6402b"/>')
    if mark is not None:
        colour = "#f7f7f2" if black or not white else "#111111"
        parts.append(
            f'<text x="{x + _CELL // 2}" y="{y + _CELL // 2 + 4}" font-size="11" '
            f'fill="{colour}">{escape(mark)}</text>'
        )
    return parts
