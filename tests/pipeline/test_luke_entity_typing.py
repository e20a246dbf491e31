"""luke_entity_typing: mentions in, types out; it computes LUKE's head, learns, is scored, and is saved."""

import json

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc, DocBin
from spacy.util import fix_random_seed
from thinc.api import Adam

import spacy_luke_ja
import toys
from spacy_luke_ja import make_typing_example
from spacy_luke_ja.models.hf_checkpoint import open_checkpoint
from spacy_luke_ja.pipeline.typing_loss import typing_loss
from spacy_luke_ja.text.typing import find_types, make_type_targets
from spacy_luke_ja.training.outputs import directory_for_pipeline
from spacy_luke_ja.typing_data import get_gold_types, get_typed_mentions

TYPES = ["人", "場所", "組織", "都市"]
TEXT = "山田花子は東京へ行った。"
# What a few steps must tell apart by the mention and by its context.
DATA = [
    (TEXT, [(0, 4, ["人"]), (5, 7, ["場所", "都市"])]),
    ("大阪の国会に日立製作所。", [(0, 2, ["場所", "都市"]), (3, 5, ["組織"]), (6, 11, ["組織"]), (5, 6, [])]),
]


@pytest.fixture(scope="module")
def typer(tmp_path_factory):
    path = tmp_path_factory.mktemp("typing") / "luke"
    return toys.write_luke(path, task="EntityClassification", tags=TYPES)


def make_nlp(name, *, model=None, **config):
    nlp = spacy_luke_ja.blank()
    settings = {"name": str(name), "precision": "float32", "training_precision": "float32", **(model or {})}
    nlp.add_pipe("luke_entity_typing", config={"model": settings, **config})
    return nlp


def read(nlp, text, mentions, key=None):
    """What the pipeline says of a text that has these mentions."""
    example = make_typing_example(nlp, text, [(*chars, []) for chars in mentions], mentions_key=key)
    return next(nlp.pipe([example.predicted]))


def types_of(doc):
    return [(ent.text, ent._.luke_types) for ent in doc.ents]


@pytest.mark.parametrize("aware", [True, False])
def test_it_computes_what_transformers_computes(typer, tmp_path, aware):
    from transformers import LukeConfig, LukeForEntityClassification

    source = toys.write_luke(tmp_path / "luke", task="EntityClassification", tags=TYPES)
    config = LukeConfig.from_pretrained(source)
    config.use_entity_aware_attention = aware
    theirs = LukeForEntityClassification(config).eval()
    toys.spread_out(theirs, std=0.2)
    toys.write_files(source, theirs, config, weights="model.safetensors")
    nlp = make_nlp(source, threshold=0.0)
    doc = read(nlp, TEXT, [(0, 4), (5, 7)])
    encoded = nlp.get_pipe("luke_entity_typing").subword_encoder.encode(TEXT)
    mask, marker = 0, json.loads((source / "added_tokens.json").read_bytes())["<ent>"]
    for ent in doc.ents:
        inside = (encoded.char_offsets[:, 0] < ent.end_char) & (encoded.char_offsets[:, 1] > ent.start_char)
        first, last = np.flatnonzero(inside & (encoded.char_offsets[:, 0] < encoded.char_offsets[:, 1]))[[0, -1]]
        ids = [0, *encoded.ids[:first], marker, *encoded.ids[first : last + 1], marker, *encoded.ids[last + 1 :], 2]
        positions = torch.arange(first + 1, last + 4)[None, None]
        with torch.no_grad():
            entity = torch.tensor([[mask]])
            logits = theirs(torch.tensor([ids]), entity_ids=entity, entity_position_ids=positions).logits[0]
        expected = dict(zip(TYPES, torch.sigmoid(logits).tolist()))
        assert dict(ent._.luke_types) == {label: pytest.approx(p, abs=1e-5) for label, p in expected.items()}


# The ids of transformers 4's MLukeTokenizer, which cuts the text at the mention, in pieces of the toy.
PUBLISHED = [
    ("山田花子は東京へ", (5, 7), ["▁", "山田", "花子", "は", "<ent>", "▁", "東京", "<ent>", "▁", "へ"]),
    ("大阪の国会", (0, 2), ["<ent>", "▁", "大阪", "<ent>", "▁", "の", "国会"]),
    ("東京 大阪", (3, 5), ["▁", "東京", "<ent>", "▁", "大阪", "<ent>"]),
]


