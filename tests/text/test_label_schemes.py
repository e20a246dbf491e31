"""Which scheme tags are in, what may follow what, and which labels map."""

import pytest

import toys
from spacy_luke_ja.text.label_schemes import make_scheme, make_tags, recognise_scheme


@pytest.mark.parametrize(
    "tags, scheme, labels",
    [
        (toys.LUKE_TAGS, "BIO", set(toys.LUKE_LABELS)),
        (toys.XLMR_TAGS, "IO", {"PER", "ORG", "ORG-P", "ORG-O", "LOC", "INS", "PRD", "EVT"}),
        (["O", "I-PER", "I-LOC"], "IO", {"PER", "LOC"}),
        (["O", "B-X", "I-X", "E-X", "S-X"], "BIOES", {"X"}),
        (["O", "B-X", "I-X", "L-X", "U-X"], "BILOU", {"X"}),
        (["O", "B-X", "E-X", "S-X"], "BIOES", {"X"}),
        (["B-ORG-P", "I-ORG-P", "O"], "BIO", {"ORG-P"}),
        (["O"], "IO", set()),
        # An odd tag out does not make all the others odd.
        (["O", "B-X", "I-X", "[PAD]"], "BIO", {"X", "[PAD]"}),
        (["O", "I-PER", "MISC"], "IO", {"PER", "MISC"}),
    ],
)
def test_recognised_schemes(tags, scheme, labels):
    made = make_scheme(tags)
    assert made.name == scheme
    assert set(filter(None, made.labels)) == labels


@pytest.mark.parametrize(
    "tags, sequence, allowed",
    [
        ("O B-X I-X B-Y I-Y", "B-X I-X O B-X B-X", True),
        ("O B-X I-X B-Y I-Y", "O I-X", False),
        ("O B-X I-X B-Y I-Y", "I-X", False),
        ("O B-X I-X B-Y I-Y", "B-X I-Y", False),
        ("O B-X I-X B-Y I-Y", "B-X I-X I-X", True),
        ("O X Y", "X Y X O X", True),
        ("O B-X I-X E-X S-X", "S-X B-X E-X B-X I-X E-X O", True),
        ("O B-X I-X E-X S-X", "B-X O", False),
        ("O B-X I-X E-X S-X", "O B-X", False),
        ("O B-X I-X E-X S-X", "S-X E-X", False),
        ("O B-X I-X E-X S-X", "B-X S-X", False),
        ("O B-X I-X L-X U-X", "U-X U-X B-X L-X", True),
    ],
)
def test_what_may_follow_what(tags, sequence, allowed):
    scheme = make_scheme(tags.split())
    ids = [scheme.tags.index(tag) for tag in sequence.split()]
    steps = all(scheme.allowed[a, b] for a, b in zip(ids, ids[1:]))
    assert (scheme.allowed_first[ids[0]] and steps and scheme.allowed_last[ids[-1]]) == allowed


@pytest.mark.parametrize("scheme", ["IO", "BIO", "BIOES", "BILOU"])
def test_made_tags_are_of_their_scheme(scheme):
    tags = make_tags(["人名", "ORG-P"], scheme)
    assert make_scheme(tags, scheme=scheme).name == recognise_scheme(tags) == scheme


@pytest.mark.parametrize(
    "tags, settings, message",
    [
        (["LABEL_0", "LABEL_1"], {}, "give the names of the tags in the setting tags"),
        (["B-X", "I-X"], {}, "must have an O"),
        (["O", "O"], {}, "must differ"),
        (["O", "B-X", "I-X"], {"scheme": "BIOE"}, "scheme must be one of IO, BIO, BIOES, BILOU, got BIOE"),
        (["O", "B-X", "E-X", "L-X"], {}, "mix the prefixes"),
        (["O", "B-X", "I-X"], {"scheme": "BIOES"}, r"the tags of X \(B-X, I-X\) cannot make up an entity"),
        (["O", "B-X", "E-X"], {"scheme": "BIO"}, r"E-X has none of the prefixes of BIO \(B, I\)"),
        (["O", "B-X", "I-X"], {"scheme": "IO"}, "B-X has none of the prefixes of IO"),
    ],
)
def test_tags_that_mean_nothing(tags, settings, message):
    with pytest.raises(ValueError, match=message):
        make_scheme(tags, **settings)


def test_an_entity_that_the_tags_cannot_say_is_named():
    scheme = make_scheme(["O", "B-X", "E-X", "S-X"])
    assert [scheme.tags[i] for i in scheme.tag_ids("X", 2)] == ["B-X", "E-X"]
    with pytest.raises(ValueError, match="have none for a subword inside of X, so an entity over 3 subwords"):
        scheme.tag_ids("X", 3)


@pytest.mark.parametrize("tags, labels", [
    ("O E-mail S-Bahn 人名", ["", "E-mail", "S-Bahn", "人名"]),
    ("O B-PER I-PER E-mail", ["", "PER", "PER", "E-mail"]),
    ("O B-E-mail I-E-mail", ["", "E-mail", "E-mail"]),
    ("O B-mail I-mail E-mail S-mail", ["", "mail", "mail", "mail", "mail"]),
    ("O B-A I-A E-A S-A S-B", ["", "A", "A", "A", "A", "B"]),
])  # fmt: skip
def test_labels_with_hyphens(tags, labels):
    scheme = make_scheme(tags.split())
    assert list(scheme.labels) == labels
    assert make_scheme(tags.split(), scheme=scheme.name).labels == scheme.labels  # as it is loaded again
    assert all(scheme.tag_ids(label, 1) for label in labels if label)
