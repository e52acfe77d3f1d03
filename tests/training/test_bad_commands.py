"""Whatever lies where commands are looked for, the training goes on and says what was wrong."""

import json
import os
import subprocess
import time

import pytest
from tests.runs.helpers import new_run
from tests.training.tiny import command, digests, environment, train

from ludus.runs import Run, read_ndjson, send_command
from ludus.training.keys import changes

SECOND = 1_000_000_000


def refusals(path):
    records = read_ndjson(path / "logs/events.ndjson")[0]
    return [record["message"] for record in records if record["event"] == "command_refused"]


def command_file(path, data, *, number=1):
    """A command as a program of somebody else might leave it."""
    name = f"{time.time_ns() + number * SECOND:020d}-1-x.json"
    (path / "control" / name).write_bytes(data)
    return path / "control" / name


def disturbed(path, disturb, *more, **options):
    """Train an iteration, with something done to the run directory at the third unit."""

    def act(loop, unit):
        if unit == 3:
            disturb(path)

    return train(path, "evaluation.every=0", *more, act=act, iterations=1, **options)


def as_set(key, value):
    return json.dumps({"command": "set", "args": {"key": key, "value": value}}).encode()


BAD_FILES = [
    (b"", "is damaged"),
    (b"PAUSE", "is damaged"),
    (b"\x80\x04\x95", "is damaged"),
    (b"[" * 50_000, "is damaged"),
    (b"[]", "holds no JSON object"),
    (b'{"command": "fly", "args": {}}', "'fly' is no command to a run: use one of pause"),
    (b'{"command": "' + b"x" * 60_000 + b'"}', "is no command to a run"),
    (b'{"command": "pause", "args": []}', "needs a command and args"),
    (b'{"command": "pause", "args": {"at": "noon"}}', "a pause at 'noon' cannot be"),
    (b'{"command": "set", "args": {"key": 3, "value": 1}}', "needs key=value"),
    (b'{"command": "set", "args": {}}', "needs key=value"),
    (b"x" * 70_000, "is larger than 65536 bytes"),
    (as_set("search.no_such", "1"), "unknown setting search.no_such"),
    (as_set("search", "1"), "search"),
    (as_set("", "1"), "must look like section.key=value"),
    (as_set(".".join("a" * 20_000), "1"), "longer than the name of any setting"),
    (as_set("search.\nbudget", "1"), "unknown setting"),
    (as_set("search.budget", "many"), "search.budget"),
    (as_set("search.budget", None), "search.budget"),
    (as_set("search.budget", {"a": [1]}), "search.budget"),
    (as_set("search.budget", "[" * 20_000), "search.budget"),
    (as_set("search.budget", "2026-13-45"), "search.budget"),
    (as_set("search.budget", "9" * 5000), "search.budget"),
    (as_set("search.budget", "!!python/object:os.system x"), "search.budget"),
    (as_set("run.commit_seconds", ".nan"), "run.commit_seconds"),
    (as_set("run.commit_seconds", "1e999"), "run.commit_seconds"),
    (as_set("search.full_fraction", "0.5"), "must be below the budget"),
    (as_set("model.hidden_dim", "64"), "fixed for the life"),
    (as_set("run.seed", "64"), "fixed for the life"),
    (as_set("alerts.webhook", "http://x.example/"), "is read when a run is started"),
]


def test_bad_command_files_are_refused_one_by_one(tmp_path):
    path, notes = tmp_path / "run", []

    def disturb(path):
        for number, (data, _) in enumerate(BAD_FILES):
            command_file(path, data, number=number)

    assert disturbed(path, disturb, notes=notes).state == "done"
    told = refusals(path)
    assert len(told) == len(BAD_FILES)
    for (_, words), message in zip(BAD_FILES, sorted_like(told), strict=True):
        assert words in message
        assert "\n" not in message
        assert len(message) < 500
    assert list((path / "control").iterdir()) == []
    progress = Run.open(path, write=False).manifest.progress
    assert progress["changed"] == progress["pending"] == {}


def sorted_like(told):
    """Damaged files are told when they are read, the others when they are obeyed."""
    left, found = list(told), []
    for _, words in BAD_FILES:
        first = next((message for message in left if words in message), "")
        found.append(first)
        if first:
            left.remove(first)
    return found


@pytest.mark.parametrize("kind", sorted(set(changes().values()) - {"now", "next_iteration"}))
def test_no_setting_that_may_not_change_is_taken(tmp_path, kind):
    from ludus.errors import ConfigError
    from ludus.training.keys import Given
    from ludus.training.layers import require_changeable

    for key in (key for key, how in changes().items() if how == kind):
        with pytest.raises(ConfigError, match=key):
            require_changeable({key: Given(1, "set")}, "run")


