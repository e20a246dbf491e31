"""Changed texts keep their entities on exactly their characters."""

import json
import random
import re
import unicodedata
from pathlib import Path

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from thinc.api import Config

import spacy_luke_ja
from spacy_luke_ja import CharSpan, make_example
from spacy_luke_ja.corpora.augmentation import (
    COMMAS,
    FORMS,
    LIST_MARKS,
    STOPS,
    TITLE_MARKS,
    as_list,
    as_title,
    collect_mentions,
    map_characters,
    replace_mentions,
    to_full_width,
    to_half_width,
    to_nfd,
    to_upper,
    without_commas,
    without_final_stop,
)
from spacy_luke_ja.corpora.ner import create_entity_corpus
from spacy_luke_ja.corpora.records import make_record

NAME = "spacy-luke-ja.NoisyText.v1"
JAPANESE = "山川東京一二三アカガパヴヺーぁかがAzé ß0９Ｚ（）()、。，．・「」\u3000 \u3099ﾞｶㇱ㈱ﬁıİ😀\n"
TEXTS = st.text(st.one_of(st.sampled_from(JAPANESE), st.characters(exclude_categories=["Cs"])), max_size=40)


@st.composite
def spans_of(draw, text):
    """Spans without overlaps, in text order."""
    edges = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    labels = draw(st.lists(st.sampled_from(["人名", "地名", ""]), min_size=len(edges), max_size=len(edges)))
    return [CharSpan(start, end, label) for start, end, label in zip(edges, edges[1:], labels) if label]


@st.composite
def annotated(draw):
    text = draw(TEXTS)
    return text, draw(spans_of(text))


def mentions_in(text, char_spans):
    return [(text[span.char_start : span.char_end], span.label) for span in char_spans]


@pytest.mark.parametrize(
    "change, text, expected",
    [
        (to_full_width, "NHKは7~8%、John F. K.", "ＮＨＫは７～８％、Ｊｏｈｎ　Ｆ．　Ｋ．"),
        (to_half_width, "「ガ・パー」、ヴォ（ＡＢ　Ｃ）。", "｢ｶﾞ･ﾊﾟｰ｣､ｳﾞｫ(AB C)｡"),
        (to_half_width, "がヰヵ漢㈱", "がヰヵ漢㈱"),  # have no half width
        (to_nfd, "ガぱé", "カ\u3099は\u309ae\u0301"),
        (to_upper, "iPhoneとＺｏｏとStraße、ﬁとж", "IPHONEとＺＯＯとSTRASSE、FIとж"),
        (without_final_stop, "東京。大阪。", "東京。大阪"),
        (without_final_stop, "東京。\n", "東京\n"),
        (without_final_stop, "東京", "東京"),
        (without_commas, "東京、大阪，1,000人。", "東京大阪1,000人。"),
    ],
)
def test_forms(change, text, expected):
    assert change(text, []) == (expected, ())


def test_what_stands_within_an_entity_stays():
    text = "モーニング娘。とあ、うん、藤岡弘、。"
    spans = [CharSpan(0, 7, "人名"), CharSpan(13, 17, "人名")]
    assert without_commas(text, spans) == (
        "モーニング娘。とあうん藤岡弘、。",
        (CharSpan(0, 7, "人名"), CharSpan(11, 15, "人名")),
    )
    assert without_final_stop("モーニング娘。", spans[:1]) == ("モーニング娘。", (spans[0],))
    assert without_final_stop("モーニング娘。。", spans[:1]) == ("モーニング娘。", (spans[0],))


def test_titles_and_lists():
    text, spans = "東京へ行く。", [CharSpan(0, 2, "地名", 0.5)]
    assert as_title(text, spans, marks=[("【", "】")]) == ("【東京へ行く】", (CharSpan(1, 3, "地名", 0.5),))
    assert as_list(text, spans, marks=["1. "]) == ("1. 東京へ行く", (CharSpan(3, 5, "地名", 0.5),))


def test_the_text_decides_which_mark_it_gets():
    texts = [f"{n}番" for n in range(200)]
    assert {as_list(text, [])[0].removesuffix(text) for text in texts} == set(LIST_MARKS)
    assert {tuple(as_title(text, [])[0].split(text)) for text in texts} == set(TITLE_MARKS)


@pytest.mark.parametrize("name", ["full_width", "half_width", "nfd", "upper"])
@given(annotated())
def test_a_mention_is_changed_as_if_it_stood_alone(name, given_):
    text, spans = given_
    new_text, new_spans = FORMS[name](text, spans)
    alone = [(FORMS[name](mention, [])[0], label) for mention, label in mentions_in(text, spans)]
    assert mentions_in(new_text, new_spans) == alone
    assert new_text == "".join(FORMS[name](char, [])[0] for char in text)


