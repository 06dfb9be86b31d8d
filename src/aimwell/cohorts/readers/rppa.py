"""Reverse-phase protein arrays: from names of antibodies to genes."""

import re
from typing import Final, Literal

import pandas as pd

from aimwell.cohorts.affinity import best_reagent
from aimwell.cohorts.measured import Measured
from aimwell.cohorts.vendor_tables import Sieve, choose_quantity, finish
from aimwell.config import MatrixSettings
from aimwell.errors import InputError, some

_QUALITY: Final = re.compile(r"[-._][RMG][-._](V|C|E|NA|QC)$")
_MODIFIED: Final = re.compile(
    r"[-._ ]?(?:p[STY]\d+(?:[-._ ]?p?[STY]?\d+)*|cleaved\w*\d*|acetyl\w*|(?:di|tri)?methyl\w*)$"
)
#: What antibodies are called → symbols; several are joined, since the antibody sees them all.
_ANTIBODIES: Final = """
1433beta YWHAB | 1433epsilon YWHAE | 1433zeta YWHAZ | 4ebp1 EIF4EBP1 | 53bp1 TP53BP1
araf ARAF | acc ACACA;ACACB | acc1 ACACA | acvrl1 ACVRL1 | adar1 ADAR | alphacatenin CTNNA1
akt AKT1;AKT2;AKT3 | ampk PRKAA1;PRKAA2 | ampkalpha PRKAA1;PRKAA2 | annexini ANXA1
annexin1 ANXA1 | annexinvii ANXA7 | ar AR | braf BRAF | bak BAK1 | bax BAX | bcl2 BCL2
bclxl BCL2L1 | beclin BECN1 | betacatenin CTNNB1 | bid BID | bim BCL2L11 | craf RAF1
cd20 MS4A1 | cd29 ITGB1 | cd31 PECAM1 | cd49b ITGA2 | cd26 DPP4 | chk1 CHEK1 | chk2 CHEK2
cjun JUN | ckit KIT | cmet MET | cmyc MYC | cabl ABL1 | caspase3 CASP3 | caspase7 CASP7
caspase8 CASP8 | caspase9 CASP9 | caveolin1 CAV1 | claudin7 CLDN7 | collagenvi COL6A1;COL6A2;COL6A3
cyclinb1 CCNB1 | cyclind1 CCND1 | cycline1 CCNE1 | cycline2 CCNE2 | ciap BIRC2 | cog3 COG3
dj1 PARK7 | dvl3 DVL3 | dusp4 DUSP4 | dirasa DIRAS3 | ecadherin CDH1 | ncadherin CDH2
pcadherin CDH3 | egfr EGFR | eralpha ESR1 | er ESR1 | erk2 MAPK1 | erk1 MAPK3 | ets1 ETS1
eef2 EEF2 | eef2k EEF2K | eif4e EIF4E | eif4g EIF4G1 | ercc1 ERCC1 | fasn FASN | foxo3a FOXO3
foxm1 FOXM1 | fibronectin FN1 | g6pd G6PD | gab2 GAB2 | gapdh GAPDH | gata3 GATA3 | gata6 GATA6
gsk3 GSK3A;GSK3B | gsk3alphabeta GSK3A;GSK3B | gys GYS1 | her2 ERBB2 | her3 ERBB3
hsp70 HSPA1A;HSPA1B
heregulin NRG1 | hif1alpha HIF1A | igfbp2 IGFBP2 | igf1rbeta IGF1R | inpp4b INPP4B | irs1 IRS1
jab1 COPS5 | jnk MAPK8;MAPK9 | jnk2 MAPK9 | kras KRAS | nras NRAS | ku80 XRCC5 | lkb1 STK11
lbk1 STK11 | lck LCK | mapk MAPK1;MAPK3 | mek1 MAP2K1 | mek2 MAP2K2 | mig6 ERRFI1 | mre11 MRE11
msh2 MSH2 | msh6 MSH6 | mtor MTOR | myosiniia MYH9 | myosin11 MYH11 | nfkbp65 RELA | nf2 NF2
notch1 NOTCH1 | notch3 NOTCH3 | p16ink4a CDKN2A | p21 CDKN1A | p27 CDKN1B | p38 MAPK14
p38mapk MAPK14 | p38alpha MAPK14 | p53 TP53 | p62lckligand SQSTM1 | p70s6k RPS6KB1 | p70s6k1 RPS6KB1
p90rsk RPS6KA1 | p90 RPS6KA1 | pai1 SERPINE1 | parp1 PARP1 | paxillin PXN | pcna PCNA | pdcd4 PDCD4
pdk1 PDPK1 | pdl1 CD274 | pea15 PEA15 | pi3kp110alpha PIK3CA | pi3kp85 PIK3R1
pkcalpha PRKCA | pkcdelta PRKCD | pkcpanbetaii PRKCA;PRKCB;PRKCD;PRKCE;PRKCH;PRKCQ | pr PGR
pras40 AKT1S1 | prdx1 PRDX1 | pten PTEN | rab11 RAB11A;RAB11B | rab25 RAB25 | rad50 RAD50
rad51 RAD51
raptor RPTOR | rb RB1 | rbm15 RBM15 | rbm3 RBM3 | rictor RICTOR | s6 RPS6 | scd1 SCD | shc SHC1
shp2 PTPN11 | smac DIABLO | smad1 SMAD1 | smad3 SMAD3 | smad4 SMAD4 | snail SNAI1 | src SRC
stat3 STAT3 | stat5alpha STAT5A | stathmin STMN1 | syk SYK | tau MAPT | taz WWTR1 | tfrc TFRC
tigar TIGAR | transglutaminase TGM2 | ttf1 NKX2-1 | tuberin TSC2 | vegfr2 KDR | xbp1 XBP1
xrcc1 XRCC1 | yap YAP1 | yb1 YBX1
"""
ANTIBODIES: Final[dict[str, str]] = dict(
    pair.split() for line in _ANTIBODIES.strip().split("\n") for pair in line.split(" | ")
)


