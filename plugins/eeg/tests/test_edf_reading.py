"""Samples, rates, units and names are those that the standard, edfio and mne give."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import edfio
import mne
import numpy as np
import pytest
from written_edf import Planted, random_signals, tal, timed, write

from pellucid.data import pseudonym
from pellucid.errors import DataError
from pellucid_eeg.edf_files import annotations
from pellucid_eeg.edf_files.reading import open_checked, open_edf, read_edf


def close(ours: np.ndarray, expected: np.ndarray, least: float = 0.0) -> None:
    """Equal to two units of float32's last place (of ``least`` at least)."""
    assert ours.dtype == np.float32
    assert ours.shape == expected.shape
    room = 2 * np.spacing(np.maximum(np.abs(expected), least).astype(np.float32)).astype(np.float64)
    worst = np.abs(ours - expected) / room
    assert worst.max() <= 1, worst.max()


RANGES = {
    "symmetric": (("-500", "500"), None),
    "whole shift": (("-3276.8", "3276.7"), None),
    "odd shift": (("-1234.5", "1000"), None),
    "inverted": (("500", "-500"), None),
    "twelve bits": (("-187.5", "187.5"), (-2048, 2047)),
    "one-sided": (("0", "200"), (0, 1000)),
    "narrow and far": (("99999", "100000"), None),
    "very far": (("9999999", "10000000"), None),
}


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("width", [2, 3])
def test_values_are_those_of_the_standard(tmp_path, name, width):
    physical, ends = RANGES[name]
    signals = random_signals(3, width=width, physical=physical, ends=ends)
    for one in signals:
        if ends:
            one.digital = one.digital % (ends[1] - ends[0] + 1) + ends[0]
        one.digital[0, :2] = one.ranged(width)
    path = write(tmp_path / "a.edf", signals, width=width)
    expected = np.stack([one.expected(width) for one in signals])
    # Near 0 float64 itself has the rounding of the range's ends.
    close(read_edf(path).signals_uv, expected, least=1e-6 * max(abs(float(one)) for one in physical))


def test_each_signal_has_its_own_range_and_every_number_its_own_value(tmp_path):
    every = np.arange(-32768, 32768).reshape(4, -1)
    signals = [
        Planted("Fz", every, physical=("-3276.8", "3276.7")),
        Planted("Cz", every[::-1], physical=("-0.8", "0.3")),
        Planted("Pz", every, physical=("-200", "199.99")),
    ]
    path = write(tmp_path / "a.edf", signals)
    close(read_edf(path).signals_uv, np.stack([one.expected() for one in signals]), least=1e-6)


@pytest.mark.parametrize("width", [2, 3])
def test_samples_are_those_of_edfio_and_mne(tmp_path, width):
    rng = np.random.default_rng(1)
    signal, whole, read = (
        (edfio.EdfSignal, edfio.Edf, edfio.read_edf) if width == 2 else (edfio.BdfSignal, edfio.Bdf, edfio.read_bdf)
    )
    names = ["Fp1", "Cz", "O2", "EEG T3-REF"]
    written = [
        signal(rng.normal(0, 60, 250 * 7), 250, label=name, physical_dimension="uV", physical_range=(-400 - i, 500.5))
        for i, name in enumerate(names)
    ]
    path = tmp_path / ("a.edf" if width == 2 else "a.bdf")
    whole(
        written, annotations=[edfio.EdfAnnotation(1.5, 0.25, "blink"), edfio.EdfAnnotation(6, None, "Augen zu ä")]
    ).write(path)
    ours = read_edf(path)
    theirs = read(path)
    raw = mne.io.read_raw(path, preload=True, verbose="ERROR")
    assert ours.channels == tuple(names) == tuple(raw.ch_names)
    assert ours.rate_hz == 250 == raw.info["sfreq"]
    close(ours.signals_uv, np.stack([one.data for one in theirs.signals]), least=0.1)
    close(ours.signals_uv, raw.get_data() * 1e6, least=0.1)
    assert ours.events.to_dict("list") == {
        "onset_s": [1.5, 6.0],
        "duration_s": [0.25, 0.0],
        "description": ["blink", "Augen zu ä"],
    }
    assert ours.events.onset_s.tolist() == raw.annotations.onset.tolist()
    assert ours.events.description.tolist() == raw.annotations.description.tolist()


