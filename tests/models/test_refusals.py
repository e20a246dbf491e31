"""Checkpoints that cannot be right: the error names the cause and what works; what does not matter is a warning."""

import importlib.util
import json
import warnings

import pytest
import spacy

import families
import spacy_luke_ja
import toys
from spacy_luke_ja.models.hf_checkpoint import open_checkpoint
from spacy_luke_ja.models.hf_loader import build_module
from spacy_luke_ja.models.hf_shim import HFShim
from spacy_luke_ja.models.hf_tokenizer import open_encoder
from spacy_luke_ja.models.settings import ModelSettings

TAGS = ["O", "B-地名", "I-地名"]


def write(path, layout="bert vocab.txt", *, network=None, keep=None, config=None, **settings):
    """A layout of tests/families.py with other settings; a setting of None goes."""
    chosen = families.layouts()[layout]
    toys.write_network(path, network or chosen.network, chosen.vocab_size, TAGS, chosen.settings)
    chosen.write_tokenizer(path)
    change(path / "tokenizer_config.json", settings)
    change(path / "config.json", config or {})
    for name in chosen.files:
        if keep is not None and name not in (*keep, "tokenizer_config.json"):
            (path / name).unlink()
    return path


def change(path, settings):
    content = {**json.loads(path.read_text(encoding="utf8")), **settings}
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}), encoding="utf8")


