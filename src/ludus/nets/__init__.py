"""Networks: observations in, policy logits, value and margin out."""

from ludus.nets.mlp import ResidualMLP
from ludus.nets.spec import (
    CHECKPOINT_VERSION,
    GameShape,
    NetSpec,
    require_schema,
    schema_ids,
)
from ludus.nets.weights import (
    Weights,
    arrays_of,
    build,
    check_arrays,
    decode,
    describe,
    digest_of,
    encode,
    from_arrays,
    load_arrays,
)

__all__ = [
    "CHECKPOINT_VERSION",
    "GameShape",
    "NetSpec",
    "ResidualMLP",
    "Weights",
    "arrays_of",
    "build",
    "check_arrays",
    "decode",
    "describe",
    "digest_of",
    "encode",
    "from_arrays",
    "load_arrays",
    "require_schema",
    "schema_ids",
]
