"""``ludus doctor``: what this machine has, and whether Ludus works on it."""

from __future__ import annotations

import importlib.metadata
import json as json_module
import os
import platform
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

import ludus
from ludus.cli.output import print_json, printable, say, table

_PACKAGES = (
    "numpy",
    "torch",
    "typer",
    "pydantic",
    "pyyaml",
    "msgspec",
    "safetensors",
    "zstandard",
    "scipy",
    "rich",
    "openvino",
    "onnxruntime",
    "onnx",
    "open_spiel",
)

_ROWS = 256
"""Of the batch that backends are timed with."""

_TWO_THREADS = 1.6
"""Two threads that do less than this many times the work of one are worth a note."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    runs: Annotated[Path, typer.Option("--runs", help="Folder of runs to look at.")] = Path("runs"),
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> int:
    """Check the machine, the versions, the backends with a short timing, and the disk.

    A note is worth knowing, a problem is an error (exit code 1).
    """
    report: dict[str, Any] = {"problems": [], "notes": []}
    parts: tuple[tuple[str, Callable[[], Any]], ...] = (
        ("machine", _machine),
        ("versions", _versions),
        ("core", _core_speed),
        ("threads", _threads),
        ("backends", _backends),
        ("extras", _extras),
        ("disk", lambda: _disk(runs)),
        ("variables", _variables),
    )
    for name, look in parts:
        try:
            report[name] = look()
        except Exception as error:  # noqa: BLE001 - every finding of a doctor is worth telling
            report[name] = None
            report["problems"].append(f"{name}: {type(error).__name__}: {error}")
    report["notes"] += _notes(report)
    disk = report["disk"] or {}
    if disk.get("free_bytes", 1 << 40) < 2_000_000_000:
        report["problems"].append("disk: under 2 GB are free")
    if disk and not disk["flock"]:
        report["problems"].append("disk: the file system has no flock; runs need one")
    if json:
        print_json(report)
    else:
        _show(report)
    return 1 if report["problems"] else 0


def _machine() -> dict[str, Any]:
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            found = [
                line.partition(":")[2].strip() for line in file if line.startswith("model name")
            ]
        model = found[0] if found else model
    except OSError:
        pass  # no Linux: the name above has to do
    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": model,
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "memory_free_bytes": os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "load": round(os.getloadavg()[0], 2),
    }


def _versions() -> dict[str, str]:
    versions = {"ludus": ludus.__version__, "python": sys.version.split()[0]}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "missing"
    return versions


def _open_game() -> Any:
    """The first game without hidden information: what is measured with needs no worlds."""
    from ludus import _core

    return next(game for game in map(_core.game, _core.game_names()) if not game.has_hidden)


def _core_speed() -> dict[str, Any]:
    """A short timing of the tree with the uniform evaluator, one thread."""
    import numpy as np

    from ludus import _core

    rules = _open_game()
    slots = _core.Slots(
        rules,
        slots=256,
        group_size=256,
        seed=1,
        players=[{"kind": "search", "rule": "puct", "simulations": [64]}],
        record=False,
    )
    ids = np.arange(256)
    slots.schedule(ids, ids.astype(np.uint64), np.zeros((256, rules.num_seats), np.int8))
    start = time.perf_counter()
    slots.run_uniform(200_000)
    seconds = time.perf_counter() - start
    done = int(slots.counters()["simulations"])
    return {"games": _core.game_names(), "simulations_per_second": round(done / seconds)}


def _threads() -> dict[str, Any]:
    """Million Philox blocks a second of one core; how much more two threads do than one."""
    from ludus import _core
    from ludus.measure import calibrate

    blocks = 1_000_000

    def together(count: int) -> float:
        threads = [
            threading.Thread(target=_core.calibration_work, args=(blocks,)) for _ in range(count)
        ]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return count * blocks / (time.perf_counter() - start)

    together(2)
    ratios = [together(2) / together(1) for _ in range(7)]
    return {
        "machine_figure": round(calibrate(), 1),
        "two_threads_over_one": round(statistics.median(ratios), 2),
    }


def _backends() -> dict[str, Any]:
    """What can evaluate networks here, measured now or at an earlier time and kept."""
    import torch

    from ludus.nets import build

    torch.set_num_threads(1)
    rules = _open_game()
    net = build(rules)
    chosen, rows = _calibrated(net, rules)
    return {
        "torch": torch.__version__,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cuda": torch.cuda.is_available(),
        "network": f"{net.parameter_count:,} weights, batches of {_ROWS}",
        "chosen": chosen,
        "rows": rows,
    }


def _calibrated(net: Any, rules: Any) -> tuple[str, list[dict[str, Any]]]:
    """The backend that ``runtime.backend: auto`` takes, and a row of JSON for each one known."""
    from ludus.evaluators import best_of, calibration_report

    report = calibration_report(net, rules, _ROWS)
    return best_of(report), [row.as_json() for row in report]


def _extras() -> dict[str, str]:
    """Extras that the launcher could not install, with the reason."""
    path = Path(sys.prefix) / "ludus-extras.json"
    try:
        failed = json_module.loads(path.read_bytes())["failed"]
    except FileNotFoundError:
        return {}
    return {str(name): str(reason) for name, reason in dict(failed).items()}


def _notes(report: dict[str, Any]) -> list[str]:
    """What is no problem but should be known."""
    notes = [
        f"extra {name} could not be installed: {reason}; ./ludus setup {name} tries again"
        for name, reason in (report.get("extras") or {}).items()
    ]
    threads, machine = report.get("threads") or {}, report.get("machine") or {}
    ratio = threads.get("two_threads_over_one", 2.0)
    if machine.get("cores", 1) >= 2 and ratio < _TWO_THREADS:
        notes.append(
            f"two threads do {ratio:.2f} times the work of one: the cores are halves of one, busy, "
            "or shared with other machines; more lanes bring less than their number says"
        )
    return notes


def _disk(runs: Path) -> dict[str, Any]:
    import fcntl
    import tempfile

    folder = runs if runs.is_dir() else Path()
    usage = shutil.disk_usage(folder)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
        file.write(b"x" * 4096)
        file.flush()
        start = time.perf_counter()
        os.fsync(file.fileno())
        seconds = time.perf_counter() - start
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            flock = True
        except OSError:
            flock = False
    return {
        "folder": str(folder.resolve()),
        "file_system": _file_system(folder),
        "free_bytes": usage.free,
        "total_bytes": usage.total,
        "fsync_seconds": seconds,
        "flock": flock,
    }


def _file_system(folder: Path) -> str | None:
    """Type of the file system that holds a folder (Linux)."""
    try:
        with open("/proc/mounts", encoding="utf-8") as file:
            mounts = [line.split()[1:3] for line in file]
    except OSError:
        return None
    path = str(folder.resolve())
    best: tuple[str, str | None] = ("", None)
    for point, kind in mounts:
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1]


def _variables() -> dict[str, str]:
    """Variables that change results, speed or settings."""
    beginnings = ("LUDUS_", "ONEDNN_", "MKL_", "DNNL_", "OMP_", "ATEN_CPU")
    return {name: os.environ[name] for name in sorted(os.environ) if name.startswith(beginnings)}


def _show(report: dict[str, Any]) -> None:
    for name, part in report.items():
        if not isinstance(part, dict):
            continue
        if not part:
            continue
        say(name)
        for key, value in part.items():
            if key == "rows":
                _show_backends(value, part["chosen"])
                continue
            shown = f"{value / 1e9:.1f} GB" if key.endswith("_bytes") else value
            if isinstance(value, dict):
                shown = ", ".join(
                    f"{k} {v:,}" if isinstance(v, int) else f"{k} {v}" for k, v in value.items()
                )
            elif isinstance(value, float):
                shown = f"{value:.3g}"
            elif (
                isinstance(value, int) and not isinstance(value, bool) and not key.endswith("bytes")
            ):
                shown = f"{value:,}"
            say(f"  {key.removesuffix('_bytes'):<24}{printable(shown)}")
    for text in report["notes"]:
        say(f"NOTE {printable(text)}")
    for problem in report["problems"]:
        say(f"PROBLEM {printable(problem)}")
    if not report["problems"]:
        say("all is well")


def _show_backends(rows: list[dict[str, Any]], chosen: str) -> None:
    """One line a backend."""
    lines = []
    for row in rows:
        rate, difference = row.get("positions_per_second"), row.get("difference")
        lines.append(
            (
                f"  {row['backend']}",
                row.get("version") or "",
                "" if rate is None else f"{rate:,.0f} positions/s",
                "" if difference is None else f"differs by {difference:.1e}",
                "chosen" if row["backend"] == chosen else row.get("note") or "",
            )
        )
    say(table(("  backend", "version", "one thread", "from f32", ""), lines))
