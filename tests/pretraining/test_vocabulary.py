"""Pieces that end where morphemes end, and vectors for them."""

import json
import sys

import numpy as np
import pytest
import sentencepiece

from scripts.pretraining.vocabulary import CUT, cut_by_sudachi, read_sentences, train_vectors


def test_documents_are_read_sentence_by_sentence(tmp_path):
    paragraphs = ["短い。一つ目の文です。「はい、そうです。」と言った！　" + "長" * 500, f"記号{CUT}のある文。", ""]
    document = {"source": "wikinews", "paragraphs": [{"text": text, "links": []} for text in paragraphs]}
    path = tmp_path / "documents.jsonl"
    path.write_text(json.dumps(document, ensure_ascii=False) + "\n", encoding="utf8")
    assert [text for _, text in read_sentences(path)] == ["一つ目の文です。", "「はい、そうです。」", "と言った！"]


def test_the_text_is_cut_where_morphemes_begin():
    assert cut_by_sudachi("東京都へ行った。").split(CUT) == ["", "東京", "都", "へ", "行っ", "た", "。"]


def test_no_piece_of_the_model_crosses_the_edge_of_a_morpheme(work):
    model = sentencepiece.SentencePieceProcessor(model_file=str(work / "sentencepiece.bpe.model"))
    assert model.get_piece_size() == 200
    assert model.encode("山田花子は", out_type=str)[0] == "▁"
    assert all("は" not in piece or piece == "は" for piece in map(model.id_to_piece, range(200)))


def test_a_vector_for_each_piece_that_occurs(work):
    sp_path = work / "sentencepiece.bpe.model"
    vectors = train_vectors(["山田花子は東京で働いた。"] * 5, sp_path, width=8, epochs=1, seed=0)
    model = sentencepiece.SentencePieceProcessor(model_file=str(sp_path))
    occurring = set(model.encode("山田花子は東京で働いた。"))
    assert vectors.shape == (200, 8)
    assert set(np.flatnonzero(vectors.any(axis=1)).tolist()) == occurring


def test_without_gensim_the_stage_names_the_command_before_it_begins(work, tmp_path, run_stage, monkeypatch):
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    with pytest.raises(ImportError, match='pip install "gensim>=4.3"'):
        run_stage("vocabulary", work / "documents.jsonl", tmp_path / "output")
    assert not (tmp_path / "output").exists()