@pytest.mark.parametrize("text, mention, pieces", PUBLISHED)
def test_the_published_way_of_cutting(typer, tmp_path, text, mention, pieces):
    from transformers import LukeForEntityClassification

    theirs = LukeForEntityClassification.from_pretrained(typer).float().eval()
    sp, marker = toys.processor(), json.loads((typer / "added_tokens.json").read_bytes())["<ent>"]
    to_id = lambda piece: marker if piece == "<ent>" else (sp.piece_to_id(piece) or 2) + 1
    ids = [0, *map(to_id, pieces), 2]
    first, last = (i for i, own in enumerate(ids) if own == marker)
    with torch.no_grad():
        positions = torch.arange(first, last + 1)[None, None]
        logits = theirs(torch.tensor([ids]), entity_ids=torch.tensor([[0]]), entity_position_ids=positions).logits[0]
    expected = {label: pytest.approx(p, abs=1e-5) for label, p in zip(TYPES, torch.sigmoid(logits).tolist())}
    nlp = make_nlp(typer, threshold=0.0, cut_at_mentions=True)
    other = {"東京": (0, 2), "山田": (0, 4)}.get(text[:2], mention)
    doc = read(nlp, text, sorted({other, mention}))  # each is read with the text cut at it alone
    assert dict(next(ent for ent in doc.ents if ent.start_char == mention[0])._.luke_types) == expected
    nlp.to_disk(tmp_path)
    again = spacy.load(tmp_path)
    assert types_of(read(again, text, [mention]))[0][1] == types_of(read(nlp, text, [mention]))[0][1]
    nlp.get_pipe("luke_entity_typing").cut_at_mentions = False
    assert dict(types_of(read(nlp, text, [mention]))[0][1]) != expected


def test_what_is_trained_cut_is_read_cut(checkpoints):
    fix_random_seed(0)
    nlp = make_nlp(checkpoints["random_luke"], cut_at_mentions=True)
    examples = [make_typing_example(nlp, text, mentions) for text, mentions in DATA]
    nlp.initialize(lambda: examples)
    optimizer = Adam(5e-3)
    for _ in range(60):
        nlp.update(examples, sgd=optimizer)
    assert nlp.evaluate(examples)["typing_f"] > 0.9


def test_mentions_of_long_texts_and_odd_ones_are_read(typer):
    nlp = make_nlp(typer, threshold=0.0)
    text = "\n" + TEXT * 40 + "大阪" * 80
    places = [(0, 1), (1, 5), (len(TEXT) * 20 + 1, len(TEXT) * 20 + 5), (len(text) - 160, len(text))]
    doc = read(nlp, text, places)
    found = [len(own) for _, own in types_of(doc)]
    assert found == [0, 4, 4, 4] and [ent.label_ for ent in doc.ents] == ["MENTION"] * 4
    assert read(nlp, "", []).text == "" and types_of(read(nlp, TEXT, [])) == []


def test_labels_are_overwritten_where_asked(typer):
    nlp = make_nlp(typer, threshold=0.0, overwrite_labels=True)
    doc = read(nlp, TEXT, [(0, 4), (5, 7)])
    assert [ent.label_ for ent in doc.ents] == [ent._.luke_types[0][0] for ent in doc.ents]
    nested = read(make_nlp(typer, threshold=0.0, overwrite_labels=True, mentions_key="m"), TEXT, [(0, 4), (0, 2)], "m")
    assert [span.label_ for span in nested.spans["m"]] == [span._.luke_types[0][0] for span in nested.spans["m"]]
    assert not nested.ents
    nlp.get_pipe("luke_entity_typing").threshold = 1.0
    assert [ent.label_ for ent in read(nlp, TEXT, [(0, 4)]).ents] == ["MENTION"]


def test_types_stay_with_their_characters(typer):
    nlp = make_nlp(typer, threshold=0.0)
    doc = read(nlp, TEXT, [(0, 4), (5, 7)])
    expected = types_of(doc)
    assert all(own for _, own in expected)
    stored = list(DocBin(docs=[doc], store_user_data=True).get_docs(nlp.vocab))[0]
    for again in (Doc(nlp.vocab).from_bytes(doc.to_bytes()), doc.copy(), stored):
        assert types_of(again) == expected
    assert types_of(Doc.from_docs([doc, doc])) == expected * 2
    assert types_of(doc[2:].as_doc(copy_user_data=True)) == expected[-1:]
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc.ents[0])
    assert types_of(doc) == expected
    assert [own.char_start for own in get_typed_mentions(next(nlp.pipe([doc])), "luke_entity_typing")] == [0, 5]


