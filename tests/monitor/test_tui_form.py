"""The run picker and the form of settings."""

import asyncio
import json
import time
from pathlib import Path

import pytest
import yaml
from tests.monitor.conftest import at_work
from tests.monitor.screens import drive, line, shown, until
from textual.widgets import Input

from ludus.cli.main import main
from ludus.monitor.tui import launch
from ludus.monitor.tui.app import MonitorApp
from ludus.monitor.tui.checks import checks_of
from ludus.monitor.tui.dashboard import Dashboard
from ludus.monitor.tui.dialogs import Question
from ludus.monitor.tui.draft import DRAFT, Draft, free_path
from ludus.monitor.tui.form import Form
from ludus.monitor.tui.knobs import knobs
from ludus.monitor.tui.listing import Listing
from ludus.monitor.tui.picker import Picker
from ludus.runs import RunLock
from ludus.training.keys import known_keys


async def choose(app: MonitorApp, pilot, key: str) -> None:
    """Go to a setting."""
    listing = app.screen.query_one(Listing)
    before = [one for one in listing._keys if one is not None]
    listing.choose(before[before.index(key) - 1])
    await pilot.press("down")
    assert listing.chosen == key


async def type_in(app: MonitorApp, pilot, text: str) -> None:
    """Type a value in the place of what is there, and take it."""
    await pilot.press("enter")
    app.screen.query_one(Input).value = ""
    await pilot.press(*text, "enter")


# -- knobs and drafts ---------------------------------------------------------------------------


def test_there_is_a_knob_for_every_setting() -> None:
    assert list(knobs()) == list(known_keys())
    for key, knob in knobs().items():
        assert knob.allowed and knob.about, key
        assert knob.changeable == known_keys()[key]
    assert knobs()["search.rule"].choices == ("puct", "gumbel")
    assert knobs()["run.total_iterations"].optional
    hidden = knobs()["model.hidden_dim"]
    assert (hidden.kind, hidden.low, hidden.high, hidden.multiple) == ("int", 32, 8192, 32)


@pytest.mark.parametrize(
    ("key", "value", "by", "result"),
    [
        ("search.budget", 32, 1, 33),
        ("search.budget", 128, -1, 118),
        ("search.budget", 0, -1, 0),
        ("search.budget", 60000, 1, 60000),
        ("model.hidden_dim", 256, 1, 288),
        ("model.hidden_dim", 32, -1, 32),
        ("model.margin_head", True, 1, False),
        ("search.rule", "puct", 1, "gumbel"),
        ("search.rule", "puct", -1, "gumbel"),
        ("gating.alpha", 0.05, 1, 0.051),
        ("training.learning_rate.start", 0.001, -1, 0.00099),
        ("training.final_fraction", 1.0, 1, 1.0),
        ("run.total_iterations", None, 1, 0),
        ("evaluation.opponents", ["first"], 1, ["first"]),
    ],
)
def test_steps_stay_in_range(key: str, value: object, by: int, result: object) -> None:
    turned = knobs()[key].turned(value, by)
    assert turned == result and type(turned) is type(result)


def test_no_step_of_any_setting_leaves_the_schema() -> None:
    draft, _ = Draft.open(Path("nowhere-at-all"))
    for key, knob in knobs().items():
        for by in (1, -1):
            value = draft.base[key]
            for _ in range(3):
                value = knob.turned(value, by)
            sentence = draft.set(key, value)
            # Only what does not fit beside another setting may be refused, never its own range.
            assert sentence is None or f"must be {knob.allowed}" not in sentence, sentence
            draft.reset(key)


