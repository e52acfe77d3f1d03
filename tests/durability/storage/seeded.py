"""Seeded bugs of the run directory, and which experiment catches each."""

from __future__ import annotations

from tests.durability.bugs import Bug

_FLIPS = (
    Bug(
        "payload_unchecked",
        "the digests of a checkpoint's payload are not compared",
        "runs/container.py",
        """    if (size, crc, digest.hexdigest()) != (
        header.stored_size,
        header.payload_crc32,
        header.payload_sha256,
    ):""",
        "    if size != header.stored_size:",
        "flips",
        0.2,
    ),
    Bug(
        "header_unchecked",
        "the digests of a checkpoint's header are not compared",
        "runs/container.py",
        "    if zlib.crc32(header) != header_crc or hashlib.sha256(header).digest() != header_sha:",
        "    if not header:",
        "flips",
        0.2,
    ),
    Bug(
        "manifest_digest_unchecked",
        "a manifest's digest of itself is not compared",
        "runs/manifest.py",
        "        whole = same and digest == hashlib.sha256(canonical_json(document)).hexdigest()",
        "        whole = same and digest is not None",
        "flips",
        0.2,
    ),
    Bug(
        "object_digest_unchecked",
        "an object is read without comparing its SHA-256",
        "runs/store.py",
        "        if hashlib.sha256(data).hexdigest() != ref.sha256:",
        "        if not ref.sha256:",
        "flips",
        0.2,
    ),
    Bug(
        "shards_unverified",
        "the files of an index are not verified with it",
        "runs/store.py",
        "                self._compare(file, hashed=only_hash is None or file.path in only_hash)",
        "                self._compare(file, hashed=False)",
        "flips",
        0.2,
    ),
    Bug(
        "model_digest_unchecked",
        "a file of weights is read without comparing its digest",
        "runs/models.py",
        "    if digest is not None and hashlib.sha256(data).hexdigest() != digest:",
        "    if digest is not None and len(data) != said.get('bytes'):",
        "flips",
        0.2,
    ),
    Bug(
        "resume_unverified",
        "the newest manifest is taken without verifying what it names",
        "runs/recovery.py",
        "    for ref in (*manifest.config.values(), *manifest.objects.values()):",
        "    for ref in manifest.config.values():",
        "flips",
        0.2,
    ),
    Bug(
        "fallback_deletes",
        "a rejected commit is deleted instead of moved to quarantine",
        "runs/store.py",
        "                os.rename(source, target)\n",
        "                os.unlink(source)\n",
        "flips",
        0.2,
    ),
)

_TAILS = (
    Bug(
        "tail_not_healed",
        "what lies beyond the commit stays in a log",
        "runs/logs.py",
        "            if size > keep:\n",
        "            if size < keep:\n",
        "tails",
        0.1,
    ),
    Bug(
        "torn_line_kept",
        "a log is cut to its commit, but not back to a whole line",
        "runs/logs.py",
        "            keep = self._whole_length(path, position.offset) if size else 0",
        "            keep = min(size, position.offset)",
        "tails",
        0.1,
    ),
    Bug(
        "steps_forgotten",
        "the clocks of the streams begin anew after a resume",
        "runs/logs.py",
        "            self._positions[name] = LogPosition(keep, position.lines, position.steps)",
        "            self._positions[name] = LogPosition(keep, position.lines, {})",
        "tails",
        0.1,
    ),
    Bug(
        "logs_not_cut",
        "records beyond the commit stay in the logs when their work is done again",
        "runs/logs.py",
        "            if size > keep:\n                self._cut(path, keep, incarnation)\n",
        "            keep = max(size, keep)\n",
        "tails",
        0.1,
    ),
    Bug(
        "tail_deleted",
        "what is cut off a log is not kept in quarantine",
        "runs/logs.py",
        "                    tail.write(piece)\n",
        "                    pass\n",
        "tails",
        0.1,
    ),
)

