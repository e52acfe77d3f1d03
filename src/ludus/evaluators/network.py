"""A network as evaluator: fixed shapes, bound buffers, one thread a lane, any backend."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from ludus import _core
from ludus.errors import ConfigError, NumericsError
from ludus.evaluators.backends import Program, Runner, find_backend
from ludus.evaluators.batch import LeafBatch
from ludus.nets import Network, Weights, arrays_of, check_arrays, digest_of


@dataclass(frozen=True)
class _Loaded:
    """Weights in use, with their name."""

    weights_id: str
    program: Program


class _Scratch(threading.local):
    """Runners of the calling thread, by number of rows, for the weights they were made of."""

    def __init__(self) -> None:
        self.loaded: _Loaded | None = None
        self.runners: dict[int, Runner] = {}


class NetworkEvaluator:
    """Evaluates leaf batches with a copy of a network's weights, on one backend.

    The process decides about torch threads: self-play and evaluation set them to 1 and use one
    lane a core. Lanes may share an evaluator; each thread gets buffers of its own. The copy has no
    training mode: nothing in it depends on one.

    Values: the network speaks from the view of the seat to move; the answer is in seat order,
    ``[v, -v]`` or ``[-v, v]`` for two seats.
    """

    def __init__(
        self, net: Network, *, backend: str = "torch-f32", margin_weight: float = 0.0
    ) -> None:
        """Copy the weights.

        Args:
            net: architecture and weights; copied.
            backend: ``torch-f32``, ``torch-bf16``, ``openvino-f32``, ``openvino-bf16``,
                ``onnxruntime-f32``, ``cuda-f32`` or ``cuda-bf16``; inputs and answers are always
                f32. :func:`ludus.evaluators.choose_backend` finds the fastest.
            margin_weight: w in ``value = (1 - w) * value + w * margin``.

        Raises:
            ConfigError: a backend that is unknown or unavailable here, a weight outside [0, 1] or
                without a margin head.
        """
        self._backend = find_backend(backend)
        if not 0.0 <= margin_weight <= 1.0:
            raise ConfigError(f"margin_weight = {margin_weight} must lie between 0 and 1")
        if margin_weight > 0.0 and not net.spec.margin:
            raise ConfigError(f"margin_weight = {margin_weight} needs a network with a margin head")
        self.backend = backend
        self.margin_weight = margin_weight
        self._net = net
        self._scratch = _Scratch()
        self._loaded = self._load(arrays_of(net))

    @property
    def weights_id(self) -> str:
        """SHA-256 of the weights in use."""
        return self._loaded.weights_id

    def refresh(self, arrays: Weights) -> None:
        """Take new weights of the same shape; calls that have begun finish with the old ones.

        Threads compile for their backend at their next call; that costs milliseconds
        (docs/data-path.md).

        Raises:
            VersionError: arrays of another network.
            NumericsError: a weight is not finite; the old weights stay.
        """
        check_arrays(self._net, arrays)
        self._loaded = self._load({name: array.copy() for name, array in arrays.items()})

    def clone(self) -> NetworkEvaluator:
        """Another evaluator on the same weights, with buffers and a future of its own."""
        other = NetworkEvaluator.__new__(NetworkEvaluator)
        other.__dict__.update(self.__dict__)
        other._scratch = _Scratch()
        return other

    def _load(self, arrays: Weights) -> _Loaded:
        return _Loaded(digest_of(arrays), self._backend.compile(self._net, arrays))

    def _runner(self, rows: int) -> Runner:
        """The calling thread's runner; the weights may have changed since its last call."""
        scratch, loaded = self._scratch, self._loaded
        if scratch.loaded is not loaded:
            scratch.loaded, scratch.runners = loaded, {}
        runner = scratch.runners.get(rows)
        if runner is None:
            runner = scratch.runners[rows] = loaded.program.runner(rows)
        return runner

    def evaluate(self, batch: LeafBatch) -> None:
        """Fill the batch's answer; see :class:`ludus.evaluators.Evaluator`.

        Raises:
            NumericsError: an output of the network is not finite.
            GameError: a batch whose legal actions, offsets or seats contradict each other.
        """
        fused = self._runner(batch.observations.shape[0]).run(batch)
        net = self._net
        finite = _core.answer(
            fused,
            net.num_actions,
            net.value_columns,
            self.margin_weight,
            batch.seats,
            batch.legal,
            batch.offsets,
            batch.logits,
            batch.values,
        )
        if not finite:
            raise NumericsError(
                f"network {self.weights_id[:12]}: an output for a leaf batch is not finite"
            )
