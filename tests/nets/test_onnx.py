"""Networks as ONNX models: checked by onnx, computed by its own reference implementation."""

import builtins

import numpy as np
import pytest
import torch
from tests.nets.boards import BOARD
from tests.nets.test_tower import lively
from tests.nets.test_transformer import lively as lively_transformer

from ludus import _core, nets
from ludus.errors import ConfigError

GAME = _core.game("yatzy")


def test_without_the_package_there_is_a_sentence(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.split(".")[0] == "onnx":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"onnx is not installed.*pip install 'ludus\[fast\]'"):
        nets.build(GAME, hidden=32, blocks=0).to_onnx(64)


@pytest.mark.parametrize("kind", ["residual_mlp", "residual_tower", "token_transformer"])
def test_the_model_computes_the_network(kind):
    onnx = pytest.importorskip("onnx")
    reference = pytest.importorskip("onnx.reference")
    if kind == "residual_mlp":
        net = nets.build(GAME, hidden=64, blocks=2, seed=1)
    elif kind == "residual_tower":
        net = lively()
    else:
        net = lively_transformer()
    data = net.to_onnx(3)
    assert data == net.to_onnx(3)
    model = onnx.load_from_string(data)
    onnx.checker.check_model(model, full_check=True)
    assert [v.name for v in model.graph.input] == ["observations"]
    assert [v.name for v in model.graph.output] == ["fused"]
    observations = np.random.default_rng(0).normal(size=(3, net.num_inputs)).astype(np.float32)
    (found,) = reference.ReferenceEvaluator(model).run(None, {"observations": observations})
    with torch.inference_mode():
        wanted = net.fused(torch.from_numpy(observations)).numpy()
    assert found.shape == (3, net.columns)
    assert np.abs(found - wanted).max() < 1e-4
    assert np.abs(wanted).max() > 0.1


def test_a_batch_without_rows_is_refused():
    with pytest.raises(ConfigError, match="rows = 0"):
        nets.build(BOARD, kind="residual_tower", blocks=0).to_onnx(0)
