"""What another set's tags make of the teachers' opinion."""

import numpy as np

from scripts.pretraining.finetune import LABELS, read_soft
from scripts.pretraining.other_sets import combine, read_set
from spacy_luke_ja.text.label_schemes import make_tags


def test_another_sets_tags_correct_teachers():
    """Four tags; teachers right in two of three cases, and as sure of it; the other set tells 0 from 1 from the rest."""
    rng = np.random.default_rng(0)
    truth = rng.integers(4, size=3000)
    opinion = np.where(rng.random(3000) < 2 / 3, truth, rng.integers(4, size=3000))
    teachers = np.full((3000, 4), 1 / 12)
    teachers[np.arange(3000), opinion] = 3 / 4
    noise = rng.random(3000) < 0.1
    other_tags = np.where(noise, rng.integers(3, size=3000), np.asarray([2, 0, 1, 1])[truth])  # in another order
    combined = combine(teachers, other_tags, 3, n_rounds=3)
    assert (opinion == truth).mean() < 0.77
    assert (combined.argmax(axis=1) == truth).mean() > 0.81
    np.testing.assert_allclose(combined.astype("float32").sum(axis=1), 1.0, atol=0.01)
    # Between 2 and 3 the other set is silent, and the teachers' opinion stays.
    silent = (other_tags == 1) & (opinion >= 2)
    np.testing.assert_array_equal(combined[silent].argmax(axis=1), opinion[silent])


def test_tags_that_say_nothing_change_nothing():
    teachers = np.random.default_rng(0).dirichlet(np.ones(5), size=200)
    combined = combine(teachers, np.zeros(200, dtype=int), 1, n_rounds=3)
    np.testing.assert_allclose(combined, teachers, atol=1e-3)


def test_the_file_that_the_stage_writes(work, teacher, tmp_path, run_stage, capsys):
    run_stage("other_sets", work, tmp_path / "other.npz", "--teachers", teacher, teacher)
    soft = read_soft(tmp_path / "other.npz", teacher / "sentencepiece.bpe.model", make_tags(LABELS))
    ids = [own for name in ("wac", "gsd") for own in read_set(work / f"{name}.npz")[0]]
    assert len(soft) == len(ids) > 1
    for sentence, own in zip(soft, ids):
        np.testing.assert_array_equal(sentence.ids, own)
        assert sentence.tags.shape == (len(own), 17)
        np.testing.assert_allclose(sentence.tags.astype("float32").sum(axis=1), 1.0, atol=0.01)
    assert "wac: " in capsys.readouterr().out
