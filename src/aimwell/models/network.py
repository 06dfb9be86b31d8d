"""The network: linear block encoders, typed message-passing layers, a linear head."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from aimwell.models.first_layer import FirstLayer
from aimwell.models.propagate import SparseOperator, mix_messages, propagate


class TargetNetwork(nn.Module):
    """Score genes from their features, their neighbourhood and known targets around them.

    ``h0 = Σ_b x_b E_b``; ``h_l = relu(BatchNorm(h_(l-1) W_0 + Σ_r A_r h_(l-1) W_r))`` for every
    layer; score = ``[h0, h1, h2 …] w + b``. The encoder is linear and without bias and every
    ``A_r`` has fixed weights, which are an explicit argument: so the first layer is a polynomial
    along a straight path of inputs, and every edge can be attributed. With attention the arcs that
    arrive at a gene along one channel share their weight anew, by a softmax over what their ends
    look like; untrained, every arc keeps its weight.

    Args:
        widths: Number of features of each block, the known-target channel last.
        n_channels: Number of message channels.
        hidden: Width of every hidden layer.
        dropout: On the inputs of layer 2 and of the head.
        input_dropout: Share of input columns hidden in a training step.
        block_dropout: Share of evidence blocks hidden as a whole, so that a missing one is normal.
        relation_dropout: Share of message channels hidden in a training step.
        layers: Number of message-passing layers.
        attention: Whether arcs are weighed by their ends, as in GAT (Veličković 2018).
        seed: Of every draw in training; the initial weights come from torch's own generator.
    """

    def __init__(  # noqa: PLR0913  one for each part
        self,
        widths: Sequence[int],
        n_channels: int,
        *,
        hidden: int,
        dropout: float = 0.5,
        input_dropout: float = 0.2,
        seed: int = 0,
        block_dropout: float = 0.0,
        relation_dropout: float = 0.0,
        layers: int = 2,
        attention: bool = False,
    ) -> None:
        super().__init__()
        self.draw = np.random.default_rng(seed)
        self.encoders = nn.ModuleList(nn.Linear(w, hidden, bias=False) for w in widths)
        self.own = nn.ParameterList(
            nn.Parameter(torch.empty(hidden, hidden)) for _ in range(layers)
        )
        self.through = nn.ParameterList(
            nn.Parameter(torch.empty(n_channels, hidden, hidden)) for _ in range(layers)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden) for _ in range(layers))
        self.head = nn.Linear((layers + 1) * hidden, 1)
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.block_dropout = block_dropout
        self.relation_dropout = relation_dropout
        for own, through in zip(self.own, self.through, strict=True):
            nn.init.xavier_uniform_(own)
            for matrix in through:
                nn.init.xavier_uniform_(matrix, gain=0.7 / max(n_channels, 1) ** 0.5)
        # what an arc's two ends say of its weight, per layer and channel; zero changes nothing
        self.attention = nn.ParameterList(
            nn.Parameter(torch.zeros(2, n_channels, hidden)) for _ in range(layers * attention)
        )

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
        for layer, norm in enumerate(self.norms):
            own, through = self.own[layer], self.through[layer]
            state = states[-1]
            if len(states) > 1:
                state = self.drop(state)
            arcs = list(weights)
            if len(self.attention):
                arcs[0] = self._weigh(state, arcs[0], operators[0], self.attention[layer])
            if self.training and self.relation_dropout:
                through = through * self._kept(len(through), self.relation_dropout, through)
            total = torch.addmm(state @ own, *self._messages(state, arcs, operators, through))
            states.append(torch.relu(norm(total)))
        joined = torch.cat(states, dim=1)  # (n, (layers + 1) h)
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

    @property
    def is_plain(self) -> bool:
        """Whether ``forward_from`` says what ``forward`` says: two layers of fixed weights."""
        rates = self.block_dropout or self.relation_dropout
        return len(self.norms) == 2 and not len(self.attention) and not rates

    def drop(self, state: Tensor) -> Tensor:
        """Dropout from one random byte per entry: five times faster than a draw of floats."""
        if not self.training or not self.dropout:
            return state
        return keep_some(state, torch.from_numpy(self.drawn(state.shape)), self.dropout)

    def drawn(self, shape: Sequence[int]) -> np.ndarray:
        """Draw one random byte per entry, which says whether it is dropped."""
        return self.draw.integers(0, 256, size=tuple(shape), dtype=np.uint8)

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
            arrived.append(propagate(weights[2], sets, out, state))  # (r_s n, h)
        stacked = torch.cat(arrived).view(-1, n, hidden)  # (r, n, h)
        side_by_side = stacked.transpose(0, 1).reshape(n, -1)  # (n, r h)
        return side_by_side, through.reshape(-1, hidden)

    def _weigh(
        self, state: Tensor, weight: Tensor, operator: SparseOperator, look: Tensor
    ) -> Tensor:
        """Share the weight of the arcs at a gene out anew; of a whole channel it stays the same."""
        n = len(state)
        row_start = operator.row_start
        length = row_start[1:] - row_start[:-1]
        row = torch.repeat_interleave(torch.arange(len(length), device=state.device), length)
        # both ends of an arc speak for its channel: (r, n) each, looked up per arc
        near, far = ((look[end] @ state.T).reshape(-1) for end in range(2))
        asked = near[row] + far[(row // n) * n + operator.column]
        energy = torch.nn.functional.leaky_relu(asked, 0.2)
        top = torch.full((len(length),), -torch.inf, dtype=state.dtype, device=state.device)
        top = top.scatter_reduce(0, row, energy.detach(), "amax")
        raised = torch.exp(energy - top[row])
        total = torch.zeros_like(top).index_add(0, row, raised)
        return weight * raised / total[row] * length[row]

    def _kept(self, number: int, rate: float, like: Tensor) -> Tensor:
        """Draw what is kept of ``number`` things as factors, shape ``(number, 1, 1)``."""
        keep = self.draw.random(number) >= rate
        return torch.from_numpy(keep / (1 - rate)).to(like)[:, None, None]

    def kept_columns(self, width: int) -> Tensor:
        """Draw which input columns a training step keeps, as factors of shape ``(width,)``."""
        if not self.training or not self.input_dropout:
            return torch.ones(width)
        keep = self.draw.random(width) >= self.input_dropout
        return torch.from_numpy(keep / (1 - self.input_dropout)).float()

    def encode(self, blocks: Sequence[Tensor]) -> Tensor:
        """Sum the linear encodings of all blocks, shape ``(n, hidden)``."""
        total = torch.zeros((), dtype=blocks[0].dtype, device=blocks[0].device)
        # the last two blocks, degree and known targets, are there whatever was measured
        kept = [True] * len(blocks)
        if self.training and self.block_dropout and len(blocks) > 3:
            measured = self.draw.random(len(blocks) - 2) >= self.block_dropout
            kept[: len(blocks) - 2] = measured if measured.any() else ~measured
        for encoder, block, here in zip(self.encoders, blocks, kept, strict=True):
            values = block
            if not here:
                continue
            if self.training and self.input_dropout:
                factor = self.kept_columns(block.shape[1])
                values = block * factor.to(device=block.device, dtype=block.dtype)
            total = total + encoder(values)
        return total


def keep_some(state: Tensor, draw: Tensor, rate: float) -> Tensor:
    """Drop the entries whose random byte is low, and raise the others so that their mean stays.

    Args:
        state: Any shape.
        draw: One byte per entry, as ``TargetNetwork.drawn`` gives them.
        rate: Share that is dropped, rounded to a 256th.
    """
    threshold = round(256 * rate)
    # compared as numbers of the state's type: no product of numbers and truth values
    keep = draw.to(state.device).to(state.dtype).ge_(threshold)
    return state * keep.div_(1 - threshold / 256)
