"""What follows a training that a command has started: its report."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ludus.cli.output import note

if TYPE_CHECKING:
    from ludus.training.request import TrainRequest


_MOST_NOTICES = 100
"""Sentences that wait for a trainer to write them down."""


def train_and_report(
    request: TrainRequest, metrics_port: int | None = None, sinks: Sequence[str] = ()
) -> int:
    """Train as asked with the companion that feeds sinks beside it, then write the report.

    Args:
        request: what to train.
        metrics_port: of ``/metrics``, where it differs from the setting.
        sinks: further ones to feed.

    Returns: the exit code of the training.
    """
    from ludus.monitor.exporters.companion import companion
    from ludus.training.supervisor import supervise

    notices: deque[str] = deque(maxlen=_MOST_NOTICES)
    with companion(request, metrics_port, sinks, notices):
        code = supervise(request, notices)
    if not request.nothing_to_do:
        from ludus.monitor.after import after_training

        after_training(Path(request.path), code, note)
    return code
