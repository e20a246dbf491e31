"""Labels that a text was not annotated for are unknown in training, and the model's own opinion of them is kept."""

import numpy as np
import pytest
import spacy
from spacy.tokens import DocBin
from spacy.util import fix_random_seed
from thinc.api import Adam
from typer.testing import CliRunner

import spacy_luke_ja
from spacy_luke_ja import make_example
from spacy_luke_ja.annotated_labels import ANNOTATED_LABELS, get_annotated_labels
from spacy_luke_ja.cli import app
from spacy_luke_ja.corpora.augmentation import create_noisy_text_augmenter
from spacy_luke_ja.corpora.ner import create_entity_corpus
from spacy_luke_ja.pipeline.ner_loss import possible_tags, rehearsal_loss
from spacy_luke_ja.text.label_schemes import make_scheme

TEXT = "山田花子は東京都の日立製作所でカタカナ"
OLD = [(0, 4, "人名"), (5, 8, "地名"), (9, 14, "法人名")]
NEW = (15, 19, "食べ物")


def found(nlp, text=TEXT):
    return [span[:3] for span in nlp(text)._.luke_entities]


def learner(make_nlp, *, add=True, **config):
    fix_random_seed(0)
    nlp = make_nlp(model={"precision": "float32"}, **config)
    component = nlp.get_pipe("luke_ner")
    component.load()
    if add:
        component.add_label("食べ物")
    return nlp, component


def learn(nlp, examples, n=40, sgd=None):
    sgd = sgd or Adam(3e-3)
    for _ in range(n):
        nlp.update(examples, sgd=sgd)


def test_possible_tags():
    scheme = make_scheme(["O", "B-人名", "I-人名", "B-地名", "I-地名", "B-魚", "I-魚"])
    gold = np.array([0, 5, 6])
    columns = [set(np.flatnonzero(row)) for row in possible_tags(gold, scheme, {"人名", "地名"})]
    assert columns == [{0, 1, 2, 3, 4}, {5}, {6}]
    assert possible_tags(gold, scheme, ()).sum() == 3


def test_rehearsal_compares_some_tags_with_one_another():
    rng = np.random.default_rng(0)
    logits, taught = rng.normal(size=(3, 5)), rng.normal(size=(3, 4))
    columns, mask = np.array([0, 2, 3]), np.array([True, False, True])
    loss, gradient = rehearsal_loss(logits, taught, columns, mask)
    assert loss > 0 and rehearsal_loss(taught + 7.0, taught, columns, mask)[0] == pytest.approx(0.0)
    assert not gradient[1].any() and not gradient[:, [1, 4]].any()
    for i, j in np.ndindex(logits.shape):
        moved = logits.copy()
        moved[i, j] += 1e-5
        difference = (rehearsal_loss(moved, taught, columns, mask)[0] - loss) / 1e-5
        assert gradient[i, j] == pytest.approx(difference, abs=1e-4)


@pytest.mark.parametrize(
    "settings, annotated, kept",
    [
        ({}, None, OLD),  # what add_label found there is unknown
        ({}, ["食べ物"], OLD),
        ({"unknown_labels": ["人名", "地名", "法人名"]}, None, OLD),
        ({"unknown_labels": ["人名"]}, None, OLD[:1]),
        ({}, ["食べ物", "地名", "法人名"], OLD[:1]),
        ({"unknown_labels": ["人名"]}, ["食べ物", "人名", "法人名"], OLD[1:2]),  # what the text says is stronger
        ({"unknown_labels": []}, None, []),  # all are annotated, and there are none
    ],
)
def test_labels_that_a_text_was_not_annotated_for_are_kept(make_nlp, settings, annotated, kept):
    nlp, _ = learner(make_nlp, **settings)
    assert found(nlp) == OLD
    learn(nlp, [make_example(nlp, TEXT, [NEW], annotated_labels=annotated)])
    assert [span for span in found(nlp) if span in (*OLD, NEW)] == [*kept, NEW]


def test_a_marked_label_is_learned_though_it_is_old(make_nlp):
    nlp, _ = learner(make_nlp)
    learn(nlp, [make_example(nlp, TEXT, [(5, 8, "地名"), (8, 9, "地名"), NEW])])
    assert found(nlp) == [OLD[0], (5, 8, "地名"), (8, 9, "地名"), OLD[2], NEW]


def test_without_a_new_label_nothing_is_unknown(make_nlp):
    nlp, component = learner(make_nlp, add=False)
    learn(nlp, [make_example(nlp, TEXT, [])])
    assert found(nlp) == [] and component._model_before is None


