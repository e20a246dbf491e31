"""A checkpoint's name in, its small files and the place of its weights out; nothing heavy is read or imported."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple

import srsly

from ..text.decoding import check_cut_cost, check_temperature

EMBEDDED = Path(__file__).parent.parent / "pretrained"
CONFIG = "config.json"
# In config.json; transformers does not know them.
SCORE_TEMPERATURE = "score_temperature"
CUT_COST = "cut_cost"
WINDOW = "window"
# Subwords in a window of a checkpoint that says nothing: 128 with special ones. Most were fine-tuned on single
# sentences, which seldom have more, and no length is read faster.
USUAL_WINDOW = 126
SENTENCEPIECE = "sentencepiece.bpe.model"
# What a tokenizer may need; entity_vocab.json (22 MB) serves entity inputs only.
TOKENIZER_FILES = (
    SENTENCEPIECE,
    "added_tokens.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "spm.model",
)
# In this order; the first one there is read.
WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
LUKE_TYPES = ("luke", "mluke")
# Their sentencepiece.bpe.model has fairseq's layout of ids; CamemBERT's, say, has another.
FAIRSEQ_TYPES = (*LUKE_TYPES, "xlm-roberta")


@dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint: its small files in memory, its weights not read yet.

    name: what the user called it, for messages.
    files: file name → content: config.json and what its tokenizer needs.
    weights: the files the tensors are in, or the content of one safetensors file.
    stamps: size and time of change of each of those files when the checkpoint was opened.
    """

    name: str
    files: Mapping[str, bytes]
    weights: Any
    stamps: Tuple[Tuple[int, int], ...] = ()

    @property
    def config(self) -> Dict[str, Any]:
        return json.loads(self.files[CONFIG])

    @property
    def vocab_size(self) -> int:
        size = self.config.get("vocab_size")
        if not isinstance(size, int):
            raise ValueError(f"{CONFIG} of the checkpoint {self.name} must give vocab_size, a number, got {size}")
        return size

    @property
    def tags(self) -> Tuple[str, ...]:
        """The names of the classifier's outputs; LABEL_0 … where config.json has none."""
        names = {int(i): tag for i, tag in (self.config.get("id2label") or {0: "LABEL_0", 1: "LABEL_1"}).items()}
        if sorted(names) != list(range(len(names))):
            raise ValueError(
                f"id2label in {CONFIG} of the checkpoint {self.name} must number its tags 0 … {len(names) - 1}, "
                f"got {', '.join(map(str, names))}"
            )
        return tuple(names[i] for i in range(len(names)))

    @property
    def score_temperature(self) -> float:
        """What to divide the classifier's logits by for scores that are probabilities; 1.0 where it is not known."""
        temperature = self.config.get(SCORE_TEMPERATURE, 1.0)
        check_temperature(temperature, f"{SCORE_TEMPERATURE} in {CONFIG} of the checkpoint {self.name}")
        return float(temperature)

    @property
    def cut_cost(self) -> float:
        """What it costs an entity to begin or end inside a token; 0.0 where it is not known."""
        cut_cost = self.config.get(CUT_COST, 0.0)
        check_cut_cost(cut_cost, f"{CUT_COST} in {CONFIG} of the checkpoint {self.name}")
        return float(cut_cost)

    @property
    def window(self) -> int:
        """How many subwords a window of several sentences may have; USUAL_WINDOW where it is not known."""
        window = self.config.get(WINDOW, USUAL_WINDOW)
        if not isinstance(window, int) or isinstance(window, bool) or window < 1:
            raise ValueError(
                f"{WINDOW} in {CONFIG} of the checkpoint {self.name} must be a number of subwords, at least 1, "
                f"got {window}"
            )
        return window

    def to_bytes(self, weights: bytes) -> bytes:
        """weights: the content of a safetensors file."""
        return srsly.msgpack_dumps({"files": dict(self.files), "weights": weights})

    @classmethod
    def from_bytes(cls, bytes_data: bytes) -> "Checkpoint":
        content = srsly.msgpack_loads(bytes_data)
        return cls("from bytes", content["files"], content["weights"])

    def with_tags(self, tags: Sequence[str]) -> "Checkpoint":
        tag_names = {"id2label": dict(enumerate(tags)), "label2id": {t: i for i, t in enumerate(tags)}}
        return self._with_config({**self.config, **tag_names})

    def with_new_classifier(self, tags: Sequence[str], task: str = "TokenClassification") -> "Checkpoint":
        """The same encoder; what was known of its own classifier does not hold for a new one.

        task: as the names of transformers' classes have it.
        """
        config = self.with_tags(tags).config
        if config.get("architectures"):
            config["architectures"] = [re.sub("(Model|For[A-Z].*)$", f"For{task}", config["architectures"][0])]
        for key in (SCORE_TEMPERATURE, CUT_COST):
            config.pop(key, None)
        return self._with_config(config)

    def _with_config(self, config: Mapping[str, Any]) -> "Checkpoint":
        return replace(self, files={**self.files, CONFIG: json.dumps(config, ensure_ascii=False, indent=2).encode()})


def is_embedded(name: str) -> bool:
    """Whether a checkpoint of this name comes with the package."""
    return bool(name) and (EMBEDDED / name / CONFIG).exists()


def may_be_on_hub(name: str) -> bool:
    """Whether a name that is no directory here has the form of one on the Hugging Face hub."""
    return not Path(name).is_dir() and name.count("/") <= 1 and not name.startswith((".", "/", "~"))


