"""Mentions in subwords: of the whole text, and of a text that is cut at them as MLukeTokenizer cuts it."""

import json
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

import toys
from spacy_luke_ja.text.mention_subwords import encode_cut_at, find_mentions
from spacy_luke_ja.text.subwords import SentencePieceEncoder

ROOT = Path(__file__).parents[2]
GOLDEN = json.loads((ROOT / "tests" / "golden" / "mention_ids.json").read_bytes())["mentions"]


@pytest.fixture(scope="module")
def embedded():
    path = ROOT / "spacy_luke_ja" / "pretrained" / "ja_luke_ner_sm" / "sentencepiece.bpe.model"
    return SentencePieceEncoder(sentencepiece.SentencePieceProcessor(model_file=str(path)))


@pytest.fixture(scope="module")
def toy():
    return SentencePieceEncoder(toys.processor())


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["text"])
def test_cut_at_mentions_they_are_the_published_tokenizers(embedded, golden):
    subwords, edges = encode_cut_at(embedded, golden["text"], golden["spans"])
    assert [0, *subwords.ids.tolist(), 2] == golden["ids"]
    published = [(start - 1, end - 1) for start, end in golden["edges"]]
    assert edges == [(start, end) if start < end else (0, 0) for start, end in published]


@pytest.mark.parametrize("text, mentions, pieces, edges", [
    ("東京へ", [(0, 2)], "▁ 東京 ▁ <unk>", [(0, 2)]),
    ("東京へ", [(0, 2), (2, 3), (0, 3)], "▁ 東京 ▁ <unk>", [(0, 2), (2, 4), (0, 4)]),
    ("花子は東京", [(3, 5)], "▁ 花子 は ▁ 東京", [(3, 5)]),
    ("東京 大阪", [(3, 5)], "▁ 東京 ▁ 大阪", [(2, 4)]),
    ("東京 大阪", [(0, 2)], "▁ 東京 ▁ 大阪", [(0, 2)]),
    ("東京\n大阪", [(0, 3)], "▁ 東京 ▁ 大阪", [(0, 2)]),
    (" ", [(0, 1)], "", [(0, 0)]),
    ("", [], "", []),
    ("東京", [], "▁ 東京", []),
])  # fmt: skip
def test_what_a_cut_gives(toy, text, mentions, pieces, edges):
    found = encode_cut_at(toy, text, mentions)
    assert " ".join(toy.piece_names(found.subwords.ids.tolist())) == pieces and found.edges == edges


@pytest.mark.parametrize("text, mentions, edges", [
    ("花子は東京", [(3, 5), (0, 1), (0, 5)], [(3, 4), (1, 2), (1, 4)]),
    ("東京\n大阪", [(2, 3)], [(2, 3)]),
    ("", [(0, 0)], [(0, 0)]),
])  # fmt: skip
def test_mentions_in_subwords_of_the_whole_text(toy, text, mentions, edges):
    assert find_mentions(toy.encode(text), mentions) == edges


texts = st.text(alphabet="東京都大阪 　\n花子はがﾊﾟ㈱か\u3099aB1", max_size=16)


@st.composite
def mentioned(draw):
    text = draw(texts)
    at = st.integers(0, len(text))
    pairs = draw(st.lists(st.tuples(at, at), max_size=4))
    return text, [(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]]


@given(given=mentioned())
def test_no_subword_crosses_an_edge(given):
    text, mentions = given
    encoder = SentencePieceEncoder(toys.processor())
    subwords, edges = encode_cut_at(encoder, text, mentions)
    offsets = subwords.char_offsets
    assert subwords.text == text and (np.diff(offsets, axis=0) >= 0).all()
    for (start, end), (first, last) in zip(mentions, edges):
        assert 0 <= first <= last <= len(subwords)
        own = [text[a:b] for a, b in offsets[first:last].tolist()]
        assert (first == last) == (not text[start:end].strip() or not any(own))
        assert all(start <= a and b <= end for a, b in offsets[first:last].tolist() if a < b)


@given(given=mentioned())
def test_it_is_the_tokenizer_of_transformers_4(given, published):
    text, mentions = given
    if not mentions:
        return
    ids = published(text, entity_spans=mentions)["input_ids"]
    encoder = SentencePieceEncoder(toys.processor())
    assert [0, *encode_cut_at(encoder, text, mentions).subwords.ids.tolist(), 2] == ids


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    if int(transformers.__version__.partition(".")[0]) > 4:
        pytest.skip("transformers 5 reads a LUKE's tokenizer wrongly: make test-compat has 4.53.2")
    path = toys.write_luke(tmp_path_factory.mktemp("published") / "luke")
    return transformers.MLukeTokenizer.from_pretrained(path, task="entity_span_classification")
