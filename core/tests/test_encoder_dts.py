"""The sequence auto-encoder in single units and in groups: its objective, what it learns from, what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.distributions import Normal
from torch.nn import functional

from pellucid.batch import Batch, collate
from pellucid.data.spec import COVARIATES, Signal
from pellucid.encoders.adversary import information, ramp
from pellucid.encoders.dts.encoder import Dts
from pellucid.encoders.dts.groups import UNKNOWN, Groups, check_labels
from pellucid.encoders.dts.network import Frames
from pellucid.encoders.dts.settings import DtsConfig
from pellucid.encoders.kl_decomposition import exact_parts, minibatch_group_information, minibatch_parts
from pellucid.errors import ContractError, DataError, StudyError
from pellucid.kinds import KINDS
from pellucid.part import configured
from pellucid.plugins import components
from pellucid.testing import encoders as kept
from pellucid.testing.planted import planted
from pellucid.testing.waves import waves
from pellucid.training.fit import Session, Sides, fit_encoder
from pellucid.training.loop import Watcher
from pellucid.training.settings import TrainingSettings

GROUPS = {"latent": 3, "domain_latent": 2, "classes": 5, "domain": "device", "domains": 6}


def dts(data=None, covariates: bool = False, **options) -> Dts:
    data = data or waves(60, subjects=24)
    torch.manual_seed(0)
    inputs = {name: spec for name, spec in data.spec.inputs.items() if spec.kind == "signal"}
    if covariates:
        inputs[COVARIATES] = data.spec.input(COVARIATES)
    return Dts(DtsConfig(inputs=inputs, **{"latent": 4, "hidden": 8, "frame": 8} | options))


def grouped(**options) -> tuple[Dts, Batch]:
    data = waves(60, subjects=24)
    batch = collate(data, range(60), "frequency")
    encoder = dts(data, covariates=True, **{**GROUPS, **options})
    encoder.prepare([batch])
    return encoder, batch


# --- the network ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", [1, 5, 64, 100])
def test_frames_cut_and_joined_are_the_signal(frame):
    x = torch.randn(3, 2, 64, generator=torch.Generator().manual_seed(0))
    frames = Frames(channels=2, length=64, frame=frame)
    cut = frames.cut(x)
    assert cut.shape == (3, frames.steps, frames.width)
    assert torch.equal(frames.join(cut), x)
    # A step reads consecutive samples of all channels, and nothing of the next step's.
    assert torch.equal(cut[0, 0, : min(frame, 64)], x[0, 0, :frame])


def test_every_step_of_the_decoder_follows_from_the_latent_alone():
    encoder, batch = grouped()
    values = encoder.eval()(batch).values.detach().requires_grad_(True)
    encoder.decode(values)[0, :, -1].sum().backward()
    assert (values.grad[0] != 0).all()
    assert (values.grad[1:] == 0).all()


# --- the objective ----------------------------------------------------------------------------------------------------


def reference(encoder: Dts, batch: Batch) -> torch.Tensor:
    """The objective of evaluation mode from its definition: densities by dimension, and reconstruction by the library."""
    config = encoder.config
    mean, log_variance = encoder.posterior(batch)
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
    z = mean + (0.5 * log_variance).exp() * noise
    x = (batch.inputs["wave"] - encoder.mean[:, None]) / encoder.scale[:, None]
    likely = Normal(encoder.outward(z), config.noise).log_prob(x).flatten(1).sum(1)
    best = Normal(x, config.noise).log_prob(x).flatten(1).sum(1)
    parts = minibatch_parts(z, mean, log_variance, int(encoder.count))
    weighed = config.beta * (parts.total_correlation + parts.dimension_wise) + (1 - config.alpha) * parts.information
    loss = (best - likely + weighed).mean()
    if config.domain_latent:
        between = minibatch_group_information(z, mean, log_variance, config.latent, int(encoder.count))
        loss = loss + config.independence * between.mean()
        readers, (one, other) = encoder.groups.readers, z.split(encoder.groups.units, 1)
        standard = (mean - mean.mean(0)) / mean.std(0)
        plain_one, plain_other = standard.split(encoder.groups.units, 1)
        y, d = batch.targets[:, 0].long(), encoder.domains.numbers(batch)
        loss = loss + config.class_weight * functional.cross_entropy(readers["class"](one), y)
        loss = loss + config.domain_weight * functional.cross_entropy(readers["domain"](other), d)
        hidden = functional.cross_entropy(readers["domain adversary"](plain_one), d).clamp(max=np.log(6))
        loss = loss - config.domain_adversary * hidden
        hidden = functional.cross_entropy(readers["class adversary"](plain_other), y).clamp(max=np.log(5))
        loss = loss - config.class_adversary * hidden
        at_once = information(plain_one, functional.one_hot(d, 6)[:, :5].float()).clamp(min=0)
        loss = loss + config.domain_adversary * at_once
        at_once = information(plain_other, functional.one_hot(y, 5)[:, :4].float()).clamp(min=0)
        loss = loss + config.class_adversary * at_once
    return loss


@pytest.mark.parametrize(
    "options",
    [
        {"alpha": 0.0, "beta": 3.0},
        {"alpha": 10.0, "beta": 1.0, "noise": 0.5},
        {"class_weight": 2.0, "domain_weight": 3.0},
    ],
)
def test_loss_is_that_of_its_definition(options):
    with torch.no_grad():
        encoder, batch = grouped(**options)
        encoder.eval()
        assert torch.allclose(encoder.loss(batch), reference(encoder, batch), rtol=1e-4)
        single = dts(**{k: v for k, v in options.items() if k in ("alpha", "beta", "noise")})
        single.prepare([batch])
        assert torch.allclose(single.eval().loss(batch), reference(single, batch), rtol=1e-4)


def test_divergence_warms_up_over_passes_and_goes_on_where_it_was():
    encoder, batch = grouped(warm_up=2.0, beta=1000.0, class_adversary=0.0, domain_adversary=0.0)
    encoder.train()
    torch.manual_seed(1)
    start = encoder.loss(batch).item()
    assert int(encoder.seen) == 60
    torch.manual_seed(1)
    half = encoder.loss(batch).item()
    encoder.loss(batch)
    torch.manual_seed(1)
    full = encoder.loss(batch).item()
    torch.manual_seed(1)
    still = encoder.loss(batch).item()
    assert full - half == pytest.approx(half - start, rel=0.02)
    assert abs(full - start) > 100
    assert still == pytest.approx(full, rel=1e-4)
    again = Dts(encoder.config)
    again.load_state_dict(encoder.state_dict())
    torch.manual_seed(1)
    assert again.train().loss(batch).item() == pytest.approx(still, rel=1e-5)


def test_what_is_told_at_once_weighs_more_as_adversaries_do():
    options = {"warm_up": 0.0, "ramp": 2.0, "class_adversary": 3.0, "domain_adversary": 7.0}
    encoder, batch = grouped(**options)
    still, _ = grouped(**{**options, "class_adversary": 0.0, "domain_adversary": 0.0})
    with torch.no_grad():
        mean, _ = encoder.posterior(batch)
        found = encoder.groups.information_of_other(mean, batch.targets, encoder.domains.numbers(batch))
    assert min(found) > 0
    for done in (0.0, 0.5, 1.0):
        losses = []
        for one in (encoder, still):
            one.seen.fill_(round(60 * 2 * done))
            torch.manual_seed(1)
            losses.append(one.train().loss(batch).item())
        expected = ramp(done) * float(7 * found[0] + 3 * found[1])
        assert losses[0] - losses[1] == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_looking_is_no_learning():
    encoder, batch = grouped()
    first = encoder.eval().loss(batch)
    assert torch.equal(first, encoder.loss(batch))
    assert int(encoder.seen) == 0


def test_log_variance_has_a_floor():
    encoder, batch = grouped()
    with torch.no_grad():
        encoder.parameters_of.bias[5:] = -50.0
    assert encoder.posterior(batch)[1].min() == -8


def taught(seed: int = 0) -> tuple[Groups, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Groups whose domain adversary has learnt these very samples by heart, and the samples."""
    torch.manual_seed(seed)
    groups = Groups((3, 2), classes=4, domains=6)
    z, labels, domains = torch.randn(32, 5), torch.randint(4, (32, 1)).float(), torch.randint(6, (32,))
    optimizer = torch.optim.Adam(groups.readers["domain adversary"].parameters(), 0.02)
    for _ in range(60):
        lost, _ = groups.adversaries_loss(z, labels, domains, (0.0, 0.0))
        optimizer.zero_grad()
        lost.backward()
        optimizer.step()
    assert lost < 1
    groups.zero_grad()
    return groups, z.requires_grad_(True), labels, domains


