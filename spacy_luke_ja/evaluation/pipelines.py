"""The name of a pipeline or checkpoint in, the pipeline out; and what it weighs."""

import hashlib
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

import spacy
from spacy.language import Language
from spacy.util import is_package

import spacy_luke_ja
from spacy_luke_ja.models.hf_checkpoint import is_embedded, open_checkpoint
from spacy_luke_ja.text.subwords import SubwordEncoder

# What a checkpoint is for, as the names of transformers' classes have it → the component that it becomes for commands.
FACTORIES = {
    "TokenClassification": "luke_ner",
    "QuestionAnswering": "luke_qa",
    "SequenceClassification": "luke_textcat",
}


def named_pipelines(pipelines: Sequence[str]) -> Dict[str, str]:
    """NAME=PATH, or a path or name alone, for each of several pipelines → what load_pipeline takes, by name."""
    paths = {name.partition("=")[0]: name.partition("=")[2] or name for name in pipelines}
    if len(paths) < len(pipelines):
        raise ValueError(f"each pipeline must have a name of its own, got {', '.join(pipelines)}")
    return paths


def load_pipeline(name: str, *, factory: str = "luke_ner", split_mode: Optional[str] = None) -> Language:
    """Load a spaCy pipeline, or put a checkpoint into a new one.

    name: the first that there is of a pipeline's directory, an embedded checkpoint, an installed pipeline, a directory
        in the Hugging Face layout, and a name on the hub.
    factory: of the component that a checkpoint becomes, "luke_ner", say.
    split_mode: Sudachi's units with a checkpoint, A when None; a pipeline has a tokenizer of its own.
    """
    if (Path(name) / "model-best").is_dir():
        raise OSError(f"{name} holds model-best and perhaps model-last: name one of them")
    if (Path(name) / "meta.json").exists() or (is_package(name) and not is_embedded(name)):
        if split_mode is not None:
            raise ValueError(f"split_mode is for checkpoints; {name} is a pipeline, with a tokenizer of its own")
        return spacy.load(name)
    nlp = spacy_luke_ja.blank(split_mode="A" if split_mode is None else split_mode)
    component: Any = nlp.add_pipe(factory, config={"model": {"name": name}})
    component.load()
    return nlp


def name_anywhere(name: str) -> str:
    """By what load_pipeline loads the same in any working directory."""
    path = Path(name)
    is_first = (path / "meta.json").exists() or not (is_embedded(name) or is_package(name))
    return str(path.absolute()) if path.is_dir() and is_first else name


def find_component(nlp: Language, component: Optional[str], factories: Sequence[str] = ("luke_ner",)) -> str:
    """RETURNS: the name of the one component of these factories, or of the one that --component asks for."""
    names = [name for name in nlp.pipe_names if nlp.get_pipe_meta(name).factory in factories]
    return choose_component(nlp, component, names, " and no ".join(factories))


def choose_component(nlp: Language, component: Optional[str], names: Sequence[str], wanted: str) -> str:
    """RETURNS: the one of these names, or that which --component asks for. wanted: what they are, for the error."""
    if not names:
        others = ", ".join(nlp.pipe_names) or "a tokenizer"
        raise ValueError(f"the pipeline has no {wanted}, only {others}")
    if component is None and len(names) > 1:
        raise ValueError(f"--component must say which to take, for the pipeline has {', '.join(names)}")
    if component is not None and component not in names:
        raise ValueError(f"--component must be one of {', '.join(names)}, got {component}")
    return component or names[0]


def find_encoder(nlp: Language) -> Optional[SubwordEncoder]:
    """RETURNS: that of the first luke_ner or luke_span_ner; None without one."""
    for name in nlp.pipe_names:
        if nlp.get_pipe_meta(name).factory in ("luke_ner", "luke_span_ner"):
            component: Any = nlp.get_pipe(name)
            return component.subword_encoder
    return None


def describe(nlp: Language) -> Dict[str, Any]:
    """What metrics say of the pipeline that they are of."""
    meta = nlp.meta
    return {"name": f"{meta['lang']}_{meta['name']}", "version": meta["version"], "components": nlp.pipe_names}


def factory_for(name: str) -> str:
    """The factory of the component that a checkpoint is for, as its config.json says; "luke_ner" for all else."""
    try:
        task = open_checkpoint(name, allow_download=False).task
    except (OSError, ValueError):
        return "luke_ner"
    return FACTORIES.get(task, "luke_ner")


def fingerprint(path: Path) -> str:
    """A hash of all that decides what a saved pipeline finds: its config and the files of its components.

    meta.json, which a package has another of, is no part of it.
    """
    digest = hashlib.sha256()
    files = [file_ for part in path.iterdir() if part.is_dir() for file_ in part.rglob("*") if file_.is_file()]
    for file_ in [path / "config.cfg", *sorted(files)]:
        content = hashlib.sha256(file_.read_bytes()).hexdigest()
        digest.update(f"{file_.relative_to(path).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def size_on_disk(nlp: Language, name: str) -> int:
    """Bytes of a pipeline's directory, or of what nlp.to_disk writes."""
    if Path(name).is_dir():
        return directory_size(Path(name))
    with tempfile.TemporaryDirectory() as directory:
        nlp.to_disk(directory)
        return directory_size(Path(directory))


def directory_size(path: Path) -> int:
    return sum(file_.stat().st_size for file_ in path.rglob("*") if file_.is_file())


def peak_memory() -> Optional[int]:
    """The most resident memory that this process had so far, in bytes; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
