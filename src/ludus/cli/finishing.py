"""What follows a training that a command has started: its report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ludus.cli.output import note

if TYPE_CHECKING:
    from ludus.training.request import TrainRequest


def train_and_report(request: TrainRequest) -> int:
    """Train as asked, then write the report; returns the exit code of the training."""
    from ludus.training.supervisor import supervise

    code = supervise(request)
    if not request.nothing_to_do:
        from ludus.monitor.after import after_training

        after_training(Path(request.path), code, note)
    return code
