"""A checkpoint's name in, its small files and the place of its weights out; nothing heavy is read or imported."""

import json
import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple

import srsly

from ..text.decoding import check_cost, check_temperature
from .config_checks import CONFIG, check_added_tokens, check_config, check_shards

EMBEDDED = Path(__file__).parent.parent / "pretrained"
# The position of the first subword, where it is not the one after the padding's id.
FIRST_POSITION = "first_position"
# In config.json, which transformers does not know: how to decode the logits of its classifier …
OF_DECODING = ("score_temperature", "cut_cost", "line_break_cost", "longest_entity")
# … and these with how its encoder reads.
OWN_KEYS = (*OF_DECODING, "window", "line_break_id", FIRST_POSITION)
# Subwords in a window of a checkpoint that says nothing: 128 with special ones. Most were fine-tuned on single
# sentences, which seldom have more, and no length is read faster.
USUAL_WINDOW = 126
SENTENCEPIECE = "sentencepiece.bpe.model"
# Of a LUKE: the ids of its entities, 22 MB.
ENTITY_VOCAB = "entity_vocab.json"
# Of a LUKE that links mentions: what they may stand for.
ALIASES = "aliases.tsv"
# What a tokenizer may need.
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
    "tokenizer.model",
    "sentencepiece.model",
)
# In this order; the first one there is read.
WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
# owner/name, or a name alone.
HUB_NAME = re.compile(r"([A-Za-z0-9][\w\-.]{0,95}/)?[A-Za-z0-9][\w\-.]{0,95}(?<![\-.])", flags=re.ASCII)
# No JSON file of a checkpoint that is read here has as many bytes.
MAX_JSON_BYTES = 2**26
LUKE_TYPES = ("luke", "mluke")
# Of entity embeddings: one that a checkpoint's files do not have.
NEW_ROW = -1
# Their sentencepiece.bpe.model has fairseq's layout of ids; CamemBERT's, say, has another.
FAIRSEQ_TYPES = (*LUKE_TYPES, "xlm-roberta")


@dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint: its small files in memory, its weights not read yet.

    name: what the user called it, for messages.
    files: file name → content: config.json and what its tokenizer needs.
    weights: the files the tensors are in, or the content of one safetensors file.
    stamps: size and time of change of each of those files when the checkpoint was opened.
    entity_rows: which rows of the entity embeddings in those files are its own, in its order, NEW_ROW for one that is
        to be drawn; None: all.
    """

    name: str
    files: Mapping[str, bytes]
    weights: Any
    stamps: Tuple[Tuple[int, int], ...] = ()
    entity_rows: Optional[Tuple[int, ...]] = None

    @property
    def config(self) -> Dict[str, Any]:
        return json.loads(self.files[CONFIG])

    @property
    def task(self) -> str:
        """What it is for, as the names of transformers' classes have it; "" where config.json names none."""
        named = re.search("For([A-Z].*)$", (self.config.get("architectures") or [""])[0])
        return named[1] if named else ""

    @property
    def has_entities(self) -> bool:
        """Whether it is a LUKE that was opened with what it knows of entities."""
        return self.config.get("model_type") in LUKE_TYPES

    @cached_property
    def entity_vocab(self) -> Dict[str, int]:
        """The ids of a LUKE's entities by their names, Wikipedia's titles and such as [MASK]; read at the first use."""
        refused = f"{ENTITY_VOCAB} of the checkpoint {self.name}"
        if ENTITY_VOCAB not in self.files:
            raise ValueError(f"{refused} is not there: it has the ids of entities, which this task needs")
        try:
            vocabulary = json.loads(self.files[ENTITY_VOCAB])
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{refused} is damaged: {error}") from error
        size = self.config.get("entity_vocab_size")
        numbers = vocabulary.values() if isinstance(vocabulary, dict) else [None]
        if not all(type(number) is int and 0 <= number < (size or number + 1) for number in numbers):
            raise ValueError(f"{refused} must give each entity a number from 0 to {size} - 1 (entity_vocab_size)")
        return vocabulary

    @property
    def vocab_size(self) -> int:
        size = self.config.get("vocab_size")
        if not isinstance(size, int):
            raise ValueError(f"{CONFIG} of the checkpoint {self.name} must give vocab_size, a number, got {size}")
        return size

    @property
    def tags(self) -> Tuple[str, ...]:
        """The names of the classifier's outputs; LABEL_0 … where config.json has none."""
        n_outputs = self.config.get("num_labels")
        unnamed = {i: f"LABEL_{i}" for i in range(n_outputs if isinstance(n_outputs, int) else 2)}
        names = {int(i): tag for i, tag in (self.config.get("id2label") or unnamed).items()}
        if sorted(names) != list(range(len(names))):
            raise ValueError(
                f"id2label in {CONFIG} of the checkpoint {self.name} must number its tags 0 … {len(names) - 1}, "
                f"got {', '.join(map(str, names))}"
            )
        return tuple(names[i] for i in range(len(names)))

    @property
    def score_temperature(self) -> float:
        """What to divide the classifier's logits by for scores that are probabilities; 1.0 where it is not known."""
        temperature = self.config.get("score_temperature", 1.0)
        check_temperature(temperature, f"score_temperature in {CONFIG} of the checkpoint {self.name}")
        return float(temperature)

    @property
    def cut_cost(self) -> float:
        """What it costs an entity to begin or end inside a token; 0.0 where it is not known."""
        return self._cost("cut_cost")

    @property
    def line_break_cost(self) -> float:
        """What it costs an entity to go on in the next line; 0.0 where it is not known."""
        return self._cost("line_break_cost")

    @property
    def line_break_id(self) -> Optional[int]:
        """The subword that tells the encoder of a new line; None where it is not told."""
        line_break_id = self.config.get("line_break_id")
        if line_break_id is None:
            return None
        if type(line_break_id) is not int or not 0 <= line_break_id < self.vocab_size:
            raise ValueError(
                f"line_break_id in {CONFIG} of the checkpoint {self.name} must be the id of a subword, less than "
                f"vocab_size {self.vocab_size}, or null, got {line_break_id!r}"
            )
        return line_break_id

    def _cost(self, key: str) -> float:
        cost = self.config.get(key, 0.0)
        check_cost(cost, f"{key} in {CONFIG} of the checkpoint {self.name}")
        return float(cost)

    @property
    def window(self) -> int:
        """How many subwords a window of several sentences may have; USUAL_WINDOW where it is not known."""
        return self._count("window", "subwords", USUAL_WINDOW)

    @property
    def longest_entity(self) -> Optional[int]:
        """How many characters an entity may have; any number, None, where it is not known."""
        return self._count("longest_entity", "characters", None) if "longest_entity" in self.config else None

    def _count(self, key: str, unit: str, default: Any) -> int:
        count = self.config.get(key, default)
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise ValueError(
                f"{key} in {CONFIG} of the checkpoint {self.name} must be a number of {unit}, at least 1, got {count}"
            )
        return count

    def to_bytes(self, weights: bytes) -> bytes:
        """weights: the content of a safetensors file."""
        return srsly.msgpack_dumps({"files": dict(self.files), "weights": weights})

    @classmethod
    def from_bytes(cls, bytes_data: bytes) -> "Checkpoint":
        name = "from bytes"
        try:
            content = srsly.msgpack_loads(bytes_data)
            files, weights = dict(content["files"]), bytes(content["weights"])
            config = json.loads(files[CONFIG])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise OSError(f"the checkpoint {name} is damaged: it is not what to_bytes writes ({error!r})") from error
        check_config(name, config)
        return cls(name, files, weights)

    def with_tags(self, tags: Sequence[str]) -> "Checkpoint":
        tag_names = {"id2label": dict(enumerate(tags)), "label2id": {t: i for i, t in enumerate(tags)}}
        return self.with_config(**tag_names)

    def naming_outputs(self, tags: Optional[Sequence[str]]) -> "Checkpoint":
        """The same, its outputs named by the setting tags where config.json says nothing of them."""
        return self if tags is None or self.config.get("id2label") else self.with_tags(tags)

    def with_new_classifier(self, tags: Sequence[str], task: str = "TokenClassification") -> "Checkpoint":
        """The same encoder; what was known of its own classifier does not hold for a new one.

        task: as the names of transformers' classes have it.
        """
        config = self.with_tags(tags).config
        if config.get("architectures"):
            config["architectures"] = [re.sub("(Model|For[A-Z].*)$", f"For{task}", config["architectures"][0])]
        return self._replace_config({key: value for key, value in config.items() if key not in OF_DECODING})

    def with_file(self, name: str, content: Optional[bytes]) -> "Checkpoint":
        """The same with this file in place of its own, or without it; what was read of the others stays read."""
        files = {own: before for own, before in self.files.items() if own != name}
        changed = replace(self, files=files if content is None else {**files, name: content})
        if name not in (CONFIG, ENTITY_VOCAB) and "entity_vocab" in vars(self):
            vars(changed)["entity_vocab"] = self.entity_vocab
        return changed

    def with_config(self, **settings: Any) -> "Checkpoint":
        """settings: of config.json, in place of its own."""
        return self._replace_config({**self.config, **settings})

    def _replace_config(self, config: Mapping[str, Any]) -> "Checkpoint":
        return replace(self, files={**self.files, CONFIG: json.dumps(config, ensure_ascii=False, indent=2).encode()})


