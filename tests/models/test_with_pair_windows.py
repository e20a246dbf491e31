"""Questions and texts in windows: the ids of transformers, the logits of its classes, nothing cut."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from thinc.api import Model

from spacy_luke_ja.models.hf_checkpoint import open_checkpoint
from spacy_luke_ja.models.hf_shim import HFShim
from spacy_luke_ja.models.hf_tokenizer import open_encoder
from spacy_luke_ja.models.qa import QA, QaTask
from spacy_luke_ja.models.settings import ModelSettings
from spacy_luke_ja.models.task import Frame
from spacy_luke_ja.models.types import WindowBatch
from spacy_luke_ja.models.with_windows import with_windows
from spacy_luke_ja.text.qa import AskedText
from spacy_luke_ja.text.subwords import PairIds, Subwords
from spacy_luke_ja.text.windows import Window

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "pair_ids.json").read_text(encoding="utf8"))
SEEN = []


def framed_ids(pair_ids, asked):
    return QA.place(asked, Window(0, len(asked.subwords), 0, 0), Frame(pair_ids, pad_id=1)).ids


@pytest.mark.parametrize("question, text, expected", GOLDEN["pairs"])
def test_pairs_as_transformers_4_encodes_them(question, text, expected):
    encoder = open_encoder(open_checkpoint("ja_luke_sm"))
    asked = AskedText(encoder.encode(question), encoder.encode(text))
    ids = framed_ids(encoder.pair_ids(), asked)
    if "</s>" in question:  # transformers takes what is written like a special subword for one
        assert 2 in expected[1:4] and 2 not in asked.question.ids
    else:
        assert ids.tolist() == expected


@pytest.mark.parametrize("name", ["fast_xlmr", "bert", "slow_bert", "roberta", "deberta"])
def test_pairs_as_the_own_tokenizer_encodes_them(checkpoints, name):
    encoder = open_encoder(open_checkpoint(str(checkpoints[name])))
    question, text = "大阪に行った。", "山田花子は東京で、大阪に行った。"
    asked = AskedText(encoder.encode(question), encoder.encode(text))
    is_fast = hasattr(encoder, "backend")
    expected = encoder.backend.encode(question, text).ids if is_fast else encoder.tokenizer(question, text)["input_ids"]
    pair_ids = encoder.pair_ids()
    assert framed_ids(pair_ids, asked).tolist() == expected
    assert pair_ids.text_type_id == (1 if "bert" in name and name not in ("roberta", "deberta") else 0)


def shim_of(path):
    shim = HFShim(ModelSettings(precision="float32"))
    shim.load(open_checkpoint(str(path)), head=QA.head)
    return shim


@pytest.mark.parametrize("name", ["random_luke", "xlmr", "fast_xlmr", "bert", "slow_bert", "roberta", "deberta"])
def test_logits_are_those_of_transformers(answerers, name):
    path = answerers[name]
    model_class = (
        transformers.LukeForQuestionAnswering if "luke" in name else transformers.AutoModelForQuestionAnswering
    )
    theirs = model_class.from_pretrained(path).eval()
    first, second = np.random.default_rng(0).integers(5, 14, 7), np.random.default_rng(1).integers(5, 14, 11)
    ids = np.concatenate([first, second])
    has_types = name in ("bert", "slow_bert")
    type_ids = np.repeat([0, 1, 0, 1], [3, 4, 5, 6]) if has_types else None
    with torch.no_grad():
        outputs = [
            theirs(
                input_ids=torch.tensor(part)[None],
                **({"token_type_ids": torch.tensor(types)[None]} if types is not None else {}),
            )
            for part, types in zip((first, second), (type_ids[:7], type_ids[7:]) if has_types else (None, None))
        ]
    expected = torch.cat([torch.stack([o.start_logits[0], o.end_logits[0]], dim=-1) for o in outputs]).numpy()
    batch = WindowBatch(
        ids.astype("int64"), np.array([7, 11]), shim_of(path).checkpoint.config["pad_token_id"], type_ids
    )
    found = shim_of(path).infer(batch)
    assert expected.std() > 0.01
    np.testing.assert_allclose(found, expected, atol=2e-5)
    if has_types:
        assert not np.allclose(
            shim_of(path).infer(WindowBatch(batch.ids, batch.lengths, batch.pad_id)), expected, atol=1e-3
        )


def echo_layer():
    """Logits are the id and its place in the batch; the gradient is noted."""
    SEEN.clear()

    def forward(model, batches, is_train):
        SEEN.extend(batches)
        return [np.stack([b.ids, np.arange(len(b.ids))], axis=1).astype("float32") for b in batches], SEEN.extend

    return Model("echo", forward, attrs={"n_tags": 2})


def subwords(n, first):
    ids = np.arange(first, first + n)
    return Subwords("あ" * n, ids, np.stack([np.arange(n), np.arange(1, n + 1)], axis=1))


class AskedTask(QaTask):
    """Questions and texts come as subwords."""

    def encode(self, encoder, inputs):
        return inputs


def make(*, window=None, overlap=2, max_batch_subwords=60, text_type_id=0):
    settings = ModelSettings(window=window, overlap=overlap, max_batch_subwords=max_batch_subwords)
    QA.check_settings(settings)
    model = with_windows(echo_layer(), settings)
    frame = Frame(PairIds((0,), (2, 2), (3,), text_type_id), pad_id=1, max_window=16)
    model.attrs.update(task=AskedTask(), frame=frame)
    return model


ASKED = [AskedText(subwords(q, 100), subwords(n, 1000 * (i + 1))) for i, (q, n) in enumerate([(3, 30), (1, 0), (8, 5)])]


@pytest.mark.parametrize("window", [None, 5, 99])
def test_rows_are_those_of_no_answer_the_window_and_what_is_behind(window):
    outputs = make(window=window).predict(ASKED)
    assert [len(output.windows) > 0 for output in outputs] == [True, False, True]
    for asked, output in zip(ASKED, outputs):
        assert output.asked is asked
        assert {i for w in output.windows for i in range(w.subword_start, w.subword_end)} == set(
            range(len(asked.subwords))
        )
        for w, rows in zip(output.windows, output.rows):
            own = asked.subwords.ids[w.subword_start : w.subword_end].tolist()
            assert rows[:, 0].tolist() == [0, *own, 3]
            assert len(own) <= min(16 - len(asked.question), window or 16)


def test_every_window_begins_with_the_whole_question():
    make().predict(ASKED)
    for batch in SEEN:
        for ids in np.split(batch.ids, np.cumsum(batch.lengths)[:-1]):
            n = 3 if ids[4] == 2 else 8
            assert ids[: n + 3].tolist() == [0, *range(100, 100 + n), 2, 2] and ids[-1] == 3
            assert len(ids) <= 16 + 4


@pytest.mark.parametrize("text_type_id", [0, 1])
def test_the_text_has_a_type_of_its_own_where_encoders_are_told(text_type_id):
    make(text_type_id=text_type_id).predict(ASKED)
    for batch in SEEN:
        if not text_type_id:
            assert batch.type_ids is None
        else:
            expected = [int(i >= 1000 or i == 3) for i in batch.ids]
            assert batch.type_ids.tolist() == expected


def test_gradients_go_to_their_rows():
    outputs, backprop = make().begin_update(ASKED)
    batches = list(SEEN)
    SEEN.clear()
    backprop([[rows.copy() for rows in output.rows] for output in outputs])
    for batch, gradient in zip(batches, SEEN):
        special = np.isin(batch.ids, [2]) | ((batch.ids >= 100) & (batch.ids < 1000))
        assert (gradient[special] == 0).all()
        np.testing.assert_array_equal(gradient[~special, 0], batch.ids[~special])


def test_too_long_a_question_says_how_long_it_may_be():
    limit = AskedText(subwords(12, 100), subwords(40, 1000))
    assert len(make().predict([limit])[0].windows) == 19  # of four subwords, moving on by two
    with pytest.raises(ValueError, match="at most 12 subwords.*an overlap of 2.*this one has 13"):
        make().predict([AskedText(subwords(13, 100), subwords(40, 1000))])


@pytest.mark.parametrize(
    "settings, message",
    [({"overlap": -1}, "overlap must be at least 0"), ({"window": 2}, "overlap must be between 0 and window - 1"),
     ({"max_batch_subwords": 0}, "max_batch_subwords must be at least 1")],
)  # fmt: skip
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)
