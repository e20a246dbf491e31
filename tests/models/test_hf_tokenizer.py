"""Which encoder a checkpoint gets, and that a wrong tokenizer is refused."""

import json
import shutil
from functools import cache

import numpy as np
import pytest
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

import toys
from spacy_luke_ja.models.hf_checkpoint import open_checkpoint
from spacy_luke_ja.models.hf_tokenizer import open_encoder
from spacy_luke_ja.text.characters import is_blank
from spacy_luke_ja.text.subwords import align_pieces

MAJOR = int(transformers.__version__.split(".")[0])
TEXT = "山田花子は東京へ行った。ﾄﾞｰﾑと㈱ABC 大阪"


@pytest.mark.parametrize(
    "name, encoder, specials",
    [
        ("luke", "SentencePieceEncoder", ((0,), (2,), 1)),
        ("xlmr", "SentencePieceEncoder", ((0,), (2,), 1)),
        ("fast_xlmr", "FastTokenizerEncoder", ((0,), (2,), 1)),
        ("bert", "FastTokenizerEncoder", ((2,), (3,), 0)),
        ("slow_bert", "SlowTokenizerEncoder", ((2,), (3,), 0)),
    ],
)
def test_encoders(checkpoints, name, encoder, specials):
    opened = open_encoder(open_checkpoint(str(checkpoints[name])))
    assert type(opened).__name__ == encoder
    assert (opened.prefix_ids, opened.suffix_ids, opened.pad_id) == specials
    subwords = opened.encode(TEXT)
    assert len(subwords.ids) == len(subwords.char_offsets) > 5
    covered = {char for start, end in subwords.char_offsets.tolist() for char in range(start, end)}
    assert all(is_blank(TEXT[char]) for char in set(range(len(TEXT))) - covered)
    assert opened.encode("").ids.tolist() == []


@pytest.mark.parametrize("name", ["fast_xlmr", "bert", "slow_bert", "character_bert", "roberta"])
@given(text=st.text(alphabet="東京大阪山田はが\u3099ﾄﾞ㈱ＡＢ ab\u3000\n\x00😊👨\u200d𠮷\ud800#", max_size=25))
@settings(max_examples=100)
def test_offsets_of_every_text(checkpoints, name, text):
    offsets = encoder_of(checkpoints, name).encode(text).char_offsets
    assert (offsets >= 0).all() and (offsets <= len(text)).all() and (offsets[:, 0] <= offsets[:, 1]).all()
    assert (np.diff(offsets, axis=0) >= 0).all()
    covered = {char for start, end in offsets.tolist() for char in range(start, end)}
    missing = set(range(len(text))) - covered
    assert not len(offsets) or all(is_blank(text[char]) for char in missing)


@cache
def cached_encoder(path):
    return open_encoder(open_checkpoint(path))


def encoder_of(checkpoints, name):
    return cached_encoder(str(checkpoints[name]))


@pytest.mark.parametrize("name, words", [("fast_xlmr", ["", "大阪", "は東京"]), ("bert", list("大阪は東京"))])
def test_offsets_of_fast_tokenizers(checkpoints, name, words):
    subwords = open_encoder(open_checkpoint(str(checkpoints[name]))).encode("大阪は東京")
    found = [subwords.text[start:end] for start, end in subwords.char_offsets.tolist()]
    assert "".join(found) == "大阪は東京" and found[:2] == words[:2]


@pytest.mark.parametrize(
    "text, words",
    [
        ("龘が東京 は大阪。", ["龘", "が", "東京", "は", "大阪", "。"]),
        # The characters of an unknown word stand in a known one too.
        ("東北の京都から東京", ["東北", "の", "京都", "から", "東京"]),
        ("花田と花子は", ["花田", "と", "花子", "は"]),
        ("日の本の日本", ["日の本", "の", "日本"]),
    ],
)
def test_offsets_of_a_slow_tokenizer(checkpoints, text, words):
    subwords = open_encoder(open_checkpoint(str(checkpoints["slow_bert"]))).encode(text)
    found = [text[start:end] for start, end in subwords.char_offsets.tolist()]
    assert [word for word in found if word] == words


@pytest.mark.parametrize(
    "text, pieces",
    [
        ("山本五十六は東京", list("山本五十六は東京")),
        ("龘龘龘花龘", list("龘龘龘花龘")),
        # What normalises to one character, and what to two, which share it.
        ("ﾄﾞﾗﾏと㌔", ["ﾄﾞ", "ﾗ", "ﾏ", "と", "㌔", "㌔"]),
        ("ABCＡＢＣと𠮷野家", list("ABCＡＢＣと𠮷野家")),
    ],
)
def test_unknown_characters_keep_their_edges(checkpoints, text, pieces):
    subwords = encoder_of(checkpoints, "character_bert").encode(text)
    found = [text[start:end] for start, end in subwords.char_offsets.tolist()]
    assert [piece for piece in found if piece] == pieces


def test_a_piece_that_matches_nothing_takes_what_its_neighbours_leave():
    assert align_pieces(["", "東京", "", ""], "龘が東京都").tolist() == [[0, 2], [2, 4], [4, 5], [5, 5]]


@pytest.mark.parametrize("name, special", [("fast_xlmr", "<mask>"), ("bert", "[MASK]")])
def test_a_literal_special_subword_is_text(checkpoints, name, special):
    encoder = open_encoder(open_checkpoint(str(checkpoints[name])))
    mask_id = encoder.backend.token_to_id(special)
    assert mask_id is not None
    assert mask_id not in encoder.encode(f"東京{special}大阪").ids


