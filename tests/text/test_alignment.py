"""What the four modes make of spans that do not fit the tokens."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_luke_ja import CharSpan
from spacy_luke_ja.text.alignment import ALIGNMENT_MODES, OUTCOMES, align_to_tokens


def offsets_of(tokens):
    """ "訪日|した" → character offsets of the tokens; a space between tokens belongs to none."""
    offsets, start = [], 0
    for token in tokens.split("|"):
        text = token.rstrip(" ")
        offsets.append((start, start + len(text)))
        start += len(token)
    return np.array(offsets)


@pytest.mark.parametrize(
    "tokens, spans, mode, kept, outcome",
    [
        ("東京|都|へ", [(0, 3)], "strict", [(0, 3)], {"exact": 1}),
        ("訪日|した", [(1, 2)], "strict", [], {"dropped": 1}),
        ("訪日|した", [(1, 2)], "contract", [], {"dropped": 1}),
        ("訪日|した", [(1, 2)], "expand", [(0, 2)], {"moved": 1}),
        ("訪日|した", [(1, 2)], "split", [(1, 2)], {"split": 1}),
        ("日本人|と|東京", [(0, 2), (4, 6)], "contract", [(4, 6)], {"exact": 1, "dropped": 1}),
        ("在日|米軍|基地", [(1, 4)], "contract", [(2, 4)], {"moved": 1}),
        ("在日|米軍|基地", [(1, 4)], "expand", [(0, 4)], {"moved": 1}),
        ("独伊|の", [(0, 1), (1, 2)], "expand", [(0, 2)], {"moved": 1, "dropped": 1}),
        ("独伊|の", [(0, 1), (1, 2)], "split", [(0, 1), (1, 2)], {"split": 2}),
        ("John |Smith|さん", [(0, 10)], "strict", [(0, 10)], {"exact": 1}),
    ],
)
def test_modes(tokens, spans, mode, kept, outcome):
    char_spans = [CharSpan(*span, "地名", 0.9 - i / 10) for i, span in enumerate(spans)]
    alignment = align_to_tokens(char_spans, offsets_of(tokens), alignment_mode=mode)
    assert [span[:2] for span in alignment.char_spans] == kept
    assert {key: n for key, n in alignment.counts.items() if n} == outcome


def test_the_better_score_keeps_a_token_that_two_want():
    spans = [CharSpan(0, 1, "地名", 0.4), CharSpan(1, 2, "人名", 0.8)]
    alignment = align_to_tokens(spans, offsets_of("独伊|の"), alignment_mode="expand")
    assert [(span.label, span.score) for span in alignment.char_spans] == [("人名", 0.8)]
    assert alignment.counts["dropped"] == 1


def test_split_names_the_positions_inside_tokens():
    spans = [CharSpan(1, 2, "地名"), CharSpan(2, 4, "人名")]
    assert align_to_tokens(spans, offsets_of("訪日米|人"), alignment_mode="split").split_at == [1, 2]


@st.composite
def tokens_and_spans(draw):
    lengths = draw(st.lists(st.integers(1, 4), min_size=1, max_size=10))
    ends = np.cumsum(lengths)
    cuts = sorted(draw(st.sets(st.integers(0, int(ends[-1])), max_size=8)))
    spans = [CharSpan(a, b, "地名", draw(st.floats(0, 1))) for a, b in zip(cuts, cuts[1:]) if draw(st.booleans())]
    return np.stack([ends - lengths, ends], axis=1), spans


@pytest.mark.parametrize("mode", ALIGNMENT_MODES)
@given(case=tokens_and_spans())
def test_nothing_is_lost_uncounted(mode, case):
    offsets, spans = case
    alignment = align_to_tokens(spans, offsets, alignment_mode=mode)
    assert sum(alignment.counts.values()) == len(spans)
    assert set(alignment.counts) == set(OUTCOMES)
    assert len(alignment.char_spans) == len(spans) - alignment.counts["dropped"]
    edges = set(offsets.ravel().tolist()) | set(alignment.split_at)
    assert all(span.char_start in edges and span.char_end in edges for span in alignment.char_spans)
    assert all(a.char_end <= b.char_start for a, b in zip(alignment.char_spans, alignment.char_spans[1:]))
    if mode == "split":
        assert [span[:3] for span in alignment.char_spans] == [span[:3] for span in spans]


def test_unknown_mode():
    with pytest.raises(ValueError, match="alignment_mode must be one of strict, contract, expand, split, got outside"):
        align_to_tokens([], offsets_of("東京"), alignment_mode="outside")
