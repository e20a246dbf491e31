"""What luke_ner finds, where it writes it, and how it behaves in a pipeline. The lexicon is in toys.LEXICON."""

import pickle
import warnings

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span

import spacy_luke_ja
from spacy_luke_ja import CharSpan

TEXT = "山田花子は東京都で日立製作所の社長に会い、訪日した独伊の首相と話した。"


def ents(doc):
    return [(ent.text, ent.label_) for ent in doc.ents]


FOUND = [
    ("山田花子", "人名"),
    ("東京都", "地名"),
    ("日立製作所", "法人名"),
    ("日", "地名"),
    ("独", "地名"),
    ("伊", "地名"),
]


def test_entities_scores_and_exact_spans(make_nlp):
    doc = make_nlp(spans_key="found")(TEXT)
    assert doc.text == TEXT
    assert ents(doc) == FOUND
    group = doc.spans["found"]
    assert [(span.text, span.label_) for span in group] == FOUND
    assert group.attrs["scores"] == [ent._.luke_score for ent in doc.ents]
    assert all(0.9 < score <= 1 for score in group.attrs["scores"])
    assert [(TEXT[s.char_start : s.char_end], s.label) for s in doc._.luke_entities] == FOUND
    assert isinstance(doc._.luke_entities[0], CharSpan)
    assert doc._.luke_alignment == {"exact": 3, "moved": 0, "split": 3, "dropped": 0, "filtered": 0}


def test_a_checkpoint_without_prefixes_joins_what_touches(make_nlp):
    found = ents(make_nlp("xlmr")(TEXT + "国会"))
    assert found == [*FOUND[:4], ("独伊", "地名"), ("国会", "政治的組織名")]


@pytest.mark.parametrize(
    "checkpoint", ["random_luke", "luke_bin", "fast_xlmr", "bert", "slow_bert", "roberta", "deberta"]
)
def test_every_kind_of_checkpoint_runs(make_nlp, checkpoint):
    nlp = make_nlp(checkpoint)
    text = "山田花子は東京へ。ﾄﾞｰﾑ　㈱\n大阪" * 30
    (output,) = (nlp.get_pipe("luke_ner").load(), nlp.get_pipe("luke_ner").model.predict([nlp.make_doc(text)]))[1]
    assert output.logits.shape == (len(output.subwords), len(nlp.get_pipe("luke_ner")._tag_labels.scheme.tags))
    assert output.subwords.char_offsets[-1, 1] == len(text) and output.logits.std() > 0.01
    assert [span[:3] for span in nlp(text)._.luke_entities] == [
        span[:3] for span in nlp.get_pipe("luke_ner").predict([nlp.make_doc(text)])[0]
    ]


@pytest.mark.parametrize(
    "mode, found, alignment",
    [
        ("split", FOUND, {"split": 3}),
        ("expand", [*FOUND[:3], ("訪日", "地名"), ("独伊", "地名")], {"moved": 2, "dropped": 1}),
        ("contract", FOUND[:3], {"dropped": 3}),
        ("strict", FOUND[:3], {"dropped": 3}),
    ],
)
def test_alignment_modes(make_nlp, mode, found, alignment):
    nlp = make_nlp(alignment_mode=mode)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        doc = nlp(TEXT)
    assert ents(doc) == found
    assert {key: doc._.luke_alignment[key] for key in alignment} == alignment
    assert len(doc._.luke_entities) == len(FOUND)
    assert mode == "split" or [t.text for t in doc] == [t.text for t in nlp.make_doc(TEXT)]


def test_one_warning_per_stream_says_what_was_lost(make_nlp):
    nlp = make_nlp(alignment_mode="strict")
    with pytest.warns(UserWarning) as caught:
        list(nlp.pipe(["東京", TEXT, TEXT], batch_size=1))
    (warning,) = [w for w in caught if "alignment_mode" in str(w.message)]
    assert "of 13 entities, 0 were moved to token edges and 6 dropped" in str(warning.message)
    assert "first 地名 '日' in 'に会い、訪日した独伊の'" in str(warning.message)


