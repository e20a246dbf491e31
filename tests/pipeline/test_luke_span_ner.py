"""luke_span_ner: candidate spans in, entities out; it computes LUKE's head, learns, is scored, and is saved."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.util import fix_random_seed
from thinc.api import Adam

import spacy_luke_ja
import toys
from spacy_luke_ja import CharSpan, make_example
from spacy_luke_ja.models.spans import SPANS, SpanLogits, find_owners
from spacy_luke_ja.pipeline.spans_doc import annotate_spans
from spacy_luke_ja.pipeline.spans_loss import spans_loss
from spacy_luke_ja.text.spans import find_candidates, find_spans, keep_apart, units_of_subwords, units_of_tokens
from spacy_luke_ja.text.subwords import Subwords
from spacy_luke_ja.text.windows import Window

LABELS = ["NIL", "人名", "地名"]
TEXT = "山田花子は東京へ行った。"


@pytest.fixture(scope="module")
def spanner(tmp_path_factory):
    return toys.write_luke(tmp_path_factory.mktemp("spans") / "luke", task="EntitySpanClassification", tags=LABELS)


def make_nlp(name, *, model=None, **config):
    nlp = spacy_luke_ja.blank()
    settings = {"name": str(name), "precision": "float32", "training_precision": "float32", **(model or {})}
    nlp.add_pipe("luke_span_ner", config={"model": settings, **config})
    return nlp


def group_of(doc, key="luke_span_ner"):
    group = doc.spans[key]
    return [(span.text, span.label_, round(score, 4)) for span, score in zip(group, group.attrs["scores"])]


def ask(nlp, text):
    pipe = nlp.get_pipe("luke_span_ner")
    pipe.load()
    return pipe.model.predict([pipe._ask(nlp.make_doc(text))])[0]


@pytest.mark.parametrize("aware", [True, False])
@pytest.mark.parametrize("text, settings", [
    (TEXT, {}), (TEXT, {"max_spans": 7}), ("訪日した独伊の首相。㈱日立製作所", {"edges": "token", "max_span_length": 3}),
    ("株式会社カタカナのドーム、", {"max_span_length": 40}),
])  # fmt: skip
def test_it_computes_what_transformers_computes_of_spans(tmp_path, aware, text, settings):
    from transformers import LukeConfig, LukeForEntitySpanClassification

    source = toys.write_luke(tmp_path / "luke", task="EntitySpanClassification", tags=LABELS)
    config = LukeConfig.from_pretrained(source)
    config.use_entity_aware_attention = aware
    theirs = LukeForEntitySpanClassification(config).eval()
    toys.spread_out(theirs, std=0.2)
    toys.write_files(source, theirs, config, weights="model.safetensors")
    nlp = make_nlp(source, **settings)
    pipe = nlp.get_pipe("luke_span_ner")
    item = SPANS.encode(pipe.subword_encoder, [pipe._ask(nlp.make_doc(text))])[0]
    found = ask(nlp, text)
    assert len(found.logits) == len(item.candidates) > 5
    for first in range(0, len(item.candidates), pipe.max_spans):
        spans = item.candidates[first : first + pipe.max_spans, :2] + 1  # behind <s>
        positions = np.full((1, len(spans), 30), -1)
        for row, (start, end) in zip(positions[0], spans):
            own = np.arange(start, end)[:30]
            row[: len(own)] = own
        with torch.no_grad():
            expected = theirs(
                torch.tensor([[0, *item.subwords.ids, 2]]),
                entity_ids=torch.zeros((1, len(spans)), dtype=torch.long),
                entity_position_ids=torch.tensor(positions),
                entity_start_positions=torch.tensor(spans[None, :, 0]),
                entity_end_positions=torch.tensor(spans[None, :, 1] - 1),
            ).logits[0]
        np.testing.assert_allclose(found.logits[first : first + pipe.max_spans], expected, atol=1e-5)


def subwords_of(*pieces):
    """pieces: texts; "" has no character, and "=" those of the one before."""
    offsets, end = [], 0
    for piece in pieces:
        start, end = (offsets[-1][0] if piece == "=" else end), end + (0 if piece == "=" else len(piece))
        offsets.append((start, end))
    text = "".join(piece for piece in pieces if piece != "=")
    return Subwords(text, np.arange(len(pieces)), np.array(offsets).reshape(-1, 2))


@pytest.mark.parametrize("pieces, most, expected", [
    (["東京", "都", "知事"], 2, ["東京", "東京都", "都", "都知事", "知事"]),
    (["東京", "都", "知事"], 16, ["東京", "東京都", "東京都知事", "都", "都知事", "知事"]),
    (["", "東京", "", "都"], 2, ["東京", "都"]),
    (["㈱", "=", "=", "日立"], 3, ["㈱", "日立"]),
    (["㈱", "=", "=", "日立"], 4, ["㈱", "㈱日立", "日立"]),
    (["東京"], 1, ["東京"]), ([""], 16, []), ([], 16, []),
])  # fmt: skip
def test_candidates_are_runs_of_subwords(pieces, most, expected):
    subwords = subwords_of(*pieces)
    candidates = find_candidates(units_of_subwords(subwords), most)
    assert [subwords.text[start:end] for *_, start, end in candidates] == expected
    for first, last, start, end in candidates:
        own = subwords.char_offsets[first:last]
        assert own[0, 0] == start and own[-1, 1] == end and last - first <= most


@pytest.mark.parametrize("pieces, tokens, most, expected", [
    (["東京", "都知", "事"], [(0, 3), (3, 5)], 2, ["東京都", "知事"]),
    (["東京", "都知", "事"], [(0, 3), (3, 5)], 3, ["東京都", "東京都知事", "知事"]),
    (["東京都知事"], [(0, 3), (3, 5)], 1, ["東京都知事"]),  # all are the same subword
    (["日立", "製作所"], [(0, 2), (2, 4), (4, 5)], 2, ["日立", "日立製作所", "製作所"]),
    (["東京", " ", "都"], [(0, 2), (2, 3), (3, 4)], 16, ["東京", "東京 都", "都"]),
    (["東京"], [], 16, []),
])  # fmt: skip
def test_candidates_are_runs_of_tokens(pieces, tokens, most, expected):
    subwords = subwords_of(*pieces)
    candidates = find_candidates(units_of_tokens(subwords, np.array(tokens, dtype="int64").reshape(-1, 2)), most)
    assert [subwords.text[start:end] for *_, start, end in candidates] == expected


def test_a_candidate_is_read_where_it_has_most_around_it():
    windows = [Window(0, 10, 0, 8), Window(6, 16, 8, 16), Window(16, 20, 16, 20)]
    spans = [(0, 2), (7, 10), (7, 11), (8, 10), (15, 16), (15, 17), (16, 20)]
    assert find_owners(np.array(spans), windows).tolist() == [0, 0, 1, 1, 1, -1, 2]


@pytest.mark.parametrize("spans, flat, nested", [
    (["0-4 .9", "0-2 .8", "5-7 .7"], ["0-4", "5-7"], ["0-4", "0-2", "5-7"]),
    (["0-2 .9", "0-4 .8"], ["0-2"], ["0-4", "0-2"]),
    (["0-3 .9", "2-5 .8", "3-5 .7"], ["0-3", "3-5"], ["0-3", "3-5"]),
    (["2-5 .9", "0-3 .8", "3-4 .7"], ["2-5"], ["2-5", "3-4"]),
    ([], [], []),
])  # fmt: skip
def test_surer_spans_come_first(spans, flat, nested):
    read = [CharSpan(*map(int, own.split()[0].split("-")), "X", float(own.split()[1])) for own in spans]
    show = lambda kept: [f"{own.char_start}-{own.char_end}" for own in kept]
    assert show(keep_apart(read, nested=False)) == flat and show(keep_apart(read, nested=True)) == nested


def test_many_spans_are_kept_apart_at_once():
    generator = np.random.default_rng(0)
    starts, lengths = generator.integers(0, 5000, 20000), generator.integers(1, 20, 20000)
    spans = [CharSpan(int(a), int(a + n), "X", 1 - i / 20000) for i, (a, n) in enumerate(zip(starts, lengths))]
    flat, nested = keep_apart(spans, nested=False), keep_apart(spans, nested=True)
    assert all(a.char_end <= b.char_start for a, b in zip(flat, flat[1:])) and len(flat) < len(nested)
    open_ends = []
    for span in nested:  # as brackets are
        while open_ends and open_ends[-1] <= span.char_start:
            open_ends.pop()
        assert not open_ends or span.char_end <= open_ends[-1]
        open_ends.append(span.char_end)


def test_spans_are_found_by_their_logits():
    logits = np.array([[2.0, 1.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 1.0], [-np.inf] * 3], dtype="float32")
    chars = np.array([(0, 1), (0, 2), (2, 3), (4, 5)])
    found = find_spans(chars, logits, LABELS, none="NIL", threshold=0.0)
    assert [own[:3] for own in found] == [(0, 2, "人名"), (2, 3, "地名")] and found[0].score == pytest.approx(
        0.9094, abs=1e-4
    )
    assert len(find_spans(chars, logits, LABELS, none="NIL", threshold=0.6)) == 1
    assert find_spans(chars[:0], logits[:0], LABELS, none="NIL", threshold=0.0) == []


@pytest.mark.parametrize("mode, ents, group", [
    ("split", ["日", "独"], ["日", "日した", "独"]), ("expand", ["訪日", "独伊"], ["訪日", "訪日した", "独伊"]),
    ("contract", ["した"], ["した"]), ("strict", [], []),
])  # fmt: skip
def test_spans_reach_tokens_as_alignment_mode_says(mode, ents, group):
    nlp = spacy_luke_ja.blank()
    doc = nlp.make_doc("訪日した独伊。")
    doc = Doc(nlp.vocab, words=["訪日", "し", "た", "独伊", "。"], spaces=[False] * 5)
    spans = [CharSpan(1, 2, "地名", 0.9), CharSpan(1, 4, "事", 0.5), CharSpan(4, 5, "地名", 0.8)]
    annotate_spans(doc, spans, alignment_mode=mode, nested=True, spans_key="k", ents_filter=None)
    assert [ent.text for ent in doc.ents] == ents
    assert sorted(span.text for span in doc.spans["k"]) == sorted(group)
    assert len(doc.spans["k"].attrs["scores"]) == len(group)


def test_long_texts_and_odd_ones_are_read(spanner):
    nlp = make_nlp(spanner, model={"window": 20})
    text = "\n" + TEXT * 20 + "カタカナ" * 40
    char_spans, logits = ask(nlp, text)
    is_read = np.isfinite(logits).all(axis=1)
    assert is_read.mean() > 0.6  # others go on in the next sentence
    lengths = {end - start for start, end in char_spans[is_read].tolist()}
    assert min(lengths) == 1 and max(lengths) >= 10
    covered = {char for start, end in char_spans[is_read].tolist() for char in range(start, end)}
    assert covered == set(range(1, len(text)))
    first = [own for own in zip(char_spans.tolist(), logits) if own[0][1] <= len(TEXT) + 1]
    again = {tuple(own): logits for own, logits in zip(*ask(make_nlp(spanner, max_spans=10**6), text))}
    assert set(again) == set(map(tuple, char_spans.tolist())) and first
    assert nlp("").text == "" and not nlp("\n \n").ents


def test_pipe_threads_and_settings(spanner):
    nlp = make_nlp(spanner, nested=True)
    pipe = nlp.get_pipe("luke_span_ner")
    texts = [text for text, _ in toys.EXAMPLES]
    expected = [group_of(doc) for doc in nlp.pipe(texts)]
    assert any(expected)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda text: group_of(nlp(text)), texts * 3)) == expected * 3
    failed = []
    pipe.set_error_handler(lambda name, own, failing, error: failed.extend(failing))
    predict = pipe.predict
    pipe.predict = lambda docs: 1 / 0 if any("国会" in doc.text for doc in docs) else predict(docs)
    assert [group_of(doc) for doc in nlp.pipe(texts)] == [
        own for text, own in zip(texts, expected) if "国会" not in text
    ]
    assert len(failed) == 1
    pipe.predict = predict
    for doc in nlp.pipe(texts):
        ents = [(ent.text, ent.label_) for ent in doc.ents]
        assert set(ents) <= {own[:2] for own in group_of(doc)}
    pipe.nested, pipe.threshold, pipe.spans_key = False, 0.5, "k"
    doc = nlp(TEXT)
    assert [ent.text for ent in doc.ents] == [own[0] for own in group_of(doc, "k")] and "luke_span_ner" not in doc.spans
    assert all(own[2] >= 0.5 for own in group_of(doc, "k"))
    again = Doc(nlp.vocab).from_bytes(doc.to_bytes())
    assert group_of(again, "k") == group_of(doc, "k")
    with again.retokenize() as retokenizer:
        retokenizer.merge(again[:])
    assert len(again.spans["k"]) == len(again.spans["k"].attrs["scores"])
    assert list(DocBin(docs=[doc]).get_docs(nlp.vocab))[0].spans["k"].attrs["scores"]


@pytest.mark.parametrize("edges", ["subword", "token"])
def test_it_learns_spans_is_scored_and_is_saved(checkpoints, tmp_path, edges):
    fix_random_seed(0)
    nlp = make_nlp(checkpoints["random_luke"], edges=edges, max_span_length=6)
    pipe = nlp.get_pipe("luke_span_ner")
    with pytest.raises(ValueError, match="is a LukeForTokenClassification: it has no classifier for EntitySpanClass"):
        pipe.load()
    examples = [make_example(nlp, text, spans) for text, spans in toys.EXAMPLES[:3]]
    nlp.initialize(lambda: examples)
    assert pipe.labels == ("人名", "地名", "政治的組織名", "法人名") and pipe.label_data == list(pipe.labels)
    optimizer = Adam(5e-3)
    losses = [nlp.update(examples, sgd=optimizer, losses={})["luke_span_ner"] for _ in range(60)]
    assert losses[-1] < 0.2 * losses[0]
    scores = nlp.evaluate(examples)
    assert scores["spans_f"] == scores["ents_f"] == 1.0 and scores["spans_per_type"]["地名"]["support"] == 2
    text = examples[0].text
    expected = group_of(nlp(text))
    nlp.to_disk(tmp_path)
    for again in (
        spacy.load(tmp_path),
        make_nlp(checkpoints["random_luke"], edges=edges, max_span_length=6).from_bytes(nlp.to_bytes()),
    ):
        assert group_of(again(text)) == expected
    saved = json.loads((tmp_path / "luke_span_ner" / "model" / "config.json").read_bytes())
    assert saved["architectures"] == ["LukeForEntitySpanClassification"] and saved["entity_vocab_size"] == 4


def test_nested_spans_are_learned(checkpoints):
    fix_random_seed(0)
    nlp = make_nlp(checkpoints["random_luke"], nested=True, max_span_length=6)
    gold = [(0, 4, "人名"), (0, 2, "姓"), (5, 7, "地名")]
    reference = nlp.make_doc(TEXT)
    reference.spans["luke_span_ner"] = [reference.char_span(*own) for own in gold]
    examples = [Example(nlp.make_doc(TEXT), reference)]
    nlp.initialize(lambda: examples)
    optimizer = Adam(5e-3)
    for _ in range(60):
        nlp.update(examples, sgd=optimizer)
    doc = nlp(TEXT)
    assert [own[:2] for own in group_of(doc)] == [("山田花子", "人名"), ("山田", "姓"), ("東京", "地名")]
    assert len(doc.ents) == 2 and nlp.evaluate(examples)["spans_f"] == 1.0


def test_gold_that_is_no_candidate_is_counted(checkpoints, caplog):
    nlp = make_nlp(checkpoints["random_luke"], edges="token", max_span_length=2)
    examples = [make_example(nlp, "訪日した山田花子。", [(1, 2, "地名"), (4, 8, "人名")])]
    with caplog.at_level("WARNING"):
        nlp.initialize(lambda: examples)
    assert "1 of 2 gold spans are no candidates, '日', say" in caplog.text
    nlp.update(examples)
    with pytest.raises(ValueError, match="the examples have the labels 魚, but the component knows 人名, 地名"):
        nlp.update([make_example(nlp, TEXT, [(0, 4, "魚")])])


def test_loss_of_spans():
    logits = np.array([[2.0, -1.0, 0.5], [0.0, 1.0, -1.0], [-np.inf] * 3], dtype="float32")
    output = SpanLogits(np.array([(0, 1), (0, 2), (1, 2)]), logits)
    loss, (gradient,), n = spans_loss([output], [{(0, 1): "地名"}], [None], LABELS, none="NIL")
    tensor = torch.tensor(logits[:2].astype("float64"), requires_grad=True)
    expected = torch.nn.functional.cross_entropy(tensor, torch.tensor([2, 0]), reduction="sum")
    expected.backward()
    assert n == 2 and loss == pytest.approx(expected.item())
    np.testing.assert_allclose(gradient, [*tensor.grad.tolist(), [0.0] * 3], atol=1e-6)
    _, (gradient,), _ = spans_loss([output], [{(0, 1): "地名"}], [["地名"]], LABELS, none="NIL")
    assert not gradient[:, 1].any() and gradient[:2, 2].all()


def test_what_luke_span_ner_cannot_read_is_named(checkpoints, spanner, tmp_path):
    with pytest.raises(ValueError, match="is of the type xlm-roberta, which knows no entities; a LUKE is needed"):
        make_nlp(checkpoints["xlmr"])(TEXT)
    other = toys.write_luke(tmp_path / "pairs", task="EntityPairClassification", tags=LABELS)
    with pytest.raises(ValueError, match="is a LukeForEntityPairClassification: it has no classifier for EntitySpan"):
        make_nlp(other)(TEXT)
    with pytest.raises(
        ValueError, match="no_entity is O, and the checkpoint .* has no such label, only NIL, 人名, 地名"
    ):
        make_nlp(spanner, no_entity="O")(TEXT)
    for setting in (
        {"edges": "character"},
        {"max_span_length": 0},
        {"max_spans": 0},
        {"no_entity": ""},
        {"threshold": 2.0},
    ):
        with pytest.raises(ValueError, match=next(iter(setting))):
            make_nlp(spanner, **setting)
