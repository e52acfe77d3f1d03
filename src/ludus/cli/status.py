"""``ludus status``: what a run does now, read from its directory alone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ludus.cli.output import megabytes, print_json, printable, say

if TYPE_CHECKING:
    from ludus.runs import RunSummary

_STALE_SECONDS = 30.0
"""A status of a live trainer that is older is said to be."""

RUN_OPTION = typer.Option("--run", help="Run directory; the newest below runs/ by default.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("status")(status)


def chosen_run(run: Path | None, argument: Path | None = None) -> Path:
    """The run that a command means: named, or the one below ``runs/`` that was active last.

    Raises:
        RunError: there is none.
        UserError: it is named twice.
    """
    from ludus.errors import RunError, UserError
    from ludus.runs import list_runs, require_run

    if run is not None and argument is not None:
        raise UserError(f"the run is named twice: {argument} and --run {run}")
    path = run or argument
    if path is not None:
        if not path.exists() and path.parent == Path() and (Path("runs") / path).is_dir():
            path = Path("runs") / path
        return require_run(path)
    found = list_runs("runs")
    if not found:
        raise RunError("there is no run below runs/: name one with --run, or train one first")
    return max(found, key=lambda one: (one.holder is not None, one.committed_ms or 0)).path


def summary_document(one: RunSummary) -> dict[str, Any]:
    """A run at a glance as JSON."""
    holder = one.holder
    return {
        "path": str(one.path),
        "run_id": one.id,
        "recipe": one.recipe,
        "rules": one.rules,
        "seed": one.seed,
        "state": one.state,
        "commit": one.sequence,
        "committed_ms": one.committed_ms,
        "counters": one.counters,
        "elapsed_seconds": one.elapsed_seconds,
        "holder": None if holder is None else {"pid": holder.pid, "host": holder.host},
        "error": one.error,
    }


def _operation_rows(one: RunSummary, said: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the operation stands: only what wants to be known."""
    from ludus.runs import duration_text

    rows: list[tuple[str, str]] = []
    age = _age(said)
    if one.state == "dead" and age is not None:
        rows.append(("killed", f"this is what it said {duration_text(age)} ago"))
    elif one.holder is not None and age is not None and age > _STALE_SECONDS:
        rows.append(("silent", f"the trainer has said nothing for {duration_text(age)}"))
    memory = _memory_text(said)
    if memory and one.holder is not None:
        rows.append(("memory", memory))
    for name, text in (
        ("restarts", _count(said.get("restarts"))),
        ("failed saves", _count(said.get("save_failures"))),
    ):
        if text:
            rows.append((name, text))
    rows += [
        ("alert", f"{alert.get('message') or alert.get('name')}{_since(alert)}")
        for alert in _dicts(said.get("alerts"))
    ]
    rows += [
        ("guard", f"{guard.get('name')} ({guard.get('state')}): {guard.get('text')}")
        for guard in _dicts(said.get("guards"))
        if guard.get("state") != "ok"
    ]
    health = said.get("health")
    findings = health.get("findings") if isinstance(health, Mapping) else None
    rows += [("learning", str(text)) for text in findings or ()]
    pending = said.get("pending")
    if isinstance(pending, Mapping):
        rows += [
            ("pending", f"{key} = {value} with the next iteration")
            for key, value in pending.items()
        ]
    forecast = said.get("forecast")
    if isinstance(forecast, str) and forecast:
        rows.append(("forecast", forecast))
    elif isinstance(forecast, Mapping):
        text = forecast.get("text") or ", ".join(f"{k} {v}" for k, v in forecast.items())
        rows.append(("forecast", str(text)))
    return rows


def _age(said: Mapping[str, Any]) -> float | None:
    """Seconds since the status was written."""
    stamp = said.get("ts_ms")
    return max(0.0, time.time() - stamp / 1000) if isinstance(stamp, int | float) else None


def _since(alert: Mapping[str, Any]) -> str:
    from ludus.runs import duration_text

    stamp = alert.get("since_ms")
    if not isinstance(stamp, int | float):
        return ""
    return f" (for {duration_text(max(0.0, time.time() - stamp / 1000))})"


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and value > 0 else ""


