"""Documents in, subword ids and what is to be predicted for each out, as arrays (stage 3).

    python -m scripts.pretraining.targets ../shared/data assets/ner.json build/pretraining/documents.jsonl \
        build/pretraining

Besides the masked words, three things are predicted for each subword: the part of speech of its morpheme in
Sudachi's shortest units (A) and in its longest (C, where 東京国際空港 is one), and the class of the name it belongs
to, by lists of names and by hyperlinks; of a proper noun that neither has, no class is to be predicted. The
other NER sets (WAC, GSD) become ids with the tags of their own labels.

Output: corpus.npz (ids, pos_a, pos_c, names, starts) and wac.npz, gsd.npz (ids, tags, starts), labels.json.
"""

import argparse
import json
import lzma
import multiprocessing
import re
import time
from pathlib import Path
from typing import Any, Collection, Dict, List, Optional, Sequence, Tuple

import numpy as np
import sentencepiece
from sudachipy import Dictionary, SplitMode

from spacy_luke_ja import CharSpan
from spacy_luke_ja.corpora.stockmark import MD5
from spacy_luke_ja.text.cutting import cut_text
from spacy_luke_ja.text.label_schemes import make_scheme, make_tags
from spacy_luke_ja.text.ner import encode_tags
from spacy_luke_ja.text.subwords import SentencePieceEncoder, Subwords

from .blocks import NONE
from .gazetteer import CLASSES, Gazetteer
from .texts import HeldOut, wac_page

MAX_SUDACHI_BYTES = 40_000
NER_SETS = ("wac", "gsd")


class Annotator:
    """A text's subwords with their targets."""

    def __init__(self, sp_path: Path, linked: Path, left_out: Collection[str] = ()):
        """linked, left_out: of the Gazetteer."""
        self.subwords = SentencePieceEncoder(sentencepiece.SentencePieceProcessor(model_file=str(sp_path)))
        self.gazetteer = Gazetteer(linked, left_out)
        dictionary = Dictionary()
        self.short_units = dictionary.tokenizer(mode=SplitMode.A)
        self.long_units = dictionary.tokenizer(mode=SplitMode.C)
        pos = parts_of_speech(dictionary)
        classes = sorted(set(pos))
        self.pos_classes = ["-".join(field for field in fields if field != "*") for fields in classes]
        self.pos_class_of_id = [classes.index(fields) for fields in pos]
        self.is_proper_pos = [fields[1] == "固有名詞" for fields in pos]
        self.name_tags = make_scheme(make_tags(CLASSES))

    def annotate(self, text: str, link_texts: Collection[str]) -> Tuple[np.ndarray, ...]:
        """link_texts: of the hyperlinks of the document; wherever they stand, they are names.

        RETURNS: ids (uint16), pos_a, pos_c and names (uint8), a row for each subword.
        """
        subwords = self.subwords.encode(text)
        starts_a, pos_ids = self._units(text, self.short_units)
        starts_c, pos_ids_c = self._units(text, self.long_units)
        is_proper = [self.is_proper_pos[id_] for id_ in pos_ids]
        spans = self._names(text, [*starts_a, len(text)], is_proper, link_texts)
        names = encode_tags(subwords, spans, self.name_tags)
        if len(subwords):
            units = np.maximum(np.searchsorted(starts_a, subwords.char_offsets[:, 0], side="right") - 1, 0)
            names[np.asarray(is_proper)[units] & (names == self.name_tags.tags.index("O"))] = NONE
        return (
            subwords.ids.astype("uint16"),
            self._pos_targets(subwords, starts_a, pos_ids),
            self._pos_targets(subwords, starts_c, pos_ids_c),
            names.astype("uint8"),
        )

    def _names(self, text: str, edges: List[int], is_proper: List[bool], link_texts: Collection[str]) -> List[CharSpan]:
        """The names of the lists, and the hyperlinks' texts where the lists have none; on edges of morphemes."""
        names = self.gazetteer.find(text, edges, is_proper)
        taken = np.zeros(len(text), dtype=bool)
        for start, end, _ in names:
            taken[start:end] = True
        known_edges = set(edges)
        for link_text in sorted(link_texts, key=lambda own: (-len(own), own)):
            for match in re.finditer(re.escape(link_text), text):
                start, end = match.span()
                if {start, end} <= known_edges and not taken[start:end].any():
                    taken[start:end] = True
                    names.append((start, end, "link"))
        return [CharSpan(start, end, class_, 1.0) for start, end, class_ in sorted(names)]

    def _units(self, text: str, tokenizer: Any) -> Tuple[List[int], List[int]]:
        """Where the units start, and their part-of-speech ids."""
        starts, pos_ids, offset = [], [], 0
        is_long = len(text.encode("utf8")) > MAX_SUDACHI_BYTES
        for part in cut_text(text, max_bytes=MAX_SUDACHI_BYTES) if is_long else [text]:
            for morpheme in tokenizer.tokenize(part):
                if morpheme.begin() < morpheme.end():
                    starts.append(offset + morpheme.begin())
                    pos_ids.append(morpheme.part_of_speech_id())
            offset += len(part)
        return starts, pos_ids

    def _pos_targets(self, subwords: Subwords, starts: List[int], pos_ids: List[int]) -> np.ndarray:
        """2 × class for the first subword of a unit, 2 × class + 1 inside it; NONE for a subword of no characters."""
        if not len(subwords):
            return np.zeros(0, dtype="uint8")
        first_chars = subwords.char_offsets[:, 0]
        units = np.maximum(np.searchsorted(starts, first_chars, side="right") - 1, 0)
        classes = np.asarray(self.pos_class_of_id)[np.asarray(pos_ids)[units]]
        is_inside = np.concatenate([[False], units[1:] == units[:-1]])
        is_empty = subwords.char_offsets[:, 0] == subwords.char_offsets[:, 1]
        # After an empty subword ("▁" before a text) the first one with characters begins its unit.
        is_inside[1:] &= ~is_empty[:-1]
        return np.where(is_empty, NONE, 2 * classes + is_inside).astype("uint8")


