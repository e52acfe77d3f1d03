"""Settings of learning do what they say, through the loop, and survive interruptions."""

import json

import numpy as np
import pytest
from tests.training.tiny import Crash, digests, request, train

from ludus.errors import ConfigError
from ludus.runs import Run
from ludus.training.birth import open_session
from ludus.training.layers import Asked, load_recipe, resolve
from ludus.training.selfplay import SelfplayPhase

LEARNING = (
    "training.learning_rate.kind=exponential",
    "training.learning_rate.start=0.01",
    "training.learning_rate.end=0.0001",
    "training.learning_rate.over=2",
    "training.value_mix.kind=linear",
    "training.value_mix.end=0.5",
    "training.value_mix.over=2",
    "replay.window_start_games=60",
    "replay.window_exponent=0.5",
    "replay.window_slope=0.5",
    "runtime.metrics_every_steps=3",
    "evaluation.every=0",
)


def settings(*assignments):
    return resolve(load_recipe("yatzy"), Asked(assignments=assignments)).settings


def metrics(path, event):
    lines = (path / "logs" / "metrics.ndjson").read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["event"] == event]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("learning") / "run"
    assert train(path, *LEARNING, iterations=3) is not None
    return path


def test_rate_mix_and_window_follow_the_iterations(trained):
    plans = metrics(trained, "train_plan")
    assert [plan["learning_rate"] for plan in plans] == pytest.approx([0.01, 0.001, 0.0001])
    assert [plan["value_mix"] for plan in plans] == pytest.approx([0.0, 0.25, 0.5])
    # 60 * (1 + 0.5 * (sqrt(played / 60) - 1) / 0.5) = sqrt(60 * played), of all that are kept
    wanted = [min(8 * 12, int((60 * 72 * n) ** 0.5)) for n in (1, 2, 3)]
    assert [plan["window_games"] for plan in plans] == wanted
    samples = [(plan["window_samples"], plan["snapshot"]["total_samples"]) for plan in plans]
    assert samples[0][0] < samples[0][1] and samples[2][0] == samples[2][1]
    entries = Run.open(trained, write=False).iterations
    assert [entry["train"]["window_games"] for entry in entries] == wanted


def test_losses_are_logged_every_few_steps_and_at_the_end(trained):
    steps = metrics(trained, "train_step")
    assert [record["step"] for record in steps] == [3, 6, 8, 9, 12, 15, 16, 18, 21, 24]
    assert all(48 < record["policy_rows"] <= 64 for record in steps)
    last = [record["lr"] for record in steps if record["iteration_step"] == 8]
    assert last == sorted(last, reverse=True) and last[0] > 5 * last[1] > 25 * last[2]


def test_a_value_mix_changes_what_is_learned(trained, tmp_path):
    path = tmp_path / "run"
    assert train(path, *LEARNING, "training.value_mix=1.0", iterations=1) is not None
    candidates = [
        Run.open(run, write=False).iterations[0]["train"]["candidate"] for run in (trained, path)
    ]
    one, other = ((run / name).read_bytes() for run, name in zip((trained, path), candidates))  # noqa: B905
    assert one != other


def test_interruptions_in_the_middle_of_an_iteration_change_nothing(trained, tmp_path):
    path = tmp_path / "run"
    cuts = [(0, 1), (0, 4), (1, 2), (1, 2), (1, 7), (2, 3)]  # iteration, steps at least

    def act(loop, units):
        session = loop._session
        if session.phase == "train" and cuts:
            session.run.cadence.seconds, session.run.cadence.share = 0.0, 1.0
            iteration, steps = cuts[0]
            if session.iteration == iteration and session.learner.iteration_step >= steps:
                cuts.pop(0)
                raise Crash

    kept = []
    for _ in range(7):
        # A unit is a step or two, and each is committed but the last before the cut.
        ending = train(path, *LEARNING, "runtime.unit_seconds=0.001", act=act, iterations=3)
        if ending is None:
            saved = Run.open(path, write=False).manifest.progress["saved"]
            kept.append(saved is not None)
    assert ending is not None and ending.state == "done"
    assert not cuts and sum(kept) >= 3, "cut in the middle, with steps committed before"
    assert digests(path) == digests(trained)


