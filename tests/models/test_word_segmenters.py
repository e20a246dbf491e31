"""Encoders that were trained on words: which they are, what cuts the words, and that a saved one keeps it."""

import json
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

import families
import toys
from spacy_luke_ja.models import word_segmenters
from spacy_luke_ja.models.hf_checkpoint import open_checkpoint
from spacy_luke_ja.models.hf_tokenizer import open_encoder, settle_tokenizer

TEXT = "山田花子は 東京都で\n日立製作所の社長に会った。𠮷野家"
WORDS = "山田 花子 は 東京 都 で 日立 製作所 の 社長 に 会った 。 𠮷野家".split()


def write(path, *, on_words=True, name=None, **settings):
    """ku-nlp/deberta-v2-base-japanese: most pieces begin with "▁" where it was trained on words."""
    words = [*families.WORDS, *(f"{first}{second}" for first in "東西南北中" for second in "山川田村島海野町市国")]
    pieces = families.vocabulary(families.BERT_FIRST, words=[f"▁{word}" for word in words] if on_words else words)
    config = {**families.DEBERTA, **({"_name_or_path": name} if name else {})}
    toys.write_network(path, "DebertaV2", len(pieces) + 1, ["O", "B-地名", "I-地名"], config)
    if name:
        stated = json.loads((path / "config.json").read_text(encoding="utf8"))
        (path / "config.json").write_text(json.dumps({**stated, "_name_or_path": name}), encoding="utf8")
    (path / "spm.model").write_bytes(families.sentencepiece_model(pieces))
    tokenizer = {"tokenizer_class": "DebertaV2Tokenizer", "do_lower_case": False, **settings}
    (path / "tokenizer_config.json").write_bytes(families.dumps(tokenizer))
    return path


@pytest.fixture
def jumanpp(monkeypatch):
    """A stand-in for Juman++ and rhoknp that knows WORDS."""

    class Jumanpp:
        def apply_to_sentence(self, line):
            assert "\n" not in line and line.strip()
            found = [word for word in [*WORDS, " "] if word in line]
            return SimpleNamespace(morphemes=[SimpleNamespace(text=w) for w in sorted(found, key=line.index)])

    monkeypatch.setattr(word_segmenters, "has_jumanpp", lambda: True)
    monkeypatch.setattr(word_segmenters, "open_jumanpp", Jumanpp)


@pytest.fixture
def no_jumanpp(monkeypatch):
    monkeypatch.setattr(word_segmenters, "has_jumanpp", lambda: False)


def pieces_of(encoder, text):
    subwords = encoder.encode(text)
    names = encoder.piece_names(subwords.ids.tolist())
    return list(zip(names, [text[start:end] for start, end in subwords.char_offsets.tolist()]))


def test_words_of_jumanpp(tmp_path, jumanpp):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = pieces_of(open_encoder(open_checkpoint(str(write(tmp_path / "c")))), TEXT)
    assert [piece for piece in found if piece[0].startswith("▁")][:6] == [
        ("▁山田", "山田"), ("▁花子", "花子"), ("▁", ""), ("▁東京", "東京"), ("▁", ""), ("▁", ""),
    ]  # fmt: skip
    assert "".join(surface for _, surface in found) == TEXT.replace(" ", "").replace("\n", "")


def test_words_of_sudachi_with_a_warning(tmp_path, no_jumanpp):
    with pytest.warns(UserWarning, match=r"words of Juman\+\+.*spacy-luke-ja\[juman\]"):
        found = pieces_of(open_encoder(open_checkpoint(str(write(tmp_path / "c")))), TEXT)
    assert ("▁日立", "日立") in found and ("▁東京", "東京") in found
    raw = open_encoder(open_checkpoint(str(write(tmp_path / "raw", word_segmenter="none"))))
    assert pieces_of(raw, TEXT) != found


