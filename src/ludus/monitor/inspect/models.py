"""The chain of a run's stored models: did each training change the weights, and by how much."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ludus.errors import LudusError
from ludus.evaluators.tables import KIND, TableEvaluator
from ludus.monitor.inspect.diff import Tensors, tensor_change
from ludus.monitor.inspect.findings import Anomaly
from ludus.monitor.inspect.table_changes import find_table_anomalies
from ludus.runs.models import read_model

EXPLODED = 10.0
"""By how many times a tensor's norm may grow between two models."""


def model_anomalies(run: Path) -> list[Anomaly]:
    """Damaged, not finite, unchanged and exploded weights among the models of a run.

    Args:
        run: the directory; its ``models/`` are read in the order of their units.
    """
    found: list[Anomaly] = []
    for role in ("champion", "candidate", KIND):
        before: tuple[str, Tensors] | None = None
        for path in sorted((run / "models").glob(f"{role}-*.safetensors")):
            name = f"models/{path.name}"
            try:
                tensors, _ = read_model(path)
            except LudusError as error:
                if not path.exists():
                    continue  # garbage collection of a run in training
                found.append(Anomaly("model_damaged", "error", f"{name}: {error}", {"file": name}))
                continue
            found += _alone(name, tensors)
            if before is not None:
                found += _after(before, name, tensors)
                if role == KIND:
                    found += _tables_after(run, before[0], name)
            before = (name, tensors)
    return found


def _tables_after(run: Path, before: str, name: str) -> list[Anomaly]:
    """Odd changes of pattern tables, with the two files in the sentence."""
    try:
        one, two = (TableEvaluator(run / file).tables for file in (before, name))
        found = find_table_anomalies(one, two)
    except LudusError as error:
        text = f"{before} and {name}: {error}"
        return [Anomaly("model_shape", "warning", text, {"file": name, "before": before})]
    return [
        replace(
            each,
            text=f"{before} to {name}: {each.text}",
            place={"file": name, "before": before, **each.place},
        )
        for each in found
    ]


def _alone(name: str, tensors: Tensors) -> list[Anomaly]:
    found = []
    for tensor, array in tensors.items():
        bad = int(np.count_nonzero(~np.isfinite(array)))
        if bad:
            found.append(
                Anomaly(
                    "weights_not_finite",
                    "error",
                    f"{name}: {bad} of {array.size} numbers of {tensor} are not finite",
                    {"file": name, "tensor": tensor},
                )
            )
    return found


def _after(before: tuple[str, Tensors], name: str, tensors: Tensors) -> list[Anomaly]:
    earlier, old = before
    if set(old) != set(tensors):
        text = f"{name} has other tensors than {earlier}"
        return [Anomaly("model_shape", "warning", text, {"file": name, "before": earlier})]
    rows = [
        tensor_change(tensor, old[tensor], array)
        for tensor, array in tensors.items()
        if old[tensor].shape == array.shape
    ]
    if rows and all(row["equal"] for row in rows):
        return [
            Anomaly(
                "weights_unchanged",
                "warning",
                f"{name} has the weights of {earlier}: the training in between changed nothing",
                {"file": name, "before": earlier},
            )
        ]
    return [
        Anomaly(
            "weights_exploded",
            "error",
            f"{name}: the norm of {row['name']} grew from {row['norm_first']:.4g} to "
            f"{row['norm_second']:.4g} since {earlier}",
            {"file": name, "before": earlier, "tensor": row["name"]},
        )
        for row in rows
        if row["finite"] and row["norm_first"] > 0
        if row["norm_second"] > EXPLODED * row["norm_first"]
    ]
