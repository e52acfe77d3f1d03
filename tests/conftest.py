"""What every test of Ludus starts from: a quiet, repeatable machine.

Shared fixtures belong to the rooms that need them (`tests/<room>/conftest.py`); here is only what
keeps one developer's environment from changing another's results.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent

# Settings of the person who runs the tests are not settings of the tests (LUDUS__SECTION__KEY).
for name in [name for name in os.environ if name.startswith("LUDUS__")]:
    del os.environ[name]

# Calibrations of the tests are not those of the person either.
os.environ["LUDUS_CACHE"] = tempfile.mkdtemp(prefix="ludus-tests-")
atexit.register(shutil.rmtree, os.environ["LUDUS_CACHE"], ignore_errors=True)

# One thread a library: results must not depend on the machine, and tests share two cores. Set
# before anything imports numpy or torch.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# Processes that tests start see the same sources, installed or not. (Where the project is
# installed, its own finder comes before this path, so a lacking installation still shows.)
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
)

# A shell that starts the tests in the background has them, and all that they start, ignore signals.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

hypothesis.settings.register_profile("ludus", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ludus")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the clone."""
    return ROOT


@pytest.fixture(scope="session")
def data() -> Path:
    """`tests/data`: figures and positions from outside, each with its source."""
    return ROOT / "tests" / "data"
