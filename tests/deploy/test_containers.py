"""The container files, as far as they can be tried without a container engine."""

import fnmatch
import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "containers"


def instructions() -> list[tuple[str, str]]:
    """The Containerfile as pairs of an instruction and its arguments."""
    text = re.sub(r"(?m)^\s*#.*\n", "", (FOLDER / "Containerfile").read_text())
    joined = re.sub(r"\\\n\s*", " ", text)
    return [
        (line.split(maxsplit=1)[0], line.split(maxsplit=1)[1])
        for line in joined.splitlines()
        if line.strip()
    ]


def stages() -> dict[str, list[tuple[str, str]]]:
    """Instructions by the name of their stage; those before the first one under ''."""
    found: dict[str, list[tuple[str, str]]] = {"": []}
    name = ""
    for key, value in instructions():
        if key == "FROM":
            name = re.fullmatch(r"\S+ AS (\w+)", value)[1]  # type: ignore[index]
            found[name] = []
        found[name].append((key, value))
    return found


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path out of the context."""
    result = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        keep, pattern = line.startswith("!"), line.removeprefix("!")
        parts = path.split("/")
        above = ["/".join(parts[: i + 1]) for i in range(len(parts))]
        plain = pattern.removeprefix("**/")
        names = parts if pattern.startswith("**/") else above
        if any(fnmatch.fnmatch(name, plain) for name in names):
            result = not keep
    return result


def copied() -> list[str]:
    """What the stages copy from the context."""
    found = []
    for key, value in instructions():
        if key == "COPY" and not value.startswith("--from"):
            found += shlex.split(value)[:-1]
    return found


def test_every_source_exists_and_reaches_the_context() -> None:
    assert set(copied()) >= {"src", "cpp", "CMakeLists.txt", "requirements.lock"}
    for source in copied():
        assert (ROOT / source).exists(), source
        assert not ignored(source), source
    assert not ignored("src/ludus/cli/main.py")
    assert ignored("src/ludus/_core.cpython-311-x86_64-linux-gnu.so")
    assert ignored(".git/config")
    assert ignored("runs/yatzy/run.json")


def test_stages_and_their_promises() -> None:
    found = stages()
    assert list(found) == ["", "build", "trainer", "monitor"]
    trainer = dict(found["trainer"])
    assert trainer["USER"] == "10001:10001"
    assert trainer["STOPSIGNAL"] == "SIGTERM"
    assert json.loads(trainer["VOLUME"]) == ["/runs"]
    assert "ludus-healthcheck" in trainer["HEALTHCHECK"]
    assert found["monitor"][0] == ("FROM", "trainer AS monitor")
    # What is not there yet is not faked.
    assert "serve" not in (FOLDER / "Containerfile").read_text()


def test_commands_of_images_exist() -> None:
    from ludus.cli.main import COMMAND_MODULES, build

    assert COMMAND_MODULES
    app = build()
    known = {c.name or getattr(c.callback, "__name__", "") for c in app.registered_commands}
    known |= {group.name for group in app.registered_groups}
    for stage in ("trainer", "monitor"):
        arguments = json.loads(dict(stages()[stage])["CMD"])
        assert arguments[0] in known
    services = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    assert services["trainer"]["command"][0] in known


def test_compose_builds_what_the_containerfile_has() -> None:
    document = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    for name, service in document["services"].items():
        assert (FOLDER / service["build"]["context"]).resolve() == ROOT
        assert (ROOT / service["build"]["dockerfile"]).is_file()
        assert service["build"]["target"] == name
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        for volume in service["volumes"]:
            assert volume.split(":")[0] in document["volumes"]
            assert volume.split(":")[1] == "/runs"


def test_dependencies_are_those_of_the_project() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    printed = subprocess.run(
        [sys.executable, str(FOLDER / "dependencies"), "openvino", "onnx"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert set(project["dependencies"]) < set(printed)
    assert any(line.startswith("openvino") for line in printed)


@pytest.mark.parametrize(
    ("state", "age", "well"),
    [
        ("training", 1, True),
        ("training", 500, False),
        ("paused", 5000, True),
        ("done", 5000, True),
        ("error", 1, False),
    ],
)
def test_the_health_check(tmp_path: Path, state: str, age: float, well: bool) -> None:
    run = tmp_path / "yatzy"
    run.mkdir()
    said = {"state": state, "ts_ms": (time.time() - age) * 1000, "error": "no space"}
    (run / "status.json").write_text(json.dumps(said))
    check = [sys.executable, str(FOLDER / "healthcheck")]
    for arguments in ([str(run)], ["--root", str(tmp_path)]):
        done = subprocess.run([*check, *arguments], capture_output=True, text=True)
        assert done.returncode == (0 if well else 1), done.stdout
        assert state in done.stdout
        assert done.stderr == ""


def test_the_health_check_without_a_run(tmp_path: Path) -> None:
    check = [sys.executable, str(FOLDER / "healthcheck"), "--root", str(tmp_path)]
    (tmp_path / "torn").mkdir()
    assert subprocess.run(check, capture_output=True).returncode == 1
    (tmp_path / "torn" / "status.json").write_text('{"state": ')
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 1
    assert "cannot be read" in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("scikit_build_core", "nanobind", "pip")),
    reason="the tools that build the core are not installed here",
)
def test_what_the_image_copies_is_enough_to_build_and_run(tmp_path: Path) -> None:
    """The steps of the stage `build` in a folder, with the packages of this environment."""
    source, target = tmp_path / "src", tmp_path / "installed"
    source.mkdir()
    for key, value in stages()["build"]:
        if key != "COPY":
            continue
        *names, into = shlex.split(value)
        for name in names:
            here = ROOT / name
            if here.is_dir():
                skip = shutil.ignore_patterns("__pycache__", "*.so")
                shutil.copytree(here, source / into, ignore=skip)
            else:
                shutil.copy2(here, source)
    assert any("--no-build-isolation --no-deps ." in v for k, v in stages()["build"] if k == "RUN")
    install = ["install", "--no-build-isolation", "--no-deps", "--target", str(target), "."]
    subprocess.run(
        [sys.executable, "-m", "pip", *install], cwd=source, check=True, capture_output=True
    )
    done = subprocess.run(
        [sys.executable, "-P", "-m", "ludus.cli", "games"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(target), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "yatzy" in done.stdout
    assert "ludus/_core" in "".join(str(path) for path in target.rglob("_core*.so"))
