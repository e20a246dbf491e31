"""Our LUKE computes what transformers' LukeModel computes: words, entities, four queries, without padding."""

import dataclasses
import json

import numpy as np
import pytest
import torch

import toys
from spacy_luke_ja.models import entity_vocab
from spacy_luke_ja.models.hf_checkpoint import open_checkpoint
from spacy_luke_ja.models.hf_loader import build_module
from spacy_luke_ja.models.hf_tensors import ENTITY_TABLE, read_tensors
from spacy_luke_ja.models.luke import Entities, LukeClassifier, LukeEncoder
from spacy_luke_ja.models.task import FramedWindow
from spacy_luke_ja.models.with_windows import join_windows

SIZES = {
    "vocab_size": 60, "entity_vocab_size": 9, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 64, "max_position_embeddings": 70, "type_vocab_size": 1, "layer_norm_eps": 1e-5,
    "pad_token_id": 1,
}  # fmt: skip
# Per text: its words, and (entity, first subword, one behind the last) each.
TEXTS = [
    (7, [(4, 1, 3)]),
    (7, [(2, 5, 6)]),
    (12, []),
    (12, [(0, 1, 11), (8, 3, 4), (8, 3, 9)]),
    (3, [(5, 1, 2), (1, 1, 2)]),
    (64, [(3, 0, 64)]),
]
KINDS = [{"use_entity_aware_attention": aware, "entity_emb_size": size} for aware in (True, False) for size in (16, 32)]


def make_pair(**settings):
    from transformers import LukeConfig, LukeModel

    config = LukeConfig(**{**SIZES, **settings})
    torch.manual_seed(0)
    theirs = LukeModel(config, add_pooling_layer=False).eval()
    toys.spread_out(theirs, std=0.2)
    ours = LukeEncoder(json.loads(config.to_json_string(use_diff=False))).eval()
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def make_batch(texts, seed=0):
    random = np.random.default_rng(seed)
    windows = []
    for n_words, found in texts:
        ids = np.concatenate([random.integers(2, 60, n_words), [own[0] for own in found]]).astype("int64")
        mentions = np.array([own[1:] for own in found], dtype="int64").reshape(-1, 2)
        windows.append(FramedWindow(ids, mentions=mentions if found else None))
    return join_windows(windows, pad_id=1)


def arguments_of(batch):
    entities = None
    if batch.mentions is not None:
        entities = Entities(batch.entity_counts.tolist(), batch.mentions.tolist())
    return torch.from_numpy(batch.ids), batch.lengths.tolist(), None, entities


def their_rows(model, batch):
    """Each window by itself, so that nothing is padded."""
    rows, start, n_before = [], 0, 0
    counts = batch.entity_counts if batch.mentions is not None else [0] * len(batch.lengths)
    for length, count in zip(batch.lengths, counts):
        ids = torch.from_numpy(batch.ids[start : start + length])[None]
        more = {}
        if count:
            own = batch.mentions[n_before : n_before + count]
            positions = torch.full((1, count, 70), -1)
            for i, (first, end) in enumerate(own):
                positions[0, i, : end - first] = torch.arange(first, end)
            more = {"entity_ids": ids[:, length - count :], "entity_position_ids": positions}
        outputs = model(input_ids=ids[:, : length - count], **more)
        rows += [outputs.last_hidden_state[0], *([outputs.entity_last_hidden_state[0]] if count else [])]
        start, n_before = start + length, n_before + count
    return torch.cat(rows)


@pytest.mark.parametrize("settings", KINDS)
@pytest.mark.parametrize("texts", [TEXTS, TEXTS[2:3], TEXTS[:2], TEXTS * 12], ids=["all", "none", "alike", "blocks"])
def test_it_computes_what_transformers_computes(settings, texts):
    ours, theirs = make_pair(**settings)
    batch = make_batch(texts)
    with torch.no_grad():
        found, expected = ours(*arguments_of(batch)), their_rows(theirs, batch)
    assert found.shape == expected.shape and (found - expected).abs().max() < 1e-5


def test_it_is_close_in_bfloat16():
    ours, _ = make_pair(use_entity_aware_attention=True)
    arguments = arguments_of(make_batch(TEXTS))
    with torch.no_grad():
        expected = ours(*arguments)
        assert torch.nn.functional.cosine_similarity(ours.bfloat16()(*arguments).float(), expected).min() > 0.99


