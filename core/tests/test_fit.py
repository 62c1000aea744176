"""Training: exact resume, the same result with two processes, nothing learnt without a record of whom."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from small_training import fitted, parts, planted, sides

from pellucid.batch import Batch
from pellucid.data import ArrayDataset, Binary, DataSpec
from pellucid.encoders.vae_gaussian import VaeGaussian
from pellucid.errors import DataError, LeakageError, RunError
from pellucid.heads.base import Stage
from pellucid.heads.functions.linear import Linear
from pellucid.training.fit import Session, Sides, fit_encoder, fit_model
from pellucid.training.loop import Samples, Watcher, train
from pellucid.training.settings import TrainingSettings


class Stop(Watcher):
    """Breaks a training off after some epochs, as a power cut would: right after an epoch."""

    def __init__(self, after: int) -> None:
        self.after = after

    def epoch(self, done: int, training: float, validation: float) -> None:
        if done == self.after:
            raise KeyboardInterrupt


def test_a_resumed_training_ends_with_the_weights_of_an_uninterrupted_one(tmp_path):
    settings = TrainingSettings(epochs=12, patience=None, batch_size=16)
    whole, _ = fitted(settings)
    with pytest.raises(KeyboardInterrupt):
        fitted(settings, Session(tmp_path, Stop(5)))
    assert list(tmp_path.iterdir())
    resumed, history = fitted(settings, Session(tmp_path))
    assert len(history[0].training) == 12
    for (name, expected), (_, found) in zip(whole.state_dict().items(), resumed.state_dict().items(), strict=True):
        assert torch.equal(expected, found), name


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fitted(TrainingSettings(epochs=12), Session(tmp_path, Stop(2)))
    with pytest.raises(RunError, match="other settings"):
        fitted(TrainingSettings(epochs=13), Session(tmp_path))


def test_a_damaged_checkpoint_is_named(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fitted(TrainingSettings(epochs=12), Session(tmp_path, Stop(2)))
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(RunError, match=file.name):
        fitted(TrainingSettings(epochs=12), Session(tmp_path))


def test_training_learns_and_early_stopping_keeps_the_best_epoch():
    model, history = fitted(TrainingSettings(epochs=60, patience=5, learning_rate=1e-2, batch_size=16))
    progress = history[0]
    assert progress.epoch < 60
    assert progress.best_epoch == 1 + int(np.argmin(progress.validation))
    dataset = planted(seed=1)
    chances = model.predict(dataset)["yes"].to_numpy()
    assert ((chances > 0.5) == (dataset.frame["y"] == 1)).mean() > 0.85


def test_whoever_stops_a_training_has_been_learnt_from():
    model, _ = fitted(TrainingSettings(epochs=2))
    dataset = planted()
    for kept in (range(0, 2), range(80, 82)):
        with pytest.raises(LeakageError, match="1 of 1"):
            model.learned_from.refuse(dataset.subset(kept).learned_from, part="the model")
    model.learned_from.refuse(dataset.subset(range(100, 120)).learned_from, part="the model")


def test_a_scaler_alone_has_learnt_from_the_subjects_it_saw():
    dataset = planted()
    encoders, _ = parts(dataset)
    fit_encoder(encoders["x"], sides(dataset), TrainingSettings())
    with pytest.raises(LeakageError):
        encoders["x"].learned_from.refuse(dataset.subset([0]).learned_from, part="scaler")


def test_a_loss_that_is_no_number_stops_with_the_epoch():
    dataset = planted()
    encoders, head = parts(dataset, Linear)
    fit_encoder(encoders["x"], sides(dataset), TrainingSettings())
    head.loss = lambda z, batch: head(z).sum() * float("nan")
    with pytest.raises(DataError, match="epoch 1"):
        fit_model(encoders, head, sides(dataset), TrainingSettings(epochs=3))


def test_the_gradient_is_clipped():
    moved = {}
    for clip in (1e-9, None):
        dataset = planted()
        encoders, head = parts(dataset, Linear)
        fit_encoder(encoders["x"], sides(dataset), TrainingSettings())
        before = [p.detach().clone() for p in head.parameters()]
        # Plain AdamW divides a gradient by its size; only one far below its epsilon (1e-8) shows that it was clipped.
        fit_model(encoders, head, sides(dataset), TrainingSettings(epochs=1, clip_norm=clip, batch_size=200))
        moved[clip] = sum(float((p.detach() - b).abs().sum()) for p, b in zip(head.parameters(), before, strict=True))
    assert moved[1e-9] < 0.2 * moved[None]


def test_mixed_precision_trains_to_nearly_the_same_model():
    settings = TrainingSettings(epochs=5, batch_size=16)
    full, _ = fitted(settings)
    mixed, _ = fitted(settings.model_copy(update={"mixed_precision": "bf16"}))
    dataset = planted(seed=2)
    difference = (full.predict(dataset) - mixed.predict(dataset)).abs().to_numpy().max()
    assert 0 < difference < 0.05
    assert all(p.dtype == torch.float32 for p in mixed.parameters())


TWO = """
import sys, numpy as np, torch
sys.path.insert(0, {here!r})
from small_training import fitted, planted
from pellucid.heads.functions.linear import Linear
from pellucid.training.engine import engine, described
from pellucid.training.settings import TrainingSettings
settings = TrainingSettings(epochs=6, batch_size=13, patience=None)
model, history = fitted(settings, head=Linear)
accelerator = engine(settings)
if accelerator.is_main_process:
    print(described(accelerator))
    np.save({out!r}, model.logits(planted(seed=3)).numpy())
