"""``ludus.train``: the same training as the command's, in this process."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import yaml
from tests.training.tiny import SETTINGS, command, digests, environment

import ludus
from ludus.errors import ConfigError, RunError, RunLockedError, UserError
from ludus.runs import Run, lock_holder, read_ndjson, read_status, send_command
from ludus.training.request import current_settings

TINY = {key: yaml.safe_load(value) for key, _, value in (text.partition("=") for text in SETTINGS)}
"""Settings of a tiny run, as a Python program would give them."""


def train(path, *, settings=(), **options):
    given = {} if (path / "manifests").is_dir() else TINY
    return ludus.train("yatzy", run=path, settings={**given, **dict(settings)}, **options)


def events(path, name):
    return [r for r in read_ndjson(path / "logs/events.ndjson")[0] if r["event"] == name]


# -- what it returns and goes on with ----------------------------------------------------------


def test_it_returns_what_has_come_of_it_and_goes_on(tmp_path):
    whole, parts, notes = tmp_path / "whole", tmp_path / "parts", []
    done = train(whole, iterations=2)
    assert isinstance(done, ludus.Trained)
    assert (done.state, done.path, done.iterations, done.games) == ("done", whole, 2, 144)
    assert done.reason == "2 iterations are done"
    assert done.champion.is_file()
    assert train(parts, iterations=1).iterations == 1
    second = train(parts, iterations=2, callbacks=[ludus.Watch(notes.append, ["note"])])
    assert (second.iterations, second.games) == (2, 144)
    assert digests(parts) == digests(whole)
    assert all(record["text"] for record in notes)
    again = train(parts, iterations=2)
    assert (again.state, again.iterations, again.games) == ("done", 2, 144)
    assert "nothing to do" in again.reason
    assert lock_holder(parts) is None


def test_time_and_games_limit_it(tmp_path):
    path = tmp_path / "run"
    early = train(path, minutes=0.003)
    assert early.state == "done"
    assert "minutes are over" in early.reason
    assert early.iterations == 0
    assert 72 <= train(path, games=70).games <= 72


def test_without_a_recipe_it_is_that_of_the_run(tmp_path):
    path = tmp_path / "run"
    train(path, minutes=0.0)
    assert ludus.train(run=path, games=10).games >= 10


def test_the_threads_of_torch_are_the_callers(tmp_path):
    import torch

    before, inside = torch.get_num_threads(), []
    torch.set_num_threads(2)
    try:
        watch = ludus.Watch(lambda record: inside.append(torch.get_num_threads()), ["unit"])
        train(tmp_path / "run", games=10, callbacks=[watch])
        assert torch.get_num_threads() == 2
        assert set(inside) == {1}
    finally:
        torch.set_num_threads(before)


# -- settings ----------------------------------------------------------------------------------


def test_settings_nested_and_dotted(tmp_path):
    path = tmp_path / "run"
    settings = {
        "search": {"budget": 3, "budget_by_kind": {"mark": 5}},
        "selfplay.temperature": {"start": 0.5},
        "evaluation": {"opponents": ["random"], "pairs": np.int64(4)},
        "run": {"total_iterations": None},
    }
    base = {key: value for key, value in TINY.items() if not key.startswith("search.")}
    base = {key: value for key, value in base.items() if not key.startswith("evaluation.")}
    ludus.train("yatzy", run=path, seed=7, settings={**base, **settings}, minutes=0.0)
    now = current_settings(Run.open(path, write=False))
    assert now.search.budget == 3
    assert now.search.budget_by_kind == {"mark": 5}
    assert now.selfplay.temperature.start == 0.5
    assert list(now.evaluation.opponents) == ["random"]
    assert now.evaluation.pairs == 4
    assert now.run.seed == 7


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"search.budgte": 3}, "did you mean"),
        ({"search": {"budgte": 3}}, "did you mean"),
        ({"search": 3}, "search"),
        ({"search.budget": "many"}, "search.budget"),
        ({"search.budget": -1}, "must be a whole number, at least 0"),
        ({"model": {"hidden_dim": None}}, "model.hidden_dim"),
        ({"search.budget_by_kind": {"roll": 3}}, "names the kind 'roll'"),
        ({"search.budget": object()}, "search.budget"),
        ({3: 4}, "3"),
    ],
)
def test_a_bad_setting_is_one_sentence(tmp_path, settings, words):
    with pytest.raises(ConfigError) as caught:
        ludus.train("yatzy", run=tmp_path / "run", settings=settings)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"recipe": "yatzi"}, "yatzi"),
        ({"recipe": None}, "say what to train"),
        ({"minutes": -1}, "at least 0"),
        ({"iterations": -1}, "at least 0"),
        ({"preset": "quickk"}, "quickk"),
        ({"callbacks": [3]}, "callback"),
        ({"callbacks": [ludus.Watch(print, names="game")]}, "names"),
        ({"callbacks": [ludus.Watch(print, every=0)]}, "every"),
    ],
)
def test_a_bad_argument_is_one_sentence(tmp_path, arguments, words):
    with pytest.raises(UserError, match=words) as caught:
        ludus.train(**{"recipe": "yatzy", "run": tmp_path / "run", **arguments})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_what_is_fixed_stays_fixed(tmp_path):
    path = tmp_path / "run"
    train(path, minutes=0.0)
    with pytest.raises(ConfigError, match=r"model.hidden_dim \(32 in the run, 64 asked\)"):
        train(path, settings={"model.hidden_dim": 64})
    with pytest.raises(RunError, match="leave out --new"):
        train(path, new=True)


def test_one_trainer_a_run(tmp_path):
    path, refused = tmp_path / "run", []

    def meddle(record):
        try:
            train(path, iterations=5)
        except RunLockedError as error:
            refused.append(str(error))

    train(path, games=10, callbacks=[ludus.Watch(meddle, ["games"], every=1)])
    assert refused
    assert str(os.getpid()) in refused[0]


# -- the command and the function share runs ---------------------------------------------------


def ludus_train(path, *more):
    settings = [] if (path / "manifests").is_dir() else [f"--set={text}" for text in SETTINGS]
    return subprocess.run(
        command("train", "yatzy", "--run", str(path), *settings, *more),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.slow
def test_the_command_goes_on_and_the_function_goes_on(tmp_path):
    whole, path = tmp_path / "whole", tmp_path / "run"
    train(whole, iterations=3)
    train(path, iterations=1)
    ended = ludus_train(path, "--iterations", "2")
    assert ended.returncode == 0, ended.stderr
    assert train(path, iterations=3).iterations == 3
    assert digests(path) == digests(whole)


@pytest.mark.slow
def test_the_function_goes_on_with_a_run_of_the_command(tmp_path):
    path = tmp_path / "run"
    assert ludus_train(path, "--iterations", "1").returncode == 0
    assert train(path, iterations=2).iterations == 2
    assert ludus_train(path, "--iterations", "2").returncode == 0


# -- commands and signals ----------------------------------------------------------------------


@pytest.mark.parametrize(("word", "state"), [("pause", "paused"), ("stop", "idle")])
def test_commands_from_elsewhere_are_obeyed(tmp_path, word, state):
    path = tmp_path / "run"
    watch = ludus.Watch(lambda record: send_command(path, word), ["games"])
    done = train(path, iterations=5, callbacks=[watch])
    assert done.state == state
    assert read_status(path)["state"] == state
    assert done.games > 0


def test_the_first_ctrl_c_commits(tmp_path):
    path, before = tmp_path / "run", signal.getsignal(signal.SIGINT)
    pressed = []

    def press(record):  # a unit may hold several updates
        if not pressed:
            pressed.append(record["update"])
            signal.raise_signal(signal.SIGINT)

    done = train(path, iterations=5, callbacks=[ludus.Watch(press, ["update"], every=3)])
    assert done.state == "idle"
    assert done.reason == "stopped"
    assert signal.getsignal(signal.SIGINT) is before
    run = Run.open(path, write=False)
    assert run.manifest.counters["train_step"] >= 3
    assert read_status(path)["state"] == "idle"
    assert train(path, iterations=1).iterations == 1


def test_the_second_ctrl_c_ends_at_once(tmp_path):
    path, before = tmp_path / "run", signal.getsignal(signal.SIGINT)
    whole = tmp_path / "whole"

    def press(record):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(path, iterations=1, callbacks=[ludus.Watch(press, ["update"], every=3)])
    assert signal.getsignal(signal.SIGINT) is before
    assert lock_holder(path) is None
    train(path, iterations=1)
    train(whole, iterations=1)
    assert digests(path) == digests(whole)  # the last commit was gone on from


def test_in_a_thread_that_is_not_the_main_one(tmp_path):
    path, found = tmp_path / "run", []
    thread = threading.Thread(target=lambda: found.append(train(path, iterations=1)))
    thread.start()
    thread.join(timeout=60)
    assert found[0].iterations == 1
    assert found[0].state == "done"


@pytest.mark.slow
def test_ctrl_c_to_a_program_that_trains(tmp_path):
    """A program of a user, pressed from outside."""
    path = tmp_path / "run"
    program = (
        "import ludus, sys\n"
        f"done = ludus.train('yatzy', run={str(path)!r}, settings={TINY!r}, iterations=500)\n"
        "sys.stdout.write(done.state)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment(), stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            end = time.monotonic() + 60
            while time.monotonic() < end and not events(path, "commit") and child.poll() is None:
                time.sleep(0.05)
            child.send_signal(signal.SIGINT)
            said, _ = child.communicate(timeout=30)
        finally:
            child.kill()
    assert (said, child.returncode) == ("idle", 0)
    assert read_status(path)["state"] == "idle"


def test_an_error_of_the_training_is_in_the_events(tmp_path, monkeypatch):
    from ludus.training.network_session import NetworkSession

    path = tmp_path / "run"

    def broken(session):
        raise ludus.errors.LudusError("no such thing")

    monkeypatch.setattr(NetworkSession, "require_ready", broken)
    with pytest.raises(ludus.errors.LudusError, match="no such thing"):
        train(path, iterations=1)
    assert events(path, "failed")[0]["error"] == "LudusError: no such thing"
    assert lock_holder(path) is None