@pytest.mark.parametrize("mode", ["expand", "contract", "strict"])
def test_single_texts_warn_once(make_nlp, mode):
    nlp = make_nlp(alignment_mode=mode)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for text in ("東京", TEXT, TEXT, "訪日した", TEXT):
            nlp(text)
        list(nlp.pipe([TEXT]))
        assert len([w for w in caught if "alignment_mode" in str(w.message)]) == 1
        list(nlp.pipe([TEXT, TEXT]))  # a stream of its own
    assert len([w for w in caught if "alignment_mode" in str(w.message)]) == 2


def test_split_tokens_stay_sensible(make_nlp):
    nlp = make_nlp(split_mode="C")
    doc = nlp("訪日した。")
    assert [t.text for t in doc] == ["訪", "日", "し", "た", "。"]
    assert doc.text == "訪日した。" and [t.idx for t in doc] == [0, 1, 2, 3, 4]
    assert all(t.tag_ and t.pos_ and t.lemma_ for t in doc)
    assert not doc.to_array(["HEAD"]).any()  # no parse before, no parse after


def test_spaces_never_begin_or_end_an_entity(make_nlp):
    doc = make_nlp()(" 東京　都\n大阪 \t日立製作所　")
    assert ents(doc) == [("東京", "地名"), ("大阪", "地名"), ("日立製作所", "法人名")]


@pytest.mark.parametrize("text", ["東京" * 50_000, "東京は大阪。" * 16_667, "山田花子" * 25_000])
def test_100_000_characters_give_entities_all_the_way(make_nlp, text):
    nlp = make_nlp(model={"max_batch_subwords": 8192})
    found = nlp.get_pipe("luke_ner").predict([nlp.make_doc(text)])[0]
    expected = {"東京": text.count("東京") + text.count("大阪"), "山田": text.count("山田花子")}[text[:2]]
    assert len(found) == expected
    assert found[-1].char_end >= len(text) - 1


def test_windows_do_not_change_what_is_found(make_nlp):
    text = TEXT * 40
    whole = make_nlp()(text)
    for window, overlap in [(62, 30), (20, 0), (5, 4), (17, 8)]:
        doc = make_nlp(model={"window": window, "overlap": overlap})(text)
        # Touching subwords of one entity may fall in two windows; the merged rows are decoded together.
        assert [span[:3] for span in doc._.luke_entities] == [span[:3] for span in whole._.luke_entities]


def test_threshold(make_nlp):
    assert ents(make_nlp(threshold=1.0)(TEXT)) == []
    only_places = {"人名": 1.0, "法人名": 1.0}
    assert {label for _, label in ents(make_nlp(threshold=only_places)(TEXT))} == {"地名"}


@pytest.mark.parametrize(
    "ents_filter, found",
    [
        ("spacy.prioritize_existing_ents_filter.v1", [("山田花子は", "OLD"), ("東京都", "地名")]),
        ("spacy.prioritize_new_ents_filter.v1", [("山田花子", "人名"), ("東京都", "地名")]),
    ],
)
def test_entities_set_before(make_nlp, ents_filter, found):
    nlp = make_nlp(ents_filter={"@misc": ents_filter}, spans_key="found")
    ruler = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns([{"label": "OLD", "pattern": "山田花子は"}])
    doc = nlp("山田花子は東京都へ。")
    assert ents(doc) == found
    assert doc._.luke_alignment["filtered"] == ("existing" in ents_filter)
    assert len(doc.spans["found"]) == len(doc._.luke_entities) == 2


def test_entities_set_before_are_kept_by_default_and_when_tokens_split(make_nlp):
    nlp = make_nlp()
    doc = nlp.make_doc("東京へ訪日した独伊の大阪城")
    doc.ents = [Span(doc, 0, 1, label="OLD")]
    doc.spans["mine"] = [doc.char_span(3, 5, label="X"), doc.char_span(7, 10, label="Y")]
    doc = nlp(doc)
    assert ents(doc)[0] == ("東京", "OLD")
    assert [(span.text, span.label_) for span in doc.spans["mine"]] == [("訪日", "X"), ("独伊の", "Y")]


def test_running_twice_changes_nothing(make_nlp):
    nlp = make_nlp()
    doc = nlp(TEXT)
    assert ents(nlp(doc)) == FOUND
    assert len(doc._.luke_entities) == len(FOUND)