def test_readers_please_and_adversaries_work_against():
    groups, z, labels, domains = taught()
    lost, _ = groups.adversaries_loss(z, labels, domains, (0.5, 0.0))
    lost.backward()
    adversary = groups.readers["domain adversary"]
    turned, learnt = z.grad.clone(), adversary[0].weight.grad.clone()
    z.grad = adversary[0].weight.grad = None
    plain, _ = groups.adversaries_loss(z, labels, domains, (-1.0, 0.0))
    plain.backward()
    assert torch.allclose(turned, -0.5 * z.grad, atol=1e-7)
    assert torch.equal(learnt, adversary[0].weight.grad)
    # The class group is looked at for the domain, and the domain group is left alone by that.
    assert (z.grad[:, :3] != 0).any()
    assert (z.grad[:, 3:] == 0).all()


def test_an_adversary_worse_than_chance_learns_on_but_is_not_worked_against():
    groups, z, labels, domains = taught()
    # Right about the shifted domains never: against a wrong adversary a group gains by telling the domain, wrongly.
    lost, _ = groups.adversaries_loss(z, labels, (domains + 1) % 6, (0.5, 0.5))
    assert lost > groups.chance(labels)[0]
    lost.backward()
    assert (z.grad == 0).all()
    assert (groups.readers["domain adversary"][0].weight.grad != 0).any()


