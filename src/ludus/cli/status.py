"""``ludus status`` and ``ludus runs``: what runs do, read from their directories alone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ludus.cli.output import note, print_json, printable, say, table

if TYPE_CHECKING:
    from ludus.runs import RunSummary

RUN_OPTION = typer.Option("--run", help="Run directory; the newest below runs/ by default.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("status")(status)
    app.command("runs")(runs)


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
        from ludus.training.view import rating_text

        text = rating_text(rating)
        if text is not None:
            rows.append(("Elo", f"{text} ({rating['player']}; {rating['anchor']} is the anchor)"))
    promoted = sum(1 for entry in history if entry.get("promoted"))
    rows.append(("promotions", f"{promoted} in {len(history)} iterations"))
    if one.committed_ms:
        age = max(0.0, time.time() - one.committed_ms / 1000)
        rows.append(("commit", f"{one.sequence}, {duration_text(age)} ago"))
    if one.elapsed_seconds is not None:
        rows.append(("worked", duration_text(one.elapsed_seconds)))
    if said.get("eta_seconds") is not None and one.state == "training":
        rows.append(("remaining", duration_text(said["eta_seconds"])))
    rows += [("warning", str(text)) for text in said.get("warnings") or ()]
    lines += [f"  {name:<11}{printable(text)}" for name, text in rows]
    if one.holder is not None:
        lines.append(f"  {'in use by':<11}{one.holder}")
    else:
        lines.append(f"  go on with: ludus train {one.recipe} --run {one.path}")
    return "\n".join(lines)


def runs(
    root: Annotated[Path, typer.Argument(help="Folder of runs.")] = Path("runs"),
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List the runs in a folder."""
    from ludus.runs import duration_text, list_runs

    found = list_runs(root)
    if json:
        print_json([summary_document(one) for one in found])
        return
    if not found:
        note(f"there is no run in {root}")
        return
    rows = [
        (
            str(one.path),
            one.recipe or "?",
            one.state,
            (one.status or {}).get("iteration", "?"),
            one.counters.get("selfplay_games", 0),
            duration_text(one.elapsed_seconds),
            time.strftime("%Y-%m-%d %H:%M", time.localtime((one.committed_ms or 0) / 1000)),
        )
        for one in found
    ]
    say(table(("run", "recipe", "state", "iteration", "games", "worked", "last commit"), rows))
