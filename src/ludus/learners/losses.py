"""The AlphaZero loss of one batch and its gradient, worked out by the core.

The same in plain torch is ``tests/twins/loss_twin.py``: a chain of dense operations over all
actions with a backward pass of its own. This one looks at the legal actions only, once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ludus import _core
from ludus.replay import TrainingRows


@dataclass(frozen=True)
class Losses:
    """Terms of one batch.

    Attributes:
        policy: mean cross-entropy in nats over the rows with a policy target; at least
            ``target_entropy``.
        value: mean squared error; of a row the mean over its seats in play.
        margin: likewise; 0 for a network without a margin head.
        entropy: mean entropy of the network's policy over the rows with a policy target; 0 unless
            asked for.
        target_entropy: mean entropy of the targets over those rows; 0 unless asked for.
        policy_rows: rows with a policy target. The others teach value and margin only.
    """

    policy: float
    value: float
    margin: float
    entropy: float
    target_entropy: float
    policy_rows: int


def alphazero_losses(
    fused: Tensor,
    rows: TrainingRows,
    *,
    actions: int,
    margin: bool,
    value_weight: float = 1.0,
    margin_weight: float = 0.0,
    value_mix: float = 0.0,
    entropies: bool = True,
) -> tuple[Losses, Tensor]:
    """The terms of the loss, and the gradient of their weighted sum.

    Args:
        fused: f32[n, columns], a network's raw output: policy logits, value and margin before
            their tanh (each one column, or with more than two seats one a seat, mover first),
            unused columns. The only softmax is the one in here, over legal actions.
        rows: targets.
        actions: columns of policy logits.
        margin: whether margin columns follow the value's.
        value_weight: of the value's term.
        margin_weight: of the margin's term.
        value_mix: share of ``rows.root_value`` in the mover's value target.
        entropies: whether to work out the entropies.

    Returns:
        The terms, as finite as the numbers that went in, and f32[n, columns], what to give to
        ``fused.backward``.

    Raises:
        ValueError: rows whose legal actions are not their own, or do not fit the output.
    """
    output = fused.detach()
    gradient = torch.empty_like(output)
    terms = _core.alphazero_loss(
        output.numpy(),
        gradient.numpy(),
        actions,
        margin,
        dict(vars(rows)),
        value_weight,
        margin_weight,
        value_mix,
        entropies,
        rows.value.shape[1] if rows.value.ndim == 2 else 1,
    )
    return Losses(**terms), gradient
