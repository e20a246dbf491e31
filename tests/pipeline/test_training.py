"""Learning: labels, gold by characters, overfitting, resuming, new labels."""

import numpy as np
import pytest
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import fix_random_seed
from thinc.api import Adam

import spacy_luke_ja
import toys
from spacy_luke_ja import make_example
from spacy_luke_ja.pipeline.ner_loss import annotated_subwords, gold_char_spans, tag_loss

DATA = toys.EXAMPLES


def examples_for(nlp, data=DATA):
    return [make_example(nlp, text, spans) for text, spans in data]


def new_pipeline(checkpoint, **config):
    fix_random_seed(0)
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe(
        "luke_ner", config={"model": {"name": str(checkpoint), "overlap": 8, "precision": "float32"}, **config}
    )
    return nlp


def train(nlp, data=DATA, n=60, **settings):
    optimizer = Adam(3e-3)
    for _ in range(n):
        losses = nlp.update(examples_for(nlp, data), sgd=optimizer, losses={}, **settings)
    return losses["luke_ner"]


def found(nlp, text):
    return [span[:3] for span in nlp(text)._.luke_entities]


@pytest.mark.parametrize("checkpoint", ["random_luke", "bare_luke", "bert"])
def test_overfitting_on_characters(checkpoints, checkpoint):
    nlp = new_pipeline(checkpoints[checkpoint])
    nlp.initialize(lambda: examples_for(nlp))
    first, last = train(nlp, n=1), train(nlp)
    assert last < first / 3
    if checkpoint != "bert":  # its vocabulary knows none of these words apart
        assert last < 0.05
        for text, spans in DATA:
            assert found(nlp, text) == spans
        assert nlp.evaluate(examples_for(nlp))["char_ents_f"] == 1.0


def test_the_same_seed_gives_the_same_weights(checkpoints):
    losses = []
    for _ in range(2):
        nlp = new_pipeline(checkpoints["random_luke"])
        nlp.initialize(lambda nlp=nlp: examples_for(nlp))
        losses.append([train(nlp, n=3, drop=0.1), train(nlp, n=1, drop=0.1)])
    assert losses[0] == losses[1]


@pytest.mark.parametrize("scheme", ["IO", "BIOES", "BILOU"])
def test_other_schemes(checkpoints, scheme):
    nlp = new_pipeline(checkpoints["bare_luke"], scheme=scheme)
    nlp.initialize(lambda: examples_for(nlp, DATA[:2]))
    train(nlp, DATA[:2])
    assert found(nlp, DATA[0][0]) == DATA[0][1]
    assert nlp.get_pipe("luke_ner").cfg["scheme"] == scheme


def test_labels_come_from_the_data_or_from_outside(checkpoints):
    nlp = new_pipeline(checkpoints["bare_luke"])
    component = nlp.get_pipe("luke_ner")
    assert component.labels == ()
    component.initialize(lambda: examples_for(nlp), nlp=nlp)
    assert component.labels == ("人名", "地名", "政治的組織名", "法人名")
    assert component.label_data == list(component.labels)
    component.initialize(
        lambda: examples_for(nlp), nlp=nlp, labels=["人名", "地名", "政治的組織名", "法人名", "その他"]
    )
    assert component.labels[-1] == "その他"


def test_a_classifier_that_knows_the_labels_is_kept(make_nlp):
    nlp = make_nlp("xlmr")
    nlp.initialize(lambda: examples_for(nlp))
    assert [(e.text, e.label_) for e in nlp("山田花子は東京へ").ents] == [("山田花子", "人名"), ("東京", "地名")]
    assert nlp.get_pipe("luke_ner")._tag_labels.scheme.name == "IO"


def test_initialize_without_examples_keeps_the_checkpoint(make_nlp):
    nlp = make_nlp()
    nlp.initialize()
    assert found(nlp, "東京都") == [(0, 3, "地名")]


def test_an_encoder_without_labels_cannot_be_initialized(checkpoints):
    nlp = new_pipeline(checkpoints["bare_luke"])
    with pytest.raises(ValueError, match="tags"):
        nlp.initialize()


