"""spaCy's own heads on a shared encoder: alignment against the stock one, learning, saving, batches."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.util import fix_random_seed
from thinc.api import Adam, Config

import spacy_luke_ja
from spacy_luke_ja import make_example

pytest.importorskip("spacy_transformers", reason="needs the extra spacy-transformers")

from spacy_luke_ja.models.shared_encoder import SharedEncoder  # noqa: E402

LISTENER = {
    "@architectures": "spacy-transformers.TransformerListener.v1",
    "grad_factor": 1.0,
    "upstream": "*",
    "pooling": {"@layers": "reduce_mean.v1"},
}
NER = {
    "@architectures": "spacy.TransitionBasedParser.v2", "state_type": "ner", "extra_state_tokens": False,
    "hidden_width": 32, "maxout_pieces": 2, "use_upper": False, "tok2vec": LISTENER,
}  # fmt: skip
DATA = [
    ("山田花子は東京へ行った。", [(0, 4, "人名"), (5, 7, "地名")]),
    ("大阪の国会に日立。", [(0, 2, "地名"), (3, 5, "政治的組織名"), (6, 8, "法人名")]),
    ("カタカナのテキストです。", []),
]
PLAIN = [
    "山田花子は東京都で日立製作所の社長に会った。",
    "大阪と京都は日本の都市である。訪日した独伊の首相。",
    "国会はABC DEF 123 を可決した（12日）、「はい」と言った！？",
    "ﾄﾞｰﾑの東京",
]
LONG = PLAIN[0] * 8
HOSTILE = [
    "👨\u200d👩\u200d👧\u200d👦と東京",
    "ﾄﾞｰﾑ㈱か\u3099ｷﾞ㌔",
    "🦖と鰯",
    "東京\u3000\u3000大阪\n京都",
    "<s>東京</s><mask>",
    "神\ufe00戸のA\u200dB",
    LONG,
    "カ" * 200,  # one token, four windows
]


def settings(checkpoint, **changes):
    return {
        "name": str(checkpoint), "revision": None, "window": None, "overlap": 16, "max_batch_subwords": 300,
        "precision": "float32", "training_precision": "float32", "frozen_layers": 0, "freeze_embeddings": False,
        **changes,
    }  # fmt: skip


def shared_pipeline(checkpoint, **changes):
    fix_random_seed(0)
    nlp = spacy_luke_ja.blank()
    model = {"@architectures": "spacy-luke-ja.SharedEncoder.v1", **settings(checkpoint, **changes)}
    nlp.add_pipe("transformer", config={"model": model})
    tagger = {"@architectures": "spacy.Tagger.v2", "tok2vec": LISTENER}
    nlp.add_pipe("tagger", config={"model": tagger, "overwrite": True})
    nlp.add_pipe("ner", config={"model": NER})
    return nlp


def examples_for(nlp):
    return [make_example(nlp, text, spans) for text, spans in DATA]


def train(nlp, n=100, **arguments):
    optimizer = Adam(3e-3)
    for _ in range(n):
        losses = nlp.update(examples_for(nlp), sgd=optimizer, losses={}, **arguments)
    return losses


def found(nlp, docs=None):
    docs = docs or [nlp(text) for text, _ in DATA]
    return [[(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents] for doc in docs], [
        [token.tag_ for token in doc] for doc in docs
    ]


def gold(nlp):
    return [spans for _, spans in DATA], [[token.tag_ for token in nlp.make_doc(text)] for text, _ in DATA]


@pytest.fixture(scope="module")
def trained(checkpoints):
    nlp = shared_pipeline(checkpoints["random_luke"])
    nlp.initialize(lambda: examples_for(nlp))
    train(nlp)
    return nlp


# Alignment


def pieces_of_tokens(batch):
    """Per token the pieces it is aligned to."""
    strings = [piece for row in batch.wordpieces.strings for piece in row]
    return [[strings[i] for i in batch.align[j].data.ravel()] for j in range(len(batch.align.lengths))]


@pytest.mark.parametrize("checkpoint", ["random_luke", "xlmr", "fast_xlmr", "bert", "slow_bert", "roberta", "deberta"])
def test_a_token_has_exactly_the_subwords_with_its_characters(checkpoints, checkpoint):
    model = SharedEncoder(**settings(checkpoints[checkpoint]))
    nlp = spacy_luke_ja.blank()
    docs = [nlp.make_doc(text) for text in [*PLAIN, *HOSTILE, ""]]
    batch = model.predict(docs)
    tokenizer = model.shims[0].tokenizer
    for doc, data in zip(docs, batch.doc_data):
        subwords = tokenizer.encode(doc.text)
        flat_ids = data.wordpieces.input_ids.ravel()
        for token, i in zip(doc, range(len(doc))):
            chars = set(range(token.idx, token.idx + len(token)))
            expected = [
                int(subword_id)
                for subword_id, (start, end) in zip(subwords.ids, subwords.char_offsets.tolist())
                if chars & set(range(start, end))
            ]
            places = data.align[i].data.ravel().tolist()
            assert flat_ids[places].tolist() == expected
            assert expected or token.is_space
            assert all(data.wordpieces.attention_mask.ravel()[places])
        every = data.align.data.ravel().tolist()
        assert sorted(set(every)) == sorted(dict.fromkeys(every))


def test_hidden_states_are_those_of_the_encoder(checkpoints):
    """Each row is what transformers computes for that window alone, and each token's places lie in one text."""
    import torch
    from transformers import AutoModel

    model = SharedEncoder(**settings(checkpoints["random_luke"]))
    reference = AutoModel.from_pretrained(checkpoints["random_luke"], add_pooling_layer=False).eval()
    nlp = spacy_luke_ja.blank()
    batch = model.predict([nlp.make_doc(text) for text in [LONG, "東京", HOSTILE[0]]])
    assert len(batch.spans[0]) > 1 and [len(spans) for spans in batch.spans[1:]] == [1, 1]
    hidden = batch.model_output.last_hidden_state.numpy()
    for ids, length, row in zip(batch.wordpieces.input_ids, batch.wordpieces.lengths, hidden):
        assert length <= 64 and ids[0] == 0 and ids[length - 1] == 2 and (ids[length:] == 1).all()
        with torch.inference_mode():
            expected = reference(input_ids=torch.from_numpy(ids[None, :length])).last_hidden_state[0].numpy()
        assert np.abs(row[:length] - expected).max() < 1e-5