def is_embedded(name: str) -> bool:
    """Whether a checkpoint of this name comes with the package."""
    return bool(name) and Path(name).name == name and (EMBEDDED / name / CONFIG).exists()


def may_be_on_hub(name: str) -> bool:
    """Whether a name that is no directory here has the form of one on the Hugging Face hub."""
    return not Path(name).exists() and bool(HUB_NAME.fullmatch(name))


def open_checkpoint(
    name: str, *, revision: Optional[str] = None, allow_download: bool = True, with_entities: bool = False
) -> Checkpoint:
    """Find a checkpoint and read its small files.

    name: an embedded checkpoint (ja_luke_ner_sm, ja_luke_qa_sm, ja_luke_sm), a local directory, be it of a trained
        pipeline with one checkpoint in it, or a name on the Hugging Face hub.
    revision: the hub's branch, tag or commit.
    allow_download: False for what must answer at once, such as the labels before anything is loaded.
    with_entities: as in read_checkpoint.
    Raises an OSError that names what is missing, and what to do where the hub cannot be reached.
    """
    if not name:
        raise OSError("name must be a checkpoint: ja_luke_ner_sm, a directory, or a name on the hub; got an empty one")
    directory = EMBEDDED / name if is_embedded(name) else Path(name)
    if directory.is_dir():
        directory = find_in_pipeline(directory)
        find: Callable[[str], Optional[Path]] = lambda f: directory / f if (directory / f).is_file() else None
    elif allow_download and may_be_on_hub(name):
        find = lambda f: download(name, f, revision)
    else:
        is_there = "is a file" if Path(name).exists() else "is not there"
        raise OSError(f"there is no directory {name}, which the setting name gives as the checkpoint: it {is_there}")
    return read_checkpoint(name, find, with_entities=with_entities)


def find_in_pipeline(directory: Path) -> Path:
    """RETURNS: where the checkpoint of a pipeline on disk lies; the same directory when it is none."""
    if (directory / CONFIG).is_file():
        return directory
    if (directory / "model-best").is_dir():
        raise OSError(f"{directory} holds model-best and perhaps model-last: name one of them")
    if not (directory / "config.cfg").is_file():
        return directory
    found = sorted(path.parent for path in directory.glob(f"*/model/{CONFIG}"))
    if len(found) == 1:
        return found[0]
    if not found:
        raise OSError(f"{directory} is a pipeline with no component of spacy_luke_ja, so it has no checkpoint to take")
    names = ", ".join(map(str, found))
    raise OSError(f"{directory} is a pipeline with several checkpoints: name one of {names}")


def read_checkpoint(name: str, find: Callable[[str], Optional[Path]], *, with_entities: bool = False) -> Checkpoint:
    """
    find: file name → where the file is, or None when the checkpoint has no such file.
    with_entities: whether a LUKE stays one, with all that it knows of entities, for a task that needs them; else it
        becomes the XLM-RoBERTa that computes the same for words, of which as little as 40 % must be loaded.
    """
    config_path = find(CONFIG)
    if config_path is None:
        raise OSError(f"the checkpoint {name} has no {CONFIG}; a directory in the Hugging Face layout is needed")
    config = read_json(name, config_path)
    check_config(name, config)
    found = {f: find(f) for f in TOKENIZER_FILES[:2]}
    if found[SENTENCEPIECE] is None or config.get("model_type") not in FAIRSEQ_TYPES:
        found.update({f: find(f) for f in TOKENIZER_FILES[2:]})
    files = {f: path.read_bytes() for f, path in found.items() if path is not None}
    if not files.keys() - {"added_tokens.json", "special_tokens_map.json", "tokenizer_config.json"}:
        from .refusals import why_no_tokenizer

        needed = f"the checkpoint {name} has no tokenizer; one of {', '.join(TOKENIZER_FILES)} is needed"
        raise OSError(why_no_tokenizer(name, config, files) or needed)
    weights = next((path for path in map(find, WEIGHT_FILES) if path is not None), None)
    if weights is None:
        raise OSError(
            f"the checkpoint {name} has no weights; one of {', '.join(WEIGHT_FILES)} is needed "
            "(of a checkpoint from the hub, in the cache when the hub cannot be reached)"
        )
    paths = [weights]
    if weights.suffix == ".json":
        shards = check_shards(name, weights.name, read_json(name, weights))
        paths = [path for path in map(find, shards) if path is not None]
        if not paths or len(paths) < len(shards):
            raise OSError(f"the checkpoint {name} lacks some of the files {', '.join(shards)}")
    if config.get("model_type") in LUKE_TYPES and with_entities:
        # Beside the vocabulary, what names the ids of <ent> and <ent2>: transformers 5 writes no added_tokens.json.
        more = [ENTITY_VOCAB, ALIASES, "tokenizer_config.json"]
        more += [] if "added_tokens.json" in files else ["tokenizer.json"]
        opened = {f: find(f) for f in more}
        files.update({f: path.read_bytes() for f, path in opened.items() if path is not None})
    elif config.get("model_type") in LUKE_TYPES:
        config = as_xlm_roberta(config)
    if config.get("model_type") == "roberta" and names_class(config, files, "T5Tokenizer"):
        config[FIRST_POSITION] = 0  # rinna/japanese-roberta-base, whose card says so
    files[CONFIG] = json.dumps(config, ensure_ascii=False, indent=2).encode()
    if "added_tokens.json" in files:
        check_added_tokens(name, read_json(name, found["added_tokens.json"]))
    return Checkpoint(name, files, paths, stamps_of(paths))


