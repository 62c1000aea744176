"""Executions of a robot's arm: the native files, what is refused, and an execution that stands in two files."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pellucid
from pellucid.errors import DataError, LeakageError, PellucidError
from pellucid.evaluation import evaluate
from pellucid.testing.real_data import real_data
from pellucid_robotics.trajectories.uci_failures import UciRobotFailures, UciRobotFailuresConfig, read_executions


def text(*executions):
    """Executions as (class, seed) in the native format."""
    blocks = []
    for label, seed in executions:
        rows = np.random.default_rng(seed).integers(-50, 50, (15, 6))
        blocks.append("\n".join([label, *("\t" + "\t".join(map(str, row)) for row in rows)]))
    return "\n\n\n".join(blocks) + "\n\n\n"


def opened(folder, content, problem="lp4"):
    (folder / f"{problem}.data").write_text(content)
    return UciRobotFailures(UciRobotFailuresConfig(problem=problem), folder)


def test_readings_and_classes_are_those_of_the_file(tmp_path):
    data = opened(tmp_path, text(("obstruction", 1), ("normal", 2)))
    assert data.frame["failure"].tolist() == [2, 0]
    expected = np.random.default_rng(1).integers(-50, 50, (15, 6))
    assert (data.read(np.array([0])).inputs["trajectory"][0] == expected.T).all()
    spec = data.spec.inputs["trajectory"]
    assert spec.names == ("Fx", "Fy", "Fz", "Tx", "Ty", "Tz")
    assert spec.length * spec.dt_s == pytest.approx(0.315)


def test_an_execution_that_stands_twice_is_one_group_and_the_report_says_so(tmp_path):
    data = opened(tmp_path, text(("normal", 1), ("normal", 2), ("collision", 1)))
    assert data.frame["episode"].nunique() == 2
    assert data.frame["episode"].iloc[0] == data.frame["episode"].iloc[2]
    assert [(one.what, one.where) for one in data.findings] == [
        ("an execution that stands more than once", "as collision and normal")
    ] * 2
    # Found again in another problem's file, whatever it is called there.
    other = opened(tmp_path, text(("lost", 2)), "lp3")
    assert other.frame["episode"].iloc[0] == data.frame["episode"].iloc[1]


LINES = text(("normal", 1)).splitlines()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "lp4.data: holds no execution"),
        ("\n\n\n", "lp4.data: holds no execution"),
        ("\n".join(["colision", *LINES[1:16]]), r"line 1: expected a class of lp4 .*; did you mean 'collision'\?"),
        ("\n".join(["lost", *LINES[1:16]]), "it is a class of lp3: is this another problem's file"),
        (
            "\n".join(LINES[:9]),
            r"line 1: the execution \(normal\) has 8 lines of readings, expected 15; was the file cut off",
        ),
        ("\n".join([*LINES[:16], *LINES[1:3]]), "has 17 lines of readings"),
        ("\n".join([*LINES[:4], "\t1\t2\t3\t4\t5", *LINES[5:16]]), "line 5: expected six whole numbers"),
        ("\n".join([*LINES[:4], "\t1\t2\tx\t4\t5\t6", *LINES[5:16]]), "line 5: Fz is 'x', expected a whole number"),
        ("\n".join([*LINES[:4], "\t1\t2\t1_0\t4\t5\t6", *LINES[5:16]]), "line 5: Fz is '1_0'"),
        ("\n".join([*LINES[:4], "\t1\t2\t3.5\t4\t5\t6", *LINES[5:16]]), "line 5: Fz is '3.5'"),
        ("\n".join([*LINES[:4], "\t1\tnan\t3\t4\t5\t6", *LINES[5:16]]), "line 5: Fy is 'nan'"),
        ("\n".join([*LINES[:4], "\t1\t2\t99999999999\t4\t5\t6", *LINES[5:16]]), "line 5: Fz"),
        ("\n".join(LINES[1:16]), "line 1: expected a class"),
    ],
)
def test_what_is_no_execution_is_refused_by_line(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        opened(tmp_path, content)


def test_a_file_that_is_not_there_names_those_that_are(tmp_path):
    (tmp_path / "lp1.data").write_text(text(("normal", 1)))
    with pytest.raises(DataError, match=r"lp4.data: is not there; here are lp1.data"):
        UciRobotFailures(UciRobotFailuresConfig(problem="lp4"), tmp_path)
    with pytest.raises(DataError, match="--data names the folder"):
        UciRobotFailures()
    (tmp_path / "lp4.data").write_bytes(b"normal\n\xff\xfe")
    with pytest.raises(DataError, match=r"lp4.data: is no plain text"):
        UciRobotFailures(UciRobotFailuresConfig(problem="lp4"), tmp_path)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_read_or_refused_by_name(tmp_path, data):
    content = bytearray(text(("normal", 1), ("collision", 2)).encode())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "lp4.data"
    path.write_bytes(bytes(content))
    found, why = [], ""
    try:
        found = read_executions(path, "lp4")
    except PellucidError as error:
        why = str(error)
    assert "lp4.data" in why if why else found
    assert all(values.shape == (15, 6) and np.isfinite(values).all() for _, values, _ in found)


def test_arrays_of_one_execution_or_several_are_taken():
    config = UciRobotFailuresConfig()
    assert len(UciRobotFailures.of_objects(np.zeros((15, 6)), config)) == 1
    assert len(UciRobotFailures.of_objects([np.zeros((15, 6)), np.ones((15, 6))], config)) == 2
    for wrong in (np.zeros((6, 15)), "x", [[1]]):
        with pytest.raises(DataError, match="is made from numbers of shape"):
            UciRobotFailures.of_objects(wrong, config)


def test_the_published_files_hold_the_executions_that_they_are_said_to_hold():
    folder = real_data("robotics", "uci_robot_failures")
    data = UciRobotFailures(UciRobotFailuresConfig(problem="lp5"), folder)
    counts = data.frame["failure"].value_counts().sort_index()
    # A part of the 164 that were published: 44, 26, 21, 47 and 26.
    assert counts.tolist() == [34, 20, 16, 37, 20]
    # One execution stands as two kinds of collision: no model can be right about both.
    assert [one.where for one in data.findings] == ["as collision_in_part and collision_in_tool"] * 2


def split(folder):
    """The executions of lp4 in two files, every fourth in the second one."""
    blocks = [one for one in (folder / "lp4.data").read_text().split("\n\n") if one.strip()]
    return ["\n\n".join(one for at, one in enumerate(blocks) if (at % 4 == 3) == last) for last in (False, True)]


def test_a_run_is_judged_on_executions_that_it_has_not_seen_and_refuses_others(tmp_path):
    known, new = split(real_data("robotics", "uci_robot_failures"))
    for name, content in (("known", known), ("new", new)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "lp4.data").write_text(content)
    study = pellucid.study(
        {
            "name": "failures",
            "title": "t",
            "dataset": "uci-robot-failures",
            "target": "failure",
            "encoder": [{"name": "steps", "input": "trajectory"}],
            "head": [{"name": "dtw-neighbours"}],
            "protocols": ["nested-subject-cv"],
            "options": {"uci-robot-failures": {"problem": "lp4"}, "nested-subject-cv": {"folds": 3}},
        }
    )
    study.run(tmp_path / "run", tmp_path / "known")
    # The one execution that stands twice in the published file is in both folders, and is found.
    with pytest.raises(LeakageError, match="has learnt from 1 of 22 executions"):
        evaluate(tmp_path / "run", tmp_path / "new")
    found = evaluate(tmp_path / "run", tmp_path / "new", skip_known=True)
    accuracy = found.get("prediction", "accuracy", "dtw-neighbours")
    assert accuracy.n_samples == 21
    assert accuracy.value > accuracy.baseline + 0.1
    with pytest.raises(LeakageError):
        evaluate(tmp_path / "run", tmp_path / "known")
    # An array of an execution is told apart like one of a file, and its neighbours are named.
    model = pellucid.load(tmp_path / "run", head="dtw-neighbours")
    data = UciRobotFailures(UciRobotFailuresConfig(problem="lp4"), tmp_path / "new")
    explanation = model.explain(data.read(np.array([0])).inputs["trajectory"][0].T, target="collision")
    assert all(one.source.startswith("execution ") for one in explanation.evidence[0])