def test_a_draft_is_checked_saved_and_loaded(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "new"
    draft, trouble = Draft.open(path)
    assert trouble is None and draft.recipe == "yatzy" and not path.exists()
    assert draft.set_text("search.budget", "-1") == (
        f"search.budget = -1 ({DRAFT}) must be a whole number, at least 0, at most 60000"
    )
    assert draft.set_text("search.budget", "48") is None
    assert "multiple of" in str(draft.set_text("selfplay.slots", "100"))
    assert draft.reset("selfplay.slots") is None
    assert draft.set_text("search.budget_by_kind", "{mark: 8}") is None
    assert "did you mean mark" in str(draft.set_text("search.budget_by_kind", "{marc: 8}"))
    draft.reset("search.budget_by_kind")
    assert draft.choose("yatzy", "quick", None) is None
    draft.save()
    again, trouble = Draft.open(path)
    assert trouble is None
    assert (again.preset, again.changes) == ("quick", {"search.budget": 48})
    again.reset("search.budget")
    again.save()
    assert Draft.open(path)[0].changes == {}, "a draft is overwritten"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("search: [1", "is no YAML"),
        ("serach: {budget: 1}", "did you mean"),
        ("- 1", "must hold settings by section"),
    ],
)
def test_a_damaged_draft_is_one_sentence(tmp_path: Path, text: str, part: str) -> None:
    (tmp_path / DRAFT).write_text(text)
    draft, trouble = Draft.open(tmp_path)
    assert trouble is not None and part in trouble and "\n" not in trouble
    assert draft.changes == {}
    assert (tmp_path / DRAFT).read_text() == text, "it is there until a new one is saved"


def test_a_draft_of_a_run_has_only_what_may_change(run: Path) -> None:
    draft, _ = Draft.open(run)
    assert draft.exists and draft.base["model.hidden_dim"] == 32
    assert "fixed for the life" in str(draft.set("model.hidden_dim", 64))
    assert draft.set("run.commit_seconds", 30.0) is None
    draft.save()
    tree = yaml.safe_load((run / DRAFT).read_text())
    assert tree == {"run": {"commit_seconds": 30.0}}
    (run / DRAFT).write_text("model: {hidden_dim: 64}\nrun: {commit_seconds: 20}\n")
    again, trouble = Draft.open(run)
    assert again.changes == {"run.commit_seconds": 20}
    assert trouble is not None and "model.hidden_dim" in trouble


def test_the_command_of_a_draft_is_one_that_train_takes(tmp_path: Path) -> None:
    from ludus.training.request import TrainRequest

    draft, _ = Draft.open(tmp_path / "new")
    draft.choose("alphazero", "default", None)
    assert "name it" in str(draft.check())
    assert draft.choose("alphazero", "default", "yatzy") is None
    draft.set("search.budget", 7)
    draft.save()
    words = draft.command()
    assert words[:2] == ["train", "alphazero"]
    request = TrainRequest.make(
        "alphazero", game="yatzy", run=draft.path, config=draft.file, environment={}
    )
    assert request.create and request.settings["search"]["budget"] == 7


def test_checks_before_a_start(run: Path, tmp_path: Path) -> None:
    draft, _ = Draft.open(tmp_path / "new")
    draft.save()
    checks = checks_of(draft)
    assert checks[0].name == "settings" and not [one for one in checks if one.level == "bad"]
    draft.set("run.floor_free_mb", 10**12)
    draft.save()
    assert [one.name for one in checks_of(draft) if one.level == "bad"] == ["disk"]
    draft.changes = {"search.budget": -5}
    draft.save()
    assert "search.budget = -5" in checks_of(draft)[0].text
    done, _ = Draft.open(run)
    done.set("run.total_iterations", 1)
    done.save()
    bad = [one for one in checks_of(done) if one.level == "bad"]
    assert [one.name for one in bad] == ["limit"] and "nothing to do" in bad[0].text
    lock = RunLock.acquire(run)
    (refused,) = checks_of(done)
    assert refused.level == "bad" and "is in use by process" in refused.text
    lock.release()


def test_a_free_directory(tmp_path: Path) -> None:
    assert free_path(tmp_path, "yatzy") == tmp_path / "yatzy"
    (tmp_path / "yatzy").mkdir()
    assert free_path(tmp_path, "yatzy") == tmp_path / "yatzy-2"


# -- the picker ---------------------------------------------------------------------------------


