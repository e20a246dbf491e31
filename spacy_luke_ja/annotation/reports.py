"""What was counted in the chunks in; a table of labels and names, or a page of a sample, out."""

from collections import Counter
from typing import Any, Dict, Iterable, List, NamedTuple, Sequence, Tuple

from ..training.outputs import CHARSET, GENERATOR

N_NAMES = 10
NAMES_IN_MEMORY = 200_000
N_TEXTS = 50


class Statistics(NamedTuple):
    """labels: (label, entities), the most frequent first. names: (label, text, entities), likewise N_NAMES."""

    n_records: int
    n_characters: int
    n_entities: int
    labels: List[Tuple[str, int]]
    names: List[Tuple[str, str, int]]


def add_up(counts: Iterable[Dict[str, Any]]) -> Statistics:
    """Of each chunk the most frequent thousand names are known, and rare ones go when there are too many: those at the
    top are as good as exact."""
    labels: Counter = Counter()
    names: Counter = Counter()
    totals: Counter = Counter()
    for own in counts:
        labels.update(own["labels"])
        names.update({(label, text): n for label, text, n in own["names"]})
        totals.update({key: own[key] for key in ("n_records", "n_characters", "n_entities")})
        if len(names) > 2 * NAMES_IN_MEMORY:
            names = Counter(dict(names.most_common(NAMES_IN_MEMORY)))
    most = sorted(names.items(), key=lambda item: (-item[1], item[0]))[:N_NAMES]
    ranked = sorted(labels.items(), key=lambda item: (-item[1], item[0]))
    found = [(label, text, n) for (label, text), n in most]
    return Statistics(totals["n_records"], totals["n_characters"], totals["n_entities"], ranked, found)


def choose_sample(counts: Iterable[Dict[str, Any]], n_chunks: int) -> List[Dict[str, Any]]:
    """About N_TEXTS texts with entities, from all chunks or from chunks at even distances."""
    step = max(1, n_chunks // N_TEXTS)
    n_each = max(1, N_TEXTS // max(1, n_chunks))
    chosen: List[Dict[str, Any]] = []
    for i, own in enumerate(counts):
        if i % step == 0:
            texts = own.get("sample", [])
            n = max(1, len(texts) // n_each)
            chosen += texts[::n][:n_each]
    return chosen[:N_TEXTS]


def draw_page(texts: Sequence[Dict[str, Any]]) -> str:
    """A page by displaCy, in the colours of the labels, which looks up nothing on the network."""
    from spacy import displacy

    page = displacy.render(list(texts), style="ent", page=True, manual=True, jupyter=False)
    page = page.replace('<html lang="en">', '<html lang="ja">', 1)
    return page.replace("<head>", f"<head>\n        {CHARSET}\n        {GENERATOR}", 1)
