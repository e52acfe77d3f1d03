"""Lines of the form: the settings with their values, and what is known of the chosen one."""

from __future__ import annotations

from rich.text import Text

from ludus.monitor.tui import palette
from ludus.monitor.tui.commands import Answer
from ludus.monitor.tui.draft import Draft, value_text
from ludus.monitor.tui.health import folded
from ludus.monitor.tui.knobs import Knob, knobs
from ludus.monitor.tui.words import plain

RECIPE, PRESET, GAME, PATH = "recipe", "preset", "game", "directory"
CHOICES = (RECIPE, PRESET, GAME, PATH)
"""Lines that are no settings and come first."""

_ABOUT = {
    RECIPE: "What is trained and how: a named configuration.",
    PRESET: "A named variation of the recipe.",
    GAME: "The game of a recipe for any game: a name, FILE.py:Class or openspiel:NAME.",
    PATH: "The run directory.",
}
_NAME = 30

Row = tuple[str | None, Text]


def rows(draft: Draft, wanted: str, width: int) -> list[Row]:
    """Choices and settings, those whose name or meaning has all the words of `wanted`.

    Args:
        draft: the values.
        wanted: words; none for all.
        width: in cells.
    """
    words = wanted.lower().split()
    found: list[Row] = []
    section = ""
    if not words:
        found += [(None, _heading("start")), *_choices(draft, width)]
    for key, knob in knobs().items():
        text = f"{key} {knob.about}".lower()
        if not all(word in text for word in words):
            continue
        if knob.section != section:
            section = knob.section
            found.append((None, _heading(section)))
        found.append((key, _line(draft, knob, width)))
    return found or [(None, Text(f"nothing has {plain(wanted)!r} in it", style=palette.DIM))]


def _heading(text: str) -> Text:
    return Text(text, style=f"bold {palette.ACCENT}")


def _choices(draft: Draft, width: int) -> list[Row]:
    values = [(RECIPE, draft.recipe), (PRESET, draft.preset)]
    if draft.needs_game and not draft.exists:
        values.append((GAME, draft.game or "none yet"))
    values.append((PATH, str(draft.path)))
    found: list[Row] = []
    for name, value in values:
        line = Text(f"  {name:<{_NAME}} ", style=palette.DIM)
        turned = name in (RECIPE, PRESET) and not draft.exists
        line.append(f"‹ {plain(value)} ›" if turned else plain(value), style=f"bold {palette.TEXT}")
        line.truncate(width, overflow="ellipsis")
        found.append((name, line))
    return found


def _line(draft: Draft, knob: Knob, width: int) -> Text:
    changed, fixed = knob.key in draft.changes, draft.fixed(knob.key)
    line = Text("● " if changed else "  ", style=palette.WARN)
    name = knob.key.split(".", 1)[1]
    style = palette.FAINT if fixed else palette.TEXT if changed else palette.DIM
    line.append(f"{name:<{_NAME}} ", style=style)
    value = plain(value_text(draft.value(knob.key)))
    if knob.kind == "choice" and not fixed:
        value = f"‹ {value} ›"
    value_style = palette.FAINT if fixed else f"bold {palette.WARN if changed else palette.TEXT}"
    line.append(value, style=value_style)
    if changed:
        line.append(f"   was {plain(value_text(draft.base.get(knob.key)))}", style=palette.DIM)
    elif fixed:
        line.append("   fixed", style=palette.FAINT)
    line.truncate(width, overflow="ellipsis")
    return line


def detail(
    draft: Draft,
    key: str | None,
    problem: str | None,
    said: Answer | None,
    width: int,
    height: int,
) -> list[Text]:
    """What the chosen line means and may be, what is wrong, what was just done.

    Args:
        draft: the values.
        key: of the chosen line.
        problem: what is wrong with the settings.
        said: what was just done.
        width: in cells.
        height: of the whole screen; a low one gets fewer lines.
    """
    most = 1 if height < 16 else 2 if height < 30 else 4
    lines: list[Text] = []
    if key in _ABOUT:
        lines += _some(_ABOUT[key], width, most, palette.TEXT)
    elif key is not None and key in knobs():
        knob = knobs()[key]
        lines += _some(f"{key}: {knob.about}", width, most, palette.TEXT)
        when = "  fixed for the life of a run" if not knob.changeable else ""
        when = "  takes effect at the next start" if knob.at_start else when
        lines += _some(plain(knob.allowed) + when, width, most, palette.DIM)
    if problem is not None:
        lines += _some(f"✗ {problem}", width, most + 1, f"bold {palette.BAD}")
    if said is not None:
        style = palette.GOOD if said.good else f"bold {palette.BAD}"
        lines += _some(f"{'✓' if said.good else '✗'} {said.text}", width, most + 1, style)
    return lines


def _some(text: str, width: int, most: int, style: str) -> list[Text]:
    parts = folded(plain(text), max(10, width))
    if len(parts) > most:
        parts = [*parts[: most - 1], parts[most - 1][: width - 1] + "…"]
    return [Text(part, style=style) for part in parts]
