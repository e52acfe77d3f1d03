"""Colours and signs. A colour never says what a word or sign beside it does not say too."""

from __future__ import annotations

from ludus.monitor.view import RunView

BACKGROUND = "#0f141a"
SURFACE = "#151c24"
LINE = "#2c3845"
TEXT = "#d5dde6"
DIM = "#8593a3"
FAINT = "#4b5866"
ACCENT = "#62b0f0"
GOOD = "#7fcb91"
WARN = "#e8c35c"
BAD = "#f07b72"
VIOLET = "#b79df2"
TEAL = "#5cc8bd"

STATE_COLOURS = {
    "training": GOOD,
    "starting": ACCENT,
    "paused": WARN,
    "idle": DIM,
    "done": ACCENT,
    "error": BAD,
    "dead": BAD,
    "unknown": DIM,
}

STATE_SIGNS = {
    "training": "●",
    "starting": "◌",
    "paused": "‖",
    "idle": "■",
    "done": "✓",
    "error": "✗",
    "dead": "✗",
    "unknown": "?",
}

PHASE_WORDS = {
    "selfplay": "self-play",
    "train": "training",
    "gate": "gate",
    "evaluate": "evaluation",
}

PHASE_COLOURS = {"selfplay": TEAL, "train": ACCENT, "gate": VIOLET, "evaluate": GOOD}


def state_colour(view: RunView) -> str:
    """Colour of a view's state."""
    return WARN if view.stale else STATE_COLOURS.get(view.state, DIM)
