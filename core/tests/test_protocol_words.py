"""A protocol brings its own words and its own place in the report; the page knows none of them by name."""

from __future__ import annotations

from typing import ClassVar

import pandas as pd
import pytest
from made_runs import Reader, result, run_folder

from pellucid import plugins
from pellucid.protocols.base import Assessment
from pellucid.protocols.said import MetricWords, Section
from pellucid.report import build, words


class Grip(Assessment):
    """What a plugin may bring."""

    name: ClassVar[str] = "grip"
    metrics: ClassVar = {
        "slips_a_minute": MetricWords("Slips", "how often the hand lets go in a minute; lower is better")
    }
    section = Section(
        "grip", "Whether the hand holds", "A hand that lets go has held nothing.", order=15, measures="Measures of grip"
    )

    def examine(self, fold):
        return pd.DataFrame()

    def conclude(self, rows, context):
        return []


@pytest.fixture
def installed(monkeypatch):
    load = plugins.load
    monkeypatch.setattr(
        plugins, "load", lambda kind, name: Grip if (kind, name) == ("protocol", "robots/grip") else load(kind, name)
    )


def page(path, *made) -> str:
    results = [result("weighted", "AUROC", 0.9), *made]
    return str(Reader(build(run_folder(path, results=results, gallery=False)).read_text("utf-8")).words)


SLIPS = result("weighted", "slips_a_minute:left", 0.25, protocol="robots/grip")
HELD = result("weighted", "held", 1.0, protocol="robots/grip", passed=True, sentence="It holds.")


def test_a_plugins_protocol_has_its_section_in_its_place_and_its_metrics_their_names(tmp_path, installed):
    purity = result("weighted", "purity", 0.8, protocol="prototype-audit")
    said = page(tmp_path, purity, SLIPS, HELD)
    start, stop = said.index("Whether the hand holds"), said.index("Whether prototypes are")
    # After the control (10), before prototypes (30), whatever came first among the results.
    assert start < stop
    section = said[start:stop]
    for needed in (
        "A hand that lets go has held nothing.", "✓ passed Held It holds.", "Measures of grip",
        "Slips of left how often the hand lets go in a minute; lower is better", "0.250",
    ):  # fmt: skip
        assert needed in section, needed
    assert "What else was examined" not in said


def test_of_a_plugin_that_is_gone_the_figures_stay(tmp_path):
    said = page(tmp_path, SLIPS, HELD)
    other = said[said.index("What else was examined") :]
    assert "Slips a minute of left" in other
    assert "✓ passed Held It holds." in other


def test_two_protocols_call_different_things_by_one_name():
    assert words.metric_name("stability", "prototype-audit") == "Stays in place under noise"
    assert words.metric_name("stability", "explanation-audit") == "Stability"
    assert words.metric_words("stability") is None
    # Words of predictions are known to all; a protocol's own come first.
    assert (
        words.metric_name("mae:age", "prediction")
        == words.metric_name("mae:age", "iis")
        == "Mean absolute error of age"
    )


def test_every_word_of_a_protocol_can_be_looked_up():
    for name in plugins.components("protocol"):
        made = plugins.load("protocol", name)
        for metric, said in getattr(made, "metrics", {}).items():
            assert words.metric_words(metric, name) == said, (name, metric)


def test_protocols_that_examine_a_learnt_code_share_a_section(tmp_path):
    code = result("weighted", "silhouette", 0.2, protocol="latent-clusters", sentence="Classes lie apart.")
    walk = result("weighted", "monotonicity", 0.9, protocol="traversal-monotonicity")
    said = page(tmp_path, code, walk)
    section = said[said.index("What the learnt code holds") : said.index("What the words mean")]
    assert section.index("Latent clusters") < section.index("Traversal monotonicity")
    assert said.count("What the learnt code holds") == 1
