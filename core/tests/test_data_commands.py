"""The commands of the data steward, as a person types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from made_cards import PLAIN, vouched
from scripted_server import file, serving, status

CONTENT = b"x,y\n1,2\n"


def pellucid(*arguments, **environment):
    """Run the command in a fresh process, on a terminal of 80 columns."""
    return subprocess.run(
        [sys.executable, "-c", "from pellucid.command.main import main; main()", "data", *map(str, arguments)],
        env={**os.environ, "COLUMNS": "80", "no_proxy": "127.0.0.1", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def flowing(text):
    return " ".join(text.split())


@pytest.fixture
def card_file(tmp_path):
    """Writes a card of one file."""

    def write(url, **changes):
        plain = {**PLAIN, "citations": list(PLAIN["citations"]), **changes}
        lines = [f"{key} = {json.dumps(value)}" for key, value in plain.items() if key != "units"]
        if url:
            lines += ["[[files]]", 'path = "sub/a.csv"', f"url = {json.dumps(url)}"]
            lines += [f"{key} = {json.dumps(value)}" for key, value in vouched(CONTENT).items()]
        lines += ["[units]", 'length = "mm"']
        path = tmp_path / "made.toml"
        path.write_text("\n".join(lines))
        return path

    return write


def test_data_are_fetched_verified_and_found_damaged(card_file, tmp_path):
    to = tmp_path / "to"
    with serving(file(CONTENT)) as server:
        card = card_file(server.url())
        done = pellucid("fetch", card, "--to", to)
        assert done.returncode == 0, done.stderr
        said = flowing(done.stdout)
        for shown in (
            "licence CC0-1.0",
            "access open: anybody may download it",
            "cite Somebody (2020)",
            "1 file fetched (8 bytes)",
        ):
            assert shown in said
        assert (to / "sub/a.csv").read_bytes() == CONTENT
        again = pellucid("fetch", card, "--to", to)
        assert "1 file here already" in again.stdout
        assert len(server.asked) == 1
    fine = pellucid("verify", card, "--data", to)
    assert (fine.returncode, fine.stdout) == (0, "made: its one file is here and as the card says.\n")
    (to / "sub/a.csv").write_bytes(b"x,y\n1,3\n")
    (to / "more.csv").touch()
    (to / "no\x1b[2Jte").touch()
    wrong = pellucid("verify", card, "--data", to)
    assert wrong.returncode == 1
    assert "sub/a.csv: wrong: has the right size, but its SHA-256 is not the card's" in wrong.stdout
    assert "more.csv: extra" in wrong.stdout
    assert "\x1b" not in wrong.stdout
    assert "0 of 1 files are here and as the card says; 1 wrong, 2 extra." in flowing(wrong.stdout)


def test_a_download_that_fails_is_one_message(card_file, tmp_path):
    with serving(status(404)) as server:
        done = pellucid("fetch", card_file(server.url()), "--to", tmp_path / "to")
    assert done.returncode == 2
    (message,) = [line for line in done.stderr.splitlines() if line.startswith("DataError")]
    assert "404" in message
    assert "Traceback" not in done.stderr


def test_a_person_who_presses_ctrl_c_is_told_how_to_go_on(card_file, tmp_path):
    part = tmp_path / "to/sub/.a.csv.part"
    with serving(file(CONTENT, cut=4, stall_s=8), file(CONTENT)) as server:
        card = card_file(server.url())
        # What a shell starts in the background ignores Ctrl-C, and so would this test's process.
        awake = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
        command = [
            sys.executable,
            "-c",
            f"{awake}; from pellucid.command.main import main; main()",
            "data",
            "fetch",
            str(card),
        ]
        environment = {**os.environ, "no_proxy": "127.0.0.1"}
        process = subprocess.Popen(
            [*command, "--to", str(tmp_path / "to")], env=environment, stderr=subprocess.PIPE, text=True
        )
        until = time.monotonic() + 60
        while not part.exists() and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 130
        assert "Stopped. The same command goes on where it was" in said
        assert "Traceback" not in said
        assert part.read_bytes() == CONTENT[:4]
        assert pellucid("fetch", card, "--to", tmp_path / "to").returncode == 0
        assert server.ranges == [None, "bytes=4-"]


@pytest.mark.parametrize(
    ("access", "said"),
    [
        ("registered", "to those who register there"),
        ("credentialed", "sign an agreement"),
        ("request", "no server offers these files"),
    ],
)
def test_whom_to_ask_is_said_and_nothing_is_downloaded(card_file, tmp_path, access, said):
    with serving(file(CONTENT)) as server:
        done = pellucid("fetch", card_file(server.url(), access=access), "--to", tmp_path / "to")
        assert not server.asked
    assert done.returncode == 1
    assert said in flowing(done.stdout)
    assert "Nothing was downloaded" in done.stdout
    assert done.stdout.rstrip().endswith("Ask them.")
    assert not (tmp_path / "to").exists()


def test_what_needs_no_download_is_no_failure(tmp_path):
    done = pellucid("fetch", "planted-lesions", "--to", tmp_path / "to")
    assert done.returncode == 0
    assert "this software makes it" in done.stdout
    assert pellucid("fetch", "ct-series", "--to", tmp_path / "to").returncode == 1


def test_a_card_is_exported_to_a_file_and_to_the_terminal(tmp_path):
    out = tmp_path / "croissant.json"
    assert pellucid("export", "lidc-crops", "--out", out).returncode == 0
    assert json.loads(pellucid("export", "lidc-crops").stdout) == json.loads(out.read_text())
    assert json.loads(out.read_text())["@type"] == "sc:Dataset"


def test_an_unknown_dataset_is_answered_with_the_nearest(tmp_path):
    for command in (("fetch", "lidc-crop", "--to", tmp_path), ("verify", "lidc-crop"), ("export", "lidc-crop")):
        done = pellucid(*command)
        assert done.returncode == 2
        assert "did you mean" in done.stderr


def test_a_card_file_that_is_not_there_is_said(tmp_path):
    done = pellucid("fetch", tmp_path / "none.toml", "--to", tmp_path)
    assert done.returncode == 2
    assert "none.toml: cannot be read" in done.stderr


def test_the_data_commands_need_no_torch(card_file, tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\nfrom pellucid import cards, fetching\n"
        "from pellucid.cards import croissant, printing, verification\n"
        "card = cards.card('lidc-crops')\ncroissant.croissant(card)\nverification.verify(card, Path(sys.argv[1]))\n"
        "assert 'torch' not in sys.modules\nassert 'pandas' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
