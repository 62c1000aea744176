"""Tokens of an encoder as soft tokens of a frozen text model: compared with sentences, and written as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.data.inputs import Sentences
from pellucid.errors import StudyError
from pellucid.explanation import Evidence, Explanation
from pellucid.heads.base import Head, HeadConfig, HeadTags, Stage
from pellucid.heads.pooling import AttentionPool
from pellucid.heads.reads_texts import chosen_text, texts_of
from pellucid.heads.reads_tokens import chosen_tokens
from pellucid.representation import Representation
from pellucid.text.models import TextModel, text_model
from pellucid.text.settings import Tables, TextModelSettings
from pellucid.text.words import words_of

if TYPE_CHECKING:
    from pellucid.data.dataset import Dataset

VECTOR = "vector"
"""What is explained where no labels are named: the squared length of a sample's vector."""


class AlignedTextConfig(HeadConfig):
    """Settings of :class:`AlignedText`.

    Parameters
    ----------
    texts : mapping of str to Sentences
        Texts of the dataset.
    text : TextModelSettings
        The frozen text model: ``kind`` is ``"tables"``, ``"t5"`` (random, of the data's own words) or ``"pretrained"``.
    text_name : str
        Which text is learnt from; may be left out where there is one.
    tokens_name : str
        Which set of tokens is read; may be left out where there is one.
    clip_weight : float, optional
        Share of the contrastive loss; the rest is that of writing. By default a half, and all of it where the text model
        does not write.
    commitment : float
        Weight of the mean squared distance of the soft tokens from the text's states at the same places.
    attention_heads : int
        Of both poolings; a divisor of the text model's width.
    labels : mapping of str to str
        Sentences whose likeness to a sample can be explained, by what they are called. One in which the text model can know no
        word is refused.
    """

    texts: Mapping[str, Sentences]
    text: TextModelSettings = Tables()
    text_name: str = ""
    tokens_name: str = ""
    clip_weight: float | None = Field(default=None, ge=0, le=1)
    commitment: float = Field(default=0.0, ge=0)
    attention_heads: int = Field(default=8, ge=1)
    labels: Mapping[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _labels_say_something(self) -> AlignedTextConfig:
        for name, text in self.labels.items():
            if not name.strip() or not words_of(text):
                raise ValueError(f"labels: {name!r} = {text!r} says nothing: give it a name, and a sentence with words")
        return self


class AlignedText(Head):
    """Soft tokens for a frozen text model, learnt so that a sample lies near its own sentence and can be written as one.

    Tokens of the encoder go through one layer into the width of the text model's states. A learnt query pools them to a
    vector by attention, another one the states of a text. The loss is ``w * CLIP + (1 - w) * LM + c * MSE``: a symmetric
    cross-entropy over the cosines of a batch, with no temperature and no further layer; the decoder's cross-entropy of a
    variant of the text drawn by lot, with the soft tokens in place of its encoder's states; and how far soft tokens are
    from the states. No sentence may stand twice in a batch: set ``distinct`` of the training to its column.

    An explanation takes the cosine with a label's sentence apart by soft tokens, exactly: given the attention, pooling is
    a sum.

    References
    ----------
    The head of GLIM, Liu et al., arXiv 2505.17099. Published: 96 tokens of 256 units into the 1024 of Flan-T5-large, w = 0.5,
    c = 0. The layers of the poolings have biases here, which the paper does not say.
    """

    tags = HeadTags(family="function", learns="texts", needs_tokens=True, contrasts=True)
    config_type = AlignedTextConfig
    config: AlignedTextConfig

    def __init__(self, config: AlignedTextConfig) -> None:
        super().__init__()
        self.config = config
        self.text: TextModel = text_model(config.text)
        self.tokens_name = chosen_tokens("aligned-text", config.tokens_name, config.tokens)
        self.text_name = chosen_text("aligned-text", config.text_name, config.texts)
        width = self.text.width
        if width % config.attention_heads:
            raise StudyError(
                f"head 'aligned-text': the text model's width, {width}, is not divisible by attention_heads = "
                f"{config.attention_heads}"
            )
        self.clip_weight = (0.5 if self.text.writes else 1.0) if config.clip_weight is None else config.clip_weight
        if self.clip_weight < 1 and not self.text.writes:
            raise StudyError(
                "head 'aligned-text': clip_weight below 1 asks to write, which text models of kind 'tables' do not: leave it "
                'out, or choose kind = "t5"'
            )
        self.project = nn.Linear(config.tokens[self.tokens_name].width, width)
        self.pool = AttentionPool(width, config.attention_heads)
        self.text_pool = AttentionPool(width, config.attention_heads)

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Settings to try it with."""
        return {"text": {"kind": "tables", "width": 16, "vocabulary": 64}, "attention_heads": 2}

    @property
    def writes(self) -> bool:
        """Whether it can write a sentence."""
        return self.text.writes

    @property
    def outputs(self) -> tuple[str, ...]:
        """The labels, or :data:`VECTOR`."""
        return tuple(self.config.labels) or (VECTOR,)

    @property
    def explained_names(self) -> tuple[str, ...]:
        """Units of the vector, ``t0``, ``t1`` ..."""
        return tuple(f"t{at}" for at in range(self.text.width))

    @property
    def compares(self) -> bool:
        """Whether it learns to lay samples near their sentences; without that share of the loss a likeness means nothing."""
        return self.clip_weight > 0

    def lacking(self, text: str, dataset: Dataset) -> tuple[str, ...]:
        """Words of a text of which the text model knows none, or before it is fitted could learn none from a dataset."""
        return self.text.lacking(text, (one for some in dataset.text_values(self.text_name) for one in some))

    def unfit_for(self, dataset: Dataset) -> str:
        """Labels in which the text model can know no word."""
        for name, text in self.config.labels.items():
            if words := self.lacking(text, dataset):
                return (
                    f"has the label {name!r} = {text!r}, of which the text model can know no word ({', '.join(map(repr, words))}): the "
                    f'{self.text_name} of no sample has one. Use words of the data, or text = {{ kind = "pretrained", name = ... }}'
                )
        return ""

    def prepare(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Learn which words the texts of the training side are made of."""
        self.text.learn(text for _, batch in parts for some in texts_of(batch, self.text_name) for text in some)

    def stages(self) -> tuple[Stage, ...]:
        """One, in which all but the text model learns."""
        return (Stage(name="align", loss=self.loss, learns=("project", "pool", "text_pool")),)

    def soft_tokens(self, z: Representation) -> Tensor:
        """Tokens in the text model's width, shape (sample, token, width)."""
        soft: Tensor = self.project(z.of(self.tokens_name).values)
        return soft

    def forward(self, z: Representation) -> Tensor:
        """A vector for each sample, to be compared by cosine; shape (sample, width)."""
        pooled: Tensor = self.pool(self.soft_tokens(z))
        return pooled

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """A vector for each text, to be compared by cosine; shape (text, width)."""
        states = self.text.read(texts)
        pooled: Tensor = self.text_pool(states.values, states.known)
        return pooled

    def write(self, z: Representation) -> list[str]:
        """A sentence for each sample, written from its soft tokens alone."""
        return self.text.write(self.soft_tokens(z))

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """See the class; mean over samples."""
        texts = texts_of(batch, self.text_name)
        soft = self.soft_tokens(z)
        states = self.text.read([some[0] for some in texts])
        total = soft.new_zeros(())
        if self.clip_weight > 0:
            total = total + self.clip_weight * clip_loss(self.pool(soft), self.text_pool(states.values, states.known))
        if self.clip_weight < 1:
            total = total + (1 - self.clip_weight) * self.text.cross_entropy(soft, [_drawn(some) for some in texts])
        if self.config.commitment > 0:
            places = min(soft.shape[1], states.values.shape[1])
            apart = (soft[:, :places] - states.values[:, :places]).square().mean(2)[states.known[:, :places]]
            total = total + self.config.commitment * apart.mean()
        return total

    def explain(self, z: Representation, target: str) -> Explanation:
        """How much each soft token adds to the likeness of a sample and a label's sentence."""
        self.output_index(target)
        soft = self.soft_tokens(z)
        vector = self.pool(soft)
        if target in self.config.labels:
            towards = functional.normalize(self.embed_texts([self.config.labels[target]]), dim=1).expand_as(vector)
            towards = towards / vector.norm(dim=1, keepdim=True).clamp_min(1e-12)
        else:
            towards = vector
        contributions, baseline = self.pool.taken_apart(soft, towards)
        tokens = z.of(self.tokens_name)
        names = tuple(f"soft token {at + 1}" for at in range(soft.shape[1]))
        evidence = tuple(
            (Evidence(unit=names[at], region=tokens.regions[at], input=tokens.input),)
            for at in contributions.abs().argmax(1).tolist()
            if tokens.regions
        )
        return Explanation(
            "function", target, names, contributions, baseline, (vector * towards).sum(1), None, evidence
        )


def clip_loss(signals: Tensor, texts: Tensor) -> Tensor:
    """Mean of the cross-entropies of finding a sample's text and a text's sample by cosine, with no temperature.

    Parameters
    ----------
    signals, texts : Tensor, shape (sample, width)
        Row i of one belongs to row i of the other, and to no other row.

    Examples
    --------
    >>> round(float(clip_loss(torch.eye(3), torch.eye(3))), 4)
    0.5514
    """
    cosines = functional.normalize(signals, dim=1) @ functional.normalize(texts, dim=1).T
    own = torch.arange(len(cosines), device=cosines.device)
    return 0.5 * (functional.cross_entropy(cosines, own) + functional.cross_entropy(cosines.T, own))


def _drawn(some: Sequence[str]) -> str:
    """One of the variants of a text by lot, or the text where it has none."""
    others = some[1:] or some
    return others[int(torch.randint(len(others), ()))]
