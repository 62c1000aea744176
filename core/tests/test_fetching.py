"""Downloads from a server that cuts, lies, redirects and changes its mind."""

from __future__ import annotations

import errno
import multiprocessing
import os
import random
import shutil
import tempfile
import threading
import time
from pathlib import Path

import pytest
from made_cards import made_card
from scripted_server import file, redirect, serving, status

from pellucid.errors import DataError
from pellucid.fetching import Patience, Watcher, fetch, why_not
from pellucid.fetching.download import CHUNK, download, part_of
from pellucid.fetching.lock import held

CONTENT = random.Random(0).randbytes(3 * CHUNK + 12_345)
OTHER = random.Random(1).randbytes(len(CONTENT))
HASTE = Patience(stall_s=0.5, tries=3, wait_s=0.001, longest_wait_s=0.01)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def fetched(server, to, *, content=CONTENT, patience=HASTE, watcher=None, path="sub/a.bin"):
    """Fetch one file from a server; its bytes."""
    fetch(made_card({path: (content, server.url())}), to, patience=patience, watcher=watcher)
    return (to / path).read_bytes()


def left(to):
    """Every file that is in a folder."""
    return sorted(path.relative_to(to).as_posix() for path in to.rglob("*") if not path.is_dir())


def refused(server, to, said, **options):
    """The download is refused, with nothing under the file's name."""
    with pytest.raises(DataError, match=said) as caught:
        fetched(server, to, **options)
    assert not (to / "sub/a.bin").exists()
    return str(caught.value)


def test_a_file_is_fetched_into_its_place_and_nothing_else_is_left(tmp_path):
    with serving(file(CONTENT)) as server:
        assert fetched(server, tmp_path / "new" / "folder") == CONTENT
        assert left(tmp_path) == ["new/folder/sub/a.bin"]
        assert server.asked[0][1]["Accept-Encoding"] == "identity"


def test_what_is_here_is_not_asked_for_again(tmp_path):
    with serving(file(CONTENT)) as server:
        fetched(server, tmp_path)
        before = (tmp_path / "sub/a.bin").stat().st_mtime_ns
        found = fetch(made_card({"sub/a.bin": (CONTENT, server.url())}), tmp_path)
        assert (len(found.new), len(found.here)) == (0, 1)
        assert (tmp_path / "sub/a.bin").stat().st_mtime_ns == before
        assert len(server.asked) == 1


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_cut_connection_is_taken_up_where_it_was_cut(tmp_path, reset):
    with serving(file(CONTENT, cut=CHUNK, reset=reset), file(CONTENT, cut=CHUNK), file(CONTENT)) as server:
        assert fetched(server, tmp_path) == CONTENT
        assert server.ranges[0] is None
        starts = [int(r.removeprefix("bytes=").removesuffix("-")) for r in server.ranges[1:]]
        assert starts == sorted(set(starts))
        assert len(server.asked) == 3
        # A reset may throw away what has not been read yet; an end does not.
        assert reset or starts == [CHUNK, 2 * CHUNK]


