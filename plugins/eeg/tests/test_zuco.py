"""Files of ZuCo, written here as Matlab writes them: what is read, what is left out, and on which side sentences stand."""

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat
from scipy.signal import resample

import pellucid
from pellucid.errors import DataError, StudyError
from pellucid.testing.real_data import real_data
from pellucid.text.words import UNKNOWN, Vocabulary
from pellucid_eeg.zuco.dataset import CHANNELS, LENGTH, Zuco, ZucoConfig, official_sides, resampled
from pellucid_eeg.zuco.example import write_results
from pellucid_eeg.zuco.files import read_readings


def signals(steps, seed=0):
    values = np.zeros((105, steps))
    values[:-1] = np.random.default_rng(seed).normal(0, 10, (104, steps))
    return values


def opened(folder, **options):
    return Zuco(ZucoConfig(cache=False, **options), folder)


def findings(data):
    return {one.what for one in data.findings}


# --- files ------------------------------------------------------------------------------------------------------------


def test_words_and_signals_come_back_as_they_were_written(tmp_path):
    said = ["Henry's café: “très” bon.", "A sign outside of the plane: 𝄞."]
    known = [signals(300), signals(400, 1)]
    write_results(tmp_path / "resultsZAB_SR.mat", list(zip(said, known, strict=True)))
    found = list(read_readings(tmp_path / "resultsZAB_SR.mat"))
    assert [one.text for one in found] == said
    for one, values in zip(found, known, strict=True):
        assert one.signals_uv.shape == (104, values.shape[1])
        assert np.allclose(one.signals_uv, values[:-1], atol=1e-5)


def test_a_file_older_than_hdf5_says_the_same(tmp_path):
    known = signals(300)
    struct = np.zeros(2, dtype=[("content", object), ("rawData", object)])
    struct[0] = ("An old file.", known)
    struct[1] = ("Not recorded.", np.nan)
    savemat(tmp_path / "resultsZAB_NR.mat", {"sentenceData": struct})
    first, second = read_readings(tmp_path / "resultsZAB_NR.mat")
    assert first.text == "An old file."
    assert np.allclose(first.signals_uv, known[:-1], atol=1e-5)
    assert second.signals_uv is None
    assert second.why == "nothing was recorded"


def test_what_was_not_recorded_and_what_is_no_number_is_told_apart(tmp_path):
    broken = signals(300)
    broken[5, 7] = np.nan
    write_results(tmp_path / "resultsZAB_SR.mat", [("One.", None), ("Two.", broken), ("Three.", signals(300))])
    found = list(read_readings(tmp_path / "resultsZAB_SR.mat"))
    assert [one.why for one in found] == ["nothing was recorded", "holds values that are no numbers", ""]


def test_matlabs_empty_arrays_and_empty_references_are_no_sentence(tmp_path):
    path = tmp_path / "resultsZAB_SR.mat"
    write_results(path, [("One.", signals(300)), ("Two.", signals(300))])
    with h5py.File(path, "a") as file:
        # Of an empty array Matlab stores the size, and an attribute that says so.
        empty = file["#refs#"].create_dataset("empty", data=np.array([0, 0], np.uint64))
        empty.attrs["MATLAB_empty"] = np.uint8(1)
        file["sentenceData"]["content"][0, 0] = empty.ref
        file["sentenceData"]["rawData"][1, 0] = empty.ref
    first, second = read_readings(path)
    assert (first.text, second.why) == ("", "nothing was recorded")


def test_a_struct_of_one_sentence_has_no_references(tmp_path):
    path, known = tmp_path / "resultsZAB_SR.mat", signals(260)
    with h5py.File(path, "w") as file:
        group = file.create_group("sentenceData")
        group.create_dataset("content", data=np.frombuffer("Alone.".encode("utf-16-le"), "<u2")[:, None])
        group.create_dataset("rawData", data=known.T)
    (one,) = read_readings(path)
    assert one.text == "Alone."
    assert np.allclose(one.signals_uv, known[:-1], atol=1e-5)


