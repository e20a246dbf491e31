"""An opened checkpoint in, its PyTorch module out."""

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Sequence, Tuple

import torch

from . import modernbert
from .config_checks import CONFIG, check_encoder
from .hf_checkpoint import Checkpoint
from .hf_tensors import Tensors, read_tensors
from .int8 import describe
from .luke import CLASSIFIERS, LukeClassifier
from .modernbert import ModernBertClassifier
from .refusals import describe_own_code
from .roberta import PREFIXES, Classifier, JoinedClassifier, TextClassifier, can_build, with_defaults
from .task import TOKEN_CLASSIFIER, Head

# Of a classifier's tensors, so many may be missing and drawn anew, whatever the size of the file.
MANY_NUMBERS = 2**26
# GPT-2's masks are called bias, and are bool or uint8.
WHOLE_NUMBERS = (torch.int8, torch.int16, torch.int32, torch.int64)


# The names that classifiers' last layers have.
LAST_LAYERS = ("classifier.", "qa_outputs.", "score.")


# Heads that a checkpoint has before it is fine-tuned.
OF_PRETRAINING = ("MaskedLM", "PreTraining")


class NoClassifier(ValueError):
    """A checkpoint is an encoder by itself, or one with a classifier for something else."""


def build_module(
    checkpoint: Checkpoint,
    *,
    head: Head = TOKEN_CLASSIFIER,
    dtype: torch.dtype = torch.float32,
    new_head: bool = False,
) -> torch.nn.Module:
    """Build the encoder of an opened checkpoint and what is behind it, and fill both, strictly.

    new_head: the classifier starts at random, for training on the checkpoint's tags.
    Raises a ValueError when tensors are missing or of the wrong shape, or the checkpoint is for another task.
    """
    if not new_head and checkpoint.task not in ("", head.task, *OF_PRETRAINING):
        raise NoClassifier(
            f"the checkpoint {checkpoint.name} is a model for {checkpoint.task} "
            f"({checkpoint.config['architectures'][0]}), and one for {head.task} is needed; nlp.initialize() and spacy "
            "train put a new classifier on its encoder"
        )
    if can_build(checkpoint.config):
        check_encoder(checkpoint.name, with_defaults({**checkpoint.config, "vocab_size": checkpoint.vocab_size}))
        if checkpoint.has_entities:
            luke = CLASSIFIERS.get(head.task, LukeClassifier)
            architecture = own_architecture(luke, "luke", checkpoint, head.layer)
        else:
            kind = TextClassifier if head.of_window else Classifier
            architecture = own_architecture(kind, PREFIXES[checkpoint.config["model_type"]], checkpoint, head.layer)
    elif modernbert.can_build(checkpoint.config, of_window=head.of_window):
        architecture = own_architecture(ModernBertClassifier, modernbert.PREFIX, checkpoint, "classifier")
    else:
        architecture = hf_architecture(checkpoint, head)
    prefix = architecture.prefix + "."
    tensors = read_tensors(checkpoint, dtype=dtype)
    if not any(name.startswith(prefix) for name in tensors):  # an encoder that was saved by itself
        tensors = {prefix + name: tensor for name, tensor in tensors.items()}
    check_sizes(checkpoint, tensors)
    if new_head:  # what is between the encoder and the last layer stays: ModernBERT's head, say
        tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(LAST_LAYERS)}
    module, report = architecture.fill(tensors, dtype)
    is_of_encoder = lambda name: name.startswith(prefix) and ".pooler." not in name
    missing = [name for name in report["missing_keys"] if is_of_encoder(name) or not new_head]
    if missing:
        lacks = (
            f"the checkpoint {checkpoint.name} lacks {len(missing)} of the tensors that its {CONFIG} asks for, "
            f"say {sorted(missing)[0]}"
        )
        last = {name for name in module.state_dict() if name.startswith(LAST_LAYERS)}
        if last <= set(missing) and not any(map(is_of_encoder, missing)):
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
    if new_head and isinstance(module, LukeClassifier):
        module.draw_entities()
    return module.eval()


def check_sizes(checkpoint: Checkpoint, tensors: Tensors) -> None:
    """Raise a ValueError where config.json asks for what the weights do not hold, before it is built."""
    n_layers = checkpoint.config.get("num_hidden_layers") or 0
    if n_layers > len(tensors):
        raise ValueError(
            f"num_hidden_layers in {CONFIG} of the checkpoint {checkpoint.name} is {n_layers}, but its weights are "
            f"only {len(tensors)} tensors"
        )
    is_whole = lambda name, dtype: dtype in WHOLE_NUMBERS or (name.endswith(".weight") and not dtype.is_floating_point)
    numbers = [n for n, tensor in tensors.items() if n.endswith((".weight", ".bias")) and is_whole(n, tensor.dtype)]
    if numbers:
        raise ValueError(
            f"{numbers[0]} in the checkpoint {checkpoint.name} must hold floating-point numbers, got "
            f"{describe(tensors[numbers[0]])}"
        )


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