@pytest.mark.parametrize("settings", KINDS)
def test_gradients_are_those_of_transformers(settings):
    ours, theirs = make_pair(**settings)
    batch = make_batch(TEXTS)
    weights = torch.randn(len(batch.ids), 32)
    (ours(*arguments_of(batch)) * weights).sum().backward()
    (their_rows(theirs, batch) * weights).sum().backward()
    expected = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    found = {name: parameter.grad for name, parameter in ours.named_parameters()}
    for part in ("query", "key", "value"):
        for i in range(2):
            layer = f"encoder.layer.{i}.attention.self"
            joined = found[f"{layer}.weight"].chunk(3)[["query", "key", "value"].index(part)]
            assert torch.allclose(joined, expected[f"{layer}.{part}.weight"], atol=1e-3, rtol=1e-3)
    for name in found.keys() & expected.keys():
        own, other = found[name], expected[name]
        if "word_embeddings" in name or "entity_embeddings.entity_embeddings" in name:
            own, other = own[2:], other[2:]  # transformers leaves the row of the padding as it is
        if other is not None and own is not None:
            assert torch.allclose(own, other, atol=1e-3, rtol=1e-3), name
    assert any("2e_query" in name for name in found) == settings["use_entity_aware_attention"]


def test_a_checkpoint_is_ours_and_can_be_cut_to_its_special_entities(checkpoints):
    for name in ("random_luke", "luke_bin"):
        whole = open_checkpoint(str(checkpoints[name]), with_entities=True)
        assert isinstance(build_module(whole), LukeClassifier)
        few = entity_vocab.keep_special_entities(whole)
        assert entity_vocab.keep_special_entities(few) is few
        assert few.config["entity_vocab_size"] == 4 and few.entity_vocab == whole.entity_vocab
        for dtype in (None, torch.bfloat16):
            table = [read_tensors(own, dtype=dtype)[f"luke.{ENTITY_TABLE}"] for own in (whole, few)]
            assert torch.equal(table[0][:4], table[1]) and len(table[0]) == 50
        assert isinstance(build_module(few, dtype=torch.bfloat16), LukeClassifier)


def with_files(checkpoint, without=(), **files):
    kept = {name: content for name, content in checkpoint.files.items() if name not in without}
    more = {name.replace("_json", ".json"): json.dumps(content).encode() for name, content in files.items()}
    return dataclasses.replace(checkpoint, files={**kept, **more})


def test_entities_are_known_by_name(checkpoints):
    whole = open_checkpoint(str(checkpoints["random_luke"]), with_entities=True)
    moved = with_files(whole, entity_vocab_json={"[PAD]": 0, "[UNK]": 1, "東京": 2, "[MASK]": 40, "[MASK2]": 7})
    assert entity_vocab.entity_ids(moved, "[MASK]", "東京") == (40, 2)
    few = entity_vocab.keep_special_entities(moved)
    assert few.entity_rows == (0, 1, 7, 40) and entity_vocab.entity_ids(few, "[MASK]", "[MASK2]") == (3, 2)
    with pytest.raises(ValueError, match="has no 大阪"):
        entity_vocab.entity_ids(moved, "[MASK]", "大阪")
    with pytest.raises(ValueError, match="from 0 to 50 - 1"):
        entity_vocab.entity_ids(with_files(whole, entity_vocab_json={"[MASK]": 50}), "[MASK]")
    with pytest.raises(ValueError, match="entity_vocab.json of the checkpoint .* is not there"):
        entity_vocab.entity_ids(with_files(whole, without=["entity_vocab.json"]), "[MASK]")


@pytest.mark.parametrize("files", [
    {"added_tokens_json": {"<ent2>": 33, "<ent>": 32}},
    {"tokenizer_config_json": {"added_tokens_decoder": {"32": {"content": "<ent>"}, "33": {"content": "<ent2>"}}}},
    {"tokenizer_json": {"added_tokens": [{"id": 32, "content": "<ent>"}, {"id": 33, "content": "<ent2>"}]}},
])  # fmt: skip
def test_markers_are_found_where_any_transformers_wrote_them(checkpoints, files):
    whole = open_checkpoint(str(checkpoints["random_luke"]), with_entities=True)
    bare = with_files(whole, without=["added_tokens.json", "tokenizer_config.json"])
    assert [entity_vocab.marker_id(with_files(bare, **files), own) for own in ("<ent>", "<ent2>")] == [32, 33]
    with pytest.raises(ValueError, match="has no id for <ent>"):
        entity_vocab.marker_id(bare, "<ent>")
