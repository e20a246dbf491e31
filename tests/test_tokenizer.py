"""The same Doc as spaCy's, for any text that Sudachi takes; and a Doc for any other."""

import random
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc

import spacy_luke_ja
from spacy_luke_ja import tokenizer
from spacy_luke_ja.text.cutting import cut_text
from spacy_luke_ja.tokenizer import MAX_BYTES, create_tokenizer, has_entry

TEXTS = [
    "選挙管理委員会は、訪日した独伊の首相と東京国際フォーラムで会談した。",
    "ﾄﾖﾀ自動車 ２０２０年　東京\nオリンピック…㈱①㍿",
    "オルタモントのサブディーラーがタカタとスノープスのバーダヴをミニシアターで見た。",  # words that no dictionary has
    "か\u3099👨‍👩‍👧‍👦𠮷葛\U000e0100", "\x00\x01\u200b\ufeff", "", " ", "　\n", "  前後  ", "a\tb\r\nc", "שלום",
]  # fmt: skip
MODES = [None, "A", "B", "C"]
ours = {mode: create_tokenizer(mode)(spacy.blank("ja")) for mode in MODES}
theirs = {mode: spacy.blank("ja", config={"nlp": {"tokenizer": {"split_mode": mode}}}).tokenizer for mode in MODES}


def facts(doc: Doc):
    return [
        (t.text, t.whitespace_, t.tag_, t.pos_, t.lemma_, t.norm_, str(t.morph), t.idx) for t in doc
    ], doc.user_data  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("text", TEXTS)
def test_the_same_doc_as_spacys(text, mode):
    assert facts(ours[mode](text)) == facts(theirs[mode](text))


@given(text=st.text(alphabet="東京都あいうアイａ1２ 　\n。、㈱ﾄﾞが\u3099😊\x00", max_size=30))
def test_the_same_doc_for_any_text(text):
    assert facts(ours["C"](text)) == facts(theirs["C"](text))


LONG = {
    "sentences": "東京都の山田花子は日立製作所に行った。\n" * 6_000,
    "no punctuation": "東京都と大阪府の山田花子と日立製作所" * 6_000,
    "one character": "あ" * 100_000,
    "one katakana": "ア" * 60_000,
    "spaces": " " * 60_000,
    "wide spaces": "東京　　" * 20_000,
    "grows fourfold": "㍿" * 16_000,
    "combining": "か\u3099" * 40_000,
    "emoji": "👨‍👩‍👧‍👦" * 8_000,
}


@pytest.mark.parametrize("name", LONG)
def test_long_texts(name):
    text = LONG[name]
    with pytest.raises(Exception, match="too long"):
        theirs["A"](text)
    doc = ours["A"](text)
    assert doc.text == text and len(doc) > 1


@pytest.mark.parametrize("mode", ["A", "C"])
def test_a_long_text_has_the_tokens_of_its_parts(mode):
    sentence = "選挙管理委員会は訪日した首相と会談した。\n"
    doc = ours[mode](sentence * 1_500)
    part = theirs[mode](sentence)
    assert facts(doc)[0][: len(part)] == facts(part)[0]
    assert len(doc) == 1_500 * len(part)
    if mode == "C":
        assert doc.user_data["sub_tokens"] == part.user_data["sub_tokens"] * 1_500


