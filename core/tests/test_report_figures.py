"""Figures of the report: bars leave nothing out, curves are those of the rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from made_runs import fold_of, planted, run_folder

from pellucid.explanation import Explanation
from pellucid.gathering.explained import explanation_rows
from pellucid.report.cases import bars_of
from pellucid.report.figures import importance, shape_function
from pellucid.report.folder import RunFolder
from pellucid.report.pictures import whole_models
from pellucid.wording import number


def explanation(parts: list[float], baseline: float = -1.0, gap: float = 0.0) -> Explanation:
    made = torch.tensor([parts])
    names = tuple(f"ratings:u{i}" for i in range(len(parts)))
    return Explanation(
        "function",
        "malignant",
        names,
        made,
        torch.tensor([baseline]),
        torch.tensor([baseline + sum(parts) + gap]),
        made * 2,
    )


def test_bars_leave_nothing_out_and_show_the_gap():
    import matplotlib.pyplot as plt

    ax = explanation([0.1, -2.0, 0.5, 0.2, -0.05], gap=0.3).plot(top=2)
    lengths = [bar.get_width() for bar in ax.patches]
    np.testing.assert_allclose(lengths, [-1.0, -2.0, 0.5, 0.25, 0.3, -1.95], atol=1e-6)
    labels = [label.get_text().replace("\u00a0", " ") for label in ax.get_yticklabels()]
    assert labels == [
        "starting point",
        "u1 · ratings = -4",
        "u2 · ratings = 1",
        "3 weaker ones together",
        "gap (unexplained)",
        "output",
    ]
    assert sum(lengths[:-1]) == pytest.approx(lengths[-1])
    assert ax.patches[4].get_hatch()
    plt.close(ax.figure)


def test_terms_that_add_nothing_are_one_bar_however_few_there_are():
    import matplotlib.pyplot as plt

    ax = explanation([0.0, -2.0, 0.0, 0.2, 0.0]).plot(top=8)
    labels = [label.get_text().replace("\u00a0", " ") for label in ax.get_yticklabels()]
    assert labels[1:-2] == ["u1 · ratings = -4", "u3 · ratings = 0.4", "3 that add nothing"]
    plt.close(ax.figure)


def test_units_that_nobody_can_read_singly_are_one_bar_with_their_sum():
    rows = explanation_rows(fold_of(*planted()))
    one = rows[rows["sample"] == rows["sample"].iloc[0]]
    bars = bars_of(one, {"ratings:margin": "rating"})
    assert bars.labels[-1] == "learnt code of shape (4 units)"
    assert bars.contributions[-1] == pytest.approx(one.loc[~one["comparable"], "contribution"].sum())
    assert bars.baseline + bars.contributions.sum() + bars.gap == pytest.approx(bars.output, abs=1e-5)


def test_a_shape_function_is_drawn_fold_by_fold_from_lowest_to_highest_value():
    from matplotlib.figure import Figure

    value = np.random.default_rng(0).normal(size=200)
    rows = pd.DataFrame({"fold": np.arange(200) % 2, "value": value, "contribution": value**2})
    ax = Figure().add_subplot()
    shape_function(ax, rows, is_function=True, limits=(-1, 9))
    curves = [line for line in ax.lines if len(line.get_xdata()) > 2]
    assert len(curves) == 2
    for fold, curve in enumerate(curves):
        x, y = np.asarray(curve.get_xdata()), np.asarray(curve.get_ydata())
        assert (np.diff(x) > 0).all()
        np.testing.assert_allclose(y, x**2)
        assert (x[0], x[-1]) == (value[fold::2].min(), value[fold::2].max())


def test_importance_is_the_spread_between_cases_and_not_a_constant_offset(tmp_path):
    run = RunFolder.read(run_folder(tmp_path))
    (whole,) = whole_models(run)
    code = run.explanations[~run.explanations["comparable"]].groupby(["fold", "sample"])["contribution"].sum()
    spread = code.groupby("fold").std(ddof=0).mean()
    assert f"learnt code of shape {number(spread, 2)}" in whole.importance.alt
    assert whole.importance.alt.index("margin") < whole.importance.alt.index("disagreement on margin")


def test_importance_bars_are_as_long_as_told():
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    importance(ax, ["a", "b"], np.array([2.0, 1.0]))
    assert [bar.get_width() for bar in ax.patches] == [2.0, 1.0]