def test_docs_are_split_as_spacy_transformers_splits_them(checkpoints):
    model = SharedEncoder(**settings(checkpoints["random_luke"]))
    nlp = spacy_luke_ja.blank()
    docs = [nlp.make_doc(text) for text in ["", LONG, "\x00", *HOSTILE, "", "\n", *PLAIN]]
    batch = model.predict(docs)
    for ours, theirs in zip(batch.doc_data, batch.split_by_doc()):
        assert ours.align.data.ravel().tolist() == theirs.align.data.ravel().tolist()
        assert ours.align.lengths.tolist() == theirs.align.lengths.tolist()
        assert ours.wordpieces.strings == theirs.wordpieces.strings
        assert ours.model_output.keys() == theirs.model_output.keys()
        for key in ours.model_output:
            assert np.array_equal(ours.model_output[key], theirs.model_output[key])
    assert [len(data.align.lengths) for data in batch.doc_data] == [len(doc) for doc in docs]


def test_the_same_doc_twice(trained):
    docs = [trained.make_doc(text) for text in ("山田花子は東京へ行った。", "大阪の国会に日立。")]
    once, twice = (list(trained.pipe(batch)) for batch in (docs, [docs[0], docs[0], docs[1]]))
    for a, b in [(once[0], twice[0]), (once[0], twice[1]), (once[1], twice[2])]:
        assert a._.trf_data.align.data.tolist() == b._.trf_data.align.data.tolist()


def stock_model(checkpoint, **tokenizer_config):
    from spacy_transformers.layers.transformer_model import TransformerModel
    from spacy_transformers.span_getters import configure_strided_spans

    model = TransformerModel(str(checkpoint), configure_strided_spans(window=128, stride=96), tokenizer_config)
    model.initialize(X=[spacy_luke_ja.blank().make_doc("東京")])
    return model


def compare(ours, stock, text):
    """The tokens whose subwords differ: (token, ours, stock's)."""
    doc = spacy_luke_ja.blank().make_doc(text)
    pairs = zip(doc, pieces_of_tokens(ours.predict([doc])), pieces_of_tokens(stock.predict([doc])))
    return [(token.text, "|".join(a), "|".join(b)) for token, a, b in pairs if a != b]