def test_the_picker_lists_runs_and_drafts(run: Path) -> None:
    root = run.parent
    draft, _ = Draft.open(root / "planned")
    draft.save()
    at_work(run, 4242, rating={"elo": 1234.4})

    async def look(app: MonitorApp, pilot) -> None:
        assert isinstance(app.screen, Picker)
        text = shown(app)
        row = next(one for one in text.splitlines() if one.startswith("tiny"))
        assert row.split()[:6] == ["tiny", "✗", "dead", "yatzy", "2/2", "1234"] and "ago" in row
        assert "planned" in text and "draft" in text
        assert app.screen.query_one(Listing).chosen == str(run)
        await pilot.press("down", "enter")
        assert isinstance(app.screen, Form) and app.screen.draft.path == root / "planned"
        await pilot.press("escape", "up", "enter")
        assert isinstance(app.screen, Dashboard)
        await pilot.press("o")
        assert isinstance(app.screen, Picker)
        await pilot.press("escape")
        assert isinstance(app.screen, Dashboard)

    drive(look, None, root=root)


def test_an_empty_folder_waits_for_a_run(run: Path, tmp_path: Path) -> None:
    root = tmp_path / "empty"

    async def look(app: MonitorApp, pilot) -> None:
        waiting = "".join(line(app, "waiting").split())  # long paths are wrapped anywhere
        assert str(root) in waiting and "ludustrainyatzy" in waiting
        root.mkdir()
        run.rename(root / "tiny")
        await until(pilot, lambda: isinstance(app.screen, Dashboard))

    drive(look, None, root=root, every=0.1)


@pytest.mark.parametrize("pauses", range(3))
@pytest.mark.parametrize("screen", ["run", "runs", "form"])
def test_leaving_while_a_screen_opens_is_quiet(run: Path, screen: str, pauses: int) -> None:
    """It is mounted without its widgets where the monitor closes first."""

    async def look(app: MonitorApp, pilot) -> None:
        match screen:
            case "run":
                app.open_run(run)
            case "runs":
                app.choose_run()
            case "form":
                app.edit(None, None)
        for _ in range(pauses):
            await asyncio.sleep(0)

    drive(look, None, root=run.parent)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60), (40, 12)])
def test_picker_and_form_in_every_size(run: Path, size: tuple[int, int]) -> None:
    async def look(app: MonitorApp, pilot) -> None:
        assert "tiny" in shown(app)
        await pilot.press("n")
        assert isinstance(app.screen, Form) and "recipe" in shown(app)
        await pilot.press("end")
        assert app.screen.query_one(Listing).scroll_offset.y > 0

    drive(look, None, root=run.parent, size=size)


# -- the form -----------------------------------------------------------------------------------


def test_a_new_run_is_configured_and_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[Path, list[str]]] = []

    def start(path: Path, arguments: list[str]) -> launch.Background:
        started.append((path, arguments))
        background = real(path, ["--version"])
        background._process.wait()
        return background

    real = launch.start
    monkeypatch.setattr(launch, "start", start)
    root = tmp_path / "runs"

    async def look(app: MonitorApp, pilot) -> None:
        await pilot.press("n")
        form = app.screen
        assert isinstance(form, Form)
        await choose(app, pilot, "preset")
        await pilot.press("right")
        assert form.draft.preset == "quick" and "‹ quick ›" in shown(app)
        await choose(app, pilot, "search.budget")
        await pilot.press("right")
        assert form.draft.changes == {"search.budget": 17}
        assert "● budget" in shown(app) and "was 16" in shown(app)
        assert "Simulations of a decision" in line(app, "detail")
        assert "at most 60000" in line(app, "detail")
        await type_in(app, pilot, "many")
        problem = " ".join(line(app, "detail").split())
        assert "search.budget = 'many' (config.draft.yaml) must be a whole number" in problem
        await pilot.press("t")
        assert started == [] and "not yet" in line(app, "detail")
        await type_in(app, pilot, "24")
        assert form.problem is None
        await choose(app, pilot, "search.rule")
        await pilot.press("right", "backspace")
        await pilot.press("s")
        assert "saved" in line(app, "title")
        assert yaml.safe_load((root / "yatzy" / DRAFT).read_text()) == {"search": {"budget": 24}}
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("y")
        assert isinstance(app.screen, Dashboard)
        assert "Waiting for a training" in line(app, "waiting")

    drive(look, None, root=root)
    path, arguments = started[0]
    assert path == root / "yatzy"
    where = str(path.resolve())
    config = ["--config", f"{where}/{DRAFT}"]
    assert arguments == ["train", "yatzy", "--run", where, "--preset", "quick", *config]


