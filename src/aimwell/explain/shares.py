"""The score split into a few parts with a name that add up to it."""

from typing import Final

import numpy as np

from aimwell.explain.attribution import Attribution
from aimwell.models.task import TargetTask

KNOWN: Final = "known-target neighbours"
SETS: Final = "pathways and complexes"
BIAS: Final = "graph bias"
START: Final = "starting point"
ROUNDING: Final = "rounding"
INTERACTIONS: Final = "interactions"


def score_shares(task: TargetTask, target: int, part: Attribution) -> dict[str, float]:
    """Split a score.

    A message is a product of one feature and the edges on its way. Integrated gradients give each
    of them an equal part; here the whole product is counted as what the feature is, and edges get
    nothing as such. A message belongs to the first of these that holds:

    1. *graph bias*: the feature is the degree, or the message is what a neighbour sends whatever is
       known of it;
    2. *known-target neighbours*: the feature is the known-target channel, on any way;
    3. *pathways and complexes*: it went through one;
    4. *own* RNA or protein where the feature is the target's, *neighbours'* where it is not.

    The *starting point* is the score of the baseline, the same for every gene where the baseline is
    the same; *rounding* is what the steps along the path leave over.

    For a network that is explained by Captum the ways are not known. Then every input has its own
    attribution, and ``interactions`` are what the edges between genes are worth as such.

    Args:
        task: Kinds of the blocks.
        target: Position of the gene.
        part: Its attribution.
    """
    kinds = [b.kind for b in task.blocks]
    kinds = [k for k in dict.fromkeys(["rna", "protein", *kinds]) if k != "graph"]
    if part.routes is None:
        shares = _without_routes(task, target, part, kinds)
    else:
        routes = part.routes
        columns = np.cumsum([f.shape[1] for f in part.features])[:-1]
        own, direct, sets = (np.split(v, columns) for v in (routes.own, routes.direct, routes.sets))
        shares = {}
        for kind in kinds:
            places = [i for i, b in enumerate(task.blocks) if b.kind == kind]
            shares[f"own {kind}"] = sum(float(own[i].sum()) for i in places)
            shares[f"neighbours' {kind}"] = sum(float(direct[i].sum()) for i in places)
        shares[KNOWN] = sum(float(way[-1].sum()) for way in (own, direct, sets))
        measured = [i for i, b in enumerate(task.blocks) if b.kind != "graph"]
        shares[SETS] = sum(float(sets[i].sum()) for i in measured)
        degree = [i for i, b in enumerate(task.blocks) if b.kind == "graph"]
        shares[BIAS] = routes.constant + sum(
            float(way[i].sum()) for i in degree for way in (own, direct, sets)
        )
    shares[START] = part.baseline_score
    shares[ROUNDING] = part.score - sum(shares.values())
    return shares


def _without_routes(
    task: TargetTask, target: int, part: Attribution, kinds: list[str]
) -> dict[str, float]:
    place = int(np.searchsorted(part.genes, target))
    shares = {}
    for kind in kinds:
        blocks = [i for i, b in enumerate(task.blocks) if b.kind == kind]
        own = sum(float(part.features[i][place].sum()) for i in blocks)
        shares[f"own {kind}"] = own
        shares[f"neighbours' {kind}"] = sum(float(part.features[i].sum()) for i in blocks) - own
    shares[KNOWN] = float(part.features[-1].sum())
    shares[INTERACTIONS] = float(part.arcs[0].sum())
    shares[SETS] = float(part.arcs[1].sum() + part.arcs[2].sum())
    degree = [i for i, b in enumerate(task.blocks) if b.kind == "graph"]
    shares[BIAS] = sum(float(part.features[i].sum()) for i in degree)
    return shares
