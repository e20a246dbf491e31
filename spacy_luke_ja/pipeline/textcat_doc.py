"""Probabilities of classes in, doc.cats out."""

from typing import Sequence

import numpy as np
from spacy.tokens import Doc


def write_cats(doc: Doc, labels: Sequence[str], scores: np.ndarray) -> None:
    """Those of other components stay."""
    doc.cats = {**doc.cats, **{label: float(score) for label, score in zip(labels, scores)}}
