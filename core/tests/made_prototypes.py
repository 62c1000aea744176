"""Prototype heads on planted tokens, for the tests of each thing that they do."""

from __future__ import annotations

import torch
from made_tokens import TARGETS, labelled, made, places, represented

from pellucid.heads.prototypes.bundled import PrototypesGrouped
from pellucid.heads.prototypes.head import Prototypes
from pellucid.representation import Representation, Tokens

HEADS = (Prototypes, PrototypesGrouped)


def drawn(samples=60, tokens=7, width=6, target="several", seed=0):
    """Tokens of which one, of each sample that has a label, points its way; labels as numbers; which token it is."""
    generator = torch.Generator().manual_seed(seed)
    cells = 0.5 * torch.randn(samples, tokens, width, generator=generator)
    has = torch.rand(samples, 3, generator=generator) < 0.4
    where = torch.rand(samples, tokens, generator=generator).argsort(dim=1)[:, :3]
    for label in range(3):
        at = torch.nonzero(has[:, label])[:, 0]
        cells[at, where[at, label], label] += 4
    if target == "several":
        return cells, has.float(), where
    if target == "yes":
        return cells, has[:, :1].float(), where
    return cells, torch.where(has[:, 0], 0.0, torch.where(has[:, 1], 1.0, 2.0))[:, None], where


def prepared(head, target="several", projected=True, cells=None, labels=None, **options):
    """A head that has seen the drawn samples, with its prototypes projected onto them unless told otherwise."""
    if cells is None:
        cells, labels, _ = drawn(target=target)
    torch.manual_seed(0)
    made_head = made(head, TARGETS[target], cells, **({"addon_width": 0} | options))
    z, batch = represented(cells), labelled(labels)
    made_head.prepare([(z, batch)])
    with torch.no_grad():
        # As if warm-up had learnt which unit speaks for which label.
        made_head.plain[0].weight.copy_(torch.eye(*made_head.plain[0].weight.shape))
    made_head.place([(z, batch)])
    if projected:
        made_head.project(
            [
                (z.rows(slice(0, 20)), labelled_rows(batch, 0, 20)),
                (z.rows(slice(20, None)), labelled_rows(batch, 20, None)),
            ]
        )
        made_head.refit([(z, batch)])
    return made_head.eval(), z, batch


def labelled_rows(batch, start, stop):
    found = labelled(batch.targets[start:stop])
    return type(found)(found.inputs, {}, found.targets, samples=batch.samples[start:stop])


def of_two_sets():
    """A head with two sets of prototypes, of different tokens; of one output in both."""
    cells, labels, _ = drawn()
    z = represented(cells)
    z = Representation(
        z.values, z.names, {"x": z.tokens["x"], "y": Tokens(cells[:, :3, :4], places(3), input="signal")}
    )
    config = Prototypes.config_type.model_validate(
        {
            "units": z.names,
            "target": TARGETS["several"],
            "tokens": {"x": {"count": 7, "width": 6}, "y": {"count": 3, "width": 4}},
            "addon_width": 0,
            "sets": [
                {"tokens": "x", "outputs": ["bump", "wave"], "per_class": 2, "window": 2},
                {
                    "tokens": "y",
                    "outputs": ["dip", "wave"],
                    "per_class": 3,
                    "window": 0,
                    "similarity": "cosine",
                    "addon_width": 5,
                },
            ],
        }
    )
    torch.manual_seed(0)
    return Prototypes(config), z, labelled(labels)
