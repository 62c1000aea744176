"""What every encoder keeps."""

from __future__ import annotations

from typing import Any

import torch

from pellucid.batch import Batch
from pellucid.encoders.base import Encoder
from pellucid.graph_batch import GraphBatch
from pellucid.plugins import Component
from pellucid.testing.instances import encoders, need

CLOSE = 1e-4
"""Largest difference, relative to the largest value, that summing in another order explains in float32."""


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Equal up to the order of summation."""
    return a.shape == b.shape and bool(((a - b).abs() <= CLOSE * (1 + a.abs().max())).all())


@torch.no_grad()
def values(encoder: Encoder, batch: Batch) -> torch.Tensor:
    """What it says in evaluation mode."""
    return encoder.eval()(batch).values


@torch.no_grad()
def encoder_names_match_width(component: Component) -> None:
    """One name for each unit, all different, known before any batch is seen."""
    for encoder, _, batch in encoders(component):
        z = encoder(batch)
        need(
            z.names == encoder.names,
            component,
            f"encodes units {z.names[:3]}..., but says its names are {encoder.names[:3]}...",
        )
        need(len(set(z.names)) == len(z.names), component, "two units have one name")
        need(
            z.values.shape == (len(batch), len(z.names)),
            component,
            f"{len(batch)} samples gave {tuple(z.values.shape)}",
        )
        need(bool(torch.isfinite(z.values).all()), component, "gives NaN or infinity")
        given = {name: tuple(tokens.values.shape[1:]) for name, tokens in z.tokens.items()}
        said = {
            name: (given[name][0] if shape.varying and name in given else shape.count, shape.width)
            for name, shape in encoder.token_shapes.items()
        }
        need(given == said, component, f"hands on tokens of shape {given}, but says they are {said}")
        for name, shape in encoder.token_shapes.items():
            codes = z.tokens[name].codes
            need(
                (codes is not None) == (shape.codebook > 0),
                component,
                f"tokens {name!r}: has codes or has not, unlike it says",
            )
            need(
                (z.tokens[name].known is not None) == shape.varying,
                component,
                f"tokens {name!r}: says which there are only where their number varies, and then always",
            )
            lies = z.tokens[name].input
            need(
                not lies or lies in encoder.config.inputs,
                component,
                f"tokens {name!r}: says that they lie in the input {lies!r}, which it does not read",
            )
            if codes is not None:
                there = int(codes.min()) >= -1 and int(codes.max()) < shape.codebook
                need(there, component, f"tokens {name!r}: a code is none of {shape.codebook}")
        coded = any(shape.codebook for shape in encoder.token_shapes.values())
        need(coded == encoder.tags.gives_codes, component, "its tags and its tokens disagree on whether it gives codes")


def encoder_same_input_gives_same_values(component: Component) -> None:
    """Evaluated twice it says the same, if its tags promise that."""
    for encoder, _, batch in encoders(component):
        if encoder.tags.deterministic:
            need(
                torch.equal(values(encoder, batch), values(encoder, batch)),
                component,
                "says other values the second time",
            )


def encoder_sample_is_encoded_as_if_alone(component: Component) -> None:
    """No sample's values depend on who else is in the batch, and different samples differ."""
    for encoder, _, batch in encoders(component):
        if not encoder.tags.deterministic:
            continue
        together = values(encoder, batch)
        alone = torch.cat([values(encoder, batch.rows(slice(at, at + 1))) for at in range(len(batch))])
        need(same(together, alone), component, "encodes a sample differently when others are in the batch")
        need(bool((together.std(0) > 0).any()), component, "says the same of every sample")


def encoder_settings_and_weights_rebuild_it(component: Component) -> None:
    """Settings as JSON and the state dict are enough: what was learnt is in a buffer or a parameter."""
    for encoder, _, batch in encoders(component):
        config = type(encoder.config).model_validate_json(encoder.config.model_dump_json())
        need(config == encoder.config, component, "its settings change on the way through JSON")
        made: Any = type(encoder)
        again = made(config)
        again.load_state_dict(encoder.state_dict())
        if encoder.tags.deterministic:
            need(
                same(values(encoder, batch), values(again, batch)),
                component,
                "rebuilt from settings and weights it differs",
            )


