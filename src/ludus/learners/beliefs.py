"""The loss of a belief: who holds each hidden thing, by cross-entropy.

What a network says is beside the chance that all hidden places are alike,

    p(holder k | thing) ~ held[k] * exp(logit[thing, k])   over the holders that are possible,

so a network that has learned nothing believes just that. Held numbers are the same in all worlds:
where worlds are weighed by products of these chances only the logits matter (``choose_worlds`` in
``cpp/search/worlds.cpp``). The method is that of Solinas, Rebstock and Buro ("Improving search with
supervised learning in trick-based card games", AAAI 2019): a network predicts where each card is,
and a world weighs the product over its cards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ludus._core import HOLDERS, NOT_HIDDEN
from ludus.replay import TrainingRows

_NEVER = np.float32(-1e9)
"""Logit of a holder that is impossible: its chance is exactly 0. Things that are seen, where all
are, still give numbers."""


@dataclass(frozen=True)
class BeliefLoss:
    """Of one batch.

    Attributes:
        loss: mean cross-entropy in nats a hidden thing, to be differentiated; 0 where nothing is
            hidden.
        gain: nats a hidden thing by which that is better than taking all hidden places for alike; 0
            unless asked for.
    """

    loss: Tensor
    gain: float


def hidden_rows(rows: TrainingRows) -> Tensor:
    """Rows in which something is hidden, i64[n], ascending."""
    return torch.from_numpy(np.flatnonzero((rows.holder != NOT_HIDDEN).any(1)))


def belief_loss(
    logits: Tensor, rows: TrainingRows, which: Tensor, *, gain: bool = True
) -> BeliefLoss:
    """The loss of the belief head.

    Args:
        logits: f32[n, things * holders], of the rows ``which``.
        rows: targets, with holders.
        which: i64[n], as of :func:`hidden_rows`.
        gain: whether to work out the gain; 0 without.
    """
    at = which.numpy()
    holder = rows.holder[at]
    hidden = torch.from_numpy(holder != NOT_HIDDEN)
    target = torch.from_numpy(np.where(hidden, holder, 0).astype(np.int64))[:, :, None]
    possible = np.unpackbits(rows.possible[at][:, :, None], axis=2, bitorder="little")
    held = np.log(np.maximum(rows.held[at], 1).astype(np.float32))
    blind = torch.from_numpy(np.where(possible > 0, held[:, None, :], _NEVER))
    count = max(1, int(hidden.sum()))

    def nats(scores: Tensor) -> Tensor:
        found = torch.log_softmax(scores, 2).gather(2, target)[:, :, 0]
        return -(found * hidden).sum() / count

    loss = nats(logits.view(*holder.shape, HOLDERS) + blind)
    return BeliefLoss(loss, float(nats(blind)) - float(loss.detach()) if gain else 0.0)
