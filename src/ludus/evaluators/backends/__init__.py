"""Backends: libraries that run a network on a batch, by name."""

from ludus.errors import ConfigError
from ludus.evaluators.backends import cuda, onnxruntime_cpu, openvino_cpu, torch_cpu
from ludus.evaluators.backends.base import Array, Backend, Program, Runner, package_version

_OPENVINO = ("openvino", "onnx")
_ONNXRUNTIME = ("onnxruntime", "onnx")
_TORCH = ("torch",)

BACKENDS: dict[str, Backend] = {
    backend.name: backend
    for backend in (
        Backend("torch-f32", "f32", _TORCH, "cpu", torch_cpu.compile_f32),
        Backend("torch-bf16", "bf16", _TORCH, "cpu", torch_cpu.compile_bf16),
        Backend("openvino-f32", "f32", _OPENVINO, "cpu", openvino_cpu.compile_f32),
        Backend("openvino-bf16", "bf16", _OPENVINO, "cpu", openvino_cpu.compile_bf16),
        Backend("onnxruntime-f32", "f32", _ONNXRUNTIME, "cpu", onnxruntime_cpu.compile_f32),
        Backend("cuda-f32", "f32", _TORCH, "cuda", cuda.compile_f32, cuda.obstacle),
        Backend("cuda-bf16", "bf16", _TORCH, "cuda", cuda.compile_bf16, cuda.obstacle),
    )
}
"""All backends; the first one is what the others are compared with."""

REFERENCE = "torch-f32"
"""Always available, and the measure of agreement."""


def find_backend(name: str) -> Backend:
    """A backend that can be used here.

    Raises:
        ConfigError: there is none of that name, or it cannot be used on this machine; the sentence
            says why and what to do.
    """
    backend = BACKENDS.get(name)
    if backend is None:
        raise ConfigError(f"backend {name!r} is unknown; known are {', '.join(BACKENDS)}")
    reason = backend.unavailable()
    if reason is not None:
        raise ConfigError(
            f"backend {name} is unavailable: {reason}; {backend.remedy()}, or take {REFERENCE}"
        )
    return backend


__all__ = [
    "BACKENDS",
    "REFERENCE",
    "Array",
    "Backend",
    "Program",
    "Runner",
    "find_backend",
    "package_version",
]