@pytest.mark.parametrize("name", ["plain", "no_final_stop", "no_commas", "title", "list"])
@given(annotated())
def test_a_mention_stays_where_only_its_surroundings_change(name, given_):
    text, spans = given_
    new_text, new_spans = FORMS[name](text, spans)
    assert mentions_in(new_text, new_spans) == mentions_in(text, spans)
    marks = "".join(before + after for before, after in TITLE_MARKS) + "".join(LIST_MARKS)
    assert set(text) - set(new_text) <= set(STOPS + COMMAS)
    assert set(new_text) - set(text) <= set(marks)


@pytest.mark.parametrize("name", FORMS)
@given(annotated())
def test_spans_stay_in_order_without_overlaps(name, given_):
    new_text, new_spans = FORMS[name](*given_)
    assert [span.label for span in new_spans] == [span.label for span in given_[1]]
    edges = [edge for span in new_spans for edge in span[:2]]
    assert edges == sorted(edges) and all(0 <= edge <= len(new_text) for edge in edges)
    assert all(span.char_start < span.char_end for span in new_spans)


@pytest.mark.parametrize(
    "name, normal", [("full_width", "NFKC"), ("half_width", "NFKC"), ("nfd", "NFC"), ("nfd", "NFD")]
)
@given(annotated())
def test_a_form_is_equivalent_to_the_text(name, normal, given_):
    text, spans = given_
    new_text, new_spans = FORMS[name](text, spans)
    same = lambda a, b: unicodedata.normalize(normal, a) == unicodedata.normalize(normal, b)
    assert same(new_text, text)
    assert all(same(new, old) for (new, _), (old, _) in zip(mentions_in(new_text, new_spans), mentions_in(text, spans)))


@given(st.text(st.characters(max_codepoint=0x7F), max_size=40))
def test_ascii_comes_back_from_full_width(text):
    assert to_half_width(*to_full_width(text, []))[0] == text


@given(st.text(st.sampled_from("アァガダバパヴヺヷーヲン・「」、。"), max_size=40))
def test_katakana_comes_back_from_half_width(text):
    assert unicodedata.normalize("NFKC", to_half_width(text, [])[0]) == text


@given(annotated())
def test_capitals_are_those_of_the_whole_text(given_):
    latin = "".join(char for char in given_[0] if char.isascii() or char in "éßﬁİıＺ")
    assert to_upper(latin, [])[0] == latin.upper()


@given(annotated(), st.lists(st.text(max_size=3), min_size=1))
def test_any_map_moves_spans(given_, strings):
    text, spans = given_
    change = lambda char: strings[ord(char) % len(strings)]
    new_text, new_spans = map_characters(text, spans, change)
    assert mentions_in(new_text, new_spans) == [
        ("".join(map(change, m)), label) for m, label in mentions_in(text, spans)
    ]


# Mentions


MENTIONS = {"人名": ["佐藤", "ジョン・スミス"], "地名": ["津"]}


@given(annotated(), st.integers(0, 9), st.sampled_from([0.0, 0.5, 1.0]))
def test_swapped_mentions_stand_in_the_place_of_others(given_, seed, share):
    text, spans = given_
    new_text, new_spans = replace_mentions(text, spans, MENTIONS, random.Random(seed), share)
    for (new, label), (old, old_label) in zip(mentions_in(new_text, new_spans), mentions_in(text, spans)):
        assert label == old_label
        others = MENTIONS[label] if len(old) > 1 else [old]  # 日 in 訪日 stays
        assert new in ([old] if share == 0 else others if share == 1 else [old, *others])
    between = lambda text, spans: [
        text[a:b] for a, b in zip([0, *(s.char_end for s in spans)], [*(s.char_start for s in spans), len(text)])
    ]
    assert between(new_text, new_spans) == between(text, spans)


def test_a_label_without_mentions_keeps_its_entities():
    spans = [CharSpan(0, 2, "施設名")]
    assert replace_mentions("駅前", spans, MENTIONS, random.Random(0), 1.0) == ("駅前", tuple(spans))


def test_mentions_are_collected_once_in_order():
    records = [
        make_record("東京と大阪の山田", [(0, 2, "地名"), (3, 5, "地名"), (6, 8, "人名")]),
        make_record("東京", [(0, 2, "地名")]),
    ]
    assert collect_mentions(records) == {"地名": ["東京", "大阪"], "人名": ["山田"]}


# The augmenter


@pytest.fixture(scope="module")
def nlp():
    return spacy_luke_ja.blank()


def make_augmenter(**settings):
    return spacy.registry.resolve({"a": {"@augmenters": NAME, **settings}})["a"]