def spoiled(path, how):
    if how == "no struct":
        with h5py.File(path, "w") as file:
            file.create_group("other")
    elif how == "no field":
        with h5py.File(path, "w") as file:
            file.create_group("sentenceData").create_dataset("content", data=np.zeros((1, 1), np.uint16))
    elif how.startswith("old"):
        struct = np.zeros(1, dtype=[("content", object), ("other", object)])
        struct[0] = ("One.", signals(300))
        savemat(path, {"other" if how == "old, no struct" else "sentenceData": struct})
    elif how == "unequally many":
        write_results(path, [("One.", signals(300)), ("Two.", signals(300))])
        with h5py.File(path, "a") as file:
            kept = file["sentenceData"]["content"][:1]
            del file["sentenceData"]["content"]
            file["sentenceData"].create_dataset("content", data=kept, dtype=h5py.ref_dtype)
    elif how == "reference not zero":
        values = signals(300)
        values[104, 3] = 1
        write_results(path, [("One.", values)])
    elif how == "other rows":
        write_results(path, [("One.", signals(300)[:64])])
    elif how == "cut short":
        write_results(path, [("One.", signals(3000))])
        path.write_bytes(path.read_bytes()[:20_000])
    else:
        path.write_bytes(b"no Matlab file at all")


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("no struct", "has no 'sentenceData', but other"),
        ("no field", "no field 'rawData'"),
        ("old, no struct", "has no 'sentenceData'"),
        ("old, no field", "no field 'rawData'"),
        ("unequally many", "1 sentences have words and 2 have signals"),
        ("reference not zero", "row 105 of sentence 1 is not zero"),
        ("other rows", "expected 105 rows"),
        ("cut short", "damaged"),
        ("nonsense", "is no Matlab file"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason_or_left_out(tmp_path, how, told):
    spoiled(tmp_path / "resultsZAB_SR.mat", how)
    with pytest.raises(DataError, match=told) as refused:
        opened(tmp_path)
    assert "resultsZAB_SR.mat" in str(refused.value)
    write_results(tmp_path / "resultsZCD_SR.mat", [("One.", signals(300)), ("Two.", signals(300))])
    left = opened(tmp_path, skip_broken=True)
    assert len(left) == 2
    assert findings(left) == {"a file cannot be used"}
    assert "ZAB" not in str(left.findings)


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_sentences_of_half_a_second_to_ten_are_kept_to_the_sample(tmp_path):
    steps = [249, 250, 5000, 5001]
    write_results(tmp_path / "resultsZAB_SR.mat", [(f"Of {n} samples.", signals(n)) for n in steps])
    data = opened(tmp_path)
    assert data.frame["text:sentence"].tolist() == ["Of 250 samples.", "Of 5000 samples."]
    assert findings(data) == {"was read for less than 0.5 s", "was read for more than 10 s"}
    mask = data.read(np.arange(2)).masks["eeg"]
    # floor(250 * 128 / 500) and 1280.
    assert mask[:, 0].sum(1).tolist() == [64, 1280]


def test_what_was_read_is_kept_for_the_next_time_where_that_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "data" / "resultsZAB_SR.mat"
    path.parent.mkdir()
    write_results(path, [("One.", signals(300)), ("Two.", signals(400, 1))])
    first = opened(path.parent)
    assert not (tmp_path / "cache").exists()
    kept = Zuco(ZucoConfig(), path.parent)
    files = [one for one in (tmp_path / "cache").rglob("*") if one.is_file()]
    assert files
    again = Zuco(ZucoConfig(), path.parent)
    assert files == [one for one in (tmp_path / "cache").rglob("*") if one.is_file()]
    for one in (kept, again):
        pd.testing.assert_frame_equal(one.frame, first.frame)
        assert np.array_equal(one.read(np.arange(2)).inputs["eeg"], first.read(np.arange(2)).inputs["eeg"])
    # Other signals of the same name are not taken for those that were kept.
    write_results(path, [("One.", signals(300, 2)), ("Two.", signals(400, 1))])
    other = Zuco(ZucoConfig(), path.parent)
    assert not np.array_equal(other.read(np.arange(2)).inputs["eeg"], first.read(np.arange(2)).inputs["eeg"])


def test_signals_are_resampled_by_fourier_padded_and_neither_filtered_nor_scaled(tmp_path):
    known = signals(777)
    write_results(tmp_path / "resultsYAB_NR.mat", [("One.", known), ("Two.", signals(300))])
    data = opened(tmp_path)
    arrays = data.read(np.array([0]))
    eeg, mask = arrays.inputs["eeg"][0], arrays.masks["eeg"][0]
    assert eeg.shape == mask.shape == (CHANNELS, LENGTH)
    steps = 777 * 128 // 500
    assert np.allclose(eeg[:, :steps], resample(known[:-1], steps, axis=1), atol=1e-4)
    assert not eeg[:, steps:].any()
    assert mask[:, :steps].all()
    assert not mask[:, steps:].any()
    assert arrays.inputs["prompt"].tolist() == [[1, 2, 1]]


def test_a_slow_wave_keeps_its_height_and_rate():
    seconds = np.arange(2500) / 500
    slow = np.tile(20 * np.sin(2 * np.pi * 6 * seconds), (104, 1)).astype(np.float32)
    expected = 20 * np.sin(2 * np.pi * 6 * np.arange(640) / 128)
    assert np.abs(resampled(slow)[0] - expected).max() < 0.1


def test_the_corpus_the_prompts_and_who_read_are_told_by_the_files_name_and_the_name_is_not_kept(tmp_path):
    for name in ("resultsZAB_SR.mat", "resultsYCD_TSR.mat"):
        (tmp_path / name[7:10]).mkdir()
        write_results(tmp_path / name[7:10] / name, [(f"{name} one.", signals(300)), (f"{name} two.", signals(300))])
    data = opened(tmp_path)
    frame = data.frame
    assert frame.groupby("archive")["corpus"].first().to_dict() == {"zuco1": 0.0, "zuco2": 1.0}
    prompts = dict(zip(frame["archive"], data.read(np.arange(4)).inputs["prompt"].tolist(), strict=True))
    assert prompts == {"zuco1": [1, 1, 2], "zuco2": [2, 2, 1]}
    assert frame["subject"].nunique() == 2
    kept = " ".join([*frame.index, *frame["subject"]])
    assert "ZAB" not in kept
    assert "YCD" not in kept


def test_a_folder_without_such_files_and_no_folder_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"resultsZAB_SR\.mat"):
        opened(tmp_path)
    with pytest.raises(DataError, match="--data"):
        Zuco()


