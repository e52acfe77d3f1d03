"""The residual multi-layer perceptron: one trunk, one fused output layer.

``h = relu(W0 x + b0)``, then for every block ``h = h + relu(Wi h + bi)``, then one layer whose
columns are policy logits, value, margin and zeros up to a multiple of 64. There is no
normalisation and no dropout, so training mode and inference mode compute the same function.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ludus.errors import ConfigError
from ludus.nets.spec import COLUMN_MULTIPLE, GameShape, NetSpec

_OUTPUT_GAIN = 0.05
"""Scale of the first output weights: nearly uniform policy, values near 0."""


class ResidualMLP(nn.Module):
    """Policy, value and margin of one observation, from the view of the seat to move.

    Column layout of the fused output: ``[0, A)`` policy logits; then the value columns (one for
    up to two seats, else one a seat, mover first); then as many margin columns where there is a
    margin head; then columns that stay unused.

    Attributes:
        spec: shape of the network.
        num_actions: A.
        value_columns: 1, or the number of seats when there are more than two.
    """

    def __init__(self, game: GameShape, spec: NetSpec, *, seed: int = 0) -> None:
        """Build with weights that follow from ``seed`` alone (the global generator is unused).

        Args:
            game: sizes of observation and action space.
            spec: shape of the network.
            seed: 0 <= seed < 2**64.

        Raises:
            ConfigError: a seed out of range.
        """
        super().__init__()
        if not 0 <= seed < 2**64:
            raise ConfigError(f"network seed {seed} must lie between 0 and 2**64 - 1")
        self.spec = spec
        self.num_actions = game.num_actions
        self.num_inputs = game.observation_size
        self.value_columns = 1 if game.num_seats <= 2 else game.num_seats
        used = self.num_actions + self.value_columns * (2 if spec.margin else 1)
        self.columns = -(-used // COLUMN_MULTIPLE) * COLUMN_MULTIPLE
        meta = torch.device("meta")
        # Made without numbers first, so that no call below draws from the global generator.
        self.input = nn.Linear(self.num_inputs, spec.hidden, device=meta)
        self.blocks = nn.ModuleList(
            nn.Linear(spec.hidden, spec.hidden, device=meta) for _ in range(spec.blocks)
        )
        self.output = nn.Linear(spec.hidden, self.columns, device=meta)
        self.to_empty(device="cpu")
        self._fill(seed)

    def _fill(self, seed: int) -> None:
        """He initialisation (He et al. 2015); blocks shrink with the depth as in Fixup (2019)."""
        generator = torch.Generator(device="cpu")
        # Generator seeds are signed 64-bit numbers.
        generator.manual_seed(seed if seed < 2**63 else seed - 2**64)
        with torch.no_grad():
            for layer in self.layers():
                fan_in = layer.weight.shape[1]
                gain = math.sqrt(2.0 / fan_in)
                if layer is self.output:
                    gain = _OUTPUT_GAIN / math.sqrt(fan_in)
                elif layer is not self.input:
                    gain /= math.sqrt(self.spec.blocks)
                layer.weight.normal_(0.0, gain, generator=generator)
                layer.bias.zero_()

    def layers(self) -> list[nn.Linear]:
        """All linear layers in the order of the computation."""
        inner = [block for block in self.blocks if isinstance(block, nn.Linear)]
        return [self.input, *inner, self.output]

    @property
    def parameter_count(self) -> int:
        """Number of trained numbers, unused output columns included."""
        return sum(parameter.numel() for parameter in self.parameters())

    def fused(self, observations: Tensor) -> Tensor:
        """Raw output columns.

        Args:
            observations: f32[B, observation_size].

        Returns:
            f32[B, columns]; value and margin before their tanh.
        """
        hidden = torch.relu(self.input(observations))
        for block in self.blocks:
            hidden = hidden + torch.relu(block(hidden))
        result: Tensor = self.output(hidden)
        return result

    def split(self, fused: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Take the heads apart.

        Args:
            fused: f32[B, columns] of :meth:`fused`.

        Returns:
            logits f32[B, A]; value and margin in [-1, 1] from the mover's view, f32[B], or
            f32[B, seats] with the mover first when there are more than two seats. Without a
            margin head the margin is all 0.
        """
        first, width = self.num_actions, self.value_columns
        value = torch.tanh(fused[:, first : first + width])
        if self.spec.margin:
            margin = torch.tanh(fused[:, first + width : first + 2 * width])
        else:
            margin = torch.zeros_like(value)
        if width == 1:
            value, margin = value[:, 0], margin[:, 0]
        return fused[:, :first], value, margin

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``split(fused(observations))``."""
        return self.split(self.fused(observations))
