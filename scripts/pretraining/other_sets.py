"""Teachers and the other NER sets in, those sets' sentences with probabilities of Stockmark's tags out (stage 7).

    python -m scripts.pretraining.other_sets build/pretraining build/pretraining/other.npz \
        --teachers build/pretraining/teacher-0 build/pretraining/teacher-1

The makers of WAC and GSD drew other lines between labels, but someone has read each sentence and marked its names. What
their tag w says of Stockmark's tag y is learned from the sentences themselves, P(w | y) by expectation maximisation
that begins with the teachers' opinion (Dawid and Skene 1979): the probability of y is then proportional to
the teachers' P(y | sentence) times P(w | y). Output: as soft_labels.py.
"""

import argparse
import json
import time
from pathlib import Path
from typing import List, Sequence, Tuple

import numpy as np

from .blocks import NONE
from .finetune import save_soft
from .heap import keep_heap
from .soft_labels import add_teachers, mean_probabilities, read_teachers
from .tagger import MAX_SUBWORDS
from .targets import NER_SETS

PSEUDO_COUNT = 1.0  # of each pair of tags, so that none is impossible


def combine(probabilities: np.ndarray, other_tags: np.ndarray, n_other: int, *, n_rounds: int) -> np.ndarray:
    """What teachers and another set's tags say together.

    probabilities: (n, n_tags) the teachers'. other_tags: (n,) of n_other.
    RETURNS: (n, n_tags) probabilities.
    """
    own = probabilities.astype("float64")
    combined = own
    for _ in range(n_rounds):
        counts = np.full((n_other, own.shape[1]), PSEUDO_COUNT)
        np.add.at(counts, other_tags, combined)
        combined = own * (counts / counts.sum(axis=0))[other_tags]
        combined /= combined.sum(axis=1, keepdims=True)
    return combined.astype("float16")


def read_set(path: Path) -> Tuple[List[np.ndarray], List[np.ndarray]]:
    """RETURNS: the ids and the tags of each sentence."""
    with np.load(path) as arrays:
        ids, tags, starts = arrays["ids"], arrays["tags"], arrays["starts"]
    rows = [slice(a, min(b, a + MAX_SUBWORDS)) for a, b in zip(starts[:-1], starts[1:])]
    return [ids[own] for own in rows], [tags[own] for own in rows]


def confusion_lines(combined: np.ndarray, other_tags: np.ndarray, tags: Sequence[str], other: Sequence[str]) -> str:
    """For the log: for each of the other set's labels, the three that it mostly is here."""
    lines = []
    for w, name in enumerate(other):
        rows = combined[other_tags == w].astype("float64")
        if name.startswith("B-") and len(rows):
            means = rows.mean(axis=0)
            best = " ".join(f"{tags[y]} {means[y]:.2f}" for y in means.argsort()[::-1][:3])
            lines.append(f"  {name[2:]} ({len(rows)}): {best}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", type=Path, help="with wac.npz, gsd.npz and labels.json")
    parser.add_argument("output", type=Path)
    add_teachers(parser)
    parser.add_argument("--rounds", type=int, default=3, help="of expectation maximisation")
    args = parser.parse_args()
    keep_heap()
    started = time.time()
    teachers, vocabulary, tags = read_teachers(args.teachers, args.device)
    labels = json.loads((args.input / "labels.json").read_text(encoding="utf8"))
    all_ids: List[np.ndarray] = []
    all_probabilities: List[np.ndarray] = []
    for name in NER_SETS:
        ids, other_tags = read_set(args.input / f"{name}.npz")
        probabilities = np.concatenate(mean_probabilities(teachers, ids))
        joined = np.concatenate(other_tags)
        is_known = joined != NONE
        combined = probabilities.copy()
        combined[is_known] = combine(probabilities[is_known], joined[is_known], len(labels[name]), n_rounds=args.rounds)
        print(f"{name}: {len(ids):,} sentences\n{confusion_lines(combined, joined, tags, labels[name])}")
        all_ids += ids
        all_probabilities += np.split(combined, np.cumsum([len(own) for own in ids])[:-1])
    save_soft(args.output, all_ids, all_probabilities, tags, vocabulary)
    print(f"{len(all_ids):,} sentences ({time.time() - started:.0f} s)")


if __name__ == "__main__":
    main()
