"""luke_relations: pairs of mentions in, relations out; it computes LUKE's head, learns, is scored, and is saved."""

import json
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc, DocBin
from spacy.util import fix_random_seed
from thinc.api import Adam

import spacy_luke_ja
import toys
from spacy_luke_ja import Relation, make_relations_example, set_gold_relations
from spacy_luke_ja.models.hf_checkpoint import open_checkpoint
from spacy_luke_ja.models.hf_loader import build_module
from spacy_luke_ja.models.luke import LukeJoiningClassifier
from spacy_luke_ja.models.mentions import find_context, put_markers
from spacy_luke_ja.models.relations import RELATIONS
from spacy_luke_ja.models.task import Frame
from spacy_luke_ja.pipeline.relations_loss import relations_loss
from spacy_luke_ja.relations_data import get_gold_pairs
from spacy_luke_ja.text.mention_subwords import encode_cut_at, find_mentions
from spacy_luke_ja.text.relations import RelationLabels
from spacy_luke_ja.text.subwords import PairIds
from spacy_luke_ja.text.windows import Window

LABELS = ["no_relation", "勤務先", "訪問先"]
TEXT = "山田花子は東京へ行った。"
MENTIONS = [(0, 4, "人名"), (5, 7, "地名")]
DATA = [
    (TEXT, MENTIONS, [(0, 1, "訪問先")]),
    ("日立製作所の山田は大阪へ行った。", [(0, 5, "法人名"), (6, 8, "人名"), (9, 11, "地名")],
     [(1, 0, "勤務先"), (1, 2, "訪問先")]),
    ("国会は大阪にない。", [(0, 2, "政治的組織名"), (3, 5, "地名")], []),
]  # fmt: skip


@pytest.fixture(scope="module")
def relater(tmp_path_factory):
    return toys.write_luke(tmp_path_factory.mktemp("pairs") / "luke", task="EntityPairClassification", tags=LABELS)


def make_nlp(name, *, model=None, **config):
    nlp = spacy_luke_ja.blank()
    settings = {"name": str(name), "precision": "float32", "training_precision": "float32", **(model or {})}
    nlp.add_pipe("luke_relations", config={"model": settings, **config})
    return nlp


def read(nlp, text, mentions, key=None):
    """What the pipeline says of a text that has these mentions."""
    return next(nlp.pipe([make_relations_example(nlp, text, mentions, [], mentions_key=key).predicted]))


def relations_of(doc):
    return [(own.head.text, own.tail.text, own.label, round(own.score, 4)) for own in doc._.luke_relations]


