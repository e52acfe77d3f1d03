"""The watcher of tools/fault_storm.py: what was acknowledged during the storm is there after it."""

from __future__ import annotations

import html
import json
import threading
import time
from pathlib import Path
from typing import Any

from ludus.errors import LudusError
from ludus.monitor.inspect.stored import StoredReplay
from ludus.runs import Manifest, Run, read_manifest, read_ndjson, read_status

_WORK = ("selfplay_games", "plies", "train_step", "gate_games")


class Watcher:
    """Reads manifests and status of a run all the time, from a thread.

    Attributes:
        manifests: every commit that was seen, by sequence and digest.
        status: the newest one.
    """

    def __init__(self, run: Path) -> None:
        """Start to watch."""
        self.run = run
        self.manifests: dict[tuple[int, str], Manifest] = {}
        self.status: dict[str, Any] = {}
        self.moved = 0.0
        self._mark: Any = None
        self._names: set[tuple[str, int]] = set()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look a last time and end."""
        self._end.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._end.wait(0.1):
            self._look()

    def _look(self) -> None:
        for path in sorted((self.run / "manifests").glob("[0-9]*.json")):
            try:
                key = (path.name, path.stat().st_ino)
                if key in self._names:
                    continue
                manifest = read_manifest(path)
            except (OSError, LudusError):
                continue
            self._names.add(key)
            self.manifests[manifest.sequence, digest_of(path)] = manifest
        found = read_status(self.run)
        if found:
            self.status = dict(found)
            mark = (found.get("pid"), found.get("phase"), found.get("progress"), self.work())
            if found.get("state") == "training" and mark != self._mark:
                self._mark, self.moved = mark, time.monotonic()

    def work(self) -> tuple[int, ...]:
        """Live counters of work done."""
        counters = self.status.get("counters") or {}
        return tuple(int(counters.get(name) or 0) for name in _WORK)

    def caught_up(self, before: tuple[int, ...]) -> bool:
        """Whether everything that had been done before a fault is done again."""
        return all(now >= then for now, then in zip(self.work(), before, strict=True))


def digest_of(path: Path) -> str:
    """The digest that a manifest says of itself."""
    return str(json.loads(path.read_text())["digest"])


def events_of(run: Path) -> list[dict[str, Any]]:
    """The run's events, and whatever a resume has cut from them."""
    found = read_ndjson(run / "logs" / "events.ndjson")[0]
    for cut in sorted(run.glob("quarantine/events.ndjson.tail-*")):
        found += read_ndjson(cut)[0]
    return sorted(found, key=lambda one: one.get("ts_ms") or 0)


def verify(run: Path, watcher: Watcher) -> tuple[list[str], dict[str, Any]]:
    """Hold the end against everything that was acknowledged on the way.

    Returns: what is wrong, and figures of what was looked at.
    """
    wrong: list[str] = []
    opened = Run.open(run, write=False)
    for name, ref in opened.manifest.objects.items():
        try:
            opened.store.verify(ref)
        except LudusError as error:
            wrong.append(f"object {name} of the last commit: {error}")
    wrong += _ancestry(run, opened, watcher)
    wrong += _weights(run, watcher)
    games, more = 0, list[str]()
    if "replay" in opened.manifest.objects:  # pattern tables keep no games
        games, more = _games(run, watcher)
    return wrong + more, {
        "commits": len(watcher.manifests),
        "last_commit": opened.manifest.sequence,
        "games": opened.manifest.counters["selfplay_games"],
        "games_in_replay": games,
        "train_steps": opened.manifest.counters["train_step"],
    }


def _ancestry(run: Path, opened: Run, watcher: Watcher) -> list[str]:
    """Every commit seen is an ancestor of the last one, unless a return to a good one is told."""
    by_digest = {digest: manifest for (_, digest), manifest in watcher.manifests.items()}
    last = max(watcher.manifests, key=lambda key: key[0], default=None)
    if last is None:
        return ["no commit was seen"]
    if last[0] != opened.manifest.sequence:
        return [f"the run ends at commit {opened.manifest.sequence}, but {last[0]} was seen"]
    wrong, reached, digest = [], set(), last[1]
    while digest in by_digest:
        child = by_digest[digest]
        reached.add(digest)
        if child.parent_digest is None:
            break
        parent = by_digest.get(child.parent_digest)
        if parent is None:
            wrong.append(f"the parent of commit {child.sequence} was never seen")
            break
        for name, value in parent.counters.items():
            if child.counters.get(name, 0) < value:
                wrong.append(
                    f"commit {child.sequence} has {name} {child.counters.get(name, 0)}, below the "
                    f"{value} of commit {parent.sequence}"
                )
        digest = child.parent_digest
    returned = [
        (int(event.get("to_sequence") or 0), int(event.get("from_sequence") or 10**12))
        for event in events_of(run)
        if event.get("event") == "returned_to_good"
    ]
    for sequence, digest in watcher.manifests:
        told = any(low < sequence <= high for low, high in returned)
        if digest not in reached and not told:
            wrong.append(f"commit {sequence} was acknowledged and then lost")
    return wrong


def _weights(run: Path, watcher: Watcher) -> list[str]:
    """The promoted champions of all commits seen are still stored, byte for byte."""
    from ludus.runs.objects import hash_file

    wrong, known = [], {}
    for manifest in watcher.manifests.values():
        ref = manifest.champion
        if ref is not None and ref.path.startswith("models/champion-"):  # tables follow learning
            known[ref.path] = ref.sha256
    for path, sha256 in known.items():
        if not (run / path).is_file() or hash_file(run / path)[1] != sha256:
            wrong.append(f"{path} of an acknowledged commit is not there as it was")
    return wrong


def _games(run: Path, watcher: Watcher) -> tuple[int, list[str]]:
    """Ids of the stored games: unique, without gaps, as many as were counted."""
    replay = StoredReplay(run)
    index = replay.run.get_index(replay.run.manifest.objects["replay"])[1]
    ids: list[int] = []
    for entry in replay.entries:
        ids += replay.shard(entry).game_ids.tolist()
    tail = replay.tail().game_ids.tolist()
    wrong = []
    if len(set(ids + tail)) != len(ids) + len(tail):
        wrong.append("a game is twice in the replay")
    first = replay.entries[0].index * replay.games_per_shard if replay.entries else 0
    end = int(index["next_shard"]) * replay.games_per_shard
    void = set(map(int, index.get("void", ())))
    missing = set(range(first, end)) - set(ids) - void
    if missing:
        wrong.append(f"{len(missing)} games of closed shards are missing, such as {min(missing)}")
    played = replay.run.manifest.counters["selfplay_games"]
    if played != end + len(tail) - len(void):
        wrong.append(f"{played} games were counted, but the replay accounts for {end + len(tail)}")
    most = max((m.counters.get("selfplay_games", 0) for m in watcher.manifests.values()), default=0)
    if played < most:
        wrong.append(f"{most} games were acknowledged, and {played} are there")
    return len(ids) + len(tail), wrong


def report_text(run: Path) -> str:
    """Everything that the reports of the run say, as one text."""
    parts = []
    for path in sorted((run / "reports").rglob("*")):
        if path.suffix in (".json", ".html", ".md", ".txt"):
            parts.append(html.unescape(path.read_text(encoding="utf-8", errors="replace")))
    return "\n".join(parts)


def told_in(text: str, event: dict[str, Any]) -> bool:
    """Whether a report has the sentence of an event."""
    sentences = [event.get(key) for key in ("reason", "message", "text", "error") if event.get(key)]
    return any(str(sentence) in text for sentence in sentences)