def test_connections_that_all_bring_something_are_never_too_many(tmp_path):
    with serving(file(CONTENT, cut=len(CONTENT) // 10)) as server:
        assert fetched(server, tmp_path) == CONTENT
        assert len(server.asked) > 3 * HASTE.tries


def test_a_part_of_an_earlier_process_is_continued(tmp_path):
    with serving(file(CONTENT, cut=CHUNK), status(503)) as server:
        said = refused(server, tmp_path, "503, 3 times in a row")
        assert "goes on from there" in said
    assert left(tmp_path) == ["sub/.a.bin.part"]
    with serving(file(CONTENT)) as server:
        assert fetched(server, tmp_path) == CONTENT
        assert server.ranges == [f"bytes={CHUNK}-"]
    assert left(tmp_path) == ["sub/a.bin"]


@pytest.mark.parametrize("part", [OTHER[:CHUNK], OTHER, OTHER + b"more"], ids=["shorter", "as long", "longer"])
def test_a_part_of_something_else_is_thrown_away(tmp_path, part):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/.a.bin.part").write_bytes(part)
    with serving(file(CONTENT)) as server:
        assert fetched(server, tmp_path) == CONTENT
        assert server.ranges[-1] is None


def test_a_whole_part_needs_no_server(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/.a.bin.part").write_bytes(CONTENT)
    with serving(status(500)) as server:
        assert fetched(server, tmp_path) == CONTENT
        assert not server.asked


def test_a_server_that_ignores_ranges_is_read_from_the_beginning(tmp_path):
    with serving(file(CONTENT, cut=CHUNK), file(CONTENT, ranges=False)) as server:
        assert fetched(server, tmp_path) == CONTENT
        assert server.ranges == [None, f"bytes={CHUNK}-"]


def test_a_server_that_ignores_ranges_and_always_cuts_is_given_up(tmp_path):
    with serving(file(CONTENT, ranges=False, cut=CHUNK)) as server:
        refused(server, tmp_path, "ended too early, 3 times in a row")
        assert len(server.asked) == 1 + HASTE.tries


@pytest.mark.parametrize("offset", [-7, 7])
def test_a_range_that_was_not_asked_for_is_not_written(tmp_path, offset):
    with serving(file(CONTENT, cut=CHUNK), file(CONTENT, offset=offset)) as server:
        assert fetched(server, tmp_path) == CONTENT
        assert server.ranges == [None, f"bytes={CHUNK}-", None]


def test_a_file_that_was_changed_meanwhile_is_begun_again_by_its_etag(tmp_path):
    with serving(file(OTHER, cut=CHUNK, etag='"old"'), file(CONTENT, etag='"new"')) as server:
        assert fetched(server, tmp_path) == CONTENT
        assert server.asked[1][1]["If-Range"] == '"old"'
        assert len(server.asked) == 2


def test_an_etag_is_compared_also_where_the_server_does_not(tmp_path):
    def careless(handler):
        del handler.headers["If-Range"]
        file(CONTENT, etag='"new"')(handler)

    with serving(file(OTHER, cut=CHUNK, etag='"old"'), careless) as server:
        watcher, told = Watcher(), []
        watcher.say = told.append
        assert fetched(server, tmp_path, watcher=watcher) == CONTENT
        assert not told, "the digest had to find out"
        assert server.ranges == [None, f"bytes={CHUNK}-", None]


def test_a_weak_etag_promises_nothing_and_the_digest_notices(tmp_path):
    with serving(file(OTHER, cut=CHUNK, etag='W/"same"'), file(CONTENT, etag='W/"same"')) as server:
        assert fetched(server, tmp_path) == CONTENT
        assert "If-Range" not in server.asked[1][1]
        assert server.ranges == [None, f"bytes={CHUNK}-", None]


def test_wrong_bytes_are_refused_with_both_digests_and_removed(tmp_path):
    import hashlib

    with serving(file(OTHER, Content_Type="text/html")) as server:
        said = refused(server, tmp_path, "not what the card describes")
        assert len(server.asked) == 1, "one whole answer was wrong: there is no use in another"
    for shown in (hashlib.sha256(OTHER).hexdigest(), hashlib.sha256(CONTENT).hexdigest(), "text/html"):
        assert shown in said
    assert left(tmp_path) == []


def test_a_server_that_sends_more_is_cut_off(tmp_path):
    sent = []

    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * CHUNK)
            sent.append(CHUNK)
            if sum(sent) > 200 * CHUNK:
                return

    with serving(endless) as server:
        refused(server, tmp_path, "not what the card describes")
    assert sum(sent) < 100 * CHUNK


@pytest.mark.parametrize("stated", [CHUNK, len(CONTENT) + 999], ids=["less", "more"])
def test_a_length_that_is_a_lie_does_no_harm(tmp_path, stated):
    with serving(file(CONTENT, stated=stated), file(CONTENT)) as server:
        assert fetched(server, tmp_path) == CONTENT


def test_a_file_that_is_shorter_than_its_card_is_refused(tmp_path):
    with serving(file(CONTENT[:-1])) as server:
        refused(server, tmp_path, "times in a row")
        assert len(server.asked) < 10


def test_a_server_that_stalls_is_left_and_asked_again(tmp_path):
    with serving(file(CONTENT, cut=CHUNK, stall_s=3), file(CONTENT)) as server:
        begun = time.monotonic()
        assert fetched(server, tmp_path, patience=Patience(stall_s=0.2, wait_s=0.001)) == CONTENT
        assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    ("code", "said"), [(404, "not there any more"), (410, "not there"), (403, "permission"), (418, "418")]
)
def test_a_refusal_is_said_once_and_at_once(tmp_path, code, said):
    with serving(status(code)) as server:
        assert server.url() in refused(server, tmp_path, said)
        assert len(server.asked) == 1


def test_a_busy_server_is_asked_again(tmp_path):
    with serving(status(500), status(503, Retry_After="1"), file(CONTENT)) as server:
        assert fetched(server, tmp_path) == CONTENT


def test_what_a_server_asks_to_wait_is_waited_within_bounds(tmp_path, monkeypatch):
    waits, told = [], []
    monkeypatch.setattr(download.__globals__["time"], "sleep", waits.append)
    with serving(status(429, Retry_After="7"), status(503, Retry_After="999999"), file(CONTENT)) as server:
        watcher = Watcher()
        watcher.say = told.append
        fetched(server, tmp_path, patience=Patience(wait_s=1, longest_wait_s=20), watcher=watcher)
    assert waits == [7, 20]
    assert told == [
        "a.bin: the server answered 429; asking again in 7 s",
        "a.bin: the server answered 503; asking again in 20 s",
    ]


def test_nobody_there_is_said_after_some_tries(tmp_path):
    with serving(status(200)) as server:
        pass
    assert "127.0.0.1" in refused(server, tmp_path, "cannot be reached")


def test_what_is_no_http_is_said(tmp_path):
    with serving(lambda handler: handler.wfile.write(b"220 mail.example ready\r\n")) as server:
        refused(server, tmp_path, "BadStatusLine")


def test_compressed_bytes_are_not_taken_for_the_file(tmp_path):
    with serving(file(CONTENT, Content_Encoding="gzip")) as server:
        refused(server, tmp_path, "compressed although")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_followed_to_other_hosts_with_the_range(tmp_path, code):
    with serving(file(CONTENT, cut=CHUNK), file(CONTENT)) as far:
        there = far.url("far").replace("127.0.0.1", "localhost")
        with serving(redirect("/second", code), redirect(there, code), redirect(there, code)) as near:
            assert fetched(near, tmp_path) == CONTENT
            assert [path for path, _ in near.asked] == ["/a.bin", "/second", "/a.bin"]
        assert far.ranges == [None, f"bytes={CHUNK}-"]


def test_a_circle_of_redirects_ends(tmp_path):
    with serving(redirect("/b"), redirect("/a.bin"), redirect("/b")) as server:
        refused(server, tmp_path, "more than 5 times")
        assert len(server.asked) == 6


@pytest.mark.parametrize(
    "to",
    [
        "file:///etc/hostname",
        "ftp://127.0.0.1/x",
        "data:,hello",
        "//u:p@127.0.0.1/x",
        "http://[",
        "http://h:99999/",
        "gopher:x",
    ],
)
def test_a_redirect_out_of_the_web_is_not_followed(tmp_path, to):
    with serving(redirect(to)) as server:
        said = refused(server, tmp_path, "no web address; it was not followed")
        assert "hostname" not in said
        assert len(server.asked) == 1


def test_a_redirect_without_a_place_is_said(tmp_path):
    with serving(status(302)) as server:
        refused(server, tmp_path, "without saying where")


def test_a_redirect_from_https_to_http_is_not_followed():
    from pellucid.fetching.connection import _next

    with pytest.raises(DataError, match=r"from https to http \(far\.example\)"):
        _next("https://near.example/a", "https://near.example/a", "http://far.example/a?key=secret")
    assert _next("https://near.example/a", "https://near.example/a", "//far.example/a") == "https://far.example/a"
    assert _next("http://near.example/a", "http://near.example/a", "/b") == "http://near.example/b"


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path, monkeypatch):
    import ssl
    from urllib.error import URLError

    def ask(*_, **__):
        raise URLError(ssl.SSLCertVerificationError(1, "self-signed"))

    monkeypatch.setattr("urllib.request.OpenerDirector.open", ask)
    with serving(status(200)) as server:
        refused(server, tmp_path, "certificate of 127")


