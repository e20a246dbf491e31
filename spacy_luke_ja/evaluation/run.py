"""A pipeline and texts with gold entities in, the same texts with what it found out; the gold needs no tokens."""

from typing import List, Sequence, Tuple

from spacy.language import Language

from ..text.decoding import CharSpan
from .measures import EvaluatedText


def run_pipeline(nlp: Language, annotated: Sequence[Tuple[str, Sequence[CharSpan]]]) -> List[EvaluatedText]:
    docs = list(nlp.pipe(text for text, _ in annotated))
    if len(docs) != len(annotated):
        raise ValueError(
            f"the pipeline gave {len(docs)} of {len(annotated)} Docs back; its error handler hides what failed"
        )
    found = (tuple(CharSpan(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents) for doc in docs)
    return [EvaluatedText(text, tuple(gold), own) for (text, gold), own in zip(annotated, found)]
