"""Networks of several kinds of node: what graphs around nodes hold, what tables are refused, and what made-up literature plants."""

from __future__ import annotations

import csv
from collections import Counter

import networkx as nx
import numpy as np
import pytest

import pellucid
from pellucid.errors import DataError, StudyError
from pellucid_datasets.networks import FIELDS, literature
from pellucid_molecules.networks.egos import Egos
from pellucid_molecules.networks.network import Network
from pellucid_molecules.networks.network_tables import EXAMPLE, NetworksTables, NetworksTablesConfig, example
from pellucid_molecules.networks.synthetic import NetworksSynthetic, NetworksSyntheticConfig


def small() -> Network:
    """Papers 0 and 1 share author 0; papers 1 and 2 author 1; paper 3 is alone."""
    return Network(
        {"paper": 4, "author": 2},
        {"paper": ("pages",), "author": ("age", "h")},
        {
            "paper": np.array([[10], [11], [12], [13]], np.float32),
            "author": np.array([[30, 1], [40, 2]], np.float32),
        },
        {("author", "writes", "paper"): np.array([[0, 0], [0, 1], [1, 1], [1, 2]])},
    ).both_ways()


def pages(graph) -> set[float]:
    return {float(row[1]) for row, kind in zip(graph.nodes, graph.node_types, strict=True) if kind == 0}


# --- graphs around nodes ----------------------------------------------------------------------------------------------


def test_reverses_are_made_where_they_are_missing_and_only_there():
    network = small()
    assert list(network.edges) == [("author", "writes", "paper"), ("paper", "writes (reversed)", "author")]
    assert network.both_ways().edges.keys() == network.edges.keys()
    both = np.array([[0, 1], [1, 0]])
    alike = Network({"paper": 2}, {}, {}, {("paper", "beside", "paper"): both}).both_ways()
    assert list(alike.edges) == [("paper", "beside", "paper")]
    one_way = Network({"paper": 2}, {}, {}, {("paper", "cites", "paper"): both[:1]}).both_ways()
    assert one_way.edges["paper", "cites (reversed)", "paper"].tolist() == [[1, 0]]


def test_a_graph_holds_what_lies_within_its_hops_with_all_edges_and_the_centre_first():
    graph = Egos(small(), "paper", (25, 20), seed=0).around(0)
    # Two hops from paper 0: author 0, paper 1; author 1 and paper 2 are further.
    assert graph.nodes.tolist() == [[1, 10, 0, 0], [0, 0, 30, 1], [0, 11, 0, 0]]
    assert graph.node_types.tolist() == [0, 1, 0]
    found = {(*edge, kind) for edge, kind in zip(graph.edges.tolist(), graph.edge_types.tolist(), strict=True)}
    assert {tuple(one) for one in found} == {(1, 0, 0), (1, 2, 0), (0, 1, 1), (2, 1, 1)}
    further = Egos(small(), "paper", (25, 20, 20, 20), seed=0).around(0)
    assert pages(further) == {10, 11, 12}
    alone = Egos(small(), "paper", (25, 20), seed=0).around(3)
    assert len(alone.nodes) == 1
    assert len(alone.edges) == 0


def tangled(seed, papers=30, authors=12):
    """Papers that cite each other and have authors, by lot."""
    rng = np.random.default_rng(seed)

    def some(share, *counts):
        return np.argwhere(rng.random(counts) < share)

    return Network(
        {"paper": papers, "author": authors},
        {"paper": ("number",), "author": ("number",)},
        {kind: np.arange(count)[:, None] for kind, count in (("paper", papers), ("author", authors))},
        {
            ("author", "writes", "paper"): some(0.08, authors, papers),
            ("paper", "cites", "paper"): some(0.03, papers, papers),
        },
    ).both_ways()


