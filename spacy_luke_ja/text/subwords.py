"""A text in, its subwords out: encoder ids and character offsets into the original text."""

import unicodedata
from dataclasses import dataclass
from typing import Any, List, NamedTuple, Optional, Protocol, Sequence, Tuple

import numpy as np

from .characters import blank_characters, replace_lone_surrogates, replace_rare_line_breaks
from .cutting import cut_text

FAIRSEQ_UNK = 3
WORD_START = "▁"  # sentencepiece's mark for a space, U+2581


@dataclass(frozen=True)
class Subwords:
    """The subwords of one text, without the encoder's special ones.

    text: the original text; the offsets count its characters.
    ids: (n_subwords,) int64, rows of the encoder's embedding table.
    char_offsets: (n_subwords, 2) int64, start and end (exclusive) of each subword. Starts and ends never
        decrease. A subword with no character of its own, such as the "▁" put before a text, is empty;
        pieces of one character (㈱ → "(", "株", ")") share its offsets.
    """

    text: str
    ids: np.ndarray
    char_offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


class PairIds(NamedTuple):
    """What an encoder puts around a pair of texts: before the first, between the two, after the second.

    text_type_id: the type that the second text has, and what comes after it, for encoders that are told; 0 for others.
    """

    before: Tuple[int, ...]
    between: Tuple[int, ...]
    after: Tuple[int, ...]
    text_type_id: int = 0


class SubwordEncoder(Protocol):
    """What turns a text into subwords, and knows the special ids around them."""

    prefix_ids: Tuple[int, ...]  # put before each window, say <s> or [CLS]
    suffix_ids: Tuple[int, ...]  # put after each window, say </s> or [SEP]
    start_ids: Tuple[int, ...]  # what encode itself puts before a text, and before a window that begins inside one
    pad_id: int
    unk_id: Optional[int]  # what the vocabulary has no piece for; None where there is nothing such
    n_ids: int  # every id is smaller than this

    def encode(self, text: str) -> Subwords:
        """Encode a text of any length; nothing is cut off, and no part of a text becomes a special id."""

    def pair_ids(self) -> PairIds:
        """What is put around two texts; a ValueError where that cannot be told."""


class SentencePieceEncoder:
    """Ids and offsets by sentencepiece itself, in the layout that fairseq gave to XLM-R, mLUKE and LUKE.

    The id of a piece is its sentencepiece id + 1, so that <s>, <pad>, </s>, <unk> can be 0, 1, 2, 3, and
    <mask> comes after the last piece. These are the ids of transformers 4's slow XLMRobertaTokenizer and
    MLukeTokenizer, which transformers 5 no longer gives.
    """

    prefix_ids: Tuple[int, ...] = (0,)
    suffix_ids: Tuple[int, ...] = (2,)
    start_ids: Tuple[int, ...]
    pad_id = 1
    unk_id: Optional[int] = FAIRSEQ_UNK

    def __init__(self, processor: Any):
        """processor: a sentencepiece.SentencePieceProcessor."""
        self.processor = processor
        self.n_ids = processor.get_piece_size() + 2
        self._word_start = processor.piece_to_id(WORD_START)
        self.start_ids = (self._word_start + 1,) if self._word_start else ()
        # The call that gives offsets moved: immutable_proto up to 0.2.1, offset_mapping from 0.2.2 on.
        try:
            processor.encode("", return_type="offset_mapping")
            self._has_offset_mapping = True
        except TypeError:
            self._has_offset_mapping = False

    def encode(self, text: str) -> Subwords:
        # sentencepiece refuses lone surrogates, or gives nothing for them; U+FFFD is as long.
        sp_text = as_encodable(text)
        if self._has_offset_mapping:
            encoded = self.processor.encode(sp_text, return_type="offset_mapping")
            sp_ids = np.asarray(encoded["ids"], dtype="int64")
            offsets = np.asarray(encoded["offsets"], dtype="int64").reshape(-1, 2)
        else:
            pieces = self.processor.encode(sp_text, out_type="immutable_proto").pieces
            sp_ids = np.array([piece.id for piece in pieces], dtype="int64")
            offsets = np.array([(piece.begin, piece.end) for piece in pieces], dtype="int64").reshape(-1, 2)
        is_word_start = sp_ids == self._word_start
        ids = np.where(sp_ids == 0, FAIRSEQ_UNK, sp_ids + 1)
        return Subwords(text, ids, tidy_offsets(text, offsets, is_word_start))

    def pair_ids(self) -> PairIds:
        """<s> first </s></s> second </s>, as XLMRobertaTokenizer and MLukeTokenizer have it."""
        return PairIds((0,), (2, 2), (2,))

    def pieces(self, text: str) -> List[str]:
        """The pieces that `encode` gives ids for, as sentencepiece writes them (normalised, "▁" for a space)."""
        return self.processor.encode(as_encodable(text), out_type=str)


