"""Signals aligned with text: the head against independent calculations, and protocols on models whose truth is known."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from pellucid.data.arrays import ArrayDataset
from pellucid.data.inputs import Sentences
from pellucid.data.spec import DataSpec, MultiClass, Text, Vector
from pellucid.data.splits import Split
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.errors import StudyError
from pellucid.heads.aligned import AlignedText, AlignedTextConfig, clip_loss
from pellucid.heads.base import Head, HeadConfig, HeadTags
from pellucid.model import Model
from pellucid.protocols import measuring
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.texts.conditions import NO_PROMPTS, NOISE, SIGNAL, shown
from pellucid.protocols.texts.generated import others
from pellucid.protocols.texts.ranks import at_chance, placed
from pellucid.protocols.texts.retrieval import Retrieval, RetrievalConfig
from pellucid.protocols.texts.zero_shot import ZeroShot, ZeroShotConfig
from pellucid.representation import Representation, Tokens, TokenShape
from pellucid.text.settings import SmallT5, Tables

SENTENCES, RECORDINGS = 30, 4
KINDS = ("calm", "loud", "odd")


def readings(leak=False, masked=True):
    """Each sample shows which sentence it is of, in noise; with ``leak`` its prompt says so too."""
    rng = np.random.default_rng(0)
    sentence = np.repeat(np.arange(SENTENCES), RECORDINGS)
    x = (np.eye(SENTENCES)[sentence] + rng.normal(0, 0.1, (len(sentence), SENTENCES))).astype(np.float32)
    kind = np.where(np.arange(SENTENCES) < 18, 0, 1 + np.arange(SENTENCES) % 2)[sentence]
    frame = pd.DataFrame(
        {
            "subject": [f"reader {at % RECORDINGS}" for at in range(len(x))],
            "sentence": [f"s{at}" for at in sentence],
            "kind": kind.astype(float),
            "text:said": [f"{KINDS[k]} sentence number {at}" for at, k in zip(sentence, kind, strict=True)],
        },
        index=pd.Index([f"r{at:03d}" for at in range(len(x))], name="sample"),
    )
    spec = DataSpec(
        name="readings",
        inputs={"x": Vector(names=tuple(f"u{at}" for at in range(SENTENCES))), "p": Text(vocabulary=40, length=1)},
        targets={"kind": MultiClass(names=KINDS)},
        groups=("subject", "sentence"),
        namespace="readings",
        texts={"said": Sentences()},
    ).keeping_apart(["sentence"])
    prompt = (1 + sentence if leak else np.ones(len(x)))[:, None].astype(np.int64)
    masks = {"x": np.broadcast_to(np.arange(SENTENCES) < SENTENCES, x.shape).copy()} if masked else {}
    return ArrayDataset(spec, frame, {"x": x, "p": prompt}, masks)


class Both(Encoder):
    """Hands the signal on, and the prompt as a unit of its own for each number."""

    tags = EncoderTags(accepts=("vector", "text"), several_inputs=True)
    config_type = EncoderConfig

    def __init__(self, config):
        super().__init__()
        self.config = config

    @property
    def names(self):
        return tuple(f"u{at}" for at in range(SENTENCES + 40))

    @property
    def prompts(self):
        return ("p",)

    def forward(self, batch):
        prompt = torch.nn.functional.one_hot(batch.inputs["p"][:, 0], 40).float()
        return Representation(torch.cat([batch.inputs["x"], prompt], 1), self.names)


class Oracle(Head):
    """Knows the number of each sentence. It reads the signal, or the prompt, whichever its settings name."""

    tags = HeadTags(family="function", learns="texts")
    text_name = "said"
    writes = False

    def __init__(self, reads):
        super().__init__()
        self.config = HeadConfig(units=("u",))
        self.reads = reads

    outputs = ("vector",)

    def forward(self, z):
        if self.reads == "nothing":
            return torch.ones(len(z), SENTENCES)
        return z.values[:, :SENTENCES] if self.reads == "signal" else z.values[:, SENTENCES + 1 : 2 * SENTENCES + 1]

    def embed_texts(self, texts):
        rows = []
        for text in texts:
            row = torch.zeros(SENTENCES)
            if "number" in text:
                row[int(text.rsplit(maxsplit=1)[1])] = 1
            else:
                # A label's sentence is like every sentence of its kind.
                of = [at for at in range(SENTENCES) if KINDS[0 if at < 18 else 1 + at % 2] in text.lower()]
                row[of] = 1
            rows.append(row)
        return torch.stack(rows)

    def write(self, z):
        raise NotImplementedError

    def explain(self, z, target):
        raise NotImplementedError

    def loss(self, z, batch):
        raise NotImplementedError


def folded(reads, data=None):
    data = readings() if data is None else data
    model = Model({"both": Both(EncoderConfig(inputs=data.spec.inputs))}, Oracle(reads))
    nobody = np.zeros(0, np.int64)
    fold = FittedFold(data, "", Split(0, nobody, nobody, np.arange(len(data))), {"oracle": model}, None, 0)
    return fold, Context(data.spec, "", {"oracle": Oracle.tags}, "", 0)


def concluded(protocol, reads, data=None):
    return {r.metric: r for r in measured(protocol, reads, data)[0]}


def measured(protocol, reads, data=None):
    """Results, and what could not be measured."""
    fold, context = folded(reads, data)
    return measuring.concluded(protocol, [measuring.examined(protocol, fold, context)], context)


# --- retrieval --------------------------------------------------------------------------------------------------------


def test_a_model_that_reads_signals_finds_every_sentence_and_noise_is_at_chance():
    found = concluded(Retrieval(), "signal")
    score, noise, check = (found[name] for name in ("rank1_of_24", "rank1_of_24_on_noise", "noise_input_rank1"))
    assert score.value == 1.0
    assert (score.chance, score.baseline) == (1 / 24, noise.value)
    assert found["rank5_of_24"].chance == 5 / 24
    assert found["rank1_of_24_without_prompts"].value == 1.0
    assert abs(noise.value - 1 / 24) < 0.06
    assert check.passed
    assert "control fails" not in score.sentence + check.sentence


def test_a_score_that_a_prompt_gives_is_found_out_by_the_control_and_says_so():
    found = concluded(Retrieval(), "prompt", readings(leak=True))
    assert found["rank1_of_24"].value == found["rank1_of_24_on_noise"].value == 1.0
    assert not found["noise_input_rank1"].passed
    assert "The control fails" in found["rank1_of_24"].sentence
    assert "the control fails" in found["noise_input_rank1"].sentence
    # Without its prompts nothing is left of it: all sentences are equally like, and a tie is a draw by lot.
    assert found["rank1_of_24_without_prompts"].value == pytest.approx(1 / 24)


def test_a_model_that_says_the_same_of_everything_is_at_chance_exactly():
    found = concluded(Retrieval(RetrievalConfig(block=6, ranks=(1, 2))), "nothing")
    assert found["rank1_of_6"].value == pytest.approx(1 / 6)
    assert found["rank2_of_6"].value == pytest.approx(2 / 6)
    assert found["noise_input_rank1"].passed


def test_no_block_repeats_a_sentence_and_blocks_do_not_depend_on_the_order_of_samples():
    fold, _ = folded("signal")
    rows = Retrieval().examine(fold)
    signal = rows[rows["condition"] == SIGNAL]
    assert len(signal) >= 0.8 * SENTENCES * RECORDINGS
    for _, block in signal.groupby("block"):
        # In this split the sentence is what is kept apart, and so stands in the place of the subject.
        assert block["subject"].nunique() == len(block) == 24
    data = readings()
    turned, _ = folded("signal", data.subset(np.arange(len(data))[::-1]))
    again = Retrieval().examine(turned)
    again = again[again["condition"] == SIGNAL].sort_values("sample")
    assert again["block"].tolist() == signal.sort_values("sample")["block"].tolist()


def test_fewer_sentences_than_a_block_make_a_smaller_one_with_its_own_chance():
    data = readings()
    found = concluded(Retrieval(), "signal", data.subset(np.arange(10 * RECORDINGS)))
    assert found["rank1_of_10"].chance == 0.1


def test_one_sentence_is_not_measured_and_a_rank_that_all_sentences_have_says_so():
    data = readings()
    results, lacking = measured(Retrieval(), "signal", data.subset(np.arange(RECORDINGS)))
    assert not results
    assert "are all of one sentence" in lacking[0].because
    results, lacking = measured(Retrieval(), "signal", data.subset(np.arange(4 * RECORDINGS)))
    assert {r.metric for r in results} >= {"rank1_of_4", "noise_input_rank1"}
    assert [one.metric for one in lacking] == ["rank5_of_4"]


@pytest.mark.parametrize("settings", [{"ranks": (0,)}, {"ranks": (1, 24)}, {"block": 3, "ranks": (5,)}])
def test_ranks_that_say_nothing_are_refused(settings):
    with pytest.raises(ValueError, match=r"greater than or equal to 1|each is among the first"):
        RetrievalConfig(**settings)
    assert RetrievalConfig(block=6, ranks=(5,)).ranks == (5,)
    assert RetrievalConfig(block=3).block == 3


def test_places_count_what_is_nearer_and_what_is_as_near():
    likeness = np.array([[0.5, 0.5, 0.9, 0.1], [0.2, 0.4, 0.6, 0.8]])
    above, ties = placed(likeness, np.array([0, 3]))
    assert (above.tolist(), ties.tolist()) == ([1, 0], [1, 0])


def test_few_subjects_do_not_make_an_honest_control_look_false_and_a_leak_is_still_seen():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"subject": np.repeat(["a", "b"], 100), "fold": 0})
    kept = [at_chance((rng.random(200) < 0.2).astype(float), rows, 0.2, 0) for _ in range(200)]
    assert np.mean(kept) > 0.97
    assert not at_chance((rng.random(200) < 0.4).astype(float), rows, 0.2, 0)
    assert not at_chance((rng.random(200) < 0.05).astype(float), rows, 0.2, 0)
    assert at_chance((rng.random(200) < 0.05).astype(float), rows, 0.2, 0, one_sided=True)


# --- conditions -------------------------------------------------------------------------------------------------------


def test_noise_has_the_scale_of_the_signals_no_mask_and_the_same_prompts():
    data = readings()
    fold, _ = folded("signal", data)
    model = fold.models["oracle"]
    (signal,), (noise,), (bare,) = (list(shown(model, data, each, 0)) for each in (SIGNAL, NOISE, NO_PROMPTS))
    assert float(noise.inputs["x"].mean()) == pytest.approx(float(signal.inputs["x"].mean()), abs=0.02)
    assert float(noise.inputs["x"].std()) == pytest.approx(float(signal.inputs["x"].std()), rel=0.05)
    correlation = np.corrcoef(noise.inputs["x"].flatten(), signal.inputs["x"].flatten())[0, 1]
    assert abs(correlation) < 0.05
    assert "x" in signal.masks
    assert "x" not in noise.masks
    assert torch.equal(noise.inputs["p"], signal.inputs["p"])
    assert torch.equal(bare.inputs["x"], signal.inputs["x"])
    assert not bare.inputs["p"].any()


# --- zero-shot --------------------------------------------------------------------------------------------------------


def test_labels_are_told_by_their_sentences_beside_the_majority_and_the_text_itself():
    found = concluded(ZeroShot(), "signal")
    score = found["top1:kind"]
    assert score.value > 0.95
    assert score.chance == pytest.approx(1 / 3)
    assert (score.baseline, score.baseline_name) == (18 / 30, "majority class")
    assert found["top1_of_raw_text:kind"].value == 1.0
    assert found["noise_input_top1:kind"].passed
    assert "top3:kind" not in found
    assert "the sentence of the true one is likest in" in score.sentence
    two = concluded(ZeroShot(ZeroShotConfig(top=(2,))), "signal")["top2:kind"]
    # Of 30 sentences 18 are of the commonest kind, and six of each other one.
    assert two.baseline == pytest.approx(24 / 30)
    assert two.chance == pytest.approx(2 / 3)
    assert "among the 2 likest" in two.sentence


def test_data_without_classes_have_no_labels_to_tell():
    _, context = folded("signal")
    assert ZeroShot().unfit(context) == ""
    bare = replace(context, spec=context.spec.model_copy(update={"targets": {}}))
    assert ZeroShot().unfit(bare) == "no target of its dataset has classes to tell apart"


def test_a_label_that_a_prompt_gives_away_is_found_out():
    found = concluded(ZeroShot(), "prompt", readings(leak=True))
    assert found["top1:kind"].value == 1.0
    assert not found["noise_input_top1:kind"].passed
    assert "The control fails" in found["top1:kind"].sentence
    assert "the control fails" in found["noise_input_top1:kind"].sentence


def test_naming_the_commonest_class_always_is_no_failure_of_the_control():
    fold, context = folded("signal")
    rows = ZeroShot().examine(fold).assign(fold=0)
    noise = rows["condition"] == NOISE
    rows.loc[noise, "above"] = np.where(rows.loc[noise, "label"] == 0, 0, 1)
    found = {r.metric: r for r in ZeroShot().conclude(rows, context)}
    assert found["top1_on_noise:kind"].value == pytest.approx(18 / 30)
    assert found["noise_input_top1:kind"].passed


def test_classes_whose_sentences_are_one_to_the_text_model_are_not_told_apart():
    results, lacking = measured(ZeroShot(ZeroShotConfig(template="{label} zebra")), "signal")
    assert results
    assert not lacking
    # "odd" and "loud" in one sentence each, the other words the same: as if neither word were known.
    results, lacking = measured(ZeroShot(ZeroShotConfig(template="loud odd calm {label}")), "signal")
    assert not results
    assert "calm, loud, odd of “kind” are one to the text model" in lacking[0].because


def test_labels_that_no_sample_has_are_not_measured():
    data = readings()
    data.frame["kind"] = np.nan
    results, lacking = measured(ZeroShot(), "signal", data)
    assert not results
    assert "none of its 120 test samples has a label of kind" in lacking[0].because


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"template": "It is calm."}, "{label} where the name of a class belongs"),
        ({"templates": {"kind": "It is {lable}."}}, "{label} where the name of a class belongs"),
        ({"top": (0,)}, "greater than or equal to 1"),
    ],
)
def test_templates_and_guesses_that_say_nothing_are_refused(settings, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        ZeroShotConfig(**settings)


@pytest.mark.parametrize("settings", [Tables(width=8, vocabulary=64), SmallT5(width=8, vocabulary=64, heads=2)])
def test_a_class_of_unknown_words_is_named_before_anything_is_fitted(settings):
    data, (head, _) = readings(), aligned_head(text=settings, learnt=False)
    context = folded("signal", data)[1]
    assert ZeroShot().unfit_for(data, {"a": head}, context) == ""
    names = ("calm", "loud", "zebra striped")
    other = data.spec.model_copy(update={"targets": {"kind": MultiClass(names=names), "more": MultiClass(names=KINDS)}})
    data.spec = other
    # Of targets that nobody has named, those that can be told apart still are.
    assert ZeroShot().unfit_for(data, {"a": head}, context) == ""
    reason = ZeroShot(ZeroShotConfig(targets=("kind",))).unfit_for(data, {"a": head}, context)
    assert reason.startswith("the text model of head 'a' can know no word of the class 'zebra striped' of “kind”")
    assert "options.zero-shot.targets" in reason
    # One word that it knows is enough.
    data.spec = other.model_copy(update={"targets": {"kind": MultiClass(names=("calm", "loud", "odd zebra"))}})
    assert ZeroShot(ZeroShotConfig(targets=("kind",))).unfit_for(data, {"a": head}, context) == ""


def test_a_class_whose_words_stand_on_the_test_side_alone_is_not_measured_and_named():
    data, (head, _) = readings(), aligned_head(width=SENTENCES)
    data.spec = data.spec.model_copy(update={"targets": {"kind": MultiClass(names=("calm", "loud", "number"))}})
    head.forward = lambda z: z.values[:, :SENTENCES]
    head.text.learn(["a calm sentence", "a loud sentence"])
    fold, context = folded("signal", data)
    encoder = fold.models["oracle"].named_encoders()
    fold = replace(fold, models={"a": Model(dict(encoder), head)})
    assert ZeroShot().unfit_for(data, {}, context) == ""
    results, lacking = measuring.concluded(ZeroShot(), [measuring.examined(ZeroShot(), fold, context)], context)
    assert not results
    assert [one.because for one in lacking] == ["its text model knows no word of the class 'number' of “kind”"]


@pytest.mark.parametrize("protocol", [Retrieval(), ZeroShot()])
def test_a_head_that_learns_to_write_alone_is_not_asked_to_compare(protocol):
    data, context = readings(), folded("signal")[1]
    text = SmallT5(width=8, vocabulary=64, heads=2)
    head, _ = aligned_head(text=text, clip_weight=0.0, learnt=False)
    assert re.match(
        "head 'a' has clip_weight = 0, .*Set its clip_weight above 0, or leave",
        protocol.unfit_for(data, {"a": head}, context),
    )
    head, _ = aligned_head(text=text, clip_weight=0.1, learnt=False)
    assert protocol.unfit_for(data, {"a": head}, context) == ""


def test_a_template_of_no_target_is_refused_before_anything_is_fitted():
    _, context = folded("signal")
    with pytest.raises(StudyError, match=r"names 'kimd'.*did you mean 'kind'"):
        ZeroShot(ZeroShotConfig(templates={"kimd": "{label}"})).unfit(context)


# --- what is written --------------------------------------------------------------------------------------------------


def test_chance_of_what_is_written_is_had_from_other_sentences_alone_whoever_has_read_them():
    sentences = [f"sentence {at % 3}" for at in range(60)]
    drawn = others(sentences, 0)
    assert all(sentences[at] != one for at, one in zip(drawn, sentences, strict=True))
    assert len(set(drawn.tolist())) > 20
    assert (others(sentences, 1) != drawn).any()
    assert others(["one"] * 2, 0).tolist() == [0, 1]


# --- who is new -------------------------------------------------------------------------------------------------------


def test_every_result_says_that_sentences_are_new_and_subjects_are_not():
    found = concluded(Retrieval(), "signal")
    told = [one.sentence for one in found.values() if one.sentence]
    assert {one.judged_on for one in found.values()} == {"unseen sentences, seen subjects"}
    assert {one.n_subjects for one in found.values()} == {SENTENCES}
    assert len(told) > 1
    assert all(sentence.endswith("Judged on unseen sentences, seen subjects.") for sentence in told)


# --- the head ---------------------------------------------------------------------------------------------------------


def aligned_head(learnt=True, width=8, **options):
    torch.manual_seed(0)
    config = {
        "units": ("x:a",), "tokens": {"x": TokenShape(count=5, width=6)}, "texts": {"said": Sentences(variants=1)},
        "text": Tables(width=width, vocabulary=32), "attention_heads": 2, **options,
    }  # fmt: skip
    head = AlignedText(AlignedTextConfig(**config))
    if learnt:
        head.text.learn(["a calm sentence", "a loud sentence", "an odd one"])
    return head, Representation(torch.zeros(4, 1), ("x:a",), {"x": Tokens(torch.randn(4, 5, 6))})


def test_the_contrastive_loss_is_the_mean_of_two_cross_entropies_of_cosines():
    a, b = torch.randn(5, 7, dtype=torch.float64), torch.randn(5, 7, dtype=torch.float64)
    cosines = torch.cosine_similarity(a[:, None], b[None], dim=-1)
    rows = torch.stack([cosines[i, i] - cosines[i].exp().sum().log() for i in range(5)])
    columns = torch.stack([cosines[i, i] - cosines[:, i].exp().sum().log() for i in range(5)])
    assert float(clip_loss(a, b)) == pytest.approx(-0.5 * float(rows.mean() + columns.mean()))
    # No temperature: longer vectors change nothing.
    assert float(clip_loss(100 * a, b)) == pytest.approx(float(clip_loss(a, b)))


def test_pooling_is_attention_as_torch_has_it():
    head, z = aligned_head()
    pool, soft = head.pool, head.soft_tokens(z)
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([pool.to_query.weight, pool.to_key.weight, pool.to_value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([pool.to_query.bias, pool.to_key.bias, pool.to_value.bias]))
        theirs.out_proj.weight.copy_(pool.out.weight)
        theirs.out_proj.bias.copy_(pool.out.bias)
    known = torch.arange(5) < torch.tensor([[5], [3], [1], [4]])
    expected = theirs(pool.query.expand(4, 1, 8), soft, soft, key_padding_mask=~known)[0][:, 0]
    assert torch.allclose(pool(soft, known), expected, atol=1e-6)


def test_what_soft_tokens_add_to_a_labels_cosine_is_that_cosine():
    head, z = aligned_head(labels={"calm": "a calm sentence", "loud": "a loud sentence"})
    assert head.outputs == ("calm", "loud")
    found = head.explain(z, "loud")
    cosine = torch.cosine_similarity(head(z), head.embed_texts(["a loud sentence"]).expand(4, -1))
    assert torch.allclose(found.output, cosine, atol=1e-6)
    assert torch.allclose(found.baseline + found.contributions.sum(1), cosine, atol=1e-6)
    # A token that is another one changes what is said of it.
    moved = z.tokens["x"].values.clone()
    moved[:, 2] += 3
    other = head.explain(Representation(z.values, z.names, {"x": Tokens(moved)}), "loud")
    assert (other.contributions[:, 2] - found.contributions[:, 2]).abs().min() > 1e-3


def test_a_label_of_unknown_words_is_named_before_anything_is_fitted():
    data = readings()
    head, _ = aligned_head(labels={"calm": "a calm sentence", "zebra": "zebra, gnu!"}, learnt=False)
    assert head.unfit_for(data).startswith(
        "has the label 'zebra' = 'zebra, gnu!', of which the text model can know no word ('zebra', 'gnu'): the said of no sample "
    )
    head, _ = aligned_head(labels={"calm": "a calm sentence", "zebra": "an odd zebra"}, learnt=False)
    assert head.unfit_for(data) == ""


@pytest.mark.parametrize("labels", [{"empty": ""}, {"empty": "  "}, {" ": "a calm sentence"}])
def test_a_label_that_says_nothing_is_refused(labels):
    with pytest.raises(ValueError, match="says nothing: give it a name, and a sentence with words"):
        aligned_head(labels=labels)


def test_the_text_model_is_frozen_in_every_stage():
    head, _ = aligned_head(text=SmallT5(width=8, vocabulary=32, heads=2))
    (stage,) = head.stages()
    learning = {id(parameter) for parameter in stage.parameters(head)}
    assert not learning & {id(parameter) for parameter in head.text.parameters()}
    assert len(learning) == sum(1 for name, _ in head.named_parameters() if not name.startswith("text."))


def test_writing_is_refused_of_a_model_that_only_reads():
    with pytest.raises(StudyError, match="clip_weight below 1 asks to write"):
        aligned_head(clip_weight=0.5)
    head, _ = aligned_head()
    assert head.clip_weight == 1.0
    assert aligned_head(text=SmallT5(width=8, vocabulary=32, heads=2))[0].clip_weight == 0.5
