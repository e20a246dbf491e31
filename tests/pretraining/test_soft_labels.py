"""Which sentences are labelled by teachers, and what is written of them."""

import json
import random
import shutil

import numpy as np
import pytest

from scripts.pretraining.finetune import LABELS, read_soft
from scripts.pretraining.soft_labels import change_share, pick_sentences
from spacy_luke_ja.text.label_schemes import make_tags


def write_documents(path, texts):
    lines = [{"source": source, "paragraphs": [{"text": text, "links": []}]} for source, text in texts]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf8")
    return path


@pytest.mark.parametrize("source, text, is_picked", [
    ("ntrex_news", "東京都の知事は大阪府に行った。", True),
    ("ntrex_news", "東京都の知事。", False),  # too short
    ("ntrex_news", "東京都の知事" * 30, False),  # too long
    ("wac_train", "東京都の知事は大阪府に行った。", False),  # they have labels of their own
    ("aozora_expository", "東京都の知事は大阪府に行った。", False),  # a corpus of which none is taken
])  # fmt: skip
def test_sentences_that_are_picked(tmp_path, source, text, is_picked):
    documents = write_documents(tmp_path / "documents.jsonl", [(source, text), (source, text)])
    assert pick_sentences(documents, 10, random.Random(0)) == [text] * is_picked


def test_no_more_sentences_than_asked_for_and_the_same_for_a_seed(tmp_path):
    texts = [("kyoto_wiki", f"{i}番目の記事は寺社の歴史を述べている。") for i in range(2000)]
    documents = write_documents(tmp_path / "documents.jsonl", texts)
    everything = pick_sentences(documents, 10**6, random.Random(0))
    assert 100 < len(everything) < 220  # 8 % of the corpus
    assert pick_sentences(documents, 20, random.Random(0)) == everything[:20]
    assert pick_sentences(documents, 20, random.Random(1)) != everything[:20]


def test_the_file_that_the_stage_writes(work, teacher, tmp_path, run_stage):
    run_stage("soft_labels", work / "documents.jsonl", tmp_path / "soft.npz", "--teachers", teacher, teacher,
              "--n-sentences", 30)  # fmt: skip
    soft = read_soft(tmp_path / "soft.npz", teacher / "sentencepiece.bpe.model", make_tags(LABELS))
    assert len(soft) == 30
    for sentence in soft:
        assert sentence.tags.shape == (len(sentence.ids), 17) and len(sentence.ids) > 5
        np.testing.assert_allclose(sentence.tags.astype("float32").sum(axis=1), 1.0, atol=0.01)


def test_a_share_of_the_sentences_gets_another_form():
    sentences = [f"第{i}回の大会は、札幌で開かれた。" for i in range(400)]
    changed = change_share(sentences, 0.3, random.Random(0))
    n_changed = sum(a != b for a, b in zip(sentences, changed))
    assert (
        len(changed) == 400 and 60 < n_changed < 140
    )  # capitals change none, nor line breaks at widths that they do not have
    assert change_share(sentences, 0.0, random.Random(0)) == sentences


def test_teachers_must_share_vocabulary_and_tags(work, teacher, tmp_path, run_stage):
    shutil.copytree(teacher, tmp_path / "other")
    (tmp_path / "other" / "sentencepiece.bpe.model").write_bytes(b"another")
    with pytest.raises(ValueError, match="--teachers must have one vocabulary and one list of tags"):
        run_stage("soft_labels", work / "documents.jsonl", tmp_path / "soft.npz", "--teachers", teacher,
                  tmp_path / "other", "--n-sentences", 30)  # fmt: skip
