"""Saving and loading of a real run: commit, checkpoint container, restart; beside plain files.

The run is a Yatzy run of the recipe after a short self-play and some training, in a folder
below ``build`` (the disk of the clone, not a memory file system), and is removed afterwards.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ludus.measure import Figure, in_turns
from ludus.runs import KeepLast, Run
from ludus.runs.container import read_checkpoint
from ludus.training.birth import open_session
from ludus.training.learning import TrainPhase
from ludus.training.request import TrainRequest
from ludus.training.selfplay import SelfplayPhase
from ludus.training.session import Session

ROOT = Path(__file__).resolve().parents[1]


def _session(path: Path, games: int) -> Session:
    """A run that has played so many games and learned a little."""
    settings = [f"selfplay.games_per_iteration={games}", "replay.games_per_shard=32"]
    request = TrainRequest.make("yatzy", run=path, assignments=settings, environment={})
    session = open_session(request, lambda text: None)
    playing = SelfplayPhase(session, None)
    while playing.advance(0.5):
        pass
    playing.finish()
    playing.close()
    learning = TrainPhase(session, None)
    learning.advance(0.2)
    learning.close()
    return session


def _commit(session: Session) -> int:
    """One commit as in training, with a learner that has changed; returns its bytes."""
    session.learner.update += 1
    manifest = session.commit({}, None)
    return sum(ref.size for ref in manifest.objects.values())


def _plain(path: Path, data: bytes) -> float:
    """Writing bytes to a new file and flushing them to the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    path.unlink()
    return len(data) / 1e6


def measure(quick: bool) -> list[Figure]:
    """Megabytes a second and milliseconds of each."""
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "build") as folder:
        session = _session(Path(folder) / "run", 64 if quick else 512)
        try:
            return _saving(session, Path(folder), quick)
        finally:
            session.run.close()


def _saving(session: Session, folder: Path, quick: bool) -> list[Figure]:
    repeats = 2 if quick else 5
    run, plain = session.run, folder / "plain"
    size = _commit(session)
    payload = dict(session.learner.state())
    payload.update({f"champion/{name}": value for name, value in session.champion.weights.items()})

    def commit() -> float:
        return sum(_commit(session) for _ in range(repeats)) / 1e6

    def save() -> float:
        done = 0.0
        for _ in range(repeats):
            entry, _ = run.save_checkpoint(
                payload,
                {},
                unit=1,
                policy=KeepLast(2),
                parameters=session.net.parameter_count,
                permanent=False,
            )
            done += entry.size / 1e6
        return done

    save()
    newest = run.path / run.checkpoints.entries()[-1].path
    stored = newest.read_bytes()
    kept = folder / "kept.ckpt"
    kept.write_bytes(stored)

    def load() -> float:
        for _ in range(repeats):
            read_checkpoint(kept)
        return repeats * len(stored) / 1e6

    def read() -> float:
        for _ in range(repeats):
            kept.read_bytes()
        return repeats * len(stored) / 1e6

    def restart() -> float:
        """Reading everything that a resume reads, verified."""
        for _ in range(repeats):
            again = Run.open(run.path, write=False)
            for name, ref in again.manifest.objects.items():
                if name in ("replay", "iterations"):
                    for shard in again.get_index(ref)[0]:
                        again.store.read(shard)
                else:
                    again.get_object(ref)
        return repeats * whole / 1e6

    shards = run.get_index(run.manifest.objects["replay"])[0]
    whole = size + sum(ref.size for ref in shards)
    written, committed = bytes(stored), os.urandom(size)
    figures = []
    for title, work, megabytes, rival in (
        ("commit", commit, size / 1e6, ("write + fsync", lambda: _plain(plain, committed))),
        (
            "saving a checkpoint",
            save,
            len(stored) / 1e6,
            ("write + fsync", lambda: _plain(plain, written)),
        ),
        ("loading a checkpoint", load, len(stored) / 1e6, ("reading the file", read)),
        ("reading all that a resume reads", restart, whole / 1e6, ("reading the file", read)),
    ):
        figure = in_turns(f"yatzy: {title}", "MB/s", work, against=rival, quick=quick)
        figure.extra["milliseconds"] = round(1e3 * megabytes / figure.median, 1)
        figure.extra["megabytes"] = round(megabytes, 2)
        figures.append(figure)
    return figures
