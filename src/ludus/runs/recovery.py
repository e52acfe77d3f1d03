"""Which commit a run goes on from: the newest that verifies with everything it names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ludus.errors import CorruptError, VersionError
from ludus.runs import layout
from ludus.runs.garbage import collectable
from ludus.runs.manifest import Manifest, manifest_name, read_manifest
from ludus.runs.store import ObjectStore, neighbour_of


@dataclass(frozen=True)
class Rejected:
    """A commit that did not verify.

    Attributes:
        sequence: its number.
        reason: one sentence.
        manifest: its content, None if the manifest itself is damaged.
    """

    sequence: int
    reason: str
    manifest: Manifest | None


@dataclass(frozen=True)
class Found:
    """The commit to go on from, and the newer ones that were rejected, newest first."""

    manifest: Manifest
    rejected: tuple[Rejected, ...]


def _read(path: Path, number: int) -> Manifest:
    name = manifest_name(number)
    try:
        return read_manifest(path / layout.MANIFESTS / name)
    except FileNotFoundError:
        raise CorruptError(f"{path / layout.MANIFESTS / name} is missing") from None


def refuse_newer(path: Path) -> None:
    """Raise VersionError if any of the newest manifests is whole but of another version.

    Asked before anything is touched: falling back behind a newer version's commits would throw
    away good work.
    """
    for number in reversed(layout.manifest_numbers(path)):
        try:
            _read(path, number)
        except VersionError:
            raise
        except CorruptError:
            continue
        return


def newest_readable(path: Path) -> Manifest:
    """The newest manifest that is whole in itself; its objects are verified when read.

    Raises: CorruptError, VersionError.
    """
    reasons = []
    for number in reversed(layout.manifest_numbers(path)):
        try:
            return _read(path, number)
        except VersionError:
            raise
        except CorruptError as error:
            reasons.append(str(error))
    raise CorruptError(f"no manifest of {path} is whole: {reasons[0] if reasons else 'none there'}")


def _run_id(path: Path) -> str | None:
    """The id of the run: that of its oldest readable manifest."""
    for number in layout.manifest_numbers(path):
        try:
            return _read(path, number).run_id
        except (CorruptError, VersionError):
            continue
    return None


def verify_commit(store: ObjectStore, manifest: Manifest) -> None:
    """Read everything that a commit names and compare; raises CorruptError."""
    for ref in (*manifest.config.values(), *manifest.objects.values()):
        store.verify(ref)


def choose(path: Path, store: ObjectStore) -> Found:
    """Find the newest commit that verifies. Changes nothing.

    Raises:
        VersionError: a newer Ludus wrote to the run.
        CorruptError: no commit verifies.
    """
    rejected: list[Rejected] = []
    owner = _run_id(path)
    for number in reversed(layout.manifest_numbers(path)):
        manifest: Manifest | None = None
        try:
            manifest = _read(path, number)
            if manifest.run_id != owner:
                raise CorruptError(f"manifest {number} belongs to another run, {manifest.run_id}")
            verify_commit(store, manifest)
        except VersionError:
            raise
        except CorruptError as error:
            rejected.append(Rejected(number, str(error), manifest))
            continue
        return Found(manifest, tuple(rejected))
    reason = rejected[0].reason if rejected else "there is no manifest"
    raise CorruptError(
        f"no commit of {path} can be used ({reason}): take a checkpoint from its folder "
        "checkpoints/, or begin anew with --new"
    )


def newest_good(path: Path, store: ObjectStore) -> Manifest:
    """The newest commit that verifies and whose numbers had been checked. Changes nothing.

    Raises: CorruptError: there is none.
    """
    for number in reversed(layout.manifest_numbers(path)):
        try:
            manifest = _read(path, number)
            if manifest.good and manifest.objects:
                verify_commit(store, manifest)
                return manifest
        except (CorruptError, VersionError):
            continue
    raise CorruptError(f"no commit of {path} was marked good: begin anew with --new")


def rejected(path: Path, number: int, reason: str) -> Rejected:
    """A commit to be put away for that reason, whole or not."""
    try:
        return Rejected(number, reason, _read(path, number))
    except (CorruptError, VersionError):
        return Rejected(number, reason, None)


def settle(path: Path, store: ObjectStore, found: Found) -> list[str]:
    """Move rejected commits, and the files that only they reach, to quarantine.

    Returns: what was done, one sentence each. Raises: SaveError, DurabilityError; CorruptError,
    with nothing changed, if the index of the commit to go on from cannot be read any more.
    """
    if not found.rejected:
        return []
    kept = _reachable_from_others(path, store, {entry.sequence for entry in found.rejected})
    # Of the commit that stays, for certain: one that cannot be read just now is not passed over.
    kept |= store.reaches(found.manifest.objects.values())
    notices: list[str] = []
    for entry in found.rejected:
        only = _reached(path, store, entry.manifest) - kept
        only |= {beside for file in only if (beside := neighbour_of(file)) is not None}
        # The manifest goes last: should this be interrupted, it is rejected again next time.
        name = f"{layout.MANIFESTS}/{manifest_name(entry.sequence)}"
        moved = store.quarantine([*sorted(only), name], f"commit{entry.sequence}")
        notices.append(
            f"FALLBACK: commit {entry.sequence} was rejected ({entry.reason}); {len(moved)} "
            f"file(s) moved to quarantine/; going on from commit {found.manifest.sequence}"
        )
    return notices


def _reached(path: Path, store: ObjectStore, manifest: Manifest | None) -> set[str]:
    """What a rejected commit may have reached: all there is, if nobody can say what it named."""
    if manifest is None:
        return set(collectable(path))
    objects = manifest.objects.values()
    try:
        return store.reaches(objects)
    except CorruptError:
        return store.reaches(objects, certain=False) | set(collectable(path))


def _reachable_from_others(path: Path, store: ObjectStore, rejected: set[int]) -> set[str]:
    kept: set[str] = set()
    for number in layout.manifest_numbers(path):
        if number not in rejected:
            try:
                kept |= store.reaches(_read(path, number).objects.values(), certain=False)
            except (CorruptError, VersionError):
                continue  # damaged and older than the chosen one: it decides nothing
    return kept