@pytest.mark.parametrize("width", [2, 3])
@pytest.mark.parametrize("samples", [1, 7, 50])
def test_any_part_is_that_part_of_the_whole(tmp_path, width, samples, monkeypatch):
    from pellucid_eeg.edf_files import samples as module

    signals = random_signals(5, 23, samples, width=width)
    path = write(
        tmp_path / "a.edf",
        signals,
        width=width,
        annotations=timed(23),
        reserved="EDF+C" if width == 2 else "BDF+C",
        annotations_at=2,
    )
    whole = read_edf(path)
    close(whole.signals_uv, np.stack([one.expected(width) for one in signals]), least=1e-3)
    some = [signals[i].label for i in (4, 0, 1)]
    expected = whole.of_channels(some).signals_uv
    rng = np.random.default_rng(0)
    for block in (1 << 19, 1, 700):
        monkeypatch.setattr(module, "BLOCK_BYTES", block)
        lazy, picked = open_edf(path), open_edf(path, channels=some)
        single = [open_edf(path, channels=[one.label]) for one in signals]
        for _ in range(60):
            a, b = sorted(rng.integers(0, 23 * samples + 1, 2).tolist())
            if a < b:
                assert np.array_equal(lazy.samples_uv(a, b), whole.signals_uv[:, a:b])
                assert np.array_equal(picked.samples_uv(a, b), expected[:, a:b])
                assert np.array_equal(lazy.of_channels(some).samples_uv(a, b), expected[:, a:b])
                for place in range(5):
                    assert np.array_equal(single[place].samples_uv(a, b)[0], whole.signals_uv[place, a:b])


def test_units_become_microvolts_and_an_unknown_one_is_named(tmp_path):
    signals = [
        Planted("Cz", np.arange(-4, 4).reshape(1, 8), unit=unit, physical=("-1", "1"))
        for unit in ("uV", "mV", "V", "µV", "nV")
    ]
    for place, one in enumerate(signals):
        one.label = f"C{place + 1}"
    path = write(tmp_path / "a.edf", signals)
    expected = np.stack([one.expected() * factor for one, factor in zip(signals, (1, 1e3, 1e6, 1, 1e-3), strict=True)])
    close(read_edf(path).signals_uv, expected, least=1e-9)
    signals[1].unit, signals[2].unit = "mmHg", ""
    path = write(tmp_path / "b.edf", signals)
    with pytest.raises(DataError, match="C2 in 'mmHg', C3 in ''"):
        open_edf(path)
    assert open_edf(path, channels=["C4", "C1"]).channels == ("C4", "C1")
    assumed = read_edf(path, unit_where_unknown="mV").signals_uv
    close(assumed[1:3], np.stack([one.expected() * 1e3 for one in signals[1:3]]), least=1e-9)
    with pytest.raises(DataError, match="'cm' is no voltage"):
        open_edf(path, unit_where_unknown="cm")


def test_channels_of_different_rates_are_told_and_read_by_rate_or_name(tmp_path):
    fast, slow = random_signals(2, 5, 40), random_signals(2, 5, 8, seed=1)
    for one, name in zip(slow, ("Oz", "Pz"), strict=True):
        one.label = name
    signals = [fast[0], slow[0], fast[1], slow[1]]
    path = write(tmp_path / "a.edf", signals, record_s="0.5")
    with pytest.raises(DataError, match="80 Hz: Fp1, Cz; 16 Hz: Oz, Pz") as caught:
        open_edf(path)
    assert "a.edf" in str(caught.value)
    for rate, chosen in ((80, fast), (16, slow)):
        got = read_edf(path, rate_hz=rate)
        assert (got.rate_hz, got.channels) == (rate, tuple(one.label for one in chosen))
        close(got.signals_uv, np.stack([one.expected() for one in chosen]), least=1e-3)
    assert read_edf(path, channels=["Pz"]).rate_hz == 16
    with pytest.raises(DataError, match="no signal of 20 Hz"):
        open_edf(path, rate_hz=20)
    with pytest.raises(DataError, match="different rates"):
        open_edf(path, channels=["Fp1", "Pz"])


