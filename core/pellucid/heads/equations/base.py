"""What heads that are equations share: rows gathered in one pass, terms times coefficients, and how they are written down."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.errors import DataError
from pellucid.explanation import Evidence, Explanation
from pellucid.heads.base import PredictorConfig, labels_of
from pellucid.heads.equations import written
from pellucid.heads.one_pass import OnePass
from pellucid.representation import Representation

if TYPE_CHECKING:
    from pellucid.data.dataset import Dataset

Floats = npt.NDArray[np.float64]


class EquationHead(OnePass):
    """Each output is a sum of units times coefficients, most of which are 0; there is no constant but a unit that is one.

    Parameters
    ----------
    config : PredictorConfig
    """

    called: str
    """What a study calls it, for messages."""

    inclusion: Tensor
    low: Tensor
    high: Tensor
    level: Tensor

    def __init__(self, config: PredictorConfig) -> None:
        super().__init__()
        self.config = config
        shape = (len(config.target.outputs), len(config.units))
        # A parameter, although no step moves it: it is what an audit draws anew to see whether explanations notice.
        self.coefficients = nn.Parameter(torch.zeros(shape, dtype=torch.float64))
        for name in ("inclusion", "low", "high", "level"):
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))

    def unfit_for(self, dataset: Dataset) -> str:
        """There must be as many samples as terms."""
        if len(dataset) < (terms := len(self.config.units)):
            return f"finds coefficients of {terms} terms, and {len(dataset)} samples do not determine them: lower the degree of the library"
        return ""

    @abstractmethod
    def learn(self, columns: Floats, targets: Floats, groups: Sequence[str]) -> Mapping[str, Floats]:
        """Coefficients and what is known of each.

        Parameters
        ----------
        columns : ndarray, shape (row, term)
        targets : ndarray, shape (row, output)
        groups : sequence of str, shape (row,)
            The first group of each row (its episode, its subject); empty strings where nobody said.

        Returns
        -------
        mapping of str to ndarray, shape (output, term)
            ``coefficients``, ``inclusion`` (0 to 1), ``low`` and ``high`` (5 and 95 %), ``level`` (below which one is taken for 0).
        """

    @torch.no_grad()
    def finish(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Learn from the training samples.

        Raises
        ------
        ContractError
            If the samples carry no labels.
        DataError
            If a term or a label is not finite, or there are fewer samples than terms.
        """
        columns, targets = [], []
        groups: list[str] = []
        for z, batch in parts:
            columns.append(z.values.cpu().numpy().astype(np.float64))
            targets.append(labels_of(batch).cpu().numpy().astype(np.float64))
            first = next(iter(batch.groups.values()), ("",) * len(z))
            groups.extend(first)
        self.settle_on(np.concatenate(columns), np.concatenate(targets), groups)

    @torch.no_grad()
    def settle_on(self, terms: Floats, labels: Floats, groups: Sequence[str]) -> None:
        """Learn from rows that are at hand, as :meth:`finish` does from samples.

        Parameters
        ----------
        terms : ndarray, shape (row, term)
        labels : ndarray, shape (row, output)
        groups : sequence of str, shape (row,)

        Raises
        ------
        DataError
            If a term or a label is not finite, or there are fewer rows than terms.
        """
        for what, values, names in (("term", terms, self.term_names), ("label", labels, self.outputs)):
            if (bad := ~np.isfinite(values)).any():
                row, at = np.argwhere(bad)[0]
                raise DataError(
                    f"head {self.called!r}: {what} {names[at]!r} is {values[row, at]} in {int(bad.any(1).sum())} training sample(s): leave "
                    "these out, or bring numbers nearer to 1 so that high powers do not overflow"
                )
        if len(terms) < terms.shape[1]:
            raise DataError(
                f"head {self.called!r}: {len(terms)} training samples do not determine coefficients of {terms.shape[1]} terms: add "
                "samples, or lower the degree of the library"
            )
        for name, values in self.learn(terms, labels, groups).items():
            getattr(self, name).copy_(torch.from_numpy(np.ascontiguousarray(values)))

    def forward(self, z: Representation) -> Tensor:
        """Predicted numbers, shape (sample, output); summed in double precision."""
        return (z.values.double() @ self.coefficients.T).to(z.values.dtype)

    def explain(self, z: Representation, target: str) -> Explanation:
        """What each term adds to one output, which is the term times its coefficient; the equation is the evidence of the strongest."""
        at = self.output_index(target)
        contributions = (z.values.double() * self.coefficients[at]).to(z.values.dtype)
        said = self.equations()[target]
        names = z.names
        strongest = contributions.detach().abs().argmax(1).tolist()
        return Explanation(
            "function",
            target,
            names,
            contributions,
            torch.zeros_like(contributions[:, 0]),
            self(z)[:, at],
            z.values,
            tuple((Evidence(names[one], text=said),) for one in strongest),
        )

    @property
    def term_names(self) -> tuple[str, ...]:
        """Units without the encoder that says them."""
        return written.plain_names(self.config.units)

    def terms(self, output: str) -> Mapping[str, float]:
        """Terms of one equation that have a coefficient, by name."""
        return written.by_term(self.term_names, self.coefficients[self.output_index(output)].tolist())

    def equations(self) -> dict[str, str]:
        """Each output as a sum of terms, with its unit: ``"dx/dt [m s-1] = 10 y - 10 x"``."""
        units = getattr(self.config.target, "units", ("",) * len(self.outputs))
        rows = self.coefficients.tolist()
        return {
            output: written.equation(output, unit, self.term_names, row)
            for output, unit, row in zip(self.outputs, units, rows, strict=True)
        }

    def latex(self) -> dict[str, str]:
        """The same for a typesetter."""
        rows = self.coefficients.tolist()
        return {one: written.latex(one, self.term_names, row) for one, row in zip(self.outputs, rows, strict=True)}

    def export(self, variables: Sequence[str] | None = None) -> str:
        """A Python module with a function ``predict`` that needs numpy alone.

        Parameters
        ----------
        variables : sequence of str, optional
            What the function is given, in this order; those of the terms by default.

        Raises
        ------
        ContractError
            If a term is no product of these.
        """
        named = written.variables_of(self.term_names) if variables is None else variables
        return written.source(self.outputs, self.term_names, self.coefficients.detach().cpu().numpy(), named)

    def function(self, variables: Sequence[str] | None = None) -> Any:
        """The function of :meth:`export`, ready to be called: shape (..., variable) to (..., output)."""
        return written.compiled(self.export(variables))
