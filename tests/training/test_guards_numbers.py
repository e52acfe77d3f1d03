"""Numbers that are not finite or out of range: caught in their unit, never committed, undone."""

import numpy as np
import pytest
from tests.training.guarding import events, guard, hold_and_resume
from tests.training.tiny import digests, train

from ludus.errors import NumericsError
from ludus.evaluators import LeafBatch, NetworkEvaluator, ScriptedEvaluator, check_values
from ludus.learners import AlphaZeroLearner
from ludus.replay import GameRecords, ReplaySampler
from ludus.runs import Run, newest_good, read_status
from ludus.training.guards import NumbersGuard, ReturnToGood

SETTINGS = ("evaluation.every=0", "gating.max_pairs=8")


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """A run that nothing happened to."""
    path = tmp_path_factory.mktemp("numbers") / "calm"
    assert train(path, *SETTINGS, iterations=1).state == "done"
    return path


def bad_rows(monkeypatch, field, *, times=1, update=5, value=np.nan):
    """Rows of an update have a bad number, so often."""
    real = ReplaySampler.rows
    left = [times]

    def rows(self, number, batch_size, *, into=None):
        found = real(self, number, batch_size)
        if number == update and left[0]:
            left[0] -= 1
            getattr(found, field).flat[0] = value
        return found

    monkeypatch.setattr(ReplaySampler, "rows", rows)
    return left


@pytest.mark.parametrize(
    ("field", "place", "value", "what"),
    [
        ("value", "target", np.nan, "nan"),
        ("observations", "observation", np.inf, "inf"),
        ("policy", "target", np.nan, "nan"),
    ],
)
def test_a_bad_number_in_the_rows_is_undone(tmp_path, monkeypatch, calm, field, place, value, what):
    bad_rows(monkeypatch, field, value=value)
    path = tmp_path / "run"
    assert train(path, *SETTINGS, commit_always=True, iterations=1).state == "done"
    (divergence,) = events(path, "divergence")
    assert (divergence["place"], divergence["what"], divergence["phase"]) == (place, what, "train")
    assert divergence["update"] == 5
    (back,) = events(path, "returned_to_good")
    assert (back["guard"], back["from_sequence"]) == ("numbers", back["to_sequence"])
    assert digests(path) == digests(calm), "what is done again is the same"
    status = read_status(path)
    assert guard(status, "numbers")["count"] == status["figures"]["divergences"] == 1
    steps = [record["step"] for record in events(path, "train_step", "metrics")]
    assert steps == sorted(set(steps)), "the log was cut back with the work"


def test_the_second_time_in_a_window_holds_the_run(tmp_path, monkeypatch):
    bad_rows(monkeypatch, "value", times=2)
    path = tmp_path / "run"
    seen = []
    ending = hold_and_resume(path, seen.append, *SETTINGS, commit_always=True, iterations=1)
    assert ending.state == "done", "after the resume the third try goes well"
    assert "for the second time within 10000 games: update 5" in seen[0]["reason"]
    assert guard(seen[0], "numbers")["state"] == "acting"
    assert len(events(path, "divergence")) == 2
    assert [event["guard"] for event in events(path, "guard_paused")] == ["numbers"]
    assert Run.open(path, write=False).manifest.progress["guards"]["marks"] == {}


