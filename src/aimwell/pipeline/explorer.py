"""A finished run held in memory, so that any of its genes can be explained while somebody waits."""

import difflib
import os
import threading
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import torch

from aimwell.errors import InputError, RunError, some
from aimwell.explain.explanation import Explanation
from aimwell.explain.tables import KNOWN_BLOCK
from aimwell.explain.targets import TargetExplainer, explain_targets
from aimwell.models.member import member_units
from aimwell.models.propagate import SparseOperator
from aimwell.models.task import TargetTask
from aimwell.pipeline.cache import StageCache
from aimwell.pipeline.drugs import change_contrasts, changes_of, with_match
from aimwell.pipeline.explain import restore
from aimwell.pipeline.manifest import read_manifest
from aimwell.pipeline.outputs import targets_trust
from aimwell.pipeline.progress import Progress, Silent
from aimwell.pipeline.run import STAGES, hold
from aimwell.pipeline.stages import Stages
from aimwell.pipeline.workers import one_thread
from aimwell.provenance import sha256_of
from aimwell.reports.data import ReportData, in_words
from aimwell.trust.tiers import TARGET_COLUMNS

#: Smallest and largest subgraph that can be asked for.
NODES: Final = (2, 40)
#: Explanations that are kept for the next question, and sets of switches whose paths are.
KEPT: Final = 512
VARIANTS: Final = 3


class Explorer:
    """Answers questions about one finished run.

    Args:
        folder: The run folder.
        progress: Told what is going on while it is read.

    Attributes:
        folder: The run folder.
        report: What the page of the run shows, without its explanations.
        files: Names of the files that the run wrote and that may be handed out.

    Raises:
        RunError: No finished run, one of another version, a file that changed since, a stage or a
            network that is gone.
    """

    def __init__(self, folder: Path, progress: Progress | None = None) -> None:
        manifest = read_manifest(folder)
        outputs: dict[str, str] = dict(manifest.get("outputs") or {})
        changed = [n for n, digest in outputs.items() if not _is_same(folder / n, digest)]
        if changed:
            raise RunError(
                f"{len(changed)} files of '{folder}' are not as the run wrote them: "
                f"{some(changed)}; run again into this folder, which reuses what it can"
            )
        # what another person wrote can be looked at, though not locked
        with hold(folder, wanted=os.access(folder, os.W_OK)):
            config, keys = restore(manifest, folder, 1)
            cache = StageCache(folder / STAGES)
            stages = Stages(config, keys, cache, progress or Silent())
            stages.read()
            dealt = stages.task.dealt
            units = member_units(config.model, dealt.numbers if dealt else None)
            gone = [u.name for u in units if not cache.has("member", stages.member_key(u))]
            if gone:
                raise RunError(
                    f"{len(gone)} of {len(units)} networks of '{folder}' are gone: {some(gone)}; "
                    "run again into this folder, which reuses what it can"
                )
            stages.fit()
        self.folder, self.files = folder, frozenset(outputs)
        self.task, self.members = stages.task, stages.members
        self.settings = config.explain
        changes = changes_of(stages.evidence, change_contrasts(config))
        self.report = ReportData(
            manifest=manifest,
            designs=stages.designs,
            evidence=stages.evidence,
            ranking=stages.ranking,
            drugs=stages.drugs.names(),
            drug_table=with_match(stages.drugs.table, changes),
            drug_status=stages.drugs.genes,
            tiers=self._tiers(stages),
            samples=stages.samples,
        )
        table = stages.ranking.table
        self.symbols = table["symbol"].astype(str)
        self._by_name = {s.upper(): str(g) for g, s in self.symbols.items()}
        self._by_name |= {str(g).upper(): str(g) for g in self.symbols.index}
        names = stages.graph.nodes["gene"]["name"].reindex(table.index).fillna("").astype(str)
        self._words = [
            (str(g), s, n, f"{s}\n{g}\n{n}".upper())
            for g, s, n in zip(table.index, self.symbols, names, strict=True)
        ]
        self._lock = threading.Lock()
        self._found: OrderedDict[tuple[str, int, frozenset[str], bool], Explanation] = OrderedDict()
        self._explainers: OrderedDict[frozenset[str], TargetExplainer] = OrderedDict()

    def _tiers(self, stages: Stages) -> pd.DataFrame:
        if "audit.parquet" in self.files:
            audited = pd.read_parquet(self.folder / "audit.parquet")
            return audited[[c for c in TARGET_COLUMNS if c in audited]]
        return targets_trust(stages, None)

    def switches(self) -> list[dict[str, str]]:
        """List what can be switched off: layers of evidence, known targets, and relations."""
        blocks = [b for b in self.task.blocks if b.kind != "graph"]
        relations = dict.fromkeys(self.task.wiring.relations)
        return [
            *({"key": b.name, "label": self._label(b.name), "kind": "layer"} for b in blocks),
            {"key": KNOWN_BLOCK, "label": "Known targets", "kind": "layer"},
            *({"key": r, "label": in_words(r), "kind": "relation"} for r in relations),
        ]

    def _label(self, name: str) -> str:
        return self.report.label_of(name) if name in self.report.evidence.blocks else in_words(name)

    def search(self, text: str, most: int = 12) -> list[dict[str, Any]]:
        """Find genes by symbol, id or name, best first; those of a near name where none has it."""
        wanted = text.strip().upper()
        hits = [row for row in self._words if wanted in row[3]] if wanted else self._words[:most]

        def order(row: tuple[str, str, str, str]) -> tuple[bool, bool, bool]:
            symbol = row[1].upper()
            return symbol != wanted, not symbol.startswith(wanted), wanted not in symbol

        hits = sorted(hits, key=order)[:most]  # stable: equal ones stay by rank
        if not hits:
            near = difflib.get_close_matches(wanted, self.symbols.str.upper().tolist(), n=3)
            hits = [row for row in self._words if row[1].upper() in near]
        table = self.report.ranking.table
        return [
            {
                "gene": gene,
                "symbol": symbol,
                "name": name,
                "rank": int(table["rank"][gene]),
                "known": bool(table["is_known"][gene]),
            }
            for gene, symbol, name, _ in hits
        ]

    def resolve(self, name: str) -> str:
        """Give the HGNC id of a symbol or id.

        Raises:
            InputError: The run did not rank it; the nearest names are offered.
        """
        gene = self._by_name.get(name.strip().upper())
        if gene is None:
            near = difflib.get_close_matches(name.strip().upper(), list(self._by_name), n=3)
            known = [str(self.symbols.get(self._by_name[n], n)) for n in near]
            hint = f"did you mean {' or '.join(known)}?" if known else "search by symbol or name"
            raise InputError(
                f"'{name[:60]}' is not among the {len(self.symbols)} genes of this run; {hint}"
            )
        return gene

    def explain(
        self, name: str, *, nodes: int = 0, off: Collection[str] = (), test: bool = False
    ) -> Explanation:
        """Explain a gene, with layers or relations switched off where that was asked for.

        The networks stay as they were fitted; what is switched off reaches none of them. The
        standard deviation of the score stays that of the run, so that scores can be compared.

        Args:
            name: Symbol or HGNC id.
            nodes: Largest number of nodes of a subgraph; 0 as in the run.
            off: Keys of ``switches``.
            test: Test the explanation and compare the baselines, too, which takes longer.

        Raises:
            InputError: A gene that was not ranked, a size or a switch that does not exist.
        """
        gene = self.resolve(name)
        nodes = nodes or self.settings.max_nodes
        if not NODES[0] <= nodes <= NODES[1]:
            raise InputError(f"a subgraph has {NODES[0]} to {NODES[1]} nodes; found {nodes}")
        known = {s["key"] for s in self.switches()}
        if unknown := sorted(set(off) - known):
            raise InputError(f"nothing is called {some(unknown)}; there are {some(known, 20)}")
        key = (gene, nodes, frozenset(off), test)
        with self._lock:
            if key not in self._found:
                self._found[key] = self._explain(*key)
            self._found.move_to_end(key)
            while len(self._found) > KEPT:
                self._found.popitem(last=False)
            return self._found[key]

    def _explain(self, gene: str, nodes: int, off: frozenset[str], test: bool) -> Explanation:
        settings = replace(self.settings, max_nodes=nodes, test=test)
        evidence = self.report.evidence
        with one_thread():
            if test:
                task = without(self.task, off)
                (found,) = explain_targets(task, self.members, evidence, pd.Index([gene]), settings)
                return found
            explainer = self._explainer(off)
            explainer.settings = replace(settings, baselines=settings.baselines[:1])
            ((_, found),) = explainer.explain(self.task.positions(pd.Index([gene])))
            return found

    def _explainer(self, off: frozenset[str]) -> TargetExplainer:
        """Take the paths of the networks under some switches, or make them."""
        if off not in self._explainers:
            settings = replace(self.settings, test=False, baselines=self.settings.baselines[:1])
            self._explainers[off] = TargetExplainer(
                without(self.task, off),
                self.members,
                self.report.evidence,
                settings,
                keep=True,
                singly=False,  # somebody waits; with the test of the explanation they are asked
            )
        self._explainers.move_to_end(off)
        # the run as it is stays, whatever was tried last
        tried = [key for key in self._explainers if key]
        for oldest in tried[: max(len(tried) - VARIANTS + 1, 0)]:
            del self._explainers[oldest]
        return self._explainers[off]


