"""Seeded bugs: changes of the source that some experiment must notice (R3, teeth).

A bug is an edit of one place. It is applied to a copy of the package, and the experiment that is
said to catch it runs on that copy; the product has no hooks for it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import ludus
from ludus import _core

# An editable installation finds its modules by a finder of its own, before any path; the copy's
# must be found first.
_SITE = """
import sys
sys.meta_path[:] = [f for f in sys.meta_path if "editable" not in type(f).__module__]
"""


@dataclass(frozen=True)
class Bug:
    """A seeded bug.

    Attributes:
        name: of its own.
        about: what is wrong, in one line.
        file: of the package, such as ``runs/files.py``.
        old: text that the file has exactly once.
        new: what stands there instead.
        caught_by: name of the experiment that must fail.
        minutes: budget with which the experiment is run to catch it.
    """

    name: str
    about: str
    file: str
    old: str
    new: str
    caught_by: str
    minutes: float = 2.0


def package() -> Path:
    """The package's folder."""
    return Path(ludus.__file__).resolve().parent


def changed(bug: Bug) -> str:
    """The text of the file with the bug in it.

    Raises:
        ValueError: the file does not have the old text exactly once.
    """
    text = (package() / bug.file).read_text()
    if text.count(bug.old) != 1:
        raise ValueError(
            f"seeded bug {bug.name}: {bug.file} has its text {text.count(bug.old)} times, not once"
        )
    return text.replace(bug.old, bug.new)


def seed_bug(bug: Bug | None, folder: Path) -> Path:
    """A copy of the package, with the bug in it if there is one; the folder to import it from."""
    copy = folder / "ludus"
    shutil.copytree(package(), copy, ignore=shutil.ignore_patterns("__pycache__"))
    core = Path(_core.__file__)
    if not (copy / core.name).exists():
        shutil.copy(core, copy / core.name)
    if bug is not None:
        (copy / bug.file).write_text(changed(bug))
    (folder / "sitecustomize.py").write_text(_SITE)
    return folder
