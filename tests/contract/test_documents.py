"""What the documents say must be so: systems with evidence, components that exist, files that are there."""

import re
import tomllib
from pathlib import Path

import pytest

import pellucid
from pellucid import plugins

ROOT = Path(__file__).parents[2]
STATES = ("absent", "partial", "works")


def systems():
    rows = []
    for line in (ROOT / "docs/systems.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 7 and cells[0] not in ("system", "---"):
            rows.append(cells)
    return rows


def test_every_system_stands_once_with_a_known_state():
    names = [row[0] for row in systems()]
    assert len(names) == len(set(names)) == 77
    assert {row[3].split(":")[0] for row in systems()} <= set(STATES)


@pytest.mark.parametrize("row", [row for row in systems() if not row[3].startswith("absent")], ids=lambda row: row[0])
def test_a_system_that_is_not_absent_names_a_test_that_exists(row):
    files = re.findall(r"`([^`]+\.py)`", row[4])
    assert files, f"{row[0]} is said to be {row[3]}, but names no test"
    for file in files:
        assert (ROOT / file).is_file(), file


def test_an_absent_system_claims_nothing():
    for row in systems():
        if row[3].startswith("absent"):
            assert row[4] == row[5] == "-", row[0]


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "datasets/README.md", "docs/index.md"])
def test_links_and_pictures_of_a_document_are_there(document):
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text("utf-8")):
        assert (path.parent / target).exists(), f"{document} points at {target}"


def test_components_that_the_readme_names_are_installed():
    row = next(line for line in (ROOT / "README.md").read_text("utf-8").splitlines() if line.startswith("| `core/`"))
    known = {component.name for component in pellucid.components().values()}
    named = set(re.findall(r"`([a-z-]+)`", row)) - {"core", "pellucid"}
    assert len(named) > 8
    assert named <= known


def test_studies_in_the_documents_are_valid():
    for document in ("README.md", "docs/guide/studies.md"):
        for block in re.findall(r"```toml\n(title.*?)```", (ROOT / document).read_text("utf-8"), re.DOTALL):
            study = pellucid.study(tomllib.loads(block))
            plugins.find("dataset", study.dataset)
            for entry in study.encoder:
                plugins.find("encoder", entry.name)
            for head in study.head:
                plugins.find("head", head.name)
            for protocol in study.protocols:
                plugins.find("protocol", protocol)


def test_one_version_stands_everywhere():
    files = ("pyproject.toml", "datasets/pyproject.toml", "plugins/ct/pyproject.toml")
    assert {tomllib.loads((ROOT / file).read_text("utf-8"))["project"]["version"] for file in files} == {
        pellucid.__version__
    }
    assert f'version: "{pellucid.__version__}"' in (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"## {pellucid.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_tested_versions_satisfy_what_the_distributions_ask_for():
    from packaging.requirements import Requirement

    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = {
        re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower(): line.partition("==")[2]
        for line in lines
        if "==" in line
    }
    for file in ("pyproject.toml", "datasets/pyproject.toml", "plugins/ct/pyproject.toml"):
        project = tomllib.loads((ROOT / file).read_text("utf-8"))["project"]
        extras = project.get("optional-dependencies", {})
        for text in [*project["dependencies"], *(one for extra in extras.values() for one in extra)]:
            needed = Requirement(text)
            name = re.sub(r"[-_.]+", "-", needed.name).lower()
            if name.startswith("pellucid") or name == "setuptools":
                continue
            assert name in pins, f"constraints.txt does not pin {needed.name}, which {file} asks for"
            assert needed.specifier.contains(pins[name]), f"{needed.name} {pins[name]} is not within {needed.specifier}"
