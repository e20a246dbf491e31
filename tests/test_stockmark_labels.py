"""What checkpoints call the eight labels, and what a label_map makes of a checkpoint's labels."""

import pytest

import toys
from spacy_luke_ja.stockmark_labels import LABELS, map_labels
from spacy_luke_ja.text.label_schemes import make_scheme


def test_known_labels_map_to_the_eight():
    for tags in (toys.LUKE_TAGS, toys.XLMR_TAGS):
        labels = list(dict.fromkeys(filter(None, make_scheme(tags).labels)))
        assert set(map_labels(labels).values()) == set(LABELS)


@pytest.mark.parametrize(
    "labels, label_map, mapped",
    [
        (["PER", "DATE"], None, {"PER": "人名"}),
        (["PER", "DATE"], {"PER": "PERSON", "DATE": ""}, {"PER": "PERSON", "DATE": ""}),
        (["PER", "LOC"], {"人名": "PERSON"}, {"PER": "PERSON"}),
        (["X"], {"X": "何か"}, {"X": "何か"}),
    ],
)
def test_label_maps(labels, label_map, mapped):
    assert map_labels(labels, label_map) == mapped


def test_nothing_maps():
    with pytest.raises(ValueError, match=r"none of the checkpoint's labels \(PERSON, GPE\) maps"):
        map_labels(["PERSON", "GPE"])