def test_a_file_of_that_name_that_is_something_else_is_not_written_over(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.bin").write_bytes(b"mine")
    with serving(file(CONTENT)) as server, pytest.raises(DataError, match="not written over"):
        fetched(server, tmp_path)
    assert (tmp_path / "sub/a.bin").read_bytes() == b"mine"
    assert not server.asked


@pytest.mark.parametrize("what", ["folder", "dangling link"])
def test_something_that_is_no_file_is_not_written_over(tmp_path, what):
    if what == "folder":
        (tmp_path / "a.bin").mkdir()
    else:
        (tmp_path / "a.bin").symlink_to(tmp_path / "nowhere")
    with serving(file(CONTENT)) as server, pytest.raises(DataError, match="no plain file"):
        fetched(server, tmp_path, path="a.bin")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("link", ["sub", "sub/.a.bin.part"])
def test_a_link_in_the_folder_leads_nothing_out_of_it(tmp_path, link):
    outside, to = tmp_path / "outside", tmp_path / "to"
    outside.mkdir()
    (to / link).parent.mkdir(parents=True)
    (to / link).symlink_to(outside if link == "sub" else outside / "victim")
    with (
        serving(file(CONTENT)) as server,
        pytest.raises(DataError, match=r"a link on the way|no plain file|not a plain file"),
    ):
        fetched(server, to)
    assert left(outside) == []


def test_too_little_room_is_said_before_anything_is_asked_for(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=len(CONTENT) - 1))
    with serving(file(CONTENT)) as server:
        said = refused(server, tmp_path / "new", "not enough room")
        assert not server.asked
        assert "798.8 kB to download are needed" in said
        assert left(tmp_path) == []
        (tmp_path / "new/sub").mkdir(parents=True)
        (tmp_path / "new/sub/.a.bin.part").write_bytes(CONTENT[:1])
        assert fetched(server, tmp_path / "new") == CONTENT, "what is here needs no room"


