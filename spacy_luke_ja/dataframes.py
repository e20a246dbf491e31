"""The name of a pipeline and of a column in; functions that Spark, pandas and datasets map over tables out.

The functions hold settings alone. They are pickled in some hundred bytes, and each process loads the pipeline once.
"""

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import spacy_luke_ja

if TYPE_CHECKING:
    from pandas import DataFrame, Series
    from spacy.language import Language

# What a text's entities are in Spark. start and end count characters, end is exclusive.
ENTITIES_TYPE = "array<struct<start: int, end: int, label: string, text: string, score: double>>"

Entity = Dict[str, Any]
LabelMap = Union[str, Mapping[str, str], None]

_loading = threading.Lock()
_loaded: Dict[Tuple[str, str], "Language"] = {}


def map_frames(
    pipeline: Union[str, Path],
    *,
    text_column: str = "text",
    entities_column: str = "entities",
    label_map: LabelMap = None,
    batch_size: int = 256,
) -> Callable[[Iterable["DataFrame"]], Iterator["DataFrame"]]:
    """A function for Spark's DataFrame.mapInPandas: pandas frames in, the same frames with a column of entities out.

    pipeline: a pipeline (directory or installed package) or a checkpoint, which every machine has.
    text_column: of strings; a null gives null.
    entities_column: a new one: a list per text of dicts with start, end, label, text and score (None where nothing
        scores), see ENTITIES_TYPE.
    label_map: "ontonotes", "ene", "irex", "conll", "presidio", or label → label; "" leaves a label out.
    batch_size: texts to look at together.
    """
    return make_finder(pipeline, text_column, entities_column, label_map, batch_size).map_frames


def map_rows(
    pipeline: Union[str, Path],
    *,
    text_column: str = "text",
    entities_column: str = "entities",
    label_map: LabelMap = None,
    batch_size: int = 256,
) -> Callable[[Mapping[str, Sequence[Any]]], Dict[str, List[Any]]]:
    """A function for datasets.Dataset.map(…, batched=True); settings as in map_frames.

    Its hash depends on its settings and the pipeline's files: what was computed is found in the cache of datasets
    again, and no longer when the pipeline is trained anew.
    """
    return make_finder(pipeline, text_column, entities_column, label_map, batch_size)


def entities_udf(pipeline: Union[str, Path], *, label_map: LabelMap = None, batch_size: int = 256) -> Any:
    """A Spark pandas UDF: a column of strings in, a column of ENTITIES_TYPE out; settings as in map_frames."""
    import pandas as pd
    from pyspark.sql.functions import pandas_udf

    finder = make_finder(pipeline, "text", "entities", label_map, batch_size)

    def find_entities(columns: Iterator[pd.Series]) -> Iterator[pd.Series]:
        for texts in columns:
            yield finder.in_series(texts)

    make_udf: Any = pandas_udf  # whose annotations, where PySpark is installed, know no iterators
    return make_udf(find_entities, ENTITIES_TYPE)


