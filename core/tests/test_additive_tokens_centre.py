"""The zero of contributions of ``additive-tokens`` is a number that is learnt once, and no part of a gradient."""

from __future__ import annotations

import copy

import torch

from pellucid.data.spec import Regression
from pellucid.heads.additive_tokens import AdditiveTokens, AdditiveTokensConfig
from pellucid.representation import Representation, Tokens, TokenShape


def test_a_head_whose_encoder_still_learns_can_be_copied_once_its_centre_is_found():
    tokens = {"x": TokenShape(count=0, width=3, varying=True)}
    config = AdditiveTokensConfig(units=("x:a",), target=Regression(names=("y",), units=("mm",)), tokens=tokens)
    head = AdditiveTokens(config)
    values = torch.rand(4, 5, 3, requires_grad=True)
    known = torch.rand(4, 5) > 0.3
    z = Representation(torch.rand(4, 1), ("x:a",), {"x": Tokens(values * known[..., None], known=known)})
    head.find_centre([(z, None)])
    assert not head.centre.requires_grad
    torch.testing.assert_close(head.centre, head.at_places(z.tokens["x"]).detach().sum((0, 1)) / known.sum())
    copy.deepcopy(head)
