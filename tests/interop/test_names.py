"""Components that have another name than they were made with: each writes under the one it has now."""

import pytest
import spacy

import spacy_luke_ja
from spacy_luke_ja import make_qa_example

TEXT = "山田花子は東京都で日立製作所の社長に会った。"
PLACES = dict.fromkeys(["その他の組織名", "法人名", "人名", "施設名", "イベント名", "政治的組織名", "製品名"], "")


@pytest.fixture
def places(make_nlp):
    return make_nlp(label_map={**PLACES, "地名": "PLACE"})


def components_of(doc, name="luke_score"):
    return {found[0] for key, values in doc.user_data.items() if key[1] == name for found in values}


def check(nlp, names):
    doc = nlp(TEXT)
    assert components_of(doc) == set(names)
    labels = {span.label for span in doc._.luke_entities}
    assert labels == {"人名", "地名", "法人名", "PLACE"}
    assert len(doc._.luke_entities) == sum(doc._.luke_alignment.values()) == 4
    assert all(ent._.luke_score > 0.9 for ent in doc.ents)


def test_sourced_under_another_name(make_nlp, places):
    nlp = make_nlp()
    nlp.add_pipe("luke_ner", source=places, name="places")
    check(nlp, ["luke_ner", "places"])


def test_renamed(make_nlp, places):
    nlp = make_nlp()
    nlp.rename_pipe("luke_ner", "all")
    nlp.add_pipe("luke_ner", source=places, name="luke_ner")
    nlp.rename_pipe("luke_ner", "places")
    check(nlp, ["all", "places"])


def test_sourced_by_a_config(make_nlp, places, tmp_path):
    make_nlp().to_disk(tmp_path / "all")
    places.to_disk(tmp_path / "places")
    config = {
        "nlp": {"lang": "ja", "pipeline": ["one", "other"]},
        "components": {
            "one": {"source": str(tmp_path / "all"), "component": "luke_ner"},
            "other": {"source": str(tmp_path / "places"), "component": "luke_ner"},
        },
    }
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    check(nlp, ["one", "other"])
    nlp.to_disk(tmp_path / "both")
    check(spacy.load(tmp_path / "both"), ["one", "other"])


def test_with_the_same_group_by_choice(make_nlp, checkpoints):
    """A spans_key that two have is the last one's; scores and entities are both's."""
    nlp = make_nlp(spans_key="mine")
    model = {"name": str(checkpoints["luke"]), "overlap": 16}
    nlp.add_pipe("luke_ner", name="second", config={"model": model, "spans_key": "mine"})
    doc = nlp(TEXT)
    assert components_of(doc) == {"luke_ner", "second"} and len(doc._.luke_entities) == 6


@pytest.mark.parametrize("name", ["where", "luke_qa"])
def test_answers_and_their_scores(answerers, name):
    def make(questions, **config):
        nlp = spacy_luke_ja.blank()
        model = {"name": str(answerers["luke"]), "overlap": 8}
        nlp.add_pipe("luke_qa", config={"model": model, "questions": questions, **config})
        return nlp

    nlp, other = make(["誰？"]), make(["どこ？"])
    nlp.rename_pipe("luke_qa", "who")
    nlp.add_pipe("luke_qa", source=other, name=name)
    doc = nlp(TEXT)
    assert [answer.question for answer in doc._.luke_answers] == ["誰？", "どこ？"]
    assert components_of(doc, "luke_answered") == {"who", name}


def test_answers_of_a_renamed_component_are_scored(answerers):
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_qa", config={"model": {"name": str(answerers["luke"]), "overlap": 8}, "questions": ["誰？"]})
    nlp.rename_pipe("luke_qa", "who")
    assert nlp.evaluate([make_qa_example(nlp.make_doc(TEXT), "誰？", [(0, 4)])])["qa_em"] == 1.0
