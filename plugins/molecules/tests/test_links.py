"""Links: kernels that leak, tables that are read or refused, and what the encoders say of pairs."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr
from torch.distributions import Normal, kl_divergence

from pellucid.batch import Batch, collate
from pellucid.errors import DataError, LeakageError, StudyError
from pellucid.protocols.splitting.nested_subject_cv import NestedSubjectCv, NestedSubjectCvConfig
from pellucid.representation import Representation
from pellucid.testing.real_data import real_data
from pellucid_datasets.links import LinksSynthetic, LinksSyntheticConfig
from pellucid_molecules.links.baselines import NeighbourLinks, NeighbourLinksConfig, PairDegrees, PairDegreesConfig
from pellucid_molecules.links.graph2mda import Graph2Mda, Graph2MdaConfig
from pellucid_molecules.links.inner_product import InnerProduct, InnerProductConfig
from pellucid_molecules.links.kernels import _agreement, interaction_profile_kernel, kernel_leak
from pellucid_molecules.links.tables import BipartiteTable, BipartiteTableConfig, MicrobeDrug, MicrobeDrugConfig

SMALL = LinksSyntheticConfig(drugs=30, microbes=12, inside=0.5, outside=0.1)


def network():
    return LinksSynthetic(SMALL)


def matrix(data):
    y = np.zeros((SMALL.drugs, SMALL.microbes))
    y[tuple(data.pairs.T)] = data.frame["associated"]
    return y


# --- kernels -----------------------------------------------------------------------------------------------------------


def sides(y, share=0.8):
    return np.random.default_rng(0).random(y.shape) < share


def test_a_kernel_is_what_its_formula_says():
    y = matrix(network())
    by_hand = [[np.exp(-0.5 * ((a - b) ** 2).sum() / np.mean([(c**2).sum() for c in y])) for b in y] for a in y]
    assert np.allclose(interaction_profile_kernel(y, gamma=0.5), by_hand)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_a_kernel_of_all_links_is_found_out_and_one_of_training_links_is_not(gamma):
    y = matrix(network())
    train = sides(y)
    leak = kernel_leak(interaction_profile_kernel(y, gamma), y, train)
    assert "interaction-profile kernel of all links" in leak.how
    assert leak.gamma == gamma
    assert not kernel_leak(interaction_profile_kernel(y * train, gamma), y, train).found


def test_a_kernel_that_was_bent_shuffled_or_stored_in_single_precision_is_found_out():
    y = matrix(network())
    train = sides(y)
    kernel = interaction_profile_kernel(y)
    assert "function" in kernel_leak(np.sqrt(kernel) * 3 - 1, y, train).how
    assert "function" in kernel_leak(interaction_profile_kernel(y, 0.7), y, train).how
    assert kernel_leak(kernel.astype(np.float32), y, train).gamma == 1.0
    order = np.random.default_rng(1).permutation(len(y))
    assert "another order" in kernel_leak(kernel[np.ix_(order, order)], y, train).how


def test_a_similarity_that_comes_from_elsewhere_is_no_leak_however_well_it_agrees():
    data = network()
    of = np.eye(4)[data.blocks[0]]
    assert not kernel_leak(of @ of.T, matrix(data)).found
    noisy = interaction_profile_kernel(matrix(data)) + np.random.default_rng(0).normal(0, 0.05, (SMALL.drugs,) * 2)
    leak = kernel_leak(noisy, matrix(data))
    assert not leak.found
    assert 0.5 < leak.agreement < 1


def test_agreement_is_one_of_a_falling_function_alone():
    apart = np.array([1.0, 1, 2, 3, 4])
    assert _agreement(np.array([0.9, 0.9, 0.5, 0.4, 0.1]), apart) == 1.0
    # Two values at the smallest distance, at the greatest, and a value that rises again.
    for kernel, distances in (
        ([0.9, 0.6, 0.5, 0.4, 0.1], apart),
        ([0.9, 0.6, 0.5, 0.4, 0.1], [1, 2, 3, 4, 4]),
        ([0.9, 0.9, 0.4, 0.5, 0.1], apart),
    ):
        kernel, distances = np.array(kernel), np.array(distances, float)
        assert _agreement(kernel, distances) == pytest.approx(-spearmanr(kernel, distances)[0])
        assert _agreement(kernel, distances) < 1
    # Where one of them says nothing there is nothing to agree on.
    assert _agreement(np.ones(5), apart) == _agreement(apart, np.ones(5)) == _agreement(apart[:0], apart[:0]) == 0.0


def test_with_nothing_hidden_from_training_nothing_leaks():
    y = matrix(network())
    assert not kernel_leak(interaction_profile_kernel(y), y, np.ones_like(y, bool)).found


# --- tables ------------------------------------------------------------------------------------------------------------


def folder(tmp_path, adj="1\t1\t1\n2\t2\t1\n3\t1\t1\n3\t3\t1\n"):
    (tmp_path / "DrugVirus").mkdir(exist_ok=True)
    for name, text in (("adj", adj), ("drugs", "a\nb\nc\nd\n"), ("microbes", "x\ny\nz\n")):
        (tmp_path / "DrugVirus" / f"{name}.txt").write_text(text)
    return tmp_path


def test_a_set_is_read_and_drugs_without_a_link_are_left_out_with_a_word(tmp_path):
    data = MicrobeDrug(None, folder(tmp_path))
    assert len(data) == 9
    assert data.frame.loc["c + z", "associated"] == 1
    assert data.frame["associated"].sum() == 4
    assert "1 drugs and 0 microbes have no link" in data.findings[0].what
    assert len(MicrobeDrug(MicrobeDrugConfig(unlinked="keep"), tmp_path)) == 12
    assert "no proof" in data.spec.about


@pytest.mark.parametrize(
    ("adj", "said"),
    [
        ("1\t1\t1\n9\t1\t1\n", "line 2: drug 9 of 4"),
        ("1,1,1\n", "line 1: '1,1,1'"),
        ("\n", "holds no link"),
        ("²\t1\t1\n", "line 1: '²"),
        ("1\t1\tyes\n", "line 1: '1"),
        ("1\t1\t1\n\n2\t2\t1\n", "adj.txt, line 2: is empty"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, adj, said):
    with pytest.raises(DataError, match=said):
        MicrobeDrug(None, folder(tmp_path, adj))


def test_a_missing_file_is_named(tmp_path):
    (folder(tmp_path) / "DrugVirus" / "drugs.txt").unlink()
    with pytest.raises(DataError, match=r"drugs\.txt is not there"):
        MicrobeDrug(None, tmp_path)


def test_a_similarity_made_of_the_links_is_refused_and_one_of_something_else_is_read(tmp_path):
    folder(tmp_path)
    y = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 1], [0, 0, 0]])
    path = tmp_path / "DrugVirus" / "own.csv"

    def written(kernel):
        pd.DataFrame(kernel, columns=list("abcd")).assign(drug=list("abcd"))[["drug", *"abcd"]].to_csv(
            path, index=False
        )
        return MicrobeDrug(MicrobeDrugConfig(drug_similarity="own.csv"), tmp_path)

    with pytest.raises(LeakageError, match=r"own.csv: .* kernel of all links"):
        written(interaction_profile_kernel(y))
    other = np.random.default_rng(0).random((4, 4))
    found = written(other + other.T)
    assert found[0].inputs["drug attributes"].shape == (4,)


@pytest.mark.parametrize("name", ["drugs", "microbes"])
def test_names_that_are_no_text_or_leave_a_line_empty_are_refused(tmp_path, name):
    path = folder(tmp_path) / "DrugVirus" / f"{name}.txt"
    path.write_text("a\n\nb\nc\nd\n")
    with pytest.raises(DataError, match=rf"{name}\.txt, line 2: is empty"):
        MicrobeDrug(None, tmp_path)
    path.write_bytes("é\nb\nc\nd\n".encode("latin-1"))
    with pytest.raises(DataError, match=rf"{name}\.txt: is no text in UTF-8"):
        MicrobeDrug(None, tmp_path)


@pytest.mark.parametrize("cell", ["heavy", "inf"])
def test_attributes_that_are_no_numbers_are_refused_with_their_place(tmp_path, cell):
    folder(tmp_path)
    (tmp_path / "DrugVirus" / "own.csv").write_text(f"drug,weight_da\na,1\nb,{cell}\n")
    with pytest.raises(DataError, match=r"own\.csv, line 3, column 'weight_da': is no number"):
        MicrobeDrug(MicrobeDrugConfig(drug_attributes="own.csv"), tmp_path)


def test_attributes_of_some_drugs_are_masked_for_the_others(tmp_path):
    folder(tmp_path)
    (tmp_path / "DrugVirus" / "weights.csv").write_text("drug,weight_da\nb,200\nc,300\nq,1\n")
    data = MicrobeDrug(MicrobeDrugConfig(drug_attributes="weights.csv"), tmp_path)
    read = data.read(np.arange(len(data)))
    known = dict(zip(data.frame["drug"], read.masks["drug attributes"], strict=True))
    assert known == {"a": False, "b": True, "c": True}
    assert read.inputs["drug attributes"][list(data.frame["drug"]).index("c"), 0] == 300


def test_a_table_of_links_becomes_pairs_and_seeded_others(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("gene,disease,seen\ng1,d1,1\ng2,d2,1\ng3,d3,1\ng3,d1,0\n")
    config = BipartiteTableConfig(first="gene", second="disease", label="seen", relation="linked", negatives=0)
    assert BipartiteTable(config, path).frame["linked"].to_dict() == {
        "g1 + d1": 1, "g2 + d2": 1, "g3 + d1": 0, "g3 + d3": 1}  # fmt: skip
    assert len(BipartiteTable(config.model_copy(update={"negatives": "all"}), path)) == 9
    drawn = [BipartiteTable(config.model_copy(update={"negatives": 1, "seed": s}), path).frame for s in (0, 0, 1)]
    assert drawn[0].equals(drawn[1])
    assert len(drawn[0]) in (6, 7)
    assert not drawn[0].index.equals(drawn[2].index)


def test_a_link_that_is_told_twice_counts_once(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("drug,microbe\na,x\na,x\nb,y\na,x\nb,z\na,w\n")
    data = BipartiteTable(BipartiteTableConfig(negatives=1), path)
    assert data.spec.about.startswith("4 links of 2 and 4")
    assert data.frame["associated"].value_counts().to_dict() == {1: 4, 0: 4}


@pytest.mark.parametrize(
    ("text", "said"),
    [("drog,microbe\na,b\n", "no column 'drug'; did you mean 'drog'"), ("drug,microbe\na,\n", "line 2, column 'microbe': is empty"),
     ("drug,microbe,y\na,b,2\n", "line 2, column 'y': is 2; write 0 or 1"),
     ("drug;microbe\na;b\n", "as semicolons part its columns; save it with commas"),
     ("drug,microbe\na,b,c\n", "line 2: 3 cells, but the header has 2 columns")],
)  # fmt: skip
def test_a_wrong_table_is_refused_with_its_row(tmp_path, text, said):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        BipartiteTable(BipartiteTableConfig(label="y" if ",y" in text else ""), path)


def test_names_of_a_table_stay_as_they_are_written(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("drug,microbe\n01,NA\n1,null\n,\n")
    assert list(BipartiteTable(None, path).frame.index) == ["01 + NA", "01 + null", "1 + NA", "1 + null"]


@pytest.mark.parametrize(
    ("options", "said"),
    [({"second": "drug"}, "first and second both name column 'drug'"), ({"relation": "pair"}, "relation cannot be 'pair'"),
     ({"first": "pair"}, "first cannot be 'pair'"), ({"relation": "microbe"}, "relation cannot be 'microbe'")],
)  # fmt: skip
def test_options_that_name_one_column_for_two_things_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        BipartiteTableConfig(**options)


def test_published_sets_have_the_links_that_their_readme_counts():
    data = real_data("molecules", "microbe_drug")
    assert MicrobeDrug(None, data).frame["associated"].sum() == 774
    mdad = MicrobeDrug(MicrobeDrugConfig(set="MDAD", negatives=2), data)
    assert mdad.frame["associated"].value_counts().to_dict() == {1.0: 1937, 0.0: 3874}


# --- splits ------------------------------------------------------------------------------------------------------------


def test_without_a_word_on_whom_to_keep_apart_there_is_no_split_and_one_error_says_so():
    with pytest.raises(StudyError, match=r'apart = \["drug"\] or apart = \["microbe"\] or apart = \["pair"\]'):
        list(NestedSubjectCv().splits(network(), "associated", 0))


@pytest.mark.parametrize("apart", ["drug", "microbe", "pair"])
def test_who_is_kept_apart_stands_on_one_side(apart):
    data = network().keeping_apart([apart])
    for split in NestedSubjectCv(NestedSubjectCvConfig(folds=3, apart=(apart,))).splits(data, "associated", 0):
        both = set(data.frame[apart].iloc[split.train]) & set(data.frame[apart].iloc[split.test])
        assert not both
    seen = {"drug": "microbes", "microbe": "drugs", "pair": "drugs and microbes"}[apart]
    assert data.spec.judged_on == f"unseen {apart}s, seen {seen}"


# --- encoders ----------------------------------------------------------------------------------------------------------


def halves(data, held=None):
    """Positions to learn from and others; of some drugs nothing is learnt."""
    rng = np.random.default_rng(0)
    train = rng.random(len(data)) < 0.7
    if held is not None:
        train &= ~np.isin(data.pairs[:, 0], held)
    return np.flatnonzero(train), np.flatnonzero(~train)


def prepared(made, config, data, train, **options):
    torch.manual_seed(0)
    encoder = made(config(inputs=data.spec.inputs, **options))
    encoder.prepare([collate(data, part, "associated") for part in np.array_split(train, 3)])
    return encoder.eval()


def training_links(data, train):
    y = np.zeros((SMALL.drugs, SMALL.microbes))
    y[tuple(data.pairs[train].T)] = data.frame["associated"].iloc[train]
    return y


def test_degrees_are_those_of_training_links_and_of_a_new_drug_the_mean():
    data = network()
    train, rest = halves(data, held=[0, 1])
    encoder = prepared(PairDegrees, PairDegreesConfig, data, train)
    y = training_links(data, train)
    degrees = y.sum(1)
    degrees[:2] = y.sum() / (SMALL.drugs - 2)
    expected = degrees[data.pairs[rest, 0]] * y.sum(0)[data.pairs[rest, 1]]
    assert np.allclose(encoder(collate(data, rest)).values[:, 0].numpy(), expected)


def test_neighbours_say_what_a_loop_over_drugs_says():
    data = network()
    train, _ = halves(data)
    encoder = prepared(NeighbourLinks, NeighbourLinksConfig, data, train, neighbours=3)
    y = training_links(data, train)
    at = np.random.default_rng(1).permutation(len(data))[:60]
    said, shared = encoder(collate(data, at)).values[:, 0].numpy(), 0
    for value, (drug, microbe) in zip(said, data.pairs[at], strict=True):
        others = np.delete(np.arange(SMALL.microbes), microbe)
        alike = np.zeros(SMALL.drugs)
        for other in np.delete(np.arange(SMALL.drugs), drug):
            a, b = y[drug, others], y[other, others]
            alike[other] = (a * b).sum() / max(1, np.maximum(a, b).sum())
        # Those as near as the third share the places that nearer ones leave.
        edge = np.sort(alike)[-3]
        nearer, tied = alike > edge, alike == edge
        weights = alike * (nearer + tied * (3 - nearer.sum()) / tied.sum())
        shared += tied.sum() > 1 and edge > 0
        if weights.sum() > 0:
            assert value == pytest.approx((weights * y[:, microbe]).sum() / weights.sum(), abs=1e-5)
    assert shared > 10


def test_who_counts_as_a_neighbour_does_not_depend_on_the_order_of_nodes():
    data = network()
    train, rest = halves(data)
    encoder = prepared(NeighbourLinks, NeighbourLinksConfig, data, train)
    order = torch.from_numpy(np.random.default_rng(0).permutation(SMALL.drugs))
    other = prepared(NeighbourLinks, NeighbourLinksConfig, data, train)
    other.links.copy_(encoder.links[order])
    other.met_0.copy_(encoder.met_0[order])
    pairs = torch.from_numpy(data.pairs[rest])
    renamed = torch.stack([order.argsort()[pairs[:, 0]], pairs[:, 1]], 1)
    assert torch.allclose(encoder(Batch({"pair": pairs})).values, other(Batch({"pair": renamed})).values, atol=1e-6)


def test_where_nobody_is_alike_the_share_of_the_others_links_counts():
    data = network()
    encoder = NeighbourLinks(NeighbourLinksConfig(inputs={"pair": data.spec.inputs["pair"]}))
    encoder.met_0.fill_(True)
    encoder.links[1:4, 2] = 1.0

    def said(drug, microbe, known=(True, True)):
        return float(encoder(Batch({"pair": torch.tensor([[drug, microbe]])}, {"pair": torch.tensor([known])})).values)

    assert said(0, 2) == pytest.approx(3 / (SMALL.drugs - 1))
    # A pair's own link says nothing, neither of who is alike nor of the share.
    assert said(1, 2) == pytest.approx(2 / (SMALL.drugs - 1))
    assert said(0, 5) == 0
    # 1, 2 and 3 are alike by microbe 2, and 2 half as much for its link with 9; 2 alone is linked with 7.
    encoder.links[2, [7, 9]] = 1.0
    assert said(1, 7) == pytest.approx(0.5 / (0.5 + 1))
    assert said(1, 7, (True, False)) == said(0, 2, (False, True)) == 0


def test_without_a_like_drug_the_share_is_of_those_that_training_has_met():
    data = network()
    held = [0, 1, 2, 3, 4, 5]
    train, _ = halves(data, held=held)
    encoder = prepared(NeighbourLinks, NeighbourLinksConfig, data, train)
    y = training_links(data, train)
    met = np.setdiff1d(np.arange(SMALL.drugs), held)
    cold = np.flatnonzero(np.isin(data.pairs[:, 0], held))
    # A drug without any training link is like no other: what is said is how many of those met have this microbe.
    said = encoder(collate(data, cold)).values[:, 0].numpy()
    assert np.allclose(said, y[met].mean(0)[data.pairs[cold, 1]], atol=1e-6)
    # Of one that is met, its own link takes no part.
    alone = next(drug for drug in met if y[drug].sum())
    encoder.links[alone] = 0
    warm = np.flatnonzero(data.pairs[:, 0] == alone)
    others = np.setdiff1d(met, [alone])
    assert np.allclose(
        encoder(collate(data, warm)).values[:, 0].numpy(), y[others].mean(0)[data.pairs[warm, 1]], atol=1e-6
    )


def test_neighbours_by_attributes_know_a_drug_that_no_training_sample_has_met():
    rng = np.random.default_rng(0)
    data = network()
    values = np.eye(4)[data.blocks[0]] * 3 + rng.random((SMALL.drugs, 4)) * 0.1
    data._attributes["drug"] = type(data._attributes["drug"])(values, tuple("abcd"))
    data.spec = data.spec.model_copy(
        update={"inputs": {**data.spec.inputs, "drug attributes": data.spec.inputs["drug attributes"].model_copy(
            update={"names": tuple("abcd")})}}
    )  # fmt: skip
    train, _ = halves(data, held=[0])
    encoder = prepared(NeighbourLinks, NeighbourLinksConfig, data, train, similarity="attributes", neighbours=4)
    mine = np.flatnonzero(data.pairs[:, 0] == 0)
    said = encoder(collate(data, mine)).values[:, 0].numpy()
    block = np.flatnonzero(data.blocks[0] == data.blocks[0][0])
    y = training_links(data, train)
    assert np.corrcoef(said, y[block].mean(0))[0, 1] > 0.5


def test_the_network_is_three_graph_convolutions_on_normalised_training_links():
    data = network()
    train, rest = halves(data)
    encoder = prepared(Graph2Mda, Graph2MdaConfig, data, train, widths=(7, 6), latent=5)
    y = training_links(data, train)
    n, m = y.shape
    a = np.block([[np.zeros((n, n)), y], [y.T, np.zeros((m, m))]]) + np.eye(n + m)
    a = a / np.sqrt(np.outer(a.sum(1), a.sum(1)))

    def rows(x):
        return x / np.abs(x).sum(1, keepdims=True)

    drugs, microbes = (data._attributes[role].values for role in ("drug", "microbe"))
    kernels = [interaction_profile_kernel(y), interaction_profile_kernel(y.T)]
    blocks = [[rows(drugs), np.zeros((n, microbes.shape[1])), rows(kernels[0]), np.zeros((n, m))],
              [np.zeros((m, drugs.shape[1])), rows(microbes), np.zeros((m, n)), rows(kernels[1])]]  # fmt: skip
    h = np.block(blocks)
    for layer in encoder.layers:
        h = np.maximum(a @ h @ layer.weight.detach().numpy().T, 0)
    h = a @ h @ encoder.mean.weight.detach().numpy().T
    expected = h[data.pairs[rest, 0]] * h[n + data.pairs[rest, 1]]
    with torch.no_grad():
        assert np.allclose(encoder(collate(data, rest)).values.numpy(), expected, atol=1e-5)


def test_nodes_of_which_nothing_is_known_are_told_apart_by_which_they_are():
    data = network()
    train, rest = halves(data)
    torch.manual_seed(0)
    pair = {"pair": data.spec.inputs["pair"]}
    encoder = Graph2Mda(Graph2MdaConfig(inputs=pair, kernels=False, widths=(7, 6), latent=5))
    encoder.prepare([collate(data, train, "associated")])
    y = training_links(data, train)
    n, m = y.shape
    a = np.block([[np.zeros((n, n)), y], [y.T, np.zeros((m, m))]]) + np.eye(n + m)
    a = a / np.sqrt(np.outer(a.sum(1), a.sum(1)))
    h = np.eye(n + m)
    for layer in encoder.layers:
        h = np.maximum(a @ h @ layer.weight.detach().numpy().T, 0)
    h = a @ h @ encoder.mean.weight.detach().numpy().T
    with torch.no_grad():
        found = encoder.eval()(collate(data, rest)).values.numpy()
    assert np.allclose(found, h[data.pairs[rest, 0]] * h[n + data.pairs[rest, 1]], atol=1e-5)


@pytest.mark.parametrize("entries", ["all", "between types"])
@pytest.mark.parametrize("weight", [None, 2.5])
def test_its_loss_is_the_likelihood_of_links_weighted_up_and_the_divergence_from_the_prior(entries, weight):
    data = network()
    train, rest = halves(data)
    options = {"widths": (7, 6), "latent": 5, "dropout": 0.0, "entries": entries, "positive_weight": weight}
    encoder = prepared(Graph2Mda, Graph2MdaConfig, data, train, **options)
    y = torch.tensor(training_links(data, train))
    n, m = y.shape
    whole = torch.zeros(n + m, n + m, dtype=torch.float64)
    whole[:n, n:], whole[n:, :n] = y, y.T
    truth = whole if entries == "all" else y
    weighed = float((truth == 0).sum() / truth.sum()) if weight is None else weight

    def unlikelihood(scores, links):
        each = links * torch.log1p(torch.exp(-scores)) * weighed + (1 - links) * torch.log1p(torch.exp(scores))
        return float(each.mean())

    mean, log_spread = (one.detach() for one in encoder._encoded())
    torch.manual_seed(4)
    z = mean + torch.randn_like(mean) * log_spread.exp()
    scores = (z @ z.T).double()
    scores = scores if entries == "all" else scores[:n, n:]
    divergence = kl_divergence(Normal(mean, log_spread.exp()), Normal(0.0, 1.0)).sum(1).mean() / (n + m)
    batch = collate(data, rest, "associated")
    torch.manual_seed(4)
    assert float(encoder.train().loss(batch).detach()) == pytest.approx(
        unlikelihood(scores, truth) + float(divergence), rel=1e-4
    )
    # Of other samples, their own pairs by what is expected of them.
    said = (mean @ mean.T)[data.pairs[rest, 0], n + data.pairs[rest, 1]].double()
    assert float(encoder.eval().loss(batch).detach()) == pytest.approx(
        unlikelihood(said, batch.targets[:, 0].double()), rel=1e-4
    )


def test_an_inner_product_is_the_sum_of_products_whatever_their_spreads():
    rng = np.random.default_rng(0)
    values = torch.tensor(rng.normal(size=(50, 4)) * [0.1, 1, 5, 20] + [3, 0, -2, 1], dtype=torch.float32)
    units = tuple(f"e:{at}" for at in range(4))
    data = network()
    head = InnerProduct(InnerProductConfig(units=units, target=data.spec.target("associated")))
    labels = torch.tensor(rng.random((50, 1)) < 0.3).float()
    head.prepare([(Representation(values, units), Batch({}, targets=labels))])
    new = torch.tensor(rng.normal(size=(9, 4)) * 10, dtype=torch.float32)
    with torch.no_grad():
        head.weight.fill_(1.7)
        head.bias.fill_(0.4)
        said = head(Representation(new, units))[:, 0]
        found = head.explain(Representation(new, units), head.outputs[0])
    # All dimensions count alike, as one over the length of all deviations; of the mean pair the log odds of links are said.
    per_unit = 1.7 / values.std(0, correction=0).norm()
    odds = (labels.sum() + 0.5) / (50.5 - labels.sum())
    expected = (new - values.mean(0)).sum(1) * per_unit + 0.4 + odds.log()
    assert said.tolist() == pytest.approx(expected.tolist(), rel=1e-4)
    assert torch.allclose(found.contributions, (new - values.mean(0)) * per_unit, rtol=1e-4)
    assert found.gap.abs().max() < 1e-4


def test_a_drug_that_training_has_not_met_is_encoded_from_its_own_attributes():
    data = network()
    train, _ = halves(data, held=[0, 1])
    encoder = prepared(Graph2Mda, Graph2MdaConfig, data, train, widths=(16, 12), latent=5)
    assert not encoder.attributes_0[:2].any()
    batch = collate(data, np.flatnonzero(data.pairs[:, 0] == 0))
    other = batch.with_input("drug attributes", batch.inputs["drug attributes"].flip(1))
    met = collate(data, np.flatnonzero(data.pairs[:, 0] == 5))
    with torch.no_grad():
        assert not torch.allclose(encoder(batch).values, encoder(other).values)
        changed = met.with_input("drug attributes", met.inputs["drug attributes"].flip(1))
        assert torch.equal(encoder(met).values, encoder(changed).values)


def test_what_is_kept_of_the_graph_is_forgotten_when_a_weight_or_a_link_changes():
    data = network()
    train, rest = halves(data)
    encoder = prepared(Graph2Mda, Graph2MdaConfig, data, train, widths=(16, 12), latent=5)
    batch = collate(data, rest)
    with torch.no_grad():
        first = encoder(batch).values
        assert torch.equal(first, encoder(batch).values)
        encoder.mean.weight.mul_(2.0)
        assert torch.allclose(encoder(batch).values, 4 * first, rtol=1e-4, atol=1e-8)
        known = encoder.known_links()
        fewer = encoder.without_links(known[:5])
        assert len(fewer.known_links()) == len(known) - 5
        assert not torch.equal(fewer(batch).values, encoder(batch).values)


def test_inputs_that_are_no_pairs_of_two_types_are_refused():
    data = network()
    with pytest.raises(StudyError, match="one input of pairs"):
        PairDegrees(PairDegreesConfig(inputs={"drug attributes": data.spec.inputs["drug attributes"]}))
    with pytest.raises(StudyError, match="whose attributes 'colour' are"):
        PairDegrees(PairDegreesConfig(inputs={**data.spec.inputs, "colour": data.spec.inputs["drug attributes"]}))
    pair = {"pair": data.spec.inputs["pair"]}
    with pytest.raises(StudyError, match="role 'drog' is none of drug, microbe"):
        NeighbourLinks(NeighbourLinksConfig(inputs=pair, role="drog"))
    with pytest.raises(StudyError, match="compares the attributes of each microbe, but reads none"):
        NeighbourLinks(NeighbourLinksConfig(inputs=pair, role="microbe", similarity="attributes"))