@pytest.mark.parametrize("aware, cut", [(True, False), (False, False), (True, True)])
@pytest.mark.parametrize("text, mentions", [
    (TEXT, MENTIONS),
    ("東京の国会で山田花子が日立製作所と大阪の話をした。", [(0, 2, "地名"), (6, 10, "人名"), (11, 16, "法人名")]),
    ("株式会社カタカナのドーム、" + "日立製作所" * 7 + "。", [(0, 8, "法人名"), (13, 48, "法人名")]),  # 30 subwords at most
])  # fmt: skip
def test_it_computes_what_transformers_computes_of_pairs(tmp_path, aware, cut, text, mentions):
    from transformers import LukeConfig, LukeForEntityPairClassification

    source = toys.write_luke(tmp_path / "luke", task="EntityPairClassification", tags=LABELS)
    config = LukeConfig.from_pretrained(source)
    config.use_entity_aware_attention = aware
    theirs = LukeForEntityPairClassification(config).eval()
    toys.spread_out(theirs, std=0.2)
    toys.write_files(source, theirs, config, weights="model.safetensors")
    nlp = make_nlp(source, threshold=0.0, n_best=2, cut_at_mentions=cut)
    doc = read(nlp, text, mentions)
    encoder = nlp.get_pipe("luke_relations").subword_encoder
    added = json.loads((source / "added_tokens.json").read_bytes())
    assert len(doc._.luke_relations) == len(mentions) * (len(mentions) - 1)
    for found in doc._.luke_relations:
        pair = [found[:2], found[2:4]]
        encoded, places = encode_cut_at(encoder, text, pair if cut else [])
        places = places if cut else find_mentions(encoded, pair)
        # As MLukeTokenizer's _create_input_sequence does for entity_pair_classification.
        ids, spans, marks = list(encoded.ids), list(places), list(zip(places, (added["<ent>"], added["<ent2>"])))
        if places[0][0] < places[1][0]:
            spans = [(places[0][0], places[0][1] + 2), (places[1][0] + 2, places[1][1] + 4)]
            marks.reverse()
        else:
            spans = [(places[0][0] + 2, places[0][1] + 4), (places[1][0], places[1][1] + 2)]
        for (start, end), marker in marks:
            ids = ids[:end] + [marker] + ids[end:]
            ids = ids[:start] + [marker] + ids[start:]
        positions = np.full((1, 2, 30), -1)
        for row, (start, end) in zip(positions[0], spans):
            own = np.arange(start + 1, end + 1)[:30]
            row[: len(own)] = own
        with torch.no_grad():
            logits = theirs(
                torch.tensor([[0, *ids, 2]]),
                entity_ids=torch.tensor([[0, 3]]),
                entity_position_ids=torch.tensor(positions),
            ).logits[0]
        expected = dict(zip(LABELS, torch.softmax(logits, dim=0).tolist()))
        assert dict(found.n_best) == {own: pytest.approx(expected[own], abs=1e-5) for own in LABELS[1:]}
        assert (found.label, found.score) == found.n_best[0] == max(found.n_best, key=lambda own: own[1])


@pytest.mark.parametrize("mentions, expected, places", [
    ([(1, 2), (3, 4)], "a[b]c(d)e", [(1, 4), (5, 8)]),
    ([(3, 4), (1, 2)], "a(b)c[d]e", [(5, 8), (1, 4)]),
    ([(1, 2), (2, 3)], "a[b](c)de", [(1, 4), (4, 7)]),
    ([(2, 3), (1, 2)], "a(b)[c]de", [(4, 7), (1, 4)]),
    ([(1, 4), (1, 2)], "a[(b)cd]e", [(1, 8), (2, 5)]),
    ([(2, 4), (1, 4)], "a(b[cd])e", [(3, 7), (1, 8)]),
    ([(0, 3), (2, 5)], "[ab(c]de)", [(0, 6), (3, 9)]),
    ([(1, 2), (1, 2)], "a[(b)]cde", [(1, 6), (2, 5)]),
])  # fmt: skip
def test_markers_stand_around_their_mentions(mentions, expected, places):
    both = {0: "[]", 1: "()"}
    ids, found = put_markers(np.array([*map(ord, "abcde")]), mentions, [-1, -2])
    seen, text = {-1: 0, -2: 0}, ""
    for i in ids.tolist():
        text += chr(i) if i > 0 else both[-i - 1][seen[i]]
        seen[i] = seen.get(i, 0) + 1
    assert text == expected and found == places


@pytest.mark.parametrize("start, end, expected", [
    (1, 3, (0, 5)), (6, 8, (4, 10)), (4, 5, (0, 5)), (3, 8, (0, 10)), (4, 12, (0, 15)), (3, 21, (2, 22)), (12, 22, (10, 30)),
    (12, 31, (12, 32)), (25, 40, (20, 40)),
])  # fmt: skip
def test_what_is_read_around_subwords_are_whole_sentences(start, end, expected):
    sentences = [Window(a, b, a, b) for a, b in ((0, 5), (4, 10), (10, 15), (15, 30), (30, 40))]
    frame = Frame(PairIds((0,), (), (2,)), 1, max_window=20)
    first, last = find_context(start, end, sentences, 40, frame)
    assert (first, last) == expected and last - first <= 20 and first <= start and end <= last


