"""Native stacks by Linux' ``perf``, where it is installed and may look at this process."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from ludus.measure.stacks import Folded

_HERTZ = 199
_STACK_BYTES = 16384
_FIELDS = "comm,tid,ip,sym,dso"
_PATIENCE = 120
"""Seconds that perf may take to end, and to read what it recorded."""

_HEAD = re.compile(r"^(?P<comm>.*?)\s+(?P<tid>\d+)")
_FRAME = re.compile(r"^\s+[0-9a-f]+ (?P<name>.*) \((?P<file>.*)\)$")
_INTERPRETER = re.compile(r"/(lib)?python3?[.\d]*[^/]*$")


class NativeSampler:
    """``perf record`` on this process, from :meth:`start` to :meth:`stop`.

    Attributes:
        refused: why there are no native stacks, or None.
    """

    def __init__(self) -> None:
        self.refused: str | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def start(self) -> None:
        """Begin, if it can be done."""
        if shutil.which("perf") is None:
            self.refused = "perf is not installed"
            return
        self._folder = tempfile.TemporaryDirectory(prefix="ludus-perf-")
        command = ["perf", "record", "--quiet", "--freq", str(_HERTZ)]
        command += ["--call-graph", f"dwarf,{_STACK_BYTES}"]
        command += ["--output", self._data, "--pid", str(os.getpid())]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    @property
    def _data(self) -> str:
        assert self._folder is not None
        return str(Path(self._folder.name) / "perf.data")

    def stop(self) -> Folded | None:
        """End; stacks by native function, or None with :attr:`refused` telling why."""
        if self._process is None or self._folder is None:
            return None
        with self._folder:
            self._process.send_signal(signal.SIGINT)
            try:
                _, errors = self._process.communicate(timeout=_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.communicate()
                self.refused = f"perf did not end within {_PATIENCE} s"
                return None
            if not os.path.exists(self._data) or os.path.getsize(self._data) == 0:
                said = errors.decode(errors="replace").strip().splitlines() or ["nothing"]
                self.refused = f"perf may not look at this process: {said[0]}"
                return None
            try:
                done = subprocess.run(
                    # Looking up inlined calls would take minutes and name lines, which nobody asked
                    # for; so would asking a server for symbols.
                    ["perf", "script", "--no-inline", "--input", self._data, "--fields", _FIELDS],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    env={**os.environ, "DEBUGINFOD_URLS": ""},
                    timeout=_PATIENCE,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                self.refused = f"perf did not read its samples within {_PATIENCE} s"
                return None
        folded = fold(done.stdout.decode(errors="replace"))
        if not folded:
            self.refused = "perf took no samples"
            return None
        return folded


def fold(text: str) -> Folded:
    """Folded stacks of what ``perf script`` prints; a sample is as long as its period.

    Frames of the interpreter, dozens between two of ours, become one ``(Python)``.
    """
    weights: Counter[tuple[str, ...]] = Counter()
    calls: list[str] = []
    inside = False
    for line in [*text.splitlines(), ""]:
        if not line.strip():
            if inside:
                weights[tuple(reversed(calls)) or ("?",)] += round(1e6 / _HERTZ)
            calls, inside = [], False
        elif not line[0].isspace() and _HEAD.match(line):
            inside = True
        elif frame := _FRAME.match(line):
            name = _plain(frame["name"], frame["file"])
            if not calls or calls[-1] != name or name != "(Python)":
                calls.append(name)
    return dict(weights)


def _plain(name: str, file: str) -> str:
    """A name that people can read: no offsets, parameters or template arguments."""
    base = os.path.basename(file)
    if _INTERPRETER.search(file):
        return "(Python)"
    name = re.sub(r"\+0x[0-9a-f]+$", "", name)
    if name in ("[unknown]", ""):
        return f"[{base}]"
    before = None
    while before != name:  # innermost first
        before, name = name, re.sub(r"<[^<>]*>", "", name)
    name = re.sub(r"\(anonymous namespace\)::", "", name)
    if not name.startswith("operator"):
        name = name.partition("(")[0]
    name = name.split(" ")[-1] or before
    return name.removesuffix(".lto_priv.0")
