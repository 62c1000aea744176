"""Slices into a grid: what is missing, there twice, uneven, tilted or of another kind is refused by name."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from dicom_files import image, planes, save, stack

from pellucid.errors import DataError
from pellucid_ct.dicom.series import read_series


def read(folder):
    return read_series(folder, namespace="here")


def told(folder):
    with pytest.raises(DataError) as caught:
        read(folder)
    assert caught.value.__cause__ is None
    assert str(folder) in str(caught.value)
    return str(caught.value)


def test_a_missing_slice_is_named_by_its_neighbours(tmp_path):
    paths = stack(tmp_path, planes())
    paths[2].unlink()
    message = told(tmp_path)
    assert "about 1 slice is missing" in message
    assert f"{paths[1].name} and {paths[3].name} are 5 mm apart" in message
    assert "ImagePositionPatient (0020,0032)" in message


def test_most_slices_missing_or_two_left_is_still_seen_where_it_can_be(tmp_path):
    paths = stack(tmp_path, planes(9))
    for path in (*paths[1:3], paths[5]):
        path.unlink()
    assert "about 3 slices are missing" in told(tmp_path)


def test_one_slice_alone_is_refused(tmp_path):
    stack(tmp_path, planes(1))
    assert "one slice only" in told(tmp_path)


def test_a_copy_of_a_slice_is_named(tmp_path):
    paths = stack(tmp_path, planes())
    shutil.copy(paths[3], tmp_path / "zz")
    message = told(tmp_path)
    assert f"the same in {paths[3].name} and zz (1 such pair)" in message


def test_two_passes_over_the_patient_are_refused(tmp_path):
    stack(tmp_path / "a", planes())
    stack(tmp_path / "b", planes(seed=1))
    assert "(5 such pairs)" in told(tmp_path)


@pytest.mark.parametrize(("spacing", "words"), [(51, "slices are 51 mm apart"), (0.04, "slices are 0.04 mm apart")])
def test_slices_too_far_apart_or_too_close_are_refused(tmp_path, spacing, words):
    stack(tmp_path, planes(), spacing=spacing)
    assert words in told(tmp_path)


@pytest.mark.parametrize("spacing", [49, 0.06])
def test_slices_far_apart_or_close_are_read(tmp_path, spacing):
    stack(tmp_path, planes(), spacing=spacing)
    assert read(tmp_path).geometry.spacing_mm[0] == pytest.approx(spacing)


def test_a_slice_that_lies_all_but_upon_another_is_a_copy(tmp_path):
    paths = stack(tmp_path, planes())
    save(image(planes()[0], position=(-10, -20, 32.5 + 0.04)), tmp_path / "zz")
    assert f"the same in {paths[1].name} and zz" in told(tmp_path)
    save(image(planes()[0], position=(-10, -20, 32.5 + 0.1)), tmp_path / "zz")
    assert "not evenly spaced" in told(tmp_path)


def test_uneven_slices_are_refused_and_rounded_positions_are_not(tmp_path):
    def uneven(number, data):
        data.ImagePositionPatient = [0, 0, 2.5 * number + (0.6 if number == 2 else 0)]

    stack(tmp_path / "a", planes(), change=uneven)
    assert "not evenly spaced (1.9 to 3.1 mm)" in told(tmp_path / "a")

    def drifting(number, data):
        data.ImagePositionPatient = [0, 0, number + 0.002 * number**2]

    stack(tmp_path / "b", planes(30), change=drifting)
    assert "not evenly spaced" in told(tmp_path / "b")

    def rounded(number, data):
        data.ImagePositionPatient = [0, 0, round(0.625 * number, 1)]

    stack(tmp_path / "c", planes(33), change=rounded)
    assert read(tmp_path / "c").geometry.spacing_mm[0] == pytest.approx(0.625)


def test_a_tilted_gantry_is_refused_with_its_angle(tmp_path):
    angle = np.radians(12)

    def tilt(number, data):
        data.ImageOrientationPatient = [1, 0, 0, 0, float(np.cos(angle)), float(np.sin(angle))]

    stack(tmp_path, planes(), change=tilt)
    message = told(tmp_path)
    assert "12.0 degrees: the gantry was tilted" in message


def test_a_sheared_stack_of_upright_slices_is_refused(tmp_path):
    def shear(number, data):
        data.ImagePositionPatient = [0, 0.3 * number, 2.5 * number]

    stack(tmp_path, planes(), change=shear)
    assert "6.8 degrees" in told(tmp_path)


def test_an_oblique_grid_is_refused_with_its_angle(tmp_path):
    angle = np.radians(7)
    down = np.array([0, np.cos(angle), np.sin(angle)])
    normal = np.cross([1, 0, 0], down)

    def turn(number, data):
        data.ImageOrientationPatient = [1, 0, 0, *map(float, down)]
        data.ImagePositionPatient = list(map(float, 2.5 * number * normal))

    stack(tmp_path, planes(), change=turn)
    message = told(tmp_path)
    assert "7.0 degrees from the patient's axes" in message
    assert "ImageOrientationPatient (0020,0037)" in message


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"PixelSpacing": [0.75, 0.75]}, "PixelSpacing (0028,0030) differ within the series: 0.75\\0.75"),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "ImageOrientationPatient (0020,0037) differ"),
        ({"PatientID": "P-9"}, "several patients (PatientID (0010,0020))"),
        ({"FrameOfReferenceUID": "2.25.9"}, "several frames of reference"),
    ],
    ids=str,
)
def test_images_that_do_not_belong_together_are_refused(tmp_path, elements, words):
    def odd(number, data):
        for keyword, value in elements.items() if number == 3 else ():
            setattr(data, keyword, value)

    paths = stack(tmp_path, planes(), change=odd)
    message = told(tmp_path)
    assert words in message
    assert paths[3].name in message


def test_an_image_of_another_size_is_named_although_it_is_read_first(tmp_path):
    stack(tmp_path, planes())
    save(image(planes(1, 9, 9)[0], position=(-10, -20, 100)), tmp_path / "A")
    message = told(tmp_path)
    assert "Rows (0028,0010) and Columns (0028,0011) differ within the series: 9\\9 in A, 6\\4" in message
    assert "1 of 6 images" in message
