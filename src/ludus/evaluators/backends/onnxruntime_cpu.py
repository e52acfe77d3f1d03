"""ONNX Runtime on the processor: float32, one thread, inputs and outputs bound in place."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from ludus.evaluators.backends.base import Array, Program, Runner
from ludus.evaluators.batch import LeafBatch
from ludus.nets import Network, Weights
from ludus.nets.onnx_export import INPUT, OUTPUT, export

_ERRORS_ONLY = 3


def compile_f32(net: Network, arrays: Weights) -> Program:
    """Float32."""
    return _Program(net, arrays)


class _Program:
    """Sessions by number of rows; runners share them, each with a binding of its own."""

    def __init__(self, net: Network, arrays: Weights) -> None:
        self._net = net
        self._arrays = dict(arrays)
        self._sessions: dict[int, Any] = {}
        self._lock = threading.Lock()

    def runner(self, rows: int) -> Runner:
        with self._lock:
            session = self._sessions.get(rows)
            if session is None:
                session = self._sessions[rows] = self._session(rows)
        return _Runner(session, rows, self._net.columns)

    def _session(self, rows: int) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = _ERRORS_ONLY
        return onnxruntime.InferenceSession(
            export(self._net, self._arrays, rows), options, providers=["CPUExecutionProvider"]
        )


class _Runner:
    def __init__(self, session: Any, rows: int, columns: int) -> None:
        import onnxruntime

        self._value = onnxruntime.OrtValue.ortvalue_from_numpy
        self._session = session
        self._binding = session.io_binding()
        self._answer: Array = np.empty((rows, columns), np.float32)
        self._out = self._value(self._answer)
        self._binding.bind_ortvalue_output(OUTPUT, self._out)
        self._bound: Any = None

    def run(self, batch: LeafBatch) -> Array:
        value = batch.cache.get("onnxruntime")
        if value is None:
            value = batch.cache["onnxruntime"] = self._value(batch.observations)
        if value is not self._bound:
            self._binding.bind_ortvalue_input(INPUT, value)
            self._bound = value
        self._session.run_with_iobinding(self._binding)
        return self._answer
