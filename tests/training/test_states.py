"""One machine behind command line, control files, signals, limits and guards."""

import itertools
import shutil
import tempfile
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.training.stepping import Stepper, fresh_run, play_nothing, progress
from tests.training.tiny import request

from ludus.runs import list_checkpoints, lock_holder, read_ndjson, read_status, send_command
from ludus.training.birth import open_session
from ludus.training.states import (
    EXIT_CODES,
    HELD,
    TRAINING,
    TRANSITIONS,
    Standing,
    State,
    Word,
    after,
    left_by,
    refusal,
)

KILLS = (
    "unit",
    "before_commit",
    "after_commit",
    "before_clearing",
    "after_clearing",
    "before_checkpoint",
    "after_checkpoint",
)


def test_the_table_is_a_function_and_speaks_of_what_there_is():
    seen = set()
    for one in TRANSITIONS:
        assert one.word in get_args(Word)
        for state in one.before:
            assert state in get_args(State)
            key = (one.word, state, one.alive)
            assert key not in seen
            seen.add(key)
    words = {one.word for one in TRANSITIONS} | {"iteration_end"}
    assert words == set(get_args(Word))


def test_standings_that_cannot_be_are_never_reached():
    reached, new = {Standing()}, [Standing()]
    while new:
        standing = new.pop()
        for word in get_args(Word):
            then = after(standing, word)
            if then is not None and then not in reached:
                reached.add(then)
                new.append(then)
    assert {one.state for one in reached if not one.alive} == {"idle", "paused", "done", "error"}
    assert {one.state for one in reached if one.alive} == {"training", "paused"}
    assert not any(one.pausing for one in reached if not one.alive)


@pytest.mark.parametrize(
    ("before", "word", "then"),
    [
        (TRAINING, "pause", Standing("paused")),
        (HELD, "pause", Standing("paused")),
        (HELD, "resume", TRAINING),
        (HELD, "release", TRAINING),
        (TRAINING, "hold", HELD),
        (TRAINING, "limit", Standing("done")),
        (Standing("done"), "start", TRAINING),
        (Standing("paused"), "resume", TRAINING),
        (Standing("paused"), "pause", None),
        (Standing("idle"), "stop", None),
        (TRAINING, "start", None),
        (TRAINING, "crash", TRAINING),
    ],
)
def test_what_words_do(before, word, then):
    assert after(before, word) == then


def test_codes_and_refusals():
    codes = {word: EXIT_CODES[left_by(word)] for word in ("pause", "stop", "limit", "fail")}
    assert codes == {"pause": 3, "stop": 0, "limit": 0, "fail": 1}
    with pytest.raises(ValueError, match="does not end"):
        left_by("save")
    assert refusal("pause", False, "runs/x") == (
        "nobody trains runs/x now, so there is nothing to pause"
    )
    assert refusal("resume", False, "runs/x") is None
    assert "already" in refusal("start", True, "runs/x")


