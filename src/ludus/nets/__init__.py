"""Networks: observations in, policy logits, value and margin out."""

from typing import TYPE_CHECKING

from ludus.lazy import importer
from ludus.nets.spec import (
    CHECKPOINT_VERSION,
    KINDS,
    GameShape,
    NetSpec,
    require_schema,
    schema_ids,
)

if TYPE_CHECKING:
    from ludus.nets.mlp import ResidualMLP
    from ludus.nets.network import Network
    from ludus.nets.tower import ResidualTower
    from ludus.nets.transformer import TokenTransformer
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
        of_spec,
    )
else:
    __getattr__ = importer(
        __name__,
        {
            "mlp": ("ResidualMLP",),
            "network": ("Network",),
            "tower": ("ResidualTower",),
            "transformer": ("TokenTransformer",),
            "weights": (
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
                "of_spec",
            ),
        },
    )

__all__ = [
    "CHECKPOINT_VERSION",
    "KINDS",
    "GameShape",
    "NetSpec",
    "Network",
    "ResidualMLP",
    "ResidualTower",
    "TokenTransformer",
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
    "of_spec",
    "require_schema",
    "schema_ids",
]
