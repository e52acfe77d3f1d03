"""`ludus export`: an ONNX model that says what the network says."""

import itertools
import json

import numpy as np
import pytest
from tests.training.tiny import train

from ludus.cli.main import main
from ludus.games import get_game
from ludus.players.search import load_network

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "run"
    assert train(path, "evaluation.every=0", "gating.enabled=false", iterations=1).state == "done"
    return path


def test_another_program_gets_the_same_numbers(run, tmp_path, capsys):
    import torch

    target = tmp_path / "player.onnx"
    assert main(["export", str(run), str(target), "--rows", "16"]) == 0
    said = capsys.readouterr().out
    assert str(target) in said
    about = json.loads(target.with_suffix(".json").read_text())
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    rows = np.random.default_rng(5).random(about["input"]["shape"], dtype=np.float32)
    (fused,) = session.run(["fused"], {"observations": rows})
    assert list(fused.shape) == about["output"]["shape"]
    net, _ = load_network(get_game("yatzy").rules, run)
    with torch.no_grad():
        assert np.allclose(fused, net.fused(torch.from_numpy(rows)).numpy(), atol=1e-5)
    spans = sorted(about["columns"].values())
    assert spans[0][0] == 0
    assert all(one[1] == two[0] for one, two in itertools.pairwise(spans))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["there.onnx"], "exists: name another target"),
        (["model.pt"], "must end in .onnx"),
        (["x.onnx", "--model", "77"], "77"),
    ],
)
def test_what_cannot_be_written_is_refused(run, tmp_path, capsys, monkeypatch, words, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.onnx").write_bytes(b"mine")
    assert main(["export", str(run), *words]) == 2
    assert sentence in capsys.readouterr().err
    assert (tmp_path / "there.onnx").read_bytes() == b"mine"
