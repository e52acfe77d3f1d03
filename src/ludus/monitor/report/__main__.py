"""Write the report of the run that is named; says where its page is. For ``after_training``."""

from __future__ import annotations

import sys
from pathlib import Path

from ludus.errors import LudusError
from ludus.monitor.report.writing import write_report


def main(arguments: list[str]) -> int:
    """Returns the exit code: 0, or 2 with one sentence on stderr."""
    try:
        report = write_report(Path(arguments[0]))
    except LudusError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{report.page}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
