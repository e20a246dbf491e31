"""The name of a known label map in, the map out (spacy-luke-ja.label_map.v1, for the setting label_map)."""

from typing import Dict

from .text.label_schemes import LABEL_MAPS


def get_label_map(name: str) -> Dict[str, str]:
    """name: "stockmark" (the eight labels, the default) or "ontonotes" (PERSON, ORG, GPE, FAC, PRODUCT, EVENT)."""
    if name not in LABEL_MAPS:
        raise ValueError(f"name must be one of {', '.join(LABEL_MAPS)}, got {name}")
    return dict(LABEL_MAPS[name])
