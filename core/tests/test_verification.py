"""A folder beside its card: what is missing, wrong, or too much."""

from __future__ import annotations

import os

import pytest
from made_cards import PLAIN, made_card

from pellucid import cards
from pellucid.cards import Card, here
from pellucid.cards.verification import verify
from pellucid.errors import DataError, PellucidError
from pellucid.testing.real_data import real_data

FILES = {"a.csv": b"x,y\n", "slices/b.bin": b"\x00\x01\x02"}
CARD = made_card({path: (content, "http://h/x") for path, content in FILES.items()})


@pytest.fixture
def folder(tmp_path):
    for path, content in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    return tmp_path


def wrong(found):
    return {state.file.path: state.presence for state in found.wrong}


def test_a_folder_with_all_files_is_as_described(folder):
    found = verify(CARD, folder)
    assert found.as_described
    assert len(found.states) == 2
    assert (found.wrong, found.extra, found.beside, found.unfinished) == ((), (), (), ())


def test_each_missing_and_wrong_file_is_named(folder):
    (folder / "a.csv").unlink()
    (folder / "slices/b.bin").write_bytes(b"\x00\x01\x03")
    found = verify(CARD, folder)
    assert wrong(found) == {"a.csv": "missing", "slices/b.bin": "other content"}
    assert not found.as_described
    (folder / "slices/b.bin").write_bytes(b"\x00\x01\x02\x03")
    assert wrong(verify(CARD, folder))["slices/b.bin"] == "other size"


def test_each_extra_file_is_named_with_its_folder(folder):
    (folder / "slices/c.bin").touch()
    (folder / "deep/er").mkdir(parents=True)
    (folder / "deep/er/d").touch()
    (folder / "empty").mkdir()
    found = verify(CARD, folder)
    assert found.extra == ("deep/er/d", "slices/c.bin")
    assert not found.as_described


def test_what_is_no_data_is_named_apart_and_breaks_nothing(folder):
    for name in (".DS_Store", "Thumbs.db", "README.md", "LICENSE", "slices/.hidden", ".ipynb_checkpoints/a"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (folder / ".a.csv.part").touch()
    found = verify(CARD, folder)
    assert found.as_described
    assert set(found.beside) == {
        ".DS_Store", "Thumbs.db", "README.md", "LICENSE", "slices/.hidden", ".ipynb_checkpoints/a",
    }  # fmt: skip
    assert found.unfinished == (".a.csv.part",)
    (folder / "slices/README.md").touch()
    (folder / "readmenot.csv").touch()
    assert verify(CARD, folder).extra == ("readmenot.csv", "slices/README.md")


def test_links_to_folders_are_named_and_not_followed(folder):
    (folder / "slices/round").symlink_to(folder)
    assert verify(CARD, folder).extra == ("slices/round",)


def test_another_folder_of_the_same_layout_is_recognised(folder):
    for path in FILES:
        (folder / path).write_bytes(b"other patients")
    assert verify(CARD, folder).other_content_throughout
    (folder / "a.csv").write_bytes(FILES["a.csv"])
    assert not verify(CARD, folder).other_content_throughout
    (folder / "a.csv").unlink()
    assert not verify(CARD, folder).other_content_throughout


def test_a_file_that_cannot_be_read_is_named(folder, monkeypatch):
    real = here.sha256

    def broken(path):
        if path.name == "a.csv":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(here, "sha256", broken)
    assert wrong(verify(CARD, folder)) == {"a.csv": "unreadable"}


def test_a_folder_that_cannot_be_listed_is_said(folder, monkeypatch):
    def walk(top, onerror):
        onerror(PermissionError(13, "Permission denied", "x/locked"))
        return iter(())

    monkeypatch.setattr(os, "walk", walk)
    with pytest.raises(DataError, match="x/locked: Permission denied"):
        verify(CARD, folder)


def test_a_large_file_is_read_in_pieces(tmp_path):
    import tracemalloc

    content = bytes(64_000_000)
    (tmp_path / "large").write_bytes(content)
    card = made_card({"large": (content, "http://h/x")})
    del content
    tracemalloc.start()
    assert verify(card, tmp_path).as_described
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_card_without_files_and_a_folder_that_is_not_named_are_said(tmp_path):
    with pytest.raises(DataError, match="--data names the folder"):
        verify(CARD)
    with pytest.raises(PellucidError, match="does not exist"):
        verify(CARD, tmp_path / "none")
    for access, said in (("generated", "is made by this software"), ("own", "is your own data")):
        with pytest.raises(DataError, match=said):
            verify(Card.model_validate({**PLAIN, "access": access}), tmp_path)
    with pytest.raises(DataError, match="so many files"):
        verify(Card.model_validate({**PLAIN, "retriever": "a program"}), tmp_path)


def test_the_crops_on_the_card_are_those_that_are_here():
    folder = real_data("ct", "lidc_solid_nodules")
    found = verify(cards.card("lidc-crops"), folder)
    assert found.as_described
    assert len(found.states) == 3