def test_markers_have_the_ids_that_either_transformers_writes(relater, tmp_path):
    """The layout of transformers 5 has them in tokenizer.json or tokenizer_config.json, and no added_tokens.json."""
    import shutil

    expected = relations_of(read(make_nlp(relater, threshold=0.0), TEXT, MENTIONS))
    added = json.loads((relater / "added_tokens.json").read_bytes())
    for name, content in {
        "tokenizer_config.json": {"added_tokens_decoder": {str(i): {"content": own} for own, i in added.items()}},
        "tokenizer.json": {"added_tokens": [{"id": i, "content": own} for own, i in added.items()]},
    }.items():
        copy = tmp_path / name
        shutil.copytree(relater, copy)
        (copy / "added_tokens.json").unlink()
        (copy / name).write_text(json.dumps(content), encoding="utf8")
        assert relations_of(read(make_nlp(copy, threshold=0.0), TEXT, MENTIONS)) == expected
    frame = RELATIONS.frame(
        make_nlp(relater).get_pipe("luke_relations").subword_encoder, open_checkpoint(str(relater), with_entities=True)
    )
    assert frame.marker_ids == (added["<ent>"], added["<ent2>"]) and frame.entity_ids == (0, 3)


def test_distance_and_matcher_say_which_pairs_are_read(relater):
    nlp = make_nlp(relater, threshold=0.0)
    pipe = nlp.get_pipe("luke_relations")
    text, mentions = DATA[1][:2]
    pairs = lambda: [own[:2] for own in relations_of(read(nlp, text, mentions))]
    assert pairs() == [(a, b) for a in ("日立製作所", "山田", "大阪") for b in ("日立製作所", "山田", "大阪") if a != b]
    pipe.max_distance = 1
    assert len(pairs()) == 4 and ("日立製作所", "大阪") not in pairs()
    pipe.max_distance = 0
    assert pairs() == []
    pipe.max_distance = None
    pipe.matcher = {"勤務先": [["人名", "法人名"]], "訪問先": [["人名", "地名"], ["*", "法人名"]]}
    assert pairs() == [("山田", "日立製作所"), ("山田", "大阪"), ("大阪", "日立製作所")]
    doc = read(nlp, text, mentions)
    assert [{label for label, _ in own.n_best} for own in doc._.luke_relations] == [
        {"勤務先", "訪問先"},
        {"訪問先"},
        {"訪問先"},
    ]
    pipe.matcher = {"勤務先": [("人名", "法人名")], "訪問先": []}
    assert relations_of(read(nlp, text, mentions))[0][:3] == ("山田", "日立製作所", "勤務先")
    pipe.matcher = {"勤め先": []}
    with pytest.raises(ValueError, match="matcher has 勤め先, and the relations are 勤務先, 訪問先"):
        pairs()
    for wrong in ({"勤務先": ["人名", "法人名"]}, {"勤務先": [["人名"]]}, [["人名", "法人名"]], {"勤務先": "人"}):
        with pytest.raises(ValueError, match="matcher must give relations the labels of head and tail"):
            pipe.matcher = wrong


def test_pairs_of_long_texts_are_read_and_those_too_far_apart_are_not(relater):
    nlp = make_nlp(relater, threshold=0.0, max_distance=None, model={"window": 20})
    n = len(TEXT)
    text = TEXT * 40
    near = [(n * 20, n * 20 + 4, "人名"), (n * 20 + 5, n * 20 + 7, "地名"), (n * 22, n * 22 + 4, "人名")]
    doc = read(nlp, text, [*near, (n * 39, n * 39 + 4, "人名")])
    places = {(own.head_start, own.tail_start) for own in doc._.luke_relations}
    assert places == {(a[0], b[0]) for a in near for b in near if a != b}
    odd = "\n" + TEXT + "大阪" * 80
    doc = read(nlp, odd, [(0, 1, "空"), (1, 5, "人名"), (len(odd) - 160, len(odd), "地名")])
    assert relations_of(doc) == []
    assert read(nlp, "", []).text == "" and relations_of(read(nlp, TEXT, MENTIONS[:1])) == []


