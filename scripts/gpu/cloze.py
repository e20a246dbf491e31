"""Questions made from the corpus: a sentence with a name taken out asks for it, other text of its document answers.

    python -m scripts.gpu.cloze build/gpu cloze.npz --n-questions 150000

A name is a run of subwords with the tags of one name (targets.py); that another text has the same run says which answer
is right. As for humans, the question word depends on the class of the name. After Glass et al. (2020), "Span Selection
Pre-training for Question Answering".
"""

import argparse
import json
import multiprocessing
import random
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np

from .rows import BOS, EOS, load_array

MAX_QUESTION, MIN_TEXT, MAX_TEXT = 64, 120, 380  # subwords
# Classes of the lists of names (pretraining/gazetteer.py).
PERSONS, PLACES = {"surname", "given name", "person", "PNM", "FML"}, {"GNM"}


def name_spans(tags: np.ndarray, names: Sequence[str]) -> List[Tuple[int, int, str]]:
    """names: the tags' names, O, B-…, I-…"""
    begins = np.array([name.startswith("B-") for name in names] + [False] * (256 - len(names)))
    insides = np.array([name.startswith("I-") for name in names] + [False] * (256 - len(names)))
    spans = []
    for start in np.flatnonzero(begins[tags]):
        end = start + 1
        while end < len(tags) and insides[tags[end]]:
            end += 1
        spans.append((int(start), int(end), names[tags[start]][2:]))
    return spans


def make_questions(
    ids: np.ndarray, tags: np.ndarray, facts: Mapping[str, Any], rng: random.Random, share: float
) -> List[Dict[str, Any]]:
    """Of one document. share: of its names, that are asked for."""
    full_stops = set(facts["full_stops"])
    edges = np.concatenate([[0], np.flatnonzero(np.isin(ids, list(full_stops))) + 1, [len(ids)]])
    places: Dict[Tuple[int, ...], List[Tuple[int, int, str]]] = {}
    for start, end, class_ in name_spans(tags, facts["labels"]["names"]):
        if 1 < end - start < 13:
            places.setdefault(tuple(ids[start:end].tolist()), []).append((start, end, class_))
    questions = []
    for name, own in places.items():
        if len(own) < 2 or len(own) > 40 or rng.random() > share:
            continue
        start, end, class_ = rng.choice(own)
        at = int(np.searchsorted(edges, start, side="right")) - 1
        first, last = int(edges[at]), int(edges[min(at + 1, len(edges) - 1)])
        if end > last or not 8 < last - first < MAX_QUESTION:
            continue
        far = [span for span in own if span[0] >= last or span[1] <= first]
        if not far:
            continue
        answer = rng.choice(far)
        size = rng.randint(MIN_TEXT, MAX_TEXT)
        begin = max(0, answer[0] - rng.randint(0, size - 20))
        stop = min(len(ids), begin + size)
        if begin < last and stop > first:  # the question's own sentence would answer it
            if answer[0] >= last:
                begin = last
            else:
                stop = first
        if stop - begin < MIN_TEXT // 2 or not (begin <= answer[0] and answer[1] <= stop):
            continue
        text = ids[begin:stop]
        inside = [s for s in own if begin <= s[0] and s[1] <= stop]
        answer = inside[0]
        asked = facts["words"]["誰" if class_ in PERSONS else "どこ" if class_ in PLACES else "何"]
        asked = asked[1:] if asked and asked[0] == facts["blank"] else asked
        ending = facts["words"]["か？"]
        ending = ending[1:] if ending and ending[0] == facts["blank"] else ending
        before, behind = ids[first:start].tolist(), ids[end : last - 1].tolist()
        question = [*before, *asked, *behind, *ending]
        begun = len(question) + 3
        questions.append(
            {
                "ids": np.array([BOS, *question, EOS, EOS, *text.tolist(), EOS], dtype="uint16"),
                "first": begun, "start": begun + answer[0] - begin, "end": begun + answer[1] - 1 - begin,
            }
        )  # fmt: skip
    return questions


def _work(job: Tuple[Path, int, int, int, float]) -> List[Dict[str, Any]]:
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
    parser.add_argument("output", type=Path)
    parser.add_argument("--n-questions", type=int, default=150_000)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    jobs = [(args.input, part, 4 * args.workers, args.seed, args.share) for part in range(4 * args.workers)]
    with multiprocessing.Pool(args.workers) as pool:
        questions = [question for own in pool.map(_work, jobs, chunksize=1) for question in own]
    random.Random(args.seed).shuffle(questions)
    questions = questions[: args.n_questions]
    np.savez(
        args.output, ids=np.concatenate([q["ids"] for q in questions]), lengths=np.array([len(q["ids"]) for q in questions]),
        **{name: np.array([q[name] for q in questions], dtype="uint16") for name in ("first", "start", "end")},
    )  # fmt: skip
    print(f"{len(questions):,} questions made from the corpus", flush=True)


if __name__ == "__main__":
    main()
