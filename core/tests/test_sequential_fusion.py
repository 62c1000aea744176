"""One input after the other into one state, and what each adds to the output."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from made_modalities import fusion, modalities
from pydantic import ValidationError
from torch.nn import functional

from pellucid.batch import Batch, collate
from pellucid.data.spec import Binary, MultiClass, Regression, Signal, Vector
from pellucid.encoders.sequential_fusion import MOMENTUM, SequentialFusion, Update
from pellucid.errors import ContractError, DataError, StudyError
from pellucid.heads.cumulative import Cumulative, CumulativeConfig
from pellucid.representation import Representation, Tokens, TokenShape

INPUTS = {"a": Vector(names=("p", "q")), "b": Vector(names=("r", "s", "t"))}
SIGNAL = Signal(channels=("left", "right"), length=40, rate_hz=10.0, units="mV")


def encoder(inputs=INPUTS, seed=0, **options) -> SequentialFusion:
    torch.manual_seed(seed)
    return SequentialFusion(SequentialFusion.config_type(inputs=inputs, **options)).eval()


def numbers(count=12, seed=1) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    return {name: torch.randn(count, *spec.shape, generator=random) for name, spec in INPUTS.items()}


def half(count=12) -> torch.Tensor:
    return torch.arange(count) % 2 == 0


def states(made: SequentialFusion, batch: Batch) -> torch.Tensor:
    return made(batch).tokens[""].values.detach()


def head(target, tokens, units=("all:s0", "all:s1"), **options) -> Cumulative:
    torch.manual_seed(0)
    return Cumulative(Cumulative.config_type(units=units, target=target, tokens=tokens, **options))


# --- the encoder ------------------------------------------------------------------------------------------------------


def test_states_are_those_of_the_written_formula():
    made = encoder(hidden=(7,), state=4, order=("b", "a"))
    batch = Batch(numbers())
    made.prepare([batch])
    state = np.tile(made.start.detach().numpy(), (12, 1))
    found = [state]
    for name, update in zip(("b", "a"), made.updates, strict=True):
        x = batch.inputs[name].double().numpy()
        x = (x - x.mean(0)) / x.std(0)
        first, last = update.hidden[0], update.last
        hidden = np.maximum(x @ first.weight.detach().numpy().T + first.bias.detach().numpy(), 0)
        both = np.concatenate([hidden, state], axis=1)
        state = both @ last.weight.detach().numpy().T + last.bias.detach().numpy()
        found.append(state)
    np.testing.assert_allclose(states(made, batch), np.stack(found, axis=1), atol=1e-5)
    np.testing.assert_allclose(made(batch).values.detach(), found[-1], atol=1e-5)


def test_a_sample_that_lacks_an_input_keeps_its_state():
    made, whole = encoder(), Batch(numbers())
    said, before = states(made, Batch(whole.inputs, {"b": half()})), states(made, whole)
    assert torch.equal(said[~half(), 2], said[~half(), 1])
    assert torch.equal(said[half()], before[half()])
    assert not torch.equal(before[~half(), 2], before[~half(), 1])


def test_under_the_released_rule_one_sample_takes_an_input_from_all():
    made, inputs = encoder(missing="batch_skip"), numbers()
    one = torch.ones(12, dtype=torch.bool)
    one[3] = False
    said = states(made, Batch(inputs, {"b": one}))
    assert torch.equal(said[:, 2], said[:, 1])
    alone = states(made, Batch({name: x[:1] for name, x in inputs.items()}, {"b": one[:1]}))
    assert not torch.allclose(alone[:, 2], said[:1, 2])


def test_whoever_lacks_an_input_changes_as_others_did_in_training():
    made = encoder(missing="mean_state", modality_dropout=0.0, dropout=0.0).train()
    changes = []
    for seed in range(4):
        batch = Batch(numbers(seed=seed), {"b": half()})
        changes.append(states(made, batch).diff(dim=1)[half(), 1].mean(0))
    made.eval()
    mean = torch.stack(changes).mean(0)
    said = states(made, Batch(numbers(seed=9), {"b": half()}))
    # The first ten batches are averaged evenly.
    assert torch.allclose(said.diff(dim=1)[~half(), 1], mean.expand(6, -1), atol=1e-5)
    again = SequentialFusion(made.config).eval()
    again.load_state_dict(made.state_dict())
    assert torch.equal(states(again, Batch(numbers(seed=9), {"b": half()})), said)


def test_the_mean_change_follows_later_batches_with_a_fixed_weight():
    update = Update(INPUTS["a"], SequentialFusion.config_type(inputs=INPUTS, state=1))
    everybody = torch.ones(2, dtype=torch.bool)
    for value in (0.0,) * 20:
        update.follow(torch.full((2, 1), value), everybody)
    update.follow(torch.ones(2, 1), everybody)
    assert update.usual_change.item() == pytest.approx(MOMENTUM)
    update.follow(torch.full((2, 1), 100.0), ~everybody)
    assert update.usual_change.item() == pytest.approx(MOMENTUM)
    update.follow(torch.tensor([[1.0], [100.0]]), torch.tensor([True, False]))
    assert update.usual_change.item() == pytest.approx(MOMENTUM + MOMENTUM * (1 - MOMENTUM))


def test_evaluation_changes_no_running_mean():
    made = encoder(missing="mean_state")
    before = {name: value.clone() for name, value in made.state_dict().items()}
    states(made, Batch(numbers()))
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())


@pytest.mark.parametrize("q", [0.0, 0.3, 0.8])
def test_inputs_are_dropped_in_training_alone_each_on_its_own(q):
    made = encoder(modality_dropout=q, dropout=0.0)
    batch = Batch(numbers(4000))
    torch.manual_seed(0)
    dropped = (states(made.train(), batch).diff(dim=1) == 0).all(2).float()
    assert dropped.mean(0).tolist() == pytest.approx([q, q], abs=0.03)
    assert dropped.prod(1).mean().item() == pytest.approx(q * q, abs=0.03)
    assert not (states(made.eval(), batch).diff(dim=1) == 0).all(2).any()


def test_the_released_rule_drops_an_input_for_a_whole_batch():
    made = encoder(modality_dropout=0.5, dropout=0.0, missing="batch_skip").train()
    torch.manual_seed(0)
    shares = torch.stack([(states(made, Batch(numbers())).diff(dim=1) == 0).all(2).float().mean(0) for _ in range(200)])
    assert set(shares.unique().tolist()) == {0.0, 1.0}
    assert shares.mean().item() == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("missing", ["sample_skip", "batch_skip", "mean_state"])
def test_an_input_that_a_batch_does_not_hold_is_as_good_as_masked_nan(missing):
    made, inputs = encoder(missing=missing), numbers()
    for update in made.updates:
        update.usual_change.fill_(0.7)
    nan = {**inputs, "b": torch.full_like(inputs["b"], torch.nan)}
    masked = states(made, Batch(nan, {"b": torch.zeros(12, dtype=torch.bool)}))
    assert torch.equal(states(made, Batch({"a": inputs["a"]})), masked)
    assert torch.isfinite(masked).all()


def test_masked_nan_leaves_every_gradient_finite():
    made, inputs = encoder(), numbers()
    made.train()
    nan = {**inputs, "b": torch.where(half()[:, None], inputs["b"], torch.nan)}
    made(Batch(nan, {"b": half()})).values.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in made.parameters() if p.grad is not None)


def test_a_number_that_is_missing_in_an_input_that_is_there_is_read_as_the_mean():
    made, batch = encoder(), Batch(numbers())
    made.prepare([batch])
    mask = torch.ones(12, 2, dtype=torch.bool)
    mask[:, 1] = False
    filled = batch.inputs["a"].clone()
    filled[:, 1] = batch.inputs["a"][:, 1].mean()
    assert torch.allclose(
        states(made, Batch(batch.inputs, {"a": mask})), states(made, Batch({**batch.inputs, "a": filled})), atol=1e-5
    )


def test_each_channel_of_a_signal_is_standardised_over_what_is_known_of_it():
    made = encoder({"wave": SIGNAL})
    random = torch.Generator().manual_seed(0)
    x = torch.randn(30, 2, 40, generator=random) * torch.tensor([[5.0], [0.1]]) + torch.tensor([[100.0], [-3.0]])
    known = torch.rand(30, 2, 40, generator=random) < 0.7
    spoilt = torch.where(known, x, 1e6)
    made.prepare(
        [Batch({"wave": spoilt[:10]}, {"wave": known[:10]}), Batch({"wave": spoilt[10:]}, {"wave": known[10:]})]
    )
    wanted = [x[:, channel][known[:, channel]] for channel in range(2)]
    assert made.updates[0].mean.tolist() == pytest.approx([w.mean().item() for w in wanted], rel=1e-4)
    assert made.updates[0].scale.tolist() == pytest.approx([w.std(correction=0).item() for w in wanted], rel=1e-4)


def test_statistics_do_not_depend_on_how_much_is_summed_at_once(monkeypatch):
    x = torch.randn(30, 2, 40) + 4
    whole, pieces = encoder({"wave": SIGNAL}), encoder({"wave": SIGNAL})
    whole.prepare([Batch({"wave": x})])
    monkeypatch.setattr("pellucid.encoders.sequential_fusion.AT_ONCE", 3 * 80)
    pieces.prepare([Batch({"wave": x})])
    assert torch.allclose(whole.updates[0].mean, pieces.updates[0].mean)
    assert torch.allclose(whole.updates[0].scale, pieces.updates[0].scale)


def test_a_number_that_nobody_has_is_refused_by_the_name_of_its_input():
    inputs = numbers()
    mask = torch.ones(12, 3, dtype=torch.bool)
    mask[:, 1] = False
    with pytest.raises(DataError, match="'b': 1 of its 3 numbers"):
        encoder().prepare([Batch(inputs, {"b": mask})])
    with pytest.raises(DataError, match="'b' is not in the training samples"):
        encoder().prepare([Batch({"a": inputs["a"]})])


def test_settings_that_leave_nothing_are_refused_and_the_least_are_not():
    for wrong in (
        {"state": 0},
        {"width": 0},
        {"dropout": 1},
        {"dropout": -0.1},
        {"modality_dropout": 1},
        {"modality_dropout": -0.1},
    ):
        with pytest.raises(ValidationError):
            SequentialFusion.config_type(inputs=INPUTS, **wrong)
    least = encoder({**INPUTS, "wave": SIGNAL}, state=1, width=1, hidden=(), dropout=0.99, modality_dropout=0.99)
    assert least(Batch({**numbers(), "wave": torch.zeros(12, 2, 40)})).values.shape == (12, 1)
    # By default 16 units, and modules of two hidden layers of 32.
    module = sum(parameter.numel() for parameter in encoder().updates[0].parameters())
    assert module == (2 + 1) * 32 + (32 + 1) * 32 + (32 + 16 + 1) * 16


@pytest.mark.parametrize(
    ("order", "why"), [(("a", "bb"), "did you mean 'b'"), (("a",), "once"), (("a", "b", "b"), "once")]
)
def test_an_order_that_is_none_is_refused(order, why):
    with pytest.raises(StudyError, match=why):
        encoder(order=order)


def test_the_order_names_the_tokens():
    assert encoder().token_shapes[""].names == ("start", "a", "b")
    shape = encoder(order=("b", "a"), state=5).token_shapes[""]
    assert (shape.names, shape.count, shape.width) == (("start", "b", "a"), 3, 5)
    with pytest.raises(ValueError, match="3 tokens but 2 names"):
        TokenShape(count=3, width=1, names=("a", "b"))


# --- the head ---------------------------------------------------------------------------------------------------------

STEPS = {"all": TokenShape(count=3, width=2, names=("start", "a", "b"))}


def stepped(count=6, seed=0) -> Representation:
    random = torch.Generator().manual_seed(seed)
    walked = torch.randn(count, 3, 2, generator=random)
    walked[:, 0] = torch.tensor([0.3, -0.2])
    return Representation(walked[:, -1], ("all:s0", "all:s1"), {"all": Tokens(walked)})


def test_contributions_are_differences_of_the_decoder_and_begin_where_nothing_was_read():
    made, z = head(MultiClass(names=("x", "y", "z")), STEPS), stepped()
    made.prior.copy_(torch.tensor([0.1, 0.2, 0.3]))
    weight, bias = made.decoder.weight.detach(), made.decoder.bias.detach()
    for at, name in enumerate(made.outputs):
        found = made.explain(z, name)
        said = z.tokens["all"].values @ weight[at] + bias[at] + made.prior[at]
        assert found.names == ("a", "b")
        assert torch.allclose(found.baseline, said[:, 0])
        assert found.baseline.unique().numel() == 1
        assert torch.allclose(found.contributions, said[:, 1:] - said[:, :-1], atol=1e-6)
        assert torch.allclose(found.output, made(z)[:, at])
        assert float(found.gap.detach().abs().max()) < 1e-6
        assert torch.allclose(
            found.values, (z.tokens["all"].values[:, 1:] - z.tokens["all"].values[:, :-1]).norm(dim=2)
        )


def test_the_loss_is_the_mean_over_all_states_and_not_over_the_last_alone():
    made, z = head(Binary(names=("no", "yes")), STEPS), stepped()
    batch = Batch({}, targets=torch.tensor([[0.0], [1.0], [1.0], [0.0], [1.0], [0.0]]))
    logits = (z.tokens["all"].values @ made.decoder.weight[0] + made.decoder.bias[0]).detach()
    each = functional.binary_cross_entropy(logits.sigmoid(), batch.targets.expand(6, 3))
    assert made.loss(z, batch).item() == pytest.approx(each.item(), rel=1e-5)


def test_the_penalty_is_on_the_squared_change_of_the_state():
    z, batch = stepped(), Batch({}, targets=torch.tensor([[0.0], [1.0], [1.0], [0.0], [1.0], [0.0]]))
    free, held = (head(Binary(names=("no", "yes")), STEPS, state_change=s).loss(z, batch).item() for s in (0.0, 0.5))
    walked = z.tokens["all"].values.numpy()
    assert held - free == pytest.approx(0.5 * (np.diff(walked, axis=1) ** 2).sum(2).mean(), rel=1e-5)


def test_numbers_are_decoded_in_their_own_units():
    made, z = head(Regression(names=("age",), units=("years",)), STEPS), stepped(200)
    labels = torch.randn(200, 1, generator=torch.Generator().manual_seed(1)) * 20 + 50
    made.prepare([(z, Batch({}, targets=labels))])
    wanted = labels.mean() + labels.std(correction=0) * (z.values @ made.decoder.weight[0] + made.decoder.bias[0])
    assert torch.allclose(made(z)[:, 0], wanted.detach(), atol=1e-3)


def test_the_states_are_found_among_other_tokens_by_their_names():
    places = {"ecg": TokenShape(count=9, width=3)}
    target = Binary(names=("no", "yes"))
    assert head(target, {**places, **STEPS}).tokens_name == "all"
    assert head(target, {**places, **STEPS}, tokens_name="ecg").step_names == tuple(f"step {at}" for at in range(1, 9))
    with pytest.raises(StudyError, match="option tokens_name"):
        head(target, {"one": STEPS["all"], "two": STEPS["all"]})
    with pytest.raises(StudyError, match="did you mean 'all'"):
        head(target, STEPS, tokens_name="al")


def test_settings_of_earlier_runs_are_read():
    asked = {"units": ("all:s0",), "target": Binary(names=("no", "yes")), "tokens": STEPS, "states": "all"}
    assert CumulativeConfig.model_validate(asked).tokens_name == "all"


def test_a_representation_without_its_states_is_refused():
    with pytest.raises(ContractError, match="tokens 'all', which this representation does not have"):
        head(Binary(names=("no", "yes")), STEPS)(Representation(torch.zeros(2, 1), ("all:s0",)))


def test_an_input_that_is_missing_adds_nothing_and_the_rest_is_named():
    data = modalities({"m1": 1.0, "m2": 0.0}, 20, seed=0)
    model = fusion(data.spec, order=("m2", "m1"))
    batch = collate(data, range(20), "y")
    z = model.encode(dataclasses.replace(batch, masks={"m2": half(20)}))
    found = model.head.explain(z, "yes")
    assert found.names == ("m2", "m1")
    assert (found.contributions[~half(20), 0] == 0).all()
    assert (found.contributions[half(20), 0] != 0).all()
    assert (found.values[~half(20), 0] == 0).all()
