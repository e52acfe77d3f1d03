"""The memory of a training of pattern tables: bounded, and the same however long it lasts."""

import subprocess
import time

import psutil
import pytest
from tests.training.tiny import command, environment

from ludus.runs import Run, is_run, lock_holder

GAMES = 400_000
MB = 1_000_000


def peak(pid: int) -> int:
    """Most bytes that the process ever had in memory, as the kernel counts them."""
    with open(f"/proc/{pid}/status") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_peak_is_below_600_mb_and_nothing_grows(tmp_path):
    path, highest, seen = tmp_path / "run", 0, []
    settings = ("selfplay.games_per_iteration=50000", "evaluation.pairs=20")
    process = subprocess.Popen(
        command(
            *("train", "othello", "--run", str(path), "--games", str(GAMES)),
            *(word for text in settings for word in ("--set", text)),
        ),
        env=environment(),
        stderr=subprocess.PIPE,
    )
    while process.poll() is None:
        time.sleep(0.2)
        holder = lock_holder(path) if is_run(path) else None
        if holder is None:
            continue
        try:
            highest = max(highest, peak(holder.pid))
            done = Run.open(path, write=False).manifest.counters.get("selfplay_games", 0)
            seen.append((done, psutil.Process(holder.pid).memory_info().rss))
        except (OSError, psutil.NoSuchProcess):
            continue
    _, said = process.communicate()
    assert process.returncode == 0, said.decode()
    assert 100 * MB < highest < 600 * MB
    # What is always there. Commits take some for a while, more the more has been learned.
    begun, ended = (
        min(size for done, size in seen if low <= done < high)
        for low, high in ((GAMES // 4, GAMES // 2), (GAMES * 3 // 4, GAMES))
    )
    print(f"peak {highest / MB:.0f} MB, {begun / MB:.0f} MB, at the end {ended / MB:.0f} MB")
    assert ended - begun < 4 * MB
