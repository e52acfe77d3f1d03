"""Evaluators: whatever judges a leaf batch for the search."""

from ludus.evaluators.base import Evaluator, ScriptedEvaluator, UniformEvaluator
from ludus.evaluators.batch import LeafBatch
from ludus.evaluators.network import NetworkEvaluator, Precision
from ludus.evaluators.probe import (
    choose_precision,
    positions_per_second,
    probe_batch,
    probe_digest,
)

__all__ = [
    "Evaluator",
    "LeafBatch",
    "NetworkEvaluator",
    "Precision",
    "ScriptedEvaluator",
    "UniformEvaluator",
    "choose_precision",
    "positions_per_second",
    "probe_batch",
    "probe_digest",
]
