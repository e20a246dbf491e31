"""Questions made from the corpus: a sentence without one of its names asks for it, other text of its document answers.

    python -m scripts.gpu.cloze build/gpu cloze.npz --n-questions 150000

A name is a run of subwords with the tags of one name (pretraining/targets.py). The other text answers if it has the
same run. The question word depends on the class of the name. After Glass et al. (2020), "Span Selection Pre-training
for Question Answering".
"""

import argparse
import json
import multiprocessing
import random
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .arrays import BOS, EOS, Pair, flatten_pairs, load_array

MIN_SENTENCE, MAX_SENTENCE = 9, 63  # subwords
MIN_TEXT, MAX_TEXT = 120, 380
MIN_NAME, MAX_NAME = 2, 12
MIN_PLACES, MAX_PLACES = 2, 40  # of a name in its document
# Classes of the lists of names (pretraining/gazetteer.py).
PERSONS, PLACES = {"surname", "given name", "person", "PNM", "FML"}, {"GNM"}


class NameSpan(NamedTuple):
    """In subwords of the document; class_: of the list of names."""

    start: int
    end: int
    class_: str


def name_spans(tags: np.ndarray, names: Sequence[str]) -> List[NameSpan]:
    """names: the tags' names, O, B-…, I-…"""
    begins, insides = (
        np.array([name.startswith(prefix) for name in names] + [False] * (256 - len(names))) for prefix in ("B-", "I-")
    )
    spans = []
    for start in np.flatnonzero(begins[tags]).tolist():
        end = start + 1
        while end < len(tags) and insides[tags[end]]:
            end += 1
        spans.append(NameSpan(start, end, names[tags[start]][2:]))
    return spans


def make_questions(
    ids: np.ndarray, tags: np.ndarray, facts: Mapping[str, Any], rng: random.Random, share: float
) -> List[Pair]:
    """Those of one document. facts: as pack.py writes them. share: of its names, that are asked for."""
    edges = np.concatenate([[0], np.flatnonzero(np.isin(ids, facts["full_stops"])) + 1, [len(ids)]])
    places: Dict[Tuple[int, ...], List[NameSpan]] = {}
    for span in name_spans(tags, facts["labels"]["names"]):
        if MIN_NAME <= span.end - span.start <= MAX_NAME:
            places.setdefault(tuple(ids[span.start : span.end].tolist()), []).append(span)
    questions = []
    for own in places.values():
        if MIN_PLACES <= len(own) <= MAX_PLACES and rng.random() <= share:
            question = make_question(ids, own, edges, facts, rng)
            if question is not None:
                questions.append(question)
    return questions


def make_question(
    ids: np.ndarray, places: Sequence[NameSpan], edges: np.ndarray, facts: Mapping[str, Any], rng: random.Random
) -> Optional[Pair]:
    """
    places: of one name. edges: of the sentences.
    RETURNS: None where the sentence that was drawn is too short or too long, or no other text has the name.
    """
    taken = rng.choice(places)
    at = int(np.searchsorted(edges, taken.start, side="right")) - 1
    first, last = int(edges[at]), int(edges[min(at + 1, len(edges) - 1)])
    if taken.end > last or not MIN_SENTENCE <= last - first <= MAX_SENTENCE:
        return None
    others = [span for span in places if span.start >= last or span.end <= first]
    if not others:
        return None
    answer = rng.choice(others)
    begin, stop = draw_text(len(ids), answer, first, last, rng)
    if stop - begin < MIN_TEXT // 2 or not (begin <= answer.start and answer.end <= stop):
        return None
    answer = next(span for span in places if begin <= span.start and span.end <= stop)
    asked, ending = question_word(answer.class_, facts), without_blank(facts["words"]["か？"], facts["blank"])
    before, behind = ids[first : taken.start].tolist(), ids[taken.end : last - 1].tolist()
    question = [*before, *asked, *behind, *ending]
    own = np.array([BOS, *question, EOS, EOS, *ids[begin:stop].tolist(), EOS], dtype="uint16")
    offset = len(question) + 3
    return Pair(own, offset, offset + answer.start - begin, offset + answer.end - 1 - begin)


def draw_text(n_ids: int, answer: NameSpan, first: int, last: int, rng: random.Random) -> Tuple[int, int]:
    """A text around the answer without the question's own sentence, first to last, which would answer it."""
    size = rng.randint(MIN_TEXT, MAX_TEXT)
    begin = max(0, answer.start - rng.randint(0, size - 20))
    stop = min(n_ids, begin + size)
    if begin < last and stop > first:
        return (last, stop) if answer.start >= last else (begin, first)
    return begin, stop


def question_word(class_: str, facts: Mapping[str, Any]) -> List[int]:
    word = "誰" if class_ in PERSONS else "どこ" if class_ in PLACES else "何"
    return without_blank(facts["words"][word], facts["blank"])


def without_blank(ids: List[int], blank: int) -> List[int]:
    """blank: the id of "▁", with which each text begins."""
    return ids[1:] if ids and ids[0] == blank else ids


def _questions_of(job: Tuple[Path, int, int, int, float]) -> List[Pair]:
    """Of every n_parts-th document."""
    directory, part, n_parts, seed, share = job
    facts = json.loads((directory / "facts.json").read_text(encoding="utf8"))
    ids, tags = load_array(directory, "corpus-ids"), load_array(directory, "corpus-names")
    lengths = load_array(directory, "corpus-lengths").astype("int64")
    ends = np.cumsum(lengths)
    rng = random.Random(seed + part)
    questions = []
    for i in range(part, len(lengths), n_parts):
        if lengths[i] >= 2 * MIN_TEXT:
            own = slice(ends[i] - lengths[i], ends[i])
            questions += make_questions(ids[own], tags[own], facts, rng, share)
    return questions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", type=Path, help="as pack.py writes it")
    parser.add_argument("output", type=Path, help="an .npz")
    parser.add_argument("--n-questions", type=int, default=150_000)
    parser.add_argument("--share", type=float, default=1.0, help="of the names of a document, that are asked for")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    n_parts = 4 * args.workers
    jobs = [(args.input, part, n_parts, args.seed, args.share) for part in range(n_parts)]
    with multiprocessing.Pool(args.workers) as pool:
        questions = [question for own in pool.map(_questions_of, jobs, chunksize=1) for question in own]
    random.Random(args.seed).shuffle(questions)
    questions = questions[: args.n_questions]
    np.savez(args.output, **flatten_pairs(questions))  # type: ignore[arg-type]
    print(f"{len(questions):,} questions made from the corpus", flush=True)


if __name__ == "__main__":
    main()
