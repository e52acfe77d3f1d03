"""The AlphaZero learner (Silver et al. 2017), readable from top to bottom.

    loss = cross-entropy(policy target, softmax over the legal actions of the logits)
         + value_weight  * (value - target)^2       target: result, mixed with the search's value
         + margin_weight * (margin - target)^2      target: tanh of the final margin in points
         + belief_weight * cross-entropy(holder, softmax over the possible holders)

With more than two seats, value and margin have a column for each and their terms are the mean over
the seats in play; the other columns have no target and no gradient. The search's value is mixed
into the mover's target alone: records keep it for nobody else. The last term is that of a belief
head, where a network has one (``learners/beliefs.py``).

optimised by AdamW (Loshchilov and Hutter 2019). The candidate is a moving average of the weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ludus.errors import ConfigError, NumericsError, VersionError
from ludus.learners.beliefs import BeliefLoss, belief_loss, hidden_rows
from ludus.learners.flat import FlatParameters
from ludus.learners.losses import Losses, alphazero_losses
from ludus.learners.settings import AlphaZeroSettings
from ludus.nets import Network, Weights, arrays_of, check_arrays, load_arrays
from ludus.replay import TrainingRows

_SLOTS = ("step", "exp_avg", "exp_avg_sq")
"""What AdamW remembers of a parameter."""


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

    Attributes:
        update: updates since the run's birth, which is the number of the next one.
        iteration_step, steps_target: updates of the iteration, done and to be done.
        learning_rate: peak of the iteration.
        value_mix: share of the search's value in the iteration's value targets.
    """

    def __init__(self, net: Network, settings: AlphaZeroSettings) -> None:
        """Begin with the weights of the network and no updates to make.

        Args:
            net: architecture and first weights; owned by the learner from now on.
            settings: see there.

        Raises:
            ConfigError: a margin or belief loss without a head for it.
        """
        if settings.margin_weight > 0.0 and not net.spec.margin:
            raise ConfigError(
                f"training.margin_weight = {settings.margin_weight} needs a network with a margin "
                "head"
            )
        if settings.belief_weight > 0.0 and not net.spec.belief:
            raise ConfigError(
                f"training.belief_weight = {settings.belief_weight} needs a network with a belief "
                "head (model.belief = true)"
            )
        self.settings = settings
        self.net = net
        self.update = 0
        self.iteration_step = 0
        self.steps_target = 0
        self.learning_rate = settings.learning_rate
        self.value_mix = settings.value_mix
        self._flat = FlatParameters(net)
        self._average = self._flat.weights.clone()
        self._rates = settings.learning_rates()
        self._optimizer = self._fresh_optimizer()

    @property
    def done(self) -> bool:
        """Whether the iteration has had all its updates."""
        return self.iteration_step >= self.steps_target

    def _fresh_optimizer(self) -> torch.optim.AdamW:
        # Biases are not decayed.
        decays = (self.settings.weight_decay, 0.0)
        return torch.optim.AdamW(
            [
                {"params": [leaf], "weight_decay": decay}
                for leaf, decay in zip(self._flat.groups, decays, strict=True)
            ],
            lr=self.settings.learning_rate,
            fused=True,
        )

    def begin_iteration(
        self,
        weights: Weights | None,
        steps_target: int,
        *,
        learning_rate: float | None = None,
        value_mix: float | None = None,
    ) -> None:
        """Start the candidate from these weights.

        Moments of an earlier iteration are dropped unless the setting says ``kept``.

        Args:
            weights: the champion; None goes on from the learner's own weights.
            steps_target: updates of the iteration, see :func:`ludus.learners.plan_steps`.
            learning_rate: peak of this iteration; that of the settings by default.
            value_mix: of this iteration; that of the settings by default.

        Raises:
            ConfigError: no steps, or a number out of range.
            VersionError, NumericsError: weights that do not fit or are not finite.
        """
        if steps_target < 1:
            raise ConfigError(f"an iteration of {steps_target} updates must have at least 1")
        self._follow(
            self.settings.learning_rate if learning_rate is None else learning_rate,
            self.settings.value_mix if value_mix is None else value_mix,
        )
        if weights is not None:
            load_arrays(self.net, weights)
            self._average.copy_(self._flat.weights)
        if self.settings.optimizer_across_iterations == "fresh":
            self._optimizer = self._fresh_optimizer()
        self.iteration_step = 0
        self.steps_target = steps_target

    def _follow(self, learning_rate: float, value_mix: float) -> None:
        """Values of the iteration, checked as those of the settings are."""
        checked = replace(self.settings, learning_rate=learning_rate, value_mix=value_mix)
        self.learning_rate, self.value_mix = learning_rate, value_mix
        self._rates = checked.learning_rates()

    def step(self, rows: TrainingRows, *, report: bool = True) -> dict[str, float]:
        """One update.

        Args:
            rows: of update number ``self.update``; with holders where a belief is learned.
            report: whether to work out the metrics; the update is the same without.

        Returns:
            loss_total, loss_policy, loss_value, loss_margin (unweighted), entropy, target_entropy,
            kl (policy loss above its floor), policy_rows (rows with a policy target), lr,
            grad_norm (before clipping), and where a belief is learned loss_belief and belief_gain
            (nats a hidden thing, see :class:`~ludus.learners.beliefs.BeliefLoss`); nothing unless
            asked to report.

        Raises:
            NumericsError: the loss or the gradient is not finite; weights, average and optimizer
                are as before the call.
        """
        settings = self.settings
        with torch_threads(settings.threads):
            self._flat.gradient.zero_()
            observations = torch.from_numpy(rows.observations)
            with torch.autocast("cpu", torch.bfloat16, enabled=settings.precision == "bf16"):
                fused, belief = self._outputs(observations, rows, report=report)
            losses, gradient = alphazero_losses(
                fused.float(),
                rows,
                actions=self.net.num_actions,
                margin=self.net.spec.margin,
                value_weight=settings.value_weight,
                margin_weight=settings.margin_weight,
                value_mix=self.value_mix,
                entropies=report,
            )
            total = losses.policy + settings.value_weight * losses.value
            if settings.margin_weight > 0.0:
                total += settings.margin_weight * losses.margin
            slopes: list[Tensor | None] = [gradient.to(fused.dtype)]
            outputs = [fused]
            if belief is not None:
                total += settings.belief_weight * belief.loss.item()
                outputs.append(settings.belief_weight * belief.loss)
                slopes.append(None)
            torch.autograd.backward(outputs, slopes)
            norm = self._flat.gradient.norm().item()
            if not (math.isfinite(total) and math.isfinite(norm)):
                raise self._divergence(rows, total, norm)
            rate = self._rates.at(self.iteration_step, self.steps_target)
            metrics = self._metrics(total, losses, belief, norm, rate) if report else {}
            if norm > settings.grad_clip:
                self._flat.gradient.mul_(settings.grad_clip / norm)
            self._apply(rate)
        return metrics

    def _outputs(
        self, observations: Tensor, rows: TrainingRows, *, report: bool
    ) -> tuple[Tensor, BeliefLoss | None]:
        """The fused output, and the loss of the belief where one is learned."""
        if self.settings.belief_weight == 0.0:
            return self.net.fused(observations), None
        which = hidden_rows(rows)
        fused, beliefs = self.net.with_belief(observations, which)
        return fused, belief_loss(beliefs.float(), rows, which, gain=report)

    def _metrics(
        self, total: float, losses: Losses, belief: BeliefLoss | None, norm: float, rate: float
    ) -> dict[str, float]:
        """Numbers of this update, refused where they are not finite."""
        metrics = {
            "loss_total": total,
            "loss_policy": losses.policy,
            "loss_value": losses.value,
            "loss_margin": losses.margin,
            "entropy": losses.entropy,
            "target_entropy": losses.target_entropy,
            "policy_rows": losses.policy_rows,
            "grad_norm": norm,
            "lr": rate,
        }
        metrics["kl"] = metrics["loss_policy"] - metrics["target_entropy"]
        if belief is not None:
            metrics |= {"loss_belief": belief.loss.item(), "belief_gain": belief.gain}
        for name, number in metrics.items():
            if not math.isfinite(number):
                raise NumericsError(
                    f"update {self.update}: {name} is {number}",
                    place="loss",
                    value=number,
                    update=self.update,
                )
        return metrics

    def _divergence(self, rows: TrainingRows, total: float, norm: float) -> NumericsError:
        """What says where a loss or gradient that is not finite comes from: inputs first."""
        weights = self._flat.weights.detach().numpy()
        looked = (
            ("observation", "an observation", rows.observations),
            ("target", "a value target", rows.value),
            ("target", "a margin target", rows.margin),
            ("target", "a policy target", rows.policy),
            ("weight", "a weight", weights),
            ("loss", "loss_total", np.float64(total)),
        )
        bad = [
            (place, name, float(np.asarray(numbers)[~np.isfinite(numbers)].flat[0]))
            for place, name, numbers in looked
            if not np.isfinite(numbers).all()
        ]
        place, name, value = bad[0] if bad else ("gradient", "grad_norm", norm)
        return NumericsError(
            f"update {self.update}: {name} is {value}",
            place=place,
            value=value,
            update=self.update,
            loss=total,
            grad_norm=norm,
        )

    def _apply(self, rate: float) -> None:
        """Optimizer step and average, from gradients known to be finite."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        n = self.iteration_step
        decay = min(self.settings.ema_decay, (1 + n) / (10 + n))
        self._average.lerp_(self._flat.weights, 1.0 - decay)
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
        arrays = {name: part.numpy().copy() for name, part in self._views(self._average).items()}
        check_arrays(self.net, arrays)
        return arrays

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Everything that going on exactly needs, as copies in flat named arrays.

        Names: ``weights/*``, ``average/*``, ``adam/<slot>/*`` once an update was made,
        ``counters`` i64[3] = update, iteration_step, steps_target, ``iteration`` f64[2] =
        learning_rate, value_mix of the iteration.

        Raises:
            NumericsError: a weight is not finite; such a state must not be committed.
        """
        arrays: dict[str, npt.NDArray[Any]] = {
            "counters": np.array([self.update, self.iteration_step, self.steps_target], np.int64),
            "iteration": np.array([self.learning_rate, self.value_mix], np.float64),
        }
        weights = self.weights()
        check_arrays(self.net, weights)
        arrays.update({f"weights/{name}": array for name, array in weights.items()})
        arrays.update({f"average/{name}": array for name, array in self.candidate().items()})
        for slot, parts in self._moments().items():
            arrays.update({f"adam/{slot}/{name}": part for name, part in parts.items()})
        return arrays

    def _views(self, flat: Tensor) -> dict[str, Tensor]:
        return self._flat.views(flat)

    def _moments(self) -> dict[str, dict[str, npt.NDArray[Any]]]:
        """What AdamW remembers, by slot and parameter, as copies; nothing before an update."""
        states = [self._optimizer.state.get(leaf, {}) for leaf in self._flat.groups]
        if not all(states):
            return {}
        found = {
            slot: {
                name: part.numpy().copy()
                for name, part in self._views(torch.cat([state[slot] for state in states])).items()
            }
            for slot in _SLOTS[1:]
        }
        # Both groups have made the same steps; the state names them for each parameter.
        found["step"] = {name: states[0]["step"].numpy().copy() for name in self._flat.names}
        return found

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

        slots = {slot: part(f"adam/{slot}/") for slot in _SLOTS}
        counters = arrays.get("counters")
        full = sum(len(found) for found in slots.values())
        if counters is None or counters.shape != (3,) or full % (3 * len(self._flat.names)):
            raise VersionError("the learner's state lacks counters or part of the optimizer")
        weights, average = part("weights/"), part("average/")
        check_arrays(self.net, average)
        load_arrays(self.net, weights)
        self._average.copy_(self._join(average))
        self._optimizer = self._fresh_optimizer()
        if full:
            flat = {slot: self._join(slots[slot]) for slot in _SLOTS[1:]}
            at = 0
            for leaf in self._flat.groups:
                self._optimizer.state[leaf] = {
                    "step": torch.tensor(slots["step"][self._flat.names[0]]),
                    **{slot: flat[slot][at : at + leaf.numel()].clone() for slot in flat},
                }
                at += leaf.numel()
        self.update, self.iteration_step, self.steps_target = (int(n) for n in counters)
        # States of earlier versions have no values of the iteration: they were the settings'.
        defaults = (self.settings.learning_rate, self.settings.value_mix)
        rate, mix = (float(number) for number in arrays.get("iteration", defaults))
        self._follow(rate, mix)

    def _join(self, arrays: Mapping[str, npt.NDArray[Any]]) -> Tensor:
        return self._flat.join({name: torch.tensor(array) for name, array in arrays.items()})
