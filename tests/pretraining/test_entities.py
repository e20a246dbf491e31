"""Entity embeddings are learned from linked texts: the recipe runs, and what it begins with can learn."""

import json

import pytest
import spacy
import torch
from safetensors.torch import load_file

import toy_corpora
from scripts.pretraining.entities import score_baselines, write_start
from spacy_luke_ja.corpora.linking import LinkedText
from spacy_luke_ja.text.linking import AliasTable


@pytest.mark.slow
def test_the_recipe_runs(run_stage, tmp_path):
    corpora = toy_corpora.write_corpora(tmp_path / "corpora")
    run_stage("entities", corpora, tmp_path / "out", "--minutes", 0.05)
    scores = json.loads((tmp_path / "out" / "scores.json").read_text(encoding="utf8"))
    assert scores["steps"] > 0 and scores["accuracy of baselines"]["exact title"] == 1.0
    assert set(scores["luke_linker"]["titles of the alias"].values()) == {1.0}
    nlp = spacy.load(tmp_path / "out" / "model")
    assert nlp.get_pipe("luke_linker").alias_table and len(nlp.get_pipe("luke_linker").model.attrs["titles"]) > 5


def test_an_entity_begins_where_its_mention_is_and_can_learn(tmp_path):
    write_start(tmp_path / "start")
    tensors = load_file(tmp_path / "start" / "model.safetensors")
    words, entities = (tensors[f"{name}position_embeddings.weight"] for name in ("embeddings.", "entity_embeddings."))
    assert torch.equal(entities[:500], words[2:502])
    assert tensors["entity_embeddings.entity_embedding_dense.weight"].any()
    assert tensors["entity_embeddings.entity_embeddings.weight"].any()


def test_baselines_take_the_alias_or_what_it_mostly_stood_for():
    aliases = AliasTable()
    for alias, title, count in (("東京", "東京都", 3), ("東京", "東京 (グループ)", 1), ("国会", "国会 (日本)", 1)):
        aliases.add(alias, title, count)
    texts = [
        LinkedText("東京と国会と大阪", [(0, 2, "東京都"), (3, 5, "国会"), (6, 8, "大阪")]),
        LinkedText("東京", [(0, 2, "東京 (グループ)")]),
    ]
    assert score_baselines(texts, aliases) == {
        "exact title": 0.5,
        "commonest link": 0.25,
        "commonest link, else exact title": 0.5,
        "alias is in the training part with this title": 0.5,
    }
