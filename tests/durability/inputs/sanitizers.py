"""P16: the C++ tests under the sanitizers for addresses, undefined behaviour and threads."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.durability.experiment import Budget, Outcome
from tests.durability.places import ROOT

_KINDS = {
    "asan": ("address,undefined", "Debug"),
    "tsan": ("thread", "Debug"),
}
"""Folder of ``build/ci``, as ``.ci/run`` makes it, with its sanitizers and kind of build."""
_REPORTS = ("Sanitizer:", "runtime error:", "SUMMARY: ")


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "ASAN_OPTIONS": "detect_leaks=1:halt_on_error=1",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        "TSAN_OPTIONS": "halt_on_error=1",
    }


def _build(folder: Path, sanitizers: str, kind: str) -> str:
    """Build the tests; what went wrong, or nothing."""
    configure = [
        *("cmake", "-S", str(ROOT), "-B", str(folder)),
        *("-DLUDUS_PYTHON=OFF", "-DLUDUS_TESTS=ON"),
        *(f"-DCMAKE_BUILD_TYPE={kind}", f"-DLUDUS_SANITIZE={sanitizers}"),
    ]
    if shutil.which("ninja"):
        configure += ["-G", "Ninja"]
    for command in (configure, ["cmake", "--build", str(folder), "--parallel"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return (done.stderr or done.stdout).strip()[-300:]
    return ""


def _tests(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("test_*")
        if path.is_file() and os.access(path, os.X_OK) and path.suffix == ""
    )


def run(budget: Budget) -> Outcome:
    """What is built already; from a budget of 30 minutes on, what is not is built."""
    outcome = Outcome("programs of C++ tests run")
    for name, (sanitizers, kind) in _KINDS.items():
        folder = ROOT / "build" / "ci" / name
        if budget.minutes >= 30:
            if folder.is_dir() or os.access(ROOT, os.W_OK):
                folder.parent.mkdir(parents=True, exist_ok=True)
            if wrong := _build(folder, sanitizers, kind):
                outcome.skipped.append(f"{name} cannot be built: {wrong}")
                continue
        if not folder.is_dir():
            outcome.skipped.append(f"{name} is not built, and the budget is below 30 minutes")
            continue
        for program in _tests(folder):
            outcome.trials += 1
            done = subprocess.run(
                [str(program)],
                env=_environment(),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=1200,
                check=False,
            )
            said = done.stdout + done.stderr
            if done.returncode or any(word in said for word in _REPORTS):
                line = next(
                    (one for one in said.splitlines() if any(w in one for w in _REPORTS)), ""
                )
                outcome.fail("other", f"{name}/{program.name} ended with {done.returncode}: {line}")
    return outcome


def missing() -> str | None:
    """Tools to build with."""
    for tool in ("cmake", "g++"):
        if shutil.which(tool) is None:
            return f"there is no {tool}"
    return None
