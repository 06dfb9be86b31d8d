"""The network: linear block encoders, two typed message-passing layers, a linear head."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from aimwell.models.first_layer import FirstLayer
from aimwell.models.propagate import SparseOperator, mix_messages, propagate


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
        seed: Of every draw in training; the initial weights come from torch's own generator.
    """

    def __init__(
        self,
        widths: Sequence[int],
        n_channels: int,
        *,
        hidden: int,
        dropout: float = 0.5,
        input_dropout: float = 0.2,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.draw = np.random.default_rng(seed)
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
        weights: Sequence[Tensor],
        operators: Sequence[SparseOperator],
    ) -> Tensor:
        """Return one log-odds per gene, shape ``(n,)``.

        Args:
            blocks: One tensor ``(n, d_b)`` per block, the known-target channel ``(n, 1)`` last.
            weights: Arc weights of the three operators.
            operators: Direct, into sets, out of sets, as in ``Wiring.operators``.
        """
        states = [self.encode(blocks)]  # (n, h)
        for own, through, norm in zip(self.own, self.through, self.norms, strict=True):
            state = states[-1]
            if len(states) > 1:
                state = self.drop(state)
            total = torch.addmm(state @ own, *self._messages(state, weights, operators, through))
            states.append(torch.relu(norm(total)))
        joined = torch.cat(states, dim=1)  # (n, 3 h)
        joined = self.drop(joined)
        logits: Tensor = self.head(joined).squeeze(1)
        return logits

    def forward_from(
        self,
        layer: FirstLayer,
        channels: Tensor,
        arrived: Tensor,
        operators: Sequence[SparseOperator],
    ) -> Tensor:
        """Return what ``forward`` does, to rounding, from a first layer that is worked out.

        Every random draw is that of ``forward``. Edge weights are those of the operators and get
        no gradient.

        Args:
            layer: The features and where they arrive.
            channels: Label channels, shape ``(n, c)``, as the last block of ``forward``.
            arrived: The channels and where they arrive, shape ``(n, (r + 1) · c)``.
            operators: As for ``forward``.
        """
        encode = torch.cat([*self.encoders.parameters()], dim=1).T  # (d + c, h)
        kept = self.kept_columns(len(encode)).to(device=encode.device, dtype=encode.dtype)
        encode = encode * kept[:, None]
        width, hidden = layer.inputs.shape[1], encode.shape[1]
        features, labels = encode[:width], encode[width:]
        mix = torch.cat([self.own[0][None], self.through[0]])  # (r + 1, h, h)
        total = torch.addmm(
            layer.arrived @ (features @ mix).reshape(-1, hidden),
            arrived,
            (labels @ mix).reshape(-1, hidden),
        )
        start = torch.addmm(layer.inputs @ features, channels, labels)
        first = torch.relu(self.norms[0](total))
        state = self.drop(first)
        total = mix_messages(state, self.own[1], self.through[1], operators)
        second = torch.relu(self.norms[1](total))
        joined = self.drop(torch.cat([start, first, second], dim=1))
        logits: Tensor = self.head(joined).squeeze(1)
        return logits

    def drop(self, state: Tensor) -> Tensor:
        """Dropout from one random byte per entry: five times faster than a draw of floats."""
        if not self.training or not self.dropout:
            return state
        draw = self.draw.integers(0, 256, size=tuple(state.shape), dtype=np.uint8)
        threshold = round(256 * self.dropout)
        # compared as numbers of the state's type: no product of numbers and truth values
        keep = torch.from_numpy(draw).to(state.device).to(state.dtype).ge_(threshold)
        return state * keep.div_(1 - threshold / 256)

    def _messages(
        self,
        state: Tensor,
        weights: Sequence[Tensor],
        operators: Sequence[SparseOperator],
        through: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Give the messages of all channels side by side and the matrix that mixes them."""
        n, hidden = state.shape
        direct, into, out = operators
        arrived = [propagate(weights[0], state, direct)]  # (r_d n, h)
        if out.shape[0]:
            sets = propagate(weights[1], state, into)  # (s, h)
            arrived.append(propagate(weights[2], sets, out))  # (r_s n, h)
        stacked = torch.cat(arrived).view(-1, n, hidden)  # (r, n, h)
        side_by_side = stacked.transpose(0, 1).reshape(n, -1)  # (n, r h)
        return side_by_side, through.reshape(-1, hidden)

    def kept_columns(self, width: int) -> Tensor:
        """Draw which input columns a training step keeps, as factors of shape ``(width,)``."""
        if not self.training or not self.input_dropout:
            return torch.ones(width)
        keep = self.draw.random(width) >= self.input_dropout
        return torch.from_numpy(keep / (1 - self.input_dropout)).float()

    def encode(self, blocks: Sequence[Tensor]) -> Tensor:
        """Sum the linear encodings of all blocks, shape ``(n, hidden)``."""
        total = torch.zeros((), dtype=blocks[0].dtype, device=blocks[0].device)
        for encoder, block in zip(self.encoders, blocks, strict=True):
            values = block
            if self.training and self.input_dropout:
                factor = self.kept_columns(block.shape[1])
                values = block * factor.to(device=block.device, dtype=block.dtype)
            total = total + encoder(values)
        return total