def test_two_components_side_by_side(make_nlp, checkpoints):
    nlp = make_nlp(label_map={"地名": "GPE", "人名": "", "法人名": "", "政治的組織名": "", **dict.fromkeys(
        ["その他の組織名", "施設名", "イベント名", "製品名"], "")})  # fmt: skip
    nlp.add_pipe(
        "luke_ner",
        name="second",
        config={"spans_key": "second", "model": {"name": str(checkpoints["xlmr"]), "overlap": 8}},
    )
    doc = nlp(TEXT)
    assert ("東京都", "GPE") in ents(doc) and ("山田花子", "人名") in ents(doc)
    assert set(doc.spans) == {"luke_ner", "second"}


def test_label_map_and_labels(make_nlp):
    nlp = make_nlp("xlmr", label_map={"@misc": "spacy-luke-ja.label_map.v1", "name": "ontonotes"})
    doc = nlp("山田花子は東京都の国会へ")
    assert ents(doc) == [("山田花子", "PERSON"), ("東京都", "GPE"), ("国会", "ORG")]
    assert set(nlp.get_pipe("luke_ner").labels) == {"PERSON", "ORG", "GPE", "FAC", "PRODUCT", "EVENT"}


def test_labels_that_do_not_map_are_named(make_nlp):
    nlp = make_nlp("xlmr", label_map={"PER": "人名"})
    with pytest.warns(UserWarning, match="the labels ORG, ORG-P, ORG-O, LOC, INS, PRD, EVT of the checkpoint"):
        assert ents(nlp(TEXT)) == [("山田花子", "人名")]
    with pytest.raises(ValueError, match="none of the checkpoint's labels"):
        make_nlp("xlmr", label_map={"PERSON": "人名"})(TEXT)
    with pytest.raises(ValueError, match="label_map replaces the known names"):
        make_nlp("xlmr", label_map={"人名": ""})(TEXT)


def test_tags_for_a_checkpoint_that_names_none(make_nlp, checkpoints, tmp_path):
    import json
    import shutil

    path = shutil.copytree(checkpoints["luke"], tmp_path / "luke")
    config = json.loads((path / "config.json").read_text())
    tags = [config["id2label"][str(i)] for i in range(17)]
    config["id2label"] = {str(i): f"LABEL_{i}" for i in range(17)}
    (path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="setting tags"):
        make_nlp(str(path))(TEXT)
    assert ents(make_nlp(str(path), tags=tags)(TEXT)) == FOUND
    with pytest.raises(ValueError, match="tags must name the 17 outputs"):
        make_nlp(str(path), tags=tags[:3])(TEXT)


def test_predict_does_not_touch_the_docs(make_nlp):
    nlp = make_nlp()
    doc = nlp.make_doc(TEXT)
    before = doc.to_bytes()
    scores = nlp.get_pipe("luke_ner").predict([doc])
    assert doc.to_bytes() == before
    assert [TEXT[s.char_start : s.char_end] for s in scores[0]] == [text for text, _ in FOUND]


def test_pipe_keeps_order_and_contexts(make_nlp):
    nlp = make_nlp()
    texts = ["東京", "", TEXT * 30, "大阪", " ", "山田花子"] * 5
    docs = list(nlp.pipe([(text, i) for i, text in enumerate(texts)], as_tuples=True, batch_size=7))
    assert [(doc.text, i) for doc, i in docs] == [(text, i) for i, text in enumerate(texts)]
    alone = [[span[:3] for span in nlp(text)._.luke_entities] for text in texts]
    assert [[span[:3] for span in doc._.luke_entities] for doc, _ in docs] == alone


def test_one_bad_doc_goes_to_the_error_handler_alone(make_nlp):
    nlp = make_nlp()
    component = nlp.get_pipe("luke_ner")
    nlp("東京")  # loads
    encoder = component.model.attrs["encoder"]

    class Failing:
        def encode(self, text):
            if "悪" in text:
                raise RuntimeError("bad text")
            return encoder.encode(text)

    component.model.attrs["encoder"] = Failing()
    with pytest.raises(RuntimeError):
        list(nlp.pipe(["東京", "悪", "大阪"]))
    failed = []
    nlp.set_error_handler(lambda name, proc, docs, error: failed.append((name, [doc.text for doc in docs])))
    docs = list(nlp.pipe(["東京", "悪い", "大阪", "悪", "京都"], batch_size=5))
    assert [doc.text for doc in docs] == ["東京", "大阪", "京都"]
    assert all(doc.ents for doc in docs)
    assert failed == [("luke_ner", ["悪い"]), ("luke_ner", ["悪"])]