def test_add_label_before_and_after_loading(make_nlp):
    nlp = make_nlp()
    component = nlp.get_pipe("luke_ner")
    assert component.add_label("地名") == 0
    assert component.add_label("魚") == 1
    assert component.add_label("魚") == 0
    assert found(nlp, "東京都の日立製作所") == [(0, 3, "地名"), (4, 9, "法人名")]
    assert component.add_label("鳥") == 1
    assert component.labels[-2:] == ("魚", "鳥")
    assert found(nlp, "東京都の日立製作所") == [(0, 3, "地名"), (4, 9, "法人名")]
    with pytest.raises(ValueError, match="a label must be a string"):
        component.add_label("")


def test_a_new_label_is_learned_and_saved(make_nlp, tmp_path):
    import spacy

    nlp = make_nlp(model={"precision": "float32"})
    nlp.get_pipe("luke_ner").add_label("食べ物")
    train(nlp, [("カタカナは東京へ", [(0, 4, "食べ物"), (5, 7, "地名")])], n=40)
    assert found(nlp, "カタカナは東京へ") == [(0, 4, "食べ物"), (5, 7, "地名")]
    nlp.to_disk(tmp_path)
    assert found(spacy.load(tmp_path), "カタカナは東京へ") == [(0, 4, "食べ物"), (5, 7, "地名")]


def test_unknown_labels_in_the_gold_are_named(make_nlp):
    nlp = make_nlp()
    with pytest.raises(ValueError, match="the examples have the labels 魚, but the component knows"):
        nlp.update(examples_for(nlp, [("鯛を食べた", [(0, 1, "魚")])]))


def test_training_goes_on_after_bfloat16(make_nlp):
    nlp = make_nlp("random_luke", model={"precision": "bfloat16"})
    nlp("東京")
    assert nlp.get_pipe("luke_ner").precision == "bfloat16"
    assert train(nlp, n=30) < 1.0
    assert nlp.get_pipe("luke_ner").precision == "float32"


def test_gold_that_cuts_a_token_teaches(checkpoints):
    nlp = new_pipeline(checkpoints["bare_luke"])
    (example,) = examples_for(nlp, [DATA[3]])
    assert [t.text for t in example.predicted][:1] == ["訪日"]
    assert [span[:3] for span in gold_char_spans(example)] == DATA[3][1]


def test_gold_from_a_reference_with_other_tokens():
    vocab = spacy_luke_ja.blank().vocab
    predicted = Doc(vocab, words=["東京都", "の", "山田"], spaces=[False, False, False])
    reference = Doc(vocab, words=["東京", "都", "の", "山田"], spaces=[False, True, False, False])
    reference.ents = [Span(reference, 0, 2, "地名"), Span(reference, 3, 4, "人名")]
    spans = gold_char_spans(Example(predicted, reference))
    assert [span[:3] for span in spans] == [(0, 3, "地名"), (4, 6, "人名")]


def test_missing_annotation_has_no_loss(make_nlp):
    nlp = make_nlp()
    component = nlp.get_pipe("luke_ner")
    text = "東京は大阪"
    outputs = (component.load(), component.model.predict([nlp.make_doc(text)]))[1]
    unannotated = Example(nlp.make_doc(text), nlp.make_doc(text))
    loss, (gradient,) = component.get_loss([unannotated], outputs)
    assert loss == 0.0 and not gradient.any()
    half = nlp.make_doc(text)
    half.set_ents([half[0:1].char_span(0, 2, label="地名")], missing=[half[2:3]], default="outside")
    mask = annotated_subwords(Example(nlp.make_doc(text), half), outputs[0].subwords)
    words = [text[start:end] for start, end in outputs[0].subwords.char_offsets.tolist()]
    assert {word for word, annotated in zip(words, mask) if not annotated} == {"大阪"}


def test_the_gradient_is_that_of_the_summed_cross_entropy():
    from spacy_luke_ja.models.types import SubwordLogits

    rng = np.random.default_rng(0)
    logits, possible = rng.normal(size=(4, 3)), np.eye(3, dtype=bool)[[0, 2, 1, 1]]
    possible[3, 2] = True  # one of two
    mask = np.array([True, True, False, True])
    loss, (gradient,), n_terms = tag_loss([SubwordLogits(None, logits)], [possible], [mask])
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert loss == pytest.approx(-np.log((probabilities * possible).sum(axis=1))[mask].sum())
    assert n_terms == 3
    step = 1e-5
    for i, j in np.ndindex(logits.shape):
        moved = logits.copy()
        moved[i, j] += step
        difference = (tag_loss([SubwordLogits(None, moved)], [possible], [mask])[0] - loss) / step
        assert gradient[i, j] == pytest.approx(difference, abs=1e-4)


