"""S1: hostile files in the place of every file that is loaded. S2: no source that runs them."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import queue
import random
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.durability.experiment import Budget, Kind, Outcome
from tests.durability.places import ROOT, SRC, environment, module_command

_WALL = 10.0
"""Seconds on the clock after which a read hangs; processor time is judged in the process."""


class Reader:
    """The guarded process; started again when it dies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turn = 0
        self._start()

    def _start(self) -> None:
        self._turn += 1
        folder = self._folder / f"reader{self._turn}"
        folder.mkdir()
        self._process = subprocess.Popen(
            module_command("tests.durability.inputs.reader", str(folder)),
            env=environment(HOME=str(folder)),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(
            target=self._listen, args=(self._process, self._lines), daemon=True
        ).start()
        first = self._lines.get(timeout=120)
        if not first:
            raise RuntimeError("the guarded process did not start")
        self.about = json.loads(first)

    @staticmethod
    def _listen(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    def read(self, place: str, name: str) -> str:
        """What went wrong with a file in a place, or nothing."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([place, name]) + "\n")
        self._process.stdin.flush()
        try:
            line = self._lines.get(timeout=_WALL)
        except queue.Empty:
            line = ""
            wrong = f"other: it hung for {_WALL:g} s"
        else:
            wrong = "" if line else "other: the process died"
        if line:
            return str(json.loads(line))
        self.close()
        if self._process.returncode and not wrong.endswith(" s"):
            wrong += f" of {-self._process.returncode}"
        self._start()
        return wrong

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()


def _sentence(wrong: str) -> tuple[Kind, str]:
    kind, _, rest = wrong.partition(": ")
    return ("torn" if kind == "torn" else "code" if kind == "code" else "other"), rest


_MEANT = {
    "yaml": ("config",),
    "json": (
        "summary",
        "status",
        "command",
        "seeds",
        "ladder",
        "cursor",
        "model-about",
        "manifest",
    ),
    "safetensors": ("model", "player-tables", "state"),
    "container": ("checkpoint", "player-checkpoint"),
    "text": ("signal", "othello", "blob", "patterns", "metrics-log"),
    "pickle": ("model", "checkpoint", "config", "state"),
}
"""Beginnings of names: kinds of hostile files, and places that they are made for. Those that are no
regular files are meant for every place."""


def ordered(here: list[str], there: list[str], rng: random.Random) -> list[tuple[str, str]]:
    """All pairs of a place and a file: shuffled, those that are made for each other first.

    Of these, settings with tags that run code come before all: a small budget must meet them.
    """
    pairs = [
        (place, name)
        for place in here
        for name in there
        if not ("ndjson" in place and name.startswith("sparse"))  # logs have any size
    ]
    rng.shuffle(pairs)

    def meant(pair: tuple[str, str]) -> int:
        kind = pair[1].partition("-")[0]
        made = kind not in _OTHER and pair[0].startswith(_MEANT.get(kind, ("",)))
        return made + (made and pair[1] in _RUN_CODE)

    return sorted(pairs, key=meant, reverse=True)


_RUN_CODE = ("yaml-apply", "yaml-new", "yaml-object")
_OTHER = ("torch", "npy", "npz", "zip", "gzip", "zstd", "elf", "script", "python")


def run(budget: Budget) -> Outcome:
    """Every hostile file in every place; with a small budget a part, drawn by the seed."""
    outcome = Outcome("hostile files read")
    reader = Reader(budget.folder)
    try:
        pairs = ordered(reader.about["places"], reader.about["files"], budget.random("hostile"))
        chosen = pairs[: min(len(pairs), budget.count(1_200, 40))]
        for place, name in chosen:
            outcome.trials += 1
            if wrong := reader.read(place, name):
                kind, sentence = _sentence(wrong)
                outcome.fail(kind, f"{name} as {place}: {sentence}")
    finally:
        reader.close()
    outcome.figures["hostile files"] = len(reader.about["files"])
    outcome.figures["places where they were read"] = len(reader.about["places"])
    return outcome


# -- the gate of the source ------------------------------------------------------------------------

_MODULES = frozenset({"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"})
_CALLS = frozenset({"eval", "exec", "compile", "__import__"})
_METHODS = {
    "torch.load": "unpickles",
    "torch.package.PackageImporter": "runs code",
    "yaml.load": "makes objects",
    "yaml.unsafe_load": "makes objects",
    "yaml.full_load": "makes objects",
    "yaml.load_all": "makes objects",
    "os.system": "runs a shell",
    "os.popen": "runs a shell",
    "runpy.run_path": "runs code",
    "numpy.loads": "unpickles",
}
_ALLOWED: dict[str, str] = {}
"""Nothing. Own games are modules, and are imported by ``importlib`` because the user names them."""


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def offences(source: str) -> Iterator[tuple[int, str]]:
    """Lines of a module and what in them could run what a file says."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "").partition(".")[0]]
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from ((node.lineno, name) for name in whole if name in _METHODS)
        else:
            names = []
        yield from ((node.lineno, f"import of {name}") for name in names if name in _MODULES)
        if not isinstance(node, ast.Call):
            continue
        called = _dotted(node.func).replace("np.", "numpy.")
        if called in _CALLS or called in _METHODS:
            yield node.lineno, f"{called}()"
        for keyword in node.keywords:
            value = getattr(keyword.value, "value", None)
            if keyword.arg in ("allow_pickle", "shell", "weights_only"):
                bad = keyword.arg != "weights_only" and value is not False
                if bad or (keyword.arg == "weights_only" and value is not True):
                    yield node.lineno, f"{keyword.arg}={value}"


def run_gate(budget: Budget) -> Outcome:
    """Read the whole source: it takes a second."""
    outcome = Outcome("source files read")
    files = sorted((SRC / "ludus").rglob("*.py"))
    files += [file for file in (ROOT / "ludus", ROOT / "tools") if file.is_file()]
    for file in files:
        text = file.read_text(encoding="utf-8")
        if file.suffix != ".py" and "python" not in text.partition("\n")[0]:
            continue
        outcome.trials += 1
        for line, what in offences(text):
            where = f"{os.path.relpath(file, SRC)}:{line}"
            if f"{file.name}: {what}" not in _ALLOWED:
                outcome.fail("code", f"{where}: {what}")
    return outcome
