"""The network: linear block encoders, two typed message-passing layers, a linear head."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from aimwell.models.propagate import SparseOperator, propagate


class TargetNetwork(nn.Module):
    """Score genes from their features, their neighbourhood and known targets around them.

    ``h0 = Σ_b x_b E_b``; ``h_l = relu(BatchNorm(h_(l-1) W_0 + Σ_r A_r h_(l-1) W_r))`` for two
    layers; score = ``[h0, h1, h2] w + b``. The encoder is linear and without bias and every
    ``A_r`` has fixed weights, which are an explicit argument: so the first layer is a polynomial
    along a straight path of inputs, and every edge can be attributed.

    Args:
        widths: Number of features of each block, the known-target channel last.
        n_channels: Number of message channels.
        hidden: Width of every hidden layer.
        dropout: On the inputs of layer 2 and of the head.
        input_dropout: Share of input columns hidden in a training step.
    """

    def __init__(
        self,
        widths: Sequence[int],
        n_channels: int,
        *,
        hidden: int,
        dropout: float = 0.5,
        input_dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(nn.Linear(w, hidden, bias=False) for w in widths)
        self.own = nn.ParameterList(nn.Parameter(torch.empty(hidden, hidden)) for _ in range(2))
        self.through = nn.ParameterList(
            nn.Parameter(torch.empty(n_channels, hidden, hidden)) for _ in range(2)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden) for _ in range(2))
        self.head = nn.Linear(3 * hidden, 1)
        self.dropout = dropout
        self.input_dropout = input_dropout
        for own, through in zip(self.own, self.through, strict=True):
            nn.init.xavier_uniform_(own)
            for matrix in through:
                nn.init.xavier_uniform_(matrix, gain=0.7 / max(n_channels, 1) ** 0.5)

    def forward(
        self,
        blocks: Sequence[Tensor],
        weights: Sequence[Sequence[Tensor]],
        operators: Sequence[Sequence[SparseOperator]],
    ) -> Tensor:
        """Return one log-odds per gene, shape ``(n,)``.

        Args:
            blocks: One tensor ``(n, d_b)`` per block, the known-target channel ``(n, 1)`` last.
            weights: Per channel, the arc weights of each of its operators.
            operators: Per channel, its operators, applied in order.
        """
        start = self.encode(blocks)  # (n, h)
        states = [start]
        for layer in range(2):
            state = states[-1]
            if layer:
                state = nn.functional.dropout(state, self.dropout, self.training)
            total = state @ self.own[layer]
            for channel, (values, steps) in enumerate(zip(weights, operators, strict=True)):
                # multiply by the matrix first: the sparse product is linear in its features
                message = state @ self.through[layer][channel]
                for weight, operator in zip(values, steps, strict=True):
                    message = propagate(weight, message, operator)
                total = total + message
            states.append(torch.relu(self.norms[layer](total)))
        joined = torch.cat(states, dim=1)  # (n, 3 h)
        joined = nn.functional.dropout(joined, self.dropout, self.training)
        logits: Tensor = self.head(joined).squeeze(1)
        return logits

    def encode(self, blocks: Sequence[Tensor]) -> Tensor:
        """Sum the linear encodings of all blocks, shape ``(n, hidden)``."""
        total = torch.zeros((), dtype=blocks[0].dtype, device=blocks[0].device)
        for encoder, block in zip(self.encoders, blocks, strict=True):
            values = block
            if self.training and self.input_dropout:
                keep = torch.rand(block.shape[1], device=block.device) >= self.input_dropout
                values = block * (keep / (1 - self.input_dropout))
            total = total + encoder(values)
        return total
