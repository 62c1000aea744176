"""Datasets of many files: the list of digests is fetched first, and what it says is believed of no file."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import tempfile

import pytest
from made_cards import PLAIN
from scripted_server import file, serving, status

from pellucid.cards import Card, card, read_card
from pellucid.errors import DataError
from pellucid.fetching import Patience, fetch, why_not
from pellucid.fetching.lock import held

HASTE = Patience(stall_s=0.5, tries=3, wait_s=0.001, longest_wait_s=0.01)
FILES = {
    "table.csv": b"a,b\n1,2\n",
    "empty.txt": b"",
    **{f"low/00/{n:03}.dat": random.Random(n).randbytes(2000 + n) for n in range(20)},
    **{f"high/{n:03}.dat": random.Random(100 + n).randbytes(5000) for n in range(5)},
    "with space/a b.txt": b"x",
}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def listed(files, **changes):
    """A list of digests as sha256sum writes it."""
    lines = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()} | changes
    return "".join(f"{digest}  {path}\n" for path, digest in lines.items()).encode()


def folder_of(files, sums=None, **special):
    """Answers by path, as a file server gives them; ``special`` by name instead."""
    from urllib.parse import unquote

    def answer(handler):
        path = unquote(handler.path.removeprefix("/data/"))
        if path in special:
            special[path](handler)
        elif path == "SHA256SUMS.txt":
            file(listed(files) if sums is None else sums)(handler)
        elif path in files:
            file(files[path])(handler)
        else:
            status(404)(handler)

    return answer


def made(server, **changes):
    return Card.model_validate({**PLAIN, "sums": {"url": f"{server.address}/data/", **changes}})


def fetched(server, to, **options):
    return fetch(made(server, **options.pop("sums", {})), to, patience=HASTE, **options)


def contents(to):
    return {p.relative_to(to).as_posix(): p.read_bytes() for p in to.rglob("*") if p.is_file() and p.name[0] != "."}


def test_every_listed_file_arrives_in_its_place(tmp_path):
    with serving(folder_of(FILES)) as server:
        found = fetched(server, tmp_path / "to")
        assert why_not(made(server)) == ""
        assert server.asked[0][0] == "/data/SHA256SUMS.txt"
    assert contents(tmp_path / "to") == {**FILES, "SHA256SUMS.txt": listed(FILES)}
    assert sum(one.bytes for one in found.new) == sum(map(len, FILES.values()))
    assert found.vouched_by == "SHA256SUMS.txt"


def test_what_is_here_is_not_asked_for_again(tmp_path):
    with serving(folder_of(FILES)) as server:
        fetched(server, tmp_path)
        (tmp_path / "low/00/003.dat").unlink()
        before = len(server.asked)
        found = fetched(server, tmp_path)
        assert [one.path for one in found.new] == ["low/00/003.dat"]
        assert len(server.asked) - before == 2, "the list and the one file"
        assert len(found.here) == len(FILES) - 1


def test_one_folder_alone_comes_with_the_files_beside_it(tmp_path):
    with serving(folder_of(FILES)) as server:
        fetched(server, tmp_path, only=("low",))
        wanted = {path for path in FILES if path.startswith("low/") or "/" not in path}
        assert set(contents(tmp_path)) == wanted | {"SHA256SUMS.txt"}
        with pytest.raises(DataError, match="did you mean 'high'"):
            fetched(server, tmp_path / "new", only=("higt",))
        assert not (tmp_path / "new").exists()


def test_a_download_that_was_cut_off_goes_on_where_it_was(tmp_path):
    name, whole = "low/00/007.dat", FILES["low/00/007.dat"]
    answers = iter([file(whole, cut=900, stated=len(whole))])

    def cut(handler):
        next(answers, status(503))(handler)

    with serving(folder_of(FILES, **{name: cut})) as server, pytest.raises(DataError, match="503, 3 times in a row"):
        fetched(server, tmp_path)
    part = tmp_path / "low/00/.007.dat.part"
    assert part.read_bytes() == whole[:900]
    with serving(folder_of(FILES)) as server:
        fetched(server, tmp_path)
        assert [h["Range"] for path, h in server.asked if path.endswith("007.dat")] == ["bytes=900-"]
    assert contents(tmp_path)[name] == whole


def test_a_whole_part_is_settled_without_the_server(tmp_path):
    name = "low/00/007.dat"
    (tmp_path / "low/00").mkdir(parents=True)
    (tmp_path / "low/00/.007.dat.part").write_bytes(FILES[name])
    with serving(folder_of(FILES, **{name: status(500)})) as server:
        fetched(server, tmp_path)
    assert contents(tmp_path)[name] == FILES[name]


@pytest.mark.parametrize("kind", ["other bytes", "no length", "shorter", "longer"])
def test_a_file_that_is_not_what_the_list_says_is_refused(tmp_path, kind):
    name, right = "low/00/007.dat", FILES["low/00/007.dat"]

    def without_length(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(right)

    answer = {
        "other bytes": file(right[::-1]),
        "no length": without_length,
        "shorter": file(right[:-1]),
        "longer": file(right + b"x"),
    }[kind]
    with serving(folder_of(FILES, **{name: answer})) as server, pytest.raises(DataError, match=r"007\.dat"):
        fetched(server, tmp_path)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{d}  ../out.txt", r"'\.\.'"),
        ("{d}  /etc/out.txt", "absolute"),
        ("{d}  a\\b.txt", "backslash"),
        ("{d}  TABLE.csv", "twice"),
        ("<html>404</html>", "line 2: is no SHA-256"),
        ("{d}", "line 2: is no SHA-256"),
        ("\x1b[2J  x", "line 2: is no SHA-256"),
    ],
)
def test_a_list_that_leads_astray_is_refused_before_anything_is_fetched(tmp_path, line, said):
    sums = listed({"table.csv": FILES["table.csv"]}) + line.format(d="0" * 64).encode() + b"\n"
    with serving(folder_of(FILES, sums)) as server:
        with pytest.raises(DataError, match=said) as caught:
            fetched(server, tmp_path / "to")
        assert len(server.asked) == 1
    assert "\x1b" not in str(caught.value)
    assert not (tmp_path / "to").exists()


def test_an_empty_list_and_one_that_is_no_text_are_refused(tmp_path):
    for sums, said in ((b"\n", "lists no file"), (b"\xff\xfe\x00", "no list of digests")):
        with serving(folder_of(FILES, sums)) as server, pytest.raises(DataError, match=said):
            fetched(server, tmp_path)


def test_a_list_is_asked_for_again_until_patience_ends(tmp_path, monkeypatch):
    pauses = []
    monkeypatch.setattr("pellucid.fetching.listed.time.sleep", pauses.append)
    whole = listed(FILES)
    answers = iter([status(503, Retry_After="7"), file(whole, cut=20, reset=True), file(whole)])

    def hesitant(handler):
        next(answers)(handler)

    patience = Patience(stall_s=0.5, tries=3, wait_s=2.0, longest_wait_s=30.0)
    with serving(folder_of(FILES, **{"SHA256SUMS.txt": hesitant})) as server:
        fetch(made(server), tmp_path, patience=patience)
    assert pauses == [7.0, 4.0], "what the server asks for, else twice as long each time"
    assert contents(tmp_path)["SHA256SUMS.txt"] == whole
    with serving(status(503, Retry_After="900")) as server:
        with pytest.raises(DataError, match="503, 3 times in a row"):
            fetch(made(server), tmp_path / "new", patience=patience)
        assert len(server.asked) == 3
    assert pauses[2:] == [30.0, 30.0], "no longer than patience has it"


def test_a_list_cut_short_at_the_end_of_a_line_is_not_taken_for_a_short_list(tmp_path):
    whole = listed(FILES)
    cut = whole.index(b"\n", len(whole) // 2) + 1
    answers = [file(whole, cut=cut)]
    with serving(folder_of(FILES, **{"SHA256SUMS.txt": answers[0]})) as server, pytest.raises(DataError, match="early"):
        fetched(server, tmp_path)
    assert contents(tmp_path) == {}


def test_a_card_that_knows_the_digest_of_the_list_is_held_against_it(tmp_path):
    right = hashlib.sha256(listed(FILES)).hexdigest()
    with serving(folder_of(FILES)) as server:
        fetched(server, tmp_path / "right", sums={"sha256": right})
        with pytest.raises(DataError, match="another list than the card knows"):
            fetched(server, tmp_path / "wrong", sums={"sha256": "0" * 64})
    assert not (tmp_path / "wrong").exists()


def test_another_version_is_not_mixed_into_a_folder(tmp_path):
    with serving(folder_of(FILES)) as server:
        fetched(server, tmp_path)
    newer = {**FILES, "table.csv": b"a,b\n3,4\n"}
    with serving(folder_of(newer)) as server, pytest.raises(DataError, match="another version"):
        fetched(server, tmp_path)
    assert contents(tmp_path)["table.csv"] == FILES["table.csv"]


def unwritable(monkeypatch):
    """A disk that takes nothing, whoever asks."""

    def deny(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", deny)


def a_file_above(to, monkeypatch):
    to.rmdir()
    to.parent.rmdir()
    to.parent.write_text("x")
    return r"folder/to cannot be made: .*folder is a file"


def a_link_that_leads_nowhere(to, monkeypatch):
    to.rmdir()
    to.symlink_to("nowhere")
    return "is a link that leads nowhere: --to names a folder"


def no_permission(to, monkeypatch):
    unwritable(monkeypatch)
    return "Permission denied; choose a place that you may write to"


def no_permission_above(to, monkeypatch):
    to.rmdir()
    return no_permission(to, monkeypatch)


def a_folder_in_place_of_the_list(to, monkeypatch):
    (to / "SHA256SUMS.txt").mkdir()
    return r"SHA256SUMS\.txt is there and is no plain file"


@pytest.mark.parametrize(
    "trouble",
    [a_file_above, a_link_that_leads_nowhere, no_permission, no_permission_above, a_folder_in_place_of_the_list],
    ids=lambda trouble: trouble.__name__,
)
def test_a_folder_that_takes_nothing_is_said_before_anybody_is_asked(tmp_path, monkeypatch, trouble):
    to = tmp_path / "folder" / "to"
    to.mkdir(parents=True)
    said = trouble(to, monkeypatch)
    before = sorted(tmp_path.rglob("*"))
    with serving(folder_of(FILES)) as server:
        with pytest.raises(DataError, match=said):
            fetched(server, to)
        assert server.asked == []
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_at_which_somebody_is_at_work_is_said_before_anybody_is_asked(tmp_path):
    with serving(folder_of(FILES)) as server:
        with held(tmp_path), pytest.raises(DataError, match="another process is downloading"):
            fetched(server, tmp_path)
        assert server.asked == []


def test_a_list_that_the_card_knows_is_not_asked_for_again(tmp_path, monkeypatch):
    right = {"sha256": hashlib.sha256(listed(FILES)).hexdigest()}
    with serving(folder_of(FILES)) as server:
        fetched(server, tmp_path, sums=right)
        asked = len(server.asked)
        # Whole already: nothing is asked for, and nothing need be written.
        unwritable(monkeypatch)
        found = fetched(server, tmp_path, sums=right)
        assert (len(found.here), found.new) == (len(FILES), ())
        assert len(server.asked) == asked
        (tmp_path / "table.csv").unlink()
        with pytest.raises(DataError, match="Permission denied"):
            fetched(server, tmp_path, sums=right)
        assert len(server.asked) == asked
        monkeypatch.undo()
        assert [one.path for one in fetched(server, tmp_path, sums=right).new] == ["table.csv"]
        assert [path for path, *_ in server.asked[asked:]] == ["/data/table.csv"]
        with pytest.raises(DataError, match=r"another list than the card knows: the folder holds another version"):
            fetched(server, tmp_path, sums={"sha256": "0" * 64})
        assert len(server.asked) == asked + 1


def test_a_list_that_was_damaged_is_no_word_about_the_server(tmp_path):
    with serving(folder_of(FILES)) as server:
        fetched(server, tmp_path)
        (tmp_path / "SHA256SUMS.txt").write_text("nothing")
        with pytest.raises(DataError, match="is another list than the server has now"):
            fetched(server, tmp_path)


def test_a_file_of_the_users_own_is_not_written_over(tmp_path):
    (tmp_path / "table.csv").write_bytes(b"mine")
    with serving(folder_of(FILES)) as server, pytest.raises(DataError, match=r"table\.csv is there"):
        fetched(server, tmp_path)
    assert (tmp_path / "table.csv").read_bytes() == b"mine"


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_a_link_does_not_lead_out_of_the_folder(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "to").mkdir()
    (tmp_path / "to/low").symlink_to(outside)
    with serving(folder_of(FILES)) as server, pytest.raises(DataError, match="leads out"):
        fetched(server, tmp_path / "to")
    assert not list(outside.rglob("*.dat"))


def test_a_missing_file_stops_the_others_soon(tmp_path):
    with serving(
        folder_of({**FILES, **{f"more/{n}": b"1" for n in range(300)}}, **{"table.csv": status(404)})
    ) as server:
        with pytest.raises(DataError, match="404"):
            fetched(server, tmp_path)
        assert len(server.asked) < 60


def test_ptb_xl_is_found_under_both_of_its_names():
    assert card("ptbxl") == card("ptb-xl") == card("datasets/ptb-xl")
    assert card("ptbxl").sums.url.startswith("https://physionet.org/files/ptb-xl/")
    assert why_not(card("ptbxl")) == ""


def test_a_card_lists_its_files_or_names_a_list(tmp_path):
    text = (
        'title = "t"\nname = "made"\nnamespace = "n"\nabout = "a"\nlicence = "l"\ncitations = ["c"]\naccess = "{access}"\nhow = "h"\n'
        'subject_key = "s"\nlabel_caveat = "l"\nunits = {{a = "b"}}\n[sums]\nurl = "{url}"\n{more}'
    )
    path = tmp_path / "made.toml"
    path.write_text(text.format(access="open", url="https://x.org/y/", more=""))
    assert read_card(path).sums.name == "SHA256SUMS.txt"
    for access, url, more, said in (
        ("request", "https://x.org/y/", "", "anybody may have them"),
        ("open", "https://x.org/y", "", "sums.url"),
        ("open", "ftp://x.org/y/", "", "sums.url"),
        ("open", "https://x.org/y/", 'nmae = "x"', "did you mean 'name'"),
    ):
        path.write_text(text.format(access=access, url=url, more=more))
        with pytest.raises(DataError, match=said):
            read_card(path)


def test_the_command_fetches_one_folder_and_says_what_vouches_for_it(tmp_path, capsys):
    from pellucid.command.commands import app

    with serving(folder_of(FILES)) as server:
        path = tmp_path / "made.toml"
        plain = {**PLAIN, "citations": list(PLAIN["citations"])}
        lines = [f"{key} = {json.dumps(value)}" for key, value in plain.items() if key != "units"]
        path.write_text("\n".join([*lines, '[units]\nx = "mm"', f'[sums]\nurl = "{server.address}/data/"']))
        app(["data", "fetch", str(path), "--to", str(tmp_path / "to"), "--only", "high"], standalone_mode=False)
        with pytest.raises(DataError, match="so many files that its card does not list them"):
            app(["data", "verify", str(path), "--data", str(tmp_path / "to")], standalone_mode=False)
    printed = " ".join(capsys.readouterr().out.split())
    assert "7 files fetched (25.0 kB). Each has the SHA-256 of SHA256SUMS.txt." in printed
    assert {p.partition("/")[0] for p in contents(tmp_path / "to")} == {
        "high",
        "table.csv",
        "empty.txt",
        "SHA256SUMS.txt",
    }
