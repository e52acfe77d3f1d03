"""Which backend is fastest here, and whether it says the same as torch in float32.

Every backend that can be used is first asked for a short batch, which shows in one run whether it
is hopeless (bfloat16 without instructions for it); then its answers to the probe batch are
compared with the reference; then those left are timed in alternating short turns, so that a busy
moment hits all alike, and the median turn counts. On the processor the clock is the process's own
time on it, which other programs do not lengthen. The result is kept in a file of the user.
"""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from ludus.errors import LudusError
from ludus.evaluators.backends import BACKENDS, REFERENCE, Backend
from ludus.evaluators.calibration_file import CalibrationRow, load, store
from ludus.evaluators.machine import core_count
from ludus.evaluators.network import NetworkEvaluator
from ludus.evaluators.probe import probe_batch
from ludus.nets import GameShape, Network
from ludus.nets.network import seeded_generator

AGREEMENT_F32 = 1e-3
"""Largest absolute difference of a logit or value from the reference, in float32."""

AGREEMENT_BF16 = 5e-2
"""Likewise in bfloat16: of a value, and of a logit relative to the largest logit."""

_SHORT_ROWS = 64
_SLOW_SECONDS = 0.02
"""A short run that takes this long is believed at once; quicker ones are tried three times."""

_HOPELESS = 3.0
"""So many times slower than the reference in short runs: not timed any further."""

_LARGE_SECONDS = 0.05
"""A batch that takes the reference longer than this is not timed whole, but as a short one."""

_CLEARLY = 1.05
"""A backend must be faster by this factor than one that stands before it in preference."""

_PREFERENCE = (
    "torch-f32",
    "openvino-f32",
    "onnxruntime-f32",
    "cuda-f32",
    "cuda-bf16",
    "openvino-bf16",
    "torch-bf16",
)
"""At about the same speed: exact before rough, and the one that is always there first."""

_NOISE_SEED = 20261121
_TURN_SECONDS = 0.004
_ROUNDS = 15
_BUDGET_SECONDS = 1.2
"""All turns together, once every backend has had three."""


def choose_backend(net: Network, game: GameShape, rows: int) -> str:
    """The fastest backend on this machine that agrees with the reference.

    The answer depends on the machine: record it in the run and do not ask again on resume.

    Args:
        net: architecture and weights.
        game: gives the sizes.
        rows: of a batch, a multiple of 64.

    Returns: a name that :class:`NetworkEvaluator` takes.
    """
    return best_of(calibration_report(net, game, rows))


def best_of(report: list[CalibrationRow]) -> str:
    """The backend to take, by a report."""
    # Lanes multiply the speed of backends on the processor; they share a device.
    rates = {
        row.backend: row.positions_per_second
        * (core_count() if BACKENDS[row.backend].device == "cpu" else 1)
        for row in report
        if row.usable and row.positions_per_second is not None
    }
    best = REFERENCE
    for name in _PREFERENCE:
        if rates.get(name, 0.0) > rates.get(best, 0.0) * _CLEARLY:
            best = name
    return best


def calibration_report(
    net: Network, game: GameShape, rows: int, *, again: bool = False
) -> list[CalibrationRow]:
    """One row for each backend, measured now or read from the file of an earlier measurement.

    For ``ludus doctor``: ``[row.as_json() for row in calibration_report(net, rules, 256)]``, and
    :func:`best_of` names the one that ``runtime.backend: auto`` takes. A row has ``backend``,
    ``version``, ``positions_per_second`` (one thread, a second of processor time; None if not
    timed), ``difference`` (from the reference, see :data:`AGREEMENT_F32`; None if not compared),
    ``usable``, ``note`` (why it is not usable, such as ``unavailable: openvino is not installed``;
    empty if all is well), ``cached``.

    Args:
        net: architecture and weights; another architecture is another measurement.
        game: gives the sizes.
        rows: of a batch, a multiple of 64.
        again: measure even if there is a file.
    """
    found = None if again else load(net, rows)
    if found is not None:
        return found
    with _one_thread():
        report = _measure(net, game, rows)
    store(net, rows, report)
    return report


@contextmanager
def _one_thread() -> Iterator[None]:
    """Lanes are the threads: torch has none of its own while backends are timed."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass
class _Candidate:
    """A backend under measurement."""

    backend: Backend
    evaluator: NetworkEvaluator | None = None
    short_rate: float = 0.0
    difference: float | None = None
    note: str = ""

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds of all threads on the processor; of the wall where a device does the work."""
        return time.process_time if self.backend.device == "cpu" else time.perf_counter

    def fail(self, note: str) -> None:
        """Leave it out of what follows."""
        self.evaluator, self.note = None, note


