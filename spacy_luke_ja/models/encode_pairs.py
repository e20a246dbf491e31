"""Docs and questions in, the subwords of both out."""

from typing import Callable, Dict, List, Tuple

from thinc.api import Model

from ..text.answers import AskedText
from ..text.subwords import Subwords
from .types import AskedPair


def encode_pairs() -> Model[List[AskedPair], List[AskedText]]:
    """Encode texts, each once, and questions with attrs["encoder"], a SubwordEncoder that comes with the checkpoint."""
    return Model("encode_pairs", forward, attrs={"encoder": None})


def forward(model: Model, pairs: List[AskedPair], is_train: bool) -> Tuple[List[AskedText], Callable]:
    encoder = model.attrs["encoder"]
    encoded: Dict[int, Subwords] = {}
    for doc, _ in pairs:
        if id(doc) not in encoded:
            encoded[id(doc)] = encoder.encode(doc.text)
    return [AskedText(encoder.encode(question), encoded[id(doc)]) for doc, question in pairs], lambda d_asked: []