def test_loading_happens_once_and_late(make_nlp, monkeypatch):
    from spacy_luke_ja.models.hf_shim import HFShim

    loads = []
    load = HFShim.load
    monkeypatch.setattr(HFShim, "load", lambda self, *args, **kwargs: (loads.append(1), load(self, *args, **kwargs)))
    nlp = make_nlp()
    assert set(nlp.get_pipe("luke_ner").labels) >= {"人名", "地名"}
    assert not loads
    list(nlp.pipe(["東京"] * 3, batch_size=1))
    nlp("大阪")
    assert len(loads) == 1


def test_processes(make_nlp):
    nlp = make_nlp()
    expected = [ents(doc) for doc in nlp.pipe([TEXT, "大阪"] * 6)]  # loaded, and PyTorch's threads are running
    docs = list(nlp.pipe([TEXT, "大阪"] * 6, n_process=2, batch_size=3))
    assert [ents(doc) for doc in docs] == expected
    assert docs[0]._.luke_entities and docs[0].ents[0]._.luke_score > 0.9


def test_threads_load_once(make_nlp):
    from concurrent.futures import ThreadPoolExecutor

    nlp = make_nlp()
    component = nlp.get_pipe("luke_ner")
    docs = [nlp.make_doc(TEXT) for _ in range(8)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda doc: component.predict([doc])[0], docs))
    assert all(spans == found[0] for spans in found)


def test_analysis_selection_and_meta(make_nlp):
    nlp = make_nlp()
    nlp.add_pipe("sentencizer", first=True)
    analysis = nlp.analyze_pipes(keys=["assigns"])
    assert set(analysis["summary"]["luke_ner"]["assigns"]) == {
        "doc.ents",
        "doc.spans",
        "token.ent_iob",
        "token.ent_type",
    }
    assert nlp.get_pipe_meta("luke_ner").retokenizes
    with nlp.select_pipes(disable="luke_ner"):
        assert not nlp(TEXT).ents
    assert ents(nlp(TEXT)) == FOUND
    assert nlp.meta["labels"]["luke_ner"][0] == "その他の組織名"


def test_results_survive_bytes_and_docbin(make_nlp):
    nlp = make_nlp()
    doc = nlp(TEXT)
    scores = [ent._.luke_score for ent in doc.ents]
    bin_ = DocBin(store_user_data=True, docs=[doc])
    for loaded in (
        Doc(nlp.vocab).from_bytes(doc.to_bytes()),
        *DocBin().from_bytes(bin_.to_bytes()).get_docs(nlp.vocab),
    ):
        assert ents(loaded) == FOUND
        assert [ent._.luke_score for ent in loaded.ents] == scores
        assert loaded._.luke_entities == doc._.luke_entities
        assert loaded._.luke_alignment == doc._.luke_alignment


def test_displacy_has_the_eight_colours(make_nlp):
    from spacy import displacy

    from spacy_luke_ja.colors import DISPLACY_COLORS
    from spacy_luke_ja.stockmark_labels import LABELS

    assert set(DISPLACY_COLORS) == set(LABELS)
    html = displacy.render(make_nlp()(TEXT), style="ent", page=True, jupyter=False)
    assert DISPLACY_COLORS["人名"] in html and DISPLACY_COLORS["地名"] in html


def test_pickling_and_copying(make_nlp):
    import copy

    nlp = make_nlp()
    unloaded = pickle.loads(pickle.dumps(nlp.get_pipe("luke_ner").model))
    assert unloaded.name == nlp.get_pipe("luke_ner").model.name
    nlp("東京")
    component = pickle.loads(pickle.dumps(nlp.get_pipe("luke_ner")))
    assert [s[:3] for s in component.predict([nlp.make_doc("東京都")])[0]] == [(0, 3, "地名")]
    copied = copy.deepcopy(nlp.get_pipe("luke_ner").model)
    assert copied.get_ref("classifier").shims[0].is_loaded


def test_spacys_own_tokenizer_works(checkpoints):
    nlp = spacy.blank("ja")
    nlp.add_pipe("luke_ner", config={"model": {"name": str(checkpoints["luke"]), "overlap": 8}})
    assert ents(nlp(TEXT)) == FOUND


