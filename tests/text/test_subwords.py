"""Ids and offsets: golden ids of transformers 4.53.2, and what must hold for every text."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toys
from spacy_luke_ja.text.characters import LINE_BREAKS, is_blank, replace_lone_surrogates
from spacy_luke_ja.text.subwords import (
    SentencePieceEncoder,
    as_encodable,
    cover_gaps,
    fairseq_layout,
    place_pieces,
    tidy_offsets,
)

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "subword_ids.json").read_text(encoding="utf8"))
EMBEDDED = Path(__file__).parents[2] / "spacy_luke_ja" / "pretrained" / "ja_luke_ner_sm"

toy_encoder = SentencePieceEncoder(toys.processor())
embedded_encoder = SentencePieceEncoder(toys.processor((EMBEDDED / "sentencepiece.bpe.model").read_bytes()))

# Where offsets go wrong: width, composition, ligatures, joiners, selectors, planes, spaces, controls, direction.
HOSTILE = [
    "ﾄﾖﾀ自動車とＮＴＴ", "ﾊﾟﾋﾟﾌﾟﾍﾟﾎﾟ", "か\u3099き\u3099く\u3099", "が".join("ab"), "㈱日立と①㍿㎏㌔", "㍻３１年",
    "👨‍👩‍👧‍👦と👍🏽", "❤️と☎︎", "𠮷野家の𩸽", "葛\U000e0100城市", "全角　空白", "改\n行\r\nと\tタブ", "\x00NUL\x00", "\x01\x02制御\x1f\x7f",
    "‏שלום‎ עולם و سلام", "", " ", "　", "\n", "\u200b\ufeff", "a\u200bb", "東\u00ad京", "ＡＢＣ　ＤＥＦ", "ｶﾞｷﾞ", "Å\u030a", "ﬁﬂ",
    "\ud800孤立\udfff", "…‥", "〜～−－ー―", "１２：３４", "½㎡²", "ﷺ", "𝕁𝕒𝕡𝕒𝕟", "ゔ", "ヷヸ", "㋿", "ｰ", "゛゜", "<s></s><mask><ent>", "▁東京▁", "  東京  都  ",
]  # fmt: skip
ALPHABET = sorted(set("".join(HOSTILE) + "東京都山田日立製作所あいうアイウabcABC。、！？"))
texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(alphabet=st.sampled_from(ALPHABET), max_size=40),
    st.text(alphabet=st.characters(codec=None), max_size=20),
)


@pytest.mark.parametrize("text", list(GOLDEN["ids"]))
def test_ids_are_those_of_transformers_4(text):
    encoder = embedded_encoder
    ids = [*encoder.prefix_ids, *encoder.encode(text).ids.tolist(), *encoder.suffix_ids]
    assert ids == GOLDEN["ids"][text]


@pytest.mark.parametrize("control", ["<s>", "</s>", "<pad>", "<unk>", "<mask>", "<ent>", "<ent2>"])
def test_a_literal_special_subword_is_text(control):
    special_ids = {0, 1, 2, *range(embedded_encoder.n_ids - 1, embedded_encoder.n_ids + 2)}
    subwords = embedded_encoder.encode(f"東京{control}大阪")
    assert not special_ids & set(subwords.ids.tolist())
    assert covered(subwords) == set(range(len(subwords.text)))


def covered(subwords):
    return {char for start, end in subwords.char_offsets.tolist() for char in range(start, end)}


@pytest.mark.parametrize("encoder", [toy_encoder, embedded_encoder], ids=["toy", "embedded"])
class TestOffsets:
    @given(text=texts)
    def test_in_order_and_inside_the_text(self, encoder, text):
        offsets = encoder.encode(text).char_offsets
        assert offsets.shape[1:] == (2,)
        assert (offsets >= 0).all() and (offsets <= len(text)).all()
        assert (offsets[:, 0] <= offsets[:, 1]).all()
        assert (np.diff(offsets, axis=0) >= 0).all()

    @given(text=texts)
    def test_every_character_that_is_not_blank_is_in_a_subword(self, encoder, text):
        missing = set(range(len(text))) - covered(encoder.encode(text))
        assert all(is_blank(text[char]) or is_space_to_nmt_nfkc(text[char]) for char in missing)

    @given(text=texts)
    def test_no_subword_begins_or_ends_with_a_blank_unless_all_is_blank(self, encoder, text):
        for start, end in encoder.encode(text).char_offsets.tolist():
            blank = [is_blank(char) for char in text[start:end]]
            assert all(blank) or not (blank[0] or blank[-1])

    @given(text=texts)
    def test_the_characters_normalise_to_the_piece(self, encoder, text):
        """A piece is what its characters normalise to, or a part of it (㈱ → "(", "株", ")")."""
        subwords = encoder.encode(text)
        for piece, (start, end) in zip(encoder.pieces(text), subwords.char_offsets.tolist(), strict=True):
            # A piece may reach into the expansion of the next character: ﬁﬂ → "f", "if", "l".
            assert solid(piece) in solid(normalise(encoder, text[start : end + 1]))

    @pytest.mark.parametrize("line_break", LINE_BREAKS)
    def test_every_line_break_is_read_as_a_newline(self, encoder, line_break):
        own, newline = (encoder.encode(f"東京{mark}大阪") for mark in (line_break, "\n"))
        assert own.ids.tolist() == newline.ids.tolist() and (own.char_offsets == newline.char_offsets).all()

    @given(text=texts)
    def test_the_ids_are_those_of_the_text_without_offsets(self, encoder, text):
        plain = encoder.processor.encode(as_encodable(text), out_type=int)
        assert encoder.encode(text).ids.tolist() == [3 if i == 0 else i + 1 for i in plain]

    @given(text=texts)
    def test_surrogates_do_not_change_the_length(self, encoder, text):
        assert encoder.encode(text).text == text


def is_space_to_nmt_nfkc(char):
    """LUKE's normalisation also makes a space of U+FFFD (so of lone surrogates) and of a literal "▁"."""
    return replace_lone_surrogates(char) in ("\ufffd", "▁")


