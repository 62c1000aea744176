"""The prediction assessment: planted scores against scikit-learn, planted leaks refused, chance levels that chance reaches."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics

from pellucid.data import ArrayDataset, Binary, DataSpec, MultiClass, MultiLabel, Ordinal, Regression, Split, Vector
from pellucid.data.subjects import LearnedFrom
from pellucid.errors import ContractError, DataError, LeakageError
from pellucid.heads.base import HeadTags
from pellucid.part import configured
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.baseline import TrivialBaseline
from pellucid.protocols.prediction.assessment import (
    Prediction,
    PredictionConfig,
    label_columns,
    output_columns,
    predictions,
)
from pellucid.protocols.prediction.figures import _numbers as drawn_numbers
from pellucid.protocols.prediction.figures import fold_mean_roc
from pellucid.protocols.prediction.metrics import metrics_of
from pellucid.protocols.splitting.nested_subject_cv import NestedSubjectCv
from pellucid.result import Results

CLEAR = HeadTags(family="function")
BLACK = HeadTags(family="attribution", stage="post_hoc", faithful_by_construction=False)
PARTS = {"good": CLEAR, "noise": CLEAR, "black": BLACK}
TARGETS = {
    "ill": Binary(names=("well", "ill")),
    "kind": MultiClass(names=("a", "b", "c")),
    "signs": MultiLabel(names=("one", "two")),
    "level": Ordinal(names=("low", "middle", "high")),
    "grade": Regression(names=("x",), units=("mm",)),
    "pair": Regression(names=("x", "y"), units=("mm", "s")),
}


def cohort(n=400, subjects=150, seed=0):
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=n)
    level = np.digitize(signal, [-0.5, 0.5]).astype(float)
    frame = pd.DataFrame(
        {
            "subject": [f"p{i}" for i in rng.integers(0, subjects, n)],
            "ill": (signal > 0.3).astype(float),
            "kind": level,
            "signs:one": (signal > 0).astype(float),
            "signs:two": (signal > 1).astype(float),
            "level": level,
            "grade": signal,
            "pair:x": signal,
            "pair:y": -10 * signal,
            "area": signal + rng.normal(size=n),
            "signal": signal,
        },
        index=[f"s{i}" for i in range(n)],
    )
    spec = DataSpec(
        name="cohort",
        inputs={},
        targets=TARGETS,
        namespace="cohort",
        covariates=Vector(names=("area",)),
        trivial=("area",),
    )
    return ArrayDataset(spec, frame, {})


@dataclass
class Oracle:
    """A fitted model that sees the planted signal through noise, and says it in the form of the target."""

    target: str
    noise: float
    seed: int
    weight: float = 1.0
    learned_from: LearnedFrom = field(default_factory=LearnedFrom)
    threshold: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(value=0.5))
    head: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(tags=SimpleNamespace(predicts=True)))

    def chances(self, samples):
        seen = self.weight * samples.frame["signal"].to_numpy()
        seen = seen + self.noise * np.random.default_rng(self.seed).normal(size=len(seen))
        return {
            "ill": lambda: _sigmoid(3 * (seen - 0.3))[:, None],
            "kind": lambda: _softmax(np.stack([-3 * seen, 0.5 - 0 * seen, 3 * seen], 1)),
            "signs": lambda: _sigmoid(np.stack([3 * seen, 3 * (seen - 1)], 1)),
            "level": lambda: _sigmoid(np.stack([3 * (seen + 0.5), 3 * (seen - 0.5)], 1)),
            "grade": lambda: seen[:, None],
            "pair": lambda: np.stack([seen, -10 * seen], 1),
        }[self.target]()


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _softmax(x):
    e = np.exp(x)
    return e / e.sum(1, keepdims=True)


def models(dataset, target, split, **changes):
    learnt = dataset.subset(np.r_[split.train, split.validation]).learned_from
    kinds = {"good": (0.3, 1.0), "noise": (1.0, 0.0), "black": (0.3, 1.0)}
    made = {
        part: Oracle(target, noise, seed=17 * at + split.fold, weight=weight, learned_from=learnt)
        for at, (part, (noise, weight)) in enumerate(kinds.items())
    }
    made["good"].threshold = SimpleNamespace(value=0.4)
    return {**made, **changes}


def folds_of(target, dataset=None, seed=0):
    dataset = dataset or cohort(seed=seed)
    for split in NestedSubjectCv().splits(dataset, target, 0):
        baseline = TrivialBaseline(dataset.spec, target).fit(dataset.subset(split.train))
        yield FittedFold(dataset, target, split, models(dataset, target, split), baseline, 0)


def context_of(target, dataset=None):
    return Context((dataset or cohort()).spec, target, PARTS, "area alone", 0)


def examined(target, dataset=None):
    rows = [Prediction().examine(fold).assign(fold=fold.split.fold) for fold in folds_of(target, dataset)]
    return pd.concat(rows, ignore_index=True)


@pytest.fixture(scope="module")
def yes_or_no():
    rows = examined("ill")
    return rows, Results(Prediction().conclude(rows, context_of("ill")))


def get(results, metric, part="good"):
    return results.get("prediction", metric, part)


# --- examine ----------------------------------------------------------------------------------------------------------


def test_rows_hold_every_test_sample_of_every_part_once_with_what_was_said(yes_or_no, tmp_path):
    rows, _ = yes_or_no
    dataset = cohort()
    assert set(rows["part"]) == {*PARTS, "area alone"}
    for part, mine in rows.groupby("part"):
        assert sorted(mine["sample"]) == sorted(dataset.frame.index)
        truth = dataset.frame.loc[mine["sample"]]
        assert (mine["label"].to_numpy() == truth["ill"].to_numpy()).all()
        assert (mine["subject"].to_numpy() == truth["subject"].to_numpy()).all()
        assert mine["probability"].between(0, 1).all()
        assert part == "area alone" or set(mine["threshold"]) == {0.4 if part == "good" else 0.5}
    fold = next(folds_of("ill"))
    mine = rows[(rows["part"] == "good") & (rows["fold"] == 0)]
    assert mine["probability"].to_numpy() == pytest.approx(fold.models["good"].chances(fold.test("good"))[:, 0])
    ours = rows[(rows["part"] == "area alone") & (rows["fold"] == 0)]
    assert ours["probability"].to_numpy() == pytest.approx(fold.baseline.predict(fold.test("good"))[:, 0])
    assert set(ours["threshold"]) == {fold.baseline.threshold}
    rows.to_parquet(tmp_path / "rows.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "rows.parquet"), rows)


def test_a_model_that_has_learnt_from_a_test_subject_is_refused_by_name_and_number():
    fold = next(folds_of("ill"))
    spied = fold.dataset.subset(fold.split.test[:1]).learned_from
    leaky = replace(fold.models["noise"], learned_from=fold.models["noise"].learned_from | spied)
    planted = replace(fold, models={**fold.models, "noise": leaky})
    with pytest.raises(
        LeakageError, match=r"'noise' of fold 0 would be scored on subjects it has learnt from: 1 of \d+"
    ):
        Prediction().examine(planted)


def test_a_baseline_or_a_source_of_samples_that_has_seen_test_subjects_is_refused():
    fold = next(folds_of("ill"))
    everybody = TrivialBaseline(fold.dataset.spec, "ill").fit(fold.dataset)
    with pytest.raises(LeakageError, match="'area alone' of fold 0"):
        Prediction().examine(replace(fold, baseline=everybody))
    fold.dataset.made_by = fold.dataset.subset(fold.split.test).learned_from
    with pytest.raises(LeakageError, match="'good' of fold 0"):
        Prediction().examine(fold)


def test_training_that_diverged_is_said():
    fold = next(folds_of("ill"))
    diverged = replace(fold, models={**fold.models, "noise": Oracle("ill", np.nan, 0)})
    with pytest.raises(DataError, match=r"'noise' of fold 0 says NaN or infinity for (\d+) of \1 samples"):
        Prediction().examine(diverged)


# --- conclude: yes or no ----------------------------------------------------------------------------------------------


def test_scores_are_those_of_scikit_learn_within_folds_or_pooled(yes_or_no):
    rows, results = yes_or_no
    for part in (*PARTS, "area alone"):
        mine = rows[rows["part"] == part]
        y, p = mine["label"], mine["probability"]
        yes = p >= mine["threshold"]
        by_fold = [(len(f), f["label"], f["probability"]) for _, f in mine.groupby("fold")]
        for name, metric in (("auroc", metrics.roc_auc_score), ("auprc", metrics.average_precision_score)):
            expected = np.average([metric(a, b) for _, a, b in by_fold], weights=[n for n, _, _ in by_fold])
            assert get(results, name, part).value == pytest.approx(expected)
        assert get(results, "accuracy", part).value == pytest.approx(metrics.accuracy_score(y, yes))
        assert get(results, "sensitivity", part).value == pytest.approx(metrics.recall_score(y, yes))
        assert get(results, "specificity", part).value == pytest.approx(metrics.recall_score(y, yes, pos_label=0))
        assert get(results, "brier", part).value == pytest.approx(metrics.brier_score_loss(y, p))
    for result in results:
        assert result.low <= result.value <= result.high
        assert result.n_subjects == cohort().frame["subject"].nunique()
        assert result.n_samples == (result.n_subjects if "per_subject" in result.metric else 400)
        if "minus" not in result.metric:
            assert result.baseline == get(results, result.metric, "area alone").value
    assert {r.metric for r in results if not r.higher_is_better} == {"brier", "ece"}


def test_a_subject_has_the_highest_of_its_samples_scores_and_is_yes_if_any_is(yes_or_no):
    rows, results = yes_or_no
    mine = rows[rows["part"] == "good"]
    whole = mine.groupby(["fold", "subject"])[["label", "probability", "threshold"]].max().reset_index()
    by_fold = [f for _, f in whole.groupby("fold")]
    expected = np.average(
        [metrics.roc_auc_score(f["label"], f["probability"]) for f in by_fold], weights=[len(f) for f in by_fold]
    )
    assert get(results, "auroc_per_subject").value == pytest.approx(expected)
    yes = whole["probability"] >= whole["threshold"]
    assert get(results, "sensitivity_per_subject").value == pytest.approx(metrics.recall_score(whole["label"], yes))
    assert get(results, "accuracy_per_subject").n_samples == len(whole)
    assert not {"brier_per_subject", "ece_per_subject"} & {r.metric for r in results}


def test_with_one_sample_a_subject_nothing_is_said_twice():
    dataset = cohort(n=120)
    dataset.frame["subject"] = [f"p{i}" for i in range(120)]
    found = Prediction().conclude(examined("ill", dataset), context_of("ill", dataset))
    assert not [r for r in found if "per_subject" in r.metric]


def test_chance_is_what_a_model_without_knowledge_reaches(yes_or_no):
    rows, results = yes_or_no
    for metric in ("auroc", "sensitivity", "specificity"):
        noise = get(results, metric, "noise")
        assert noise.low <= noise.chance <= noise.high
        good = get(results, metric)
        assert good.low > good.chance
    prevalence = cohort().frame["ill"].mean()
    assert get(results, "auroc").chance == 0.5
    assert get(results, "auprc").chance == pytest.approx(prevalence)
    assert get(results, "accuracy").chance == pytest.approx(max(prevalence, 1 - prevalence))
    assert get(results, "brier").chance == pytest.approx(prevalence * (1 - prevalence))
    mine = rows[rows["part"] == "noise"]
    yes_rate = (mine["probability"] >= mine["threshold"]).mean()
    assert get(results, "sensitivity", "noise").chance == pytest.approx(yes_rate)
    assert get(results, "specificity", "noise").chance == pytest.approx(1 - yes_rate)
    ece = get(results, "ece", "noise")
    assert ece.value == pytest.approx(ece.chance, abs=0.06)
    assert get(results, "ece").value < 0.5 * get(results, "ece").chance


def test_differences_are_paired_and_leave_out_a_model_against_itself(yes_or_no):
    _, results = yes_or_no
    against_baseline = {r.part for r in results if r.metric == "auroc_minus_baseline"}
    assert against_baseline == {"good", "noise", "black"}
    assert {r.part for r in results if r.metric == "auroc_minus_black"} == {"good", "noise"}
    assert not [r for r in results if r.metric == "auroc_minus_good"]
    good, black, base = (get(results, "auroc", p) for p in ("good", "black", "area alone"))
    gain = get(results, "auroc_minus_baseline")
    assert gain.value == pytest.approx(good.value - base.value)
    assert gain.baseline == 0
    assert gain.chance == pytest.approx(0.5 - base.value)
    assert gain.low > 0
    even = get(results, "auroc_minus_black")
    assert even.value == pytest.approx(good.value - black.value)
    assert even.low < 0 < even.high
    assert even.baseline == pytest.approx(base.value - black.value)
    assert "no clear difference" in even.sentence
    assert "better than that of “area alone”" in gain.sentence
    assert "worse" in get(results, "auroc_minus_baseline", "noise").sentence


def test_the_difference_of_two_models_that_err_alike_is_far_surer_than_either(yes_or_no):
    rows, _ = yes_or_no
    rows = rows.copy()
    alike = rows.loc[rows["part"] == "noise", "probability"].to_numpy() * 0.01
    rows.loc[rows["part"] == "black", "probability"] = (
        rows.loc[rows["part"] == "good", "probability"].to_numpy() + alike
    )
    found = Results(Prediction().conclude(rows, context_of("ill")))
    paired, alone = get(found, "auroc_minus_black"), get(found, "auroc")
    assert 0 < paired.high - paired.low < 0.3 * (alone.high - alone.low)


def test_results_are_the_same_twice_and_intervals_depend_on_the_seed(yes_or_no):
    rows, results = yes_or_no
    shuffled = rows.sample(frac=1, random_state=0)
    assert Prediction().conclude(shuffled, context_of("ill")) == list(results)
    other = Prediction().conclude(rows, replace(context_of("ill"), seed=1))
    assert [r.value for r in other] == [r.value for r in results]
    assert [r.low for r in other] != [r.low for r in results]


def test_fewer_replicates_can_be_asked_for(yes_or_no):
    rows, results = yes_or_no
    config = configured("protocol", "prediction", PredictionConfig, {"replicates": 100})
    found = Prediction(config).conclude(rows, context_of("ill"))
    assert [r.value for r in found] == [r.value for r in results]
    assert found[0].low != get(results, "auroc").low


def test_sentences_are_plain_and_carry_the_figures(yes_or_no):
    _, results = yes_or_no
    auroc = get(results, "auroc")
    assert f"{auroc.value:.1%} of pairs" in auroc.sentence
    assert "“ill”" in auroc.sentence
    assert "“well”" in auroc.sentence
    assert f"{auroc.baseline:.1%}" in auroc.sentence
    assert "subjects" in get(results, "auroc_per_subject").sentence
    for result in results:
        assert result.sentence.endswith(".")


def test_parts_that_saw_other_samples_are_not_compared(yes_or_no):
    rows, _ = yes_or_no
    short = rows.drop(rows[rows["part"] == "good"].index[0])
    with pytest.raises(ContractError, match="'good' was examined on 399 samples that are not the 400 of 'area alone'"):
        predictions(short, context_of("ill"))


def test_a_measure_that_is_not_defined_gives_no_result(yes_or_no):
    rows, _ = yes_or_no
    first = rows.sort_values("sample").groupby(["part", "subject"]).head(1).index
    every_subject_ill = rows.assign(label=np.where(rows.index.isin(first), 1.0, rows["label"]))
    found = {r.metric for r in Prediction().conclude(every_subject_ill, context_of("ill"))}
    assert "auroc" in found
    assert "sensitivity_per_subject" in found
    # A list of ill subjects alone is perfect in any order.
    assert not {"auroc_per_subject", "auprc_per_subject", "specificity_per_subject"} & found


# --- conclude: other targets ------------------------------------------------------------------------------------------


def in_folds(rows, metric):
    mine = [f for _, f in rows[rows["part"] == "good"].groupby("fold")]
    return np.average([metric(f) for f in mine], weights=[len(f) for f in mine])


def test_several_classes_are_scored_as_scikit_learn_scores_them():
    rows = examined("kind")
    results = Results(Prediction().conclude(rows, context_of("kind")))
    outputs = output_columns(TARGETS["kind"])
    mine = rows[rows["part"] == "good"]
    p = mine[outputs].to_numpy()
    assert get(results, "auroc").value == pytest.approx(
        in_folds(rows, lambda f: metrics.roc_auc_score(f["label"], f[outputs], multi_class="ovr"))
    )
    assert get(results, "accuracy").value == pytest.approx((p.argmax(1) == mine["label"]).mean())
    of_class = np.eye(3)[mine["label"].astype(int)]
    assert get(results, "brier").value == pytest.approx(((p - of_class) ** 2).sum(1).mean())
    share = of_class.mean(0)
    assert get(results, "brier").chance == pytest.approx((share * (1 - share)).sum())
    assert get(results, "auprc").chance == pytest.approx(1 / 3)
    assert get(results, "ece").value < get(results, "ece").chance
    assert not [r for r in results if "per_subject" in r.metric]


def test_several_labels_are_averaged():
    rows = examined("signs")
    results = Results(Prediction().conclude(rows, context_of("signs")))
    labels, outputs = label_columns(TARGETS["signs"]), output_columns(TARGETS["signs"])
    assert labels == ["label:one", "label:two"]
    assert get(results, "auroc").value == pytest.approx(
        in_folds(rows, lambda f: metrics.roc_auc_score(f[labels], f[outputs], average="macro"))
    )
    mine = rows[rows["part"] == "good"]
    assert get(results, "brier").value == pytest.approx(
        ((mine[labels].to_numpy() - mine[outputs].to_numpy()) ** 2).mean()
    )
    assert get(results, "auprc").chance == pytest.approx(mine[labels].to_numpy().mean())


def test_a_label_that_no_judged_sample_is_of_counts_in_no_mean_neither_the_value_nor_its_chance():
    rows = examined("signs").assign(**{"label:two": 0.0})
    results = Results(Prediction().conclude(rows, context_of("signs")))
    only = rows[rows["part"] == "good"]["label:one"].mean()
    assert get(results, "auprc").chance == pytest.approx(only)
    # Scores without knowledge reach what is called chance: the two leave out the same labels.
    assert get(results, "auprc", "noise").value == pytest.approx(only, abs=0.06)
    assert get(results, "auroc", "noise").value == pytest.approx(0.5, abs=0.06)


def test_folds_in_which_everybody_is_ill_raise_neither_the_area_nor_its_chance(yes_or_no):
    rows, _ = yes_or_no
    lone = rows.assign(label=np.where(rows["fold"] == rows["fold"].min(), 1.0, rows["label"]))
    results = Results(Prediction().conclude(lone, context_of("ill")))
    rest = lone[(lone["part"] == "good") & (lone["fold"] != lone["fold"].min())]
    assert get(results, "auprc").chance == pytest.approx(rest["label"].mean())
    assert get(results, "auprc").value == pytest.approx(
        in_folds(rest, lambda f: metrics.average_precision_score(f["label"], f["probability"]))
    )


def test_a_label_that_all_judged_samples_are_of_counts_in_no_mean_either():
    rows = examined("signs").assign(**{"label:two": 1.0})
    results = Results(Prediction().conclude(rows, context_of("signs")))
    only = rows[rows["part"] == "good"]["label:one"].mean()
    assert get(results, "auprc").chance == pytest.approx(only)
    assert get(results, "auprc", "noise").value == pytest.approx(only, abs=0.06)
    assert "Left out, as none or all of these samples are it: “two”." in get(results, "auprc").sentence


def test_ordered_classes_have_agreement_and_the_mean_area_of_their_steps():
    rows = examined("level")
    results = Results(Prediction().conclude(rows, context_of("level")))
    outputs = output_columns(TARGETS["level"])
    mine = rows[rows["part"] == "good"]
    named = (mine[outputs].to_numpy() > 0.5).sum(1)
    kappa = metrics.cohen_kappa_score(mine["label"], named, weights="quadratic")
    assert get(results, "kappa").value == pytest.approx(kappa)
    assert get(results, "kappa").chance == 0
    assert get(results, "mae").value == pytest.approx(np.abs(mine["label"] - named).mean())
    assert get(results, "mae").chance == pytest.approx(np.abs(mine["label"] - 1).mean())

    def steps(f):
        return np.mean([metrics.roc_auc_score(f["label"] > s, f[o]) for s, o in enumerate(outputs)])

    assert get(results, "auroc").value == pytest.approx(in_folds(rows, steps))
    noise = get(results, "kappa", "noise")
    assert noise.low < 0 < noise.high


def test_numbers_have_error_explained_share_and_rank_correlation():
    rows = examined("grade")
    results = Results(Prediction().conclude(rows, context_of("grade")))
    mine = rows[rows["part"] == "good"]
    y, p = mine["label"], mine["number:x"]
    assert get(results, "mae").value == pytest.approx(metrics.mean_absolute_error(y, p))
    assert get(results, "mae").chance == pytest.approx(np.abs(y - y.median()).mean())
    assert get(results, "r2").value == pytest.approx(metrics.r2_score(y, p))
    assert get(results, "spearman").value == pytest.approx(
        in_folds(rows, lambda f: stats.spearmanr(f["label"], f["number:x"]).statistic)
    )
    gain = get(results, "mae_minus_baseline")
    assert gain.value < 0
    assert not gain.higher_is_better
    assert "better" in gain.sentence
    assert "mm off" in get(results, "mae").sentence


def test_several_numbers_are_scored_each_in_its_units():
    rows = examined("pair")
    results = Results(Prediction().conclude(rows, context_of("pair")))
    assert get(results, "mae:y").value == pytest.approx(10 * get(results, "mae:x").value)
    assert get(results, "spearman:y").value == pytest.approx(get(results, "spearman:x").value)
    assert " s off" in get(results, "mae:y").sentence
    assert {one.shown for one in metrics_of(context_of("pair").spec.target("pair"))} >= {"MAE of x", "MAE of y"}


def test_many_numbers_are_told_together_and_one_that_never_varies_is_left_out():
    from sklearn.metrics import r2_score

    rng = np.random.default_rng(0)
    names = tuple(f"x{at}" for at in range(9))
    target = Regression(names=names, units=("m",) * 8 + ("rad",))
    truth = rng.normal(size=(60, 9)) * np.logspace(-3, 3, 9)
    truth[:, 4] = 2.0
    predicted = truth + rng.normal(size=truth.shape) * np.logspace(-3, 3, 9) * np.linspace(0.1, 1.5, 9)
    (metric,) = metrics_of(target)
    p = SimpleNamespace(labels=truth, outputs=predicted, target=target)
    vary = [at for at in range(9) if at != 4]
    assert float(metric.statistic(p)(np.ones(60))) == pytest.approx(r2_score(truth[:, vary], predicted[:, vary]))
    assert len(metrics_of(Regression(names=names[:8], units=("m",) * 8))) == 32
    (figure,) = drawn_numbers({"one": p, "other": p}).values()
    line = figure.axes[0].lines[0].get_ydata()
    assert line[0] == pytest.approx(r2_score(truth[:, 0], predicted[:, 0]))
    assert np.isnan(line[4])


# --- figures ----------------------------------------------------------------------------------------------------------


def test_the_drawn_roc_curve_encloses_the_area_that_is_reported(yes_or_no):
    rows, results = yes_or_no
    for part, p in predictions(rows, context_of("ill")).items():
        false_rate, true_rate = fold_mean_roc(p)
        assert np.trapezoid(true_rate, false_rate) == pytest.approx(get(results, "auroc", part).value, abs=0.01)
        assert (np.diff(true_rate) >= 0).all()


def test_figures_show_every_part_and_leave_no_global_state(yes_or_no):
    import matplotlib.pyplot as plt

    rows, _ = yes_or_no
    figures = Prediction().figures(rows, context_of("ill"))
    assert [caption.partition(" ")[0].rstrip(":") for caption in figures] == ["ROC", "Reliability"]
    roc, reliability = figures.values()
    legend = [t.get_text().rpartition(" ")[0] for t in roc.axes[0].get_legend().get_texts()]
    assert legend == ["good", "noise", "black", "area alone"]
    styles = {(str(line.get_linestyle()), line.get_color()) for line in roc.axes[0].lines[:4]}
    assert len(styles) == len({style for style, _ in styles}) == 4
    assert [ax.get_title() for ax in reliability.axes if ax.get_title()] == legend
    assert plt.get_fignums() == []


@pytest.mark.parametrize(("target", "count"), [("grade", 1), ("pair", 2), ("kind", 0), ("signs", 0)])
def test_other_targets_have_the_figures_that_fit_them(target, count):
    figures = Prediction().figures(examined(target), context_of(target))
    assert len(figures) == count


def test_one_holdout_fold_is_enough():
    dataset = cohort()
    everyone = np.arange(len(dataset))
    fold = FittedFold(
        dataset,
        "ill",
        Split(0, everyone[:0], everyone[:0], everyone),
        {part: Oracle("ill", 0.5, 1) for part in PARTS},
        TrivialBaseline(dataset.spec, "ill").fit(cohort(seed=1).subset(range(50))),
        0,
    )
    fold.baseline.learned_from = LearnedFrom()
    rows = Prediction().examine(fold).assign(fold=0)
    results = Results(Prediction().conclude(rows, context_of("ill")))
    mine = rows[rows["part"] == "good"]
    assert get(results, "auroc").value == pytest.approx(metrics.roc_auc_score(mine["label"], mine["probability"]))


@pytest.mark.filterwarnings("error::pandas.errors.PerformanceWarning")
def test_hundreds_of_outputs_stand_in_columns_of_their_own():
    rng, names = np.random.default_rng(0), tuple(f"y{at}" for at in range(150))
    frame = pd.DataFrame(rng.normal(size=(12, 150)), columns=[f"many:{name}" for name in names])
    frame.insert(0, "subject", [f"s{at}" for at in range(12)])
    frame.index = pd.Index([f"sample {at}" for at in range(12)], name="sample")
    spec = DataSpec(
        name="many",
        namespace="many",
        inputs={"x": Vector(names=("x",))},
        targets={"many": Regression(names=names, units=("1",) * 150)},
    )
    data = ArrayDataset(spec, frame, {"x": rng.normal(size=(12, 1)).astype(np.float32)})
    split = Split(train=np.arange(8), validation=np.arange(8, 9), test=np.arange(9, 12), fold=0)
    baseline = TrivialBaseline(spec, "many").fit(data.subset(split.train))
    rows = Prediction().examine(FittedFold(data, "many", split, {}, baseline, 0)).assign(fold=0)
    target = spec.target("many")
    assert rows[label_columns(target)].to_numpy() == pytest.approx(frame.iloc[9:, 1:].to_numpy())
    assert rows[output_columns(target)].to_numpy() == pytest.approx(np.tile(frame.iloc[:8, 1:].mean(), (3, 1)))
