"""An opened checkpoint in, its PyTorch module out; of a LUKE, the XLM-RoBERTa that computes the same."""

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import torch

from .hf_checkpoint import CONFIG, Checkpoint
from .hf_tensors import Tensors, read_tensors
from .roberta import PREFIXES, Classifier, can_build


class Head(NamedTuple):
    """What a checkpoint has behind its encoder.

    task: as the names of transformers' classes have it, LukeForTokenClassification, say.
    mapping: the name of transformers' mapping from configs to such classes.
    layer: the name of the linear layer in BERT's family.
    outputs: those of transformers' classes that are the logits, stacked where there are several.
    """

    task: str
    mapping: str
    layer: str
    outputs: Tuple[str, ...]


TOKEN_CLASSIFIER = Head("TokenClassification", "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING", "classifier", ("logits",))
QUESTION_ANSWERER = Head(
    "QuestionAnswering", "MODEL_FOR_QUESTION_ANSWERING_MAPPING", "qa_outputs", ("start_logits", "end_logits")
)


class NoClassifier(ValueError):
    """A checkpoint is an encoder by itself."""


def build_module(
    checkpoint: Checkpoint,
    *,
    head: Head = TOKEN_CLASSIFIER,
    dtype: torch.dtype = torch.float32,
    new_head: bool = False,
) -> torch.nn.Module:
    """Build the encoder of an opened checkpoint and what is behind it, and fill both, strictly.

    new_head: the classifier starts at random, for training on the checkpoint's tags.
    Raises a ValueError when tensors are missing or of the wrong shape.
    """
    has_own = can_build(checkpoint.config)
    architecture = own_architecture(checkpoint, head) if has_own else hf_architecture(checkpoint, head)
    prefix = architecture.prefix + "."
    tensors = read_tensors(checkpoint, dtype=dtype)
    if not any(name.startswith(prefix) for name in tensors):  # an encoder that was saved by itself
        tensors = {prefix + name: tensor for name, tensor in tensors.items()}
    if new_head:
        tensors = {name: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    module, report = architecture.fill(tensors, dtype)
    missing = [name for name in report["missing_keys"] if not (new_head and not name.startswith(prefix))]
    if missing:
        lacks = (
            f"the checkpoint {checkpoint.name} lacks {len(missing)} of the tensors that its {CONFIG} asks for, "
            f"say {sorted(missing)[0]}"
        )
        if set(missing) == {name for name in module.state_dict() if not name.startswith(prefix)}:
            trained = "to be trained with nlp.initialize() or spacy train"
            raise NoClassifier(f"{lacks}: it is an encoder without a classifier for {head.task}, {trained}")
        raise ValueError(lacks)
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


def build_encoder(checkpoint: Checkpoint, *, dtype: torch.dtype = torch.float32) -> torch.nn.Module:
    """Build the encoder of an opened checkpoint, without a classifier, and fill it, strictly."""
    return build_module(checkpoint, dtype=dtype, new_head=True).base_model  # type: ignore[return-value]


class Architecture(NamedTuple):
    """How tensors become a module.

    prefix: of the names of the encoder's tensors.
    fill: (tensors, dtype) → the module, and what did not fit: missing_keys, unexpected_keys, mismatched_keys. It may
        take tensors out of the dict, so that none is in memory twice for longer than need be.
    """

    prefix: str
    fill: Callable[[Tensors, torch.dtype], Tuple[Any, Dict[str, List[str]]]]


def own_architecture(checkpoint: Checkpoint, head: Head) -> Architecture:
    """BERT's family, by models/roberta.py."""
    config = checkpoint.config

    def fill(tensors: Tensors, dtype: torch.dtype) -> Tuple[Any, Dict[str, List[str]]]:
        with torch.device("meta"):
            module = Classifier(config, len(checkpoint.tags), head.layer)
        expected = module.state_dict()
        for name in list(tensors):
            tensors[modern_name(name)] = tensors.pop(name)
        report = {
            "missing_keys": [name for name in expected if name not in tensors],
            "unexpected_keys": [name for name in tensors if name not in expected],
            "mismatched_keys": [
                f"{name} {tuple(tensors[name].shape)}, not {tuple(expected[name].shape)}"
                for name in expected
                if name in tensors and tensors[name].shape != expected[name].shape
            ],
        }
        if not report["mismatched_keys"]:
            for path, part in module.named_modules():
                if part._parameters:
                    own = [name for name in expected if name in tensors and name.startswith(f"{path}.")]
                    weights = {name[len(path) + 1 :]: tensors.pop(name) for name in own}
                    part.load_state_dict(weights, strict=False, assign=True)
        if f"{head.layer}.weight" in report["missing_keys"]:
            module.reset_head(dtype)
        return module, report

    return Architecture(PREFIXES[config["model_type"]], fill)


def modern_name(name: str) -> str:
    """Checkpoints of BERT's first years call the norms' weights gamma and beta."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def hf_architecture(checkpoint: Checkpoint, head: Head) -> Architecture:
    """Any other, by transformers, which knows each one's buffers and old tensor names."""
    import transformers

    settings = checkpoint.config
    settings["id2label"] = dict(enumerate(checkpoint.tags))
    model_type = settings.pop("model_type", None)
    try:
        config = transformers.AutoConfig.for_model(model_type, **settings)
        model_class: Any = getattr(transformers, head.mapping)[type(config)]
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"the checkpoint {checkpoint.name} is of the type {model_type}, for which transformers has no class for "
            f"{head.task}"
        ) from error
    major = int(transformers.__version__.split(".")[0])

    def fill(tensors: Tensors, dtype: torch.dtype) -> Tuple[Any, Dict[str, List[str]]]:
        with quiet_transformers():
            return model_class.from_pretrained(
                None,
                config=config,
                state_dict=tensors,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported, and an error of ours
                **{"dtype" if major >= 5 else "torch_dtype": dtype},
            )

    return Architecture(model_class.base_model_prefix, fill)


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


def max_window(limit: int, checkpoint: Checkpoint, *, n_special: int, window: Optional[int]) -> int:
    """The most subwords of a window, the n_special special ones not counted; an error when `window` is more.

    limit: what the encoder takes, special ones counted.
    """
    limit -= n_special
    if window is not None and window > limit:
        raise ValueError(
            f"window must be at most {limit} for the checkpoint {checkpoint.name} (its encoder takes "
            f"{limit + n_special} subwords, {n_special} of them special), got {window}"
        )
    return limit


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
