"""Rows cut from a stream of documents, and what is masked in them."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.pretraining.blocks import BOS, EOS, NONE, Blocks, mask_units, plan


def write_set(path, lengths):
    """Documents whose subwords have ids 100, 101, …, and their ids modulo 50 as target."""
    ids = np.arange(100, 100 + sum(lengths))
    np.savez(path, ids=ids.astype("uint16"), tags=(ids % 50).astype("uint8"), starts=np.cumsum([0, *lengths]))
    return path


def make_blocks(tmp_path_factory, lengths, seed=0):
    return Blocks(write_set(tmp_path_factory.mktemp("set") / "set.npz", lengths), seed)


def read_pass(blocks, n_pass, n_rows, length):
    """The subwords of the rows that begin in a pass, and their targets, in order."""
    n_taken = n_rows * (length - 2)
    firsts = range(-(-n_pass * len(blocks) // n_taken) * n_taken, (n_pass + 1) * len(blocks), n_taken)
    taken = [blocks.take(first, n_rows, length) for first in firsts]
    ids = np.concatenate([ids[:, 1:-1].reshape(-1) for ids, _ in taken])
    return ids, np.concatenate([targets["tags"][:, 1:-1].reshape(-1) for _, targets in taken])


document_lengths = st.lists(st.integers(1, 9), min_size=3, max_size=12)


@given(document_lengths, st.integers(0, 3), st.integers(0, 2))
def test_a_pass_has_every_subword_once_with_its_target(tmp_path_factory, lengths, seed, n_pass):
    blocks = make_blocks(tmp_path_factory, lengths, seed)
    n_rows, length = 1, len(blocks) + 2  # rows that fit a pass
    ids, targets = read_pass(blocks, n_pass, n_rows, length)
    words = ids != EOS
    assert sorted(ids[words].tolist()) == list(range(100, 100 + sum(lengths)))
    assert (ids == EOS).sum() == len(lengths)
    assert (targets[words] == ids[words] % 50).all() and (targets[~words] == NONE).all()


@given(document_lengths, st.integers(1, 2), st.integers(3, 6))
def test_where_rows_do_not_fit_the_last_ones_repeat_some(tmp_path_factory, lengths, n_rows, length):
    """Nothing of the first pass is lost."""
    blocks = make_blocks(tmp_path_factory, lengths)
    if n_rows * (length - 2) > len(blocks):
        return
    ids, _ = read_pass(blocks, 0, n_rows, length)
    counts = Counter(ids[ids != EOS].tolist())
    assert set(counts) == set(range(100, 100 + sum(lengths))) and max(counts.values()) <= 2
    assert len(ids) - len(blocks) < n_rows * (length - 2)


@given(document_lengths)
def test_a_document_stays_whole_and_ends_with_its_sign(tmp_path_factory, lengths):
    """But the one at which the pass begins, which is cut in two."""
    blocks = make_blocks(tmp_path_factory, lengths)
    ids = blocks.take(0, 1, len(blocks) + 2)[0][0, 1:-1].tolist()
    ends = {100 + int(start) - 1 for start in blocks.starts[1:]}
    for i in range(len(ids) - 1):
        if ids[i] in ends:
            assert ids[i + 1] == EOS
        elif ids[i] != EOS:
            assert ids[i + 1] == ids[i] + 1


def test_rows_begin_and_end_with_signs(tmp_path_factory):
    ids, targets = make_blocks(tmp_path_factory, [30, 20]).take(0, 3, 10)
    assert ids.shape == targets["tags"].shape == (3, 10)
    assert (ids[:, 0] == BOS).all() and (ids[:, -1] == EOS).all()
    assert (targets["tags"][:, [0, -1]] == NONE).all()


def test_passes_and_seeds_differ(tmp_path_factory):
    lengths = [7, 8, 9, 10] * 5
    blocks, other = make_blocks(tmp_path_factory, lengths), make_blocks(tmp_path_factory, lengths, seed=1)
    orders = [tuple(b.take(n * len(b), 1, len(b) + 2)[0][0].tolist()) for b in (blocks, other) for n in range(3)]
    assert len(set(orders)) == 6


@given(st.lists(st.integers(0, 400), max_size=5), st.integers(0, 400))
def test_what_is_taken_does_not_depend_on_what_was_read_before(tmp_path_factory, before, first):
    lengths = [7, 8, 9, 10] * 3
    fresh, used = make_blocks(tmp_path_factory, lengths), make_blocks(tmp_path_factory, lengths)
    for position in before:
        used.take(position, 2, 12)
    for one, other in zip(fresh.take(first, 2, 12), used.take(first, 2, 12)):
        np.testing.assert_equal(one, other)


def test_a_set_smaller_than_a_step_is_an_error(tmp_path_factory):
    with pytest.raises(ValueError, match="a step reads 252 subwords, but the set has 32"):
        make_blocks(tmp_path_factory, [20, 10]).take(0, 2, 128)


# Units of three subwords, in 40 rows.
IDS = np.tile(np.array([BOS, *range(10, 40), EOS]), (40, 1))
IS_START = np.tile(np.array([False, *([True, False, False] * 10), False]), (40, 1))


def mask(seed, share=0.3, ids=IDS, is_start=IS_START):
    return mask_units(ids, is_start, share=share, mask_id=99, n_ids=100, rng=np.random.default_rng(seed))


@given(st.integers(0, 20))
def test_whole_units_are_masked_and_signs_never(seed):
    masked, is_masked = mask(seed)
    units = is_masked[:, 1:-1].reshape(40, 10, 3)
    assert (units == units[:, :, :1]).all()
    assert not is_masked[:, [0, -1]].any()
    assert (masked[~is_masked] == IDS[~is_masked]).all()
    assert masked.min() >= 0 and set(masked[is_masked].tolist()) <= set(range(4, 100))


@given(st.integers(0, 20), st.data())
def test_a_sign_within_a_row_is_never_masked(seed, data):
    ids = np.array(data.draw(st.lists(st.sampled_from([BOS, EOS, 10, 11]), min_size=1, max_size=20)))[None]
    is_start = np.array(data.draw(st.lists(st.booleans(), min_size=ids.size, max_size=ids.size)))[None]
    _, is_masked = mask(seed, 1.0, ids, is_start)
    assert (is_masked == (ids > EOS)).all()


def test_the_shares_are_about_right():
    """Of the units 30 % are masked; of these 80 % by <mask>, whole units too; 10 % stay."""
    counts = np.zeros(3)
    for seed in range(25):
        masked, is_masked = mask(seed)
        by_sign = is_masked & (masked == 99)
        units = by_sign[:, 1:-1].reshape(40, 10, 3)
        assert (units.all(axis=2) == units.any(axis=2)).all()
        counts += [is_masked.sum() / (40 * 30), by_sign.sum() / is_masked.sum(), (masked == IDS)[is_masked].mean()]
    np.testing.assert_allclose(counts / 25, [0.3, 0.8, 0.1], atol=0.02)


def test_the_plan_reads_each_set_without_gaps():
    steps = list(plan(48, n_subwords=1024, every_ner=4, every_long=8))
    assert Counter(name for name, *_ in steps) == {"corpus": 36, "wac": 6, "gsd": 6}
    for own in ("corpus", "wac", "gsd"):
        position = 0
        for name, first, n_rows, length in steps:
            if name == own:
                assert first == position and n_rows * length == 1024
                position += n_rows * (length - 2)
    assert {length for name, *_, length in steps if name != "corpus"} == {128}


def test_a_longer_plan_begins_like_a_shorter_one():
    settings = {"n_subwords": 1024, "every_ner": 5, "every_long": 3}
    assert list(plan(30, **settings)) == list(plan(50, **settings))[:30]


def test_steps_too_small_for_a_long_row_are_an_error():
    with pytest.raises(ValueError, match="n_subwords must be 512 or more"):
        next(plan(1, n_subwords=256, every_ner=12, every_long=16))
