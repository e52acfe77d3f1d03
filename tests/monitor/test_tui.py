"""The terminal monitor: what it shows, and what its keys do."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.monitor.conftest import at_work, doctor
from tests.monitor.screens import drive, line, shown, until

from ludus.monitor.tui import launch
from ludus.monitor.tui.app import MonitorApp
from ludus.monitor.tui.charts import chart, spark
from ludus.monitor.tui.curves import curve_lines
from ludus.monitor.tui.dashboard import CONFIRM_SECONDS, PANES
from ludus.monitor.tui.dialogs import Help, Question
from ludus.monitor.tui.facts import fact_lines
from ludus.monitor.tui.feed import feed_lines
from ludus.monitor.tui.health import health_lines
from ludus.monitor.tui.history import history_lines
from ludus.monitor.tui.once import frame
from ludus.monitor.tui.pane import Pane
from ludus.monitor.tui.sentences import sentence
from ludus.monitor.tui.words import clock, duration, plain, short
from ludus.monitor.view import RunReader
from ludus.runs import RunLock

SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.fixture
def held(run: Path):
    """The run as if this process trained it."""
    lock = RunLock.acquire(run)
    at_work(run, os.getpid())
    yield run
    lock.release()


def facts(run: Path, width: int = 60) -> dict[str, str]:
    """The panel of figures by label."""
    lines = [one.plain for one in fact_lines(RunReader(run).look(), width)]
    return {one[:12].strip(): one[12:] for one in lines if one[:12].strip()}


def commands(run: Path) -> list[dict[str, object]]:
    """What lies in control/."""
    found = sorted((run / "control").glob("*.json"))
    return [json.loads(one.read_text()) for one in found]


# -- figures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (45, "45 s"),
        (200, "3 min"),
        (3599, "1.0 h"),
        (48.3 * 3600, "2 d 0 h"),
        (12.44 * 3600, "12.4 h"),
        (86399, "1 d 0 h"),
        (5.2 * 86400, "5 d 5 h"),
        (float("inf"), "unknown"),
        (None, "unknown"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_numbers() -> None:
    assert [short(x) for x in (835.4, 17_234, 171_000, 1_400_000, 0.256, 12.34)] == [
        *("835", "17.2k", "171k", "1.4M", "0.256", "12.3")
    ]


def test_the_mock_status_of_the_requirements(held: Path) -> None:
    at_work(
        held,
        os.getpid(),
        iteration=149,
        total_iterations=500,
        figures={"progress": 0.30},
        eta_seconds=124.5 * 3600,
        elapsed_seconds=48.3 * 3600,
        rating={"elo": 1420.4, "change": 15.2, "elo_se": 21.0, "standing": "rated"},
        losses={"loss": 0.342, "loss_policy": 0.205, "loss_value": 0.137, "lr": 0.000554},
    )
    said = facts(held)
    assert said["Elo"] == "1420 (+15)  ± 21"
    assert said["Learn rate"] == "0.000554"
    assert said["Loss"] == "0.3420 π 0.205 v 0.137"
    assert said["Phase"] == "training  2 simulations, mark 4"
    assert said["Temperature"] == "0.250"
    assert said["Games/iter"] == "72"
    top = "\n".join(one.plain for one in frame(RunReader(held).look(), 100)[:3])
    assert "Iteration 150/500" in top and "30.0 %" in top
    assert "ETA 5 d 4 h" in top and "worked 2 d 0 h" in top
    assert top.count("━") >= 40


def test_absent_values_leave_out_their_row(held: Path) -> None:
    everything = set(facts(held))
    keep = ("state", "phase", "pid", "ts_ms", "iteration")
    status = json.loads((held / "status.json").read_text())
    (held / "status.json").write_text(json.dumps({key: status[key] for key in keep}))
    left = facts(held)
    assert {"Elo", "Strength", "Last gate", "Memory"} <= everything - set(left)
    assert {"Phase", "Last commit"} <= set(left)
    assert "Iteration 2 " in frame(RunReader(held).look(), 80)[1].plain


def test_every_part_of_an_operated_run_is_shown(held: Path) -> None:
    now = int(time.time() * 1000)
    alert = {
        "name": "loss_spike",
        "severity": "error",
        "message": "loss is 9.1, above 6",
        "metric": "loss",
        "value": 9.1,
        "condition": "above",
        "limit": 6,
        "since_ms": now - 720_000,
        "action": "tell",
    }
    at_work(
        held,
        os.getpid(),
        alerts=[alert],
        guards=[
            {"name": "disk", "state": "ok", "text": "69 GB free", "count": 0},
            {"name": "memory", "state": "warning", "text": "grew by 600 MB", "count": 3},
        ],
        health={"findings": ["the entropy of policies collapsed to 0.01 nats"]},
        memory={"total": 4.2e9, "budget": 8e9},
        pending={"runtime.lanes": 4},
        restarts=2,
        save_failures=1,
    )
    text = "\n".join(one.plain for one in frame(RunReader(held).look(), 100))
    for part in (
        "✗ loss is 9.1, above 6, for 12 min",
        "✓ disk       69 GB free",
        "▲ memory     grew by 600 MB (3 times)",
        "▲ the entropy of policies collapsed to 0.01 nats",
        "4.2 GB of 8.0 GB",
        "runtime.lanes = 4",
        "Restarts    2",
        "1 failed",
        "oracle",
    ):
        assert part in text, part
    assert re.search(r"▸ training +[━╸]+ +3/8 steps +38 %", text)


def test_history_and_events(finished_run: Path) -> None:
    view = RunReader(finished_run).look()
    head, newest, oldest = (one.plain for one in history_lines(view, 100))
    assert head.split()[:6] == ["#", "gate", "loss", "games", "Elo", "oracle"]
    assert newest.split()[0] == "2" and oldest.split()[0] == "1"
    entry = view.iterations[1]
    assert f"{entry['train']['loss_total']:.4f}" in newest
    assert f"{entry['gate']['win_rate']:.1%}".replace("%", " %") in newest
    assert ("✓" in newest) == entry["promoted"]
    assert f"{entry['evaluate']['rating']['elo']:.0f}" in newest
    feed = [one.plain for one in feed_lines(view, 60)]
    assert any("iteration 2 is done" in one for one in feed)
    assert "run created" in feed[-1]
    assert sum("commit " in one for one in feed) == 1, "many commits are one line"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            {"event": "alert", "name": "elo_drop", "message": "Elo fell", "action": "pause"},
            "alert elo_drop: Elo fell (pause)",
        ),
        (
            {"event": "restarted", "cause": "hang", "reason": "no progress", "lost_seconds": 40},
            "trainer restarted after a hang: no progress, 40 s of work done again",
        ),
        (
            {"event": "returned_to_good", "reason": "NaN", "to_sequence": 12},
            "back to the good commit 12: NaN",
        ),
        (
            {"event": "divergence", "place": "loss", "what": "nan"},
            "number out of order at loss: nan",
        ),
        (
            {"event": "checkpoint_saved", "path": "c/20261121-yatzy-v1-6K-iter005-elo9.ckpt"},
            "checkpoint iter005-elo9 saved",
        ),
        (
            {"event": "setting_pending", "key": "runtime.lanes", "value": 2},
            "runtime.lanes is 2 from the next iteration on",
        ),
        ({"event": "health", "findings": []}, "health: nothing amiss any more"),
        ({"event": "brand_new_thing", "message": "of tomorrow"}, "brand new thing: of tomorrow"),
        ({"event": "alert"}, "alert ?: raised"),
        ({}, "None"),
    ],
)
def test_sentences(event: dict[str, object], text: str) -> None:
    assert sentence(event) == text


def test_charts() -> None:
    assert spark([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▂▃▄▅▆▇█"
    assert spark([5.0], 4) == "────" and spark([], 3) == "   "
    assert len(spark(list(range(1000)), 30)) == 30
    assert chart([0, 1], 2, 2) == [" █", "▁█"] and chart([3], 2, 2) == ["  ", "──"]
    rows = chart([float(x) for x in range(500)], 20, 3)
    assert [len(row) for row in rows] == [20, 20, 20]
    assert rows[0][0] == " " and rows[2][0] == "▁" and rows[0][-1] == "█"


HOSTILE = "\x1b[31mred\x1b]0;title\x07 [bold]x[/bold] [@click=app.quit]y[/]\nnext\u202eevil"


def test_hostile_text_shows_as_text(held: Path) -> None:
    assert not any(not char.isprintable() for char in plain(HOSTILE))
    with open(held / "logs" / "events.ndjson", "a") as file:
        file.write(json.dumps({"event": "notice", "ts_ms": 1, "message": HOSTILE}) + "\n")
        file.write(json.dumps({"event": HOSTILE, "ts_ms": HOSTILE}) + "\n")
    at_work(
        held,
        os.getpid(),
        strength={HOSTILE: 0.5},
        progress={"done": 1, "total": 2, "unit": HOSTILE},
        guards=[{"name": HOSTILE, "state": HOSTILE, "text": HOSTILE}],
        alerts=[{"name": HOSTILE, "message": HOSTILE, "severity": HOSTILE}],
        warnings=[HOSTILE],
        pending={HOSTILE: HOSTILE},
        gate={"last": HOSTILE},
    )

    async def look(app: MonitorApp, pilot) -> None:
        text = shown(app)
        assert "[bold]x[/bold]" in text
        assert all(char.isprintable() or char == "\n" for char in text)
        svg = app.export_screenshot()
        assert "\x1b" not in svg and "\u202e" not in svg

    drive(look, held, size=(200, 60))


# -- the screen ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [*SIZES, (40, 12), (20, 5), (300, 100)])
def test_sizes(held: Path, size: tuple[int, int]) -> None:
    async def look(app: MonitorApp, pilot) -> None:
        assert "training" in line(app, "title")
        width = size[0]
        for pane in app.screen.query(Pane):
            if pane.display:
                assert all(len(one) <= width for one in pane.lines)
        if size in SIZES:
            assert "Iteration 2/2" in line(app, "progress") and "50.0 %" in line(app, "progress")
            assert "q quit" in line(app, "keys")
            assert "Loss" in shown(app) and "games/s" in shown(app)
        if size in SIZES[1:]:
            assert "3/8 steps" in line(app, "progress")
            assert "Elo" in shown(app)
        for _ in PANES:
            await pilot.press("tab")
            assert app.screen.pane.display

    drive(look, held, size=size)


def test_resizing_while_it_is_shown(held: Path) -> None:
    async def look(app: MonitorApp, pilot) -> None:
        for width, height in (*SIZES, (40, 12), (80, 24)):
            await pilot.resize_terminal(width, height)
            await pilot.pause()
            assert len(line(app, "title")) == width
        assert sum(pane.display for pane in app.screen.query(Pane)) == 4

    drive(look, held)


def test_panels_are_gone_through_and_shown_alone(held: Path) -> None:
    async def look(app: MonitorApp, pilot) -> None:
        screen = app.screen
        assert screen.pane.id == "facts" and app.focused is screen.pane
        seen = []
        for key in ("tab", "right", "tab", "tab", "tab"):
            await pilot.press(key)
            assert app.focused is screen.pane
            seen.append(screen.pane.id)
        assert seen == ["curves", "history", "feed", "health", "facts"]
        await pilot.press("shift+tab")
        assert screen.pane.id == "health" and screen.pane.display
        await pilot.press("enter")
        assert [pane.id for pane in screen.query(Pane) if pane.display] == ["health"]
        await pilot.press("escape", "left")
        assert len([pane for pane in screen.query(Pane) if pane.display]) == 4
        await pilot.press("Z")
        assert [pane.id for pane in screen.query(Pane) if pane.display] == ["feed"]
        await pilot.press("down", "down")
        assert screen.pane.scroll_offset.y <= 2

    drive(look, held)


def test_ages_go_on_between_two_looks(held: Path) -> None:
    at_work(held, os.getpid(), ts_ms=int((time.time() - 10) * 1000))

    async def look(app: MonitorApp, pilot) -> None:
        def age() -> str:
            return next(one for one in app.screen.pane.lines if one.startswith("Status"))

        first = age()
        await until(pilot, lambda: age() != first, 4)

    drive(look, held, size=(120, 40))


def test_a_change_is_seen_at_the_next_look(held: Path) -> None:
    async def look(app: MonitorApp, pilot) -> None:
        at_work(held, os.getpid(), iteration=0, number=10**6)
        await until(pilot, lambda: "Iteration 1/2" in line(app, "progress"))
        (held / "status.json").write_text('{"sta')
        await until(pilot, lambda: "status.json cannot be read" in line(app, "attention"))
        assert "Iteration 1/2" in line(app, "progress"), "the last good one stays"

    drive(look, held, every=0.2)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"state": "paused", "reason": "no space left"}, "paused by a guard: no space left"),
        ({"ts_ms": 1_000}, "the trainer may hang"),
        ({"state": "error", "error": "disk broke"}, "disk broke"),
        ({"alerts": [{"name": "a", "message": "too hot"}]}, "▲ too hot"),
        ({"protocol_version": 99}, "newer version of Ludus"),
    ],
)
def test_what_needs_attention_is_said(
    held: Path, changes: dict[str, object], sentence: str
) -> None:
    at_work(held, os.getpid(), **changes)

    async def look(app: MonitorApp, pilot) -> None:
        assert sentence in line(app, "attention")

    drive(look, held)


def test_a_dead_trainer_says_how_to_go_on(run: Path) -> None:
    at_work(run, 4242)

    async def look(app: MonitorApp, pilot) -> None:
        assert "dead" in line(app, "title")
        assert "press r to go on" in line(app, "attention")

    drive(look, run)


def test_no_run_yet(tmp_path: Path, run: Path) -> None:
    place = tmp_path / "to-come"

    async def look(app: MonitorApp, pilot) -> None:
        waiting = "".join(line(app, "waiting").split())  # long paths are wrapped anywhere
        assert "Waitingforatraining" in waiting
        assert str(place / "status.json") in waiting
        assert f"ludustrainyatzy--run{place}" in waiting
        await pilot.press("p")
        assert "no run yet" in line(app, "keys")
        run.rename(place)
        await until(pilot, lambda: "done" in line(app, "title"))
        assert app.screen.query_one("#body").display

    drive(look, place, every=0.2)


# -- keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("p", "pause"),
        ("P", "pause"),
        ("r", "resume"),
        ("R", "resume"),
        ("c", "save"),
        ("C", "save"),
    ],
)
def test_keys_send_commands(held: Path, key: str, name: str) -> None:
    async def look(app: MonitorApp, pilot) -> None:
        await pilot.press(key)
        assert commands(held) == [{"command": name, "args": {}}]
        assert f"{name} sent" in line(app, "keys")

    drive(look, held)


def test_a_confirmation_fades(held: Path) -> None:
    async def look(app: MonitorApp, pilot) -> None:
        begin = time.monotonic()
        await pilot.press("p")
        assert "pause sent" in line(app, "keys")
        await until(pilot, lambda: "p pause" in line(app, "keys"), 4)
        assert 0.9 * CONFIRM_SECONDS < time.monotonic() - begin < CONFIRM_SECONDS + 1.5

    drive(look, held)


def test_stop_asks_once(held: Path) -> None:
    async def look(app: MonitorApp, pilot) -> None:
        await pilot.press("s")
        assert isinstance(app.screen, Question)
        await pilot.press("n")
        assert commands(held) == []
        await pilot.press("S", "y")
        assert commands(held) == [{"command": "stop", "args": {}}]
        assert "stop sent" in line(app, "keys")

    drive(look, held)


@pytest.mark.parametrize("key", ["p", "c", "s"])
def test_commands_to_nobody_are_refused_in_words(run: Path, key: str) -> None:
    async def look(app: MonitorApp, pilot) -> None:
        await pilot.press(key)
        assert "nobody trains this run now" in line(app, "keys")
        assert commands(run) == []

    drive(look, run)


def test_a_command_that_cannot_be_written_is_told(held: Path) -> None:
    async def look(app: MonitorApp, pilot) -> None:
        os.rename(held / "control", held / "control-away")
        (held / "control").write_text("")
        await pilot.press("p")
        assert "pause could not be sent" in line(app, "keys")

    drive(look, held)


def test_resume_offers_to_start_a_trainer(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    started: list[subprocess.Popen] = []

    def start(path: Path, arguments: list[str]) -> launch.Background:
        asked.append(arguments)
        program = "import sys; sys.stdin.read(); print('no such luck'); sys.exit(2)"
        log = path / "logs" / "background-test.log"
        with open(log, "wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=output
            )
        started.append(process)
        return launch.Background(path, log, process)

    monkeypatch.setattr(launch, "start", start)

    async def look(app: MonitorApp, pilot) -> None:
        await pilot.press("r")
        assert isinstance(app.screen, Question)
        await pilot.press("escape")
        assert asked == []
        await pilot.press("r", "y")
        assert asked == [["resume", "--run", str(run)]]
        assert "a trainer is starting" in line(app, "keys")
        started[0].stdin.close()  # until here it waits: on a slow machine it ended before the look
        await until(pilot, lambda: "ended with code 2: no such luck" in line(app, "keys"))
        assert app.background == []

    drive(look, run)


def test_help_and_quit(held: Path) -> None:
    async def look(app: MonitorApp, pilot) -> None:
        await pilot.press("question_mark")
        assert isinstance(app.screen, Help)
        await pilot.press("q")
        assert not isinstance(app.screen, Help)
        await pilot.press("Q")

    app = drive(look, held)
    assert app.return_code == 0
    assert commands(held) == [], "leaving tells the training nothing"


@pytest.mark.parametrize("screen", ["dashboard", "help", "form", "picker"])
def test_ctrl_c_leaves_from_everywhere(held: Path, screen: str) -> None:
    async def look(app: MonitorApp, pilot) -> None:
        keys = {"dashboard": [], "help": ["h"], "form": ["e", "slash"], "picker": ["o"]}
        await pilot.press(*keys[screen], "ctrl+c")
        assert app._exit

    assert drive(look, held, root=held.parent).return_code == 0


def test_panels_of_an_empty_run(run: Path) -> None:
    for name in ("status.json", "run.json", "logs/metrics.ndjson", "logs/events.ndjson"):
        (run / name).unlink()
    view = RunReader(run).look()
    for lines in (
        history_lines(view, 40),
        health_lines(view, 40),
        curve_lines(view, 40, 10),
        feed_lines(view, 40),
    ):
        assert len(lines) == 1
    assert clock(None) == "–" and clock(1e30) == "–"


def test_doctored_figures_out_of_range(run: Path) -> None:
    doctor(
        run,
        figures={"progress": 7.0, "elo": float("inf")},
        eta_seconds=float("nan"),
        iteration=10**30,
        losses={"loss": 1e300},
    )
    frame(RunReader(run).look(), 80)


def test_leaving_while_a_look_is_under_way_is_quiet(held: Path) -> None:
    """Found by a picture of a run at work: what was looked at came after its panels had gone."""

    async def act(app: MonitorApp, pilot) -> None:
        await app.screen.remove_children()
        await app.screen._look()

    drive(act, held)