def test_the_trigger_lines_of_bdf_are_no_voltage(tmp_path):
    signals = random_signals(2, width=3)
    signals.append(Planted("Status", signals[0].digital, unit="Boolean"))
    path = write(tmp_path / "a.bdf", signals, width=3)
    assert open_edf(path).channels == ("Fp1", "Cz")


def test_channels_that_are_not_there_or_there_twice_are_named(tmp_path):
    signals = random_signals(3)
    signals[2].label = "Cz"
    path = write(tmp_path / "a.edf", signals)
    with pytest.raises(DataError, match="no signal 'Fp11'; did you mean 'Fp1'"):
        open_edf(path, channels=["Fp11"])
    with pytest.raises(DataError, match="2 signals 'Cz'"):
        open_edf(path, channels=["Cz"])
    with pytest.raises(DataError, match="no signals to read"):
        open_edf(path, channels=[])


def test_interruptions_are_segments_and_no_window_crosses_one(tmp_path):
    signals = random_signals(2, 6, 20)
    begun = [0.25, 1.25, 7.25, 8.25, 9.25, 100.25]
    notes = timed(6, begun=begun)
    notes[2] = notes[2] + tal("+8.75", "here", duration="1")
    path = write(tmp_path / "a.edf", signals, annotations=notes, reserved="EDF+D")
    got, doubts = open_checked(path)
    assert [(one.start, one.stop, one.onset_s) for one in got.segments] == [
        (0, 40, 0.0),
        (40, 100, 7.0),
        (100, 120, 100.0),
    ]
    assert got.events.onset_s.tolist() == [8.5]
    assert [(one.what, one.where) for one in doubts] == [("interruptions", "2, 95.0 s in all")]
    expected = np.stack([one.expected() for one in signals])
    close(got.window_uv(8.5, 1.0), expected[:, 70:90], least=1e-3)
    close(got.window_uv(0.0, 2.0), expected[:, :40], least=1e-3)
    assert got.seconds_of(100) == 100.0
    for onset, lasts in (
        (1.5, 1.0),
        (3.0, 1.0),
        (9.5, 1.0),
        (101.0, 0.5),
        (-0.5, 1.0),
        (0.0, float("nan")),
        (0.0, 0.0),
        (0.5, -0.2),
        (float("inf"), 1.0),
    ):
        with pytest.raises(DataError, match=r"0\.000-2\.000 s, 7\.000-10\.000 s, 100\.000-101\.000 s"):
            got.window_uv(onset, lasts)
    for a, b in ((39, 41), (0, 120), (99, 101)):
        with pytest.raises(DataError, match="cross an interruption at sample"):
            got.samples_uv(a, b)
    assert got.samples_uv(40, 100).shape == (2, 60)


def test_records_that_overlap_or_do_not_say_when_they_began_are_refused(tmp_path):
    signals = random_signals(2, 4, 20)
    path = write(tmp_path / "a.edf", signals, annotations=timed(4, begun=[0, 1, 1.5, 4]), reserved="EDF+D")
    with pytest.raises(DataError, match="record 3: it begins before"):
        open_edf(path)
    notes = timed(4)
    notes[2] = b""
    with pytest.raises(DataError, match="record 3: a file with interruptions must say"):
        open_edf(write(path, signals, annotations=notes, reserved="EDF+D"))
    assert open_edf(write(path, signals, annotations=notes, reserved="EDF+C")).length == 80
    # Rounded times are no interruptions.
    got = open_edf(write(path, signals, annotations=timed(4, begun=[0, 1.02, 2.0, 3]), reserved="EDF+D"))
    assert len(got.segments) == 1
    got = open_edf(write(path, signals, annotations=timed(4, begun=[0, 1.03, 2.03, 3.03]), reserved="EDF+D"))
    assert [one.start for one in got.segments] == [0, 20]


