"""The threshold for "no answer" of the best F1, from what was answered."""

import pytest

from spacy_luke_ja.evaluation.qa import GoldQuestion, apply_threshold, best_threshold, compare, summarize

TEXT = "山田花子は東京へ行った。"


def answered(null_score, gold, found):
    """gold: whether the text has an answer, 山田花子; found: what was answered."""
    asked = GoldQuestion("q", TEXT, "誰？", ((0, 4),) if gold else ())
    start = TEXT.index(found)
    return compare(asked, [(start, start + len(found), 0.5)], null_score)


RIGHT, WRONG, NONE = (True, "山田花子"), (True, "東京"), (False, "東京")


@pytest.mark.parametrize(
    "likeliest, low, high",
    [
        ([(0.1, *RIGHT), (0.9, *NONE)], 0.1, 0.9),
        ([(0.9, *NONE), (0.1, *RIGHT), (0.3, *RIGHT), (0.5, *NONE)], 0.3, 0.5),
        ([(1e-9, *RIGHT), (1e-5, *NONE)], 1e-9, 1e-5),
        ([(1 - 1e-9, *RIGHT), (1.0, *NONE)], 1 - 1e-9, 1.0),
        ([(0.1, *RIGHT), (0.5, *NONE), (0.9, *RIGHT), (0.95, *RIGHT)], 1.0, 1.0),  # better to answer all
        ([(0.1, *NONE), (0.5, *NONE)], 0.0, 0.1),  # better to answer nothing
        ([(0.2, *NONE), (0.2, *RIGHT), (0.2, *RIGHT)], 1.0, 1.0),  # which cannot be told from one another
        ([(0.1, *RIGHT), (0.9, *NONE), (0.95, *WRONG)], 0.1, 0.9),
        ([(0.5, *RIGHT)], None, None),
        ([(0.5, *WRONG), (0.6, *RIGHT)], None, None),
    ],
)
def test_the_best_threshold(likeliest, low, high):
    answers = [answered(*own) for own in likeliest]
    best = best_threshold(answers)
    if low is None:
        assert best is None
        return
    assert best == 1.0 if low == 1.0 else low <= best < high
    f1 = lambda threshold: summarize(apply_threshold(answers, threshold))["f1"]
    assert all(f1(best) >= f1(other) for other in (0.0, *(own[0] for own in likeliest), 1.0))