"""


def test_two_processes_train_the_model_that_one_trains(tmp_path):
    found = {}
    for count in (1, 2):
        script = tmp_path / f"train{count}.py"
        script.write_text(TWO.format(here=str(Path(__file__).parent), out=str(tmp_path / f"{count}.npy")))
        command = [
            sys.executable,
            "-m",
            "torch.distributed.run",
            f"--nproc_per_node={count}",
            "--standalone",
            str(script),
        ]
        environment = {**os.environ, "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        assert f"{count} process" in done.stdout
        found[count] = np.load(tmp_path / f"{count}.npy")
    np.testing.assert_allclose(found[1], found[2], atol=1e-4)


def test_memory_does_not_grow_with_trainings():
    import gc

    def alive() -> int:
        gc.collect()
        return sum(isinstance(o, torch.Tensor) for o in gc.get_objects())

    fitted(TrainingSettings(epochs=2))
    first = alive()
    for _ in range(3):
        fitted(TrainingSettings(epochs=4))
    assert alive() <= first + 5


def test_a_frozen_encoder_is_not_changed_by_a_head():
    from pellucid.data import Image

    random = np.random.default_rng(0)
    count = 40
    frame = pd.DataFrame({"subject": [str(i) for i in range(count)], "y": (np.arange(count) % 2).astype(float)})
    frame.index = frame.index.map(str)
    spec = DataSpec(
        name="pictures", namespace="p", inputs={"x": Image(channels=("a",), size=(16, 16), units="1")},
        targets={"y": Binary(names=("no", "yes"))},
    )  # fmt: skip
    dataset = ArrayDataset(spec, frame, {"x": random.random((count, 1, 16, 16)).astype(np.float32)})
    both = Sides(dataset.subset(range(20)), dataset.subset(range(20, 30)), "y")
    for joint in (False, True):
        settings = TrainingSettings(epochs=2, joint=joint)
        torch.manual_seed(0)
        encoder = VaeGaussian(VaeGaussian.config_type(inputs=dict(spec.inputs), latent=4))
        fit_encoder(encoder, both, settings)
        before = {k: v.clone() for k, v in encoder.state_dict().items()}
        head = Linear(Linear.config_type(units=tuple(f"x:{n}" for n in encoder.names), target=spec.target("y")))
        model, _ = fit_model({"x": encoder}, head, both, settings)
        same = [torch.equal(v, before[k]) for k, v in model.encoders["x"].state_dict().items()]
        assert all(same) is not joint
        assert all(torch.equal(v, before[k]) for k, v in encoder.state_dict().items())


KILLED = """
import sys, time
sys.path.insert(0, {here!r})
from small_training import fitted
from pathlib import Path
from pellucid.training.fit import Session
from pellucid.training.loop import Watcher
from pellucid.training.settings import TrainingSettings
class Slow(Watcher):
    def epoch(self, done, training, validation):
        print(done, flush=True); time.sleep(0.05)
