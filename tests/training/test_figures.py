"""The catalogue of figures is complete and true, in and between the phases."""

import numpy as np
import pytest
from tests.training.tiny import request, train

from ludus.runs import read_status
from ludus.training.birth import open_session
from ludus.training.catalogue import CATALOGUE, KINDS
from ludus.training.figures import Figures, gather
from ludus.training.measures import RootFigures
from ludus.training.past import Past
from ludus.training.reporter import Reporter


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """Figures by phase, taken while two iterations were made; and the run."""
    path, found = tmp_path_factory.mktemp("figures") / "run", []

    def act(loop, unit):
        session = loop._session
        figures = dict(loop._reporter._figures.now(loop._phase))
        found.append((session.iteration, session.phase, figures))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ludus.training.guards.memory._SECONDS", 0.0)
        patch.setattr("ludus.training.guards.memory._WARM_UP_ITERATIONS", 1)
        assert train(path, "runtime.unit_seconds=0.002", iterations=2, act=act).state == "done"
    return path, found


def of(seen, iteration, phase):
    return [figures for i, p, figures in seen[1] if (i, p) == (iteration, phase)]


def test_every_figure_is_there_always(seen):
    for _, _, figures in seen[1]:
        assert set(figures) == set(KINDS)
    assert set(read_status(seen[0])["figures"]) == set(KINDS)


def test_counters_only_grow(seen):
    for name in (one.name for one in CATALOGUE if one.kind == "counter"):
        values = [figures[name] for _, _, figures in seen[1]]
        assert values == sorted(values), name
        assert None not in values, name


def test_speeds_are_told_only_while_they_are_measured(seen):
    playing, learning = of(seen, 1, "selfplay"), of(seen, 1, "train")
    assert all(one["leaves_per_second"] is not None for one in playing)
    assert all(one["games_per_minute"] == 60 * one["games_per_second"] for one in playing)
    assert all(one["steps_per_second"] is None for one in playing)
    assert learning and all(one["games_per_second"] is None for one in learning)
    assert all(one["leaves_per_second"] is None for one in of(seen, 1, "gate"))
    assert learning[-1]["steps_per_second"] > 0


def test_gauges_keep_their_newest_value(seen):
    assert of(seen, 0, "selfplay")[0]["loss"] is None
    after = of(seen, 1, "selfplay")
    for name in ("loss", "loss_policy", "loss_value", "learning_rate", "mean_plies", "mean_score"):
        assert all(one[name] is not None for one in after), name
    assert all(one["gate_win_rate"] is not None for one in after)
    for name in ("policy_entropy", "policy_max", "confident_share", "fallback_rate"):
        assert of(seen, 0, "gate")[0][name] is not None, name


def test_the_loss_against_its_past(seen):
    last = of(seen, 1, "gate")[-1]
    assert last["loss_ratio"] == pytest.approx(1.0, abs=0.5)
    assert of(seen, 0, "selfplay")[0]["loss_ratio"] is None
    assert of(seen, 0, "gate")[0]["loss_ratio"] is None  # one iteration has nothing before it


def test_at_the_end(seen):
    status = read_status(seen[0])
    figures = status["figures"]
    assert (figures["progress"], figures["eta_seconds"]) == (1.0, 0.0)
    assert (figures["games"], figures["iterations"], figures["train_steps"]) == (144, 2, 16)
    assert figures["elo"] is not None and figures["elo_se"] is not None
    assert figures["elo_change_session"] == 0.0
    assert figures["failure_rate"] == 0.0 and figures["timeout_rate"] is None
    assert 0 <= figures["memory_fragmentation"] < 1
    assert figures["memory_growth_mb"] is not None
    assert figures["commit_age_seconds"] < 60
    for name in ("win_rate_trend", "coverage"):  # no health record was written here
        assert figures[name] is None or status["health"] is not None
    assert status["restarts"] == 0


def test_an_end_that_is_at_once_has_no_progress_to_divide(tmp_path):
    """B-57."""
    train(tmp_path / "run", iterations=1)
    session = open_session(request(tmp_path / "run", iterations=2), lambda text: None)
    with session.run:
        for total, progress in ((0, 0.0), (None, None), (1, 1.0), (4, 0.25)):
            reporter = Reporter(
                session,
                _Silent(),
                total_iterations=lambda total=total: total,
                seconds_left=lambda: None,
            )
            assert reporter.figures()["progress"] == progress
        assert gather(session, None)["iterations"] == 1