def test_a_full_disk_keeps_what_it_has(tmp_path, monkeypatch):
    real = os.fdopen

    def small(descriptor, mode):
        made = real(descriptor, mode, buffering=0)

        class Small:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                made.close()

            def __getattr__(self, name):
                return getattr(made, name)

            def write(self, some):
                if made.tell() + len(some) > CHUNK:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return made.write(some)

        return Small()

    with serving(file(CONTENT)) as server:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fdopen", small)
            refused(server, tmp_path, "no space left on the disk")
        assert 0 < (tmp_path / "sub/.a.bin.part").stat().st_size <= CHUNK
        assert fetched(server, tmp_path) == CONTENT
        assert server.ranges[1] is not None


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may write anywhere")
def test_a_folder_without_permission_is_said(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with serving(file(CONTENT)) as server:
            refused(server, tmp_path, "choose a place that you may write to")
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_that_cannot_be_written_is_said(tmp_path, monkeypatch):
    def deny(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", deny)
    with serving(file(CONTENT)) as server:
        refused(server, tmp_path / "x", "Permission denied; choose a place that you may write to")


def test_a_folder_that_takes_nothing_is_said_before_anybody_is_asked(tmp_path, monkeypatch):
    def deny(*_, dir, **__):
        asked_at.append(dir)
        raise OSError(errno.EROFS, "Read-only file system")

    asked_at = []
    (tmp_path / "sub").mkdir()
    with serving(file(CONTENT)) as server:
        with monkeypatch.context() as patched:
            patched.setattr(tempfile, "TemporaryFile", deny)
            refused(server, tmp_path, "Read-only file system; choose a place that you may write to")
            assert asked_at == [tmp_path.absolute()]
            assert server.asked == []
        assert fetched(server, tmp_path) == CONTENT
        asked = len(server.asked)
        monkeypatch.setattr(tempfile, "TemporaryFile", deny)
        assert fetched(server, tmp_path) == CONTENT, "what is whole needs no place to write to"
        assert len(server.asked) == asked


def test_a_file_in_place_of_the_folder_is_said(tmp_path):
    (tmp_path / "to").write_text("x")
    with serving(file(CONTENT)) as server, pytest.raises(DataError, match="is a file: --to names a folder"):
        fetched(server, tmp_path / "to")


class Stop(Watcher):
    """A person who presses Ctrl-C in the middle."""

    def moved(self, done):
        if done > CHUNK:
            raise KeyboardInterrupt


def test_a_person_who_stops_it_can_go_on(tmp_path):
    with serving(file(CONTENT)) as server:
        with pytest.raises(KeyboardInterrupt):
            fetched(server, tmp_path, watcher=Stop())
        assert left(tmp_path) == ["sub/.a.bin.part"]
        assert (tmp_path / "sub/.a.bin.part").stat().st_size > CHUNK
        assert fetched(server, tmp_path) == CONTENT
        assert server.ranges[1] is not None


def test_a_watcher_is_told_how_far_it_is_and_that_it_ended(tmp_path):
    class Notes(Watcher):
        told: list = []  # noqa: RUF012

        def start(self, name, done, total):
            self.told.append(("start", name, done, total))

        def moved(self, done):
            self.told.append(done)

        def stop(self):
            self.told.append("stop")

    with serving(file(CONTENT)) as server:
        fetched(server, tmp_path, watcher=Notes())
    assert Notes.told[0] == ("start", "a.bin", 0, len(CONTENT))
    assert Notes.told[-2:] == [len(CONTENT), "stop"]


def _hold(folder, ready, done):
    with held(Path(folder)):
        ready.set()
        done.wait(20)


def test_two_processes_do_not_write_into_each_others_parts(tmp_path):
    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(tmp_path), ready, done))
    other.start()
    try:
        assert ready.wait(20)
        with serving(file(CONTENT)) as server:
            refused(server, tmp_path, "another process is downloading")
            assert not server.asked
            done.set()
            other.join()
            assert fetched(server, tmp_path) == CONTENT
    finally:
        other.kill()
        other.join()
    assert left(tmp_path) == ["sub/a.bin"]


