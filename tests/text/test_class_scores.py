"""Logits make scores."""

import numpy as np
import pytest

from spacy_luke_ja.text.textcat import class_scores


@pytest.mark.parametrize(
    "multi_label, expected", [(False, [[0.25, 0.75], [0.0, 1.0]]), (True, [[0.5, 0.75], [0.0, 1.0]])]
)
def test_scores(multi_label, expected):
    logits = np.array([[0.0, np.log(3.0)], [-1000.0, 1000.0]])
    assert class_scores(logits, multi_label=multi_label) == pytest.approx(np.array(expected))