def test_the_filter(run: Path) -> None:
    async def look(app: MonitorApp, pilot) -> None:
        await pilot.press("e", "slash", *"learning rate", "enter")
        text = shown(app)
        assert "learning_rate.start" in text and "lanes" not in text
        await pilot.press("escape")
        assert "commit_seconds" in shown(app)
        await pilot.press("slash", *"zzz", "enter")
        assert "nothing has 'zzz' in it" in shown(app)

    drive(look, run)


def test_settings_of_a_live_run_are_sent(run: Path) -> None:
    import os

    lock = RunLock.acquire(run)
    at_work(run, os.getpid())

    async def look(app: MonitorApp, pilot) -> None:
        await pilot.press("e")
        await choose(app, pilot, "model.hidden_dim")
        await pilot.press("right")
        assert "fixed for the life of a run" in line(app, "detail")
        await choose(app, pilot, "run.commit_seconds")
        await type_in(app, pilot, "25")
        await choose(app, pilot, "metrics.prometheus_port")
        await type_in(app, pilot, "9100")
        await pilot.press("t")
        said = " ".join(line(app, "detail").split())
        assert "a setting sent to the trainer; at the next start: metrics.prometheus_port" in said

    try:
        drive(look, run)
    finally:
        lock.release()
    (one,) = (run / "control").glob("*.json")
    args = {"key": "run.commit_seconds", "value": "25"}
    assert json.loads(one.read_text()) == {"command": "set", "args": args}


def test_unsaved_changes_are_asked_for(run: Path) -> None:
    async def look(app: MonitorApp, pilot) -> None:
        await pilot.press("e")
        await choose(app, pilot, "run.commit_seconds")
        await pilot.press("right", "escape")
        assert isinstance(app.screen, Question)
        await pilot.press("n")
        assert isinstance(app.screen, Form)
        await pilot.press("escape", "y")
        assert isinstance(app.screen, Dashboard)

    drive(look, run)
    assert not (run / DRAFT).exists()


def test_a_damaged_draft_is_told_in_the_form(run: Path) -> None:
    (run / DRAFT).write_text("run: {commit_secs: 5}")

    async def look(app: MonitorApp, pilot) -> None:
        await pilot.press("e")
        assert "did you mean run.commit_seconds" in " ".join(line(app, "detail").split())

    drive(look, run)


# -- trainings in the background ----------------------------------------------------------------


def test_a_background_command_has_a_session_and_a_log_of_its_own(tmp_path: Path) -> None:
    started = launch.start(tmp_path / "new", ["train", "no-such-recipe"])
    end = time.monotonic() + 20
    while (sentence := started.ended()) is None and time.monotonic() < end:
        time.sleep(0.05)
    assert sentence is not None and "there is no recipe 'no-such-recipe'" in sentence
    assert started.log.parent == tmp_path / "new" / "logs"
    assert started.ended() is None, "it is told once"


@pytest.mark.slow
def test_a_training_from_a_draft_goes_on_without_its_starter(tmp_path: Path) -> None:
    from tests.training.tiny import SETTINGS

    from ludus.runs import describe_run, is_run

    draft, _ = Draft.open(tmp_path / "new")
    for one in SETTINGS:
        key, _, value = one.partition("=")
        draft.set_text(key, value)
    assert draft.set("run.total_iterations", 1) is None
    draft.save()
    started = launch.start(draft.path, draft.command())
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if is_run(draft.path) and describe_run(draft.path).state == "done":
            break
        time.sleep(0.2)
    assert describe_run(draft.path).state == "done"
    while started._process.poll() is None:
        time.sleep(0.05)
    assert started.ended() is None
    assert main(["status", str(draft.path)]) == 0
