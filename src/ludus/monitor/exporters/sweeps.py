"""Sweeps of Weights & Biases: the one place where a sweep's choice becomes settings.

A sweep's parameters are named as settings are (``training.learning_rate``); its choice is
``--set`` by another name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from ludus.errors import UserError
from ludus.monitor.exporters.base import library

_INTERNAL = ("_", "wandb")


def sweep_assignments(run: Any | None = None) -> list[str]:
    """The configuration of a W&B run as assignments for ``--set``.

    Args:
        run: has ``config``, a mapping; the active W&B run of this process by default.

    Returns: texts ``a.b=value``; empty when no run is active.
    """
    if run is None:
        run = library("wandb").run
    if run is None:
        return []
    found: list[str] = []

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, item in value.items():
                walk(f"{prefix}.{key}" if prefix else str(key), item)
        else:
            found.append(f"{prefix}={json.dumps(value)}")

    for key, value in dict(run.config).items():
        if not str(key).startswith(_INTERNAL):
            walk(str(key), value)
    return found


def chosen_by_agent() -> list[str]:
    """What the sweep's agent that started this process chose, as assignments.

    The W&B run is opened to be told, and finished: the sink opens it again by its id.

    Raises:
        UserError: no agent started this process, or W&B refuses.
    """
    wandb = library("wandb")
    if wandb.run is not None:
        return sweep_assignments(wandb.run)
    if not os.environ.get("WANDB_SWEEP_ID"):
        raise UserError(
            "--sweep wandb: no sweep's agent started this process; start it with wandb agent, "
            "whose program is this command"
        )
    try:
        run = wandb.init(resume="allow", settings=wandb.Settings(silent=True, console="off"))
    except (wandb.errors.Error, OSError) as error:
        raise UserError(f"--sweep wandb: W&B refuses: {' '.join(str(error).split())}") from None
    try:
        return sweep_assignments(run)
    finally:
        run.finish()
