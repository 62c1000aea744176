"""Tokens, sample ids and fingerprints reach those who need them, whole and in order."""

import numpy as np
import pandas as pd
import pytest
import torch

from pellucid.batch import Batch, batch_of, collate
from pellucid.data.arrays import ArrayDataset
from pellucid.data.samples import Finding
from pellucid.data.spec import Binary, DataSpec, Signal
from pellucid.encoders.cnn import Cnn, CnnConfig
from pellucid.errors import ContractError
from pellucid.explanation import Explanation
from pellucid.fingerprint import fingerprint
from pellucid.heads.base import HeadTags, Predictor, PredictorConfig, Stage
from pellucid.regions import TimeSpan
from pellucid.representation import Representation, Tokens, concatenated, joined
from pellucid.training.fit import Sides, fit_model
from pellucid.training.settings import TrainingSettings

SIGNAL = Signal(channels=("a", "b"), length=32, rate_hz=8.0, units="mV")


def data(count=12):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"subject": [f"p{at // 2}" for at in range(count)], "yes": [float(at % 2) for at in range(count)]},
        index=[f"r{at}" for at in range(count)],
    )
    spec = DataSpec(name="toy", inputs={"x": SIGNAL}, targets={"yes": Binary(names=("no", "yes"))}, namespace="toy")
    return ArrayDataset(spec, frame, {"x": rng.normal(size=(count, 2, 32)).astype(np.float32)})


class Nearest(Predictor):
    """Remembers one token of a training sample; its output is the likeness to it."""

    tags = HeadTags(family="prototype", needs_tokens=True, remembers=True, targets=("binary",))
    config_type = PredictorConfig

    def __init__(self, config):
        super().__init__()
        self.config = config
        (self.read,) = config.tokens
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.register_buffer("kept", torch.zeros(config.tokens[self.read].width))
        self.register_buffer("of", torch.zeros(16, dtype=torch.uint8))
        self.seen = []

    def stages(self):
        refit = Stage(name="refit", loss=self.loss, learns=("weight",), share=0.5, encoders=False)
        return (Stage(name="joint", loss=self.loss, finish=self.project), refit)

    def project(self, parts):
        for z, batch in parts:
            self.seen += batch.samples
            self.kept.copy_(z.tokens[self.read].values[0, 0])

    def remember(self, encoders):
        self.of.copy_(encoders)

    def stale(self, encoders):
        return "" if torch.equal(self.of, encoders) else "the encoders have changed: project again"

    def forward(self, z):
        return self.weight * (z.tokens[self.read].values @ self.kept).amax(1, keepdim=True)

    def explain(self, z, target):
        said = self(z)[:, 0]
        return Explanation("prototype", target, ("kept",), said[:, None], torch.zeros_like(said), said)


def fitted(epochs=2):
    torch.manual_seed(0)
    dataset = data()
    encoder = Cnn(CnnConfig(inputs={"x": SIGNAL}, features=6, width=2, tokens=True))
    units = tuple(f"x:{name}" for name in encoder.names)
    head = Nearest(
        PredictorConfig(units=units, target=dataset.spec.target("yes"), tokens={"x": encoder.token_shapes[""]})
    )
    sides = Sides(dataset.subset(range(8)), dataset.subset(range(8, 12)), "yes")
    model, _ = fit_model({"x": encoder}, head, sides, TrainingSettings(epochs=epochs, batch_size=4))
    return model, dataset


def test_tokens_of_several_encoders_keep_their_names_and_their_order():
    one, two = torch.rand(3, 4, 2), torch.rand(3, 5, 7)
    first = Representation(torch.rand(3, 2), ("f0", "f1"), {"": Tokens(one)})
    second = Representation(torch.rand(3, 1), ("g0",), {"fast": Tokens(two), "slow": Tokens(one)})
    both = joined([("a", first), ("b", second)])
    assert list(both.tokens) == ["a", "b:fast", "b:slow"]
    assert torch.equal(both.tokens["b:fast"].values, two)
    assert both.names == ("a:f0", "a:f1", "b:g0")
    again = concatenated([both.rows(slice(0, 1)), both.rows(slice(1, 3))])
    assert torch.equal(again.values, both.values)
    assert all(torch.equal(again.tokens[name].values, one.values) for name, one in both.tokens.items())