def test_the_stock_alignment_of_a_slow_tokenizer(checkpoints):
    """On plain text the two are equal; else the stock one loses what LUKE's vocabulary lacks, and the end of a text."""
    ours, stock = SharedEncoder(**settings(checkpoints["random_luke"])), stock_model(checkpoints["random_luke"])
    for text in PLAIN:
        assert compare(ours, stock, text) == []
        doc = spacy_luke_ja.blank().make_doc(text)
        a, b = (model.predict([doc]).model_output.last_hidden_state for model in (ours, stock))
        assert float((a - b).abs().max()) < 1e-5
    for text, differences in [
        ("👨\u200d👩\u200d👧\u200d👦と東京", [("👨\u200d👩\u200d👧\u200d👦", "<unk>", "")]),
        ("🦖と鰯", [("🦖", "<unk>", ""), ("鰯", "<unk>", "")]),
        ("神\ufe00戸", [("神\ufe00", "<unk>", ""), ("戸", "<unk>", "")]),
        ("㌔", [("㌔", "キ|<unk>", "キ")]),
        ("東京\u3000大阪", [("\u3000", "▁", "")]),
        ("<s>東京", [("<", "<unk>", "<s>"), ("s", "<unk>", "<s>"), (">", "<unk>", "<s>")]),
    ]:
        assert compare(ours, stock, text) == differences
    lost = compare(ours, stock, LONG)
    assert len(lost) == 58 and all(a and not b for _, a, b in lost)  # of 112 tokens


def test_the_stock_alignment_of_a_fast_tokenizer(checkpoints):
    """It gives a token the "▁" of the next word, and loses the end of a long text as well."""
    ours = SharedEncoder(**settings(checkpoints["fast_xlmr"]))
    stock = stock_model(checkpoints["fast_xlmr"], use_fast=True, model_max_length=64)
    for text, differences in [
        ("東京と大阪", [("東京", "東京", "▁|東京")]),
        ("東京 大阪", [("東京", "東京", "▁|東京|▁")]),
        ("<s>東京", [("<", "<unk>", "<s>"), ("s", "<unk>", "<s>"), (">", "<unk>", "<s>"), ("東京", "東京", "▁|東京")]),
    ]:
        assert compare(ours, stock, text) == differences
    lost = [b for _, a, b in compare(ours, stock, LONG) if not b]
    assert len(lost) > 50


# Learning


def test_heads_overfit_and_are_found_again(trained, checkpoints, tmp_path):
    assert found(trained) == gold(trained)
    # With the first copy of the weights gone, and from_disk as the only one to know them.
    checkpoint = shutil.copytree(checkpoints["random_luke"], tmp_path / "gone")
    nlp = shared_pipeline(checkpoint)
    nlp.initialize(lambda: examples_for(nlp))
    train(nlp, n=3)
    nlp.from_bytes(trained.to_bytes())
    nlp.to_disk(tmp_path / "saved")
    shutil.rmtree(checkpoint)
    loaded = spacy.load(tmp_path / "saved")
    assert found(loaded) == gold(trained)
    again = shared_pipeline(checkpoint).from_bytes(loaded.to_bytes())
    assert found(again) == gold(trained)
    before = trained(LONG)._.trf_data.model_output.last_hidden_state
    assert np.array_equal(again(LONG)._.trf_data.model_output.last_hidden_state, before)


def test_settings_can_be_changed_when_loading(trained, tmp_path):
    trained.to_disk(tmp_path)
    loaded = spacy.load(
        tmp_path, config={"components.transformer.model.window": 20, "components.transformer.model.overlap": 4}
    )
    lengths = loaded(LONG)._.trf_data.wordpieces.lengths
    assert len(lengths) > 5 and max(lengths) <= 22


def weights_of(nlp):
    return {
        name: tensor.clone() for name, tensor in nlp.get_pipe("transformer").model.shims[0].module.state_dict().items()
    }


@pytest.mark.parametrize("checkpoint", ["random_luke", "bare_luke", "fast_xlmr", "bert"])
def test_gradients_of_both_heads_reach_the_encoder(checkpoints, checkpoint):
    for other_head in ("tagger", "ner"):
        nlp = shared_pipeline(checkpoints[checkpoint])
        nlp.remove_pipe(other_head)
        nlp.initialize(lambda nlp=nlp: examples_for(nlp))
        before = weights_of(nlp)
        losses = train(nlp, n=3)  # heads begin with zeros, and give no gradient at first
        assert losses["transformer"] > 0
        after = weights_of(nlp)
        changed = {name for name in before if not before[name].equal(after[name])}
        assert any("word_embeddings" in name for name in changed) and any("layer.0" in name for name in changed)


