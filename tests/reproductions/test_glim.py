"""GLIM, arXiv 2505.17099, at the size of its small acceptance test: made-up readings of sentences whose numbers are known.

64 sentences with eight numbers each, mixed into 104 channels in a way of each of two readers' own over 64 moments, in noise, ten
recordings a sentence; the text side is frozen random tables. Width 32, two and two blocks, eight queries, 300 steps. Design and
settings were chosen on seeds 100 to 102; seeds 0, 1 and 2 were then run once.
"""

from functools import cache

import numpy as np
import pytest
import torch

from pellucid.assembly import build_encoders, build_head
from pellucid.batch import collate
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.measuring import concluded, examined
from pellucid.protocols.splitting.subject_holdout import SubjectHoldout, SubjectHoldoutConfig
from pellucid.protocols.texts.generated import GeneratedText
from pellucid.protocols.texts.retrieval import Retrieval
from pellucid.studies import Study
from pellucid.training.batching import batches_of
from pellucid.training.fit import Sides, fit_model
from pellucid.training.reading import as_they_are
from pellucid_eeg.zuco.synthetic import ZucoSynthetic, ZucoSyntheticConfig

pytestmark = [pytest.mark.reproduction, pytest.mark.xdist_group("glim")]

SEEDS = [0, pytest.param(1, marks=pytest.mark.nightly), pytest.param(2, marks=pytest.mark.nightly)]

STUDY = {
    "title": "GLIM, small",
    "dataset": "zuco-synthetic",
    "encoder": [
        {
            "inputs": ["eeg", "prompt"], "label": "eeg", "name": "glim", "width": 32, "blocks": 2, "merging_blocks": 2,
            "heads": 4, "queries": 8, "query_width": 32,
        }
    ],
    "head": [
        {"name": "aligned-text", "attention_heads": 4, "text": {"kind": "tables", "width": 128, "vocabulary": 128}}
    ],
    "training": {
        "epochs": 27, "batch_size": 32, "learning_rate": 3e-3, "weight_decay": 0.1, "distinct": "sentence", "keep": "last",
    },
}  # fmt: skip


@cache
def prepared(seed):
    """The made-up readings, split by sentence: 24 of 64 are tested, as many as a block has."""
    data = ZucoSynthetic(ZucoSyntheticConfig(seed=seed)).keeping_apart(["sentence"])
    holdout = SubjectHoldout(SubjectHoldoutConfig(test=0.375, validation=0.1, apart=("sentence",)))
    study = Study.from_mapping(STUDY | {"training": STUDY["training"] | {"seed": seed}})
    return data, next(holdout.splits(data, "", seed)), study


def untrained(seed):
    data, _, study = prepared(seed)
    encoders = build_encoders(study, data.spec, seed="glim")
    return encoders, build_head(study.head[0], encoders, data.spec, "", seed=f"{seed}/glim")


@cache
def fitted(seed):
    """A model aligned in 300 steps."""
    data, split, study = prepared(seed)
    encoders, head = untrained(seed)
    sides = Sides(data.subset(split.train), data.subset(split.validation))
    model, _ = fit_model(encoders, head, sides, study.training, name="aligned")
    return FittedFold(data, "", split, {"aligned": model}, None, seed)


@cache
def retrieved(seed):
    fold = fitted(seed)
    protocol = Retrieval()
    context = Context(fold.dataset.spec, "", {"aligned": fold.models["aligned"].head.tags}, "", seed)
    found = {r.metric: r for r in concluded(protocol, [examined(protocol, fold, context)], context)[0]}
    print(
        f"\nseed {seed}: "
        + ", ".join(f"{name} {r.value:.3f} ({r.low:.3f} to {r.high:.3f})" for name, r in found.items())
    )
    return found


def repeats(data, batches):
    sentences = data.frame["sentence"].to_numpy()
    return sum(len(batch) - len(set(sentences[batch])) for batch in batches)


