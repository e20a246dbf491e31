"""A text of any length in, spaCy's Japanese Doc out."""

import warnings
from typing import Any, Callable, Dict, Optional

from spacy.lang.ja import JapaneseTokenizer as SpacyJapaneseTokenizer
from spacy.language import Language
from spacy.tokens import Doc
from sudachipy.errors import SudachiError

from .text.characters import LONE_SURROGATE, replace_lone_surrogates
from .text.cutting import cut_text

# Sudachi takes 49,149 bytes of UTF-8, and 65,535 of what its normalisation makes of them (㍿ grows by a factor of 4).
MAX_BYTES = 49_149
MAX_LENGTH = 2**30  # characters; what a Doc can hold


def create_tokenizer(split_mode: Optional[str] = None) -> Callable[[Language], "JapaneseTokenizer"]:
    """The tokenizer spacy-luke-ja.JapaneseTokenizer.v1; split_mode: Sudachi's A (also None), B or C."""
    if split_mode not in (None, "A", "B", "C"):
        raise ValueError(f"split_mode must be A, B or C, got {split_mode}")

    def make_tokenizer(nlp: Language) -> JapaneseTokenizer:
        # spaCy refuses longer texts, past any error handler, for fear of the memory of its own parser and ner.
        nlp.max_length = max(nlp.max_length, MAX_LENGTH)
        return JapaneseTokenizer(nlp.vocab, split_mode=split_mode)

    return make_tokenizer


class JapaneseTokenizer(SpacyJapaneseTokenizer):
    """spaCy's Japanese tokenizer without its limits: the same Doc for any text that Sudachi takes.

    A longer text is tokenized in parts, cut behind a newline, a sentence, a comma, or where the kind of character
    changes. A lone surrogate, which no Doc can hold, becomes U+FFFD, with a warning.
    """

    def __reduce__(self):
        return JapaneseTokenizer, (self.vocab, self.split_mode)

    def _set_config(self, config: Dict[str, Any] = {}) -> None:  # noqa: B006
        super()._set_config(config)
        self.need_subtokens = self.split_mode in ("B", "C")  # spaCy's own leaves what it was before loading

    def __call__(self, text: str) -> Doc:
        surrogate = LONE_SURROGATE.search(text)
        if surrogate is not None:
            warnings.warn(
                f"a text has the lone surrogate U+{ord(surrogate.group()):04X} at character {surrogate.start()}, which "
                "no UTF-8 can hold; each becomes U+FFFD, so that the text keeps its length"
            )
            text = replace_lone_surrogates(text)
        # A character has at least one byte: no need to encode a text of millions of them to know.
        if len(text) <= MAX_BYTES and len(text.encode("utf8")) <= MAX_BYTES:
            try:
                return super().__call__(text)
            except SudachiError:
                if len(text) < 2:
                    raise
        parts = [self(part) for part in cut_text(text, max_bytes=MAX_BYTES)]
        doc = Doc.from_docs(parts, ensure_whitespace=False, exclude=["user_data", "tensor"])  # type: ignore[call-arg]
        if self.need_subtokens:
            doc.user_data["sub_tokens"] = [unit for part in parts for unit in part.user_data["sub_tokens"]]
        return doc
