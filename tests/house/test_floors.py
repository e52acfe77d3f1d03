"""The floors of the house hold, and the checks that watch them can fail."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
from tools import check_includes

LIMIT = 400
PYTHON_PLACES = ("src/ludus", "tools", "benchmarks", "examples")
UNSAFE = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "torch.load",
    "torch.save",
    "yaml.load",
    "yaml.unsafe_load",
    "os.system",
    "os.popen",
}


def python_files(root: Path) -> list[Path]:
    files = [root / "ludus"]
    for place in PYTHON_PLACES:
        files += sorted((root / place).rglob("*.py")) if (root / place).is_dir() else []
    return files


def forbidden(tree: ast.AST) -> list[str]:
    """What must not stand in Ludus: code that runs what a file says, swallowed exceptions."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [f"import {a.name}" for a in node.names if a.name.split(".")[0] in UNSAFE]
        elif isinstance(node, ast.ImportFrom):
            if (node.module or "").split(".")[0] in UNSAFE:
                found.append(f"from {node.module} import")
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in FORBIDDEN_CALLS:
                found.append(f"{name}()")
            for keyword in node.keywords:
                given = keyword.value
                true = isinstance(given, ast.Constant) and given.value is True
                if keyword.arg in ("shell", "allow_pickle") and true:
                    found.append(f"{keyword.arg}=True")
        elif isinstance(node, ast.ExceptHandler):
            broad = node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
            if broad and all(isinstance(line, ast.Pass | ast.Continue) for line in node.body):
                found.append("a swallowed exception")
    return found


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "torch.load(path)",
        "eval(text)",
        "yaml.load(text)",
        "subprocess.run(line, shell=True)",
        "numpy.load(path, allow_pickle=True)",
        "try:\n    step()\nexcept Exception:\n    pass",
        "try:\n    step()\nexcept:\n    pass",
    ],
)
def test_the_search_for_forbidden_calls_finds(source: str) -> None:
    assert forbidden(ast.parse(source))


def test_nothing_forbidden_is_called(repository: Path) -> None:
    found = {}
    for path in python_files(repository):
        where = path.relative_to(repository).as_posix()
        if things := forbidden(ast.parse(path.read_text("utf-8"))):
            found[where] = things
    assert not found


def test_files_have_one_subject(repository: Path) -> None:
    files = list((repository / "src/ludus").rglob("*.py"))
    files += [p for p in (repository / "cpp").rglob("*") if p.suffix in (".h", ".cpp")]
    assert len(files) > 40
    long = {
        path.relative_to(repository).as_posix(): lines
        for path in files
        if (lines := len(path.read_text("utf-8").splitlines())) > LIMIT
    }
    assert not long, f"files over {LIMIT} lines: {long}"


def test_the_core_keeps_its_floors(repository: Path) -> None:
    assert check_includes.violations(repository / "cpp") == []


@pytest.mark.parametrize(
    ("room", "line", "reason"),
    [
        ("base", '#include "games/game.h"', "base may not use games"),
        ("games", '#include "search/tree.h"', "games may not use search"),
        ("search", '  #  include "oracles/table.h"', "search may not use oracles"),
        ("oracles", '#include "patterns/table.h"', "oracles may not use patterns"),
        ("play", '#include "bindings/arrays.h"', "play may not use bindings"),
        ("play", "#include <nanobind/nanobind.h>", "must not know Python"),
        ("base", "#include <Python.h>", "must not know Python"),
        ("games", '#include "../base/errors.h"', "relative path"),
        ("games", '#include "game.h"', "room/file.h"),
        ("cellar", "#include <vector>", "cellar is not a room"),
    ],
)
def test_the_include_check_catches(tmp_path: Path, room: str, line: str, reason: str) -> None:
    folder = tmp_path / "cpp" / room
    folder.mkdir(parents=True)
    (folder / "wrong.cpp").write_text(f"// a file\n{line}\n")
    (found,) = check_includes.violations(tmp_path / "cpp")
    assert reason in found
    assert check_includes.main([str(tmp_path / "cpp")]) == 1


def test_the_include_check_allows_what_is_right(tmp_path: Path) -> None:
    for room, line in (
        ("play", '#include "search/tree.h"'),
        ("play", '#include "play/slots.h"'),
        ("bindings", "#include <nanobind/ndarray.h>"),
        ("search", "#include <vector>"),
        ("base", '// #include "games/game.h"'),
    ):
        folder = tmp_path / "cpp" / room
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "right.cpp").open("a") as file:
            file.write(line + "\n")
    assert check_includes.violations(tmp_path / "cpp") == []


def test_the_import_contract_names_every_room(repository: Path) -> None:
    with (repository / "pyproject.toml").open("rb") as file:
        (contract,) = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    named = {room for layer in contract["layers"] for room in re.findall(r"\w+", layer)}
    package = repository / "src" / "ludus"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    rooms |= {path.stem for path in package.glob("*.py") if path.stem != "__init__"}
    assert rooms, "no rooms found"
    assert not rooms - named, f"rooms without a floor: {sorted(rooms - named)}"


def test_every_room_of_the_core_is_compiled(repository: Path) -> None:
    """A new room that CMakeLists.txt does not name would silently not be built."""
    text = (repository / "CMakeLists.txt").read_text("utf-8")
    match = re.search(r"foreach\(_room ([a-z ]+)\)", text)
    assert match
    named = {*match[1].split(), "bindings"}
    assert {path.name for path in (repository / "cpp").iterdir() if path.is_dir()} <= named
    assert named == set(check_includes.LEVEL)


def test_versions_agree(repository: Path) -> None:
    import ludus
    import ludus._core

    with (repository / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    assert ludus.__version__ == version == ludus._core.__version__
    assert f"## {version}" in (repository / "CHANGELOG.md").read_text("utf-8")


def test_the_lock_pins_everything(repository: Path) -> None:
    """Names and versions only: no addresses, no digests, and no dependency left to chance."""
    lock = {}
    for line in (repository / "requirements.lock").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            assert re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9A-Za-z.]*", line), line
            name, version = line.split("==")
            lock[normal(name)] = version
    assert lock["torch"] == "2.13.0"
    with (repository / "pyproject.toml").open("rb") as file:
        pyproject = tomllib.load(file)
    project = pyproject["project"]
    asked = [*project["dependencies"], *pyproject["build-system"]["requires"]]
    asked += [line for lines in project["optional-dependencies"].values() for line in lines]
    missing = {normal(re.match(r"[A-Za-z0-9_-]+", line)[0]) for line in asked} - set(lock)
    assert not missing


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
