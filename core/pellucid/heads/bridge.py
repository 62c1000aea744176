"""Frozen tokens as soft tokens of a text model that answers in words: what a number is, with its unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.data.inputs import Sentences
from pellucid.errors import StudyError
from pellucid.explanation import Evidence, Explanation
from pellucid.heads.base import Head, HeadConfig, HeadTags, Stage
from pellucid.heads.reads_texts import chosen_text, texts_of
from pellucid.heads.reads_tokens import chosen_tokens
from pellucid.regions import around
from pellucid.representation import Representation
from pellucid.text.models import TextModel, text_model
from pellucid.text.quantities import joined_digits, spelt
from pellucid.text.settings import SmallT5, TextModelSettings

ANSWER = "answer"
"""What is explained: the log-probability of what is written."""


class SoftTokenBridgeConfig(HeadConfig):
    """Settings of :class:`SoftTokenBridge`.

    Parameters
    ----------
    texts : mapping of str to Sentences
        Texts of the dataset.
    text : TextModelSettings
        The text model, which must write: ``"t5"`` (random, of the data's own words) or ``"pretrained"``.
    text_name : str
        Which text is the answer; may be left out where there is one.
    tokens_name : str
        Which set of tokens is read; may be left out where there is one.
    question : str
        Words that stand before the soft tokens, the same for every sample.
    frozen : bool
        Whether the encoder stays as it is: nothing of the loss reaches it.
    tuned : bool
        Whether a small T5 learns too; a published one never does.
    digits : bool
        Whether numbers are spelt digit by digit, as models of the data's own words must learn them.
    groups : int
        Into how many runs of neighbouring tokens an explanation takes them apart, at most.
    """

    texts: Mapping[str, Sentences]
    text: TextModelSettings = SmallT5()
    text_name: str = ""
    tokens_name: str = ""
    question: str = ""
    frozen: bool = True
    tuned: bool = False
    digits: bool = True
    groups: int = Field(default=16, ge=1)

    @model_validator(mode="after")
    def _text_model_writes(self) -> SoftTokenBridgeConfig:
        if self.text.kind == "tables":
            raise ValueError('text models of kind "tables" do not write; choose kind = "t5" or "pretrained"')
        if self.tuned and self.text.kind != "t5":
            raise ValueError('tuned = true lets a text model of kind "t5" learn; a published one stays as it is')
        return self


class SoftTokenBridge(Head):
    """A small network from each token of an encoder to a soft token of a text model, which writes the answer.

    The loss is the cross-entropy of the answer's tokens alone. An explanation leaves one run of tokens out after the other: its
    output is the log-probability of the answer that the model writes, its baseline that of the same answer from the question
    alone, and what runs of tokens add by themselves need not add up, which the gap says.

    References
    ----------
    The bridge of L2M3OF, arXiv 2510.20976: two layers from 768 units into the width of Qwen2.5, whose weights learn by low-rank
    adapters. Deviations: the text model is an encoder-decoder, whose encoder's states soft tokens take the place of; a published one
    is not adapted.
    """

    tags = HeadTags(
        family="attribution",
        stage="post_hoc",
        faithful_by_construction=False,
        learns="texts",
        needs_tokens=True,
        varying_tokens=True,
    )
    config_type = SoftTokenBridgeConfig
    config: SoftTokenBridgeConfig

    writes = True
    """It answers in words."""

    compares = False
    """It lays no sample near a sentence."""

    def __init__(self, config: SoftTokenBridgeConfig) -> None:
        super().__init__()
        self.config = config
        self.text: TextModel = text_model(config.text)
        if not self.text.writes:
            raise StudyError("head 'soft-token-bridge': its text model must write")
        self.tokens_name = chosen_tokens("soft-token-bridge", config.tokens_name, config.tokens)
        self.text_name = chosen_text("soft-token-bridge", config.text_name, config.texts)
        width = self.text.width
        self.norm = nn.LayerNorm(config.tokens[self.tokens_name].width)
        self.project = nn.Sequential(
            nn.Linear(config.tokens[self.tokens_name].width, width), nn.GELU(), nn.Linear(width, width)
        )

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Settings to try it with."""
        return {"text": {"kind": "t5", "width": 16, "vocabulary": 64, "heads": 2, "length": 8, "beams": 1}, "groups": 3}

    @property
    def outputs(self) -> tuple[str, ...]:
        """One: the answer."""
        return (ANSWER,)

    @property
    def explained_names(self) -> tuple[str, ...]:
        """Units of the mean soft token, ``t0``, ``t1`` ..."""
        return tuple(f"t{at}" for at in range(self.text.width))

    def prepare(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Learn which words the answers of the training side are made of."""
        words = [self._spelt(some[0]) for _, batch in parts for some in texts_of(batch, self.text_name)]
        self.text.learn([*words, self.config.question] if self.config.question else words)

    def stages(self) -> tuple[Stage, ...]:
        """One; the text model learns in it where it is tuned, and the encoder where it is not frozen."""
        learns = ("norm", "project", *(("text",) if self.config.tuned else ()))
        return (Stage(name="bridge", loss=self.loss, learns=learns, encoders=not self.config.frozen),)

    def soft_tokens(self, z: Representation) -> tuple[Tensor, Tensor]:
        """Tokens in the text model's width, and which there are; shape (sample, token, width) and (sample, token)."""
        tokens = z.of(self.tokens_name)
        values = tokens.values.detach() if self.config.frozen else tokens.values
        known = tokens.there
        return self.project(self.norm(values)) * known[..., None], known

    def states(self, soft: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """What the text model writes from: the question's states, and soft tokens behind them."""
        if not self.config.question:
            return soft, known
        asked = self.text.read([self.config.question])
        count = len(soft)
        return (
            torch.cat([asked.values.expand(count, -1, -1), soft], 1),
            torch.cat([asked.known.expand(count, -1), known], 1),
        )

    def forward(self, z: Representation) -> Tensor:
        """The mean soft token of each sample, shape (sample, width)."""
        soft, known = self.soft_tokens(z)
        return soft.sum(1) / known.sum(1, keepdim=True).clamp(min=1)

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """The mean state of each text, shape (text, width)."""
        states = self.text.read([self._spelt(one) for one in texts])
        weight = states.known.to(states.values)[..., None]
        return (states.values * weight).sum(1) / weight.sum(1).clamp(min=1)

    def write(self, z: Representation) -> list[str]:
        """An answer for each sample, from its soft tokens and the question."""
        return self._written(*self.soft_tokens(z))

    def write_without(self, count: int) -> list[str]:
        """What it answers so many times from the question alone."""
        device = self.norm.weight.device
        nothing = torch.zeros(count, 1, self.text.width, device=device)
        # Without a question something must stand there to attend to: one token of zeros.
        return self._written(nothing, torch.full((count, 1), not self.config.question, device=device))

    def _written(self, soft: Tensor, known: Tensor) -> list[str]:
        said = self.text.write(*self.states(soft, known))
        return [joined_digits(one) for one in said] if self.config.digits else said

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Cross-entropy of the answers, mean over tokens."""
        states, known = self.states(*self.soft_tokens(z))
        return self.text.cross_entropy(
            states, [self._spelt(some[0]) for some in texts_of(batch, self.text_name)], known
        )

    @torch.no_grad()
    def explain(self, z: Representation, target: str) -> Explanation:
        """What the log-probability of the answer loses without each run of tokens."""
        self.output_index(target)
        soft, known = self.soft_tokens(z)
        answers = [self._spelt(one) for one in self._written(soft, known)]

        def likely(some: Tensor) -> Tensor:
            return self.text.log_probability(*self.states(soft * some[..., None], some), answers)

        output, runs = likely(known), torch.arange(soft.shape[1]).tensor_split(min(self.config.groups, soft.shape[1]))
        without = torch.zeros_like(known)
        if not self.config.question:
            without[:, 0] = True
        baseline = likely(known) if not known.any() else self._baseline(soft, without, answers)
        lost, there = [], []
        for run in runs:
            some = known.clone()
            some[:, run] = False
            left = some.any(1, keepdim=True) | bool(self.config.question)
            lost.append(torch.where(left[:, 0], output - likely(some | (~left & without)), output - baseline))
            there.append(known[:, run].any(1))
        tokens = z.of(self.tokens_name)
        names = tuple(f"{self.tokens_name}: tokens {int(run[0]) + 1} to {int(run[-1]) + 1}" for run in runs)
        contributions, present = torch.stack(lost, 1), torch.stack(there, 1)
        contributions = contributions * present
        evidence: tuple[tuple[Evidence, ...], ...] = ()
        if tokens.regions:
            covered = [around([tokens.regions[at] for at in run.tolist()]) for run in runs]
            best = contributions.abs().argmax(1).tolist()
            evidence = tuple((Evidence(unit=names[at], region=covered[at], input=tokens.input),) for at in best)
        return Explanation(
            self.tags.family, target, names, contributions, baseline, output, None, evidence, known=present
        )

    def _baseline(self, soft: Tensor, without: Tensor, answers: Sequence[str]) -> Tensor:
        return self.text.log_probability(*self.states(torch.zeros_like(soft), without), answers)

    def _spelt(self, text: str) -> str:
        return spelt(text) if self.config.digits else text
