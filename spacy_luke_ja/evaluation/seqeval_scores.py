"""Gold and found entities and their subwords in; the numbers that the published model cards give out.

The cards count tags per subword with the package seqeval, so their support differs from the number of entities, and
entities that end inside a subword count as right. For comparison with them only.
"""

import warnings
from typing import Any, Dict, List, Sequence

import numpy as np

from ..stockmark_labels import KNOWN_LABELS
from ..text.decoding import CharSpan
from ..text.label_schemes import TagScheme, make_scheme, make_tags
from ..text.ner import encode_tags
from ..text.subwords import Subwords

# The short names of tsmatz/xlm-roberta-ner-japanese, whose tags have no prefixes.
SHORT_NAMES = {label: name for name, label in KNOWN_LABELS.items() if name != label}


def subword_tags(
    subwords: Sequence[Subwords], spans: Sequence[Sequence[CharSpan]], scheme: TagScheme
) -> List[List[str]]:
    return [[scheme.tags[i] for i in encode_tags(s, list(own), scheme)] for s, own in zip(subwords, spans)]


def bio_report(
    subwords: Sequence[Subwords],
    gold: Sequence[Sequence[CharSpan]],
    found: Sequence[Sequence[CharSpan]],
    labels: Sequence[str],
) -> Dict[str, Any]:
    """seqeval's classification_report over BIO tags per subword, as Mizuiro-sakura's cards have it.

    RETURNS: as measures.score_table.
    """
    from seqeval.metrics import classification_report

    scheme = make_scheme(make_tags(labels))
    tags = [subword_tags(subwords, spans, scheme) for spans in (gold, found)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # labels without a single entity
        report = classification_report(*tags, output_dict=True)
    keys = {"p": "precision", "r": "recall", "f": "f1-score"}
    row = lambda r: {**{key: float(np.nan_to_num(r[name])) for key, name in keys.items()}, "support": int(r["support"])}
    averages = {"micro avg", "macro avg", "weighted avg"}
    return {
        "labels": {label: row(scores) for label, scores in report.items() if label not in averages},
        **{name.split()[0]: row(report[name]) for name in averages},
    }


def prefixless_f1(
    subwords: Sequence[Subwords], gold: Sequence[Sequence[CharSpan]], found: Sequence[Sequence[CharSpan]]
) -> Dict[str, Any]:
    """seqeval's f1_score over tags without prefixes, as tsmatz's card has it.

    seqeval reads the first letter of a tag as its prefix: ORG, ORG-P and ORG-O begin with O, count as outside, and are
    left out of the number. "skipped" says how many gold entities that are. The card's own gold also gives the leading
    "▁" of a text the tag of its first entity; here it is outside.
    """
    from seqeval.metrics import f1_score

    scheme = make_scheme(make_tags(list(SHORT_NAMES.values()), "IO"), scheme="IO")
    rename = lambda spans: [
        [s._replace(label=SHORT_NAMES[s.label]) for s in own if s.label in SHORT_NAMES] for own in spans
    ]
    tags = [subword_tags(subwords, rename(spans), scheme) for spans in (gold, found)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # seqeval says that PER is no tag
        f1 = f1_score(*tags)
    skipped = sum(SHORT_NAMES.get(span.label, "").startswith("O") for own in gold for span in own)
    return {"f": float(f1), "skipped": skipped}