def in_networkx(network):
    """All edges, nodes by type and number."""
    made = nx.MultiDiGraph()
    made.add_nodes_from((kind, at) for kind, count in network.counts.items() for at in range(count))
    for relation, pairs in network.edges.items():
        made.add_edges_from(((relation[0], a), (relation[2], b), {"by": relation}) for a, b in pairs.tolist())
    return made


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("centre", ["paper", "author"])
def test_graphs_that_leave_nobody_out_are_those_of_networkx(seed, centre):
    network = tangled(seed)
    whole, egos = in_networkx(network), Egos(network, centre, (99, 99), seed=0)
    kinds, relations = list(network.counts), list(network.edges)
    for node in range(network.counts[centre]):
        graph = egos.around(node)
        names = [
            (kinds[kind], int(row[1 + kind])) for row, kind in zip(graph.nodes, graph.node_types.tolist(), strict=True)
        ]
        wanted = nx.ego_graph(whole, (centre, node), radius=2)
        assert names[0] == (centre, node)
        assert graph.nodes[:, 0].tolist() == [1.0] + [0.0] * (len(names) - 1)
        assert sorted(names) == sorted(wanted.nodes())
        found = [
            (names[a], names[b], relations[kind])
            for (a, b), kind in zip(graph.edges.tolist(), graph.edge_types.tolist(), strict=True)
        ]
        assert sorted(found) == sorted(wanted.edges(data="by"))


def test_of_many_neighbours_by_a_relation_as_many_as_asked_are_taken_each_as_often():
    network = tangled(0, papers=40, authors=80)
    whole = in_networkx(network)
    taken = Counter()
    for seed in range(400):
        found = Egos(network, "paper", (2,), seed=seed).nodes_around(7)
        taken.update(found[1:].tolist())
    by = {
        relation: [a for a, _, one in whole.in_edges(("paper", 7), data="by") if one == relation]
        for relation in network.edges
    }
    assert max(map(len, by.values())) > 4
    for sources in by.values():
        own = [taken[network.starts[kind] + at] for kind, at in sources]
        alone = [
            one for one, source in zip(own, sources, strict=True) if sum(source in some for some in by.values()) == 1
        ]
        # 400 draws of two of them: a standard deviation is less than 10.
        assert all(abs(one - 400 * min(2, len(sources)) / len(sources)) < 40 for one in alone)


def test_a_network_whose_parts_do_not_fit_is_refused():
    edge = {("a", "to", "b"): np.array([[0, 0]])}
    for counts, features, edges, said in (
        ({"a": 1}, {}, edge, "joins 'b', which is no type of node"),
        ({"a": 1, "b": 1}, {}, {("a", "to", "b"): np.array([[0, 1]])}, "names a node that is none of 1 of type 'b'"),
        ({"a": 1, "b": 1}, {}, {("a", "to", "b"): np.array([[-1, 0]])}, "names a node that is none of 1 of type 'a'"),
        ({"a": 1, "b": 1}, {"a": np.zeros((1, 2))}, edge, r"features of 'a' have shape \(1, 2\), expected \(1, 0\)"),
    ):
        with pytest.raises(DataError, match=said):
            Network(counts, {}, features, edges)
    with pytest.raises(DataError, match="there is no type of node 'papr'; did you mean 'paper'"):
        small().spec("papr")


def test_neighbours_are_bounded_and_drawn_by_the_seed_alone():
    star = Network(
        {"paper": 40, "author": 1},
        {},
        {},
        {("author", "writes", "paper"): np.column_stack([np.zeros(40, int), np.arange(40)])},
    ).both_ways()
    first, again, other = (Egos(star, "paper", (3, 7), seed=seed) for seed in (0, 0, 1))
    for node in (5, 0, 31):
        graph = first.around(node)
        # The author, and 7 of its 40 papers, of which the centre may be one.
        assert len(graph.nodes) in (8, 9)
        assert np.array_equal(first.nodes_around(node), again.nodes_around(node))
    again.nodes_around(3)
    assert np.array_equal(first.nodes_around(5), again.nodes_around(5))
    assert any(not np.array_equal(first.nodes_around(at), other.nodes_around(at)) for at in range(5))


def test_nodes_of_a_later_side_stand_in_no_graph_of_an_earlier_one():
    data = NetworksSynthetic(NetworksSyntheticConfig(inductive=True, seed=4))
    sides = np.array([{"train": 0, "validation": 1, "test": 2}[one] for one in data.frame["split"]])
    start, seen = data.egos.network.starts["paper"], 0
    for at in range(len(data)):
        papers = data.egos.nodes_around(at) - start
        papers = papers[(papers >= 0) & (papers < len(data))]
        assert sides[papers].max() == sides[at]
        seen += int((sides[papers] < sides[at]).sum())
    # Those known before are there for those who come later.
    assert seen > 100
    assert data.spec.judged_on == "unseen papers"
    usual = NetworksSynthetic(NetworksSyntheticConfig(seed=4))
    assert usual.spec.judged_on == "unseen papers, seen surroundings without labels"


