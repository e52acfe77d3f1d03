"""A child of this process under ``strace``, with chosen system calls made to fail."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.durability.storage.common import fork

CALLS = (
    "openat", "write", "pwrite64", "fsync", "close", "link", "unlink", "rename", "ftruncate",
    "mkdir", "fdatasync", "linkat", "unlinkat", "renameat2", "mkdirat",
)  # fmt: skip
"""Those that change the disk, and close; traced always."""

_LIMIT = 30.0
_SET_PTRACER, _ANY = 0x59616D61, ctypes.c_ulong(-1)
_LINE = re.compile(r"^(?:(\d+) +)?(\w+)\((.*)\) += (-?\d+|\?)(.*)$")
_FD = re.compile(r"^(\d+)<([^>]*)>")
_QUOTED = re.compile(r'"([^"]*)"')

_ACKNOWLEDGE, _TELL = "sendto", "sendmsg"


@dataclass(frozen=True)
class Parent:
    """How a traced child speaks to its parent: by calls that are never made to fail."""

    socket: socket.socket

    def acknowledge(self, number: int) -> None:
        """Say that a commit was made; in the trace it is the call ``sendto``."""
        self.socket.send(json.dumps({"acknowledged": number}).encode())

    def tell(self, said: dict[str, Any]) -> None:
        """Say anything else."""
        self.socket.sendmsg([json.dumps(said).encode()])


@dataclass(frozen=True)
class Call:
    """A system call of a trace.

    Attributes:
        name: of it.
        number: how many of that name there were, itself included: what ``when=`` means.
        paths: of the descriptor, or given by name.
        words: all arguments as strace writes them.
        result: what it returned; -1 for an error.
        error: its name, such as ``EIO``; empty if there was none.
        injected: whether strace made it fail.
        process: whose it is, where several are traced.
    """

    name: str
    number: int
    paths: tuple[str, ...]
    words: str
    result: int
    error: str
    injected: bool
    process: int = 0


@dataclass
class Traced:
    """What a child under strace did.

    Attributes:
        calls: in order.
        acknowledged: numbers, in order.
        said: whatever else it told.
        status: exit code, or minus the signal; None if it had to be ended.
    """

    calls: list[Call] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    said: dict[str, Any] = field(default_factory=dict)
    status: int | None = None


def parse(text: str) -> list[Call]:
    """The calls of a trace; those of several processes are counted together."""
    calls, numbers = [], dict.fromkeys((*CALLS, _ACKNOWLEDGE), 0)
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None or match[2] not in numbers:
            continue
        process, name, words, result, rest = match.groups()
        numbers[name] += 1
        descriptor = _FD.match(words)
        if name == "openat":
            paths: tuple[str, ...] = (_QUOTED.findall(words)[0],)
        elif descriptor is not None:
            paths = (descriptor[2],)
        else:
            paths = tuple(_QUOTED.findall(words))
        value = -1 if result == "?" else int(result)
        error = rest.split()[0] if value < 0 and rest.split() else ""
        injected = "INJECTED" in rest
        calls.append(
            Call(name, numbers[name], paths, words, value, error, injected, int(process or 0))
        )
    return calls


def _attached(child: int) -> bool:
    try:
        return "TracerPid:\t0\n" not in Path(f"/proc/{child}/status").read_text()
    except OSError:
        return False


def traced(act: Callable[[Parent], None], log: Path, fault: str | None = None) -> Traced:
    """Run a function in a child under strace.

    Args:
        act: what to do.
        log: where the trace goes; replaced.
        fault: of strace's ``inject=``, such as ``fsync:error=EIO:when=3+``.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(_LIMIT)

    def in_child() -> None:
        ours.close()
        ctypes.CDLL(None).prctl(_SET_PTRACER, _ANY, 0, 0, 0)
        theirs.send(b"ready")
        theirs.recv(1)
        act(Parent(theirs))

    child = fork(in_child)
    theirs.close()
    found = Traced()
    ours.recv(16)
    words = ["strace", "-qq", "-y", "-s", "0", "-e", f"trace={','.join((*CALLS, _ACKNOWLEDGE))}"]
    words += ["-o", str(log), "-p", str(child)]
    tracer = subprocess.Popen(
        words if fault is None else [*words, "-e", f"inject={fault}"],
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + _LIMIT
        while not _attached(child):
            if tracer.poll() is not None or time.monotonic() > deadline:
                raise OSError("strace cannot attach to a child")
            time.sleep(0.001)
        ours.send(b"g")
        while text := ours.recv(1 << 16):
            said = json.loads(text)
            if "acknowledged" in said:
                found.acknowledged.append(said["acknowledged"])
            else:
                found.said |= said
        found.status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except TimeoutError:
        pass
    finally:
        if found.status is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        tracer.wait()
        ours.close()
    found.calls = parse(log.read_text(errors="replace")) if log.exists() else []
    return found


def no_strace() -> str | None:
    """Why nothing can be traced here; None if it can."""
    if shutil.which("strace") is None:
        return "needs strace"
    log = Path(f"/tmp/ludus-strace-{os.getpid()}")
    try:
        found = traced(lambda parent: parent.acknowledge(1), log)
    except OSError as error:
        return f"needs strace that may attach to a process: {error}"
    finally:
        log.unlink(missing_ok=True)
    return None if found.acknowledged and found.calls else "needs strace that can trace"
