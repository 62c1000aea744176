"""Activations on disk: every row once, in any order, with its sample; padding nowhere; sides as the model's split had them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from pellucid.activations.collecting import collect, rows_of
from pellucid.activations.dataset import ActivationsConfig, ActivationsFolder
from pellucid.activations.layers import Layout, channels_of, find_layer, real_positions
from pellucid.activations.places import region_of
from pellucid.activations.shuffling import Shuffle
from pellucid.activations.writer import Writer
from pellucid.batch import Batch
from pellucid.data import ArrayDataset, Binary, DataSpec, LearnedFrom
from pellucid.data.spec import Image, Signal
from pellucid.errors import ContractError, DataError, RunError
from pellucid.files import sha256
from pellucid.regions import Box

RECORD = np.dtype([("row", "<i4"), ("x", "<f4", (3,))])


def records(count: int) -> np.ndarray:
    found = np.empty(count, RECORD)
    found["row"], found["x"] = np.arange(count), np.arange(count)[:, None]
    return found


def shuffled(folder, count: int, buffer_bytes: int, seed: int = 0) -> np.ndarray:
    shuffle = Shuffle(folder, RECORD, count, buffer_bytes, seed)
    for at in range(0, count, 97):
        shuffle.add(records(count)[at : at + 97])
    return np.concatenate(list(shuffle.shuffled()))


def test_a_shuffle_in_many_files_keeps_every_record_whole_and_once(tmp_path):
    found = shuffled(tmp_path, 5000, 20_000)
    assert Shuffle(tmp_path, RECORD, 5000, 20_000, 0).files > 10
    assert sorted(found["row"]) == list(range(5000))
    assert (found["x"] == found["row"][:, None]).all()
    assert not list(tmp_path.iterdir())


def test_every_place_gets_every_record_as_often(tmp_path):
    """Of 12 records through three files, over many seeds: a chi-square of where record 0 and record 11 come to stand."""
    places = np.zeros((2, 12))
    for seed in range(1200):
        shuffle = Shuffle(tmp_path, RECORD, 12, int(12 * RECORD.itemsize * 1.25), seed)
        assert shuffle.files == 3
        shuffle.add(records(12))
        order = np.concatenate(list(shuffle.shuffled()))["row"]
        places[0, np.flatnonzero(order == 0)[0]] += 1
        places[1, np.flatnonzero(order == 11)[0]] += 1
    # 11 degrees of freedom: 31.3 is passed once in a thousand times.
    assert (((places - 100) ** 2 / 100).sum(1) < 31.3).all()


def spec() -> DataSpec:
    return DataSpec(
        name="waves", namespace="w", inputs={"x": Signal(channels=("a",), length=12, rate_hz=4.0, units="1")},
        targets={"y": Binary(names=("no", "yes"))},
    )  # fmt: skip


def waves(count: int = 40) -> ArrayDataset:
    frame = pd.DataFrame(
        {"subject": [f"p{at // 2}" for at in range(count)], "y": [float(at % 2) for at in range(count)]},
        index=[f"s{at}" for at in range(count)],
    )
    values = np.arange(count * 12, dtype=np.float32).reshape(count, 1, 12) / 100
    mask = np.ones((count, 1, 12), bool)
    # Every third recording ends early; what is behind its end would be seen at once.
    mask[::3, :, 8:] = False
    values[::3, :, 8:] = 1e6
    return ArrayDataset(spec(), frame, {"x": values}, {"x": mask})


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv1d(1, 4, 2, stride=2)
        self.pair = Pair()

    def forward(self, batch: Batch) -> torch.Tensor:
        return self.pair(self.stem(batch.inputs["x"]))[0]


class Pair(nn.Module):
    def forward(self, x):
        return x.mean(2), x


def test_padded_positions_never_appear():
    torch.manual_seed(0)
    model = Net()
    found = collect(model, "stem", waves(), made_by=LearnedFrom())
    assert len(found) == sum(4 if at % 3 == 0 else 6 for at in range(40))
    assert np.abs(found.read(np.arange(len(found))).inputs["activations"]).max() < 1e3
    with torch.no_grad():
        expected = model.stem(torch.from_numpy(waves().read(np.array([1])).inputs["x"]))[0, :, 5]
    row = found.frame.index.get_loc("s1@5")
    np.testing.assert_allclose(found.read(np.array([row])).inputs["activations"][0], expected.numpy(), rtol=1e-6)


def test_a_position_that_is_partly_padding_is_left_out():
    batch = Batch({"x": torch.zeros(1, 2, 12)}, {"x": torch.tensor([[[True] * 7 + [False] * 5, [False] * 12]])})
    assert real_positions(batch, "x", (6,)).tolist() == [[True, True, True, False, False, False]]
    # Of a signal with one channel missing altogether nothing is left out.
    batch = Batch({"x": torch.zeros(1, 2, 12)}, {"x": torch.tensor([[[True] * 12, [False] * 12]])})
    assert real_positions(batch, "x", (6,)).all()
    # A modality that is missing altogether gives no row.
    batch = Batch({"x": torch.zeros(2, 2, 12)}, {"x": torch.tensor([True, False])})
    assert real_positions(batch, "x", (3,)).tolist() == [[True] * 3, [False] * 3]


def test_positions_of_trajectories_texts_and_pictures_are_kept_by_their_own_axes():
    steps = torch.tensor([[[True] * 3 + [False] * 3, [False] * 6]])  # six steps of two states
    batch = Batch({"x": torch.zeros(1, 2, 6)}, {"x": steps})
    assert real_positions(batch, "x", (6,)).tolist() == [[True] * 3 + [False] * 3]
    assert real_positions(batch, "x", (2,)).tolist() == [[True, False]]
    words = Batch({"x": torch.zeros(1, 4, dtype=torch.int64)}, {"x": torch.tensor([[True, True, False, False]])})
    assert real_positions(words, "x", (4,)).tolist() == [[True, True, False, False]]
    picture = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    picture[..., 3] = False
    batch = Batch({"x": torch.zeros(1, 1, 4, 4)}, {"x": picture})
    assert real_positions(batch, "x", (2, 2)).tolist() == [[True, False, True, False]]
    # Pooled over all places it cannot be told from what: only a sample with nothing real is left out.
    assert real_positions(batch, "x", ()).tolist() == [[True]]


def test_three_axes_that_can_be_read_two_ways_are_asked_about():
    output = torch.arange(24.0).reshape(2, 3, 4)
    with pytest.raises(ContractError, match=r'say channels="last" or channels="first"'):
        Layout(None).positions(output)
    last, shape = Layout("last").positions(output)
    assert shape == (3,)
    assert torch.equal(last, output)
    first, shape = Layout("first").positions(output)
    assert shape == (4,)
    assert torch.equal(first, output.transpose(1, 2))
    assert channels_of(nn.Sequential(nn.Linear(2, 2), nn.ReLU())) == "last"
    assert channels_of(nn.Sequential(nn.Linear(2, 2), nn.Conv1d(2, 2, 1), nn.ReLU())) == "first"
    assert channels_of(nn.ReLU()) is None


@pytest.mark.parametrize(
    ("layer", "said"), [("stom", "did you mean 'stem'"), ("pair", "returns a tuple, not one tensor")]
)
def test_a_layer_that_cannot_be_collected_is_refused_with_the_reason(layer, said):
    with pytest.raises(ContractError, match=said):
        collect(Net(), layer, waves(), made_by=LearnedFrom())


def test_the_end_of_a_path_is_enough_where_one_module_has_it():
    model = nn.ModuleDict(
        {"encoders": nn.ModuleDict({"ecg": nn.Sequential(nn.Linear(2, 2), nn.ReLU())}), "head": nn.Linear(2, 2)}
    )
    assert find_layer(model, "ecg.0") == "encoders.ecg.0"
    assert find_layer(model, "encoder.1") == "encoders.ecg.1"
    with pytest.raises(ContractError, match=r"no module 'ecg\.7'; did you mean 'ecg\.[01]'\?"):
        find_layer(model, "ecg.7")


def test_values_that_are_no_numbers_are_refused_with_the_sample():
    model = Net()
    with torch.no_grad():
        model.stem.weight.fill_(1e38)
    with pytest.raises(DataError, match=r"NaN or infinity of sample 's\d+'"):
        list(rows_of(model, "stem", waves()))


def written(folder, **options) -> ActivationsFolder:
    model, data = Net(), waves()
    rows = list(rows_of(model, "stem", data))
    writer = Writer(
        folder, {"activations": 4}, 240, options.get("precision", "float32"), options.get("buffer", 4000), 0
    )
    for one in rows:
        writer.add({"activations": one.values * options.get("times", 1)}, one.sources, one.positions)
    samples = data.frame.assign(side=["test" if at < 10 else "train" for at in range(40)])
    facts = {"layer": "stem", "shape": [6], "made_by": LearnedFrom().to_json(),
             "source": {"spec": data.spec.model_dump(mode="json"), "input": "x"}}  # fmt: skip
    writer.finish(samples, facts)
    return ActivationsFolder(ActivationsConfig(), folder)


def test_rows_come_back_with_their_sample_position_labels_and_side(tmp_path, monkeypatch):
    monkeypatch.setattr("pellucid.activations.writer.SHARD_ROWS", 50)
    torch.manual_seed(0)
    found = written(tmp_path / "acts")
    assert len(list((tmp_path / "acts").glob("activations-*.npy"))) == 5
    torch.manual_seed(0)
    model, data = Net(), waves()
    plain = collect(model, "stem", data, made_by=LearnedFrom())
    assert len(found) == len(plain)
    names = [f"{s}@{p}" for s, p in zip(found.frame["source"].astype(str), found.frame["position"], strict=True)]
    assert names != list(plain.frame.index)
    at = plain.frame.index.get_indexer(pd.Index(names))
    every = np.arange(len(found))
    np.testing.assert_array_equal(found.read(every).inputs["activations"], plain.read(at).inputs["activations"])
    for column in ("subject", "y"):
        assert (found.frame[column].astype(str).to_numpy() == plain.frame[column].astype(str).to_numpy()[at]).all()
    side = np.array(["test" if int(n.split("@")[0][1:]) < 10 else "train" for n in names])
    assert (found.frame["side"].astype(str).to_numpy() == side).all()
    found.check()
    assert found.digest() == written_digest(tmp_path / "acts")


def written_digest(folder) -> str:
    return ActivationsFolder(ActivationsConfig(), folder).digest()


def test_half_precision_keeps_three_digits_and_refuses_what_it_cannot_hold(tmp_path):
    torch.manual_seed(0)
    exact = written(tmp_path / "exact")
    torch.manual_seed(0)
    half = written(tmp_path / "half", precision="float16")
    one, other = (some.read(np.lexsort((some.positions, some.sources))).inputs["activations"] for some in (half, exact))
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
    assert (one != other).any()
    assert one.dtype == np.float32
    with pytest.raises(DataError, match="float16 cannot hold"):
        written(tmp_path / "large", precision="float16", times=1e6)
    assert not (tmp_path / "large").exists()


def test_a_folder_is_whole_or_refused(tmp_path):
    torch.manual_seed(0)
    written(tmp_path / "acts")
    with pytest.raises(RunError, match="is there already"):
        Writer(tmp_path / "acts", {"activations": 4}, 10, "float32", 4000, 0)
    with pytest.raises(DataError, match=r"holds no activations.json"):
        ActivationsFolder(ActivationsConfig(), tmp_path)
    (tmp_path / "acts" / "activations-00000.npy").unlink()
    with pytest.raises(DataError, match=r"lacks activations-00000\.npy"):
        ActivationsFolder(ActivationsConfig(), tmp_path / "acts")
    document = json.loads((tmp_path / "acts" / "activations.json").read_text())
    (tmp_path / "acts" / "activations.json").write_text(json.dumps({**document, "format": 99}))
    with pytest.raises(DataError, match="format 99"):
        ActivationsFolder(ActivationsConfig(), tmp_path / "acts")
    with pytest.raises(DataError, match="no usual place"):
        ActivationsFolder(ActivationsConfig(), None)


@pytest.mark.parametrize(("name", "left"), [("activations-00000.npy", 200), ("source-00000.npy", 0)])
def test_a_file_that_was_cut_off_is_named(tmp_path, name, left):
    torch.manual_seed(0)
    written(tmp_path / "acts")
    path = tmp_path / "acts" / name
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(DataError, match=rf"{name} (cannot be read|is not the file that was written).*collect the acti"):
        ActivationsFolder(ActivationsConfig(), tmp_path / "acts")


def test_a_flipped_bit_among_the_rows_is_told_when_they_are_first_read_and_not_before(tmp_path, monkeypatch):
    monkeypatch.setattr("pellucid.activations.writer.SHARD_ROWS", 50)
    torch.manual_seed(0)
    written(tmp_path / "acts")
    path = tmp_path / "acts" / "activations-00001.npy"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    found = ActivationsFolder(ActivationsConfig(), tmp_path / "acts")
    assert found.read(np.arange(50)).inputs["activations"].shape == (50, 4)
    for _ in range(2):
        with pytest.raises(
            DataError, match=r"activations-00001\.npy is not the file that was written: collect the activations again"
        ):
            found.read(np.arange(40, 60))


def test_each_file_is_read_once_for_its_digest(tmp_path, monkeypatch):
    torch.manual_seed(0)
    written(tmp_path / "acts")
    read = []
    monkeypatch.setattr("pellucid.activations.folder.sha256", lambda path: read.append(path.name) or sha256(path))
    for _ in range(2):
        found = ActivationsFolder(ActivationsConfig(), tmp_path / "acts")
        found.read(np.arange(3))
        found.read(np.arange(3))
    assert read.count("activations-00000.npy") == 1


@pytest.mark.parametrize("change", [lambda rows: rows.astype(np.float16), lambda rows: rows[:, :3]])
def test_rows_of_another_type_or_width_are_refused_when_the_folder_is_opened(tmp_path, change):
    torch.manual_seed(0)
    written(tmp_path / "acts")
    path = tmp_path / "acts" / "activations-00000.npy"
    np.save(path, change(np.load(path)))
    with pytest.raises(
        DataError, match=r"activations-00000\.npy has shape .* as it was written: collect the activations again"
    ):
        ActivationsFolder(ActivationsConfig(), tmp_path / "acts")


@pytest.mark.parametrize("key", ["format", "made_by", "source", "layer", "widths", "precision"])
def test_a_document_that_lacks_something_is_named(tmp_path, key):
    torch.manual_seed(0)
    path = written(tmp_path / "acts").folder / "activations.json"
    path.write_text(json.dumps({name: said for name, said in json.loads(path.read_text()).items() if name != key}))
    with pytest.raises(DataError, match=rf"activations.json lacks '{key}'.*collect the activations again"):
        ActivationsFolder(ActivationsConfig(), tmp_path / "acts")


def test_rows_that_were_put_at_other_samples_are_refused(tmp_path):
    torch.manual_seed(0)
    written(tmp_path / "acts")
    path = tmp_path / "acts" / "source-00000.npy"
    np.save(path, np.load(path)[::-1].copy())
    with pytest.raises(DataError, match=r"source-00000\.npy is not the file that was written"):
        ActivationsFolder(ActivationsConfig(), tmp_path / "acts")


def test_a_position_of_a_picture_is_its_cell():
    image = Image(channels=("g",), size=(8, 12), units="1")
    assert region_of(image, (4, 3), 5) == Box((2, 8), (4, 12))
    assert region_of(image, (), 0) is None
