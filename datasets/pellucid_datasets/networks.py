"""Made-up literature: papers, authors and subjects, where a paper's class lies in the papers that it shares an author with.

Every paper is about a field, and its own words say which. Its class is the field of the papers that share an author with it, and
has nothing to do with its own field: of two papers of one author each has the other's field as its class. The recorded edges
between papers and subjects are dealt by lot. So whoever looks at a paper, its authors and its recorded subjects finds nothing; whoever
looks at the papers of its authors finds all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError

FIELDS = ("biology", "chemistry", "physics")
"""Fields that papers and subjects are of, and the classes of papers."""

OTHER = 3
"""Numbers of each node that say nothing."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Literature:
    """Papers, authors and subjects.

    Parameters
    ----------
    classes, fields : ndarray of int64, shape (paper,)
        What is asked, and what each paper's own words are about.
    papers, authors, subjects : ndarray of float32, shape (node, number)
        Of papers and subjects as many numbers as there are fields, highest at their own, and :data:`OTHER` of noise; of authors noise.
    written : ndarray of int64, shape (edge, 2)
        Paper and author.
    about : ndarray of int64, shape (edge, 2)
        Paper and subject, by lot.
    """

    classes: Ints
    fields: Ints
    papers: Floats
    authors: Floats
    subjects: Floats
    written: Ints
    about: Ints

    def beside(self, paper: int) -> Ints:
        """The other papers that share an author with one, increasing."""
        own = self.written[self.written[:, 0] == paper, 1]
        found = np.unique(self.written[np.isin(self.written[:, 1], own), 0])
        return found[found != paper]


def literature(
    rng: np.random.Generator, papers: int = 400, authors: int = 300, subjects: int = 30, *, stray: float = 0.05, noise: float = 0.3
) -> Literature:  # fmt: skip
    """Draw one.

    Parameters
    ----------
    rng : Generator
    papers, authors, subjects : int
        Every author has two papers, and every paper an author.
    stray : float
        Share of the authors beyond one for every two papers whose second paper is any, whatever its field.
    noise : float
        Standard deviation of the noise in what words say of the field, whose number is 1 higher than the others.

    Raises
    ------
    DataError
        If papers are odd in number, or authors too few for all.
    """
    if papers % 2 or authors < papers // 2:
        raise DataError(
            f"{papers} papers of two an author need an even number of papers and at least {papers // 2} authors"
        )
    kinds = len(FIELDS)
    pairs = rng.integers(0, kinds, (papers // 2, 2))
    # The field of each is the class of the other; over all papers the two are independent.
    fields, classes = pairs.reshape(-1), pairs[:, ::-1].reshape(-1)
    order = rng.permutation(papers)
    fields, classes = fields[order], classes[order]
    place = np.empty(papers, np.int64)
    place[order] = np.arange(papers)
    written = [(int(place[2 * at + end]), at) for at in range(papers // 2) for end in (0, 1)]
    for author in range(papers // 2, authors):
        one = int(rng.integers(papers))
        fits = np.flatnonzero((fields == classes[one]) & (classes == fields[one]) & (np.arange(papers) != one))
        if rng.random() < stray or not len(fits):
            fits = np.flatnonzero(np.arange(papers) != one)
        written += [(one, author), (int(rng.choice(fits)), author)]
    of_subject = np.arange(subjects) % kinds
    # As many papers a subject as its field would have, dealt to any.
    own = np.array([rng.choice(np.flatnonzero(of_subject == field)) for field in fields])
    about = np.column_stack([np.arange(papers), rng.permutation(own)])
    return Literature(
        classes,
        fields,
        _words(rng, fields, noise),
        rng.normal(size=(authors, OTHER)).astype(np.float32),
        _words(rng, of_subject, noise),
        np.array(written, np.int64),
        about.astype(np.int64),
    )


def _words(rng: np.random.Generator, fields: Ints, noise: float) -> Floats:
    told = np.eye(len(FIELDS))[fields] + noise * rng.normal(size=(len(fields), len(FIELDS)))
    return np.column_stack([told, rng.normal(size=(len(fields), OTHER))]).astype(np.float32)
