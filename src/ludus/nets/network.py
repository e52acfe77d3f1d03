"""What all networks share: one fused output layer with all heads, and weights from a seed."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from ludus.errors import ConfigError
from ludus.nets.spec import COLUMN_MULTIPLE, GameShape, NetSpec

OUTPUT_GAIN = 0.05
"""Scale of the first output weights: nearly uniform policy, values near 0."""


class Network(nn.Module):
    """Policy, value and margin of one observation, from the view of the seat to move.

    Column layout of the fused output: ``[0, A)`` policy logits; then the value columns (one for
    up to two seats, else one a seat, mover first); then as many margin columns where there is a
    margin head; then columns that stay unused. Training mode and inference mode compute the same
    function: there is no normalisation over a batch and no dropout.

    With more than two seats, value and margin column k speak of seat ``(mover + k) mod players``,
    where players are the seats in play (:meth:`ludus._core.Game.players`). Columns from players on
    are those of nobody: the loss leaves them out, so they are never trained, and whoever reads an
    answer ignores them. So one network plays with any number of players up to ``num_seats``.

    Attributes:
        spec: shape of the network.
        num_actions: A.
        num_inputs: floats of an observation.
        observation_shape: of the game: planes, rows and columns on a board.
        value_columns: 1, or the number of seats when there are more than two.
        columns: of the fused output, a multiple of 64.
        belief: the layer of the belief head, None without one. It is no part of the fused output:
            it is asked about decisions alone, few rows of many.
    """

    def __init__(self, game: GameShape, spec: NetSpec) -> None:
        """Set the sizes; subclasses make the layers.

        Args:
            game: sizes of observation and action space.
            spec: shape of the network.
        """
        super().__init__()
        self.spec = spec
        self.num_actions = game.num_actions
        self.num_inputs = game.observation_size
        self.observation_shape = tuple(int(size) for size in game.observation_shape)
        self.value_columns = 1 if game.num_seats <= 2 else game.num_seats
        used = self.num_actions + self.value_columns * (2 if spec.margin else 1)
        self.columns = -(-used // COLUMN_MULTIPLE) * COLUMN_MULTIPLE
        self.belief: nn.Linear | None = None

    @property
    def parameter_count(self) -> int:
        """Number of trained numbers, unused output columns included."""
        return sum(parameter.numel() for parameter in self.parameters())

    @abstractmethod
    def fused(self, observations: Tensor) -> Tensor:
        """Raw output columns.

        Args:
            observations: f32[B, observation_size].

        Returns:
            f32[B, columns]; value and margin before their tanh.
        """

    def with_belief(self, observations: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The fused output, and of some rows what the belief head says.

        Args:
            observations: f32[B, observation_size].
            rows: i64[n], those whose hidden things are to be judged.

        Returns:
            f32[B, columns] as of :meth:`fused`; f32[n, spec.belief], for each hidden thing a logit
            of each holder, to be added to the logarithm of how many things that holder has.

        Raises:
            ConfigError: a network without a belief head.
        """
        raise ConfigError(
            f"this {self.spec.kind} of {observations.shape[1]} inputs has no belief head"
        )

    def split(self, fused: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Take the heads apart.

        Args:
            fused: f32[B, columns] of :meth:`fused`.

        Returns:
            logits f32[B, A]; value and margin in [-1, 1] from the mover's view, f32[B], or
            f32[B, seats] with the mover first when there are more than two seats (columns of seats
            that are not in play mean nothing). Without a margin head the margin is all 0.
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

    def to_onnx(self, rows: int) -> bytes:
        """The network with its weights as an ONNX model of one static shape.

        Input ``observations`` f32[rows, observation_size], output ``fused`` f32[rows, columns].

        Args:
            rows: of a batch, at least 1.

        Raises:
            ConfigError: no rows, or the package ``onnx`` is missing.
        """
        from ludus.nets.onnx_export import export
        from ludus.nets.weights import arrays_of

        return export(self, arrays_of(self), rows)


def seeded_generator(seed: int) -> torch.Generator:
    """A generator of its own for first weights.

    Args:
        seed: 0 <= seed < 2**64.

    Raises:
        ConfigError: a seed out of range.
    """
    if not 0 <= seed < 2**64:
        raise ConfigError(f"network seed {seed} must lie between 0 and 2**64 - 1")
    generator = torch.Generator(device="cpu")
    # Generator seeds are signed 64-bit numbers.
    generator.manual_seed(seed if seed < 2**63 else seed - 2**64)
    return generator
