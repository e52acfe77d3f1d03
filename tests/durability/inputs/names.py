"""S9: names, comments and log lines that would steer whoever shows them are shown as text.

Each hostile text is put into every place of a run that people fill: its folder, recipe, players,
guards, alerts, events, errors. The report, the terminal, the logs and Prometheus then show it, and
what they show is taken apart by other programs than those that made it.
"""

from __future__ import annotations

import csv
import io
import json
import random
import shutil
import unicodedata
from collections import Counter
from contextlib import redirect_stdout
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from tests.durability.experiment import Budget, Outcome
from tests.runs.helpers import commit, new_run

from ludus.errors import LudusError
from ludus.runs import Run

_PIECES = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"'><svg/onload=alert(1)>",
    "</td></table><iframe src=javascript:alert(1)>",
    "&lt;b&gt;&#60;",
    "{{ 7*7 }}{% include 'x' %}",
    "\x1b[31m\x1b[2J",
    "\x1b]0;title\x07",
    "\x9b31m",
    "\x08\x08\x7f\x00",
    "\u202egnp.exe\u2066",
    "\ufeff\u200b\u2028\u2029\x85",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    '",=1,"',
    "a\nb",
    "a\r\nHTTP/1.1 200 OK",
    '"} 1\nludus_evil{x="',
    "\\",
    '\\"',
    "{x='y'}",
    "../../etc/passwd",
    "/etc/passwd",
    "..\\..\\x",
    "%2e%2e%2f",
    "~root",
    "$(touch x)",
    "`id`",
    "; rm -rf /",
    "[bold]x[/bold] [@click=app.quit]y[/]",
    "%s%n {0}",
    "\U0001f600\u0301",
    "ludus.." + "x" * 300,
)
_MARK = "evil"
_LABEL = 200
"""Characters of a label at most: the end of a longer text is not there."""


def texts(rng: random.Random, count: int) -> list[str]:
    """Hostile texts: each piece alone first, then pieces together."""
    found = list(_PIECES)
    rng.shuffle(found)
    while len(found) < count:
        found.append("".join(rng.choices(_PIECES, k=rng.randrange(2, 4))))
    return [f"{text}{_MARK}{number}" for number, text in enumerate(found[:count])]


def _entry(text: str) -> dict[str, Any]:
    """An iteration in the history as trainers write it, with names of players by somebody else."""
    match = {"win_rate": 0.5, "win_rate_low": 0.4, "win_rate_high": 0.6, "games": 8, "mean": 1.0}
    return {
        "iteration": 0,
        "started_ms": 1,
        "finished_ms": 2,
        "promoted": True,
        "reason": text,
        "evaluate": {"results": {text: match}, text: match},
        "gate": {"decision": text, "win_rate": 0.5, "opponent": text},
    }


def filled(path: Path, text: str) -> Run:
    """A run in which a text stands wherever people or programs may put one."""
    run = new_run(path)
    run.iterations.append(_entry(text))
    commit(run, 1)
    for name in ("notice", "failed", "command", "command_refused", "alert", "worker_failed"):
        fields = {"message": text, "error": text, "reason": text, "command": text, "kind": text}
        run.events.append(name, args={"value": text}, source=text, rule=text, **fields)
    run.metrics.append("evaluation", iteration=1, opponent=text, win_rate=0.5)
    run.metrics.append("health", iteration=1, **{text: 1.5})
    run.status.write(
        {
            "state": "training",
            "recipe": text,
            "game": text,
            "phase": text,
            "reason": text,
            "phases": [text],
            "guards": [{"name": text, "state": "warning", "text": text, "count": 1}],
            "alerts": [{"name": text, "message": text, "since_ms": 1, "severity": text}],
            "counters": {text: 3},
            "figures": {text: 1.5},
            "memory": {text: 4096},
            "progress": {"done": 1, "total": 2, "unit": text},
        }
    )
    return run


