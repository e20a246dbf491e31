"""luke_linker: mentions in, Wikipedia's titles out; it computes LUKE's head, learns, is scored, and is saved."""

import json
import threading

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc, DocBin
from spacy.util import fix_random_seed
from thinc.api import Adam

import spacy_luke_ja
import toys
from spacy_luke_ja import make_linking_example
from spacy_luke_ja.linking_data import get_gold_links, get_linked_mentions
from spacy_luke_ja.models import hf_checkpoint
from spacy_luke_ja.models.linking import MAX_ENTITIES
from spacy_luke_ja.pipeline.linking_loss import linking_loss
from spacy_luke_ja.text.linking import rank_candidates
from spacy_luke_ja.training.outputs import directory_for_pipeline

TITLES = ["東京都", "東京 (グループ)", "山田花子", "大阪市", "国会 (日本)", "日立製作所"]
TEXT = "山田花子は東京へ行った。"
DATA = [
    (TEXT, [(0, 4, "山田花子"), (5, 7, "東京都")]),
    ("東京の歌を歌った。", [(0, 2, "東京 (グループ)")]),
    ("大阪の国会に日立製作所。", [(0, 2, "大阪市"), (3, 5, "国会 (日本)"), (6, 11, "日立製作所"), (5, 6, None)]),
]
ALIASES = "東京\t東京都\t9\n東京\t東京 (グループ)\t1\n山田花子\t山田花子\t2\n"


def write_linker(path, titles=TITLES, *, mask=7, weights="model.safetensors", **settings):
    """A LukeForMaskedLM with titles in its vocabulary, in the published layout, [MASK] not the first."""
    from transformers import LukeConfig, LukeForMaskedLM

    toys.write_luke(path, task="MaskedLM", tags=["LABEL_0", "LABEL_1"], weights=weights)
    config = LukeConfig.from_pretrained(path)
    names = [*titles[:mask], "[MASK]", *titles[mask:], "[UNK]", "[PAD]", "[MASK2]"]
    config.update({"entity_vocab_size": len(names), **settings})
    torch.manual_seed(0)
    model = LukeForMaskedLM(config).eval()
    toys.spread_out(model, std=0.3)
    model.tie_weights()
    toys.write_files(path, model, config, weights=weights)
    toys.write_json(path / "entity_vocab.json", {name: i for i, name in enumerate(names)})
    return path, model


@pytest.fixture(scope="module")
def linker(tmp_path_factory):
    return write_linker(tmp_path_factory.mktemp("linker") / "luke")[0]


@pytest.fixture
def aliases(tmp_path):
    (tmp_path / "aliases.tsv").write_text(ALIASES, encoding="utf8")
    return str(tmp_path / "aliases.tsv")


def make_nlp(name, *, model=None, **config):
    nlp = spacy_luke_ja.blank()
    settings = {"name": str(name), "precision": "float32", "training_precision": "float32", **(model or {})}
    nlp.add_pipe("luke_linker", config={"model": settings, **config})
    return nlp


def read(nlp, text, mentions, key=None):
    """What the pipeline says of a text that has these mentions."""
    example = make_linking_example(nlp, text, [(*chars, None) for chars in mentions], mentions_key=key)
    return next(nlp.pipe([example.predicted]))


def links_of(doc):
    return [(ent.text, ent.kb_id_, ent._.luke_links) for ent in doc.ents]


def titles_of(doc):
    return [ent.kb_id_ for ent in doc.ents]