_SYSCALLS = (
    Bug(
        "file_not_flushed",
        "a new file gets its name without fsync",
        "runs/objects.py",
        "            if durable:\n                _fsync(self._descriptor, self._temporary)\n",
        "",
        "syscalls",
        0.2,
    ),
    Bug(
        "name_before_flush",
        "a new file gets its name first and is flushed afterwards",
        "runs/objects.py",
        """        if self._descriptor >= 0:  # else the name was taken, and another one is tried
            self._finish(durable)
        with _reporting("name", final):
            if replace:
                os.replace(self._temporary, final)
            else:
                self._link(final)
        self._present = False
""",
        """        with _reporting("name", final):
            if replace:
                os.replace(self._temporary, final)
            else:
                self._link(final)
        self._present = False
        if self._descriptor >= 0:
            self._finish(durable)
""",
        "syscalls",
        0.2,
    ),
    Bug(
        "manifest_before_objects",
        "the manifest gets its name before those of its objects were flushed",
        "runs/store.py",
        """        for directory in sorted(self._unflushed):
            fsync_directory(directory)
            self._unflushed.discard(directory)
        write_new(self.root / layout.MANIFESTS, name, (data,), stem="manifest")
""",
        """        write_new(self.root / layout.MANIFESTS, name, (data,), stem="manifest")
        for directory in sorted(self._unflushed):
            fsync_directory(directory)
            self._unflushed.discard(directory)
""",
        "syscalls",
        0.2,
    ),
    Bug(
        "log_not_flushed",
        "a commit says how far the logs reach without flushing them",
        "runs/ndjson.py",
        "            fsync_file(self._descriptor, self._path)\n",
        "            pass\n",
        "syscalls",
        0.2,
    ),
    Bug(
        "exclusive_removed",
        "temporary files are created without O_EXCL",
        "runs/objects.py",
        "        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC",
        "        flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC",
        "syscalls",
        0.2,
    ),
    Bug(
        "garbage_before_verification",
        "older commits are removed before the newest was read back",
        "runs/run.py",
        "            self._verify_newest(manifest)\n            return",
        "            return",
        "syscalls",
        0.2,
    ),
    Bug(
        "flush_retried",
        "a failed fsync is tried again on the same descriptor",
        "runs/objects.py",
        "    try:\n        os.fsync(descriptor)\n    except OSError as error:\n        sentence",
        "    try:\n        try:\n            os.fsync(descriptor)\n        except OSError:\n"
        "            os.fsync(descriptor)\n    except OSError as error:\n        sentence",
        "syscalls",
        3,
    ),
    Bug(
        "eio_tried_again",
        "an EIO of fsync is a failure like any other, after which saving is tried again",
        "runs/objects.py",
        "        kind = DurabilityError if error.errno == errno.EIO else SaveError",
        "        kind = SaveError",
        "syscalls",
        3,
    ),
    Bug(
        "log_flush_believed",
        "after a failed flush of a log the next one is believed without writing again",
        "runs/ndjson.py",
        "            self._doubtful = True\n            raise",
        "            raise",
        "syscalls",
        3,
    ),
    Bug(
        "close_ignored",
        "an error of close, where quotas and networks tell theirs, is ignored",
        "runs/objects.py",
        '            with _reporting("close", self._temporary):  # quota and network errors may',
        "            with contextlib.suppress(OSError):  # quota and network errors may",
        "syscalls",
        3,
    ),
    Bug(
        "listing_stray",
        "a folder that cannot be listed ends the training with a traceback",
        "runs/layout.py",
        '    except OSError as error:\n        raise RunError(f"{directory} cannot be listed',
        '    except EOFError as error:\n        raise RunError(f"{directory} cannot be listed',
        "syscalls",
        3,
    ),
)

_POWER = (
    Bug(
        "directory_not_flushed",
        "the directory is not flushed after a file got its name",
        "runs/objects.py",
        "        if durable and directory:\n            fsync_directory(self.directory)\n",
        "",
        "power",
        1,
    ),
    Bug(
        "nothing_flushed",
        "fsync is not called at all",
        "runs/objects.py",
        "    try:\n        os.fsync(descriptor)\n",
        "    try:\n        pass\n",
        "power",
        1,
    ),
    Bug(
        "content_not_flushed",
        "objects get their names without fsync, directories and manifests are flushed",
        "runs/objects.py",
        "            if durable:\n                _fsync(",
        '            if durable and "manifest" in self._temporary.name:\n                _fsync(',
        "power",
        3,
    ),
)

_ROOM = (
    Bug(
        "short_write",
        "what a short write left out is not written",
        "runs/objects.py",
        "    while done < len(view):\n        done += os.write(",
        "    if done < len(view):\n        done += os.write(",
        "full_disk",
        1,
    ),
    Bug(
        "torn_line_left",
        "a line that found no room stays in the log, torn",
        "runs/ndjson.py",
        "                os.ftruncate(self._descriptor, self._size)\n",
        "                pass\n",
        "full_disk",
        1,
    ),
    Bug(
        "good_forgotten",
        "the last commit whose numbers were checked is removed when it is old",
        "runs/garbage.py",
        "        kept.update([n for n in order if manifests[n].good][:1])\n",
        "",
        "size",
        1,
    ),
    Bug(
        "permanent_forgotten",
        "the commit of a permanent checkpoint is removed when it is old",
        "runs/garbage.py",
        "any(self._exists(p) for p in manifests[n].permanent)",
        "not order",
        "size",
        1,
    ),
    Bug(
        "shards_forgotten",
        "shards that a kept commit names by its index are removed",
        "runs/store.py",
        "            if is_index(ref):\n                try:",
        "            if not ref.path:\n                try:",
        "size",
        1,
    ),
    Bug(
        "cache_unbounded",
        "old checkpoints are not removed",
        "runs/retention.py",
        "    for entry in policy.surplus(cache):\n        if entry.path in protect:",
        "    for entry in policy.surplus(cache):\n        if entry.path:",
        "size",
        1,
    ),
    Bug(
        "storm_unbounded",
        "a storm of log lines is written whole",
        "logs/storm.py",
        "        if full or self._tokens < 1.0:",
        "        if full and not key:",
        "size",
        1,
    ),
)

_FORMATS = (
    Bug(
        "newer_is_damage",
        "a run that a newer version wrote to is taken for a damaged one",
        "runs/manifest.py",
        "            raise VersionError(\n",
        "            raise CorruptError(\n",
        "formats",
        0.2,
    ),
    Bug(
        "newer_index_is_damage",
        "a commit that names an index of a newer version is taken for a damaged one",
        "runs/store.py",
        "            raise VersionError(\n",
        "            raise CorruptError(\n",
        "formats",
        0.2,
    ),
    Bug(
        "newer_container_read",
        "a checkpoint of a newer version is read as one of today",
        "runs/container.py",
        "    if version != CONTAINER_VERSION or flags & ~_KNOWN_FLAGS:",
        "    if version < CONTAINER_VERSION or flags & ~_KNOWN_FLAGS:",
        "formats",
        0.2,
    ),
    Bug(
        "old_records_refused",
        "game records of version 1 are not read any more",
        "replay/schema.py",
        "READABLE_VERSIONS = (1, 2)",
        "READABLE_VERSIONS = (2,)",
        "formats",
        1,
    ),
)

SEEDED: tuple[Bug, ...] = (*_FLIPS, *_TAILS, *_SYSCALLS, *_POWER, *_ROOM, *_FORMATS)
