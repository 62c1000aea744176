"""What a model knows around a pair of nodes: links left out one by one, paths that are kept, and how both are drawn in a case."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from made_runs import Weighted
from matplotlib.figure import Figure

from pellucid.attribution.network import MOST_LINKS, OTHERS, neighbour_attribution, network_around
from pellucid.data.pairs import PAIR, Pairs
from pellucid.data.splits import Split
from pellucid.encoders.base import EncoderConfig, EncoderTags
from pellucid.encoders.links import LinkEncoder
from pellucid.encoders.rates import NodePaths
from pellucid.gathering.gallery import Gallery, collect
from pellucid.heads.base import PredictorConfig
from pellucid.model import Model, Threshold
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.baseline import TrivialBaseline
from pellucid.report import figures
from pellucid.report.cases import _input
from pellucid.representation import Representation
from pellucid.testing.pictures import _drawn
from pellucid.views import DEFAULT, Shown
from pellucid.views.network import LINES, Neighbourhood, draw_neighbourhood, rows_of
from pellucid.views.paths import in_two, node_paths, paths_in_words

DRUGS, MICROBES = 6, 5
WEIGHT = torch.from_numpy(np.random.default_rng(0).normal(size=(DRUGS, MICROBES))).float()


class Counting(LinkEncoder):
    """The sum of planted weights over the known links of both nodes, squared with ``bent``."""

    tags = EncoderTags(accepts=("nodes",))
    config_type = EncoderConfig

    def __init__(self, config, bent=False):
        super().__init__()
        self.config, self.bent = config, bent
        self.remember_at_most()

    @property
    def names(self):
        return ("sum",)

    def forward(self, batch):
        pairs = batch.inputs[self.pair_name]
        known = self.links * WEIGHT
        total = known[pairs[:, 0]].sum(1) + known[:, pairs[:, 1]].sum(0)
        return Representation((total**2 if self.bent else total)[:, None], self.names)


def data():
    links = np.array([[0, 0], [0, 1], [0, 3], [1, 2], [2, 2], [3, 2], [4, 4]])
    names = tuple([f"{kind} {at}" for at in range(count)] for kind, count in (("d", DRUGS), ("m", MICROBES)))
    return Pairs(name="made", namespace="made", about="", roles=("drug", "microbe"), names=names, links=links)


def model_of(data, several=False):
    config = EncoderConfig(inputs={PAIR: data.spec.inputs[PAIR]})
    encoders = {"known": Counting(config), **({"squared": Counting(config, bent=True)} if several else {})}
    for encoder in encoders.values():
        encoder.links[tuple(data.pairs[data.frame["associated"].to_numpy() == 1].T)] = 1.0
    units = tuple(f"{name}:sum" for name in encoders)
    weights = torch.tensor([2.0, 1.0])[: len(units), None]
    return Model(
        encoders, Weighted(PredictorConfig(units=units, target=data.spec.target("associated")), weights)
    ).eval()


def at(data, drug, microbe):
    return int(np.flatnonzero((data.pairs == [drug, microbe]).all(1))[0])


def test_a_link_of_either_node_counts_as_much_as_the_output_falls_without_it_and_no_other_link_is_named():
    made = data()
    (around,) = network_around(model_of(made), made.subset(np.array([at(made, 0, 2)])), ["associated"])
    found = {
        tuple(link): change
        for link, change in zip(around[PAIR]["links"].tolist(), around[PAIR]["changes"], strict=True)
    }
    assert set(found) == {(0, 0), (0, 1), (0, 3), (1, 2), (2, 2), (3, 2)}
    for link, change in found.items():
        assert change == pytest.approx(2 * float(WEIGHT[link]), abs=1e-5)
    assert list(np.abs(around[PAIR]["changes"])) == sorted(np.abs(around[PAIR]["changes"]), reverse=True)


def test_a_link_that_two_encoders_know_is_taken_from_both_at_once():
    made = data()
    model, pair = model_of(made, several=True), at(made, 0, 2)
    (around,) = network_around(model, made.subset(np.array([pair])), ["associated"])
    total = float(WEIGHT[0, [0, 1, 3]].sum() + WEIGHT[[1, 2, 3], 2].sum())
    for (a, b), change in zip(around[PAIR]["links"].tolist(), around[PAIR]["changes"], strict=True):
        own = float(WEIGHT[a, b])
        assert change == pytest.approx(2 * own + total**2 - (total - own) ** 2, abs=1e-4)
    # A table for people has a row for each encoder.
    table = neighbour_attribution(model, made, pair)
    assert len(table) == 2 * len(around[PAIR]["links"])


def test_where_there_are_too_many_links_they_are_named_and_not_weighed(monkeypatch):
    from pellucid.attribution import network

    assert MOST_LINKS > 100
    monkeypatch.setattr(network, "MOST_LINKS", 5)
    made = data()
    (around,) = network_around(model_of(made), made.subset(np.array([at(made, 0, 2)])), ["associated"])
    assert len(around[PAIR]["links"]) == 6
    assert np.isnan(around[PAIR]["changes"]).all()


def around_pair(drug=0, microbe=2, **more):
    made = data()
    (found,) = network_around(model_of(made), made.subset(np.array([at(made, drug, microbe)])), ["associated"])
    return np.array([drug, microbe]), made.spec.inputs[PAIR], Shown(network={**found[PAIR], **more})


def test_a_picture_names_the_strongest_links_of_each_node_and_says_how_many_more_there_are():
    values, spec, shown = around_pair()
    around = Neighbourhood.of(values, spec, shown)
    assert dict(around.side(1)).keys() == {"m 0", "m 1", "m 3"}
    assert dict(around.side(0)).keys() == {"d 1", "d 2", "d 3"}
    few = around.strongest(1)
    best = max(around.side(1), key=lambda one: abs(one[1]))
    assert few.side(1) == [best]
    assert rows_of(around, 2) == 3
    assert LINES >= 3
    ax = Figure().add_subplot()
    DEFAULT["nodes"](ax, values, spec, shown)
    said = " ".join(text.get_text() for text in ax.texts)
    for name, change in (*around.side(0), *around.side(1)):
        assert f"{name}  {change:+.2g}" in said
    assert "more" not in said


def test_a_known_link_between_the_two_nodes_themselves_is_no_neighbour():
    values, spec, _ = around_pair()
    shown = Shown(network={"links": np.array([[0, 2], [0, 1]]), "changes": np.array([9.0, 1.0])})
    around = Neighbourhood.of(values, spec, shown).strongest()
    assert around.side(0) == []
    assert around.side(1) == [("m 1", 1.0)]


def test_links_that_raise_and_that_lower_differ_in_grey():
    values, spec, _ = around_pair()
    pictures = [
        _drawn(
            DEFAULT["nodes"],
            values,
            spec,
            Shown(network={"links": np.array([[0, 1]]), "changes": np.array([sign * 1e-300])}),
        )
        for sign in (1, -1)
    ]
    assert (np.abs(pictures[0] - pictures[1])[:, 150:250] > 50).any()


def test_a_case_of_the_report_is_drawn_with_what_its_model_knows_and_says_it_in_words(tmp_path):
    made = data()
    made.spec = made.spec.keeping_apart([PAIR])
    order = np.arange(len(made))
    split = Split(0, order[::2], order[::2][:4], order[1::2])
    model = model_of(made)
    # A model knows links of training pairs alone.
    for _, encoder in model.named_encoders():
        encoder.prepare([SimpleNamespace(inputs={PAIR: torch.from_numpy(made.pairs[split.train])},
                                         targets=torch.from_numpy(made.frame["associated"].to_numpy()[split.train])[:, None])])  # fmt: skip
    learned = made.subset(split.train).learned_from
    model.threshold = Threshold(0.5, learned)
    baseline = TrivialBaseline(made.spec, "associated").fit(made.subset(split.train))
    fold = FittedFold(made, "associated", split, {"known": model}, baseline, seed=0)
    context = Context(made.spec, "associated", {"known": Weighted.tags}, "prevalence", 0)
    gallery = Gallery.joined([collect(fold, context)])
    gallery.save(tmp_path)
    run = SimpleNamespace(gallery=Gallery.load(tmp_path), spec=made.spec, target=made.spec.target("associated"))
    tried = 0
    for case in run.gallery.cases:
        values = run.gallery.arrays[f"case/{case['sample']}/{PAIR}"]
        picture = _input(run, case, PAIR, {PAIR: values}, ())
        drug, microbe = (int(one) for one in values)
        known = [
            (a, b)
            for a, b in made.pairs[split.train][made.frame["associated"].to_numpy()[split.train] == 1]
            if a == drug or b == microbe
        ]
        for a, b in known:
            assert f"d {a}" in picture.alt
            assert f"{2 * float(WEIGHT[a, b]):+.2g}" in picture.alt
            tried += 1
        assert picture.width == round(96 * (3.9))
    assert tried


# --- paths -------------------------------------------------------------------------------------------------------------


def crossing(nodes=60):
    times = np.linspace(0, 1, 11)
    rng = np.random.default_rng(0)
    places = np.repeat(5 + rng.random((1, nodes, 2)) * 50, 11, axis=0)
    places[:, 0] = np.stack([times, np.zeros(11)], 1)
    places[:, 1] = np.stack([1 - times, np.zeros(11)], 1)
    return NodePaths(times, places, rng.normal(size=nodes), tuple(f"n{at}" for at in range(nodes)))


def test_paths_of_a_pair_are_kept_with_those_that_come_nearest():
    from pellucid.attribution.network import _paths

    paths = crossing()
    found = _paths(paths, [1, 0])
    assert found["nodes"][:2].tolist() == [1, 0]
    assert len(found["nodes"]) == OTHERS + 2
    near = np.minimum(*(np.linalg.norm(paths.places - paths.places[:, [one]], axis=-1).min(0) for one in (0, 1)))
    left = np.setdiff1d(np.arange(60), found["nodes"])
    assert near[found["nodes"]].max() <= near[left].min()
    assert np.allclose(found["places"][:, 2], paths.places[:, found["nodes"][2]])
    assert np.allclose(found["levels"], paths.levels[found["nodes"]])


def test_a_picture_of_paths_shows_the_rate_that_they_say_and_words_say_when_the_two_meet():
    from pellucid.attribution.network import _paths
    from pellucid.data.inputs import Nodes

    paths = crossing()
    spec = Nodes(roles=("one", "other"), types=("node", "node"), names={"node": paths.names})
    network = _paths(paths, [0, 1])
    figure = Figure()
    ax = figure.add_subplot()
    counts = np.ones((3, 10))
    counts[:, 9] = np.nan
    node_paths(ax, np.array([0, 1]), spec, Shown(network=network, beside={"events": counts}))
    rate = ax.child_axes[1]
    line = next(one for one in rate.lines if one.get_label().startswith("log-rate"))
    levels = paths.levels[:2].sum()
    assert line.get_ydata()[0] == pytest.approx(levels - 1, abs=1e-5)
    assert line.get_ydata().max() == pytest.approx(levels, abs=1e-3)
    assert any("at most 1 in a bin" in text.get_text() for text in rate.get_legend().get_texts())
    assert [text.get_text() for text in ax.child_axes[0].texts] == ["n0", "n1"]
    assert "nearest at 0.5 of the time" in paths_in_words(network, ("n0", "n1"))


def test_paths_in_many_dimensions_are_drawn_in_the_two_in_which_they_spread_most():
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(7, 4, 2)) * [5, 3]
    turned = (
        np.concatenate([plane, 0.01 * rng.normal(size=(7, 4, 3))], axis=-1) @ np.linalg.qr(rng.normal(size=(5, 5)))[0]
    )
    flat = in_two(turned)
    far, true = (np.linalg.norm(one[:, 0] - one[:, 1], axis=-1) for one in (flat, plane))
    assert np.allclose(far, true, rtol=0.05)


def test_a_case_without_paths_says_so():
    _, spec, _ = around_pair()
    ax = Figure().add_subplot()
    node_paths(ax, np.array([0, 1]), spec, Shown())
    assert "no paths" in ax.texts[0].get_text()
    assert figures.inches(DEFAULT["nodes"], np.array([0, 1]), spec, Shown())[0] < 3


def test_a_pair_is_drawn_with_its_strongest_links_each_as_wide_as_it_counts():
    change = [-4.0, 2.0, *[0.5] * LINES]
    links = tuple(("a", f"m{at}", one) for at, one in enumerate(change))
    ax = Figure().subplots()
    draw_neighbourhood(ax, Neighbourhood(("drug", "microbe"), ("a", "x"), links))
    pair, *drawn = [line for line in ax.lines if len(line.get_xdata()) == 2]
    assert pair.get_linestyle() == ":"
    assert len(drawn) == LINES
    assert [line.get_linestyle() for line in drawn[:2]] == ["--", "-"]
    widths = [line.get_linewidth() for line in drawn]
    assert widths[0] - widths[2] == pytest.approx((widths[1] - widths[2]) * 3.5 / 1.5)
    heights = {text.get_text(): text.xy[1] for text in ax.texts if hasattr(text, "xy")}
    assert {"m0  -4", "m1  +2"} <= set(heights)
    assert heights["a"] == heights["x"] == 0 > heights["m0  -4"] > heights["m1  +2"]
    assert "and 2 known links that change less" in {text.get_text() for text in ax.texts}
