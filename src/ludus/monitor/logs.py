"""What a view takes from the logs: the newest events, and curves; bounded however long they are."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from ludus import reading
from ludus.monitor.series import Series
from ludus.runs import NdjsonReader

TAIL_BYTES = 1 << 20
"""Events are read from this far before the end of their log."""

_CHUNK = 256
_MOST_CURVES = 200

CURVES: dict[str, dict[str, tuple[str, ...]]] = {
    "train_step": {
        "train_step": ("loss_total", "loss_policy", "loss_value", "entropy", "lr", "grad_norm")
    },
    "selfplay_iter": {
        "iteration": (
            "games_per_second",
            "leaves_per_second",
            "mean_score",
            "mean_plies",
            "policy_entropy",
            "fallback_rate",
        )
    },
    "game_stats": {"games": ("mean_score", "score_difference", "mean_plies", "games_per_second")},
    "gate_summary": {"iteration": ("win_rate",)},
    "evaluation": {"iteration": ("win_rate",)},
    "oracle_eval": {"iteration": ("mean", "oracle_match_rate_overall")},
    "rating": {"iteration": ("elo",)},
    "health": {"iteration": ("*",)},
}
"""Record -> clock -> numeric fields that become curves named ``<record>.<field>``; ``*`` is all.

Evaluations are told apart by opponent: ``evaluation.win_rate.<opponent>``.
"""

_ENVELOPE = frozenset(("event", "ts_ms", "run_id", "v", "git_hash", "config_hash", "step"))


class Tail:
    """The newest records of a log, newest last.

    Attributes:
        kept: the records.
        bad: lines that were no JSON.
    """

    def __init__(self, path: Path, most: int) -> None:
        self._path = path
        self.kept: deque[dict[str, Any]] = deque(maxlen=most)
        self._open()

    def _open(self) -> None:
        self._reader = NdjsonReader(self._path)
        self._reader.offset = _line_start(self._path, TAIL_BYTES)
        self.kept.clear()

    @property
    def bad(self) -> int:
        """Lines that were no JSON."""
        return self._reader.bad

    def read(self) -> None:
        """Take what was appended. A log that was cut (a resumed run) is read again."""
        before = self._reader.restarts
        records = list(self._reader.poll())
        if self._reader.restarts != before:
            self._open()
            records = list(self._reader.poll())
        self.kept.extend(records)


class Curves:
    """Curves out of the metrics.

    Attributes:
        share: of the log that was read, 1 when all was.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.share = 1.0
        self._open()

    def _open(self) -> None:
        self._reader = NdjsonReader(self._path)
        self._series: dict[str, Series] = {}
        self._shown: dict[str, Series] = {}
        self._touched: set[str] = set()

    @property
    def bad(self) -> int:
        """Lines that were no JSON."""
        return self._reader.bad

    def read(self, budget: float | None) -> None:
        """Take what was appended, for at most `budget` seconds; None takes all."""
        end = None if budget is None else time.monotonic() + budget
        records, restarts = self._reader.poll(), self._reader.restarts
        self.share = 1.0
        while chunk := list(islice(records, _CHUNK)):
            if self._reader.restarts != restarts:
                # A resumed run cut what was not committed: what was drawn before is drawn again.
                self._open()
                records, restarts = self._reader.poll(), self._reader.restarts
                continue
            for record in chunk:
                self._draw(record)
            if end is not None and time.monotonic() >= end:
                self.share = self._part()
                break
        if self._reader.restarts != restarts:
            self._open()  # cut to nothing
        del records  # closes the file; the reader knows how far it came

    def _part(self) -> float:
        try:
            return min(0.99, self._reader.offset / self._path.stat().st_size)
        except (OSError, ZeroDivisionError):
            return 1.0

    def curves(self) -> dict[str, Series]:
        """The curves as they are now; later reading does not change them."""
        for key in self._touched:
            self._shown[key] = self._series[key].copy()
        self._touched.clear()
        return dict(self._shown)

    def _draw(self, record: Mapping[str, Any]) -> None:
        name = str(record.get("event"))
        for clock, fields in CURVES.get(name, {}).items():
            x = record.get("step") if clock == name else record.get(clock)
            if isinstance(x, bool) or not isinstance(x, int | float):
                continue
            if fields == ("*",):
                fields = tuple(one for one in record if one not in _ENVELOPE and one != clock)
            for one in fields:
                y = record.get(one)
                if isinstance(y, bool) or not isinstance(y, int | float):
                    continue
                key = f"{name}.{one}"
                if name == "evaluation":
                    key = f"{key}.{record.get('opponent')}"
                self._add(key, clock, float(x), float(y))

    def _add(self, key: str, clock: str, x: float, y: float) -> None:
        if key not in self._series and len(self._series) >= _MOST_CURVES:
            return
        series = self._series.setdefault(key, Series(clock))
        if not series.x or x >= series.x[-1]:
            series.add(x, y)
            self._touched.add(key)


def _line_start(path: Path, back: int) -> int:
    """Offset of the first whole line of the last `back` bytes; 0 for a shorter file."""
    try:
        with reading.open_regular(path) as file:
            size = file.seek(0, 2)
            if size <= back:
                return 0
            file.seek(size - back)
            file.readline()
            return file.tell()
    except OSError:
        return 0
