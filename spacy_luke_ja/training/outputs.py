"""An output path and the inputs in; where to write out, or a refusal that says what is there and what to do.

What is there already may be replaced when this program wrote it, or when it is a spaCy pipeline and nothing else.
"""

import json
import os
import zlib
from pathlib import Path
from typing import Any, Callable, Collection, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

from spacy.util import get_package_path, is_package
from thinc.api import Config

from ..models.hf_checkpoint import ALIASES, CONFIG, ENTITY_VOCAB, TOKENIZER_FILES, WEIGHT_FILES

CHARSET = '<meta charset="utf-8">'
GENERATOR = '<meta name="generator" content="spacy_luke_ja">'  # in every page
EXPORT_MARK = "<!-- made by spacy luke export-hf -->"  # in the model card of every exported directory
MADE_BY = {"made_by": "spacy_luke_ja"}
# What systems put into directories by themselves.
SYSTEM_FILES = {".DS_Store", "Thumbs.db", "desktop.ini"}
PIPELINE_FILES = {"config.cfg", "meta.json"}
SPACY_TOKENIZER_FILES = {
    "cfg",
    "pkuseg_model",
    "pkuseg_processors",
}  # of Japanese, Korean, Chinese
VOCAB_FILES = {"strings.json", "vectors", "vectors.cfg", "key2row", "lookups.bin", "lexemes.bin"}
EXPORT_FILES = {CONFIG, "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md"}
CHECKPOINT_FILES = {CONFIG, ENTITY_VOCAB, ALIASES, *TOKENIZER_FILES, *WEIGHT_FILES}
N_NAMED = 3  # entries of a directory in a message


class OutputRefused(ValueError):
    """Writing would overwrite what this program did not write, or what it reads."""


# Where to write


def directory_for_pipeline(path: Path, *, inputs: Iterable[Union[str, Path, None]] = ()) -> Path:
    """
    path: a directory that a pipeline is to replace.
    inputs: what the command reads: files, directories, names of packages; names of other things are passed over.
    RETURNS: the same with its links resolved; raises OutputRefused.
    """
    place = follow_links(path)
    refuse_inputs(path, place, inputs)
    found = find_foreign_in_pipeline(place)
    if found:
        raise OutputRefused(
            f"{path} cannot be replaced by a pipeline: {found}. Name another directory, or move it away"
        )
    return place


def directory_for_export(path: Path, *, inputs: Iterable[Union[str, Path, None]] = ()) -> Path:
    """
    path: a directory that a model for transformers is to replace.
    RETURNS: the same with its links resolved; raises OutputRefused.
    """
    place = follow_links(path)
    refuse_inputs(path, place, inputs)
    found = find_foreign_in_export(place)
    if found:
        raise OutputRefused(f"{path} cannot be replaced by a model: {found}. Name another directory, or move it away")
    return place


def directory_for_files(path: Path, kinds: Sequence[str], *, inputs: Iterable[Union[str, Path, None]] = ()) -> None:
    """Check a directory, and the files with the names of their kinds in it; what else it holds stays."""
    inputs = list(inputs)
    if follow_links(path).exists() and not path.is_dir():
        raise OutputRefused(f"{path} must be a directory to write {' and '.join(kinds)} to; there is a file")
    for kind in kinds:
        file_for(path / kind, kind, inputs=inputs)


def file_for(
    path: Path, kind: str, *, inputs: Iterable[Union[str, Path, None]] = (), needs_parent: bool = False
) -> Path:
    """
    path: a file to write, or to replace by another of its kind.
    kind: a key of KINDS.
    needs_parent: whether its directory must be there, and is not made.
    RETURNS: the same with its links resolved; raises OutputRefused.
    """
    place = follow_links(path)
    refuse_inputs(path, place, inputs)
    if place.is_dir():
        raise OutputRefused(f"{path} must be a file to write, and there is a directory ({list_names(place)})")
    if needs_parent and not place.parent.is_dir():
        raise OutputRefused(f"{path} cannot be written: there is no directory {path.parent}")
    if place.is_file() and place.stat().st_size and not is_of_kind(place, kind):
        raise OutputRefused(
            f"{path} is there already, and is not {KINDS[kind][0]} that this program wrote ({describe(place)}). "
            "Give the output another name, or move that file away"
        )
    return place


