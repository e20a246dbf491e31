"""Batches, windows and gradients around a layer that can be looked into."""

import numpy as np
import pytest
from thinc.api import Model

from spacy_luke_ja.models.with_windows import with_windows
from spacy_luke_ja.text.subwords import Subwords

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


def make(window=None, overlap=2, max_batch_subwords=40):
    model = with_windows(echo_layer(), window=window, overlap=overlap, max_batch_subwords=max_batch_subwords)
    model.attrs.update(max_window=8, usual_window=8, prefix_ids=(0,), suffix_ids=(2,), pad_id=1)
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
        ({"window": 0}, "window must be at least 1 subword, got 0"),
        ({"window": 0}, "window must be at least 1"),
        ({"max_batch_subwords": 0}, "max_batch_subwords must be at least 1, got 0"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)
