"""torch on the processor, float32 and bfloat16, in inference mode.

The MLP in float32 runs as ``addmm`` into buffers that a runner keeps, on weights stored
transposed: that measured fastest for torch (docs/data-path.md). Towers run in the layout
``channels_last``, and the output layer's weights are stored in that order, so nothing is moved
between the layers. Other kinds run as the network computes. In bfloat16 the input is cast once and
the fused output is cast back once.
"""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, linear

from ludus.evaluators.backends.base import Array, Precision, Program, Runner
from ludus.evaluators.batch import LeafBatch
from ludus.nets import Network, Weights, load_arrays
from ludus.nets.onnx_export import scaled_second

Layer = tuple[Tensor, Tensor]
"""Weight and bias."""


def compile_f32(net: Network, arrays: Weights) -> Program:
    """Float32."""
    return _compile(net, arrays, "f32")


def compile_bf16(net: Network, arrays: Weights) -> Program:
    """Bfloat16; fast on processors with AMX or AVX-512 BF16, emulated on others."""
    return _compile(net, arrays, "bf16")


def _compile(net: Network, arrays: Weights, precision: Precision) -> Program:
    if net.spec.kind == "residual_tower":
        return TowerProgram(net, arrays, dtype_of(precision), torch.device("cpu"))
    if net.spec.kind != "residual_mlp":
        return ModuleProgram(net, arrays, dtype_of(precision), torch.device("cpu"))
    return _MlpF32(net, arrays) if precision == "f32" else _MlpBf16(net, arrays)


def dtype_of(precision: Precision) -> torch.dtype:
    """The torch type of weights and products."""
    return torch.bfloat16 if precision == "bf16" else torch.float32


def compile_belief(net: Network, arrays: Weights) -> Program:
    """The belief head of an MLP behind its trunk, in float32: what it answers are its numbers."""
    return _MlpF32(net, arrays, "belief")


def mlp_layers(net: Network, arrays: Weights, head: str = "output") -> list[Layer]:
    """(weight [out, in], bias) of all linear layers up to a head, float32 copies, in order."""
    names = ["input", *(f"blocks.{i}" for i in range(net.spec.blocks)), head]
    return [
        (torch.tensor(arrays[f"{name}.weight"]), torch.tensor(arrays[f"{name}.bias"]))
        for name in names
    ]


def observations_of(batch: LeafBatch) -> Tensor:
    """The batch's observations as a tensor on the same memory."""
    found: Tensor | None = batch.cache.get("torch")
    if found is None:
        found = batch.cache["torch"] = torch.from_numpy(batch.observations)
    return found


class _MlpF32:
    """Layers with weights [in, out]."""

    def __init__(self, net: Network, arrays: Weights, head: str = "output") -> None:
        self._layers = [(w.t().contiguous(), b) for w, b in mlp_layers(net, arrays, head)]

    def runner(self, rows: int) -> Runner:
        return _MlpF32Runner(self._layers, rows)


class _MlpF32Runner:
    def __init__(self, layers: list[Layer], rows: int) -> None:
        width, columns = layers[0][1].numel(), layers[-1][1].numel()
        self._layers = layers
        self._first, self._second = torch.empty(rows, width), torch.empty(rows, width)
        self._out = torch.empty(rows, columns)
        self._answer: Array = self._out.numpy()

    def run(self, batch: LeafBatch) -> Array:
        layers, first, second = self._layers, self._first, self._second
        with torch.inference_mode():
            torch.addmm(layers[0][1], observations_of(batch), layers[0][0], out=first).relu_()
            for weight, bias in layers[1:-1]:
                first.add_(torch.addmm(bias, first, weight, out=second).relu_())
            torch.addmm(layers[-1][1], first, layers[-1][0], out=self._out)
        return self._answer


