"""What found entities become in a Doc, whichever component found them."""

import pytest

import spacy_luke_ja
from spacy_luke_ja import CharSpan
from spacy_luke_ja.pipeline.ner_doc import annotate_entities

vocab_nlp = spacy_luke_ja.blank()


def give(doc, component, char_spans, ents_filter=None):
    spans = [CharSpan(*span) for span in char_spans]
    annotate_entities(doc, spans, component=component, alignment_mode="split", spans_key=None, ents_filter=ents_filter)


@pytest.mark.parametrize("first_wins", [True, False])
def test_of_two_components_that_found_the_same(first_wins):
    def existing_first(old, new):
        starts = {ent.start for ent in old}
        return [*old, *(ent for ent in new if ent.start not in starts)]

    doc = vocab_nlp.make_doc("東京と大阪")
    give(doc, "one", [(0, 2, "地名", 0.25)])
    ents_filter = existing_first if first_wins else None
    give(doc, "other", [(0, 2, "地名", 0.75), (3, 5, "地名", 0.5)], ents_filter=ents_filter)
    assert [ent._.luke_score for ent in doc.ents] == [0.25 if first_wins else 0.75, 0.5]
    assert [span.score for span in doc._.luke_entities] == [0.25, 0.75, 0.5]
    give(doc, "other", [])
    assert [span.score for span in doc._.luke_entities] == [0.25]


def test_many_entities():
    """4,000: quadratic, they took ten seconds."""
    doc = vocab_nlp.make_doc("東京と" * 20_000)
    give(doc, "luke_ner", [(3 * i, 3 * i + 2, "地名", i / 20_000) for i in range(20_000)])
    assert [ent._.luke_score for ent in doc.ents] == [i / 20_000 for i in range(20_000)]
