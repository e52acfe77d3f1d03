"""Othello's pattern tables on disk: a commit of the learner, a checkpoint, and going on from one.

A quarter of all entries is filled with noise, as after half a million games; noise does not shrink.
A commit writes learner and champion and flushes them; loading is the file, its digests and the
tables made from it. The rival is the same number of bytes, written and flushed or read.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np

from ludus.measure import Figure, Goal, in_turns
from ludus.runs import KeepLast
from ludus.runs.container import read_checkpoint
from ludus.training.birth import open_session
from ludus.training.request import TrainRequest
from ludus.training.tables.session import TableSession

ROOT = Path(__file__).resolve().parents[1]
SHARE = 0.25


def _session(path: Path) -> TableSession:
    """A run whose learner has seen a quarter of its entries."""
    request = TrainRequest.make("othello", run=path, assignments=[], environment={})
    session = open_session(request, lambda text: None)
    assert isinstance(session, TableSession)
    random = np.random.default_rng(1)
    entries, updates = session.learner.entries()
    seen = random.random(len(updates)) < SHARE
    noise = random.normal(size=(int(seen.sum()), 3)).astype(np.float32)
    entries[seen, :3] = np.abs(noise).view(np.uint32)
    entries[seen, 3] = 1 + random.integers(0, 1000, len(noise))
    updates[seen] = entries[seen, 3]
    session.learner.average.add(entries[:, 0].view(np.float32))
    session.learner.restore(session.learner.state())
    return session


def _written(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    path.unlink()


def measure(quick: bool) -> list[Figure]:
    """Commits, checkpoints saved and checkpoints loaded a second."""
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "build") as folder:
        session = _session(Path(folder) / "run")
        try:
            return _saving(session, Path(folder), quick)
        finally:
            session.run.close()


def _saving(session: TableSession, folder: Path, quick: bool) -> list[Figure]:
    run, learner, plain = session.run, session.learner, folder / "plain"

    def commit() -> float:
        learner.train(learner.games + 1)  # a batch, so that there is something to commit
        session.commit({}, None)
        return 1.0

    def save() -> float:
        payload, meta = session.checkpoint_payload()
        run.save_checkpoint(
            payload,
            meta,
            unit=0,
            policy=KeepLast(2),
            parameters=learner.parameters,
            permanent=False,
        )
        return 1.0

    commit()
    save()
    newest = run.path / run.checkpoints.entries()[-1].path
    stored = newest.read_bytes()
    kept = folder / "kept.ckpt"
    kept.write_bytes(stored)
    committed = os.urandom(sum(ref.size for ref in session.learner_objects().values()))

    def load() -> float:
        arrays, _ = read_checkpoint(kept)
        learner.restore({name: np.asarray(one) for name, one in arrays.items() if "/" not in name})
        return 1.0

    def write(data: bytes) -> float:
        _written(plain, data)
        return 1.0

    def read() -> float:
        kept.read_bytes()
        return 1.0

    figures = []
    for title, work, size, rival in (
        ("commit", commit, len(committed), ("write + fsync", lambda: write(committed))),
        ("saving a checkpoint", save, len(stored), ("write + fsync", lambda: write(stored))),
        ("going on from a checkpoint", load, len(stored), ("reading the file", read)),
    ):
        figure = in_turns(
            f"othello: {title}", "1/s", work, against=rival, quick=quick, goal=Goal(1.0)
        )
        figure.extra["milliseconds"] = round(1e3 / figure.median)
        figure.extra["megabytes"] = round(size / 1e6, 1)
        figures.append(figure)
    return figures