def parts_of_speech(dictionary: Any) -> List[Tuple[str, ...]]:
    """The first four fields of every part-of-speech id of the dictionary: the rest is conjugation."""
    fields: List[Tuple[str, ...]] = []
    while True:
        pos = dictionary.pos_of(len(fields))
        if pos is None:
            return fields
        fields.append(tuple(pos[:4]))


_annotator: Optional[Annotator] = None


def start_worker(sp_path: Path, linked: Path, left_out: Collection[str]) -> None:
    global _annotator
    _annotator = Annotator(sp_path, linked, left_out)


def annotate_document(line: str) -> Tuple[np.ndarray, ...]:
    """The paragraphs of a document, joined."""
    assert _annotator is not None
    paragraphs = json.loads(line)["paragraphs"]
    link_texts = {p["text"][start:end] for p in paragraphs for start, end in p["links"] if end - start > 1}
    parts = [_annotator.annotate(p["text"], link_texts) for p in paragraphs]
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def join(documents: Sequence[Tuple[np.ndarray, ...]], names: Sequence[str]) -> Dict[str, np.ndarray]:
    """One long array for each name; document i is the rows starts[i] to starts[i + 1]."""
    arrays = {name: np.concatenate([document[k] for document in documents]) for k, name in enumerate(names)}
    starts = np.cumsum([0] + [len(document[0]) for document in documents])
    return {**arrays, "starts": starts}


def save_arrays(path: Path, arrays: Dict[str, Any]) -> None:
    np.savez_compressed(path, **arrays)


def read_ner_set(data: Path, name: str, held_out: HeldOut, encoder: SentencePieceEncoder) -> Tuple[Any, List[str]]:
    """A set with its own labels, and the tags; sentences of the held-out pages are left out."""
    items = []
    with lzma.open(data / "ner" / f"{name}_train.jsonl.xz", "rt", encoding="utf8") as file_:
        for line in file_:
            item = json.loads(line)
            if name != "wac" or wac_page(item["id"]) not in held_out.pages:
                items.append(item)
    tags = make_tags(sorted({entity["type"] for item in items for entity in item["entities"]}))
    scheme = make_scheme(tags)
    rows = []
    for item in items:
        subwords = encoder.encode(item["text"])
        spans = [CharSpan(e["span"][0], e["span"][1], e["type"]) for e in item["entities"]]
        targets = encode_tags(subwords, spans, scheme).astype("uint8")
        rows.append((subwords.ids.astype("uint16"), targets))
    return join(rows, ("ids", "tags")), list(tags)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="the directory that holds linked/, ner/ and qa/")
    parser.add_argument("stockmark", type=Path, help="Stockmark's ner.json")
    parser.add_argument("documents", type=Path, help="as texts.py writes them")
    parser.add_argument("output", type=Path, help="where sentencepiece.bpe.model lies")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--md5", default=MD5, help='of ner.json; "" takes any file')
    args = parser.parse_args()
    started = time.time()
    sp_path = args.output / "sentencepiece.bpe.model"
    held_out = HeldOut(args.stockmark, args.data, md5=args.md5)
    annotator = Annotator(sp_path, args.data / "linked")
    labels = {"pos": annotator.pos_classes, "names": list(annotator.name_tags.tags)}
    for name in NER_SETS:
        arrays, labels[name] = read_ner_set(args.data, name, held_out, annotator.subwords)
        save_arrays(args.output / f"{name}.npz", arrays)
        print(f"{name}: {len(arrays['starts']) - 1:,} sentences, {len(arrays['ids']):,} subwords")
    (args.output / "labels.json").write_text(json.dumps(labels, ensure_ascii=False, indent=1), encoding="utf8")
    with args.documents.open(encoding="utf8") as file_:
        lines = file_.readlines()
    with multiprocessing.Pool(args.workers, start_worker, (sp_path, args.data / "linked", held_out.titles)) as pool:
        documents = pool.map(annotate_document, lines, chunksize=50)
    arrays = join([document for document in documents if len(document[0])], ("ids", "pos_a", "pos_c", "names"))
    save_arrays(args.output / "corpus.npz", arrays)
    n_named = int(((arrays["names"] != 0) & (arrays["names"] != NONE)).sum())
    print(f"{len(arrays['ids']):,} subwords, {n_named:,} of them in names ({time.time() - started:.0f} s)")


if __name__ == "__main__":
    main()
