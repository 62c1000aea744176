import json
import os
import subprocess
import sys

import pytest

from pellucid.command import tables
from pellucid.command.commands import overrides
from pellucid.data import Finding
from pellucid.errors import StudyError
from pellucid.result import Result


def pellucid(*arguments, folder=None):
    """Run the command in a fresh process."""
    return subprocess.run(
        [sys.executable, "-c", "from pellucid.command.main import main; main()", *arguments],
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
        cwd=folder,
        check=False,
    )


def refused(done):
    """The one message of a command that was refused, and no traceback."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.stderr


def test_listing_one_kind_lists_that_kind_alone():
    printed = pellucid("list", "--kind", "head").stdout
    assert "additive" in printed
    assert "cnn" not in printed
    assert pellucid("list", "--kind=head").stdout == printed, "the two ways to write it differ"


def test_an_unknown_kind_is_answered_with_the_nearest():
    assert "did you mean 'head'?" in refused(pellucid("list", "--kind", "hed"))


def test_info_shows_what_the_docstring_and_the_settings_say():
    printed = pellucid("info", "cnn").stdout
    assert "core/cnn" in printed
    assert "features" in printed
    assert "16" in printed
    assert "Axes are halved while they are longer than this" in printed
    assert "inputs" not in [line.split()[0] for line in printed.splitlines() if line], (
        "the data decides inputs, not the user"
    )


def test_info_of_an_unknown_name_gives_the_nearest_of_any_kind():
    assert "did you mean 'additive'?" in refused(pellucid("info", "aditive"))


def test_checking_an_unknown_name_is_refused():
    assert "did you mean 'additive'?" in refused(pellucid("check", "aditive"))


def test_a_study_file_with_an_unknown_key_is_refused_by_name_and_nothing_is_written(tmp_path):
    (tmp_path / "s.toml").write_text(
        'title = "t"\ndataset = "d"\ntaget = "y"\n[[encoder]]\nname="identity"\n[[head]]\nname="linear"\n'
    )
    message = refused(pellucid("run", "s.toml", folder=tmp_path))
    assert "s.toml" in message
    assert "taget" in message
    assert [path.name for path in tmp_path.iterdir()] == ["s.toml"]


def test_a_study_that_does_not_exist_is_refused(tmp_path):
    assert "no-such.toml" in refused(pellucid("run", "no-such.toml", folder=tmp_path))


def test_evaluating_and_reporting_need_a_run_folder(tmp_path):
    assert str(tmp_path / "none") in refused(pellucid("evaluate", str(tmp_path / "none"), "--data", str(tmp_path)))
    assert str(tmp_path / "none") in refused(pellucid("report", str(tmp_path / "none")))


def test_a_checked_component_prints_one_line_a_check_and_exits_by_outcome():
    done = pellucid("check", "identity")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout
    assert len(lines) == 8
    assert all(line.startswith(("kept", "skipped")) for line in lines)


def test_settings_are_toml_values_and_else_plain_text():
    asked = [
        "training.epochs=5",
        "title=a b = c",
        "head.0.reads=['x', 'y']",
        "training.clip_norm=0.5",
        "training.joint=true",
    ]
    assert overrides(asked) == {
        "training.epochs": 5,
        "title": "a b = c",
        "head.0.reads": ["x", "y"],
        "training.clip_norm": 0.5,
        "training.joint": True,
    }


@pytest.mark.parametrize("setting", ["training.epochs", "=5"])
def test_a_setting_without_key_or_value_is_refused(setting):
    with pytest.raises(StudyError, match="key=value"):
        overrides([setting])


def result(**changes):
    plain = {
        "protocol": "prediction",
        "metric": "auroc",
        "part": "additive",
        "value": 0.944,
        "low": 0.931,
        "high": 0.957,
        "chance": 0.5,
        "baseline": 0.913,
        "baseline_name": "area alone",
        "higher_is_better": True,
        "n_samples": 1700,
        "n_subjects": 600,
    }
    return Result(**{**plain, **changes})


def printed(results, capsys, **more):
    tables.print_results(tables.console(), results, **more)
    return capsys.readouterr().out


def test_the_table_shows_each_score_with_interval_chance_baseline_and_black_box(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    results = [result(), result(part="mlp", value=0.951)]
    text = printed(results, capsys, black_box="mlp", group_word=("patient", "patients"))
    row = next(line for line in text.splitlines() if " additive " in line)
    for shown in ("0.944", "0.931 to 0.957", "0.500", "0.913", "area alone"):
        assert shown in row
    assert "mlp (black box)" in text
    assert "interval over patients" in text
    assert "interval over subjects" in printed(results, capsys)


def test_what_was_found_of_a_part_that_predicts_nothing_is_said_in_its_sentences(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    found = result(
        protocol="dictionary-features", metric="associated_features", part="sae", sentence="12 of 64 go with it."
    )
    again = result(protocol="dictionary-metrics", metric="alive", part="sae", sentence="All are alive.")
    for results in ([found, again, again], [result(), found, again]):
        lines = printed(results, capsys).splitlines()
        at = lines.index("12 of 64 go with it.")
        assert lines[at : at + 3] == ["12 of 64 go with it.", "All are alive.", ""]
    beside = result(protocol="missingness", metric="auroc", sentence="It stays the same without one.")
    assert "It stays" not in printed([result(), beside], capsys)


def test_an_explanation_that_failed_its_audit_is_said_to_have_failed(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    gap = result(protocol="explanation-audit", metric="completeness gap", passed=True, sentence="Nothing is left over.")
    deletion = result(
        protocol="explanation-audit", metric="deletion", passed=False, sentence="Deleting the top hurts no more."
    )
    said = [line.strip() for line in printed([gap, deletion], capsys).splitlines()]
    assert "additive  did not pass its audit: it passed 1 of 2 checks and failed: deletion" in said
    assert "Deletion: Deleting the top hurts no more." in said
    assert not any("Nothing is left over." in line for line in said)
    walk = result(protocol="traversal-monotonicity", metric="monotonicity:area", passed=False)
    assert "passed its audit (1 of 1 check); outside the audit NOT passed: monotonicity of area" in printed(
        [gap, walk], capsys
    )
    table = printed([gap, deletion], capsys, everything=True).splitlines()
    assert any("NOT passed" in line and "Deleting the top hurts no more." in line for line in table)
    assert any("NOT" not in line and "passed" in line and "Nothing is left over." in line for line in table)


def test_a_model_that_passed_its_audit_takes_one_line(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    names = ("completeness gap", "deletion", "insertion")
    checks = [
        result(protocol="explanation-audit", metric=name, part=part, passed=True, sentence="Well.")
        for part in ("additive", "mlp")
        for name in names
    ]
    lines = printed(checks, capsys).splitlines()
    for part in ("additive", "mlp"):
        assert [" ".join(line.split()) for line in lines if part in line] == [
            f"{part} passed its audit (3 of 3 checks)"
        ]


def test_cards_are_listed_with_licence_citation_and_what_is_here(tmp_path):
    from pellucid.cards import Card, CardFile, FileState, printing

    file = CardFile(path="a.csv", sha256="0" * 64, bytes=3)
    card = Card.model_validate(json.loads(CARD))
    import io

    from rich.console import Console

    stream = io.StringIO()
    row = {
        "name": "x/somewhere",
        "card": card,
        "states": (FileState(file, tmp_path / "a.csv", "missing"),),
        "error": "",
    }
    printing.print_cards(Console(file=stream, width=160), [row, {"name": "x/bad", "error": "licence: is missing"}])
    text = stream.getvalue()
    for shown in ("CC0", "Somebody 2020", "a.csv: missing", "ask them", "this card is wrong: licence: is missing"):
        assert shown in text


CARD = json.dumps(
    {
        "title": "t",
        "name": "somewhere",
        "namespace": "n",
        "about": "a",
        "licence": "CC0",
        "citations": ["Somebody 2020"],
        "access": "registered",
        "how": "ask them",
        "subject_key": "k",
        "label_caveat": "c",
        "units": {"x": "mm"},
    }
)


def test_a_dataset_that_cannot_leave_broken_samples_out_says_so(tmp_path):
    study = tmp_path / "study.toml"
    study.write_text(
        'title = "t"\ndataset = "planted-lesions"\ntarget = "spiculated"\n'
        '[[encoder]]\nname = "identity"\ninput = "covariates"\n[[head]]\nname = "linear"\n'
    )
    said = refused(pellucid("run", str(study), "--skip-broken", "--out", str(tmp_path / "run")))
    assert "dataset 'planted-lesions' cannot leave broken samples out" in said
    assert not (tmp_path / "run").exists()


def test_all_that_were_left_out_are_named_or_it_is_said_where_they_are(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    out = [Finding(f"s{n}", "cannot be used", f"line {n}", "left out") for n in range(21)]

    def said(findings, listed_in=None):
        tables.print_findings(tables.console(), findings, listed_in)
        return capsys.readouterr().out

    assert said([]) == ""
    few = said(out[:2])
    assert "2 samples could not be used and were left out." in " ".join(few.split())
    assert "  Cannot be used: s0 (line 0), s1 (line 1)\n" in few
    assert "findings" not in few, "nothing is left to be looked up"
    assert "s19 (line 19) and 1 more" in said(out)
    assert 'All of it: under "findings" in the file that --out FILE.json writes' in said(out)
    assert 'All of it: under "findings" in e.json' in said(out[:2], "e.json")
    kept = said([Finding("s0", "flat lead", "V1")])
    assert "1 sample was used although" in " ".join(kept.split())
    assert "--out FILE.json" in kept


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("run", "s.toml", "--jobs", "0"),
            "StudyError: jobs is 0: give the number of folds to fit at a time, 1 or more",
        ),
        (("activations", "run", "--fold", "-1"), "StudyError: --fold -1: folds are counted from 0"),
        (("activations", "run", "--buffer-mb", "0"), "StudyError: --buffer-mb 0: give at least 1 MB"),
    ],
)
def test_a_number_that_is_too_low_is_answered_with_one_sentence(tmp_path, arguments, message):
    (tmp_path / "s.toml").write_text(
        'title = "t"\ndataset = "d"\ntarget = "y"\n[[encoder]]\nname="identity"\ninput="x"\n[[head]]\nname="linear"\n'
    )
    said = refused(pellucid(*arguments, folder=tmp_path))
    assert said.startswith(message)
    assert said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["s.toml"]
