"""A text in, its subwords out: encoder ids and character offsets into the original text."""

import unicodedata
from dataclasses import dataclass, field
from typing import Any, Callable, FrozenSet, List, Mapping, NamedTuple, Optional, Protocol, Sequence, Tuple

import numpy as np

from .characters import blank_characters, find_line_ends, replace_lone_surrogates, replace_rare_line_breaks
from .preparation import PreparedText

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

    def piece_names(self, ids: Sequence[int]) -> List[str]:
        """What the vocabulary calls them, special ones included."""


@dataclass(frozen=True)
class PieceLayout:
    """How a family of encoders numbers the pieces of a sentencepiece model, and what it puts around texts.

    shift: added to the ids of sentencepiece.
    unk_id: what stands for sentencepiece's unknown piece.
    n_ids: every id is smaller than this.
    pair: None where nothing is known of pairs.
    control_ids: what no text becomes, though it is written like it.
    prepare: what the family's tokenizer makes of a text first; None for nothing.
    lead: text that is encoded before one that begins with a blank and taken away again, so that the blank stays.
    cuts_commas: whether pieces such as "8," are cut, as ALBERT's and XLNet's tokenizers do.
    line_break_id: a subword that stands between lines, for sentencepiece makes the same "▁" of
        a line break as of a space; none when None, as encoders are pretrained.
    """

    prefix_ids: Tuple[int, ...]
    suffix_ids: Tuple[int, ...]
    pad_id: int
    unk_id: int
    n_ids: int
    shift: int = 0
    pair: Optional[PairIds] = None
    control_ids: FrozenSet[int] = frozenset()
    special_names: Mapping[int, str] = field(default_factory=dict)
    prepare: Optional[Callable[[str], Sequence[PreparedText]]] = None
    lead: str = ""
    cuts_commas: bool = False
    line_break_id: Optional[int] = None


def fairseq_layout(n_pieces: int, line_break_id: Optional[int] = None) -> PieceLayout:
    """XLM-R's, mLUKE's and LUKE's: the ids of sentencepiece + 1, so that <s>, <pad>, </s>, <unk> can be 0, 1, 2, 3.

    <mask> comes after the last piece. These are the ids of transformers 4's slow XLMRobertaTokenizer and
    MLukeTokenizer, which transformers 5 no longer gives; pairs are <s> first </s></s> second </s>.
    """
    names = {0: "<s>", 1: "<pad>", 2: "</s>", 3: "<unk>"}
    pair = PairIds((0,), (2, 2), (2,))
    return PieceLayout(
        (0,), (2,), 1, FAIRSEQ_UNK, n_pieces + 2, shift=1, pair=pair, special_names=names, line_break_id=line_break_id
    )  # fmt: skip


