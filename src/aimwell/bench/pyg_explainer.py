"""PyG's own explainer on a network of ours, written with PyG's layers and the same weights."""

import time
import warnings
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from aimwell.explain.baselines import network_inputs
from aimwell.models.member import Member
from aimwell.models.network import TargetNetwork
from aimwell.models.task import TargetTask
from aimwell.models.training import load_network

Kind = tuple[str, str, str]
KIND: Final[Kind] = ("gene", "interacts", "gene")
NORM: Final = ("weight", "bias", "running_mean", "running_var")


class _Conventional(nn.Module):
    """A linear encoder, HeteroConv of GraphConv twice, a linear head on all states."""

    def __init__(self, network: TargetNetwork) -> None:
        from torch_geometric.nn import GraphConv, HeteroConv

        super().__init__()
        encoder = torch.cat([*network.encoders.parameters()], dim=1).detach()  # (h, d)
        hidden, width = encoder.shape
        self.encode = nn.Linear(width, hidden, bias=False)
        self.encode.weight.data = encoder
        self.layers = nn.ModuleList()
        state = network.state_dict()
        for number in range(len(network.own)):
            # BatchNorm at prediction is a gain and an offset, which belong to the layer before it
            norm = {k: state[f"norms.{number}.{k}"] for k in NORM}
            gain = norm["weight"] / torch.sqrt(norm["running_var"] + 1e-5)
            layer = GraphConv(hidden, hidden)
            layer.lin_root.weight.data = (state[f"own.{number}"] * gain).T.clone()
            layer.lin_rel.weight.data = (state[f"through.{number}"][0] * gain).T.clone()
            layer.lin_rel.bias.data = norm["bias"] - norm["running_mean"] * gain
            self.layers.append(HeteroConv({KIND: layer}))
        self.head = network.head

    def forward(
        self,
        x: dict[str, Tensor],
        edges: dict[Kind, Tensor],
        edge_weight_dict: dict[Kind, Tensor],
    ) -> Tensor:
        states = [self.encode(x["gene"])]
        for layer in self.layers:
            found = layer({"gene": states[-1]}, edges, edge_weight_dict=edge_weight_dict)
            states.append(torch.relu(found["gene"]))
        logits: Tensor = self.head(torch.cat(states, dim=1))
        return logits


class PygExplainer:
    """Asks PyG what a network of ours sees in one gene, over features and edges.

    Args:
        task: With one channel between genes and no sets.
        member: Its network.
    """

    def __init__(self, task: TargetTask, member: Member) -> None:
        self.member = member
        self.model = _Conventional(load_network(task, member).float()).eval()
        self.x = {"gene": torch.from_numpy(np.hstack(network_inputs(task, member))).float()}
        direct = task.wiring.direct
        rows = torch.arange(direct.shape[0]).repeat_interleave(direct.row_start.diff())
        self.edges = {KIND: torch.stack([direct.column, rows])}  # (2, e)
        self.weights = {KIND: direct.weight.float()}

    def scores(self) -> np.ndarray:
        """Score all genes as the network does, shape ``(n,)``."""
        with torch.no_grad():
            logits = self.model(self.x, self.edges, edge_weight_dict=self.weights)
        scores: np.ndarray = (logits[:, 0].numpy() - self.member.centre) / self.member.scale
        return scores

    def seconds(self, target: int, steps: int) -> float:
        """Give the processor time of one explanation."""
        from torch_geometric.explain import CaptumExplainer, Explainer

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            explainer = Explainer(
                self.model,
                algorithm=CaptumExplainer("IntegratedGradients", n_steps=steps),
                explanation_type="model",
                node_mask_type="attributes",
                edge_mask_type="object",
                model_config={"mode": "regression", "task_level": "node", "return_type": "raw"},
            )
            begun = time.process_time()
            explainer(
                self.x, self.edges, edge_weight_dict=self.weights, index=torch.tensor([target])
            )
            return time.process_time() - begun
