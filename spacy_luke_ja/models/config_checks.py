"""A checkpoint's JSON files in, an error for what no checkpoint can say: before anything is built from it."""

import math
from typing import Any, Dict, List, Mapping, Tuple

CONFIG = "config.json"

# Setting of the encoder → the least and the most that it can be; far more than any checkpoint has.
SIZES: Dict[str, Tuple[int, int]] = {
    "hidden_size": (1, 2**16),
    "num_hidden_layers": (1, 1000),
    "num_attention_heads": (1, 1024),
    "intermediate_size": (1, 2**20),
    "vocab_size": (1, 2**24),
    "max_position_embeddings": (1, 2**24),
    "type_vocab_size": (0, 1024),
}
# What other architectures call the same; null where they do not say.
OTHER_NAMES: Dict[str, Tuple[str, ...]] = {
    "hidden_size": ("d_model", "dim", "n_embd", "embedding_size", "head_dim", "d_kv"),
    "num_hidden_layers": (
        "num_layers",
        "n_layers",
        "n_layer",
        "num_decoder_layers",
        "encoder_layers",
        "decoder_layers",
    ),
    "num_attention_heads": ("num_heads", "n_heads", "n_head", "num_key_value_heads", "encoder_attention_heads"),
    "intermediate_size": ("d_ff", "hidden_dim", "encoder_ffn_dim", "n_inner"),
    "max_position_embeddings": ("n_positions",),
}
PROBABILITIES = ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout")
STRINGS = ("model_type", "hidden_act", "position_embedding_type")
MAX_TAGS = 10_000


def check_config(name: str, config: Mapping[str, Any]) -> None:
    """Raise a ValueError for a config.json that no checkpoint can have.

    name: the checkpoint's, for messages.
    """
    where = f"of the checkpoint {name}"
    for key, bounds in SIZES.items():
        if key in config:
            check_whole_number(f"{key} in {CONFIG} {where}", config[key], *bounds)
    for key, others in OTHER_NAMES.items():
        for other in others:
            if config.get(other) is not None:
                check_whole_number(f"{other} in {CONFIG} {where}", config[other], *SIZES[key])
    for key in PROBABILITIES:
        value = config.get(key)
        if value is not None and not (is_real(value) and 0 <= value <= 1):
            raise ValueError(f"{key} in {CONFIG} {where} must be between 0 and 1, got {shown(value)}")
    eps = config.get("layer_norm_eps", 1e-5)
    if not (is_real(eps) and 0 < eps < 1):
        raise ValueError(f"layer_norm_eps in {CONFIG} {where} must be a small number above 0, got {shown(eps)}")
    for key in STRINGS:
        if config.get(key) is not None and not isinstance(config[key], str):
            raise ValueError(f"{key} in {CONFIG} {where} must be a string, got {shown(config[key])}")
    architectures = config.get("architectures")
    if architectures is not None and not is_list_of(architectures, str):
        raise ValueError(f"architectures in {CONFIG} {where} must be a list of names, got {shown(architectures)}")
    check_tags(f"id2label in {CONFIG} {where}", config.get("id2label"))


def check_tags(what: str, id2label: Any) -> None:
    """Raise a ValueError where an id2label is no numbering of names. what: what to call it."""
    if id2label is None:
        return
    if not isinstance(id2label, dict) or not all(isinstance(tag, str) for tag in id2label.values()):
        raise ValueError(f"{what} must give each number the name of a tag, got {shown(id2label)}")
    if len(id2label) > MAX_TAGS:
        raise ValueError(f"{what} must have at most {MAX_TAGS} tags, got {len(id2label)}")
    if not all(str(i).isdecimal() and len(str(i)) < 9 for i in id2label):
        raise ValueError(f"{what} must number its tags 0 … {len(id2label) - 1}, got {shown(list(id2label))}")


def check_encoder(name: str, config: Mapping[str, Any]) -> None:
    """Raise a ValueError where the sizes of an encoder of BERT's family do not go together.

    config: with defaults (roberta.with_defaults).
    """
    width, n_heads = config["hidden_size"], config["num_attention_heads"]
    if width % n_heads:
        raise ValueError(
            f"num_attention_heads in {CONFIG} of the checkpoint {name} must divide hidden_size, {width}, got {n_heads}"
        )
    padding, rows = config["pad_token_id"], config["max_position_embeddings"]
    if config["model_type"] != "bert":
        what = f"pad_token_id in {CONFIG} of the checkpoint {name}"
        check_whole_number(what, padding, 0, max(0, min(config["vocab_size"], rows - 4) - 1))
    if config["type_vocab_size"] < 1:
        raise ValueError(f"type_vocab_size in {CONFIG} of the checkpoint {name} must be at least 1, got 0")


def check_added_tokens(name: str, added: Mapping[str, Any]) -> None:
    for token, token_id in added.items():
        check_whole_number(
            f"{token!r} in added_tokens.json of the checkpoint {name}", token_id, 0, SIZES["vocab_size"][1]
        )


def check_shards(name: str, index_name: str, index: Mapping[str, Any]) -> List[str]:
    """RETURNS: the files that a model.safetensors.index.json or pytorch_model.bin.index.json names, sorted.

    Raises an OSError where one is not a file of weights in the checkpoint's own directory.
    """
    weight_map = index.get("weight_map", {})
    suffix = "." + index_name.split(".")[1]
    if not isinstance(weight_map, dict) or not is_list_of(list(weight_map.values()), str):
        raise OSError(f"{index_name} of the checkpoint {name} is damaged: weight_map must give each tensor its file")
    for shard in weight_map.values():
        if any(part in shard for part in ("/", "\\", "\0", ":")) or not shard.endswith(suffix) or shard == suffix:
            raise OSError(
                f"{index_name} of the checkpoint {name} may name {suffix} files beside itself only, got {shown(shard)}"
            )
    return sorted(set(weight_map.values()))


def check_whole_number(what: str, value: Any, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{what} must be a whole number between {least} and {most}, got {shown(value)}")


def is_real(value: Any) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and (isinstance(value, int) or math.isfinite(value))
    )


def is_list_of(values: Any, kind: type) -> bool:
    return isinstance(values, list) and all(isinstance(value, kind) for value in values)


def shown(value: Any) -> str:
    """A value of any kind and size, for a message."""
    try:
        text = repr(value)
    except ValueError:  # a number of too many digits
        text = "a number of thousands of digits"
    return text if len(text) <= 60 else f"{text[:57]}…"
