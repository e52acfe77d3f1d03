"""What the experiments on the disk share: a folder in memory, children, and what a refusal is."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.durability.experiment import Budget

from ludus.errors import CorruptError, VersionError


@contextmanager
def unheard() -> Iterator[None]:
    """Log lines of the code under test go nowhere: thousands of trials are meant to go wrong."""
    logger = logging.getLogger("ludus")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def quick_folder(budget: Budget) -> Iterator[Path]:
    """A folder in memory where there is one.

    For trials that look at contents only: there a flush costs nothing, and means nothing.
    """
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else budget.folder
    with tempfile.TemporaryDirectory(dir=memory, prefix="ludus-durability-") as name:
        yield Path(name)


def refused(read: Callable[[], object]) -> tuple[bool, str]:
    """Whether reading is refused as damage must be, with one sentence; and what happened."""
    try:
        read()
    except (CorruptError, VersionError) as error:
        sentence = str(error)
        if not sentence.strip() or "\n" in sentence:
            return False, f"refused with {sentence[:100]!r}, which is no sentence"
        return True, sentence
    except Exception as error:  # noqa: BLE001 - whatever else comes out is what is looked for
        return False, f"a stray {type(error).__name__}: {str(error)[:100]}"
    return False, "accepted"


def contents(folder: Path) -> dict[str, bytes]:
    """Every regular file below a folder."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not file.is_symlink()
    }


def fork(act: Callable[[], None]) -> int:
    """A child of this process that does one thing and ends, with 0 or 1; returns its id.

    All modules are loaded already, so that it starts in milliseconds. It runs no clean-up of its
    parent's, such as removing temporary folders.
    """
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        act()
        code = 0
    except BaseException as error:  # noqa: BLE001 - a child must never go on as its parent
        os.write(2, f"child: {type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(code)