def follow_links(path: Path) -> Path:
    """The place that a path and its links lead to, whether there is something or not."""
    try:
        place = path.resolve()
    except (OSError, RuntimeError):  # a circle, in Python before 3.13
        place = path
    if place.is_symlink():
        raise OutputRefused(f"{path} is a link that leads back to itself; remove the link, or name another path")
    if path.is_symlink() and not place.parent.is_dir():
        raise OutputRefused(
            f"{path} is a link to {place}, and there is no directory {place.parent}; make it, or remove the link"
        )
    return place


def refuse_inputs(path: Path, place: Path, inputs: Iterable[Union[str, Path, None]]) -> None:
    for name in inputs:
        source = find_input(name)
        if source is None:
            continue
        if place == source or (place.exists() and place.samefile(source)):
            raise OutputRefused(
                f"{path} would be overwritten, and is what the command reads ({name}); name another output"
            )
        if place in source.parents:
            raise OutputRefused(
                f"{path} would be replaced, and holds what the command reads ({name}); name another output"
            )
        if source in place.parents and any((source / file_).is_file() for file_ in ("config.cfg", CONFIG)):
            raise OutputRefused(f"{path} lies in what the command reads ({name}); name a place outside of it")


def find_input(name: Union[str, Path, None]) -> Optional[Path]:
    if name is None or not str(name):
        return None
    if os.path.exists(name):
        return Path(name).resolve()
    if isinstance(name, str) and is_package(name):
        return get_package_path(name).resolve()
    return None


def paths_in(config: Any) -> Iterator[str]:
    """Every setting of a config that is the path of something that is there."""
    if isinstance(config, dict):
        config = list(config.values())
    if isinstance(config, (list, tuple)):
        for value in config:
            yield from paths_in(value)
    elif isinstance(config, (str, Path)) and str(config) and os.path.exists(config):
        yield str(config)


# What is there


def find_foreign_in_pipeline(place: Path) -> Optional[str]:
    """What there is at a path that does not belong to a spaCy pipeline, in words; None when nothing would be lost."""
    if not place.exists():
        return None
    if not place.is_dir():
        return f"it is a file ({describe(place)})"
    if not entries_of(place):
        return None
    factories = read_factories(place)
    if factories is None:
        return f"it is a directory with {list_names(place)}, and no spaCy pipeline"
    foreign = sorted(find_foreign_files(place, factories))
    return f"beside a pipeline it holds {join_names(foreign)}" if foreign else None


def find_foreign_in_export(place: Path) -> Optional[str]:
    """What there is at a path that `spacy luke export-hf` did not write, in words; None when nothing would be lost."""
    if not place.exists():
        return None
    if not place.is_dir():
        return f"it is a file ({describe(place)})"
    entries = entries_of(place)
    if not entries:
        return None
    card = place / "README.md"
    if not card.is_file() or not is_of_kind(card, "export"):
        return f"it is a directory with {list_names(place)}, which spacy luke export-hf did not write"
    foreign = other_entries(place, EXPORT_FILES)
    return f"beside an exported model it holds {join_names(foreign)}" if foreign else None


def read_factories(place: Path) -> Optional[Dict[str, str]]:
    """RETURNS: component → factory ("" where it is not known) of a pipeline on disk; None when it is none."""
    try:
        meta = json.loads((place / "meta.json").read_text(encoding="utf8"))
        config = Config().from_disk(place / "config.cfg", interpolate=False)
        names = [*meta["pipeline"], *meta.get("components", []), *meta.get("disabled", [])]
        is_pipeline = isinstance(meta["lang"], str) and isinstance(meta["pipeline"], list) and "nlp" in config
    except (OSError, ValueError, KeyError, TypeError):
        return None
    components = config.get("components", {})
    factories = {name: components[name] for name in map(str, names) if isinstance(components.get(name), dict)}
    return {name: str(own.get("factory", "")) for name, own in factories.items()} if is_pipeline else None


