import logging
import warnings

import pytest
from pydicom.charset import decode_bytes

from pellucid.errors import DataError
from pellucid_ct.dicom.library import refusing, silenced
from pellucid_ct.dicom.values import _decoded

SECRET = "Doe^Jane"


@pytest.mark.parametrize("name", ["pydicom", "pydicom.charset", "highdicom.seg.content"])
def test_no_logger_of_a_library_speaks_in_the_block_and_all_do_after_it(caplog, name):
    with silenced():
        logging.getLogger(name).error(SECRET)
    assert SECRET not in caplog.text
    logging.getLogger(name).error("spoken")
    assert "spoken" in caplog.text


def test_an_error_of_a_library_is_told_without_its_words():
    with pytest.raises(DataError, match=r"^a\.dcm: broken \(ValueError\)$") as refusal, refusing("a.dcm: broken"):
        raise ValueError(SECRET)
    assert refusal.value.__suppress_context__


def test_a_refusal_of_our_own_goes_through():
    with pytest.raises(DataError, match=r"^named$"), refusing("broken"):
        raise DataError("named")


def test_a_name_in_the_place_of_a_character_set_is_not_said(caplog, recwarn):
    warnings.simplefilter("always")
    _decoded("Müller".encode("latin-1"), SECRET.encode())
    assert SECRET not in caplog.text
    assert not [one for one in recwarn if SECRET in str(one.message)]
    # The library itself would have said it.
    decode_bytes(b"\xfc", ["ascii"], set())
    assert caplog.text