def names_class(config: Mapping[str, Any], files: Mapping[str, bytes], kind: str) -> bool:
    """Whether this is the tokenizer's class, by tokenizer_config.json or, where that names none, config.json."""
    try:
        named = json.loads(files.get("tokenizer_config.json", b"{}")).get("tokenizer_class")
    except (ValueError, AttributeError):
        return False  # what is wrong with it is said where it is read
    return (named or config.get("tokenizer_class")) in (kind, f"{kind}Fast")


def read_json(name: str, path: Any) -> Dict[str, Any]:
    """Read one of a checkpoint's JSON files, or say which is damaged."""
    if path.stat().st_size > MAX_JSON_BYTES:
        raise OSError(f"{path.name} of the checkpoint {name} must have at most {MAX_JSON_BYTES} bytes")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
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
    from huggingface_hub import _CACHED_NO_EXIST, hf_hub_download, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        cached = try_to_load_from_cache(name, file_name, revision=revision)
        if not isinstance(cached, str):
            ask_hub(hf_hub_url(name, file_name, revision=revision))
        return Path(hf_hub_download(name, file_name, revision=revision))
    except LocalEntryNotFoundError as error:
        if cached is _CACHED_NO_EXIST or file_name not in (CONFIG, "tokenizer_config.json"):
            return None
        if file_name != CONFIG:
            raise OSError(
                f"{file_name} of the checkpoint {name} is not in the Hugging Face cache, and the hub cannot be reached"
            ) from error
        raise OSError(
            f"the checkpoint {name} is no directory here, it is not in the Hugging Face cache, and the hub cannot be "
            "reached. If it is meant to be a directory, correct the path. Else copy the checkpoint's directory to this "
            "machine and give its path as name, or run once with a network. The embedded ja_luke_ner_sm, for "
            "entities, and ja_luke_qa_sm, for questions, need none"
        ) from error
    except EntryNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OSError(f"the checkpoint {name} cannot be had from the Hugging Face hub: {error}") from error


def ask_hub(url: str) -> None:
    """Ask for a file once: hf_hub_download retries for half a minute before it says that there is no network."""
    from huggingface_hub import get_hf_file_metadata
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        get_hf_file_metadata(url)
    except HfHubHTTPError:  # the hub answered
        raise
    except Exception as error:  # of requests, httpx or httpx2, whichever huggingface_hub has
        raise LocalEntryNotFoundError(f"the hub cannot be reached: {error}") from error


def as_xlm_roberta(config: Mapping[str, Any]) -> Dict[str, Any]:
    """A LUKE checkpoint's config.json as that of the XLM-RoBERTa which computes the same for word inputs."""
    entity_settings = ("entity_vocab_size", "entity_emb_size", "use_entity_aware_attention", "cls_entity_prediction")
    equal = {key: value for key, value in config.items() if key not in entity_settings}
    architecture = (config.get("architectures") or ["LukeForTokenClassification"])[0]
    equal["model_type"] = "xlm-roberta"
    equal["architectures"] = [architecture.replace("Luke", "XLMRoberta")]
    return equal