# -- random sequences against real runs --------------------------------------------------------


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A run just made."""
    path = tmp_path_factory.mktemp("states") / "run"
    session = open_session(request(path), lambda text: None)
    session.commit(*session.kept())
    session.run.close()
    return path


class Drive(RuleBasedStateMachine):
    """Commands, signals, guards and kills in any order; the model says what must come of them."""

    template: Path

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.run = Stepper(fresh_run(self.template, self.folder / "run"))
        self.standing = Standing()
        self.queue = []
        self.obeyed = []
        self.saves = 0
        self.wanted = {}
        self.numbers = itertools.count(100)

    @initialize()
    def first(self):
        self.start()

    @precondition(lambda self: not self.standing.alive)
    @rule()
    def start(self):
        self.queue.clear()  # told as stale
        self.run.start()
        self.standing = after(self.standing, "start")
        assert self.standing == TRAINING
        self.observed()

    @precondition(lambda self: self.standing.alive)
    @rule(
        word=st.sampled_from(
            ["pause", "pause_at_iteration", "resume", "resume", "stop", "save", "set", "set_later"]
        ),
        by_hand=st.booleans(),
    )
    def command(self, word, by_hand):
        path, value = self.run.path, None
        if word == "pause_at_iteration":
            send_command(path, "pause", at="iteration")
        elif word in ("set", "set_later"):
            value = next(self.numbers)
            key = "run.keep_checkpoints" if word == "set" else "search.budget"
            if by_hand:
                self.by_hand(f"SET {key}={value}")
            else:
                send_command(path, "set", key=key, value=str(value))
        elif by_hand:
            self.by_hand(word.upper())
        else:
            send_command(path, word)
        self.queue.append((word, value))

    def by_hand(self, line):
        with open(self.run.path / "control.signal", "a", encoding="ascii") as file:
            file.write(line + "\n")
        claimed = self.run.session.run.control
        claimed._claim(self.run.path / "control.signal")  # keeps the order of what was sent

    @precondition(lambda self: self.standing.alive)
    @rule(interrupt=st.sampled_from([False, False, False, False, True]))
    def unit(self, interrupt):
        self.go(interrupt=interrupt)

    @precondition(lambda self: self.standing == TRAINING and not self.queue)
    @rule()
    def hold(self):
        self.run.guard.asked = True
        self.run.step()
        self.standing = after(self.standing, "hold")
        self.observed()

    @precondition(lambda self: self.standing.alive)
    @rule(place=st.sampled_from(KILLS))
    def kill(self, place):
        iteration = self.run.session.iteration
        self.run.step(fault=place)
        if not self.run.killed:
            self.settle(interrupt=False, iteration=iteration)
            return
        self.run.start(restart=True)
        if self.run.alive:
            self.standing = after(self.standing, "crash")
            self.go(since=iteration)
        else:  # the last commit of the killed process had ended the run, or its iteration
            self.settle(interrupt=False, iteration=iteration)

    @precondition(lambda self: self.standing.state == "training" and self.standing.alive)
    @rule()
    def limit(self):
        """The time is up; what was asked before comes first."""
        self.run.time_is_up()
        self.run.step()
        self.settle(interrupt=False, iteration=self.run.session.iteration, limit=True)

    @precondition(lambda self: self.standing.alive and not self.queue)
    @rule(how=st.sampled_from(["fail", "lost", "never"]))
    def end_badly(self, how):
        """An error that nothing helps, or the machine is gone: somebody starts the run again."""
        if how == "never" or (how == "fail" and self.standing.state == "paused"):
            return  # guards do not look at a run that one of them holds
        if how == "fail":
            self.run.guard.broken = True
            self.run.step()
            assert self.run.failed is not None
            self.standing = after(self.standing, "fail")
        else:
            self.run.step(fault="unit")
            assert self.run.killed
            self.standing = Standing("error")  # what the status says is what was; nobody has it
        assert lock_holder(self.run.path) is None
        self.start()

    def go(self, *, interrupt=False, since=None):
        iteration = self.run.session.iteration if since is None else since
        self.run.step(interrupt=interrupt)
        self.settle(interrupt=interrupt, iteration=iteration)

    def settle(self, *, interrupt, iteration, limit=False):
        """What the model says of a unit that has passed."""
        if interrupt:
            self.standing = after(self.standing, "interrupt")
        while self.queue and self.standing.alive:
            word, value = self.queue.pop(0)
            self.obeyed.append(word)
            if word == "set":
                self.wanted["run.keep_checkpoints"] = value
            elif word == "set_later":
                self.wanted["search.budget"] = value
            self.saves += word == "save"
            self.standing = after(self.standing, "set" if word == "set_later" else word)
        if self.standing.alive and limit:
            self.standing = after(self.standing, "limit")
        if self.standing.alive and self.run.session.iteration > iteration:
            self.standing = after(self.standing, "iteration_end")
        self.observed()

    def observed(self):
        """The run is as the model says."""
        run, standing = self.run, self.standing
        assert run.alive == standing.alive
        assert (lock_holder(run.path) is not None) == standing.alive
        if not standing.alive:
            assert run.ending.state == standing.state
            assert run.ending.code == EXIT_CODES[standing.state]
            said = progress(run.path)
            assert said["left"] == standing.state
            assert read_status(run.path)["state"] == standing.state
        else:
            assert (run.session.pausing is not None) == standing.pausing
        session = run.session
        coming = {**session.changed, **session.pending}
        for key, value in self.wanted.items():
            assert coming[key] == value

    def teardown(self):
        try:
            if self.standing.alive:
                self.go(interrupt=True)
            permanent = [e for e in list_checkpoints(self.run.path) if e.where == "permanent"]
            assert len(permanent) == self.saves
            records, bad = read_ndjson(self.run.path / "logs/events.ndjson")
            assert bad == 0
            commands = [record for record in records if record["event"] == "command"]
            assert [spoken(record) for record in commands] == [
                "set" if word == "set_later" else word for word in self.obeyed
            ]
            sources = [record["source"] for record in commands]
            assert len(set(sources)) == len(sources)
        finally:
            self.run.close()
            shutil.rmtree(self.folder)


def spoken(record):
    at = record["args"].get("at")
    return f"{record['command']}_at_{at}" if at else record["command"]


def drive(template, monkeypatch, examples, steps):
    play_nothing(monkeypatch)
    machine = type("DriveHere", (Drive,), {"template": template})
    config = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],  # a step costs a commit: no shrinking
        suppress_health_check=list(HealthCheck),
    )
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(machine, settings=config)


def test_any_sequence_ends_where_the_model_says(template, monkeypatch):
    drive(template, monkeypatch, examples=6, steps=12)


@pytest.mark.slow
def test_many_sequences_end_where_the_model_says(template, monkeypatch):
    drive(template, monkeypatch, examples=80, steps=40)