def test_a_file_whose_records_times_contradict_it_is_told(tmp_path):
    path = write(
        tmp_path / "a.edf", random_signals(2, 4, 20), annotations=timed(4, begun=[0, 1, 5, 6]), reserved="EDF+C"
    )
    got, doubts = open_checked(path)
    assert len(got.segments) == 1
    (one,) = doubts
    assert one.what.startswith("the file says that it has no interruptions")
    assert "from record 3, by 3 s" in one.where


def test_annotations_of_every_form_are_read_in_order(tmp_path):
    notes = timed(4)
    notes[0] += tal("+2.5", "spike", "wave", duration="0.125") + tal("-0.5", "before")
    notes[1] = tal("+1", "", "with the record's time")
    notes[3] += (
        tal("+0.75", "Ängste µ", duration="0")
        + tal("+9", "late")
        + tal("+3.5", "long", duration="3")
        + tal("+9", "late")
    )
    path = write(tmp_path / "a.edf", random_signals(2, 4, 20), annotations=notes, reserved="EDF+C", annotations_at=0)
    got, doubts = open_checked(path)
    assert got.name == "a"
    assert list(got.events.itertuples(index=False, name=None)) == [
        (-0.5, 0.0, "before"),
        (0.75, 0.0, "Ängste µ"),
        (1.0, 0.0, "with the record's time"),
        (2.5, 0.125, "spike"),
        (2.5, 0.125, "wave"),
        (3.5, 3.0, "long"),
        (9.0, 0.0, "late"),
        (9.0, 0.0, "late"),
    ]
    assert {one.what: one.where.split(" of ")[0] for one in doubts} == {
        "annotations beyond the end": "2, the first at 9.000 s",
        "annotations before the first sample": "1, the first at -0.500 s",
        "annotations that last beyond the end": "1, the first at 3.500 s",
        "annotations that are there twice": "1",
    }
    assert not any("late" in str(one) or "spike" in str(one) for one in doubts)


@pytest.mark.parametrize(("samples", "block"), [(20, 1 << 20), (9000, 1 << 20), (20, 700)])
def test_annotations_in_small_and_in_large_records_are_the_same(tmp_path, samples, block, monkeypatch):
    monkeypatch.setattr(annotations, "BLOCK_BYTES", block)
    notes = [one + tal(f"+{i}.5", f"event {i}") for i, one in enumerate(timed(30))]
    path = write(tmp_path / "a.edf", random_signals(1, 30, samples), annotations=notes, reserved="EDF+C")
    got = open_edf(path).events
    assert got.onset_s.tolist() == [i + 0.5 for i in range(30)]
    assert got.description.tolist() == [f"event {i}" for i in range(30)]


@pytest.mark.parametrize(
    "bad",
    [
        b"+1\x14\x14\0no stamp\x14\0",
        b"+1\x14\x14\0+2 QZXJWK\x14\0",
        b"+1\x14\x14\0+2\x14open",
        b"1\x14\x14\0",
        b"+1\x15\x14\x14\0",
        b"+" + b"9" * 40 + b"\x14\x14\0",
    ],
)
def test_annotations_that_are_none_are_refused_and_not_quoted(tmp_path, bad):
    notes = timed(4)
    notes[1] = bad
    path = write(tmp_path / "a.edf", random_signals(2, 4, 20), annotations=notes, reserved="EDF+C")
    with pytest.raises(DataError, match="record 2: an annotation is not as EDF") as caught:
        open_edf(path)
    assert "QZXJWK" not in str(caught.value)


