"""A gold and a predicted Doc in, a text with both sides' entities out; and such texts to and from disk."""

import json
from pathlib import Path
from typing import Iterable, List, Mapping, Sequence, Tuple

from spacy.tokens import Doc
from spacy.training import Example

from ..annotated_labels import get_annotated_labels
from ..label_maps import rename_entities
from ..text.alignment import align_but_for_spaces
from ..text.decoding import CharSpan
from .measures import EvaluatedText


def evaluated_text(reference: Doc, doc: Doc, label_map: Mapping[str, str] = {}) -> EvaluatedText:
    """The entities of a gold Doc and of a pipeline's, on the characters of the latter where only white space differs.

    What was found over tokens of which the gold says nothing (spaCy's "missing") is left out, as spaCy's scorer does;
    so is what has a label that the text was not annotated for.

    label_map: of both sides' labels; those that it does not have stay.
    """
    annotated_labels = get_annotated_labels(reference)
    rename = lambda label: label_map.get(label, label)
    known = None if annotated_labels is None else set(map(rename, annotated_labels))
    gold = [CharSpan(ent.start_char, ent.end_char, rename(ent.label_)) for ent in reference.ents]
    missing = [(token.idx, token.idx + len(token)) for token in reference if token.ent_iob == 0]
    places = None if reference.text == doc.text else align_but_for_spaces(reference.text, doc.text)
    if places is not None:  # words without spaces, say
        gold = [CharSpan(*move(span[:2], places), span.label) for span in gold]
        missing = [move(chars, places) for chars in missing]
    ents = [ent for ent in doc.ents if not any(start < ent.end_char and ent.start_char < end for start, end in missing)]
    ents = [ent for ent in ents if known is None or rename(ent.label_) in known]
    scores = [ent._.luke_score if ent.has_extension("luke_score") else None for ent in ents]
    found = tuple(
        CharSpan(ent.start_char, ent.end_char, rename(ent.label_), 1.0 if score is None else score)
        for ent, score in zip(ents, scores)
    )
    text = reference.text if places is None else doc.text
    return EvaluatedText(text, tuple(gold), found, has_scores=bool(scores) and None not in scores)


def move(chars: Tuple[int, int], places: Sequence[int]) -> Tuple[int, int]:
    """Start and end of characters in the other text, which are not all white space."""
    moved = [places[char] for char in range(*chars) if places[char] >= 0]
    return (moved[0], moved[-1] + 1) if moved else (0, 0)


def annotated_part(example: Example, label_map: Mapping[str, str] = {}) -> Example:
    """For spaCy's scorer: without the entities found of labels that the text was not annotated for, labels renamed."""
    annotated_labels = get_annotated_labels(example.reference)
    if annotated_labels is None and not label_map:
        return example
    predicted, reference = (rename_entities(doc.copy(), label_map) for doc in (example.predicted, example.reference))
    if annotated_labels is not None:
        known = {label_map.get(label, label) for label in annotated_labels}
        predicted.set_ents([ent for ent in predicted.ents if ent.label_ in known])
    return Example(predicted, reference)


def write_texts(path: Path, texts: Iterable[EvaluatedText]) -> None:
    """A line of JSON per text: text, gold, found (char_start, char_end, label, score), has_scores."""
    with path.open("w", encoding="utf8") as file_:
        for text in texts:
            gold = [span[:3] for span in text.gold]
            line = {"text": text.text, "gold": gold, "found": text.found, "has_scores": text.has_scores}
            file_.write(json.dumps(line, ensure_ascii=False) + "\n")


def read_texts(path: Path) -> List[EvaluatedText]:
    texts = []
    for line in map(json.loads, path.read_bytes().splitlines()):  # of bytes: U+2028 in a text ends no line
        gold, found = (tuple(CharSpan(*span) for span in line[key]) for key in ("gold", "found"))
        texts.append(EvaluatedText(line["text"], gold, found, line["has_scores"]))
    return texts
