"""A pretrained encoder in, a deeper one to start from out: some layers stand in it twice (then stage 5 again).

    python -m scripts.pretraining.grow build/pretraining/encoder build/pretraining/grown --layers 0 1 2 3 2 3

A deep encoder that starts with layers of a shallow one is trained in a part of the time (Gong et al. 2019, "Efficient
Training of BERT by Progressively Stacking", ICML). The encoder to grow should not have seen its learning rate fall.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Dict, Sequence

from safetensors.torch import load_file
from torch import Tensor

from .encoder import write_checkpoint

LAYER = re.compile(r"(?<=encoder\.layer\.)\d+(?=\.)")


def grow(tensors: Dict[str, Tensor], layers: Sequence[int]) -> Dict[str, Tensor]:
    """layers: which of the old layers each new one starts as."""
    n_layers = 1 + max(int(found.group()) for found in map(LAYER.search, tensors) if found)
    if not layers or not all(0 <= layer < n_layers for layer in layers):
        raise ValueError(f"--layers must name layers between 0 and {n_layers - 1}, got {' '.join(map(str, layers))}")
    grown = {name: tensor for name, tensor in tensors.items() if not LAYER.search(name)}
    for i, layer in enumerate(layers):
        for name, tensor in tensors.items():
            found = LAYER.search(name)
            if found and int(found.group()) == layer:
                grown[LAYER.sub(str(i), name)] = tensor.clone()
    return grown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", type=Path, help="config.json, model.safetensors and sentencepiece.bpe.model")
    parser.add_argument("output", type=Path)
    parser.add_argument(
        "--layers", type=int, nargs="+", required=True, help="the old layer that each new one starts as"
    )
    args = parser.parse_args()
    tensors = grow(load_file(args.input / "model.safetensors"), args.layers)
    config = json.loads((args.input / "config.json").read_text(encoding="utf8"))
    write_checkpoint(args.output, {**config, "num_hidden_layers": len(args.layers)}, tensors, args.input)
    print(f"{sum(t.numel() for t in tensors.values()):,} parameters in {args.output}")


if __name__ == "__main__":
    main()
