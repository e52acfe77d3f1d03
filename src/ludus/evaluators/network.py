"""A network as evaluator: fixed shapes, bound buffers, any backend."""

from __future__ import annotations

from dataclasses import dataclass, field

from ludus import _core
from ludus.errors import ConfigError, NumericsError
from ludus.evaluators.backends import Program, Runner, find_backend
from ludus.evaluators.base import NO_BELIEF
from ludus.evaluators.batch import LeafBatch
from ludus.evaluators.beliefs import Beliefs
from ludus.nets import Network, Weights, arrays_of, check_arrays, digest_of


@dataclass(frozen=True)
class _Loaded:
    """Weights in use, with their name and the runners that nobody is using, by rows.

    A runner serves one call at a time. Lanes that come and go find those of earlier ones: making
    one compiles for its backend, which costs more than many calls. Lists are safe to pop from and
    append to by several threads.
    """

    weights_id: str
    program: Program
    beliefs: Beliefs | None
    idle: dict[int, list[Runner]] = field(default_factory=dict)

    def take(self, rows: int) -> Runner:
        """A runner for one call."""
        try:
            return self.idle[rows].pop()
        except (KeyError, IndexError):
            return self.program.runner(rows)

    def give_back(self, rows: int, runner: Runner) -> None:
        """After a call that went well; a runner whose library failed is not used again."""
        self.idle.setdefault(rows, []).append(runner)


class NetworkEvaluator:
    """Evaluates leaf batches with a copy of a network's weights, on one backend.

    The process decides about torch threads: self-play and evaluation set them to 1 and use one
    lane a core. Lanes may share an evaluator; each call has buffers of its own. The copy has no
    training mode: nothing in it depends on one.

    Attributes:
        bounded: values are those of tanh, so nobody needs to look whether they are in [-1, 1].

    Values: the network speaks from the view of the seat to move; the answer is in seat order,
    ``[v, -v]`` or ``[-v, v]`` for two seats. With more, output k is that of seat (mover + k) mod
    players, and seats that are not in play get 0.
    """

    bounded = True

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
        self._loaded = self._load(arrays_of(net))

    @property
    def weights_id(self) -> str:
        """SHA-256 of the weights in use."""
        return self._loaded.weights_id

    def refresh(self, arrays: Weights) -> None:
        """Take new weights of the same shape; calls that have begun finish with the old ones.

        The next calls compile for the backend; that costs milliseconds (docs/data-path.md).

        Raises:
            VersionError: arrays of another network.
            NumericsError: a weight is not finite; the old weights stay.
        """
        check_arrays(self._net, arrays)
        self._loaded = self._load({name: array.copy() for name, array in arrays.items()})

    def clone(self) -> NetworkEvaluator:
        """Another evaluator on the same weights, with a future of its own."""
        other = NetworkEvaluator.__new__(NetworkEvaluator)
        other.__dict__.update(self.__dict__)
        return other

    def _load(self, arrays: Weights) -> _Loaded:
        beliefs = Beliefs(self._net, arrays) if self._net.spec.belief else None
        return _Loaded(digest_of(arrays), self._backend.compile(self._net, arrays), beliefs)

    @property
    def belief_size(self) -> int:
        """Numbers that say who may hold what is hidden; 0: the network has no belief head."""
        return self._net.spec.belief

    def evaluate(self, batch: LeafBatch) -> None:
        """Fill the batch's answer; see :class:`ludus.evaluators.Evaluator`.

        Raises:
            NumericsError: an output of the network is not finite.
            ConfigError: a batch that asks for beliefs, of a network that has none.
            GameError: a batch whose legal actions, offsets or seats contradict each other.
        """
        net, loaded, rows = self._net, self._loaded, batch.observations.shape[0]
        runner = loaded.take(rows)
        finite = _core.answer(
            runner.run(batch),
            net.num_actions,
            net.value_columns,
            self.margin_weight,
            batch.seats,
            batch.legal,
            batch.offsets,
            batch.logits,
            batch.values,
            batch.players,
        )
        loaded.give_back(rows, runner)
        if not finite:
            raise NumericsError(
                f"network {loaded.weights_id[:12]}: an output for a leaf batch is not finite",
                place="evaluation",
                weights=loaded.weights_id[:12],
            )
        if batch.beliefs is None:
            return
        if loaded.beliefs is None:
            raise ConfigError(NO_BELIEF)
        loaded.beliefs.fill(batch)