def test_dropout_is_what_update_is_told(make_nlp):
    import torch

    nlp = make_nlp("random_luke", model={"precision": "float32"})
    for rate in (0.3, 0.0):
        nlp.update(examples_for(nlp), drop=rate)
        module = nlp.get_pipe("luke_ner")._shim.module
        assert {part.p for part in module.modules() if isinstance(part, torch.nn.Dropout)} == {rate}


def test_a_bare_encoder_whose_config_names_the_labels_gets_a_classifier(checkpoints, tmp_path):
    import json
    import shutil

    path = shutil.copytree(checkpoints["bare_luke"], tmp_path / "luke")
    config = json.loads((path / "config.json").read_text())
    config["id2label"] = dict(enumerate(toys.LUKE_TAGS))
    (path / "config.json").write_text(json.dumps(config))
    nlp = new_pipeline(path)
    nlp.initialize(lambda: examples_for(nlp))
    assert nlp.get_pipe("luke_ner").labels == ("人名", "地名", "政治的組織名", "法人名")
    assert train(nlp) < 0.05


def test_a_classifier_that_lacks_a_tensor_is_damaged_and_not_bare(checkpoints, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    path = shutil.copytree(checkpoints["luke"], tmp_path / "luke")
    tensors = load_file(path / "model.safetensors")
    del tensors["classifier.bias"]
    save_file(tensors, path / "model.safetensors")
    nlp = new_pipeline(path)
    with pytest.raises(ValueError, match="lacks 1 of the tensors .* say classifier.bias$"):
        nlp.initialize(lambda: examples_for(nlp))


def test_a_second_initialize_knows_nothing_of_the_first(checkpoints):
    import torch

    nlp = new_pipeline(checkpoints["random_luke"])
    for _ in range(2):
        nlp.initialize(lambda: examples_for(nlp))
        shim = nlp.get_pipe("luke_ner")._shim
        assert shim.n_loss_terms == 0
        nlp.update(examples_for(nlp), drop=0.3, sgd=False)
        assert {part.p for part in shim.module.modules() if isinstance(part, torch.nn.Dropout)} == {0.3}
    nlp.from_bytes(nlp.to_bytes())
    nlp.update(examples_for(nlp), drop=0.0)
    assert {part.p for part in shim.module.modules() if isinstance(part, torch.nn.Dropout)} == {0.0}


def test_training_that_diverged_says_so(checkpoints):
    nlp = new_pipeline(checkpoints["random_luke"])
    nlp.initialize(lambda: examples_for(nlp))
    nlp.update(examples_for(nlp), sgd=Adam(1e30))
    with pytest.raises(ValueError, match="training has diverged: .* Lower the learning rate"):
        nlp("東京")


def test_empty_examples_are_nothing_to_learn(make_nlp):
    nlp = make_nlp()
    assert nlp.update(examples_for(nlp, [("", [])]), losses={}) == {"luke_ner": 0.0}
    assert np.isfinite(train(nlp, [*DATA, ("", [])], n=1))


def test_spacy_train(checkpoints, tmp_path):
    """The loop behind `spacy train`, from a config, with the best and last pipelines saved and loaded again."""
    import spacy
    from spacy.tokens import DocBin
    from spacy.training.initialize import init_nlp
    from spacy.training.loop import train as spacy_train

    nlp = new_pipeline(checkpoints["bare_luke"])
    DocBin(docs=[example.reference for example in examples_for(nlp)]).to_disk(tmp_path / "data.spacy")
    config = nlp.config.copy()
    corpus = {"@readers": "spacy.Corpus.v1", "path": str(tmp_path / "data.spacy")}
    config["corpora"] = {"train": corpus, "dev": corpus}
    config["training"].update(max_steps=60, eval_frequency=20, dropout=0.0)
    config["training"]["optimizer"]["learn_rate"] = 0.003
    config["training"]["score_weights"] = {"char_ents_f": 1.0}
    (tmp_path / "out").mkdir()
    spacy_train(init_nlp(config), tmp_path / "out")
    for which in ("model-best", "model-last"):
        trained = spacy.load(tmp_path / "out" / which)
        assert trained.get_pipe("luke_ner").labels == ("人名", "地名", "政治的組織名", "法人名")
        assert found(trained, DATA[0][0]) == DATA[0][1]


def test_examples_from_offsets(make_nlp):
    nlp = make_nlp("random_luke", model={"precision": "float32"})
    text, spans = DATA[0]
    example = Example.from_dict(nlp.make_doc(text), {"entities": spans})
    assert [span[:3] for span in gold_char_spans(example)] == spans


def test_labels_of_the_checkpoint_that_training_gives_up_are_named(make_nlp):
    nlp = make_nlp("xlmr")
    with pytest.warns(
        UserWarning, match="new classifier for 人名, 魚; .* 法人名, 政治的組織名, .* are given up; .*add_label"
    ):
        nlp.get_pipe("luke_ner").initialize(lambda: examples_for(nlp), nlp=nlp, labels=["人名", "魚"])


def test_only_the_first_subword_of_a_token_learns_and_speaks(checkpoints):
    data = DATA[:3]  # in the fourth, entities begin inside tokens
    nlp = new_pipeline(checkpoints["bare_luke"], label_subwords="first")
    nlp.initialize(lambda: examples_for(nlp, data))
    component = nlp.get_pipe("luke_ner")
    (example,) = examples_for(nlp, [("製作所カタカナ", [(0, 3, "法人名")])])
    (output,) = component.model.predict([example.predicted])
    _, (gradient,) = component.get_loss([example], [output])
    firsts = {token.idx for token in example.predicted}
    with_gradient = [start for (start, _), row in zip(output.subwords.char_offsets.tolist(), gradient) if row.any()]
    assert set(with_gradient) <= firsts and len(with_gradient) <= len(example.predicted)
    train(nlp, data)
    for text, spans in data:
        assert found(nlp, text) == spans
    loaded = spacy_luke_ja.blank().from_config(nlp.config).from_bytes(nlp.to_bytes())
    assert found(loaded, data[0][0]) == data[0][1]


def test_label_subwords_must_be_known():
    with pytest.raises(ValueError, match="label_subwords must be one of all, first, got last"):
        spacy_luke_ja.blank().add_pipe("luke_ner", config={"label_subwords": "last"})


def test_a_threshold_of_a_label_that_is_not_learned_is_said_before_training(make_nlp):
    nlp = make_nlp("bare_luke", threshold={"地名": 0.5})
    with pytest.raises(ValueError, match="threshold names 地名, but the labels are 魚"):
        nlp.initialize(lambda: [make_example(nlp, "鯛を食べた", [(0, 1, "魚")])])


@pytest.mark.parametrize("is_loaded", [False, True])
def test_a_label_that_the_checkpoint_has_under_another_name_cannot_be_added(make_nlp, is_loaded):
    nlp = make_nlp(label_map={"地名": "GPE", "法人名": "ORG", "人名": "", "政治的組織名": ""})
    component = nlp.get_pipe("luke_ner")
    message = "the label 人名 cannot be added: the checkpoint has it, and label_map makes it ''"
    if is_loaded:
        component.load()
        with pytest.raises(ValueError, match=message):
            component.add_label("人名")
        assert component.add_label("魚") == 1 and component.labels == ("ORG", "GPE", "魚")
    else:
        component.add_label("人名")
        for _ in range(2):
            with pytest.raises(ValueError, match=message):
                nlp("山田花子は東京都へ。")


def test_labels_that_were_not_saved_are_gone_after_loading(make_nlp):
    component = make_nlp().get_pipe("luke_ner")
    saved, other = component.to_bytes(), make_nlp().get_pipe("luke_ner")
    other.add_label("魚")
    other.from_bytes(saved)
    assert "魚" not in other.labels and other.add_label("魚") == 1
    assert "B-魚" in other._tag_labels.scheme.tags


def test_a_label_may_come_while_an_optimizer_is_at_work(make_nlp):
    nlp = make_nlp()
    optimizer = nlp.resume_training()
    examples = [make_example(nlp, "山田花子は東京都へ。", [(0, 4, "人名"), (5, 8, "地名")])]
    nlp.update(examples, sgd=optimizer)
    nlp.get_pipe("luke_ner").add_label("魚")
    nlp.update([*examples, make_example(nlp, "鯛を食べた", [(0, 1, "魚")])], sgd=optimizer)
    with nlp.use_params(optimizer.averages):
        assert nlp("山田花子は東京都へ。").ents
