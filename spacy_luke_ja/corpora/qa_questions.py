"""A question as a file has it in; the same with right answers, as characters of its paragraph, out."""

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Tuple

from ..text.characters import LONE_SURROGATE, trim_blank
from ..text.messages import show
from ..text.width_search import find_in_any_width
from .records import BadRecord


@dataclass(frozen=True)
class Question:
    """A question and the right answers to it, in the order of the file and each once.

    answers: (char_start, char_end) in the paragraph, without blank characters at the edges; none where the paragraph
        does not answer the question.
    n_mended: how many answers stand elsewhere than the file says, and only there.
    n_rewritten: how many are written in another width or form there (NFKC); as they stand there, they are the answers.
    n_left_out: how many stand nowhere, or elsewhere at several places, and are not in answers.
    n_trimmed: how many began or ended with a blank character, which was left out.
    """

    id: str
    text: str
    answers: Tuple[Tuple[int, int], ...]
    n_mended: int = field(default=0, compare=False)
    n_rewritten: int = field(default=0, compare=False)
    n_left_out: int = field(default=0, compare=False)
    n_trimmed: int = field(default=0, compare=False)


def parse_question(item: Any, n: int, context: str, text: str, move: Callable[[int], int]) -> Question:
    """Check a question and look for its answers; raises BadRecord.

    n: its number in the file, which is its id where it has none.
    context: the paragraph as the file has it, which answer_start counts in.
    text: the paragraph as it is read.
    move: an offset in the context → the one in the text.
    """
    for key in ("question", "answers"):
        if not isinstance(item, dict) or key not in item:
            raise BadRecord(f'an object with "{key}" is needed, got {show(item)}')
    check_text("context", context)
    check_text("question", item["question"])
    stated = parse_answers(item["answers"], item.get("is_impossible"))
    answers: List[Tuple[int, int]] = []
    n_mended = n_rewritten = n_trimmed = 0
    for answer, char_start in stated:
        found = find_answer(context, answer, char_start) or (0, 0)
        moved = move(found[0]), move(found[1])
        trimmed = trim_blank(text, *moved)
        if trimmed[0] < trimmed[1]:
            answers.append(trimmed)
            is_rewritten = answer.strip() not in context[slice(*found)]
            n_rewritten += is_rewritten
            n_mended += not is_rewritten and found != (char_start, char_start + len(answer))
            n_trimmed += trimmed != moved
    if stated and not answers:
        answer, char_start = stated[0]
        there = context[max(char_start, 0) :][: len(answer)]
        raise BadRecord(
            f"the answer {show(answer)} does not stand at {char_start}, where {show(there)} stands, nor at just one "
            "other place"
        )
    id_ = item.get("id")
    return Question(
        str(n if id_ is None else id_), item["question"], tuple(dict.fromkeys(answers)),
        n_mended=n_mended, n_rewritten=n_rewritten, n_left_out=len(stated) - len(answers), n_trimmed=n_trimmed,
    )  # fmt: skip


def check_text(key: str, value: Any) -> None:
    if not isinstance(value, str) or not len(range(*trim_blank(value, 0, len(value)))):
        raise BadRecord(f'"{key}" must be a string that is not blank, got {show(value)}')
    if LONE_SURROGATE.search(value):
        raise BadRecord(f'"{key}" has a lone surrogate, which no UTF-8 can hold: {show(value)}')


def parse_answers(answers: Any, is_impossible: Any) -> List[Tuple[str, int]]:
    """RETURNS: text and answer_start of each answer; none for a question without one, or that is marked impossible.

    is_impossible: None where the file does not say.
    """
    if isinstance(answers, dict):
        answers = answers_of_lists(answers)
    if not isinstance(answers, list):
        raise BadRecord(f'"answers" must be a list, got {show(answers)}')
    if is_impossible is None:
        is_impossible = not answers
    if not isinstance(is_impossible, bool):
        raise BadRecord(f'"is_impossible" must be true or false, got {show(is_impossible)}')
    stated = [parse_answer(answer) for answer in answers]
    first = next((text for text, _ in stated if text.strip()), None)
    if is_impossible and first:
        raise BadRecord(f'"is_impossible" is true, and yet there is the answer {show(first)}')
    if not is_impossible and not first:
        raise BadRecord(f'there is no answer in "answers", {show(answers)}, and "is_impossible" is not true')
    return [] if is_impossible else stated


def answers_of_lists(answers: Dict[str, Any]) -> List[Any]:
    """RETURNS: as SQuAD has them, what Hugging Face's data sets have as {"text": […], "answer_start": […]}."""
    texts, starts = answers.get("text"), answers.get("answer_start")
    if not isinstance(texts, list) or not isinstance(starts, list) or len(texts) != len(starts):
        raise BadRecord(
            '"answers" must be a list, or an object with two of one length, "text" and "answer_start"; got '
            f"{show(answers)}"
        )
    return [{"text": text, "answer_start": start} for text, start in zip(texts, starts)]


def parse_answer(answer: Any) -> Tuple[str, int]:
    if isinstance(answer, dict):
        text, char_start = answer.get("text"), answer.get("answer_start")
        # bool is an int to Python, and to nobody else
        if isinstance(text, str) and isinstance(char_start, int) and not isinstance(char_start, bool):
            return text, char_start
    raise BadRecord(f'an answer must be an object with "text" and "answer_start", a whole number, got {show(answer)}')


def find_answer(context: str, answer: str, char_start: int) -> Optional[Tuple[int, int]]:
    """Look for an answer at char_start, there in another width, then anywhere, without the white space around it,
    and in another width.

    RETURNS: (char_start, char_end); None when it does not stand at char_start, and elsewhere nowhere or several times.
    """
    if char_start >= 0 and context.startswith(answer, char_start):
        return char_start, char_start + len(answer)
    alike = find_in_any_width(context, answer.strip())
    there = [place for place in alike if place[0] == char_start]
    if there:
        return there[0]
    for wanted in (answer, answer.strip()):
        place = context.find(wanted)
        if place >= 0 and place == context.rfind(wanted):
            return place, place + len(wanted)
    return alike[0] if len(alike) == 1 else None
