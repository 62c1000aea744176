"""Settings of training: what a study's ``[training]`` table may say."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pellucid.data.spec import Frozen


class TrainingSettings(Frozen):
    """How parts are trained.

    Parameters
    ----------
    epochs : int
        Passes over the training samples, at most.
    batch_size : int
        Samples in a step, over all processes together.
    learning_rate, weight_decay : float
        Of AdamW.
    schedule : {"cosine", "one-cycle", "constant"}
        ``"cosine"``: the learning rate falls to zero along half a cosine, epoch by epoch. ``"one-cycle"``: step by step, it
        rises from nearly nothing for the first quarter, along half a cosine, and falls to zero along another. A function of
        epoch and step alone, so that a resumed run goes on with the same one.
    averaging : float
        Over how many epochs weights are averaged, the older the less; 0: none. The mean over the last steps is what is
        judged on the validation subjects, and kept.
    clip_norm : float, optional
        Longest gradient; longer ones are scaled down.
    patience : int, optional
        Stop after so many epochs without a better loss on the validation side.
    keep : {"best", "last"}
        Which epoch is kept: the best on the validation subjects, or the last one whatever they say, without stopping early: a
        few of them are a poor judge of a schedule that is made to be gone through, and of a contrastive loss.
    mixed_precision : {"no", "bf16", "fp16"}
    joint : bool
        Encoders that could be trained alone learn together with each head instead; their own loss is added.
    distinct : str
        Frame column of which no value stands twice in a batch: what a contrastive loss needs (``"sentence"``). A remainder
        that fills no batch is left out, another one in every epoch.
    workers : int
        Processes that read batches ahead; 0 reads in the training process, which is best for data in memory.
    seed : int
    """

    epochs: int = Field(40, ge=1, le=1_000_000, strict=True)
    batch_size: int = Field(64, ge=1, strict=True)
    learning_rate: float = Field(1e-3, gt=0, allow_inf_nan=False)
    weight_decay: float = Field(0.0, ge=0, allow_inf_nan=False)
    schedule: Literal["cosine", "one-cycle", "constant"] = "cosine"
    averaging: float = Field(0.0, ge=0, allow_inf_nan=False)
    clip_norm: float | None = Field(5.0, gt=0, allow_inf_nan=False)
    patience: int | None = Field(10, ge=1)
    keep: Literal["best", "last"] = "best"
    mixed_precision: Literal["no", "bf16", "fp16"] = "no"
    joint: bool = False
    distinct: str = ""
    workers: int = Field(0, ge=0)
    seed: int = Field(0, ge=0, lt=2**32)
