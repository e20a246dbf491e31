"""A text in, its subwords out, by other than sentencepiece: Hugging Face tokenizers, fast and slow, and words first."""

import unicodedata
from typing import Any, Callable, Collection, Dict, List, Optional, Sequence, Tuple

import numpy as np

from .cutting import cut_text
from .preparation import PreparedText, join_words
from .subwords import (
    WORD_START,
    PairIds,
    SubwordEncoder,
    Subwords,
    align_pieces,
    as_encodable,
    cover_gaps,
    name_unknown_characters,
    piece_surface,
    tidy_offsets,
)


class FastTokenizerEncoder:
    """Ids and offsets by the library `tokenizers` itself, from a tokenizer.json."""

    start_ids: Tuple[int, ...] = ()

    def __init__(self, backend: Any, *, pad_id: int, unk_id: Optional[int], control_ids: Collection[int]):
        """
        backend: a tokenizers.Tokenizer, whose post-processor says what is put around texts.
        control_ids: what no text becomes, though it is written like it: XLM-RoBERTa's model has "<mask>" as a piece.
        """
        self.backend = backend
        self._take_texts_whole()
        self.pad_id, self.unk_id = pad_id, unk_id
        self.control_ids = sorted(set(control_ids) - {unk_id})
        self.n_ids = max(backend.get_vocab(with_added_tokens=True).values(), default=-1) + 1
        self.prefix_ids, self.suffix_ids = find_special_ids(self._ids, "tokenizer.json")

    def encode(self, text: str) -> Subwords:
        encoding = self.backend.encode(as_encodable(text), add_special_tokens=False)
        ids = without_control_ids(encoding.ids, self.control_ids, self.unk_id)
        offsets = np.array(encoding.offsets, dtype="int64").reshape(-1, 2)
        is_word_start = np.array([piece == WORD_START for piece in encoding.tokens], dtype=bool)
        return Subwords(text, ids, cover_gaps(text, tidy_offsets(text, offsets, is_word_start)))

    def pair_ids(self) -> PairIds:
        encoding = self.backend.encode("東京", "日本")
        first, second = self._ids("東京", False), self._ids("日本", False)
        return find_pair_ids(encoding.ids, encoding.type_ids, first, second, "tokenizer.json")

    def piece_names(self, ids: Sequence[int]) -> List[str]:
        return [self.backend.id_to_token(i) or f"<{i}>" for i in ids]

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._take_texts_whole()  # a pickled tokenizer forgets it

    def _take_texts_whole(self) -> None:
        self.backend.encode_special_tokens = True  # a "[MASK]" in a text is text
        self.backend.no_truncation()
        self.backend.no_padding()

    def _ids(self, text: str, special: bool) -> List[int]:
        return self.backend.encode(text, add_special_tokens=special).ids


class SlowTokenizerEncoder:
    """Ids by a Hugging Face slow tokenizer, which has no offsets; they are found by aligning its pieces.

    Where the tokenizer cuts words first (BertJapaneseTokenizer does), the words are aligned with the text and then
    the pieces with their word, so that an [UNK] has the characters of its word, or of a word that was
    cut into characters its own. With others, a piece that no character
    matches takes the characters between its neighbours.
    """

    start_ids: Tuple[int, ...] = ()
    max_bytes = 30_000  # of UTF-8 at a time: Sudachi as word tokenizer takes 49,149, and normalisation adds to it

    def __init__(self, tokenizer: Any):
        """tokenizer: a transformers PreTrainedTokenizer."""
        self.tokenizer = tokenizer
        kind = type(tokenizer).__name__
        self.prefix_ids, self.suffix_ids = find_special_ids(self._ids, kind)
        self.pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
        self.unk_id = tokenizer.unk_token_id
        self.control_ids = [i for i in tokenizer.all_special_ids if i != self.unk_id]
        self.n_ids = len(tokenizer)

    def encode(self, text: str) -> Subwords:
        clean_text = as_encodable(text)
        is_long = len(clean_text.encode("utf8")) > self.max_bytes
        parts = cut_text(clean_text, max_bytes=self.max_bytes) if is_long else [clean_text]
        pieces: List[str] = []
        offsets: List[np.ndarray] = [np.zeros((0, 2), dtype="int64")]
        start = 0
        for part in parts:
            part_pieces, part_offsets = self._tokenize(part)
            pieces += part_pieces
            offsets.append(part_offsets + start)
            start += len(part)
        all_offsets = np.concatenate(offsets)
        ids = without_control_ids(self.tokenizer.convert_tokens_to_ids(pieces), self.control_ids, self.unk_id)
        has_no_character = all_offsets[:, 0] == all_offsets[:, 1]
        return Subwords(text, ids, cover_gaps(text, tidy_offsets(text, all_offsets, has_no_character)))

    def pair_ids(self) -> PairIds:
        kind = type(self.tokenizer).__name__
        encoded = self.tokenizer("東京", "日本")
        type_ids = encoded.get("token_type_ids", [0] * len(encoded["input_ids"]))
        found = find_pair_ids(encoded["input_ids"], type_ids, self._ids("東京", False), self._ids("日本", False), kind)
        # transformers 5 says 0 of BertJapaneseTokenizer's second text, by mistake.
        return found._replace(text_type_id=1) if kind == "BertJapaneseTokenizer" else found

    def piece_names(self, ids: Sequence[int]) -> List[str]:
        return self.tokenizer.convert_ids_to_tokens(list(ids))

    def _ids(self, text: str, special: bool) -> List[int]:
        return self.tokenizer(text, add_special_tokens=special)["input_ids"]

    def _tokenize(self, text: str) -> Tuple[List[str], np.ndarray]:
        """RETURNS: the pieces, and their offsets (n_pieces, 2)."""
        cut_words = getattr(self.tokenizer, "word_tokenizer", None)
        cut_pieces = getattr(self.tokenizer, "subword_tokenizer", None)
        if cut_words is None or cut_pieces is None:
            pieces = self.tokenizer.tokenize(text, split_special_tokens=True)
            return pieces, self._place(pieces, text)
        words = cut_words.tokenize(text)
        pieces, offsets = [], [np.zeros((0, 2), dtype="int64")]
        for word, (start, end) in zip(words, align_pieces(words, text).tolist()):
            word_pieces = cut_pieces.tokenize(word)
            pieces += word_pieces
            offsets.append(self._place(word_pieces, text[start:end], word=word) + start)
        return pieces, np.concatenate(offsets)

    def _place(self, pieces: Sequence[str], text: str, *, word: str = "") -> np.ndarray:
        """word: the text as it was cut into pieces, if that is known."""
        unknown = self.tokenizer.unk_token
        surfaces = ["" if piece == unknown else piece_surface(piece) for piece in pieces]
        return align_pieces(name_unknown_characters(surfaces, unicodedata.normalize("NFKC", word)), text)