@pytest.mark.parametrize("several", [False, True])
def test_what_is_told_at_once_is_of_the_other_group_and_of_who_is_known(several):
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(120, 5, generator=generator)
    numbers, domains = torch.randint(4, (120,), generator=generator), torch.randint(6, (120,), generator=generator)
    z[:, 0] += domains
    z[:, 4] += numbers
    several_labels = functional.one_hot(numbers, 4)[:, :3].float()
    labels = several_labels if several else numbers[:, None].float()
    labels[100:], domains[90:] = torch.nan, UNKNOWN
    groups = Groups((3, 2), classes=3 if several else 4, domains=6)
    of_domain, of_class = groups.information_of_other(z, labels, domains)
    columns = functional.one_hot(domains[:90], 6)[:, :5].float()
    assert torch.allclose(of_domain, information(z[:90, :3], columns))
    assert torch.allclose(of_class, information(z[:100, 3:], several_labels[:100]))
    assert min(of_domain, of_class) > 0.3
    # Nor does the group that may tell it say anything here.
    silent = groups.information_of_other(torch.cat([z[:, 1:4], z[:, [0, 1]]], 1), labels, domains)
    assert max(silent) < 0.3
    assert [lost.item() for lost in groups.information_of_other(z, None, None)] == [0.0, 0.0]
    assert [lost.item() for lost in Groups((3, 2), 0, 0).information_of_other(z, labels, domains)] == [0.0, 0.0]


def test_an_adversary_reads_small_numbers_as_well_as_large_ones():
    groups = Groups((3, 2), classes=4, domains=6)
    z, domains = torch.randn(32, 5), torch.randint(6, (32,))
    lost, _ = groups.adversaries_loss(z, None, domains, (1.0, 1.0))
    small, _ = groups.adversaries_loss(0.01 * z + 5, None, domains, (1.0, 1.0))
    assert torch.allclose(lost, small, rtol=1e-3)


# --- labels and domains -----------------------------------------------------------------------------------------------


def test_labels_and_domains_that_are_missing_weigh_nothing():
    encoder, batch = grouped(independence=0.0, beta=0.0)
    some = torch.arange(60) < 30
    targets = torch.where(some[:, None], batch.targets, torch.nan)
    mask = batch.masks[COVARIATES].clone()
    mask[:, 0] &= some
    z = torch.randn(60, 5)
    domains = encoder.domains.numbers(replace(batch, masks={COVARIATES: mask}))
    assert ((domains == UNKNOWN) == ~some).all()
    missing = encoder.groups.readers_loss(z, targets, domains)
    there = encoder.groups.readers_loss(z[:30], batch.targets[:30], encoder.domains.numbers(batch)[:30])
    assert all(torch.allclose(a, b) for a, b in zip(missing, there, strict=True))
    nobody = encoder.groups.readers_loss(z, torch.full_like(targets, torch.nan), torch.full_like(domains, UNKNOWN))
    assert [lost.item() for lost in nobody] == [0.0, 0.0]
    loss = encoder.train().loss(replace(batch, targets=torch.full_like(targets, torch.nan)))
    loss.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in encoder.parameters())


