"""Japanese named entities in spaCy by LUKE and other Hugging Face token classifiers."""

from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.vocab import Vocab

__version__ = "0.1.0"


def blank(*, split_mode: str = "A", vocab: "Optional[Vocab]" = None) -> "Language":
    """A blank Japanese pipeline whose tokenizer takes texts of any length; else as spacy.blank("ja").

    split_mode: Sudachi's A (short units), B, or C (long units).
    """
    import spacy

    tokenizer = {"@tokenizers": "spacy-luke-ja.JapaneseTokenizer.v1", "split_mode": split_mode}
    return spacy.blank("ja", vocab=vocab if vocab is not None else True, config={"nlp": {"tokenizer": tokenizer}})
