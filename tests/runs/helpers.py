"""What the tests of the run directory share: a toy run, and a disk that fails on demand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ludus.runs import Run, SchemaIds

SCHEMA = SchemaIds("toy_v1", "toy_actions_v1", "toy_rules_v1")
ASKED = b"# what was asked\nlearning_rate: 0.1\r\n"
FAILING = ("open", "write", "fsync", "close", "link", "unlink", "rename", "replace", "ftruncate")


class Crash(BaseException):
    """The process ends here: nothing after it, clean-up included, may touch the disk."""


class FaultyOs:
    """The module ``os``, in which call `at` of the changing calls fails or kills the process.

    After a crash every call fails, so that clean-up code cannot do what a dead process cannot.
    """

    def __init__(self, at: int, fault: int | type[Crash], *, only: tuple[str, ...] = FAILING):
        self.at = at
        self.fault = fault
        self.only = only
        self.calls: list[str] = []
        self.crashed = False

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in FAILING:
            return real

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.crashed:
                if name == "close":  # the kernel does it for the dead
                    real(*args)
                raise Crash
            if name in self.only:
                self.calls.append(name)
                if len(self.calls) == self.at:
                    if isinstance(self.fault, int):
                        raise OSError(self.fault, os.strerror(self.fault))
                    self.crashed = True
                    raise Crash
            return real(*args, **kwargs)

        return call


def new_run(path: Path) -> Run:
    """A run of the recipe ``toy``."""
    return Run.create(
        path, recipe="toy", asked=ASKED, resolved={"rate": 0.1}, seed=7, schema=SCHEMA
    )


def weights(number: int, size: int = 64) -> dict[str, np.ndarray]:
    """Arrays that differ for each number."""
    rng = np.random.default_rng(number)
    return {
        "w": rng.standard_normal(size).astype(np.float32),
        "step": np.array(number, np.int64),
    }


def commit(run: Run, number: int) -> None:
    """A commit of everything that a loop has: learner, champion, shards, counters, log, history."""
    run.metrics.append("train_step", step=number, loss=1.0 / (number + 1))
    run.counters.add("games", 10)
    run.iterations.append({"number": number})
    shards = []
    if "replay_index" in run.manifest.objects:
        shards = run.get_index(run.manifest.objects["replay_index"])[0]
    shards = [*shards[-2:], run.put_shard(number, weights(number), {})]
    run.commit(
        {"number": number},
        {
            "learner": run.put_object("learner", weights(number), {"number": number}),
            "champion": run.put_model("champion", number, weights(number), {}),
            "replay_index": run.put_index("replay", shards, {"games": number}),
        },
    )


def check(run: Run, number: int) -> None:
    """Everything of commit `number` is there, bit by bit, and nothing of another."""
    assert run.manifest.progress == {"number": number}
    tensors, meta = run.get_object(run.manifest.objects["learner"])
    assert meta == {"number": number}
    expected = weights(number)
    assert tensors["w"].tobytes() == expected["w"].tobytes()
    assert int(tensors["step"]) == number
    shards, _ = run.get_index(run.manifest.objects["replay_index"])
    assert shards[-1].path == f"replay/shard_{number:06d}.safetensors"
    for shard in shards:
        run.get_object(shard)
    assert run.iterations[-1] == {"number": number}
    assert run.counters["games"] == 10 * len(run.iterations)


def snapshot(path: Path) -> dict[str, bytes]:
    """Every file below `path` with its bytes."""
    return {
        str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()
    }


def flip(path: Path, at: int = -1) -> None:
    """Change one bit of byte `at` of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
