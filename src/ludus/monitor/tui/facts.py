"""The panel of a run's figures: a label and a value a line; unknown ones are left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from ludus.errors import LudusError
from ludus.monitor.phases import games_now
from ludus.monitor.tui import palette
from ludus.monitor.tui.health import folded
from ludus.monitor.tui.words import count, duration, percent, plain, short, signed, size_text
from ludus.monitor.view import RunView, is_gated, number, table
from ludus.schedules import Schedule
from ludus.training.view import rating_unit

LABEL_WIDTH = 12

Row = tuple[str, Text]


def fact_lines(view: RunView, width: int) -> list[Text]:
    """The panel; long values go on in the next line."""
    lines: list[Text] = []
    for label, value in _rows(view):
        room = max(8, width - LABEL_WIDTH)
        for index, part in enumerate(_folded(value, room)):
            line = Text(f"{label if index == 0 else '':<{LABEL_WIDTH}}", style=palette.DIM)
            line.append_text(part)
            lines.append(line)
    return lines


def _folded(value: Text, room: int) -> list[Text]:
    """Lines of at most `room` cells, cut between parts that two spaces divide."""
    if value.cell_len <= room:
        return [value]
    lines: list[Text] = []
    for part in value.split("  "):
        if lines and lines[-1].cell_len + part.cell_len + 2 <= room:
            lines[-1] = lines[-1].append("  ").append_text(part)
        else:
            style = part.spans[0].style if part.spans else part.style
            if part.cell_len <= room:
                lines.append(part)
            else:
                lines.extend(Text(line, style=style) for line in folded(part.plain, room))
    return lines


def _rows(view: RunView) -> Iterator[Row]:
    yield from _work(view)
    yield from _strength(view)
    yield from _machine(view)


def _text(*parts: tuple[str, str]) -> Text:
    return Text.assemble(*parts)


def _good(text: str) -> tuple[str, str]:
    return text, f"bold {palette.TEXT}"


def _dim(text: str) -> tuple[str, str]:
    return text, palette.DIM


def _work(view: RunView) -> Iterator[Row]:
    status, settings = view.status, view.settings
    phase = status.get("phase")
    if phase:
        budget = _budget(settings)
        words = palette.PHASE_WORDS.get(str(phase), plain(phase))
        yield "Phase", _text(_good(words), _dim(f"  {budget}" if budget else ""))
    elif view.state not in ("unknown", "training"):
        yield "State", _text(_good(view.state), _dim("  " + plain(status.get("reason") or "")))
    elo = _elo(view)
    if elo is not None:
        yield rating_unit(table(status.get("rating"))), elo
    losses = table(status.get("losses"))
    total = _first(losses.get("loss"), view.figures.get("loss"), _newest(view, "loss_total"))
    if total is not None:
        policy = _first(losses.get("loss_policy"), _newest(view, "loss_policy"))
        value = _first(losses.get("loss_value"), _newest(view, "loss_value"))
        tail = f" π {policy:.3f} v {value:.3f}" if None not in (policy, value) else ""
        yield "Loss", _text(_good(f"{total:.4f}"), _dim(tail))
    rate = _first(losses.get("lr"), view.figures.get("learning_rate"), _newest(view, "lr"))
    if rate is not None:
        yield "Learn rate", _text(_good(f"{rate:.6f}"))
    speed = list(_speeds(view))
    if speed:
        yield "Speed", Text("  ").join(speed)
    games = games_now(view)
    if games is not None:
        yield "Games/iter", _text(_good(f"{games:,.0f}"))
    label, key = ("Temperature", "selfplay.temperature.")
    if not is_gated(view.status):
        label, key = ("Epsilon", "td.epsilon.")
    scheduled = _scheduled(view, key)
    if scheduled:
        yield label, _text(_good(scheduled))


def _first(*values: Any) -> float | None:
    return next((known for value in values if (known := number(value)) is not None), None)


def _newest(view: RunView, name: str) -> float | None:
    """Newest value in the metrics: a short phase of training may be over before a status."""
    curve = view.curves.get(f"train_step.{name}")
    return curve.y[-1] if curve is not None and len(curve) else None


def _budget(settings: Any) -> str:
    """Simulations of a decision: ``32 simulations``, by kind where they differ."""
    budget = number(settings.get("search.budget"))
    if budget is None:
        return ""
    kinds = {
        key.rsplit(".", 1)[-1]: known
        for key, value in settings.items()
        if key.startswith("search.budget_by_kind.") and (known := number(value)) is not None
    }
    named = "".join(f", {plain(kind)} {value:.0f}" for kind, value in sorted(kinds.items()))
    return f"{budget:,.0f} simulations{named}"


def _scheduled(view: RunView, prefix: str) -> str:
    """A schedule among the settings; by game or iteration at where the run is now."""
    part = {key: view.settings.get(prefix + key) for key in ("kind", "clock", "end", "over")}
    start = number(view.settings.get(prefix + "start"))
    if start is None or part["kind"] == "table":
        return ""
    end, over = number(part["end"]) or 0.0, number(part["over"]) or 1.0
    if part["kind"] == "constant":
        return f"{start:.3f}"
    if part["clock"] == "ply":
        return f"{start:.3f} to {end:.3f} in {over:.0f} plies"
    key = "selfplay_games" if part["clock"] == "game" else "iterations"
    tick = number(table(view.status.get("counters")).get(key)) or 0.0
    warmup = number(view.settings.get(prefix + "warmup")) or 0.0
    try:
        curve = Schedule(
            kind=str(part["kind"]),
            start=start,
            end=end,
            warmup=int(warmup),
            milestones=(int(warmup + over),),
            factor=end / start if start else 0.0,
        )
        return f"{curve.at(int(tick), int(warmup + over)):.3f}"
    except (LudusError, ValueError, ArithmeticError):
        return ""  # a schedule that this version does not know


def _speeds(view: RunView) -> Iterator[Text]:
    speed = table(view.status.get("speed"))
    for key, unit in (
        ("games_per_second", "games/s"),
        ("leaves_per_second", "leaves/s"),
        ("steps_per_second", "steps/s"),
    ):
        value = _first(speed.get(key), view.figures.get(key))
        if value is not None:
            yield _text(_good(short(value)), _dim(f" {unit}"))


def _elo(view: RunView) -> Text | None:
    rating = table(view.status.get("rating"))
    elo = _first(rating.get("elo"), view.figures.get("elo"))
    bound = number(rating.get("bound"))
    standing = rating.get("standing")
    if standing not in (None, "rated") and bound is not None:
        return _text(_good(f"{plain(standing)} {bound:.0f}"))
    if elo is None:
        return None
    text = _text(_good(f"{elo:.0f}"))
    change = _first(rating.get("change"), view.figures.get("elo_change"))
    if change is not None:
        text.append(f" ({signed(change)})", style=palette.GOOD if change >= 0 else palette.WARN)
    error = _first(rating.get("elo_se"), view.figures.get("elo_se"))
    if error is not None:
        text.append(f"  ± {error:.0f}", style=palette.DIM)
    return text


def _strength(view: RunView) -> Iterator[Row]:
    status = view.status
    strength = [
        _text(_dim(f"{plain(name)} "), _good(percent(rate)))
        for name, rate in table(status.get("strength")).items()
        if number(rate) is not None
    ]
    if strength:
        yield "Strength", Text("  ").join(strength)
    gate = table(status.get("gate"))
    if gate.get("last"):
        yield "Last gate", _text(_good(plain(gate["last"]).replace("%", " %")))
    rate = number(gate.get("win_rate"))
    if rate is not None and status.get("phase") == "gate":
        yield "Gate now", _text(_good(percent(rate)))
    promoted = sum(1 for entry in view.iterations if entry.get("promoted"))
    if view.iterations and is_gated(status):
        yield (
            "Promoted",
            _text(_good(f"{promoted}"), _dim(f" of {len(view.iterations)} iterations")),
        )
    counters = table(status.get("counters")) or (view.summary.counters if view.summary else {})
    parts = [
        _text(_good(count(counters.get(key))), _dim(f" {word}"))
        for key, word in (
            ("selfplay_games", "games"),
            ("train_step", "steps"),
            ("gate_games", "gate games"),
        )
        if number(counters.get(key)) is not None
    ]
    if parts:
        yield "So far", Text("  ").join(parts)


def _machine(view: RunView) -> Iterator[Row]:
    status = view.status
    memory = table(status.get("memory"))
    used = _first(memory.get("total"), status.get("memory_bytes"), view.figures.get("memory_bytes"))
    if used is not None:
        budget = _first(memory.get("budget"), view.figures.get("memory_budget_bytes"))
        tail = f" of {size_text(budget)}" if budget else ""
        yield "Memory", _text(_good(size_text(used)), _dim(tail))
    free = _first(status.get("free_disk_bytes"), view.figures.get("free_disk_bytes"))
    if free is not None:
        need = number(table(status.get("forecast")).get("disk_total"))
        tail = " free" if need is None else f" free, forecast {size_text(need)}"
        yield "Disk", _text(_good(size_text(free)), _dim(tail))
    commit = table(status.get("commit"))
    written = _first(commit.get("written_ms"), view.summary.committed_ms if view.summary else None)
    if written is not None:
        age = max(0.0, view.taken - written / 1000)
        every = number(commit.get("every_seconds"))
        tail = f"  every {duration(every)}" if every and view.alive else ""
        yield "Last commit", _text(_good(f"{duration(age)} ago"), _dim(tail))
    if view.status_age is not None and view.alive:
        yield "Status", _text(_good(f"{duration(view.status_age)} old"))
    failures = _first(status.get("save_failures"), view.figures.get("save_failures"))
    if failures:
        yield "Saves", _text((f"{failures:.0f} failed", f"bold {palette.WARN}"))
    restarts = _first(status.get("restarts"), view.figures.get("restarts"))
    if restarts:
        yield "Restarts", _text((f"{restarts:.0f}", f"bold {palette.WARN}"))
    pending = table(status.get("pending"))
    for key, value in pending.items():
        yield "Pending", _text(_good(f"{plain(key)} = {plain(value)}"), _dim("  next iteration"))
    if view.bad_lines:
        yield "Logs", _text(_dim(f"{view.bad_lines} damaged lines were left out"))
