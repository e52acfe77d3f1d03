"""Removal of commits that are too old and of files that no kept commit reaches."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ludus.errors import CorruptError, UnreadableError, VersionError
from ludus.logs import get_logger
from ludus.runs import layout
from ludus.runs.manifest import Manifest, manifest_name, read_manifest
from ludus.runs.objects import ObjectRef
from ludus.runs.store import ObjectStore, neighbour_of

KEEP_MANIFESTS = 8
"""So many of the newest commits are kept."""

_LOG = get_logger("runs")


def collectable(run: Path) -> Iterable[str]:
    """Files that are removed when no kept commit reaches them; promoted champions never are.

    Raises: RunError: a folder cannot be listed now.
    """
    for folder in (layout.STATE, layout.REPLAY, layout.MODELS):
        names = layout.names_in(run / folder)
        present = set(names)
        for name in names:
            if name.startswith(".") or (folder == layout.MODELS and name.startswith("champion-")):
                continue
            stem, suffix = os.path.splitext(name)
            if folder != layout.STATE and suffix == ".json":
                # A neighbour goes with its file, and alone if that is missing.
                if f"{stem}.safetensors" not in present:
                    yield f"{folder}/{name}"
                continue
            yield f"{folder}/{name}"


class Collector:
    """Knows what the kept commits reach, and removes the rest.

    Kept are the newest 8 commits, those of permanent checkpoints that still exist, and the newest
    one marked good. Collected are files in ``state/`` and ``replay/`` and candidates in
    ``models/``, pattern tables too; champions that were promoted stay for ever.

    Attributes:
        pending: paths put by this process that no commit has named yet; never removed.
    """

    def __init__(self, run: Path, store: ObjectStore) -> None:
        self._run = run
        self._store = store
        self._reached: set[str] = set()
        # Manifests never change, and remembering one that is gone only keeps too much.
        self._known: dict[int, Manifest] = {}
        self._cache: dict[int, tuple[str, frozenset[str]]] = {}
        self.pending: set[str] = set()

    def fresh(self, ref: ObjectRef) -> ObjectRef:
        """Remember that this process just put the file; returns it."""
        self.pending.add(ref.path)
        return ref

    def settled(self, manifest: Manifest) -> None:
        """Tell that a commit was made: its files are pending no more; raises CorruptError."""
        self.pending -= self._reaches(manifest, certain=True)

    def reachable(self, path: str) -> bool:
        """Whether a kept commit, or something put since, needs the file."""
        return path in self._reached or path in self.pending

    def collect(self, newest: Manifest) -> list[tuple[str, int]]:
        """Remove what is not kept.

        Only to be called after `newest` was verified by reading it and the manifests' directory was
        flushed.

        Args:
            newest: the commit that the run stands at.

        Returns: path and size in bytes of each file removed. A failed removal only warns.

        Raises: SaveError, DurabilityError: a damaged manifest could not be moved to quarantine;
        CorruptError: an index of `newest` cannot be read any more; RunError: a folder cannot be
        listed now, or a manifest not be read.
        """
        manifests = self._manifests(newest)
        kept = self._kept(manifests)
        removed: list[tuple[str, int]] = []
        self._reaches(newest, certain=True)
        try:
            reaches = {n: self._reaches(manifest) for n, manifest in manifests.items()}
        except UnreadableError as error:
            # Its files might be taken for garbage. A bad sector must not stop the run either.
            _LOG.warning(f"{self._run}: nothing was collected: {error}", event="removal_failed")
            return []
        self._reached = set().union(*(reaches[sequence] for sequence in kept))
        lingering: set[str] = set()
        for sequence in sorted(set(manifests) - kept):
            # A manifest must be gone for good before what it names goes: its files wait for the
            # next call, since each commit flushes the manifests' directory anyway.
            lingering |= reaches[sequence]
            self._remove(f"{layout.MANIFESTS}/{manifest_name(sequence)}", removed)
            self._cache.pop(sequence, None)
            self._known.pop(sequence, None)
        for path in collectable(self._run):
            if not (path in lingering or self.reachable(path)):
                self._remove(path, removed)
        return removed

    def _manifests(self, newest: Manifest) -> dict[int, Manifest]:
        found = {newest.sequence: newest}
        damaged: list[str] = []
        for sequence in layout.manifest_numbers(self._run):
            if sequence == newest.sequence:
                continue
            if sequence in self._known:
                found[sequence] = self._known[sequence]
                continue
            name = manifest_name(sequence)
            try:
                found[sequence] = read_manifest(self._run / layout.MANIFESTS / name)
            except FileNotFoundError:
                continue
            except (CorruptError, VersionError) as error:
                _LOG.warning(f"{name} moved to quarantine: {error}", event="quarantine")
                damaged.append(f"{layout.MANIFESTS}/{name}")
        if damaged:
            self._store.quarantine(damaged, "damaged")
        self._known = found
        return found

    def _kept(self, manifests: dict[int, Manifest]) -> set[int]:
        order = sorted(manifests, reverse=True)
        kept = set(order[:KEEP_MANIFESTS])
        kept.update(n for n in order if any(self._exists(p) for p in manifests[n].permanent))
        kept.update([n for n in order if manifests[n].good][:1])
        return kept

    def _exists(self, path: str) -> bool:
        return os.path.lexists(self._run / path)

    def _reaches(self, manifest: Manifest, *, certain: bool = False) -> frozenset[str]:
        """What a commit reaches; with a damaged index less, unless it must be certain."""
        known = self._cache.get(manifest.sequence)
        if known is None or known[0] != manifest.incarnation:
            objects = manifest.objects.values()
            try:
                paths = self._store.reaches(objects)
            except CorruptError as error:
                if certain or isinstance(error, UnreadableError):
                    raise
                paths = self._store.reaches(objects, certain=False)  # nobody can go back to it
            known = self._cache[manifest.sequence] = (manifest.incarnation, frozenset(paths))
        return known[1]

    def _remove(self, path: str, removed: list[tuple[str, int]]) -> None:
        full = self._run / path
        try:
            size = os.lstat(full).st_size
            os.unlink(full)
        except FileNotFoundError:
            return
        except OSError as error:
            _LOG.warning(f"could not remove {full}: {error.strerror}", event="removal_failed")
            return
        removed.append((path, size))
        neighbour = neighbour_of(path)
        if neighbour is not None and self._exists(neighbour):
            self._remove(neighbour, removed)
