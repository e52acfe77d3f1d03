"""The engine of the alerts by itself: what must hold of any rules, figures and clocks."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludus.training.alerts.engine import QUIET_SECONDS, AlertEngine, holds
from ludus.training.alerts.settings import AlertRule


def rule(name="one", metric="games_per_second", condition="above", limit=10.0, **more):
    return AlertRule(name=name, metric=metric, condition=condition, limit=limit, **more)


def kinds(changes):
    return [(change.kind, change.rule.name) for change in changes]


def test_a_rule_raises_once_and_clears_once():
    engine = AlertEngine([rule()])
    assert engine.look({"games_per_second": 10.0}, 0) == []
    assert kinds(engine.look({"games_per_second": 10.1}, 1)) == [("raised", "one")]
    assert engine.look({"games_per_second": 11.0}, 500) == []
    assert engine.active["one"][1] == 11.0
    (cleared,) = engine.look({"games_per_second": 10.0}, 501)
    assert (cleared.kind, cleared.value) == ("cleared", 10.0)
    assert engine.active == {}


def test_a_condition_must_hold_for_its_time():
    engine = AlertEngine([rule(for_seconds=30)])
    for now in (0, 29):
        assert engine.look({"games_per_second": 99}, now) == []
    assert engine.look({"games_per_second": 1}, 29.5) == []  # begins anew
    for now in (30, 59.9):
        assert engine.look({"games_per_second": 99}, now) == []
    assert kinds(engine.look({"games_per_second": 99}, 60)) == [("raised", "one")]


def test_what_wanders_around_its_limit_raises_once_a_minute():
    engine = AlertEngine([rule()])
    raised = [
        now
        for now in range(600)
        for change in engine.look({"games_per_second": 20 if now % 2 else 1}, now)
        if change.kind == "raised"
    ]
    assert raised[0] == 1
    assert all(b - a >= QUIET_SECONDS for a, b in itertools.pairwise(raised))
    assert len(raised) == 10


def test_what_lasts_beyond_the_quiet_time_is_told_again():
    engine = AlertEngine([rule()])
    assert kinds(engine.look({"games_per_second": 20}, 0)) == [("raised", "one")]
    assert kinds(engine.look({"games_per_second": 1}, 1)) == [("cleared", "one")]
    assert engine.look({"games_per_second": 20}, 2) == []
    assert kinds(engine.look({"games_per_second": 20}, 60)) == [("raised", "one")]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("condition", ["above", "below"])
def test_a_loss_that_is_no_number_raises(value, condition):
    spike = rule(metric="loss_ratio", condition=condition)
    assert kinds(AlertEngine([spike]).look({"loss_ratio": value}, 0)) == [("raised", "one")]


def test_other_figures_that_are_no_number_are_unknown():
    assert holds(rule(), math.nan) is None
    assert holds(rule(), None) is None
    assert holds(rule(), math.inf) is True


def test_unknown_figures_change_nothing():
    engine = AlertEngine([rule()])
    engine.look({"games_per_second": 20}, 0)
    for figures in ({}, {"games_per_second": None}, {"games_per_second": math.nan}):
        assert engine.look(figures, 100) == []
        assert list(engine.active) == ["one"]


def test_rules_that_change_are_cleared_and_keep_quiet():
    engine = AlertEngine([rule(), rule("two"), rule("three")])
    engine.look({"games_per_second": 20}, 0)
    changes = engine.replace([rule(), rule("two", limit=15.0)])
    assert sorted(kinds(changes)) == [("cleared", "three"), ("cleared", "two")]
    assert list(engine.active) == ["one"]
    assert engine.look({"games_per_second": 20}, 30) == []
    assert kinds(engine.look({"games_per_second": 20}, 61)) == [("raised", "two")]


def test_alerts_of_an_earlier_process_are_not_raised_again():
    engine = AlertEngine([rule()])
    engine.restore(["one", "gone"], 5.0)
    assert list(engine.active) == ["one"]
    assert engine.look({"games_per_second": 20}, 6) == []
    assert kinds(engine.look({"games_per_second": 1}, 7)) == [("cleared", "one")]


rules = st.lists(
    st.builds(
        AlertRule,
        name=st.sampled_from(["a", "b", "c", "d"]),
        metric=st.sampled_from(["loss", "games_per_second"]),
        condition=st.sampled_from(["above", "below"]),
        limit=st.floats(-10, 10),
        for_seconds=st.sampled_from([0.0, 5.0, 100.0]),
    ),
    unique_by=lambda one: one.name,
    max_size=4,
)
values = st.one_of(st.none(), st.floats(-20, 20), st.sampled_from([math.nan, math.inf]))
looks = st.lists(st.tuples(values, values, st.floats(-30, 120)), max_size=60)


@given(rules, looks)
def test_for_any_figures_and_clock(given_rules, given_looks):
    engine = AlertEngine(given_rules)
    active, raised_at, clock, newest = set(), {}, 0.0, 0.0
    for loss, speed, step in given_looks:
        clock += step  # goes back too
        newest = max(newest, clock)
        figures = {"loss": loss, "games_per_second": speed}
        changes = engine.look(figures, clock)
        assert len({change.rule.name for change in changes}) == len(changes)
        for change in changes:
            name, true = change.rule.name, holds(change.rule, figures[change.rule.metric])
            if change.kind == "raised":
                assert true is True
                assert name not in active
                assert newest - raised_at.get(name, -math.inf) >= QUIET_SECONDS
                active.add(name)
                raised_at[name] = newest
            else:
                assert true is False
                assert name in active
                active.remove(name)
        assert set(engine.active) == active
        for one in given_rules:
            if holds(one, figures[one.metric]) is False:
                assert one.name not in active


@given(rules, st.lists(st.tuples(values, values), max_size=20))
def test_the_same_figures_and_clock_give_the_same_alerts(given_rules, given_looks):
    def run():
        engine = AlertEngine(given_rules)
        return [
            [
                (c.kind, c.rule.name)
                for c in engine.look({"loss": a, "games_per_second": b}, 7.0 * n)
            ]
            for n, (a, b) in enumerate(given_looks)
        ]

    assert run() == run()
