"""A flame graph as one SVG file: nothing is fetched, nothing runs, a title on every bar.

Bars of a level lie beside each other by weight, callers below their callees, and the width of a bar
is its share of all weight.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from ludus.measure.stacks import WAITING, Stack

_ROW = 18
_CHARACTER = 6.3
"""Width of a character of the labels, in pixels."""

_NARROWEST = 0.4
"""Bars of fewer pixels are left out."""

_COLOURS = {
    "waiting": ("#d9d9d9", "waiting for work"),
    "compiled": ("#f2a65a", "the compiled core"),
    "network": ("#c08fd6", "evaluator and network"),
    "ludus": ("#7fb4dc", "Ludus in Python"),
    "other": ("#a9cf9c", "other libraries"),
}


_NATIVE_NETWORK = ("at::", "c10::", "torch::", "ov::", "dnnl", "mkl", "cblas", "sgemm", "gemm")
"""How functions of the libraries that compute networks begin."""


@dataclass
class _Bar:
    weight: int = 0
    inner: dict[str, _Bar] = field(default_factory=dict)


def kind_of(name: str) -> str:
    """Which colour a name gets."""
    module = name.partition(":")[0].partition(".")[0]
    if name == WAITING:
        return "waiting"
    if name.endswith("(core)") or name.startswith("ludus::"):
        return "compiled"
    if (
        name.startswith("ludus.evaluators")
        or module in ("torch", "openvino", "onnxruntime")
        or name.startswith(_NATIVE_NETWORK)
    ):
        return "network"
    return "ludus" if module in ("ludus", "lanes", "MainThread") else "other"


def flame_graph(
    folded: Mapping[Stack, int], *, title: str, subtitle: str = "", width: int = 1200
) -> str:
    """The SVG.

    Args:
        folded: weights by stack, outermost name first.
        title: above the bars.
        subtitle: below the title.
        width: in pixels.
    """
    root = _Bar()
    for stack, weight in folded.items():
        root.weight += weight
        bar = root
        for name in stack:
            bar = bar.inner.setdefault(name, _Bar())
            bar.weight += weight
    shown: list[tuple[int, float, float, str, int]] = []
    if root.weight:
        _place(root, 0, 10.0, (width - 20.0) / root.weight, shown)
    levels = 1 + max((level for level, *_ in shown), default=0)
    top = 74
    height = top + levels * _ROW + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="Verdana, DejaVu Sans, sans-serif" '
        f'font-size="11">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="10" y="22" font-size="16" fill="#222222">{escape(title)}</text>',
        f'<text x="10" y="40" fill="#555555">{escape(subtitle)}</text>',
        *_legend({kind_of(name) for _, _, _, name, _ in shown}),
    ]
    for level, x, wide, name, weight in shown:
        y = height - 12 - (level + 1) * _ROW
        parts.append(_bar(x, y, wide, name, weight, root.weight))
    return "\n".join([*parts, "</svg>", ""])


def _place(
    bar: _Bar, level: int, x: float, scale: float, shown: list[tuple[int, float, float, str, int]]
) -> None:
    order = sorted(bar.inner.items(), key=lambda item: (item[0] == WAITING, -item[1].weight))
    for name, inner in order:
        wide = inner.weight * scale
        if wide >= _NARROWEST:
            shown.append((level, x, wide, name, inner.weight))
            _place(inner, level + 1, x, scale, shown)
        x += wide


def _bar(x: float, y: int, wide: float, name: str, weight: int, total: int) -> str:
    told = f"{name}: {weight / 1e6:.3f} s, {weight / total:.1%}"
    shape = (
        f"<g><title>{escape(told)}</title>"
        f'<rect x="{x:.1f}" y="{y}" width="{max(0.2, wide - 0.4):.1f}" height="{_ROW - 1}" '
        f'rx="1.5" fill="{_colour(name)}"/>'
    )
    room = int((wide - 6) / _CHARACTER)
    label = name if len(name) <= room else _short(name)
    if len(label) > room:
        label = label[: room - 2] + ".." if room > 4 else ""
    if label:
        shape += f'<text x="{x + 3:.1f}" y="{y + 13}" fill="#111111">{escape(label)}</text>'
    return shape + "</g>"


def _short(name: str) -> str:
    """The function without its module."""
    return name.rpartition(":")[2] if not name.startswith("ludus::") else name.rpartition("::")[2]


def _colour(name: str) -> str:
    """Its kind's colour, a little different for each name so that neighbours stand apart."""
    base = _COLOURS[kind_of(name)][0]
    shift = hashlib.sha256(name.encode()).digest()[0] % 25 - 12
    parts = (int(base[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{max(0, min(255, part + shift)):02x}" for part in parts)


def _legend(kinds: set[str]) -> list[str]:
    parts, x = [], 10.0
    for kind, (colour, text) in _COLOURS.items():
        if kind in kinds:
            parts.append(f'<rect x="{x:.0f}" y="50" width="12" height="12" fill="{colour}"/>')
            parts.append(f'<text x="{x + 17:.0f}" y="60" fill="#333333">{text}</text>')
            x += 34 + len(text) * _CHARACTER
    return parts