@given(text=st.text(alphabet="東京あア。、\n a㍿\u3099😊", min_size=1, max_size=20), n=st.integers(1, 3))
@settings(max_examples=50)
def test_parts_are_small_enough_and_make_up_the_text(text, n):
    whole = text * (n * MAX_BYTES // len(text.encode("utf8")) + 2)
    parts = list(cut_text(whole, max_bytes=MAX_BYTES))
    assert "".join(parts) == whole and len(parts) >= 2
    assert all(0 < len(part.encode("utf8")) <= MAX_BYTES for part in parts)


def test_lone_surrogates_become_replacement_characters_with_a_warning():
    with pytest.warns(UserWarning, match=r"lone surrogate U\+D800 at character 2"):
        doc = ours["A"]("東京\ud800と大阪")
    assert doc.text == "東京\ufffdと大阪"


def test_a_stream_survives_texts_that_kill_spacys():
    nlp = spacy_luke_ja.blank()
    texts = ["東京", "あ" * 60_000, "東\ud800京", "a" * 1_000_001, "大阪"]
    with pytest.warns(UserWarning):
        assert [len(doc.text) for doc in nlp.pipe(texts)] == [2, 60_000, 3, 1_000_001, 2]


@pytest.mark.parametrize("mode", MODES)
def test_saving(mode, tmp_path):
    nlp = spacy_luke_ja.blank(split_mode=mode or "A")
    nlp.to_disk(tmp_path)
    for loaded in (spacy.load(tmp_path), spacy_luke_ja.blank().from_bytes(nlp.to_bytes())):
        assert type(loaded.tokenizer).__name__ == "JapaneseTokenizer"
        assert facts(loaded.make_doc(TEXTS[0])) == facts(nlp.make_doc(TEXTS[0]))
        assert len(loaded.make_doc("あ" * 60_000)) > 1


def test_an_unknown_split_mode():
    with pytest.raises(ValueError, match="split_mode must be A, B or C, got D"):
        spacy_luke_ja.blank(split_mode="D")


HOSTILE = "東京都あうアイａ1２ 　\n\t。、㈱㍿ﾄﾞが\u3099😊\x00\x85…=|,０〇一百."


@pytest.mark.parametrize("mode", MODES)
def test_the_same_doc_for_hostile_strings(mode):
    rng = random.Random(0)
    for _ in range(500):
        text = "".join(rng.choice(HOSTILE) for _ in range(rng.randrange(1, 25)))
        assert facts(ours[mode](text)) == facts(theirs[mode](text)), repr(text)


def test_a_memory_zone_leaves_nothing_that_a_later_doc_misses():
    nlp = spacy_luke_ja.blank()
    with nlp.memory_zone():
        nlp.make_doc(TEXTS[0])
    assert facts(nlp.make_doc(TEXTS[0])) == facts(theirs["A"](TEXTS[0]))


@pytest.mark.parametrize("mode", MODES)
def test_the_same_doc_for_words_that_no_dictionary_has(mode):
    rng = random.Random(1)
    words = [
        "".join(rng.choices("アイカキサシタテトナニハフミムヤラリルロンーッャ", k=rng.randrange(3, 9)))
        for _ in range(60)
    ]
    words += ["".join(rng.choices("abcXYZαβЖ０１二三", k=rng.randrange(2, 7))) for _ in range(40)]
    for word, other in zip(words, words[::-1]):
        text = f"{word}が{other}と{word}"
        assert facts(ours[mode](text)) == facts(theirs[mode](text)), text


@pytest.mark.parametrize("word_id, is_oov, known", [
    (512_354, False, True), (0, False, True), (0xF0000004, True, False), (0xFFFFFFFF, True, False),
    (0x0FFFFFFF, False, False),  # sudachipy 0.6.11: スノープス
    (0x1FFFFFFF, False, False),
])  # fmt: skip
def test_which_words_a_dictionary_has(word_id, is_oov, known):
    assert has_entry(SimpleNamespace(word_id=lambda: word_id, is_oov=lambda: is_oov)) == known


def test_more_words_than_are_remembered(monkeypatch):
    monkeypatch.setattr(tokenizer, "MAX_WORDS", 3)
    nlp = spacy_luke_ja.blank(split_mode="C")
    assert facts(nlp.make_doc(TEXTS[0])) == facts(theirs["C"](TEXTS[0]))
    assert len(nlp.tokenizer._words) <= 3


def test_another_split_mode_loaded_into_a_used_tokenizer():
    nlp = spacy_luke_ja.blank(split_mode="A")
    nlp.make_doc(TEXTS[0])
    nlp.tokenizer.from_bytes(spacy_luke_ja.blank(split_mode="C").tokenizer.to_bytes())
    assert facts(nlp.make_doc(TEXTS[0])) == facts(theirs["C"](TEXTS[0]))


def test_threads_share_a_tokenizer(monkeypatch):
    tokenize, texts = create_tokenizer("A")(spacy.blank("ja")), [TEXTS[0] * 3, TEXTS[1]] * 100
    expected = [facts(ours["A"](text)) for text in texts[:2]]
    switch_interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            docs = list(pool.map(tokenize, texts))
    finally:
        sys.setswitchinterval(switch_interval)
    for i, doc in enumerate(docs):
        assert facts(doc) == expected[i % 2]
