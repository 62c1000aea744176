import itertools

import pytest
import torch

from pellucid.batch import Batch
from pellucid.data.spec import Image, Signal, Volume
from pellucid.encoders.augment import mirrored, moved
from pellucid.encoders.cnn import Cnn, CnnConfig
from pellucid.encoders.vae_gaussian import VaeGaussian
from pellucid.encoders.window import windowed
from pellucid.errors import DataError, StudyError

CT = Volume(channels=("pixels",), size=(8, 8, 8), units="HU")


def cnn(spec=CT, **options) -> Cnn:
    torch.manual_seed(0)
    return Cnn(CnnConfig(inputs={"pixels": spec}, **options)).eval()


def hu(samples: int = 3) -> torch.Tensor:
    return torch.empty(samples, 1, 8, 8, 8).uniform_(-2000, 2000, generator=torch.Generator().manual_seed(1))


# --- the window -------------------------------------------------------------------------------------------------------


def test_a_window_is_what_clipping_and_scaling_by_hand_is():
    x = hu()
    inside = (x.clamp(-1000, 400) + 1000) / 1400
    assert torch.allclose(windowed(x, (-1000.0, 400.0)), inside)
    by_hand = cnn()(Batch({"pixels": inside})).values
    assert torch.allclose(cnn(window=(-1000.0, 400.0))(Batch({"pixels": x})).values, by_hand, atol=1e-6)
    assert not torch.allclose(cnn()(Batch({"pixels": x})).values, by_hand, atol=1e-2)


def test_values_beyond_a_window_are_all_one():
    x = hu()
    encoder = cnn(window=(-1000.0, 400.0))
    far = torch.where(x > 400, x + 5000, x)
    assert torch.equal(encoder(Batch({"pixels": x})).values, encoder(Batch({"pixels": far})).values)


def test_a_masked_value_reads_as_the_lower_end_of_the_window():
    x = hu()
    known = x < 0
    low = torch.where(known, x, torch.full_like(x, -1000.0))
    encoder = cnn(window=(-1000.0, 400.0))
    masked = encoder(Batch({"pixels": x}, {"pixels": known})).values
    assert torch.allclose(masked, encoder(Batch({"pixels": low})).values, atol=1e-6)


@pytest.mark.parametrize("made", [Cnn, VaeGaussian])
def test_an_empty_window_is_refused(made):
    with pytest.raises(DataError, match="window 400 to -1000 of input 'pixels' is empty"):
        made(made.config_type(inputs={"pixels": CT}, window=(400.0, -1000.0)))


# --- ways to lie ------------------------------------------------------------------------------------------------------


def ways(x: torch.Tensor) -> set[bytes]:
    """All mirror images and turns of one sample, by plain transposition."""
    axes = range(1, x.ndim)
    found = set()
    for order in itertools.permutations(axes):
        for flips in itertools.product((False, True), repeat=len(axes)):
            turned = x.permute(0, *order).flip([a for a, f in zip(axes, flips, strict=True) if f])
            found.add(turned.contiguous().numpy().tobytes())
    return found


@pytest.mark.parametrize(("shape", "flips", "turns"), [((4, 4), 4, 8), ((3, 3, 3), 8, 48)])
def test_all_ways_to_lie_are_drawn_and_no_other(shape, flips, turns):
    torch.manual_seed(0)
    one = torch.arange(float(torch.Size(shape).numel())).reshape(1, *shape)
    many = one.expand(2000, 1, *shape).clone()
    every = ways(one)
    assert len(every) == turns
    for augment, count in (("flips", flips), ("turns", turns)):
        drawn = [way.contiguous().numpy().tobytes() for way in moved(many, augment)]
        assert set(drawn) <= every
        assert len(set(drawn)) == count
        often = [drawn.count(way) for way in set(drawn)]
        assert min(often) > 0.5 * 2000 / count
    assert {way[0].contiguous().numpy().tobytes() for way in mirrored(one[None])} <= every
    assert len({way.contiguous().numpy().tobytes() for way in mirrored(one[None])}) == flips


def test_axes_of_other_lengths_keep_their_places():
    x = torch.randn(50, 1, 4, 6, 6)
    assert moved(x, "turns").shape == x.shape


def test_only_a_network_that_learns_is_shown_other_ways():
    torch.manual_seed(0)
    encoder = cnn(augment="turns")
    batch = Batch({"pixels": hu() / 1000})
    first = encoder(batch).values
    assert torch.equal(first, encoder(batch).values)
    assert torch.equal(first, cnn()(batch).values)
    encoder.train()
    assert not torch.allclose(encoder(batch).values, first, atol=1e-4)


def test_time_is_never_mirrored():
    signal = Signal(channels=("a",), length=32, rate_hz=10.0, units="uV")
    with pytest.raises(StudyError, match=r"augment = 'flips' turns images and volumes; an input of kind 'signal'"):
        cnn(signal, augment="flips")
    cnn(Image(channels=("a",), size=(8, 8), units="1"), augment="flips")
