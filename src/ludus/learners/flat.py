"""The weights of a network in one piece, and their gradients in another.

An update then runs a few operations over one tensor instead of the same few for every layer: on
small networks most of an optimizer step is not arithmetic but the calls.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

_MULTIPLE = 16
"""Floats that every parameter's place is a multiple of: whole cache lines."""


class FlatParameters:
    """Parameters of a network, moved into one tensor: first the matrices, then the biases.

    The network goes on working as before; its parameters and their gradients are views.

    Attributes:
        weights: f32[n], all parameters and the padding between them.
        gradient: f32[n], likewise; padding stays 0.
        groups: matrices and biases as leaves for an optimizer, views of the above.
    """

    def __init__(self, net: nn.Module) -> None:
        """Move the parameters of a network.

        Args:
            net: its parameters' storage is replaced, their values are kept.
        """
        named = list(net.named_parameters())
        order = [(name, p) for name, p in named if p.ndim > 1]
        order += [(name, p) for name, p in named if p.ndim <= 1]
        self._places: dict[str, tuple[int, torch.Size]] = {}
        at = border = 0
        for name, parameter in order:
            self._places[name] = (at, parameter.shape)
            at += -(-parameter.numel() // _MULTIPLE) * _MULTIPLE
            border = at if parameter.ndim > 1 else border
        self.names = [name for name, _ in named]
        self.weights = torch.zeros(at)
        self.gradient = torch.zeros(at)
        values, gradients = self.views(self.weights), self.views(self.gradient)
        with torch.no_grad():
            for name, parameter in named:
                values[name].copy_(parameter)
                parameter.data = values[name]
                parameter.grad = gradients[name]
        self.groups = (self._leaf(slice(0, border)), self._leaf(slice(border, at)))

    def _leaf(self, part: slice) -> Tensor:
        leaf = self.weights[part].detach().requires_grad_()
        leaf.grad = self.gradient[part]
        return leaf

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """Each parameter's part of a tensor that is laid out like :attr:`weights`, by name."""
        return {
            name: flat[at : at + shape.numel()].view(shape)
            for name in self.names
            for at, shape in [self._places[name]]
        }

    def join(self, parts: Mapping[str, Tensor]) -> Tensor:
        """The inverse of :meth:`views`, as a new tensor."""
        flat = torch.zeros_like(self.weights)
        for name, view in self.views(flat).items():
            view.copy_(parts[name])
        return flat
