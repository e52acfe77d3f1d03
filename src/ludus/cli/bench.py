"""``ludus bench``: the benchmarks of ``benchmarks/``, each beside a calibration of the machine."""

from __future__ import annotations

import importlib.util
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ludus.cli import output
from ludus.errors import UserError
from ludus.measure import Figure, Goal, in_turns, turns

if TYPE_CHECKING:
    from ludus.measure.comparison import Comparison

__all__ = ["Figure", "Goal", "in_turns", "register"]
"""Benchmarks import their tools from here, in every revision that is compared."""


def _root() -> Path:
    """The clone.

    Raises:
        UserError: there is none around this package.
    """
    root = Path(__file__).resolve().parents[3]
    if not (root / "benchmarks").is_dir():
        raise UserError("ludus bench needs the folder benchmarks of a clone: this is none")
    return root


def _known(root: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted((root / "benchmarks").glob("*.py"))}


def _choose(names: Sequence[str], known: dict[str, Path]) -> list[Path]:
    for name in names:
        if name not in known:
            raise UserError(f"there is no benchmark '{name}'; there are: {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names)] or list(known.values())


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"ludus_benchmark_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UserError(f"benchmark {path} cannot be read")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def _run(chosen: Sequence[Path], quick: bool, count: int | None) -> list[Figure]:
    figures: list[Figure] = []
    for path in chosen:
        output.note(f"bench {path.stem} ...")
        with turns(count):
            figures += _load(path).measure(quick)
    return figures


def _machine() -> dict[str, Any]:
    return {
        "machine": platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "system": platform.system(),
        "python": sys.version.split()[0],
    }


def _line(figure: Figure) -> tuple[object, ...]:
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f} x {figure.against}"
    extra = ", ".join(f"{key} {_extra(value)}" for key, value in figure.extra.items())
    spread = f"{_number(min(figure.rates))} .. {_number(max(figure.rates))}"
    calibration = f"{statistics.median(figure.calibration):.1f}"
    goal = ""
    if figure.goal is not None:
        sense = ">=" if figure.goal.sense == "least" else "<="
        unit = " ratio" if figure.goal.on == "ratio" else ""
        goal = f"{figure.verdict or 'not measured'}: {sense} {figure.goal.value:,g}{unit}"
    return figure.name, _number(figure.median), figure.unit, spread, calibration, ratio, goal, extra


def _number(value: float) -> str:
    """With three digits at least."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _extra(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(
            f"{key} {part:.0%}" if isinstance(part, float) else f"{key} {part}"
            for key, part in value.items()
        )
    return str(value)


def _show(figures: Sequence[Figure]) -> None:
    head = ("benchmark", "median", "unit", "range", "machine", "ratio", "goal", "more")
    output.say(output.table(head, [_line(figure) for figure in figures]))
    output.say("machine: million Philox blocks a second of one core, measured between the turns")
    for figure in figures:
        if figure.verdict == "missed":
            output.say(f"missed: {figure.name}; bottleneck: {figure.bottleneck}")


def _show_comparisons(
    comparisons: Sequence[Comparison], notes: Sequence[str], against: str
) -> None:
    rows = [
        (
            c.name,
            f"{c.ratio:.3f}",
            f"{c.low:.2f} .. {c.high:.2f}",
            "" if c.threshold is None else f"{c.threshold:.1%}",
            c.verdict,
        )
        for c in comparisons
    ]
    output.say()
    output.say(output.table(("now over " + against, "ratio", "range", "noise", "verdict"), rows))
    for text in notes:
        output.say(output.printable(text))
    slower = [f"{c.name} ({c.ratio:.2f})" for c in comparisons if c.verdict == "slower"]
    output.say("slower: " + ", ".join(slower) if slower else "nothing is slower beyond the noise")


def _print_json(
    figures: Sequence[Figure], comparisons: Sequence[Comparison] | None, notes: Sequence[str]
) -> None:
    from ludus.measure.comparison import FORMAT

    report: dict[str, Any] = {
        "format": FORMAT,
        **_machine(),
        "figures": [figure.as_json() for figure in figures],
    }
    if comparisons is not None:
        report["comparisons"] = [comparison.as_json() for comparison in comparisons]
        report["slower"] = [c.name for c in comparisons if c.verdict == "slower"]
        report["notes"] = list(notes)
    output.print_json(report)


def _against_revision(
    root: Path, revision: str, chosen: Sequence[Path], quick: bool, count: int | None
) -> tuple[list[Figure], list[Comparison], list[str]]:
    """Measure the chosen benchmarks in alternating turns with another revision."""
    from ludus.measure.alternating import alternate
    from ludus.measure.revision import checked_out, find_commit

    figures: list[Figure] = []
    comparisons: list[Comparison] = []
    notes: list[str] = []
    commit = find_commit(root, revision)
    with checked_out(root, commit, output.note) as other:
        for path in chosen:
            theirs = other.root / "benchmarks" / path.name
            if not theirs.is_file():
                notes.append(f"{path.stem}: revision {commit[:12]} has no such benchmark; skipped")
                continue
            if theirs.read_bytes() != path.read_bytes():
                notes.append(f"{path.stem}: its file differs between the two; each runs its own")
            output.note(f"bench {path.stem}, in turns with {commit[:12]} ...")
            outcome = alternate(
                path,
                theirs,
                source=other.source,
                own_core=other.own_core,
                turns=count or (3 if quick else 7),
                quick=quick,
                log=root / "build" / "bench" / f"{path.stem}.log",
                note=output.note,
            )
            figures += outcome.figures
            comparisons += outcome.comparisons
            notes += outcome.notes
    return figures, comparisons, notes


def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Benchmarks; none: all.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Short turns, for a first look.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    count: Annotated[
        int | None, typer.Option("--turns", help="Turns of each figure.", min=1, max=1000)
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against", help="Compare with a revision of this clone, or a file of --json."
        ),
    ] = None,
) -> None:
    """Measure this machine: rules, tree, oracle, evaluator, self-play, saving.

    With --against, each figure is also compared: with the report of an earlier --json by the
    machine's figure, with a revision in alternating turns.
    """
    root = _root()
    chosen = _choose(names or [], _known(root))
    figures: list[Figure]
    comparisons: list[Comparison] | None = None
    notes: list[str] = []
    if against is None:
        figures = _run(chosen, quick, count)
    elif Path(against).is_file():
        from ludus.measure.comparison import against_report, read_report

        before = read_report(Path(against))
        figures = _run(chosen, quick, count)
        comparisons, missing = against_report(figures, before)
        notes = [f"{name}: {against} does not have it" for name in missing]
    else:
        figures, comparisons, notes = _against_revision(root, against, chosen, quick, count)
    if as_json:
        _print_json(figures, comparisons, notes)
        return
    _show(figures)
    if comparisons is not None:
        _show_comparisons(comparisons, notes, against or "")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench")(bench)