def test_the_same_sentence_of_two_readers_is_one_sentence(tmp_path):
    for person in ("ZAB", "ZCD"):
        write_results(
            tmp_path / f"results{person}_SR.mat", [("One  and\n two.", signals(300)), ("Other.", signals(300))]
        )
    frame = opened(tmp_path).frame
    assert frame["sentence"].nunique() == 2
    assert set(frame["text:sentence"]) == {"One and two.", "Other."}


# --- real sentences ---------------------------------------------------------------------------------------------------


def test_the_real_sentences_of_two_tasks_are_written_read_and_dealt_out(tmp_path):
    """Words of ZuCo 1.0 as its authors publish them with features; the signals are made up here."""
    folder = real_data("eeg", "zuco1-word-features")
    files = {"SR": "zuco.sentiment-ternary.4eeg.5et.freq.avg.8.tsv", "TSR": "zuco.relext.4eeg.5et.freq.avg.8.tsv"}
    said = {}
    for task, file in files.items():
        blocks = (folder / file).read_text("utf-8").split("\n\n")
        said[task] = [" ".join(row.split("\t")[3] for row in block.splitlines()) for block in blocks if block.strip()]
        # A few channels and moments would do as well, but the reader asks for all channels.
        write_results(tmp_path / f"resultsZAB_{task}.mat", [(text, signals(250)) for text in said[task]])
    assert {task: len(some) for task, some in said.items()} == {"SR": 400, "TSR": 300}
    frame = opened(tmp_path).frame
    assert len(frame) == 700
    assert set(frame["text:sentence"]) == {" ".join(text.split()) for some in said.values() for text in some}
    tested = frame[frame["official"] == "test"].groupby("task")["sentence"].nunique()
    # Sentences that stand twice are one line: a tenth of those that differ.
    different = {task: len(set(some)) for task, some in said.items()}
    assert tested.to_dict() == {task: round(0.1 * count) for task, count in different.items()}
    words = Vocabulary(8192)
    words.learn(frame["text:sentence"])
    known = words.encode(frame["text:sentence"].tolist(), 128)
    assert len(words.numbers) > 4000
    assert float((known == UNKNOWN).float().mean()) == 0


