"""What a model loses when it reads a dictionary: planted dictionaries that keep all or nothing, and models that are not theirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pellucid
from pellucid.activations.dataset import ActivationsConfig, ActivationsFolder
from pellucid.activations.of_run import collect_run
from pellucid.batch import Batch, collate
from pellucid.data import ArrayDataset, Binary, MultiClass, Regression, Split
from pellucid.encoders.identity import Identity
from pellucid.errors import DataError, LeakageError, RunError, StudyError
from pellucid.heads.dictionaries import TopK, TopKConfig
from pellucid.heads.dictionaries.baselines import Pca
from pellucid.model import Model
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.dictionaries import downstream, replaced
from pellucid.protocols.dictionaries.downstream import DictionaryDownstream, DictionaryDownstreamConfig
from pellucid.protocols.dictionaries.replaced import divergence, losses
from pellucid.run import Run, load
from pellucid.training.loop import Watcher

SETTINGS = {
    "name": "small",
    "title": "Can planted lesions be told apart?",
    "dataset": "planted-lesions",
    "target": "spiculated",
    "encoder": [{"name": "cnn", "input": "image"}],
    "head": [{"name": "linear"}],
    "protocols": ["subject-holdout"],
    "options": {"planted-lesions": {"patients": 100, "slices": 2, "size": 24}},
    "training": {"epochs": 20, "learning_rate": 0.01, "batch_size": 16},
}
LAYER = "down.blocks.1"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return pellucid.study(SETTINGS).run(tmp_path_factory.mktemp("runs") / "small", watcher=Watcher())


@pytest.fixture(scope="module")
def folder(run: Run, tmp_path_factory: pytest.TempPathFactory) -> ActivationsFolder:
    path = tmp_path_factory.mktemp("acts") / "acts"
    collect_run(run.path, LAYER, path)
    return ActivationsFolder(ActivationsConfig(), path)


def split_of(folder: ActivationsFolder) -> Split:
    side = folder.frame["side"].astype(str).to_numpy()
    train, validation, test = (np.flatnonzero(side == name) for name in ("train", "validation", "test"))
    return Split(0, train, validation, test)


def made(folder: ActivationsFolder, keep: str) -> Model:
    """A dictionary that keeps everything, the mean alone, or some."""
    encoder = Identity(Identity.config_type(inputs={"activations": folder.spec.input("activations")}))
    train = folder.subset(split_of(folder).train)
    encoder.prepare([collate(train, np.arange(len(train)))])
    units = tuple(f"activations:{name}" for name in encoder.names)
    x = encoder(collate(train, np.arange(len(train)))).values
    if keep == "mean":
        head = TopK(TopKConfig(units=units, features=6, k=2))
        with torch.no_grad():
            head.directions.zero_()
            head.weight.zero_()
            head.centre.copy_(x.mean(0))
        return Model({"activations": encoder}, head).eval()
    found = Pca(Pca.config_type(units=units, features=len(units) if keep == "all" else 2))
    found.learn(x)
    return Model({"activations": encoder}, found).eval()


def results(run: Run, folder: ActivationsFolder, model: Model, **options):
    protocol = DictionaryDownstream(DictionaryDownstreamConfig(run=str(run.path), **options))
    fold = FittedFold(folder, "", split_of(folder), {"it": model}, None, 0)
    rows = protocol.examine(fold).assign(fold=0)
    context = Context(folder.spec, "", {"it": model.head.tags}, "", 0)
    assert protocol.unfit(context) == ""
    return {one.metric: one for one in protocol.conclude(rows, context)}, rows


def test_a_dictionary_that_keeps_all_recovers_all_and_one_that_keeps_the_mean_nothing(run, folder):
    everything, rows = results(run, folder, made(folder, "all"))
    assert set(everything) == {"loss_recovered", "kl_score"}
    for one in everything.values():
        assert one.value == pytest.approx(1, abs=1e-3)
        assert one.baseline == pytest.approx(1, abs=1e-3)
        assert one.n_subjects == rows["subject"].nunique()
    for one in results(run, folder, made(folder, "mean"))[0].values():
        assert one.value == pytest.approx(0, abs=1e-3)
        assert one.low == pytest.approx(0, abs=1e-3)
    zero, _ = results(run, folder, made(folder, "mean"), ablation="zero")
    assert abs(zero["kl_score"].value) > 1e-2
    some, _ = results(run, folder, made(folder, "some"))
    assert some["kl_score"].value < everything["kl_score"].value
    assert some["kl_score"].value == pytest.approx(some["kl_score"].baseline, abs=1e-3)
    assert "spares" in some["kl_score"].sentence


def test_losses_are_those_of_the_model_on_samples_that_nobody_has_learnt_from(run, folder):
    _, rows = results(run, folder, made(folder, "some"))
    model, source = load(run.path, fold=0), folder.source_data()
    side = folder.samples["side"].astype(str)
    assert set(rows["sample"]) == set(side.index[side == "test"])
    at = source.frame.index.astype(str).get_indexer(rows["sample"])
    logits, labels = model.logits(source.subset(at))[:, 0], source.subset(at).target_values("spiculated")[:, 0]
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, torch.tensor(labels).float(), reduction="none"
    )
    np.testing.assert_allclose(rows["loss:clean"], expected, rtol=1e-4, atol=1e-6)
    # By hand: every position of the layer by its mean over training rows.
    train = folder.subset(split_of(folder).train)
    mean = torch.from_numpy(folder.read(split_of(folder).train).inputs["activations"]).mean(0)
    assert len(train)
    layer = dict(model.named_modules())[folder.document["layer"]]
    handle = layer.register_forward_hook(lambda *_: mean[None, :, *[None] * len(folder.shape)].expand(_[2].shape))
    without = model.logits(source.subset(at))[:, 0]
    handle.remove()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        without, torch.tensor(labels).float(), reduction="none"
    )
    np.testing.assert_allclose(rows["loss:ablated"], expected, rtol=1e-3, atol=1e-4)


def test_another_model_is_refused_by_name(run, folder, tmp_path):
    other = pellucid.study({**SETTINGS, "name": "other", "training": {**SETTINGS["training"], "epochs": 1}}).run(
        tmp_path / "other", watcher=Watcher()
    )
    with pytest.raises(
        RunError, match=r"model of fold 0, run 'small' with fingerprint .* \('other'\) has .* another model"
    ):
        results(other, folder, made(folder, "some"))
    # A study that names it is refused before anything is fitted.
    with pytest.raises(StudyError, match=r"\('other'\) has .* another model"):
        pellucid.study(study_of(folder, other)).run(tmp_path / "run", watcher=Watcher())
    assert not (tmp_path / "run").exists()


def test_another_head_on_the_same_encoders_is_another_model(run, folder, monkeypatch):
    other = load(run.path, fold=0)
    with torch.no_grad():
        next(other.head.parameters()).mul_(1.5)
    monkeypatch.setattr(downstream, "load", lambda *_, **__: other)
    with pytest.raises(RunError, match="another model, or it was fitted again"):
        results(run, folder, made(folder, "some"))


def concluded_of(folder: ActivationsFolder, rows, ablation: str = "mean"):
    protocol = DictionaryDownstream(DictionaryDownstreamConfig(run="somewhere", ablation=ablation))
    return protocol.conclude(rows, Context(folder.spec, "", {"it": TopK.tags}, "", 0))


def test_where_the_ablation_does_no_harm_there_is_nothing_to_recover_and_that_is_said(run, folder):
    _, rows = results(run, folder, made(folder, "some"))
    harmless = rows.assign(**{"loss:ablated": rows["loss:clean"]})
    lacking, divergence_spared = concluded_of(folder, harmless)
    assert (lacking.metric, lacking.part) == ("loss_recovered", "it")
    assert f"the model does no worse on {len(rows)} samples" in lacking.because
    assert 'ablation = "zero"' in lacking.helps
    assert 'ablation = "zero"' not in concluded_of(folder, harmless, "zero")[0].helps
    assert divergence_spared.metric == "kl_score"
    nobody_said = rows.assign(**{name: np.nan for name in rows if name.startswith("loss:")})
    lacking, _ = concluded_of(folder, nobody_said)
    assert (lacking.metric, lacking.because) == ("loss_recovered", "no sample that was tested has a label")


def test_a_reconstruction_that_does_more_harm_than_nothing_is_said_in_words(run, folder):
    _, rows = results(run, folder, made(folder, "some"))
    worse = rows.assign(**{
        "loss:clean": 1.0, "loss:ablated": 2.0, "loss:dictionary": 2.35, "loss:components": 1.2,
        "kl:ablated": 1.0, "kl:dictionary": 0.4, "kl:components": 1.5,
    })  # fmt: skip
    loss, kl = concluded_of(folder, worse)
    assert loss.value == pytest.approx(-0.35)
    assert (
        "the reconstruction by “it” does it more harm still, by a further 35.0% of the loss that this costs, as many principal "
        "components as a row has codes spare it 80.0%." in loss.sentence
    )
    assert "spares it 60.0% of the change in what it says" in kl.sentence
    assert kl.sentence.endswith("as a row has codes do it more harm still, by a further 50.0%.")
    assert "-" not in loss.sentence + kl.sentence


def test_a_layer_that_says_another_thing_than_was_collected_is_noticed(run, folder, monkeypatch):
    monkeypatch.setattr(downstream, "layer_fingerprint", lambda *_: folder.document["model"]["fingerprint"])
    monkeypatch.setattr(downstream, "hexadecimal", lambda parts: folder.document["model"]["whole"])
    changed = load(run.path, fold=0)
    with torch.no_grad():
        next(changed.parameters()).mul_(1.5)
    monkeypatch.setattr(downstream, "load", lambda *_, **__: changed)
    with pytest.raises(RunError, match="says another thing of sample"):
        results(run, folder, made(folder, "some"))


def test_padded_positions_stay_as_they_are(run, folder, monkeypatch):
    """Were they replaced too, the model would read something that the dictionary has never seen."""
    count = int(np.prod(folder.shape))

    def first_alone(batch: Batch, *_: object) -> torch.Tensor:
        kept = torch.zeros(len(batch), count, dtype=torch.bool)
        kept[:, 0] = True
        return kept

    _, whole = results(run, folder, made(folder, "mean"))
    monkeypatch.setattr(replaced, "kept_positions", first_alone)
    _, first = results(run, folder, made(folder, "mean"))
    assert 0 < first["kl:ablated"].sum() < whole["kl:ablated"].sum()


def test_dictionaries_are_not_judged_on_whom_they_have_learnt_from(run, folder):
    model = made(folder, "some")
    model.head.learned_from = folder.subset(split_of(folder).test[:1]).learned_from
    with pytest.raises(LeakageError):
        results(run, folder, model)


def test_what_it_cannot_measure_is_said_before_anything_is_fitted(run, folder, tmp_path):
    tags = {"it": TopK.tags}
    asked = Context(folder.spec, "", tags, "", 0)

    def said(path: object, context: Context = asked) -> str:
        return DictionaryDownstream(DictionaryDownstreamConfig(run=str(path))).unfit(context)

    plain = folder.spec.model_copy(update={"inputs": {"other": folder.spec.input("activations")}})
    assert said(run.path) == ""
    assert said(run.path, Context(plain, "", tags, "", 0)) == "its data are no collected activations"
    assert "is a dictionary" in DictionaryDownstream().no_head(Context(folder.spec, "", {}, "", 0))
    assert "nobody says whose activations these are" in DictionaryDownstream().unfit(asked)
    assert str(tmp_path / "nowhere") in said(tmp_path / "nowhere")


def test_a_dictionary_of_something_else_than_the_layer_cannot_stand_in_its_place(run, folder):
    some, spec = made(folder, "some"), folder.spec.input("activations")
    apart = Identity(Identity.config_type(inputs={"activations": spec}, columns=spec.names[:-1]))
    with pytest.raises(DataError, match="“it” does not read the input 'activations' alone, whole"):
        results(run, folder, Model({"activations": apart}, some.head).eval())
    with pytest.raises(DataError, match="“it” does not read"):
        results(run, folder, Model({"activations": some.encoders["activations"], "again": apart}, some.head).eval())
    plain = ArrayDataset(folder.spec, folder.frame, {"activations": np.zeros((len(folder), spec.shape[0]), np.float32)})
    with pytest.raises(DataError, match="is no folder of collected activations"):
        results(run, plain, some)


def test_divergences_are_those_of_the_distributions():
    clean, new = torch.tensor([[0.3, -1.0, 2.0]]), torch.tensor([[0.1, 0.4, -0.2]])
    p, q = clean.double().sigmoid(), new.double().sigmoid()
    by_hand = (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).sum(1)
    torch.testing.assert_close(
        divergence(Binary(names=("no", "yes")), clean[:, :1], new[:, :1]) < by_hand, torch.tensor([True])
    )
    kind = Binary(names=("no", "yes")).model_copy(update={"kind": "multilabel"})
    torch.testing.assert_close(divergence(kind, clean, new), by_hand)
    p, q = clean.double().softmax(1), new.double().softmax(1)
    kind = MultiClass(names=("a", "b", "c"))
    torch.testing.assert_close(divergence(kind, clean, new), (p * (p / q).log()).sum(1))
    assert torch.isnan(losses(kind, torch.cat([clean, new]), None)).tolist() == [True, True]
    found = losses(kind, torch.cat([clean, new, new]), torch.tensor([[2.0], [float("nan")], [0.0]]))
    torch.testing.assert_close(found[[0, 2]], -torch.stack([clean[0].log_softmax(0)[2], new[0].log_softmax(0)[0]]))
    assert torch.isnan(found[1])
    torch.testing.assert_close(
        divergence(Regression(names=("x",), units=("1",)), clean[:, :1], new[:, :1]), torch.tensor([0.02]).double()
    )


def study_of(folder: ActivationsFolder, run: Run) -> dict[str, Any]:
    return {
        "name": "dictionaries",
        "title": "What does it know?",
        "dataset": "activations",
        "data": str(folder.folder),
        "encoder": [{"name": "identity", "input": "activations"}],
        "head": [{"name": "sae-topk", "features": 24, "k": 6}],
        "protocols": ["subject-holdout", "dictionary-downstream", "dictionary-stability", "code-circuits"],
        "options": {"subject-holdout": {"column": "side"}, "dictionary-downstream": {"run": str(run.path)}},
        "training": {"epochs": 3, "learning_rate": 0.01},
    }


def test_a_study_says_what_its_dictionaries_recover(run, folder, tmp_path):
    settings = study_of(folder, run)
    done = pellucid.study(settings).run(tmp_path / "run", watcher=Watcher())
    found = done.results.get("dictionary-downstream", "kl_score", "sae-topk")
    assert 0 < found.value <= 1
    assert found.low < found.value < found.high
    assert done.results.get("dictionary-stability", "stable_features", "sae-topk").chance == 0
    circuits = done.results.get("code-circuits", "found", "sae-topk")
    assert circuits.chance < 0.2
    assert circuits.n_samples == circuits.n_subjects
    assert json.loads((Path(folder.folder) / "activations.json").read_text())["channels"] == "first"
    with pytest.raises(pellucid.errors.StudyError, match=r"run = \"...\""):
        pellucid.study({**settings, "options": {"subject-holdout": {"column": "side"}}}).run(
            tmp_path / "x", watcher=Watcher()
        )
