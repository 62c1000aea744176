"""Open a scan or a mask, whatever it is stored as."""

from __future__ import annotations

from pathlib import Path

from pellucid.data import pseudonym
from pellucid.errors import DataError
from pellucid_ct.scans.volume import CtVolume, LesionMask

NIFTI = (".nii", ".nii.gz")

_MOST_MORE = 10
"""A mask with so many times the voxels of its scan is not even unpacked to be compared with it."""


def open_scan(path: Path, *, namespace: str, subject: str | None = None) -> CtVolume:
    """A scan from a folder of DICOM files or from a NIfTI file.

    Parameters
    ----------
    path : Path
    namespace : str
        Where patients' names come from; see :func:`pellucid.data.pseudonym`.
    subject : str, optional
        The patient's name or number as the user knows it; replaced at once. A DICOM series says itself whose it is, and
        is believed where nothing is given.

    Returns
    -------
    CtVolume

    Raises
    ------
    DataError
        If it is neither, cannot be read, or a NIfTI file comes without a subject: it does not say whose it is.
    """
    if path.is_dir():
        from pellucid_ct.dicom.series import read_series

        whose = None if subject is None else pseudonym(subject, namespace)
        return read_series(path, namespace=namespace, subject=whose)
    if not path.name.lower().endswith(NIFTI):
        raise DataError(
            f"{path}: is no scan; give a folder of DICOM files, or a file that ends in {' or '.join(NIFTI)}"
        )
    if subject is None:
        raise DataError(f"{path}: a NIfTI file does not say whose it is; name the patient (column 'subject')")
    from pellucid_ct.scans.nifti import read_nifti

    return read_nifti(path, subject=subject, namespace=namespace)


def open_mask(path: Path, volume: CtVolume) -> LesionMask:
    """The mask of a scan from a NIfTI file or a DICOM segmentation, with its axes as the scan's.

    Raises
    ------
    DataError
        If it is neither, cannot be read, or was drawn on another grid.
    """
    if path.name.lower().endswith(NIFTI):
        from pellucid_ct.scans.nifti import read_nifti_mask

        return read_nifti_mask(path, most_voxels=_MOST_MORE * volume.hu.size).on(volume)
    if path.is_dir():
        raise DataError(f"{path}: is a folder; give the file of the mask, NIfTI or a DICOM segmentation")
    from pellucid_ct.dicom.segmentation import read_segmentation

    return read_segmentation(path, volume).on(volume)
