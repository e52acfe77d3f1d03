"""Networks as ONNX models: static shapes, one input, one fused output.

Needs the package ``onnx``, which is imported on first use. The graph is made of the same few
operators that inference engines fuse: Conv, Gemm, Add, Relu, Reshape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus.errors import ConfigError
from ludus.nets.network import Network

_OPSET = 17
_IR_VERSION = 8
"""Old enough for every reader of the last years."""

INPUT, OUTPUT = "observations", "fused"
"""Names of the model's input and output."""

Arrays = Mapping[str, npt.NDArray[np.float32]]


def export(net: Network, arrays: Arrays, rows: int) -> bytes:
    """An ONNX model of a network's architecture with these weights.

    Args:
        net: the architecture; its own weights are not looked at.
        arrays: weights by parameter name.
        rows: of a batch, at least 1.

    Returns: the serialised model: f32[rows, observation_size] to f32[rows, columns].

    Raises:
        ConfigError: no rows, or the package ``onnx`` is missing.
    """
    if rows < 1:
        raise ConfigError(f"rows = {rows} of an ONNX model must be at least 1")
    graph = _Graph(rows)
    (_tower if net.spec.kind == "residual_tower" else _mlp)(graph, net, arrays)
    return graph.finish(net)


def scaled_second(arrays: Arrays, block: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Weight and bias of a block's second convolution with the block's gain multiplied in."""
    gain = arrays[f"{block}.gain"]
    weight = arrays[f"{block}.second.weight"] * gain[:, None, None, None]
    return weight, arrays[f"{block}.second.bias"] * gain


class _Graph:
    """A graph under construction; values are named by their producer."""

    def __init__(self, rows: int) -> None:
        try:
            import onnx
            from onnx import helper, numpy_helper
        except ImportError as error:
            raise ConfigError(
                "the package onnx is not installed, and ONNX models need it: "
                "pip install 'ludus[fast]'"
            ) from error
        self.rows = rows
        self._onnx, self._helper = onnx, helper
        self._constant: Callable[..., Any] = numpy_helper.from_array
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def constant(self, name: str, array: npt.NDArray[Any]) -> str:
        """A weight or shape; returns its name."""
        self._constants.append(self._constant(np.ascontiguousarray(array), name))
        return name

    def node(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        """An operator with one output; returns the output's name."""
        self._nodes.append(self._helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def finish(self, net: Network) -> bytes:
        """The model; the value named ``fused`` is its output."""
        helper, real = self._helper, self._onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            self._nodes,
            "ludus",
            [helper.make_tensor_value_info(INPUT, real, [self.rows, net.num_inputs])],
            [helper.make_tensor_value_info(OUTPUT, real, [self.rows, net.columns])],
            self._constants,
        )
        model = helper.make_model(
            graph, producer_name="ludus", opset_imports=[helper.make_opsetid("", _OPSET)]
        )
        model.ir_version = _IR_VERSION
        self._onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def _linear(graph: _Graph, value: str, layer: str, arrays: Arrays, name: str) -> str:
    weight = graph.constant(f"{layer}.weight", arrays[f"{layer}.weight"])
    bias = graph.constant(f"{layer}.bias", arrays[f"{layer}.bias"])
    return graph.node("Gemm", [value, weight, bias], name, transB=1)


def _mlp(graph: _Graph, net: Network, arrays: Arrays) -> None:
    hidden = graph.node("Relu", [_linear(graph, INPUT, "input", arrays, "h0.linear")], "h0")
    for i in range(net.spec.blocks):
        branch = _linear(graph, hidden, f"blocks.{i}", arrays, f"h{i + 1}.linear")
        branch = graph.node("Relu", [branch], f"h{i + 1}.relu")
        hidden = graph.node("Add", [hidden, branch], f"h{i + 1}")
    _linear(graph, hidden, "output", arrays, OUTPUT)


def _tower(graph: _Graph, net: Network, arrays: Arrays) -> None:
    def conv(value: str, layer: str, weight: npt.NDArray[Any], bias: npt.NDArray[Any]) -> str:
        inputs = [
            value,
            graph.constant(f"{layer}.weight", weight),
            graph.constant(f"{layer}.bias", bias),
        ]
        pad = weight.shape[-1] // 2
        return graph.node("Conv", inputs, f"{layer}.conv", pads=[pad] * 4)

    def plain(value: str, layer: str) -> str:
        return conv(value, layer, arrays[f"{layer}.weight"], arrays[f"{layer}.bias"])

    shape = graph.constant("planes", np.array([graph.rows, *net.observation_shape], np.int64))
    planes = graph.node("Reshape", [INPUT, shape], "board")
    hidden = graph.node("Relu", [plain(planes, "input")], "h0")
    for i in range(net.spec.blocks):
        block = f"blocks.{i}"
        branch = graph.node("Relu", [plain(hidden, f"{block}.first")], f"{block}.relu")
        branch = conv(branch, f"{block}.second", *scaled_second(arrays, block))
        hidden = graph.node(
            "Relu", [graph.node("Add", [branch, hidden], f"{block}.add")], f"h{i + 1}"
        )
    head = graph.node("Relu", [plain(hidden, "head")], "head.relu")
    flat = graph.constant("flat", np.array([graph.rows, -1], np.int64))
    _linear(graph, graph.node("Reshape", [head, flat], "head.flat"), "output", arrays, OUTPUT)