class WordsFirstEncoder:
    """Another encoder, given the words of a text with spaces between them, as it was trained on them."""

    def __init__(self, encoder: SubwordEncoder, find_words: Callable[[str], np.ndarray], *, max_bytes: int):
        """
        find_words: a text without lone surrogates → (n_words, 2) characters of its words, in order, none blank.
        max_bytes: of UTF-8 at a time.
        """
        self.encoder, self.find_words, self.max_bytes = encoder, find_words, max_bytes
        self.prefix_ids, self.suffix_ids, self.pad_id = encoder.prefix_ids, encoder.suffix_ids, encoder.pad_id
        self.start_ids, self.unk_id, self.n_ids = encoder.start_ids, encoder.unk_id, encoder.n_ids

    def encode(self, text: str) -> Subwords:
        clean_text = as_encodable(text)
        is_long = len(clean_text.encode("utf8")) > self.max_bytes
        words: List[Tuple[int, int]] = []
        start = 0
        for part in cut_text(clean_text, max_bytes=self.max_bytes) if is_long else [clean_text]:
            words += [(first + start, end + start) for first, end in self.find_words(part).tolist()]
            start += len(part)
        joined = join_words(PreparedText(clean_text, np.arange(len(clean_text))), words)
        subwords = self.encoder.encode(joined.text)
        offsets = joined.offsets_in_source(subwords.char_offsets)
        # A space between words is no character of the text.
        n_solid = np.cumsum([0, *(not char.isspace() for char in joined.text)])
        is_empty = n_solid[subwords.char_offsets[:, 0]] == n_solid[subwords.char_offsets[:, 1]]
        offsets[is_empty, 1] = offsets[is_empty, 0]
        return Subwords(text, subwords.ids, cover_gaps(text, tidy_offsets(text, offsets, is_empty)))

    def pair_ids(self) -> PairIds:
        return self.encoder.pair_ids()

    def piece_names(self, ids: Sequence[int]) -> List[str]:
        return self.encoder.piece_names(ids)


def find_special_ids(encode: Callable[[str, bool], List[int]], kind: str) -> Tuple[Tuple[int, ...], Tuple[int, ...]]:
    """The ids that a tokenizer puts before and after a text, found by encoding one both ways.

    encode: text and whether with special subwords → ids.
    kind: what to call the tokenizer.
    """
    plain, whole = encode("日本", False), encode("日本", True)
    for start in range(len(whole) - len(plain) + 1):
        if plain and whole[start : start + len(plain)] == plain:
            return tuple(whole[:start]), tuple(whole[start + len(plain) :])
    raise ValueError(
        f"{kind} gives {whole} for 日本 with special subwords and {plain} without, "
        "so what it puts around a text cannot be told; a checkpoint with a working tokenizer is needed"
    )


def find_pair_ids(
    whole: Sequence[int], type_ids: Sequence[int], first: Sequence[int], second: Sequence[int], kind: str
) -> PairIds:
    """What a tokenizer puts around two texts.

    whole, type_ids: of the pair; first, second: of each of its texts without special subwords.
    """
    for first_start in range(len(whole) - len(first) + 1):
        first_end = first_start + len(first)
        if not first or list(whole[first_start:first_end]) != list(first):
            continue
        for start in range(first_end, len(whole) - len(second)):  # an end may be the special subword behind
            end = start + len(second)
            if second and list(whole[start:end]) == list(second) and first_start:
                return PairIds(
                    tuple(whole[:first_start]), tuple(whole[first_end:start]), tuple(whole[end:]), type_ids[start]
                )
    raise ValueError(
        f"{kind} gives {list(whole)} for the pair 東京 and 日本, {list(first)} and {list(second)} for each; it "
        "should put special subwords before a pair of texts and behind it, as questions need them"
    )


def without_control_ids(ids: Sequence[int], control_ids: Collection[int], unk_id: Optional[int]) -> np.ndarray:
    """Make unknown what a text wrote like a special subword."""
    found = np.array(ids, dtype="int64").reshape(-1)
    if unk_id is not None and control_ids:
        found[np.isin(found, list(control_ids))] = unk_id
    return found
