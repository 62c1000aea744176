"""EEGFormer: spectra and patches by hand, what is not known, sizes, channels, and a reconstruction that learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pellucid.batch import Batch
from pellucid.data.spec import Signal
from pellucid.errors import StudyError
from pellucid.regions import FrequencyBand
from pellucid_eeg.encoders.eegformer import EegFormer
from pellucid_eeg.encoders.spectra import amplitudes, bands, patches, standardised

CHANNELS = ("F3", "F4", "O1")
SMALL = {
    "width": 16,
    "depth": 1,
    "heads": 2,
    "feed_forward": 32,
    "codes": 16,
    "decoder_depth": 1,
    "patch": 8,
    "stride": 8,
}


def spec(length: int = 128) -> Signal:
    return Signal(channels=CHANNELS, length=length, rate_hz=64.0, units="uV")


def encoder(length: int = 128, **options) -> EegFormer:
    torch.manual_seed(0)
    return EegFormer(EegFormer.config_type(inputs={"x": spec(length)}, **{**SMALL, **options})).eval()


def signals(count: int = 6, length: int = 128, seed: int = 0) -> torch.Tensor:
    return 10 * torch.randn(count, len(CHANNELS), length, generator=torch.Generator().manual_seed(seed)) + 3


@torch.no_grad()
def codes(made: EegFormer, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    return made(Batch({"x": x}, {} if mask is None else {"x": mask})).tokens[""].codes


# --- spectra ----------------------------------------------------------------------------------------------------------


def test_channels_are_standardised_over_what_is_known_by_a_computation_apart():
    x, known = signals(), torch.rand(6, 3, 128, generator=torch.Generator().manual_seed(1)) < 0.7
    known[2, 1] = False
    found, deviation, there = standardised(torch.where(known, x, torch.full_like(x, 1e5)), known)
    for sample, channel in np.ndindex(6, 3):
        own = x[sample, channel][known[sample, channel]].double()
        if (sample, channel) == (2, 1):
            assert not there[sample, channel]
            assert not found[sample, channel].any()
            continue
        expected = (own - own.mean()) / own.std(correction=0)
        assert torch.allclose(found[sample, channel][known[sample, channel]].double(), expected, atol=1e-4)
        assert float(deviation[sample, channel]) == pytest.approx(float(own.std(correction=0)), rel=1e-4)
    assert not found[~known].any()


def test_a_flat_channel_has_an_empty_spectrum_and_is_known():
    x = signals()
    x[0, 1] = 7.0
    found, deviation, there = standardised(x)
    assert not found[0, 1].any()
    assert deviation[0, 1] == 0
    assert there.all()


def test_white_noise_has_mean_square_one_and_a_wave_its_peak_at_its_frequency():
    noise = torch.randn(500, 128, generator=torch.Generator().manual_seed(0))
    assert float(amplitudes(noise)[:, 1:-1].square().mean()) == pytest.approx(1.0, abs=0.02)
    wave = torch.sin(2 * torch.pi * 10 * torch.arange(128) / 64)
    assert torch.fft.rfftfreq(128, 1 / 64)[amplitudes(wave).argmax()] == 10


@pytest.mark.parametrize(
    ("bins", "length", "stride"), [(65, 8, 8), (257, 64, 64), (65, 8, 4), (65, 64, 64), (64, 64, 8)]
)
def test_patches_are_those_of_plain_loops_and_as_many_as_published(bins, length, stride):
    spectrum = torch.arange(float(bins))
    longer = list(range(bins)) + [bins - 1] * stride
    expected = [longer[at : at + length] for at in range(0, len(longer) - length + 1, stride)]
    assert patches(spectrum, length, stride).tolist() == expected
    assert len(expected) == (bins - length) // stride + 2


def test_bands_hold_the_frequencies_of_their_patch():
    made = encoder()
    hz = made.patch_positions().unflatten(0, (3, -1))
    for channel, name in enumerate(CHANNELS):
        for at, band in enumerate(bands(spec(), 8, 8)[channel * made.count : (channel + 1) * made.count]):
            real = hz[channel, at][hz[channel, at].isfinite()]
            assert band.channels == (name,)
            assert (real >= band.low_hz).all()
            assert (real <= band.high_hz).all()
            assert band.high_hz - band.low_hz <= 8 * 0.5
    assert made.regions()[-1] == FrequencyBand(("O1",), 31.75, 32.0)


@pytest.mark.parametrize(("length", "patch", "stride"), [(126, 8, 8), (127, 8, 8), (126, 64, 64), (14, 2, 4)])
def test_a_patch_behind_the_end_of_the_spectrum_has_the_band_of_the_last_value_that_it_repeats(length, patch, stride):
    last = bands(spec(length), patch, stride)[-1]
    assert patches(torch.arange(length // 2 + 1.0), patch, stride)[-1].unique().tolist() == [length // 2]
    assert last.low_hz == pytest.approx((length // 2 - 0.5) * 64 / length)
    assert last.high_hz == pytest.approx(min(32.0, (length // 2 + 0.5) * 64 / length))


# --- the encoder ------------------------------------------------------------------------------------------------------


def test_a_network_as_it_is_set_has_as_many_parameters_and_tokens_as_a_pencil_counts():
    """Patches of 64 bins of a spectrum of 257, six layers in and three out, 128 wide, four times that between, 512 codes."""
    made = EegFormer(EegFormer.config_type(inputs={"x": spec(512)}))

    def linear(a, b):
        return a * b + b

    layer = 4 * linear(128, 128) + linear(128, 512) + linear(512, 128) + 2 * 2 * 128
    # Of four seconds at 64 Hz: four patches of 64 of 257 bins, and one behind them.
    patches_ = (257 - 64) // 64 + 2
    expected = linear(64, 128) + patches_ * 128 + 9 * layer + 512 * 128 + linear(128, 64)
    assert sum(one.numel() for one in made.parameters()) == expected
    assert len(made.encoder) == 6
    assert made.encoder[0].self_attn.num_heads == 8
    with torch.no_grad():
        tokens = made.eval()(Batch({"x": signals(2, 512)})).tokens[""]
    shape = made.token_shapes[""]
    assert (shape.count, shape.width) == tokens.values.shape[1:] == (3 * patches_, 128)
    assert (shape.line, shape.codebook) == (patches_, 512)
    assert len(tokens.regions) == 3 * patches_


def test_size_and_level_of_a_channel_change_no_code_and_amplitude_adds_them():
    x = signals()
    louder = x * torch.tensor([2.0, 5.0, 0.3])[:, None] + 40
    assert torch.equal(codes(encoder(), x), codes(encoder(), louder))
    made = encoder(amplitude=True)
    with torch.no_grad():
        units = [made(Batch({"x": one})) for one in (x, louder)]
    assert units[0].names[-3:] == ("log rms F3", "log rms F4", "log rms O1")
    for one, z in zip((x, louder), units, strict=True):
        assert torch.allclose(z.values[:, -3:], one.std(-1, correction=0).log1p(), atol=1e-4)
    assert torch.allclose(units[0].values[:, :-3], units[1].values[:, :-3], atol=1e-5)


def test_a_shifted_signal_has_the_same_codes():
    # Amplitudes forget phases: a circular shift is invisible.
    x = signals()
    assert torch.equal(codes(encoder(), x), codes(encoder(), x.roll(37, -1)))


def test_channels_are_encoded_by_themselves():
    x = signals()
    other = x.clone()
    other[:, 1] = signals(seed=9)[:, 1]
    before, after = (codes(encoder(), one).unflatten(1, (3, -1)) for one in (x, other))
    assert torch.equal(before[:, [0, 2]], after[:, [0, 2]])
    assert (before[:, 1] != after[:, 1]).any()


def test_a_channel_of_which_nothing_is_known_has_no_codes_and_no_part_in_units_and_loss():
    x, mask = signals(), torch.ones(6, 3, 128, dtype=torch.bool)
    mask[:, 1] = False
    made = encoder()
    absurd = x.clone()
    absurd[:, 1] = 1e4
    assert (codes(made, absurd, mask).unflatten(1, (3, -1))[:, 1] == -1).all()
    with torch.no_grad():
        masked = made(Batch({"x": absurd}, {"x": mask})).values
        tokens = made(Batch({"x": x})).tokens[""].values.unflatten(1, (3, -1))
        assert torch.allclose(masked, tokens[:, [0, 2]].mean((1, 2)), atol=1e-5)
        nothing = made(Batch({"x": x}, {"x": torch.zeros(6, dtype=torch.bool)}))
        assert not nothing.values.any()
        losses = [float(made.loss(Batch({"x": one}, {"x": mask}))) for one in (x, absurd)]
    assert losses[0] == losses[1]
    assert losses[0] != float(made.loss(Batch({"x": x})))


def test_overlapping_patches_are_put_together_by_their_mean():
    made = encoder(stride=4)
    with torch.no_grad():
        made.outward.weight.zero_()
        made.outward.bias.copy_(torch.arange(8.0))
        found = made.reconstructed(torch.zeros(1, 3, made.count, 16))
    # Every bin but those at the ends is in two patches, once in the first half and once in the second.
    assert found[0, 0, 4:12].tolist() == [2.0, 3.0, 4.0, 5.0, 2.0, 3.0, 4.0, 5.0]
    assert found[0, 0, :4].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert found.shape == (1, 3, 65)


def test_what_is_encoded_of_a_token_is_its_part_of_the_spectrum():
    made, x = encoder(log=True), signals()
    spectrum = amplitudes(standardised(x)[0]).log1p()
    found = made.patches(Batch({"x": x})).unflatten(1, (3, -1))
    assert torch.allclose(found[:, 2, 3], spectrum[:, 2, 24:32])


def test_it_learns_to_reconstruct_and_its_loss_is_error_and_codebook():
    time_s = torch.arange(128) / 64
    rng = torch.Generator().manual_seed(0)
    hz = torch.tensor([3.0, 7.0, 12.0, 20.0])[torch.randint(4, (256, 3), generator=rng)]
    x = torch.sin(2 * torch.pi * hz[..., None] * time_s) + 0.1 * torch.randn(256, 3, 128, generator=rng)
    made = encoder(restart_steps=20, restart_share=0.01)
    made.prepare([Batch({"x": x})])
    optimizer = torch.optim.AdamW(made.parameters(), 3e-3)

    def error() -> tuple[float, float]:
        with torch.no_grad():
            found, spectrum, _ = made.eval().quantised(Batch({"x": x}))
            loss = (made.reconstructed(found.values) - spectrum).square().mean()
            assert float(made.loss(Batch({"x": x}))) == pytest.approx(float(loss + found.loss), rel=1e-5)
            return float(loss), float((spectrum - spectrum.mean((0, 1))).square().mean())

    assert error()[0] > error()[1]
    made.train()
    for step in range(120):
        optimizer.zero_grad()
        made.train().loss(Batch({"x": x[(step % 4) * 64 :][:64]})).backward()
        optimizer.step()
        made.settle()
    final, of_the_mean = error()
    assert final < 0.3 * of_the_mean


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"heads": 3}, "cannot be shared by 3 heads"),
        ({"stride": 9}, "seen by none"),
        ({"patch": 70, "stride": 70}, "do not fit a spectrum of 65"),
    ],
)
def test_settings_that_do_not_fit_are_refused(options, match):
    with pytest.raises(StudyError, match=match):
        encoder(**options)