def normalise(encoder, text):
    """What the model's own normalisation makes of a text, as its pieces put together."""
    return "".join(encoder.pieces(text))


def solid(piece):
    return "".join(char for char in piece if not is_blank(char) and not is_space_to_nmt_nfkc(char))


@pytest.mark.parametrize(
    "text, pieces",
    [
        ("㈱東京", [("▁", ""), ("(", "㈱"), ("株", "㈱"), (")", "㈱"), ("東京", "東京")]),
        (" 東京　都", [("▁", ""), ("東京", "東京"), ("▁", "　"), ("都", "都")]),
        ("か\u3099", [("▁", ""), ("が", "か\u3099")]),
        ("", []),
        ("　\n", []),
    ],
)
def test_offsets_of_telling_texts(text, pieces):
    subwords = toy_encoder.encode(text)
    found = [(piece, text[s:e]) for piece, (s, e) in zip(toy_encoder.pieces(text), subwords.char_offsets.tolist())]
    assert found == pieces


@pytest.mark.parametrize(
    "chars_of_piece, n_chars, offsets",
    [
        ([[0, 1], [], [3]], 4, [(0, 2), (2, 3), (3, 4)]),
        ([[], []], 3, [(0, 3), (3, 3)]),
        ([[0], [], []], 2, [(0, 1), (1, 2), (2, 2)]),
        ([], 0, []),
    ],
)
def test_pieces_that_match_nothing_take_the_gap(chars_of_piece, n_chars, offsets):
    assert place_pieces(chars_of_piece, n_chars).tolist() == [list(pair) for pair in offsets]


def test_gaps_go_to_the_subword_before():
    assert cover_gaps("ﾄﾞ a", np.array([[0, 1], [3, 4]])).tolist() == [[0, 2], [3, 4]]


def test_tidy_offsets_leaves_tight_ones_alone():
    offsets = np.array([[0, 0], [0, 2], [2, 3]])
    assert tidy_offsets("東京都", offsets, np.array([True, False, False])).tolist() == offsets.tolist()


@pytest.mark.parametrize("encoder", [toy_encoder, embedded_encoder], ids=["toy", "embedded"])
@given(texts | st.text(alphabet="山田 　東a\n\r\u2028㈱。", max_size=30))
def test_marked_line_breaks_are_one_more_subword_each(encoder, text):
    layout = fairseq_layout(encoder.processor.get_piece_size(), line_break_id=2)
    marked = SentencePieceEncoder(encoder.processor, layout).encode(text)
    assert (np.diff(marked.char_offsets, axis=0) >= 0).all()
    is_mark = marked.ids == 2
    expected = encoder.encode(text)
    assert marked.ids[~is_mark].tolist() == expected.ids.tolist()
    assert marked.char_offsets[~is_mark].tolist() == expected.char_offsets.tolist()
    runs = re.finditer(rf"(?<!\s)\s*[{LINE_BREAKS}]\s*", text)
    starts = [run.start() for run in runs if 0 < run.start() and run.end() < len(text)]
    assert marked.char_offsets[is_mark, 0].tolist() == starts
    assert not covered(marked) - covered(expected) - {i for i, char in enumerate(text) if is_blank(char)}
