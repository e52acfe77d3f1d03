"""A run's backend is chosen once, kept, and missed with a sentence."""

import dataclasses

import pytest
from tests.training.tiny import digests, train

from ludus import _core
from ludus.errors import ConfigError, RunError
from ludus.evaluators import BACKENDS, best_of, calibration_report
from ludus.runs import Run
from ludus.training import network_session
from ludus.training.birth import apply_changes
from ludus.training.derived import make_network
from ludus.training.request import current_settings

GAME = _core.game("yatzy")


def test_auto_is_resolved_once_and_recorded(tmp_path, monkeypatch):
    path = tmp_path / "run"
    assert train(path, "runtime.backend=auto", minutes=0.0) is not None
    run = Run.open(path, write=False)
    settings = current_settings(run)
    chosen = settings.runtime.backend
    assert chosen in BACKENDS
    report = calibration_report(make_network(GAME, settings), GAME, 64)
    assert report[0].cached  # what the run measured
    assert chosen == best_of(report)
    environment = run.config["environment"]
    assert environment["backend"] == chosen
    assert environment["backend_versions"] == BACKENDS[chosen].versions()

    def measure(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr(network_session, "choose_backend", measure)
    assert train(path, "runtime.backend=auto", minutes=0.0) is not None


@pytest.mark.parametrize("backend", ["openvino-f32", "onnxruntime-f32"])
def test_lanes_and_cuts_do_not_change_results_on_any_backend(tmp_path, backend):
    if BACKENDS[backend].unavailable() is not None:
        pytest.skip(f"{backend}: {BACKENDS[backend].unavailable()}")
    setting = f"runtime.backend={backend}"
    one, two = tmp_path / "one", tmp_path / "two"
    assert train(one, setting, "runtime.lanes=1", iterations=1) is not None
    train(two, setting, "runtime.lanes=2", crash_at=6, commit_always=True, iterations=1)
    assert train(two, setting, "runtime.lanes=2", iterations=1) is not None
    assert digests(one) == digests(two)


def test_another_backend_is_refused_for_a_run(tmp_path):
    path = tmp_path / "run"
    assert train(path, minutes=0.0) is not None
    with pytest.raises(ConfigError, match=r"runtime.backend \(torch-f32 in the run, torch-bf16"):
        train(path, "runtime.backend=torch-bf16", minutes=0.0)


def test_a_run_whose_backend_is_missing_here_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "run"
    assert train(path, "runtime.backend=torch-bf16", minutes=0.0) is not None
    monkeypatch.setitem(
        BACKENDS,
        "torch-bf16",
        dataclasses.replace(BACKENDS["torch-bf16"], packages=("no_such_package",)),
    )
    with pytest.raises(
        RunError,
        match=r"run plays with backend torch-bf16, which is unavailable here: no_such_package is "
        r"not installed; install it with pip install 'ludus\[fast\]'$",
    ):
        train(path, minutes=0.0)
    with pytest.raises(ConfigError, match="torch-bf16 is unavailable: no_such_package"):
        train(tmp_path / "other", "runtime.backend=torch-bf16", minutes=0.0)
    assert not (tmp_path / "other").exists()


def test_a_tower_for_a_game_without_a_board_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="needs observations of shape"):
        train(tmp_path / "run", "model.kind=residual_tower", minutes=0.0)
    assert not (tmp_path / "run").exists()


def test_a_transformer_for_a_game_without_tokens_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="needs a game that says how its observations are cut"):
        train(tmp_path / "run", "model.kind=token_transformer", minutes=0.0)
    assert not (tmp_path / "run").exists()


def test_a_transformers_settings_reach_the_network():
    from ludus import _core
    from ludus.games.blob_tokens import LAYOUT
    from ludus.training.settings import Settings

    changes = {
        "model.kind": "token_transformer",
        "model.hidden_dim": 96,
        "model.token_dim": 24,
        "model.num_heads": 3,
        "model.num_blocks": 1,
    }
    net = make_network(_core.game("blob:players=5"), apply_changes(Settings(), changes))
    assert net.spec.as_json() == {
        "kind": "token_transformer",
        "hidden": 96,
        "width": 24,
        "heads": 3,
        "blocks": 1,
        "margin": True,
        "tokens": LAYOUT.as_json(),
    }
    game = _core.game("blob")
    changed = apply_changes(Settings(), {**changes, "model.tokens": ["seats"]})
    assert make_network(game, changed).spec.as_json()["tokens"] == LAYOUT.as_json()[1:]
    changed = apply_changes(Settings(), {**changes, "model.tokens": ["dice"]})
    with pytest.raises(ConfigError, match="no tokens 'dice'; there are cards, seats"):
        make_network(game, changed)


def test_the_models_settings_reach_the_network():
    from tests.nets.boards import BOARD

    from ludus.training.settings import Settings

    changes = {
        "model.kind": "residual_tower",
        "model.channels": 24,
        "model.head_channels": 5,
        "model.num_blocks": 3,
    }
    net = make_network(BOARD, apply_changes(Settings(), changes))
    assert net.spec.as_json() == {
        "kind": "residual_tower",
        "channels": 24,
        "head_channels": 5,
        "blocks": 3,
        "margin": True,
    }
