"""A text of any length in, spaCy's Japanese Doc out."""

import re
import threading
import warnings
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from spacy.attrs import LEMMA, MORPH, NORM, POS, TAG
from spacy.errors import Errors
from spacy.lang.ja import JapaneseTokenizer as SpacyJapaneseTokenizer
from spacy.lang.ja import resolve_pos
from spacy.lang.ja.tag_bigram_map import TAG_BIGRAM_MAP
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
TOO_LONG = "too long"  # in its error
MAX_LENGTH = 2**30  # characters; what a Doc can hold
# The dictionary words that a tokenizer remembers; when there are more, it begins anew.
MAX_WORDS = 100_000
GAP_TAG = "空白"
# The entry of a word that no dictionary has, 28 bits below those of the dictionary: before sudachipy 0.7, katakana that
# Sudachi joined has this one, in dictionary 0, and is_oov() is False.
NO_ENTRY = 0x0FFFFFFF
# With these, the part of speech of the token before, or their own, may depend on both tags.
SECOND_TAGS = {second for _, second in TAG_BIGRAM_MAP}


class Word(NamedTuple):
    """What a token is told by its morpheme.

    attributes: ids of tag, part of speech (0 where the surface decides), lemma, norm and morph.
    n_units: Sudachi's shortest units in it; where it has no shorter ones 0, or 1 in older versions.
    """

    tag: str
    attributes: Tuple[int, int, int, int, int]
    n_units: int


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
        self._lock = threading.Lock()  # Sudachi refuses a second thread
        self._words: Dict[int, Word] = {}  # by the id of the dictionary's entry
        self._units: Dict[Tuple[int, str], Any] = {}  # the shorter units, by that and the surface

    def __reduce__(self):
        return JapaneseTokenizer, (self.vocab, self.split_mode)

    def _set_config(self, config: Dict[str, Any] = {}) -> None:  # noqa: B006
        super()._set_config(config)
        self.need_subtokens = self.split_mode in ("B", "C")  # spaCy's own leaves what it was before loading
        self._words.clear()  # the strings of their ids may be gone, too
        self._units.clear()

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
                with self._lock:
                    return self._make_doc(text)
            except SudachiError as error:
                if TOO_LONG not in str(error):
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
        need_subtokens, known_word = self.need_subtokens, self._words.get
        for morpheme in self.tokenizer.tokenize(text):
            surface = morpheme.surface()
            if surface:  # else one of …, which becomes three characters in Sudachi
                word = known_word(morpheme.word_id()) or self._read_word(morpheme)
                surfaces.append(surface)
                words.append(word)
                if need_subtokens:
                    sub_tokens.append(self._read_units(morpheme, surface, word.n_units))
        spaces = [False] * len(surfaces)
        if text.split() != [text]:
            surfaces, words, spaces, sub_tokens = with_gaps(text, surfaces, words, sub_tokens, self._gap_word)
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
        lemma = morpheme.dictionary_form()
        is_remembered = has_entry(morpheme) and bool(lemma)
        word = self._make_word(
            tag="-".join(field for field in fields[:4] if field != "*"),
            lemma=lemma or morpheme.surface(),
            norm=morpheme.normalized_form(),
            morph=self.vocab.morphology.normalize_features(features),
            n_units=len(morpheme.split(SplitMode.A)) if self.need_subtokens else 1,
            is_remembered=is_remembered,
        )
        if is_remembered:
            if len(self._words) >= MAX_WORDS:
                self._words.clear()
            self._words[morpheme.word_id()] = word
        return word

    def _make_word(self, tag: str, lemma: str, norm: str, morph: str, *, n_units: int, is_remembered: bool) -> Word:
        """is_remembered: for longer than a memory zone may last."""
        add = self.vocab.strings.add
        ids = (add(string, not is_remembered) for string in (tag, lemma, norm))  # type: ignore[call-arg]
        tag_id, lemma_id, norm_id = ids
        pos = 0 if tag in TAG_ORTH_MAP else resolve_pos("", tag, None)[0]
        # The morphology keeps what it knows for good, and so must the strings, in a memory zone too.
        morph_id = add(morph, False)  # type: ignore[call-arg]
        return Word(tag, (tag_id, pos, lemma_id, norm_id, morph_id), n_units)

    def _read_units(self, morpheme: Any, surface: str, n_units: int) -> Any:
        """The shorter units of a morpheme, as spaCy keeps them in user_data; each Doc has lists of its own."""
        if n_units == 1:
            return None
        if n_units == 0:
            return [[]] if self.split_mode == "B" else [[], []]
        key = (morpheme.word_id(), surface)
        units = self._units.get(key)
        if units is None:
            units = self._get_sub_tokens([morpheme])[0]
            if len(self._units) >= MAX_WORDS:
                self._units.clear()
            if has_entry(morpheme):
                self._units[key] = units
        return [list(tokens) for tokens in units]

    def _attributes(self, surfaces: Sequence[str], words: Sequence[Word]) -> np.ndarray:
        """RETURNS: (n_tokens, 5) uint64: tag, part of speech, lemma, norm and morph of each token."""
        columns = list(map(list, zip(*[word.attributes for word in words])))
        parts_of_speech, tags = columns[1], [word.tag for word in words]
        next_pos = None
        for i, (tag, next_tag) in enumerate(zip(tags, [*tags[1:], None])):
            if next_pos:
                parts_of_speech[i], next_pos = next_pos, None
            elif next_tag in SECOND_TAGS or not parts_of_speech[i]:
                parts_of_speech[i], next_pos = resolve_pos(surfaces[i], tag, next_tag)
        return np.array(columns, dtype="uint64").T.copy()

    def _gap_word(self, gap: str) -> Word:
        return self._make_word(GAP_TAG, gap, gap, "_", n_units=1, is_remembered=False)


def has_entry(morpheme: Any) -> bool:
    """Whether the word stands in a dictionary, so that its id says all of it."""
    return not morpheme.is_oov() and morpheme.word_id() & NO_ENTRY != NO_ENTRY


def with_gaps(
    text: str,
    surfaces: Sequence[str],
    words: Sequence[Word],
    sub_tokens: Sequence[Any],
    gap_word: Callable[[str], Word],
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
            tokens.append((text[end:start], gap_word(text[end:start]), False, None))
        has_space = i + 1 < len(surfaces) and surfaces[i + 1] == " "
        tokens.append((surface, words[i], has_space, sub_tokens[i] if sub_tokens else None))
        end = start + len(surface) + has_space
    if surfaces and end < len(text):
        tokens.append((text[end:], gap_word(text[end:]), False, None))
    return (
        [token[0] for token in tokens],
        [token[1] for token in tokens],
        [token[2] for token in tokens],
        [token[3] for token in tokens],
    )