def test_several_labels_are_a_yes_or_no_each():
    torch.manual_seed(0)
    groups, z = Groups((3, 2), classes=4, domains=0), torch.randn(8, 5)
    labels = torch.randint(2, (8, 4)).float()
    told, _ = groups.readers_loss(z, labels, None)
    expected = functional.binary_cross_entropy_with_logits(groups.readers["class"](z[:, :3]), labels) * 4
    assert torch.allclose(told, expected)
    assert groups.chance(labels)[1] == pytest.approx(4 * np.log(2))
    assert groups.chance(labels[:, :1])[1] == pytest.approx(np.log(4))
    check_labels(labels, 4)
    with pytest.raises(DataError, match="for 3 classes, but the target has 4 labels"):
        check_labels(labels, 3)
    with pytest.raises(DataError, match="for 3 classes, but the target has 2 labels"):
        check_labels(labels[:, :2], 3)


def test_domains_of_a_group_column_are_kept_as_digests_and_strangers_are_unknown():
    data = planted(("signal",))
    encoder = dts(data, latent=3, domain_latent=2, domain="subject", domains=8)
    known = np.flatnonzero(data.frame["subject"].isin(data.frame["subject"].unique()[:6]))
    encoder.prepare([collate(data, known)])
    numbers = encoder.domains.numbers(collate(data, range(len(data))))
    assert set(numbers[known].tolist()) == set(range(6))
    assert (np.delete(numbers.numpy(), known) == UNKNOWN).all()
    assert len(set(zip(numbers[known].tolist(), data.frame["subject"].iloc[known], strict=True))) == 6
    assert not any(name in repr(encoder.state_dict()) for name in data.frame["subject"])
    encoder.train().loss(collate(data, range(len(data))))


def test_the_encoder_says_what_it_lacks():
    data = waves(60, subjects=24)
    batch = collate(data, range(60), "frequency")
    with pytest.raises(StudyError, match=r"'devise' is no group column.*group columns: subject.*inputs"):
        dts(data, covariates=True, **{**GROUPS, "domain": "devise"}).prepare([batch])
    with pytest.raises(DataError, match=r"come from 6 domains by 'device'.*built for 4: set `domains = 6`"):
        dts(data, covariates=True, **{**GROUPS, "domains": 4}).prepare([batch])
    with pytest.raises(DataError, match="for 3 classes, 0 to 2, but the target reaches from 0 to 4"):
        dts(data, covariates=True, **{**GROUPS, "classes": 3}).prepare([batch])
    with pytest.raises(DataError, match="carry no labels"):
        dts(data, covariates=True, **GROUPS).prepare([collate(data, range(60))])
    inputs = {"wave": data.spec.input("wave")}
    for options, why in (
        ({"domain_latent": 2}, "to tell them apart"),
        ({"domain": "device"}, "give both"),
        ({"classes": 1, "domain_latent": 2}, "two classes"),
    ):
        with pytest.raises(StudyError, match=why):
            configured("encoder", "dts", DtsConfig, options, inputs=inputs)
    vectors = {"ratings": planted(("vector",)).spec.input("vector")}
    with pytest.raises(StudyError, match=r"reads one signal.*given ratings"):
        Dts(DtsConfig(inputs=vectors))
    with pytest.raises(StudyError, match=r"reads one signal.*given wave, ratings"):
        Dts(DtsConfig(inputs={**inputs, **vectors}))


# --- values and swaps -------------------------------------------------------------------------------------------------


def test_groups_are_named_and_swapped():
    encoder, batch = grouped()
    values = encoder.eval()(batch).values.detach()
    assert encoder.names == ("a0", "a1", "a2", "d0", "d1")
    assert dts().names == ("z0", "z1", "z2", "z3")
    swapped = encoder.swap(values[:5], values[5:10])
    mixed = torch.cat([values[:5, :3], values[5:10, 3:]], 1)
    assert torch.equal(swapped, encoder.decode(mixed))
    assert torch.equal(encoder.swap(values, values), encoder.decode(values))
    with pytest.raises(ContractError, match="one group of units"):
        dts().swap(values, values)


