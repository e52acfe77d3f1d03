"""The recipe of Blob: which checkpoints stay, what they are called, what its status says."""

import json
import re
import time

import pytest
from tests.training.tiny import train

from ludus.runs import Run, list_checkpoints, read_header
from ludus.training.layers import Asked, load_recipe, resolve
from ludus.training.session import now_ms

SETTINGS = (
    "model.hidden_dim=32",
    "model.num_blocks=1",
    "search.budget=3",
    "selfplay.games_per_iteration=32",
    "selfplay.games_growth=4",
    "selfplay.games_most=48",
    "selfplay.slots=64",
    "selfplay.group_size=64",
    "training.steps_per_iteration=2",
    "training.batch_size=32",
    "training.threads=1",
    "training.target_temperature={kind: linear, clock: iteration, start: 1.0, end: 0.8, over: 10}",
    "replay.games_per_shard=16",
    "gating.deals=4",
    "gating.simulations=1",
    "gating.rows=64",
    "evaluation.every=5",
    "evaluation.deals=8",
    "evaluation.worlds=2",
    "evaluation.simulations=1",
    "evaluation.opponents=[first, random]",
    "runtime.unit_seconds=0.02",
    "runtime.backend=torch-f32",
)
NAME = re.compile(r"20\d{6}-blob-v1-\d+\.\dK-iter(\d{3})(-elo(\d{4}))?\.ckpt")


def blob(path, **options):
    return train(path, recipe="blob", settings=SETTINGS, **options)


def folders(path):
    """Iterations of the checkpoints in both folders, from the names of the files."""
    found = {}
    for where in ("permanent", "cache"):
        files = sorted((path / "checkpoints" / where).iterdir())
        named = [NAME.fullmatch(file.name) for file in files]
        assert all(named), files
        assert where == "permanent" or not any(name[3] for name in named), "Elo in the cache"
        found[where] = sorted(int(name[1]) for name in named)
    return found


def check(path, iterations):
    found = folders(path)
    assert found["permanent"] == [*range(5, iterations + 1, 5)]
    others = [unit for unit in range(1, iterations + 1) if unit % 5]
    assert found["cache"] == others[-4:]
    status = json.loads((path / "status.json").read_text())
    assert (status["training_on"], status["search"]) == ("rounds", "8×3")
    figures = status["figures"]
    assert figures["games"] == sum(min(48, 32 + 4 * i) for i in range(iterations))
    tau = 1.0 - 0.02 * min(10, iterations - 1)
    assert figures["target_temperature"] == pytest.approx(tau)
    for name in ("learning_rate", "loss", "loss_policy", "loss_value", "elo"):
        assert isinstance(figures[name], float), name
    rated = [entry for entry in list_checkpoints(path) if entry.elo is not None]
    meta = read_header(path / rated[-1].path).meta
    assert meta["unit"] == rated[-1].unit


def test_folders_names_and_status_after_six_iterations(tmp_path):
    path = tmp_path / "blob"
    assert blob(path, iterations=6).state == "done"
    check(path, 6)
    days = {entry.path.split("/")[-1][:8] for entry in list_checkpoints(path)}
    assert len(days) == 1


@pytest.mark.slow
def test_twenty_iterations_then_thirty(tmp_path):
    path = tmp_path / "blob"
    assert blob(path, iterations=20).state == "done"
    check(path, 20)
    assert folders(path)["permanent"] == [5, 10, 15, 20]
    assert blob(path, iterations=30).state == "done"
    check(path, 30)
    assert folders(path)["permanent"] == [5, 10, 15, 20, 25, 30]


def test_a_pause_comes_soon_and_the_run_goes_on(tmp_path):
    path, asked = tmp_path / "blob", []

    def act(loop, units):
        if units == 12 and not asked:
            asked.append(time.monotonic())
            (path / "control" / "control.signal").write_text("PAUSE\n")

    ending = blob(path, iterations=3, act=act)
    assert ending.state == "paused"
    assert time.monotonic() - asked[0] < 5.0
    assert blob(path, iterations=3).state == "done"
    assert Run.open(path, write=False).manifest.progress["iteration"] == 3


def test_the_long_run_follows_its_curriculum():
    settings = resolve(load_recipe("blob"), Asked(preset="full")).settings
    search, play = settings.search, settings.selfplay

    def at(iteration):
        worlds = round(search.worlds * search.worlds_scale.at(iteration))
        return worlds, round(search.budget * search.budget_scale.at(iteration))

    wanted = [(1, 15), (1, 15), (2, 25), (2, 25), (3, 35), (3, 35), (4, 45), (4, 45), (5, 50)]
    assert [at(i) for i in (0, 49, 50, 149, 150, 299, 300, 449, 450)] == wanted
    assert [play.games_in(i) for i in (0, 1, 499, 500, 900)] == [2000, 2016, 9984, 10000, 10000]
    assert settings.run.total_iterations == 500
    assert settings.training.target_temperature.at(0) == 1.0
    assert settings.replay.capacity_samples == 500_000


def test_the_start_date_stays_in_the_names_of_a_resumed_run(tmp_path, monkeypatch):
    path = tmp_path / "blob"
    assert blob(path, iterations=1).state == "done"
    tomorrow = time.time() + 86400 * 3
    monkeypatch.setattr("ludus.training.session.time.time_ns", lambda: int(tomorrow * 1e9))
    assert now_ms() > tomorrow * 1000 - 1
    assert blob(path, iterations=2).state == "done"
    assert len({entry.path.split("/")[-1][:8] for entry in list_checkpoints(path)}) == 1
