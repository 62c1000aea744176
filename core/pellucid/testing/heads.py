"""What every head keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast, get_args

import torch

from pellucid import plugins
from pellucid.explanation import Family
from pellucid.heads.abilities import AnswersWithout, ByConcepts, ByIntermediate, ByPlaces, ByText, Draws, StepByStep
from pellucid.heads.base import Head, HeadTags, Predictor
from pellucid.heads.tags import Learnt
from pellucid.plugins import Component
from pellucid.representation import Representation
from pellucid.testing.encoders import same
from pellucid.testing.instances import heads, need

EXACT = 1e-4
"""Largest gap, in logits, of a head that is faithful by construction."""

TARGETS = ("binary", "multiclass", "multilabel", "ordinal", "regression", "links")


def head_contributions_add_up_to_the_output(component: Component) -> None:
    """Baseline, contributions and gap make the very output that the head predicts; no gap where none is promised."""
    for head, z, _ in heads(component):
        kind = head.config.target.kind if isinstance(head, Predictor) else head.tags.family
        with torch.no_grad():
            logits = head(z)
        for at, target in enumerate(head.outputs):
            found = head.explain(z, target)
            need(found.target == target, component, f"asked about {target!r}, it explains {found.target!r}")
            need(
                found.family == head.tags.family,
                component,
                f"tags say {head.tags.family!r}, explains as {found.family!r}",
            )
            if isinstance(head, Predictor):
                need(
                    same(found.output, logits[:, at]),
                    component,
                    f"explains another output than it predicts ({kind}, {target!r})",
                )
            total = found.baseline + found.contributions.sum(1) + found.gap
            need(
                same(total, found.output),
                component,
                f"baseline + contributions + gap is not the output ({kind}, {target!r})",
            )
            worst = float(found.gap.detach().abs().max())
            if head.tags.faithful_by_construction:
                need(worst <= EXACT, component, f"promises no gap, leaves {worst:.2g} ({kind}, {target!r})")
            need(
                not found.evidence or len(found.evidence) == len(z.values),
                component,
                "has evidence for some samples only",
            )


def head_outputs_are_named(component: Component) -> None:
    """As many logits as the target has outputs, codes for as many features as it names, and a clear refusal of other names."""
    from pellucid.errors import ContractError

    for head, z, _ in heads(component):
        with torch.no_grad():
            shape = tuple(head(z).shape)
        named, what = (head.outputs, "logits") if head.tags.predicts else (head.explained_names, "codes")
        need(
            shape == (len(z.values), len(named)) and len(set(named)) == len(named),
            component,
            f"{len(named)} names, {what} of shape {shape}",
        )
        if isinstance(head, Predictor):
            need(head.outputs == head.config.target.outputs, component, f"names its outputs {head.outputs}")
        try:
            head.explain(z, "no such output")
        except ContractError:
            continue
        need(False, component, "explains an output that it does not have")


@torch.no_grad()
def head_sample_is_scored_as_if_alone(component: Component) -> None:
    """No logit and no contribution depends on who else is in the batch, and different samples differ."""
    for head, z, _ in heads(component):
        together = head(z)
        alone = torch.cat([head(z.rows(slice(at, at + 1))) for at in range(len(z.values))])
        need(same(together, alone), component, "scores a sample differently when others are in the batch")
        need(bool((together.std(0) > 0).any()), component, "says the same of every sample")
        some = z.rows(slice(0, 5))
        for target in head.outputs:
            whole, part = head.explain(z, target), head.explain(some, target)
            need(
                same(whole.contributions[:5], part.contributions),
                component,
                "explains a sample differently in other company",
            )


@torch.no_grad()
def head_settings_and_weights_rebuild_it(component: Component) -> None:
    """Settings as JSON and the state dict are enough: what was learnt is in a buffer or a parameter."""
    for head, z, _ in heads(component):
        config = type(head.config).model_validate_json(head.config.model_dump_json())
        need(config == head.config, component, "its settings change on the way through JSON")
        made: Any = type(head)
        again = made(config)
        again.load_state_dict(head.state_dict())
        need(same(head(z), again.eval()(z)), component, "rebuilt from settings and weights it differs")
        first, second = (h.explain(z, h.outputs[0]).contributions for h in (head, again))
        need(same(first, second), component, "rebuilt from settings and weights it explains differently")


def head_tags_are_from_the_closed_sets(component: Component) -> None:
    """Family, scope, stage and kinds of target are words that readers can look up."""
    tags = plugins.load("head", component.qualified).tags
    need(isinstance(tags, HeadTags), component, "has no HeadTags")
    need(tags.family in get_args(Family), component, f"family {tags.family!r} is none of {get_args(Family)}")
    need(tags.scope in ("local", "global"), component, f"scope {tags.scope!r} is neither local nor global")
    need(tags.stage in ("ante_hoc", "post_hoc"), component, f"stage {tags.stage!r} is neither ante_hoc nor post_hoc")
    need(
        tags.learns in get_args(Learnt), component, f"learns from {tags.learns!r}, which is none of {get_args(Learnt)}"
    )
    need(bool(tags.targets) == tags.predicts, component, "predicts no kind of target")
    unknown = sorted(set(tags.targets) - set(TARGETS))
    need(not unknown, component, f"predicts unknown kinds of target: {', '.join(unknown)}")
    predictor = issubclass(plugins.load("head", component.qualified), Predictor)
    need(
        tags.predicts == predictor,
        component,
        f"tags say that it learns from {tags.learns}; it is {'a' if predictor else 'no'} Predictor",
    )


def head_loss_is_finite_and_teaches(component: Component) -> None:
    """Every stage's loss is finite and moves a parameter that the stage may change."""
    for head, z, batch in heads(component):
        head.train()
        rows = slice(0, 16)
        some, few = z.rows(rows), batch.rows(rows)
        for stage in head.stages():
            learns = stage.parameters(head)
            if stage.loss is None or not learns:
                continue
            head.zero_grad()
            head.requires_grad_(True)
            loss = stage.loss(some, few)
            need(
                loss.ndim == 0 and bool(torch.isfinite(loss)),
                component,
                f"stage {stage.name!r}: its loss is {loss.tolist()}",
            )
            loss.backward()
            gradients = [p.grad for p in learns if p.grad is not None]
            need(
                all(bool(torch.isfinite(g).all()) for g in gradients),
                component,
                f"stage {stage.name!r}: a gradient is not finite",
            )
            need(any(bool((g != 0).any()) for g in gradients), component, f"stage {stage.name!r} teaches no parameter")