def own_architecture(
    kind: Callable[..., JoinedClassifier], prefix: str, checkpoint: Checkpoint, last: str
) -> Architecture:
    """BERT's family, by models/roberta.py, LUKE by models/luke.py, or ModernBERT, by models/modernbert.py.

    last: the name of the last layer.
    """
    config = {**checkpoint.config, "vocab_size": checkpoint.vocab_size}

    def fill(tensors: Tensors, dtype: torch.dtype) -> Tuple[Any, Dict[str, List[str]]]:
        with torch.device("meta"):
            module = kind(config, len(checkpoint.tags), last)
        expected = module.state_dict()
        for name in list(tensors):
            tensors[modern_name(name)] = tensors.pop(name)
        report = {
            "missing_keys": [name for name in expected if name not in tensors],
            "unexpected_keys": [name for name in tensors if name not in expected],
            "mismatched_keys": find_mismatched(expected, tensors),
        }
        if not report["mismatched_keys"]:
            for path, part in module.named_modules():
                if part._parameters:
                    own = [name for name in expected if name in tensors and name.startswith(f"{path}.")]
                    weights = {name[len(path) + 1 :]: tensors.pop(name) for name in own}
                    part.load_state_dict(weights, strict=False, assign=True)
        module.reset_missing(report["missing_keys"], dtype)
        return module, report

    return Architecture(prefix, fill)


def find_mismatched(expected: Mapping[str, torch.Tensor], tensors: Tensors) -> List[str]:
    """What of the tensors has another shape than a module's state dict."""
    return [
        f"{name} {tuple(tensors[name].shape)}, not {tuple(expected[name].shape)}"
        for name in expected
        if name in tensors and tensors[name].shape != expected[name].shape
    ]


def modern_name(name: str) -> str:
    """Checkpoints of BERT's first years call the norms' weights gamma and beta."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def hf_architecture(checkpoint: Checkpoint, head: Head) -> Architecture:
    """Any other, by transformers, which knows each one's buffers and old tensor names."""
    import transformers

    settings = checkpoint.config
    settings["id2label"] = dict(enumerate(checkpoint.tags))
    settings["label2id"] = {tag: i for i, tag in enumerate(checkpoint.tags)}
    settings.pop("num_labels", None)
    if settings.get("model_type") == "big_bird":
        # transformers goes over to this for good at the first batch that is short, and by its longest window then.
        settings["attention_type"] = "original_full"
    model_type = settings.pop("model_type", None)
    unknown = (
        f"the checkpoint {checkpoint.name} is of the type {model_type}, for which transformers has no class for "
        f"{head.task}{describe_own_code(checkpoint.config)}"
    )
    if model_type not in transformers.CONFIG_MAPPING:
        raise ValueError(unknown)
    refused = f"transformers can make nothing of the checkpoint {checkpoint.name} ({model_type}) and its {CONFIG}"
    try:
        config = transformers.AutoConfig.for_model(model_type, **settings)
    except Exception as error:  # of many kinds, by setting and version
        raise ValueError(f"{refused}: {error}") from error
    try:
        model_class: Any = getattr(transformers, head.mapping)[type(config)]
    except KeyError as error:
        raise ValueError(unknown) from error
    major = int(transformers.__version__.split(".")[0])

    def fill(tensors: Tensors, dtype: torch.dtype) -> Tuple[Any, Dict[str, List[str]]]:
        try:
            with torch.device("meta"):
                expected = model_class(config).state_dict()
        except Exception as error:
            raise ValueError(f"{refused}: {error}") from error
        report = {"missing_keys": [], "unexpected_keys": [], "mismatched_keys": find_mismatched(expected, tensors)}
        if report["mismatched_keys"]:  # transformers would draw tensors of the shapes that config.json says
            return model_class, report
        n_expected, n_stored = (sum(tensor.numel() for tensor in side.values()) for side in (expected, tensors))
        if n_expected > 2 * n_stored + MANY_NUMBERS:
            raise ValueError(f"{refused}: it asks for {n_expected} numbers, and the weights are {n_stored}")
        with quiet_transformers():
            try:
                return model_class.from_pretrained(
                    None,
                    config=config,
                    state_dict=tensors,
                    output_loading_info=True,
                    ignore_mismatched_sizes=True,  # reported, and an error of ours
                    **{"dtype" if major >= 5 else "torch_dtype": dtype},
                )
            except Exception as error:
                raise ValueError(f"{refused}: {error}") from error

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


def resize_head(module: Any, rows: Sequence[int], lowered: Sequence[float]) -> torch.nn.Linear:
    """Give a token classifier of transformers other tags, in place.

    rows: per new tag, the old tag whose weights it starts with.
    lowered: per new tag, how much lower than the old tag's its logit is, everywhere.
    RETURNS: the new layer.
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
        new.weight.copy_(old.weight[list(rows)])
        bias = old.bias[list(rows)] if old.bias is not None else torch.zeros_like(new.bias)
        new.bias.copy_(bias - torch.tensor(lowered).to(bias))
    parent = module.get_submodule(name.rpartition(".")[0])
    setattr(parent, name.rpartition(".")[2], new)
    module.num_labels = n_tags
    return new