# What it computes


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("settings", [{}, {"use_entity_aware_attention": False}, {"entity_emb_size": 32}])
def test_it_computes_what_transformers_computes(tmp_path, weights, settings):
    source, theirs = write_linker(tmp_path / "luke", weights=weights, **settings)
    nlp = make_nlp(source, n_best=100)
    doc = read(nlp, TEXT, [(0, 4), (5, 7)])
    encoded = nlp.get_pipe("luke_linker").subword_encoder.encode(TEXT)
    names = json.loads((source / "entity_vocab.json").read_bytes())
    places = []
    for ent in doc.ents:
        inside = (encoded.char_offsets[:, 0] < ent.end_char) & (encoded.char_offsets[:, 1] > ent.start_char)
        own = np.flatnonzero(inside & (encoded.char_offsets[:, 0] < encoded.char_offsets[:, 1])) + 1
        places.append([*own, *[-1] * (8 - len(own))])
    with torch.no_grad():
        entities = torch.full((1, 2), names["[MASK]"])
        ids = torch.tensor([[0, *encoded.ids, 2]])
        logits = theirs(ids, entity_ids=entities, entity_position_ids=torch.tensor([places])).entity_logits[0]
    for ent, own in zip(doc.ents, logits):
        kept = torch.softmax(own[[names[title] for title in TITLES]], dim=0)
        expected = dict(zip(TITLES, kept.tolist()))
        assert dict(ent._.luke_links) == {title: pytest.approx(p, abs=1e-5) for title, p in expected.items()}
        assert ent.kb_id_ == max(expected, key=expected.get) == ent._.luke_links[0][0]
    scores = [p for ent in doc.ents for _, p in ent._.luke_links]
    assert max(scores) - min(scores) > 0.01


def test_mentions_of_long_texts_and_odd_ones_are_read(linker):
    nlp = make_nlp(linker)
    text = "\n" + TEXT * 40 + "大阪" * 80
    places = [(0, 1), (1, 5), (6, 8), (len(TEXT) * 20 + 1, len(TEXT) * 20 + 5), (len(text) - 160, len(text))]
    doc = read(nlp, text, places)
    found = [(ent.kb_id_ in TITLES, len(ent._.luke_links)) for ent in doc.ents]
    assert found == [(False, 0), *[(True, 6)] * 4] and doc.ents[0].kb_id_ == "NIL"
    assert [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents] == [(*own, "MENTION") for own in places]
    assert read(nlp, "", []).text == "" and titles_of(read(nlp, TEXT, [])) == []
    nlp.get_pipe("luke_linker").mentions_key = "m"
    nested = read(nlp, TEXT, [(0, 4), (0, 2), (5, 7)], "m")
    assert all(span.kb_id_ in TITLES for span in nested.spans["m"]) and not nested.ents


def test_many_mentions_of_a_window_are_read_in_parts(linker):
    nlp = make_nlp(linker, mentions_key="m")
    places = [(a, b) for a in range(len(TEXT)) for b in range(a + 1, len(TEXT))]
    doc = read(nlp, TEXT, places, "m")
    assert len(places) == 66 > 2 * MAX_ENTITIES and all(span.kb_id_ in TITLES for span in doc.spans["m"])


def test_a_batch_finds_what_each_text_has_by_itself(linker):
    nlp = make_nlp(linker)
    docs = [make_linking_example(nlp, text, mentions).predicted for text, mentions in DATA]
    together = [[own._.luke_links for own in doc.ents] for doc in nlp.pipe([doc.copy() for doc in docs])]
    assert together == [
        [[(title, pytest.approx(p, abs=1e-5)) for title, p in own._.luke_links] for own in next(nlp.pipe([doc])).ents]
        for doc in docs
    ]


# Candidates