def test_a_lazy_recording_reads_after_pickling_and_refuses_a_file_that_changed(tmp_path):
    path = write(tmp_path / "a.edf", random_signals(2, 4, 20))
    lazy = open_edf(path)
    first = lazy.samples_uv(0, 10)
    again = pickle.loads(pickle.dumps(lazy))
    assert np.array_equal(again.samples_uv(0, 10), first)
    stored = pickle.dumps(lazy)
    content = path.read_bytes()
    path.write_bytes(content[:-10])
    with pytest.raises(DataError, match=r"a.edf: has .* bytes and had"):
        pickle.loads(stored).samples_uv(0, 10)
    with pytest.raises(DataError, match=r"a.edf: became shorter"):
        lazy.samples_uv(60, 80)
    path.unlink()
    with pytest.raises(DataError, match=r"a.edf: cannot be read"):
        pickle.loads(stored).samples_uv(0, 10)


def test_what_is_read_is_the_readers_own(tmp_path):
    lazy = open_edf(write(tmp_path / "a.edf", random_signals(2, 4, 20)))
    one = lazy.samples_uv(0, 20)
    one[:] = 0
    assert lazy.samples_uv(0, 20).any()


def test_a_pseudonym_is_given_where_asked_for_only(tmp_path):
    path = write(tmp_path / "a.edf", random_signals(2), annotations=timed(4), reserved="EDF+C")
    assert open_edf(path).subject is None
    here = open_edf(path, namespace="here").subject
    assert here
    assert here == pseudonym("QZXJWKCODE", "here")
    plain = write(tmp_path / "b.edf", random_signals(2))
    whole = "QZXJWKCODE M 17-MAY-1903 QZXJWKNAME"
    assert open_edf(plain, namespace="here").subject == pseudonym(whole, "here")
    assert open_edf(path, namespace="there").subject != here
    content = bytearray(path.read_bytes())
    # The same code with another birthday and name is the same person in EDF+.
    content[8:88] = b"QZXJWKCODE F 01-JAN-1950 Somebody".ljust(80)
    Path(path).write_bytes(content)
    assert open_edf(path, namespace="here").subject == here
    content[8:88] = b"X X X X".ljust(80)
    Path(path).write_bytes(content)
    with pytest.raises(DataError, match="does not say who was recorded"):
        open_edf(path, namespace="here")


def test_a_disk_that_gives_less_at_once_and_a_system_without_pread_make_no_difference(tmp_path, monkeypatch):
    path = write(tmp_path / "a.edf", random_signals(3, 9, 40))
    whole, pread = read_edf(path).signals_uv, os.pread
    monkeypatch.setattr(os, "pread", lambda descriptor, count, start: pread(descriptor, min(count, 37), start))
    assert np.array_equal(read_edf(path).signals_uv, whole)
    monkeypatch.delattr(os, "pread")
    assert np.array_equal(read_edf(path).signals_uv, whole)


def test_no_file_stays_open_once_its_recording_is_gone(tmp_path):
    path = write(tmp_path / "a.edf", random_signals(1, 2, 40))
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else None
    for _ in range(20):
        open_edf(path).samples_uv(0, 5)
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) <= before + 1


def test_every_annotation_signal_is_read_and_the_first_one_has_the_time(tmp_path):
    second = np.zeros((4, 20), "<i2")
    second[2] = np.frombuffer(tal("+1.25", "of the second").ljust(40, b"\0"), "<i2")
    second[3] = np.frombuffer((tal("+50", "") + tal("+3", "to the end", duration="1")).ljust(40, b"\0"), "<i2")
    signals = [*random_signals(2, 4, 20), Planted("EDF Annotations", second)]
    notes = timed(4)
    notes[1] += tal("+1.5", "of the first")
    path = write(tmp_path / "a.edf", signals, annotations=notes, reserved="EDF+D", annotations_at=0)
    got, doubts = open_checked(path)
    assert got.channels == ("Fp1", "Cz")
    assert got.events.description.tolist() == ["of the second", "of the first", "to the end"]
    assert len(got.segments) == 1
    assert doubts == ()
