"""What dictionaries learn: planted atoms, from whatever rows come in, alone as beside others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from made_dictionaries import dead_share, explained_variance, matched_cosines, names, planted_atoms

from pellucid.batch import Batch
from pellucid.data import ArrayDataset, DataSpec, Vector
from pellucid.data.subjects import LearnedFrom
from pellucid.encoders.identity import Identity
from pellucid.errors import ContractError, DataError, LeakageError
from pellucid.heads.base import Stage
from pellucid.heads.dictionaries import (
    BatchTopK,
    Gated,
    Ica,
    JumpRelu,
    Kmeans,
    MatchingPursuit,
    Matryoshka,
    OrthogonalMatchingPursuit,
    Pca,
    Relu,
    SemiNmf,
    SemiNmfHierarchy,
    TopK,
    TopKConfig,
    Variational,
)
from pellucid.representation import Representation
from pellucid.training.checkpoint import Checkpoint
from pellucid.training.fit import Session, Sides, fit_codes
from pellucid.training.learner import Samples
from pellucid.training.loop import train_together
from pellucid.training.objectives import HeadLoss
from pellucid.training.reading import LATENT
from pellucid.training.settings import TrainingSettings
from pellucid.weights import load_models, save_models

UNITS, ATOMS = 40, 24


@pytest.fixture(scope="module")
def made():
    """Rows of 24 atoms in 40 units, 1.5 of them in a row on average."""
    return planted_atoms(4000, UNITS, ATOMS, active=1.5, seed=0)


def quick(epochs: int = 30) -> TrainingSettings:
    return TrainingSettings(
        epochs=epochs, batch_size=256, learning_rate=5e-3, schedule="one-cycle", clip_norm=1.0, patience=None
    )


def built(head: type, seed: int = 0, features: int = ATOMS, units: int = UNITS, **options):
    torch.manual_seed(seed)
    return head(head.config_type(units=names(units), features=features, **options))


LEARNING = {
    Relu: {"l1": 2.0},
    TopK: {"k": 2},
    BatchTopK: {"k": 2},
    Matryoshka: {"k": 2, "nested": (0.5, 1.0)},
    JumpRelu: {"l0": 2.0, "threshold": 1.0},
    Gated: {"l1": 4.0},
    Variational: {"k": 2, "noise": "learned", "kl": 0.01},
    MatchingPursuit: {"k": 3},
    OrthogonalMatchingPursuit: {"k": 2},
}


BOUNDS: dict[type, tuple[float, float]] = {
    Relu: (0.98, 0.93),
    TopK: (0.92, 0.85),
    BatchTopK: (0.90, 0.95),
    Matryoshka: (0.87, 0.93),
    JumpRelu: (0.90, 0.97),
    Gated: (0.98, 0.97),
    Variational: (0.86, 0.82),
    MatchingPursuit: (0.98, 0.93),
    OrthogonalMatchingPursuit: (0.90, 0.85),
}
"""Mean cosine and explained variance that each must reach in some hundred steps; observed were 0.03 more, or nearly one."""


@pytest.mark.parametrize("head", LEARNING, ids=lambda head: head.__name__)
def test_planted_atoms_are_recovered(head, made):
    one = built(head, **LEARNING[head]).fit(made.rows, quick(20 if head is OrthogonalMatchingPursuit else 40))
    cosines = matched_cosines(one.atoms, made.atoms)
    codes = one.encode(made.rows)
    assert (codes != 0).sum(1).float().mean() < 6
    assert dead_share(codes) <= 0.1
    assert explained_variance(made.rows, one.decode(codes)) > BOUNDS[head][1]
    assert cosines.mean() > BOUNDS[head][0]
    # Untrained it matches by chance alone.
    assert matched_cosines(built(head, **LEARNING[head]).atoms, made.atoms).mean() < 0.5


def test_thresholds_start_where_a_short_training_finds_atoms(made):
    """320 steps. Starting at 0.1 the mean cosine is 0.54, with 7.6 codes a row of the 1.5 that were planted."""
    one = built(JumpRelu).fit(made.rows, quick(20))
    assert matched_cosines(one.atoms, made.atoms).mean() > 0.62
    assert (one.encode(made.rows) != 0).sum(1).float().mean() < 5


def test_settings_of_its_own_are_enough(made):
    """Without settings it learns for about 4000 steps; a tenth of the rows, so that it is quick."""
    from pellucid.heads.dictionaries.fitting import usual_settings

    assert usual_settings(40_000).epochs == round(4000 / 79)
    assert usual_settings(10**9).epochs == 1
    assert usual_settings(100).batch_size == 512


def of_people(rows: np.ndarray, people: int = 10) -> ArrayDataset:
    frame = pd.DataFrame({"subject": [f"p{at % people}" for at in range(len(rows))]})
    frame.index = [f"r{at}" for at in range(len(rows))]
    spec = DataSpec(name="rows", namespace="here", inputs={"z": Vector(names=names(rows.shape[1]))}, targets={})
    return ArrayDataset(spec, frame, {"z": rows.astype(np.float32)})


def test_arrays_tensors_and_datasets_teach_the_same(made):
    rows = made.rows[:600]
    fitted = [
        built(TopK, k=3).fit(some, quick(2))
        for some in (rows, rows.numpy(), rows.double().numpy(), of_people(rows.numpy()))
    ]
    for one in fitted[1:]:
        for name, value in one.state_dict().items():
            assert torch.equal(value, fitted[0].state_dict()[name]), name


def test_of_a_dataset_it_remembers_whom_it_has_learnt_from(made):
    data = of_people(made.rows[:600].numpy())
    data.made_by = LearnedFrom.of({"subject": ["somebody else"]}, "here")
    one = built(TopK, k=3).fit(data, quick(1))
    with pytest.raises(LeakageError):
        one.learned_from.refuse(data.subset([3]).learned_from, part="the dictionary")
    with pytest.raises(LeakageError):
        one.learned_from.refuse(LearnedFrom.of({"subject": ["somebody else"]}, "here"), part="the dictionary")
    one.learned_from.refuse(LearnedFrom.of({"subject": ["a stranger"]}, "here"), part="the dictionary")
    assert not built(Pca, features=3).fit(made.rows[:600]).learned_from


@pytest.mark.parametrize("head", [TopK, SemiNmf, Kmeans, Pca], ids=lambda head: head.__name__)
def test_rows_that_nothing_can_be_learnt_from_are_refused(head, made):
    rows = made.rows[:600].clone()
    features = 10
    one = built(head, features=features)
    rows[417, 3] = torch.nan
    with pytest.raises(DataError, match=r"row 417 .* NaN"):
        one.fit(rows, quick(1))
    with pytest.raises(DataError, match="9 rows for 10 features"):
        one.fit(made.rows[:9], quick(1))
    with pytest.raises(DataError, match="all 600 rows are the same"):
        one.fit(torch.full((600, UNITS), 2.5), quick(1))
    with pytest.raises(DataError, match="shape"):
        one.fit(made.rows[:600, :5], quick(1))
    with pytest.raises(DataError, match="no rows"):
        one.fit(made.rows[:0], quick(1))
    with pytest.raises(DataError, match="rows of type <U1"):
        TopK(TopKConfig(units=names(4), features=8, k=2)).fit(np.full((9, 4), "a"))
    with pytest.raises(ContractError, match="not to a list"):
        one.fit(made.rows.tolist(), quick(1))
    constant = made.rows[:600].clone()
    constant[:, 4] = 1.0
    with pytest.warns(UserWarning, match="1 of 40 units never vary .units 4."):
        one.fit(constant, quick(1))


def test_more_codes_than_features_are_refused():
    with pytest.raises(ValueError, match="k = 9 codes a row of 8 features"):
        TopKConfig(units=names(3), features=8, k=9)
    with pytest.raises(ValueError, match="components can be at most as many"):
        built(Pca, features=UNITS + 1)


def test_dead_features_are_revived(made):
    """Half of the features begin without any chance; the auxiliary loss alone brings them back."""
    dead = {}
    for auxiliary in (0.0, 1 / 32):
        one = built(TopK, k=3, auxiliary=auxiliary, dead_after=2000)
        with torch.no_grad():
            one.bias[: ATOMS // 2] = -4
        one.fit(made.rows, quick(40).model_copy(update={"learning_rate": 2e-2}))
        dead[auxiliary] = dead_share(one.encode(made.rows))
    assert dead[0.0] >= 0.4
    assert dead[1 / 32] <= 0.1


def test_a_feature_is_dead_after_so_many_rows_without_a_code():
    one = built(TopK, k=1, features=4, units=3, dead_after=9)
    one.train()
    with torch.no_grad():
        one.bias.copy_(torch.tensor([9.0, 0, 0, -9.0]))
    rows = torch.randn(5, 3)
    batch, z = Batch({"x": rows}), Representation(rows, names(3))
    one.loss(z, batch)
    assert not one.dead.any()
    one.loss(z, batch)
    assert one.dead.tolist() == [False, True, True, True]
    assert float(one.revival(rows, torch.zeros_like(rows))) > 0
    with torch.no_grad():
        one.bias.copy_(torch.tensor([0.0, 9.0, 0, -9.0]))
    one.loss(z, batch)
    assert one.dead.tolist() == [False, False, True, True]


def test_a_dictionary_learns_beside_others_what_it_learns_alone(made):
    """Bit for bit, though others draw by chance in between."""
    data = of_people(made.rows[:1200].numpy())
    both = Sides(data.subset(range(1000)), data.subset(range(1000, 1200)))
    some = {
        "topk": (TopK, {"k": 3}),
        "drawn": (Variational, {"k": 3}),
        "pursued": (MatchingPursuit, {"k": 2, "dropout": 0.5}),
        "factors": (SemiNmf, {"iterations": 30}),
        "clusters": (Kmeans, {}),
    }

    def fitted(parts: list[str]) -> dict[str, dict[str, torch.Tensor]]:
        heads = {}
        for part in parts:
            torch.manual_seed(7)
            head, options = some[part]
            heads[part] = head(head.config_type(units=tuple(f"z:{n}" for n in names(UNITS)), features=ATOMS, **options))
        encoder = Identity(Identity.config_type(inputs={"z": data.spec.input("z")}))
        found = fit_codes({"z": encoder}, heads, both, quick(3))
        return {part: model.head.state_dict() for part, (model, _) in found.items()}

    together = fitted(list(some))
    for part in some:
        alone = fitted([part])[part]
        for name, value in alone.items():
            assert torch.equal(value, together[part][name]), (part, name)
    assert not torch.equal(together["topk"]["directions"], together["drawn"]["directions"])


class InTurn(TopK):
    """Biases learn first, alone; then the offset."""

    def stages(self):
        bias, centre = (
            Stage(name=name, loss=self.loss, learns=(name,), finish=self.look, share=share)
            for name, share in (("bias", 1.0), ("centre", 0.5))
        )
        self.looked: list[dict[str, torch.Tensor]] = []
        return bias, centre

    def look(self, parts) -> None:
        self.looked.append({name: value.detach().clone() for name, value in self.named_parameters()})


@pytest.mark.parametrize("way", ["beside others", "alone"])
def test_only_what_a_stage_names_learns_in_it(made, way):
    data = of_people(made.rows[:1000].numpy())
    head, other = (built(one, features=ATOMS, k=3) for one in (InTurn, TopK))
    head.config = other.config = head.config.model_copy(update={"units": tuple(f"z:{n}" for n in names(UNITS))})
    before = {name: value.detach().clone() for name, value in head.named_parameters()}
    if way == "alone":
        head.fit(data, quick(4))
    else:
        encoder = Identity(Identity.config_type(inputs={"z": data.spec.input("z")}))
        both = Sides(data.subset(range(800)), data.subset(range(800, 1000)))
        fit_codes({"z": encoder}, {"in turn": head, "plain": other}, both, quick(4))
    first, second = head.looked
    assert torch.equal(first["weight"], before["weight"])
    assert torch.equal(second["weight"], before["weight"])
    assert not torch.equal(first["bias"], before["bias"])
    assert torch.equal(second["bias"], first["bias"])
    assert not torch.equal(second["centre"], first["centre"])
    assert all(one.requires_grad for one in head.parameters())


def test_one_that_was_cut_off_catches_up_and_one_that_stops_early_disturbs_nobody(made, tmp_path):
    """Bit for bit: alone, beside others, and after a kill between two checkpoints."""
    rows = made.rows[:700]
    training, watched = (
        Samples(lambda at, part=part: Batch({LATENT: part[torch.from_numpy(at)]}), len(part))
        for part in (rows[:500], rows[500:])
    )
    settings = TrainingSettings(epochs=8, batch_size=64, learning_rate=0.3, patience=1)
    some = {"topk": TopK, "drawn": Variational, "pursued": MatchingPursuit}

    def learnt(parts: list[str], folder=None, killed: tuple[str, int] | None = None):
        heads, told = {}, {}
        for part in parts:
            heads[part] = built(some[part], seed=7)
            heads[part].prepare([(Representation(rows[:500], heads[part].config.units), Batch({}))])
            kept = None if folder is None else Checkpoint(folder / f"{part}.safetensors", settings.model_dump())
            if killed is not None and killed[0] == part:
                kept = Dying(kept.path, kept.about, killed[1])
            told[part] = (HeadLoss(heads[part], heads[part].loss), kept)
        progress = train_together(told, training, watched, settings, order="rows")
        return {part: (head.state_dict(), progress[part]) for part, head in heads.items()}

    whole = learnt(list(some))
    assert len({one.epoch for _, one in whole.values()}) > 1
    with pytest.raises(KeyboardInterrupt):
        learnt(list(some), tmp_path, ("drawn", 1))
    for found in (learnt(list(some), tmp_path), *(learnt([part]) for part in some)):
        for part, (state, progress) in found.items():
            assert progress == whole[part][1], part
            assert all(torch.equal(value, whole[part][0][name]) for name, value in state.items()), part


class Bursting(TopK):
    """Its loss is no number from some row on, or its parameters are none after the last step."""

    def __init__(self, config, rows: float = 1e9, silently: bool = False) -> None:
        super().__init__(config)
        self.bursts_at, self.silently = rows, silently

    def loss(self, z, batch):
        found = super().loss(z, batch)
        if not self.training or float(self.seen) < self.bursts_at:
            return found
        return found + (self.bias.sqrt().sum() * 0 if self.silently else torch.inf)


@pytest.mark.parametrize("silently", [False, True], ids=["loss", "gradient of the last step"])
def test_one_that_diverges_is_named_and_ends_nobody_else(made, tmp_path, silently):
    data = of_people(made.rows[:1200].numpy())
    both = Sides(data.subset(range(1000)), data.subset(range(1000, 1200)))
    encoder = Identity(Identity.config_type(inputs={"z": data.spec.input("z")}))
    config = TopKConfig(units=tuple(f"z:{n}" for n in names(UNITS)), features=ATOMS, k=3)

    def head(made: type, *options) -> TopK:
        torch.manual_seed(7)
        return made(config, *options)

    def learnt(some: dict[str, TopK], folder=None):
        return fit_codes({"z": encoder}, some, both, quick(4), session=Session(folder))

    # An epoch is four steps of 250 rows at most; the row count grows within the step whose loss it is.
    bad = {"bad": head(Bursting, 3000 if silently else 2500, silently)}
    with pytest.raises(
        DataError,
        match=r"^'bad' did not learn, so nothing is finished: head bad fit: .* in epoch 3; .*'good' learnt beside to the end; "
        "the same command does not train them again$",
    ):
        learnt({**bad, "good": head(TopK)}, tmp_path)
    alone, reads = learnt({"good": head(TopK)})["good"][0].head.state_dict(), []
    again = head(TopK)
    again.loss = lambda z, batch: reads.append(len(z.values)) or TopK.loss(again, z, batch)
    model, history = learnt({"good": again}, tmp_path)["good"]
    assert not reads
    assert [one.epoch for one in history] == [4]
    for name, value in model.head.state_dict().items():
        assert torch.equal(value, alone[name]), name


class Dying(Checkpoint):
    """Kills its training as it has written an epoch, before the others have."""

    def __init__(self, path, about, epoch: int) -> None:
        super().__init__(path, about)
        self.epoch = epoch

    def save(self, module, best, optimizer, progress, mean=None) -> None:
        super().save(module, best, optimizer, progress, mean)
        if progress.epoch == self.epoch:
            raise KeyboardInterrupt


def test_a_dictionary_comes_back_from_its_file(made, tmp_path):
    from pellucid.model import Model

    data = of_people(made.rows[:600].numpy())
    encoder = Identity(Identity.config_type(inputs={"z": data.spec.input("z")}))
    models = {}
    for part, head, options in (
        ("topk", TopK, {"k": 3}),
        ("factors", SemiNmfHierarchy, {"iterations": 20}),
        ("ica", Ica, {"features": 4}),
    ):
        torch.manual_seed(0)
        options = {"features": ATOMS, **options}
        made_one = head(head.config_type(units=tuple(f"z:{n}" for n in names(UNITS)), **options))
        made_one.fit(data, quick(1))
        models[part] = Model({"z": encoder}, made_one).eval()
    save_models(tmp_path / "w.safetensors", models)
    again, _ = load_models(tmp_path / "w.safetensors")
    for part, model in models.items():
        assert torch.equal(again[part].head.encode(made.rows), model.head.encode(made.rows))
        assert again[part].head.learned_from == model.head.learned_from