@pytest.mark.parametrize("where", ["control.signal", "control/control.signal"])
@pytest.mark.parametrize(
    ("data", "words", "count"),
    [
        (b"JUMP\n", "'jump' is no command", 1),
        (b"PAUSE now\n", "more than the command", 1),
        (b"SET\n", "needs key=value", 1),
        (b"SET search.budget\n", "needs key=value", 1),
        (b"SET search.budget=many\n", "search.budget", 1),
        (b"SET model.hidden_dim=64\n", "fixed for the life", 1),
        (bytes(range(256)) * 8 + b"\n", "is no command", 6),
        (b"x\n" * 30_000, "29995 more lines", 6),
        (b"y" * 70_000, "is larger than 65536 bytes", 1),
    ],
)
def test_a_bad_signal_by_hand_is_refused(tmp_path, where, data, words, count):
    path = tmp_path / "run"
    with new_run(path) as run:
        (path / where).write_bytes(data)
        os.utime(path / where, (1, 1))
        commands = run.control.poll()
        for command in commands:
            run.control.done(command)
        told = refusals(path)
        if commands:  # understood so far; the loop refuses it, as the test above shows
            assert [command.name for command in commands] == ["set"]
            assert told == []
        else:
            assert any(words in message for message in told)
            assert len(told) <= count
            assert not any("\n" in message for message in told)
        assert not (path / where).exists()
        assert list((path / "control").iterdir()) == []


def make_full_folder(place):
    place.mkdir()
    (place / "mine").touch()


@pytest.mark.parametrize(
    ("make", "words", "stays"),
    [
        (lambda place: place.mkdir(), "is not a regular file", False),
        (lambda place: os.mkfifo(place), "is not a regular file", False),
        (lambda place: place.symlink_to(place), "symbolic link", False),
        (lambda place: place.symlink_to("/etc/hostname"), "symbolic link", False),
        (make_full_folder, "is not a regular file; it cannot be removed either", True),
    ],
    ids=["folder", "pipe", "loop", "link", "full folder"],
)
@pytest.mark.parametrize("where", ["control.signal", "control/{}-1-x.json"])
def test_what_is_no_file_is_refused_once(tmp_path, make, words, stays, where):
    path = tmp_path / "run"
    place = path / where.format(f"{time.time_ns() + SECOND:020d}")
    ending = disturbed(path, lambda path: make(place))
    assert ending.state == "done"
    told = refusals(path)
    assert len(told) == 1
    assert words in told[0]
    assert os.path.lexists(place) == stays


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_refused(tmp_path):
    path = tmp_path / "run"

    def disturb(path):
        file = path / "control.signal"
        file.write_text("PAUSE\n")
        file.chmod(0)

    assert disturbed(path, disturb).state == "done"
    assert len(refusals(path)) == 1
    assert not (path / "control.signal").exists()


def test_a_control_folder_that_goes_away_is_told_once_and_may_come_back(tmp_path):
    path, units = tmp_path / "run", []

    def act(loop, unit):
        units.append(unit)
        if unit == 3:
            (path / "control").rmdir()
        if unit == 8:
            (path / "control").mkdir()
            send_command(path, "stop")

    ending = train(path, act=act, iterations=100)
    assert ending.state == "idle"
    assert len(refusals(path)) == 1
    assert "control cannot be read" in refusals(path)[0]
    assert len(units) > 6


def test_a_good_command_among_bad_ones_is_obeyed(tmp_path):
    path = tmp_path / "run"

    def disturb(path):
        command_file(path, b"nonsense", number=1)
        command_file(path, b'{"command": "pause"}', number=2)
        command_file(path, b"nonsense", number=3)

    assert disturbed(path, disturb).state == "paused"
    assert len(refusals(path)) == 2


def test_a_pause_at_the_iterations_end_by_hand(tmp_path):
    path = tmp_path / "run"

    def disturb(path):
        (path / "control.signal").write_text("pause iteration\n")

    def act(loop, unit):
        if unit == 3:
            disturb(path)

    ending = train(path, "evaluation.every=0", act=act, iterations=3)
    assert ending.state == "paused"
    progress = Run.open(path, write=False).manifest.progress
    assert (progress["iteration"], progress["phase"]) == (1, "selfplay")
    assert progress["saved"] is None


def test_refused_commands_change_no_result(tmp_path):
    def disturb(path):
        for number, (data, _) in enumerate(BAD_FILES):
            command_file(path, data, number=number)
        (path / "control.signal").write_bytes(b"JUMP\nSET search.budget=-1\n")

    runs = tmp_path / "quiet", tmp_path / "disturbed"
    disturbed(runs[0], lambda path: None)
    disturbed(runs[1], disturb)
    assert digests(runs[0]) == digests(runs[1])
    assert len(refusals(runs[1])) == len(BAD_FILES) + 2


def test_a_value_that_is_refused_is_told_to_whoever_sets_it(tmp_path):
    path = tmp_path / "run"
    assert train(path, minutes=0.0) is not None
    done = subprocess.run(
        command("set", "evaluation.pairs=none", "--run", str(path)),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and "evaluation.pairs" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((path / "control").glob("*.json"))
