"""What the raw network says about audited positions: illegal actions, symmetrical positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from ludus.games import Symmetry
from ludus.replay import TrainingRows

if TYPE_CHECKING:
    from torch import Tensor

_MOST_ROWS = 512
"""Rows that the network is asked about: enough for means, small beside an iteration."""

Floats = npt.NDArray[np.float32]


def audited_rows(count: int) -> npt.NDArray[np.int64]:
    """Which of so many rows the network is asked about: all, or evenly spaced ones."""
    return np.unique(np.linspace(0, count - 1, min(count, _MOST_ROWS)).astype(np.int64))


def legal_mask(rows: TrainingRows, num_actions: int) -> npt.NDArray[np.bool_]:
    """bool[n, num_actions]: the search's legal actions of each row."""
    mask = np.zeros((len(rows), num_actions), bool)
    mask.reshape(-1)[rows.legal] = True
    return mask


def _answers(net: Any, observations: Floats) -> tuple[Tensor, Tensor]:
    """Logits f32[n, A] and values f32[n, columns] of the raw network."""
    with torch.inference_mode():
        logits, value, _ = net.split(
            net.fused(torch.from_numpy(np.ascontiguousarray(observations)))
        )
    return logits.float(), value.float().reshape(len(observations), -1)


def illegal_mass(net: Any, observations: Floats, legal: npt.NDArray[np.bool_]) -> float:
    """Mean probability outside the legal actions, of a softmax over all actions.

    Args:
        net: a network of ``ludus.nets`` with ``fused`` and ``split``.
        observations: f32[n, observation_size].
        legal: bool[n, num_actions].
    """
    logits, _ = _answers(net, observations)
    shares = torch.softmax(logits.double(), 1).numpy()
    return float(np.where(legal, 0.0, shares).sum(1).mean())


def symmetry_differences(
    net: Any,
    observations: Floats,
    legal: npt.NDArray[np.bool_],
    symmetries: Sequence[Symmetry],
) -> dict[str, float]:
    """How differently the network judges positions and their transformed twins.

    Args:
        net: a network of ``ludus.nets`` with ``fused`` and ``split``.
        observations: f32[n, observation_size].
        legal: bool[n, num_actions].
        symmetries: of the game, see :class:`ludus.games.GameEntry`.

    Returns: mean and maximum over rows and symmetries of the absolute difference of values
        (``symmetry_value_difference``, ``..._max``) and of the total variation of policies over
        legal actions (``symmetry_policy_difference``, ``..._max``); empty without symmetries.
    """
    if not len(symmetries) or not len(observations):
        return {}
    logits, value = _answers(net, observations)
    policy = _masked(logits, legal)
    values, policies = [], []
    for symmetry in symmetries:
        twin_logits, twin_value = _answers(net, observations[:, symmetry.observation])
        back = np.argsort(symmetry.action)  # where an action of the twin comes from
        twin_policy = _masked(twin_logits, legal[:, back])
        values.append(np.abs((twin_value - value).numpy()).max(1))
        policies.append(0.5 * np.abs(twin_policy[:, symmetry.action] - policy).sum(1))
    off, moved = np.stack(values), np.stack(policies)
    return {
        "symmetry_value_difference": float(off.mean()),
        "symmetry_value_difference_max": float(off.max()),
        "symmetry_policy_difference": float(moved.mean()),
        "symmetry_policy_difference_max": float(moved.max()),
    }


def _masked(logits: Tensor, legal: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """f64[n, A]: softmax over the legal actions."""
    blocked = logits.double().masked_fill(
        ~torch.from_numpy(np.ascontiguousarray(legal)), -torch.inf
    )
    shares: npt.NDArray[np.float64] = torch.softmax(blocked, 1).numpy()
    return shares
