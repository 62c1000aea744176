"""The encoder of GLIM: what it counts, what it must not look at, and where it starts."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pellucid.batch import Batch
from pellucid.data.spec import Signal, Text
from pellucid.errors import StudyError
from pellucid_eeg.encoders.glim import Glim, GlimConfig
from pellucid_eeg.encoders.glim_blocks import Attention, MergingBlock, PromptedBlock, place_table

SMALL = {"width": 16, "blocks": 2, "merging_blocks": 2, "heads": 4, "queries": 4, "query_width": 24, "silent": {}}


def inputs(channels=12, length=32):
    eeg = Signal(channels=tuple(f"E{at}" for at in range(channels)), length=length, rate_hz=128.0, units="uV")
    return {"eeg": eeg, "prompt": Text(vocabulary=31, length=3)}


def encoder(**options):
    torch.manual_seed(0)
    return Glim(GlimConfig(inputs=inputs(), **{**SMALL, **options})).eval()


def batch(count=5, seed=0):
    chance = torch.Generator().manual_seed(seed)
    mask = torch.arange(32) < torch.tensor([32, 20, 9, 30, 1])[:count, None]
    return Batch(
        {
            "eeg": torch.randn(count, 12, 32, generator=chance),
            "prompt": torch.tensor([[1, 1, 4], [2, 1, 5], [1, 2, 6], [2, 2, 7], [1, 1, 8]])[:count],
        },
        {"eeg": mask[:, None].expand(-1, 12, -1)},
    )


@torch.no_grad()
def said(model, of):
    return model(of).tokens[""].values


def shaken(model):
    """As after training: nothing is zero any more."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    return model


def test_the_published_network_has_as_many_parameters_as_a_pencil_counts():
    full = Glim(GlimConfig(inputs=inputs(104, 1280)))
    d, t, w, q = 128, 1280, 256, 96

    def linear(a, b):
        return a * b + b

    def attention(width):
        return 4 * linear(width, width)

    def mlp(width):
        return linear(width, 4 * width) + linear(4 * width, width)

    prompts = (3 + 3 + 31) * d + 3
    over_time = 6 * (attention(d) + mlp(d) + linear(d, 6 * d) + linear(d, 2 * t))
    merging = 6 * (2 * attention(w) + mlp(w) + 3 * 2 * w)
    between = linear(d, w) + 2 * w + q * w + 2 * w
    assert prompts == 4739
    assert over_time == 6 * 627072
    assert merging == 6 * 1053440
    assert sum(p.numel() for p in full.parameters()) == prompts + over_time + merging + between == 10_146_435
    assert full.token_shapes[""].count == 96
    assert full.token_shapes[""].width == 256
    # Channels beyond the 104 are zeros and no layer stands before the first block.
    assert full.narrowed is None


@torch.no_grad()
def test_the_published_network_runs_on_ten_seconds():
    full = Glim(GlimConfig(inputs=inputs(104, 1280))).eval()
    z = full(Batch({"eeg": torch.randn(1, 104, 1280), "prompt": torch.ones(1, 3, dtype=torch.long)}))
    assert z.tokens[""].values.shape == (1, 96, 256)


def test_an_untrained_network_says_the_same_whatever_the_prompt_and_a_trained_one_does_not():
    model, one = encoder(), batch()
    other = one.with_input("prompt", torch.zeros(5, 3, dtype=torch.long))
    assert (said(model, one) - said(model, other)).abs().max() < 1e-6
    shaken(model)
    assert (said(model, one) - said(model, other)).abs().amax((1, 2)).min() > 1e-3


@pytest.mark.parametrize("prepare", [lambda model: model, shaken], ids=["untrained", "trained"])
def test_masked_moments_change_nothing_and_real_ones_do(prepare):
    model, one = prepare(encoder()), batch()
    hidden = torch.where(one.masks["eeg"], one.inputs["eeg"], 1000.0)
    assert torch.equal(said(model, one), said(model, one.with_input("eeg", hidden)))
    seen = one.inputs["eeg"].clone()
    seen[:, :, 0] += 1
    assert (said(model, one) - said(model, one.with_input("eeg", seen))).abs().amax((1, 2)).min() > 1e-4