@pytest.mark.parametrize("check", KINDS["encoder"].checks)
def test_in_two_groups_it_keeps_the_contract_too(check, monkeypatch):
    component = components("encoder")["core/dts"]
    options = {**GROUPS, "domain": "subject", "domains": 16, "classes": 2, "hidden": 8}
    monkeypatch.setattr(Dts, "example_options", classmethod(lambda cls: options), raising=False)
    getattr(kept, f"encoder_{check}")(component)


def test_a_missing_signal_is_the_prior_and_teaches_nothing():
    encoder, batch = grouped()
    encoder.eval()
    there = torch.arange(60) % 2 == 0
    some = replace(batch, masks={**batch.masks, "wave": there})
    assert (encoder(some).values[~there] == 0).all()
    alone = Batch(
        {name: value[there] for name, value in batch.inputs.items()},
        {name: value[there] for name, value in batch.masks.items()},
        batch.targets[there],
    )
    assert torch.allclose(encoder.loss(some), encoder.loss(alone), rtol=1e-5)
    nobody = replace(batch, masks={**batch.masks, "wave": torch.zeros(60, dtype=torch.bool)})
    assert encoder.loss(nobody) == 0


def test_what_stands_under_a_mask_changes_nothing_that_is_learnt():
    encoder, batch = grouped()
    known = torch.rand(batch.inputs["wave"].shape, generator=torch.Generator().manual_seed(0)) < 0.7
    masks = {**batch.masks, "wave": known}
    spoiled = {**batch.inputs, "wave": torch.where(known, batch.inputs["wave"], torch.tensor(1e6))}
    clean, dirty = replace(batch, masks=masks), replace(batch, inputs=spoiled, masks=masks)
    encoder.prepare([dirty])
    assert encoder.mean.abs().max() < 10
    assert torch.equal(encoder.eval().loss(clean), encoder.loss(dirty))
    assert encoder.loss(clean).isfinite()
    known[:, 1] = False
    with pytest.raises(DataError, match="'wave': a channel is known in no training sample"):
        encoder.prepare([clean])


# --- training ---------------------------------------------------------------------------------------------------------


class Stop(Watcher):
    def epoch(self, done: int, training: float, validation: float) -> None:
        if done == 3:
            raise KeyboardInterrupt


def test_it_learns_with_labels_goes_on_where_it_was_and_remembers_whom_it_learnt_from(tmp_path):
    data = waves(120, subjects=24)
    sides = Sides(data.subset(range(80)), data.subset(range(80, 120)), "frequency")
    settings = TrainingSettings(epochs=6, batch_size=40, patience=None)

    def fitted(session: Session | None = None) -> Dts:
        encoder = dts(data, covariates=True, **GROUPS, warm_up=4.0)
        fit_encoder(encoder, sides, settings, session=session)
        return encoder

    whole = fitted()
    with pytest.raises(KeyboardInterrupt):
        fitted(Session(tmp_path, Stop()))
    resumed = fitted(Session(tmp_path))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert int(whole.seen) > 0
    assert whole.learned_from.knows({"subject": data.frame["subject"]}, data.spec.namespace).all()


def test_a_sine_is_learnt_and_information_is_that_of_its_factors():
    rng = np.random.default_rng(0)
    level = rng.normal(size=400).astype(np.float32)
    x = torch.from_numpy(level)[:, None, None] * torch.sin(torch.linspace(0, 6.28, 32))
    spec = Signal(channels=("only",), length=32, rate_hz=32.0, units="1")
    torch.manual_seed(0)
    encoder = Dts(DtsConfig(inputs={"x": spec}, latent=2, hidden=16, frame=8, beta=1.0, warm_up=3.0))
    batch = Batch({"x": x})
    encoder.prepare([batch])
    optimizer = torch.optim.Adam(encoder.parameters(), 5e-3)
    encoder.train()
    for _ in range(250):
        loss = encoder.loss(Batch({"x": x[torch.randperm(400)[:64]]}))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        mean, log_variance = encoder.eval().posterior(batch)
        again = encoder.decode(mean)
    assert (again - x).square().mean() < 0.1 * x.square().mean()
    best = max(abs(np.corrcoef(mean[:, unit], level)[0, 1]) for unit in range(2))
    assert best > 0.9
    assert exact_parts(mean, log_variance).mean()["information"] > 1