@pytest.mark.parametrize(
    "settings, is_cut",
    [
        ({"on_words": True}, True),
        ({"on_words": False}, False),
        ({"on_words": False, "name": "ku-nlp/deberta-v2-base-japanese"}, True),
        ({"on_words": False, "name": "nlp-waseda/roberta-large-japanese-seq512"}, True),
        ({"on_words": False, "name": "ku-nlp/deberta-v3-base-japanese"}, False),
        ({"on_words": False, "name": "ku-nlp/deberta-v2-base-japanese-char-wwm"}, False),
        ({"on_words": True, "word_segmenter": "none"}, False),
    ],
)
def test_which_were_trained_on_words(tmp_path, no_jumanpp, settings, is_cut):
    checkpoint = open_checkpoint(str(write(tmp_path / "c", **settings)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        encoder = open_encoder(checkpoint)
    assert any("Juman++" in str(warning.message) for warning in caught) == is_cut
    assert (type(encoder).__name__ == "WordsFirstEncoder") == is_cut


@pytest.mark.parametrize("then", ["jumanpp", "sudachi"])
def test_a_saved_checkpoint_keeps_its_segmenter(tmp_path, monkeypatch, jumanpp, then):
    """What cuts words when it is loaded first is noted, and stays when Juman++ comes or goes."""
    monkeypatch.setattr(word_segmenters, "has_jumanpp", lambda: then == "jumanpp")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settled = settle_tokenizer(open_checkpoint(str(write(tmp_path / "c"))))
    assert json.loads(settled.files["tokenizer_config.json"])["word_segmenter"] == then
    before = open_encoder(settled).encode(TEXT).ids.tolist()
    monkeypatch.setattr(word_segmenters, "has_jumanpp", lambda: then != "jumanpp")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if then == "sudachi":
            assert open_encoder(settled).encode(TEXT).ids.tolist() == before
        else:
            with pytest.raises(ValueError, match=r"used with words of Juman\+\+, which is not installed"):
                open_encoder(settled)


def test_an_unknown_segmenter_is_named(tmp_path):
    with pytest.raises(ValueError, match="word_segmenter .* must be jumanpp, sudachi or none, got mecab"):
        open_encoder(open_checkpoint(str(write(tmp_path / "c", word_segmenter="mecab"))))


def test_a_tokenizer_that_asks_for_jumanpp_gets_sudachi(tmp_path, no_jumanpp):
    """nlp-waseda's auto-jumanpp variants; the class may be one that transformers does not have."""
    layout = families.layouts()["japanese words, sentencepiece"]
    path = layout.write_tokenizer(
        toys.write_network(tmp_path / "c", "Roberta", layout.vocab_size, ["O", "B-地名"], ROBERTA)
    )
    settings = json.loads((path / "tokenizer_config.json").read_text(encoding="utf8"))
    settings.update(word_tokenizer_type="jumanpp", tokenizer_class="RobertaJapaneseTokenizer")
    (path / "tokenizer_config.json").write_bytes(families.dumps(settings))
    with pytest.warns(UserWarning, match=r"words of Juman\+\+"):
        found = open_encoder(open_checkpoint(str(path)))
    sudachi = {**settings, "word_tokenizer_type": "sudachi"}
    (path / "tokenizer_config.json").write_bytes(families.dumps(sudachi))
    for text in families.TEXTS:
        assert np.array_equal(found.encode(text).ids, open_encoder(open_checkpoint(str(path))).encode(text).ids)


ROBERTA = {"pad_token_id": 0, "max_position_embeddings": 66}


@pytest.mark.parametrize("text", [*families.TEXTS, TEXT, "東京は" * 20_000])
def test_offsets_behind_words(tmp_path_factory, no_jumanpp, text):
    from spacy_luke_ja.text.characters import is_blank

    path = tmp_path_factory.mktemp("words") / "c"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        offsets = open_encoder(open_checkpoint(str(write(path)))).encode(text).char_offsets
    assert (offsets >= 0).all() and (offsets <= len(text)).all() and (offsets[:, 0] <= offsets[:, 1]).all()
    assert (np.diff(offsets, axis=0) >= 0).all()
    covered = {char for start, end in offsets.tolist() for char in range(start, end)}
    missing = {text[i] for i in set(range(len(text))) - covered}
    assert not len(offsets) or all(is_blank(char) or char == "▁" for char in missing)