def test_it_learns_is_scored_and_is_saved(checkpoints, tmp_path):
    fix_random_seed(0)
    nlp = make_nlp(checkpoints["random_luke"])
    pipe = nlp.get_pipe("luke_entity_typing")
    with pytest.raises(ValueError, match="is a LukeForTokenClassification: it has no classifier for EntityClass"):
        pipe.load()
    examples = [make_typing_example(nlp, text, mentions) for text, mentions in DATA]
    nlp.initialize(lambda: examples)
    assert list(pipe.labels) == TYPES == pipe.label_data
    optimizer = Adam(5e-3)
    losses = [nlp.update(examples, sgd=optimizer, losses={})["luke_entity_typing"] for _ in range(60)]
    assert losses[-1] < 0.2 * losses[0]
    scores = nlp.evaluate(examples)
    assert scores["typing_f"] > 0.9 and scores["typing_per_type"]["組織"]["support"] == 2
    expected = types_of(next(nlp.pipe([examples[0].predicted.copy()])))
    nlp.to_disk(tmp_path)
    assert directory_for_pipeline(tmp_path) == tmp_path  # another may be written over it
    loaded = spacy.load(tmp_path)
    for again in (loaded, make_nlp(checkpoints["random_luke"]).from_bytes(nlp.to_bytes())):
        found = types_of(next(again.pipe([examples[0].predicted.copy()])))
        assert [(text, dict(own)) for text, own in found] == [
            (text, {label: pytest.approx(p, abs=1e-5) for label, p in own}) for text, own in expected
        ]
    saved = json.loads((tmp_path / "luke_entity_typing" / "model" / "config.json").read_bytes())
    assert saved["architectures"] == ["LukeForEntityClassification"] and saved["entity_vocab_size"] == 4
    again = make_nlp(tmp_path / "luke_entity_typing" / "model")
    again.initialize(lambda: examples)
    assert again.evaluate(examples)["typing_f"] == scores["typing_f"]


def test_what_cannot_be_is_said(checkpoints, typer, tmp_path):
    with pytest.raises(ValueError, match="is of the type xlm-roberta, which knows no entities; a LUKE is needed"):
        read(make_nlp(checkpoints["xlmr"]), TEXT, [(0, 4)])
    without = toys.write_luke(tmp_path / "luke", task="EntityClassification", tags=TYPES)
    (without / "added_tokens.json").unlink()
    with pytest.raises(ValueError, match="has no id for <ent>"):
        read(make_nlp(without), TEXT, [(0, 4)])
    with pytest.raises(ValueError, match="mentions_key must be a key of doc.spans, or None for doc.ents, got ''"):
        make_nlp(typer, mentions_key="")
    with pytest.raises(ValueError, match="takes no entities"):
        pytest.importorskip("openvino")
        model = {"@architectures": "spacy-luke-ja.OpenVINOModel.v1", "name": str(typer)}
        nlp = spacy_luke_ja.blank()
        nlp.add_pipe("luke_entity_typing", config={"model": model}).load()
    assert open_checkpoint(str(typer), with_entities=True).has_entities


def test_types_and_loss():
    logits = np.array([2.0, -1.0, 0.0])
    assert [label for label, _ in find_types(logits, "abc", 0.5)] == ["a", "c"]
    assert find_types(logits * 0 - np.inf, "abc", 0.0) == ()
    assert make_type_targets([["a", "x"], []], "abc").tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    outputs = [np.stack([logits, logits - np.inf]).astype("float32")]
    loss, gradients, n = typing_loss(outputs, [[["a"], ["b"]]], "abc")
    tensor = torch.tensor(logits, requires_grad=True)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        tensor, torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64), reduction="sum"
    )
    expected.backward()
    assert n == 3 and loss == pytest.approx(expected.item())
    np.testing.assert_allclose(gradients[0], [tensor.grad.tolist(), [0.0] * 3], atol=1e-6)


@pytest.mark.parametrize("record, message", [
    ({"text": TEXT}, "a record must be"),
    ({"text": TEXT, "spans": [{"start": 0, "end": 4}]}, "a span must be"),
    ({"text": TEXT, "spans": [{"start": 0, "end": 40, "types": []}]}, "must be characters of the text"),
    ({"text": TEXT, "spans": [{"start": 0, "end": n, "types": []} for n in (4, 2)]}, "name a group as mentions_key"),
])  # fmt: skip
def test_the_reader_refuses_and_skips(tmp_path, record, message):
    nlp, path = spacy_luke_ja.blank(), tmp_path / "data.jsonl"
    good = {"text": TEXT, "spans": [{"start": 0, "end": 4, "types": ["人"]}, {"start": 0, "end": 4, "types": ["女"]}]}
    path.write_text("\n".join(map(json.dumps, (good, record))), encoding="utf8")
    create = spacy.registry.readers.get("spacy-luke-ja.TypingCorpus.v1")
    with pytest.raises(ValueError, match=f"data.jsonl, line 2: .*{message}"):
        list(create(path)(nlp))
    with pytest.warns(UserWarning, match="1 of 2 records were skipped; the first is .*data.jsonl, line 2"):
        (example,) = create(path, on_bad_record="skip")(nlp)
    assert [[label for label, _ in own.types] for own in get_gold_types(example.reference)] == [["人", "女"]]
    assert [ent.text for ent in example.predicted.ents] == ["山田花子"] and not get_gold_types(example.predicted)
