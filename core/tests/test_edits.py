"""Edits of activations: what they change, what they leave, and that they are taken back."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from made_runs import run_folder
from torch import nn

from pellucid.edits import Clamp, Remove, Steer, applied, record, recorded
from pellucid.errors import ContractError, RunError
from pellucid.heads.dictionaries import TopK, TopKConfig
from pellucid.measures.dictionaries.code_edits import with_error, without


def dictionary(units: int = 6) -> TopK:
    torch.manual_seed(1)
    head = TopK(TopKConfig(units=tuple(map(str, range(units))), features=10, k=3))
    with torch.no_grad():
        head.centre.normal_()
        head.bias.uniform_(0, 0.5)
    return head.eval()


def test_features_are_changed_and_the_error_stays():
    head, x = dictionary(), torch.randn(50, 6, generator=torch.Generator().manual_seed(2))
    codes, some = head.encode(x), torch.tensor([2, 7])
    torch.testing.assert_close(Remove(head, [2, 7])(x), with_error(x, codes, without(codes, some), head.decode))
    wanted = codes.clone()
    wanted[:, some] = 1.5
    torch.testing.assert_close(Clamp(head, [2, 7], 1.5, everywhere=True)(x), with_error(x, codes, wanted, head.decode))
    where_on = torch.where(codes > 0, wanted, codes)
    torch.testing.assert_close(Clamp(head, [2, 7], 1.5)(x), with_error(x, codes, where_on, head.decode))
    assert not torch.equal(where_on, wanted)
    untouched = (codes[:, some] == 0).all(1)
    assert 0 < untouched.sum() < 50
    torch.testing.assert_close(Remove(head, [2, 7])(x)[untouched], x[untouched])


@pytest.mark.parametrize(
    ("channels", "shape"), [("first", (4, 6, 9)), ("last", (4, 9, 6)), (None, (4, 6, 3, 5)), (None, (4, 6))]
)
def test_every_position_is_edited_whatever_the_layout(channels, shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    model, direction = nn.Sequential(nn.Identity()), torch.arange(6.0)
    with applied(model, "0", Steer(direction, 2.0), channels=channels):
        found = model(x)
    axis = 2 if channels == "last" else 1
    view = [1] * len(shape)
    view[axis] = 6
    torch.testing.assert_close(found, x + 2 * direction.reshape(view))
    torch.testing.assert_close(model(x), x)
    assert not model[0]._forward_hooks


def test_an_edit_is_taken_back_after_an_error():
    model = nn.Sequential(nn.Linear(6, 6), nn.ReLU())
    with pytest.raises(KeyError), applied(model, "0", Steer(torch.ones(6), 1.0)):
        raise KeyError
    assert not model[0]._forward_hooks


def test_steering_along_what_a_classifier_reads_does_more_than_along_any_random_direction():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    x, read = torch.randn(400, 8), model[2].weight[1] - model[2].weight[0]

    def yes(direction: torch.Tensor) -> float:
        with torch.no_grad(), applied(model, "1", Steer(direction / direction.norm(), 1.5), channels="last"):
            logits = model(x)
        return float((logits[:, 1] - logits[:, 0]).mean())

    random = [yes(torch.randn(16)) for _ in range(40)]
    assert yes(read) > max(random)
    assert yes(-read) < min(random)


def test_an_edit_of_another_model_or_an_unknown_feature_is_refused():
    model = nn.Sequential(nn.Linear(3, 4))
    with (
        applied(model, "0", Remove(dictionary(), [1])),
        pytest.raises(ContractError, match="was it made for another model"),
    ):
        model(torch.zeros(2, 3))
    with pytest.raises(ContractError, match="no feature 10: this dictionary has 10"):
        Remove(dictionary(), [10])
    with (
        pytest.raises(ContractError, match="did you mean"),
        applied(nn.ModuleDict({"head": nn.Linear(3, 4)}), "heed", Steer(torch.ones(4), 1.0)),
    ):
        pass


NO_NUMBERS = [float("nan"), float("inf"), "2", None, True, [1.0], torch.ones(2), 1 + 2j, torch.tensor(float("nan"))]


@pytest.mark.parametrize("given", NO_NUMBERS)
def test_a_strength_or_a_value_that_is_no_number_is_refused_when_the_edit_is_made(given):
    with pytest.raises(ContractError, match=r"^strength is"):
        Steer(torch.ones(4), given)
    with pytest.raises(ContractError, match=r"^value is"):
        Clamp(dictionary(), [3], given)


@pytest.mark.parametrize("given", [2, 2.0, np.float32(2), np.int64(2), torch.tensor(2.0), np.array(2.0)])
def test_a_number_of_any_library_is_kept_as_a_plain_one(given):
    push, clamp = Steer(torch.ones(4), given), Clamp(dictionary(), [3], given)
    assert type(push.strength) is type(clamp.value) is float
    assert push.strength == clamp.value == 2.0
    torch.testing.assert_close(push(torch.zeros(1, 4)), torch.full((1, 4), 2.0))
    assert json.loads(json.dumps([push.describe(), clamp.describe()]))[1]["value"] == 2.0


def test_a_direction_or_a_place_of_the_wrong_kind_is_refused_when_the_edit_is_made():
    for direction, said in (
        (np.ones(4), "not a ndarray"),
        ([1.0, 2.0], "not a list"),
        (torch.ones(2, 2), r"shape \(2, 2\)"),
        (torch.ones(4, dtype=torch.int64), "torch.int64"),
        (
            torch.tensor([1.0, float("nan"), float("inf")]),
            "2 of 3 numbers of the direction 'towards yes' are NaN or infinite",
        ),
    ):
        with pytest.raises(ContractError, match=said):
            Steer(direction, 1.0, "towards yes")
    with pytest.raises(ContractError, match="everywhere is True or False, not 'no'"):
        Clamp(dictionary(), [3], 1.0, everywhere="no")


def test_what_was_tried_is_kept_in_the_run_folder(tmp_path):
    with pytest.raises(RunError, match=r"holds no run\.json"):
        record(tmp_path, "encoders.x", Steer(torch.ones(4), 2.0), {})
    folder = tmp_path / "run"
    run_folder(folder)
    record(folder, "encoders.x", Steer(torch.ones(4), 2.0, "towards yes"), {"yes": 0.9, "yes before": 0.4})
    record(folder, "encoders.x", Remove(dictionary(), [3]), {"yes": 0.2})
    with pytest.raises(RunError, match="cannot be kept as JSON"):
        record(folder, "encoders.x", Remove(dictionary(), [3]), {"yes": float("nan")})
    first, second = recorded(folder)
    assert (first["edit"], first["name"], first["length"], first["found"]["yes"]) == ("steer", "towards yes", 2.0, 0.9)
    assert second["features"] == [3]


def test_the_record_says_which_dictionary(tmp_path):
    run_folder(tmp_path / "run")
    one, other = dictionary(), dictionary()
    with torch.no_grad():
        other.directions[3, 0] += 1e-3
    for head in (one, other, dictionary()):
        record(tmp_path / "run", "encoders.x", Clamp(head, [3], 2.0), {})
    first, second, third = (note["dictionary"] for note in recorded(tmp_path / "run"))
    assert first == third
    assert first["class"] == "TopK"
    assert first["fingerprint"] != second["fingerprint"]


@pytest.mark.parametrize("damage", ['{"edit": "steer", "na', "17", '{"when": "2026-01-01"}'])
def test_a_damaged_line_of_the_record_is_named(tmp_path, damage):
    folder = tmp_path / "run"
    run_folder(folder)
    assert recorded(folder) == []
    path = record(folder, "encoders.x", Steer(torch.ones(4), 2.0), {})
    path.write_text(path.read_text("utf-8") + damage + "\n", "utf-8")
    with pytest.raises(RunError, match=r"edits\.jsonl, line 2, is no edit"):
        recorded(folder)


def test_a_layer_that_is_called_twice_is_edited_twice():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Identity()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(10 * self.layer(x))

    push = torch.ones(1, 3)
    model = Twice()
    with applied(model, "layer", Steer(push[0], 1.0)):
        torch.testing.assert_close(model(push), 10 * (push + push) + push)


@pytest.mark.parametrize(("channels", "shape"), [("first", (4, 6, 9)), ("last", (4, 9, 6)), (None, (4, 6, 3, 3))])
def test_only_the_positions_that_are_asked_for_are_edited(channels, shape):
    random = torch.Generator().manual_seed(4)
    x, kept = torch.randn(shape, generator=random), torch.rand(4, 9, generator=random) < 0.5
    model, direction = nn.Sequential(nn.Identity()), torch.arange(1.0, 7.0)
    with applied(model, "0", Steer(direction, 1.0), channels=channels, where=lambda places: kept):
        found = model(x) - x
    rows = found if channels == "last" else found.flatten(2).transpose(1, 2)
    torch.testing.assert_close(rows, kept[..., None] * direction)
    with (
        applied(model, "0", Steer(direction, 1.0), channels=channels, where=lambda places: kept[:, :5]),
        pytest.raises(ContractError, match="positions to edit"),
    ):
        model(x)


def test_an_edit_that_edits_nothing_is_no_result():
    model = nn.Sequential(nn.Linear(6, 6), nn.ReLU())
    with pytest.raises(ContractError, match="'1' was not called"), applied(model, "1", Steer(torch.ones(6), 1.0)):
        model[0](torch.zeros(1, 6))
    assert not model[1]._forward_hooks


def test_a_feature_is_not_taken_away_twice():
    with pytest.raises(ContractError, match="name each once"):
        Remove(dictionary(), [2, 7, 2])


@pytest.mark.parametrize("many", [torch.tensor, np.array, list])
def test_features_are_the_same_whatever_holds_them(many):
    assert Remove(dictionary(), many([2, 7])).features == (2, 7)
    with pytest.raises(ContractError, match="name each once"):
        Remove(dictionary(), many([2, 7, 2]))


def test_what_is_no_feature_and_no_dictionary_is_refused():
    for wrong in ([1.5], ["f1"], 3):
        with pytest.raises(ContractError, match="whole numbers"):
            Clamp(dictionary(), wrong, 1.0)
    with pytest.raises(ContractError, match="this is a Sequential: of a model take its head"):
        Remove(nn.Sequential(dictionary()), [1])
