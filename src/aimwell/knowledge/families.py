"""Gene families that are small enough to be kept together when genes are split into folds."""

from typing import Final

import pandas as pd

from aimwell.provenance import Step

#: Largest share of all protein-coding genes that one family may hold.
LARGEST_SHARE: Final = 0.03


def gene_families(
    groups: pd.DataFrame, *, largest_share: float = LARGEST_SHARE
) -> tuple["pd.Series[str]", Step]:
    r"""Label every gene with one family, so that close paralogues share a label.

    HGNC groups overlap and nest: 'Zinc fingers C2H2-type' or 'CD molecules' touch hundreds of
    other groups. The union of all groups that share a gene chains 11,711 of the 19,290
    protein-coding genes into one component, which no split can use. Groups are therefore merged
    from the smallest to the largest (ties by id), as in Kruskal's spanning tree, and a group is
    skipped when merging everything that it touches would make a family of more than
    ``largest_share`` of the genes. Small groups hold the closest paralogues, so that what is lost
    are the broad groups. A family takes the name of the largest group merged into it; a gene in
    no merged group is its own family, named by its symbol.

    Args:
        groups: One row per gene, indexed by HGNC id; columns ``symbol``, ``gene_group`` and
            ``gene_group_id`` (parallel lists, joined by ``|``).
        largest_share: In (0, 1].

    Returns:
        Family of every gene, same index, and the step that says how many groups were merged.

    Example:
        >>> genes = pd.DataFrame({"symbol": ["A1", "A2", "B1"], "gene_group": ["A", "A|AB", "AB"],
        ...     "gene_group_id": ["1", "1|2", "2"]}, index=["HGNC:1", "HGNC:2", "HGNC:3"])
        >>> gene_families(genes, largest_share=0.7)[0].tolist()
        ['A', 'A', 'B1']
        >>> gene_families(genes, largest_share=1.0)[0].tolist()
        ['AB', 'AB', 'AB']
    """
    members, names = _groups(groups)
    genes = groups.index.tolist()
    parent = {gene: gene for gene in genes}
    size = dict.fromkeys(genes, 1)
    largest: dict[str, str] = {}  # family root → group that names it
    limit = largest_share * len(groups)
    skipped = []
    for group in sorted(members, key=lambda g: (len(members[g]), int(g))):
        roots = sorted({_root(parent, gene) for gene in members[group]})
        total = sum(size[r] for r in roots)
        if total > limit and len(roots) > 1:
            skipped.append(group)
            continue
        first = roots[0]
        for other in roots[1:]:
            parent[other] = first
        size[first] = total
        largest[first] = group  # groups come in ascending size, so the last one is the largest
    labels = []
    for gene, symbol in zip(genes, groups["symbol"].tolist(), strict=True):
        named = largest.get(_root(parent, gene))
        labels.append(str(symbol) if named is None else names[named])
    step = Step(
        "gene families from HGNC gene groups",
        len(members),
        len(members) - len(skipped),
        f"groups that would join more than {largest_share:.0%} of the genes were not merged",
        tuple(names[g] for g in skipped[-3:]),
    )
    return pd.Series(labels, index=groups.index, name="family", dtype=str), step


def _groups(table: pd.DataFrame) -> tuple[dict[str, list[str]], dict[str, str]]:
    members: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    columns = (table.index, table["gene_group_id"], table["gene_group"])
    for gene, ids, labels in zip(*(c.tolist() for c in columns), strict=True):
        if ids:
            for group, label in zip(ids.split("|"), labels.split("|"), strict=False):
                members.setdefault(group, []).append(gene)
                names[group] = label
    return members, names


def _root(parent: dict[str, str], gene: str) -> str:
    while parent[gene] != gene:
        parent[gene] = parent[parent[gene]]  # halve the path
        gene = parent[gene]
    return gene
