"""doc.cats of a reference in, what a model should say of its text out."""

from typing import Mapping, Sequence

import numpy as np


def gold_classes(cats: Mapping[str, float], labels: Sequence[str], *, multi_label: bool) -> np.ndarray:
    """
    cats: doc.cats of a reference. Labels that it lacks are not in the text, where exactly one is; else nothing is known
        of them.
    RETURNS: (n_labels,) 1.0 and 0.0; NaN where nothing is known, everywhere where one must be there and is not.
    Raises a ValueError for values between, for labels that are not among these, and for several where there is one.
    """
    strange = sorted(cats.keys() - set(labels))
    if strange:
        raise ValueError(
            f"the examples have the labels {', '.join(strange)}, but the component knows {', '.join(labels)}; "
            "initialize with all of them"
        )
    check_cats(cats, multi_label=multi_label)
    if not multi_label and not any(cats.values()):
        return np.full(len(labels), np.nan)
    return np.array([cats.get(label, np.nan if multi_label else 0.0) for label in labels], dtype="float64")


def check_cats(cats: Mapping[str, float], *, multi_label: bool) -> None:
    """Raise a ValueError for what no text can be annotated with."""
    odd = {label: value for label, value in cats.items() if value not in (0.0, 1.0)}
    if odd:
        raise ValueError(f"doc.cats of an example must be 1.0 where the text has a label, else 0.0; got {odd}")
    several = [label for label, value in cats.items() if value]
    if len(several) > 1 and not multi_label:
        raise ValueError(
            f"a text must have one label, got {', '.join(several)}; set multi_label to true where it may have several"
        )
