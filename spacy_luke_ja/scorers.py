"""Examples in, scores out: of entities, over tokens as spaCy counts them and over exact characters, and of answers."""

import warnings
from typing import Any, Callable, Dict, Iterable, List, Optional

from spacy.scorer import get_ner_prf
from spacy.training import Example

from .doc_answers import get_answered, get_gold_answers
from .evaluation.measures import calibration, labels_of, score_table
from .evaluation.texts import annotated_part, evaluated_text
from .text.answer_scores import char_f1, exact_match


def make_ner_scorer() -> Callable[..., Dict[str, Any]]:
    """The default scorer of luke_ner (spacy-luke-ja.ner_scorer.v1)."""
    return score_ner


def score_ner(examples: Iterable[Example], **kwargs: Any) -> Dict[str, Any]:
    """spaCy's ents_p, ents_r, ents_f, ents_per_type, and the same over exact characters as char_ents_….

    spaCy's scores compare tokens; the others compare (char_start, char_end, label) and need no alignment. Neither
    counts what is found of labels that a text was not annotated for.
    """
    examples = list(examples)
    return {**get_ner_prf(map(annotated_part, examples), **kwargs), **score_char_ents(examples)}


def score_char_ents(examples: Iterable[Example]) -> Dict[str, Any]:
    """Precision, recall and F1 over (char_start, char_end, label) of doc.ents.

    Examples whose reference has no entity annotation are left out, as spaCy does.
    RETURNS: char_ents_p, char_ents_r, char_ents_f over all entities; char_ents_macro_… and char_ents_weighted_…, their
        means over labels, the latter by support; char_ents_per_type, with the support of each label; char_ents_ece, the
        expected calibration error of luke_ner's scores. None where there is nothing to say it of.
    """
    annotated = [example for example in examples if example.reference.has_annotation("ENT_IOB")]
    texts = [evaluated_text(example.reference, example.predicted) for example in annotated]
    table = score_table(texts, labels_of(texts))
    prefixes = {"micro": "", "macro": "macro_", "weighted": "weighted_"}
    scores = {f"char_ents_{prefixes[a]}{key}": table[a][key] if texts else None for a in prefixes for key in "prf"}
    calibrated = calibration(texts)
    return {
        **scores,
        "char_ents_per_type": table["labels"] if texts else None,
        "char_ents_ece": calibrated["ece"] if calibrated else None,
    }


def make_qa_scorer() -> Callable[..., Dict[str, Any]]:
    """The default scorer of luke_qa (spacy-luke-ja.qa_scorer.v1)."""
    return score_qa


def score_qa(examples: Iterable[Example], *, component: str = "luke_qa", **kwargs: Any) -> Dict[str, Any]:
    """Compare the likeliest answer to each question with the right ones, as JSQuAD does; see text/answer_scores.py.

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
