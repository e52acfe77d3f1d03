"""Prometheus: the figures of runs as text, rendered from their directories at each scrape.

A run has a fixed number of series, however long it works: figures of the catalogue, counters,
states, rules. Names follow Prometheus habits: ``ludus_`` before, ``_total`` after a counter, base
units. Unknown gauges are NaN.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ludus.errors import LudusError
from ludus.monitor.exporters.base import safe_name
from ludus.monitor.exporters.named import named_figures, prefix_of
from ludus.runs import RunSummary, describe_run, is_run, list_runs
from ludus.training.alerts.rules import in_force
from ludus.training.catalogue import CATALOGUE

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STATES = ("idle", "training", "paused", "done", "error", "dead", "unknown")
MOST_RUNS = 50
MOST_SERIES = 300
"""Series of a run at most."""

_CACHED_SECONDS = 1.0
_MOST = {"alert": 60, "count": 40, "health": 40, "component": 20, "guard": 12}
"""Values of a label at most: whatever a status may hold, the number of series has an end."""

_GUARD = {"ok": 0.0, "warning": 1.0, "acting": 2.0}
_SCALED = {"_mb": ("_bytes", 1e6)}
"""Endings of figures that are no base units."""


class RunCollector(Collector):
    """The metrics of some runs, gathered when they are asked for.

    Args:
        runs: gives the directories at each scrape.
        recipes: folder of recipes, for their exact names; that of Ludus by default.
    """

    def __init__(self, runs: Callable[[], Sequence[Path]], *, recipes: Path | None = None) -> None:
        self._runs = runs
        self._recipes = recipes
        self._rules: dict[Path, tuple[object, tuple[str, ...]]] = {}

    def collect(self) -> Iterator[Metric]:
        """All metrics of all runs."""
        families: dict[str, Metric] = {}
        for path in list(self._runs())[:MOST_RUNS]:
            try:
                summary = describe_run(path)
            except (LudusError, OSError):
                continue
            for sample in self._samples(summary):
                _add(families, *sample)
        yield from families.values()

    def describe(self) -> Iterable[Metric]:
        """Nothing is known before there is a run."""
        return ()

    def _samples(self, summary: RunSummary) -> Iterator[tuple[str, str, str, dict[str, str], Any]]:
        """Metric, kind, meaning, labels, value."""
        status: Mapping[str, Any] = summary.status or {}
        base = {"run": summary.path.resolve().name, "recipe": str(summary.recipe or "")}
        figures = _mapping(status, "figures")
        for figure in CATALOGUE:
            name, scale = _base_unit(figure.name)
            value = figures.get(figure.name)
            if value is None and figure.kind == "counter":
                continue  # a rate over NaN would be NaN long after
            number = math.nan if value is None else float(value) * scale
            yield f"ludus_{name}", figure.kind, figure.about, base, number
        yield from self._about(summary, status, base)
        yield from self._labelled(status, base)
        for name, active in self._alerts(summary.path, status).items():
            about = "Whether the rule of alerts is active."
            yield "ludus_alert_active", "gauge", about, {**base, "name": name}, float(active)
        counters = status.get("counters") or summary.counters
        prefix, names = prefix_of(str(summary.recipe or ""), self._recipes)
        if prefix:
            for short, kind, about, labels, value in named_figures(names, figures, counters):
                yield f"{prefix}_{short}", kind, about, {**base, **labels}, value

    def _about(
        self, summary: RunSummary, status: Mapping[str, Any], base: dict[str, str]
    ) -> Iterator[tuple[str, str, str, dict[str, str], Any]]:
        up = float(summary.holder is not None)
        yield "ludus_up", "gauge", "Whether a trainer works on the run now.", base, up
        for state in STATES:
            now = float(state == summary.state)
            labels = {**base, "state": state}
            yield "ludus_state", "gauge", "State of the run, 1 for the one it is in.", labels, now
        info = {
            **base,
            "run_id": str(summary.id or ""),
            "incarnation": str(status.get("incarnation") or ""),
            "rules": str(summary.rules or ""),
            "seed": str(summary.seed),
        }
        yield "ludus_run_info", "gauge", "Always 1; which run and which process of it.", info, 1.0
        for name, about, milliseconds in (
            ("last_commit", "Time of the last commit.", summary.committed_ms),
            ("status", "Time at which the figures were written.", status.get("ts_ms")),
        ):
            known = isinstance(milliseconds, int | float)
            seconds = milliseconds / 1000 if known and milliseconds else math.nan
            yield f"ludus_{name}_timestamp_seconds", "gauge", about, base, seconds

    def _labelled(
        self, status: Mapping[str, Any], base: dict[str, str]
    ) -> Iterator[tuple[str, str, str, dict[str, str], Any]]:
        about = "Counters of the run, by their names in status.json."
        for name, value in _numbers(status, "counters", "count"):
            yield "ludus_count", "counter", about, {**base, "counter": name}, value
        about = "Memory of the trainer by component, with its total and its budget."
        for name, value in _numbers(status, "memory", "component"):
            labels = {**base, "component": name}
            yield "ludus_memory_component_bytes", "gauge", about, labels, value
        about = "Figures of the newest health record."
        for name, value in _numbers(status, "health", "health"):
            yield "ludus_health", "gauge", about, {**base, "figure": name}, value
        guards = status.get("guards")
        about = "How a guard stands: 0 ok, 1 warning, 2 acting."
        for guard in (guards if isinstance(guards, list) else [])[: _MOST["guard"]]:
            if isinstance(guard, Mapping):
                labels = {**base, "guard": str(guard.get("name"))}
                value = _GUARD.get(str(guard.get("state")), math.nan)
                yield "ludus_guard_state", "gauge", about, labels, value

    def _alerts(self, path: Path, status: Mapping[str, Any]) -> dict[str, bool]:
        """Every rule, and whether it is active."""
        listed = status.get("alerts")
        active = [
            str(alert.get("name"))
            for alert in (listed if isinstance(listed, list) else [])
            if isinstance(alert, Mapping)
        ]
        # Active ones first: they must not fall behind the end of a long list of rules.
        rules = self._rule_names(path, status.get("incarnation"))
        names = list(dict.fromkeys((*active, *rules)))[: _MOST["alert"]]
        return {name: name in active for name in sorted(names)}

    def _rule_names(self, path: Path, incarnation: object) -> tuple[str, ...]:
        """Rules in force; settings are read once for each process that worked on the run."""
        known = self._rules.get(path)
        if known is None or known[0] != incarnation:
            names = tuple(rule.name for rule in in_force(_settings(path)))
            known = self._rules[path] = (incarnation, names)
        return known[1]


def _settings(path: Path) -> Any:
    """Settings of a run; the defaults where they cannot be read."""
    from ludus.runs import Run
    from ludus.training.request import current_settings
    from ludus.training.settings import Settings

    try:
        return current_settings(Run.open(path, write=False))
    except (LudusError, OSError, ValueError, yaml.YAMLError):
        return Settings()


def _add(
    families: dict[str, Metric],
    name: str,
    kind: str,
    about: str,
    labels: Mapping[str, str],
    value: float,
) -> None:
    key = safe_name(name).replace(".", "_").replace("-", "_")
    family = families.get(key)
    if family is None:
        make = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
        family = families[key] = make(key, about, labels=list(labels))
    assert isinstance(family, CounterMetricFamily | GaugeMetricFamily)
    family.add_metric([_text(label) for label in labels.values()], value)


def _text(label: str) -> str:
    """A label that every reader of UTF-8 takes; quotes and line ends are escaped when written."""
    return label.encode("utf-8", "replace").decode("utf-8")[:200]


def _base_unit(name: str) -> tuple[str, float]:
    for ending, (unit, scale) in _SCALED.items():
        if name.endswith(ending):
            return name.removesuffix(ending) + unit, scale
    return name, 1.0


def _mapping(status: Mapping[str, Any], key: str) -> dict[str, float]:
    found = status.get(key)
    return {
        str(name): value
        for name, value in (found.items() if isinstance(found, Mapping) else ())
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _numbers(status: Mapping[str, Any], key: str, what: str) -> Iterator[tuple[str, float]]:
    found = sorted(_mapping(status, key).items())
    for name, value in found[: _MOST[what]]:
        if name not in ("step", "ts_ms"):
            yield name, float(value)


class Exporter:
    """The text of ``/metrics``, at most a second old. Safe from several threads.

    Args:
        path: a run, or a folder of runs, which is looked through again at each scrape.
        recipes: as of :class:`RunCollector`.
    """

    def __init__(self, path: Path, *, recipes: Path | None = None) -> None:
        self._path = path
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(RunCollector(self._runs, recipes=recipes))
        self._lock = threading.Lock()
        self._taken = -math.inf
        self._cached = b""

    def _runs(self) -> Sequence[Path]:
        if is_run(self._path):
            return [self._path]
        return [summary.path for summary in list_runs(self._path)]

    def text(self) -> bytes:
        """The metrics now."""
        with self._lock:
            now = time.monotonic()
            if now - self._taken >= _CACHED_SECONDS:
                self._cached = generate_latest(self._registry)
                self._taken = time.monotonic()
            return self._cached
