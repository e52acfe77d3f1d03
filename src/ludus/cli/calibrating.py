"""How calibrations are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ludus.cli.output import say, table
from ludus.cli.playing import percent

if TYPE_CHECKING:
    from ludus.arena.calibration import Calibration


def document(report: Mapping[str, Any]) -> dict[str, Any]:
    """A report of :func:`ludus.arena.values.value_calibration` as JSON."""
    return {
        **report,
        "all": report["all"].as_json(),
        "parts": [None if part is None else part.as_json() for part in report["parts"]],
    }


def print_calibration(report: Mapping[str, Any]) -> None:
    """The reliability table of a run's search, and its figures by part of the game."""
    whole: Calibration = report["all"]
    say(
        f"{report['run']}: {whole.count} searched plies of games {report['first_game']} to "
        f"{report['last_game']}"
    )
    say()
    rows = [
        (
            f"{percent(one.low)} to {percent(one.high)}",
            one.count,
            percent(one.predicted),
            percent(one.found),
            "-" if one.error is None else percent(one.error),
            _z(one.found - one.predicted, one.error),
        )
        for one in whole.bins
    ]
    say(table(("the search said", "plies", "mean", "won", "error", "z"), rows))
    say()
    parts = [("all", whole)] + [
        (f"part {number + 1} of {len(report['parts'])}", part)
        for number, part in enumerate(report["parts"])
        if part is not None
    ]
    heads = (
        "of the game",
        "plies",
        "calibration error",
        "if perfect",
        "p",
        "bias",
        "Brier",
        "constant",
        "log loss",
        "constant",
    )
    say(
        table(
            heads,
            [
                (
                    name,
                    one.count,
                    f"{percent(one.ece)} +- {percent(one.ece_error)}",
                    percent(one.ece_if_calibrated),
                    f"{one.p:.3f}",
                    f"{one.bias:+.4f} +- {one.bias_error:.4f}",
                    f"{one.brier:.4f}",
                    f"{one.brier_reference:.4f}",
                    f"{one.log_loss:.4f}",
                    f"{one.log_loss_reference:.4f}",
                )
                for name, one in parts
            ],
        )
    )
    for note in report["notes"]:
        say(f"note: {note}")


def _z(gap: float, error: float | None) -> str:
    return "-" if not error else f"{gap / error:+.1f}"
