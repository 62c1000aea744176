"""Conclusions about hidden links: recalls by hand, areas against an independent reference, and what the protocol does not fit."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from pellucid.data.pairs import PAIR, Attributes, Pairs, attributes_of, chosen_others
from pellucid.errors import DataError
from pellucid.heads.base import HeadTags
from pellucid.protocols.audited import told_once
from pellucid.protocols.base import Context
from pellucid.protocols.links.conclusions import recall_by_node
from pellucid.protocols.links.masked import MaskedLinks, MaskedLinksConfig
from pellucid.testing.planted import planted

ROLES = ("drug", "microbe")


def pairs(**other):
    links = np.array([[0, 0], [1, 2], [2, 1]])
    given = {"names": (["a", "b", "c"], ["x", "y", "z"]), "links": links, **other}
    return Pairs(name="made", namespace="made", about="", roles=ROLES, **given)


def rows_of_two_folds(seed=0):
    rng = np.random.default_rng(seed)
    every = []
    for part in ("a", "b"):
        labels = np.random.default_rng(1).random(400) < 0.3
        every.append(
            pd.DataFrame(
                {
                    "part": part, "sample": [f"s{at:03d}" for at in range(400)], "subject": "s", "label": labels.astype(float),
                    "score": labels * (1.5 if part == "a" else 0.5) + rng.normal(size=400),
                    "leaky": labels * 3 + rng.normal(size=400), "node": [f"n{at % 20}" for at in range(400)],
                    "fold": np.arange(400) // 200,
                }
            )
        )  # fmt: skip
    return pd.concat(every, ignore_index=True)


def context():
    tags = HeadTags(family="function")
    return Context(pairs().spec, "associated", {"a": tags, "b": tags}, "training mean", 0)


def test_areas_are_means_over_folds_and_leaks_and_differences_follow_from_them():
    rows = rows_of_two_folds()
    found = {
        (one.metric, one.part): one
        for one in MaskedLinks(MaskedLinksConfig(against=("b",), replicates=200)).conclude(rows, context())
    }

    def area(part, column):
        some = [g for _, g in rows[rows["part"] == part].groupby("fold")]
        return np.mean([roc_auc_score(g["label"], g[column]) for g in some])

    assert found["auroc", "a"].value == pytest.approx(area("a", "score"))
    assert found["auroc_leaky", "a"].value == pytest.approx(area("a", "leaky"))
    assert found["leak", "a"].value == pytest.approx(area("a", "leaky") - area("a", "score"))
    assert found["auroc_minus_b", "a"].value == pytest.approx(area("a", "score") - area("b", "score"))
    assert found["auroc_minus_b", "a"].low > 0
    assert found["auroc", "a"].n_subjects == 20
    assert [found[name, "a"].chance for name in ("auroc", "auroc_leaky", "leak")] == [0.5, 0.5, 0.0]
    assert found["auroc_minus_b", "a"].chance == pytest.approx(0.5 - area("b", "score"))
    assert found["auroc_leaky", "a"].baseline == found["auroc", "a"].value
    assert {name for (name, _), one in found.items() if not one.higher_is_better} == {"leak"}
    assert "hidden links of a drug" in found["recall@5", "a"].sentence
    assert ("auroc_minus_b", "b") not in found
    # A rival is what a model is seen beside; of the rival it is chance.
    for metric in ("auroc", "recall@5"):
        assert (found[metric, "a"].baseline, found[metric, "a"].baseline_name) == (found[metric, "b"].value, "b")
        assert found[metric, "b"].baseline == found[metric, "b"].chance < found[metric, "b"].value
    quick = MaskedLinks(MaskedLinksConfig(leaky=False, replicates=200)).conclude(rows, context())
    assert {one.metric for one in quick} == {"auroc", "recall@5", "recall@10"}


def test_a_part_that_was_not_examined_has_no_results():
    rows = rows_of_two_folds()
    more = context()
    more = Context(more.spec, more.target, {"c": HeadTags(family="function"), **more.parts}, "training mean", 0)
    found = MaskedLinks(MaskedLinksConfig(against=("c",), leaky=False, replicates=100)).conclude(rows, more)
    assert {one.part for one in found} == {"a", "b"}
    assert {one.baseline_name for one in found if one.metric == "auroc"} == {"training mean"}


def test_recall_counts_hidden_links_among_the_likeliest_pairs_and_shares_ties():
    rows = pd.DataFrame(
        {
            "fold": 0,
            "node": ["a"] * 4 + ["b"] * 4 + ["c"] * 2,
            "label": [1, 0, 1, 0, 1, 0, 0, 0, 0, 0],
            "score": [4, 3, 2, 1, 1, 1, 1, 1, 2, 1],
        }
    )
    recall, chance, nodes = recall_by_node(rows, 2)
    assert nodes.tolist() == ["a", "b"]
    assert recall.tolist() == [0.5, 0.5]
    assert chance.tolist() == [0.5, 0.5]


def test_it_fits_links_alone_and_compares_with_parts_that_are_there():
    data = planted(("vector",))
    other = Context(data.spec, "binary", {}, "", 0)
    assert "links between pairs" in MaskedLinks().unfit(other)
    assert MaskedLinks().unfit(context()) == ""
    assert "'degrees', which is no part" in MaskedLinks(MaskedLinksConfig(against=("degrees",))).unfit(context())


def test_pairs_are_drawn_with_what_they_rest_on():
    rows = rows_of_two_folds()
    links = {"drug": ["a", "b"], "microbe": ["y", "x"], "change": [0.5, -0.2]}
    rows = told_once(rows, {"support": [{"roles": ROLES, "pair": ["a", "x"], "links": links}]})
    (caption,), (figure,) = zip(*MaskedLinks().figures(rows, context()).items(), strict=True)
    words = {text.get_text() for text in figure.axes[0].texts}
    assert "“a”" in caption
    assert words == {"drug", "microbe", "a", "b  -0.2", "x", "y  +0.5"}


def test_pairs_name_their_nodes_and_carry_what_is_known_of_each():
    known = np.array([True, False, True])
    data = pairs(attributes={"drug": Attributes(np.array([[1.0], [2.0], [3.0]]), ("weight",), "Da", known)})
    at = list(data.frame.index).index("c + y")
    assert data.spec.groups == ("drug", "microbe", PAIR)
    assert data.spec.group_word == ("drug", "drugs")
    sample = data[at]
    assert sample.inputs[PAIR].tolist() == [2, 1]
    assert sample.inputs[attributes_of("drug")].tolist() == [3.0]
    assert data.frame["associated"].sum() == 3
    assert not data.read(np.array([list(data.frame.index).index("b + x")])).masks[attributes_of("drug")][0]
    assert [str(one) for one in pairs(names=(["a", "a", "c"], ["x", "y", "z"])).frame["drug"].unique()] == [
        "a",
        "a (2)",
        "c",
    ]


def test_a_pair_that_stands_twice_or_names_nobody_is_refused():
    with pytest.raises(DataError, match="'a', 'x' stands twice"):
        pairs(others=np.array([[0, 0]]))
    with pytest.raises(DataError, match="names node 3 of 3 in column 1"):
        pairs(links=np.array([[0, 3]]))
    with pytest.raises(DataError, match="names node -1 of 3 in column 0"):
        pairs(others=np.array([[2, 2], [-1, 0]]))


def test_others_are_never_links_and_are_as_many_as_asked_for():
    links = np.array([[0, 0], [1, 2], [2, 1]])
    assert len(chosen_others(links, (3, 3), "all", 0)) == 6
    drawn = chosen_others(links, (3, 3), 1, 0)
    assert len(drawn) == 3
    assert not {tuple(pair) for pair in drawn} & {tuple(pair) for pair in links}
