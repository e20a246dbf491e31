"""A checkpoint's name in, its files and then its PyTorch module out.

A LUKE checkpoint without entity inputs computes what XLM-RoBERTa computes from the same word weights: the
plain query branch is the only one in use. So it is loaded as XLM-RoBERTa, and its entity embeddings (584 MB in
the published base size) and entity queries are never read into memory.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Sequence, Tuple

import srsly
import torch

EMBEDDED = Path(__file__).parent.parent / "pretrained"
CONFIG = "config.json"
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
ENTITY_TENSORS = ("entity_embeddings.", "w2e_query.", "e2w_query.", "e2e_query.")

Tensors = Dict[str, torch.Tensor]


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

    def to_bytes(self, weights: bytes) -> bytes:
        """weights: the content of a safetensors file."""
        return srsly.msgpack_dumps({"files": dict(self.files), "weights": weights})

    @classmethod
    def from_bytes(cls, bytes_data: bytes) -> "Checkpoint":
        content = srsly.msgpack_loads(bytes_data)
        return cls("from bytes", content["files"], content["weights"])

    def with_tags(self, tags: Sequence[str]) -> "Checkpoint":
        config = {**self.config, "id2label": dict(enumerate(tags)), "label2id": {t: i for i, t in enumerate(tags)}}
        return replace(self, files={**self.files, CONFIG: json.dumps(config, ensure_ascii=False, indent=2).encode()})


def open_checkpoint(name: str, *, revision: Optional[str] = None, allow_download: bool = True) -> Checkpoint:
    """Find a checkpoint and read its small files.

    name: an embedded checkpoint (ja_luke_ner_sm), a local directory, or a name on the Hugging Face hub.
    revision: the hub's branch, tag or commit.
    allow_download: False for what must answer at once, such as the labels before anything is loaded.
    Raises an OSError that names what is missing, and what to do where the hub cannot be reached.
    """
    directory = EMBEDDED / name if name and (EMBEDDED / name / CONFIG).exists() else Path(name)
    if directory.is_dir():
        find: Callable[[str], Optional[Path]] = lambda f: directory / f if (directory / f).is_file() else None
    elif allow_download and name.count("/") <= 1 and not name.startswith((".", "/", "~")):
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
            "network, or use the embedded ja_luke_ner_sm"
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


def tensor_name(name: str) -> Optional[str]:
    """A LUKE tensor's name in XLM-RoBERTa; None for what word inputs do not use. Other names stay."""
    if any(part in name for part in ENTITY_TENSORS) or name.endswith("embeddings.position_ids"):
        return None
    if name.startswith(("entity_predictions.", "luke.pooler.")):
        return None
    return "roberta." + name[len("luke.") :] if name.startswith("luke.") else name


def read_tensors(checkpoint: Checkpoint, *, dtype: Optional[torch.dtype] = None) -> Tensors:
    """Read the tensors that the module needs, one by one, each cast to dtype as it comes.

    dtype: None leaves them as they are stored.
    RETURNS: tensors by their XLM-RoBERTa names where the checkpoint is a LUKE, else by their own.
    """
    sources = checkpoint.weights if isinstance(checkpoint.weights, list) else [checkpoint.weights]
    check_unchanged(checkpoint)
    tensors: Tensors = {}
    for source in sources:
        for name, tensor in iterate_tensors(checkpoint.name, source):
            tensors[name] = tensor if dtype is None or not tensor.is_floating_point() else tensor.to(dtype)
    return tensors


def check_unchanged(checkpoint: Checkpoint) -> None:
    """Raise an OSError when the weights on disk are not those that were there when the checkpoint was opened."""
    if isinstance(checkpoint.weights, list):
        try:
            stamps = stamps_of(checkpoint.weights)
        except OSError as error:
            raise OSError(f"the weights of the checkpoint {checkpoint.name} are gone: {error}") from error
        if stamps != checkpoint.stamps:
            raise OSError(f"the weights of the checkpoint {checkpoint.name} have changed since it was opened")


def iterate_tensors(checkpoint_name: str, source: Any) -> Iterator[Tuple[str, torch.Tensor]]:
    """source: the path of a .safetensors or .bin file, or the content of a safetensors file."""
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load

    where = source.name if isinstance(source, Path) else "the serialised pipeline"
    try:
        if isinstance(source, bytes):
            yield from load(source).items()
        elif source.suffix == ".safetensors":
            with safe_open(source, framework="pt") as file_:
                for name in file_.keys():
                    if tensor_name(name) is not None:
                        yield str(tensor_name(name)), file_.get_tensor(name)
        else:
            for name, tensor in load_bin(source).items():
                if tensor_name(name) is not None:
                    yield str(tensor_name(name)), tensor
    except (SafetensorError, RuntimeError, EOFError) as error:
        raise OSError(f"{where} of the checkpoint {checkpoint_name} is damaged or cut short: {error}") from error