def test_padding_is_as_if_it_were_not_there():
    """Padded to 32 moments a signal of 20 says what a network for 20 says of it, with the same weights.

    That masked values change nothing is not enough: they are zeros by then, and attention must not look at these either.
    """
    model = shaken(encoder())
    short = Glim(GlimConfig(inputs=inputs(length=20), **SMALL)).eval()
    state = model.state_dict()
    # What a prompt does to each moment is a row for each, scales first and shifts after them.
    for name in [key for key in state if ".moments." in key]:
        state[name] = torch.cat([state[name][:20], state[name][32:52]])
    short.load_state_dict(state)
    one = batch(3)
    padded = replace(one, masks={"eeg": (torch.arange(32) < 20).expand(3, 12, 32)})
    alone = replace(one, inputs={**one.inputs, "eeg": one.inputs["eeg"][:, :, :20]}, masks={})
    assert torch.allclose(said(model, padded), said(short, alone), atol=1e-5)


def test_a_channel_that_is_masked_while_others_are_not_reads_as_zero():
    model, one = shaken(encoder()), batch()
    mask = one.masks["eeg"].clone()
    mask[:, 3] = False
    gone = replace(one, masks={"eeg": mask})
    other = one.inputs["eeg"].clone()
    other[:, 3] = 1000
    assert torch.equal(said(model, gone), said(model, gone.with_input("eeg", other)))
    assert not torch.allclose(said(model, gone), said(model, one))
    zero = one.inputs["eeg"].clone()
    zero[:, 3] = 0
    assert torch.equal(said(model, gone), said(model, one.with_input("eeg", zero)))


def test_a_signal_that_is_missing_altogether_says_nothing_and_no_nan():
    model = shaken(encoder())
    one = batch()
    gone = replace(one, masks={"eeg": torch.tensor([True, False, True, True, True])})
    values = said(model, gone)
    assert values.isfinite().all()
    assert not values[1].any()
    assert values[0].any()


def test_prompts_that_are_always_silent_are_silent_afterwards_too():
    model = shaken(encoder(silent={"dataset": 1.0, "subject": 1.0}))
    one = batch()
    other = one.inputs["prompt"].clone()
    other[:, 1:] = torch.tensor([2, 30])
    assert torch.equal(said(model, one), said(model, one.with_input("prompt", other)))
    other[:, 0] = 0
    assert not torch.allclose(said(model, one), said(model, one.with_input("prompt", other)))


def test_prompts_fall_silent_in_training_as_often_as_is_set():
    model = shaken(encoder(silent={"task": 0.25})).train()
    torch.manual_seed(0)
    many = Batch({"eeg": torch.zeros(4000, 12, 32), "prompt": torch.tensor([[1, 0, 0]]).expand(4000, -1)})
    prompts = model.prompted(many)
    unsaid = model.prompted(many.with_input("prompt", torch.zeros(4000, 3, dtype=torch.long)))[:1]
    share = torch.isclose(prompts, unsaid).all(1).float().mean()
    assert float(share) == pytest.approx(0.25, abs=0.03)
    assert not torch.isclose(model.eval().prompted(many), unsaid).all(1).any()


def test_a_prompt_is_the_sum_of_vectors_times_factors_that_start_at_their_share_of_numbers():
    model = encoder()
    assert model.strengths.tolist() == pytest.approx([3 / 37, 3 / 37, 31 / 37])
    numbers = batch().inputs["prompt"]
    expected = sum(
        strength * table.weight[numbers[:, at]]
        for at, (strength, table) in enumerate(zip(model.strengths, model.tables, strict=True))
    )
    assert torch.allclose(model.prompted(batch()), expected)


def theirs(ours: Attention) -> torch.nn.MultiheadAttention:
    """The attention of torch with the same weights."""
    made = torch.nn.MultiheadAttention(ours.out.in_features, ours.heads, batch_first=True)
    with torch.no_grad():
        made.in_proj_weight.copy_(torch.cat([ours.to_query.weight, ours.to_key.weight, ours.to_value.weight]))
        made.in_proj_bias.copy_(torch.cat([ours.to_query.bias, ours.to_key.bias, ours.to_value.bias]))
        made.out_proj.load_state_dict(ours.out.state_dict())
    return made


def test_attention_is_torchs_and_queries_look_back_alone():
    torch.manual_seed(0)
    ours = Attention(16, 4)
    x, keys, real = torch.randn(2, 3, 16), torch.randn(2, 7, 16), torch.arange(7) < torch.tensor([[7], [4]])
    assert torch.allclose(ours(x, keys, real), theirs(ours)(x, keys, keys, key_padding_mask=~real)[0], atol=1e-6)
    causal = ours(x, x, causal=True)
    later = x.clone()
    later[:, 2] += 1
    assert torch.allclose(ours(later, later, causal=True)[:, :2], causal[:, :2], atol=1e-6)


