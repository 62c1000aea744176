"""Names of features on new people: planted ones hold, what goes with nothing has none, and figures are those of sklearn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.linalg import hadamard
from sklearn.metrics import precision_recall_fscore_support

from pellucid.data import ArrayDataset, Binary, DataSpec, Regression, Split, Vector
from pellucid.encoders.identity import Identity
from pellucid.errors import LeakageError, NotMeasurable
from pellucid.heads.dictionaries import TopK, TopKConfig
from pellucid.heads.functions.linear import Linear
from pellucid.model import Model
from pellucid.protocols.audited import told, told_once
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.dictionaries.names.confidence import ConceptConfidence, ConceptConfidenceConfig, dealt_among
from pellucid.protocols.dictionaries.names.confidence_rows import ConfidenceRows
from pellucid.protocols.dictionaries.names.naming import Attributes, Names, Rules
from pellucid.protocols.dictionaries.pooled import Pooled

UNITS, ATOMS, PEOPLE = 32, 16, 400
# Atoms at right angles, each spread evenly over all units, so that no unit by itself has what an atom has.
TRUE = torch.from_numpy(hadamard(UNITS)[1 : ATOMS + 1] / UNITS**0.5).float()


def rows(*, turned: bool = False, seed: int = 0) -> ArrayDataset:
    """Two samples a person; atom 3 is that of a label, half of whose truth is unknown, atom 7 of high numbers, and all
    others of nothing. Turned: on the test side the label says the opposite."""
    random = np.random.default_rng(seed)
    person = np.arange(2 * PEOPLE) // 2
    y, age = (random.random(PEOPLE) < 0.4).astype(float)[person], random.uniform(20, 80, PEOPLE)[person]
    codes = (random.random((len(person), ATOMS)) < 0.5) * random.uniform(0.5, 1.5, (len(person), ATOMS))
    codes[:, 3] = 2.0 * y * (random.random(len(y)) < 0.95)
    codes[:, 7] = 2.0 * ((age > 50) != (random.random(len(age)) < 0.05))
    label = np.where((person % 2 == 0) & turned, 1 - y, y)
    label[random.random(PEOPLE)[person] < 0.3] = np.nan
    frame = pd.DataFrame(
        {
            "subject": [f"p{at}" for at in person],
            "y": label,
            "age": age,
            "noise": random.integers(2, size=len(y)).astype(float),
        },
        index=[f"s{at}" for at in range(len(person))],
    )
    spec = DataSpec(
        name="rows", namespace="r", inputs={"activations": Vector(names=tuple(f"u{at}" for at in range(UNITS)))},
        targets={"y": Binary(names=("well", "ill")), "age": Regression(names=("age",), units=("years",)),
                 "noise": Binary(names=("no", "yes"))},
    )  # fmt: skip
    return ArrayDataset(spec, frame, {"activations": (codes @ TRUE.numpy()).astype(np.float32)})


def fold_of(data: ArrayDataset) -> FittedFold:
    encoder = Identity(Identity.config_type(inputs={"activations": data.spec.input("activations")}))
    head = TopK(TopKConfig(units=tuple(f"activations:{n}" for n in encoder.names), features=ATOMS, k=ATOMS))
    with torch.no_grad():
        head.directions.copy_(TRUE)
        head.weight.copy_(TRUE)
        head.bias.fill_(-0.25)
    model = Model({"activations": encoder}, head).eval()
    test = np.flatnonzero([int(one[1:]) % 2 == 0 for one in data.frame["subject"]])
    train = np.setdiff1d(np.arange(len(data)), test)
    return FittedFold(data, "", Split(0, train, train[:2], test), {"topk": model}, None, 0)


def context(data: ArrayDataset, **heads) -> Context:
    return Context(data.spec, "", heads or {"topk": TopK.tags}, "", 0)


def concluded(data: ArrayDataset, **options):
    protocol = ConceptConfidence(ConceptConfidenceConfig(**options))
    examined = protocol.examine(fold_of(data)).assign(fold=0)
    return examined, {r.metric: r for r in protocol.conclude(examined, context(data))}


def names_of(examined: pd.DataFrame) -> dict[int, str]:
    return {one[0]: one[1] for one in told(examined, "names")[0]}


def test_planted_names_are_given_and_hold_and_chance_has_none():
    examined, found = concluded(rows())
    names = names_of(examined)
    assert names[3] == "is ill (y)"
    assert names[7] == "high age"
    assert len([f for f in names if f not in (3, 7)]) <= 3
    count = found["confident_features"]
    assert count.value == 2
    assert count.chance < 0.2
    assert count.baseline == 0
    assert count.low <= 2 <= count.high
    assert count.n_subjects == PEOPLE // 2
    assert found["confidence"].value > found["confidence"].chance + 0.1
    assert "2 hold with a confidence of at least 0.8" in count.sentence


def test_precision_recall_and_confidence_are_those_of_sklearn_where_the_truth_is_known():
    data = rows()
    examined, found = concluded(data)
    fold = fold_of(data)
    test = fold.test("topk")
    codes = fold.models["topk"].codes(test).to_numpy()
    own = ConfidenceRows(examined, "topk", context(data), 100)
    scores = own.rules(0).scores()
    median = np.median(data.frame["age"].iloc[fold.split.train])
    truth = {3: test.frame["y"].to_numpy(), 7: (test.frame["age"] > median).to_numpy(float)}
    for at, (feature, *_) in enumerate(own.names(0)):
        if feature in truth:
            known = np.isfinite(truth[feature])
            # Whether it fires is what is foretold, so precision and recall change places with sklearn's usual roles.
            expected = precision_recall_fscore_support(
                codes[known, feature] > 0, truth[feature][known] > 0, average="binary"
            )
            assert [one[at] for one in scores] == pytest.approx(expected[:3])
    for at, metric in enumerate(("precision", "recall", "confidence")):
        assert found[metric].value == pytest.approx(float(np.nanmean(scores[at])))


@pytest.mark.parametrize("side", ["training", "test"])
def test_without_anything_said_that_tells_people_apart_nothing_can_be_named_or_tried(side):
    data = rows()
    fold = fold_of(data)
    data.frame.iloc[fold.split.train if side == "training" else fold.split.test, 1:] = np.nan
    with pytest.raises(NotMeasurable, match="no label or rating both tells samples of the training side apart"):
        ConceptConfidence().examine(fold)


def test_counts_of_folds_are_said_as_they_are_and_not_added():
    examined, found = concluded(rows())
    alone = found["confident_features"].sentence
    assert f"labels and ratings by {PEOPLE // 2} subjects of the training side (" in alone
    assert f"of the layer's {UNITS} single units 0 do." in alone
    other = told_once(examined.assign(fold=1, subject="x" + examined["subject"]), {"named_on": 150, "attributes": 2})
    (count, *_) = ConceptConfidence().conclude(pd.concat([examined, other]), context(rows()))
    assert (
        "after one of 2 to 3 labels and ratings by 150 to 200 subjects of the training side of each of 2 folds"
        in count.sentence
    )


def test_a_name_that_means_the_opposite_elsewhere_does_not_hold():
    examined, found = concluded(rows(turned=True))
    assert names_of(examined)[3] == "is ill (y)"
    assert found["confident_features"].value == 1
    assert concluded(rows(), least=0.999)[1]["confident_features"].value == 0


def test_intervals_are_over_people_and_repeat_themselves():
    data = rows()
    examined, found = concluded(data)
    again = {r.metric: r for r in ConceptConfidence().conclude(examined, context(data))}
    assert again == found
    confidence = found["confidence"]
    assert confidence.low < confidence.value < confidence.high
    twice = pd.concat([examined, examined], ignore_index=True)
    doubled = {r.metric: r for r in ConceptConfidence().conclude(twice, context(data))}["confidence"]
    assert (doubled.low, doubled.high) == pytest.approx((confidence.low, confidence.high))
    folds = pd.concat([examined, examined.assign(fold=1, subject="x" + examined["subject"])], ignore_index=True)
    assert {r.metric: r for r in ConceptConfidence().conclude(folds, context(data))}[
        "confident_features"
    ].value == found["confident_features"].value


def test_attributes_are_labels_and_more_than_the_median_of_those_who_name():
    naming = {"is a": np.array([0, 1, np.nan]), "is all": np.ones(3), "concept r": np.array([1.0, 2.0, 3.0]),
              "never": np.full(3, np.nan)}  # fmt: skip
    tried = {"is a": np.array([1.0]), "is all": np.array([0.0]), "concept r": np.array([2.5]), "never": np.array([1.0])}
    found = Attributes.of(naming, tried)
    assert found.names == ("is a", "high r")
    np.testing.assert_array_equal(found.naming, [[0, 0], [1, 0], [np.nan, 1]])
    np.testing.assert_array_equal(found.tried, [[1, 1]])


def test_what_nobody_said_counts_neither_way():
    data = rows()
    examined, _ = concluded(data)
    unknown = fold_of(data).test("topk").frame["y"].isna().to_numpy()
    for column in ("has", "fires", "known"):
        assert not any(3 in row for row in examined[column][unknown])
    assert all(3 in row for row in examined["known"][~unknown])


def test_whom_it_cannot_be_asked_and_whom_it_refuses():
    data = rows()
    protocol = ConceptConfidence()
    bare = data.spec.model_copy(update={"targets": {}})
    assert "neither labels nor ratings" in protocol.unfit(Context(bare, "", {"topk": TopK.tags}, "", 0))
    assert "no head of this study is a dictionary" in protocol.no_head(context(data, linear=Linear.tags))
    assert protocol.unfit(context(data)) == ""
    fold = fold_of(data)
    fold.models["topk"].head.learned_from = data.learned_from
    with pytest.raises(LeakageError):
        protocol.examine(fold)


def test_the_figure_shows_the_surest_names():
    data = rows()
    examined, _ = concluded(data)
    ((caption, figure),) = ConceptConfidence().figures(examined, context(data)).items()
    assert "“topk”" in caption
    labels = [one.get_text() for one in figure.axes[0].get_yticklabels()]
    assert "feature 3: is ill (y)" in labels[-2:]


def test_chance_deals_subjects_and_not_their_samples():
    """Twenty samples of each of twelve people, who have or have not: by chance as many names hold as of people who are others."""
    people, each = 12, 20

    def pooled(seed: int, people: int, each: int, goes_with: bool) -> Pooled:
        random = np.random.default_rng(seed)
        has = (random.random(people) < 0.6).astype(float)
        fires = np.tile(has[:, None], ATOMS) if goes_with else (random.random((people, ATOMS)) < 0.6)
        codes = (np.repeat(fires, each, 0) * random.uniform(0.5, 1.5, (people * each, ATOMS))).astype(np.float32)
        names, subjects = (np.array([f"{one}{at}" for at in range(len(codes))]) for one in "sp")
        subjects = np.repeat(subjects[:people], each)
        return Pooled(
            names, subjects, codes, np.zeros(codes.shape, np.int32), (codes != 0).sum(0), len(codes),
            {"is yes (y)": np.repeat(has, each)},
        )  # fmt: skip

    protocol = ConceptConfidence(ConceptConfidenceConfig(least=0.75, permutations=40))
    held, chance = [], []
    for seed in range(30):
        naming, tried = pooled(seed, 200, 1, True), pooled(seed + 500, people, each, False)
        table = protocol._table(naming, tried, [(naming, tried)], seed)
        rules = Rules.of(
            Names(np.arange(ATOMS), np.zeros(ATOMS, int), np.ones(ATOMS), np.ones(ATOMS)), tried.codes > 0,
            tried.attributes["is yes (y)"][:, None],
        )  # fmt: skip
        assert told(table, "named") == [ATOMS]
        held.append((rules.scores()[2] >= 0.75).sum())
        chance += told(table, "confident_by_chance")
    assert np.mean(held) > 1.5
    assert np.mean(chance) == pytest.approx(np.mean(held), rel=0.3)


def test_dealt_attributes_are_those_of_whole_subjects():
    subjects = np.array(["a", "b", "a", "c", "b", "a", "c"])
    everybody = set()
    for seed in range(40):
        found = dealt_among(subjects, np.random.default_rng(seed))
        donors = {own: set(subjects[found[subjects == own]]) for own in "abc"}
        assert all(len(one) == 1 for one in donors.values())
        assert set.union(*donors.values()) == set("abc")
        # As many different samples as both have.
        for own, (other,) in donors.items():
            fewer = min((subjects == own).sum(), (subjects == other).sum())
            assert len(set(found[subjects == own])) == fewer
        everybody.add(tuple(one for (one,) in donors.values()))
    assert len(everybody) == 6


@pytest.mark.parametrize("sign", [1, -1])
def test_a_unit_that_speaks_at_one_position_is_heard_whatever_its_sign(sign):
    """The features are the units themselves, times -1: whoever finds the one and not the other has not looked at both alike."""
    random = np.random.default_rng(0)
    people, positions, units = 120, 4, 6
    y = random.permutation(np.arange(people) % 2).astype(float)
    values = 0.1 * random.normal(size=(people, positions, units))
    values[np.arange(people), random.integers(positions, size=people), 2] += sign * 2 * y
    source, position = np.divmod(np.arange(people * positions), positions)
    frame = pd.DataFrame(
        {"subject": [f"p{at}" for at in source], "y": y[source], "source": [f"s{at}" for at in source], "position": position},
        index=[f"s{a}@{b}" for a, b in zip(source, position, strict=True)],
    )  # fmt: skip
    names = tuple(f"u{at}" for at in range(units))
    spec = DataSpec(name="rows", namespace="r", inputs={"activations": Vector(names=names)},
                    targets={"y": Binary(names=("no", "yes"))})  # fmt: skip
    data = ArrayDataset(spec, frame, {"activations": values.reshape(-1, units).astype(np.float32)})
    encoder = Identity(Identity.config_type(inputs={"activations": spec.input("activations")}))
    head = TopK(TopKConfig(units=tuple(f"activations:{n}" for n in encoder.names), features=units, k=units))
    with torch.no_grad():
        head.directions.copy_(sign * torch.eye(units))
        head.weight.copy_(sign * torch.eye(units))
        head.bias.fill_(-0.7)
    test = np.flatnonzero(source % 2 == 0)
    split = Split(0, np.setdiff1d(np.arange(len(data)), test), test[:0], test)
    fold = FittedFold(data, "", split, {"topk": Model({"activations": encoder}, head).eval()}, None, 0)
    protocol = ConceptConfidence()
    rows = protocol.examine(fold).assign(fold=0)
    (one, *_) = protocol.conclude(rows, context(data))
    # Two names: the label and, of a binary one, nothing else. The unit holds as its feature does.
    assert one.value == 1
    assert one.baseline == 1


def test_names_are_scored_where_no_unit_has_one_and_where_a_fold_has_none():
    data = rows()
    examined, plain = concluded(data)
    units = [f"{name}_units" for name in ("precision", "recall", "confidence")]
    without = told_once(examined, dict.fromkeys(units, np.nan))
    protocol = ConceptConfidence()
    one = {r.metric: r for r in protocol.conclude(without, context(data))}["confidence"]
    assert one.value == plain["confidence"].value
    assert one.baseline == one.chance == plain["confidence"].chance
    assert one.baseline_name == "chance, as no single unit of the layer has a name"
    nothing = without.assign(
        fold=1, subject="other " + without["subject"], **{name: [[] for _ in without.index] for name in ("has", "fires", "known")}
    )  # fmt: skip
    nothing = told_once(nothing, {"names": [], "named": 0})
    both = {r.metric: r for r in protocol.conclude(pd.concat([examined, nothing]), context(data))}["confidence"]
    assert both.value == pytest.approx(plain["confidence"].value)
    assert both.chance == pytest.approx(plain["confidence"].chance)
    assert both.baseline == plain["confidence"].baseline