def test_the_readmes_way():
    """add_label, resume_training(), 20 passes over 20 sentences, with the default model."""
    fix_random_seed(0)
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner").add_label("日付")
    known = [ent.text for ent in nlp("佐藤健一はトヨタ自動車の本社がある愛知県豊田市に住む。").ents]
    dates = [f"{year}年{year % 12 + 1}月{year % 28 + 1}日" for year in range(1990, 2010)]
    ends = [
        "に山田花子は大阪へ行った。",
        "、会社ができた。",
        "の天気は晴れだった。",
        "までに日立製作所へ送ってください。",
    ]
    texts = [(date + ends[i % 4], [(0, len(date), "日付")]) for i, date in enumerate(dates)]
    examples = [make_example(nlp, text, ents) for text, ents in texts]
    optimizer = nlp.resume_training()
    for _ in range(20):
        nlp.update(examples, sgd=optimizer)
    assert [span[2] for span in found(nlp, "2021年3月5日に佐藤健一は京都へ行った。")] == ["日付", "人名", "地名"]
    assert [ent.text for ent in nlp("佐藤健一はトヨタ自動車の本社がある愛知県豊田市に住む。").ents] == known


def test_a_new_label_changes_nothing_before_training(make_nlp):
    nlp, component = learner(make_nlp, add=False)
    logits = component.model.predict([nlp.make_doc(TEXT)])[0].logits
    component.add_label("食べ物")
    grown = component.model.predict([nlp.make_doc(TEXT)])[0].logits
    n_old = logits.shape[1]
    np.testing.assert_allclose(grown[:, :n_old], logits, rtol=1e-5)
    assert (grown[:, n_old:] < grown[:, :1]).all() and grown.shape[1] == n_old + 2


@pytest.mark.parametrize("saved", [False, True])
def test_which_labels_are_new(make_nlp, tmp_path, saved):
    """Those that came since it was loaded; after saving, until another comes."""
    nlp, component = learner(make_nlp, add=False)
    component.add_label("食べ物")
    if saved:
        nlp.to_disk(tmp_path)
        nlp = spacy.load(tmp_path)
        component = nlp.get_pipe("luke_ner")
    text = make_example(nlp, TEXT, [NEW])
    assert component._unknown_in(text) == set(component.labels) - {"食べ物"}
    component.add_label("魚")
    assert component._unknown_in(text) == set(component.labels) - {"食べ物", "魚"}
    nothing = make_example(nlp, TEXT, [])
    assert component._unknown_in(nothing) == set(component.labels) - ({"魚"} if saved else {"食べ物", "魚"})


@pytest.mark.parametrize("wanted", ["人名", [""], [1], 3])
def test_unknown_labels_that_are_none(make_nlp, wanted):
    component = make_nlp().get_pipe("luke_ner")
    with pytest.raises(ValueError, match="unknown_labels must be"):
        component.unknown_labels = wanted


def test_labels_that_the_component_does_not_know(make_nlp):
    with pytest.raises(ValueError, match="unknown_labels names 魚, but the labels are"):
        make_nlp(unknown_labels=["魚"])(TEXT)
    nlp, component = learner(make_nlp)
    with pytest.raises(ValueError, match="unknown_labels names 魚, but the labels are"):
        component.unknown_labels = ["魚"]
    with pytest.raises(ValueError, match="the examples have the labels 魚, but the component knows"):
        nlp.update([make_example(nlp, TEXT, [], annotated_labels=["魚"])])


def test_a_new_classifier_has_the_labels_that_texts_were_annotated_for(make_nlp):
    nlp = make_nlp("bare_luke")
    examples = [make_example(nlp, TEXT, [NEW], annotated_labels=["食べ物", "魚"])]
    nlp.initialize(lambda: examples)
    assert nlp.get_pipe("luke_ner").labels == ("食べ物", "魚")


# Rehearsal


def far_from(nlp, before):
    after = nlp.get_pipe("luke_ner").model.predict([nlp.make_doc(TEXT)])[0].logits[:, : before.shape[1]]
    return rehearsal_loss(after, before, np.arange(before.shape[1]), np.ones(len(before), dtype=bool))[0]


