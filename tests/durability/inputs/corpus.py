"""Hostile files: what somebody might put where Ludus expects one of its own.

Each is made at a path by a function; its name repeats it. Those that would run code leave a mark
in the file that the variable ``LUDUS_CANARY`` names.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import socket
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import zstandard
from tests.durability.inputs.forging import container, safetensors_bytes

CANARY = "LUDUS_CANARY"
Make = Callable[[Path], None]

_COMMAND = f"import os; open(os.environ['{CANARY}'], 'a').write('x')"


class _Reduced:
    """Pickles as a call."""

    def __init__(self, function: str, module: str, argument: object) -> None:
        self.function, self.module, self.argument = function, module, argument

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return getattr(__import__(self.module), self.function), (self.argument,)


def _calls() -> dict[str, bytes]:
    """Pickles that call something, by name."""
    touch = f'echo x >> "${CANARY}"'
    found = {}
    for name, call in {
        "system": _Reduced("system", "os", touch),
        "exec": _Reduced("exec", "builtins", _COMMAND),
        "eval": _Reduced("eval", "builtins", f"exec({_COMMAND!r})"),
        "popen": _Reduced("Popen", "subprocess", ["/bin/sh", "-c", touch]),
        "import": _Reduced("import_module", "importlib", "antigravity"),
    }.items():
        for protocol in (0, 2, 4):
            found[f"pickle-{name}-{protocol}"] = pickle.dumps(call, protocol)
    return found


def _npy(descr: str, shape: str, body: bytes = b"", order: str = "False") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    header += b" " * (-(10 + len(header) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body


def _zip(names: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as file:
        for name, data in names.items():
            file.writestr(name, data)
    return out.getvalue()


def _archives(calls: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """torch files, npz, npy and bombs."""
    call = calls["pickle-system-2"]
    zeros = bytes(8 << 20)
    yield "torch", _zip({"archive/data.pkl": call, "archive/version": b"3\n"}, zipfile.ZIP_STORED)
    legacy = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + call
    yield "torch-legacy", legacy
    yield "npy-object", _npy("'|O'", "(1,)", call)
    yield "npz-object", _zip({"a.npy": _npy("'|O'", "(1,)", call)})
    yield "npy-code", _npy(f"__import__('os').system('echo x >> ${CANARY}')", "(1,)")
    yield "npy-huge", _npy("'<f8'", f"({2**62},)")
    yield "npy-overflow", _npy("'<f8'", f"({2**32}, {2**32}, 2)")
    yield "npz-bomb", _zip({"a.npy": _npy("'<f8'", "(1048576,)", zeros)})
    yield "zip-bomb", _zip({"a": _zip({"b": zeros}), "c": zeros})
    yield "zip-slip", _zip({"../../escaped": b"x", "/tmp/escaped": b"x"})
    yield "gzip-bomb", gzip.compress(zeros)
    yield "zstd-bomb", zstandard.ZstdCompressor(level=1).compress(zeros * 8)
    yield "elf", b"\x7fELF\x02\x01\x01" + bytes(60)
    yield "script", f"#!/bin/sh\necho x >> ${CANARY}\n".encode()
    yield "python", (_COMMAND + "\n").encode()


def _json() -> Iterator[tuple[str, bytes]]:
    for name, text in {
        "double": '{"command": "stop", "command": "save", "state": "done", "state": "x"}',
        "double-deep": '{"a": {"b": 1, "b": 2}}',
        "deep-list": "[" * 100_000,
        "deep-object": '{"a":' * 100_000,
        "deep-closed": '{"a":' * 60_000 + "1" + "}" * 60_000,
        "nan": '{"state": NaN, "args": {}}',
        "infinity": '{"state": -Infinity}',
        "digits": '{"state": ' + "9" * 100_000 + "}",
        "exponent": '{"state": 1e999999}',
        "list": "[1, 2, 3]",
        "number": "17",
        "text": '"PAUSE"',
        "null": "null",
        "open": '{"state": "trai',
        "trailing": '{"state": "done"} {}',
        "comment": '{"state": /* */ 1}',
        "surrogate": '{"state": "\\ud800", "\\udfff": 1}',
        "traversal": '{"command": "set", "args": {"key": "../../x", "value": "/etc/passwd"}}',
        "proto": '{"__proto__": {"a": 1}, "__class__": "x", "constructor": 1}',
        "huge-text": '{"state": "' + "x" * (3 << 20) + '"}',
        "many-keys": "{" + ",".join(f'"{n}":{n}' for n in range(50_000)) + "}",
        "ladder": '{"schema": "ludus_ladder_v1", "players": {"a": 1}, "pairings": 7, "seed": []}',
        "seeds": '{"schema": "ludus_seeds_v1", "seeds": ["-1", "1" , "fffffffffffffffffff"]}',
    }.items():
        yield f"json-{name}", text.encode("utf-8", "surrogatepass")
    yield "json-utf16", '{"state": "done"}'.encode("utf-16")
    yield "json-bom", b"\xef\xbb\xbf" + b'{"state": "done"}'
    yield "json-invalid", b'{"state": "\xff\xfe"}'
    yield "json-nul", b'{"state": "a\x00b"}\x00\x00'


def _yaml() -> Iterator[tuple[str, bytes]]:
    run = f'["echo x >> ${CANARY}"]'
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    maps = "a0: &a0 {x: 1, y: 2}\n" + "".join(
        f"a{n}: &a{n} {{{', '.join(f'k{k}: *a{n - 1}' for k in range(9))}}}\n" for n in range(1, 12)
    )
    for name, text in {
        "apply": f"search: !!python/object/apply:os.system {run}\n",
        "new": f"search: !!python/object/new:os.system {run}\n",
        "name": "search: !!python/name:os.system\n",
        "module": "search: !!python/module:antigravity\n",
        "object": "!!python/object:subprocess.Popen {args: [true]}\n",
        "tuple": "search: !!python/tuple [1, 2]\n",
        "tag": "search: !foreign {a: 1}\n",
        "laughs": laughs,
        "laughs-maps": maps,
        "laughs-section": maps + "search: *a11\ntraining: *a11\n",
        "laughs-list": laughs + "search: *a11\n",
        "laughs-value": laughs + "search: {budget: *a11}\nalerts: {rules: *a11}\n",
        "self": "search: &a [*a]\n",
        "self-map": "search: &a {budget: *a}\n",
        "merge": "a: &a {x: 1}\nsearch: {<<: [*a, *a], <<: *a}\n",
        "date": "search: 2026-13-45\n",
        "sexagesimal": "search: {budget: 99:59:59:59:59:59:59:59}\n",
        "integer": "search: {budget: " + "9" * 30_000 + "}\n",
        "hexadecimal": "search: {budget: 0x" + "f" * 30_000 + "}\n",
        "nan": "search: {budget: .nan}\ntraining: {batch_size: -.inf}\n",
        "deep": "search: " + "[" * 20_000 + "\n",
        "deep-map": "search: " + "{a: " * 5_000 + "\n",
        "binary": "search: !!binary aGVsbG8=\n",
        "double": "search: {budget: 1}\nsearch: {budget: 2}\n",
        "key": "? [1, 2]\n: 3\n? {a: b}\n: 4\n",
        "tab": "search:\n\tbudget: 1\n",
        "traversal": "run: {path: ../../../etc/passwd}\n",
        "control": "search: \x07\x1b[2J\n",
        "documents": "a: 1\n---\nb: 2\n",
        "long-key": "k" * 100_000 + ": 1\n",
        "game": "game: /tmp/evil.py:Game\nrecipe: ../../evil\n",
    }.items():
        yield f"yaml-{name}", text.encode()


def _tensors() -> Iterator[tuple[str, bytes]]:
    for name, size in {"max": 2**64 - 1, "sign": 2**63, "beyond": 1 << 30, "zero": 0}.items():
        yield f"safetensors-header-{name}", struct.pack("<Q", size) + b"{}" + bytes(64)

    def one(body: int = 16, **fields: object) -> bytes:
        about = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16], **fields}
        return safetensors_bytes({"w": about}, bytes(body))

    for name, data in {
        "overlap": safetensors_bytes(
            {
                "a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]},
                "b": {"dtype": "F32", "shape": [4], "data_offsets": [8, 24]},
            },
            bytes(24),
        ),
        "hole": one(32, data_offsets=[16, 32]),
        "reversed": one(data_offsets=[16, 0]),
        "outside": one(data_offsets=[0, 2**40]),
        "offset-max": one(data_offsets=[2**64 - 16, 2**64 - 1]),
        "offset-wrap": one(data_offsets=[2**64 - 1, 15]),
        "negative": one(data_offsets=[-16, 0]),
        "float": one(data_offsets=[0.0, 16.0]),
        "shape-max": one(shape=[2**64 - 1]),
        "shape-64": one(shape=[2**64]),
        "shape-wrap": one(shape=[2**32, 2**32, 4]),
        "shape-wrap-small": one(shape=[2**62 + 1, 4]),
        "shape-zero": one(0, shape=[2**40, 0], data_offsets=[0, 0]),
        "shape-negative": one(shape=[-4]),
        "shape-deep": one(4, shape=[1] * 10_000, data_offsets=[0, 4]),
        "dtype": one(dtype="OBJECT"),
        "dtype-f8": one(4, dtype="F8_E4M3", data_offsets=[0, 4]),
        "dtype-bf16": one(8, dtype="BF16", data_offsets=[0, 8]),
        "trailing": one(64),
        "short": one(4),
        "metadata-null": safetensors_bytes({"__metadata__": None}, b""),
        "metadata-list": safetensors_bytes({"__metadata__": []}, b""),
        "metadata-number": safetensors_bytes({"__metadata__": {"ludus": 1}}, b""),
        "metadata-text": safetensors_bytes({"__metadata__": {"ludus": "{"}}, b""),
        "metadata-nan": safetensors_bytes({"__metadata__": {"ludus": '{"a": NaN}'}}, b""),
        "metadata-deep": safetensors_bytes({"__metadata__": {"ludus": '{"a":' * 9999}}, b""),
        "name": safetensors_bytes(
            {"../../x\0y": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, bytes(16)
        ),
        "many": safetensors_bytes(
            {
                f"t{n}": {"dtype": "U8", "shape": [1], "data_offsets": [n, n + 1]}
                for n in range(5000)
            },
            bytes(5000),
        ),
    }.items():
        yield f"safetensors-{name}", data
    pair = b'"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}'
    for name, text in {
        "double": b"{" + pair + b", " + pair + b"}",
        "double-field": b'{"w": {"dtype": "F32", "dtype": "U8", "shape": [4], '
        b'"data_offsets": [0, 16]}}',
        "deep": b'{"w": ' * 20_000,
        "nan": b'{"w": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 16]}}',
        "list": b"[]",
        "utf8": b'{"\xff": 1}',
    }.items():
        yield f"safetensors-text-{name}", struct.pack("<Q", len(text)) + text + bytes(16)


def _containers() -> Iterator[tuple[str, bytes]]:
    """Checkpoints whose checksums are right, so that what is behind them is reached."""
    plain = safetensors_bytes({"w": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}, b"abcd")
    zeros = zstandard.ZstdCompressor(level=1).compress(bytes(80 << 20))
    about = {"meta": {}, "tensors": {"w": {"dtype": "U8", "shape": [4]}}}
    for name, data in {
        "version-0": container(about, plain, version=0),
        "version-2": container(about, plain, version=2),
        "version-max": container(about, plain, version=65535),
        "flags": container(about, plain, flags=0x8000),
        "header-size": container(about, plain, header_size=2**32 - 64),
        "offset": container(about, plain, offset=2**64 - 64),
        "stored": container(about, plain, stored=2**64 - 1),
        "plain": container(about, plain, plain=2**63),
        "bomb": container(about, zeros, flags=1, plain=1 << 20),
        "bomb-told": container(about, zeros, flags=1, plain=80 << 20),
        "bomb-ratio": container(about, zeros, flags=1, plain=2**62),
        "garbage": container(about, bytes(64), flags=1, plain=100),
        "other-arrays": container({**about, "tensors": {}}, plain),
        "no-meta": container({"tensors": about["tensors"]}, plain),
        "meta-list": container({**about, "meta": []}, plain),
        "no-tensors": container(about, b""),
        "reserved": container(about, plain, reserved=b"x" * 12),
        "pickle": container(about, pickle.dumps([1])),
    }.items():
        yield f"container-{name}", data
    head = json.dumps(about)[:-1].encode() + b', "meta": {"a": 1}}'
    yield "container-double", container(head, plain)
    yield "container-nan", container(b'{"meta": {"a": NaN}, "tensors": {}}', plain)
    yield "container-deep", container(b'{"meta": ' * 30_000, plain)


def _texts() -> Iterator[tuple[str, bytes]]:
    game = b"(;GM[Othello]PC[x]PB[a]PW[b]RE[0]BO[8 -]B[d3]"
    for name, data in {
        "empty": b"",
        "newline": b"\n",
        "zero": b"\0",
        "zeros": bytes(4096),
        "ones": b"\xff" * 4096,
        "latin": bytes(range(256)) * 16,
        "spaces": b" " * 200_000,
        "newlines": b"\n" * 200_000,
        "brackets": b"(" * 100_000,
        "games": b"(;" * 50_000,
        "games-closed": b"(;;)" * 10_000,  # each is a game without a move, and read
        "ggf-open": game,
        "ggf-properties": game + b"AA[x]" * 30_000 + b";)",
        "ggf-spaces": game + b" " * 100_000 + b";)",
        "ggf-numbers": b"(;GM[Othello]B[d3/" + b"9" * 100_000 + b"];)",
        "wthor-games": struct.pack("<4BIHH4B", 20, 26, 1, 1, 2**32 - 1, 0, 2004, 8, 0, 0, 0),
        "wthor-names": struct.pack("<4BIHH4B", 20, 26, 1, 1, 1, 65535, 2004, 8, 0, 0, 0)
        + b"\xff" * 68,
        "moves": b"d3" * 50_000,
        "moves-bad": b"d3c5f6f5e6e3" * 3 + b"\n" + b"z9" * 100,
        "long-line": b"x" * 1_000_000,
        "html": b"<script>alert(1)</script>\n",
        "ansi": b"\x1b]0;x\x07\x1b[2J\x1b[31m\n",
        "format": b"%s%n%x {0.__class__} ${jndi:ldap://x} ../../../etc/passwd\n",
        "signal": b"PAUSE\nSTOP\nSET ../x=1\nSET a=" + b"y" * 10_000 + b"\n",
        "commands": b"SAVE\n" * 12_000,
        "bidi": "\u202e\u2066x\u0000\ufeff\U0010ffff\n".encode(),
    }.items():
        yield f"text-{name}", data


def _special() -> dict[str, Make]:
    """What is no regular file, or larger than it looks."""

    def link(to: str) -> Make:
        return lambda path: path.symlink_to(to)

    def sparse(size: int) -> Make:
        def make(path: Path) -> None:
            with path.open("wb") as file:
                file.truncate(size)

        return make

    def directory(path: Path) -> None:
        path.mkdir()
        (path / "inside").write_text("x")

    def unix(path: Path) -> None:
        where = os.getcwd()
        os.chdir(path.parent)  # names of sockets are short
        try:
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(path.name)
        finally:
            os.chdir(where)

    found: dict[str, Make] = {
        "link-passwd": link("/etc/passwd"),
        "link-zero": link("/dev/zero"),
        "link-random": link("/dev/urandom"),
        "link-null": link("/dev/null"),
        "link-self": lambda path: path.symlink_to(path.name),
        "link-nowhere": link("/nonexistent/x"),
        "link-folder": link("/etc"),
        "link-proc": link("/proc/self/mem"),
        "fifo": lambda path: os.mkfifo(path),
        "directory": directory,
        "socket": unix,
        "sparse-1g": sparse(1 << 30),
        "sparse-1t": sparse(1 << 40),
    }
    if os.geteuid() == 0:
        found["device-zero"] = lambda path: os.mknod(path, 0o020666, os.makedev(1, 5))
        found["device-null"] = lambda path: os.mknod(path, 0o020666, os.makedev(1, 3))
    return found


def corpus() -> dict[str, Make]:
    """All of it, by name."""

    def writer(data: bytes) -> Make:
        return lambda path: path.write_bytes(data) and None

    calls = _calls()
    contents = dict(calls)
    for part in (_archives(calls), _json(), _yaml(), _tensors(), _containers(), _texts()):
        contents.update(part)
    return {**{name: writer(data) for name, data in contents.items()}, **_special()}
