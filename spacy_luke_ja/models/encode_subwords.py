"""Docs in, the subwords of their texts out."""

from typing import Callable, List, Tuple

from spacy.tokens import Doc
from thinc.api import Model

from ..text.subwords import Subwords


def encode_subwords() -> Model[List[Doc], List[Subwords]]:
    """Encode texts with attrs["encoder"], a SubwordEncoder that comes with the checkpoint."""
    return Model("encode_subwords", forward, attrs={"encoder": None})


def forward(model: Model, docs: List[Doc], is_train: bool) -> Tuple[List[Subwords], Callable]:
    encoder = model.attrs["encoder"]
    return [encoder.encode(doc.text) for doc in docs], lambda d_subwords: []
