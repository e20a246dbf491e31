"""An embedded checkpoint in, the XLM-RoBERTa checkpoint that training can go on from out: export.py backwards.

    python -m scripts.pretraining.unpack spacy_luke_ja/pretrained/ja_luke_sm build/pretraining/released

What LUKE has beyond XLM-RoBERTa, which was never trained, is left out. The weights stay what float16 has kept of them.
"""

import argparse
import json
from pathlib import Path
from typing import Dict

import torch
from safetensors.torch import load_file

from spacy_luke_ja.models.hf_checkpoint import OWN_KEYS

from .encoder import HEAD, PREFIX, write_checkpoint

N_ENTITY_MARKERS = 2  # <ent> and <ent2>, the last rows of the vocabulary


def as_xlm_roberta(tensors: Dict[str, torch.Tensor]) -> Dict[str, torch.Tensor]:
    """tensors: those of LukeModel or of LukeForTokenClassification, as export.py writes them."""
    kept = {}
    for name, tensor in tensors.items():
        bare = name.removeprefix("luke.")
        if bare.startswith(HEAD):
            kept[bare] = tensor.float()
        elif bare.startswith(("embeddings.", "encoder.")):
            kept[PREFIX + bare] = tensor.float()
    words = f"{PREFIX}embeddings.word_embeddings.weight"
    kept[words] = kept[words][:-N_ENTITY_MARKERS].clone()
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("output", type=Path)
    args = parser.parse_args()
    tensors = as_xlm_roberta(load_file(args.checkpoint / "model.safetensors"))
    config = json.loads((args.checkpoint / "config.json").read_text(encoding="utf8"))
    is_classifier = f"{HEAD}weight" in tensors
    config.update(
        model_type="xlm-roberta",
        architectures=["XLMRobertaForTokenClassification" if is_classifier else "XLMRobertaModel"],
        vocab_size=config["vocab_size"] - N_ENTITY_MARKERS,
    )
    for key in ("entity_vocab_size", "entity_emb_size", "use_entity_aware_attention", *OWN_KEYS):
        config.pop(key, None)
    write_checkpoint(args.output, config, tensors, args.checkpoint)


if __name__ == "__main__":
    main()
