"""Checkpoints of LUKE's word encoder (XLM-RoBERTa) in, the package's network without padding to be trained out."""

import json
import shutil
from pathlib import Path
from typing import Any, Dict, Mapping, Tuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from spacy_luke_ja.models.roberta import PREFIXES, Classifier, Encoder

PREFIX = PREFIXES["xlm-roberta"] + "."  # of the encoder's parameters in a checkpoint
HEAD = "classifier."


def best_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def read_checkpoint(directory: Path, dropout: float) -> Tuple[Dict[str, Any], Dict[str, Tensor]]:
    """RETURNS: the content of config.json, with this dropout; the tensors of model.safetensors in float32."""
    config = json.loads((directory / "config.json").read_text(encoding="utf8"))
    config.update(hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout)
    return config, {name: tensor.float() for name, tensor in load_file(directory / "model.safetensors").items()}


def write_checkpoint(output: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor], vocabulary: Path) -> None:
    """vocabulary: a directory with sentencepiece.bpe.model."""
    output.mkdir(parents=True, exist_ok=True)
    (output / "config.json").write_text(json.dumps(config, ensure_ascii=False, indent=2), encoding="utf8")
    shutil.copy(vocabulary / "sentencepiece.bpe.model", output)
    kept = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    save_file(kept, output / "model.safetensors", metadata={"format": "pt"})


def load_encoder(directory: Path) -> Encoder:
    """An XLM-RoBERTa checkpoint: config.json and model.safetensors; the heads it may have are left out."""
    config, tensors = read_checkpoint(directory, dropout=0.0)
    encoder = Encoder(config)
    own = with_prefix(tensors, PREFIX)
    encoder.load_state_dict({name.removeprefix(PREFIX): tensor for name, tensor in own.items()})
    return encoder


def new_classifier(directory: Path, n_tags: int, dropout: float = 0.0) -> Classifier:
    """The encoder of a checkpoint with a new linear layer, whose weights are random."""
    config, tensors = read_checkpoint(directory, dropout)
    classifier = Classifier(config, n_tags)
    classifier.reset_last_layer(torch.float32)
    classifier.load_state_dict({**with_prefix(tensors, PREFIX), **with_prefix(classifier.state_dict(), HEAD)})
    return classifier


def load_classifier(directory: Path, dropout: float = 0.0) -> Classifier:
    """What tagger.save_classifier wrote, to be used or trained further."""
    config, tensors = read_checkpoint(directory, dropout)
    classifier = Classifier(config, len(tensors[f"{HEAD}bias"]))
    classifier.load_state_dict({**with_prefix(tensors, PREFIX), **with_prefix(tensors, HEAD)})
    return classifier.eval()


def with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> Dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