@pytest.mark.parametrize("seed", SEEDS)
def test_unseen_sentences_are_retrieved_from_signals_and_not_from_noise(seed):
    found = retrieved(seed)
    score, noise = found["rank1_of_24"], found["rank1_of_24_on_noise"]
    assert score.value >= 0.5
    assert abs(noise.value - 0.042) <= 0.04
    assert score.chance == pytest.approx(1 / 24)
    assert score.judged_on == "unseen sentences, seen subjects"


@pytest.mark.parametrize("seed", range(3))
def test_no_batch_repeats_a_sentence_and_ordinary_shuffling_does(seed):
    data, split, study = prepared(seed)
    train = data.subset(split.train)
    samples, settings = as_they_are(train), study.training
    for epoch in range(5):
        assert repeats(train, batches_of(samples, settings, epoch)) == 0
        assert repeats(train, batches_of(samples, settings.model_copy(update={"distinct": ""}), epoch)) > 0


def changed_prompts(batch):
    other = batch.inputs["prompt"].clone()
    other[:, 0] = 2
    return batch.with_input("prompt", other)


@torch.no_grad()
def difference(model, one, other):
    return float((model.eval()(one).tokens[""].values - model(other).tokens[""].values).abs().max())


@pytest.mark.parametrize("seed", SEEDS)
def test_the_prompt_changes_nothing_before_training_and_something_after(seed):
    data, split, _ = prepared(seed)
    batch = collate(data, split.test[:32])
    assert difference(untrained(seed)[0]["eeg"], batch, changed_prompts(batch)) < 1e-6
    trained = dict(fitted(seed).models["aligned"].named_encoders())["eeg"]
    found = difference(trained, batch, changed_prompts(batch))
    print(f"\nseed {seed}: another task prompt moves a trained token by up to {found:.4f}")
    assert found > 1e-4


@pytest.mark.parametrize("seed", SEEDS)
def test_values_that_are_masked_change_nothing(seed):
    fold = fitted(seed)
    model = fold.models["aligned"]
    batch = collate(fold.dataset, fold.split.test[:32])
    assert not batch.masks["eeg"].all()
    absurd = torch.where(batch.masks["eeg"], batch.inputs["eeg"], 1e6 * torch.randn(batch.inputs["eeg"].shape))
    with torch.no_grad():
        assert torch.equal(model.eval()(batch), model(batch.with_input("eeg", absurd)))
        seen = batch.inputs["eeg"] + 5 * torch.randn(batch.inputs["eeg"].shape)
        assert np.abs((model(batch) - model(batch.with_input("eeg", seen))).numpy()).max(1).min() > 1e-3


@pytest.mark.nightly
def test_what_is_written_of_signals_is_nearer_to_the_truth_than_to_other_sentences_and_than_what_is_written_of_noise():
    """Beyond the acceptance test: the text side is a small T5 that has learnt to write the training side's sentences."""
    data, split, study = prepared(0)
    text = {"kind": "t5", "width": 64, "heads": 4, "length": 24, "vocabulary": 64, "taught": 1500}
    settings = study.settings()
    settings["head"][0]["text"] = text
    writing = Study.from_mapping(settings)
    encoders = build_encoders(writing, data.spec, seed="glim")
    head = build_head(writing.head[0], encoders, data.spec, "", seed="0/glim")
    sides = Sides(data.subset(split.train), data.subset(split.validation))
    model, _ = fit_model(encoders, head, sides, writing.training, name="writing")
    fold = FittedFold(data, "", split, {"writing": model}, None, 0)
    context = Context(data.spec, "", {"writing": model.head.tags}, "", 0)
    found = {r.metric: r for r in concluded(GeneratedText(), [examined(GeneratedText(), fold, context)], context)[0]}
    for metric in ("bleu1", "bleu2", "rouge1"):
        one = found[metric]
        print(
            f"\n{metric} {one.value:.3f} ({one.low:.3f} to {one.high:.3f}), others {one.chance:.3f}, noise {one.baseline:.3f}"
        )
        assert one.low > one.chance
        assert one.low > one.baseline