def find_foreign_files(place: Path, factories: Dict[str, str]) -> Iterator[str]:
    """Entries that spaCy and our components do not write; the directories of other components are taken as they are."""
    for name in entries_of(place):
        path = place / name
        if path.is_symlink() or name not in {*PIPELINE_FILES, "tokenizer", "vocab", *factories}:
            yield name
        elif name in PIPELINE_FILES and not path.is_file():
            yield name
        elif name == "tokenizer":
            yield from (f"{name}/{entry}" for entry in other_entries(path, SPACY_TOKENIZER_FILES))
        elif name == "vocab":
            yield from (f"{name}/{entry}" for entry in other_entries(path, VOCAB_FILES))
        elif factories.get(name, "").startswith("luke_"):
            yield from (f"{name}/{entry}" for entry in other_entries(path, {"cfg"}) if entry not in ("vocab", "model"))
            yield from (f"{name}/vocab/{entry}" for entry in other_entries(path / "vocab", VOCAB_FILES))
            for entry in entries_of(path / "model"):
                if entry.removesuffix(".part") not in CHECKPOINT_FILES or not (path / "model" / entry).is_file():
                    yield f"{name}/model/{entry}"


def other_entries(place: Path, files: Collection[str]) -> List[str]:
    """Entries of a directory that are not these files."""
    return [entry for entry in entries_of(place) if entry not in files or not (place / entry).is_file()]


def entries_of(place: Path) -> List[str]:
    if not place.is_dir():
        return []
    return sorted(entry.name for entry in place.iterdir() if entry.name not in SYSTEM_FILES or not entry.is_file())


def list_names(place: Path) -> str:
    return join_names(entries_of(place)) or "nothing in it"


def join_names(names: Sequence[str]) -> str:
    more = len(names) - N_NAMED
    return ", ".join(names[:N_NAMED]) + (f" and {more} more" if more > 0 else "")


def describe(place: Path) -> str:
    """A file in some words."""
    if not place.is_file():
        return "no plain file"
    with place.open("rb") as file_:
        start = file_.read(60).decode("utf8", errors="replace")
    return f"{place.stat().st_size:,} bytes that begin with {start[:24]!r}"


# The kinds of files that this program writes


def is_of_kind(place: Path, kind: str) -> bool:
    try:
        return KINDS[kind][1](place)
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError, zlib.error):
        return False


def has_keys(*keys: str) -> Callable[[Path], bool]:
    """Of a JSON object."""
    return lambda place: set(keys) <= set(json.loads(place.read_text(encoding="utf8")))


def first_has_keys(*keys: str) -> Callable[[Path], bool]:
    """Of the object in the first line."""

    def check(place: Path) -> bool:
        with place.open("rb") as file_:
            return set(keys) <= set(json.loads(file_.readline()))

    return check


def begins_with(mark: str, *, within: int = 0) -> Callable[[Path], bool]:
    """within: so many bytes from the beginning; 0 for just there."""

    def check(place: Path) -> bool:
        with place.open("rb") as file_:
            start = file_.read(within or len(mark.encode("utf8")))
        return mark.encode("utf8") in start

    return check


def is_card(place: Path) -> bool:
    card = json.loads(place.read_text(encoding="utf8"))
    return {"performance", "sources"} <= set(card) and "### Entities on exact characters" in card["notes"]


def is_comparison(place: Path) -> bool:
    rows = json.loads(place.read_text(encoding="utf8"))
    return {"name", "against_first", "texts_per_second"} <= set(rows[0])


def is_our_docbin(place: Path) -> bool:
    with place.open("rb") as file_:
        start = zlib.decompressobj().decompress(file_.read(1024), 64)
    return all(text.encode("ascii") in start for pair in MADE_BY.items() for text in pair)


# kind, or the name of a file → what it is, and whether a file is one
KINDS: Dict[str, Tuple[str, Callable[[Path], bool]]] = {
    "metrics.json": ("the metrics", has_keys("counted", "data", "load_seconds", "size")),
    "texts.jsonl": ("the texts of an evaluation", first_has_keys("text", "gold", "found", "has_scores")),
    "answers.jsonl": ("the answers of an evaluation", first_has_keys("id", "question", "gold", "exact_match")),
    "compare.json": ("a comparison", is_comparison),
    "compare.md": ("a comparison", begins_with("Entities on exact characters, ")),
    "report.json": ("a report on data", has_keys("sentences", "entities", "cut_by_tokens", "left_out")),
    "training-log.jsonl": ("a training log", first_has_keys("epoch", "step", "score", "losses", "scores")),
    "card": ("a model card", is_card),
    "page": ("a page", begins_with(GENERATOR, within=4096)),
    "export": ("the card of an exported model", begins_with(EXPORT_MARK, within=4096)),
    "docbin": ("a .spacy file", is_our_docbin),
    "data": ("a file", lambda place: False),  # nothing in data says who wrote it
}
