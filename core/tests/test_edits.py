"""Edits of activations: what they change, what they leave, and that they are taken back."""

from __future__ import annotations

import pytest
import torch
from made_runs import run_folder
from torch import nn

from pellucid.edits import Clamp, Remove, Steer, applied, record, recorded
from pellucid.errors import ContractError, RunError
from pellucid.heads.dictionaries import TopK, TopKConfig
from pellucid.measures.dictionaries.edits import with_error, without


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
    torch.testing.assert_close(Clamp(head, [2, 7], 1.5)(x), with_error(x, codes, wanted, head.decode))
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


def test_an_edit_that_edits_nothing_is_no_result():
    model = nn.Sequential(nn.Linear(6, 6), nn.ReLU())
    with pytest.raises(ContractError, match="'1' was not called"), applied(model, "1", Steer(torch.ones(6), 1.0)):
        model[0](torch.zeros(1, 6))
    assert not model[1]._forward_hooks


def test_a_feature_is_not_taken_away_twice():
    with pytest.raises(ContractError, match="name each once"):
        Remove(dictionary(), [2, 7, 2])