def test_nested_mentions_are_pairs(relater):
    doc = read(
        make_nlp(relater, threshold=0.0, mentions_key="m"), TEXT, [(0, 4, "人名"), (0, 2, "姓"), (0, 2, "人名")], "m"
    )
    assert [own[:2] for own in relations_of(doc)] == [("山田", "山田花子"), ("山田花子", "山田")] and not doc.ents


def test_relations_stay_with_their_characters(relater):
    nlp = make_nlp(relater, threshold=0.0)
    doc = read(nlp, *DATA[1][:2])
    expected = relations_of(doc)
    assert len(expected) == 6
    stored = list(DocBin(docs=[doc], store_user_data=True).get_docs(nlp.vocab))[0]
    for again in (Doc(nlp.vocab).from_bytes(doc.to_bytes()), doc.copy(), stored, pickle.loads(pickle.dumps(doc))):
        assert relations_of(again) == expected
    again = Doc(nlp.vocab).from_json(doc.to_json(underscore=["luke_relations"]))
    assert [own[:3] for own in relations_of(again)] == [own[:3] for own in expected]
    assert relations_of(Doc.from_docs([doc, doc])) == expected * 2
    part = doc[doc.ents[1].start :].as_doc(copy_user_data=True)
    assert relations_of(part) == [own for own in expected if "日立製作所" not in own]
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[doc.ents[1].start : doc.ents[2].end])
    assert [own.head.text for own in doc._.luke_relations][2] == "山田は大阪"  # tokens that have the characters
    found = doc._.luke_relations[0]
    assert found == pickle.loads(pickle.dumps(found)) and isinstance(found, Relation)
    assert found.head.label_ == "法人名" and json.loads(json.dumps(found))[:4] == [0, 5, 6, 8]


def test_pipe_keeps_the_contract(relater):
    nlp = make_nlp(relater, threshold=0.0)
    pipe = nlp.get_pipe("luke_relations")
    docs = lambda: [make_relations_example(nlp, *own[:2], []).predicted for own in DATA]
    expected = [relations_of(own) for own in pipe.pipe(docs())]
    assert [relations_of(own) for own in pipe.pipe(docs(), batch_size=1)] == expected
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda doc: relations_of(pipe(doc)), docs() * 4)) == expected * 4
    failed = []
    pipe.set_error_handler(lambda name, own, failing, error: failed.extend(failing))
    predict = pipe.predict
    bad = lambda given: 1 / 0 if any("国会" in doc.text for doc in given) else predict(given)
    pipe.predict = bad
    assert [relations_of(own) for own in pipe.pipe(docs())] == expected[:2] and [own.text for own in failed] == [
        DATA[2][0]
    ]


def test_it_learns_pairs_is_scored_and_is_saved(checkpoints, tmp_path):
    fix_random_seed(0)
    nlp = make_nlp(checkpoints["random_luke"])
    pipe = nlp.get_pipe("luke_relations")
    with pytest.raises(ValueError, match="is a LukeForTokenClassification: it has no classifier for EntityPairClass"):
        pipe.load()
    examples = [make_relations_example(nlp, *own) for own in DATA]
    nlp.initialize(lambda: examples)
    assert pipe.labels == ("勤務先", "訪問先") and pipe.label_data == ["勤務先", "訪問先"]
    optimizer = Adam(5e-3)
    losses = [nlp.update(examples, sgd=optimizer, losses={})["luke_relations"] for _ in range(60)]
    assert losses[-1] < 0.2 * losses[0]
    scores = nlp.evaluate(examples)
    assert scores["relations_f"] == 1.0 and scores["relations_per_type"]["訪問先"]["support"] == 2
    expected = relations_of(next(nlp.pipe([examples[1].predicted.copy()])))
    assert [own[:3] for own in expected] == [("山田", "日立製作所", "勤務先"), ("山田", "大阪", "訪問先")]
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    for again in (loaded, make_nlp(checkpoints["random_luke"]).from_bytes(nlp.to_bytes())):
        assert relations_of(next(again.pipe([examples[1].predicted.copy()]))) == expected
    saved = json.loads((tmp_path / "luke_relations" / "model" / "config.json").read_bytes())
    assert saved["architectures"] == ["LukeForEntityPairClassification"] and saved["entity_vocab_size"] == 4
    again = make_nlp(tmp_path / "luke_relations" / "model")
    again.initialize(lambda: examples)
    assert again.evaluate(examples)["relations_f"] == 1.0


