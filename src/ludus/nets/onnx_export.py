"""Networks as ONNX models: static shapes, one input, one fused output.

Needs the package ``onnx``, which is imported on first use. The graph is made of the same few
operators that inference engines fuse: Conv, Gemm, Add, Relu, Reshape; for attention also MatMul,
Softmax, Transpose, and Gather and Equal to cut and pick tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ludus.errors import ConfigError
from ludus.nets.network import Network
from ludus.nets.transformer import BLOCKED, TokenEncoder, TokenTransformer

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
    if isinstance(net, TokenTransformer):
        _transformer(graph, net, arrays)
    else:
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

    def reshape(self, value: str, shape: list[int], name: str) -> str:
        """The same numbers in another shape; returns the name."""
        return self.node("Reshape", [value, self.constant(f"{name}.shape", np.array(shape))], name)

    def cast(self, value: str, name: str) -> str:
        """Truth as 1.0 and 0.0; returns the name."""
        return self.node("Cast", [value], name, to=self._onnx.TensorProto.FLOAT)

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


def _transformer(graph: _Graph, net: TokenTransformer, arrays: Arrays) -> None:
    rows = graph.rows
    trunk = graph.node("Relu", [_linear(graph, INPUT, "input", arrays, "h0.linear")], "h0")
    table = _linear(graph, trunk, "enter", arrays, "enter.flat")
    parts = [graph.reshape(table, [rows, 1, net.spec.width], "table")]
    real = [graph.constant("table.real", np.ones((rows, 1), np.float32))]
    picks = []
    for encoder in net.encoders():
        tokens, here, pick = _tokens(graph, encoder, arrays)
        parts.append(tokens)
        real.append(here)
        picks.append((here, pick))
    tokens = graph.node("Concat", parts, "t0", axis=1)
    count = 1 + net.layout.tokens
    one = graph.constant("one", np.ones(1, np.float32))
    absent = graph.node("Sub", [one, graph.node("Concat", real, "real", axis=1)], "absent")
    far = graph.constant("far", np.full(1, BLOCKED, np.float32))
    blocked = graph.reshape(
        graph.node("Mul", [absent, far], "blocked.flat"), [rows, 1, 1, count], "blocked"
    )
    for i in range(net.spec.blocks):
        tokens = _attention(graph, net, tokens, blocked, arrays, f"blocks.{i}")
    head = graph.reshape(_part(graph, tokens, 0, 1, "t.table"), [rows, -1], "t.flat")
    both = graph.node("Concat", [trunk, head], "both", axis=1)
    joined = graph.node("Relu", [_linear(graph, both, "join", arrays, "join.linear")], "join.relu")
    trunk = graph.node("Add", [trunk, joined], "h1")
    scoring = [encoder for encoder in net.encoders() if encoder.heads]
    result = _linear(graph, trunk, "output", arrays, "h1.output" if scoring else OUTPUT)
    at = 1
    for encoder, (here, pick) in zip(net.encoders(), picks, strict=True):
        until = at + encoder.group.keep
        if encoder.heads:
            name = OUTPUT if encoder is scoring[-1] else f"{encoder.group.name}.added"
            part = _part(graph, tokens, at, until, f"{encoder.group.name}.last")
            result = _scores(graph, encoder, part, here, pick, result, arrays, name)
        at = until


def _part(graph: _Graph, value: str, begin: int, end: int, name: str) -> str:
    """``value[:, begin:end]``."""
    ends = (("from", begin), ("to", end), ("axis", 1))
    inputs = [graph.constant(f"{name}.{key}", np.array([at], np.int64)) for key, at in ends]
    return graph.node("Slice", [value, *inputs], name)


def _product(graph: _Graph, value: str, layer: str, arrays: Arrays, name: str) -> str:
    """A linear layer on tokens; the bias is left out where the layer has none."""
    weight = graph.constant(f"{layer}.weight", arrays[f"{layer}.weight"].T)
    product = graph.node("MatMul", [value, weight], f"{name}.product")
    if f"{layer}.bias" not in arrays:
        return product
    return graph.node(
        "Add", [product, graph.constant(f"{layer}.bias", arrays[f"{layer}.bias"])], name
    )


def _tokens(graph: _Graph, encoder: TokenEncoder, arrays: Arrays) -> tuple[str, str, str | None]:
    """As :meth:`TokenEncoder.forward`."""
    group, rows, name = encoder.group, graph.rows, f"groups.{encoder.group.name}"
    tables = {key: buffer.numpy() for key, buffer in encoder.named_buffers()}

    def constant(key: str) -> str:
        return graph.constant(f"{name}.{key}", tables[key])

    marks = graph.node("Gather", [INPUT, constant("marks")], f"{name}.marked", axis=1)
    if group.number is None:
        marks = graph.reshape(marks, [rows, group.size, -1], f"{name}.marked.by")
        marks = graph.node("Abs", [marks], f"{name}.size")
        found = graph.node("ReduceMax", [marks], f"{name}.most", axes=[2], keepdims=0)
    else:
        found = graph.node("MatMul", [marks, constant("counts")], f"{name}.most")
    zero = graph.constant(f"{name}.zero", np.zeros(1, np.float32))
    real = graph.cast(graph.node("Greater", [found, zero], f"{name}.above"), f"{name}.real")
    numbers = graph.node("Gather", [INPUT, constant("numbers")], f"{name}.flat", axis=1)
    numbers = graph.reshape(numbers, [rows, group.size, -1], f"{name}.by")
    places, pick = graph.constant(f"{name}.places", arrays[f"{name}.places"]), None
    if group.chosen:
        ranks = graph.node("MatMul", [real, constant("ranks")], f"{name}.rank")
        ranks = graph.node("Mul", [ranks, real], f"{name}.rank.real")
        ranks = graph.reshape(ranks, [rows, 1, group.size], f"{name}.rank.row")
        equal = graph.node("Equal", [ranks, constant("order")], f"{name}.equal")
        pick = graph.cast(equal, f"{name}.pick")
        places = graph.node("MatMul", [pick, places], f"{name}.picked")
        numbers = graph.node("MatMul", [pick, numbers], f"{name}.numbers.picked")
        axis = graph.constant(f"{name}.axis", np.array([2], np.int64))
        real = graph.node("ReduceSum", [pick, axis], f"{name}.kept", keepdims=0)
    features = _product(graph, numbers, f"{name}.features", arrays, f"{name}.featured")
    return graph.node("Add", [features, places], f"{name}.tokens"), real, pick


def _attention(
    graph: _Graph, net: TokenTransformer, tokens: str, blocked: str, arrays: Arrays, name: str
) -> str:
    """As :meth:`AttentionBlock.forward`, with a product for each of query, key and value."""
    width, heads, rows = net.spec.width, net.spec.heads, graph.rows

    def head(i: int, kind: str, order: list[int]) -> str:
        own = slice(i * width, (i + 1) * width)
        layer = f"{name}.{kind}"
        part = {
            f"{layer}.weight": arrays[f"{name}.qkv.weight"][own],
            f"{layer}.bias": arrays[f"{name}.qkv.bias"][own],
        }
        flat = _product(graph, tokens, layer, part, f"{layer}.flat")
        split = graph.reshape(flat, [rows, -1, heads, width // heads], f"{layer}.heads")
        return graph.node("Transpose", [split], layer, perm=order)

    query, key = head(0, "query", [0, 2, 1, 3]), head(1, "key", [0, 2, 3, 1])
    value = head(2, "value", [0, 2, 1, 3])
    scores = graph.node("MatMul", [query, key], f"{name}.scores")
    scores = graph.node("Add", [scores, blocked], f"{name}.open")
    share = graph.node("Softmax", [scores], f"{name}.share", axis=3)
    seen = graph.node("MatMul", [share, value], f"{name}.seen")
    seen = graph.node("Transpose", [seen], f"{name}.seen.tokens", perm=[0, 2, 1, 3])
    seen = graph.reshape(seen, [rows, -1, width], f"{name}.seen.flat")
    mixed = _product(graph, seen, f"{name}.mix", arrays, f"{name}.mixed")
    tokens = graph.node("Add", [tokens, mixed], f"{name}.between")
    inner = graph.node(
        "Relu", [_product(graph, tokens, f"{name}.up", arrays, f"{name}.wide")], f"{name}.relu"
    )
    down = _product(graph, inner, f"{name}.down", arrays, f"{name}.narrow")
    return graph.node("Add", [tokens, down], f"{name}.tokens")


def _scores(
    graph: _Graph, encoder: TokenEncoder, tokens: str, real: str, pick: str | None,
    result: str, arrays: Arrays, output: str,
) -> str:  # fmt: skip
    """As :meth:`TokenEncoder.add_scores`; returns ``output``, the name of the sum."""
    group, rows, name = encoder.group, graph.rows, f"groups.{encoder.group.name}"
    scores = _product(graph, tokens, f"{name}.score", arrays, f"{name}.scored")
    mask = graph.reshape(real, [rows, group.keep, 1], f"{name}.mask")
    scores = graph.node("Mul", [scores, mask], f"{name}.scores.real")
    scores = graph.node("Transpose", [scores], f"{name}.scores", perm=[0, 2, 1])
    if pick is not None:
        scores = graph.node("MatMul", [scores, pick], f"{name}.scores.placed")
    scores = graph.reshape(scores, [rows, -1], f"{name}.scores.flat")
    columns = graph.constant(f"{name}.columns", encoder.get_buffer("columns").numpy())
    added = graph.node("MatMul", [scores, columns], f"{name}.by.column")
    return graph.node("Add", [result, added], output)
