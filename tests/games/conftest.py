"""What several tests of games share."""

from __future__ import annotations

import numpy as np
import pytest

from ludus import _core


@pytest.fixture(scope="session")
def tables():
    """Random pattern tables: they look at all patterns. Nobody changes them."""
    made = _core.PatternTables()
    noise = np.random.default_rng(3).integers(-300, 301, made.all().shape)
    made.load((32768 + noise).astype(np.uint16))
    return made
