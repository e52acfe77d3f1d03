"""Evaluators: whatever judges a leaf batch for the search."""

from typing import TYPE_CHECKING

from ludus.evaluators.backends import BACKENDS, REFERENCE, find_backend
from ludus.evaluators.base import (
    Evaluator,
    ScriptedEvaluator,
    UniformEvaluator,
    check_values,
)
from ludus.evaluators.batch import LeafBatch
from ludus.evaluators.cache import CachedEvaluator
from ludus.evaluators.calibration_file import CalibrationRow, calibration_path
from ludus.evaluators.machine import core_count, cpu_flags
from ludus.evaluators.split import SplitEvaluator
from ludus.evaluators.timing import Durations, EvaluatorTimes, TimedEvaluator
from ludus.lazy import importer

if TYPE_CHECKING:
    from ludus.evaluators.calibration import (
        AGREEMENT_BF16,
        AGREEMENT_F32,
        best_of,
        calibration_report,
        choose_backend,
    )
    from ludus.evaluators.network import NetworkEvaluator
    from ludus.evaluators.probe import (
        positions_per_second,
        probe_batch,
        probe_digest,
    )
else:
    __getattr__ = importer(
        __name__,
        {
            "backends": (
                "BACKENDS",
                "REFERENCE",
                "find_backend",
            ),
            "calibration": (
                "AGREEMENT_BF16",
                "AGREEMENT_F32",
                "best_of",
                "calibration_report",
                "choose_backend",
            ),
            "network": ("NetworkEvaluator",),
            "probe": (
                "positions_per_second",
                "probe_batch",
                "probe_digest",
            ),
        },
    )

__all__ = [
    "AGREEMENT_BF16",
    "AGREEMENT_F32",
    "BACKENDS",
    "REFERENCE",
    "CachedEvaluator",
    "CalibrationRow",
    "Durations",
    "Evaluator",
    "EvaluatorTimes",
    "LeafBatch",
    "NetworkEvaluator",
    "ScriptedEvaluator",
    "SplitEvaluator",
    "TimedEvaluator",
    "UniformEvaluator",
    "best_of",
    "calibration_path",
    "calibration_report",
    "check_values",
    "choose_backend",
    "core_count",
    "cpu_flags",
    "find_backend",
    "positions_per_second",
    "probe_batch",
    "probe_digest",
]
