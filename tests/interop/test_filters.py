"""What ents_filter turns away: its tokens stay whole, and a component that gives nothing says so, once."""

import warnings

import pytest
import spacy
from spacy.tokens import Span

TEXT = "東京へ訪日した独伊の首相"
NEW_FIRST = {"@misc": "spacy.prioritize_new_ents_filter.v1"}


def tokens(doc):
    return [token.text for token in doc]


def with_ruler(make_nlp, patterns, **config):
    nlp = make_nlp(**config)
    ruler = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns([{"label": "OLD", "pattern": pattern} for pattern in patterns])
    return nlp


@pytest.mark.parametrize(
    "patterns, config, ents, split",
    [
        (["訪日"], {}, ["東京", "訪日", "独", "伊"], ["独", "伊"]),
        (["訪日した独伊"], {}, ["東京", "訪日した独伊"], []),
        (["訪日した独伊"], {"ents_filter": NEW_FIRST}, ["東京", "日", "独", "伊"], ["訪", "日", "独", "伊"]),
        (["訪日"], {"ents_filter": None}, ["東京", "日", "独", "伊"], ["訪", "日", "独", "伊"]),
        (["訪日", "独伊"], {"spans_key": "found"}, ["東京", "訪日", "独伊"], []),
    ],
)
def test_tokens_are_split_for_what_reaches_the_doc(make_nlp, patterns, config, ents, split):
    nlp = with_ruler(make_nlp, patterns, **config)
    doc = nlp(TEXT)
    assert [ent.text for ent in doc.ents] == ents
    assert [text for text in tokens(doc) if text not in tokens(nlp.make_doc(TEXT))] == split
    assert len(doc._.luke_entities) == 4 == sum(doc._.luke_alignment.values())
    assert doc._.luke_alignment["split"] == sum(text in ents for text in "日独伊")
    assert all(ent._.luke_score is not None for ent in doc.ents if ent.label_ == "地名")


def test_blocked_tokens_are_not_split(make_nlp):
    nlp = make_nlp()
    doc = nlp.make_doc("訪日した東京")
    doc.set_ents([], blocked=[doc[0:1]], default="missing")
    doc = nlp(doc)
    assert tokens(doc) == tokens(nlp.make_doc("訪日した東京")) and [ent.text for ent in doc.ents] == ["東京"]
    assert doc[0].ent_iob == 3 and not doc[0].ent_type_


@spacy.registry.misc("tests.no_short_entities")
def make_filter():
    return lambda old, new: [ent for ent in (*old, *new) if len(ent.text) > 1]


def test_a_filter_of_the_users_own(make_nlp):
    doc = make_nlp(ents_filter={"@misc": "tests.no_short_entities"})(TEXT)
    assert [ent.text for ent in doc.ents] == ["東京"] and "訪日" in tokens(doc) and "独伊" in tokens(doc)
    assert doc._.luke_alignment == {"exact": 1, "moved": 0, "split": 0, "dropped": 0, "filtered": 3}


def test_a_filter_that_makes_spans_of_its_own(make_nlp):
    @spacy.registry.misc("tests.one_entity")
    def make():
        return lambda old, new: [Span(new[0].doc, new[0].start, new[-1].end, label="ALL")]

    doc = make_nlp(ents_filter={"@misc": "tests.one_entity"})(TEXT)
    (ent,) = doc.ents
    assert (ent.text, ent.label_, ent._.luke_score) == ("東京へ訪日した独伊", "ALL", None)
    assert "訪日" in tokens(doc)


def messages(nlp, texts):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for text in texts:
            nlp(text)
        list(nlp.pipe(texts))
    return [str(warning.message) for warning in caught if "ents_filter" in str(warning.message)]


def test_it_is_said_once_when_all_were_turned_away(make_nlp):
    (message,) = messages(with_ruler(make_nlp, ["東京へ訪日した独伊の首相"]), [TEXT] * 3)
    assert "[luke_ner] ents_filter turned away all 4 entities found so far" in message
    assert "prioritize_new_ents_filter" in message


@pytest.mark.parametrize("patterns", [["訪日"], ["首相"], []])
def test_it_is_not_said_otherwise(make_nlp, patterns):
    assert messages(with_ruler(make_nlp, patterns), ["", "首相", TEXT]) == []
    nlp = make_nlp()
    assert messages(nlp, [TEXT]) == [] and nlp(nlp(TEXT)).ents


@pytest.mark.parametrize("name", ["luke_ner", "luke_qa"])
def test_analyze_pipes_knows(name):
    nlp = spacy.blank("ja")
    nlp.add_pipe(name)
    assert nlp.analyze_pipes()["summary"][name]["retokenizes"]