def test_a_network_without_a_margin_head_goes_through_a_whole_iteration(tmp_path):
    path = tmp_path / "run"
    off = ("model.margin_head=false", "training.aux_margin_lambda=0", "search.margin_weight=0")
    ending = train(path, *off, "evaluation.every=1", iterations=1)
    assert ending is not None and ending.state == "done"
    run = Run.open(path, write=False)
    assert run.iterations[0]["train"]["loss_margin"] == 0.0
    assert run.iterations[0]["promoted"] in (True, False)
    assert run.get_object(run.manifest.objects["champion"])[1]["network"]["margin"] is False


def test_no_average_makes_the_weights_themselves_the_candidate(tmp_path):
    path = tmp_path / "run"
    assert train(path, "training.ema_decay=0", "evaluation.every=0", iterations=1) is not None
    run = Run.open(path, write=False)
    candidate, _ = run.get_object(run.manifest.objects["candidate"])
    learner, _ = run.get_object(run.manifest.objects["learner"])
    for name, array in candidate.items():
        assert np.array_equal(array, learner[f"weights/{name}"])


# ---- playout cap


def search_of(path, *more):
    session = open_session(request(path, *more), lambda text: None)
    with session.run:
        phase = SelfplayPhase.__new__(SelfplayPhase)
        phase._session = session
        return phase._search()


def test_the_playout_cap_reaches_the_slots_only_when_it_is_on(tmp_path):
    assert "full_fraction" not in search_of(tmp_path / "off")
    cap = ("search.full_fraction=0.25", "search.budget=64", "search.budget_by_kind={mark: 64}")
    on = search_of(tmp_path / "on", *cap, "search.fast_budget=12")
    assert (on["full_fraction"], on["fast_simulations"]) == (0.25, [12, 12])
    half = ("search.budget_scale=0.5", "search.fast_budget=12")
    scaled = search_of(tmp_path / "half", *cap, *half)
    assert (scaled["simulations"], scaled["fast_simulations"]) == ([32, 32], [6, 6])


def test_capped_decisions_teach_no_policy(trained, tmp_path):
    path = tmp_path / "run"
    cap = ("search.full_fraction=0.25", "search.fast_budget=1")
    assert train(path, *LEARNING, *cap, iterations=1) is not None
    capped, all_of = (
        np.mean([record["policy_rows"] for record in metrics(run, "train_step")[:3]])
        for run in (path, trained)
    )
    assert 0.15 < capped / all_of < 0.35


# ---- what is refused


@pytest.mark.parametrize(
    ("assignments", "sentence"),
    [
        (["training.learning_rate=0"], "learning_rate.start = 0.0 must lie between 1e-12 and 10"),
        (["training.learning_rate.kind=linear"], "learning_rate.end = 0.0 must lie between"),
        (["training.learning_rate.clock=ply"], "learning_rate.clock must be iteration or game"),
        (["training.value_mix=1.5"], "value_mix.start = 1.5 must lie between 0 and 1"),
        (["training.value_mix.kind=linear", "training.value_mix.end=2"], "value_mix.end = 2.0"),
        (["search.full_fraction=0"], "search.full_fraction = 0 .*above 0, at most 1"),
        (["search.full_fraction=0.5", "search.fast_budget=32"], "fast_budget = 32 must be below"),
        (["search.fast_budget=0"], "search.fast_budget = 0 .*at least 1"),
        (["replay.window_start_games=0"], "replay.window_start_games = 0 .*at least 1"),
        (["replay.window_exponent=1.5"], "replay.window_exponent = 1.5 .*at most 1"),
        (["replay.window_slope=0"], "replay.window_slope = 0 .*above 0"),
    ],
)
def test_settings_out_of_range_are_refused(assignments, sentence):
    with pytest.raises(ConfigError, match=sentence):
        settings(*assignments)


def test_a_schedule_without_a_start_begins_at_the_value_below_it():
    falling = settings("training.learning_rate.kind=linear", "training.learning_rate.end=0.001")
    assert falling.training.learning_rate.start == 0.002, "the recipe's"
    mixed = settings("training.value_mix.kind=linear", "training.value_mix.end=0.5")
    assert mixed.training.value_mix.start == 0.0, "the default's, not that of any schedule"


def test_off_is_the_default():
    plain = settings()
    assert plain.search.full_fraction == 1.0
    assert plain.replay.window_start_games is None
    assert plain.training.value_mix.at(100) == 0.0
