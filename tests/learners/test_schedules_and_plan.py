"""Schedules against values worked out by hand, and the rule of steps before epochs."""

import math

import pytest

from ludus.errors import ConfigError
from ludus.learners import plan_steps
from ludus.schedules import Schedule


def test_values_by_hand():
    constant = Schedule(kind="constant", start=0.3)
    assert [constant.at(p, 10) for p in (0, 5, 99)] == [0.3, 0.3, 0.3]
    linear = Schedule(kind="linear", start=1.0, end=0.1)
    assert [linear.at(p, 50) for p in (0, 25, 50, 80)] == pytest.approx([1.0, 0.55, 0.1, 0.1])
    exponential = Schedule(kind="exponential", start=1.0, end=0.01)
    assert [exponential.at(p, 10) for p in (0, 5, 10)] == pytest.approx([1.0, 0.1, 0.01])
    cosine = Schedule(kind="cosine", start=2.0, end=0.0)
    assert [cosine.at(p, 4) for p in range(5)] == pytest.approx(
        [2.0, 1 + math.sqrt(0.5), 1.0, 1 - math.sqrt(0.5), 0.0]
    )
    steps = Schedule(kind="step", start=1.0, milestones=(3, 6), factor=0.5)
    assert [steps.at(p, 9) for p in (2, 3, 5, 6)] == [1.0, 0.5, 0.5, 0.25]


def test_warm_up_climbs_to_the_peak_and_never_starts_at_nothing():
    schedule = Schedule(kind="cosine", start=1.0, end=0.0, warmup=4)
    assert [schedule.at(p, 10) for p in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert schedule.at(10, 10) == pytest.approx(0.0)
    assert Schedule(kind="linear", start=1.0, end=0.5, warmup=9).at(9, 5) == 0.5


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"kind": "wave"}, "'wave' is unknown; known are constant"),
        ({"kind": "exponential", "end": 0.0}, "must stay above 0"),
        ({"warmup": -1}, "warmup = -1"),
        ({"milestones": (5, 3)}, "must ascend"),
        ({"start": math.nan}, "finite"),
    ],
)
def test_impossible_schedules_are_refused(settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        Schedule(**settings)


def test_steps_come_before_steps_per_iteration_before_epochs():
    everything = {
        "batch_size": 100,
        "steps": 7,
        "steps_per_iteration": 50,
        "epochs": 2,
        "snapshot_samples": 1001,
    }
    plan = plan_steps(**everything)
    assert (plan.steps_target, plan.rule) == (7, "steps")
    plan = plan_steps(**{**everything, "steps": None})
    assert (plan.steps_target, plan.rule) == (50, "steps_per_iteration")
    plan = plan_steps(**{**everything, "steps": None, "steps_per_iteration": None})
    assert (plan.steps_target, plan.rule) == (22, "epochs")
    assert plan.event() == {
        "event": "train_plan",
        "steps_target": 22,
        "rule": "epochs",
        "inputs": {
            "steps": None,
            "steps_per_iteration": None,
            "epochs": 2,
            "total_samples": 1001,
            "batch_size": 100,
        },
    }


def test_epochs_need_a_snapshot():
    with pytest.raises(ConfigError, match="needs a replay snapshot"):
        plan_steps(batch_size=10, epochs=1)
    with pytest.raises(ConfigError, match=r"training\.steps_per_iteration or training\.epochs"):
        plan_steps(batch_size=10)
    with pytest.raises(ConfigError, match="steps = 0"):
        plan_steps(batch_size=10, steps=0)
