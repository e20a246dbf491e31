"""Tagged sentences in, the same with labels that agree more on what each name is out.

A teacher tells well where a name is, and less well what it is where the sentence says little about that. Another
sentence with the same name may say more.
"""

from collections import Counter, defaultdict
from typing import Dict, List, Sequence

import numpy as np

SMALLEST_SHARE = 1e-3  # of a label in the votes, so that none is impossible


class NameTags:
    """What tags, such as O, B-人名, I-人名, say of names."""

    def __init__(self, tags: Sequence[str]):
        labels = sorted({tag[2:] for tag in tags if tag != "O"})
        self.labels = np.array([-1 if tag == "O" else labels.index(tag[2:]) for tag in tags])
        self.begins = np.array([tag.startswith("B-") for tag in tags])
        self.has_label = np.arange(len(labels)) == self.labels[:, None]  # (n_tags, n_labels)

    def find_names(self, tags: np.ndarray) -> List[slice]:
        """tags: (n,) of a sentence's subwords. RETURNS: the runs of one label; a B begins another."""
        labels = self.labels[tags]
        is_first = np.append(True, labels[1:] != labels[:-1]) | self.begins[tags]
        firsts = np.flatnonzero(is_first)
        return [slice(a, b) for a, b in zip(firsts, np.append(firsts[1:], len(tags))) if labels[a] >= 0]

    def label_shares(self, probabilities: np.ndarray) -> np.ndarray:
        """probabilities: (n, n_tags) of a name's subwords. RETURNS: (n_labels,) the share of each label in them."""
        by_label = probabilities.sum(axis=0, dtype="float64") @ self.has_label
        return by_label / by_label.sum()


def vote_on_names(
    ids: Sequence[np.ndarray], probabilities: Sequence[np.ndarray], tags: Sequence[str], weight: float
) -> List[np.ndarray]:
    """Multiply the probability of each label of a name by the mean one at its other places, to the power of weight.

    ids: the subwords of each sentence. probabilities: (n, n_tags) of each. weight: 0 changes nothing.
    RETURNS: probabilities, float16. Those of O stay as they are, and all of a name that comes once.
    """
    name_tags = NameTags(tags)
    names = [
        [(own[run].tobytes(), run, name_tags.label_shares(p[run])) for run in name_tags.find_names(p.argmax(axis=1))]
        for own, p in zip(ids, probabilities)
    ]
    sums: Dict[bytes, np.ndarray] = defaultdict(lambda: np.zeros(name_tags.has_label.shape[1]))
    counts: Dict[bytes, int] = Counter()
    for sentence in names:
        for name, _, shares in sentence:
            sums[name] += shares
            counts[name] += 1
    voted = []
    for p, sentence in zip(probabilities, names):
        changed = p.astype("float32")
        for name, run, shares in sentence:
            if counts[name] > 1:
                others = (sums[name] - shares) / (counts[name] - 1)
                factors = name_tags.has_label @ np.maximum(others, SMALLEST_SHARE) ** weight  # 0 for O
                labelled = changed[run] * factors
                scale = changed[run] @ (factors > 0) / labelled.sum(axis=1)
                changed[run] = np.where(factors > 0, labelled * scale[:, None], changed[run])
        voted.append(changed.astype("float16"))
    return voted