def load_bin(path: Path) -> Tensors:
    """Read a .bin file without running what a pickle may hold; mapped into memory where its format allows."""
    import pickle

    try:
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError as error:
            if "mmap" not in str(error):
                raise
            return torch.load(path, map_location="cpu", weights_only=True)  # the format before torch 1.6
    except pickle.UnpicklingError as error:
        raise OSError(f"{path.name} holds more than tensors, or is damaged, and is not loaded: {error}") from error


def build_module(
    checkpoint: Checkpoint, *, dtype: torch.dtype = torch.float32, new_head: bool = False
) -> torch.nn.Module:
    """Build the token classifier of an opened checkpoint and fill it, strictly.

    new_head: the classifier starts at random, for training on the checkpoint's tags.
    Raises a ValueError when tensors are missing or of the wrong shape.
    """
    from transformers import MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING, AutoConfig

    settings = checkpoint.config
    settings["id2label"] = dict(enumerate(checkpoint.tags))
    model_type = settings.pop("model_type", None)
    try:
        config = AutoConfig.for_model(model_type, **settings)
        model_class: Any = MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING[type(config)]
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"the checkpoint {checkpoint.name} is of the type {model_type}, for which transformers has no token "
            "classifier"
        ) from error
    prefix = model_class.base_model_prefix + "."
    tensors = read_tensors(checkpoint, dtype=dtype)
    if not any(name.startswith(prefix) for name in tensors):  # an encoder that was saved by itself
        tensors = {prefix + name: tensor for name, tensor in tensors.items()}
    if new_head:
        tensors = {name: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    with quiet_transformers():
        module, report = load_state(model_class, config, tensors, dtype)
    missing = [name for name in report["missing_keys"] if not (new_head and not name.startswith(prefix))]
    if missing:
        head = "" if any(name.startswith(prefix) for name in missing) else (
            ": it is an encoder without a classifier, to be trained with nlp.initialize() or spacy train"
        )  # fmt: skip
        raise ValueError(
            f"the checkpoint {checkpoint.name} lacks {len(missing)} of the tensors of {model_class.__name__}, "
            f"say {sorted(missing)[0]}{head}"
        )
    harmless = ("pooler", "position_ids", "token_type_ids", "inv_freq")
    surplus = [n for n in report["unexpected_keys"] if n.startswith(prefix) and not any(part in n for part in harmless)]
    if surplus:
        raise ValueError(
            f"the checkpoint {checkpoint.name} has {len(surplus)} tensors that its {CONFIG} has no place for, say "
            f"{sorted(surplus)[0]}"
        )
    if report["mismatched_keys"]:
        raise ValueError(
            f"tensors of the checkpoint {checkpoint.name} have other shapes than its {CONFIG} says: "
            + ", ".join(str(key) for key in list(report["mismatched_keys"])[:3])
        )
    return module.eval()


def load_state(model_class: Any, config: Any, tensors: Tensors, dtype: torch.dtype) -> Tuple[torch.nn.Module, Dict]:
    """Fill a new module through transformers, which knows each architecture's buffers and old tensor names."""
    import transformers

    major = int(transformers.__version__.split(".")[0])
    return model_class.from_pretrained(
        None,
        config=config,
        state_dict=tensors,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # reported, and an error of ours
        **{"dtype" if major >= 5 else "torch_dtype": dtype},
    )


class quiet_transformers:
    """Keep transformers from printing bars and reports of what this module checks by itself."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self.verbosity, self.bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()

    def __exit__(self, *exception: Any) -> None:
        from transformers.utils import logging

        logging.set_verbosity(self.verbosity)
        if self.bars:
            logging.enable_progress_bar()


def max_subwords(module: torch.nn.Module, config: Mapping[str, Any]) -> int:
    """The most subwords, special ones included, that the encoder takes at once.

    RoBERTa's family counts positions from the padding id + 1, so that 514 rows serve 512 subwords.
    """
    limit = config.get("max_position_embeddings") or 512
    for name, part in module.named_modules():
        if name.endswith("position_embeddings") and isinstance(part, torch.nn.Embedding):
            first = 0 if part.padding_idx is None else part.padding_idx + 1
            limit = min(limit, part.num_embeddings - first)
    return int(limit)


def resize_head(module: Any, rows: Sequence[Optional[int]]) -> None:
    """Give a token classifier of transformers other tags, in place.

    rows: per new tag, the old tag whose weights it keeps; None starts at random.
    """
    n_tags = len(rows)
    encoder = module.base_model_prefix + "."
    name, old = next(
        (name, part)
        for name, part in module.named_modules()
        if isinstance(part, torch.nn.Linear) and not name.startswith(encoder) and part.out_features == module.num_labels
    )
    new = torch.nn.Linear(old.in_features, n_tags, device=old.weight.device, dtype=old.weight.dtype)
    with torch.no_grad():
        new.weight.normal_(std=0.02)
        new.bias.zero_()
        for i, row in enumerate(rows):
            if row is not None:
                new.weight[i], new.bias[i] = old.weight[row], old.bias[row]
    parent = module.get_submodule(name.rpartition(".")[0])
    setattr(parent, name.rpartition(".")[2], new)
    module.num_labels = n_tags