class _MlpBf16:
    """Layers with weights [out, in]; a runner needs no buffers, so the program is its own."""

    def __init__(self, net: Network, arrays: Weights) -> None:
        self._layers = [(w.bfloat16(), b.bfloat16()) for w, b in mlp_layers(net, arrays)]

    def runner(self, rows: int) -> Runner:
        return self

    def run(self, batch: LeafBatch) -> Array:
        with torch.inference_mode():
            hidden = observations_of(batch).bfloat16()
            return mlp_forward(self._layers, hidden).float().numpy()


def mlp_forward(layers: list[Layer], hidden: Tensor) -> Tensor:
    """The MLP as plain calls, in the type and on the device of its layers."""
    hidden = torch.relu_(linear(hidden, *layers[0]))
    for weight, bias in layers[1:-1]:
        hidden.add_(torch.relu_(linear(hidden, weight, bias)))
    return linear(hidden, *layers[-1])


class TowerProgram:
    """A tower's layers, ready in ``channels_last``, on any device."""

    def __init__(
        self, net: Network, arrays: Weights, dtype: torch.dtype, device: torch.device
    ) -> None:
        def conv(weight: Array, bias: Array) -> Layer:
            tensor = torch.tensor(weight).to(device, dtype)
            tensor = tensor.contiguous(memory_format=torch.channels_last)
            return tensor, torch.tensor(bias).to(device, dtype)

        def plain(name: str) -> Layer:
            return conv(arrays[f"{name}.weight"], arrays[f"{name}.bias"])

        names = [f"blocks.{i}" for i in range(net.spec.blocks)]
        self._input, self._head = plain("input"), plain("head")
        self._blocks = [
            (*plain(f"{name}.first"), *conv(*scaled_second(arrays, name))) for name in names
        ]
        planes, rows, columns = net.observation_shape
        self.shape = (planes, rows, columns)
        # The flattened head counts channels first; in memory they come last.
        order = (net.columns, net.spec.head_channels, rows, columns)
        output = np.ascontiguousarray(
            arrays["output.weight"].reshape(order).transpose(0, 2, 3, 1)
        ).reshape(net.columns, -1)
        self._output: Layer = (
            torch.tensor(output).to(device, dtype),
            torch.tensor(arrays["output.bias"]).to(device, dtype),
        )
        self._dtype = dtype

    def runner(self, rows: int) -> Runner:
        """The program itself: torch keeps the buffers."""
        return self

    def run(self, batch: LeafBatch) -> Array:
        """See :class:`Runner`."""
        with torch.inference_mode():
            return self.forward(observations_of(batch)).float().numpy()

    def forward(self, observations: Tensor) -> Tensor:
        """Fused output [rows, columns] in the program's type, of f32[rows, observation_size]."""
        planes = observations.view(-1, *self.shape).to(self._dtype)
        hidden = torch.relu_(
            conv2d(planes.contiguous(memory_format=torch.channels_last), *self._input, padding=1)
        )
        for weight1, bias1, weight2, bias2 in self._blocks:
            branch = torch.relu_(conv2d(hidden, weight1, bias1, padding=1))
            branch = conv2d(branch, weight2, bias2, padding=1)
            hidden = branch.add_(hidden).relu_()
        head = torch.relu_(conv2d(hidden, *self._head))
        return linear(head.permute(0, 2, 3, 1).reshape(head.shape[0], -1), *self._output)


class ModuleProgram:
    """The network's own computation, for kinds that have no faster arrangement, on any device."""

    def __init__(
        self, net: Network, arrays: Weights, dtype: torch.dtype, device: torch.device
    ) -> None:
        copy = deepcopy(net)
        load_arrays(copy, arrays)
        self._net = copy.requires_grad_(False).to(device, dtype)
        self._dtype = dtype

    def runner(self, rows: int) -> Runner:
        """The program itself: torch keeps the buffers."""
        return self

    def run(self, batch: LeafBatch) -> Array:
        """See :class:`Runner`."""
        with torch.inference_mode():
            return self.forward(observations_of(batch)).float().numpy()

    def forward(self, observations: Tensor) -> Tensor:
        """Fused output [rows, columns] in the program's type, of f32[rows, observation_size]."""
        return self._net.fused(observations.to(self._dtype))
