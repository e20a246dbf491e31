"""The text of a predicted answer and those of the right ones in, exact match and F1 over characters out.

Who made the data compares so:
- JSQuAD: JGLUE's patches of transformers' squad_metrics.py (yahoojapan/JGLUE, fine-tuning/patch/*_jglue-1.1.0.patch)
  put letters in lower case, take "。" off the end and make each run of white space one space. Exact match is equality
  of what is left; F1 counts all of its characters, spaces too. Of several right answers, the best counts.
- JaQuAD: its notebook (SkelterLabsInc/JaQuAD, JaQuAD.ipynb, char_f1_score) takes out all white space and nothing else.
  Exact match is an F1 of 1, so that the order of characters does not matter. There is one right answer.
Neither changes widths or composes marks (NFKC). exact_match and char_f1 are JSQuAD's, jaquad_f1 is JaQuAD's. Those of
lm-evaluation-harness (lm_eval/jasquad/evaluate.py: cleaned with neologdn, F1 over words of MeCab) do not compare with
them.
"""

from collections import Counter
from typing import Callable, List, Sequence


def normalize_answer(text: str) -> str:
    """As JGLUE does: lower case, without "。" at the end, white space as single spaces and none at the edges."""
    return " ".join(text.lower().rstrip("。").split())


def exact_match(predicted: str, golds: Sequence[str]) -> float:
    """1.0 when the prediction is one of the right answers, or none ("") where there is none, else 0.0."""
    return float(normalize_answer(predicted) in normalize_golds(golds))


def char_f1(predicted: str, golds: Sequence[str]) -> float:
    """The F1 of the characters of the prediction, in any order, with the right answer it has the most of, 0.0–1.0.

    predicted: "" for no answer, which has 1.0 where there is no right answer and 0.0 where there is.
    """
    return max(f1_of(normalize_answer(predicted), gold) for gold in normalize_golds(golds))


def jaquad_f1(predicted: str, golds: Sequence[str]) -> float:
    """As char_f1, but as JaQuAD's makers count; of several right answers, the best."""
    strip: Callable[[str], str] = lambda text: "".join(text.split())
    return max(f1_of(strip(predicted), gold) for gold in [strip(gold) for gold in golds if strip(gold)] or [""])


def normalize_golds(golds: Sequence[str]) -> List[str]:
    """RETURNS: those of which something is left; [""] when that is none."""
    return [gold for gold in map(normalize_answer, golds) if gold] or [""]


def f1_of(predicted: str, gold: str) -> float:
    if not predicted or not gold:
        return float(predicted == gold)
    n_shared = sum((Counter(predicted) & Counter(gold)).values())
    return 2 * n_shared / (len(predicted) + len(gold))
