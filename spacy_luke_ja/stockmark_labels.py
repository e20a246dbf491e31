"""The eight labels of Stockmark's data: what checkpoints call them, and what they are called in other label sets."""

from typing import Dict, Mapping, Optional, Sequence

from .text.label_schemes import shorten

LABELS = ("人名", "法人名", "政治的組織名", "その他の組織名", "地名", "施設名", "製品名", "イベント名")

# What published checkpoints call the eight labels.
KNOWN_LABELS: Dict[str, str] = {
    **{label: label for label in LABELS},
    # tsmatz/xlm-roberta-ner-japanese
    "PER": "人名",
    "ORG": "法人名",
    "ORG-P": "政治的組織名",
    "ORG-O": "その他の組織名",
    "LOC": "地名",
    "INS": "施設名",
    "PRD": "製品名",
    "EVT": "イベント名",
}

# The eight labels in the words of other label sets, for get_label_map.
LABEL_MAPS: Dict[str, Dict[str, str]] = {
    "stockmark": KNOWN_LABELS,
    "ontonotes": {
        "人名": "PERSON",
        "法人名": "ORG",
        "政治的組織名": "ORG",
        "その他の組織名": "ORG",
        "地名": "GPE",
        "施設名": "FAC",
        "製品名": "PRODUCT",
        "イベント名": "EVENT",
    },
    # Sekine's Extended Named Entities, as ja_ginza calls them; where it has finer ones, the one for "other".
    "ene": {
        "人名": "Person",
        "法人名": "Company",
        "政治的組織名": "Political_Organization_Other",
        "その他の組織名": "Organization_Other",
        "地名": "Location_Other",
        "施設名": "Facility_Other",
        "製品名": "Product_Other",
        "イベント名": "Event_Other",
    },
    # IREX 1999, which has neither facilities nor events.
    "irex": {
        "人名": "PERSON",
        "法人名": "ORGANIZATION",
        "政治的組織名": "ORGANIZATION",
        "その他の組織名": "ORGANIZATION",
        "地名": "LOCATION",
        "施設名": "LOCATION",
        "製品名": "ARTIFACT",
        "イベント名": "ARTIFACT",
    },
    # CoNLL-2003.
    "conll": {
        "人名": "PER",
        "法人名": "ORG",
        "政治的組織名": "ORG",
        "その他の組織名": "ORG",
        "地名": "LOC",
        "施設名": "LOC",
        "製品名": "MISC",
        "イベント名": "MISC",
    },
    # presidio's entities; by default it ignores PRODUCT and EVENT.
    "presidio": {
        "人名": "PERSON",
        "法人名": "ORGANIZATION",
        "政治的組織名": "ORGANIZATION",
        "その他の組織名": "ORGANIZATION",
        "地名": "LOCATION",
        "施設名": "LOCATION",
        "製品名": "PRODUCT",
        "イベント名": "EVENT",
    },
}


def map_labels(labels: Sequence[str], label_map: Optional[Mapping[str, str]] = None) -> Dict[str, str]:
    """Say which label each of a checkpoint's labels becomes in a Doc.

    label_map: checkpoint's label → label in the Doc; "" drops a label on purpose. The known names of the
        eight Stockmark labels when None. A label_map may also start from one of the eight, whatever the
        checkpoint calls it.
    RETURNS: a dict without the labels that map to nothing.
    Raises a ValueError, naming the labels, when none of them maps.
    """
    mapped: Dict[str, str] = {}
    for label in labels:
        if label_map is None:
            target = KNOWN_LABELS.get(label)
        else:
            target = label_map.get(label, label_map.get(KNOWN_LABELS.get(label, label)))
        if target is not None:
            mapped[label] = target
    if not any(mapped.values()):
        found = f"none of the checkpoint's labels ({shorten(labels)}) maps to a label of the pipeline"
        if label_map is None:
            example = labels[0] if labels else "PERSON"
            raise ValueError(f'{found} (known: {", ".join(KNOWN_LABELS)}); give label_map, say {{"{example}": "人名"}}')
        raise ValueError(
            f"{found} by the label_map {dict(label_map)}; label_map replaces the known names, so name all to keep"
        )
    return mapped