@pytest.mark.parametrize(
    "settings, message",
    [
        (
            {
                "layout": "rinna", "network": "DistilBert", "config": {"model_type": "distilbert"},
                "tokenizer_class": "DistilBertJapaneseTokenizer",
                "auto_map": {"AutoTokenizer": ["distilbert_japanese_tokenizer.DistilBertJapaneseTokenizer", None]},
            },
            "DistilBertJapaneseTokenizer: .*own code.*tohoku-nlp/bert-base-japanese-v3",
        ),
        (
            {"tokenizer_class": "ElectraSudachipyTokenizer", "word_form_type": "normalized", "subword_tokenizer_type": "wordpiece"},
            "ElectraSudachipyTokenizer: .*SudachiTra.*tohoku-nlp/bert-base-japanese-v3",
        ),
        (
            {"tokenizer_class": "OwnTokenizer", "auto_map": {"AutoTokenizer": ["own.OwnTokenizer", None]}},
            r"OwnTokenizer: the checkpoint's own code \(own.OwnTokenizer\), which is not run here",
        ),
        (
            {"layout": "bigbird", "tokenizer_class": "UnheardTokenizer"},
            "UnheardTokenizer, which transformers does not have, and it has no tokenizer.json",
        ),
        ({"layout": "deberta-v2-base-japanese", "keep": []}, "has no tokenizer; one of"),
        (
            {"layout": "modernbert-ja tokenizer.json", "keep": ["tokenizer.json"], "added_tokens_decoder": {"5": {"content": "社内語"}}},
            "社内語 .* should have the id 5",
        ),
        (
            {"layout": "mdeberta-v3-base", "added_tokens_decoder": {"700": {"content": "社内語", "special": False}}},
            "added words .社内語.*tokenizer.json",
        ),
        ({"layout": "mdeberta-v3-base", "added_tokens_decoder": {"9": {"content": "[MASK]", "special": True}}}, "not the tokenizer"),
    ],
)  # fmt: skip
def test_refused(tmp_path, settings, message):
    path = write(tmp_path / "c", **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises((ValueError, OSError), match=message):
            open_encoder(open_checkpoint(str(path)))


@pytest.mark.parametrize("name", ["spiece.model", "spm.model", "tokenizer.model", "tokenizer.json"])
def test_a_damaged_vocabulary_is_named(tmp_path, name):
    layout = {
        "spiece.model": "bigbird",
        "spm.model": "mdeberta-v3-base",
        "tokenizer.model": "modernbert-ja tokenizer.model",
    }
    path = write(tmp_path / "c", layout.get(name, "modernbert-ja tokenizer.json"))
    (path / name).write_bytes(b"nothing")
    with pytest.raises(ValueError, match=f"{name} of the checkpoint .* is damaged"):
        open_encoder(open_checkpoint(str(path)))


@pytest.mark.parametrize("decoder", [{"5": "[MASK]"}, {"x": {"content": "[MASK]"}}, {"5": {}}, ["[MASK]"], "no"])
def test_added_tokens_that_say_nothing_are_named(tmp_path, decoder):
    path = write(tmp_path / "c", "mdeberta-v3-base", added_tokens_decoder=decoder)
    with pytest.raises(ValueError, match="added_tokens_decoder in tokenizer_config.json"):
        open_encoder(open_checkpoint(str(path)))


def test_canine_has_no_subwords(tmp_path):
    path = write(tmp_path / "c", network="Bert", keep=[], config={"model_type": "canine"})
    with pytest.raises(
        OSError, match="is a canine, which reads characters .* no subwords to tag.*bert-base-japanese-char"
    ):
        open_checkpoint(str(path))


def test_a_network_of_own_code_is_named(tmp_path):
    code = {"AutoModel": "modeling_llama_enc.LlamaEncModel", "AutoConfig": "configuration_llama_enc.LlamaEncConfig"}
    path = write(tmp_path / "c", "modernbert-ja", config={"model_type": "llama_enc", "auto_map": code})
    with pytest.raises(ValueError, match="llama_enc.*own code .*LlamaEnc.*modernbert-ja-130m"):
        build_module(open_checkpoint(str(path)))


@pytest.mark.skipif(importlib.util.find_spec("fugashi") is not None, reason="fugashi is installed")
def test_mecab_is_named(tmp_path):
    path = write(tmp_path / "c", "bert-base-japanese")
    with pytest.raises(ValueError, match=r'MeCab and the dictionary unidic_lite, and fugashi is not installed; run: pip install "spacy-luke-ja\[mecab\]"'):  # fmt: skip
        open_encoder(open_checkpoint(str(path)))


@pytest.mark.parametrize("key", ["bos_token_id", "eos_token_id"])
def test_other_ids_of_beginnings_and_ends_are_a_warning(tmp_path, key):
    path = write(tmp_path / "c", "modernbert-ja", config={key: 50281})
    with pytest.warns(UserWarning, match=f"{key} 50281, its tokenizer [12], which is what texts get"):
        assert open_encoder(open_checkpoint(str(path))).prefix_ids == (1,)


def test_an_unknown_class_with_a_tokenizer_json_is_a_warning(tmp_path):
    path = write(tmp_path / "c", "modernbert-ja tokenizer.json", tokenizer_class="UnheardTokenizer")
    with pytest.warns(UserWarning, match="UnheardTokenizer, which transformers does not have; its tokenizer.json"):
        open_encoder(open_checkpoint(str(path)))


@pytest.mark.parametrize("n_tags", [2, 17])
def test_tags_name_outputs_that_config_json_does_not(tmp_path, n_tags):
    tags = ["O", *(f"{mark}-{label}" for label in toys.LUKE_LABELS for mark in "BI")][:n_tags]
    tags = ["O", "地名"] if n_tags == 2 else tags
    layout = families.layouts()["bert vocab.txt"]
    path = layout.write_tokenizer(toys.write_network(tmp_path / "c", "Bert", layout.vocab_size, tags, layout.settings))
    change(path / "config.json", {"id2label": None, "label2id": None})
    nlp = spacy_luke_ja.blank()
    settings = {"name": str(path), "overlap": 8}
    pipe = nlp.add_pipe(
        "luke_ner", config={"model": settings, "tags": tags, **({"scheme": "IO"} if n_tags == 2 else {})}
    )
    assert len(pipe.labels) == (1 if n_tags == 2 else 8)
    nlp("山田花子は東京へ行った。")
    nlp.to_disk(tmp_path / "saved")
    assert spacy.load(tmp_path / "saved").get_pipe("luke_ner").labels == pipe.labels


def test_bigbird_forgets_what_it_read(tmp_path):
    import numpy as np

    from spacy_luke_ja.models.types import WindowBatch

    layout = families.layouts()["bigbird"]
    config = {**layout.settings, "max_position_embeddings": 1024, "block_size": 16, "num_random_blocks": 1}
    path = layout.write_tokenizer(toys.write_network(tmp_path / "c", "BigBird", layout.vocab_size, TAGS, config))
    batch = lambda *lengths: WindowBatch(np.arange(sum(lengths)) % 250 + 10, np.array(lengths), pad_id=0)
    shim = HFShim(ModelSettings(precision="float32"))
    shim.load(open_checkpoint(str(path)))
    first = shim.infer(batch(600))
    shim.infer(batch(10))
    assert np.array_equal(shim.infer(batch(600)), first)
    assert np.abs(shim.infer(batch(600, 10))[:600] - first).max() < 1e-4
