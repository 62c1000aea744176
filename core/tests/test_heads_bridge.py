"""The bridge: what the text model is given, what may learn, and what explanations say of runs of tokens."""

from __future__ import annotations

import pytest
import torch

from pellucid.batch import Batch
from pellucid.data.inputs import Sentences
from pellucid.errors import StudyError
from pellucid.heads.bridge import SoftTokenBridge, SoftTokenBridgeConfig
from pellucid.part import configured
from pellucid.regions import TimeSpan
from pellucid.representation import Representation, Tokens, TokenShape
from pellucid.text.settings import SmallT5, Tables

ANSWERS = ("1.5 nm", "2.5 nm", "1.2 nm", "5.1 nm")


def made(varying=False, **options):
    shape = TokenShape(count=0, width=3, varying=True) if varying else TokenShape(count=4, width=3)
    text = SmallT5(width=16, vocabulary=24, heads=2, length=8, beams=1)
    torch.manual_seed(0)
    config = SoftTokenBridgeConfig(
        units=("x:a",), tokens={"x": shape}, texts={"answer": Sentences()}, text=text, **{"groups": 2} | options
    )
    head = SoftTokenBridge(config)
    head.prepare([(shown(), batch())])
    return head.eval()


def shown(known=None, regions=()):
    values = torch.randn(4, 4, 3, generator=torch.Generator().manual_seed(1))
    if known is not None:
        values = values * known[..., None]
    return Representation(torch.ones(4, 1), ("x:a",), {"x": Tokens(values, regions, known=known, input="signal")})


def batch():
    return Batch({}, {}, texts={"answer": tuple((one,) for one in ANSWERS)})


def test_answers_are_learnt_digit_by_digit_and_written_whole():
    head = made(tuned=True)
    assert {"1", "2", "5", ".", "nm"} == set(head.text.vocabulary.numbers)
    learning = torch.optim.Adam(head.parameters(), lr=1e-2)
    head.requires_grad_(True)
    for _ in range(150):
        learning.zero_grad()
        head.loss(shown(), batch()).backward()
        learning.step()
    assert tuple(one.replace(" nm", "nm") for one in head.write(shown())) == tuple(
        one.replace(" nm", "nm") for one in ANSWERS
    )


def test_nothing_of_the_loss_reaches_a_frozen_encoder_and_something_a_free_one():
    for frozen in (True, False):
        z = shown()
        values = z.tokens["x"].values.requires_grad_(True)
        made(frozen=frozen).loss(z, batch()).backward()
        assert (values.grad is None) == frozen
        (stage,) = made(frozen=frozen).stages()
        assert stage.moves_encoders != frozen


@pytest.mark.parametrize("tuned", [True, False])
def test_the_text_model_learns_where_it_is_tuned_alone(tuned):
    head = made(tuned=tuned)
    (stage,) = head.stages()
    learns = {id(one) for one in stage.parameters(head)}
    assert all((id(one) in learns) == tuned for one in head.text.parameters())
    assert all(id(one) in learns for one in head.project.parameters())


def test_tokens_that_are_not_there_change_nothing():
    known = torch.tensor([[True, True, False, False]] * 4)
    head, z = made(varying=True), shown(known)
    short = Representation(z.values, z.names, {"x": Tokens(z.tokens["x"].values[:, :2], known=known[:, :2])})
    noisy = Representation(
        z.values, z.names, {"x": Tokens(z.tokens["x"].values + 9.0 * ~known[..., None], known=known)}
    )
    for other in (short, noisy):
        torch.testing.assert_close(head.loss(z, batch()), head.loss(other, batch()))
        torch.testing.assert_close(head(z), head(other))
        assert head.write(z) == head.write(other)


def test_log_probabilities_add_up_to_the_cross_entropy():
    head = made()
    soft, known = head.soft_tokens(shown())
    texts = [head._spelt(one) for one in ANSWERS]
    each = head.text.log_probability(soft, known, texts)
    lengths = [len(one.split()) + 1 for one in texts]
    assert float(-each.sum() / sum(lengths)) == pytest.approx(
        float(head.text.cross_entropy(soft, texts, known)), rel=1e-5
    )


@pytest.mark.parametrize("question", ["", "how wide"])
def test_an_explanation_is_what_the_answer_loses_without_each_run_of_tokens(question):
    head = made(question=question)
    regions = tuple(TimeSpan(("a",), float(at), at + 1.0) for at in range(4))
    z = shown(regions=regions)
    found = head.explain(z, "answer")
    assert found.names == ("x: tokens 1 to 2", "x: tokens 3 to 4")
    soft, known = head.soft_tokens(z)
    answers = [head._spelt(one) for one in head.write(z)]
    some = known.clone()
    some[:, :2] = False
    whole, without = (
        head.text.log_probability(*head.states(soft * one[..., None], one), answers) for one in (known, some)
    )
    torch.testing.assert_close(found.output, whole)
    torch.testing.assert_close(found.contributions[:, 0], whole - without)
    torch.testing.assert_close(found.baseline + found.contributions.sum(1) + found.gap, found.output)
    assert found.gap.abs().max() > 0
    best = found.contributions.abs().argmax(1)[0]
    assert found.evidence[0][0].region == TimeSpan(("a",), 2.0 * best, 2.0 * best + 2)


def test_a_question_stands_before_the_tokens_and_is_what_is_left_without_them():
    asked, silent = made(question="how wide"), made()
    soft, known = asked.soft_tokens(shown())
    states, there = asked.states(soft, known)
    assert states.shape[1] == soft.shape[1] + 3
    assert there.all()
    torch.testing.assert_close(states[0, :3], asked.text.read(["how wide"]).values[0])
    assert len(set(asked.write_without(3))) == len(set(silent.write_without(3))) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"text": Tables()}, "do not write"),
        ({"text_name": "answers"}, "did you mean 'answer'"),
        ({"tokens_name": "y"}, "tokens here: x"),
    ],
)
def test_settings_that_cannot_work_are_refused(options, said):
    facts = {"units": ("x:a",), "tokens": {"x": TokenShape(count=4, width=3)}, "texts": {"answer": Sentences()}}
    with pytest.raises(StudyError, match=said):
        SoftTokenBridge(
            configured("head", "soft-token-bridge", SoftTokenBridgeConfig, {"text": SmallT5()} | options, **facts)
        )


def test_a_bridge_needs_no_batch_of_different_answers():
    from pellucid.heads.aligned import AlignedText

    assert AlignedText.tags.contrasts
    assert not SoftTokenBridge.tags.contrasts
