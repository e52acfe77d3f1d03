"""The command ``./ludus test durability``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.durability.running import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