class FastTokenizerEncoder:
    """Ids and offsets by a Hugging Face fast tokenizer."""

    start_ids: Tuple[int, ...] = ()

    def __init__(self, tokenizer: Any):
        """tokenizer: a transformers PreTrainedTokenizerFast."""
        self.tokenizer = tokenizer
        self.backend = tokenizer.backend_tokenizer
        self.prefix_ids, self.suffix_ids = find_special_ids(tokenizer)
        self.pad_id = padding_id(tokenizer)
        self.unk_id = tokenizer.unk_token_id
        self.n_ids = len(tokenizer)

    def encode(self, text: str) -> Subwords:
        # Each call of the tokenizer itself sets these anew.
        self.backend.encode_special_tokens = True  # a "[MASK]" in a text is text
        self.backend.no_truncation()
        self.backend.no_padding()
        encoding = self.backend.encode(as_encodable(text), add_special_tokens=False)
        ids = without_control_ids(encoding.ids, self.tokenizer)
        offsets = np.array(encoding.offsets, dtype="int64").reshape(-1, 2)
        is_word_start = np.array([piece == WORD_START for piece in encoding.tokens], dtype=bool)
        return Subwords(text, ids, cover_gaps(text, tidy_offsets(text, offsets, is_word_start)))

    def pair_ids(self) -> PairIds:
        return find_pair_ids(self.tokenizer)


class SlowTokenizerEncoder:
    """Ids by a Hugging Face slow tokenizer, which has no offsets; they are found by aligning its pieces.

    Where the tokenizer cuts words first (BertJapaneseTokenizer does), the words are aligned with the text and then
    the pieces with their word, so that an [UNK] has the characters of its word, or of a word that was cut into
    characters its own. With others, a piece that no character
    matches takes the characters between its neighbours.
    """

    start_ids: Tuple[int, ...] = ()
    max_bytes = 30_000  # of UTF-8 at a time: Sudachi as word tokenizer takes 49,149, and normalisation adds to it

    def __init__(self, tokenizer: Any):
        """tokenizer: a transformers PreTrainedTokenizer."""
        self.tokenizer = tokenizer
        self.prefix_ids, self.suffix_ids = find_special_ids(tokenizer)
        self.pad_id = padding_id(tokenizer)
        self.unk_id = tokenizer.unk_token_id
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
        ids = without_control_ids(self.tokenizer.convert_tokens_to_ids(pieces), self.tokenizer)
        has_no_character = all_offsets[:, 0] == all_offsets[:, 1]
        return Subwords(text, ids, cover_gaps(text, tidy_offsets(text, all_offsets, has_no_character)))

    def pair_ids(self) -> PairIds:
        return find_pair_ids(self.tokenizer)

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


def as_encodable(text: str) -> str:
    """The text, as long as it was, without what tokenizers refuse or lose."""
    return replace_rare_line_breaks(replace_lone_surrogates(text))


def align_pieces(surfaces: Sequence[str], text: str) -> np.ndarray:
    """Find where in the text each surface stands, though the tokenizer may have normalised it.

    RETURNS: (n_surfaces, 2) in order; an empty surface takes what its neighbours leave.
    """
    from spacy_alignments import get_alignments

    _, chars_of_piece = get_alignments(list(text), list(surfaces))
    return place_pieces(chars_of_piece, len(text))


def name_unknown_characters(surfaces: Sequence[str], word: str) -> Sequence[str]:
    """Give each piece its character where a word was cut into characters; "" stands for one that is unknown."""
    is_by_character = len(surfaces) == len(word) and all(s in ("", char) for s, char in zip(surfaces, word))
    return list(word) if is_by_character else surfaces


def piece_surface(piece: str) -> str:
    """The characters that a slow tokenizer's piece stands for: "##ほん" → "ほん"."""
    surface = piece[2:] if piece.startswith("##") else piece
    return surface.replace(WORD_START, "").replace("</w>", "")


def place_pieces(chars_of_piece: Sequence[Sequence[int]], n_chars: int) -> np.ndarray:
    """Turn an alignment into offsets, and give pieces that matched nothing the characters between their neighbours.

    chars_of_piece: per piece, the characters that match it, perhaps none.
    RETURNS: (n_pieces, 2); the first of several unmatched pieces in a row takes the gap, the others are empty.
    """
    offsets = np.zeros((len(chars_of_piece), 2), dtype="int64")
    next_starts = [n_chars] * len(chars_of_piece)
    for i in range(len(chars_of_piece) - 2, -1, -1):
        matched = chars_of_piece[i + 1]
        next_starts[i] = min(matched[0], next_starts[i + 1]) if matched else next_starts[i + 1]
    end = 0
    for i, matched in enumerate(chars_of_piece):
        start, stop = (matched[0], matched[-1] + 1) if matched else (end, next_starts[i])
        offsets[i] = max(start, end), max(stop, end)
        end = int(offsets[i, 1])
    return offsets


