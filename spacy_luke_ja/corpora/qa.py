"""A file of questions as SQuAD has them in; its paragraphs, with the characters that answer each question, out.

spacy-luke-ja.SquadCorpus.v1, for [corpora], makes Examples of them. JaQuAD and JSQuAD have this format, too. Hugging
Face's data sets have a row for each question, with its context and "answers": {"text": […], "answer_start": […]}.
"""

import codecs
import json
import re
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, List, Optional, Tuple, Union

from spacy.language import Language
from spacy.training import Example
from spacy.vocab import Vocab

from ..qa_data import get_gold_answers
from ..text.messages import show
from .docbin import open_docbin
from .examples import make_paragraph_example
from .files import check_ending, ending_of, read_bytes
from .parsed import check_on_bad_record, list_others
from .qa_questions import Question, parse_question
from .records import BadRecord

ENDINGS = (".json", ".jsonl")
N_NAMED = 5  # questions in a warning


@dataclass(frozen=True)
class Paragraph:
    text: str
    questions: Tuple[Question, ...]


def create_squad_corpus(
    path: Optional[Path], on_bad_record: str = "raise", max_questions: int = 0
) -> Callable[[Language], Iterator[Example]]:
    """
    path: a file in SQuAD's format or with a row for each question, .json or .jsonl, see read_squad; or a
        DocBin, .spacy, with the user_data of Docs that set_gold_answers was called on.
    on_bad_record: "raise", or "skip" with a warning, when a question cannot be read.
    max_questions: how many to take, from the first; 0 takes all.

    Each paragraph is an Example. Its predicted Doc has the questions, its reference the right answers, too. The Docs
    have a vocabulary of their own and tokens of 32 characters, for luke_qa reads characters alone: count their
    length by spacy-luke-ja.asked_length.v1.
    """
    if path is None:
        raise ValueError("path must name a file of questions (say --paths.train train.json), got null")
    check_on_bad_record(on_bad_record)
    if max_questions < 0:
        raise ValueError(f"max_questions must be a number of questions, or 0 for all, got {max_questions}")

    def read(nlp: Language) -> Iterator[Example]:
        # Read to the end, whatever max_questions is: only then it is known what was left out.
        paragraphs = list(read_paragraphs(Path(path), on_bad_record=on_bad_record))
        yield from make_examples(first_questions(paragraphs, max_questions))

    return read


def make_examples(paragraphs: Iterable[Paragraph]) -> Iterator[Example]:
    vocab = Vocab()
    for paragraph in paragraphs:
        asked = [(question.text, question.answers) for question in paragraph.questions]
        yield make_paragraph_example(vocab, paragraph.text, asked)


def first_questions(paragraphs: Iterable[Paragraph], n: int) -> Iterator[Paragraph]:
    """YIELDS: the paragraphs with the first n questions; all where n is 0."""
    n_left = n
    for paragraph in paragraphs:
        if n and not n_left:
            return
        questions = paragraph.questions[: n_left or None]
        n_left -= len(questions) if n else 0
        yield replace(paragraph, questions=questions)


def read_paragraphs(path: Path, *, on_bad_record: str, setting: str = "on_bad_record") -> Iterator[Paragraph]:
    """Read a file of questions: a DocBin, .spacy, or one that read_squad reads."""
    if ending_of(path) == ".spacy":
        return read_docbin(path)
    return read_squad(path, on_bad_record=on_bad_record, setting=setting)


def read_docbin(path: Path) -> Iterator[Paragraph]:
    n_questions = 0
    for doc in open_docbin(read_bytes(path), path):
        numbered = enumerate(get_gold_answers(doc), start=n_questions + 1)
        questions = tuple(Question(str(n), own.question, tuple(a[:2] for a in own.answers)) for n, own in numbered)
        n_questions += len(questions)
        if questions:
            yield Paragraph(doc.text, questions)
    if not n_questions:
        raise ValueError(
            f"{path} has no questions: call spacy_luke_ja.set_gold_answers on its Docs, and save them with "
            "DocBin(store_user_data=True)"
        )


