"""Archives made to break out, to burst, or to look like something else."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import shutil
import stat
import struct
import tarfile
import tracemalloc
import zipfile

import pytest
from made_cards import packed_card
from scripted_server import file, serving

from pellucid.errors import DataError
from pellucid.fetching import Patience, Watcher, archives, fetch
from pellucid.fetching.archives import unpack

FILES = {"a.csv": b"x,y\n1,2\n", "slices/b.bin": random.Random(0).randbytes(200_000)}
HASTE = Patience(stall_s=0.5, tries=3, wait_s=0.001)
PACKERS = {
    ".tar": bytes,
    ".tar.gz": gzip.compress,
    ".tgz": gzip.compress,
    ".tar.xz": lzma.compress,
    ".tar.bz2": bz2.compress,
}


def zipped(files, *, more=(), compression=zipfile.ZIP_DEFLATED):
    """A zip; ``more`` are (ZipInfo or name, content)."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as made:
        for name, content in (*files.items(), *more):
            made.writestr(name, content)
    return stream.getvalue()


def tarred(files, *, more=()):
    """A tar; ``more`` are (TarInfo, content)."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as made:
        plain = [(tarfile.TarInfo(name), content) for name, content in files.items()]
        for info, content in (*plain, *more):
            info.size = len(content) if info.isreg() else 0
            made.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def opened(archive, name, to, *, files=None):
    """Unpack an archive below ``to``; what is there then, by path."""
    card = packed_card(archive, name, "http://h/x", files or FILES)
    to.mkdir(exist_ok=True)
    (to / f".{name}").write_bytes(archive)
    try:
        unpack(to / f".{name}", card.files, to)
    finally:
        (to / f".{name}").unlink()
    return {p.relative_to(to).as_posix(): p.read_bytes() for p in to.rglob("*") if p.is_file()}


def refused(archive, name, folder, said, **options):
    """It is refused, and nothing is left in or beside the folder."""
    with pytest.raises(DataError, match=said) as caught:
        opened(archive, name, folder / "to", **options)
    assert [p for p in folder.rglob("*") if p != folder / "to" and not p.is_dir()] == []
    return str(caught.value)


KINDS = (".zip", *PACKERS)


def packed(files, ending):
    """An archive of one kind with these files."""
    return zipped(files) if ending == ".zip" else PACKERS[ending](tarred(files))


@pytest.mark.parametrize("ending", KINDS)
def test_listed_files_come_out_as_they_are(tmp_path, ending):
    archive = packed({**FILES, "README": b"hello", "__MACOSX/x": b""}, ending)
    assert opened(archive, f"data{ending}", tmp_path / "to") == FILES


@pytest.mark.parametrize("prefix", ["./", ""])
def test_names_may_begin_with_the_folder_itself_and_folders_may_be_listed(tmp_path, prefix):
    folder = tarfile.TarInfo(prefix + "slices/")
    folder.type = tarfile.DIRTYPE
    archive = tarred({prefix + name: content for name, content in FILES.items()}, more=[(folder, b"")])
    assert opened(archive, "data.tar", tmp_path / "to") == FILES


def test_a_member_may_have_another_name_on_the_card(tmp_path):
    archive = zipped({"deep/inside/x": b"abc"})
    card = packed_card(archive, "d.zip", "http://h/x", {"y": b"abc"})
    (tmp_path / "d.zip").write_bytes(archive)
    unpack(tmp_path / "d.zip", [card.files[0].model_copy(update={"member": "deep/inside/x"})], tmp_path)
    assert (tmp_path / "y").read_bytes() == b"abc"


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../evil", "leads out"),
        ("a/../../evil", "leads out"),
        ("/evil", "absolute"),
        ("C:evil", "absolute"),
        ("C:\\evil", "absolute"),
        ("..\\evil", "backslash"),
        ("a\\..\\evil", "backslash"),
        ("evil\x1b[2J", "printed"),
        ("a//evil", "empty part"),
        ("/", "is empty"),
    ],
)
def test_a_name_that_leads_out_refuses_the_whole_archive(tmp_path, kind, name, said):
    if kind == "zip":
        refused(zipped(FILES, more=[(name, b"evil")]), "data.zip", tmp_path, said)
    else:
        refused(tarred(FILES, more=[(tarfile.TarInfo(name), b"evil")]), "data.tar", tmp_path, said)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_refuse_it(tmp_path, kind):
    info = tarfile.TarInfo("link")
    info.type, info.linkname = kind, "/etc/passwd"
    refused(tarred(FILES, more=[(info, b"")]), "data.tar", tmp_path, "link is a link or a device")


def test_a_listed_file_that_is_a_link_is_refused(tmp_path):
    info = tarfile.TarInfo("a.csv")
    info.type, info.linkname = tarfile.SYMTYPE, "slices/b.bin"
    refused(tarred({"slices/b.bin": FILES["slices/b.bin"]}, more=[(info, b"")]), "data.tar", tmp_path, "is a link")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_in_a_zip_refuse_it(tmp_path, kind):
    info = zipfile.ZipInfo("link")
    info.create_system, info.external_attr = 3, (kind | 0o777) << 16
    refused(zipped(FILES, more=[(info, b"/etc/passwd")]), "data.zip", tmp_path, "link is a link or a device")


def test_a_sparse_file_is_refused(tmp_path):
    raw = bytearray(tarred({"a.csv": FILES["a.csv"]}))
    raw[156:157] = tarfile.GNUTYPE_SPARSE
    raw[345:500] = bytes(155)
    raw[148:156] = b" " * 8
    raw[148:156] = f"{sum(raw[:512]):06o}\0 ".encode()
    refused(bytes(raw), "data.tar", tmp_path, "sparse", files={"a.csv": FILES["a.csv"]})


def test_a_name_that_goes_on_behind_a_zero_byte_is_judged_whole(tmp_path):
    archive = zipped(FILES, more=[("a.txtX/../../evil", b"x")]).replace(b"a.txtX", b"a.txt\0")
    refused(archive, "data.zip", tmp_path, "printed")


def test_an_encrypted_member_is_refused(tmp_path):
    raw = bytearray(zipped(FILES))
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    raw[6] |= 1
    refused(bytes(raw), "data.zip", tmp_path, "encrypted")


@pytest.mark.parametrize("ending", KINDS)
def test_a_listed_file_that_is_larger_than_the_card_says_is_refused_before_it_is_unpacked(tmp_path, ending):
    bomb = {**FILES, "a.csv": bytes(20_000_000)}
    refused(packed(bomb, ending), f"data{ending}", tmp_path, "a.csv would be 20,000,000 bytes, and the card says 8")


@pytest.mark.parametrize("ending", [".zip", ".tar.gz", ".tar.xz"])
def test_a_bomb_beside_the_listed_files_is_refused_without_being_held(tmp_path, ending, monkeypatch):
    monkeypatch.setattr(archives, "UNLISTED_BYTES", 1 << 20)
    archive = packed({"bomb": bytes(30_000_000), **FILES}, ending)
    tracemalloc.start()
    refused(archive, f"data{ending}", tmp_path, "would unpack to more than")
    assert tracemalloc.get_traced_memory()[1] < 12_000_000
    tracemalloc.stop()


def test_a_header_that_claims_gigabytes_is_not_believed(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "UNLISTED_BYTES", 1 << 20)
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2_000_000_000
    archive = gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(30_000_000))
    tracemalloc.start()
    refused(archive, "data.tar.gz", tmp_path, "damaged")
    assert tracemalloc.get_traced_memory()[1] < 12_000_000
    tracemalloc.stop()


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "UNLISTED_MEMBERS", 50)
    many = {f"{i}": b"" for i in range(60)}
    for ending in KINDS:
        refused(packed({**many, **FILES}, ending), f"data{ending}", tmp_path, "more than 52 members")
    few = {f"{i}": b"" for i in range(50)}
    assert opened(zipped({**few, **FILES}), "data.zip", tmp_path / "to") == FILES


def test_a_zip_that_unpacks_to_more_than_it_states_is_refused(tmp_path):
    raw = bytearray(zipped({"a.csv": bytes(100_000)}))
    size = struct.pack("<I", 8)
    raw[22:26] = size
    raw[raw.index(b"PK\x01\x02") + 24 :][:4] = size
    at = raw.index(b"PK\x01\x02") + 24
    raw[at : at + 4] = size
    refused(bytes(raw), "data.zip", tmp_path, "damaged|SHA-256", files={"a.csv": FILES["a.csv"]})


def test_a_member_that_is_there_twice_or_not_at_all_is_said(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = zipped(FILES, more=[("a.csv", b"other")])
    refused(twice, "data.zip", tmp_path, "holds a.csv twice")
    refused(zipped({"a.csv": FILES["a.csv"]}), "data.zip", tmp_path, "does not hold slices/b.bin")


@pytest.mark.parametrize("ending", KINDS)
def test_wrong_bytes_in_one_file_keep_all_of_them_out(tmp_path, ending):
    wrong = {**FILES, "slices/b.bin": bytes(200_000)}
    refused(packed(wrong, ending), f"data{ending}", tmp_path, "slices/b.bin has SHA-256")


@pytest.mark.parametrize("ending", KINDS)
def test_what_is_no_archive_of_its_kind_is_said(tmp_path, ending):
    for raw in (b"", b"<html>login</html>", random.Random(1).randbytes(3000), packed(FILES, ending)[:-20_000]):
        refused(raw or b"\0", f"data{ending}", tmp_path, "damaged|does not hold")


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz", ".tar.xz", ".tar.bz2"])
def test_a_mutated_archive_is_refused_or_unpacked_right(tmp_path, ending, monkeypatch):
    monkeypatch.setattr(archives, "UNLISTED_BYTES", 1 << 22)
    chance = random.Random(ending)
    small = {"a.csv": FILES["a.csv"], "s/b": b"b" * 600}
    whole = packed(small, ending)
    outcomes = set()
    for _ in range(150):
        raw = bytearray(whole)
        for _ in range(chance.choice((1, 2, 8))):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        to = tmp_path / "to"
        try:
            assert opened(bytes(raw), f"data{ending}", to, files=small) == small
            outcomes.add("right")
        except DataError:
            outcomes.add("refused")
            assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
        shutil.rmtree(to)
    assert "refused" in outcomes


def test_a_link_in_the_folder_leads_no_member_out_of_it(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "to").mkdir()
    (tmp_path / "to/slices").symlink_to(tmp_path / "outside")
    with pytest.raises(DataError, match="a link on the way"):
        opened(zipped(FILES), "data.zip", tmp_path / "to")
    assert list((tmp_path / "outside").iterdir()) == []


def left(to):
    return sorted(path.relative_to(to).as_posix() for path in to.rglob("*") if not path.is_dir())


def test_an_archive_is_fetched_unpacked_and_gone(tmp_path):
    archive = gzip.compress(tarred(FILES))
    with serving(file(archive, cut=100_000), file(archive)) as server:
        card = packed_card(archive, "data.tar.gz", server.url(), FILES)
        found = fetch(card, tmp_path, patience=HASTE)
        assert [f.path for f in found.new] == list(FILES)
        assert left(tmp_path) == sorted(FILES)
        assert len(server.asked) == 2
        fetch(card, tmp_path, patience=HASTE)
        assert len(server.asked) == 2, "what is here is not fetched again"
        (tmp_path / "a.csv").unlink()
        assert [f.path for f in fetch(card, tmp_path, patience=HASTE).new] == ["a.csv"]


def test_an_archive_that_was_here_when_it_was_stopped_is_not_fetched_again(tmp_path):
    class Stop(Watcher):
        def say(self, message):
            if message.startswith("Unpacking"):
                raise KeyboardInterrupt

    archive = zipped(FILES)
    with serving(file(archive)) as server:
        card = packed_card(archive, "data.zip", server.url(), FILES)
        with pytest.raises(KeyboardInterrupt):
            fetch(card, tmp_path, patience=HASTE, watcher=Stop())
        assert left(tmp_path) == [".data.zip"]
        fetch(card, tmp_path, patience=HASTE)
        assert left(tmp_path) == sorted(FILES)
        assert len(server.asked) == 1


def test_the_room_for_what_is_unpacked_counts(tmp_path, monkeypatch):
    archive = zipped({"a": bytes(1_000_000)})
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    with serving(file(archive)) as server, pytest.raises(DataError, match=r"1\.0 MB unpacked are needed"):
        fetch(packed_card(archive, "d.zip", server.url(), {"a": bytes(1_000_000)}), tmp_path)


def test_a_refused_archive_leaves_the_folder_as_it_was(tmp_path):
    archive = zipped(FILES, more=[("../evil", b"x")])
    (tmp_path / "mine.txt").write_text("mine")
    with serving(file(archive)) as server, pytest.raises(DataError, match="leads out"):
        fetch(packed_card(archive, "d.zip", server.url(), FILES), tmp_path, patience=HASTE)
    assert not (tmp_path.parent / "evil").exists()
    assert [name for name in left(tmp_path) if not name.startswith(".")] == ["mine.txt"]
