import dataclasses
import importlib
import os
import subprocess
import sys
import textwrap

import pytest

from pellucid import plugins
from pellucid.errors import ContractError, UnknownComponent
from pellucid.kinds import KINDS, kind_called
from pellucid.plugins import API, Component, Plugin

HEAVY = (
    "torch",
    "mne",
    "wfdb",
    "pydicom",
    "rdkit",
    "torch_geometric",
    "pandas",
    "pydantic",
    "matplotlib",
    "sklearn",
    "nibabel",
    "highdicom",
)


def python(code, *folders, **environment):
    """Run code in a fresh interpreter that sees some more folders of installed distributions."""
    path = os.pathsep.join([*map(str, folders), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def listing(*folders):
    """What ``pellucid list`` prints."""
    done = python(
        "import sys; sys.argv = ['pellucid', 'list']\nfrom pellucid.command.main import main\nmain()", *folders
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def distribution(folder, name, source, target="PLUGIN", version="1.0"):
    """Lay out an installed distribution by hand: one module, and the entry point that names it."""
    module = f"outside_{name}"
    (folder / f"{module}.py").write_text(textwrap.dedent(source))
    info = folder / f"{module}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[pellucid.plugins]\n{name} = {module}:{target}\n")
    return folder


@pytest.mark.parametrize(
    "command",
    ["import pellucid", "import sys; sys.argv = ['p', 'list']; from pellucid.command.main import main; main()"],
)
def test_importing_and_listing_import_nothing_heavy(command):
    done = python(f"{command}\nimport sys\nprint('LOADED', [m for m in {HEAVY!r} if m in sys.modules])")
    assert done.returncode == 0, done.stderr
    assert "LOADED []" in done.stdout


def test_a_plugin_that_does_not_import_stays_visible_with_its_reason_and_mend(tmp_path):
    printed = listing(distribution(tmp_path, "broken", "import a_module_that_is_not_here"))
    assert "broken: did not load" in printed
    assert "No module named 'a_module_that_is_not_here'" in printed
    assert "pip install --force-reinstall outside_broken" in printed
    assert "cnn" in printed, "one broken plugin hides the others"


def test_a_plugin_made_for_another_api_stays_visible_with_both_numbers(tmp_path):
    source = f"from pellucid.plugins import Plugin\nPLUGIN = Plugin(name='old', api={API + 1})"
    printed = listing(distribution(tmp_path, "old", source))
    assert f"made for plugin api {API + 1}; this is api {API}" in printed


def test_a_plugin_that_raises_anything_or_exits_by_error_stays_visible(tmp_path):
    printed = listing(distribution(tmp_path, "rude", "raise RuntimeError('no licence file')"))
    assert "RuntimeError: no licence file" in printed


def test_an_entry_point_that_is_no_plugin_says_what_it_is(tmp_path):
    printed = listing(distribution(tmp_path, "wrong", "PLUGIN = {'encoders': {}}"))
    assert "is a dict, not a Plugin" in printed


def test_of_two_plugins_with_one_name_the_second_is_refused(tmp_path):
    source = "from pellucid.plugins import Plugin\nPLUGIN = Plugin(name='core', api=1, encoders={'mine': 'x:Y'})"
    printed = listing(distribution(tmp_path, "thief", source))
    assert "a plugin named 'core' is already here" in printed
    assert "mine" not in printed


def test_a_plugin_whose_component_file_is_gone_does_not_break_listing(tmp_path):
    source = """
        from pellucid.plugins import Plugin
        PLUGIN = Plugin(name='hollow', api=1, encoders={'ghost': 'outside_hollow:Ghost'}, cards={'c': 'outside_hollow/c.toml'})
    """
    printed = listing(distribution(tmp_path, "hollow", source))
    assert "ghost" in printed
    assert "cannot be read" in printed


def test_loading_a_component_whose_module_lacks_it_names_the_plugin(tmp_path):
    source = "from pellucid.plugins import Plugin\nPLUGIN = Plugin(name='hollow', api=1, encoders={'ghost': 'outside_hollow:Ghost'})"
    code = "from pellucid import plugins\nplugins.load('encoder', 'ghost')"
    done = python(code, distribution(tmp_path, "hollow", source))
    assert "ContractError: plugin 'hollow' names 'outside_hollow:Ghost'" in done.stderr


def test_summaries_are_first_lines_of_docstrings_read_without_importing(tmp_path):
    source = """
        from pellucid.plugins import Plugin
        PLUGIN = Plugin(name='quiet', api=1, encoders={'one': 'outside_loud:One'})
    """
    folder = distribution(tmp_path, "quiet", source)
    (folder / "outside_loud.py").write_text(
        'raise SystemExit("imported")\nclass One:\n    """Says one thing.\n\n    More."""\n'
    )
    assert "Says one thing." in listing(folder)


def test_an_unknown_name_is_answered_with_the_nearest_and_with_what_did_not_load(tmp_path):
    done = python(
        "from pellucid import plugins\nplugins.load('encoder', 'core/cmn')",
        distribution(tmp_path, "broken", "import a_module_that_is_not_here"),
    )
    assert "no encoder named 'core/cmn'; did you mean 'core/cnn'?" in done.stderr
    assert "Plugin 'broken' did not load" in done.stderr


def test_a_bare_name_that_two_plugins_offer_must_be_qualified(monkeypatch):
    two = (Plugin(name="a", api=API, heads={"same": "x:Y"}), Plugin(name="b", api=API, heads={"same": "x:Z"}))
    monkeypatch.setattr(plugins, "installed", lambda: plugins.Installed(two, {"a": "1", "b": "1"}, ()))
    with pytest.raises(UnknownComponent, match="write one of a/same, b/same"):
        plugins.find("head", "same")
    assert plugins.find("head", "b/same") == Component("head", "b", "same", "x:Z")


def test_records_of_plugins_cannot_be_changed():
    plugin = Plugin(name="a", api=API, heads={"one": "x:Y"})
    with pytest.raises(TypeError):
        plugin.heads["two"] = "x:Z"


def test_a_file_that_a_plugin_names_must_exist():
    with pytest.raises(ContractError, match=r"does not exist"):
        plugins.resource("pellucid/no-such.toml")
    with pytest.raises(ContractError, match=r"not installed"):
        plugins.resource("no_such_package/x.toml")


def test_a_plugin_has_a_field_for_every_kind_and_for_none_besides():
    named = {one.name for one in dataclasses.fields(Plugin)} - {"name", "api", "mend", "added"}
    assert named == {kind.plural for kind in KINDS.values()}


WORM = """
    from pellucid.kinds import Kind
    from pellucid.plugins import API, Plugin
    PLUGIN = Plugin(name={name!r}, api=API, added={{Kind({kind!r}, {kind!r} + "s", {home!r}, ("has_length",), is_file=True): {{
        {name!r}: "outside_files/{name}.toml"}}}})
"""


@pytest.fixture
def worms(tmp_path):
    """Two plugins that offer components of one kind, which the core does not know, in a package of files."""
    for name in ("glow", "earth"):
        distribution(tmp_path, name, textwrap.dedent(WORM).format(name=name, kind="worm", home="outside_checks"))
    package = tmp_path / "outside_files"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "glow.toml").write_text('title = "It glows"\nlength_mm = 20\n[light]\ncolour = "green"\n')
    (package / "earth.toml").write_text('title = "It digs"\nlength_mm = 90\n')
    (tmp_path / "outside_checks.py").write_text(
        "def worm_has_length(component):\n    assert component.kind == 'worm'\n"
    )
    return tmp_path


def command(folder, *arguments):
    return python(
        f"import sys; sys.argv = {['pellucid', *arguments]}\nfrom pellucid.command.main import main\nmain()", folder
    )


def test_a_plugin_may_add_a_kind_and_another_may_offer_some_of_it(worms):
    printed = command(worms, "list", "worms").stdout
    assert "It glows" in printed
    assert "It digs" in printed
    assert "additive" not in printed
    described = command(worms, "info", "glow").stdout
    assert "colour green" in described
    assert "20" in described
    assert command(worms, "check", "worm:earth/earth").stdout.startswith("kept ")


def test_files_are_chosen_by_their_fields(worms):
    for where in ("length_mm=20", "colour=Green", "light=green", "light.colour=green"):
        printed = command(worms, "list", "worm", "--where", where).stdout
        assert "It glows" in printed, where
        assert "It digs" not in printed, where
    both = command(worms, "list", "--kind", "worm", "--where", "length_mm=20.0", "--where", "colour=green").stdout
    assert "It glows" in both
    assert "did you mean 'length_mm'?" in command(worms, "list", "worms", "--where", "lenght_mm=20").stderr
    assert "did you mean 'green'?" in command(worms, "list", "worms", "--where", "colour=geen").stderr
    assert "field=value" in command(worms, "list", "worms", "--where", "colour").stderr
    assert "heads are no files" in command(worms, "list", "heads", "--where", "a=b").stderr
    assert "within one kind" in command(worms, "list", "--where", "a=b").stderr


def test_choosing_by_fields_imports_nothing_heavy(worms):
    done = python(
        f"""
        import sys; sys.argv = ['pellucid', 'list', 'worms', '--where', 'colour=green']
        from pellucid.command.main import main
        main()
        print([name for name in {HEAVY} if name in sys.modules])
        """,
        worms,
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr


def test_a_kind_that_is_called_like_another_is_refused_and_its_plugin_shown(tmp_path):
    distribution(tmp_path, "bold", textwrap.dedent(WORM).format(name="bold", kind="head", home="outside_checks"))
    printed = listing(tmp_path)
    assert "bold: did not load" in printed
    assert "another one called so" in printed
    assert "additive" in printed


def test_a_kind_is_called_by_both_its_names():
    assert kind_called("studies").name == kind_called("study").name == "study"
    assert kind_called("stories") is None
    for kind in KINDS.values():
        home = importlib.import_module(kind.home)
        assert all(callable(getattr(home, f"{kind.name}_{check}")) for check in kind.checks)