def test_candidates_are_those_of_the_alias(linker, aliases):
    nlp = make_nlp(linker, alias_table=aliases)
    free = make_nlp(linker)
    text = "山田花子は東京へ、大阪へ行った。"
    doc, other = (read(own, text, [(0, 4), (5, 7), (9, 11)]) for own in (nlp, free))
    assert titles_of(doc)[0] == "山田花子" and titles_of(doc)[2] == "NIL" and doc.ents[2]._.luke_links == []
    scores = dict(doc.ents[1]._.luke_links)
    of_all = dict(other.ents[1]._.luke_links)
    assert set(scores) == {"東京都", "東京 (グループ)"} and sum(scores.values()) == pytest.approx(1.0)
    ratio = of_all["東京都"] / of_all["東京 (グループ)"]
    assert scores["東京都"] / scores["東京 (グループ)"] == pytest.approx(ratio, rel=1e-4)
    pipe = nlp.get_pipe("luke_linker")
    pipe.prior_weight = 1.0
    with_prior = dict(read(nlp, text, [(5, 7)]).ents[0]._.luke_links)
    pipe.prior_weight = 0.0
    alone = dict(read(nlp, text, [(5, 7)]).ents[0]._.luke_links)
    change = with_prior["東京都"] / with_prior["東京 (グループ)"] * alone["東京 (グループ)"] / alone["東京都"]
    assert change == pytest.approx(9.0, rel=1e-4)
    pipe.candidates = "vocabulary"
    again = read(nlp, text, [(0, 4), (5, 7), (9, 11)])
    assert links_of(again) == [(a, t, [(n, pytest.approx(p)) for n, p in own]) for a, t, own in links_of(other)]


@pytest.mark.parametrize("alias", ["東京", "東 京", "ﾄｳｷｮｳ", "Ｔｏｋｙｏ"])
def test_aliases_are_found_in_any_width(linker, tmp_path, alias):
    path = tmp_path / "aliases.jsonl"
    lines = [{"alias": own, "titles": {"東京都": 3}} for own in ("東京", "東 京", "トウキョウ", "Tokyo")]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf8")
    nlp = make_nlp(linker, alias_table=str(path))
    assert titles_of(read(nlp, f"昨日、{alias}へ。", [(3, 3 + len(alias))])) == ["東京都"]


def test_a_table_may_come_go_and_change(linker, aliases, tmp_path):
    nlp = make_nlp(linker)
    pipe = nlp.get_pipe("luke_linker")
    assert len(read(nlp, TEXT, [(5, 7)]).ents[0]._.luke_links) == 6
    pipe.alias_table = aliases
    assert len(read(nlp, TEXT, [(5, 7)]).ents[0]._.luke_links) == 2
    with pytest.raises(OSError, match="alias_table must be a file .* there is none at .*nowhere.tsv"):
        pipe.alias_table = str(tmp_path / "nowhere.tsv")
    assert pipe.alias_table == aliases and len(read(nlp, TEXT, [(5, 7)]).ents[0]._.luke_links) == 2
    pipe.alias_table = None
    assert len(read(nlp, TEXT, [(5, 7)]).ents[0]._.luke_links) == 6


def test_titles_that_the_checkpoint_lacks_are_counted(linker, tmp_path):
    path = tmp_path / "aliases.tsv"
    path.write_text(ALIASES + "東京\t東京市\t5\n福岡\t福岡市\t5\n", encoding="utf8")
    with pytest.warns(
        UserWarning, match="2 of the 5 titles in .* are no entities of the checkpoint .* first is 東京市"
    ):
        doc = read(make_nlp(linker, alias_table=str(path)), "東京と福岡", [(0, 2), (3, 5)])
    assert doc.ents[0].kb_id_ != "東京市" and titles_of(doc)[1] == "NIL"


def test_below_the_threshold_is_nil(linker):
    nlp = make_nlp(linker, threshold=1.0, n_best=2)
    doc = read(nlp, TEXT, [(0, 4)])
    assert titles_of(doc) == ["NIL"] and len(doc.ents[0]._.luke_links) == 2
    nlp.get_pipe("luke_linker").threshold = doc.ents[0]._.luke_links[0][1]
    assert titles_of(read(nlp, TEXT, [(0, 4)])) == [doc.ents[0]._.luke_links[0][0]]