def open_checkpoint(name: str, *, revision: Optional[str] = None, allow_download: bool = True) -> Checkpoint:
    """Find a checkpoint and read its small files.

    name: an embedded checkpoint (ja_luke_ner_sm, ja_luke_sm), a local directory, or a name on the Hugging Face hub.
    revision: the hub's branch, tag or commit.
    allow_download: False for what must answer at once, such as the labels before anything is loaded.
    Raises an OSError that names what is missing, and what to do where the hub cannot be reached.
    """
    if not name:
        raise OSError("name must be a checkpoint: ja_luke_ner_sm, a directory, or a name on the hub; got an empty one")
    directory = EMBEDDED / name if is_embedded(name) else Path(name)
    if directory.is_dir():
        find: Callable[[str], Optional[Path]] = lambda f: directory / f if (directory / f).is_file() else None
    elif allow_download and may_be_on_hub(name):
        find = lambda f: download(name, f, revision)
    else:
        raise OSError(f"there is no directory {name}, which the setting name gives as the checkpoint")
    return read_checkpoint(name, find)


def read_checkpoint(name: str, find: Callable[[str], Optional[Path]]) -> Checkpoint:
    """find: file name → where the file is, or None when the checkpoint has no such file."""
    config_path = find(CONFIG)
    if config_path is None:
        raise OSError(f"the checkpoint {name} has no {CONFIG}; a directory in the Hugging Face layout is needed")
    config = read_json(name, config_path)
    found = {f: find(f) for f in TOKENIZER_FILES[:2]}
    if found[SENTENCEPIECE] is None or config.get("model_type") not in FAIRSEQ_TYPES:
        found.update({f: find(f) for f in TOKENIZER_FILES[2:]})
    files = {f: path.read_bytes() for f, path in found.items() if path is not None}
    if not files.keys() - {"added_tokens.json", "special_tokens_map.json", "tokenizer_config.json"}:
        raise OSError(f"the checkpoint {name} has no tokenizer; one of {', '.join(TOKENIZER_FILES)} is needed")
    weights = next((path for path in map(find, WEIGHT_FILES) if path is not None), None)
    if weights is None:
        raise OSError(
            f"the checkpoint {name} has no weights; one of {', '.join(WEIGHT_FILES)} is needed "
            "(of a checkpoint from the hub, in the cache when the hub cannot be reached)"
        )
    paths = [weights]
    if weights.suffix == ".json":
        shards = sorted(set(read_json(name, weights).get("weight_map", {}).values()))
        paths = [path for path in map(find, shards) if path is not None]
        if not paths or len(paths) < len(shards):
            raise OSError(f"the checkpoint {name} lacks some of the files {', '.join(shards)}")
    if config.get("model_type") in LUKE_TYPES:
        config = as_xlm_roberta(config)
    files[CONFIG] = json.dumps(config, ensure_ascii=False, indent=2).encode()
    if "added_tokens.json" in files:
        read_json(name, found["added_tokens.json"])
    return Checkpoint(name, files, paths, stamps_of(paths))


def read_json(name: str, path: Any) -> Dict[str, Any]:
    """Read one of a checkpoint's JSON files, or say which is damaged."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise OSError(f"{path.name} of the checkpoint {name} is damaged: {error}") from error
    if not isinstance(content, dict):
        raise OSError(f"{path.name} of the checkpoint {name} is damaged: it holds no object")
    return content


def stamps_of(paths: Sequence[Path]) -> Tuple[Tuple[int, int], ...]:
    return tuple((stat.st_size, stat.st_mtime_ns) for stat in (path.stat() for path in paths))


def download(name: str, file_name: str, revision: Optional[str]) -> Optional[Path]:
    """Fetch one file from the Hugging Face hub, or from its cache on disk; None when there is none.

    When the hub cannot be reached, a file that is not in the cache counts as none: what was cached is what the
    checkpoint needed. Only for the two files that say what a checkpoint is, that would be a guess.
    """
    from huggingface_hub import _CACHED_NO_EXIST, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(name, file_name, revision=revision))
    except LocalEntryNotFoundError as error:
        known_as_none = try_to_load_from_cache(name, file_name, revision=revision) is _CACHED_NO_EXIST
        if known_as_none or file_name not in (CONFIG, "tokenizer_config.json"):
            return None
        if file_name != CONFIG:
            raise OSError(
                f"{file_name} of the checkpoint {name} is not in the Hugging Face cache, and the hub cannot be reached"
            ) from error
        raise OSError(
            f"the checkpoint {name} is no directory here, it is not in the Hugging Face cache, and the hub cannot be "
            "reached. Copy the checkpoint's directory to this machine and give its path as name, run once with a "
            "network, or, for entities, use the embedded ja_luke_ner_sm"
        ) from error
    except EntryNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OSError(f"the checkpoint {name} cannot be had from the Hugging Face hub: {error}") from error


def as_xlm_roberta(config: Mapping[str, Any]) -> Dict[str, Any]:
    """A LUKE checkpoint's config.json as that of the XLM-RoBERTa which computes the same for word inputs."""
    entity_settings = ("entity_vocab_size", "entity_emb_size", "use_entity_aware_attention", "cls_entity_prediction")
    equal = {key: value for key, value in config.items() if key not in entity_settings}
    architecture = (config.get("architectures") or ["LukeForTokenClassification"])[0]
    equal["model_type"] = "xlm-roberta"
    equal["architectures"] = [architecture.replace("Luke", "XLMRoberta")]
    return equal