def read_squad(
    path: Union[str, Path],
    *,
    on_bad_record: str = "raise",
    title_separator: str = "[SEP]",
    setting: str = "on_bad_record",
) -> Iterator[Paragraph]:
    """Read a file in the format of SQuAD 1 or 2, or with a row for each question, as Hugging Face's data sets have it:
    .json or .jsonl, packed or not. Neighbouring rows with one context are a paragraph.

    A question with an empty list of answers has none in the text, unless "is_impossible" is false. One without an id,
    or with null, has its number in the file.
    on_bad_record: "raise" a ValueError that names file and question, or "skip" such questions. What was left out or
        changed is said in one warning for the whole file.
    title_separator: what stands, between spaces, behind the title that each context of JSQuAD begins with. A line break
        stands there instead, and answers move along. "" leaves contexts as they are. (In JSQuAD answer_start counts
        from the title's first character, and a tenth of the answers are in the title, so it cannot be left out.)

    setting: what the user knows on_bad_record as, for messages.

    A paragraph of which no question is left does not come.
    """
    path = Path(path)
    check_on_bad_record(on_bad_record, setting)
    n_questions = 0
    bad: List[Tuple[str, BadRecord]] = []
    mended, rewritten, left_out, trimmed = (Counter() for _ in range(4))  # type: ignore[var-annotated]
    for title, context, items in read_contexts(path):
        text, move = put_title_on_line(context, title, title_separator)
        questions = []
        for item in items:
            n_questions += 1
            place = place_of(item, n_questions)
            try:
                question = parse_question(item, n_questions, context, text, move)
            except BadRecord as error:
                if on_bad_record == "raise":
                    advice = f'with "skip" for {setting}, such questions are left out'
                    raise ValueError(f"{path}, {place}: {error}; {advice}") from error
                bad.append((place, error))
                continue
            questions.append(question)
            mended[place] += question.n_mended
            rewritten[place] += question.n_rewritten
            left_out[place] += question.n_left_out
            trimmed[place] += question.n_trimmed
        if questions:
            yield Paragraph(text, tuple(questions))
    notes = []
    if bad:
        others = list_others([f"{place}: {error}" for place, error in bad])
        places = name_some(place for place, _ in bad)
        notes.append(f"{len(bad)} of {n_questions} questions were left out ({places}); of the first, {bad[0][1]}")
    for counts, what in (
        (mended, "answers do not stand at their answer_start and were mended: each stands at one other place"),
        (rewritten, "answers are written in another width or form than the text, and were mended as it has them"),
        (left_out, "answers stand neither at their answer_start nor at just one other place, and were left out"),
        (trimmed, "answers began or ended with a blank character, which was left out"),
    ):
        if counts.total():
            notes.append(f"{counts.total()} {what} ({name_some(+counts)})")
    if notes:
        warnings.warn(f"{path}: " + "; ".join(notes) + (others if bad else ""))


def read_contexts(path: Path) -> Iterator[Tuple[str, str, List[Any]]]:
    """YIELDS: title ("" where there is none), context and questions of each paragraph, as the file has them."""
    content = read_json(path)
    if isinstance(content, dict) and "context" in content:
        content = [content]  # a single row
    items = content if is_rows(content) else require(content, "data", list, str(path))
    if is_rows(items):
        for (title, context), rows in groupby(items, key=context_of):
            yield title, context, list(rows)
        return
    for n, article in enumerate(items, start=1):
        paragraphs = require(article, "paragraphs", list, f"{path}, article {n}")
        for k, paragraph in enumerate(paragraphs, start=1):
            place = f"{path}, article {n}, paragraph {k}"
            context, questions = require(paragraph, "context", str, place), require(paragraph, "qas", list, place)
            yield str(article.get("title") or ""), context, questions


def is_rows(items: Any) -> bool:
    """Whether a list has a row for each question, and no articles."""
    return isinstance(items, list) and any(isinstance(item, dict) and "context" in item for item in items)


def context_of(row: Any) -> Tuple[str, str]:
    """RETURNS: title and context; "" for what is none, which parse_question refuses."""
    if not isinstance(row, dict):
        return "", ""
    context = row.get("context")
    return str(row.get("title") or ""), context if isinstance(context, str) else ""


def read_json(path: Path) -> Any:
    """RETURNS: what the file holds; a list where each line is an object by itself, whatever the name."""
    ending = check_ending(path, ENDINGS)
    content = read_bytes(path)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        if ending == ".jsonl" or re.search(rb"\}\s*\n\s*\{", content):
            return read_lines(path, content)
        raise ValueError(f"{path} is not JSON in UTF-8: {error}") from error


def read_lines(path: Path, content: bytes) -> List[Any]:
    items = []
    for n, line in enumerate(content.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        try:
            if line.strip():
                items.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}, line {n} is not JSON in UTF-8: {error}") from error
    return items


def require(item: Any, key: str, kind: type, place: str) -> Any:
    """RETURNS: item[key]; raises a ValueError that names the place when there is none of this kind."""
    if isinstance(item, dict) and isinstance(item.get(key), kind):
        return item[key]
    raise ValueError(f'{place}: an object with "{key}", a {kind.__name__}, is needed, got {show(item)}')


def put_title_on_line(context: str, title: str, separator: str) -> Tuple[str, Callable[[int], int]]:
    """Put a line break for " [SEP] " behind the title, where the context begins so.

    RETURNS: the text, and where in it an offset in the context is; one within the separator is behind the line break.
    """
    joint = f" {separator} "
    if not title or not separator or not context.startswith(title + joint):
        return context, lambda char: char
    title_end, n_removed = len(title), len(joint) - 1
    text = f"{title}\n{context[title_end + len(joint) :]}"
    return text, lambda char: char if char <= title_end else max(title_end + 1, char - n_removed)


def place_of(item: Any, n: int) -> str:
    """n: the question's number in the file, from 1, for one that has no id."""
    id_ = item.get("id") if isinstance(item, dict) else None
    return f"question number {n}" if id_ is None else f"question {id_}"


def name_some(places: Iterable[str]) -> str:
    names = [place.removeprefix("question ") for place in places]
    return ", ".join(names[:N_NAMED]) + (", …" if len(names) > N_NAMED else "")