@pytest.mark.parametrize("key", [None, "m"])
@pytest.mark.parametrize("overwrite", [True, False])
def test_a_kb_id_that_is_there_is_replaced_where_asked(linker, overwrite, key):
    nlp = make_nlp(linker, overwrite=overwrite, mentions_key=key)
    doc = make_linking_example(nlp, TEXT, [(0, 4, None), (5, 7, None)], mentions_key=key).predicted
    mentions = list(doc.ents if key is None else doc.spans[key])
    spans = [
        spacy.tokens.Span(doc, mentions[0].start, mentions[0].end, label="人", kb_id="Q1", span_id="S"),
        mentions[1],
    ]
    if key is None:
        doc.set_ents(spans)
    else:
        doc.spans[key] = spans
    doc = next(nlp.pipe([doc]))
    found = list(doc.ents if key is None else doc.spans[key])
    assert (found[0].kb_id_ == "Q1") is not overwrite and found[1].kb_id_ in TITLES
    assert [own.label_ for own in found] == ["人", "MENTION"] and found[0].id_ == "S"
    assert all(own._.luke_links for own in found)


def test_scores_of_entities_stay(checkpoints, linker):
    nlp = make_nlp(linker)
    nlp.add_pipe("luke_ner", first=True, config={"model": {"name": str(checkpoints["luke"]), "overlap": 16}})
    doc = nlp("山田花子は東京都へ。")
    assert doc.ents and all(ent._.luke_score and ent.kb_id_ in TITLES for ent in doc.ents)
    assert [ent.label_ for ent in doc.ents] == ["人名", "地名"]


def test_names_of_mluke_have_a_language(tmp_path):
    names = ["ja:東京都", "en:Tokyo", *TITLES[1:]]
    source, _ = write_linker(tmp_path / "luke", names)
    vocabulary = json.loads((source / "entity_vocab.json").read_bytes())
    vocabulary["en:Osaka"] = vocabulary["大阪市"]
    vocabulary["en:Tokyo Metropolis"] = vocabulary.pop("ja:東京都")
    vocabulary["ja:東京都"] = vocabulary["en:Tokyo Metropolis"]
    toys.write_json(source / "entity_vocab.json", vocabulary)
    found = {title for title, _ in read(make_nlp(source, n_best=20), TEXT, [(0, 4)]).ents[0]._.luke_links}
    assert found == {"en:Tokyo", *TITLES}


def test_a_vocabulary_without_titles_makes_all_nil(checkpoints):
    nlp = make_nlp(checkpoints["bare_luke"])
    assert links_of(read(nlp, TEXT, [(0, 4)])) == [("山田花子", "NIL", [])]


# What is kept


def test_links_stay_with_their_characters(linker):
    nlp = make_nlp(linker)
    doc = read(nlp, TEXT, [(0, 4), (5, 7)])
    expected = links_of(doc)
    stored = list(DocBin(docs=[doc], store_user_data=True).get_docs(nlp.vocab))[0]
    for again in (Doc(nlp.vocab).from_bytes(doc.to_bytes()), doc.copy(), stored):
        assert links_of(again) == expected
    assert links_of(Doc.from_docs([doc, doc])) == expected * 2
    assert links_of(doc[2:].as_doc(copy_user_data=True)) == expected[-1:]
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc.ents[0])
    assert links_of(doc) == expected
    assert [own.char_start for own in get_linked_mentions(next(nlp.pipe([doc])), "luke_linker")] == [0, 5]


def test_the_table_of_embeddings_stays_as_it_is_stored(linker):
    nlp, exact = (make_nlp(linker, model={"precision": own}) for own in ("bfloat16", "float32"))
    found, expected = (dict(read(own, TEXT, [(5, 7)]).ents[0]._.luke_links) for own in (nlp, exact))
    assert found == {title: pytest.approx(p, abs=0.05) for title, p in expected.items()}
    module = nlp.get_pipe("luke_linker")._shim.module
    assert module.table.dtype == torch.float32 and nlp.get_pipe("luke_linker").precision == "bfloat16"