def test_the_gradient_is_that_of_the_rows_that_tokens_use(checkpoints):
    """Against a difference quotient, over several windows and batches."""
    import torch

    model = SharedEncoder(**settings(checkpoints["random_luke"], max_batch_subwords=100))
    model.initialize()
    model.attrs["dropout_rate"] = 0.0
    docs = [spacy_luke_ja.blank().make_doc(text) for text in [LONG, "東京", ""]]
    rng = np.random.default_rng(0)
    output, backprop = model.begin_update(docs)
    weights = [
        rng.normal(size=data.model_output.last_hidden_state.shape).astype("float32") for data in output.doc_data[:2]
    ]
    backprop(output.unsplit_by_doc([[w] for w in weights]))
    parameter = model.shims[0].module.get_submodule("encoder.layer.0.output.dense").bias
    direction = torch.from_numpy(rng.normal(size=parameter.shape).astype("float32"))

    def loss():
        datas = model.predict(docs).doc_data[:2]
        return sum(
            float((w * data.model_output.last_hidden_state).astype("float64").sum()) for w, data in zip(weights, datas)
        )

    step = 1e-3
    with torch.no_grad():
        parameter += step * direction
        up = loss()
        parameter -= 2 * step * direction
        down = loss()
    # Padding has no gradient of its own: its rows are zero in the output whatever the weights are.
    assert (up - down) / (2 * step) == pytest.approx(float((parameter.grad * direction).sum()), rel=0.02)


@pytest.mark.parametrize(
    "frozen_layers, freeze_embeddings, still_learn",
    [
        (1, True, {"encoder.layer.1"}),
        (1, False, {"encoder.layer.1", "embeddings.word_embeddings"}),
        (2, True, set()),
    ],
)
def test_frozen_parts_stay(checkpoints, frozen_layers, freeze_embeddings, still_learn):
    nlp = shared_pipeline(checkpoints["random_luke"], frozen_layers=frozen_layers, freeze_embeddings=freeze_embeddings)
    nlp.initialize(lambda: examples_for(nlp))
    before = weights_of(nlp)
    train(nlp, n=3)
    changed = {name for name, tensor in weights_of(nlp).items() if not before[name].equal(tensor)}
    parts = {"encoder.layer.0", "encoder.layer.1", "embeddings.word_embeddings"}
    assert {part for part in parts if any(name.startswith(part) for name in changed)} == still_learn


def test_a_transformer_left_out_of_training_stays_and_heads_learn(checkpoints):
    nlp = shared_pipeline(checkpoints["random_luke"])
    nlp.initialize(lambda: examples_for(nlp))
    before = weights_of(nlp)
    first = train(nlp, n=1, exclude=["transformer"], annotates=["transformer"])
    last = train(nlp, n=20, exclude=["transformer"], annotates=["transformer"])
    assert last["ner"] < first["ner"] and last["tagger"] < first["tagger"]
    assert all(before[name].equal(tensor) for name, tensor in weights_of(nlp).items())


def test_spacy_train(checkpoints, tmp_path):
    """The shipped config through the loop behind `spacy train`, from a DocBin."""
    from spacy.training.initialize import init_nlp
    from spacy.training.loop import train as spacy_train

    nlp = spacy_luke_ja.blank()
    DocBin(docs=[example.reference for example in examples_for(nlp)]).to_disk(tmp_path / "data.spacy")
    overrides = {
        "paths.train": str(tmp_path / "data.spacy"), "paths.dev": str(tmp_path / "data.spacy"),
        "system.gpu_allocator": None, "components.transformer.model.name": str(checkpoints["random_luke"]),
        "components.transformer.model.overlap": 16, "training.max_steps": 90, "training.eval_frequency": 30,
        "training.accumulate_gradient": 2, "training.dropout": 0.0, "training.optimizer.learn_rate.warmup_steps": 1,
        "training.optimizer.learn_rate.initial_rate": 0.005,
    }  # fmt: skip
    config = Config().from_disk(CONFIG_PATH, overrides=overrides)
    (tmp_path / "out").mkdir()
    spacy_train(init_nlp(config), tmp_path / "out")
    for which in ("model-best", "model-last"):
        loaded = spacy.load(tmp_path / "out" / which)
        assert found(loaded) == gold(loaded)


