import pytest

from pellucid.data.frozen import Frozen, read_toml
from pellucid.errors import DataError


class Finger(Frozen):
    length_mm: float


class Hand(Frozen):
    name: str
    thumb: Finger | None = None
    fingers: tuple[Finger, ...] = ()


def refused(tmp_path, text):
    path = tmp_path / "hand.toml"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_toml(path, Hand, "hand")
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_wrong_description_is_refused_with_its_place_and_the_nearest_field(tmp_path):
    assert "nane: there is no such field; did you mean 'name'?" in refused(tmp_path, 'nane = "left"')
    assert "thumb.length: there is no such field; did you mean 'length_mm'?" in refused(
        tmp_path, 'name = "left"\nthumb = { length = 3 }'
    )
    second = refused(tmp_path, 'name = "left"\n[[fingers]]\nlength_mm = 3\n[[fingers]]\nlenght_mm = 3')
    assert "fingers.2.lenght_mm: there is no such field; did you mean 'length_mm'?" in second
    assert "name: is missing" in refused(tmp_path, "")
    assert "not valid TOML" in refused(tmp_path, "name")


def test_a_description_is_read(tmp_path):
    (tmp_path / "hand.toml").write_text('name = "left"\n[[fingers]]\nlength_mm = 3')
    assert read_toml(tmp_path / "hand.toml", Hand, "hand").fingers[0].length_mm == 3
    with pytest.raises(DataError, match="cannot be read"):
        read_toml(tmp_path / "no.toml", Hand, "hand")
