"""A pipeline and texts with gold entities in, what it finds in them out; the gold needs no tokens."""

from collections import Counter
from typing import Any, Collection, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from spacy.language import Language
from spacy.util import minibatch

from ..text.decoding import CharSpan
from ..text.ner import FoundEntity
from .measures import EvaluatedText


def run_pipeline(nlp: Language, annotated: Sequence[Tuple[str, Sequence[CharSpan]]]) -> List[EvaluatedText]:
    docs = list(nlp.pipe(text for text, _ in annotated))
    if len(docs) != len(annotated):
        raise ValueError(
            f"the pipeline gave {len(docs)} of {len(annotated)} Docs back; its error handler hides what failed"
        )
    found = (tuple(CharSpan(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents) for doc in docs)
    return [EvaluatedText(text, tuple(gold), own) for (text, gold), own in zip(annotated, found)]


def describe_unmarked(found: Iterable[str], gold: Collection[str]) -> str:
    """
    found, gold: labels of entities; gold may be none.
    RETURNS: a message for labels that are found, and that the gold never has; "" where there are none.
    """
    counts = Counter(label for label in found if label not in gold)
    if not gold or not counts:
        return ""
    labels = ", ".join(f"{label} ({n})" for label, n in counts.most_common())
    return (
        f"No text has an entity of these labels, so all that was found of them counts as wrong: {labels}. Where the "
        'texts were not annotated for them, name those that they were annotated for in each record: "annotated_labels"'
    )


def judge_entities(
    nlp: Language,
    name: str,
    annotated: Sequence[Tuple[str, Sequence[CharSpan]]],
    *,
    labels: Optional[Sequence[Optional[Collection[str]]]] = None,
    label_map: Mapping[str, str] = {},
) -> Tuple[List[FoundEntity], np.ndarray]:
    """Run a pipeline up to its luke_ner of this name, once.

    labels: per text, those that it was annotated for; what is found of others is left out. None: all.
    label_map: of the labels of what is found; those that it does not have stay. The gold has these already.
    RETURNS: the entities it finds, renamed, whatever its threshold; and (n_entities,) bool, whether characters and
        label are those of a gold entity.
    """
    luke_ner: Any = nlp.get_pipe(name)
    if not annotated:
        raise ValueError("there are no texts to judge entities on: the data is empty")
    later = nlp.pipe_names[nlp.pipe_names.index(name) :]
    docs = nlp.pipe([text for text, _ in annotated], disable=later)
    found = [entities for batch in minibatch(docs, size=128) for entities in luke_ner.find_entities(batch)]
    if len(found) != len(annotated):
        raise ValueError(
            f"the pipeline gave {len(found)} of {len(annotated)} Docs back; its error handler hides what failed"
        )
    if label_map:
        found = [[e._replace(label=label_map.get(e.label, e.label)) for e in own] for own in found]
    if labels is not None:
        found = [[e for e in own if known is None or e.label in known] for own, known in zip(found, labels)]
    entities = [entity for own in found for entity in own]
    gold = [{span[:3] for span in char_spans} for _, char_spans in annotated]
    correct = [entity[:3] in right for own, right in zip(found, gold) for entity in own]
    if not entities:
        raise ValueError(f"{name} found no entity in {len(annotated)} texts: there is no score to judge")
    if not any(correct):
        sides = [{label for own in gold for *_, label in own}, {entity.label for entity in entities}]
        in_data, in_found = (", ".join(sorted(side)) or "none" for side in sides)
        raise ValueError(
            f"none of the {len(entities)} entities found is right to the character, so no score can be; "
            f"labels in the data: {in_data}; found: {in_found}"
        )
    return entities, np.array(correct)
