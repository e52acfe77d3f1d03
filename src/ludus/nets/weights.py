"""Weights as plain arrays, and as safetensors bytes with a JSON description.

Reading never runs code: the payload is safetensors, the description is JSON.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors import numpy as safetensors_numpy

from ludus.errors import CorruptError, NumericsError, VersionError
from ludus.games.tokens import TokenLayout
from ludus.nets.mlp import ResidualMLP
from ludus.nets.network import Network
from ludus.nets.spec import (
    CHECKPOINT_VERSION,
    READABLE_VERSIONS,
    GameShape,
    NetSpec,
    require_schema,
    schema_ids,
)
from ludus.nets.tower import ResidualTower
from ludus.nets.transformer import TokenTransformer

FloatArray = npt.NDArray[np.float32]
"""One tensor of weights."""

Weights = Mapping[str, FloatArray]
"""Name of the parameter -> f32 array."""


def build(
    game: GameShape,
    *,
    hidden: int = 256,
    blocks: int = 2,
    margin: bool = True,
    kind: str = "residual_mlp",
    channels: int = 64,
    head_channels: int = 32,
    width: int = 32,
    heads: int = 2,
    tokens: TokenLayout | None = None,
    belief: int = 0,
    seed: int = 0,
) -> Network:
    """Make a network for a game.

    Args:
        game: gives the sizes of observation and action space.
        hidden: ``residual_mlp``, ``token_transformer``: width of the trunk, a multiple of 32.
        blocks: residual blocks, of attention in a transformer.
        margin: whether to have a head for the score margin.
        kind: ``residual_mlp``, ``residual_tower`` where observations are planes of a board, or
            ``token_transformer`` where ``tokens`` are given.
        channels: ``residual_tower``: channels of the trunk, a multiple of 8.
        head_channels: ``residual_tower``: channels before the output layer.
        width: ``token_transformer``: numbers of a token, a multiple of 8.
        heads: ``token_transformer``: of the attention, a divisor of the width.
        tokens: ``token_transformer``: how observations are cut; the game's own layout
            (:attr:`ludus.games.GameEntry.tokens`).
        belief: ``residual_mlp``: numbers of a belief head, the game's ``belief_size``; 0: none.
        seed: all weights follow from it.

    Raises:
        ConfigError: a kind, shape or seed that is not possible, or a tower for a game whose
            observations have no planes, or a transformer without tokens that fit the game.
    """
    spec = NetSpec(
        kind=kind,
        hidden=hidden,
        blocks=blocks,
        margin=margin,
        channels=channels,
        head_channels=head_channels,
        width=width,
        heads=heads,
        tokens=tokens if kind == "token_transformer" else None,
        belief=belief,
    )
    return of_spec(game, spec, seed=seed)


def of_spec(game: GameShape, spec: NetSpec, *, seed: int = 0) -> Network:
    """Make the network that a spec describes; see :func:`build`."""
    if spec.kind == "residual_tower":
        return ResidualTower(game, spec, seed=seed)
    if spec.kind == "token_transformer":
        return TokenTransformer(game, spec, seed=seed)
    return ResidualMLP(game, spec, seed=seed)


def arrays_of(net: Network) -> dict[str, FloatArray]:
    """Copies of all weights, by parameter name."""
    return {
        name: np.array(tensor.detach().numpy(), dtype=np.float32, copy=True)
        for name, tensor in net.named_parameters()
    }


def check_arrays(net: Network, arrays: Weights) -> None:
    """Refuse weights that do not fit a network.

    Raises:
        VersionError: a parameter is missing, unknown, or of another shape or type.
        NumericsError: a weight is not finite.
    """
    own = dict(net.named_parameters())
    if set(own) != set(arrays):
        raise VersionError(
            f"weights have the parameters {', '.join(sorted(arrays))}, "
            f"but this network needs {', '.join(sorted(own))}"
        )
    for name, tensor in own.items():
        array = arrays[name]
        if array.shape != tuple(tensor.shape) or array.dtype != np.float32:
            raise VersionError(
                f"weights {name} are {array.dtype}{list(array.shape)}, "
                f"but this network needs float32{list(tensor.shape)}"
            )
        if not np.isfinite(array).all():
            bad = array[~np.isfinite(array)]
            raise NumericsError(
                f"weights {name} contain a number that is not finite",
                place="weight",
                value=float(bad.flat[0]),
                parameter=name,
            )


def load_arrays(net: Network, arrays: Weights) -> None:
    """Copy weights into a network.

    Raises:
        VersionError, NumericsError: as of :func:`check_arrays`; the network is unchanged.
    """
    check_arrays(net, arrays)
    own = dict(net.named_parameters())
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(torch.from_numpy(np.array(arrays[name], copy=True)))


def digest_of(arrays: Weights) -> str:
    """SHA-256 over names, shapes and bytes; equal exactly when the weights are equal."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def describe(net: Network, game: GameShape) -> dict[str, Any]:
    """What must be known to load the weights again, as a JSON object."""
    return {
        "checkpoint_version": CHECKPOINT_VERSION,
        **schema_ids(game),
        "network": net.spec.as_json(),
        "parameters": net.parameter_count,
        "weights_id": digest_of(arrays_of(net)),
    }


def from_arrays(
    game: GameShape, arrays: Weights, meta: Mapping[str, Any], where: str = "weights"
) -> Network:
    """Build a network from arrays and their description.

    Args:
        game: the game that is to be played with it.
        arrays: as of :func:`arrays_of`.
        meta: as of :func:`describe`; further keys are ignored.
        where: name of the file, for sentences.

    Raises:
        VersionError: another checkpoint version, other schema ids or shapes, with both named.
        CorruptError: the weights are not those that the description was made for.
        NumericsError: a weight is not finite.
    """
    version = meta.get("checkpoint_version")
    if version not in READABLE_VERSIONS:
        raise VersionError(
            f"{where} has checkpoint_version {version!r}, but this program reads "
            f"{' and '.join(map(str, READABLE_VERSIONS))}"
        )
    require_schema(meta, game, where)
    net = of_spec(game, NetSpec.from_json(meta.get("network")))
    load_arrays(net, arrays)
    wanted = meta.get("weights_id")
    if wanted is not None and wanted != digest_of(arrays):
        raise CorruptError(f"{where} does not hold the weights {wanted} that its description names")
    return net


def encode(arrays: Weights, meta: Mapping[str, Any]) -> bytes:
    """Safetensors bytes with the description in the header; equal input gives equal bytes."""
    # One metadata key only: safetensors does not promise the order of several.
    header = {"ludus": json.dumps(dict(meta), sort_keys=True, separators=(",", ":"))}
    tensors = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
    return bytes(safetensors_numpy.save(tensors, metadata=header))


def decode(data: bytes, where: str = "weights") -> tuple[dict[str, FloatArray], dict[str, Any]]:
    """The inverse of :func:`encode`.

    Raises:
        CorruptError: not a safetensors file, or cut short.
        VersionError: a safetensors file without the description.
    """
    try:
        arrays = dict(safetensors_numpy.load(data))
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
    except (SafetensorError, ValueError, KeyError) as error:
        raise CorruptError(f"{where} is damaged: {error}") from error
    text = header.get("__metadata__", {}).get("ludus")
    if text is None:
        raise VersionError(f"{where} is a safetensors file, but carries no Ludus description")
    meta = json.loads(text)
    return arrays, meta