def without(task: TargetTask, off: Collection[str]) -> TargetTask:
    """Take layers, known targets or relations out of what networks are told.

    A layer that is off is as if nothing had been measured in it; an edge that is off has weight 0,
    and the normalisation of the others stays, as the networks know it.

    Args:
        task: As the networks were fitted to it.
        off: Names of blocks, ``known targets``, and names of relations.
    """
    if not off:
        return task
    blocks = tuple(
        replace(b, values=np.zeros_like(b.values)) if b.name in off else b for b in task.blocks
    )
    gone = task.wiring.edges["relation"].isin(list(off)).to_numpy()
    channels = np.isin(task.wiring.relations, list(off))
    stop = task.wiring.n_direct
    direct, into, out = task.wiring.operators
    direct = _silenced(direct, gone, channels[:stop])
    into, out = _silenced(into, gone), _silenced(out, gone, channels[stop:])
    wiring = replace(task.wiring, direct=direct, into_sets=into, out_of_sets=out)
    labels = np.zeros_like(task.labels) if KNOWN_BLOCK in off else task.labels
    return replace(task, blocks=blocks, wiring=wiring, labels=labels)


def _silenced(
    operator: SparseOperator, gone: np.ndarray, channels: np.ndarray | None = None
) -> SparseOperator:
    """Give edges that are gone weight 0, and expect nothing of channels that are."""
    if not len(operator.edge) or not gone[operator.edge].any():
        return operator
    weight = operator.weight * torch.from_numpy(~gone[operator.edge])
    usual = operator.expected
    if usual is not None and channels is not None:
        usual = usual.times(torch.from_numpy(~channels)[:, None])
    back = weight[operator.order]
    return replace(operator, weight=weight, transposed_weight=back, expected=usual)


def _is_same(path: Path, digest: str) -> bool:
    try:
        return sha256_of(path) == digest
    except OSError:
        return False
