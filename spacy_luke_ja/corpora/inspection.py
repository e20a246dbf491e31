"""Records in; what a trainer should know of them out: labels, entities that tokens or subwords cut, repeated texts.

And Docs with the gold of a task in, its labels out.
"""

import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Callable, Dict, Iterable, List, Mapping, Sequence, Tuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc

from ..linking_data import get_gold_links
from ..qa_data import get_gold_answers
from ..relations_data import get_gold_pairs
from ..text.decoding import CharSpan
from ..text.linking import NIL
from ..text.subwords import SubwordEncoder
from ..token_splitting import token_offsets
from ..typing_data import get_gold_types
from .records import Record

# Factory → what a Doc teaches its component, where that is no entity.
TAUGHT: Dict[str, Callable[[Doc], List[str]]] = {
    "luke_qa": lambda doc: ["answered" if own.answers else "no answer" for own in get_gold_answers(doc)],
    "luke_entity_typing": lambda doc: [label for own in get_gold_types(doc) for label, _ in own.types],
    "luke_relations": lambda doc: [label for pair in get_gold_pairs(doc) for label in pair.labels or ()],
    "luke_linker": lambda doc: [own.title if own.title == NIL else "a title" for own in get_gold_links(doc)],
    "luke_textcat": lambda doc: [label for label, value in doc.cats.items() if value > 0.5],
}


@dataclass(frozen=True)
class CutEntity:
    """An entity that begins or ends inside a unit, a token or a subword.

    units: the units that it touches, as a reader sees them: 訪日｜し.
    """

    text: str
    char_span: CharSpan
    units: str

    def __str__(self) -> str:
        char_start, char_end, label, _ = self.char_span
        return f"{label} {self.text[char_start:char_end]} in {self.units}"


def count_labels(records: Iterable[Record]) -> Counter:
    return Counter(span.label for record in records for span in record.char_spans)


def find_cut_by_tokens(nlp: Language, records: Iterable[Record]) -> List[CutEntity]:
    """Entities that are not whole tokens of the pipeline's tokenizer: what alignment would move, split or drop."""
    return [cut for record in records for cut in find_cut(record, token_offsets(nlp.make_doc(record.text)))]


def find_cut(record: Record, offsets: np.ndarray) -> List[CutEntity]:
    """offsets: (n_units, 2) characters of the units, in order."""
    starts, ends = set(offsets[:, 0].tolist()), set(offsets[:, 1].tolist())
    cut = []
    for span in record.char_spans:
        if span.char_start not in starts or span.char_end not in ends:
            touched = offsets[(offsets[:, 1] > span.char_start) & (offsets[:, 0] < span.char_end)]
            units = "｜".join(record.text[start:end] for start, end in touched.tolist())
            cut.append(CutEntity(record.text, span, units))
    return cut


@dataclass(frozen=True)
class SubwordStatistics:
    """How texts look in the subwords of an encoder.

    lengths: (n_texts,) subwords per text, special ones not counted.
    unknown: the characters of subwords that the vocabulary lacks, with their counts.
    cut: entities that begin or end inside a subword, which no tag can say exactly.
    """

    lengths: np.ndarray
    unknown: Counter
    cut: List[CutEntity]


def inspect_subwords(encoder: SubwordEncoder, records: Iterable[Record]) -> SubwordStatistics:
    lengths: List[int] = []
    unknown: Counter = Counter()
    cut: List[CutEntity] = []
    for record in records:
        subwords = encoder.encode(record.text)
        lengths.append(len(subwords))
        for start, end in subwords.char_offsets[subwords.ids == encoder.unk_id].tolist():
            unknown[record.text[start:end]] += 1
        solid = subwords.char_offsets[subwords.char_offsets[:, 0] < subwords.char_offsets[:, 1]]
        cut += find_cut(record, solid)
    return SubwordStatistics(np.array(lengths, dtype="int64"), unknown, cut)


def find_repeated_texts(parts: Mapping[str, Sequence[Record]]) -> Dict[Tuple[str, ...], List[str]]:
    """Texts that stand in several parts, or more than once in one, width and spaces aside.

    RETURNS: the parts they stand in, in the order of `parts` → the texts.
    """
    places: Dict[str, List[str]] = defaultdict(list)
    first: Dict[str, str] = {}
    for part, records in parts.items():
        for record in records:
            key = "".join(unicodedata.normalize("NFKC", record.text).split())
            places[key].append(part)
            first.setdefault(key, record.text)
    repeated: Dict[Tuple[str, ...], List[str]] = defaultdict(list)
    for key, found in places.items():
        if len(found) > 1:
            repeated[tuple(dict.fromkeys(found))].append(first[key])
    return dict(repeated)


def find_contradictions(parts: Mapping[str, Sequence[Record]]) -> List[str]:
    """Texts that stand more than once, with different entities."""
    seen: Dict[str, Tuple[CharSpan, ...]] = {}
    contradictions: Dict[str, None] = {}
    for records in parts.values():
        for record in records:
            if seen.setdefault(record.text, record.char_spans) != record.char_spans:
                contradictions[record.text] = None
    return list(contradictions)


def find_shared_pages(parts: Mapping[str, Sequence[Record]]) -> Dict[Tuple[str, str], List[str]]:
    """Pages of which texts stand in two parts."""
    pages = {part: {record.page for record in records if record.page} for part, records in parts.items()}
    names = list(parts)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    return {(a, b): sorted(pages[a] & pages[b]) for a, b in pairs if pages[a] & pages[b]}
