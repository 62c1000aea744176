"""ProtoECGNet's head: which labels have prototypes of which kind, and units that are levelled before they are compared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from pellucid.batch import Batch
from pellucid.data.spec import MultiLabel
from pellucid.errors import StudyError
from pellucid.regions import TimeSpan
from pellucid.representation import Representation, Tokens, TokenShape
from pellucid.testing.real_data import real_data
from pellucid_ecg.heads.protoecgnet import ProtoEcgNetHead, ProtoEcgNetHeadConfig

WIDTH = 6
BRANCHES = {
    "ecg:rhythm": TokenShape(count=1, width=WIDTH),
    "ecg:morphology": TokenShape(count=32, width=WIDTH),
    "ecg:global": TokenShape(count=32, width=WIDTH),
}
SUPERCLASSES = ("NORM", "MI", "STTC", "CD", "HYP")


def head(labels=SUPERCLASSES, tokens=None, **options) -> ProtoEcgNetHead:
    torch.manual_seed(0)
    return ProtoEcgNetHead(
        ProtoEcgNetHeadConfig(
            units=("ecg:f0",), target=MultiLabel(names=labels), tokens=BRANCHES if tokens is None else tokens, **options
        )
    )


def served(made: ProtoEcgNetHead) -> dict[str, tuple[str, ...]]:
    return {one.tokens: tuple(made.outputs[at] for at in one.classes) for one in made.sets}


# --- grouping ---------------------------------------------------------------------------------------------------------


def test_the_71_statements_are_grouped_as_in_the_paper_and_have_its_1037_prototypes():
    table = pd.read_csv(real_data("ecg", "ptbxl-subset") / "scp_statements.csv", index_col=0)
    made = head(tuple(table.index))
    sets = {one.tokens: one for one in made.sets}
    assert {name: len(one.classes) for name, one in sets.items()} == {
        "ecg:rhythm": 16, "ecg:morphology": 52, "ecg:global": 3
    }  # fmt: skip
    assert {name: one.size for name, one in sets.items()} == {
        "ecg:rhythm": 80, "ecg:morphology": 936, "ecg:global": 21
    }  # fmt: skip
    assert len(made.class_of) == 1037
    assert {name: one.window for name, one in sets.items()} == {
        "ecg:rhythm": 1, "ecg:morphology": 3, "ecg:global": 32
    }  # fmt: skip
    assert {name: one.similarity for name, one in sets.items()} == {
        "ecg:rhythm": "cosine", "ecg:morphology": "arc", "ecg:global": "arc"
    }  # fmt: skip
    # All twelve rhythm statements of PTB-XL but one are recognised by rhythm, and four conduction disturbances are.
    rhythm = set(served(made)["ecg:rhythm"])
    assert set(table.index[table["rhythm"] == 1]) < rhythm
    assert rhythm - set(table.index[table["rhythm"] == 1]) == {"1AVB", "2AVB", "3AVB", "IVCD"}


def test_of_the_superclasses_the_normal_one_is_seen_in_the_whole_recording():
    assert served(head()) == {"ecg:morphology": ("MI", "STTC", "CD", "HYP"), "ecg:global": ("NORM",)}


def test_labels_can_be_grouped_otherwise_and_all_others_are_of_morphology():
    made = head(("fast", "wide", "all over"), rhythm_labels=("fast",), global_labels=("all over",))
    assert served(made) == {"ecg:rhythm": ("fast",), "ecg:morphology": ("wide",), "ecg:global": ("all over",)}
    assert served(head(("fast", "wide"), rhythm_labels=(), global_labels=())) == {"ecg:morphology": ("fast", "wide")}
    # Naming rhythms leaves the paper's other set as it is.
    assert served(head(rhythm_labels=("CD",)))["ecg:global"] == ("NORM",)


def test_every_label_can_have_prototypes_of_every_kind():
    assert served(head(everywhere=True)) == dict.fromkeys(BRANCHES, SUPERCLASSES)
    assert len(head(everywhere=True).class_of) == 5 * (5 + 18 + 7)


def test_a_label_that_does_not_exist_or_stands_in_two_groups_is_refused():
    with pytest.raises(StudyError, match=r"rhythm_labels names 'NROM'; did you mean 'NORM'\?; labels here: NORM, MI"):
        head(rhythm_labels=("NROM",))
    with pytest.raises(StudyError, match="CD is named among rhythm_labels and global_labels"):
        head(rhythm_labels=("CD", "MI"), global_labels=("CD",))


def test_tokens_of_another_network_serve_all_groups_and_a_missing_branch_is_named():
    one = {"ecg": TokenShape(count=10, width=WIDTH)}
    made = head(tokens=one, rhythm_labels=("CD",))
    assert [(one.tokens, one.window) for one in made.sets] == [("ecg", 10), ("ecg", 3), ("ecg", 10)]
    with pytest.raises(StudyError, match="CD need tokens of the branch 'rhythm', but the encoder hands on morphology"):
        head(tokens={"ecg:morphology": BRANCHES["ecg:morphology"]}, rhythm_labels=("CD",), global_labels=())
    with pytest.raises(StudyError, match=r"or one set for all; here are a, b: say with reads"):
        head(tokens={"a": one["ecg"], "b": one["ecg"]})


# --- learning ---------------------------------------------------------------------------------------------------------

CELLS = tuple(TimeSpan(("I",), at * 0.3, (at + 1) * 0.3) for at in range(32))


def beats(samples: int = 160, seed: int = 0):
    """Recordings of which the one label is a pattern in a few neighbouring cells, on a level that all cells share."""
    random = np.random.default_rng(seed)
    has = random.random((samples, 1)) < 0.5
    cells = random.normal(0, 0.3, (samples, 32, WIDTH)) + np.arange(WIDTH) * 4 + 10
    at = random.integers(2, 28, samples)
    for sample in np.flatnonzero(has[:, 0]):
        cells[sample, at[sample] : at[sample] + 3, :2] += 2
    values = torch.tensor(cells).float()
    z = Representation(values[:, 0, :1], ("ecg:f0",), {"ecg:morphology": Tokens(values, CELLS, input="ecg")})
    ids = tuple(f"r{sample}" for sample in range(samples))
    return z, Batch({"ecg": values}, targets=torch.tensor(has).float(), samples=ids), at


def fitted(z, batch, **options) -> ProtoEcgNetHead:
    tokens = {"ecg:morphology": TokenShape(count=32, width=WIDTH)}
    made = head(("wide",), tokens, morphology_pool="max", morphology_per_class=3, joint=0.0, **options)
    made.prepare([(z, batch)])
    optimizer = torch.optim.Adam([*made.plain.parameters()], 0.05)
    for _ in range(60):
        loss = made.warm_up_loss(z, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for stage in made.stages():
        if stage.finish is not None:
            stage.finish(iter([(z, batch)]))
    return made


def test_prototypes_are_found_where_the_pattern_was_planted_and_tell_new_recordings_apart():
    z, batch, at = beats()
    made = fitted(z, batch)
    for source, window in zip(made.sources, made.source_window.tolist(), strict=True):
        sample = int(source[1:])
        assert batch.targets[sample, 0] == 1
        assert abs(window - at[sample]) <= 2
    new, others, _ = beats(seed=1)
    with torch.no_grad():
        assert roc_auc_score(others.targets[:, 0], made(new)[:, 0]) > 0.95


def test_units_are_compared_in_standard_deviations_from_their_training_mean():
    z, batch, _ = beats()
    made = fitted(z, batch)
    compared = made.cells(z, 0).flatten(0, 1)
    assert compared.mean(0).abs().max() < 1e-3
    assert (compared.std(0) - 1).abs().max() < 1e-2
    # Unlevelled, all cells point the same way: the level that they share decides over every cosine.
    raw = torch.nn.functional.normalize(z.tokens["ecg:morphology"].values.flatten(0, 1), dim=1)
    assert (raw[:50] @ raw[50:100].t()).min() > 0.95
    level = torch.nn.functional.normalize(compared, dim=1)
    assert (level[:50] @ level[50:100].t()).min() < 0


def test_the_level_belongs_to_what_was_remembered_of_the_recordings():
    z, batch, _ = beats()
    made = fitted(z, batch)
    then = torch.zeros(16, dtype=torch.uint8)
    made.remember(then)
    assert made.stale(then) == ""
    made.addon[0][0].mean.add_(0.1)
    assert "have changed since" in made.stale(then)


def test_networks_stay_still_in_the_stages_that_only_look():
    still = head(joint=0.0)
    stages = {stage.name: stage for stage in still.stages()}
    assert list(stages) == ["warm-up", "placing", "projection", "refit"]
    assert [stage.finish for stage in stages.values()] == [still.level, still.place, still.project, still.refit]
    assert [stage.moves_encoders for stage in stages.values()] == [True, False, False, False]
    assert stages["warm-up"].share == 1.0
    assert all(one.addon_width == 0 for one in head().sets)
    made = head(joint=0.4)
    assert {stage.name: (stage.moves_encoders, stage.share) for stage in made.stages()}["joint"] == (True, 0.4)
    assert not any(stages[name].parameters(still) for name in ("placing", "projection", "refit"))
