"""The kept stub of the compiled module is the one that the module generates."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_stub_is_current(repository: Path, tmp_path: Path) -> None:
    """`_core.pyi` is what mypy and editors see; a stale one would let a wrong call pass."""
    made = tmp_path / "_core.pyi"
    import ludus._core

    module = Path(ludus._core.__file__)
    # As CMake does it: the module alone, under its short name.
    generate = [sys.executable, "-m", "nanobind.stubgen", "-q"]
    done = subprocess.run(
        [*generate, "-i", str(module.parent), "-m", "_core", "-o", str(made)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kept = repository / "src" / "ludus" / "_core.pyi"
    assert made.read_text("utf-8") == kept.read_text("utf-8"), (
        "src/ludus/_core.pyi is stale: build with -DLUDUS_INPLACE=ON, or copy the generated stub"
    )
