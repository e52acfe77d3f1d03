"""The command as people meet it: help, refusals, exit codes, and the commands about runs."""

import json
import re
import subprocess
import sys

import pytest
from safetensors import numpy as safetensors_numpy
from tests.training.tiny import command, environment, train

from ludus.cli import main as cli
from ludus.runs import Run, list_checkpoints


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A run of one iteration with a checkpoint."""
    path = tmp_path_factory.mktemp("cli") / "runs" / "yatzy"
    assert train(path, "gating.enabled=false", "evaluation.every=0", iterations=1) is not None
    return path


def ludus(capsys, *arguments):
    """Exit code, stdout, stderr."""
    code = cli.main(list(map(str, arguments)))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from ludus.cli.main import main; main(['--help']); "
        "print([m for m in ('torch', 'pydantic', 'scipy', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    )
    assert done.stdout.endswith("[]\n")
    for name in ("train", "status", "pause", "resume", "stop", "match", "play", "oracle", "doctor"):
        assert f"\n  {name} " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["statu"], "status"),
        (["train"], "recipe"),
        (["train", "yatsy"], "did you mean yatzy"),
        (["train", "yatzy", "--bogus"], "--bogus"),
        (["train", "yatzy", "--iterations", "x"], "--iterations"),
        (["train", "yatzy", "--set", "search.c_pukt=1"], "did you mean search.c_puct"),
        (["train", "yatzy", "--quick", "--preset", "default"], "--quick"),
        (["train", "yatzy", "--run", "/dev/null"], "/dev/null"),
        (["status", "--run", "/nowhere"], "/nowhere"),
        (["pause", "/nowhere"], "/nowhere"),
        (["checkpoint", "verify", "/nowhere"], "/nowhere"),
        (["checkpoint", "show", __file__], "LUDS"),
        (["replay", "list", "/nowhere"], "/nowhere"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_2(capsys, monkeypatch, tmp_path, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, out, err = ludus(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("ludus: ")
    assert err.count("\n") == 1
    assert words in err
    assert not list(tmp_path.iterdir())


def test_errors_of_the_program_are_exit_1_with_a_sentence(capsys, monkeypatch):
    monkeypatch.setattr(cli, "build", lambda: lambda **_: 1 / 0)
    code, _, err = ludus(capsys, "status")
    assert code == 1
    assert err.rstrip().endswith("ludus: internal error: division by zero")


def test_status_and_runs(capsys, played):
    code, out, _ = ludus(capsys, "status", "--run", played)
    assert code == 0
    assert "done" in out
    assert "72 games" in out
    document = json.loads(ludus(capsys, "status", played, "--json")[1])
    assert document["state"] == "done"
    assert document["iterations"][0]["promoted"] is True
    listed = json.loads(ludus(capsys, "runs", played.parent, "--json")[1])
    assert [one["recipe"] for one in listed] == ["yatzy"]
    assert str(played) in ludus(capsys, "runs", played.parent)[1]


def test_the_newest_run_is_meant_when_none_is_named(capsys, monkeypatch, played):
    monkeypatch.chdir(played.parent.parent)
    assert "runs/yatzy: done" in ludus(capsys, "status")[1]
    assert "runs/yatzy: done" in ludus(capsys, "status", "yatzy")[1]


def test_commands_to_a_run_that_nobody_trains(capsys, played):
    for name in ("pause", "stop", "save"):
        code, _, err = ludus(capsys, name, "--run", played)
        assert code == 2
        assert "nobody trains" in err


def test_a_run_in_use_is_named(capsys, played):
    with Run.open(played, write=True):
        code, _, err = ludus(capsys, "train", "yatzy", "--run", played)
    assert code == 2
    assert "in use by process" in err


def test_a_limit_that_is_reached_is_said(capsys, played):
    code, _, err = ludus(capsys, "train", "yatzy", "--run", played, "--iterations", "1")
    assert code == 0
    assert "nothing to do" in err


def test_checkpoints(capsys, played, tmp_path):
    file = played / list_checkpoints(played)[0].path
    listed = json.loads(ludus(capsys, "checkpoint", "list", "--run", played, "--json")[1])
    assert listed[0]["path"].endswith(file.name)
    assert "iteration" in ludus(capsys, "checkpoint", "list", "--run", played)[1]
    assert "recipe" in ludus(capsys, "checkpoint", "show", file)[1]
    assert json.loads(ludus(capsys, "checkpoint", "show", file, "--json")[1])["meta"]["unit"] == 1
    assert ludus(capsys, "checkpoint", "verify", file)[0] == 0
    target = tmp_path / "out.safetensors"
    assert ludus(capsys, "checkpoint", "extract", file, target)[0] == 0
    assert "champion/input.weight" in safetensors_numpy.load_file(target)
    assert ludus(capsys, "checkpoint", "extract", file, target)[0] == 2
    damaged = tmp_path / "damaged.ckpt"
    data = bytearray(file.read_bytes())
    data[-5] ^= 1
    damaged.write_bytes(data)
    code, _, err = ludus(capsys, "checkpoint", "verify", damaged, file)
    assert code == 2
    assert "damaged.ckpt" in err


def test_replay(capsys, played, tmp_path):
    listed = json.loads(ludus(capsys, "replay", "list", "--run", played, "--json")[1])
    assert [shard["games"] for shard in listed["shards"]] == [12] * 6
    game = json.loads(ludus(capsys, "replay", "show", "71", "--run", played, "--json")[1])
    assert game["plies"][0]["seat"] == 0
    assert len(game["scores"]) == 2
    assert "scores:" in ludus(capsys, "replay", "show", "3", "--run", played)[1]
    assert ludus(capsys, "replay", "show", "72", "--run", played)[0] == 2
    target = tmp_path / "rows.safetensors"
    code, _, _ = ludus(capsys, "replay", "export", target, "--run", played, "--games", "5")
    assert code == 0
    rows = safetensors_numpy.load_file(target)
    assert len(set(rows["game"].tolist())) == 5
    assert rows["policy"].shape == rows["legal_mask"].shape == (len(rows["ply"]), 47)
    assert rows["policy"].sum(1) == pytest.approx(1.0, abs=1e-4)
    assert (rows["policy"][rows["legal_mask"] == 0] == 0).all()


def test_all_settings_can_be_printed(capsys):
    code, out, _ = ludus(capsys, "train", "yatzy", "--settings", "--quick")
    assert code == 0
    assert "search.budget" in out


def test_doctor(capsys):
    code, out, _ = ludus(capsys, "doctor", "--json")
    report = json.loads(out)
    assert code == (1 if report["problems"] else 0)
    assert report["core"]["simulations_per_second"] > 0
    assert report["disk"]["flock"] is True
    assert report["threads"]["machine_figure"] > 0
    assert 0.2 < report["threads"]["two_threads_over_one"] < 4


def test_doctor_tells_of_every_backend(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("LUDUS_CACHE", str(tmp_path))
    _, out, _ = ludus(capsys, "doctor", "--json")
    backends = json.loads(out)["backends"]
    names = [row["backend"] for row in backends["rows"]]
    assert "torch-f32" in names
    assert backends["chosen"] in names
    assert all(row["usable"] or row["note"] for row in backends["rows"])
    _, out, _ = ludus(capsys, "doctor")
    for name in names:
        assert re.search(rf"^  {name} ", out, re.M)


def test_doctor_tells_of_extras_that_failed(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    failed = {"failed": {"openvino": "the disk is full"}}
    (tmp_path / "ludus-extras.json").write_text(json.dumps(failed))
    _, out, _ = ludus(capsys, "doctor")
    assert "NOTE extra openvino could not be installed: the disk is full; ./ludus setup" in out
    (tmp_path / "ludus-extras.json").write_text("{")
    code, out, _ = ludus(capsys, "doctor")
    assert code == 1
    assert "PROBLEM extras: " in out


def test_the_command_runs_as_a_module():
    done = subprocess.run(command("--version"), capture_output=True, text=True, check=True)
    assert done.stdout.startswith("ludus ")


def test_a_core_that_cannot_be_loaded_is_one_sentence(monkeypatch, capsys):
    def broken():
        raise ImportError("/x/ludus/_core.cpython-311.so: file too short")

    monkeypatch.setattr(cli, "build", broken)
    assert cli.main(["games"]) == 1
    assert capsys.readouterr().err == (
        "ludus: the compiled core of Ludus cannot be loaded: /x/ludus/_core.cpython-311.so: file "
        "too short; ./ludus setup builds it again\n"
    )
