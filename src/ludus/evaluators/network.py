"""A network as evaluator: fixed shapes, preallocated buffers, one thread a lane.

The trunk runs as ``addmm`` into buffers that a lane keeps, on weights stored transposed: that
measured fastest for float32 on CPUs (docs/data-path.md). In bfloat16 the first layer's input is
cast once and the fused output is cast back once.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import linear

from ludus.errors import ConfigError, NumericsError
from ludus.evaluators.batch import LeafBatch
from ludus.nets import ResidualMLP, Weights, arrays_of, check_arrays, digest_of

Precision = Literal["f32", "bf16"]
Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Program:
    """Weights ready for use; never changed after it was made."""

    weights_id: str
    layers: tuple[tuple[Tensor, Tensor], ...]
    """(weight, bias): f32 weights are [in, out], bf16 weights [out, in]."""


class _Scratch(threading.local):
    """Buffers of the calling thread, by number of rows."""

    def __init__(self) -> None:
        self.buffers: dict[int, tuple[Tensor, Tensor, Tensor, Array]] = {}


class NetworkEvaluator:
    """Evaluates leaf batches with a copy of a network's weights.

    The process decides about torch threads: self-play and evaluation set them to 1 and use one
    lane a core. The copy has no training mode: nothing in it depends on one.

    Values: the network speaks from the view of the seat to move; the answer is in seat order,
    ``[v, -v]`` or ``[-v, v]`` for two seats.
    """

    def __init__(
        self,
        net: ResidualMLP,
        *,
        precision: Precision = "f32",
        margin_weight: float = 0.0,
        device: str = "cpu",
    ) -> None:
        """Copy the weights.

        Args:
            net: architecture and weights; copied.
            precision: of weights and trunk; inputs and answers are always f32.
            margin_weight: w in ``value = (1 - w) * value + w * margin``.
            device: torch device of the computation.

        Raises:
            ConfigError: an unknown precision, a weight outside [0, 1] or without a margin head.
        """
        if precision not in ("f32", "bf16"):
            raise ConfigError(f"precision {precision!r} must be 'f32' or 'bf16'")
        if not 0.0 <= margin_weight <= 1.0:
            raise ConfigError(f"margin_weight = {margin_weight} must lie between 0 and 1")
        if margin_weight > 0.0 and not net.spec.margin:
            raise ConfigError(f"margin_weight = {margin_weight} needs a network with a margin head")
        self.precision: Precision = precision
        self.margin_weight = margin_weight
        self.device = torch.device(device)
        self._dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self._net = net
        self._scratch = _Scratch()
        self._program = self._compile(arrays_of(net))

    @property
    def weights_id(self) -> str:
        """SHA-256 of the weights in use."""
        return self._program.weights_id

    def refresh(self, arrays: Weights) -> None:
        """Take new weights of the same shape; calls that have begun finish with the old ones.

        Raises:
            VersionError: arrays of another network.
            NumericsError: a weight is not finite; the old weights stay.
        """
        check_arrays(self._net, arrays)
        self._program = self._compile(arrays)

    def clone(self) -> NetworkEvaluator:
        """Another evaluator on the same weights, with buffers and a future of its own."""
        other = NetworkEvaluator.__new__(NetworkEvaluator)
        other.__dict__.update(self.__dict__)
        other._scratch = _Scratch()
        return other

    def _compile(self, arrays: Weights) -> _Program:
        layers = []
        names = ["input", *(f"blocks.{i}" for i in range(self._net.spec.blocks)), "output"]
        for name in names:
            weight = torch.tensor(arrays[f"{name}.weight"])
            bias = torch.tensor(arrays[f"{name}.bias"])
            if self.precision == "f32":
                weight = weight.t().contiguous()
            layers.append((weight.to(self.device, self._dtype), bias.to(self.device, self._dtype)))
        return _Program(digest_of(arrays), tuple(layers))

    def _buffers(self, rows: int) -> tuple[Tensor, Tensor, Tensor, Array]:
        found = self._scratch.buffers.get(rows)
        if found is None:
            hidden, columns = self._net.spec.hidden, self._net.columns
            shapes = ((rows, hidden), (rows, hidden), (rows, columns))
            first, second, out = (torch.empty(shape, device=self.device) for shape in shapes)
            policy = np.empty((rows, self._net.num_actions), np.float32)
            found = self._scratch.buffers[rows] = (first, second, out, policy)
        return found

    def _trunk(self, program: _Program, observations: Tensor) -> Tensor:
        """Fused output f32[rows, columns]; valid until this thread's next call."""
        layers = program.layers
        if self.precision == "bf16":
            hidden = torch.relu_(linear(observations.to(self._dtype), *layers[0]))
            for weight, bias in layers[1:-1]:
                hidden.add_(torch.relu_(linear(hidden, weight, bias)))
            return linear(hidden, *layers[-1]).float()
        first, second, out, _ = self._buffers(observations.shape[0])
        torch.addmm(layers[0][1], observations, layers[0][0], out=first).relu_()
        for weight, bias in layers[1:-1]:
            first.add_(torch.addmm(bias, first, weight, out=second).relu_())
        return torch.addmm(layers[-1][1], first, layers[-1][0], out=out)

    def evaluate(self, batch: LeafBatch) -> None:
        """Fill the batch's answer; see :class:`ludus.evaluators.Evaluator`.

        Raises:
            NumericsError: an output of the network is not finite.
        """
        program = self._program
        observations = batch.cache.get("observations")
        if observations is None:
            observations = batch.cache["observations"] = torch.from_numpy(batch.observations)
        with torch.inference_mode():
            fused = self._trunk(program, observations.to(self.device))
            # A sum is finite exactly when all its terms are (they are far from overflow).
            if not math.isfinite(fused.sum().item()):
                raise NumericsError(
                    f"network {program.weights_id[:12]}: an output for a leaf batch is not finite"
                )
            self._gather(fused, batch)
            heads = fused[:, self._net.num_actions :].cpu().numpy()
        self._values(heads, batch)

    def _gather(self, fused: Tensor, batch: LeafBatch) -> None:
        """Logits of the legal actions, in the flat order of ``legal``."""
        used = batch.used
        index, answer = batch.legal[:used], batch.logits[:used]
        if fused.device.type == "cpu":
            # numpy calls cost a third of torch's at these sizes.
            policy = self._buffers(fused.shape[0])[3]
            np.copyto(policy, fused.numpy()[:, : self._net.num_actions])
            np.take(policy.reshape(-1), index, out=answer, mode="clip")
        else:
            flat = fused[:, : self._net.num_actions].reshape(-1)
            on_device = torch.from_numpy(index).to(self.device)
            answer[...] = flat.index_select(0, on_device).cpu().numpy()

    def _values(self, heads: Array, batch: LeafBatch) -> None:
        """Values from the mover's view, mixed with the margin, rotated into seat order.

        Args:
            heads: f32[rows, value columns, then margin columns], before their tanh.
            batch: takes the values.
        """
        width, weight = self._net.value_columns, self.margin_weight
        value = np.tanh(heads[:, :width])
        if weight > 0.0:
            value *= 1.0 - weight
            value += weight * np.tanh(heads[:, width : 2 * width])
        seats = batch.num_seats
        if seats == 1:
            batch.values[...] = value
        elif seats == 2:
            first = batch.values[:, 0]
            np.multiply(value[:, 0], 1 - 2 * batch.seats, out=first, casting="same_kind")
            np.negative(first, out=batch.values[:, 1])
        else:
            order = (batch.seats[:, None] + np.arange(seats)) % seats
            np.put_along_axis(batch.values, order, value, axis=1)
