"""Replay: game records on disk and in memory, and training rows derived from them."""

from ludus.replay.audit import audit_games
from ludus.replay.feed import RowFeed
from ludus.replay.findings import Audit, AuditLimits, Finding
from ludus.replay.outcomes import audit_results
from ludus.replay.records import COLUMN_TYPES, EDGE_BYTES, PLY_BYTES, Columns, GameRecords
from ludus.replay.rederive import TargetRule
from ludus.replay.rows import TrainingRows, audit_rows, row_buffers
from ludus.replay.sampler import ReplaySampler
from ludus.replay.schema import FORMAT_VERSION, ReplaySchema
from ludus.replay.shards import (
    Load,
    Put,
    ShardEntry,
    decode_shard,
    encode_shard,
    read_columns,
    shard_name,
)
from ludus.replay.store import ReplayStore
from ludus.replay.window import WindowLaw

__all__ = [
    "COLUMN_TYPES",
    "EDGE_BYTES",
    "FORMAT_VERSION",
    "PLY_BYTES",
    "Audit",
    "AuditLimits",
    "Columns",
    "Finding",
    "GameRecords",
    "Load",
    "Put",
    "ReplaySampler",
    "ReplaySchema",
    "ReplayStore",
    "RowFeed",
    "ShardEntry",
    "TargetRule",
    "TrainingRows",
    "WindowLaw",
    "audit_games",
    "audit_results",
    "audit_rows",
    "decode_shard",
    "encode_shard",
    "read_columns",
    "row_buffers",
    "shard_name",
]
