"""The launcher `./ludus`: when it installs, what it refuses, what it passes on.

Nothing is installed here: a fake clone gets a fake environment whose "pip" is a small script that
writes down how it was called. That the real thing works from nothing is what `.ci/run` begins with.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

# Stands for .venv/bin/python: notes its arguments, and fails or waits when a file tells it to.
FAKE_PYTHON = """#!/bin/sh
root=$(cd "$(dirname "$0")/../.." && pwd)
echo "$@" >> "$root/calls"
if [ -e "$root/slow" ]; then sleep 1; fi
case "$*" in
  *--editable*) if [ -e "$root/broken" ]; then cat "$root/broken"; exit 1; fi ;;
  *"pip install"*openvino*)
    if [ -e "$root/no-openvino" ]; then cat "$root/no-openvino"; exit 1; fi ;;
esac
"""


@pytest.fixture(scope="module")
def launcher(repository: Path) -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("launcher", str(repository / "ludus"))
    spec = importlib.util.spec_from_loader("launcher", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # no ludusc beside the launcher
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


@pytest.fixture
def clone(tmp_path: Path, repository: Path) -> Path:
    """A clone with a fake environment that has never been set up."""
    root = tmp_path / "clone with a space"
    for folder in ("cpp/base", ".venv/bin", "build"):
        (root / folder).mkdir(parents=True)
    for name in ("ludus", "pyproject.toml", "requirements.lock", "CMakeLists.txt"):
        shutil.copy(repository / name, root / name)
    (root / "cpp/base/a.cpp").write_text("int a;\n")
    python = root / ".venv/bin/python"
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    # An unfinished stamp, so that the environment itself is kept.
    (root / ".venv/ludus-stamp.json").write_text('{"packages": "", "core": ""}')
    return root


def run(root: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(root / "ludus"), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
        timeout=60,
        check=False,
    )


def calls(root: Path) -> list[str]:
    """What the fake interpreter was called with since the last time that somebody asked."""
    path = root / "calls"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


def test_installs_once_then_starts_at_once(clone: Path) -> None:
    done = run(clone, "train", "yatzy", "--set", "a.b=c d")
    assert done.returncode == 0, done.stderr
    packages, openvino, onnx, project, command = calls(clone)
    assert "-c requirements.lock" in packages
    assert "nanobind" in packages
    assert "torch" in packages
    assert "pytest" not in packages
    assert "openvino" not in packages
    assert "-c requirements.lock" in openvino
    assert "openvino>=" in openvino
    assert "onnxruntime>=" in onnx
    assert "openvino>=" not in onnx
    assert "--no-build-isolation --no-deps --editable ." in project
    assert command == "-P -m ludus.cli train yatzy --set a.b=c d"
    assert "ludus: installing packages" in done.stderr
    assert done.stdout == ""

    again = run(clone, "status")
    assert calls(clone) == ["-P -m ludus.cli status"]
    assert again.stderr == ""


def test_a_changed_source_is_compiled_and_nothing_else(clone: Path) -> None:
    run(clone, "x")
    calls(clone)
    (clone / "cpp/base/b.cpp").write_text("int b;\n")
    run(clone, "x")
    project, _ = calls(clone)
    assert "--editable" in project
    (clone / "cpp/base/b.cpp").unlink()
    run(clone, "x")
    assert len(calls(clone)) == 2
    (clone / "requirements.lock").write_text("torch==2.13.0\n")
    run(clone, "x")
    assert len(calls(clone)) == 5  # packages, two extras, project, command


def test_files_that_nothing_is_built_from_do_not_matter(clone: Path) -> None:
    run(clone, "x")
    calls(clone)
    (clone / "cpp/base/.a.cpp.swp").write_text("an editor's")
    (clone / "cpp/base/a.cpp~").write_text("an editor's")
    (clone / "README.md").write_text("words")
    run(clone, "x")
    assert len(calls(clone)) == 1


def test_an_older_date_does_not_hide_a_change_from_ninja(clone: Path) -> None:
    run(clone, "x")
    source = clone / "cpp/base/a.cpp"
    source.write_text("int other;\n")
    os.utime(source, (1_000_000_000, 1_000_000_000))
    run(clone, "x")
    assert time.time() - source.stat().st_mtime < 60


def test_developer_tools_come_with_the_tests_only(clone: Path) -> None:
    run(clone, "x")
    calls(clone)
    run(clone, "test", "--slow", "-k", "dice")
    packages, command = calls(clone)
    assert "pytest" in packages
    cores = f"-n{min(8, os.cpu_count())} --dist=worksteal"
    assert command == f"-P -m pytest -m not browser and not peer and not gpu {cores} -k dice"
    run(clone, "x")  # and they stay
    assert calls(clone) == ["-P -m ludus.cli x"]
    run(clone, "test")
    assert calls(clone) == [f"-P -m pytest {cores}"]
    run(clone, "test", "-n", "0")
    run(clone, "test", __file__ + "::test_a")
    assert calls(clone) == ["-P -m pytest -n 0", f"-P -m pytest {__file__}::test_a"]


def test_an_extra_that_fails_is_remembered_and_no_error(clone: Path) -> None:
    (clone / "no-openvino").write_text("ERROR: No matching distribution found for openvino\n")
    done = run(clone, "x")
    assert done.returncode == 0
    assert calls(clone)[-1] == "-P -m ludus.cli x"
    assert "ludus: openvino could not be installed (a pinned package is not offered" in done.stderr
    assert "  | " not in done.stderr
    remembered = json.loads((clone / ".venv/ludus-extras.json").read_text())
    assert list(remembered["failed"]) == ["openvino"]
    assert "LUDUS_EXTRA_INDEX" in remembered["failed"]["openvino"]
    assert run(clone, "x").stderr == ""
    assert calls(clone) == ["-P -m ludus.cli x"], "what failed must not be tried at every command"


@pytest.mark.parametrize("how", ["lock", "setup", "setup fast", "setup openvino"])
def test_an_extra_that_failed_is_tried_again(clone: Path, how: str) -> None:
    (clone / "no-openvino").write_text("Temporary failure in name resolution\n")
    run(clone, "x")
    (clone / "no-openvino").unlink()
    calls(clone)
    if how == "lock":
        (clone / "requirements.lock").write_text("torch==2.13.0\n")
        run(clone, "x")
    else:
        assert run(clone, *how.split()).returncode == 0
    assert sum("openvino>=" in line for line in calls(clone)) == 1
    assert json.loads((clone / ".venv/ludus-extras.json").read_text()) == {"failed": {}}
    run(clone, "setup", "fast")
    assert calls(clone) == []


def test_setup_of_another_extra_leaves_a_failed_one_alone(clone: Path) -> None:
    (clone / "no-openvino").write_text("ERROR: No matching distribution found\n")
    run(clone, "setup", "openspiel")
    tried = [line for line in calls(clone) if "openvino>=" in line or "open_spiel" in line]
    assert len(tried) == 2
    run(clone, "x")
    run(clone, "test")
    assert not [line for line in calls(clone) if "openvino>=" in line or "open_spiel" in line]


def test_setup_all_installs_everything(clone: Path) -> None:
    run(clone, "setup", "all")
    text = "\n".join(calls(clone))
    for package in (
        "openvino",
        "onnxruntime",
        "open_spiel",
        "pytest",
        "mkdocs",
        "tensorboard",
        "wandb",
        "braintrust",
    ):
        assert package in text


@pytest.mark.parametrize("text", ["", "[]", '{"failed": 3}', '{"failed": ["openvino"]}'])
def test_a_damaged_list_of_failed_extras_is_none(
    launcher: ModuleType, tmp_path: Path, text: str
) -> None:
    (tmp_path / "ludus-extras.json").write_text(text)
    assert launcher.failed_extras(str(tmp_path)) == {}


def test_fast_is_what_the_launcher_installs(launcher: ModuleType, repository: Path) -> None:
    """The extra of pyproject.toml, for those who use pip, and the launcher's own mean the same."""
    with (repository / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    assert set(launcher.EXTRAS) | {"fast"} == set(extras)
    assert set(extras["fast"]) == {x for name in launcher.GROUPS["fast"] for x in extras[name]}


def test_a_failed_compilation_shows_its_end_and_is_tried_again(clone: Path) -> None:
    run(clone, "x")
    calls(clone)
    (clone / "cpp/base/a.cpp").write_text("wrong\n")
    lines = "".join(f"line {i}\n" for i in range(40))
    (clone / "broken").write_text(lines + "ninja: build stopped: subcommand failed.\n")
    done = run(clone, "x")
    assert done.returncode == 1
    assert "ludus: the C++ core did not compile; everything that was printed is in" in done.stderr
    assert "line 39" in done.stderr
    assert "line 5\n" not in done.stderr
    assert "line 5\n" in (clone / "build/setup.log").read_text()
    assert len(calls(clone)) == 1, "the command must not run"
    (clone / "broken").unlink()
    assert run(clone, "x").returncode == 0
    assert len(calls(clone)) == 2, "packages that were whole must not be installed again"


@pytest.mark.parametrize(
    ("printed", "sentence"),
    [
        ("Failed to establish a new connection: Temporary failure in name resolution", "network"),
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("ERROR: No matching distribution found for torch==2.13.0", "LUDUS_EXTRA_INDEX"),
        ("CMake Error at CMakeLists.txt:1", "did not compile"),
        ("something else", "a step of the set-up failed"),
    ],
)
def test_failures_become_one_sentence(launcher: ModuleType, printed: str, sentence: str) -> None:
    assert sentence in launcher.explain(printed)


def test_two_at_once_set_up_once(clone: Path) -> None:
    (clone / "slow").touch()
    start = [sys.executable, str(clone / "ludus"), "x"]
    both = [subprocess.Popen(start, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("--editable" in line for line in calls(clone)) == 1
    assert sum("another ./ludus is setting up" in text for text in errors) == 1


def test_no_compiler_is_one_sentence(clone: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "dirname").symlink_to(shutil.which("dirname") or "")
    done = run(clone, "x", PATH=str(bare), CXX="")
    assert done.returncode == 2
    assert done.stderr.startswith("ludus: no C++ compiler is to be found; install one")
    assert done.stderr.count("\n") == 1
    done = run(clone, "x", CXX="no-such-compiler")
    assert "no-such-compiler, is not to be found" in done.stderr
    assert calls(clone) == []


def test_an_old_python_is_refused(
    launcher: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(launcher.sys, "version_info", (3, 9, 2))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        launcher.SetupError, match=r"Python 3\.11 or newer is needed, this is 3\.9\.2"
    ):
        launcher.main(["train"])


def test_a_newer_python_on_the_path_is_found(
    launcher: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for minor in (9, 11, 12):
        path = tmp_path / f"python3.{minor}"
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert launcher.find_newer_python() == str(tmp_path / "python3.12")


def test_an_unknown_extra_is_refused(clone: Path) -> None:
    done = run(clone, "setup", "toys")
    assert done.returncode == 2
    assert done.stderr == (
        "ludus: setup knows the extras openvino, onnx, dev, docs, openspiel, tensorboard, wandb, "
        "braintrust, fast, all; not toys\n"
    )


def test_an_extra_index_reaches_pip(clone: Path) -> None:
    run(clone, "x", LUDUS_EXTRA_INDEX="https://index.example/cpu")
    assert "--extra-index-url https://index.example/cpu" in calls(clone)[0]


def test_a_moved_clone_is_installed_again(clone: Path, tmp_path: Path) -> None:
    """The editable installation names the folder; the old one may be gone or, worse, be there."""
    run(clone, "x")
    calls(clone)
    moved = tmp_path / "moved"
    clone.rename(moved)
    run(moved, "x")
    assert len(calls(moved)) == 5


@pytest.mark.parametrize("text", ["", "{", "[]", '{"packages": 1}', '{"extras": "dev"}'])
def test_a_damaged_stamp_is_no_stamp(launcher: ModuleType, tmp_path: Path, text: str) -> None:
    path = tmp_path / "stamp.json"
    path.write_text(text)
    wanted = {"packages": "p", "core": "c"}
    assert not launcher.up_to_date(launcher.read_stamp(str(path)), wanted, ())


def test_the_stamp_covers_what_it_should(launcher: ModuleType, clone: Path) -> None:
    python = str(clone / ".venv/bin/python")
    first = launcher.wanted_stamp(str(clone), python)
    assert first == launcher.wanted_stamp(str(clone), python)
    assert json.loads(json.dumps(first)) == first
    (clone / "CMakeLists.txt").write_text("# other")
    second = launcher.wanted_stamp(str(clone), python)
    assert (first["packages"], second["packages"]) == (first["packages"],) * 2
    assert first["core"] != second["core"]