def test_a_pair_may_have_several_relations_where_asked(checkpoints):
    fix_random_seed(0)
    both = [(TEXT, MENTIONS, [(0, 1, "訪問先"), (0, 1, "好物")]), DATA[1]]
    nlp = make_nlp(checkpoints["random_luke"])
    examples = [make_relations_example(nlp, *own) for own in both]
    with pytest.raises(ValueError, match="a pair must have one relation, got 訪問先, 好物; set multi_label to true"):
        nlp.initialize(lambda: examples)
    nlp = make_nlp(checkpoints["random_luke"], multi_label=True)
    nlp.initialize(lambda: examples)
    optimizer = Adam(5e-3)
    for _ in range(60):
        nlp.update(examples, sgd=optimizer)
    assert nlp.evaluate(examples)["relations_f"] == 1.0
    doc = next(nlp.pipe([examples[0].predicted]))
    assert {own[:3] for own in relations_of(doc)} == {("山田花子", "東京", own) for own in ("訪問先", "好物")}
    again = make_nlp(checkpoints["random_luke"]).from_bytes(nlp.to_bytes())  # its config.json says so
    assert relations_of(next(again.pipe([examples[0].predicted]))) == relations_of(doc)


def test_gold_that_the_settings_leave_out_is_counted(checkpoints, caplog):
    nlp = make_nlp(checkpoints["random_luke"], max_distance=0, matcher={"勤務先": [["人名", "法人名"]]})
    examples = [make_relations_example(nlp, *own) for own in DATA]
    with caplog.at_level("WARNING"):
        nlp.initialize(lambda: examples)
    assert "3 relations of the examples are between mentions that the settings" in caplog.text
    assert nlp.update(examples, losses={})["luke_relations"] == 0.0


def test_gold_is_checked(relater):
    nlp = make_nlp(relater)
    doc = nlp.make_doc(TEXT)
    set_gold_relations(
        doc, [((0, 4), doc[-4:-3], "甲"), ((0, 4), (5, 7), "乙"), ((0, 4), (5, 7), "丙")], unknown=[((5, 7), (0, 4))]
    )
    labels = {own[:2]: own.labels for own in get_gold_pairs(doc.copy())}
    assert labels[(0, 4), (5, 7)][-2:] == ("乙", "丙") and labels[(5, 7), (0, 4)] is None
    for wrong, message in [
        (((0, 4), (0, 4), "甲"), "must be different"),
        (((0, 4), (5, 99), "甲"), "not within"),
        (((0, 4), (5, 7), ""), "must be a string"),
    ]:
        with pytest.raises(ValueError, match=message):
            set_gold_relations(doc, [wrong])
    with pytest.raises(ValueError, match="head and tail must be numbers of the 2 mentions, got 2"):
        make_relations_example(nlp, TEXT, MENTIONS, [(0, 2, "甲")])
    nlp.get_pipe("luke_relations").load()
    with pytest.raises(ValueError, match="the examples have the relations 甲, but the component knows 勤務先, 訪問先"):
        nlp.update([make_relations_example(nlp, TEXT, MENTIONS, [(0, 1, "甲")])])


