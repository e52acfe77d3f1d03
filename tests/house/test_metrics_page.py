"""docs/metrics.md names every record that Ludus writes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

WRITERS = {"append", "append_if_possible"}


def records(tree: ast.AST) -> set[str]:
    """Names of records: first argument of append() on a log, where it is a text."""
    found = set()
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        whose = ast.unparse(node.func.value)
        log = whose.endswith(("events", "metrics")) or ".log(" in whose
        if node.func.attr in WRITERS and log and node.args:
            for one in ast.walk(node.args[0]):
                if isinstance(one, ast.Constant) and isinstance(one.value, str):
                    found.add(one.value)
    return found


def test_the_search_finds_records() -> None:
    source = """
run.metrics.append("a", step=1)
session.run.events.append_if_possible("b", x="no")
run.log("roots").append("c")
parts.append("no")
"""
    assert records(ast.parse(source)) == {"a", "b", "c"}


def test_every_record_is_on_the_page(repository: Path) -> None:
    page = (repository / "docs/metrics.md").read_text("utf-8")
    cells = re.findall(r"^\|([^|]*)\|", page, re.M)
    named = {name for cell in cells for name in re.findall(r"`([a-z_]+)`", cell)}
    written: set[str] = set()
    for path in (repository / "src" / "ludus").rglob("*.py"):
        written |= records(ast.parse(path.read_text("utf-8")))
    assert {"health", "train_step", "commit", "mcts_root"} <= written
    assert {"game_stats", "game_details"} <= named  # written by a variable name
    assert not written - named, f"not on docs/metrics.md: {sorted(written - named)}"