def test_a_head_can_take_the_encoder_with_it(checkpoints, trained, tmp_path):
    nlp = shared_pipeline(checkpoints["random_luke"])
    nlp.initialize(lambda: examples_for(nlp))
    nlp.from_bytes(trained.to_bytes())
    nlp.replace_listeners("transformer", "ner", ["model.tok2vec"])
    assert nlp.get_pipe("transformer").listening_components == ["tagger"]
    shims = [node.shims[0] for name in nlp.pipe_names for node in nlp.get_pipe(name).model.walk() if node.shims]
    assert len(shims) == 2 and shims[0].id != shims[1].id
    assert found(nlp) == gold(nlp)
    losses = train(nlp, n=3)
    assert losses["ner"] < 0.1
    nlp.remove_pipe("tagger")
    nlp.remove_pipe("transformer")
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert loaded.pipe_names == ["ner"]
    assert found(loaded)[0] == gold(loaded)[0]
    train(loaded, n=3)


# Batches


@pytest.mark.parametrize("texts", [[], [""], ["", ""], ["\u3000"], ["", "\n \u3000", "東京"], [" ", ""], ["\x00"]])
def test_docs_with_little_in_them(trained, texts):
    docs = [trained.make_doc(text) for text in texts]
    out = list(trained.pipe(docs))
    assert [doc.text for doc in out] == texts
    for doc in out:
        assert len(doc._.trf_data.align.lengths) == len(doc)
    batch = trained.get_pipe("transformer").model.predict(docs)
    assert len(batch.doc_data) == len(docs)


def test_learning_from_docs_with_little_in_them(checkpoints):
    nlp = shared_pipeline(checkpoints["random_luke"])
    examples = [make_example(nlp, text, []) for text in ["", "\n", "東京", "\u3000", "\x00", LONG]]
    examples[2] = make_example(nlp, *DATA[0])
    nlp.initialize(lambda: examples)
    for batch in [examples, examples[:1], examples[1:2], examples[:2], examples[3:]] * 3:
        losses = nlp.update(batch, sgd=Adam(1e-3), losses={})
        assert all(np.isfinite(loss) for loss in losses.values())
    assert np.isfinite(nlp("東京")._.trf_data.model_output.last_hidden_state).all()


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_pipe_gives_what_single_calls_give(trained, batch_size):
    texts = [text for text, _ in DATA] + HOSTILE + ["", "\n"]
    singles = [trained(text) for text in texts]
    piped = list(trained.pipe(texts, batch_size=batch_size))
    assert found(trained, piped) == found(trained, singles)
    for a, b in zip(singles, piped):
        a, b = a._.trf_data, b._.trf_data
        assert a.align.lengths.tolist() == b.align.lengths.tolist()
        if len(a.align.data):
            rows = [x.model_output.last_hidden_state.reshape(-1, 32)[x.align.data.ravel()] for x in (a, b)]
            assert np.abs(rows[0] - rows[1]).max() < 1e-4


def test_docs_keep_their_data_through_bytes(trained):
    doc = trained(LONG)
    data = Doc(trained.vocab).from_bytes(doc.to_bytes())._.trf_data
    assert data.align.data.tolist() == doc._.trf_data.align.data.tolist()
    assert data.wordpieces.strings == doc._.trf_data.wordpieces.strings


# Settings


CONFIG_PATH = Path(__file__).parents[2] / "configs" / "luke_shared.cfg"


def test_refilling_the_config_changes_nothing(tmp_path):
    from spacy.cli.init_config import fill_config

    fill_config(tmp_path / "filled.cfg", CONFIG_PATH, silent=True)
    filled, config = (Config().from_disk(path, interpolate=False) for path in (tmp_path / "filled.cfg", CONFIG_PATH))
    assert filled == config
    assert list(config) == ["paths", "system", "nlp", "components", "corpora", "training", "pretraining", "initialize"]


def test_the_default_checkpoint_works_at_once():
    nlp = spacy_luke_ja.blank()
    model = Config().from_disk(CONFIG_PATH)["components"]["transformer"]["model"]
    nlp.add_pipe("transformer", config={"model": model})
    data = nlp("山田花子は東京へ行った。")._.trf_data
    assert data.width == 256 and "東京" in data.wordpieces.strings[0]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"overlap": -1}, "overlap must be at least 0, got -1"),
        ({"overlap": 62}, "overlap must be between 0 and window - 1"),
        ({"window": 63}, "window must be at most 62 for the checkpoint"),
        ({"max_batch_subwords": 0}, "max_batch_subwords must be at least 1, got 0"),
        ({"precision": "int8"}, "precision must be one of"),
    ],
)
def test_settings_that_cannot_be(checkpoints, changes, message):
    with pytest.raises(ValueError, match=message):
        SharedEncoder(**settings(checkpoints["random_luke"], **changes)).initialize()
