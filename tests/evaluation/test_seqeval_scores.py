"""The numbers of the model cards, and what they do not see."""

import pytest

import toys
from spacy_luke_ja import CharSpan
from spacy_luke_ja.evaluation.seqeval_scores import bio_report, prefixless_f1
from spacy_luke_ja.text.subwords import SentencePieceEncoder

encoder = SentencePieceEncoder(toys.processor())
TEXTS = ["山田花子は東京都へ", "国会は大阪"]
SUBWORDS = [encoder.encode(text) for text in TEXTS]
GOLD = [[CharSpan(0, 4, "人名"), CharSpan(5, 8, "地名")], [CharSpan(0, 2, "政治的組織名"), CharSpan(3, 5, "地名")]]


def test_an_edge_inside_a_subword_is_right_by_subwords():
    found = [[CharSpan(0, 4, "人名"), CharSpan(5, 7, "地名")], [CharSpan(0, 2, "政治的組織名"), CharSpan(3, 5, "地名")]]
    report = bio_report(SUBWORDS, GOLD, GOLD, ["人名", "地名", "政治的組織名"])
    assert report["micro"] == {"p": 1.0, "r": 1.0, "f": 1.0, "support": 4} and report["labels"]["地名"]["support"] == 2
    assert bio_report(SUBWORDS, GOLD, found, ["人名", "地名", "政治的組織名"])["labels"]["地名"]["f"] == 0.5
    cut = [[CharSpan(0, 4, "人名"), CharSpan(5, 8, "地名")], [CharSpan(0, 2, "政治的組織名"), CharSpan(3, 4, "地名")]]
    assert bio_report(SUBWORDS, GOLD, cut, ["人名", "地名", "政治的組織名"])["micro"]["f"] == 1.0


def test_organisations_are_skipped_without_prefixes():
    missing = [GOLD[0], GOLD[1][1:]]
    assert prefixless_f1(SUBWORDS, GOLD, missing) == {"f": 1.0, "skipped": 1}
    assert prefixless_f1(SUBWORDS, GOLD, [GOLD[0], GOLD[1][:1]])["f"] == pytest.approx(0.8)


def test_nothing_at_all():
    nothing = {"p": 0.0, "r": 0.0, "f": 0.0, "support": 0}
    assert bio_report(SUBWORDS[:1], [[]], [[]], []) == {
        "labels": {},
        **dict.fromkeys(("micro", "macro", "weighted"), nothing),
    }