# --- made-up literature -----------------------------------------------------------------------------------------------


def test_classes_lie_in_papers_that_share_an_author_and_nowhere_nearer():
    right, own, recorded, papers = 0, 0, 0, 0
    for seed in range(10):
        drawn = literature(np.random.default_rng(seed), stray=0.0)
        for paper in range(len(drawn.classes)):
            right += all(drawn.fields[other] == drawn.classes[paper] for other in drawn.beside(paper))
        own += int((drawn.fields == drawn.classes).sum())
        recorded += int((drawn.about[:, 1] % len(FIELDS) == drawn.classes).sum())
        papers += len(drawn.classes)
        assert np.bincount(drawn.written[:, 1]).tolist() == [2] * 300
        assert len(np.unique(drawn.written[:, 0])) == 400
    assert right == papers
    # Of 4,000 papers a third by chance, with a standard deviation of 0.0075; pairs are drawn together, which doubles the variance.
    assert own / papers == pytest.approx(1 / 3, abs=0.035)
    assert recorded / papers == pytest.approx(1 / 3, abs=0.035)


def test_planted_papers_are_those_that_share_an_author():
    data = NetworksSynthetic(NetworksSyntheticConfig(papers=60, authors=50, seed=2))
    at = FIELDS.index("chemistry")
    regions = data.planted("chemistry")
    graphs = data.read(np.arange(len(data))).inputs["network"]
    for paper, found in enumerate(regions):
        if data.drawn.classes[paper] != at:
            assert found == ()
            continue
        words = {tuple(graphs[paper].nodes[one.nodes[0], 1:7].tolist()) for one in found}
        assert words == {tuple(data.drawn.papers[other].tolist()) for other in data.drawn.beside(paper)}


def test_odd_papers_and_too_few_authors_are_refused():
    with pytest.raises(DataError, match="even number of papers and at least 50 authors"):
        NetworksSynthetic(NetworksSyntheticConfig(papers=100, authors=49))
    with pytest.raises(DataError, match="reads no file"):
        pellucid.dataset("networks-synthetic", ".")


# --- tables -----------------------------------------------------------------------------------------------------------


def opened(folder, **changes):
    return NetworksTables(NetworksTablesConfig(**{**EXAMPLE, **changes}), folder)


def test_tables_become_graphs_with_their_features_and_labels():
    with example() as folder:
        data = opened(folder)
    # Every fourth paper has no side, and is no sample; it stands in graphs all the same.
    assert data.frame.index.tolist() == ["p0", "p1", "p2", "p4", "p5", "p6", "p8"]
    assert data.frame["field"].tolist() == [0, 1, 0, 0, 1, 0, 0]
    assert data.target_values("labels").tolist() == [[0, 0], [0, 1], [0, 0], [1, 1], [1, 0], [1, 0], [1, 0]]
    spec = data.spec.input("network")
    assert spec.node_features == ("paper:centre", "paper:pages", "paper:year", "author:age")
    assert spec.relations[:3] == (
        ("author", "writes", "paper"),
        ("paper", "is about", "subject"),
        ("paper", "cites", "paper"),
    )
    assert len(spec.relations) == 6
    graph = data.read(np.array([3])).inputs["network"]
    assert graph.nodes[0].tolist() == [1, 8, 2004, 0]
    papers = graph.nodes[graph.node_types == 0, 1] - 4
    assert 7 in papers
    assert data.findings == ()


