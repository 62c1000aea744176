"""Pairs of nodes of two types as samples: which are linked, and what is known of each node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from pellucid.data.dataset import Dataset
from pellucid.data.samples import Arrays
from pellucid.data.spec import DataSpec, Links, Nodes, Vector
from pellucid.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

PAIR = "pair"
"""Name of the input that says which two nodes a sample is about, and of the group column with one group a pair."""


def attributes_of(role: str) -> str:
    """Name of the input that holds what is known of the node in a role.

    Examples
    --------
    >>> attributes_of("drug")
    'drug attributes'
    """
    return f"{role} attributes"


@dataclass(frozen=True, eq=False)
class Attributes:
    """Numbers that describe the nodes of a type.

    Parameters
    ----------
    values : ndarray of float32, shape (node, name)
    names : tuple of str
    units : str
    known : ndarray of bool, shape (node,), optional
        Of which nodes anything is known; all, if left out.
    """

    values: np.ndarray
    names: tuple[str, ...]
    units: str = "1"
    known: np.ndarray | None = None


class Pairs(Dataset):
    """Pairs of nodes of two types, each with whether a link between them was observed.

    A link that was not observed is no proof that there is none; ``spec.about`` says so to readers of a score.

    Group columns are the two roles and ``"pair"``. Everything hangs together through the roles, so a study says what is to be new
    to its models: ``apart = ["pair"]``, or one of the roles.

    Parameters
    ----------
    name, namespace, about : str
        See :class:`~pellucid.data.spec.DataSpec`.
    roles : (str, str)
        What the two nodes are, which is also their type: ``("drug", "microbe")``.
    names : (sequence of str, sequence of str)
        Of all nodes of each role. Names that occur twice get a number.
    links : ndarray of int, shape (link, 2)
        Numbers of the nodes of each observed link.
    others : ndarray of int, shape (pair, 2), optional
        Pairs without an observed link; all that are left, if left out.
    relation : str
        What a link says: ``"associated"``. It is the target's name too.
    attributes : mapping of str to Attributes
        By role.
    view : str
        Which draws a pair; the core's own, if empty.

    Raises
    ------
    DataError
        If a link names a node that is not there, or a pair stands twice.
    """

    def __init__(
        self,
        *,
        name: str,
        namespace: str,
        about: str,
        roles: tuple[str, str],
        names: tuple[Sequence[str], Sequence[str]],
        links: np.ndarray,
        others: np.ndarray | None = None,
        relation: str = "associated",
        attributes: Mapping[str, Attributes] | None = None,
        view: str = "",
    ) -> None:
        import pandas as pd

        one, other = (_distinct(some) for some in names)
        self.roles = roles
        self._attributes = dict(attributes or {})
        joined = np.asarray(links, np.int64).reshape(-1, 2)
        _check_inside(joined, (len(one), len(other)), name)
        rest = unlinked(joined, (len(one), len(other))) if others is None else np.asarray(others, np.int64)
        _check_inside(rest, (len(one), len(other)), name)
        self.pairs = np.concatenate([joined, rest])
        labels = np.repeat([1.0, 0.0], [len(joined), len(rest)])
        # In the order of nodes, so that nothing can be learnt from where a sample stands.
        order = np.lexsort((self.pairs[:, 1], self.pairs[:, 0]))
        self.pairs, labels = self.pairs[order], labels[order]
        twice = np.flatnonzero((np.diff(self.pairs, axis=0) == 0).all(1))
        if len(twice):
            a, b = self.pairs[twice[0]]
            raise DataError(f"dataset {name!r}: the pair {one[a]!r}, {other[b]!r} stands twice: keep it once")
        first, second = np.array(one, object)[self.pairs[:, 0]], np.array(other, object)[self.pairs[:, 1]]
        ids = [f"{a} + {b}" for a, b in zip(first, second, strict=True)]
        self.frame: pd.DataFrame = pd.DataFrame(
            {roles[0]: first, roles[1]: second, PAIR: ids, relation: labels}, index=pd.Index(ids, name="sample")
        )
        inputs = {PAIR: Nodes(roles=roles, types=roles, names={roles[0]: tuple(one), roles[1]: tuple(other)})}
        vectors = {attributes_of(r): Vector(names=a.names, units=a.units) for r, a in self._attributes.items()}
        self.spec = DataSpec(
            name=name,
            inputs={**inputs, **vectors},
            targets={relation: Links(relation=relation, about="1: observed, 0: not observed, which is not proof of absence")},
            groups=(*roles, PAIR),
            group_word=(roles[0], f"{roles[0]}s"),
            namespace=namespace,
            views={PAIR: view} if view else {},
            about=about,
        )  # fmt: skip

    def read(self, indices: np.ndarray) -> Arrays:
        """The two nodes of each pair, and what is known of each."""
        at = self.pairs[np.asarray(indices, np.int64)]
        inputs: dict[str, np.ndarray] = {PAIR: at}
        masks = {}
        for role, found in self._attributes.items():
            nodes = at[:, self.roles.index(role)]
            inputs[attributes_of(role)] = found.values[nodes].astype(np.float32)
            if found.known is not None:
                masks[attributes_of(role)] = found.known[nodes]
        return Arrays(inputs, masks)


def unlinked(links: np.ndarray, counts: tuple[int, int]) -> np.ndarray:
    """All pairs between which no link was observed, shape (pair, 2)."""
    free = np.ones(counts, bool)
    free[links[:, 0], links[:, 1]] = False
    return np.argwhere(free)


def chosen_others(links: np.ndarray, counts: tuple[int, int], negatives: Literal["all"] | int, seed: int) -> np.ndarray:
    """Pairs without an observed link: all of them, or so many for each link, drawn with a seed.

    Parameters
    ----------
    links : ndarray of int, shape (link, 2)
    counts : (int, int)
        Nodes of each type.
    negatives : "all" or int
    seed : int
    """
    free = unlinked(links, counts)
    if negatives == "all" or negatives * len(links) >= len(free):
        return free
    drawn = np.random.default_rng(seed).choice(len(free), negatives * len(links), replace=False)
    return free[np.sort(drawn)]


def _check_inside(pairs: np.ndarray, counts: tuple[int, int], name: str) -> None:
    for column, count in enumerate(counts):
        outside = pairs[(pairs[:, column] < 0) | (pairs[:, column] >= count), column]
        if len(outside):
            raise DataError(
                f"dataset {name!r}: a pair names node {outside[0]} of {count} in column {column}, counted from 0"
            )


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, those that were given before with a number after them."""
    count: dict[str, int] = {}
    found = []
    for name in map(str, names):
        count[name] = count.get(name, 0) + 1
        found.append(name if count[name] == 1 else f"{name} ({count[name]})")
    return found
