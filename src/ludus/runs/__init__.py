"""The run directory: lock, commits, objects, checkpoints, status, control and logs.

Floor: lowest, beside ``ludus.games``. Knows nothing of games, networks or torch: arrays come and
go as numpy. Writers use :class:`Run`; readers need nothing but the directory and the functions
below. No file of a run is ever loaded by running code.

======================  =====================================================================
create, open, commit    :class:`Run` (``Run.create``, ``Run.open``), :class:`Manifest`
objects and files       :class:`ObjectRef`; ``Run.put_object/get_object``, ``put_index/get_index``,
                        ``put_file``, ``put_tensors``, ``put_model``, ``put_shard``
checkpoints             ``Run.save_checkpoint``, :func:`list_checkpoints`, :func:`read_header`,
                        :func:`verify_checkpoint`, :func:`read_checkpoint`,
                        :func:`extract_checkpoint`, :class:`KeepLast`, :class:`Milestones`
failures                :class:`SaveError` (may be tried once more), :class:`DurabilityError`
                        (never), :class:`SavePolicy`, :class:`Space`
control                 :func:`send_command`, :class:`Command`
readers                 :func:`list_runs`, :func:`describe_run`, :func:`read_status`,
                        :func:`read_summary`, :func:`read_ndjson`, :class:`NdjsonReader`,
                        :func:`lock_holder`
disk                    :func:`part_sizes`, :func:`delete_run`, :func:`find_waste`
progress                :class:`Counters`, :class:`Eta`, :class:`CommitCadence`
======================  =====================================================================
"""

from ludus.runs.birth import read_asked, require_free
from ludus.runs.checkpoints import checkpoint_name, list_checkpoints, newest_valid_checkpoint
from ludus.runs.container import (
    CheckpointHeader,
    extract_checkpoint,
    read_checkpoint,
    read_header,
    verify_checkpoint,
    write_checkpoint,
)
from ludus.runs.control import COMMANDS, Command, ControlReader, send_command
from ludus.runs.counters import Counters
from ludus.runs.eta import Eta, duration_text
from ludus.runs.files import Tensors
from ludus.runs.garbage import KEEP_MANIFESTS
from ludus.runs.layout import is_run, require_run
from ludus.runs.listing import RunSummary, describe_run, list_runs, read_summary
from ludus.runs.lock import Holder, RunLock, lock_holder
from ludus.runs.manifest import (
    LogPosition,
    Manifest,
    ManifestTooLargeError,
    manifest_name,
    read_manifest,
)
from ludus.runs.ndjson import NdjsonLog, NdjsonReader, read_ndjson
from ludus.runs.objects import DurabilityError, ObjectRef, SaveError, replace_file
from ludus.runs.recovery import newest_good
from ludus.runs.removal import (
    Removed,
    Waste,
    delete_run,
    find_waste,
    half_deleted,
    remove_waste,
    require_deletable,
)
from ludus.runs.retention import (
    CheckpointEntry,
    KeepLast,
    Milestones,
    Removal,
    RetentionPolicy,
)
from ludus.runs.run import Run
from ludus.runs.saving import (
    CommitCadence,
    SaveHistory,
    SavePolicy,
    Space,
    disk_is_full,
    free_bytes,
    has_room,
)
from ludus.runs.schema import (
    CONTAINER_VERSION,
    MANIFEST_VERSION,
    PROTOCOL_VERSION,
    SchemaIds,
)
from ludus.runs.sizes import part_sizes
from ludus.runs.status import StatusWriter, read_status

__all__ = [
    "COMMANDS",
    "CONTAINER_VERSION",
    "KEEP_MANIFESTS",
    "MANIFEST_VERSION",
    "PROTOCOL_VERSION",
    "CheckpointEntry",
    "CheckpointHeader",
    "Command",
    "CommitCadence",
    "ControlReader",
    "Counters",
    "DurabilityError",
    "Eta",
    "Holder",
    "KeepLast",
    "LogPosition",
    "Manifest",
    "ManifestTooLargeError",
    "Milestones",
    "NdjsonLog",
    "NdjsonReader",
    "ObjectRef",
    "Removal",
    "Removed",
    "RetentionPolicy",
    "Run",
    "RunLock",
    "RunSummary",
    "SaveError",
    "SaveHistory",
    "SavePolicy",
    "SchemaIds",
    "Space",
    "StatusWriter",
    "Tensors",
    "Waste",
    "checkpoint_name",
    "delete_run",
    "describe_run",
    "disk_is_full",
    "duration_text",
    "extract_checkpoint",
    "find_waste",
    "free_bytes",
    "half_deleted",
    "has_room",
    "is_run",
    "list_checkpoints",
    "list_runs",
    "lock_holder",
    "manifest_name",
    "newest_good",
    "newest_valid_checkpoint",
    "part_sizes",
    "read_asked",
    "read_checkpoint",
    "read_header",
    "read_manifest",
    "read_ndjson",
    "read_status",
    "read_summary",
    "remove_waste",
    "replace_file",
    "require_deletable",
    "require_free",
    "require_run",
    "send_command",
    "verify_checkpoint",
    "write_checkpoint",
]
