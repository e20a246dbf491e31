"""Token classifiers that began with the same weights in, the one with their mean weights out.

    python -m scripts.pretraining.average build/pretraining/student-0 build/pretraining/student-1 OUTPUT

finetune.py gives all seeds the same classifier to begin with, so that runs that differ in their seed alone end near one
another (Wortsman et al. 2022, "Model soups", arXiv 2203.05482).
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from .encoder import write_checkpoint


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", type=Path, nargs="+")
    parser.add_argument("output", type=Path)
    args = parser.parse_args()
    weights = [load_file(source / "model.safetensors") for source in args.sources]
    means = {name: torch.stack([own[name].float() for own in weights]).mean(dim=0) for name in weights[0]}
    config = json.loads((args.sources[0] / "config.json").read_text(encoding="utf8"))
    write_checkpoint(args.output, config, means, args.sources[0])


if __name__ == "__main__":
    main()
