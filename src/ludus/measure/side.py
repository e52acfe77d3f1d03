"""One side of a comparison of two revisions: a process that measures a turn when it is told to.

Run as a script, so that it can work on the package of another revision: nothing of this revision
is imported but the file ``figures.py`` beside it.

    python -P side.py BENCHMARK.py [--source FOLDER] [--core FILE] [--quick] [--own]

It writes one JSON document a line and reads one word a line: ``{"ready": NAME, "unit": UNIT}``,
then ``turn`` -> ``{"rate": R, "calibration": C}`` as often as asked, ``end`` -> the next figure; at
the end ``{"figures": [...]}``.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO


def load(name: str, path: Path) -> ModuleType:
    """A Python file as a module."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be read")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def private_output() -> TextIO:
    """What was stdout, for the protocol alone; whoever prints now prints to stderr."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    return out


def use(source: Path) -> None:
    """Import ``ludus`` from this folder, whatever is installed.

    Raises:
        ImportError: it comes from elsewhere all the same.
    """
    # An editable installation answers before any path does.
    sys.meta_path[:] = [
        finder for finder in sys.meta_path if "ScikitBuildRedirecting" not in type(finder).__name__
    ]
    sys.path.insert(0, str(source))
    import ludus

    if not Path(str(ludus.__file__)).resolve().is_relative_to(source.resolve()):
        raise ImportError(f"ludus comes from {ludus.__file__} instead of {source}")


def use_core(path: Path) -> None:
    """Take this file as ``ludus._core``, whatever lies beside the package."""
    import ludus

    name = "ludus._core"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no compiled module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    ludus.__dict__["_core"] = module


class Turns:
    """Stands for ``in_turns`` of the revision: takes a turn whenever the parent says so."""

    def __init__(self, figures: ModuleType, make: Any, out: TextIO, own: bool) -> None:
        """Prepare.

        Args:
            figures: this revision's ``figures.py``.
            make: the measured revision's ``Figure``.
            out: to the parent.
            own: the revision in use: its rivals are measured in every turn, the other's only once.
        """
        self._figures, self._make, self._out, self._own = figures, make, out, own

    def __call__(
        self,
        name: str,
        unit: str,
        work: Callable[[], float],
        *,
        against: tuple[str, Callable[[], float]] | None = None,
        quick: bool = False,
        **more: Any,
    ) -> Any:
        """As ``in_turns``; ``quick`` says nothing here, since the parent counts the turns."""
        work()  # warm-up
        rates: list[float] = []
        calibration: list[float] = []
        ratios: list[float] = []
        self.say({"ready": name, "unit": unit})
        for word in iter(lambda: sys.stdin.readline().strip(), "end"):
            if word != "turn":
                sys.exit(3)  # the parent is gone
            calibration.append(self._figures.calibrate())
            rates.append(self._figures.rate(work))
            if against is not None and (self._own or not ratios):
                ratios.append(rates[-1] / self._figures.rate(against[1]))
            self.say({"rate": rates[-1], "calibration": calibration[-1]})
        figure = self._make(
            name,
            unit,
            rates,
            calibration,
            against[0] if against else None,
            statistics.median(ratios) if ratios else None,
        )
        for key, value in more.items():
            setattr(figure, key, value)
        return figure

    def say(self, message: Any) -> None:
        """One line to the parent."""
        self._out.write(json.dumps(message, default=str) + "\n")
        self._out.flush()


def main(arguments: list[str]) -> int:
    """Measure one benchmark file."""
    out = private_output()
    quick, own = "--quick" in arguments, "--own" in arguments
    if "--source" in arguments:
        use(Path(arguments[arguments.index("--source") + 1]))
    if "--core" in arguments:
        use_core(Path(arguments[arguments.index("--core") + 1]))
    figures = load("ludus_side_figures", Path(__file__).with_name("figures.py"))
    bench = importlib.import_module("ludus.cli.bench")
    turns = Turns(figures, bench.Figure, out, own)
    # Benchmarks take in_turns from the command's module; later revisions have it in a room below.
    for name in ("ludus.cli.bench", "ludus.measure.figures", "ludus.measure"):
        if name in sys.modules:
            sys.modules[name].__dict__["in_turns"] = turns
    measured = load("ludus_side_benchmark", Path(arguments[0])).measure(quick)
    turns.say({"figures": [asdict(figure) for figure in measured]})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
