"""docs/control.md says of every setting when it may change, as the settings themselves do."""

from __future__ import annotations

import re
from pathlib import Path

from ludus.runs.control import COMMANDS
from ludus.training.keys import changes
from ludus.training.states import State

ROWS = {
    "at once": "now",
    "with the next iteration": "next_iteration",
    "at a start": "at_start",
}


def test_every_setting_that_may_change_is_in_its_row(repository: Path) -> None:
    page = (repository / "docs/control.md").read_text("utf-8")
    for row, kind in ROWS.items():
        line = re.search(rf"^\| {row}[^|]*\|([^|]*)\|$", page, re.M)
        assert line is not None
        named = re.findall(r"`([a-z_]+\.[a-z_.*]+)`", line[1])
        assert len(set(named)) == len(named)
        wholes = [name.removesuffix("*") for name in named if name.endswith(".*")]
        expected = set()
        for key in (key for key, how in changes().items() if how == kind):
            whole = next((name for name in wholes if key.startswith(name)), None)
            expected.add(key if whole is None else f"{whole}*")
        assert set(named) == expected


def test_states_and_commands_are_there(repository: Path) -> None:
    from typing import get_args

    page = (repository / "docs/control.md").read_text("utf-8")
    for state in get_args(State):
        assert re.search(rf"^    (\S+ --> )?{state}\b", page, re.M), state
    for command in COMMANDS:
        assert f"`./ludus {command}" in page
