"""Windows' logits make a text's, and its scores."""

import numpy as np
import pytest

from spacy_luke_ja.text.textcat import average_windows, class_scores, split_average
from spacy_luke_ja.text.windows import Window

ONE = [Window(0, 5, 0, 5)]
TWO = [Window(0, 6, 0, 5), Window(4, 7, 5, 7)]  # 5 and 2 subwords are theirs
EMPTY = [Window(0, 0, 0, 0)]


@pytest.mark.parametrize("plan, rows, expected", [
    (ONE, [[1, -1]], [1, -1]),
    (TWO, [[7, 0], [0, 7]], [5, 2]),
    (EMPTY, [[3, 4]], [3, 4]),
    ([], [], [0, 0]),
])  # fmt: skip
def test_the_mean_is_weighted_by_subwords(plan, rows, expected):
    rows = [np.array([row], dtype="float32") for row in rows]
    average = average_windows(rows, plan, n_tags=2)
    assert average.dtype == "float32" and average == pytest.approx(expected)
    d_average = np.array([0.5, -2.0], dtype="float32")
    split = split_average(d_average, plan)
    assert [own.shape for own in split] == [row.shape for row in rows]
    # the reverse: <d, mean(rows)> is the sum of <d_window, row>
    assert sum(float((d * row).sum()) for d, row in zip(split, rows)) == pytest.approx(float(d_average @ average))


@pytest.mark.parametrize(
    "multi_label, expected", [(False, [[0.25, 0.75], [0.0, 1.0]]), (True, [[0.5, 0.75], [0.0, 1.0]])]
)
def test_scores(multi_label, expected):
    logits = np.array([[0.0, np.log(3.0)], [-1000.0, 1000.0]])
    assert class_scores(logits, multi_label=multi_label) == pytest.approx(np.array(expected))
