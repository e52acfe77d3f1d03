"""A new run that begins with the champion of another."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.training.tiny import SETTINGS, train

from ludus.errors import ConfigError, RunError
from ludus.runs import Run, list_checkpoints, read_checkpoint, write_checkpoint
from ludus.training.birth import open_session
from ludus.training.request import TrainRequest


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A run of an iteration whose champion was promoted, with a checkpoint of it."""
    path = tmp_path_factory.mktemp("source") / "run"
    train(path, "gating.enabled=false", "evaluation.every=0", iterations=1)
    return path


@pytest.fixture
def copy(source, tmp_path):
    return shutil.copytree(source, tmp_path / "source", symlinks=True)


def checkpoint_of(path: Path) -> Path:
    return path / list_checkpoints(path)[-1].path


def request(path: Path, init_from: Path | None, *more: str, **options) -> TrainRequest:
    settings = () if (path / "manifests").is_dir() else SETTINGS
    return TrainRequest.make(
        "yatzy",
        run=path,
        assignments=[*settings, *more],
        environment={},
        init_from=init_from,
        **options,
    )


def weights(path: Path, name: str = "champion") -> dict[str, np.ndarray]:
    run = Run.open(path, write=False)
    return run.get_object(run.manifest.objects[name])[0]


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize("kind", ["run", "checkpoint"])
def test_the_first_weights_are_those_of_the_source(source, tmp_path, kind):
    given = source if kind == "run" else checkpoint_of(source)
    session = open_session(request(tmp_path / "new", given), lambda text: None)
    try:
        first = {name: array.copy() for name, array in session.champion.weights.items()}
        learner = session.learner.state()
    finally:
        session.run.close()
    assert same(first, weights(source))
    for prefix in ("weights/", "average/"):  # learning goes on from them
        mine = {k.removeprefix(prefix): v for k, v in learner.items() if k.startswith(prefix)}
        assert same(mine, first)
    recorded = Run.open(tmp_path / "new", write=False).config["init_from"]
    assert recorded["kind"] == kind
    assert recorded["run_id"] == Run.open(source, write=False).id


def test_digests_of_a_trained_run(source, tmp_path):
    """The file of the first champion has the bytes of the source's weights."""
    train(tmp_path / "new", init_from=source, iterations=0)
    arrays, _ = read_checkpoint(checkpoint_of(source))
    champion = {k.removeprefix("champion/"): v for k, v in arrays.items() if "champion/" in k}
    assert same(weights(tmp_path / "new"), champion)


def test_without_it_they_follow_from_the_seed(source, tmp_path):
    session = open_session(request(tmp_path / "new", None), lambda text: None)
    first = dict(session.champion.weights)
    session.run.close()
    assert not same(first, weights(source))
    assert "init_from" not in Run.open(tmp_path / "new", write=False).config


def refused(path: Path, given: Path, words: str, *more: str) -> None:
    with pytest.raises(RunError) as caught:
        open_session(request(path, given, *more), lambda text: None)
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert not path.exists(), "nothing half written"


def test_a_file_that_is_missing_or_something_else(tmp_path):
    refused(tmp_path / "new", tmp_path / "gone.ckpt", "is neither a checkpoint nor a run")
    refused(tmp_path / "new", tmp_path, "is neither a checkpoint nor a run")
    text = tmp_path / "text.ckpt"
    text.write_text("no checkpoint")
    refused(tmp_path / "new", text, "text.ckpt")


@pytest.mark.parametrize("where", ["head", "payload", "end"])
def test_a_damaged_checkpoint(copy, tmp_path, where):
    file = checkpoint_of(copy)
    data = bytearray(file.read_bytes())
    if where == "end":
        data = data[:-100]
    else:
        data[20 if where == "head" else -100] ^= 0xFF
    file.write_bytes(bytes(data))
    refused(tmp_path / "new", file, file.name)


def test_a_damaged_champion_of_a_run(copy, tmp_path):
    file = copy / Run.open(copy, write=False).manifest.objects["champion"].path
    data = bytearray(file.read_bytes())
    data[-1] ^= 0xFF
    file.write_bytes(bytes(data))
    refused(tmp_path / "new", copy, file.name)


def test_another_game(source, tmp_path):
    game = "examples/tictactoe.py:TicTacToe"
    with pytest.raises(RunError, match="has ruleset_id swedish_scandinavian_v1, but"):
        TrainRequest.make(
            game=game, run=tmp_path / "new", environment={}, init_from=source, preset="quick"
        )
    with pytest.raises(RunError, match="has ruleset_id swedish_scandinavian_v1, but"):
        TrainRequest.make(
            game=game, run=tmp_path / "new", environment={}, init_from=checkpoint_of(source)
        )
    assert not (tmp_path / "new").exists()


def test_another_shape(source, tmp_path):
    refused(tmp_path / "new", source, "give the new run the same model.*", "model.hidden_dim=64")


def test_without_a_champion(tmp_path):
    session = open_session(request(tmp_path / "born", None), lambda text: None)
    session.run.close()  # killed before its first commit
    with pytest.raises(RunError, match="born has no champion yet: nothing can start from it"):
        request(tmp_path / "new", tmp_path / "born")
    file = tmp_path / "foreign.ckpt"
    write_checkpoint(file, {"weights": np.zeros(3, np.float32)}, {})
    with pytest.raises(RunError, match=r"foreign\.ckpt holds no champion"):
        request(tmp_path / "new", file)
    assert not (tmp_path / "new").exists()


def test_a_run_that_has_begun_needs_its_source_no_more(copy, tmp_path):
    new = tmp_path / "new"
    train(new, init_from=copy, iterations=0)
    shutil.rmtree(copy)
    again = request(new, copy, iterations=1)  # the same command
    assert not again.create
    assert train(new, iterations=1).state == "done"


def test_it_is_refused_for_a_run_that_began_otherwise(source, tmp_path):
    with pytest.raises(ConfigError, match="began from its seed, not from"):
        request(source, checkpoint_of(source))
    new = tmp_path / "new"
    train(new, init_from=source, iterations=0)
    with pytest.raises(ConfigError, match=f"began from {source}, not from"):
        request(new, checkpoint_of(source))


def test_a_source_that_has_changed_since_it_was_asked(copy, tmp_path):
    asked = request(tmp_path / "new", copy)
    train(copy, iterations=2)
    with pytest.raises(RunError, match="has another champion by now: start again"):
        open_session(asked, lambda text: None)
    assert not (tmp_path / "new").exists()
