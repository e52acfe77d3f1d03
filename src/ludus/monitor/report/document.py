"""The report as one JSON document: all that the page shows, and all that other programs want."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from typing import Any

import ludus
from ludus.errors import LudusError
from ludus.games import get_game
from ludus.monitor.report.curves import history_curves, iteration_rows, step_curves
from ludus.monitor.report.games import notable_games
from ludus.monitor.report.improvement import improvement
from ludus.monitor.report.reading import RunData, memory_of, number
from ludus.monitor.report.settings import told_settings
from ludus.monitor.report.timeline import fault_pattern, timeline
from ludus.monitor.report.words import headline, missing, outcome
from ludus.monitor.view import is_gated
from ludus.training.memory import NO_COMPONENT
from ludus.training.past import standing_warnings
from ludus.training.rating import latest

FORMAT_VERSION = 1
"""Of ``metrics.json``; raised when a field changes its meaning or goes."""


def report_document(data: RunData) -> dict[str, Any]:
    """Everything about a run, as plain JSON; equal input gives an equal document.

    Args:
        data: of :func:`~ludus.monitor.report.reading.read_run`.
    """
    rows = iteration_rows(data.iterations)
    status = data.status
    curves = [*history_curves(rows), *step_curves(data)]
    run = _about(data)
    totals = _totals(data, rows)
    rating = latest(data.iterations)
    better = improvement(data.iterations)
    document: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(data.taken)),
        "headline": headline(run, totals),
        "outcome": outcome(rows, rating, better),
        "improvement": better,
        "run": run,
        "totals": totals,
        "rating": rating,
        "matches": _newest_matches(rows),
        "settings": told_settings(data),
        "iterations": rows,
        "curves": {curve.name: curve.as_json() for curve in curves},
        "timeline": timeline(data.events, rows, data.iterations),
        "events": dict(sorted(data.event_counts.items())),
        "faults": fault_pattern(data.event_counts, data.events),
        "alerts": _list(status.get("alerts"), "name", "message"),
        "guards": _list(status.get("guards"), "name", "state", "text"),
        "memory": _memory(data),
        "health": _health(data),
        "games": notable_games(data.path),
        "machine": _machine(data),
        "missing": [*missing(run, rows, curves), *data.trouble],
    }
    return document


def _list(value: Any, *fields: str) -> list[dict[str, Any]]:
    """The mappings of a list; fields that are missing in one of them are None."""
    found = value if isinstance(value, list) else []
    return [{**dict.fromkeys(fields), **one} for one in found if isinstance(one, Mapping)]


def _about(data: RunData) -> dict[str, Any]:
    one, manifest, status = data.summary, data.manifest, data.status
    source = (manifest.get("progress") or {}).get("game") or data.config.get("game")
    title = None
    try:
        title = get_game(str(source)).title if source else None
    except LudusError:
        pass
    except Exception:  # noqa: BLE001 - the file of a user's game may raise anything
        title = None
    live = one.holder is not None
    return {
        "path": str(one.path),
        "name": one.path.absolute().name,
        "id": one.id,
        "recipe": one.recipe,
        "game": data.config.get("game_name") or source or one.recipe,
        "game_title": title,
        "rules": one.rules,
        "seed": one.seed,
        "state": one.state,
        "phase": status.get("phase") if one.state == "training" else None,
        "live": live,
        "gated": is_gated(status),
        "reason": status.get("reason") if one.state != "training" else None,
        "error": status.get("error"),
        "commit": one.sequence,
        "committed_ms": one.committed_ms,
        "created_ms": manifest.get("created_ms"),
        "git_hash": manifest.get("git_hash"),
        "config_hash": manifest.get("config_hash"),
        "champion": (manifest.get("objects") or {}).get("champion"),
        "go_on": f"ludus train {one.recipe} --run {one.path}",
    }


def _totals(data: RunData, rows: list[dict[str, Any]]) -> dict[str, Any]:
    counters, seconds = data.summary.counters, data.summary.elapsed_seconds
    if data.summary.holder is not None:
        seconds = number(data.status.get("elapsed_seconds")) or seconds
    games = counters.get("selfplay_games", 0)
    gated = [row for row in rows if row["promoted"] is not None]
    return {
        "elapsed_seconds": seconds,
        "iterations": counters.get("iterations", 0),
        "games": games,
        "plies": counters.get("plies", 0),
        "simulations": counters.get("simulations", 0),
        "train_steps": counters.get("train_step", 0),
        "positions_learned": counters.get("samples", 0),
        "gate_games": counters.get("gate_games", 0),
        "games_per_hour": 3600.0 * games / seconds if seconds and games else None,
        "candidates": len(gated),
        "promotions": sum(bool(row["promoted"]) for row in gated),
        "commits": data.event_counts.get("commit", 0),
        "restarts": number(data.status.get("restarts")) or data.event_counts.get("restarted", 0),
        "save_failures": data.event_counts.get("save_failed", 0),
        "alerts": data.event_counts.get("alert", 0),
    }


def _newest_matches(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Newest result against each opponent, with the iteration that it is of."""
    found: dict[str, Any] = {}
    for row in rows:
        for who, one in row["matches"].items():
            found[who] = {"iteration": row["iteration"], **one}
    return found


def _memory(data: RunData) -> dict[str, Any]:
    status, sizes = data.status, data.memory.y
    now = number(status.get("memory_bytes"))
    newest = now if now is not None else (sizes[-1] if sizes else None)
    parts = status.get("memory") or data.details.get("memory")
    components = {
        str(name): size
        for name, value in (parts.items() if isinstance(parts, Mapping) else ())
        if name not in NO_COMPONENT and (size := number(value)) is not None
    }
    start = sizes[0] if sizes else None
    known = [size for size in (*sizes, newest) if size is not None]
    return {
        "start": start,
        "newest": newest,
        "peak": max(known) if known else None,
        "growth": newest - start if newest is not None and start is not None else None,
        "budget": number(parts.get("budget")) if isinstance(parts, Mapping) else None,
        "total": memory_of({"memory": parts}) if isinstance(parts, Mapping) else None,
        "components": dict(sorted(components.items(), key=lambda item: (-item[1], item[0]))),
    }


def _health(data: RunData) -> dict[str, Any]:
    said = data.status.get("health")
    record = said if isinstance(said, Mapping) and said else data.health
    findings = record.get("findings")
    texts = [str(one) for one in findings] if isinstance(findings, list) else []
    envelope = ("event", "ts_ms", "run_id", "v", "git_hash", "config_hash", "step", "findings")
    return {
        "findings": texts,
        "warnings": standing_warnings(data.iterations),
        "figures": {
            str(name): found
            for name, value in record.items()
            if name not in envelope and (found := number(value)) is not None
        },
    }


def _machine(data: RunData) -> dict[str, Any]:
    """Where the run was made, as recorded at its birth, and what wrote this report."""
    made = data.config.get("environment")
    made = made if isinstance(made, Mapping) else {}
    versions = made.get("backend_versions")
    return {
        "backend": made.get("backend"),
        "backend_versions": dict(versions) if isinstance(versions, Mapping) else {},
        "torch": made.get("torch"),
        "cpu": made.get("cpu_capability"),
        "architecture": made.get("machine"),
        "lanes": data.status.get("lanes"),
        "ludus": ludus.__version__,
        "python": platform.python_version(),
        "git_hash": data.manifest.get("git_hash"),
    }