def test_tokens_that_do_not_match_their_regions_are_refused():
    with pytest.raises(ContractError, match="one a token"):
        Tokens(torch.rand(2, 3, 4), (TimeSpan(("a",), 0.0, 1.0),), input="signal")
    with pytest.raises(ContractError, match="which input they lie in"):
        Tokens(torch.rand(2, 1, 4), (TimeSpan(("a",), 0.0, 1.0),))


def test_a_batch_says_whose_samples_it_holds_in_the_order_asked_for():
    dataset = data()
    batch = collate(dataset, [3, 0], "yes")
    assert batch.samples == ("r3", "r0")
    assert batch.groups == {"subject": ("p1", "p0")}
    loose = batch_of([dataset[3], dataset[0]])
    assert (loose.samples, loose.groups) == (batch.samples, batch.groups)
    assert batch.to("cpu").samples == batch.samples


def test_what_a_head_remembers_comes_from_training_samples_alone():
    model, _ = fitted()
    assert sorted(model.head.seen) == sorted(f"r{at}" for at in range(8))


def test_a_model_whose_encoder_changed_after_projection_refuses_to_speak():
    model, dataset = fitted()
    model.predict(dataset)
    encoder = model.encoders["x"]
    # Written past autograd, as an optimizer of another library might.
    next(encoder.parameters()).data.view(-1)[0] += 1e-6
    for speak in (model.predict, model.explain, model.logits):
        with pytest.raises(ContractError, match="project again"):
            speak(dataset)


def test_refitting_the_head_leaves_the_encoder_as_it_was_projected():
    model, dataset = fitted(epochs=6)
    assert model.head.stale(fingerprint(model.named_encoders())) == ""
    assert len(model.predict(dataset)) == 12


class Restless(Cnn):
    """Counts in a buffer how often it was called to learn."""

    def __init__(self, config):
        super().__init__(config)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, batch: Batch):
        if self.training:
            self.calls += 1
        return super().forward(batch)


def test_an_encoder_is_still_while_a_later_stage_learns():
    torch.manual_seed(0)
    dataset = data()
    encoder = Restless(CnnConfig(inputs={"x": SIGNAL}, features=6, width=2, tokens=True))
    head = Nearest(
        PredictorConfig(units=("x:f0",), target=dataset.spec.target("yes"), tokens={"x": encoder.token_shapes[""]})
    )
    sides = Sides(dataset.subset(range(8)), dataset.subset(range(8, 12)), "yes")
    settings = TrainingSettings(epochs=4, batch_size=4, patience=None)
    model, _ = fit_model({"x": encoder}, head, sides, settings)
    # Two batches in each of four epochs of the first stage; its best epoch is kept. None in the second stage.
    assert 2 <= int(model.encoders["x"].calls) <= 8
    assert head.stale(fingerprint(model.named_encoders())) == ""


def test_a_fingerprint_changes_with_any_number_and_any_setting_and_with_nothing_else():
    def made(**options):
        torch.manual_seed(0)
        return Cnn(CnnConfig(inputs={"x": SIGNAL}, width=2, **options))

    one = fingerprint([("x", made())])
    assert torch.equal(one, fingerprint([("x", made().eval())]))
    assert not torch.equal(one, fingerprint([("y", made())]))
    assert not torch.equal(one, fingerprint([("x", made(augment="none", window=(0.0, 1.0)))]))
    changed = made()
    with torch.no_grad():
        list(changed.parameters())[-1].view(-1)[-1] += 1e-7
    assert not torch.equal(one, fingerprint([("x", changed)]))


def test_what_was_found_wrong_with_opened_objects_is_said_aloud():
    model, dataset = fitted()
    opened = dataset.subset(range(8, 12))
    opened.findings = (Finding("r8", "flat channel", "a"),)
    model.opens = lambda objects: opened
    with pytest.warns(UserWarning, match="r8: flat channel a"):
        model.predict("a recording")
