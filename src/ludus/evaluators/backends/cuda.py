"""CUDA through torch: one graph a batch shape, pinned host memory, a side stream a runner.

A call copies the observations into pinned memory, sends them, replays the graph of the whole
network, and fetches the fused output, all in order on a stream that belongs to the runner; waiting
for it releases the interpreter. So lanes overlap: one walks trees while another's batch is on the
device. The legal logits are gathered on the host, where the fused output is small.
"""

from __future__ import annotations

import threading
from typing import Any

import torch
from torch import Tensor

from ludus.evaluators.backends.base import Array, Precision, Program, Runner
from ludus.evaluators.backends.torch_cpu import (
    ModuleProgram,
    TowerProgram,
    dtype_of,
    mlp_forward,
    mlp_layers,
    observations_of,
)
from ludus.evaluators.batch import LeafBatch
from ludus.nets import Network, Weights

_CAPTURE = threading.Lock()
"""One capture at a time: it sets process-wide switches."""

_WARM_UPS = 3
"""Runs before a capture, in which libraries choose algorithms and allocate workspaces."""


def obstacle() -> str | None:
    """Why there is no CUDA here, or None."""
    if not torch.backends.cuda.is_built():  # type: ignore[no-untyped-call]
        return "this torch was built without CUDA"
    return None if torch.cuda.is_available() else "there is no CUDA device"


def compile_f32(net: Network, arrays: Weights) -> Program:
    """Float32 throughout: no TF32."""
    return _Program(net, arrays, "f32")


def compile_bf16(net: Network, arrays: Weights) -> Program:
    """Bfloat16."""
    return _Program(net, arrays, "bf16")


class _Program:
    """Weights on the device; graphs belong to runners."""

    def __init__(self, net: Network, arrays: Weights, precision: Precision) -> None:
        self.net = net
        self.device = torch.device("cuda", torch.cuda.current_device())
        self._dtype = dtype_of(precision)
        self._whole: TowerProgram | ModuleProgram | None = None
        if net.spec.kind == "residual_tower":
            self._whole = TowerProgram(net, arrays, self._dtype, self.device)
        elif net.spec.kind != "residual_mlp":
            self._whole = ModuleProgram(net, arrays, self._dtype, self.device)
        else:
            self._layers = [
                (weight.to(self.device, self._dtype), bias.to(self.device, self._dtype))
                for weight, bias in mlp_layers(net, arrays)
            ]
        # The weights were sent on this thread's stream; graphs read them on others.
        torch.cuda.synchronize(self.device)

    def forward(self, observations: Tensor) -> Tensor:
        """Fused output f32[rows, columns] on the device."""
        if self._whole is not None:
            return self._whole.forward(observations).float()
        return mlp_forward(self._layers, observations.to(self._dtype)).float()

    def runner(self, rows: int) -> Runner:
        return _Runner(self, rows)


class _Runner:
    def __init__(self, program: _Program, rows: int) -> None:
        net, device = program.net, program.device
        self._program = program  # keeps the weights that the graph reads
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._host_in = torch.empty(rows, net.num_inputs, pin_memory=True)
        self._host_out = torch.empty(rows, net.columns, pin_memory=True)
        self._answer: Array = self._host_out.numpy()
        self._in = torch.zeros(rows, net.num_inputs, device=device)
        self._out, self._graph = self._capture()

    def _capture(self) -> tuple[Tensor, Any]:
        forward = self._program.forward
        # Whole float32 products, and algorithms that do not depend on a timing.
        with (
            _CAPTURE,
            torch.cuda.device(self._device),
            torch.inference_mode(),
            torch.backends.cudnn.flags(
                enabled=True, benchmark=False, deterministic=True, allow_tf32=False
            ),
        ):
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                for _ in range(_WARM_UPS):
                    forward(self._in)
            self._stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            # Other lanes may be at work on their own streams meanwhile.
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                out = forward(self._in)
        return out, graph

    def run(self, batch: LeafBatch) -> Array:
        with torch.inference_mode(), torch.cuda.stream(self._stream):
            self._host_in.copy_(observations_of(batch))
            self._in.copy_(self._host_in, non_blocking=True)
            self._graph.replay()
            self._host_out.copy_(self._out, non_blocking=True)
        self._stream.synchronize()
        return self._answer