def rewritten(folder, file, change):
    with (folder / file).open(encoding="utf-8", newline="") as table:
        rows = list(csv.reader(table))
    change(rows)
    with (folder / file).open("w", encoding="utf-8", newline="") as table:
        csv.writer(table).writerows(rows)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (
            "writes.csv",
            lambda rows: rows.append(["a9", "p0"]),
            r"writes\.csv, line 20, column 'author': there is no such author in authors\.csv",
        ),
        ("about.csv", lambda rows: rows.append(["p0", ""]), r"about\.csv, line 11, column 'subject': is empty"),
        (
            "cites.csv",
            lambda rows: rows.append(["p3", "p3"]),
            r"cites\.csv, line 10, column 'cited': an edge from a paper to itself \(1 in all\)",
        ),
        (
            "papers.csv",
            lambda rows: rows.append(["p0", "x", "1", "1", "1", "1", ""]),
            r"papers\.csv, line 11, column 'id': the same name stands in line 2",
        ),
        (
            "papers.csv",
            lambda rows: rows[1].__setitem__(6, "later"),
            r"papers\.csv, line 2, column 'side': is none of train, validation, test",
        ),
        (
            "papers.csv",
            lambda rows: rows[0].__setitem__(1, "fields"),
            r"no column 'field'; did you mean 'fields'\?; the option target names it",
        ),
        (
            "papers.csv",
            lambda rows: [row.__setitem__(1, "biology") for row in rows[1:]],
            r"column 'field': 1 classes",
        ),
        (
            "papers.csv",
            lambda rows: rows[3].__setitem__(2, "2"),
            r"papers\.csv, line 4, column 'long': is 2; write 0 or 1, or nothing",
        ),
        (
            "authors.csv",
            lambda rows: [row.append("works" if not at else "1e300") for at, row in enumerate(rows)],
            r"authors\.csv, line 2, column 'works': is 1e\+300, which is too large to learn from",
        ),
        (
            "authors.csv",
            lambda rows: rows[3].__setitem__(1, "thirty"),
            r"authors\.csv, line 4, column 'age': is no number, and 5 of 6 cells .* the option features in nodes\.author",
        ),
        (
            "papers.csv",
            lambda rows: rows[4].__setitem__(4, "n/a"),
            r"papers\.csv, line 5, column 'pages': is no number, and 8 of 9 cells",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_refused_by_file_and_line(file, change, message):
    with example() as folder:
        rewritten(folder, file, change)
        with pytest.raises(DataError, match=message):
            opened(folder)


def test_edges_to_themselves_and_twice_are_told_where_they_are_not_refused():
    with example() as folder:
        rewritten(folder, "cites.csv", lambda rows: rows.extend([["p3", "p3"], ["p3", "p1"], ["p3", "p1"]]))
        dropped, kept = (
            opened(folder, relations=[*EXAMPLE["relations"][:2], EXAMPLE["relations"][2] | {"self_edges": how}])
            for how in ("drop", "keep")
        )
    assert [one.what for one in dropped.findings] == ["edges to themselves", "edges that stand more than once"]
    assert dropped.findings[1].where == "2 rows"
    assert [one.what for one in kept.findings] == ["edges that stand more than once"]
    cites = ("paper", "cites", "paper")
    assert len(kept.egos.network.edges[cites]) == len(dropped.egos.network.edges[cites]) + 1 == 9


def test_people_leave_the_loader_under_pseudonyms():
    with example() as folder:
        data = opened(folder, people=True, group="year")
    told = data.frame.to_csv()
    assert "p4" not in told
    assert "2004" not in told
    assert data.frame["year"].nunique() > 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classify": "papers"}, "did you mean 'paper'"),
        ({"target": "", "labels": ()}, "say what is asked"),
        ({"labels": ("field",)}, "'field' stands for something else here, or twice"),
        ({"inductive": True, "split": ""}, "name the column of sides with split"),
        ({"relations": [EXAMPLE["relations"][0] | {"goal": "book"}]}, "joins 'book', which nodes does not name"),
        ({"neighbours": (5, -1)}, "neighbours.1.*greater than or equal to 1"),
        ({"relations": [EXAMPLE["relations"][0]] * 2}, "two tables hold relations of one name"),
    ],
)  # fmt: skip
def test_options_that_cannot_work_are_refused_before_a_table_is_read(tmp_path, changes, message):
    with pytest.raises(StudyError, match=message):
        pellucid.dataset("networks-tables", tmp_path, **{**EXAMPLE, **changes})


def test_a_column_of_words_is_no_feature_though_a_few_look_like_numbers():
    with example() as folder:
        rewritten(
            folder,
            "authors.csv",
            lambda rows: [
                row.append("name" if not at else str(1984 if at == 1 else f"writer {at}"))
                for at, row in enumerate(rows)
            ],
        )
        data = opened(folder)
    assert data.egos.network.features["author"].shape == (6, 1)