def test_a_second_download_in_one_process_is_refused_as_well(tmp_path):
    with serving(file(CONTENT)) as server, held(tmp_path):
        refused(server, tmp_path, "another process")


@pytest.mark.parametrize("access", ["registered", "credentialed", "request"])
def test_data_that_must_be_asked_for_are_not_downloaded(tmp_path, access):
    with serving(file(CONTENT)) as server:
        card = made_card({"a.bin": (CONTENT, server.url())}, access=access)
        with pytest.raises(DataError, match=r"nothing was downloaded.*Ask them\."):
            fetch(card, tmp_path / "to")
        assert not server.asked
        assert not (tmp_path / "to").exists()


def test_open_data_without_an_address_are_explained():
    from made_cards import PLAIN

    from pellucid.cards import Card

    by_hand = Card.model_validate({**PLAIN, "retriever": "the Retriever", "about_bytes": 125_000_000_000})
    assert "handed out by the Retriever" in why_not(by_hand)
    assert "125.0 GB" in why_not(by_hand)
    plain = made_card({"a.bin": (CONTENT, "http://h/a")})
    assert why_not(plain) == ""
    assert "no address" in why_not(
        plain.model_copy(update={"files": (plain.files[0].model_copy(update={"url": None}),)})
    )


def test_several_files_go_on_with_the_ones_that_are_missing(tmp_path):
    with serving(file(b"one"), status(404)) as server:
        card = made_card({"one": (b"one", server.url("one")), "two": (b"two!", server.url("two"))})
        with pytest.raises(DataError, match="404"):
            fetch(card, tmp_path, patience=HASTE)
        assert left(tmp_path) == ["one"]
        server.answers[:] = [file(b"two!")]
        found = fetch(card, tmp_path, patience=HASTE)
    assert [f.path for f in found.new] == ["two"]
    assert [f.path for f in found.here] == ["one"]


def test_the_part_of_a_file_stands_beside_it():
    assert part_of(Path("x/a.bin")) == Path("x/.a.bin.part")


def test_a_server_that_never_finishes_its_headers_is_left(tmp_path):
    release = threading.Event()
    with serving(lambda handler: (handler.wfile.write(b"HTTP/1.1 200 OK\r\n"), release.wait(5))) as server:
        refused(server, tmp_path, "does not answer", patience=Patience(stall_s=0.1, tries=2, wait_s=0.001))
        release.set()