def head_abilities_answer(component: Component) -> None:
    """A head that has an ability by the names of its methods answers them, with what protocols make use of."""
    for head, z, _ in heads(component):
        try:
            for said in _misunderstood(head, z):
                need(False, component, said)
        except TypeError as error:
            need(False, component, f"has an ability by name whose call is another: {error}")


@torch.no_grad()
def _misunderstood(head: Head, z: Representation) -> Iterator[str]:
    """What an ability's methods answer otherwise than it says."""
    count, asked = len(z), cast(Any, head)
    if isinstance(head, ByPlaces):
        places = tuple(z.tokens[asked.tokens_name].values.shape[:2])
        for target in asked.outputs:
            said, found = asked.place_contributions(z, target), asked.explain(z, target)
            if said.shape != places:
                yield f"ByPlaces: place_contributions of {places} tokens are of shape {tuple(said.shape)}"
                return
            # What units of other encoders add beside is not of places.
            placed = torch.tensor([name not in asked.config.units for name in found.names])
            if not same(said.sum(1), found.contributions[:, placed].sum(1)):
                yield f"ByPlaces: place_contributions are not what the explanation says that places add ({target!r})"
    if isinstance(head, ByConcepts):
        rated = asked.concepts(z)
        if rated.shape != (count, len(asked.concept_names)):
            yield f"ByConcepts: {len(asked.concept_names)} names of concepts, values of shape {tuple(rated.shape)}"
            return
        if asked.whole_steps(rated).shape != rated.shape or not same(asked.outcome(asked.handed_on(rated)), asked(z)):
            yield "ByConcepts: outcome(handed_on(concepts)) is not the output"
    if isinstance(head, ByIntermediate):
        read = asked.intermediate(z)
        if read.shape != (count, len(asked.intermediate_names)):
            yield f"ByIntermediate: {len(asked.intermediate_names)} names, values of shape {tuple(read.shape)}"
        elif not same(asked.decided(z, read), asked(z)):
            yield "ByIntermediate: with its own intermediate the output is another"
    if isinstance(head, ByText):
        vectors = asked.embed_texts(["one", "two words"])
        if vectors.shape != (2, asked(z).shape[1]):
            yield f"ByText: two texts are embedded in shape {tuple(vectors.shape)}, samples in {tuple(asked(z).shape)}"
        if asked.writes and not _sentences(asked.write(z), count):
            yield "ByText: writes no sentence for each sample"
    if isinstance(head, AnswersWithout) and not _sentences(asked.write_without(2), 2):
        yield "AnswersWithout: asked for two sentences, it gives others"
    if isinstance(head, Draws):
        drawn, outputs = asked.draw(z, 3, seed=1), len(asked.config.target.outputs)
        if drawn.shape != (3, count, outputs) or not bool(drawn.isfinite().all()):
            yield f"Draws: three draws of {count} samples are of shape {tuple(drawn.shape)}, or not finite"
            return
        if not same(drawn, asked.draw(z, 3, seed=1)):
            yield "Draws: the same seed draws otherwise"
        if same(drawn[0], drawn[1]) or same(drawn, asked.draw(z, 3, seed=2)):
            yield "Draws: all draws are the same"
    if isinstance(head, StepByStep):
        path, wanted = asked.outputs_by_step(z), (count, len(asked.step_names) + 1, len(asked.config.target.outputs))
        if path.shape != wanted:
            yield f"StepByStep: its trajectory is of shape {tuple(path.shape)}, not {wanted}"


def _sentences(said: Any, count: int) -> bool:
    return len(said) == count and all(isinstance(one, str) for one in said)