class _Tags(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes |= {f"{tag}.{name}" for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _html(page: str, known: _Tags, text: str) -> str:
    tags = _Tags()
    tags.feed(page)
    if new := set(tags.tags) - set(known.tags):
        return f"the page has an element {sorted(new)[0]} that it should not have"
    if new := tags.attributes - known.attributes:
        return f"the page has an attribute {sorted(new)[0]} that it should not have"
    if text[text.rindex(_MARK) :] not in "".join(tags.text):
        return "the page does not show the text at all"
    return ""


def _controls(shown: str) -> str:
    for char in shown:
        if char != "\n" and unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp"):
            return f"the terminal gets the character {char!r}"
    return ""


def _csv(table: str) -> str:
    rows = list(csv.reader(io.StringIO(table)))
    for row in rows:
        if len(row) != len(rows[0]):
            return "a row of a CSV file has more cells than its head"
        for cell in row:
            number = cell.removeprefix("-").replace(".", "", 1).replace("e-", "", 1)
            if cell.startswith(("=", "+", "-", "@", "\t", "\r")) and not number.isdigit():
                return f"a cell begins like a formula: {cell[:40]!r}"
    return ""


def _prometheus(run: Path) -> str:
    from prometheus_client.parser import text_string_to_metric_families

    from ludus.monitor.exporters.prometheus import Exporter

    text = Exporter(run).text().decode()
    try:
        families = list(text_string_to_metric_families(text))
    except ValueError as error:
        return f"/metrics cannot be read: {error}"
    for family in families:
        if not family.name.startswith("ludus_") or family.name.startswith("ludus_evil"):
            return f"/metrics has a family {family.name[:60]!r}"
    told = [value for one in families for sample in one.samples for value in sample.labels.values()]
    if not any(_MARK in value or len(value) == _LABEL for value in told):
        return "/metrics does not show the text at all"
    return ""


def _log(run: Path, text: str) -> str:
    for name in ("events", "metrics"):
        for line in (run / "logs" / f"{name}.ndjson").read_bytes().split(b"\n")[:-1]:
            try:
                record = json.loads(line)
            except ValueError:
                return f"a line of {name}.ndjson is no JSON: {line[:60]!r}"
            if record["event"] == "notice" and record["message"] != text:
                return f"{name}.ndjson has {record['message']!r}"
    return ""


def _paths(run: Run, text: str, outside: set[Path]) -> str:
    """The text as a name of something that is stored."""
    from ludus.arena.seeds import stored_path

    for store in (
        lambda: run.put_file(text, b"x"),
        lambda: run.put_file(f"games/{text}.txt", b"x"),
        lambda: run.put_index(text, [], {}),
        lambda: run.put_object(text, {}, {}),
        lambda: run.log(text).append("x"),
    ):
        try:
            store()
        except (LudusError, ValueError, OSError):
            continue
    if set(run.path.parent.rglob("*")) - set(run.path.rglob("*")) - {run.path} != outside:
        return "something was stored outside the run"
    try:
        if stored_path(text).parent != stored_path("x").parent:
            return "a seed set would lie elsewhere"
    except LudusError:
        pass
    return ""


def look(path: Path, text: str, known: _Tags) -> str:
    """What is wrong in what is shown of a run with this text in it; nothing if all is well."""
    from ludus.monitor.report import write_report
    from ludus.monitor.tui.once import print_frame
    from ludus.monitor.view import RunReader

    report = write_report(path, path / "told")
    page = report.page.read_text(encoding="utf-8")
    if wrong := _html(page, known, text):
        return wrong
    for name in ("iterations.csv", "curves.csv"):
        if wrong := _csv((report.folder / name).read_text(encoding="utf-8")):
            return f"{name}: {wrong}"
    shown = io.StringIO()
    with redirect_stdout(shown):
        print_frame(RunReader(path).look(), 100)
    return _controls(shown.getvalue()) or _prometheus(path) or _log(path, text)


def _baseline(folder: Path) -> _Tags:
    """Elements and attributes of a page about a run with harmless names."""
    from ludus.monitor.report import write_report

    filled(folder / "calm" / "run", f"plain{_MARK}").close()
    tags = _Tags()
    tags.feed(write_report(folder / "calm" / "run", folder / "calm" / "told").page.read_text())
    return tags


def run(budget: Budget) -> Outcome:
    """Text by text."""
    outcome = Outcome("hostile texts shown")
    known = _baseline(budget.folder)
    for text in texts(budget.random("names"), budget.count(150, 4)):
        outcome.trials += 1
        legal = text.replace("/", "_").replace("\0", "_").encode()[:200].decode("utf-8", "ignore")
        folder = budget.folder / "named"
        folder.mkdir()
        path = folder / legal
        try:
            run = filled(path, text)
            try:
                wrong = look(path, text, known) or _paths(run, text, set())
            finally:
                run.close()
        except Exception as error:  # noqa: BLE001 - whatever a text does to a reader is the finding
            wrong = f"{type(error).__name__}: {str(error)[:160]}"
        if wrong:
            outcome.fail("other", f"{text[:80]!r}: {wrong}")
        shutil.rmtree(folder)
    return outcome
