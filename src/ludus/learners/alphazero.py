"""The AlphaZero learner (Silver et al. 2017), readable from top to bottom.

    loss = cross-entropy(policy target, softmax over the legal actions of the logits)
         + value_weight  * (value - target)^2       target: result, mixed with the search's value
         + margin_weight * (margin - target)^2      target: tanh of the final margin in points

optimised by AdamW (Loshchilov and Hutter 2019). The candidate is a moving average of the weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from ludus.errors import ConfigError, NumericsError, VersionError
from ludus.nets import Network, Weights, arrays_of, check_arrays, load_arrays
from ludus.replay import TrainingRows
from ludus.schedules import Schedule

_BLOCKED = -1e9
"""Added to illegal logits: probability and gradient become 0, and times 0 it is 0, not NaN."""


@dataclass(frozen=True, kw_only=True)
class AlphaZeroSettings:
    """Settings of the learner.

    Attributes:
        batch_size: rows of an update.
        learning_rate: peak of the schedule.
        schedule: constant, step, linear, exponential or cosine, over the updates of an iteration.
        warmup_steps: updates over which the learning rate climbs to its peak.
        final_fraction: last learning rate over the peak; linear, exponential and cosine.
        milestones: updates of the iteration at which ``step`` multiplies by ``step_factor``.
        step_factor: see milestones.
        weight_decay: decoupled decay of weight matrices; biases have none.
        grad_clip: largest norm of the whole gradient.
        value_weight: of the value loss.
        margin_weight: of the margin loss; 0 leaves the margin head untrained.
        value_mix: share of the search's root value in the value target; 0 is the result alone.
        ema_decay: of the averaged weights per update; 0 takes the weights as they are. It begins
            lower, (1 + n) / (10 + n) after n updates, so that short iterations still move.
        optimizer_across_iterations: ``fresh`` or ``kept`` (decisions 11).
        precision: ``f32``, or ``bf16`` for the products of the network.
        threads: torch threads of an update; part of the result's bits.
    """

    batch_size: int = 1024
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    warmup_steps: int = 20
    final_fraction: float = 0.1
    milestones: tuple[int, ...] = ()
    step_factor: float = 0.1
    weight_decay: float = 1e-4
    grad_clip: float = 1.0
    value_weight: float = 1.0
    margin_weight: float = 0.0
    value_mix: float = 0.0
    ema_decay: float = 0.99
    optimizer_across_iterations: str = "fresh"
    precision: str = "f32"
    threads: int = 1

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ConfigError: names the setting, its value and what would be right.
        """
        bounds = {
            "batch_size": (1, 1 << 20),
            "learning_rate": (1e-12, 10.0),
            "final_fraction": (1e-9, 1.0),
            "weight_decay": (0.0, 10.0),
            "grad_clip": (1e-9, 1e9),
            "value_weight": (0.0, 1e6),
            "margin_weight": (0.0, 1e6),
            "value_mix": (0.0, 1.0),
            "ema_decay": (0.0, 0.999999),
            "threads": (1, 1024),
        }
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"training.{name} = {value} must lie between {low} and {high}")
        choices = {
            "optimizer_across_iterations": ("fresh", "kept"),
            "precision": ("f32", "bf16"),
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ConfigError(
                    f"training.{name} = {getattr(self, name)!r} must be one of {', '.join(known)}"
                )
        self.learning_rates()

    def learning_rates(self) -> Schedule:
        """The learning rate as a schedule over the updates of an iteration."""
        return Schedule(
            kind=self.schedule,
            start=self.learning_rate,
            end=self.learning_rate * self.final_fraction,
            warmup=self.warmup_steps,
            milestones=self.milestones,
            factor=self.step_factor,
        )


@dataclass(frozen=True)
class Losses:
    """Terms of one batch, each a scalar tensor.

    Attributes:
        policy: mean cross-entropy in nats over the searched rows; at least ``target_entropy``.
        value: mean squared error.
        margin: mean squared error.
        entropy: mean entropy of the network's policy over the searched rows.
        target_entropy: mean entropy of the targets over the searched rows.
    """

    policy: Tensor
    value: Tensor
    margin: Tensor
    entropy: Tensor
    target_entropy: Tensor


def alphazero_losses(
    logits: Tensor, value: Tensor, margin: Tensor, rows: TrainingRows, value_mix: float = 0.0
) -> Losses:
    """The terms of the loss.

    Args:
        logits: f32[n, A], raw; the only softmax is the one in here, over legal actions.
        value: f32[n] in [-1, 1], mover's view.
        margin: f32[n] in [-1, 1], mover's view.
        rows: targets.
        value_mix: share of ``rows.root_value`` in the value target.
    """
    # numpy scatters ten times faster here than torch.
    dense = np.zeros(logits.numel(), np.float32)
    dense[rows.legal] = rows.policy
    block = np.full(logits.numel(), _BLOCKED, np.float32)
    block[rows.legal] = 0.0
    target = torch.from_numpy(dense).view_as(logits)
    log_policy = log_softmax(logits + torch.from_numpy(block).view_as(logits), dim=1)
    # A row without a search has no policy target: it teaches value and margin only.
    weight = torch.from_numpy(rows.searched).to(torch.float32)
    weight = weight / weight.sum().clamp_min(1.0)
    cross_entropy = -(target * log_policy).sum(1)
    with torch.no_grad():
        policy = log_policy.clamp_min(-60.0).exp()  # exp of -1e9 takes a slow path
        entropy = -((policy * log_policy).sum(1) * weight).sum()
        target_log = target.clamp_min(1e-30).log()  # 0 log 0 = 0
        target_entropy = -((target * target_log).sum(1) * weight).sum()

    result = torch.from_numpy(rows.value)
    if value_mix > 0.0:
        result = torch.lerp(result, torch.from_numpy(rows.root_value), value_mix)
    return Losses(
        policy=(cross_entropy * weight).sum(),
        value=(value - result).square().mean(),
        margin=(margin - torch.from_numpy(rows.margin)).square().mean(),
        entropy=entropy,
        target_entropy=target_entropy,
    )


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Run with this many torch threads, then as before (self-play wants 1)."""
    before = torch.get_num_threads()
    if before != count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if before != count:
            torch.set_num_threads(before)


class AlphaZeroLearner:
    """Turns training rows into a candidate, one update at a time; every bit is reproducible.

    ``begin_iteration(champion, steps)``, ``step(rows of update)`` until ``done``, ``candidate()``;
    :meth:`state` may be taken between any two updates.
    """

    def __init__(self, net: Network, settings: AlphaZeroSettings) -> None:
        """Begin with the weights of the network and no updates to make.

        Args:
            net: architecture and first weights; owned by the learner from now on.
            settings: see there.

        Raises:
            ConfigError: a margin loss without a margin head, or more than two seats.
        """
        if settings.margin_weight > 0.0 and not net.spec.margin:
            raise ConfigError(
                f"training.margin_weight = {settings.margin_weight} needs a network with a margin "
                "head"
            )
        if net.value_columns != 1:
            raise ConfigError("the alphazero learner trains networks for one or two seats")
        self.settings = settings
        self.net = net
        self.update = 0
        self.iteration_step = 0
        self.steps_target = 0
        self._names = [name for name, _ in net.named_parameters()]
        self._parameters: list[Tensor] = list(net.parameters())
        self._average = [parameter.detach().clone() for parameter in self._parameters]
        self._rates = settings.learning_rates()
        self._optimizer = self._fresh_optimizer()

    @property
    def done(self) -> bool:
        """Whether the iteration has had all its updates."""
        return self.iteration_step >= self.steps_target

    def _fresh_optimizer(self) -> torch.optim.AdamW:
        matrices = [p for p in self._parameters if p.ndim > 1]
        biases = [p for p in self._parameters if p.ndim <= 1]
        return torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": self.settings.weight_decay},
                {"params": biases, "weight_decay": 0.0},
            ],
            lr=self.settings.learning_rate,
            fused=True,
        )

    def begin_iteration(self, weights: Weights | None, steps_target: int) -> None:
        """Start the candidate from these weights.

        Moments of an earlier iteration are dropped unless the setting says ``kept``.

        Args:
            weights: the champion; None goes on from the learner's own weights.
            steps_target: updates of the iteration, see :func:`ludus.learners.plan_steps`.

        Raises:
            ConfigError: no steps.
            VersionError, NumericsError: weights that do not fit or are not finite.
        """
        if steps_target < 1:
            raise ConfigError(f"an iteration of {steps_target} updates must have at least 1")
        if weights is not None:
            load_arrays(self.net, weights)
            with torch.no_grad():
                for average, parameter in zip(self._average, self._parameters, strict=True):
                    average.copy_(parameter)
        if self.settings.optimizer_across_iterations == "fresh":
            self._optimizer = self._fresh_optimizer()
        self.iteration_step = 0
        self.steps_target = steps_target

    def step(self, rows: TrainingRows) -> dict[str, float]:
        """One update.

        Args:
            rows: of update number ``self.update``.

        Returns:
            loss_total, loss_policy, loss_value, loss_margin (unweighted), entropy, target_entropy,
            kl (policy loss above its floor), lr, grad_norm (before clipping).

        Raises:
            NumericsError: the loss or the gradient is not finite; weights, average and optimizer
                are as before the call.
        """
        settings = self.settings
        with torch_threads(settings.threads):
            for parameter in self._parameters:
                parameter.grad = None
            observations = torch.from_numpy(rows.observations)
            with torch.autocast("cpu", torch.bfloat16, enabled=settings.precision == "bf16"):
                fused = self.net.fused(observations)
            logits, value, margin = self.net.split(fused.float())
            losses = alphazero_losses(logits, value, margin, rows, settings.value_mix)
            total = losses.policy + settings.value_weight * losses.value
            if settings.margin_weight > 0.0:
                total = total + settings.margin_weight * losses.margin
            total.backward()  # type: ignore[no-untyped-call]
            norm = torch.nn.utils.clip_grad_norm_(self._parameters, settings.grad_clip)
            metrics = self._metrics(total, losses, norm)
            self._apply(metrics["lr"])
        return metrics

    def _metrics(self, total: Tensor, losses: Losses, norm: Tensor) -> dict[str, float]:
        """Numbers of this update, refused where they are not finite."""
        metrics = {
            "loss_total": total.item(),
            "loss_policy": losses.policy.item(),
            "loss_value": losses.value.item(),
            "loss_margin": losses.margin.item(),
            "entropy": losses.entropy.item(),
            "target_entropy": losses.target_entropy.item(),
            "grad_norm": norm.item(),
            "lr": self._rates.at(self.iteration_step, self.steps_target),
        }
        metrics["kl"] = metrics["loss_policy"] - metrics["target_entropy"]
        for name, number in metrics.items():
            if not math.isfinite(number):
                raise NumericsError(f"update {self.update}: {name} is {number}")
        return metrics

    def _apply(self, rate: float) -> None:
        """Optimizer step and average, from gradients known to be finite."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        n = self.iteration_step
        decay = min(self.settings.ema_decay, (1 + n) / (10 + n))
        with torch.no_grad():
            torch._foreach_lerp_(self._average, self._parameters, 1.0 - decay)
        self.update += 1
        self.iteration_step += 1

    def weights(self) -> dict[str, npt.NDArray[np.float32]]:
        """Copies of the weights as trained, not averaged."""
        return arrays_of(self.net)

    def candidate(self) -> dict[str, npt.NDArray[np.float32]]:
        """Copies of the averaged weights: what the arena plays.

        Raises:
            NumericsError: a weight is not finite.
        """
        arrays = {
            name: average.numpy().copy()
            for name, average in zip(self._names, self._average, strict=True)
        }
        check_arrays(self.net, arrays)
        return arrays

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Everything that going on exactly needs, as copies in flat named arrays.

        Names: ``weights/*``, ``average/*``, ``adam/<slot>/*`` once an update was made,
        ``counters`` i64[3] = update, iteration_step, steps_target.

        Raises:
            NumericsError: a weight is not finite; such a state must not be committed.
        """
        arrays: dict[str, npt.NDArray[Any]] = {
            "counters": np.array([self.update, self.iteration_step, self.steps_target], np.int64)
        }
        weights = self.weights()
        check_arrays(self.net, weights)
        arrays.update({f"weights/{name}": array for name, array in weights.items()})
        arrays.update({f"average/{name}": array for name, array in self.candidate().items()})
        for name, parameter in zip(self._names, self._parameters, strict=True):
            for slot, tensor in self._optimizer.state.get(parameter, {}).items():
                arrays[f"adam/{slot}/{name}"] = tensor.detach().numpy().copy()
        return arrays

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on where :meth:`state` was taken: the same updates give the same bytes.

        Raises: VersionError: arrays of another network or format. NumericsError: as above.
        """

        def part(prefix: str) -> dict[str, npt.NDArray[Any]]:
            return {
                name.removeprefix(prefix): array
                for name, array in arrays.items()
                if name.startswith(prefix)
            }

        slots = {slot: part(f"adam/{slot}/") for slot in ("step", "exp_avg", "exp_avg_sq")}
        counters = arrays.get("counters")
        full = sum(len(found) for found in slots.values())
        if counters is None or counters.shape != (3,) or full % (3 * len(self._names)):
            raise VersionError("the learner's state lacks counters or part of the optimizer")
        weights, average = part("weights/"), part("average/")
        check_arrays(self.net, average)
        load_arrays(self.net, weights)
        with torch.no_grad():
            for name, tensor in zip(self._names, self._average, strict=True):
                tensor.copy_(torch.tensor(average[name]))
        self._optimizer = self._fresh_optimizer()
        if full:
            for name, parameter in zip(self._names, self._parameters, strict=True):
                self._optimizer.state[parameter] = {
                    slot: torch.tensor(found[name]) for slot, found in slots.items()
                }
        self.update, self.iteration_step, self.steps_target = (int(n) for n in counters)
