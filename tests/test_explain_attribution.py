"""Attributions equal Captum on the whole graph, and add up, for any gene."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from captum.attr import IntegratedGradients

from aimwell.errors import ConfigError, TaskError
from aimwell.explain import products
from aimwell.explain.attribution import Attribution, SharedPath
from aimwell.explain.baselines import BASELINES, Baseline, network_inputs
from aimwell.explain.captum_path import attribute_by_captum
from aimwell.explain.receptive_field import receptive_field
from aimwell.knowledge.graph import GENE_COLUMNS, Relation, TargetGraph
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.models.member import Member, Unit
from aimwell.models.network import TargetNetwork
from aimwell.models.propagate import SparseOperator
from aimwell.models.task import Block, TargetTask
from aimwell.models.training import load_network
from aimwell.models.wiring import build_wiring

STEPS = 12
ATOL = 1e-7  # Captum rounds its step sizes to single precision
LONER = "HGNC:999999"  # a gene without any edge or set


def make_task(graph: TargetGraph, values: pd.DataFrame, known: list[str]) -> TargetTask:
    """Make a task with every gene a family of its own and fold by the order of ``values``."""
    genes = pd.Index(sorted(graph.genes), name="hgnc_id")
    fold = pd.Series(np.arange(len(values)) % 2, values.index)
    degree = np.log1p(graph.degree().reindex(genes).to_numpy(np.float32))[:, None]
    evidence = values.reindex(genes).to_numpy(np.float32)
    return TargetTask(
        graph=graph,
        genes=genes,
        blocks=(
            Block("protein", "protein", ("z", "effect"), evidence[:, :2]),
            Block("rna", "rna", ("z", "effect", "abs_z"), evidence[:, 2:]),
            Block("graph", "graph", ("log_degree",), degree),
        ),
        wiring=build_wiring(graph, genes),
        labels=genes.isin(known).astype(np.int8),
        withheld=np.zeros(len(genes), bool),
        folds=fold.reindex(genes).to_numpy(),
        families=pd.Series(genes, genes),
    )


def random_member(task: TargetTask, seed: int, hidden: int = 8) -> Member:
    """Draw every parameter, batch statistics included, as if a training had ended there."""
    rng = np.random.default_rng(seed)
    widths = [b.values.shape[1] for b in task.blocks] + [1]
    network = TargetNetwork(widths, len(task.wiring.channels), hidden=hidden)
    parameters = {}
    for name, value in network.state_dict().items():
        drawn = rng.normal(0, 0.5, tuple(value.shape))
        if name.endswith("running_var"):
            drawn = 0.2 + drawn**2
        # double precision would be lost on the way through the network's own parameters
        parameters[name] = drawn.astype(value.numpy().dtype)
    return Member(Unit(0, 0), parameters, np.zeros(len(task.genes)), 0.3, 1.7)


@pytest.fixture(scope="module")
def task() -> TargetTask:
    graph = read_starter_graph()
    row = {c: [LONER] for c in GENE_COLUMNS}
    genes = pd.concat([graph.nodes["gene"], pd.DataFrame(row, [LONER])]).sort_index()
    graph = replace(graph, nodes={**graph.nodes, "gene": genes})
    rng = np.random.default_rng(2)
    values = pd.DataFrame(np.clip(rng.normal(size=(len(genes), 5)), -3, 3), genes.index)
    return make_task(graph, values, list(genes.index[3::25]))


@pytest.fixture(scope="module")
def member(task) -> Member:
    return random_member(task, seed=0)


@pytest.fixture(scope="module")
def path(task, member) -> SharedPath:
    return SharedPath(task, [member], steps=STEPS)


@pytest.fixture(scope="module")
def chosen(task) -> dict[str, int]:
    """Positions of genes of every kind: hub, ordinary, without edges, without anything, known."""
    degree = task.graph.degree().reindex(task.genes).to_numpy()
    in_sets = np.isin(task.genes, task.graph.relations["member_of"].edges["source_id"])
    return {
        "hub": int(degree.argmax()),
        "ordinary": int(np.flatnonzero(degree == 4)[7]),
        "only in sets": int(np.flatnonzero((degree == 0) & in_sets)[0]),
        "alone": int(task.positions(pd.Index([LONER]))[0]),
        "known": int(np.flatnonzero((task.labels == 1) & (task.folds == 1))[0]),
    }


KINDS = ("hub", "ordinary", "only in sets", "alone", "known")


def double_network(task: TargetTask, member: Member) -> TargetNetwork:
    return load_network(task, member).double()


def captum_on_the_whole_graph(
    task: TargetTask, member: Member, target: int, steps: int
) -> list[np.ndarray]:
    """Attribute with Captum, every feature and every arc of the graph an input."""
    network, operators = double_network(task, member), task.wiring.operators
    blocks = [torch.from_numpy(b) for b in network_inputs(task, member)]
    inputs = tuple(t[None] for t in (*blocks, *(o.weight.double() for o in operators)))

    def score(*one: torch.Tensor) -> torch.Tensor:
        parts = [t[0] for t in one]
        logits = network(parts[: len(blocks)], parts[len(blocks) :], operators)
        return (logits[target] + 0 * sum(p.sum() for p in parts))[None]

    values = IntegratedGradients(score).attribute(
        inputs, n_steps=steps, method="riemann_middle", internal_batch_size=1
    )
    return [v[0].detach().numpy() / member.scale for v in values]


def parts_of(task: TargetTask, attribution: Attribution) -> list[np.ndarray]:
    """Spread an attribution over all genes and arcs."""
    sizes = [len(o.weight) for o in task.wiring.operators]
    return [*attribution.feature_arrays(len(task.genes)), *attribution.arc_arrays(sizes)]


@pytest.mark.parametrize("kind", KINDS)
def test_attributions_equal_captum_on_the_whole_graph(task, member, path, chosen, kind):
    found = path.attribute(chosen[kind])
    wanted = captum_on_the_whole_graph(task, member, chosen[kind], STEPS)
    assert max(np.abs(w).max() for w in wanted) > 1e-3
    for one, other in zip(parts_of(task, found), wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=ATOL)


@pytest.mark.parametrize("kind", ["ordinary", "only in sets"])
def test_captum_on_the_receptive_field_equals_captum_on_the_whole_graph(task, member, chosen, kind):
    found = attribute_by_captum(task, [member], chosen[kind], steps=STEPS)
    wanted = captum_on_the_whole_graph(task, member, chosen[kind], STEPS)
    for one, other in zip(parts_of(task, found), wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-10)


def test_the_score_on_the_receptive_field_is_the_score_on_the_whole_graph(task, member, chosen):
    network, operators = double_network(task, member), task.wiring.operators
    blocks = [torch.from_numpy(b) for b in network_inputs(task, member)]
    with torch.no_grad():
        whole = network(blocks, [o.weight.double() for o in operators], operators).numpy()
        random = np.random.default_rng(1).choice(len(task.genes), 40, replace=False)
        for target in (*random, *chosen.values()):
            field = receptive_field(task.wiring, int(target))
            local = network(
                [b[torch.from_numpy(field.genes)] for b in blocks],
                [o.weight.double() for o in field.operators],
                field.operators,
            ).numpy()
            assert local[field.target] == pytest.approx(whole[target], abs=1e-10)
            assert field.genes[field.target] == target


def test_the_receptive_field_of_a_gene_without_edges_or_sets_is_itself(task, chosen):
    field = receptive_field(task.wiring, chosen["alone"])
    assert field.genes.tolist() == [chosen["alone"]]
    assert len(field.sets) == 0
    assert [len(a) for a in field.arcs] == [0, 0, 0]


def test_score_and_baseline_are_those_of_the_network(task, member, path, chosen):
    network, operators = double_network(task, member), task.wiring.operators
    blocks = [torch.from_numpy(b) for b in network_inputs(task, member)]
    weights = [o.weight.double() for o in operators]
    with torch.no_grad():
        score = network(blocks, weights, operators).numpy()
        nothing = network([0 * b for b in blocks], [0 * w for w in weights], operators).numpy()
    for target in chosen.values():
        found = path.attribute(target)
        assert found.score == pytest.approx((score[target] - 0.3) / 1.7, abs=1e-10)
        assert found.baseline_score == pytest.approx((nothing[target] - 0.3) / 1.7, abs=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_attributions_are_exactly_zero_outside_the_receptive_field(task, path, chosen, kind):
    field = receptive_field(task.wiring, chosen[kind])
    found = path.attribute(chosen[kind])
    assert len(field.genes) < len(task.genes)
    outside = np.setdiff1d(np.arange(len(task.genes)), field.genes)
    n_blocks = len(found.features)
    parts = parts_of(task, found)
    assert all((f[outside] == 0).all() for f in parts[:n_blocks])
    for values, arcs in zip(parts[n_blocks:], field.arcs, strict=True):
        assert (np.delete(values, arcs) == 0).all()


def test_attributions_add_up_to_the_score_the_better_the_more_steps(task, member, chosen):
    errors = {
        steps: [
            SharedPath(task, [member], steps=steps).attribute(t).completeness_error
            for t in chosen.values()
        ]
        for steps in (5, 2000)
    }
    assert max(errors[2000]) < 3e-3
    assert sum(errors[2000]) < sum(errors[5]) / 50


def test_completeness_error_is_what_is_missing_from_the_sum():
    found = Attribution(
        2.0,
        0.5,
        np.array([3, 7]),
        (np.array([[1.0], [0.2]]),),
        (np.array([4]),),
        (np.array([0.1]),),
    )
    assert found.completeness_error == pytest.approx(0.2)


def test_the_known_targets_of_the_hidden_fold_contribute_nothing(task, member, path, chosen):
    hidden = (task.folds == member.unit.fold) & (task.labels == 1)
    shown = (task.folds != member.unit.fold) & (task.labels == 1)
    channel = np.sum(
        [parts_of(task, path.attribute(t))[len(task.blocks)] for t in range(0, 800, 40)], axis=0
    )
    assert hidden.sum() > 5
    assert (channel[hidden] == 0).all()
    assert (channel[shown] != 0).any()
    assert (network_inputs(task, member)[-1][hidden] == 0).all()


def test_renaming_genes_moves_attributions_along_with_them(task, member, chosen):
    rng = np.random.default_rng(7)
    names = [f"HGNC:{i:06d}" for i in rng.permutation(len(task.genes))]
    new = dict(zip(task.genes, names, strict=True))
    relations = {}
    for name, r in task.graph.relations.items():
        if r.source_type != "gene":
            relations[name] = r
            continue
        edges = r.edges.assign(source_id=r.edges["source_id"].map(new))
        if r.target_type == "gene":
            edges["target_id"] = edges["target_id"].map(new)
        if not r.directed:
            ends = np.sort(edges[["source_id", "target_id"]].to_numpy(str), axis=1)
            edges = edges.assign(source_id=ends[:, 0], target_id=ends[:, 1])
        relations[name] = replace(r, edges=edges)
    graph = TargetGraph(
        {**task.graph.nodes, "gene": task.graph.nodes["gene"].rename(index=new)}, relations
    )
    features = np.hstack([b.values for b in task.blocks[:2]])
    known = [new[g] for g in task.genes[task.labels == 1]]
    renamed = make_task(graph, pd.DataFrame(features, names), known)
    assert not np.array_equal(renamed.genes, names)
    place = renamed.positions(pd.Index(names))
    renamed = replace(renamed, folds=task.folds[np.argsort(place)])
    one, other = (SharedPath(t, [member], steps=STEPS) for t in (task, renamed))
    for target in (chosen["ordinary"], chosen["hub"]):
        before, after = one.attribute(target), other.attribute(int(place[target]))
        assert after.score == pytest.approx(before.score, abs=1e-12)
        spread = [a.feature_arrays(len(place)) for a in (before, after)]
        for f, g in zip(*spread, strict=True):
            np.testing.assert_allclose(g[place], f, rtol=0, atol=1e-12)
        left = per_edge(task, before, new)
        right = per_edge(renamed, after, {g: g for g in renamed.genes})
        pd.testing.assert_series_equal(left, right, check_exact=False, rtol=0, atol=1e-12)


def per_edge(task: TargetTask, attribution: Attribution, new: dict[str, str]) -> "pd.Series[float]":
    """Sum attributions per edge, named by relation and both ends in any order."""
    edges = task.wiring.edges
    total = np.zeros(len(edges))
    values_of = parts_of(task, attribution)[-3:]
    for operator, values in zip(task.wiring.operators, values_of, strict=True):
        total += np.bincount(operator.edge, weights=values, minlength=len(total))
    ends = [[new.get(v, v) for v in edges[c]] for c in ("source_id", "target_id")]
    pairs = np.sort(np.array(ends).T, axis=1)
    index = pd.MultiIndex.from_arrays([edges["relation"], pairs[:, 0], pairs[:, 1]])
    return pd.Series(total, index).groupby(level=[0, 1, 2]).sum()


def test_attributions_equal_a_dense_network_written_out_by_hand():
    genes = [f"HGNC:{i}" for i in range(1, 6)]

    def edges(*pairs: tuple[int, str]) -> pd.DataFrame:
        rows = [(genes[a], b if isinstance(b, str) else genes[b]) for a, b in pairs]
        table = pd.DataFrame(rows, columns=["source_id", "target_id"])
        weight = np.linspace(0.4, 1, len(rows))
        return table.assign(weight=weight, evidence="hand", literature=False, clinical=False)

    graph = TargetGraph(
        {
            "gene": pd.DataFrame(dict.fromkeys(GENE_COLUMNS, genes), genes),
            "pathway": pd.DataFrame({"name": ["one", "two"]}, ["P1", "P2"]),
        },
        {
            "activates": Relation("activates", "gene", "gene", edges((0, 1), (1, 2), (3, 2))),
            "interacts": Relation(
                "interacts", "gene", "gene", edges((0, 3), (1, 3)), directed=False
            ),
            "member_of": Relation(
                "member_of", "gene", "pathway", edges((0, "P1"), (2, "P1"), (2, "P2"), (4, "P2"))
            ),
        },
    )
    values = pd.DataFrame(np.random.default_rng(0).normal(size=(5, 5)), genes)
    task = make_task(graph, values, [genes[1], genes[4]])
    member = random_member(task, seed=5, hidden=4)
    p = {k: torch.from_numpy(v).double() for k, v in member.parameters.items()}
    blocks = [torch.from_numpy(b) for b in network_inputs(task, member)]
    dense = [to_dense(o) for o in task.wiring.operators]

    def score(*one: torch.Tensor) -> torch.Tensor:
        *features, direct, into, out = (t[0] for t in one)
        encoded = [x @ p[f"encoders.{i}.weight"].T for i, x in enumerate(features)]
        states = [sum(encoded)]
        for layer in range(2):
            h, through = states[-1], p[f"through.{layer}"]
            messages = torch.cat([direct @ h, out @ (into @ h)]).split(5)
            z = h @ p[f"own.{layer}"] + sum(m @ w for m, w in zip(messages, through, strict=True))
            norm = {k: p[f"norms.{layer}.{k}"] for k in ("running_mean", "running_var")}
            z = (z - norm["running_mean"]) / (norm["running_var"] + 1e-5).sqrt()
            states.append(torch.relu(z * p[f"norms.{layer}.weight"] + p[f"norms.{layer}.bias"]))
        return (torch.cat(states, 1) @ p["head.weight"][0] + p["head.bias"])[None]

    path = SharedPath(task, [member], steps=STEPS)
    for target in range(5):
        wanted = IntegratedGradients(score).attribute(
            tuple(t[None] for t in (*blocks, *dense)),
            target=target,
            n_steps=STEPS,
            method="riemann_middle",
            internal_batch_size=1,
        )
        wanted = [w[0].detach().numpy() / member.scale for w in wanted]
        found = parts_of(task, path.attribute(target))
        for one, other in zip(found[:-3], wanted, strict=False):
            np.testing.assert_allclose(one, other, rtol=0, atol=ATOL)
        for operator, one, other in zip(
            task.wiring.operators, found[-3:], wanted[-3:], strict=True
        ):
            rows = np.repeat(np.arange(operator.shape[0]), operator.row_start.diff().numpy())
            at_arcs = other[rows, operator.column.numpy()]
            np.testing.assert_allclose(one, at_arcs, rtol=0, atol=ATOL)


def to_dense(operator: SparseOperator) -> torch.Tensor:
    full = np.zeros(operator.shape)
    rows = np.repeat(np.arange(operator.shape[0]), operator.row_start.diff().numpy())
    full[rows, operator.column.numpy()] = operator.weight.numpy()
    return torch.from_numpy(full)


@pytest.mark.parametrize("name", ["zero", "controls", "empty", "mine"])
@pytest.mark.parametrize("kind", ["ordinary", "alone"])
def test_every_baseline_and_ensembles_equal_captum(task, chosen, name, kind):
    unchanged = np.array([0.4, -0.7, 0.1])
    blocks = [replace(b, unchanged=unchanged[: b.values.shape[1]]) for b in task.blocks]
    task = replace(task, blocks=tuple(blocks))
    mine = Baseline("mine", {"rna": np.array([0.3, -0.2, 0.5])})
    baseline = BASELINES.get(name, mine)
    members = [random_member(task, seed) for seed in (0, 1)]
    found = SharedPath(task, members, steps=STEPS, baseline=baseline).attribute(chosen[kind])
    wanted = attribute_by_captum(task, members, chosen[kind], steps=STEPS, baseline=baseline)
    assert found.score == pytest.approx(wanted.score, abs=1e-10)
    assert found.baseline_score == pytest.approx(wanted.baseline_score, abs=1e-10)
    for one, other in zip(parts_of(task, found), parts_of(task, wanted), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=ATOL)


def test_baselines_differ_where_they_should(task, member, chosen):
    blocks = [replace(b, unchanged=np.full(b.values.shape[1], -0.5)) for b in task.blocks]
    task = replace(task, blocks=tuple(blocks))
    scores = {
        name: SharedPath(task, [member], steps=3, baseline=b).attribute(chosen["hub"])
        for name, b in BASELINES.items()
    }
    assert len({round(a.baseline_score, 6) for a in scores.values()}) == 3
    # with the features of the data at both ends, only edges can be credited
    assert all((f == 0).all() for f in scores["empty"].features)
    assert any((a != 0).any() for a in scores["empty"].arcs)


def test_many_arcs_in_single_precision_stay_within_the_bar(task, member, path, chosen, monkeypatch):
    before = parts_of(task, path.attribute(chosen["hub"]))
    monkeypatch.setattr(products, "MANY", 0)
    after = parts_of(task, path.attribute(chosen["hub"]))
    difference = max(np.abs(a - b).max() for a, b in zip(before, after, strict=True))
    assert 0 < difference < 1e-7


def test_genes_worked_out_beforehand_or_at_need_give_the_same_bits(task, member, chosen):
    whole = SharedPath(task, [member], steps=STEPS, genes=np.arange(len(task.genes)))
    at_need = SharedPath(task, [member], steps=STEPS)
    for target in chosen.values():
        one, other = whole.attribute(target), at_need.attribute(target)
        for a, b in zip(parts_of(task, one), parts_of(task, other), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-13)


def test_ways_of_a_message_add_up_to_all_attributions(task, path, chosen):
    for target in chosen.values():
        found = path.attribute(target)
        routes = found.routes
        total = routes.own.sum() + routes.direct.sum() + routes.sets.sum() + routes.constant
        assert total == pytest.approx(found.total, abs=1e-10)


def test_ways_of_a_message_are_differences_of_scores_where_nothing_is_ever_closed(task, chosen):
    member = random_member(task, seed=3)
    raised = {"norms.0.bias": 50, "norms.1.bias": 20_000}
    open_wide = {k: v + raised.get(k, 0) for k, v in member.parameters.items()}
    member = replace(member, parameters=open_wide)
    network, operators = double_network(task, member), task.wiring.operators
    blocks = [torch.from_numpy(b) for b in network_inputs(task, member)]
    target = chosen["hub"]

    def score(only: list[int] | None, edges: tuple[float, float, float]) -> float:
        keep = torch.zeros(len(task.genes), 1, dtype=torch.float64)
        keep[only] = 1
        weights = [w * o.weight.double() for w, o in zip(edges, operators, strict=True)]
        with torch.no_grad():
            logits = network([b * keep for b in blocks], weights, operators)
        return float(logits[target]) / member.scale

    none, all_genes = [], list(range(len(task.genes)))
    direct_only, nothing, whole = (1.0, 0.0, 0.0), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    routes = SharedPath(task, [member], steps=STEPS).attribute(target).routes
    constant = score(none, whole) - score(none, nothing)
    own = score([target], direct_only) - score(none, direct_only)
    direct = score(all_genes, direct_only) - score(none, direct_only) - own
    sets = score(all_genes, whole) - score(none, whole) - own - direct
    assert min(abs(v) for v in (own, direct, sets, constant)) > 0.1
    assert routes.constant == pytest.approx(constant, rel=1e-3)
    # a message through the steps is a cubic or more: the midpoint rule of twelve steps is not exact
    assert routes.own.sum() == pytest.approx(own, rel=2e-2)
    assert routes.direct.sum() == pytest.approx(direct, rel=2e-2)
    assert routes.sets.sum() == pytest.approx(sets, rel=2e-2)


def test_networks_of_two_folds_share_no_path(task, member):
    other = replace(member, unit=Unit(1, 0))
    with pytest.raises(TaskError, match="one path needs networks of one fold, 2 folds were given"):
        SharedPath(task, [member, other], steps=2)


def test_a_baseline_for_an_unknown_block_or_of_another_shape_is_refused(task, member):
    with pytest.raises(ConfigError, match="'mine' has features for 'dna', which the task lacks"):
        SharedPath(task, [member], steps=2, baseline=Baseline("mine", {"dna": np.zeros(3)}))
    with pytest.raises(ConfigError, match=r"shape \(2,\) for 'rna', needed"):
        SharedPath(task, [member], steps=2, baseline=Baseline("mine", {"rna": np.zeros(2)}))
