"""Token classifiers that began with the same weights in, the one with their mean weights out.

    python -m scripts.pretraining.average build/pretraining/student-0 build/pretraining/student-1 OUTPUT

finetune.py gives all seeds the same classifier to begin with, so that runs that differ in their seed alone end near one
another (Wortsman et al. 2022, "Model soups", arXiv 2203.05482).
"""

import argparse
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", type=Path, nargs="+")
    parser.add_argument("output", type=Path)
    args = parser.parse_args()
    weights = [load_file(source / "model.safetensors") for source in args.sources]
    means = {name: torch.stack([own[name].float() for own in weights]).mean(dim=0) for name in weights[0]}
    args.output.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "sentencepiece.bpe.model"):
        shutil.copy(args.sources[0] / name, args.output)
    save_file(means, args.output / "model.safetensors", metadata={"format": "pt"})


if __name__ == "__main__":
    main()
