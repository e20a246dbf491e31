"""A luke_qa and questions with their right answers in; its metrics and what it answered out."""

import json
import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from spacy.language import Language
from spacy.util import minibatch

from ..text.qa_scores import char_f1, exact_match, jaquad_f1
from .pipelines import describe, peak_memory

# What each number of the metrics counts, for those who read only the numbers.
COUNTED = {
    "exact_match": "answers that are a right one, but for capitals, white space and the last 。, as JSQuAD compares",
    "f1": "characters, in any order, that the answer shares with the right one closest to it; the mean over questions",
    "jaquad_f1": "as f1, but without white space and nothing else changed, as JaQuAD's makers count",
    "jaquad_exact_match": "answers of which jaquad_f1 is 1, as JaQuAD's makers count",
    "unanswerable": "questions that the text does not answer; right is no answer, which null_threshold decides on",
    "best_null_threshold": "where f1 of all questions would be best, and what all would be there",
}
# Questions to answer together.
BATCH_SIZE = 128
# The largest of which the logistic function is less than 1.
MAX_MARGIN = 36.0


class GoldQuestion(NamedTuple):
    """answers: (char_start, char_end) of the right ones in the text; none: the text does not answer the question."""

    id: str
    text: str
    question: str
    answers: Tuple[Tuple[int, int], ...]


@dataclass(frozen=True)
class EvaluatedAnswer:
    """A line of answers.jsonl.

    gold: the right answers; none where the text does not answer the question.
    error: why the question could not be asked; then it counts as one to which no answer was given.
    text: the likeliest answer, which stands at char_start:char_end; "" and 0:0 when none was given.
    score: how likely it is; of no answer, null_score.
    """

    id: str
    question: str
    gold: Tuple[str, ...]
    text: str
    char_start: int
    char_end: int
    score: float
    null_score: float
    exact_match: float
    f1: float
    jaquad_f1: float
    error: str = ""


def evaluate_answers(
    nlp: Language, name: str, questions: Sequence[GoldQuestion]
) -> Tuple[Dict[str, Any], List[EvaluatedAnswer]]:
    """Ask all questions of the luke_qa of this name, and compare.

    RETURNS: metrics, a dict that JSON can hold (COUNTED says what of), and an answer per question.
    """
    if not questions:
        raise ValueError("there are no questions to evaluate on: the data is empty")
    ask_all(nlp, name, questions[:8])  # loaded and warm
    started = time.perf_counter()
    likeliest = [answer for batch in minibatch(questions, size=BATCH_SIZE) for answer in ask_all(nlp, name, batch)]
    seconds = time.perf_counter() - started
    luke_qa: Any = nlp.get_pipe(name)
    answers = apply_threshold(likeliest, luke_qa.null_threshold)
    best = best_threshold(likeliest)
    metrics = {
        "pipeline": describe(nlp),
        "component": name,
        "counted": COUNTED,
        "all": summarize(answers),
        "answerable": summarize([answer for answer in answers if answer.gold]),
        "unanswerable": summarize([answer for answer in answers if not answer.gold]),
        "null_threshold": luke_qa.null_threshold,
        "best_null_threshold": best,
        "all_at_best": None if best is None else summarize(apply_threshold(likeliest, best)),
        "not_asked": {answer.id: answer.error for answer in answers if answer.error},
        "questions_per_second": len(answers) / seconds,
        "peak_memory": peak_memory(),
    }
    return metrics, answers


def ask_all(nlp: Language, name: str, questions: Sequence[GoldQuestion]) -> List[EvaluatedAnswer]:
    """RETURNS: the likeliest answer to each, whatever null_threshold is."""
    luke_qa: Any = nlp.get_pipe(name)
    docs = {text: nlp.make_doc(text) for text in dict.fromkeys(asked.text for asked in questions)}
    found = luke_qa.find_answers([(docs[asked.text], asked.question) for asked in questions], null_threshold=1.0)
    return [compare(asked, own.answers[:1], own.null_score, own.error) for asked, own in zip(questions, found)]


def apply_threshold(likeliest: Iterable[EvaluatedAnswer], null_threshold: float) -> List[EvaluatedAnswer]:
    """RETURNS: the answers that are given with this null_threshold."""
    return [answer if answer.null_score <= null_threshold else without_answer(answer) for answer in likeliest]


def without_answer(answer: EvaluatedAnswer) -> EvaluatedAnswer:
    is_right = float(not answer.gold)
    return replace(
        answer, text="", char_start=0, char_end=0, score=answer.null_score,
        exact_match=is_right, f1=is_right, jaquad_f1=is_right,
    )  # fmt: skip


def best_threshold(likeliest: Sequence[EvaluatedAnswer]) -> Optional[float]:
    """Find the null_threshold with which the mean F1 is best, as SQuAD's best_f1_thresh.

    RETURNS: the highest where several are as good: 1.0 where it is best to answer all; else half-way between two
        questions, by their margin of logits. None where the text answers every question: then nothing can be said.
    """
    if all(answer.gold for answer in likeliest):
        return None
    ordered = sorted(likeliest, key=lambda answer: answer.null_score)
    gains = np.array([answer.f1 - float(not answer.gold) for answer in ordered])
    totals = np.concatenate([[0.0], np.cumsum(gains)])  # by how many are answered
    margins = np.array([-MAX_MARGIN, *(margin_of(answer.null_score) for answer in ordered), MAX_MARGIN])
    can_cut = margins[:-1] < margins[1:]
    can_cut[-1] = True
    best = int(np.flatnonzero(can_cut & np.isclose(totals, totals[can_cut].max(), atol=1e-9))[-1])
    if best == len(ordered):
        return 1.0
    return 1 / (1 + math.exp(-(margins[best] + margins[best + 1]) / 2))


def margin_of(null_score: float) -> float:
    """RETURNS: the logit, as far as a null_score below 1 can tell it."""
    if not 0.0 < null_score < 1.0:
        return math.copysign(MAX_MARGIN, null_score - 0.5)
    return max(-MAX_MARGIN, min(MAX_MARGIN, math.log(null_score / (1 - null_score))))


def compare(
    asked: GoldQuestion, found: Sequence[Tuple[int, int, float]], null_score: float, error: str = ""
) -> EvaluatedAnswer:
    """found: the answer, or nothing."""
    char_start, char_end, score = found[0] if found else (0, 0, null_score)
    text = asked.text[char_start:char_end]
    gold = tuple(asked.text[start:end] for start, end in asked.answers)
    return EvaluatedAnswer(
        asked.id, asked.question, gold, text, char_start, char_end, score, null_score,
        exact_match=exact_match(text, gold), f1=char_f1(text, gold), jaquad_f1=jaquad_f1(text, gold), error=error,
    )  # fmt: skip


def summarize(answers: Sequence[EvaluatedAnswer]) -> Dict[str, Any]:
    """RETURNS: the means, 0.0–1.0, None where there is no question; and n, how many there are."""
    mean = lambda values: sum(values) / len(answers) if answers else None
    scores: Dict[str, Optional[float]] = {
        "exact_match": mean([answer.exact_match for answer in answers]),
        "f1": mean([answer.f1 for answer in answers]),
        "jaquad_exact_match": mean([float(answer.jaquad_f1 == 1.0) for answer in answers]),
        "jaquad_f1": mean([answer.jaquad_f1 for answer in answers]),
    }
    return {**scores, "n": len(answers)}


def write_answers(path: Path, answers: Iterable[EvaluatedAnswer]) -> None:
    with path.open("w", encoding="utf8") as file_:
        for answer in answers:
            file_.write(json.dumps(asdict(answer), ensure_ascii=False) + "\n")