def test_the_second_time_is_known_after_a_crash(tmp_path, monkeypatch):
    left = bad_rows(monkeypatch, "value")
    path = tmp_path / "run"

    def act(loop, unit):
        if events(path, "divergence"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(path, *SETTINGS, commit_always=True, act=act, iterations=1)
    left[0] = 1
    seen = []
    hold_and_resume(path, seen.append, commit_always=True, iterations=1)
    assert "for the second time" in seen[0]["reason"]


def test_a_weight_that_is_not_finite_is_never_committed(tmp_path, monkeypatch, calm):
    real = AlphaZeroLearner._apply
    left = [1]

    def apply(self, rate):
        real(self, rate)
        if self.update == 4 and left[0]:
            left[0] -= 1
            self._flat.weights.data[7] = np.inf

    monkeypatch.setattr(AlphaZeroLearner, "_apply", apply)
    path = tmp_path / "run"
    assert train(path, *SETTINGS, commit_always=True, iterations=1).state == "done"
    (divergence,) = events(path, "divergence")
    assert (divergence["place"], divergence["what"]) == ("weight", "inf")
    assert digests(path) == digests(calm)


def test_an_evaluation_that_is_not_finite_is_undone(tmp_path, monkeypatch, calm):
    real = NetworkEvaluator.evaluate
    calls = [0]

    def evaluate(self, batch):
        real(self, batch)
        calls[0] += 1
        if calls[0] == 40:
            raise NumericsError("network: an output is not finite", place="evaluation")

    monkeypatch.setattr(NetworkEvaluator, "evaluate", evaluate)
    path = tmp_path / "run"
    assert train(path, *SETTINGS, iterations=1).state == "done"
    (divergence,) = events(path, "divergence")
    assert (divergence["place"], divergence["phase"]) == ("evaluation", "selfplay")
    assert digests(path) == digests(calm)


def test_a_game_record_with_an_impossible_number_never_reaches_the_replay(
    tmp_path, monkeypatch, calm
):
    real = GameRecords.validate
    left = [1]

    def validate(self, game):
        if left[0]:
            left[0] -= 1
            self.columns["root_value"][0] = 1.5
        real(self, game)

    monkeypatch.setattr(GameRecords, "validate", validate)
    path = tmp_path / "run"
    assert train(path, *SETTINGS, iterations=1).state == "done"
    (divergence,) = events(path, "divergence")
    assert divergence["place"] == "game record"
    assert "root value outside [-1, 1]" in divergence["message"]
    assert digests(path) == digests(calm)


@pytest.mark.parametrize(("value", "what"), [(1.5, "range"), (np.nan, "nan"), (-np.inf, "inf")])
def test_values_out_of_range_are_refused_with_their_place(value, what):
    from ludus.games import get_game

    rules = get_game("yatzy").rules
    batch = LeafBatch.allocate(rules, 64, 64 * rules.max_legal)

    def fill(batch):
        batch.logits.fill(0)
        batch.values.fill(0)
        batch.values[3, 1] = value

    with pytest.raises(NumericsError) as caught:
        ScriptedEvaluator(fill).evaluate(batch)
    assert (caught.value.place, caught.value.what) == ("evaluation", what)
    assert (caught.value.where["row"], caught.value.where["seat"]) == (3, 1)
    batch.values[3, 1] = -1.0
    check_values(batch, "sound")


def test_a_return_asked_for_by_a_guard_goes_to_the_newest_good_commit(tmp_path, monkeypatch, calm):
    """Commits of a suspicious time are put away, not only passed over."""
    path = tmp_path / "run"
    suspicious: list[int] = []

    def look(self, moment):
        run = moment.session.run
        if moment.phase.name == "train" and not events(path, "returned_to_good"):
            moment.session.suspicion = "loss 9 times what it was"
            suspicious.append(run.manifest.sequence)
            if len(suspicious) > 2:
                raise ReturnToGood("numbers", "the loss has exploded")

    anew = []
    monkeypatch.setattr(NumbersGuard, "look", look)
    monkeypatch.setattr(NumbersGuard, "resumed", lambda self, moment: anew.append(moment))
    assert (
        train(path, *SETTINGS, "runtime.unit_seconds=0.001", commit_always=True, iterations=1).state
        == "done"
    )
    (back,) = events(path, "returned_to_good")
    assert (back["guard"], back["reason"]) == ("numbers", "the loss has exploded")
    assert back["to_sequence"] <= suspicious[0] < back["from_sequence"]
    assert len(anew) == 1, "the guard that asked begins to count anew"
    assert list(path.glob("quarantine/*/manifests/*.json")), "the suspicious commits"
    assert digests(path) == digests(calm)
    assert newest_good(path, Run.open(path, write=False).store).sequence > back["from_sequence"]
