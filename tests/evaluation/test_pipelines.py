"""Which of a pipeline's components evaluate and debug-data look at."""

import pytest

import spacy_luke_ja
from spacy_luke_ja.evaluation.pipelines import find_encoder
from spacy_luke_ja.models.hf_checkpoint import open_checkpoint
from spacy_luke_ja.models.hf_tokenizer import open_encoder


@pytest.mark.parametrize("components, expected", [
    ("luke_ner", "luke_ner"),
    ("luke_qa luke_ner", "luke_ner"),
    ("luke_textcat luke_ner", "luke_ner"),
    ("sentencizer luke_textcat luke_qa luke_span_ner", "luke_span_ner"),
    ("luke_span_ner luke_ner", "luke_span_ner"),
    ("luke_qa", None),
    ("luke_textcat sentencizer", None),
    ("", None),
])  # fmt: skip
def test_subwords_are_those_that_entities_are_found_in(checkpoints, components, expected):
    nlp = spacy_luke_ja.blank()
    for factory in components.split():
        checkpoint = checkpoints["luke" if factory == expected else "character_bert"]
        config = {"model": {"name": str(checkpoint)}} if factory.startswith("luke") else {}
        nlp.add_pipe(factory, name=f"own_{factory}", config=config)
    encoder = find_encoder(nlp)
    subwords = encoder and encoder.encode("山田花子は東京都へ").ids.tolist()
    luke = open_encoder(open_checkpoint(str(checkpoints["luke"])))
    assert subwords == (expected and luke.encode("山田花子は東京都へ").ids.tolist())