@pytest.mark.parametrize("name", ["bert", "slow_bert", "fast_xlmr"])
def test_a_long_text_is_not_cut(checkpoints, name):
    encoder = open_encoder(open_checkpoint(str(checkpoints[name])))
    assert encoder.encode("東京は" * 20_000).char_offsets[-1, 1] == 60_000


def test_a_luke_without_its_sentencepiece_model_is_refused(checkpoints, tmp_path):
    path = shutil.copytree(checkpoints["luke"], tmp_path / "luke")
    (path / "sentencepiece.bpe.model").unlink()
    with pytest.raises((OSError, ValueError), match="tokenizer"):
        open_encoder(open_checkpoint(str(path)))


def test_a_tokenizer_larger_than_the_vocabulary_is_refused(checkpoints, tmp_path):
    path = shutil.copytree(checkpoints["bert"], tmp_path / "bert")
    with (path / "vocab.txt").open("a") as file_:
        file_.write("\n追加\n語")
    with pytest.raises(ValueError, match="not the tokenizer the checkpoint was trained with"):
        open_encoder(open_checkpoint(str(path)))


def test_added_tokens_in_the_place_of_pieces_are_refused(checkpoints, tmp_path):
    path = shutil.copytree(checkpoints["luke"], tmp_path / "luke")
    (path / "added_tokens.json").write_text(json.dumps({"<ent>": 5, "<ent2>": 6}))
    with pytest.raises(ValueError, match="not the tokenizer"):
        open_encoder(open_checkpoint(str(path)))


def test_offsets_that_are_invented_are_refused(checkpoints):
    from types import SimpleNamespace

    from spacy_luke_ja.models.hf_tokenizer import probe_hf_encoder

    checkpoint = open_checkpoint(str(checkpoints["bert"]))
    encoder = open_encoder(checkpoint)
    real = encoder.backend.encode

    class NoOffsets:
        no_truncation = no_padding = staticmethod(lambda: None)

        def encode(self, text, **settings):
            encoding = real(text, **settings)
            return SimpleNamespace(ids=encoding.ids, tokens=encoding.tokens, offsets=[(0, 0)] * len(encoding.ids))

    encoder.backend = NoOffsets()
    with pytest.raises(ValueError, match="no character offsets that can be relied on"):
        probe_hf_encoder(checkpoint, encoder)


@pytest.mark.skipif(MAJOR >= 5, reason="transformers 5 loads MLukeTokenizer with wrong ids")
@pytest.mark.parametrize("text", [*toys.TEXTS, "ﾄﾞｰﾑ㈱１２３", "𠮷か\u3099"])
def test_ids_are_those_of_mluketokenizer(checkpoints, text):
    tokenizer = transformers.MLukeTokenizer.from_pretrained(checkpoints["luke"])
    encoder = open_encoder(open_checkpoint(str(checkpoints["luke"])))
    assert [0, *encoder.encode(text).ids.tolist(), 2] == tokenizer(text)["input_ids"]


def test_a_tokenizer_much_smaller_than_the_vocabulary_is_doubted(checkpoints, tmp_path):
    path = shutil.copytree(checkpoints["bert"], tmp_path / "bert")
    words = (path / "vocab.txt").read_text(encoding="utf8").split("\n")
    (path / "vocab.txt").write_text("\n".join(words[:12]), encoding="utf8")
    with pytest.warns(UserWarning, match="has 12 subwords, but config.json says vocab_size 19"):
        open_encoder(open_checkpoint(str(path)))


def change_rows(path, n_more):
    """Give the embedding table more rows, or fewer, and say so in config.json."""
    from safetensors.torch import load_file, save_file

    config, tensors = json.loads((path / "config.json").read_text()), load_file(path / "model.safetensors")
    (name,) = [name for name in tensors if name.endswith("embeddings.word_embeddings.weight")]
    n_rows = config["vocab_size"] + n_more
    tensors[name] = tensors[name].repeat(9, 1)[:n_rows].clone()
    save_file(tensors, path / "model.safetensors")
    (path / "config.json").write_text(json.dumps({**config, "vocab_size": n_rows}))


@pytest.mark.parametrize("name", ["luke", "xlmr", "fast_xlmr", "bert"])
@pytest.mark.parametrize("n_more", [3, 101])
def test_rows_without_an_id_are_warned_of(checkpoints, tmp_path, make_nlp, name, n_more):
    """So checkpoints are to which tokens were added; transformers 5 has these in tokenizer.json."""
    path = shutil.copytree(checkpoints[name], tmp_path / name)
    size = json.loads((path / "config.json").read_text(encoding="utf8"))["vocab_size"]
    change_rows(path, n_more + 2 * ((size + n_more) % 8 == 0))  # a table rounded up to eights is nothing odd
    text = "山田花子は東京へ行った。"
    nlp = make_nlp(str(path))
    with pytest.warns(UserWarning, match="subwords, but config.json says vocab_size"):
        doc = nlp(text)
    assert doc._.luke_entities == make_nlp(name)(text)._.luke_entities


@pytest.mark.parametrize("name", ["luke", "xlmr", "fast_xlmr", "bert"])
def test_ids_without_a_row_are_refused(checkpoints, tmp_path, name):
    path = shutil.copytree(checkpoints[name], tmp_path / name)
    change_rows(path, -1)
    with pytest.raises(ValueError, match="not the tokenizer the checkpoint was trained with"):
        open_encoder(open_checkpoint(str(path)))


def test_an_added_token_in_the_place_of_a_piece_is_refused(checkpoints, tmp_path):
    path = shutil.copytree(checkpoints["luke"], tmp_path / "luke")
    (path / "added_tokens.json").write_text('{"<ent>": 7}')
    with pytest.raises(ValueError, match="gives <ent> the id 7"):
        open_encoder(open_checkpoint(str(path)))