def antibody_target(name: str) -> tuple[str, str]:
    """Give the genes that an antibody sees, and the modification that it needs.

    Names that are not known are given back without their quality mark, for the genes' own names.

    Example:
        >>> antibody_target("4E-BP1_pS65"), antibody_target("X14.3.3_beta-R-V")
        (('EIF4EBP1', 'pS65'), ('YWHAB', ''))
        >>> antibody_target("Akt_pS473"), antibody_target("MAPK_pT202_Y204")[1]
        (('AKT1;AKT2;AKT3', 'pS473'), 'pT202_Y204')
    """
    clean = re.sub(r"^X(?=\d)", "", _QUALITY.sub("", name.strip()))
    found = _MODIFIED.search(clean)
    base = clean[: found.start()] if found else clean
    key = re.sub(r"[^0-9a-z]", "", base.lower())
    return ANTIBODIES.get(key, base), found.group().strip("-._ ") if found else ""


def read_antibodies(values: pd.DataFrame, settings: MatrixSettings, where: str) -> Measured:
    """Turn samples × antibodies into samples × genes.

    An antibody against a phosphorylated or cleaved form says nothing about the amount of protein:
    ``quantity = "total"`` (default) leaves such antibodies out, ``"phospho"`` gives only them, as
    a layer of its own. Where a gene has several, the one measured in most samples is taken.

    Raises:
        InputError: No antibody of the asked kind.
        ConfigError: An unknown quantity.
    """
    chosen = choose_quantity(settings, ("total", "phospho"), "total", where)
    names = list(values.columns)
    targets = pd.DataFrame([antibody_target(n) for n in names], index=names, columns=["gene", "at"])
    sieve = Sieve(settings.layer, names)
    modified = (targets["at"] != "").to_numpy()
    if chosen == "total":
        why = "they see a modified form only; quantity = 'phospho' makes them a layer of their own"
        sieve.drop(modified, "antibodies of total protein", why)
    else:
        sieve.drop(~modified, "antibodies of modified protein", "they see the total protein")
    if not sieve.kept.any():
        raise InputError(f"{where} has no antibody of quantity '{chosen}': {some(names)}")
    kept = values.loc[:, sieve.kept]
    made = best_reagent(kept, targets["gene"][sieve.kept], kept.notna().sum(), sieve, "antibodies")
    seen = made.to_numpy()[made.notna().to_numpy()]
    unit: Literal["log2", "log2_ratio"] = "log2_ratio" if (seen < 0).any() else "log2"
    means = "not measured, or failed quality control"
    return finish(made, unit, means, sieve, where, zero_is_missing=False)
