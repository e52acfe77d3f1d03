import pytest
from tests.training.tiny import request, train

from ludus.errors import ConfigError, RunError, RunLockedError, UserError
from ludus.runs import Run
from ludus.training.request import TrainRequest


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A run with one iteration."""
    path = tmp_path_factory.mktemp("request") / "run"
    ending = train(path, iterations=1)
    assert ending is not None
    assert ending.state == "done"
    return path


def make(path, **options):
    return TrainRequest.make("yatzy", run=path, environment={}, **options)


def test_which_run(tmp_path, monkeypatch, played):
    monkeypatch.chdir(tmp_path)
    first = TrainRequest.make("yatzy", environment={})
    assert (first.path, first.create) == ("runs/yatzy", True)
    assert TrainRequest.make("yatzy", new=True, environment={}).path == "runs/yatzy"
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "yatzy").symlink_to(played)
    again = TrainRequest.make("yatzy", environment={})
    assert (again.path, again.create) == ("runs/yatzy", False)
    assert TrainRequest.make("yatzy", new=True, environment={}).path == "runs/yatzy-2"
    (tmp_path / "runs" / "yatzy-2").mkdir()
    assert TrainRequest.make("yatzy", new=True, environment={}).path == "runs/yatzy-3"


def test_other_settings_are_refused_by_name(played):
    with pytest.raises(ConfigError, match=r"run.seed \(1 in the run, 7 asked\)") as caught:
        make(played, seed=7, assignments=["search.c_puct=9", "runtime.lanes=3"])
    assert "search.c_puct (1.25 in the run, 9.0 asked)" in str(caught.value)
    assert "lanes" not in str(caught.value)
    with pytest.raises(ConfigError, match="preset default, not quick"):
        make(played, preset="quick")


def test_the_same_settings_and_those_that_may_change(played):
    assert request(played, "search.budget=2", "runtime.backend=auto").changes == {}
    asked = make(played, seed=1, assignments=["runtime.lanes=3", "run.total_iterations=9"])
    assert asked.changes == {"runtime.lanes": 3, "run.total_iterations": 9}


def test_a_reached_limit_is_nothing_to_do(played):
    assert "1 iterations" in make(played, iterations=1).nothing_to_do
    assert "72 games" in make(played, games=72).nothing_to_do
    assert make(played, iterations=2).nothing_to_do == ""
    assert make(played).nothing_to_do == ""


def test_a_run_in_use_is_refused_with_its_holder(played):
    with Run.open(played, write=True), pytest.raises(RunLockedError, match="in use by process"):
        make(played)


def test_new_on_a_run_foreign_directories_and_options(played, tmp_path):
    with pytest.raises(RunError, match="leave out --new"):
        make(played, new=True)
    for options, words in (
        ({"minutes": -1.0}, "--minutes"),
        ({"iterations": -1}, "--iterations"),
        ({"pause_at": "move"}, "--pause-at"),
        ({"config": tmp_path / "none.yaml"}, "cannot be read"),
    ):
        with pytest.raises(UserError, match=words):
            make(tmp_path / "new", **options)


def test_resume_keeps_the_limits(played):
    asked = TrainRequest.resume(played)
    assert (asked.create, asked.iterations, asked.recipe) == (False, 1, "yatzy")


def test_requests_travel_as_json(played):
    asked = make(played, iterations=5, assignments=["runtime.lanes=3"])
    assert TrainRequest.from_json(asked.as_json()) == asked
