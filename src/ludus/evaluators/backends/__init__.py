"""Backends: libraries that run a network on a batch, by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ludus.errors import ConfigError
from ludus.evaluators.backends.base import Array, Backend, Program, Runner, package_version

if TYPE_CHECKING:
    from ludus.nets import Network, Weights

_OPENVINO = ("openvino", "onnx")
_ONNXRUNTIME = ("onnxruntime", "onnx")
_TORCH = ("torch",)


def _module(name: str) -> Any:
    """A backend's module; its library is loaded when it is used, not when it is named."""
    return import_module(f"ludus.evaluators.backends.{name}")


def _compile(module: str, precision: str) -> Callable[[Network, Weights], Program]:
    def compiled(net: Network, weights: Weights) -> Program:
        program: Program = getattr(_module(module), f"compile_{precision}")(net, weights)
        return program

    return compiled


def _cuda_obstacle() -> str | None:
    reason: str | None = _module("cuda").obstacle()
    return reason


BACKENDS: dict[str, Backend] = {
    backend.name: backend
    for backend in (
        Backend("torch-f32", "f32", _TORCH, "cpu", _compile("torch_cpu", "f32")),
        Backend("torch-bf16", "bf16", _TORCH, "cpu", _compile("torch_cpu", "bf16")),
        Backend("openvino-f32", "f32", _OPENVINO, "cpu", _compile("openvino_cpu", "f32")),
        Backend("openvino-bf16", "bf16", _OPENVINO, "cpu", _compile("openvino_cpu", "bf16")),
        Backend("onnxruntime-f32", "f32", _ONNXRUNTIME, "cpu", _compile("onnxruntime_cpu", "f32")),
        Backend("cuda-f32", "f32", _TORCH, "cuda", _compile("cuda", "f32"), _cuda_obstacle),
        Backend("cuda-bf16", "bf16", _TORCH, "cuda", _compile("cuda", "bf16"), _cuda_obstacle),
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
