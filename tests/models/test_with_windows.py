"""Batches, windows and gradients around a layer that can be looked into."""

import numpy as np
import pytest
from thinc.api import Model

import spacy_luke_ja
from spacy_luke_ja.models.settings import ModelSettings
from spacy_luke_ja.models.task import Frame, Task, overlap_for
from spacy_luke_ja.models.with_windows import with_windows
from spacy_luke_ja.text.subwords import PairIds, Subwords

SEEN = []


def echo_layer():
    """Logits are the id and the number of subwords in the window; the gradient is noted."""
    SEEN.clear()

    def forward(model, batches, is_train):
        SEEN.extend(batches)
        rows = [np.stack([batch.ids, np.repeat(batch.lengths, batch.lengths)], axis=1) for batch in batches]
        return [logits.astype("float32") for logits in rows], SEEN.extend

    return Model("echo", forward, attrs={"n_tags": 2})


def subwords(n, first=10):
    ids = np.arange(first, first + n)
    return Subwords("あ" * n, ids, np.stack([np.arange(n), np.arange(1, n + 1)], axis=1))


class SubwordTask(Task):
    """Texts come as subwords."""

    def encode(self, encoder, inputs):
        return inputs


def make(window=None, overlap=2, max_batch_subwords=40, start_ids=()):
    settings = ModelSettings(window=window, overlap=overlap, max_batch_subwords=max_batch_subwords)
    model = with_windows(echo_layer(), settings)
    frame = Frame(PairIds((0,), (), (2,)), pad_id=1, usual_window=8, max_window=8, start_ids=start_ids)
    model.attrs.update(task=SubwordTask(), frame=frame)
    return model


@pytest.mark.parametrize("lengths", [[3, 20, 0, 8, 1, 100], [0], [], [50] * 4])
def test_rows_come_back_in_document_order(lengths):
    texts = [subwords(n, first=10 + 1000 * i) for i, n in enumerate(lengths)]
    outputs = make().predict(texts)
    assert [output.logits[:, 0].tolist() for output in outputs] == [text.ids.tolist() for text in texts]
    assert all(output.logits.shape == (n, 2) for output, n in zip(outputs, lengths))


def test_batches_have_special_subwords_and_are_capped():
    make(max_batch_subwords=40).predict([subwords(n) for n in (3, 20, 8, 1, 100)])
    for batch in SEEN:
        assert batch.padded_ids().size <= 40 and batch.lengths.sum() == batch.ids.size
        for ids, length in zip(batch.padded_ids(), batch.lengths):
            assert ids[0] == 0 and ids[length - 1] == 2
            assert (ids[length:] == 1).all() and (ids[1 : length - 1] >= 10).all()


def test_a_sentence_inside_a_text_begins_like_a_text():
    """Its window starts with what the encoder puts before a text, unless it has that; nothing moves by it."""
    model = make(window=3, start_ids=(7,))
    text = Subwords("あ。い。\nう。", np.array([7, 10, 11, 12, 13, 7, 14, 15]), np.array(
        [(0, 0), (0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7)]))  # fmt: skip
    outputs, backprop = model.begin_update([text])
    assert sorted(ids.tolist() for batch in SEEN for ids in np.split(batch.ids, np.cumsum(batch.lengths)[:-1])) == [
        [0, 7, 10, 11, 2],
        [0, 7, 12, 13, 2],
        [0, 7, 14, 15, 2],
    ]
    assert outputs[0].logits[:, 0].tolist() == text.ids.tolist()
    batches = list(SEEN)
    SEEN.clear()
    backprop([np.arange(16, dtype="float32").reshape(8, 2)])
    gradients = {int(i): row[0] for batch, d in zip(batches, SEEN) for i, row in zip(batch.ids, d) if i >= 10}
    assert gradients == {10: 2.0, 11: 4.0, 12: 6.0, 13: 8.0, 14: 12.0, 15: 14.0}


def test_gradients_reach_the_rows_that_were_kept():
    model = make()
    texts = [subwords(20), subwords(5)]
    outputs, backprop = model.begin_update(texts)
    batches = list(SEEN)
    SEEN.clear()
    backprop([np.ones_like(output.logits) for output in outputs])
    taught = sorted(
        int(batch.ids[row]) for batch, gradient in zip(batches, SEEN) for row in np.flatnonzero(gradient[:, 0])
    )
    assert taught == sorted([*texts[0].ids.tolist(), *texts[1].ids.tolist()])


def test_the_memory_of_a_long_text_is_that_of_a_batch():
    make(max_batch_subwords=40).predict([subwords(100_000)])
    assert max(batch.padded_ids().size for batch in SEEN) <= 40


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"window": 0}, "window must be at least 1, got 0"),
        ({"overlap": -1}, "overlap must be at least 0, got -1"),
        ({"max_batch_subwords": 0}, "max_batch_subwords must be at least 1, got 0"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)


@pytest.mark.parametrize("window", [None, 1, 2, 10, 62])
def test_the_default_overlap_fits_a_small_encoder(make_nlp, answerers, window):
    """It takes 62 subwords, and the default is 64; for questions, 128."""
    nlp = make_nlp("luke", model={"overlap": None, "window": window})
    long = "山田花子は東京へ行った。" * 20
    assert [ent.text for ent in nlp(long).ents] == ["山田花子", "東京"] * 20
    qa = spacy_luke_ja.blank().add_pipe(
        "luke_qa", config={"model": {"name": str(answerers["luke"]), "overlap": None, "window": window}}
    )
    assert qa.ask(nlp.make_doc("の" * 200 + "東京"), "どこ？").text == "東京"


@pytest.mark.parametrize("window, expected", [(510, 64), (128, 64), (126, 63), (62, 31), (1, 0)])
def test_the_default_overlap(window, expected):
    assert overlap_for(None, window) == expected and overlap_for(8, window) == 8
