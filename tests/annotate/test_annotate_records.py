"""annotate_records: what every engine calls."""

import pytest
from spacy.language import Language

from annotate_toys import NAMES, TEXTS, names_of
from spacy_luke_ja import RecordSettings, annotate_records


@Language.component("fails_at_poison")
def fail_at_poison(doc):
    if "毒" in doc.text:
        raise RuntimeError("poisoned")
    return doc


@pytest.fixture(scope="module")
def nlp(checkpoints):
    import spacy_luke_ja

    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner", config={"model": {"name": str(checkpoints["luke"])}})
    return nlp


def test_records_keep_their_fields_and_get_entities(nlp):
    records = [{"id": i, "text": text, "more": {"a": [1]}} for i, text in enumerate(TEXTS)]
    annotated, rejected = annotate_records(nlp, records)
    settings = RecordSettings()
    rows = [record.as_row(settings) for record in annotated]
    assert not rejected and names_of(rows) == NAMES
    assert [{key: row[key] for key in ("id", "text", "more")} for row in rows] == records
    for row in rows:
        for entity in row["entities"]:
            assert row["text"][entity["start"] : entity["end"]] == entity["text"] and 0 < entity["score"] <= 1


@pytest.mark.parametrize(
    "record, reason",
    [
        ({}, "there is no 'text'"),
        ({"body": "東京"}, "there is no 'text'; --text-column must name one of body"),
        ({"text": None}, "'text' is null"),
        ({"text": 3}, "'text' must be a string, got 3"),
        ({"text": ["東京"]}, "'text' must be a string"),
        ({"text": "東京\ud83d"}, "lone surrogate"),
        ({"text": "東京", "entities": []}, "there is a field 'entities' already; --entities-column"),
    ],
)
def test_a_record_that_cannot_be_is_rejected_alone(nlp, record, reason):
    annotated, rejected = annotate_records(nlp, [{"text": "東京"}, record, {"text": "大阪"}])
    assert [own.i for own in annotated] == [0, 2]
    assert [own.i for own in rejected] == [1] and reason in rejected[0].reason


@pytest.mark.parametrize("settings, taken, advice", [
    ({}, "entities", "--entities-column gives entities another name"),
    ({"entities_column": "found"}, "found", "--entities-column gives entities another name"),
    ({"with_answers": True}, "answers", "answers to questions go there, and the input must call it otherwise"),
    ({"with_answers": True, "answers_column": "replies"}, "replies", "answers to questions go there"),
])  # fmt: skip
def test_a_field_that_is_taken_is_told_what_helps(nlp, settings, taken, advice):
    _, rejected = annotate_records(nlp, [{"text": "東京", taken: 1}], RecordSettings(**settings))
    assert rejected[0].reason.startswith(f"there is a field '{taken}' already; {advice}")


def test_a_field_for_answers_is_free_where_nothing_is_asked(nlp):
    (annotated,), _ = annotate_records(nlp, [{"text": "東京", "answers": 1}])
    assert annotated.as_row(RecordSettings())["answers"] == 1


@pytest.mark.parametrize("settings", [
    {"entities_column": "text"}, {"entities_column": ""}, {"entities_column": "answers", "with_answers": True},
])  # fmt: skip
def test_entities_need_a_field_of_their_own(settings):
    with pytest.raises(ValueError, match="--entities-column must be another field than text"):
        RecordSettings(**settings)


def test_a_record_without_its_id_is_rejected(nlp):
    _, rejected = annotate_records(nlp, [{"text": "東京", "n": 0}, {"text": "東京"}], RecordSettings(id_column="n"))
    assert [own.i for own in rejected] == [1] and "there is no 'n'; --id-column must name" in rejected[0].reason
    _, rejected = annotate_records(nlp, [{"text": "東京", "n": None}], RecordSettings(id_column="n"))
    assert rejected == [(0, "'n' is null")]


@pytest.mark.parametrize("poisoned", [[0], [4], [2, 3], [0, 1, 2, 3, 4, 5, 6, 7, 8], []])
@pytest.mark.parametrize("batch_size", [1, 4, 1000])
def test_texts_that_make_the_pipeline_fail_are_rejected_alone(checkpoints, make_nlp, poisoned, batch_size):
    nlp = make_nlp("luke")
    nlp.add_pipe("fails_at_poison", first=True)
    records = [{"text": "毒の東京" if i in poisoned else "東京"} for i in range(9)]
    annotated, rejected = annotate_records(nlp, records, RecordSettings(batch_size=batch_size))
    assert [own.i for own in rejected] == poisoned
    assert [own.i for own in annotated] == [i for i in range(9) if i not in poisoned]
    assert all(own.reason == "the pipeline failed: RuntimeError: poisoned" for own in rejected)


def test_a_text_that_an_error_handler_swallows_is_rejected(make_nlp):
    nlp = make_nlp("luke")
    nlp.add_pipe("fails_at_poison", first=True)
    nlp.set_error_handler(lambda *args: None)
    annotated, rejected = annotate_records(nlp, [{"text": "毒"}, {"text": "東京"}])
    assert [own.i for own in annotated] == [1]
    assert rejected == [(0, "a component of the pipeline dropped it")]


@pytest.mark.parametrize(
    "label_map, labels",
    [
        ({}, ["人名", "地名"]),
        ({"人名": "PERSON", "地名": "GPE"}, ["PERSON", "GPE"]),
        ({"人名": ""}, ["地名"]),
        ({"人名": "PERSON"}, ["PERSON", "地名"]),
    ],
)
def test_labels_are_mapped_in_entities_and_in_docs(nlp, label_map, labels):
    settings = RecordSettings(label_map=label_map, keep_docs=True)
    ((record,), _) = annotate_records(nlp, [{"text": TEXTS[0]}], settings)
    assert [entity.label for entity in record.entities] == labels
    assert [ent.label_ for ent in record.doc.ents] == labels
    scores = [round(ent._.luke_score, 4) for ent in record.doc.ents]
    assert scores == [entity.score for entity in record.entities]


def test_entities_below_min_score_are_left_out(nlp):
    ((record,), _) = annotate_records(nlp, [{"text": TEXTS[0]}])
    least = max(entity.score for entity in record.entities)
    for min_score in (0.0, least, 1.0):
        ((own,), _) = annotate_records(nlp, [{"text": TEXTS[0]}], RecordSettings(min_score=min_score))
        assert all(entity.score >= round(min_score, 4) for entity in own.entities)


def test_another_column(nlp):
    settings = RecordSettings(text_column="本文", entities_column="found")
    ((record,), _) = annotate_records(nlp, [{"本文": "東京", "text": "大阪", "entities": 1}], settings)
    row = record.as_row(settings)
    assert names_of([row], "found") == [["東京 地名"]] and row["text"] == "大阪" and row["entities"] == 1


def test_no_records(nlp):
    assert annotate_records(nlp, []) == ([], [])
