"""The top of the screen: which run, what it does, how far it is, and what needs attention."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len
from rich.text import Text

from ludus.monitor.phases import Bar, iteration_number, phase_bars, run_share
from ludus.monitor.tui import palette
from ludus.monitor.tui.charts import bar
from ludus.monitor.tui.words import count, duration, percent, plain, short
from ludus.monitor.view import RunView, number, table

BAR_WIDTH = 40


def title_line(view: RunView, width: int) -> Text:
    """Name of the run to the left, its state to the right."""
    colour = palette.state_colour(view)
    word = f"{view.state}, silent" if view.stale else view.state
    right = Text(f" {palette.STATE_SIGNS.get(view.state, '?')} {word} ", style=f"bold {colour}")
    left = Text(" LUDUS ", style=f"bold {palette.ACCENT}")
    left.append(f" {plain(view.path)}", style=f"bold {palette.TEXT}")
    about = _about(view)
    if about and left.cell_len + cell_len(about) + right.cell_len + 4 <= width:
        left.append(f"  {about}", style=palette.DIM)
    return spread(left, right, width)


def _about(view: RunView) -> str:
    if view.summary is None or view.summary.recipe is None:
        return ""
    parts = [plain(view.summary.recipe), f"seed {view.summary.seed}"]
    lanes = number(view.status.get("lanes"))
    if lanes:
        parts.append(f"{lanes:.0f} lane{'s' * (lanes != 1)}")
    return " · ".join(parts)


def spread(left: Text, right: Text, width: int) -> Text:
    """A line with a part at each end; the left one gives way."""
    room = max(0, width - right.cell_len)
    if left.cell_len > room:
        left = left.copy()
        left.truncate(room, overflow="ellipsis")
    line = left.copy()
    line.append(" " * max(0, width - line.cell_len - right.cell_len))
    line.append_text(right)
    line.truncate(width)
    return line


def progress_line(view: RunView, width: int) -> Text | None:
    """Iteration, bar, percentage, time left; None before there is a first status."""
    shown = iteration_number(view)
    if shown is None:
        return None
    total = number(view.status.get("total_iterations"))
    left = Text(" Iteration ", style=palette.DIM)
    left.append(f"{shown:,}", style=f"bold {palette.TEXT}")
    if total is not None:
        left.append(f"/{total:,.0f}", style=palette.TEXT)
    left.append("  ")
    share = run_share(view)
    right = Text()
    if share is not None:
        right.append(f"  {percent(share):>7}", style=f"bold {palette.TEXT}")
    for word, seconds in _times(view):
        if left.cell_len + right.cell_len + len(word) + 12 > width - 10:
            break
        right.append(f"  {word} ", style=palette.DIM)
        right.append(duration(seconds), style=palette.TEXT)
    right.append(" ")
    if share is None:
        return spread(left, right, width)
    room = width - left.cell_len - right.cell_len
    left.append_text(bar(share, max(4, room), palette.state_colour(view)))
    return spread(left, right, width)


def _times(view: RunView) -> Iterator[tuple[str, float]]:
    eta = number(view.status.get("eta_seconds"))
    if eta is None:
        eta = number(view.figures.get("eta_seconds"))
    if eta is not None and view.state == "training":
        yield "ETA", eta
    elapsed = number(view.status.get("elapsed_seconds"))
    if elapsed is None and view.summary is not None:
        elapsed = view.summary.elapsed_seconds
    if elapsed is not None:
        yield "worked", elapsed


def phase_lines(view: RunView, width: int, *, compact: bool) -> list[Text]:
    """A bar for each phase of the iteration in progress; one line in all when compact."""
    bars = phase_bars(view)
    if not bars:
        return []
    if compact:
        return [_compact(bars, width)]
    return [_phase_line(one, width) for one in bars if one.total or one.state == "now"]


def _compact(bars: list[Bar], width: int) -> Text:
    shown = [one for one in bars if one.phase != "evaluate" or one.state == "now"]
    words = {"train": "training", "evaluate": "eval"}
    names = [words.get(one.phase, palette.PHASE_WORDS[one.phase]) for one in shown]
    room = width - 1 - sum(len(name) + 9 for name in names)
    each = room // len(shown)
    line = Text(" ")
    for name, one in zip(names, shown, strict=True):
        now = one.state == "now"
        line.append(name, style=f"bold {palette.TEXT}" if now else palette.DIM)
        line.append(" ")
        if each >= 2:
            line.append_text(bar(one.share, each, palette.PHASE_COLOURS[one.phase]))
        line.append(f" {one.share:4.0%}".replace("%", " %"), style=palette.DIM)
        line.append("  ")
    line.truncate(width)
    return line


def _phase_line(one: Bar, width: int) -> Text:
    now = one.state == "now"
    left = Text(f" {'▸' if now else ' '} ", style=palette.ACCENT)
    left.append(
        f"{palette.PHASE_WORDS[one.phase]:<11}",
        style=f"bold {palette.TEXT}" if now else palette.DIM,
    )
    right = Text()
    done = 0.0 if one.state == "next" else (one.done or 0.0)
    unit = plain(one.unit)
    right.append(f"{count(done):>10}", style=palette.TEXT if now else palette.DIM)
    amount = f"/{count(one.total)} {unit}" if one.total else f" {unit}"
    right.append(f"{amount:<16}", style=palette.DIM)
    right.append(f"{one.share:5.0%} ".replace("%", " %"), style=palette.DIM)
    room = width - left.cell_len - right.cell_len
    if room >= 4:
        left.append_text(bar(one.share, room, palette.PHASE_COLOURS[one.phase]))
    return spread(left, right, width)


def banners(view: RunView, width: int, most: int) -> list[Text]:
    """What needs attention, worst first: at most `most` lines."""
    found = list(_attention(view))
    if len(found) > most > 0:
        colour, sentence = found[most - 1]
        found = [*found[: most - 1], (colour, f"{sentence}  (+{len(found) - most} more)")]
    lines = []
    for colour, sentence in found:
        sign = "✗" if colour == palette.BAD else "▲" if colour == palette.WARN else "›"
        line = Text(f" {sign} {plain(sentence)}", style=f"bold {palette.BACKGROUND} on {colour}")
        line.truncate(width, overflow="ellipsis", pad=True)
        lines.append(line)
    return lines


def _attention(view: RunView) -> Iterator[tuple[str, str]]:
    status, state = view.status, view.state
    if view.problem:
        yield palette.WARN, view.problem
    if state == "dead":
        yield (
            palette.BAD,
            "the trainer is gone without a word; press r to go on from the last commit",
        )
    elif state == "error":
        yield (
            palette.BAD,
            f"{status.get('error') or status.get('reason') or 'the run ended with an error'}",
        )
    for alert in _alerts(view, "error"):
        yield palette.BAD, alert
    if state == "paused":
        reason = status.get("reason") or "paused"
        how = "by a guard" if view.alive else "and committed"
        yield palette.WARN, f"paused {how}: {reason}; press r to go on"
    if view.stale and view.status_age is not None:
        yield palette.WARN, f"status is {duration(view.status_age)} old: the trainer may hang"
    if view.torn:
        yield palette.WARN, "status.json cannot be read now; what is shown is the last good one"
    for alert in _alerts(view, "warning"):
        yield palette.WARN, alert
    for guard in status.get("guards") or ():
        one = table(guard)
        told = state == "paused" or one.get("name") == "alerts"  # said above already
        if one.get("state") == "acting" and not told:
            yield palette.BAD, f"guard {one.get('name')}: {one.get('text')}"
    if view.read < 1.0:
        yield palette.ACCENT, f"reading the history: {view.read:.0%}"


def _alerts(view: RunView, severity: str) -> Iterator[str]:
    alerts = view.status.get("alerts")
    for alert in alerts if isinstance(alerts, list) else ():
        one = table(alert)
        worst = "error" if one.get("severity") == "error" else "warning"
        if worst != severity:
            continue
        since = number(one.get("since_ms"))
        age = "" if since is None else f", for {duration(view.taken - since / 1000)}"
        value, limit = number(one.get("value")), number(one.get("limit"))
        yield str(one.get("message") or one.get("name") or "alert") + (
            age
            if one.get("message") or value is None or limit is None
            else f": {short(value)} is {one.get('condition')} {short(limit)}{age}"
        )