def test_places_are_sines_then_cosines():
    table = place_table(10, 8)
    assert table[3, 1].item() == pytest.approx(torch.tensor(3 / 10000**0.25).sin().item())
    assert table[3, 5].item() == pytest.approx(torch.tensor(3 / 10000**0.25).cos().item())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"prompts": {"task": 3}}, "prompts have 3 places, and 1 are named"),
        ({"inputs": {"a": inputs()["eeg"], "b": inputs()["eeg"]}}, "reads one signal"),
    ],
)
def test_what_does_not_fit_is_refused(options, told):
    with pytest.raises(StudyError, match=told):
        Glim(GlimConfig(**{"inputs": inputs(), **SMALL, **options}))


def normalised(x, epsilon):
    """To mean 0 and variance 1 over the width, by numpy."""
    values = x.double().numpy()
    return (values - values.mean(-1, keepdims=True)) / np.sqrt(values.var(-1, keepdims=True) + epsilon)


def two_layers_of(mlp, values):
    """Two layers with the tanh form of the GELU between, by its formula."""
    first, _, second = mlp
    hidden = values @ first.weight.double().numpy().T + first.bias.double().numpy()
    hidden = 0.5 * hidden * (1 + np.tanh(np.sqrt(2 / np.pi) * (hidden + 0.044715 * hidden**3)))
    return hidden @ second.weight.double().numpy().T + second.bias.double().numpy()


@torch.no_grad()
def test_a_block_over_time_is_steered_as_its_formula_says():
    torch.manual_seed(0)
    block = shaken(PromptedBlock(16, 4, 7))
    # Small states, so that it shows what the normalisation adds to their variance.
    x, prompt, real = 0.01 * torch.randn(3, 7, 16), torch.randn(3, 16), torch.arange(7) < torch.tensor([[7], [4], [1]])
    told = (prompt / (1 + (-prompt).exp())).double().numpy()
    moments, steering = (
        told @ layer.weight.double().numpy().T + layer.bias.double().numpy()
        for layer in (block.moments, block.steering)
    )
    moved = x.double().numpy() * (1 + moments[:, :7, None]) + moments[:, 7:, None]
    shift1, scale1, gate1, shift2, scale2, gate2 = (steering[:, None, at * 16 : at * 16 + 16] for at in range(6))
    steered = torch.from_numpy(normalised(torch.from_numpy(moved), 1e-6) * (1 + scale1) + shift1).float()
    looked = theirs(block.attention)(steered, steered, steered, key_padding_mask=~real)[0].double().numpy()
    moved = moved + gate1 * looked
    expected = moved + gate2 * two_layers_of(
        block.mlp, normalised(torch.from_numpy(moved), 1e-6) * (1 + scale2) + shift2
    )
    np.testing.assert_allclose(block(x, prompt, real).numpy(), expected, atol=1e-5)
    # Each of the eight says something here.
    assert min(np.abs(one).max() for one in (moments, shift1, scale1, gate1, shift2, scale2, gate2)) > 0.1


@torch.no_grad()
def test_a_block_of_queries_looks_at_those_before_then_at_moments_and_adds_each():
    torch.manual_seed(0)
    block = shaken(MergingBlock(16, 4))
    queries, states, real = torch.randn(2, 5, 16), torch.randn(2, 7, 16), torch.arange(7) < torch.tensor([[7], [4]])

    def norm(at, x):
        scale, shift = (one.double().numpy() for one in (block.norms[at].weight, block.norms[at].bias))
        return torch.from_numpy(normalised(x, 1e-5) * scale + shift).float()

    later = torch.ones(5, 5).triu(1).bool()
    x = norm(0, queries)
    before = queries
    queries = queries + theirs(block.among)(x, x, x, attn_mask=later)[0]
    x = norm(1, queries)
    expected = queries + theirs(block.across)(x, states, states, key_padding_mask=~real)[0]
    expected = expected.numpy() + two_layers_of(block.mlp, norm(2, expected).double().numpy())
    np.testing.assert_allclose(block(before, states, real).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"width": 12}, "must divide half the width"),
        ({"query_width": 26}, "must divide half the width"),
        ({"silent": {"nobody": 0.5}}, "'nobody' = 0.5 is no prompt"),
        ({"silent": {"task": 1.5}}, "'task' = 1.5 is no prompt"),
    ],
)
def test_settings_that_no_network_has_are_refused(options, told):
    with pytest.raises(ValueError, match=told):
        GlimConfig(**{"inputs": inputs(), **SMALL, **options})
