"""The residual multi-layer perceptron: one trunk, one fused output layer.

``h = relu(W0 x + b0)``, then for every block ``h = h + relu(Wi h + bi)``, then one layer whose
columns are policy logits, value, margin and zeros up to a multiple of 64. A belief head is a layer
of its own beside that one.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ludus.nets.network import OUTPUT_GAIN, Network, seeded_generator
from ludus.nets.spec import COLUMN_MULTIPLE, GameShape, NetSpec


class ResidualMLP(Network):
    """A :class:`Network` of linear layers; any observation will do."""

    def __init__(self, game: GameShape, spec: NetSpec, *, seed: int = 0) -> None:
        """Build with weights that follow from ``seed`` alone (the global generator is unused).

        Args:
            game: sizes of observation and action space.
            spec: shape of the network.
            seed: 0 <= seed < 2**64.

        Raises:
            ConfigError: a seed out of range.
        """
        super().__init__(game, spec)
        generator = seeded_generator(seed)
        meta = torch.device("meta")
        # Made without numbers first, so that no call below draws from the global generator.
        self.input = nn.Linear(self.num_inputs, spec.hidden, device=meta)
        self.blocks = nn.ModuleList(
            nn.Linear(spec.hidden, spec.hidden, device=meta) for _ in range(spec.blocks)
        )
        self.output = nn.Linear(spec.hidden, self.columns, device=meta)
        if spec.belief:
            padded = -(-spec.belief // COLUMN_MULTIPLE) * COLUMN_MULTIPLE
            self.belief = nn.Linear(spec.hidden, padded, device=meta)
        self.to_empty(device="cpu")
        self._fill(generator)

    def _fill(self, generator: torch.Generator) -> None:
        """He initialisation (He et al. 2015); blocks shrink with the depth as in Fixup (2019)."""
        with torch.no_grad():
            for layer in self.layers():
                fan_in = layer.weight.shape[1]
                gain = math.sqrt(2.0 / fan_in)
                if layer in (self.output, self.belief):
                    gain = OUTPUT_GAIN / math.sqrt(fan_in)
                elif layer is not self.input:
                    gain /= math.sqrt(self.spec.blocks)
                layer.weight.normal_(0.0, gain, generator=generator)
                layer.bias.zero_()

    def layers(self) -> list[nn.Linear]:
        """All linear layers in the order of the computation, a belief head last."""
        inner = [block for block in self.blocks if isinstance(block, nn.Linear)]
        heads = [self.output] if self.belief is None else [self.output, self.belief]
        return [self.input, *inner, *heads]

    def _trunk(self, observations: Tensor) -> Tensor:
        hidden = torch.relu(self.input(observations))
        for block in self.blocks:
            hidden = hidden + torch.relu(block(hidden))
        return hidden

    def fused(self, observations: Tensor) -> Tensor:
        """Raw output columns; see :meth:`Network.fused`."""
        result: Tensor = self.output(self._trunk(observations))
        return result

    def with_belief(self, observations: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Fused output and beliefs; see :meth:`Network.with_belief`."""
        if self.belief is None:
            return super().with_belief(observations, rows)
        hidden = self._trunk(observations)
        return self.output(hidden), self.belief(hidden[rows])[:, : self.spec.belief]
