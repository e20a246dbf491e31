"""A luke_qa and questions with their right answers in; its metrics and what it answered out."""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from spacy.language import Language
from spacy.util import minibatch

from ..text.answer_scores import char_f1, exact_match, jaquad_f1
from .pipelines import peak_memory

# What each number of the metrics counts, for those who read only the numbers.
COUNTED = {
    "exact_match": "answers that are a right one, but for capitals, white space and the last 。, as JSQuAD compares",
    "f1": "characters, in any order, that the answer shares with the right one closest to it; the mean over questions",
    "jaquad_f1": "as f1, but without white space and nothing else changed, as JaQuAD's makers count",
    "jaquad_exact_match": "answers of which jaquad_f1 is 1, as JaQuAD's makers count",
    "unanswerable": "questions that the text does not answer; right is no answer, which null_threshold decides on",
}
# Questions to answer together.
BATCH_SIZE = 128


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
    answers = [answer for batch in minibatch(questions, size=BATCH_SIZE) for answer in ask_all(nlp, name, batch)]
    seconds = time.perf_counter() - started
    metrics = {
        "pipeline": {
            "name": f"{nlp.meta['lang']}_{nlp.meta['name']}",
            "version": nlp.meta["version"],
            "components": nlp.pipe_names,
        },
        "component": name,
        "counted": COUNTED,
        "all": summarize(answers),
        "answerable": summarize([answer for answer in answers if answer.gold]),
        "unanswerable": summarize([answer for answer in answers if not answer.gold]),
        "not_asked": {answer.id: answer.error for answer in answers if answer.error},
        "questions_per_second": len(answers) / seconds,
        "peak_memory": peak_memory(),
    }
    return metrics, answers


def ask_all(nlp: Language, name: str, questions: Sequence[GoldQuestion]) -> List[EvaluatedAnswer]:
    luke_qa: Any = nlp.get_pipe(name)
    docs = {text: nlp.make_doc(text) for text in dict.fromkeys(asked.text for asked in questions)}
    try:
        found = luke_qa.find_answers([(docs[asked.text], asked.question) for asked in questions])
    except ValueError as error:
        if len(questions) == 1:
            return [compare(questions[0], (), 1.0, error=str(error))]
        return [answer for asked in questions for answer in ask_all(nlp, name, [asked])]
    return [compare(asked, own.answers[:1], own.null_score) for asked, own in zip(questions, found)]


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
