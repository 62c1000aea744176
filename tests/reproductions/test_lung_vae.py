"""Acceptance of the lung-lesion VAEs on lesions with planted factors: what leaks, what is reconstructed, what is shown.

The figures of three seeds stand in docs/systems.md; thresholds were set before these data were drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.distributions import Dirichlet, kl_divergence
from torch.nn import functional

from pellucid.batch import Batch, collate
from pellucid.data.dataset import Dataset
from pellucid.data.splits import Split, components_of, subject_folds
from pellucid.encoders.similarity import structural_similarity
from pellucid.encoders.vae_dirichlet import dirichlet_divergence
from pellucid.encoders.vae_gaussian import VaeGaussian
from pellucid.errors import LeakageError
from pellucid.heads.traversal import LatentTraversal
from pellucid.model import Model
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.baseline import TrivialBaseline
from pellucid.protocols.prediction.assessment import Prediction
from pellucid.protocols.splitting.nested_subject_cv import NestedSubjectCv
from pellucid.protocols.traversal.monotonicity import TraversalMonotonicity
from pellucid.training.fit import Sides, fit_encoder, fit_model, prepare_encoder
from pellucid.training.settings import TrainingSettings
from pellucid_datasets.lesions import PlantedLesions, PlantedLesionsConfig

pytestmark = pytest.mark.reproduction

TARGET = "spiculated"
SEED = 0
EPOCHS = 60
JOINT = TrainingSettings(epochs=30, learning_rate=2e-3, batch_size=32, patience=5, joint=True, seed=SEED)


def lesions(**options) -> PlantedLesions:
    return PlantedLesions(PlantedLesionsConfig(seed=SEED, **options))


def parts(dataset: Dataset) -> tuple[VaeGaussian, LatentTraversal]:
    torch.manual_seed(SEED)
    encoder = VaeGaussian(VaeGaussian.config_type(inputs={"image": dataset.spec.input("image")}))
    units = tuple(f"image:{name}" for name in encoder.names)
    return encoder, LatentTraversal(LatentTraversal.config_type(units=units, target=dataset.spec.target(TARGET)))


def sides(dataset: Dataset, split: Split) -> Sides:
    return Sides(dataset.subset(split.train), dataset.subset(split.validation), TARGET)


def fitted_jointly(dataset: Dataset, split: Split) -> Model:
    encoder, head = parts(dataset)
    learning = sides(dataset, split)
    prepare_encoder(encoder, learning)
    return fit_model({"image": encoder}, head, learning, JOINT)[0]


def fold_of(dataset: Dataset, split: Split, model: Model) -> FittedFold:
    baseline = TrivialBaseline(dataset.spec, TARGET).fit(dataset.subset(split.train))
    return FittedFold(dataset, TARGET, split, {"latent-traversal": model}, baseline, SEED)


# --- 1: the leak ------------------------------------------------------------------------------------------------------


def auc_of_reused_encoder(dataset: Dataset) -> float:
    """The released pipeline in plain torch: fine-tune on 70 % of patients, then cross-validate over all of them."""
    everything = collate(dataset, np.arange(len(dataset)), TARGET)
    assert everything.targets is not None
    patients = dataset.frame["subject"].unique()
    rng = np.random.default_rng(99 + SEED)
    tuned_on = np.flatnonzero(dataset.frame["subject"].isin(rng.permutation(patients)[: round(0.7 * len(patients))]))
    encoder, _ = parts(dataset)
    classifier = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam([*encoder.parameters(), *classifier.parameters()], lr=2e-3)
    for _ in range(JOINT.epochs):
        for at in torch.from_numpy(rng.permutation(tuned_on)).split(32):
            batch = Batch({"image": everything.inputs["image"][at]})
            logits = classifier(encoder(batch).values)
            loss = encoder.loss(batch) + functional.binary_cross_entropy_with_logits(logits, everything.targets[at])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        latent = encoder.eval()(everything).values.numpy()
    labels = dataset.target_values(TARGET)[:, 0]
    folds = subject_folds(components_of(dataset.frame[["subject"]].to_numpy(object)), labels, 5, seed=42)
    scores = []
    for fold in range(5):
        learn, judge = folds != fold, folds == fold
        model = LogisticRegression(max_iter=1000).fit(latent[learn], labels[learn])
        scores.append(roc_auc_score(labels[judge], model.decision_function(latent[judge])))
    return float(np.mean(scores))


def nested_auc(dataset: Dataset) -> float:
    scores = []
    for split in NestedSubjectCv().splits(dataset, TARGET, SEED):
        fold = fold_of(dataset, split, fitted_jointly(dataset, split))
        test = fold.test("latent-traversal")
        scores.append(roc_auc_score(test.target_values(TARGET), fold.models["latent-traversal"].logits(test)))
    return float(np.mean(scores))


def test_labels_dealt_by_lot_are_predicted_by_a_reused_encoder_and_not_by_the_nested_protocol():
    dataset = lesions(random_labels=True)
    leaky, honest = auc_of_reused_encoder(dataset), nested_auc(dataset)
    print(f"random labels: reused encoder {leaky:.3f}, nested {honest:.3f}")
    assert leaky >= 0.75
    assert honest == pytest.approx(0.5, abs=0.1)


def test_an_encoder_tuned_on_test_patients_is_refused():
    dataset = lesions(random_labels=True, patients=30, slices=2)
    first, second = list(NestedSubjectCv().splits(dataset, TARGET, SEED))[:2]
    encoder, head = parts(dataset)
    short = JOINT.model_copy(update={"epochs": 1})
    tuned, _ = fit_model({"image": encoder}, head, sides(dataset, first), short)
    # The tuned encoder is taken along to another fold, where a new head learns from the right patients only.
    encoder, head = tuned.encoders["image"], parts(dataset)[1]
    frozen = short.model_copy(update={"joint": False})
    model, _ = fit_model({"image": encoder}, head, sides(dataset, second), frozen)
    with pytest.raises(LeakageError, match=r"'latent-traversal' of fold 1 .* subjects it has learnt from"):
        fold_of(dataset, second, model).test("latent-traversal")


# --- 2: the divergence ------------------------------------------------------------------------------------------------


def test_dirichlet_divergence_is_that_of_the_library_and_zero_only_between_equals():
    generator = torch.Generator().manual_seed(SEED)
    a, prior = (torch.rand(100, 16, generator=generator, dtype=torch.float64) * 8 + 1e-3 for _ in range(2))
    ours = dirichlet_divergence(a, prior)
    assert torch.allclose(ours, kl_divergence(Dirichlet(a), Dirichlet(prior)), atol=1e-5)
    assert (ours > 1e-3).all()
    assert dirichlet_divergence(a, a).abs().max() < 1e-9


# --- 3, 4, 5: one fold ------------------------------------------------------------------------------------------------


@dataclass
class Fitted:
    fold: FittedFold
    encoder: VaeGaussian
    context: Context


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    dataset = lesions()
    split = next(iter(NestedSubjectCv().splits(dataset, TARGET, SEED)))
    encoder, head = parts(dataset)
    learning = sides(dataset, split)
    alone = TrainingSettings(epochs=EPOCHS, learning_rate=2e-3, batch_size=32, patience=None, seed=SEED)
    fit_encoder(encoder, learning, alone)
    model, _ = fit_model({"image": encoder}, head, learning, alone.model_copy(update={"patience": 10}))
    fold = fold_of(dataset, split, model)
    tags = {"latent-traversal": LatentTraversal.tags}
    return Fitted(fold, encoder, Context(dataset.spec, TARGET, tags, fold.baseline.name, SEED))


def test_walking_towards_the_label_raises_spiculation_and_walking_anyhow_does_not(fitted):
    protocol = TraversalMonotonicity()
    rows = protocol.examine(fitted.fold).assign(fold=0)
    results = {r.metric: r for r in protocol.conclude(rows, fitted.context)}
    spiky = results["monotonicity:outline-spiculation"]
    mine = rows[rows["measure"] == "core/outline-spiculation"]
    # Mean over samples, then its size, so that directions of opposite senses do not cancel.
    anyhow = mine.filter(regex="^random ").mean().abs().mean()
    print(f"spiculation: towards the label {spiky.value:.3f} [{spiky.low:.3f}, {spiky.high:.3f}], random {anyhow:.3f}")
    print(spiky.sentence)
    assert (mine["sense"] == 1).all()
    assert "outline spiculation of decoded samples rises steadily" in spiky.sentence
    assert spiky.value >= 0.9
    assert spiky.chance <= anyhow < 0.6


def test_held_out_patients_are_reconstructed(fitted):
    test = fitted.fold.test("latent-traversal")
    batch = collate(test, np.arange(len(test)))
    with torch.no_grad():
        again = fitted.encoder.decode(fitted.encoder(batch).values)
        likeness = structural_similarity(again, batch.inputs["image"], value_range=1.0).mean()
        blank = structural_similarity(batch.inputs["image"].mean(0).expand_as(again), batch.inputs["image"], 1.0).mean()
    print(f"SSIM on held-out patients {likeness:.3f}, of the mean image {blank:.3f}")
    assert likeness >= 0.7
    assert likeness > blank + 0.1


def test_patients_are_scored_beside_slices_with_intervals_over_patients(fitted):
    rows = Prediction().examine(fitted.fold).assign(fold=0)
    results = {(r.metric, r.part): r for r in Prediction().conclude(rows, fitted.context)}
    slices, patients = (results[m, "latent-traversal"] for m in ("auroc", "auroc_per_subject"))
    print(f"AUROC of slices {slices.value:.3f} [{slices.low:.3f}, {slices.high:.3f}]")
    print(f"AUROC of patients {patients.value:.3f} [{patients.low:.3f}, {patients.high:.3f}]")
    assert slices.n_samples == 8 * patients.n_samples == 8 * patients.n_subjects
    for result in (slices, patients):
        assert result.low < result.value < result.high
        assert result.value > result.chance
    # Eight slices of a patient say about the same: an interval over slices would be about 2.8 times too narrow.
    assert slices.high - slices.low > 0.5 * (patients.high - patients.low)
