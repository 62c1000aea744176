"""Chunks, and what is done of them: shapes and numbers that cannot be are refused."""

import numpy as np
import pytest

from pellucid.errors import ContractError, DataError
from pellucid_robotics.actions.chunks import chunk_places, chunk_table
from pellucid_robotics.actions.execution import ensembled, episode_score, executed

OUTPUTS = ["base_x_velocity at step 1", "base_x_velocity at step 2"]


def test_chunks_have_three_axes():
    for what_is_done in (lambda chunks: executed(chunks, 1), ensembled):
        with pytest.raises(ContractError, match=r"shape \(3, 4\), expected \(step, horizon, action\)"):
            what_is_done(np.zeros((3, 4)))
    with pytest.raises(ContractError, match="horizon of 1"):
        ensembled(np.zeros((2, 0, 2)))
    assert executed([[[1.0]], [[2.0]]], 1).tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize("decay", [-1.0, float("nan"), float("inf")])
def test_weights_of_old_chunks_are_numbers_that_fall(decay):
    with pytest.raises(ContractError, match="decay is"):
        ensembled(np.zeros((2, 2, 1)), decay=decay)


def test_no_score_comes_of_an_episode_that_was_not_seen():
    with pytest.raises(DataError, match="NaN"):
        episode_score(np.array([[0.5, np.nan]]))
    with pytest.raises(ContractError, match=r"shape \(2, 0\)"):
        episode_score(np.zeros((2, 0)))
    with pytest.raises(ContractError, match="enough is 0"):
        episode_score(np.zeros((2, 3)), enough=0)


def test_a_chunk_has_each_slot_once_at_each_step_and_a_value_for_each():
    with pytest.raises(ContractError, match="no outputs"):
        chunk_table([], [])
    with pytest.raises(ContractError, match="one slot at one step"):
        chunk_table([OUTPUTS[0]] * 2, [1.0, 2.0])
    with pytest.raises(ContractError, match=r"2 outputs has values of shape \(3,\)"):
        chunk_table(OUTPUTS, [1.0, 2.0, 3.0])
    with pytest.raises(ContractError, match="without gaps"):
        chunk_places([OUTPUTS[0], "base_x_velocity at step 99999999999"], "it")
    with pytest.raises(ContractError, match="did you mean 'base_x_velocity'"):
        chunk_table(OUTPUTS, [1.0, 2.0], mask=["base_x_velocty"])