@dataclass(frozen=True)
class EntityFinder:
    """What map_frames and map_rows make.

    content: stands for what the pipeline is, not only where.
    label_map: its pairs.
    """

    pipeline: str
    content: str
    text_column: str
    entities_column: str
    label_map: Tuple[Tuple[str, str], ...]
    batch_size: int

    def __call__(self, rows: Mapping[str, Sequence[Any]]) -> Dict[str, List[Any]]:
        """rows: column → values. RETURNS: the new column alone, which datasets adds."""
        self._check_columns(list(rows))
        return {self.entities_column: self.find(rows[self.text_column])}

    def map_frames(self, frames: Iterable["DataFrame"]) -> Iterator["DataFrame"]:
        for frame in frames:
            self._check_columns(list(frame.columns))
            yield frame.assign(**{self.entities_column: self.in_series(frame[self.text_column])})

    def in_series(self, texts: "Series") -> "Series":
        import pandas as pd

        return pd.Series(self.find(list(texts)), index=texts.index, dtype="object")

    def find(self, texts: Sequence[Any]) -> List[Optional[List[Entity]]]:
        """RETURNS: the entities of each text, None where there is none."""
        given = [(text, i) for i, text in enumerate(texts) if not is_null(text)]
        for text, i in given:
            if not isinstance(text, str):
                raise ValueError(f"the column {self.text_column} must hold strings, got {text!r:.60} in its row {i}")
        found: List[Optional[List[Entity]]] = [None] * len(texts)
        label_map = dict(self.label_map)
        for doc, i in load_once(self.pipeline, self.content).pipe(given, as_tuples=True, batch_size=self.batch_size):
            found[i] = entities_of(doc, label_map)
        lost = [i for _, i in given if found[i] is None]
        if lost:
            raise ValueError(f"the pipeline gave no Doc back for row {lost[0]}: its error handler hides what failed")
        return found

    def _check_columns(self, columns: Sequence[Any]) -> None:
        names = ", ".join(map(str, columns))
        if self.text_column not in columns:
            raise ValueError(f"text_column must be one of the table's columns ({names}), got {self.text_column}")
        if self.entities_column in columns:
            raise ValueError(f"entities_column must be a new column beside {names}, got {self.entities_column}")


def make_finder(
    pipeline: Union[str, Path], text_column: str, entities_column: str, label_map: LabelMap, batch_size: int
) -> EntityFinder:
    """Check the settings, and look at the pipeline's files without loading it."""
    from .label_maps import get_label_map

    if not isinstance(pipeline, (str, Path)):
        raise ValueError(
            f"pipeline must be a name or a directory, which each process loads for itself, got a "
            f"{type(pipeline).__name__}; save it with nlp.to_disk and give the directory"
        )
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    pairs = get_label_map(label_map, setting="label_map") if isinstance(label_map, str) else dict(label_map or {})
    # Workers may run in another directory.
    name = str(Path(pipeline).resolve()) if is_directory(str(pipeline)) else str(pipeline)
    return EntityFinder(name, identify(name), text_column, entities_column, tuple(sorted(pairs.items())), batch_size)


def is_directory(name: str) -> bool:
    from .models.hf_checkpoint import is_embedded

    return not is_embedded(name) and Path(name).is_dir()


def identify(name: str) -> str:
    """A hash of a pipeline's files, or of an installed one's version; the name alone for one on a hub."""
    from spacy.util import get_package_version

    from .models.hf_checkpoint import EMBEDDED, is_embedded

    directory = EMBEDDED / name if is_embedded(name) else Path(name)
    if not directory.is_dir():
        return f"{name} {get_package_version(name)}"
    digest = hashlib.sha256(spacy_luke_ja.__version__.encode())
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        with path.open("rb") as file_:
            content = hashlib.sha256()
            for part in iter(lambda: file_.read(1 << 20), b""):
                content.update(part)
        digest.update(f"{path.relative_to(directory).as_posix()} {content.hexdigest()}\n".encode())
    return digest.hexdigest()


def load_once(name: str, content: str) -> "Language":
    """The pipeline, loaded when this process first asks for it."""
    from .evaluation.pipelines import load_pipeline

    with _loading:
        if (name, content) not in _loaded:
            _loaded[name, content] = load_pipeline(name)
        return _loaded[name, content]


def entities_of(doc: Any, label_map: Mapping[str, str]) -> List[Entity]:
    has_scores = doc.ents and doc.ents[0].has_extension("luke_score")
    named = [(ent, label_map.get(ent.label_, ent.label_)) for ent in doc.ents]
    return [
        {
            "start": ent.start_char,
            "end": ent.end_char,
            "label": label,
            "text": ent.text,
            "score": ent._.luke_score if has_scores else None,
        }
        for ent, label in named
        if label
    ]


def is_null(value: Any) -> bool:
    """None, and what pandas has for it: NaN, NaT and pandas.NA are not equal to themselves."""
    if value is None or isinstance(value, str):
        return value is None
    try:
        return bool(value != value)
    except TypeError:  # pandas.NA, of which nothing is true or false
        return True
    except ValueError:  # an array
        return False
