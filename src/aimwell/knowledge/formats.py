"""Tell from its first lines which database a file comes from, to name it in a message."""

import re
from collections.abc import Sequence
from typing import Final

#: What a file is → a pattern on its first line that is no comment (on any line for ``(?m)``).
FORMATS: Final = (
    ("a web page", r"(?i)\s*<(!doctype|html|head)"),
    ("an XML file", r"\s*<\?xml"),
    ("a JSON file", r"\s*[{\[]"),
    ("a HGNC complete set", r"hgnc_id\tsymbol\t"),
    ("BioGRID TAB3", r"#?BioGRID Interaction ID\t.*SWISS-PROT Accessions Interactor A"),
    ("BioGRID TAB2", r"#?BioGRID Interaction ID\t"),
    ("a BioGRID symbol edge list", r"node1[ \t]node2$"),
    ("a STRING web export", r"#?node1\tnode2\tnode1_string_id"),
    ("STRING links", r"(protein1 protein2 |9606\.ENSP\d+ 9606\.ENSP)"),
    ("a PSI-MITAB file", r"#?ID\(?s\)? interactor A\t"),
    ("a list of SIGNOR complexes or families", r"\"?SIGNOR ID\"?;"),
    ("a SIGNOR table", r"\"?ENTITYA[\t,]|\"?IdA[\t,]"),
    ("a CORUM table", r"(ComplexID\tComplexName|complex_id\tcomplex_name)"),
    ("a Complex Portal table (ComplexTAB)", r"#?Complex ac\t"),
    ("a FamPlex relation table", r"(HGNC|UP|FPLX),[^,]+,(isa|partof),"),
    ("a table of GO terms and their genes", r"go_id\tgo_name\t"),
    ("an OmniPath table", r"source[\t,]target[\t,].*is_stimulation"),
    ("a table of signed interactions", r"source[\t,]target[\t,]weight"),
    ("a DrugCentral target table", r"\"?DRUG_NAME\"?\t"),
    ("PharmacotherapyDB indications", r"doid_id\tdrugbank_id\t.*category"),
    ("a Drug Repurposing Hub table", r"(pert_iname\tclinical_phase|!Source\t.*Repurposing Hub)"),
    ("a Reactome mapping such as UniProt2Reactome", r"[^\t]+\tR-[A-Z]{3}-\d+\thttps?:"),
    ("Reactome pathway names", r"R-[A-Z]{3}-\d+\t[^\t]+\t[A-Z][a-z]+ [a-z]+"),
    ("a Reactome pathway hierarchy", r"R-[A-Z]{3}-\d+\tR-[A-Z]{3}-\d+$"),
    ("a Reactome gene-set file (GMT)", r"[^\t]+\tR-HSA-\d+\t\S"),
    ("a gene-set file (GMT)", r"[^\t]+\t(https?://\S*|na|NA|)\t\S"),
    ("a gene ontology (OBO)", r"format-version:"),
    ("a gene annotation file (GAF)", r"!gaf-version"),
    ("pairs of Ensembl genes", r"ENSG\d{11}\tENSG\d{11}"),
    ("a FASTA file", r">\S"),
)


def recognise_format(lines: Sequence[str]) -> str:
    r"""Name the format of a file from its first lines; empty where unknown.

    Example:
        >>> recognise_format(["protein1 protein2 combined_score"])
        'STRING links'
        >>> recognise_format(["a\tb"])
        ''
    """
    first = next((line for line in lines[:50] if line.strip()), "")
    return next((name for name, pattern in FORMATS if re.match(pattern, first)), "")
