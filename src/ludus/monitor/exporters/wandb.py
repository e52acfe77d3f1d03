"""Weights & Biases: every record is one row, every checkpoint a version of an artifact."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ludus.errors import UserError
from ludus.monitor.exporters.base import RunFacts, library, safe_name, scalars, step_of
from ludus.monitor.exporters.retry import with_retry

PROJECT = "ludus"
_INIT_SECONDS = 60
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")


class WandbSink:
    """One W&B run for one run of Ludus, gone on with at every sync."""

    rewrites = False
    takes_artifacts = True

    def __init__(
        self,
        target: Path,
        *,
        project: str | None = None,
        client: Any | None = None,
        retry: Callable[..., Any] = with_retry,
    ) -> None:
        """Prepare.

        Args:
            target: folder for what W&B keeps on this machine.
            project: of W&B; ``WANDB_PROJECT`` or ``ludus`` by default.
            client: stands for the module ``wandb``; the real one by default.
            retry: as :func:`with_retry`.
        """
        self._target = target
        self._project = project
        self._client = client
        self._retry = retry
        self._run: Any = None
        self._facts: RunFacts | None = None
        self._defined: set[str] = set()

    def open(self, facts: RunFacts, mark: Mapping[str, Any]) -> bool:
        """Open the W&B run whose id follows from that of the run (or from ``WANDB_RUN_ID``)."""
        client = self._client = self._client or library("wandb")
        self._facts = facts
        quiet = client.Settings(
            silent=True,
            console="off",
            disable_git=True,
            x_disable_stats=True,  # of this process, which is not the trainer
            init_timeout=_INIT_SECONDS,
        )
        try:
            self._run = client.init(
                project=self._project or os.environ.get("WANDB_PROJECT") or PROJECT,
                id=os.environ.get("WANDB_RUN_ID") or _UNSAFE.sub("-", facts.run_id)[:64],
                name=facts.name,
                group=facts.recipe,
                dir=str(self._target),
                config={"recipe": facts.recipe, "seed": facts.seed, **facts.config},
                resume="allow",
                reinit="create_new",
                save_code=False,
                settings=quiet,
            )
        except client.errors.UsageError as error:
            raise UserError(
                f"W&B refuses ({' '.join(str(error).split())}): log in with wandb login, or keep "
                "everything here with WANDB_MODE=offline"
            ) from None
        return True

    def record(self, log: str, record: Mapping[str, Any]) -> None:
        """One row; the record's own clock is the x-axis of its fields."""
        self._row(safe_name(record.get("event")), dict(scalars(record)), step_of(record))

    def figures(self, figures: Mapping[str, float | None], step: int, ts_ms: int) -> None:
        """One row with all known figures over seconds worked."""
        known = {f"figures/{safe_name(k)}": v for k, v in figures.items() if v is not None}
        self._row("figures", known, step)

    def _row(self, name: str, values: dict[str, float], step: int) -> None:
        if not values:
            return
        clock = f"{name}/step"
        if name not in self._defined:
            self._defined.add(name)
            self._run.define_metric(clock, hidden=True)
            self._run.define_metric(f"{name}/*", step_metric=clock)
        self._run.log({**values, clock: step})

    def checkpoint(self, path: Path, aliases: Sequence[str]) -> None:
        """A version of the run's artifact.

        Raises:
            Exception: what the last of three attempts raised.
        """
        assert self._client is not None
        assert self._facts is not None
        artifact = self._client.Artifact(
            _UNSAFE.sub("-", f"{self._facts.recipe}-{self._facts.run_id}")[:120],
            type="model",
            metadata={"file": path.name},
        )
        artifact.add_file(str(path))
        self._retry(lambda: self._run.log_artifact(artifact, aliases=list(aliases)), path)

    def rewind(self) -> None:
        """Nothing can be taken back here; only what is new comes again."""

    def flush(self) -> dict[str, Any]:
        """W&B sends by itself."""
        return {}

    def close(self) -> None:
        """Finish: waits until everything was sent."""
        if self._run is not None:
            run, self._run = self._run, None
            run.finish()
            assert self._client is not None
            # W&B's own process writes on after finish; ended now, it would lose the last rows.
            self._client.teardown()
