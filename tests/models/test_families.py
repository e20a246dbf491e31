"""Each family of tokenizers: the ids of transformers 4.53.2 under every version, honest offsets, what becomes of it."""

import importlib.util
import json
import pickle
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.training import Example

import families
import toys
from spacy_luke_ja.models.hf_checkpoint import open_checkpoint
from spacy_luke_ja.models.hf_tokenizer import open_encoder
from spacy_luke_ja.text.characters import is_blank
from spacy_luke_ja.text.subwords import align_pieces

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "family_ids.json").read_text(encoding="utf8"))["ids"]
NAMES = list(families.layouts())
TAGS = ["O", "B-人名", "I-人名", "B-地名", "I-地名"]


def skip_without(package):
    if package is not None and importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")


def settings(path):
    return {"name": str(path), "precision": "float32", "overlap": 8}


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """name of a layout → directory of a checkpoint with random weights."""
    root = tmp_path_factory.mktemp("families")

    @cache
    def write(name):
        layout = families.layouts()[name]
        skip_without(layout.needs)
        path = root / str(NAMES.index(name))
        return layout.write_tokenizer(
            toys.write_network(path, layout.network, layout.vocab_size, TAGS, layout.settings)
        )

    return write


@pytest.fixture(scope="session")
def encoders(written):
    return cache(lambda name: open_encoder(open_checkpoint(str(written(name)))))


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_those_of_transformers_4(encoders, name):
    encoder = encoders(name)
    for text, expected in zip(families.TEXTS, GOLDEN[name]):
        ids = [*encoder.prefix_ids, *encoder.encode(text).ids.tolist(), *encoder.suffix_ids]
        assert ids == expected, text


@pytest.mark.parametrize("name", NAMES)
def test_offsets(encoders, name):
    for text in families.TEXTS:
        offsets = encoders(name).encode(text).char_offsets
        assert (offsets >= 0).all() and (offsets <= len(text)).all() and (offsets[:, 0] <= offsets[:, 1]).all()
        assert (np.diff(offsets, axis=0) >= 0).all()
        covered = {char for start, end in offsets.tolist() for char in range(start, end)}
        missing = {text[i] for i in set(range(len(text))) - covered}
        assert not len(offsets) or all(is_blank(char) or char == "▁" for char in missing), text


@pytest.mark.parametrize(
    "text, pieces",
    [
        ("㍻", [(0, 1), (0, 1)]),
        ("㈱山田", [(0, 1), (0, 1), (0, 1), (1, 3)]),
        ("①大阪", [(0, 1), (1, 3)]),
    ],
)
@pytest.mark.parametrize("name", ["japanese characters", "japanese words by sudachi"])
def test_pieces_of_one_character_share_it(encoders, name, text, pieces):
    found = [tuple(pair) for pair in encoders(name).encode(text).char_offsets.tolist()]
    assert found[: len(pieces) - 1] == pieces[:-1] and found[-1][1] == len(text)
    assert found[0] == (0, 1)


def test_slow_pieces_of_half_of_one_character():
    text = "½と℃とİ"
    assert align_pieces(["1", "⁄", "2", "と", "°", "C", "と", "i", "\u0307"], text).tolist() == [
        [0, 1], [0, 1], [0, 1], [1, 2], [2, 3], [2, 3], [3, 4], [4, 5], [4, 5],
    ]  # fmt: skip


@pytest.mark.parametrize("special", ["[MASK]", "[CLS]", "<s>", "</s>", "<mask>", "<pad>"])
@pytest.mark.parametrize("name", NAMES)
def test_a_literal_special_subword_is_text(encoders, name, special):
    encoder = encoders(name)
    ids = set(encoder.encode(f"東京{special}大阪").ids.tolist())
    around = {*encoder.prefix_ids, *encoder.suffix_ids, encoder.pad_id} - {encoder.unk_id}
    assert not ids & around


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_checkpoint_has_the_same_ids(encoders, written, tmp_path, name):
    import spacy_luke_ja

    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner", config={"model": settings(written(name))})
    doc = nlp(families.TEXTS[0])
    nlp.to_disk(tmp_path / "saved")
    again = spacy.load(tmp_path / "saved")
    encoder = again.get_pipe("luke_ner").subword_encoder
    for text, expected in zip(families.TEXTS, GOLDEN[name]):
        assert [*encoder.prefix_ids, *encoder.encode(text).ids.tolist(), *encoder.suffix_ids] == expected, text
    assert [(ent.text, ent.label_) for ent in again(families.TEXTS[0]).ents] == [(e.text, e.label_) for e in doc.ents]


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_those_of_transformers(encoders, written, name):
    """Two windows of unlike lengths together, beside each by itself in transformers' class."""
    import torch
    import transformers

    from spacy_luke_ja.models.hf_shim import HFShim
    from spacy_luke_ja.models.settings import ModelSettings
    from spacy_luke_ja.models.types import WindowBatch

    encoder = encoders(name)
    shim = HFShim(ModelSettings(precision="float32"))
    shim.load(open_checkpoint(str(written(name))))
    windows = [
        [*encoder.prefix_ids, *encoder.encode(text).ids.tolist(), *encoder.suffix_ids] for text in families.TEXTS[:3]
    ]
    windows = [window[:50] for window in windows]
    batch = WindowBatch(np.concatenate(windows), np.array([len(window) for window in windows]), encoder.pad_id)
    found = shim.infer(batch)
    model = getattr(transformers, f"{families.layouts()[name].network}ForTokenClassification").from_pretrained(
        written(name)
    )
    model.eval()
    expected = []
    with torch.inference_mode():
        for window in windows:
            arguments = {"input_ids": torch.tensor([window])}
            if name == "rinna":
                arguments["position_ids"] = torch.arange(len(window))[None]
            expected.append(model(**arguments).logits[0].numpy())
    assert np.abs(found - np.concatenate(expected)).max() < 2e-5


@pytest.mark.parametrize("name", NAMES)
def test_training(written, name):
    import spacy_luke_ja

    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner", config={"model": settings(written(name))})
    examples = [
        Example.from_dict(nlp.make_doc(text), {"entities": entities}) for text, entities in toys.EXAMPLES if entities
    ]
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 1e-3
    losses = [nlp.update(examples, sgd=optimizer)["luke_ner"] for _ in range(6)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", ["modernbert-ja", "mdeberta-v3-base", "llama not legacy", "japanese characters"])
def test_a_copy_encodes_alike(encoders, name):
    copied = pickle.loads(pickle.dumps(encoders(name)))
    for text in [*families.TEXTS, "東京[MASK]<mask>大阪"]:
        assert copied.encode(text).ids.tolist() == encoders(name).encode(text).ids.tolist()
