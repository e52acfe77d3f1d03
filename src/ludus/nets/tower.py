"""The residual tower for boards: 3x3 convolutions, no batch normalisation, one fused output layer.

``h = relu(conv(x))``, for every block ``h = relu(h + g * conv(relu(conv(h))))``, then a 1x1
convolution to a few channels with relu, flattened, and one linear layer whose columns are policy
logits, value, margin and zeros up to a multiple of 64.

Without normalisation a deep residual network trains when its branches begin small: the second
convolution of a block begins at 0, so every block begins as the identity, and a learned gain ``g``
a channel sets how loud the branch becomes (Fixup, Zhang et al. 2019; KataGo's ``fixscale`` nets
train the same way). A network without statistics of a batch computes the same function in training
and in play, and its bits do not depend on what else is in the batch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ludus.errors import ConfigError
from ludus.nets.network import OUTPUT_GAIN, Network, seeded_generator
from ludus.nets.spec import GameShape, NetSpec


class TowerBlock(nn.Module):
    """Two 3x3 convolutions beside the identity.

    Attributes:
        first, second: the convolutions; the second begins at 0.
        gain: f32[channels], factor of the branch; begins at 1.
    """

    def __init__(self, channels: int, device: torch.device) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, device=device)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, device=device)
        self.gain = nn.Parameter(torch.empty(channels, device=device))

    def forward(self, hidden: Tensor) -> Tensor:
        """``relu(h + g * conv(relu(conv(h))))`` on f32[B, channels, rows, columns]."""
        branch = self.second(torch.relu(self.first(hidden)))
        return torch.relu(torch.addcmul(hidden, branch, self.gain[:, None, None]))


class ResidualTower(Network):
    """A :class:`Network` of convolutions for observations of shape (planes, rows, columns)."""

    def __init__(self, game: GameShape, spec: NetSpec, *, seed: int = 0) -> None:
        """Build with weights that follow from ``seed`` alone (the global generator is unused).

        Args:
            game: sizes of observation and action space.
            spec: shape of the network.
            seed: 0 <= seed < 2**64.

        Raises:
            ConfigError: the game's observations are not planes of a board, or a seed out of range.
        """
        super().__init__(game, spec)
        if len(self.observation_shape) != 3:
            raise ConfigError(
                f"a residual_tower needs observations of shape (planes, rows, columns), but those "
                f"of {game.name} have shape {self.observation_shape}: use kind residual_mlp"
            )
        planes, rows, columns = self.observation_shape
        generator = seeded_generator(seed)
        meta = torch.device("meta")
        # Made without numbers first, so that no call below draws from the global generator.
        self.input = nn.Conv2d(planes, spec.channels, 3, padding=1, device=meta)
        self.blocks = nn.ModuleList(TowerBlock(spec.channels, meta) for _ in range(spec.blocks))
        self.head = nn.Conv2d(spec.channels, spec.head_channels, 1, device=meta)
        self.output = nn.Linear(spec.head_channels * rows * columns, self.columns, device=meta)
        self.to_empty(device="cpu")
        self._fill(generator)

    def _fill(self, generator: torch.Generator) -> None:
        """He initialisation (He et al. 2015); second convolutions at 0, gains at 1."""
        with torch.no_grad():
            for layer in (self.input, *(block.first for block in self.tower()), self.head):
                fan_in = layer.weight[0].numel()
                layer.weight.normal_(0.0, math.sqrt(2.0 / fan_in), generator=generator)
                _zero_bias(layer)
            for block in self.tower():
                block.second.weight.zero_()
                _zero_bias(block.second)
                block.gain.fill_(1.0)
            fan_in = self.output.weight.shape[1]
            self.output.weight.normal_(0.0, OUTPUT_GAIN / math.sqrt(fan_in), generator=generator)
            self.output.bias.zero_()

    def tower(self) -> list[TowerBlock]:
        """The blocks in the order of the computation."""
        return [block for block in self.blocks if isinstance(block, TowerBlock)]

    def fused(self, observations: Tensor) -> Tensor:
        """Raw output columns; see :meth:`Network.fused`."""
        planes = observations.view(-1, *self.observation_shape)
        hidden = torch.relu(self.input(planes.contiguous(memory_format=torch.channels_last)))
        for block in self.blocks:
            hidden = block(hidden)
        head = torch.relu(self.head(hidden))
        # Weights of the output count channels first, whatever the layout in memory.
        result: Tensor = self.output(head.flatten(1))
        return result


def _zero_bias(layer: nn.Conv2d) -> None:
    assert layer.bias is not None
    layer.bias.zero_()