def test_what_luke_relations_cannot_read_is_named(checkpoints, relater, tmp_path):
    with pytest.raises(ValueError, match="is of the type xlm-roberta, which knows no entities; a LUKE is needed"):
        read(make_nlp(checkpoints["xlmr"]), TEXT, MENTIONS)
    other = toys.write_luke(tmp_path / "typing", task="EntityClassification", tags=LABELS)
    with pytest.raises(ValueError, match="is a LukeForEntityClassification: it has no classifier for EntityPairClass"):
        read(make_nlp(other), TEXT, MENTIONS)
    without = toys.write_luke(tmp_path / "luke", task="EntityPairClassification", tags=LABELS)
    added = json.loads((without / "added_tokens.json").read_bytes())
    (without / "added_tokens.json").write_text(json.dumps({"<ent>": added["<ent>"]}), encoding="utf8")
    with pytest.raises(ValueError, match="has no id for <ent2>"):
        read(make_nlp(without), TEXT, MENTIONS)
    with pytest.raises(
        ValueError, match="no_relation is none, and the checkpoint .* has no such label, only no_relation"
    ):
        read(make_nlp(relater, no_relation="none"), TEXT, MENTIONS)
    assert len(relations_of(read(make_nlp(relater, no_relation=None), TEXT, MENTIONS))) == 2
    for setting in ({"no_relation": ""}, {"max_distance": -1}, {"n_best": 0}, {"threshold": 2.0}):
        with pytest.raises(ValueError, match=next(iter(setting))):
            make_nlp(relater, **setting)


def test_entities_that_an_encoder_never_read_are_drawn(checkpoints):
    embedded = open_checkpoint("ja_luke_sm", with_entities=True).with_new_classifier(LABELS, RELATIONS.head.task)
    module = build_module(embedded, head=RELATIONS.head, new_head=True)
    assert isinstance(module, LukeJoiningClassifier)
    table = module.luke.entity_embeddings.entity_embeddings.weight
    assert table.std() > 0.01 and not torch.equal(table[0], table[3]) and table.dtype == torch.float32
    trained = open_checkpoint(str(checkpoints["random_luke"]), with_entities=True)
    known = build_module(trained).luke.entity_embeddings.entity_embeddings.weight
    renewed = build_module(trained.with_new_classifier(LABELS, RELATIONS.head.task), head=RELATIONS.head, new_head=True)
    assert torch.equal(renewed.luke.entity_embeddings.entity_embeddings.weight, known)


def test_loss_of_pairs():
    logits = np.array([[2.0, -1.0, 0.5], [0.0, 1.0, -1.0], [-np.inf] * 3], dtype="float32")
    allowed = np.array([[False, True, True], [False, True, False], [False, True, True]])
    labels = RelationLabels(LABELS, "no_relation", False, {})
    loss, (gradient,), n = relations_loss([logits], [[["訪問先"], [], ["勤務先"]]], [allowed], labels)
    tensor = torch.tensor(logits[:2].astype("float64"), requires_grad=True)
    expected = torch.nn.functional.cross_entropy(tensor[:1], torch.tensor([2]))
    expected = expected + torch.nn.functional.cross_entropy(tensor[1:, :2], torch.tensor([0]))
    expected.backward()
    assert n == 2 and loss == pytest.approx(expected.item())
    np.testing.assert_allclose(gradient, [*tensor.grad.tolist(), [0.0] * 3], atol=1e-6)
    several = RelationLabels(LABELS[1:], None, True, {})
    loss, (gradient,), n = relations_loss([logits[:, 1:]], [[["訪問先"], [], ["勤務先"]]], [allowed[:, 1:]], several)
    assert n == 3 and gradient[1, 1] == 0.0 and not gradient[2].any()


def test_scores_are_of_pairs_and_labels(relater):
    nlp = make_nlp(relater, threshold=0.0)
    example = make_relations_example(nlp, *DATA[1][:2], [(1, 0, "勤務先"), (1, 2, "訪問先")], unknown=[(0, 2)])
    scores = nlp.evaluate([example])
    found = {own[:3] for own in relations_of(next(nlp.pipe([example.predicted])))}
    right = {("山田", "日立製作所", "勤務先"), ("山田", "大阪", "訪問先")}
    assert scores["relations_p"] == pytest.approx(len(found & right) / 5) and len(found) == 6  # one pair is unknown
    assert scores["relations_r"] == pytest.approx(len(found & right) / 2)
    assert nlp.evaluate([make_relations_example(nlp, TEXT, [], [])])["relations_f"] is None
