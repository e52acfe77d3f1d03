"""``ludus bench``: the benchmarks of ``benchmarks/``, each beside a calibration of the machine."""

from __future__ import annotations

import importlib.util
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import typer

from ludus.cli import output
from ludus.errors import UserError

_CALIBRATION_BLOCKS = 2_000_000


@dataclass
class Figure:
    """One measured rate.

    Attributes:
        name: what was measured.
        unit: of the rates.
        rates: one for each turn.
        calibration: million Philox blocks a second of one core, taken between the turns.
        against: what ``ratio`` compares with, or None.
        ratio: median over the turns of this rate over the other's in the same turn, or None.
        extra: further figures by name.
    """

    name: str
    unit: str
    rates: list[float]
    calibration: list[float]
    against: str | None = None
    ratio: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """Median rate over the turns."""
        return statistics.median(self.rates)


def _rate(work: Callable[[], float]) -> float:
    began = time.perf_counter()
    done = work()
    return done / (time.perf_counter() - began)


def in_turns(
    name: str,
    unit: str,
    work: Callable[[], float],
    *,
    against: tuple[str, Callable[[], float]] | None = None,
    quick: bool = False,
) -> Figure:
    """Measure ``work`` (which returns how much it did) in turns with a calibration and a rival.

    Args:
        name: of the figure.
        unit: of its rate.
        work: one turn.
        against: name and work of what to compare with, measured in the same turns.
        quick: three turns instead of seven.
    """
    from ludus import _core

    def calibrate() -> float:
        _core.calibration_work(_CALIBRATION_BLOCKS)
        return _CALIBRATION_BLOCKS / 1e6

    work()  # warm-up
    rates, calibration, ratios = [], [], []
    for _ in range(3 if quick else 7):
        calibration.append(_rate(calibrate))
        rates.append(_rate(work))
        if against is not None:
            ratios.append(rates[-1] / _rate(against[1]))
    return Figure(
        name,
        unit,
        rates,
        calibration,
        against[0] if against else None,
        statistics.median(ratios) if ratios else None,
    )


def _folder() -> Path:
    folder = Path(__file__).resolve().parents[3] / "benchmarks"
    if not folder.is_dir():
        raise UserError("ludus bench needs the folder benchmarks of a clone: this is none")
    return folder


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"ludus_benchmark_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UserError(f"benchmark {path} cannot be read")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _run(chosen: list[Path], quick: bool) -> list[Figure]:
    figures: list[Figure] = []
    for path in chosen:
        output.note(f"bench {path.stem} ...")
        figures += _load(path).measure(quick)
    return figures


def _line(figure: Figure) -> tuple[object, ...]:
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f} x {figure.against}"
    extra = ", ".join(f"{key} {value}" for key, value in figure.extra.items())
    spread = f"{min(figure.rates):,.0f} .. {max(figure.rates):,.0f}"
    calibration = f"{statistics.median(figure.calibration):.1f}"
    return figure.name, f"{figure.median:,.0f}", figure.unit, spread, calibration, ratio, extra


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def bench(
        name: str = typer.Argument("", help="One benchmark; none: all."),
        quick: bool = typer.Option(False, "--quick", help="Short turns, for a first look."),
        as_json: bool = typer.Option(False, "--json", help="Machine-readable."),
    ) -> None:
        """Measure this machine: rules, tree, oracle, evaluator, self-play."""
        known = {path.stem: path for path in sorted(_folder().glob("*.py"))}
        if name and name not in known:
            raise UserError(f"there is no benchmark '{name}'; there are: {', '.join(known)}")
        figures = _run([known[name]] if name else list(known.values()), quick)
        if as_json:
            output.print_json(
                {
                    "machine": platform.processor() or platform.machine(),
                    "figures": [{**asdict(figure), "median": figure.median} for figure in figures],
                }
            )
            return
        head = ("benchmark", "median", "unit", "range", "machine", "ratio", "more")
        output.say(output.table(head, [_line(figure) for figure in figures]))
        output.say(
            "machine: million Philox blocks a second of one core, measured between the turns"
        )
