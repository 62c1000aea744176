"""Dataset cards: who may use some data, whom to cite, which files it is made of, and whether they are here."""

from pellucid.cards.files import CardArchive, CardFile, Content, Sums
from pellucid.cards.here import FileState, Presence, presence, rows, states
from pellucid.cards.reading import ACCESS, Access, Card, card, read_card

__all__ = [
    "ACCESS",
    "Access",
    "Card",
    "CardArchive",
    "CardFile",
    "Content",
    "FileState",
    "Presence",
    "Sums",
    "card",
    "presence",
    "read_card",
    "rows",
    "states",
]