def _measure(net: Network, game: GameShape, rows: int) -> list[CalibrationRow]:
    candidates = [_Candidate(backend) for backend in BACKENDS.values()]
    reference = candidates[0]
    net, short = _lively(net), min(rows, _SHORT_ROWS)
    logits = values = np.zeros(0, np.float32)
    for candidate in candidates:
        _try(candidate, net, game, short, reference)
        if candidate is reference and rows > _LARGE_SECONDS * candidate.short_rate:
            rows = short
        if candidate.evaluator is None:
            continue
        try:
            batch = probe_batch(game, rows)
            candidate.evaluator.evaluate(batch)
        except Exception as error:  # noqa: BLE001 - a backend that breaks is left out
            candidate.fail(f"failed: {type(error).__name__}: {_line(error)}")
            continue
        if candidate is reference:
            logits, values = batch.logits.copy(), batch.values.copy()
            continue
        rough = candidate.backend.precision == "bf16"
        candidate.difference = difference((logits, values), (batch.logits, batch.values), rough)
        bound = AGREEMENT_BF16 if rough else AGREEMENT_F32
        if not candidate.difference <= bound:
            candidate.fail(
                f"disagrees: differs by {candidate.difference:.2g} from {REFERENCE}, "
                f"more than {bound:g}"
            )
    rates = _time([c for c in candidates if c.evaluator is not None], game, rows)
    return [
        CalibrationRow(
            backend=c.backend.name,
            version=next(iter(c.backend.versions().values())),
            positions_per_second=rates.get(c.backend.name, round(c.short_rate) or None),
            difference=c.difference,
            usable=c.evaluator is not None,
            note=c.note,
        )
        for c in candidates
    ]


def _lively(net: Network) -> Network:
    """A copy in which no weights are 0: a fresh tower would not show a wrong block."""
    copied = copy.deepcopy(net)
    generator = seeded_generator(_NOISE_SEED)
    with torch.no_grad():
        for parameter in copied.parameters():
            if not parameter.any():
                fan_in = max(1, parameter.numel() // parameter.shape[0])
                parameter.normal_(0.0, 0.5 / fan_in**0.5, generator=generator)
    return copied


def _try(
    candidate: _Candidate, net: Network, game: GameShape, rows: int, reference: _Candidate
) -> None:
    """Make the evaluator and ask it once; leave it out where it cannot be used or is hopeless."""
    reason = candidate.backend.unavailable()
    if reason is not None:
        candidate.fail(f"unavailable: {reason}")
        return
    try:
        evaluator = NetworkEvaluator(net, backend=candidate.backend.name)
        batch = probe_batch(game, rows)
        evaluator.evaluate(batch)  # compiles
        best = float("inf")
        for _ in range(3):
            start = candidate.clock()
            evaluator.evaluate(batch)
            best = min(best, candidate.clock() - start)
            if best > _SLOW_SECONDS:
                break
        candidate.short_rate = rows / best
    except LudusError as error:
        candidate.fail(f"failed: {_line(error)}")
        return
    except Exception as error:  # noqa: BLE001 - a library that breaks is one line of the report
        candidate.fail(f"failed: {type(error).__name__}: {_line(error)}")
        return
    candidate.evaluator = evaluator
    if candidate.short_rate * _HOPELESS < reference.short_rate:
        factor = reference.short_rate / candidate.short_rate
        candidate.fail(f"slow: {factor:.0f} times slower than {REFERENCE} in a short run")


def difference(
    reference: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray], rough: bool
) -> float:
    """Largest difference between two answers.

    Args:
        reference: logits and values.
        other: likewise.
        rough: logits relative to the largest one of the reference.
    """
    logits = float(np.abs(reference[0] - other[0]).max())
    if rough:
        logits /= max(float(np.abs(reference[0]).max()), 1e-6)
    return max(logits, float(np.abs(reference[1] - other[1]).max()))


def _time(candidates: list[_Candidate], game: GameShape, rows: int) -> dict[str, int]:
    """Positions per second by name: the median of alternating turns."""
    batch = probe_batch(game, rows)
    turns: dict[str, list[float]] = {c.backend.name: [] for c in candidates}
    end = time.perf_counter() + _BUDGET_SECONDS
    for round_ in range(_ROUNDS):
        if round_ >= 3 and time.perf_counter() > end:
            break
        for candidate in candidates:
            evaluator = candidate.evaluator
            assert evaluator is not None
            start = candidate.clock()
            done = 0
            while (seconds := candidate.clock() - start) < _TURN_SECONDS or not done:
                evaluator.evaluate(batch)
                done += rows
            turns[candidate.backend.name].append(done / seconds)
    return {name: round(statistics.median(rates)) for name, rates in turns.items()}


def _line(error: BaseException) -> str:
    """The first line of an error, shortened."""
    text = (str(error).strip() or "no message").splitlines()[0]
    return text if len(text) <= 160 else f"{text[:157]}..."