@pytest.mark.parametrize("others", [[], ["before"], ["behind"]])
def test_rehearsal_brings_back_what_was_known(make_nlp, others):
    """Whatever else is in the pipeline, which spaCy goes through in a random order."""
    nlp, component = learner(make_nlp, add=False)
    for name in others:
        nlp.add_pipe("tagger", name=name, **({"first": True} if name == "before" else {}))
        nlp.get_pipe(name).add_label("X")
        nlp.get_pipe(name).initialize(lambda: [make_example(nlp, TEXT, [])], nlp=nlp)
    before = component.model.predict([nlp.make_doc(TEXT)])[0].logits
    nlp.resume_training()
    learn(nlp, [make_example(nlp, TEXT, [])], n=10)
    lost = far_from(nlp, before)
    optimizer = Adam(3e-3)
    for _ in range(20):
        losses = nlp.rehearse([make_example(nlp, TEXT, [])], sgd=optimizer, exclude=others)
    assert far_from(nlp, before) < lost / 10 and losses["luke_ner"] < lost / 10
    assert found(nlp) == OLD


def test_rehearsal_leaves_new_labels_alone(make_nlp):
    nlp, component = learner(make_nlp)
    nlp.resume_training()
    learn(nlp, [make_example(nlp, TEXT, [NEW])])
    optimizer = Adam(1e-3)
    for _ in range(10):
        component.rehearse([make_example(nlp, TEXT, [])], sgd=optimizer)
    assert found(nlp) == [*OLD, NEW]


def test_nothing_to_rehearse(make_nlp):
    nlp, _ = learner(make_nlp, add=False)
    with pytest.raises(ValueError, match=r"call nlp.resume_training\(\) before the first update"):
        nlp.rehearse([make_example(nlp, TEXT, [])])


def test_resume_training_gives_an_optimizer_for_transformers(make_nlp):
    from spacy_luke_ja.training.optimizers import AdamW

    nlp = make_nlp()  # not loaded yet
    assert isinstance(nlp.resume_training(), AdamW)
    own, configured = Adam(0.5), make_nlp()
    assert make_nlp().resume_training(sgd=own) is own
    configured.config["training"]["optimizer"]["learn_rate"] = 0.25
    assert configured.resume_training().learn_rate == 0.25
    assert spacy.blank("ja").resume_training().learn_rate == 0.001


# What data says


def test_annotated_labels_go_through_files(tmp_path):
    path = tmp_path / "data.jsonl"
    lines = [
        '{"text": "東京で鯛", "entities": [[3, 4, "魚"]], "annotated_labels": ["魚"]}',
        '{"text": "東京で鯛", "entities": []}',
        '{"text": "東京で鯛", "entities": [], "annotated_labels": []}',
    ]
    path.write_text("\n".join(lines), encoding="utf8")
    assert CliRunner().invoke(app, ["convert", str(path), str(tmp_path / "data.spacy")]).exit_code == 0
    nlp = spacy_luke_ja.blank(split_mode="C")
    for reader in (
        create_entity_corpus(path),
        create_entity_corpus(tmp_path / "data.spacy"),
        spacy.training.Corpus(tmp_path),
    ):
        said = [get_annotated_labels(example.reference) for example in reader(nlp)]
        assert said == [{"魚"}, None, set()]
    docs = list(DocBin().from_disk(tmp_path / "data.spacy").get_docs(nlp.vocab))
    assert [set(doc.user_data) for doc in docs] == [{ANNOTATED_LABELS}, set(), {ANNOTATED_LABELS}]


@pytest.mark.parametrize(
    "labels, said",
    [
        ('"魚"', "annotated_labels must be a list of labels, got '魚'"),
        ('["人名"]', "the entity 3–4 魚 has a label that is not in annotated_labels, 人名"),
        ("[]", "the entity 3–4 魚 has a label that is not in annotated_labels, which is empty"),
        ('["魚", ""]', "annotated_labels must be labels that are not empty"),
    ],
)
def test_annotated_labels_that_cannot_be(tmp_path, labels, said):
    line = f'{{"text": "東京で鯛", "entities": [[3, 4, "魚"]], "annotated_labels": {labels}}}'
    (tmp_path / "data.jsonl").write_text(line, encoding="utf8")
    with pytest.raises(ValueError, match=f"line 1: {said}"):
        list(create_entity_corpus(tmp_path / "data.jsonl")(spacy_luke_ja.blank()))


def test_changed_copies_keep_them():
    nlp = spacy_luke_ja.blank()
    example = make_example(nlp, "東京で、鯛を食べた。", [(4, 5, "魚")], annotated_labels=["魚"])
    copies = list(create_noisy_text_augmenter(1.0, {"full_width": 1.0})(nlp, example))
    assert copies and all(get_annotated_labels(copy.reference) == {"魚"} for copy in copies)
