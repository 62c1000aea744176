"""Cards as Croissant documents."""

from __future__ import annotations

import json

from made_cards import made_card, packed_card

from pellucid.cards.croissant import croissant

CARD = made_card(
    {"a.csv": (b"1,2", "https://h.example/a.csv"), "deep/b.npz": (b"xyz", "https://h.example/b")},
    licence_url="https://creativecommons.org/publicdomain/zero/1.0/",
    papers=("10.1234/abc",),
    creators=("Somebody",),
    published="2020-02-03",
    version="1.2.0",
)


def test_what_a_card_says_stands_in_the_document():
    document = croissant(CARD)
    assert json.loads(json.dumps(document)) == document
    assert document["name"] == "made"
    assert document["license"] == "https://creativecommons.org/publicdomain/zero/1.0/"
    assert document["citeAs"] == "Somebody (2020)"
    assert document["url"] == "https://doi.org/10.1234/abc"
    assert document["datePublished"] == "2020-02-03"
    assert document["rai:dataLimitations"] == "not the truth"
    assert "length: mm" in document["description"]
    first, second = document["distribution"]
    assert first == {
        "@type": "cr:FileObject",
        "@id": "a.csv",
        "name": "a.csv",
        "contentUrl": "https://h.example/a.csv",
        "contentSize": "3 B",
        "encodingFormat": "text/csv",
        "sha256": CARD.files[0].sha256,
    }
    assert second["@id"] == "deep/b.npz"


def test_a_file_in_an_archive_names_its_archive_and_its_place_in_it():
    card = packed_card(b"zip", "d.zip", "https://h.example/d.zip", {"a.csv": b"1"})
    card = card.model_copy(update={"files": (card.files[0].model_copy(update={"member": "in/a.csv"}),)})
    archive, file = croissant(card)["distribution"]
    assert (archive["@id"], archive["contentUrl"]) == ("d.zip", "https://h.example/d.zip")
    assert (file["containedIn"], file["contentUrl"]) == ({"@id": "d.zip"}, "in/a.csv")


def test_a_file_that_nobody_serves_is_named_by_its_path_and_empty_fields_are_left_out():
    card = made_card({"a.xyz": (b"1", "http://h/x")}, access="request")
    card = card.model_copy(update={"files": (card.files[0].model_copy(update={"url": None}),)})
    document = croissant(card)
    (file,) = document["distribution"]
    assert (file["contentUrl"], file["encodingFormat"]) == ("a.xyz", "application/octet-stream")
    assert not {"datePublished", "version", "creator", "url", "isAccessibleForFree"} & set(document)
    assert document["conditionsOfAccess"].startswith("request: may be passed on")
    assert document["conditionsOfAccess"].endswith("Ask them.")
