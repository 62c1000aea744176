"""Tables of links: the published sets of microbes and drugs, and any table with a column for each end."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from pellucid.data.pairs import PAIR, Attributes, Pairs, chosen_others
from pellucid.data.samples import Finding
from pellucid.data.spec import Frozen
from pellucid.errors import DataError
from pellucid.loading.csv_tables import CsvTable
from pellucid_molecules.links.files import lines_of, links_of, numbers_of, table_at
from pellucid_molecules.links.kernels import refuse_leak
from pellucid_molecules.tables.written import read_table

NOT_OBSERVED = (
    "A pair without an observed link counts as 0 here, which is no proof that there is none: nobody may have looked."
)

VIEW = "molecules/neighbourhood"

Negatives = Literal["all"] | int


class MicrobeDrugConfig(Frozen):
    """Settings of :class:`MicrobeDrug`.

    Parameters
    ----------
    set : {"DrugVirus", "MDAD", "aBiofilm"}
        Which of the three.
    negatives : "all" or int
        Pairs without an observed link: all, or so many for each with one, drawn with the seed.
    unlinked : {"leave out", "keep"}
        What to do with drugs and microbes of which no link is in the files: nothing is known of them, and as members of pairs
        without a link they are easy to tell.
    drug_attributes, drug_similarity : str
        Files of your own (CSV, beside the set's or by path): a first column ``drug`` with names, then numbers, one column each. A
        similarity has one row and one column a drug of the set, in its order; one that was made of the links is refused.
    seed : int
        Of the pairs that are drawn.
    """

    set: Literal["DrugVirus", "MDAD", "aBiofilm"] = "DrugVirus"
    negatives: Literal["all"] | int = Field("all")
    unlinked: Literal["leave out", "keep"] = "leave out"
    drug_attributes: str = ""
    drug_similarity: str = ""
    seed: int = Field(0, ge=0)


class MicrobeDrug(Pairs):
    """Pairs of a drug and a microbe (or a virus) that it was reported to act on, of DrugVirus, MDAD or aBiofilm.

    The folder holds one folder a set with ``adj.txt`` (number of the drug, of the microbe, 1; from 1), ``drugs.txt`` and
    ``microbes.txt`` (names, one a line). The similarities and features that are published beside them are made of all links and
    are not read.

    Raises
    ------
    DataError
        If a file is missing, or a line names something that is not there.
    LeakageError
        If a similarity can be rebuilt from all links.

    References
    ----------
    Andersen et al. (2020), DrugVirus, doi:10.1016/j.ijid.2020.02.018; Sun et al. (2018), MDAD, doi:10.3389/fcimb.2018.00424;
    Rajput et al. (2018), aBiofilm, doi:10.1093/nar/gkx1157.
    """

    config_type = MicrobeDrugConfig

    def __init__(self, config: MicrobeDrugConfig | None = None, data: Path | None = None) -> None:
        config = config or MicrobeDrugConfig()
        if data is None:
            raise DataError(
                "'microbe-drug' has no usual place: name its folder with --data DIR; it holds DrugVirus/adj.txt and others"
            )
        folder = data / config.set if (data / config.set).is_dir() else data
        drugs, microbes = (lines_of(folder / f"{kind}.txt") for kind in ("drugs", "microbes"))
        links = links_of(folder / "adj.txt", len(drugs), len(microbes))
        whole = np.zeros((len(drugs), len(microbes)))
        whole[links[:, 0], links[:, 1]] = 1
        attributes = _own_attributes(config, folder, drugs, whole)
        if config.unlinked == "leave out":
            kept = [np.flatnonzero(whole.sum(1 - axis)) for axis in range(2)]
            links = np.argwhere(whole[np.ix_(*kept)])
            left = (len(drugs) - len(kept[0]), len(microbes) - len(kept[1]))
            drugs, microbes = [drugs[at] for at in kept[0]], [microbes[at] for at in kept[1]]
            if attributes is not None:
                known = None if attributes.known is None else attributes.known[kept[0]]
                attributes = Attributes(attributes.values[kept[0]], attributes.names, attributes.units, known)
        else:
            left = (0, 0)
        counts = (len(drugs), len(microbes))
        super().__init__(
            name="microbe-drug",
            namespace="microbe-drug",
            about=f"{config.set}: {len(links)} reported associations of {counts[0]} drugs and {counts[1]} microbes. {NOT_OBSERVED}",
            roles=("drug", "microbe"),
            names=(drugs, microbes),
            links=links,
            others=chosen_others(links, counts, _checked(config.negatives), config.seed),
            attributes={} if attributes is None else {"drug": attributes},
            view=VIEW,
        )  # fmt: skip
        if any(left):
            self.findings = (
                Finding(
                    config.set, f"{left[0]} drugs and {left[1]} microbes have no link in the files and were left out"
                ),
            )


class BipartiteTableConfig(Frozen):
    """Settings of :class:`BipartiteTable`.

    Parameters
    ----------
    first, second : str
        Columns with the names of the two ends; they also say what these are.
    label : str
        Column with 1 and 0; empty: every row is a link.
    relation : str
        What a link says, and the name of the target.
    negatives : "all" or int
        Pairs without an observed link beside those that the table calls 0: all, or so many for each link, drawn with the seed; 0:
        the table's own alone.
    seed : int
    """

    first: str = "drug"
    second: str = "microbe"
    label: str = ""
    relation: str = "associated"
    negatives: Literal["all"] | int = Field("all")
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _names_differ(self) -> BipartiteTableConfig:
        if self.first == self.second:
            raise ValueError(f"first and second both name column {self.first!r}; each end has a column of its own")
        for option in ("first", "second", "relation"):
            if getattr(self, option) == PAIR:
                raise ValueError(f"{option} cannot be {PAIR!r}, which is what the two ends together are called")
        if self.relation in (self.first, self.second):
            raise ValueError(
                f"relation cannot be {self.relation!r}, which is the column of an end; say what a link says"
            )
        return self


class BipartiteTable(Pairs):
    """Links of your own between two kinds of thing: a CSV or parquet table with a row for each link, a column for each end.

    Raises
    ------
    DataError
        If a column is missing or empty in a row, or a label is neither 0 nor 1; names the row.
    """

    config_type = BipartiteTableConfig

    def __init__(self, config: BipartiteTableConfig | None = None, data: Path | None = None) -> None:
        config = config or BipartiteTableConfig()
        if data is None:
            raise DataError("'bipartite-table' has no usual place: name the CSV or parquet file with --data FILE")
        if not data.is_file():
            raise DataError(f"{data} is not a file: give a CSV or parquet table")
        table = read_table(data)
        roles = (config.first, config.second)
        asked = {config.first: "the option first", config.second: "the option second", config.label: "the option label"}
        table.need([*roles, *([config.label] if config.label else [])], asked)
        labels = _labels(table, config.label)
        ends, names = [], []
        for column in roles:
            words, at = np.unique(np.array(table.full(column)), return_inverse=True)
            ends.append(at)
            names.append([str(word) for word in words])
        pairs = np.column_stack(ends)
        # A link that is told twice is one; whoever is told to be no link is not drawn again.
        links, told = np.unique(pairs[labels == 1], axis=0), pairs[labels == 0]
        if not len(links):
            raise DataError(f"{data.name}: no row is a link")
        counts = (len(names[0]), len(names[1]))
        drawn = chosen_others(links, counts, _checked(config.negatives, least=0), config.seed)
        others = np.unique(np.concatenate([told, drawn]), axis=0)
        super().__init__(
            name="bipartite-table",
            namespace="bipartite-table",
            about=f"{len(links)} links of {counts[0]} and {counts[1]}. {NOT_OBSERVED}",
            roles=roles,
            names=(names[0], names[1]),
            links=np.unique(links, axis=0),
            others=others,
            relation=config.relation,
            view=VIEW,
        )  # fmt: skip

    @classmethod
    def example_data(cls) -> BipartiteTable:
        """A table of a few links, written for a moment."""
        import tempfile

        from pellucid_datasets.links import LinksSynthetic, LinksSyntheticConfig

        made = LinksSynthetic(LinksSyntheticConfig(drugs=12, microbes=9, inside=0.6))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "links.csv"
            made.frame[made.frame["associated"] == 1][["drug", "microbe"]].to_csv(path, index=False)
            return cls(None, path)


def _checked(negatives: Negatives, least: int = 1) -> Negatives:
    if negatives != "all" and negatives < least:
        raise DataError(f'negatives is {negatives}: write "all", or how many for each link, {least} or more')
    return negatives


def _own_attributes(config: MicrobeDrugConfig, folder: Path, drugs: list[str], whole: np.ndarray) -> Attributes | None:
    """What the user knows of drugs: attributes and similarities side by side."""
    found = []
    for option in ("drug_attributes", "drug_similarity"):
        if not (given := getattr(config, option)):
            continue
        path = folder / given
        table = table_at(path)
        if table.columns[0] != "drug":
            raise DataError(
                f"{path.name}: its first column is {table.columns[0]!r}; it holds the drugs' names and is called 'drug'"
            )
        names = table["drug"].astype(str).str.strip()
        if option == "drug_similarity":
            if table.shape != (len(drugs), len(drugs) + 1) or list(names) != drugs:
                raise DataError(
                    f"{path.name}: a similarity has a row and a column for each of the {len(drugs)} drugs of {config.set}, in the order "
                    f"of drugs.txt; it has {table.shape[0]} rows and {table.shape[1] - 1} columns"
                )
            refuse_leak(numbers_of(table, path.name).to_numpy(np.float64), whole, path.name)
        elif names.duplicated().any():
            raise DataError(f"{path.name}: drug {names[names.duplicated()].iloc[0]!r} stands twice")
        found.append(
            numbers_of(table, path.name)
            .set_axis(names)
            .reindex(drugs)
            .add_prefix("similarity " if "sim" in option else "")
        )
    if not found:
        return None
    import pandas as pd

    joined = pd.concat(found, axis=1)
    known = joined.notna().all(axis=1).to_numpy()
    values = joined.fillna(0).to_numpy(np.float32)
    return Attributes(values, tuple(map(str, joined.columns)), known=known)


def _labels(table: CsvTable, column: str) -> np.ndarray:
    return table.numbers(column, (0, 1), blank=False) if column else np.ones(len(table))
