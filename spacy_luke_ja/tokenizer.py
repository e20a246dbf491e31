"""A text of any length in, spaCy's Japanese Doc out."""

import re
import warnings
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from spacy.attrs import LEMMA, MORPH, NORM, POS, TAG
from spacy.errors import Errors
from spacy.lang.ja import JapaneseTokenizer as SpacyJapaneseTokenizer
from spacy.lang.ja import resolve_pos
from spacy.lang.ja.tag_orth_map import TAG_ORTH_MAP
from spacy.language import Language
from spacy.tokens import Doc
from spacy.vocab import Vocab
from sudachipy import SplitMode
from sudachipy.errors import SudachiError

from .text.characters import LONE_SURROGATE, replace_lone_surrogates
from .text.cutting import cut_text

# Sudachi takes 49,149 bytes of UTF-8, and 65,535 of what its normalisation makes of them (㍿ grows by a factor of 4).
MAX_BYTES = 49_149
MAX_LENGTH = 2**30  # characters; what a Doc can hold
# The dictionary words that a tokenizer remembers; when there are more, it begins anew.
MAX_WORDS = 100_000
GAP_TAG = "空白"


class Word(NamedTuple):
    """What a token is told by its morpheme.

    morph: as Universal Dependencies writes features, "Inflection=…|Reading=…", or "_" for none.
    is_whole: whether the shorter units of Sudachi do not split it.
    """

    tag: str
    lemma: str
    norm: str
    morph: str
    is_whole: bool


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
    """spaCy's Japanese tokenizer without its limits: the same Doc for any text that Sudachi takes, sooner.

    A longer text is tokenized in parts, cut behind a newline, a sentence, a comma, or where the kind of character
    changes. A lone surrogate, which no Doc can hold, becomes U+FFFD, with a warning.
    """

    def __init__(self, vocab: Vocab, split_mode: Optional[str] = None):
        super().__init__(vocab, split_mode)
        self._words: Dict[int, Word] = {}  # by the id of the dictionary's entry
        self._pos: Dict[Tuple[str, Optional[str]], Tuple[int, Optional[int]]] = {}  # by a tag and the next one

    def __reduce__(self):
        return JapaneseTokenizer, (self.vocab, self.split_mode)

    def _set_config(self, config: Dict[str, Any] = {}) -> None:  # noqa: B006
        super()._set_config(config)
        self.need_subtokens = self.split_mode in ("B", "C")  # spaCy's own leaves what it was before loading
        self._words.clear()

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
                return self._make_doc(text)
            except SudachiError:
                if len(text) < 2:
                    raise
        parts = [self(part) for part in cut_text(text, max_bytes=MAX_BYTES)]
        doc = Doc.from_docs(parts, ensure_whitespace=False, exclude=["user_data", "tensor"])  # type: ignore[call-arg]
        if self.need_subtokens:
            doc.user_data["sub_tokens"] = [unit for part in parts for unit in part.user_data["sub_tokens"]]
        return doc

    def _make_doc(self, text: str) -> Doc:
        """A Doc of a text that Sudachi takes whole."""
        surfaces: List[str] = []
        words: List[Word] = []
        sub_tokens: List[Any] = []
        for morpheme in self.tokenizer.tokenize(text):
            surface = morpheme.surface()
            if not surface:  # of characters like …, which become three in Sudachi
                continue
            word = self._words.get(morpheme.word_id())
            if word is None:
                word = self._read_word(morpheme)
            surfaces.append(surface)
            words.append(word)
            if self.need_subtokens:
                sub_tokens.append(None if word.is_whole else self._get_sub_tokens([morpheme])[0])
        spaces = [False] * len(surfaces)
        if text.split() != [text]:
            surfaces, words, spaces, sub_tokens = with_gaps(text, surfaces, words, sub_tokens)
        elif "".join(surfaces) != text:
            raise ValueError(Errors.E194.format(text=text, words=surfaces))
        doc = Doc(self.vocab, words=surfaces, spaces=spaces)
        if surfaces:
            doc.from_array([TAG, POS, LEMMA, NORM, MORPH], self._attributes(surfaces, words))  # type: ignore[arg-type]
        if self.need_subtokens:
            doc.user_data["sub_tokens"] = sub_tokens
        return doc

    def _read_word(self, morpheme: Any) -> Word:
        """What a morpheme says of its word; a word of the dictionary always says the same, and is remembered."""
        fields = morpheme.part_of_speech()
        inflection = ";".join(field for field in fields[4:] if field != "*")
        reading = morpheme.reading_form()
        features = {}
        if inflection:
            features["Inflection"] = inflection
        if reading:
            features["Reading"] = re.sub("[=|]", "_", reading)
        word = Word(
            tag="-".join(field for field in fields[:4] if field != "*"),
            lemma=morpheme.dictionary_form(),
            norm=morpheme.normalized_form(),
            morph=self.vocab.morphology.normalize_features(features),
            is_whole=not self.need_subtokens or len(morpheme.split(SplitMode.A)) == 1,
        )
        if not morpheme.is_oov():
            if len(self._words) >= MAX_WORDS:
                self._words.clear()
            self._words[morpheme.word_id()] = word
        return word

    def _attributes(self, surfaces: Sequence[str], words: Sequence[Word]) -> np.ndarray:
        """RETURNS: (n_tokens, 5) uint64: tag, part of speech, lemma, norm and morph of each token."""
        add = self.vocab.strings.add
        rows = []
        next_pos = None
        for surface, word, next_word in zip(surfaces, words, [*words[1:], None]):
            if next_pos:
                pos, next_pos = next_pos, None
            else:
                pos, next_pos = self._resolve_pos(surface, word.tag, next_word.tag if next_word else None)
            # The morphology keeps what it knows for good, and so must the strings, in a memory zone too.
            morph = add(word.morph, False)  # type: ignore[call-arg]
            rows.append((add(word.tag), pos, add(word.lemma or surface), add(word.norm), morph))
        return np.array(rows, dtype="uint64")

    def _resolve_pos(self, surface: str, tag: str, next_tag: Optional[str]) -> Tuple[int, Optional[int]]:
        """RETURNS: the part of speech of a token, and that of the next where it follows from both tags."""
        if tag in TAG_ORTH_MAP:
            return resolve_pos(surface, tag, next_tag)
        known = self._pos.get((tag, next_tag))
        if known is None:
            known = self._pos[tag, next_tag] = resolve_pos(surface, tag, next_tag)
        return known


