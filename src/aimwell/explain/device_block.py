"""The ways back from a block of targets, side by side on a device.

The steps are those of ``attribution``, with a further axis. Of one target and one gene that its
layer 2 reads there is one *pair*; pairs are sorted by target, then gene, and everything that has
another number for every target is kept as one long array with the target of every row.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from aimwell.explain.attribution import POWERS, Attribution, Routes
from aimwell.explain.ragged import cut, per_target
from aimwell.models.propagate import SparseOperator

if TYPE_CHECKING:
    from aimwell.explain.device import DevicePath

#: Numbers that one gathered array may have.
CHUNK = 1 << 24


class DeviceBlock:
    """The way back from some targets.

    Args:
        path: What all targets share.
        targets: Positions, shape ``(b,)``, on the device of the path.
    """

    def __init__(self, path: "DevicePath", targets: Tensor) -> None:
        self.path, self.targets, self.b = path, targets, len(targets)
        self.block = torch.arange(self.b, device=path.device)
        n = path.n
        # what layer 2 reads: arcs into the targets, and fellows through sets
        rows = self._rows_of_targets(path.n_direct)
        self.own_position, which = cut(path.direct.row_start, rows)
        channels = max(path.n_direct, 1)
        self.own_block, self.own_channel = which // channels, which % channels
        self.own_source = path.direct.column[self.own_position]
        self.read = torch.zeros(self.b, n, dtype=torch.bool, device=path.device)
        self.read[self.block, targets] = True
        self.read[self.own_block, self.own_source] = True
        self.leaving, self.through = self._through_sets()
        for weight in self.through:
            self.read |= weight != 0
        self.pair_block, self.pair_gene = self.read.nonzero(as_tuple=True)
        self.pair = torch.full_like(self.read, -1, dtype=torch.int64)
        self.pair[self.pair_block, self.pair_gene] = torch.arange(
            len(self.pair_gene), device=path.device
        )
        self.count = self.read.sum(dim=1)
        self.start = self.count.cumsum(0) - self.count
        columns = path.seen[next(iter(path.seen))].shape[1]
        shape = (len(self.pair_gene), columns)
        #: power → what layer 1 sends back to the features it saw
        self.sent = {p: self._zeros(*shape) for p in path.terms}
        #: power and edges of layer 2 on the way → credit per column
        self.credit = {(p, o): self._zeros(self.b, columns) for p in path.terms for o in range(3)}
        self.constant = self._zeros(self.b)

    def attributions(self) -> Iterator[Attribution]:
        """Go all the way back, and give the targets one by one."""
        path = self.path
        running = self._own_and_running()
        direct = [self._direct_entry(c, running) for c in range(path.n_direct)]
        home = self._back_home()
        through = [self._set_entry(c, running) for c in range(path.n_set)]
        del running
        features, at_sets = self._to_features()
        outer = self._outer_sets()
        seen_by = self._genes(outer)
        worth = self._layer_2_worth([*direct, *through])
        own = (self.own_block, self.own_channel, self.own_position)
        out = (self.out_block, self.out_channel, self.out_position)
        arcs = [
            self._arcs_to_genes(1, own, worth[0]),
            self._into_arcs(outer, at_sets, through),
            self._arcs_to_genes(2, out, worth[1]),
        ]
        values = features[seen_by[1], seen_by[0]].double().cpu().numpy()
        genes = per_target(seen_by[1].cpu().numpy(), seen_by[0], self.b)
        rows = per_target(values, seen_by[0], self.b)
        split = [
            (per_target(position.cpu().numpy(), block, self.b), per_target(found, block, self.b))
            for position, block, found in arcs
        ]
        routes = self._routes(home)
        ends = [e[self.targets].tolist() for e in (path.scores, path.starts)]
        cuts = np.cumsum(path.widths)[:-1]
        for i in range(self.b):
            yield Attribution(
                score=ends[0][i],
                baseline_score=ends[1][i],
                genes=genes[i],
                features=tuple(np.split(rows[i], cuts, axis=1)),
                positions=tuple(position[i] for position, _ in split),
                arcs=tuple(found[i] for _, found in split),
                routes=Routes(routes[0][i], routes[1][i], routes[2][i], float(routes[3][i])),
            )

    def _zeros(self, *shape: int) -> Tensor:
        return torch.zeros(shape, dtype=self.path.dtype, device=self.path.device)

    def _rows_of_targets(self, channels: int) -> Tensor:
        """Rows of the targets in every channel of an operator, target by target."""
        channel = torch.arange(channels, device=self.path.device)
        return (channel * self.path.n + self.targets[:, None]).reshape(-1)

    def _through_sets(self) -> tuple[list[Tensor], list[Tensor]]:
        """Per set channel: weights of the targets' sets ``(b, s)``, of their members ``(b, n)``."""
        path = self.path
        self.out_position, which = cut(path.out.row_start, self._rows_of_targets(path.n_set))
        channels = max(path.n_set, 1)
        self.out_block, self.out_channel = which // channels, which % channels
        leaving = [self._zeros(self.b, path.into.shape[0]) for _ in range(path.n_set)]
        for channel, weights in enumerate(leaving):
            mine = self.out_channel == channel
            position = self.out_position[mine]
            weights[self.out_block[mine], path.out.column[position]] = path.out.weight[position]
        return leaving, [(path.into.transposed @ w.T).T.contiguous() for w in leaving]

    def _own_and_running(self) -> Tensor:
        """Send back what the targets' own states are worth; give the running sums of the rest.

        Returns:
            Shape ``(b, 5, steps + 1, width)``.
        """
        path = self.path
        is_open = path.open[self.targets].to(path.dtype)
        back = is_open * (path.gain_2 * path.head_2)  # (b, steps, width)
        running = self._zeros(self.b, POWERS + 1, path.steps + 1, path.width)
        running[:, :, 1:] = (path.powers.T[:, :, None] * back[:, None]).cumsum(dim=2)
        along = path.alphas[:, None] ** torch.arange(POWERS, device=path.device)
        own = torch.einsum("sk,kbw->bsw", along, path.polynomial[:, self.targets]) > 0
        turned = path.mix(back.reshape(-1, path.width), path.own_2.transpose(1, 2))
        slope = own * (turned.view_as(back) + path.head_1)
        sums = self._zeros(self.b, POWERS, path.width)  # the power below 0 is never read
        sums[:, 1:] = torch.einsum("sk,bsw->bkw", path.powers[:, :3], slope)
        place = self.pair[self.block, self.targets]
        self._send(place, torch.ones_like(sums[:, 0, 0]), sums, 0)
        return running

    def _direct_entry(self, channel: int, running: Tensor) -> Tensor:
        """Send back along the arcs of one channel; give what each message is worth per weight."""
        mine = (self.own_channel == channel).nonzero().squeeze(1)
        block, gene = self.own_block[mine], self.own_source[mine]
        weight = self.path.direct.weight[self.own_position[mine]]
        return self._entry(channel, 1, block, gene, weight, running)

    def _set_entry(self, channel: int, running: Tensor) -> Tensor:
        """The same through sets; dense, shape ``(b, n)``."""
        weights = self.through[channel]
        block, gene = weights.nonzero(as_tuple=True)
        worth = self._zeros(self.b, self.path.n)
        worth[block, gene] = self._entry(
            self.path.n_direct + channel, 2, block, gene, weights[block, gene], running
        )
        return worth

    def _entry(
        self, channel: int, order: int, block: Tensor, gene: Tensor, weight: Tensor, running: Tensor
    ) -> Tensor:
        path = self.path
        turned = path.through_2[:, channel].transpose(1, 2)
        chosen = running[:, order - 1 : order - 1 + POWERS]  # (b, 4, steps + 1, width)
        by_power = path.mix(chosen.reshape(-1, path.width), turned).view(chosen.shape)
        #: a row per target, step and unit, as in ``DeviceGates``
        table = by_power.permute(0, 2, 3, 1).reshape(-1, POWERS)
        base = block * ((path.steps + 1) * path.width)
        worth = []
        size = max(CHUNK // (path.width * POWERS), 1)
        for begin in range(0, len(gene), size):
            part = slice(begin, begin + size)
            sums = self._between(table, base[part], gene[part])
            pair = self.pair[block[part], gene[part]]
            worth.append(self._send(pair, weight[part], sums, order))
        return torch.cat(worth) if worth else self._zeros(0)

    def _between(self, table: Tensor, base: Tensor, gene: Tensor) -> Tensor:
        """Sum a table over the steps at which units are open, shape ``(q, 4, width)``."""
        gates = self.path.gates

        def of(place: Tensor, base: Tensor) -> Tensor:
            return table[base[:, None] + place]  # (q, width, 4)

        sums = of(gates.last[gene], base) - of(gates.first[gene], base)
        again = gates.twice[gene].nonzero().squeeze(1)
        if len(again):
            few, at = gene[again], base[again]
            sums[again] += of(gates.second_last[few], at) - of(gates.second_first[few], at)
        return sums.transpose(1, 2)

    def _send(self, pair: Tensor, weight: Tensor, sums: Tensor, order: int) -> Tensor:
        """Turn sums over steps into what the features are worth; rows are sorted by target."""
        path, gene, block = self.path, self.pair_gene[pair], self.pair_block[pair]
        worth = sums[:, 0] @ path.offset_1
        self.constant += order * self._per_target((weight * worth)[:, None], block).squeeze(1)
        for power, seen in path.seen.items():
            sent = torch.empty(len(pair), seen.shape[1], dtype=path.dtype, device=path.device)
            for hops, part in enumerate(path.columns):
                if part.stop > part.start:
                    sent[:, part] = sums[:, power + hops] @ path.back[part].T
            valued = sent * seen[gene]
            worth = worth + valued.sum(dim=1)
            self.credit[power, order] += self._per_target(weight[:, None] * valued, block)
            self.sent[power][pair] += weight[:, None] * sent
        return worth

    def _per_target(self, rows: Tensor, block: Tensor) -> Tensor:
        """Sum rows of one target each, which are sorted by target: ``(b, columns)``."""
        if not len(rows):
            return self._zeros(self.b, rows.shape[1])
        lengths = torch.bincount(block, minlength=self.b)
        found: Tensor = torch.segment_reduce(rows.contiguous(), "sum", lengths=lengths, axis=0)
        return found

    def _back_home(self) -> Tensor:
        """Credit of the targets' own features that come back over two interactions, ``(b, d)``."""
        path = self.path
        position, block = cut(path.direct.transposed_row_start, self.targets)
        row, weight = (
            path.direct.transposed_column[position],
            path.direct.transposed_weight[position],
        )
        channel, gene = row // path.n, row % path.n
        pair = self.pair[block, gene]
        kept = (pair >= 0).nonzero().squeeze(1)
        at = pair[kept] * path.n_direct + channel[kept]
        credit = self._zeros(self.b, path.d)
        for power, term in path.terms.items():
            beside = self._part(power, 1)[at]
            back = self._per_target(weight[kept][:, None] * beside, block[kept])
            credit += (power + 2) * back * term[self.targets]
        return credit

    def _part(self, power: int, hops: int) -> Tensor:
        """What is sent along direct channels (1) or through sets (2), ``(pairs · channels, d)``."""
        return self.sent[power][:, self.path.columns[hops]].reshape(-1, self.path.d)

    def _spread(self, power: int, hops: int) -> Tensor:
        """The same over all genes: ``(channels · n, b · d)``, as an operator's rows."""
        path = self.path
        part = self.sent[power][:, path.columns[hops]]
        channels = part.shape[1] // path.d
        whole = self._zeros(channels, path.n, self.b, path.d)
        whole[:, self.pair_gene, self.pair_block] = part.view(-1, channels, path.d).transpose(0, 1)
        return whole.view(channels * path.n, -1)

    def _to_features(self) -> tuple[Tensor, dict[int, Tensor]]:
        """Attributions of the features ``(n, b, d)``, and what arrives at sets ``(s, b, d)``."""
        path = self.path
        features = self._zeros(path.n, self.b, path.d)
        at_sets = {}
        for power, term in path.terms.items():
            if path.n_set:
                arrived = path.out.transposed @ self._spread(power, 2)
                at_sets[power] = arrived.view(-1, self.b, path.d)
                if power == 1:
                    features += (path.into.transposed @ arrived).view_as(features)
            if power == 1:
                features += (path.direct.transposed @ self._spread(power, 1)).view_as(features)
                features[self.pair_gene, self.pair_block] += self.sent[power][:, path.columns[0]]
                features[self.targets, self.block] += path.skip
                features *= term[:, None]
        return features, at_sets

    def _outer_sets(self) -> Tensor:
        """Sets of any gene that layer 2 reads, shape ``(b, s)``."""
        path = self.path
        if not path.n_set:
            return torch.zeros(self.b, 0, dtype=torch.bool, device=path.device)
        reads = self.read.T.to(path.dtype).repeat(path.n_set, 1)
        return (path.out.transposed @ reads > 0).T

    def _genes(self, outer: Tensor) -> tuple[Tensor, Tensor]:
        """Target and gene wherever features may contribute, sorted."""
        path = self.path
        reads = self.read.T.to(path.dtype).repeat(path.n_direct, 1)
        found = self.read | (path.direct.transposed @ reads > 0).T
        if path.n_set:
            found |= (path.into.transposed @ outer.T.to(path.dtype) > 0).T
        block, gene = found.nonzero(as_tuple=True)
        return block, gene

    def _layer_1_rows(self, channels: int) -> tuple[Tensor, Tensor]:
        """Rows that layer 1 reads, by target, channel and gene, and their places in ``_part``."""
        pairs = torch.arange(len(self.pair_gene), device=self.path.device)
        block = self.pair_block
        rows = torch.empty(channels * len(pairs), dtype=torch.int64, device=self.path.device)
        source = torch.empty_like(rows)
        for channel in range(channels):
            to = channels * self.start[block] + channel * self.count[block]
            to = to + pairs - self.start[block]
            rows[to] = channel * self.path.n + self.pair_gene
            source[to] = pairs * channels + channel
        return rows, source

    def _own_places(
        self, operator: SparseOperator, channels: int, lengths: Tensor, own: Sequence[Tensor]
    ) -> Tensor:
        """Places of the arcs of layer 2 among those of layer 1."""
        block, channel, position = own
        place = self.pair[self.block, self.targets] - self.start
        row = channels * self.start[block] + channel * self.count[block] + place[block]
        begin = lengths.cumsum(0) - lengths
        first = operator.row_start[channel * self.path.n + self.targets[block]]
        return begin[row] + position - first

    def _layer_2_worth(self, worth: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """What the arcs of layer 2 into the targets are worth, and those out of their sets."""
        path = self.path
        direct = self._zeros(len(self.own_position))
        for channel, found in enumerate(worth[: path.n_direct]):
            direct[self.own_channel == channel] = found
        out = self._zeros(len(self.out_position))
        for channel, dense in enumerate(worth[path.n_direct :]):
            per_set = path.into.matrix @ dense.T  # (s, b)
            mine = (self.out_channel == channel).nonzero().squeeze(1)
            group = path.out.column[self.out_position[mine]]
            out[mine] = per_set[group, self.out_block[mine]]
        return direct, out

    def _arcs_to_genes(
        self, hops: int, own: Sequence[Tensor], worth: Tensor
    ) -> tuple[Tensor, Tensor, np.ndarray]:
        """Attribute the arcs into genes, over direct channels (1) or out of sets (2).

        Args:
            hops: Which.
            own: Target, channel and position of the arcs of layer 2 among them.
            worth: Of those, per weight.

        Returns:
            Position in the operator, target and attribution of every arc.
        """
        path = self.path
        operator, channels = (path.direct, path.n_direct) if hops == 1 else (path.out, path.n_set)
        sources = path.terms if hops == 1 else path.in_sets
        rows, part = self._layer_1_rows(channels)
        position, which = cut(operator.row_start, rows)
        values = self._dots(operator, position, part[which], sources, hops)
        lengths = operator.row_start[rows + 1] - operator.row_start[rows]
        places = self._own_places(operator, channels, lengths, own)
        values[places] += operator.weight[own[2]] * worth
        block = self.pair_block[part // max(channels, 1)][which]
        return position, block, values.double().cpu().numpy()

    def _into_arcs(
        self, outer: Tensor, at_sets: dict[int, Tensor], worth: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor, np.ndarray]:
        path, operator = self.path, self.path.into
        block, group = outer.nonzero(as_tuple=True)
        position, which = cut(operator.row_start, group)
        block, group = block[which], group[which]
        values = self._zeros(len(position))
        size = max(CHUNK // path.d, 1)
        for begin in range(0, len(position), size):
            part = slice(begin, begin + size)
            b, s, gene = block[part], group[part], operator.column[position[part]]
            total = self._zeros(len(b))
            for power, term in path.terms.items():
                total += (at_sets[power][s, b] * term[gene]).sum(dim=1)
            for leaving, found in zip(self.leaving, worth, strict=True):
                total += leaving[b, s] * found[b, gene]
            values[part] = total * operator.weight[position[part]]
        return position, block, values.double().cpu().numpy()

    def _dots(
        self,
        operator: SparseOperator,
        position: Tensor,
        row: Tensor,
        sources: dict[int, Tensor],
        hops: int,
    ) -> Tensor:
        """Multiply what the row of every arc sends with what its source has, and the weight."""
        values = self._zeros(len(position))
        size = max(CHUNK // self.path.d, 1)
        parts = {power: self._part(power, hops) for power in self.path.terms}
        for begin in range(0, len(position), size):
            part = slice(begin, begin + size)
            at = operator.column[position[part]]
            for power in self.path.terms:
                values[part] += (parts[power][row[part]] * sources[power][at]).sum(dim=1)
            values[part] *= operator.weight[position[part]]
        return values

    def _routes(self, home: Tensor) -> tuple[np.ndarray, ...]:
        path = self.path
        own, direct, sets = self._zeros(3, self.b, path.d)
        for (power, order), credit in self.credit.items():
            for hops, part in enumerate(path.columns):
                # a message with a feature that moves along the path has one factor more
                summed = credit[:, part].reshape(self.b, -1, path.d).sum(dim=1)
                whole = (power + hops + order) * summed
                if order == 2 or hops == 2:
                    sets += whole
                elif order == 0 and hops == 0:
                    own += whole
                else:
                    direct += whole
        if 1 in path.terms:
            own += path.terms[1][self.targets] * path.skip
        found = (own + home, direct - home, sets, self.constant)
        return tuple(f.double().cpu().numpy() for f in found)
