"""A file of texts with their classes in, Examples out (spacy-luke-ja.TextcatCorpus.v1, for [corpora])."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Optional, Tuple, Union

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ..text.messages import show
from .docbin import open_docbin, text_of_doc
from .files import check_ending, read_bytes, read_text
from .json_values import read_json_values
from .parsed import check_on_bad_record, keep_good
from .records import BadRecord, attempt, check_characters, check_name

ENDINGS = (".jsonl", ".json", ".spacy")
KEYS = ("cats", "labels", "label")


@dataclass(frozen=True)
class ClassifiedText:
    """
    cats: label → 1.0 where the text has it, else 0.0.
    is_complete: whether it has no other label.
    """

    text: str
    cats: Dict[str, float]
    is_complete: bool


def create_textcat_corpus(
    path: Optional[Path], on_bad_record: str = "raise"
) -> Callable[[Language], Iterator[Example]]:
    """
    path: JSON lines or an array of objects, {"text": …, "label": "スポーツ"}, {"text": …, "labels": ["政治"]} or
        {"text": …, "cats": {"政治": 1.0, "経済": 0.0}}; or a .spacy whose Docs have doc.cats. Packed or not.
    on_bad_record: "raise", or "skip" with a warning, when a record cannot be read.

    A text with "label" or "labels" has none of the other labels in the file; of labels that "cats" and Docs lack,
    nothing is known.
    """
    if path is None:
        raise ValueError("path must name a file of texts with labels (say --paths.train train.jsonl), got null")
    check_on_bad_record(on_bad_record)

    def read(nlp: Language) -> Iterator[Example]:
        texts = list(read_classified(Path(path), on_bad_record=on_bad_record))
        absent = dict.fromkeys(sorted(set().union(*(own.cats for own in texts))), 0.0)
        for own in texts:
            reference = nlp.make_doc(own.text)
            reference.cats = {**(absent if own.is_complete else {}), **own.cats}
            yield Example(nlp.make_doc(own.text), reference)

    return read


def read_classified(path: Path, *, on_bad_record: str = "raise") -> Iterator[ClassifiedText]:
    return (record for _, record in keep_good(path, read_each(path), on_bad_record))


def read_each(path: Path) -> Iterator[Tuple[str, Union[ClassifiedText, BadRecord]]]:
    if check_ending(path, ENDINGS) == ".spacy":
        for n, doc in enumerate(open_docbin(read_bytes(path), path), start=1):
            yield f"Doc {n}", attempt(parse_doc, doc)
    else:
        for place, item in read_json_values(read_text(path)):
            yield place, attempt(parse_item, item)


def parse_doc(doc: Doc) -> ClassifiedText:
    if not doc.cats:
        raise BadRecord(f"the Doc has no doc.cats: {show(doc.text)}")
    return ClassifiedText(text_of_doc(doc), check_values(dict(doc.cats)), is_complete=False)


def parse_item(item: Any) -> ClassifiedText:
    """Check an object; raises BadRecord."""
    key = next((key for key in KEYS if isinstance(item, dict) and key in item), None)
    if key is None or not isinstance(item.get("text"), str):
        raise BadRecord(f'an object with "text" and one of {", ".join(KEYS)} is needed, got {show(item)}')
    check_characters("the text", item["text"])
    stated = item[key]
    if key == "cats":
        if not isinstance(stated, dict) or not stated:
            raise BadRecord(f'"cats" must be an object that gives labels 1.0 or 0.0, got {show(stated)}')
        return ClassifiedText(item["text"], check_values(stated), is_complete=False)
    labels = [check_name("a label", label) for label in (stated if isinstance(stated, list) else [stated])]
    return ClassifiedText(item["text"], dict.fromkeys(labels, 1.0), is_complete=True)


def check_values(cats: Dict[str, Any]) -> Dict[str, float]:
    for label, value in cats.items():
        check_name("a label", label)
        if isinstance(value, str) or value not in (0, 1):
            raise BadRecord(f"the value of the label {label} must be 1.0 or 0.0, got {show(value)}")
    return {label: float(value) for label, value in cats.items()}