def with_gaps(
    text: str, surfaces: Sequence[str], words: Sequence[Word], sub_tokens: Sequence[Any]
) -> Tuple[List[str], List[Word], List[bool], List[Any]]:
    """Whitespace as spaCy has it: a space behind a token belongs to it; whatever else is between tokens is a token.

    sub_tokens: of each surface, or empty.
    RETURNS: surfaces, words, spaces and sub_tokens of the tokens.
    """
    if "".join("".join(surfaces).split()) != "".join(text.split()):
        raise ValueError(Errors.E194.format(text=text, words=surfaces))
    tokens: List[Tuple[str, Word, bool, Any]] = []
    end = 0
    for i, surface in enumerate(surfaces):
        if surface.isspace():
            continue
        start = text.find(surface, end)
        if start < 0:
            raise ValueError(Errors.E194.format(text=text, words=surfaces))
        if start > end:
            tokens.append(gap_token(text[end:start]))
        has_space = i + 1 < len(surfaces) and surfaces[i + 1] == " "
        tokens.append((surface, words[i], has_space, sub_tokens[i] if sub_tokens else None))
        end = start + len(surface) + has_space
    if surfaces and end < len(text):
        tokens.append(gap_token(text[end:]))
    return (
        [token[0] for token in tokens],
        [token[1] for token in tokens],
        [token[2] for token in tokens],
        [token[3] for token in tokens],
    )


def gap_token(gap: str) -> Tuple[str, Word, bool, Any]:
    return gap, Word(GAP_TAG, gap, gap, "_", True), False, None