def read(example):
    return example.reference.text, [(ent.text, ent.label_) for ent in example.reference.ents]


def test_the_changed_example_comes_beside_the_original(nlp):
    example = make_example(nlp, "訪日したABC。", [(1, 2, "地名"), (4, 7, "法人名")])
    augment = make_augmenter(level=1.0, forms={"full_width": 1.0})
    first, second = augment(nlp, example)
    assert first is example
    assert read(second) == ("訪日したＡＢＣ。", [("日", "地名"), ("ＡＢＣ", "法人名")])
    assert second.predicted.text == "訪日したＡＢＣ。" and len(second.predicted) < len(
        second.reference
    )  # 訪日 is whole


def test_the_snippet_of_the_docs_is_valid(nlp):
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf8")
    (snippet,) = re.findall(r"```ini\n(.*?NoisyText.*?)```", page, flags=re.DOTALL)
    config = Config({"corpora": {"train": {}}}).from_str("[corpora]\n[corpora.train]\n" + snippet)
    augment = spacy.registry.resolve(config["corpora"]["train"])["augmenter"]
    example = make_example(nlp, "東京、ABC。", [])
    random.seed(0)
    copies = [copy.reference.text for _ in range(200) for copy in augment(nlp, example)]
    assert 250 < len(copies) < 350 and "東京ABC。" in copies


def test_or_in_its_place_as_spacys_own_augmenters(nlp):
    example = make_example(nlp, "東京へ。", [(0, 2, "地名")])
    (only,) = make_augmenter(level=1.0, forms={"no_final_stop": 1.0}, keep_original=False)(nlp, example)
    assert read(only) == ("東京へ", [("東京", "地名")])


@pytest.mark.parametrize(
    "level, form, text", [(0.0, "title", "東京へ。"), (1.0, "upper", "東京へ。"), (1.0, "nfd", "")]
)
@pytest.mark.parametrize("keep_original", [True, False])
def test_nothing_changed_is_one_example(nlp, level, form, text, keep_original):
    example = make_example(nlp, text, [])
    augment = make_augmenter(level=level, forms={form: 1.0}, keep_original=keep_original)
    assert list(augment(nlp, example)) == [example]


def test_entities_are_swapped_for_those_of_earlier_examples(nlp):
    augment = make_augmenter(level=1.0, forms={"plain": 1.0}, mention_share=1.0, keep_original=False)
    texts = [
        ("山田は東京へ。", [(0, 2, "人名"), (3, 5, "地名")]),
        ("花子は大阪市へ。", [(0, 2, "人名"), (3, 6, "地名")]),
    ]
    first, second = [read(new) for text, ents in texts for new in augment(nlp, make_example(nlp, text, ents))]
    assert first == ("山田は東京へ。", [("山田", "人名"), ("東京", "地名")])
    assert second == ("山田は東京へ。", [("山田", "人名"), ("東京", "地名")])


def test_an_example_that_is_annotated_in_part_is_left_alone(nlp):
    example = make_example(nlp, "東京へ。", [(0, 2, "地名")])
    example.reference.set_ents([example.reference[0:1]], default="missing")
    assert list(make_augmenter(level=1.0, forms={"title": 1.0})(nlp, example)) == [example]


def test_the_seed_decides_what_is_drawn(nlp, tmp_path):
    path = tmp_path / "data.jsonl"
    lines = [json.dumps({"text": f"{i}番のAさんは東京{i}へ。", "entities": [[0, 1, "人名"]]}) for i in range(9)]
    path.write_text("\n".join(lines), encoding="utf8")

    def texts(seed):
        random.seed(seed)
        augmenter = make_augmenter(level=0.5, forms={"nfd": 2.0, "list": 1.0}, mention_share=0.5)
        return [read(example) for example in create_entity_corpus(path, augmenter=augmenter)(nlp)]

    assert texts(1) == texts(1) != texts(2)
    assert 9 < len(texts(1)) < 18
    assert len(list(create_entity_corpus(path)(nlp))) == 9


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"level": 1.5, "forms": {"nfd": 1.0}}, "level must be a share between 0 and 1, got 1.5"),
        ({"level": 0.5, "forms": {"nfd": 1.0}, "mention_share": -1.0}, "mention_share must be a share between 0 and 1"),
        (
            {"level": 0.5, "forms": {"nfc": 1.0}},
            "forms must be names of plain, full_width, .*, wrapped with .* got nfc",
        ),
        ({"level": 0.5, "forms": {"nfd": -1.0}}, "weights in forms must be 0 or more"),
        ({"level": 0.5, "forms": {}}, "one of them above 0, got {}"),
    ],
)
def test_settings_that_mean_nothing(settings, message):
    with pytest.raises(ValueError, match=message):
        make_augmenter(**settings)