def test_the_vocabulary_is_parsed_once_and_when_it_is_needed(linker, aliases, monkeypatch):
    content, parsed = (linker / "entity_vocab.json").read_bytes(), []
    loads = json.loads
    monkeypatch.setattr(
        hf_checkpoint.json,
        "loads",
        lambda text, **more: (parsed.append(1) if text == content else None, loads(text, **more))[1],
    )
    nlp = make_nlp(linker, alias_table=aliases)
    assert not parsed
    for _ in range(2):
        read(nlp, TEXT, [(0, 4)])
    assert len(parsed) == 1


def test_threads_find_the_same(linker, aliases):
    nlp = make_nlp(linker, alias_table=aliases)
    found = []
    threads = [threading.Thread(target=lambda: found.append(links_of(read(nlp, TEXT, [(5, 7)])))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all(own == found[0] for own in found)


def test_a_doc_that_fails_is_handed_to_the_error_handler_alone(linker, monkeypatch):
    nlp, failed = make_nlp(linker), []
    pipe = nlp.get_pipe("luke_linker")
    nlp.set_error_handler(lambda name, proc, docs, error: failed.append((name, [doc.text for doc in docs])))
    predict = pipe.predict

    def fail(docs):
        if any("悪" in doc.text for doc in docs):
            raise ValueError("no")
        return predict(docs)

    monkeypatch.setattr(pipe, "predict", fail)
    docs = [make_linking_example(nlp, text, [(0, 2, None)]).predicted for text in ("東京へ", "悪い人", "大阪へ")]
    assert [doc.text for doc in nlp.pipe(docs)] == ["東京へ", "大阪へ"] and failed == [("luke_linker", ["悪い人"])]


# Learning


@pytest.mark.parametrize("with_table", [False, True])
def test_it_learns_is_scored_and_is_saved(checkpoints, tmp_path, with_table):
    fix_random_seed(0)
    (tmp_path / "a.tsv").write_text(
        ALIASES + "大阪\t大阪市\t1\n大阪\t日立製作所\t8\n国会\t国会 (日本)\t1\n", encoding="utf8"
    )
    table = {"alias_table": str(tmp_path / "a.tsv")} if with_table else {}
    nlp = make_nlp(checkpoints["random_luke"], **table)
    pipe = nlp.get_pipe("luke_linker")
    with pytest.raises(ValueError, match="is a LukeForTokenClassification: it has no classifier for MaskedLM"):
        pipe.load()
    examples = [make_linking_example(nlp, text, mentions) for text, mentions in DATA]
    nlp.initialize(lambda: examples)
    before = pipe._shim.module.table.detach().clone()
    optimizer = Adam(1e-2)
    losses = [nlp.update(examples, sgd=optimizer, losses={})["luke_linker"] for _ in range(60)]
    assert losses[-1] < 0.3 * losses[0]
    names = pipe.model.attrs["titles"].rows
    moved = (pipe._shim.module.table.detach() - before).abs().amax(dim=1) > 1e-3
    assert all(moved[names[title]] for title in TITLES[:2])
    scores = nlp.evaluate(examples)
    # 日立製作所 is in no alias table, and the mention that stands for nothing gets a title where any may be it.
    assert scores["linking_accuracy"] == pytest.approx(6 / 7) and scores["linking_nil_accuracy"] == float(with_table)
    assert scores["linking_recall_at_k"] == (pytest.approx(5 / 6) if with_table else 1.0)
    expected = links_of(next(nlp.pipe([examples[0].predicted.copy()])))
    nlp.to_disk(tmp_path / "saved")
    (tmp_path / "a.tsv").unlink()
    assert directory_for_pipeline(tmp_path / "saved") == tmp_path / "saved"  # another may be written over it
    loaded = spacy.load(tmp_path / "saved")
    again = make_nlp(checkpoints["random_luke"], **table).from_bytes(nlp.to_bytes())
    loaded.to_disk(tmp_path / "twice")
    for own in (loaded, again, spacy.load(tmp_path / "twice")):
        found = links_of(next(own.pipe([examples[0].predicted.copy()])))
        assert found == [(a, t, [(n, pytest.approx(p, abs=1e-5)) for n, p in links]) for a, t, links in expected]
    model = tmp_path / "saved" / "luke_linker" / "model"
    saved = json.loads((model / "config.json").read_bytes())
    assert saved["architectures"] == ["LukeForMaskedLM"] and saved["entity_vocab_size"] == 56
    assert (model / "aliases.tsv").is_file() == with_table
    own = make_nlp(model)  # what was saved is a checkpoint, and goes on
    own.initialize(lambda: examples)
    assert own.evaluate(examples)["linking_accuracy"] == scores["linking_accuracy"]


def test_a_table_given_when_it_is_loaded_replaces_the_saved_one(linker, aliases, tmp_path):
    nlp = make_nlp(linker, alias_table=aliases)
    read(nlp, TEXT, [(5, 7)])
    nlp.to_disk(tmp_path / "saved")
    (tmp_path / "other.tsv").write_text("東京\t大阪市\t1\n", encoding="utf8")
    config = {"components.luke_linker.alias_table": str(tmp_path / "other.tsv")}
    assert titles_of(read(spacy.load(tmp_path / "saved", config=config), TEXT, [(5, 7)])) == ["大阪市"]
    assert len(read(spacy.load(tmp_path / "saved"), TEXT, [(5, 7)]).ents[0]._.luke_links) == 2


def test_new_titles_join_those_that_are_known(linker, tmp_path):
    fix_random_seed(0)
    nlp = make_nlp(linker, n_best=100)
    before = dict(read(nlp, TEXT, [(5, 7)]).ents[0]._.luke_links)
    examples = [make_linking_example(nlp, "東京へ行った。", [(0, 2, "東京市")])]
    nlp.initialize(lambda: examples)
    after = dict(read(nlp, TEXT, [(5, 7)]).ents[0]._.luke_links)
    assert set(after) == {*before, "東京市"}
    known = {title: p / (1 - after["東京市"]) for title, p in after.items() if title != "東京市"}
    assert known == {title: pytest.approx(p, abs=1e-5) for title, p in before.items()}
    nlp.to_disk(tmp_path)
    assert dict(read(spacy.load(tmp_path), TEXT, [(5, 7)]).ents[0]._.luke_links) == pytest.approx(after, abs=1e-5)


@pytest.mark.parametrize("candidates", [None, [[[1, 2], [0]]]])
def test_the_loss_and_its_gradients(linker, candidates):
    nlp = make_nlp(linker)
    nlp.get_pipe("luke_linker").load()
    module = nlp.get_pipe("luke_linker")._shim.module
    named = nlp.get_pipe("luke_linker").model.attrs["titles"].named
    outputs = [
        np.random.default_rng(0).normal(size=(2, 16)).astype("float32"),
        np.full((1, 16), -np.inf, dtype="float32"),
    ]
    gold = [[4, -1], [0]]
    found = linking_loss(outputs, gold, module, named=named, candidates=candidates and [*candidates, [[0]]])
    rows = list(named) if candidates is None else [1, 2, 4]
    table = module.table.detach()[rows].requires_grad_()
    vector = torch.tensor(outputs[0][:1], requires_grad=True)
    logits = vector @ table.T + module.predictions.bias.detach()[rows]
    expected = torch.nn.functional.cross_entropy(logits, torch.tensor([rows.index(4)]))
    expected.backward()
    assert found.n_terms == 1 and found.summed == pytest.approx(expected.item(), rel=1e-5)
    assert found.rows.tolist() == rows
    np.testing.assert_allclose(found.gradients[0], np.stack([vector.grad[0], np.zeros(16)]), atol=1e-6)
    np.testing.assert_allclose(found.of_table, table.grad, atol=1e-6)
    assert not found.gradients[1].any()
    none = linking_loss(outputs[1:], gold[1:], module, named=named)
    assert (none.summed, none.n_terms) == (0.0, 0) and not none.of_table.any()


# What cannot be


def test_what_cannot_be_is_said(checkpoints, linker, aliases, tmp_path):
    with pytest.raises(ValueError, match="is of the type xlm-roberta, which knows no entities; a LUKE is needed"):
        read(make_nlp(checkpoints["xlmr"]), TEXT, [(0, 4)])
    with pytest.raises(ValueError, match="ja_luke_sm is a LukeModel: it has no classifier for MaskedLM"):
        read(make_nlp("ja_luke_sm"), TEXT, [(0, 4)])
    without = write_linker(tmp_path / "luke")[0]
    (without / "entity_vocab.json").unlink()
    with pytest.raises(ValueError, match="entity_vocab.json of the checkpoint .* is not there"):
        read(make_nlp(without), TEXT, [(0, 4)])
    with pytest.raises(ValueError, match="takes no entities"):
        pytest.importorskip("openvino")
        model = {"@architectures": "spacy-luke-ja.OpenVINOModel.v1", "name": str(linker)}
        nlp = spacy_luke_ja.blank()
        nlp.add_pipe("luke_linker", config={"model": model}).load()


@pytest.mark.parametrize("setting, message", [
    ({"mentions_key": ""}, "mentions_key must be a key of doc.spans, or None for doc.ents, got ''"),
    ({"alias_table": ""}, "alias_table must be the path of a file, or None for the checkpoint's own, got ''"),
    ({"candidates": "all"}, "candidates must be one of aliases, vocabulary, got all"),
    ({"prior_weight": -1.0}, "prior_weight must be a finite number, 0 or more, got -1.0"),
    ({"threshold": 2.0}, "threshold must be between 0 and 1, got 2.0"),
    ({"n_best": 0}, "n_best must be at least 1, got 0"),
    ({"scorer": {"@scorers": "spacy-luke-ja.linking_scorer.v1", "k": 0}}, "k must be at least 1, got 0"),
])  # fmt: skip
def test_a_setting_of_the_linker_that_cannot_be_is_named(linker, setting, message):
    with pytest.raises(ValueError, match=message):
        make_nlp(linker, **setting)


@pytest.mark.parametrize("counts, best", [([1] * 12, 1 / 12), ([1] * 11 + [5], 1.0), ([7], 1.0)])
def test_any_weight_of_the_table_gives_probabilities(counts, best):
    _, scores = rank_candidates(np.zeros(len(counts)), counts, prior_weight=1e308, n=1)
    assert scores.tolist() == pytest.approx([best])


@pytest.mark.parametrize("line, n", [("東京", 1), ("東京\t東京都", 1), ("東京\t東京都\t0", 1), ("\t東京都\t1", 1),
    ('{"alias": "東京"}', 1), ('{"alias": "東京", "titles": {"東京都": "3"}}', 1), ("大阪\t大阪市\t1\n東京\t東京都\tx", 2)])  # fmt: skip
def test_a_bad_line_of_an_alias_table_is_named(linker, tmp_path, line, n):
    path = tmp_path / "aliases.tsv"
    path.write_text(line, encoding="utf8")
    with pytest.raises(ValueError, match=f"aliases.tsv, line {n} must be an alias, a title and a count"):
        read(make_nlp(linker, alias_table=str(path)), TEXT, [(0, 4)])


def test_gold_is_refused_outside_the_text():
    nlp = spacy_luke_ja.blank()
    with pytest.raises(ValueError, match="the mention 0–40 is not within the 12 characters"):
        make_linking_example(nlp, TEXT, [(0, 40, "東京都")])
    example = make_linking_example(nlp, TEXT, [(0, 4, "NIL"), (5, 7, None)])
    assert [own.title for own in get_gold_links(example.reference)] == ["NIL", "NIL"]
    assert not get_gold_links(example.predicted)
