"""The token transformer: a small MLP trunk and attention over the things that a position has.

``h = relu(W0 x)`` sees the whole observation ``x``. Beside it stand tokens: one for the table,
``t0 = We h``, and those that the game's layout cuts out of the observation (cards, seats), each the
sum of a learned vector of its number and its features. Blocks of attention over the real tokens
follow (Vaswani et al. 2017, section 3.2), then ``h = h + relu(Wj [h, t0])`` and one fused output
layer; a token adds a number of its own to the columns that belong to it (a card to its logit, a
seat to its value).

Shapes are fixed, as backends need them: of a group with more tokens than can be real at once, the
real ones are picked out by a product with a 0/1 matrix, exact in any arithmetic. What is not real
has no weight in the attention and none in the output. There is no normalisation: the second layer
of each branch begins at 0, so every block begins as the identity (as in the tower).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ludus.games.tokens import Head, TokenGroup, TokenLayout
from ludus.nets.network import OUTPUT_GAIN, Network, seeded_generator
from ludus.nets.spec import GameShape, NetSpec

BLOCKED = -1.0e4
"""Added to the attention's scores of tokens that are not real: their weight is exactly 0 beside the
table's token, which always is. Finite, so that no row, not even an empty one, gives NaN."""

WIDENING = 2
"""Width of a block's inner layer by that of a token."""