def encoder_masked_values_change_nothing(component: Component) -> None:
    """A value that the mask says is not real has no influence, for masks of values and of whole inputs."""
    for encoder, _, batch in encoders(component):
        if not encoder.tags.deterministic:
            continue
        for name in encoder.config.inputs:
            x = batch.inputs[name]
            if isinstance(x, GraphBatch):
                _whole_graphs(component, encoder, batch, name, x)
                continue
            for mask in (_half(x), torch.arange(len(x)) % 2 == 0):
                hidden = ~mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim)).expand_as(x)
                # Another value of the same kind: tokens must stay in the vocabulary, numbers may be absurd.
                other = torch.where(hidden, x.flip(0) if not x.is_floating_point() else x + 1000, x)
                masks = {**batch.masks, name: mask}
                first = values(encoder, Batch(batch.inputs, masks))
                second = values(encoder, Batch({**batch.inputs, name: other}, masks))
                form = "of values" if mask.ndim > 1 else "of whole inputs"
                need(
                    same(first, second),
                    component,
                    f"a mask {form} is not respected: hidden values of {name!r} change the result",
                )
                need(bool(torch.isfinite(first).all()), component, f"a mask {form} makes it say NaN")


@torch.no_grad()
def encoder_nodes_have_no_order(component: Component) -> None:
    """Of a graph whose nodes and edges are numbered otherwise it says the same."""
    for encoder, _, batch in encoders(component):
        for name in encoder.config.inputs:
            x = batch.inputs[name]
            if isinstance(x, GraphBatch) and encoder.tags.deterministic:
                other = batch.with_input(name, _renumbered(x))
                need(same(values(encoder, batch), values(encoder, other)), component, "depends on the order of nodes")


def _renumbered(x: GraphBatch) -> GraphBatch:
    drawn = torch.rand(len(x.nodes), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    # Within each graph: the first node of a rooted graph would need to stay, and is its graph's own affair.
    order = (x.graph_of_node.double() + drawn).argsort()
    edges = torch.randperm(x.edge_index.shape[1], generator=torch.Generator().manual_seed(1))
    return GraphBatch(
        x.nodes[order],
        order.argsort()[x.edge_index[:, edges]],
        x.edge_values[edges],
        x.graph_of_node,
        x.count,
        None if x.node_types is None else x.node_types[order],
        None if x.edge_types is None else x.edge_types[edges],
    )


def _whole_graphs(component: Component, encoder: Encoder, batch: Batch, name: str, x: GraphBatch) -> None:
    mask = torch.arange(len(x)) % 2 == 0
    other = x.with_nodes(torch.where(mask[x.graph_of_node, None], x.nodes, x.nodes + 1000))
    masks = {**batch.masks, name: mask}
    first, second = (values(encoder, Batch({**batch.inputs, name: one}, masks)) for one in (x, other))
    need(same(first, second), component, f"a mask of whole graphs is not respected: hidden nodes of {name!r} count")


def _half(x: torch.Tensor) -> torch.Tensor:
    mask = torch.ones_like(x, dtype=torch.bool)
    mask[..., : x.shape[-1] // 2] = False
    return mask


@torch.no_grad()
def encoder_decodes_to_the_shape_of_its_input(component: Component) -> None:
    """What it decodes could be its input; what cannot decode says so."""
    for encoder, _, batch in encoders(component):
        z = values(encoder, batch)
        if not encoder.tags.decodes:
            try:
                encoder.decode(z)
            except TypeError:
                continue
            need(False, component, "decodes, but its tags say that it does not")
        decoded = encoder.decode(z)
        need(decoded.shape == encoder.read(batch).shape, component, f"decodes to {tuple(decoded.shape)}")
        need(bool(torch.isfinite(decoded).all()), component, "decodes to NaN or infinity")


def encoder_loss_is_finite_and_teaches(component: Component) -> None:
    """Its own loss (or, without one, its values) gives every step something finite to learn from."""
    for encoder, _, batch in encoders(component):
        encoder.train().requires_grad_(True)
        if not encoder.tags.trains_alone and not any(True for _ in encoder.parameters()):
            continue
        loss = encoder.loss(batch) if encoder.tags.trains_alone else encoder(batch).values.square().mean()
        need(loss.ndim == 0 and bool(torch.isfinite(loss)), component, f"its loss is {loss.tolist()}")
        loss.backward()
        gradients = [p.grad for p in encoder.parameters() if p.grad is not None]
        need(all(bool(torch.isfinite(g).all()) for g in gradients), component, "a gradient is NaN or infinite")
        need(any(bool((g != 0).any()) for g in gradients), component, "its loss teaches no parameter")
