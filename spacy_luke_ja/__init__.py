"""Japanese named entities in spaCy by LUKE and other Hugging Face token classifiers.

What is in __all__ is for users and stays; all else may move.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, List, Optional

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.vocab import Vocab

    # Again with `as`, which is how type checkers see that they are public.
    from .annotated_labels import set_annotated_labels as set_annotated_labels
    from .annotation.records import RecordSettings as RecordSettings
    from .annotation.records import annotate_records as annotate_records
    from .corpora.examples import make_example as make_example
    from .corpora.examples import make_qa_example as make_qa_example
    from .corpora.linking import count_aliases as count_aliases
    from .corpora.linking import make_linking_example as make_linking_example
    from .corpora.relations import make_relations_example as make_relations_example
    from .corpora.typing import make_typing_example as make_typing_example
    from .dataframes import ENTITIES_TYPE as ENTITIES_TYPE
    from .dataframes import entities_udf as entities_udf
    from .dataframes import map_frames as map_frames
    from .dataframes import map_rows as map_rows
    from .label_maps import get_label_map as get_label_map
    from .label_maps import rename_entities as rename_entities
    from .pipeline.linking import LukeLinker as LukeLinker
    from .pipeline.ner import LukeNer as LukeNer
    from .pipeline.qa import LukeQa as LukeQa
    from .pipeline.qa_doc import Answer as Answer
    from .pipeline.relations import LukeRelations as LukeRelations
    from .pipeline.relations_doc import Relation as Relation
    from .pipeline.spans import LukeSpanNer as LukeSpanNer
    from .pipeline.textcat import LukeTextcat as LukeTextcat
    from .pipeline.typing import LukeEntityTyping as LukeEntityTyping
    from .qa_data import get_gold_answers as get_gold_answers
    from .qa_data import set_gold_answers as set_gold_answers
    from .relations_data import set_gold_relations as set_gold_relations
    from .text.decoding import CharSpan as CharSpan

__version__ = "0.1.0"
# The public names and where they are; spaCy is imported with them, and so when they are asked for.
_MODULES = {
    "Answer": "pipeline.qa_doc",
    "CharSpan": "text.decoding",
    "ENTITIES_TYPE": "dataframes",
    "LukeEntityTyping": "pipeline.typing",
    "LukeLinker": "pipeline.linking",
    "LukeNer": "pipeline.ner",
    "LukeQa": "pipeline.qa",
    "LukeRelations": "pipeline.relations",
    "LukeSpanNer": "pipeline.spans",
    "LukeTextcat": "pipeline.textcat",
    "RecordSettings": "annotation.records",
    "Relation": "pipeline.relations_doc",
    "annotate_records": "annotation.records",
    "count_aliases": "corpora.linking",
    "entities_udf": "dataframes",
    "get_gold_answers": "qa_data",
    "get_label_map": "label_maps",
    "make_example": "corpora.examples",
    "make_linking_example": "corpora.linking",
    "make_qa_example": "corpora.examples",
    "make_relations_example": "corpora.relations",
    "make_typing_example": "corpora.typing",
    "map_frames": "dataframes",
    "map_rows": "dataframes",
    "rename_entities": "label_maps",
    "set_annotated_labels": "annotated_labels",
    "set_gold_answers": "qa_data",
    "set_gold_relations": "relations_data",
}
__all__ = sorted(["blank", *_MODULES])


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> List[str]:
    return sorted([*globals(), *_MODULES])


def blank(*, split_mode: str = "A", vocab: "Optional[Vocab]" = None) -> "Language":
    """A blank Japanese pipeline whose tokenizer takes texts of any length; else as spacy.blank("ja").

    split_mode: Sudachi's A (short units), B, or C (long units).
    """
    import spacy

    tokenizer = {"@tokenizers": "spacy-luke-ja.JapaneseTokenizer.v1", "split_mode": split_mode}
    return spacy.blank("ja", vocab=vocab if vocab is not None else True, config={"nlp": {"tokenizer": tokenizer}})
