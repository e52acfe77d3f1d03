"""Documents point at what is there: files, commands, settings of the launcher."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


def documents(root: Path) -> list[Path]:
    return [root / "README.md", root / "CHANGELOG.md", *sorted((root / "docs").rglob("*.md"))]


def test_links_lead_somewhere(repository: Path) -> None:
    broken = []
    for page in documents(repository):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8")):
            local = not target.startswith(("http://", "https://", "mailto:"))
            if local and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(repository)}: {target}")
    assert not broken


def test_commands_that_documents_show_exist(repository: Path) -> None:
    """Every `./ludus COMMAND` in a code block names a command of the launcher or of the program."""
    from ludus.cli.main import COMMAND_MODULES, build

    assert COMMAND_MODULES
    known = {"setup", "test"}
    for command in build().registered_commands:
        known.add(command.name or (command.callback.__name__ if command.callback else ""))
    known |= {group.name for group in build().registered_groups if group.name}
    shown = set()
    for page in documents(repository):
        for block in re.findall(
            r"```(?:sh|bash|console)?\n(.*?)```", page.read_text("utf-8"), re.S
        ):
            shown |= set(re.findall(r"^(?:\$ )?(?:\S+=\S+ )*\./ludus ([a-z]+)", block, re.M))
    assert shown >= {"train", "test"}
    assert not shown - known


@pytest.mark.parametrize(
    "word", ["candidate", "champion", "lane", "slot", "unit", "seat", "oracle"]
)
def test_the_glossary_has_the_words(repository: Path, word: str) -> None:
    text = (repository / "docs/glossary.md").read_text("utf-8")
    assert re.search(rf"^\|[^|]*\b{word}\b[^|]*\|", text, re.M)


def test_nothing_names_a_machine(repository: Path) -> None:
    """No path of the computer that a page or a file was written on."""
    places = [*documents(repository), *(repository / "src").rglob("*.py"), repository / "ludus"]
    named = [
        path.relative_to(repository).as_posix()
        for path in places
        if re.search(r"(?<![\w.])/(?:root|home|work|Users)/\w", path.read_text("utf-8"))
    ]
    assert not named
