"""What luke_textcat writes to doc.cats, how it learns, and how it behaves in a pipeline."""

import io
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import spacy
import torch
import transformers
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.util import fix_random_seed, load_config
from thinc.api import Adam

import spacy_luke_ja
import toys
from spacy_luke_ja.pipeline.class_loss import class_loss
from spacy_luke_ja.pipeline.textcat_loss import gold_classes
from spacy_luke_ja.training.loop import train

LABELS = ["政治", "経済", "文化"]
TEXT = "山田花子は東京都で日立製作所の社長に会った。"
LONG = "山田花子は東京へ行った。大阪の国会に日立製作所。" * 20
SEQUENCE = "SequenceClassification"
CONFIG = Path(__file__).parents[2] / "configs" / "luke_textcat_sm.cfg"


@pytest.fixture(scope="module")
def classifiers(checkpoints, tmp_path_factory):
    """name → directory: random classifiers of texts."""
    root = tmp_path_factory.mktemp("text_classifiers")
    ids = {"id2label": dict(enumerate(LABELS)), "label2id": {label: i for i, label in enumerate(LABELS)}}
    made = {name: toys.write_for_task(root / name, checkpoints[name], SEQUENCE, **ids)
            for name in ("xlmr", "bert", "roberta", "deberta")}  # fmt: skip
    made["luke"] = toys.write_luke(root / "luke", task=SEQUENCE, tags=LABELS)
    sizes = {"vocab_size": toys.processor().get_piece_size() + 2, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
             "intermediate_size": 64, "max_position_embeddings": 64,
             "bos_token_id": 0, "cls_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "sep_token_id": 2}  # fmt: skip
    for pooling in ("cls", "mean"):
        path = shutil.copytree(checkpoints["fast_xlmr"], root / f"modernbert_{pooling}")
        config = transformers.ModernBertConfig(**sizes, **ids, classifier_pooling=pooling, reference_compile=False)
        made[path.name] = toys.write_random(path, transformers.ModernBertForSequenceClassification, config)
    return made


@pytest.fixture
def make(classifiers, checkpoints):
    def make(name="luke", *, model=None, **config):
        nlp = spacy_luke_ja.blank()
        path = str(classifiers.get(name) or checkpoints.get(name) or name)
        model = {"name": path, "overlap": 8, "precision": "float32", **(model or {})}
        nlp.add_pipe("luke_textcat", config={"model": model, **config})
        return nlp

    return make


def with_problem_type(path, to, problem_type, **settings):
    shutil.copytree(path, to)
    config = json.loads((to / "config.json").read_text(encoding="utf8"))
    (to / "config.json").write_text(json.dumps({**config, "problem_type": problem_type, **settings}), encoding="utf8")
    return to


@pytest.mark.parametrize("name", ["luke", "xlmr", "bert", "roberta", "deberta", "modernbert_cls", "modernbert_mean"])
def test_logits_are_those_of_transformers(make, classifiers, name):
    pipe = make(name).get_pipe("luke_textcat")
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(classifiers[name]).float().eval()
    for text in (TEXT, ""):
        encoder = pipe.subword_encoder
        ids = [*encoder.prefix_ids, *encoder.encode(text).ids.tolist(), *encoder.suffix_ids]
        with torch.no_grad():
            expected = theirs(torch.tensor([ids]), torch.ones(1, len(ids))).logits[0].numpy()
        pipe.load()
        (found,) = pipe.model.predict([spacy_luke_ja.blank().make_doc(text)])
        assert expected.std() > 1e-3 and found == pytest.approx(expected, abs=1e-5)


def test_scores_go_to_cats_beside_others(make, classifiers, tmp_path):
    nlp = make()
    doc = nlp.make_doc(TEXT)
    doc.cats = {"他": 0.5}
    cats = nlp.get_pipe("luke_textcat")(doc).cats
    assert list(cats) == ["他", *LABELS] and cats.pop("他") == 0.5
    assert sum(cats.values()) == pytest.approx(1.0) and nlp.get_pipe("luke_textcat").labels == tuple(LABELS)
    several = make(str(with_problem_type(classifiers["luke"], tmp_path / "several", "multi_label_classification")))
    odds = {label: np.log(p / (1 - p)) for label, p in several(TEXT).cats.items()}
    assert {label: np.exp(o) / sum(map(np.exp, odds.values())) for label, o in odds.items()} == pytest.approx(cats)
    assert make(multi_label=True)(TEXT).cats == pytest.approx(several(TEXT).cats)
    several.get_pipe("luke_textcat").multi_label = False
    assert several(TEXT).cats == pytest.approx(cats)


def test_a_long_text_has_the_mean_of_its_windows(make):
    nlp = make()
    assert len(nlp.get_pipe("luke_textcat").subword_encoder.encode(LONG)) > 150
    long, short = nlp(LONG).cats, nlp(LONG[:24]).cats
    assert sum(long.values()) == pytest.approx(1.0) and long != short
    sentences = ["山田花子は東京へ行った。", "大阪の国会。"]
    pipe = make(model={"window": 10}).get_pipe("luke_textcat")
    lengths = [len(pipe.subword_encoder.encode(text)) - (i > 0) for i, text in enumerate(sentences)]  # one ▁ for all
    pipe.load()
    assert max(lengths) <= 10 < sum(lengths)
    whole, *parts = pipe.model.predict([nlp.make_doc(text) for text in ("".join(sentences), *sentences)])
    assert whole == pytest.approx(np.average(parts, axis=0, weights=lengths), abs=1e-5)


def test_streams_threads_processes_and_empty_texts(make):
    nlp = make()
    texts = ["", "　", TEXT, LONG, "東京"]
    expected = [nlp(text).cats for text in texts]
    assert all(set(cats) == set(LABELS) for cats in expected)
    alike = [pytest.approx(cats, abs=1e-5) for cats in expected]
    assert [doc.cats for doc in nlp.pipe(texts, batch_size=2)] == alike
    with ThreadPoolExecutor(4) as pool:
        assert [doc.cats for doc in pool.map(make("luke"), texts)] == alike
    assert [doc.cats for doc in nlp.pipe(texts, n_process=2)] == alike
    assert list(nlp.pipe([])) == [] and nlp.get_pipe("luke_textcat").predict([]) == []


def test_a_doc_that_fails_goes_to_the_error_handler_alone(make):
    nlp = make()
    errors, pipe = [], nlp.get_pipe("luke_textcat")
    nlp.set_error_handler(lambda name, proc, docs, error: errors.append((docs[0].text, str(error))))
    pipe.load()
    piece = pipe.subword_encoder.encode("東京").ids[-1]
    with torch.no_grad():
        pipe._shim.module.base_model.embeddings.word_embeddings.weight[piece] = np.nan
    assert [doc.text for doc in nlp.pipe(["大阪", "東京", "山田"])] == ["大阪", "山田"]
    assert [text for text, _ in errors] == ["東京"] and "not finite" in errors[0][1]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_precision(make, precision):
    assert make(model={"precision": precision})(TEXT).cats == pytest.approx(make()(TEXT).cats, abs=0.03)


def test_openvino(make):
    pytest.importorskip("openvino")
    for name in ("luke", "bert"):
        fast = make(name, model={"@architectures": "spacy-luke-ja.OpenVINOModel.v1"})
        assert fast(LONG).cats == pytest.approx(make(name)(LONG).cats, abs=1e-3)


@pytest.mark.parametrize("name", ["luke", "bert", "deberta"])
def test_it_is_saved_whole(make, classifiers, tmp_path, name):
    original = shutil.copytree(classifiers[name], tmp_path / "original")
    nlp = make(str(original), multi_label=True, threshold=0.4)
    expected = nlp(LONG).cats
    nlp.to_disk(tmp_path / "saved")
    as_bytes = nlp.to_bytes()
    shutil.rmtree(original)
    loaded = spacy.load(tmp_path / "saved")
    assert loaded(LONG).cats == expected and loaded.get_pipe("luke_textcat").threshold == 0.4
    assert make(name, multi_label=True).from_bytes(as_bytes)(LONG).cats == expected
    # what is saved is one of transformers' own checkpoints
    model = tmp_path / "saved" / "luke_textcat" / "model"
    _, report = transformers.AutoModelForSequenceClassification.from_pretrained(model, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]


def examples(nlp, multi_label=False):
    gold = [
        ("山田花子は東京へ行った。", ["人"]),
        ("大阪の国会に日立製作所。", ["組織"]),
        ("カタカナのテキストです。", ["他"]),
    ]
    if multi_label:
        gold += [("山田花子は国会へ。", ["人", "組織"]), ("です。", [])]
    every = ["人", "他", "組織"]
    return [
        Example.from_dict(nlp.make_doc(text), {"cats": {label: float(label in labels) for label in every}})
        for text, labels in gold
    ]


@pytest.mark.parametrize("name, multi_label", [
    ("bare_luke", False), ("luke", True), ("bert", True), ("deberta", False), ("modernbert_cls", False),
])  # fmt: skip
def test_a_new_classifier_learns(make, tmp_path, name, multi_label):
    fix_random_seed(0)
    nlp = make(name, multi_label=True if multi_label else None)
    gold = examples(nlp, multi_label)
    if name == "bert":  # which knows few pieces
        gold = [Example.from_dict(nlp.make_doc(text), {"cats": own.reference.cats})
                for text, own in zip(["山田花子", "大阪で", "日本に", "東京は"], gold)]  # fmt: skip
    nlp.initialize(lambda: gold)
    optimizer = Adam(5e-3)
    empty = Example.from_dict(nlp.make_doc(""), {"cats": {"人": 0.0}})
    losses = [nlp.update([empty, *gold], sgd=optimizer, losses={})["luke_textcat"] for _ in range(40)]
    assert losses[-1] < 0.3 * losses[0]
    scores = nlp.evaluate(gold)
    assert scores["cats_macro_f"] == 1.0 and scores["cats_score_desc"] == ("macro AUC" if multi_label else "macro F")
    pipe = nlp.get_pipe("luke_textcat")
    assert pipe.labels == ("人", "他", "組織") and pipe.label_data == ["人", "他", "組織"]
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert loaded(LONG).cats == pytest.approx(nlp(LONG).cats, abs=1e-5)
    loaded.get_pipe("luke_textcat").multi_label = None  # the saved checkpoint says it, too
    assert loaded.get_pipe("luke_textcat").is_multi_label == multi_label


def test_a_classifier_that_knows_the_labels_goes_on(make):
    nlp = make()
    expected = nlp(TEXT).cats
    doc = nlp.make_doc(TEXT)
    nlp.initialize(lambda: [Example.from_dict(doc, {"cats": {"経済": 1.0}})])
    assert nlp(TEXT).cats == pytest.approx(expected)


@pytest.mark.parametrize("cats, settings, message", [
    ([{}], {}, "none of the 1 examples has doc.cats"),
    ([{"a": 1.0}], {}, "there is one label, a"),
    ([{"a": 1.0, "b": 1.0}], {}, "a text must have one label, got a, b; set multi_label to true"),
    ([{"a": 0.3, "b": 0.7}], {}, "must be 1.0 where the text has a label"),
    ([{"a": 1.0, "b": 0.0}], {"positive_label": "c"}, "positive_label must be one of two labels"),
])  # fmt: skip
def test_what_cannot_be_learned_is_said(make, cats, settings, message):
    nlp = make("bare_luke")
    gold = [Example.from_dict(nlp.make_doc("東京"), {"cats": own}) for own in cats]
    with pytest.raises(ValueError, match=message):
        nlp.get_pipe("luke_textcat").initialize(lambda: gold, **settings)
    strange = Example.from_dict(nlp.make_doc("東京"), {"cats": {"珍": 1.0}})
    with pytest.raises(ValueError, match="珍, but the component knows 政治, 経済, 文化"):
        make().update([strange])


def test_the_loss_leaves_out_what_is_not_known():
    logits = np.array([[2.0, -1.0], [0.5, 0.5]])
    one = np.stack([gold_classes(cats, "ab", multi_label=False) for cats in ({"b": 1.0}, {"a": 0.0})])
    loss, gradient, n_terms = class_loss(logits, one, multi_label=False)
    assert (loss, n_terms) == (pytest.approx(np.log1p(np.exp(3.0))), 1) and not gradient[1].any()
    several = np.stack([gold_classes(cats, "ab", multi_label=True) for cats in ({"b": 1.0}, {})])
    loss, gradient, n_terms = class_loss(logits, several, multi_label=True)
    assert (loss, n_terms) == (pytest.approx(np.log1p(np.exp(1.0))), 1) and np.count_nonzero(gradient) == 1


@pytest.mark.parametrize("name, message", [
    ("random_luke", r"a model for TokenClassification \(XLMRobertaForTokenClassification\)"),
    ("bare_luke", "is an encoder .*nlp.initialize"),
    ("bert", "a model for TokenClassification"),
])  # fmt: skip
def test_a_checkpoint_of_another_task_is_refused(make, checkpoints, name, message):
    nlp = make(str(checkpoints[name]))
    with pytest.raises(ValueError, match=message):
        nlp("東京")
    assert nlp.get_pipe("luke_textcat").labels == ()


def test_a_regression_is_refused(make, classifiers, tmp_path):
    path = with_problem_type(classifiers["luke"], tmp_path / "regression", "regression")
    with pytest.raises(
        ValueError, match="problem_type .* must be one of single_label_classification, .*got regression"
    ):
        make(str(path))("東京")


@pytest.mark.parametrize("config, message", [
    ({"threshold": 2.0}, "threshold must be between 0 and 1, got 2.0"),
    ({"multi_label": 3}, "multi_label"),
    ({"model": {"window": 99}}, "window must be at most 62"),
])  # fmt: skip
def test_a_setting_that_cannot_be_is_named(make, config, message):
    with pytest.raises(ValueError, match=message):
        make(**config)("東京")


@pytest.mark.parametrize("positive, description", [("人", "F (人)"), (None, "macro F")])
def test_the_scorer_is_spacys(make, tmp_path, positive, description):
    nlp = make("bare_luke")
    gold = [Example.from_dict(nlp.make_doc(text), {"cats": {"人": 1.0 - i, "地": float(i)}})
            for i, text in enumerate(("山田花子", "東京"))]  # fmt: skip
    nlp.config["initialize"]["components"]["luke_textcat"] = {"positive_label": positive}
    nlp.initialize(lambda: gold)
    nlp.to_disk(tmp_path)
    assert spacy.load(tmp_path).evaluate(gold)["cats_score_desc"] == description


def test_spacy_train(checkpoints, tmp_path):
    data = tmp_path / "data.jsonl"
    lines = [{"text": text, "label": "場所" if "東京" in text else "他"} for text, _ in toys.EXAMPLES]
    data.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf8")
    sizes = {"training.max_steps": 2, "training.eval_frequency": 1}
    config = load_config(CONFIG, overrides={"paths.train": str(data), "paths.dev": str(data), **sizes})
    config["components"]["luke_textcat"]["model"]["name"] = str(checkpoints["bare_luke"])
    train(init_nlp(config), tmp_path / "out", stdout=io.StringIO())
    assert set(spacy.load(tmp_path / "out" / "model-best")(TEXT).cats) == {"他", "場所"}