def _memory_text(said: Mapping[str, Any]) -> str:
    """``571.6 MB of 1000.0 MB: replay 200.1 MB, ...``; empty if unknown."""
    from ludus.training.memory import NO_COMPONENT

    size, parts = said.get("memory_bytes"), said.get("memory")
    if not isinstance(size, int | float):
        return ""
    found = parts if isinstance(parts, Mapping) else {}
    text = megabytes(size)
    budget = found.get("budget")
    if isinstance(budget, int | float) and budget > 0:
        text += f" of {megabytes(budget)}"
    largest = sorted(
        (
            (name, value)
            for name, value in found.items()
            if name not in NO_COMPONENT and isinstance(value, int | float) and value > 0
        ),
        key=lambda item: -item[1],
    )
    if largest:
        text += ": " + ", ".join(f"{name} {megabytes(value)}" for name, value in largest[:4])
    return text


def status(
    argument: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="Run directory.", show_default=False)
    ] = None,
    run: Annotated[Path | None, RUN_OPTION] = None,
    json: Annotated[bool, typer.Option("--json", help="The whole status as JSON.")] = False,
) -> None:
    """Show what a run is doing now."""
    from ludus.runs import describe_run, read_summary

    path = chosen_run(run, argument)
    one = describe_run(path)
    history = (read_summary(path) or {}).get("iterations") or []
    if json:
        print_json({**summary_document(one), "status": one.status, "iterations": history})
        return
    say(_status_text(one, history))


def _status_text(one: RunSummary, history: list[dict[str, Any]]) -> str:
    from ludus.runs import duration_text

    said: Mapping[str, Any] = one.status or {}
    lines = [f"{one.path}: {one.state}" + (f" ({said['phase']})" if said.get("phase") else "")]
    if one.error:
        lines.append(f"  cannot be read: {printable(one.error)}")
    for key in ("error", "reason"):
        if said.get(key) and one.state != "training":
            lines.append(f"  {key:<11}{printable(said[key])}")
    total = said.get("total_iterations")
    rows: list[tuple[str, str]] = [
        ("recipe", f"{one.recipe}, rules {one.rules}, seed {one.seed}"),
        ("iteration", f"{said.get('iteration', '?')}" + (f" of {total}" if total else "")),
    ]
    progress = said.get("progress") or {}
    if progress.get("total"):
        rows.append(("phase", f"{progress['done']} of {progress['total']} {progress['unit']}"))
    counters = one.counters
    rows.append(
        (
            "counted",
            f"{counters.get('selfplay_games', 0):,} games, {counters.get('plies', 0):,} plies, "
            f"{counters.get('train_step', 0):,} steps, "
            f"{counters.get('gate_games', 0):,} gate games",
        )
    )
    losses = said.get("losses") or {}
    if losses:
        rows.append(
            ("losses", ", ".join(f"{k} {v:.4g}" for k, v in losses.items() if v is not None))
        )
    gate = said.get("gate") or {}
    if gate.get("last"):
        rows.append(("last gate", str(gate["last"])))
    strength = said.get("strength") or {}
    if strength:
        rows.append(("strength", ", ".join(f"{k} {v:.1%}" for k, v in strength.items())))
    rating = said.get("rating") or {}
    if rating.get("elo") is not None:
        from ludus.training.view import rating_text, rating_unit

        text = rating_text(rating)
        if text is not None:
            label = "Elo" if rating_unit(rating) == "Elo" else "rating"
            rows.append((label, f"{text} ({rating['player']}; {rating['anchor']} is the anchor)"))
    from ludus.monitor.view import is_gated

    promoted = sum(1 for entry in history if entry.get("promoted"))
    if is_gated(said):
        rows.append(("promotions", f"{promoted} in {len(history)} iterations"))
    if one.committed_ms:
        age = max(0.0, time.time() - one.committed_ms / 1000)
        rows.append(("commit", f"{one.sequence}, {duration_text(age)} ago"))
    if one.elapsed_seconds is not None:
        rows.append(("worked", duration_text(one.elapsed_seconds)))
    if said.get("eta_seconds") is not None and one.state == "training":
        rows.append(("remaining", duration_text(said["eta_seconds"])))
    rows += _operation_rows(one, said)
    rows += [("warning", str(text)) for text in said.get("warnings") or ()]
    width = max(11, *(len(name) + 1 for name, _ in rows))
    lines += [f"  {name:<{width}}{printable(text)}" for name, text in rows]
    if one.holder is not None:
        lines.append(f"  {'in use by':<{width}}{one.holder}")
    else:
        lines.append(f"  go on with: ludus train {one.recipe} --run {one.path}")
    return "\n".join(lines)