class SentencePieceEncoder:
    """Ids and offsets by sentencepiece itself."""

    def __init__(self, processor: Any, layout: Optional[PieceLayout] = None):
        """
        processor: a sentencepiece.SentencePieceProcessor.
        layout: LUKE's when None.
        """
        self.processor = processor
        self.layout = fairseq_layout(processor.get_piece_size()) if layout is None else layout
        self.prefix_ids, self.suffix_ids = self.layout.prefix_ids, self.layout.suffix_ids
        self.pad_id = self.layout.pad_id
        self.unk_id: Optional[int] = self.layout.unk_id
        self.n_ids = self.layout.n_ids
        self._word_start = processor.piece_to_id(WORD_START)
        self._unknown = processor.unk_id()
        self._controls = np.array(sorted(self.layout.control_ids), dtype="int64")
        self.start_ids: Tuple[int, ...] = (
            (self._word_start + self.layout.shift,) if self._word_start != self._unknown else ()
        )
        # The call that gives offsets moved: immutable_proto up to 0.2.1, offset_mapping from 0.2.2 on.
        try:
            processor.encode("", return_type="offset_mapping")
            self._has_offset_mapping = True
        except TypeError:
            self._has_offset_mapping = False
        self._n_lead = len(processor.encode(self.layout.lead, out_type=int)) if self.layout.lead else 0

    def encode(self, text: str) -> Subwords:
        # sentencepiece refuses lone surrogates, or gives nothing for them; U+FFFD is as long.
        clean_text = as_encodable(text)
        if self.layout.prepare is None:
            sp_ids, offsets = self._encode(clean_text)
        else:
            parts = [(part, *self._encode(part.text)) for part in self.layout.prepare(clean_text)]
            sp_ids = np.concatenate([np.zeros(0, dtype="int64"), *(ids for _, ids, _ in parts)])
            placed = [part.offsets_in_source(offsets) for part, _, offsets in parts]
            offsets = np.concatenate([np.zeros((0, 2), dtype="int64"), *placed])
        is_word_start = sp_ids == self._word_start if self._word_start != self._unknown else np.zeros(len(sp_ids), bool)
        ids = np.where(sp_ids == self._unknown, self.layout.unk_id, sp_ids + self.layout.shift)
        if len(self._controls):
            ids[np.isin(ids, self._controls)] = self.layout.unk_id
        tidied = tidy_offsets(text, offsets, is_word_start)
        if self.layout.line_break_id is not None:
            ids, tidied = mark_line_breaks(text, ids, tidied, self.layout.line_break_id)
        return Subwords(text, ids, tidied if self.layout.prepare is None else cover_gaps(text, tidied))

    def pair_ids(self) -> PairIds:
        if self.layout.pair is None:
            raise ValueError("what this encoder puts between two texts is not known; choose another for questions")
        return self.layout.pair

    def pieces(self, text: str) -> List[str]:
        """The pieces that `encode` gives ids for, as sentencepiece writes them (normalised, "▁" for a space)."""
        return self.processor.encode(as_encodable(text), out_type=str)

    def piece_names(self, ids: Sequence[int]) -> List[str]:
        shift, n_pieces, names = self.layout.shift, self.processor.get_piece_size(), self.layout.special_names
        in_model = lambda i: self.processor.id_to_piece(i - shift) if 0 <= i - shift < n_pieces else f"<{i}>"
        return [names[i] if i in names else in_model(i) for i in ids]

    def _encode(self, sp_text: str) -> Tuple[np.ndarray, np.ndarray]:
        """RETURNS: sentencepiece's ids, and (n_subwords, 2) characters of sp_text."""
        n_lead, whole = 0, sp_text
        if self._n_lead and sp_text.startswith((WORD_START, " ")):
            n_lead, whole = self._n_lead, self.layout.lead + sp_text
        if self._has_offset_mapping:
            encoded = self.processor.encode(whole, return_type="offset_mapping")
            sp_ids = np.asarray(encoded["ids"], dtype="int64")
            offsets = np.asarray(encoded["offsets"], dtype="int64").reshape(-1, 2)
        else:
            pieces = self.processor.encode(whole, out_type="immutable_proto").pieces
            sp_ids = np.array([piece.id for piece in pieces], dtype="int64")
            offsets = np.array([(piece.begin, piece.end) for piece in pieces], dtype="int64").reshape(-1, 2)
        if n_lead:
            sp_ids, offsets = sp_ids[n_lead:], np.maximum(offsets[n_lead:] - len(self.layout.lead), 0)
        return self._cut_commas(sp_ids, offsets) if self.layout.cuts_commas else (sp_ids, offsets)

    def _cut_commas(self, sp_ids: np.ndarray, offsets: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """ "18," → "18" and ",": a number is cut the same with a comma behind it and without."""
        cut_ids: List[int] = []
        cut_offsets: List[Tuple[int, int]] = []
        for sp_id, (start, end) in zip(sp_ids.tolist(), offsets.tolist()):
            piece = self.processor.id_to_piece(sp_id)
            if not (len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit()):
                cut_ids.append(sp_id)
                cut_offsets.append((start, end))
                continue
            parts = self.processor.encode(piece[:-1].replace(WORD_START, ""), out_type=str)
            if piece[0] != WORD_START and parts[0][0] == WORD_START:
                parts = parts[1:] if len(parts[0]) == 1 else [parts[0][1:], *parts[1:]]
            place, comma = start, max(start, end - 1)
            for part in parts:
                stop = min(comma, place + len(part.replace(WORD_START, "")))
                cut_ids.append(self.processor.piece_to_id(part))
                cut_offsets.append((place, stop))
                place = stop
            cut_ids.append(self.processor.piece_to_id(","))
            cut_offsets.append((comma, end))
        return np.array(cut_ids, dtype="int64"), np.array(cut_offsets, dtype="int64").reshape(-1, 2)


def as_encodable(text: str) -> str:
    """The text, as long as it was, without what tokenizers refuse or lose."""
    return replace_rare_line_breaks(replace_lone_surrogates(text))


def align_pieces(surfaces: Sequence[str], text: str) -> np.ndarray:
    """Find where in the text each surface stands, though the tokenizer may have normalised it.

    RETURNS: (n_surfaces, 2) in order; an empty surface takes what its neighbours leave.
    """
    from spacy_alignments import get_alignments

    # Of the two, get_alignments compares only what has one character: ℃ is ° and C, and not both in one.
    parts = [unicodedata.normalize("NFKD", char).lower() or char for char in text]
    sources = [i for i, part in enumerate(parts) for _ in part]
    _, found = get_alignments(list("".join(parts)), list(surfaces))
    return place_pieces([sorted({sources[place] for place in places}) for places in found], len(text))


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
    RETURNS: (n_pieces, 2); the first of several unmatched pieces in a row takes the gap, the others are empty. Pieces
        of one character share it (㍻ → 平, 成).
    """
    offsets = np.zeros((len(chars_of_piece), 2), dtype="int64")
    next_starts = [n_chars] * len(chars_of_piece)
    for i in range(len(chars_of_piece) - 2, -1, -1):
        matched = chars_of_piece[i + 1]
        next_starts[i] = min(matched[0], next_starts[i + 1]) if matched else next_starts[i + 1]
    end = 0
    last = -1  # the character that the last matched piece ends with
    for i, matched in enumerate(chars_of_piece):
        start, stop = (matched[0], matched[-1] + 1) if matched else (end, next_starts[i])
        is_shared = matched and matched[0] == last == end - 1
        offsets[i] = start if is_shared else max(start, end), max(stop, end)
        end = int(offsets[i, 1])
        last = matched[-1] if matched else -1
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


def mark_line_breaks(
    text: str, ids: np.ndarray, offsets: np.ndarray, line_break_id: int
) -> Tuple[np.ndarray, np.ndarray]:
    """Put a subword between lines, before the "▁" that the line break and the blanks around it became.

    offsets: (n_subwords, 2), tidied.
    RETURNS: the ids and offsets with them.
    """
    breaks = np.array(find_line_ends(text), dtype="int64")
    places = np.searchsorted(offsets[:, 0], breaks, side="left")
    ends_before = np.append(0, offsets[:, 1])[places]  # past the break where a "▁" stands for blanks on both sides
    marks = np.stack([breaks, np.maximum(breaks, ends_before)], axis=1)
    return np.insert(ids, places, line_break_id), np.insert(offsets, places, marks, axis=0)


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
