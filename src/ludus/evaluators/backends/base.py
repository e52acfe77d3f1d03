"""What a backend is: a way to run a network on a batch of one fixed shape."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import numpy.typing as npt

from ludus.evaluators.batch import LeafBatch

if TYPE_CHECKING:  # torch is loaded when a network is
    from ludus.nets import Network, Weights

Array = npt.NDArray[np.float32]
Precision = Literal["f32", "bf16"]


class Runner(Protocol):
    """Buffers for one number of rows, for one call at a time."""

    def run(self, batch: LeafBatch) -> Array:
        """The fused output f32[rows, columns]; valid until this runner's next call."""
        ...


class Program(Protocol):
    """Weights ready for use on a backend; shared by threads and never changed."""

    def runner(self, rows: int) -> Runner:
        """Another runner: as many are made as calls run at the same time."""
        ...


@dataclass(frozen=True)
class Backend:
    """A library with a precision.

    Attributes:
        name: ``<library>-<precision>``.
        precision: of weights and products; inputs and answers are always f32.
        packages: distributions that it needs besides Ludus' own, the first one names its version.
        device: ``cpu`` or ``cuda``.
        compile: network (architecture) and weights in, program out.
        obstacle: why this machine cannot run it although the packages are there, else None.
    """

    name: str
    precision: Precision
    packages: tuple[str, ...]
    device: str
    compile: Callable[[Network, Weights], Program]
    obstacle: Callable[[], str | None] = lambda: None

    def unavailable(self) -> str | None:
        """Why it cannot be used here, as the end of a sentence; None if it can."""
        for package in self.packages:
            if importlib.util.find_spec(package) is None:
                return f"{package} is not installed"
        return self.obstacle()

    def remedy(self) -> str:
        """What to do about it, as the end of a sentence."""
        if self.device == "cuda":
            return "use a machine with a CUDA device and a torch built for it"
        return "install it with pip install 'ludus[fast]'"

    def versions(self) -> dict[str, str]:
        """Versions of the packages by name; ``missing`` where one is not installed."""
        return {package: package_version(package) for package in self.packages}


def package_version(package: str) -> str:
    """Version of an installed distribution, found without importing it; else ``missing``."""
    import importlib.metadata

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"
