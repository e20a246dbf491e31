"""Examples in, scores of classes out, as spaCy's textcat has them."""

from typing import Any, Callable, Dict, Iterable

from spacy.scorer import Scorer
from spacy.training import Example


def make_textcat_scorer() -> Callable[..., Dict[str, Any]]:
    """The default scorer of luke_textcat (spacy-luke-ja.textcat_scorer.v1)."""
    return score_textcat


def score_textcat(examples: Iterable[Example], *, multi_label: bool = False, **kwargs: Any) -> Dict[str, Any]:
    """kwargs: labels, threshold, positive_label. RETURNS: cats_score, cats_macro_f … as Scorer.score_cats."""
    return Scorer.score_cats(examples, "cats", multi_label=multi_label, **kwargs)