def test_memory_zone(make_nlp):
    nlp = make_nlp()
    with nlp.memory_zone():
        assert [ents(doc) for doc in nlp.pipe([TEXT] * 3)] == [FOUND] * 3
    assert ents(nlp(TEXT)) == FOUND


def test_the_embedded_checkpoint_is_the_default():
    nlp = spacy_luke_ja.blank()
    component = nlp.add_pipe("luke_ner")
    assert len(component.labels) == 8
    assert ents(nlp("山田太郎は日本の政治家。"))[0][1] == "人名"


def test_a_long_text_with_split_tokens(make_nlp):
    text = ("訪日した独伊の首相。" + "ひらがなだけのぶんしょうもあります。" * 55) * 100
    assert len(text) == 100_000
    nlp = make_nlp(model={"max_batch_subwords": 8192})
    nlp.add_pipe("sentencizer", first=True)
    doc = nlp(text)
    assert doc.text == text
    assert ents(doc) == [("日", "地名"), ("独", "地名"), ("伊", "地名")] * 100
    assert doc._.luke_alignment["split"] == 300
    assert all(sent.text.endswith("。") for sent in doc.sents)


def test_the_score_is_of_our_entities_only(make_nlp):
    nlp = make_nlp()
    doc = nlp.make_doc("東京と大阪")
    doc.ents = [Span(doc, 0, 1, label="OLD")]
    old, new = nlp(doc).ents
    assert old._.luke_score is None and new._.luke_score > 0.9


def test_two_components_by_default_keep_apart(make_nlp, checkpoints):
    nlp = make_nlp()
    nlp.add_pipe("luke_ner", name="second", config={"model": {"name": str(checkpoints["xlmr"]), "overlap": 8}})
    doc = nlp(TEXT)
    assert set(doc.spans) == {"luke_ner", "second"} and ents(doc) == FOUND
    assert sum(doc._.luke_alignment.values()) == len(doc._.luke_entities) == 2 * len(FOUND) - 1


def test_a_checkpoint_from_the_hub_cache(make_nlp, hub_cache):
    nlp = make_nlp("someone/luke-ner", model={"revision": hub_cache})
    component = nlp.get_pipe("luke_ner")
    assert component.labels == ()  # nothing is looked up before it is needed
    assert component.add_label("地名") == 1 and component.add_label("魚") == 1
    assert ents(nlp(TEXT)) == FOUND
    assert component.labels[-1] == "魚" and len(component.labels) == 9


def test_a_threshold_for_a_label_that_is_none(make_nlp):
    with pytest.raises(ValueError, match="threshold names LOC, but the labels are"):
        make_nlp(threshold={"LOC": 0.5})(TEXT)


def test_merged_tokens_before(make_nlp):
    nlp = make_nlp(split_mode="C")
    doc = nlp.make_doc("彼が国会議員東京何何")
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:2])
        retokenizer.merge(doc[len(doc) - 2 :])
    assert ents(nlp(doc)) == [("国会", "政治的組織名"), ("東京", "地名")]


def test_a_warning_made_an_error_is_raised(make_nlp):
    nlp = make_nlp(alignment_mode="strict")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        with pytest.raises(UserWarning, match="alignment_mode"):
            nlp("訪日した")


def test_merge_entities_after_a_split(make_nlp):
    nlp = make_nlp()
    nlp.add_pipe("merge_entities")
    doc = nlp(TEXT)
    assert [token.text for token in doc if token.ent_type_] == [text for text, _ in FOUND]
    assert [ent.root.text for ent in doc.ents] == [text for text, _ in FOUND]
    assert all(ent._.luke_score > 0.9 for ent in doc.ents)


def test_scores_do_not_hang_on_the_group_of_spans(make_nlp):
    doc = make_nlp(spans_key="found")(TEXT)
    scores = {ent.text: ent._.luke_score for ent in doc.ents}
    doc.spans["found"] = [span for span in doc.spans["found"] if span.label_ == "地名"]
    assert {ent.text: ent._.luke_score for ent in doc.ents} == scores


def test_a_part_of_a_doc_has_its_own_entities(make_nlp):
    doc = make_nlp()(TEXT)
    part = doc[5:].as_doc(copy_user_data=True)
    assert [part.text[start:end] for start, end, *_ in part._.luke_entities] == [ent.text for ent in doc.ents[2:]]
    assert [ent._.luke_score for ent in part.ents] == [ent._.luke_score for ent in doc.ents[2:]]