# --- sides ------------------------------------------------------------------------------------------------------------


def labels(counts, shared=0):
    rows = [(a, t, f"{a}-{t}-{at}") for (a, t), n in counts.items() for at in range(n)]
    rows += [(a, t, f"shared {at}") for a, t in counts for at in range(shared)]
    return pd.DataFrame(rows, columns=["archive", "task", "sentence"])


def test_sentences_that_stand_twice_are_learnt_from_and_a_tenth_of_each_task_is_tested():
    counts = {("zuco1", "SR"): 400, ("zuco1", "NR"): 280, ("zuco2", "NR"): 329}
    table = labels(counts, shared=20)
    sides = official_sides(table)
    assert set(sides[table["sentence"].str.startswith("shared")]) == {"train"}
    for (archive, task), count in counts.items():
        mine = sides[(table["archive"] == archive) & (table["task"] == task)]
        assert (mine == "test").sum() == (mine == "validation").sum() == round(0.1 * (count + 20))


def test_sides_are_the_same_however_often_and_in_which_order_a_sentence_is_read():
    table = labels({("zuco1", "SR"): 50, ("zuco2", "NR"): 40})
    once = dict(zip(table["sentence"], official_sides(table), strict=True))
    several = pd.concat([table, table, table]).sample(frac=1, random_state=0)
    again = official_sides(several)
    assert all(once[name] == side for name, side in zip(several["sentence"], again, strict=True))
    assert list(once.values()).count("test") == 9


def test_the_published_sides_are_those_of_a_protocol(tmp_path):
    for person in ("ZAB", "ZCD"):
        write_results(tmp_path / f"results{person}_SR.mat", [(f"Sentence {at}.", signals(260)) for at in range(20)])
    data = opened(tmp_path).keeping_apart(["sentence"])
    from pellucid.protocols.splitting.subject_holdout import SubjectHoldout, SubjectHoldoutConfig

    (split,) = SubjectHoldout(SubjectHoldoutConfig(column="official", apart=("sentence",))).splits(data, "", 0)
    assert [len(side) for side in (split.train, split.validation, split.test)] == [32, 4, 4]
    assert data.spec.judged_on == "unseen sentences, seen subjects"


def test_every_subject_reads_every_sentence_so_keeping_both_apart_is_refused(tmp_path):
    for person in ("ZAB", "ZCD", "ZEF"):
        write_results(tmp_path / f"results{person}_SR.mat", [(f"Sentence {at}.", signals(260)) for at in range(5)])
    study = pellucid.study("eeg-text").settings() | {
        "dataset": "zuco",
        "data": str(tmp_path),
        "protocols": ["subject-holdout", "retrieval"],
    }
    study["options"] = {"zuco": {"cache": False}}
    study["training"] |= {"batch_size": 2}
    with pytest.raises(StudyError, match="every sample hangs together with every other"):
        pellucid.study(study).run(tmp_path / "run")
    assert not (tmp_path / "run").exists()
