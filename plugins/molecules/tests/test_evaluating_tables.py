"""Scoring a run on another table: of another name, with few rows, or of other things."""

from __future__ import annotations

import pytest

import pellucid
from pellucid.errors import DataError, RunError

RINGS = [f"{end}{ring}" for ring in ("c1ccccc1", "C1CCCCC1", "c1ccncc1", "c1ccoc1", "C1CC1", "c1ccsc1", "C1CCC1")
         for end in ("C", "O", "CC", "OC", "CCC", "OCC")]  # fmt: skip
NEW = ["OC1CCCCCC1", "CC1CCCCCC1", "OC1CCCCCCC1", "CC1CCCCCCC1"]


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PELLUCID_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def table(folder, smiles, label, name="molecules.csv"):
    rows = [f"{one},{label(at, one)}" for at, one in enumerate(smiles)]
    (folder / name).write_text("\n".join(["smiles,y", *rows]))
    return folder / name


def run_of(folder, label):
    settings = {
        "name": "table",
        "title": "t",
        "dataset": "smiles-table",
        "target": "y",
        "encoder": [{"name": "identity", "input": "descriptors"}],
        "head": [{"name": "linear"}],
        "protocols": ["nested-subject-cv"],
        "options": {"smiles-table": {"descriptors": "readable"}, "nested-subject-cv": {"folds": 3}},
        "training": {"epochs": 1},
    }
    return pellucid.study(settings).run(folder / "run", data=table(folder, RINGS, label))


def has_oxygen(at, smiles):
    return int("O" in smiles)


def test_a_table_may_be_called_otherwise_and_hold_other_columns_of_numbers(tmp_path):
    run = run_of(tmp_path, has_oxygen)
    other = table(tmp_path, NEW, has_oxygen, "new.csv")
    text = other.read_text().splitlines()
    other.write_text("\n".join([f"{text[0]},z", *(f"{line},7" for line in text[1:])]))
    assert len(list(pellucid.evaluate(run.path, other)))
    with pytest.raises(DataError, match=r"numbers\.csv, line 2, column 'y': is 5; write 0 or 1"):
        pellucid.evaluate(run.path, table(tmp_path, NEW, lambda at, one: 5 + at, "numbers.csv"))


def test_numbers_that_are_0_and_1_alone_stay_numbers(tmp_path):
    run = run_of(tmp_path, lambda at, one: len(one) + at % 3)
    assert len(list(pellucid.evaluate(run.path, table(tmp_path, NEW, has_oxygen, "few.csv"))))


def test_links_of_other_things_are_refused_with_what_differs(tmp_path):
    links = [f"d{i},m{j}" for i in range(12) for j in range(8) if not (i * 7 + j * 3) % 5]
    (tmp_path / "one.csv").write_text("\n".join(["drug,microbe", *links]))
    (tmp_path / "other.csv").write_text("\n".join(["drug,microbe", *(line.replace("d", "e") for line in links)]))
    settings = {
        "name": "links",
        "title": "t",
        "dataset": "bipartite-table",
        "target": "associated",
        "encoder": [{"name": "pair-degrees", "input": "pair"}],
        "head": [{"name": "linear"}],
        "protocols": ["nested-subject-cv"],
        "options": {"nested-subject-cv": {"folds": 3, "apart": ["pair"]}},
        "training": {"epochs": 1},
    }
    run = pellucid.study(settings).run(tmp_path / "run", data=tmp_path / "one.csv")
    with pytest.raises(RunError, match=r"does not have the inputs that .* was trained on: 'pair' has other names"):
        pellucid.evaluate(run.path, tmp_path / "other.csv")