def tidy_offsets(text: str, offsets: np.ndarray, is_bare: np.ndarray) -> np.ndarray:
    """Make offsets tight and honest: no piece without its character, no piece that begins or ends in a space.

    offsets: (n_subwords, 2), as the tokenizer gave them.
    is_bare: (n_subwords,) whether the piece stands for no character but blank ones, as "▁" does.
    RETURNS: (n_subwords, 2)

        ㈱        ( (0, 0)   株 (0, 0)   ) (0, 1)   →  (0, 1) three times
        " 東京"   ▁東京 (0, 3)                      →  (1, 3)
    """
    if not len(offsets):
        return offsets
    starts, ends = offsets[:, 0].copy(), offsets[:, 1].copy()
    empty = (starts == ends) & ~is_bare & (starts < len(text))
    ends[empty] += 1
    blank = blank_characters(text)
    if blank is None:
        ends = np.where(is_bare, starts, ends)
    else:
        # next_solid[i]: the first character from i on that is not blank; last_solid[i]: one past the last before i.
        positions = np.arange(len(text) + 1)
        solid = np.append(~blank, True)
        next_solid = np.minimum.accumulate(np.where(solid, positions, len(text))[::-1])[::-1]
        last_solid = np.concatenate([[0], np.maximum.accumulate(np.where(~blank, positions[1:], 0))])
        has_solid = next_solid[starts] < ends
        ends = np.where(has_solid, np.where(is_bare, starts, last_solid[ends]), ends)
        starts = np.where(has_solid & ~is_bare, next_solid[starts], starts)
    return np.stack([starts, np.maximum.accumulate(ends)], axis=1)


def cover_gaps(text: str, offsets: np.ndarray) -> np.ndarray:
    """Give characters that Hugging Face offsets leave out to the subword before them (the ﾞ of ﾄﾞ, say).

    offsets: (n_subwords, 2) in order.
    RETURNS: (n_subwords, 2) in which every character that is not blank belongs to a subword.
    """
    if not len(offsets):
        return offsets
    blank = blank_characters(text)
    starts, ends = offsets[:, 0].copy(), offsets[:, 1].copy()
    next_starts = np.append(starts[1:], len(text))
    for i in np.flatnonzero(next_starts > ends):
        end = int(next_starts[i])
        while end > ends[i] and blank is not None and blank[end - 1]:
            end -= 1
        ends[i] = end
    first = 0
    while first < starts[0] and blank is not None and blank[first]:
        first += 1
    starts[0] = first
    return np.stack([starts, np.maximum.accumulate(ends)], axis=1)


def find_special_ids(tokenizer: Any) -> Tuple[Tuple[int, ...], Tuple[int, ...]]:
    """The ids that a Hugging Face tokenizer puts before and after a text, found by encoding one both ways."""
    plain = tokenizer("日本", add_special_tokens=False)["input_ids"]
    whole = tokenizer("日本")["input_ids"]
    for start in range(len(whole) - len(plain) + 1):
        if plain and whole[start : start + len(plain)] == plain:
            return tuple(whole[:start]), tuple(whole[start + len(plain) :])
    raise ValueError(
        f"{type(tokenizer).__name__} gives {whole} for 日本 with special subwords and {plain} without, "
        "so what it puts around a text cannot be told; a checkpoint with a working tokenizer is needed"
    )


def find_pair_ids(tokenizer: Any) -> PairIds:
    """What a Hugging Face tokenizer puts around two texts, found by encoding a pair and each of its texts."""
    first, second = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("東京", "日本"))
    encoded = tokenizer("東京", "日本")
    whole = encoded["input_ids"]
    for first_start in range(len(whole) - len(first) + 1):
        first_end = first_start + len(first)
        if not first or whole[first_start:first_end] != first:
            continue
        for start in range(first_end, len(whole) - len(second)):  # an end may be the special subword behind
            if second and whole[start : start + len(second)] == second and first_start:
                type_id = encoded["token_type_ids"][start] if "token_type_ids" in encoded else 0
                if type(tokenizer).__name__ == "BertJapaneseTokenizer":
                    type_id = 1  # transformers 5 says 0, by mistake
                end = start + len(second)
                return PairIds(tuple(whole[:first_start]), tuple(whole[first_end:start]), tuple(whole[end:]), type_id)
    raise ValueError(
        f"{type(tokenizer).__name__} gives {whole} for the pair 東京 and 日本, {first} and {second} for each; it "
        "should put special subwords before a pair of texts and behind it, as questions need them"
    )


def without_control_ids(ids: Sequence[int], tokenizer: Any) -> np.ndarray:
    """Make unknown what a text wrote like a special subword: XLM-RoBERTa's Unigram model has "<mask>" as a piece."""
    found = np.array(ids, dtype="int64").reshape(-1)
    if tokenizer.unk_token_id is not None:
        control_ids = [i for i in tokenizer.all_special_ids if i != tokenizer.unk_token_id]
        found[np.isin(found, control_ids)] = tokenizer.unk_token_id
    return found


def padding_id(tokenizer: Any) -> int:
    return tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
