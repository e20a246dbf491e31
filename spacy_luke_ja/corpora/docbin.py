""".spacy files in, their records out, and the other way round."""

from pathlib import Path
from typing import Any, Iterator, List, Sequence

from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from ..annotated_labels import ANNOTATED_LABELS
from ..text.messages import show
from .files import read_bytes
from .records import BadRecord, Read, Record, attempt, make_record, with_annotated_labels
from .tagged_tokens import join_tokens


def open_docbin(content: bytes, name: Any) -> List[Doc]:
    """content: unpacked. name: of the file, for messages."""
    try:
        return list(DocBin().from_bytes(content).get_docs(Vocab()))
    except Exception as error:  # zlib, msgpack or a KeyError, according to where it is damaged
        raise ValueError(f"{name} is damaged, or no DocBin: {error}") from error


def read_docbin(path: Path) -> Read:
    """doc.ents of each Doc, whatever tokenizer made it."""
    for n, doc in enumerate(open_docbin(read_bytes(path), path), start=1):
        yield f"Doc {n}", attempt(record_of_annotated, doc)


def read_docbin_texts(path: Path) -> Iterator[str]:
    return (text_of_doc(doc) for doc in open_docbin(read_bytes(path), path))


def write_docbin(records: Sequence[Record], docs: Sequence[Doc]) -> bytes:
    has_annotated_labels = any(record.annotated_labels is not None for record in records)
    doc_bin = DocBin(store_user_data=has_annotated_labels)
    for doc in docs:
        doc.user_data = {key: value for key, value in doc.user_data.items() if key == ANNOTATED_LABELS}
        doc_bin.add(doc)
    return doc_bin.to_bytes()


def record_of_annotated(doc: Doc) -> Record:
    if not doc.has_annotation("ENT_IOB") and len(doc):
        raise BadRecord(f"the Doc has no entity annotation: {show(doc.text)}")
    if any(token.ent_iob == 0 for token in doc):
        raise BadRecord(
            f"the Doc is annotated in part, which spacy.Corpus.v1 can read and this cannot hold: {show(doc.text)}"
        )
    return with_annotated_labels(record_of_doc(doc), doc.user_data.get(ANNOTATED_LABELS))


def record_of_doc(doc: Doc) -> Record:
    if not doc.has_unknown_spaces:
        return make_record(doc.text, ((ent.start_char, ent.end_char, ent.label_) for ent in doc.ents))
    text, offsets = join_tokens([token.text for token in doc])
    return make_record(text, ((offsets[ent.start][0], offsets[ent.end - 1][1], ent.label_) for ent in doc.ents))


def text_of_doc(doc: Doc) -> str:
    """Its text; of tokens whose spaces nobody knows, as `spacy convert` leaves them, the text as of CoNLL style."""
    return join_tokens([token.text for token in doc])[0] if doc.has_unknown_spaces else doc.text
