"""Naive Bayes over n-grams of codes: how often each occurs in each class, counted once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.errors import ContractError, DataError
from pellucid.explanation import Evidence, Explanation
from pellucid.heads.base import HeadTags, PredictorConfig, labels_of
from pellucid.heads.one_pass import OnePass, check_every_class
from pellucid.heads.reads_tokens import chosen_tokens
from pellucid.ngrams import NGrams, Tally, counts_of
from pellucid.representation import Representation

if TYPE_CHECKING:
    from pellucid.data.dataset import Dataset

NAME = "ngram-naive-bayes"

POINTING = 5
"""N-grams of a sample, the strongest, of which it is said where they are."""

UNUSED = torch.iinfo(torch.int64).max
"""Where the vocabulary is longer than there are n-grams."""


class NGramNaiveBayesConfig(PredictorConfig):
    """Settings of :class:`NGramNaiveBayes`.

    Parameters
    ----------
    tokens_name : str
        Of the set of tokens with codes (``"eeg"``); may be left out where there is only one.
    longest : int
        Codes of the longest n-grams; all shorter ones are counted too.
    fewest : int
        Occurrences among the training samples below which an n-gram is left out: the odds of rare ones are noise.
    most : int
        N-grams that are kept, the most frequent.
    smoothing : float
        Occurrences that are added to each n-gram in each class.
    """

    tokens_name: str = ""
    longest: int = Field(default=3, ge=1, le=8)
    fewest: int = Field(default=20, ge=1)
    most: int = Field(default=1024, ge=1)
    smoothing: float = Field(default=1.0, gt=0)


class NGramNaiveBayes(OnePass):
    """The logarithm of each class's share and, for each n-gram, how often it occurs times what one occurrence says.

    One occurrence says ``log P(n-gram | class)``, as a difference to the other class, or to the mean over several classes. The
    explanation is the model: contributions of n-grams and the prior add up to the output. Codes that stand beside each other
    are counted in every n-gram that they are in, as if each were news, so probabilities are surer than they should be; their
    order is what counts. Nothing is learnt by steps, and n-grams lie within a line of tokens (a channel).

    References
    ----------
    Chen et al. (2024), EEGFormer, arXiv 2401.10278. Deviations: n-grams that are too rare are left out, and all lengths share
    one distribution.

    Examples
    --------
    >>> from pellucid.data.spec import Binary
    >>> from pellucid.representation import Tokens, TokenShape
    >>> shape = TokenShape(count=2, width=1, codebook=2)
    >>> config = NGramNaiveBayesConfig(units=("x:a",), target=Binary(names=("no", "yes")), tokens={"x": shape}, longest=1, fewest=1)
    >>> head = NGramNaiveBayes(config)
    >>> codes = torch.tensor([[0, 0], [1, 1]])
    >>> z = Representation(torch.zeros(2, 1), ("x:a",), {"x": Tokens(torch.zeros(2, 2, 1), codes=codes)})
    >>> head.finish([(z, Batch({}, targets=torch.tensor([[0.0], [1.0]])))])
    >>> [round(one, 4) for one in head(z)[:, 0].exp().tolist()]
    [0.1111, 9.0]
    """

    tags = HeadTags(family="code", targets=("binary", "multiclass"), needs_tokens=True, needs_codes=True, counts=True)
    config_type = NGramNaiveBayesConfig
    config: NGramNaiveBayesConfig
    keys: Tensor

    def __init__(self, config: NGramNaiveBayesConfig) -> None:
        super().__init__()
        self.config = config
        coded = [name for name, shape in config.tokens.items() if shape.codebook]
        self.tokens_name = name = chosen_tokens(NAME, config.tokens_name, coded, what="tokens with codes")
        self.grams = NGrams(config.tokens[name], config.longest)
        self.register_buffer("keys", torch.full((config.most,), UNUSED))
        # Parameters, although no step moves them: they are what an audit draws anew to see whether explanations notice.
        self.weight = nn.Parameter(torch.zeros(len(self.outputs), config.most))
        self.bias = nn.Parameter(torch.zeros(len(self.outputs)))

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Settings for a trial on few samples."""
        return {"fewest": 2, "most": 64}

    def unfit_for(self, dataset: Dataset) -> str:
        """So many occurrences as are asked for must be possible: one code at every place of every sample."""
        places = self.config.tokens[self.tokens_name].count
        if self.config.fewest > (most := places * len(dataset)):
            return (
                f"counts n-grams that occur {self.config.fewest:,} times, and none can occur more than {most:,} times in "
                f"{len(dataset):,} samples of {places:,} codes: lower the option fewest"
            )
        return ""

    @torch.no_grad()
    def finish(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Count n-grams in the training samples of each class.

        Raises
        ------
        DataError
            If no training sample is of some class, or no n-gram occurs often enough.
        """
        names = self.config.target.categories
        tally, samples = Tally(len(names)), torch.zeros(len(names), dtype=torch.float64)
        for z, batch in parts:
            member = functional.one_hot(labels_of(batch)[:, 0].long(), len(names)).bool()
            tally.add(self.grams.keys(self._codes(z)), member)
            samples += member.sum(0)
        check_every_class(NAME, names, samples.tolist())
        found, counts = tally.frequent(self.config.fewest, self.config.most)
        if not len(found):
            raise DataError(
                f"head {NAME!r}: no n-gram occurs {self.config.fewest} times in {int(samples.sum())} training samples, the "
                f"commonest {int(tally.counts.sum(1).max(initial=0))} times; lower the option fewest, or give the encoder fewer codes"
            )
        smoothed = torch.from_numpy(counts).T.double() + self.config.smoothing
        weight, bias = (smoothed / smoothed.sum(1, keepdim=True)).log(), (samples / samples.sum()).log()
        if len(self.outputs) == 1:
            weight, bias = weight[1:] - weight[:1], bias[1:] - bias[:1]
        else:
            # What all classes share changes no probability, and would be most of every contribution.
            weight, bias = weight - weight.mean(0), bias - bias.mean()
        self.keys.fill_(UNUSED)
        self.weight.zero_()
        self.keys[: len(found)] = torch.from_numpy(found)
        self.weight[:, : len(found)] = weight.float()
        self.bias.copy_(bias)

    @property
    def vocabulary(self) -> Tensor:
        """Numbers of the n-grams that are counted, increasing; none before it is fitted."""
        return self.keys[: int((self.keys != UNUSED).sum())]

    @property
    def explained_names(self) -> tuple[str, ...]:
        """N-grams, each with its set of tokens: ``eeg:codes 12-5``."""
        return tuple(f"{self.tokens_name}:{self.grams.name(key)}" for key in self.vocabulary.tolist())

    def explained(self, z: Representation) -> Tensor:
        """How often each n-gram occurs, shape (sample, n-gram)."""
        return counts_of(self.grams.keys(self._codes(z)), self.vocabulary)

    def outcome(self, explained: Tensor) -> Tensor:
        """Outputs from how often each n-gram occurs."""
        weight = self.weight[:, : explained.shape[1]]
        found = self.bias.double() + explained.double() @ weight.double().T
        return found.to(self.bias.dtype)

    def forward(self, z: Representation) -> Tensor:
        """Log odds of the second of two classes, or of each class up to a number that all share; shape (sample, output)."""
        return self.outcome(self.explained(z))

    def explain(self, z: Representation, target: str) -> Explanation:
        """What each n-gram adds to one output, and where the strongest ones are."""
        at = self.output_index(target)
        names, counts = self.explained_names, self.explained(z)
        contributions = counts * self.weight[at, : len(names)]
        baseline = self.bias[at].expand(len(counts))
        evidence = self._evidence(z, names, contributions.detach())
        output = self.outcome(counts)[:, at]
        return Explanation("code", target, names, contributions, baseline, output, counts, evidence)

    def _evidence(
        self, z: Representation, names: tuple[str, ...], contributions: Tensor
    ) -> tuple[tuple[Evidence, ...], ...]:
        keys, tokens = self.grams.keys(self._codes(z)), z.of(self.tokens_name)
        strongest = contributions.abs().topk(min(POINTING, len(names)), dim=1).indices
        found = []
        for row, units in enumerate(strongest.tolist()):
            some: list[Evidence] = []
            for unit in units:
                where = torch.nonzero(keys[row] == self.keys[unit])[:, 0].tolist()
                times = "once" if len(where) == 1 else f"{len(where)} times"
                key = int(self.keys[unit])
                stand = "stand" if len(self.grams.codes_of(key)) > 1 else "stands"
                text = f"{self.grams.name(key)} {stand} {times} in this case"
                places = self.grams.regions(where, tokens.regions)
                some += [Evidence(names[unit], region, text=text, input=tokens.input) for region in places]
            found.append(tuple(some))
        return tuple(found)

    def _codes(self, z: Representation) -> Tensor:
        codes = z.of(self.tokens_name).codes
        if codes is None:
            raise ContractError(
                f"this head reads codes, and the tokens {self.tokens_name!r} of this representation have none"
            )
        return codes
