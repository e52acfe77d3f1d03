"""Seeded bugs in processes, locks, random numbers, resume: which experiment catches each."""

from __future__ import annotations

from tests.durability.bugs import Bug

_LOCK = (
    Bug(
        "no_lock",
        "the lock is not taken",
        "runs/lock.py",
        "                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        "                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)\n",
        "starts",
        1.0,
    ),
    Bug(
        "lock_released_early",
        "the lock is given back as soon as its holder has introduced itself",
        "runs/lock.py",
        "        lock._introduce()\n        return lock",
        "        lock._introduce()\n        fcntl.flock(descriptor, fcntl.LOCK_UN)\n"
        "        return lock",
        "starts",
        1.0,
    ),
    Bug(
        "stale_lock_removed",
        "a start removes the lock file, thinking that a killed process left it",
        "runs/lock.py",
        "        path = run / layout.LOCK\n        flags",
        "        path = run / layout.LOCK\n        path.unlink(missing_ok=True)\n        flags",
        "starts",
        1.0,
    ),
    Bug(
        "lock_inherited",
        "the lock's descriptor is not closed when a program is started",
        "runs/lock.py",
        "            descriptor = os.open(path, flags, 0o644)\n",
        "            descriptor = os.open(path, flags, 0o644)\n"
        "            os.set_inheritable(descriptor, True)\n",
        "starts",
        1.0,
    ),
    Bug(
        "lock_kept_by_forks",
        "a forked child keeps the lock of its parent",
        "runs/lock.py",
        "os.register_at_fork(after_in_child=_forget_all)\n",
        "",
        "starts",
        1.0,
    ),
)

_RESUME = (
    Bug(
        "global_random",
        "games are drawn from a generator of the process, not from the run's seed",
        "learners/td.py",
        "            seed=seed,\n",
        '            seed=int.from_bytes(__import__("os").urandom(6), "little"),\n',
        "kills",
        0.5,
    ),
    Bug(
        "arrival_order",
        "finished games are learned from in the order in which they arrive",
        "replay/store.py",
        "            self._open = [GameRecords.concatenate(self._open, self.seats).sorted()]\n",
        "            self._open = [GameRecords.concatenate(self._open, self.seats)]\n",
        "kills_yatzy",
        0.5,
    ),
    Bug(
        "counters_not_restored",
        "a resumed run counts all but its games from zero",
        "runs/files.py",
        "        self.counters = Counters.from_dict(manifest.counters)\n",
        '        kept = {n: c for n, c in manifest.counters.items() if n == "selfplay_games"}\n'
        "        self.counters = Counters.from_dict(kept)\n",
        "kills",
        0.5,
    ),
    Bug(
        "moments_not_restored",
        "the optimizer begins anew after a resume",
        "learners/td.py",
        "            entries[places, number] = column\n",
        "            entries[places, number] = column if number in (0, 3) else 0\n",
        "kills",
        0.5,
    ),
    Bug(
        "average_not_restored",
        "the moving average of the weights begins anew after a resume",
        "learners/td.py",
        "        self.average.mean[places], self.average.count = mean, averaged\n",
        "        del mean, averaged\n",
        "kills",
        0.5,
    ),
    Bug(
        "games_played_again",
        "the games of the last batch before a commit are played again after a resume",
        "learners/td.py",
        "        self.average.mean[places], self.average.count = mean, averaged\n"
        "        self._core.restore(games)\n",
        "        self.average.mean[places], self.average.count = mean, averaged\n"
        "        self._core.restore(max(0, games - self.options.batch_games))\n",
        "once",
        0.5,
    ),
    Bug(
        "stream_not_restored",
        "blocks of games begin anew after a resume",
        "training/stream.py",
        "        saved = _stored(session)\n",
        "        saved: dict[str, Any] = {}\n",
        "once",
        0.5,
    ),
    Bug(
        "temporary_files_stay",
        "what a killed writer left is not swept",
        "runs/run.py",
        "        swept = sweep_temporary_files(layout.swept_directories(directory))\n",
        "        swept: list[str] = []\n",
        "points",
        1.0,
    ),
)

_PROCESSES = (
    Bug(
        "trainer_outlives",
        "the kernel is not asked to end the trainer with its supervisor",
        "training/trainer.py",
        "    die_with_parent()\n    # Lanes",
        "    # Lanes",
        "endings",
        0.5,
    ),
    Bug(
        "interrupt_kills_trainer",
        "Ctrl-C reaches the trainer, which dies before it has committed",
        "training/trainer.py",
        "    signal.signal(signal.SIGINT, signal.SIG_IGN)\n",
        "",
        "endings",
        0.5,
    ),
    Bug(
        "stop_without_commit",
        "a stopped run does not commit what it has done",
        "training/loop.py",
        "        if not self._adrift:  # else the last commit is what there is\n",
        '        if leave.state == "done":\n',
        "endings",
        0.5,
    ),
    Bug(
        "command_not_cleared",
        "a command stays after it was obeyed",
        "training/session.py",
        "            self.run.control.done(command)\n",
        "            pass\n",
        "endings",
        0.5,
    ),
    Bug(
        "no_watchdog",
        "nobody notices that the trainer hangs",
        "training/supervisor.py",
        "                if now >= deadline:\n",
        "                if now >= deadline and not outcome.began:\n",
        "hangs",
        0.5,
    ),
    Bug(
        "wall_clock",
        "the limit of minutes is measured by the time of day",
        "training/loop.py",
        "        if self._end is None or time.monotonic() < self._end:\n",
        "        passed = time.time() - self._session.started_ms / 1000\n"
        "        if self._end is None or passed < 60.0 * (self._request.minutes or 0.0):\n",
        "clock",
        0.5,
    ),
)

_MEMORY = (
    Bug(
        "cap_ignored",
        "transposition tables are made four times as large as asked for",
        "learners/td.py",
        "            search.table_bytes,\n        )",
        "            4 * search.table_bytes,\n        )",
        "memory",
        0.5,
    ),
)

BUGS: tuple[Bug, ...] = (*_LOCK, *_RESUME, *_PROCESSES, *_MEMORY)
