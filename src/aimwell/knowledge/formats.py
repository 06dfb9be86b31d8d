"""Tell from its first lines which database a file comes from, to name it in a message."""

import re
from collections.abc import Sequence
from typing import Final

#: What a file is → a pattern on its first line, or on the first that is no comment.
FORMATS: Final = (
    ("a web page", r"(?i)\s*<(!doctype|html|head)"),
    ("a GraphML network", r"\s*<graphml"),
    ("an XML file", r"\s*<\?xml"),
    ("a JSON file", r"\s*[{\[]"),
    ("a HGNC complete set", r"hgnc_id\tsymbol\t"),
    ("BioGRID TAB3", r"#?BioGRID Interaction ID\t.*SWISS-PROT Accessions Interactor A"),
    ("BioGRID TAB2", r"#?BioGRID Interaction ID\t"),
    ("a BioGRID symbol edge list", r"node1[ \t]node2$"),
    ("a STRING web export", r"#?node1\tnode2\tnode1_string_id"),
    ("STRING links", r"(protein1[ \t]protein2[ \t]|\d+\.ENS\w*P\d+ \d+\.ENS|Gene1\tGene2$)"),
    ("a STRING alias table", r"#?string_protein_id\talias\t|## string_protein_id ## alias"),
    ("a STRING protein table", r"#?(string_protein_id|protein_external_id)\tpreferred_name"),
    ("a PSI-MITAB file", r"(?i)#?(ID\(?s\)?|unique identifier for) interactor A\t"),
    ("a PSI-MITAB file", r"(uniprotkb|entrez gene/locuslink|intact|ensembl|chebi):\S+\t[\w /]+:\S"),
    ("a HIPPIE table", r"\w*\t\d*\t\w*\t\d*\t[01](\.\d+)?\t(experiments:|pmids:|sources:)"),
    ("a list of SIGNOR complexes or families", r"\"?SIGNOR ID\"?;"),
    ("a SIGNOR table", r"(?i)\"?ENTITYA\"?[\t,;]|\"?IdA\"?[\t,;]"),
    ("a CORUM table", r"(ComplexID\tComplexName|complex_id\tcomplex_name)"),
    ("a Complex Portal table (ComplexTAB)", r"#?Complex ac\t"),
    ("a FamPlex relation table", r"(HGNC|UP|FPLX),[^,]+,(isa|partof),"),
    ("a table of GO terms and their genes", r"go_id\tgo_name\t"),
    ("an OmniPath table", r"(\"\",)?\"?source\"?[\t,]\"?target\"?[\t,].*is_stimulation"),
    ("an OmniPath table", r"source\tinteraction\ttarget$"),
    ("a table of enzymes and substrates", r"\"?enzyme\"?[\t,]|\"?target\"?,\"?source\"?,\"?weight"),
    ("a DoRothEA table", r"\"?(tf|source)\"?[\t,]\"?confidence\"?[\t,]"),
    ("a CollecTRI table", r"\"?source\"?[\t,]\"?target\"?[\t,]\"?(weight|mor)\b"),
    ("a SIF network of Hetionet", r"source\tmetaedge\ttarget"),
    ("the interactome of Menche 2015", r"# gene_ID_1\t|\d+\t\d+\t(regulatory|binary|literature)"),
    ("a DrugCentral target table", r"\"?DRUG_NAME\"?\t"),
    ("PharmacotherapyDB indications", r"doid_id\tdrugbank_id\t.*category"),
    ("DGIdb interactions", r"(?=.*\bdrug_claim_name)gene_(claim_)?name\t"),
    ("DGIdb categories", r"entrez_gene_symbol\t.*category|name\tname-2\tsource_db_name"),
    ("ChEMBL's drug mechanisms", r"\"?Parent Molecule.*[;,\t]\"?Mechanism of Action"),
    ("ChEMBL's drug indications", r"\"?Parent Molecule.*[;,\t]\"?MESH Heading"),
    ("ChEMBL's mapping to UniProt (chembl_uniprot_mapping.txt)", r"[A-Z0-9]{6,10}\tCHEMBL\d+"),
    ("Open Targets' GWAS gold standards", r"(association|gold_standard|trait)_info\.\w+\t"),
    ("Hetionet's nodes (id, name, kind)", r"id\tname\tkind$"),
    (
        "Hetionet's disease–gene associations",
        r"doid_id\tdoid_name\tentrez_gene_id|gene_symbol\tentrez_gene_id\tdoid_name",
    ),
    ("PrimeKG's kg.csv", r"relation,display_relation,x_index,"),
    ("HGNC's list of withdrawn entries (withdrawn.txt)", r"HGNC_ID\tSTATUS\tWITHDRAWN_SYMBOL"),
    ("NCBI's gene_info", r"#?tax_id\tGeneID\tSymbol\t"),
    ("NCBI's gene_history", r"#?tax_id\tGeneID\tDiscontinued_GeneID"),
    (
        "a UniProt id mapping (HUMAN_9606_idmapping.dat)",
        r"[A-Z0-9]{6,10}(-\d+)?\t(UniProtKB-ID|Gene_Name|UniRef\d+|UniParc|GeneID|HGNC|RefSeq)\t",
    ),
    (
        "UniProt's list of secondary accessions (sec_ac.txt)",
        r"-{70,}$|\s*UniProt - Swiss-Prot Protein Knowledgebase",
    ),
    ("a Drug Repurposing Hub table", r"(pert_iname\tclinical_phase|!Source\t.*Repurposing Hub)"),
    ("a Reactome mapping such as UniProt2Reactome", r"[^\t]+\tR-[A-Z]{3}-\d+\thttps?:"),
    ("Reactome pathway names", r"R-[A-Z]{3}-\d+\t[^\t]+\t[A-Z][a-z]+ [a-z]+"),
    ("a Reactome pathway hierarchy", r"R-[A-Z]{3}-\d+\tR-[A-Z]{3}-\d+$"),
    ("a Reactome gene-set file (GMT)", r"[^\t]+\tR-HSA-\d+\t\S"),
    ("a gene-set file (GMT)", r"[^\t]+\t(https?://\S*|na|NA|)\t\S"),
    ("a gene ontology (OBO)", r"format-version:"),
    ("a gene annotation file (GAF)", r"!gaf-version"),
    ("a SIF network", r"\S+[\t ](controls-|interacts-with|in-complex-with|catalysis-|p[pd][\t ])"),
    ("pairs of Ensembl genes", r"ENSG\d{11}(\.\d+)?\tENSG\d{11}"),
    (
        "pairs of UniProt accessions",
        r"([OPQ]\d|[A-NR-Z]\d[A-Z])[A-Z0-9]{3,7}(-\d+)?\t[A-Z]\d[A-Z0-9-]+$",
    ),
    ("pairs of Entrez genes", r"\d+[,\t ]\d+$"),
    ("a FASTA file", r">\S"),
)

#: Formats that are nothing but two names a line, which a list of edges may be.
PAIRS: Final = (
    "a BioGRID symbol edge list",
    "pairs of Ensembl genes",
    "pairs of UniProt accessions",
    "pairs of Entrez genes",
)


def recognise_format(lines: Sequence[str]) -> str:
    r"""Name the format of a file from its first lines; empty where unknown.

    Example:
        >>> recognise_format(["protein1 protein2 combined_score"])
        'STRING links'
        >>> recognise_format(["a\tb"])
        ''
    """
    written = [line for line in lines[:50] if line.strip()]
    rows = [line for line in written if not line.startswith("#")]
    stated = [line for line in rows if not line.startswith("!")]
    for first in (*written[:1], *rows[:1], *stated[:1]):
        for name, pattern in FORMATS:
            if re.match(pattern, first):
                return name
    return ""
