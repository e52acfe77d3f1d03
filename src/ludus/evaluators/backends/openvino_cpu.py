"""OpenVINO on the processor: static shapes, one stream, one thread, tensors bound in place.

Requests of one compiled model that has one stream wait for each other, so every runner compiles a
model of its own. Inference runs in the calling thread and releases the interpreter.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np

from ludus.evaluators.backends.base import Array, Precision, Program, Runner
from ludus.evaluators.batch import LeafBatch
from ludus.nets import Network, Weights
from ludus.nets.onnx_export import export

_LOCK = threading.Lock()
_core: Any = None


def _openvino() -> Any:
    """The package, without its telemetry.

    Importing it would fork a process that reports the import over the network; the copy would keep
    a run's lock and logs open. It does without when the import of ``openvino_telemetry`` fails.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def compile_f32(net: Network, arrays: Weights) -> Program:
    """Float32."""
    return _Program(net, arrays, "f32")


def compile_bf16(net: Network, arrays: Weights) -> Program:
    """Bfloat16; fast on processors with AMX or AVX-512 BF16, emulated on others."""
    return _Program(net, arrays, "bf16")


class _Program:
    def __init__(self, net: Network, arrays: Weights, precision: Precision) -> None:
        self._net = net
        self._arrays = dict(arrays)
        self._models: dict[int, Any] = {}
        self._settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": precision,
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": 1,
            # Lanes and other processes share the cores: the system places the threads.
            "ENABLE_CPU_PINNING": False,
        }

    def runner(self, rows: int) -> Runner:
        global _core
        with _LOCK:
            if _core is None:
                _core = _openvino().Core()
            model = self._models.get(rows)
            if model is None:
                model = self._models[rows] = _core.read_model(export(self._net, self._arrays, rows))
            compiled = _core.compile_model(model, "CPU", self._settings)
        return _Runner(compiled.create_infer_request(), rows, self._net.columns)


class _Runner:
    def __init__(self, request: Any, rows: int, columns: int) -> None:
        self._tensor = _openvino().Tensor
        self._request = request
        self._answer: Array = np.empty((rows, columns), np.float32)
        self._out = self._tensor(self._answer, shared_memory=True)
        request.set_output_tensor(self._out)
        self._bound: Any = None

    def run(self, batch: LeafBatch) -> Array:
        tensor = batch.cache.get("openvino")
        if tensor is None:
            tensor = batch.cache["openvino"] = self._tensor(batch.observations, shared_memory=True)
        if tensor is not self._bound:
            self._request.set_input_tensor(tensor)
            self._bound = tensor
        self._request.infer(share_outputs=True)
        return self._answer
