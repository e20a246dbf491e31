"""Examples in, scores of answers out, as JSQuAD counts them."""

import warnings
from typing import Any, Callable, Dict, Iterable, List, Optional

from spacy.training import Example

from ..qa_data import get_answered, get_gold_answers
from ..text.qa_scores import char_f1, exact_match


def make_qa_scorer() -> Callable[..., Dict[str, Any]]:
    """The default scorer of luke_qa (spacy-luke-ja.qa_scorer.v1)."""
    return score_qa


def score_qa(examples: Iterable[Example], *, component: str = "luke_qa", **kwargs: Any) -> Dict[str, Any]:
    """Compare the likeliest answer to each question with the right ones, as JSQuAD does; see text/qa_scores.py.

    component: whose answers. A question to which it has none was not asked: it is left out, with a warning.
    RETURNS: qa_em, qa_f, the means of exact match and F1 over characters, 0.0–1.0, over all questions with gold answers
        or gold that there is none; qa_answerable_em, qa_answerable_f and qa_unanswerable_em, those over the questions
        that the text answers and does not answer; qa_n, how many questions. None where there is nothing to say it of.
    """
    em: Dict[bool, List[float]] = {True: [], False: []}  # by whether the text answers the question
    f: Dict[bool, List[float]] = {True: [], False: []}
    n_not_asked = 0
    for example in examples:
        text, gold_text = example.predicted.text, example.reference.text
        answers = {asked.question: asked.answers for asked in get_answered(example.predicted, component)}
        for gold in get_gold_answers(example.reference):
            if gold.question not in answers:
                n_not_asked += 1
                continue
            likeliest = answers[gold.question][:1]
            predicted = "".join(text[answer.char_start : answer.char_end] for answer in likeliest)
            golds = [gold_text[answer.char_start : answer.char_end] for answer in gold.answers]
            em[bool(golds)].append(exact_match(predicted, golds))
            f[bool(golds)].append(char_f1(predicted, golds))
    if n_not_asked:
        warnings.warn(
            f"{n_not_asked} questions with gold answers were not asked, and are not scored: doc._.luke_questions of "
            "the predicted Docs must have them, which spacy-luke-ja.SquadCorpus.v1 does and spacy.Corpus.v1 does not"
        )
    return {
        "qa_em": mean(em[True] + em[False]),
        "qa_f": mean(f[True] + f[False]),
        "qa_answerable_em": mean(em[True]),
        "qa_answerable_f": mean(f[True]),
        "qa_unanswerable_em": mean(em[False]),
        "qa_n": len(em[True] + em[False]) or None,
    }


def mean(values: List[float]) -> Optional[float]:
    return sum(values) / len(values) if values else None