class AttentionBlock(nn.Module):
    """Attention among tokens, then two layers for each, both beside the identity.

    Attributes:
        qkv: queries, keys and values of all heads in one product.
        mix, down: what goes back to the tokens; both begin at 0.
        up: inner layer.
    """

    def __init__(self, width: int, heads: int, device: torch.device) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, device=device)
        self.mix = nn.Linear(width, width, device=device)
        self.up = nn.Linear(width, WIDENING * width, device=device)
        self.down = nn.Linear(WIDENING * width, width, device=device)

    def forward(self, tokens: Tensor, blocked: Tensor) -> Tensor:
        """One block.

        Args:
            tokens: f32[B, T, width].
            blocked: f32[B, 1, 1, T], 0 for a real token, else :data:`BLOCKED`.

        Returns:
            f32[B, T, width].
        """
        rows, count, width = tokens.shape
        parts = self.qkv(tokens).view(rows, count, 3, self.heads, width // self.heads)
        # The root of the head's width by which scores are divided is in the first weights.
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        share = torch.softmax(query @ key.transpose(2, 3) + blocked, dim=3)
        seen = (share @ value).transpose(1, 2).reshape(rows, count, width)
        tokens = tokens + self.mix(seen)
        result: Tensor = tokens + self.down(torch.relu(self.up(tokens)))
        return result


class TokenEncoder(nn.Module):
    """The tokens of one group.

    Attributes:
        group: where the observation has them.
        heads: those of the group that the network has.
        places: f32[size, width], the vector of each number.
        features: linear, without a bias.
        score: what a token adds to its columns, one number for each of ``heads``.
    """

    def __init__(
        self, group: TokenGroup, heads: list[tuple[Head, int]], width: int, device: torch.device
    ) -> None:
        super().__init__()
        self.group = group
        self.heads = heads
        self.places = nn.Parameter(torch.empty(group.size, width, device=device))
        self.features = nn.Linear(len(group.features), width, bias=False, device=device)
        self.score = nn.Linear(width, len(heads), bias=False, device=device) if heads else None

    def set_tables(self, columns: int, first: Mapping[Head, int]) -> None:
        """Make what follows from the layout: indices and 0/1 matrices, which are not weights.

        Args:
            columns: of the network's output.
            first: column of the output with which each of its parts begins.
        """
        for name, array in tables_of(self.group, self.heads, columns, first).items():
            self.register_buffer(name, torch.from_numpy(array), persistent=False)

    def real(self, observations: Tensor) -> Tensor:
        """Which tokens are real, 1 or 0, f32[B, size]."""
        marks = observations.index_select(1, self.get_buffer("marks"))
        if self.group.number is None:
            found = marks.view(len(marks), self.group.size, -1).abs().amax(2)
        else:
            found = marks @ self.get_buffer("counts")
        return (found > 0).to(observations.dtype)

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Tokens f32[B, keep, width], which are real f32[B, keep], and the matrix that picked them.

        That matrix, f32[B, keep, size], has a 1 in row j at the j-th real token; None where all
        tokens are kept.
        """
        size = self.group.size
        real = self.real(observations)
        numbers = observations.index_select(1, self.get_buffer("numbers"))
        numbers = numbers.view(len(real), size, -1)
        if not self.group.chosen:
            return self.places + self.features(numbers), real, None
        ranks = (real @ self.get_buffer("ranks")) * real
        pick = (ranks[:, None, :] == self.get_buffer("order")).to(real.dtype)
        return pick @ self.places + self.features(pick @ numbers), pick.sum(2), pick

    def add_scores(
        self, result: Tensor, tokens: Tensor, real: Tensor, pick: Tensor | None
    ) -> Tensor:
        """The output with what the tokens add to their columns; nothing by one that is not real."""
        if self.score is None:
            return result
        scores = (self.score(tokens) * real[:, :, None]).transpose(1, 2)
        if pick is not None:
            scores = scores @ pick
        added: Tensor = scores.reshape(len(result), -1) @ self.get_buffer("columns")
        return result + added


def tables_of(
    group: TokenGroup, heads: Sequence[tuple[Head, int]], columns: int, first: Mapping[Head, int]
) -> dict[str, npt.NDArray[Any]]:
    """Constants of a group of tokens, by name.

    ``numbers`` and ``marks`` i64, places of the observation; ``counts`` f32[places, size], 1 where
    a count has a token (of a group that is counted); ``ranks`` f32[size, size], so that
    real @ ranks says how many real tokens there are up to each, whole numbers up to 128, exact in
    bfloat16 too; ``order`` f32[keep, 1], the ranks that are kept (of a group that is picked from);
    ``columns`` f32[heads * size, columns], 1 where a token's number goes (of one with heads).
    """
    tokens = np.arange(group.size)

    def places(slices: Sequence[tuple[int, int]]) -> npt.NDArray[np.int64]:
        found = [start + step * tokens for start, step in slices]
        return np.ascontiguousarray(np.stack(found, 1).reshape(-1), np.int64)

    tables: dict[str, npt.NDArray[Any]] = {"numbers": places(group.features)}
    if group.number is None:
        tables["marks"] = places(group.marks)
    else:
        start, stop, lowest = group.number
        tables["marks"] = np.arange(start, stop, dtype=np.int64)
        counts = np.arange(lowest, lowest + stop - start)[:, None] > tokens
        tables["counts"] = counts.astype(np.float32)
    if group.chosen:
        tables["ranks"] = np.triu(np.ones((group.size, group.size), np.float32))
        tables["order"] = np.arange(1, group.keep + 1, dtype=np.float32)[:, None]
    if heads:
        where = np.zeros((len(heads), group.size, columns), np.float32)
        for i, (head, begin) in enumerate(heads):
            where[i, tokens, first[head] + begin + tokens] = 1.0
        tables["columns"] = where.reshape(-1, columns)
    return tables


class TokenTransformer(Network):
    """A :class:`Network` of attention over the tokens of an observation."""

    def __init__(self, game: GameShape, spec: NetSpec, *, seed: int = 0) -> None:
        """Build with weights that follow from ``seed`` alone (the global generator is unused).

        Args:
            game: sizes of observation and action space.
            spec: shape of the network.
            seed: 0 <= seed < 2**64.

        Raises:
            ConfigError: tokens that do not fit the game, or a seed out of range.
        """
        super().__init__(game, spec)
        assert spec.tokens is not None
        self.layout: TokenLayout = spec.tokens
        values = self.value_columns
        widths: dict[Head, int] = {"policy": self.num_actions, "value": values, "margin": values}
        self.layout.check(self.num_inputs, widths, game.name)
        first: dict[Head, int] = {
            "policy": 0,
            "value": self.num_actions,
            "margin": self.num_actions + values,
        }
        generator = seeded_generator(seed)
        meta = torch.device("meta")
        # Made without numbers first, so that no call below draws from the global generator.
        self.input = nn.Linear(self.num_inputs, spec.hidden, device=meta)
        self.enter = nn.Linear(spec.hidden, spec.width, device=meta)
        self.groups = nn.ModuleDict(
            {
                group.name: TokenEncoder(
                    group,
                    [head for head in group.heads if spec.margin or head[0] != "margin"],
                    spec.width,
                    meta,
                )
                for group in self.layout.groups
            }
        )
        self.blocks = nn.ModuleList(
            AttentionBlock(spec.width, spec.heads, meta) for _ in range(spec.blocks)
        )
        self.join = nn.Linear(spec.hidden + spec.width, spec.hidden, device=meta)
        self.output = nn.Linear(spec.hidden, self.columns, device=meta)
        self.to_empty(device="cpu")
        for encoder in self.encoders():
            encoder.set_tables(self.columns, first)
        self._fill(generator)

    def encoders(self) -> list[TokenEncoder]:
        """The groups in the order of the tokens, which is that of the layout."""
        return [group for group in self.groups.values() if isinstance(group, TokenEncoder)]

    def attention(self) -> list[AttentionBlock]:
        """The blocks in the order of the computation."""
        return [block for block in self.blocks if isinstance(block, AttentionBlock)]

    def _fill(self, generator: torch.Generator) -> None:
        """He initialisation (He et al. 2015), 1 / fan-in where no relu follows."""

        def draw(layer: nn.Linear, gain: float) -> None:
            fan_in = layer.weight.shape[1]
            layer.weight.normal_(0.0, gain / math.sqrt(fan_in), generator=generator)
            if layer.bias is not None:
                layer.bias.zero_()

        with torch.no_grad():
            draw(self.input, math.sqrt(2.0))
            draw(self.enter, 1.0)
            for group in self.encoders():
                group.places.normal_(0.0, 1.0, generator=generator)
                draw(group.features, 1.0)
                if group.score is not None:
                    draw(group.score, OUTPUT_GAIN)
            for block in self.attention():
                draw(block.qkv, 1.0)
                width = block.mix.weight.shape[0]
                block.qkv.weight[:width] /= math.sqrt(width // block.heads)
                draw(block.up, math.sqrt(2.0))
                for last in (block.mix, block.down):
                    last.weight.zero_()
                    last.bias.zero_()
            draw(self.join, math.sqrt(2.0))
            draw(self.output, OUTPUT_GAIN)

    def fused(self, observations: Tensor) -> Tensor:
        """Raw output columns; see :meth:`Network.fused`."""
        hidden = torch.relu(self.input(observations))
        cuts = [encoder(observations) for encoder in self.encoders()]
        tokens = torch.cat([self.enter(hidden)[:, None], *(found[0] for found in cuts)], 1)
        real = torch.cat([torch.ones_like(observations[:, :1]), *(found[1] for found in cuts)], 1)
        blocked = ((1.0 - real) * BLOCKED).to(tokens.dtype)[:, None, None, :]
        for block in self.blocks:
            tokens = block(tokens, blocked)
        joined = torch.relu(self.join(torch.cat([hidden, tokens[:, 0]], 1)))
        result: Tensor = self.output(hidden + joined)
        at = 1
        for encoder, (_, here, pick) in zip(self.encoders(), cuts, strict=True):
            until = at + encoder.group.keep
            result = encoder.add_scores(result, tokens[:, at:until], here, pick)
            at = until
        return result