class _Silent:
    def send(self, kind, **fields):
        pass


def test_health_and_records_that_are_odd_give_null(tmp_path):
    """B-71, B-82: a figure that is missing or no number is null, never an error."""
    train(tmp_path / "run", iterations=1)
    session = open_session(request(tmp_path / "run", iterations=2), lambda text: None)
    with session.run:
        (entry,) = session.run.iterations
        odd = {
            **entry,
            "health": {"coverage": "much", "win_rate_trend": 0.25, "score_variance": True},
            "train": {"loss_total": None},
            "gate": {"win_rate": "high"},
            "selfplay": {},
        }
        session.run.iterations = [odd]
        figures = Figures(session).now(None)
        assert figures["win_rate_trend"] == 0.25
        for name in ("coverage", "score_variance", "loss", "loss_ratio", "gate_win_rate"):
            assert figures[name] is None, name
        session.run.iterations = []
        assert set(Figures(session, past=Past(session)).now(None)) == set(KINDS)


def rating(elo, before, change, standing="rated"):
    about = None if before is None else {"player": "old", "elo": before, "standing": "rated"}
    return {
        "rating": {
            "player": "new",
            "elo": elo,
            "elo_se": 5.0,
            "anchor": "random",
            "standing": standing,
            "before": about,
            "change": change,
        }
    }


def test_growth_of_the_rating(tmp_path):
    """C-122, C-126: by twenty minutes of work, which pauses do not count for, and by games."""
    train(tmp_path / "run", "evaluation.every=0", iterations=1)
    session = open_session(request(tmp_path / "run", iterations=9), lambda text: None)
    with session.run:
        work = {"selfplay": {"games": 50, "seconds": 200.0}, "train": {"seconds": 100.0}}
        session.run.iterations = [
            {"iteration": 0, **work, "evaluate": rating(1000.0, None, None)},
            {"iteration": 1, **work},
            {"iteration": 2, **work, "evaluate": rating(1040.0, 1000.0, 40.0)},
        ]
        figures = Figures(session)
        now = figures.now(None)
        assert now["elo_change"] == 40.0 and now["elo_change_session"] == 0.0
        assert now["elo_per_10_games"] == pytest.approx(4.0)
        assert now["elo_per_20_minutes"] == pytest.approx(80.0)
        later = {"iteration": 3, **work, "evaluate": rating(1010.0, 1040.0, -30.0)}
        session.run.iterations = [*session.run.iterations, later]
        now = figures.now(None)
        assert now["elo_change_session"] == now["elo_change_worst"] == -30.0
        assert now["elo_per_20_minutes"] == pytest.approx(-120.0)
        bound = {"iteration": 4, "evaluate": rating(900.0, 1010.0, -110.0, "at least")}
        session.run.iterations = [*session.run.iterations, bound]
        now = figures.now(None)
        assert now["elo"] == 900.0
        for name in ("elo_change", "elo_change_session", "elo_change_worst", "elo_per_20_minutes"):
            assert now[name] is None, name


def test_confident_decisions_are_counted():
    """C-126."""
    roots = RootFigures()
    assert roots.figures()["confident_share"] is None
    for policy in ([0.6, 0.4], [0.5, 0.5], [0.9, 0.1], [0.2] * 5):
        roots.add(np.array(policy))
    assert roots.figures()["confident_share"] == 0.5


def test_a_status_that_cannot_be_written_stops_nothing(tmp_path):
    """B-73: the training goes on, it is told once, and no temporary file is left."""
    path, notes = tmp_path / "run", []

    def act(loop, unit):
        status = path / "status.json"
        if unit == 2:
            status.unlink()
            status.mkdir()

    train(path, iterations=1, act=act, notes=notes)
    assert [text for text in notes if "status.json" in text] == [
        "status.json cannot be written; the training goes on"
    ]
    assert not [entry for entry in path.iterdir() if entry.name.endswith(".tmp")]