fitted(TrainingSettings(epochs=40, patience=None, batch_size=16), Session(Path({folder!r}), Slow()))
"""


def test_a_training_killed_in_the_middle_goes_on_to_the_same_weights(tmp_path):
    script = KILLED.format(here=str(Path(__file__).parent), folder=str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 7:
            break
    time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    settings = TrainingSettings(epochs=40, patience=None, batch_size=16)
    whole, _ = fitted(settings)
    resumed, _ = fitted(settings, Session(tmp_path))
    for name, expected in whole.state_dict().items():
        assert torch.equal(expected, resumed.state_dict()[name]), name


class Projected(Linear):
    """Warm-up of the head alone, then both; at the end it looks at the training samples once more."""

    def stages(self):
        warm_up = Stage(name="warm-up", loss=self.loss, learns=("weight",), share=0.5, encoders=False)
        return (warm_up, Stage(name="joint", loss=self.loss, finish=self.project))

    def project(self, parts):
        seen = [(len(z.values), batch.targets) for z, batch in parts]
        self.projected_from = sum(count for count, _ in seen)
        assert all(len(targets) == count for count, targets in seen)


def test_stages_train_what_they_name_and_finish_on_the_training_samples():
    dataset = planted()
    encoders, head = parts(dataset, Projected)
    fit_encoder(encoders["x"], sides(dataset), TrainingSettings())
    _, history = fit_model(encoders, head, sides(dataset), TrainingSettings(epochs=4))
    assert [len(progress.training) for progress in history] == [2, 4]
    assert head.projected_from == 80
    assert all(p.requires_grad for p in head.parameters())


class Walking(torch.nn.Module):
    """Training pushes its one number up; the validation loss is lowest where it passes one half."""

    def __init__(self) -> None:
        super().__init__()
        self.at = torch.nn.Parameter(torch.zeros(()))
        self.passed: list[float] = []

    def forward(self, batch):
        if self.training:
            return -self.at
        self.passed.append(float(self.at.detach()))
        return (self.at - 0.5).abs()


def numbers(count: int) -> Samples:
    values = torch.arange(count, dtype=torch.float32)
    return Samples(lambda at: Batch({"x": values[torch.from_numpy(at)]}), count)


def test_the_weights_kept_are_those_of_the_best_epoch():
    walking = Walking()
    settings = TrainingSettings(epochs=12, batch_size=8, learning_rate=0.1, schedule="constant", patience=None)
    progress = train(walking, numbers(8), numbers(4), settings, stage="walk")
    assert 1 < progress.best_epoch < 12
    assert float(walking.at.detach()) == pytest.approx(walking.passed[progress.best_epoch - 1])
    assert abs(float(walking.at.detach()) - 0.5) < 0.1


def test_without_validation_samples_each_is_read_once_an_epoch():
    read = []
    values = torch.arange(10.0)

    def batch(at):
        read.extend(at.tolist())
        return Batch({"x": values[torch.from_numpy(at)]})

    walking = Walking()
    progress = train(walking, Samples(batch, 10), None, TrainingSettings(epochs=3, batch_size=4), stage="walk")
    assert sorted(read) == sorted(list(range(10)) * 3)
    assert walking.passed == progress.validation == []
    assert progress.best_epoch == 3
    assert progress.best_loss == progress.training[-1]


class Mean(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(()))

    def forward(self, batch):
        return batch.inputs["x"].mean() + 0 * self.nothing


@pytest.mark.parametrize("count", [10, 11, 301])
def test_losses_on_record_are_means_over_samples_though_the_last_batch_is_smaller(count):
    progress = train(Mean(), numbers(count), numbers(count), TrainingSettings(epochs=1, batch_size=4), stage="mean")
    assert progress.training == [pytest.approx((count - 1) / 2)]
    assert progress.validation == [pytest.approx((count - 1) / 2)]


def test_the_last_epoch_is_kept_where_that_is_asked_for():
    kept = {}
    for keep in ("best", "last"):
        walking = Walking()
        settings = TrainingSettings(
            epochs=12, batch_size=8, learning_rate=0.1, schedule="constant", patience=2, keep=keep
        )
        progress = train(walking, numbers(8), numbers(4), settings, stage="walk")
        kept[keep] = progress.epoch, progress.best_epoch, float(walking.at.detach())
    assert kept["best"][0] < 12
    assert kept["last"][:2] == (12, 12)
    assert abs(kept["best"][2] - 0.5) < 0.1 < abs(kept["last"][2] - 0.5)
