"""Stacks of a running Python program, sampled by a thread of its own, and their folded form.

A folded stack is a tuple of names from the outermost call inwards; its weight is in microseconds.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import CodeType, FrameType

Stack = tuple[str, ...]
Folded = dict[Stack, int]

WAITING = "(waiting)"
"""Stands for everything inside a wait for another thread."""

_WAITS = (
    "threading",
    "queue",
    "selectors",
    "concurrent.futures.thread",
    "concurrent.futures._base",
)


class Sampler:
    """Looks at all threads' Python stacks some times a second.

    A sample weighs as long as the time since the last one: looking needs the interpreter, which a
    thread may hold for a while, and a late sample must not count less. What is inside compiled code
    shows as the Python call that entered it.
    """

    def __init__(self, hertz: float = 200.0, *, below: str = "") -> None:
        """Prepare.

        Args:
            hertz: samples a second.
            below: beginning of names (``module:function``); such calls and those outside of them
                are left out.
        """
        self.seconds = 0.0
        self.samples = 0
        self.cost = 0.0
        self._period = 1.0 / hertz
        self._below = below
        self._weights: Counter[Stack] = Counter()
        self._names: dict[CodeType, str] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> Folded:
        """End; what was seen, each stack beginning with the name of its thread."""
        self._stop.set()
        self._thread.join()
        return {stack: weight for stack, weight in self._weights.items() if weight > 0}

    def _run(self) -> None:
        before = began = time.perf_counter()
        while not self._stop.wait(self._period):
            now = time.perf_counter()
            self._look(round(1e6 * (now - before)))
            self.cost += time.perf_counter() - now
            before = now
        self.seconds = time.perf_counter() - began

    def _look(self, weight: int) -> None:
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        mine = threading.get_ident()
        for thread, frame in sys._current_frames().items():
            if thread != mine:
                stack = self._stack(names.get(thread, "a foreign thread"), frame)
                self._weights[stack] += weight
        self.samples += 1

    def _stack(self, thread: str, frame: FrameType | None) -> Stack:
        calls: list[str] = []
        waiting = False
        while frame is not None:
            name = self._name(frame)
            if self._below and name.startswith(self._below):
                break
            if name.partition(":")[0] in _WAITS:
                # At the inner end: a wait. At the outer end: how every thread begins.
                waiting = waiting or not calls
            else:
                calls.append(name)
            frame = frame.f_back
        return (thread, *reversed(calls), *((WAITING,) if waiting else ()))

    def _name(self, frame: FrameType) -> str:
        """``module:Class.function``: no path of a machine."""
        code = frame.f_code
        name = self._names.get(code)
        if name is None:
            module = frame.f_globals.get("__name__", "?")
            name = self._names[code] = f"{module}:{code.co_qualname}"
        return name


def without_waits(folded: Mapping[Stack, int], keep: str) -> Folded:
    """Stacks without those that only wait, except in threads whose name begins with ``keep``."""
    return {
        stack: weight
        for stack, weight in folded.items()
        if stack[-1] != WAITING or stack[0].startswith(keep)
    }


def spread(
    folded: Mapping[Stack, int], tops: tuple[str, ...], shares: Mapping[str, float]
) -> Folded:
    """Put leaves below stacks that end in compiled code, by known shares.

    Args:
        folded: stacks.
        tops: stacks whose last name begins with one of these get the leaves.
        shares: weight of each leaf; where they sum to 0 nothing is changed.
    """
    total = sum(shares.values())
    if total <= 0.0:
        return dict(folded)
    found: Counter[Stack] = Counter()
    for stack, weight in folded.items():
        if not stack[-1].startswith(tops):
            found[stack] += weight
            continue
        left = weight
        for index, (name, share) in enumerate(shares.items()):
            part = left if index == len(shares) - 1 else min(left, round(weight * share / total))
            left -= part
            if part:
                found[*stack, name] += part
    return dict(found)


def write_folded(path: Path, folded: Mapping[Stack, int]) -> None:
    """One stack a line, ``a;b;c weight``: what other viewers of flame graphs read."""
    lines = [
        ";".join(name.replace(";", ",") for name in stack) + f" {weight}"
        for stack, weight in sorted(folded.items())
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
