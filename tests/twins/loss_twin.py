"""The AlphaZero loss in plain torch, which `cpp/play/losses.cpp` must agree with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from ludus.replay import TrainingRows

_BLOCKED = -1e9
"""Added to illegal logits: probability and gradient become 0, and times 0 it is 0, not NaN."""


@dataclass(frozen=True)
class Losses:
    """Terms of one batch, each a scalar tensor.

    Attributes:
        policy: mean cross-entropy in nats over the rows with a policy target; at least the mean
            entropy of the targets.
        value: mean squared error.
        margin: mean squared error; 0 for a network without a margin head.
        log_policy: f32[n, A], the network's log-probabilities, about -1e9 for illegal actions.
        target: f32[n, A], the policy targets, 0 in rows without one.
        policy_rows: rows with a policy target.
    """

    policy: Tensor
    value: Tensor
    margin: Tensor
    log_policy: Tensor
    target: Tensor
    policy_rows: int

    @property
    def entropy(self) -> Tensor:
        """Mean entropy of the network's policy over the rows with a policy target."""
        with torch.no_grad():
            teaches = self.target.sum(1) > 0.0
            policy = self.log_policy.clamp_min(-60.0).exp()  # exp of -1e9 takes a slow path
            sums = (policy * self.log_policy).sum(1) * teaches
            return -sums.sum() / max(1, self.policy_rows)

    @property
    def target_entropy(self) -> Tensor:
        """Mean entropy of the policy targets."""
        logarithm = self.target.clamp_min(1e-30).log()  # 0 log 0 = 0
        return -(self.target * logarithm).sum() / max(1, self.policy_rows)


def _dense(rows: TrainingRows, columns: int) -> tuple[Tensor, Tensor]:
    """Targets and blocked actions, f32[n, A] each."""
    target = np.zeros((len(rows), columns), np.float32)
    blocked = np.full((len(rows), columns), _BLOCKED, np.float32)
    teaches = np.repeat(rows.searched != 0, np.diff(rows.offsets))
    target.reshape(-1)[rows.legal] = np.where(teaches, rows.policy, np.float32(0.0))
    blocked.reshape(-1)[rows.legal] = 0.0
    return torch.from_numpy(target), torch.from_numpy(blocked)


def alphazero_losses(
    logits: Tensor,
    value: Tensor,
    margin: Tensor | None,
    rows: TrainingRows,
    value_mix: float = 0.0,
) -> Losses:
    """The terms of the loss.

    Args:
        logits: f32[n, A], raw; the only softmax is the one in here, over legal actions.
        value: f32[n] in [-1, 1], mover's view; f32[n, seats], mover first, where rows have a
            value for each of more than two seats.
        margin: likewise; None without a margin head.
        rows: targets; columns from ``rows.players`` on count nothing.
        value_mix: share of ``rows.root_value`` in the mover's value target.
    """
    target, blocked = _dense(rows, logits.shape[1])
    log_policy = log_softmax(logits + blocked, dim=1)
    # A row without a policy target is 0 in all of them: it teaches value and margin only.
    policy_rows = int(np.count_nonzero(rows.searched))
    policy = -(target * log_policy).sum() / max(1, policy_rows)
    result = torch.from_numpy(rows.value).reshape(len(rows), -1).clone()
    if value_mix > 0.0:
        root = torch.from_numpy(rows.root_value)
        result[:, 0] = torch.lerp(result[:, 0], root, value_mix)
    return Losses(
        policy=policy,
        value=_squared(value, result, rows),
        margin=torch.zeros(())
        if margin is None
        else _squared(margin, torch.from_numpy(rows.margin).reshape(len(rows), -1), rows),
        log_policy=log_policy.detach(),
        target=target,
        policy_rows=policy_rows,
    )


def _squared(found: Tensor, target: Tensor, rows: TrainingRows) -> Tensor:
    """Mean over the rows of the mean over their seats in play (one column is the mover's)."""
    columns = target.shape[1]
    if columns == 1:
        return (found.reshape(-1, 1) - target).square().mean()
    players = torch.from_numpy(rows.players)[:, None]
    there = (torch.arange(columns)[None] < players).float()
    return (((found - target).square() * there).sum(1) / there.sum(1)).mean()
