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
from ludus.evaluators.timing import Durations, EvaluatorTimes, TimedEvaluator

__all__ = [
    "Durations",
    "Evaluator",
    "EvaluatorTimes",
    "LeafBatch",
    "NetworkEvaluator",
    "Precision",
    "ScriptedEvaluator",
    "TimedEvaluator",
    "UniformEvaluator",
    "choose_precision",
    "positions_per_second",
    "probe_batch",
    "probe_digest",
]
