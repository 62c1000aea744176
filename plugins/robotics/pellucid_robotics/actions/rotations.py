"""Rotations as six numbers without jumps, and from and to the forms that robots' files have."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from pellucid.errors import ContractError, DataError, nearest

Floats = npt.NDArray[np.float64]

RotationForm = Literal["quaternion xyzw", "quaternion wxyz", "matrix", "euler"]

SIZES: dict[str, int] = {"quaternion xyzw": 4, "quaternion wxyz": 4, "matrix": 9, "euler": 3}
"""How many numbers each form has; a matrix row by row."""

TOLERANCE = 1e-3
"""How far a quaternion's length may be from 1, and a matrix's rows from orthonormal, before it is no rotation."""


def six_of_matrix(matrix: Floats) -> Floats:
    """The first two columns of a rotation, one after the other; shape (..., 3, 3) to (..., 6)."""
    return np.concatenate([matrix[..., :, 0], matrix[..., :, 1]], axis=-1)


def matrix_of_six(six: Floats) -> Floats:
    """A rotation from its first two columns, made orthonormal by Gram and Schmidt; shape (..., 6) to (..., 3, 3).

    Raises
    ------
    DataError
        If one column is zero or both are parallel, or a number is NaN or infinite: no rotation follows from them.
    ContractError
        If there are not six numbers.

    References
    ----------
    Zhou et al. (2019), On the continuity of rotation representations in neural networks, arXiv 1812.07035.

    Examples
    --------
    >>> matrix_of_six(np.array([2.0, 0, 0, 1, 1, 0])).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    six = _of_width(six, 6, "six numbers")
    first, second = six[..., :3], six[..., 3:]
    length = np.linalg.norm(first, axis=-1, keepdims=True)
    one = first / np.where(length > 0, length, 1.0)
    other = second - (one * second).sum(-1, keepdims=True) * one
    rest = np.linalg.norm(other, axis=-1, keepdims=True)
    bad = (length <= 1e-12) | (rest <= 1e-12)
    if bad.any():
        raise DataError(
            f"{int(bad.sum())} of {bad.size} rotations of six numbers have a column that is zero, or both in one direction"
        )
    other = other / rest
    return np.stack([one, other, np.cross(one, other)], axis=-1)


def not_orthonormal(six: Floats) -> Floats:
    """How far six numbers are from two orthonormal columns: the largest error of lengths and of the cosine; shape (..., 6) to (...,)."""
    first, second = six[..., :3], six[..., 3:]
    lengths = [np.abs(np.linalg.norm(one, axis=-1) - 1) for one in (first, second)]
    return np.maximum(np.maximum(*lengths), np.abs((first * second).sum(-1)))


def six_of(values: Floats, form: str, order: str = "", *, degrees: bool = False) -> Floats:
    """Six numbers from another form; shape (..., number) to (..., 6).

    Parameters
    ----------
    values : ndarray
    form : {"quaternion xyzw", "quaternion wxyz", "matrix", "euler"}
        A quaternion and its negative are one rotation and give the same.
    order : str
        Of Euler angles alone: ``"xyz"`` turns about fixed axes, ``"XYZ"`` about those of the body, as scipy has them.
    degrees : bool
        Whether Euler angles are in degrees.

    Raises
    ------
    DataError
        If a quaternion has not the length 1, a matrix is no rotation, or a number is NaN or infinite.
    ContractError
        If there is no such form or order, or the form has another number of numbers.
    """
    return six_of_matrix(_rotation(np.asarray(values, np.float64), form, order, degrees))


def from_six(six: Floats, form: str, order: str = "", *, degrees: bool = False) -> Floats:
    """Inverse of :func:`six_of`; of the two quaternions of a rotation the one whose real part is not negative."""
    from scipy.spatial.transform import Rotation

    _check_form(form, order)
    six = np.asarray(six, np.float64)
    shape = six.shape[:-1]
    matrix = matrix_of_six(six).reshape(-1, 3, 3)
    if form == "matrix":
        return matrix.reshape(*shape, 9)
    turned = Rotation.from_matrix(matrix)
    if form == "euler":
        return np.asarray(turned.as_euler(order, degrees=degrees)).reshape(*shape, 3)
    quaternion = np.asarray(turned.as_quat(canonical=True))
    if form == "quaternion wxyz":
        quaternion = np.roll(quaternion, 1, axis=-1)
    return quaternion.reshape(*shape, 4)


def _rotation(values: Floats, form: str, order: str, degrees: bool) -> Floats:
    from scipy.spatial.transform import Rotation

    _check_form(form, order)
    values = _of_width(values, SIZES[form], form)
    shape, flat = values.shape[:-1], values.reshape(-1, SIZES[form])
    if form == "matrix":
        matrix = flat.reshape(-1, 3, 3)
        off = np.abs(matrix @ matrix.transpose(0, 2, 1) - np.eye(3)).max(initial=0)
        if off > TOLERANCE or (np.linalg.det(matrix) < 0).any():
            raise DataError(
                f"a matrix of nine numbers is no rotation: it is {off:.2g} away from orthonormal, or mirrors"
            )
        return matrix.reshape(*shape, 3, 3)
    if form == "euler":
        return np.asarray(Rotation.from_euler(order, flat, degrees=degrees).as_matrix()).reshape(*shape, 3, 3)
    off = np.abs(np.linalg.norm(flat, axis=1) - 1).max(initial=0)
    if off > TOLERANCE:
        raise DataError(f"a quaternion's length is {off:.2g} away from 1; is its order right, and is it one?")
    xyzw = np.roll(flat, -1, axis=1) if form == "quaternion wxyz" else flat
    return np.asarray(Rotation.from_quat(xyzw).as_matrix()).reshape(*shape, 3, 3)


def _check_form(form: str, order: str) -> None:
    if form not in SIZES:
        raise ContractError(f"no form of rotations {form!r}{nearest(form, SIZES)}; there are {', '.join(SIZES)}")
    if form == "euler" and not is_order(order):
        raise ContractError(
            f"{order!r} is no order of Euler angles: three letters of x, y and z, small about fixed axes, capital about those of the body, "
            "and no axis twice in a row"
        )


def is_order(order: str) -> bool:
    """Whether Euler angles can have this order: about the same axis twice in a row two angles would be one.

    Examples
    --------
    >>> [is_order(one) for one in ("xyz", "ZYZ", "xxy", "xyZ", "")]
    [True, True, False, False, False]
    """
    one_kind = set(order) <= set("xyz") or set(order) <= set("XYZ")
    return len(order) == 3 and one_kind and order[0] != order[1] != order[2]


def _of_width(values: npt.ArrayLike, width: int, form: str) -> Floats:
    found = np.asarray(values, np.float64)
    if not found.ndim or found.shape[-1] != width:
        raise ContractError(f"a rotation as {form} has {width} numbers, got an array of shape {found.shape}")
    if not np.isfinite(found).all():
        raise DataError(f"a rotation as {form} holds NaN or infinite numbers; mask or cut these steps first")
    return found
