"""Braintrust: every record is one row of an experiment.

A row's id follows from run, record and step, so what is sent twice is there once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ludus.errors import UserError
from ludus.monitor.exporters.base import RunFacts, library, safe_name, scalars, step_of

PROJECT = "ludus"


class BraintrustSink:
    """One experiment for one run of Ludus."""

    rewrites = False
    takes_artifacts = False

    def __init__(
        self, target: Path, *, project: str | None = None, client: Any | None = None
    ) -> None:
        """Prepare.

        Args:
            target: folder of the cursor; Braintrust itself writes nothing here.
            project: of Braintrust; ``ludus`` by default.
            client: stands for the module ``braintrust``; the real one by default.
        """
        self._project = project or PROJECT
        self._client = client
        self._experiment: Any = None
        self._facts: RunFacts | None = None
        self._last: tuple[str, int] = ("", -1)
        self._same = 0

    def open(self, facts: RunFacts, mark: Mapping[str, Any]) -> bool:
        """Open the experiment that is named after the run's id."""
        if self._client is None:
            self._client = library("braintrust")
            if not os.environ.get("BRAINTRUST_API_KEY"):
                raise UserError("Braintrust needs a key: set BRAINTRUST_API_KEY")
        self._facts = facts
        self._last = (str(mark.get("event", "")), int(mark.get("step", -1)))
        self._same = int(mark.get("same", 0))
        self._experiment = self._client.init(
            project=self._project,
            experiment=facts.run_id,
            update=True,
            set_current=False,
            metadata={"recipe": facts.recipe, "seed": facts.seed, **facts.config},
        )
        return True

    def record(self, log: str, record: Mapping[str, Any]) -> None:
        """One row with the numbers of the record as metrics."""
        self._row(safe_name(record.get("event")), dict(scalars(record)), step_of(record))

    def figures(self, figures: Mapping[str, float | None], step: int, ts_ms: int) -> None:
        """One row with all known figures."""
        known = {f"figures/{safe_name(k)}": v for k, v in figures.items() if v is not None}
        self._row("figures", known, step)

    def _row(self, event: str, values: dict[str, float], step: int) -> None:
        if not values:
            return
        assert self._facts is not None
        # Several records of one name may share a step.
        self._same = self._same + 1 if (event, step) == self._last else 0
        self._last = (event, step)
        self._experiment.log(
            id=f"{self._facts.run_id}/{event}/{step}/{self._same}",
            input={"record": event, "step": step},
            output=None,
            scores={},
            metrics=values,
        )

    def checkpoint(self, path: Path, aliases: Sequence[str]) -> None:
        """Braintrust takes no checkpoints."""

    def rewind(self) -> None:
        """Nothing can be taken back here; only what is new comes again."""

    def flush(self) -> dict[str, Any]:
        """Send what waits."""
        if self._experiment is not None:
            self._experiment.flush()
        return {"event": self._last[0], "step": self._last[1], "same": self._same}

    def close(self) -> None:
        """Send what waits, and end."""
        if self._experiment is not None:
            experiment, self._experiment = self._experiment, None
            experiment.flush()
