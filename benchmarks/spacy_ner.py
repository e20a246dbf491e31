"""Train spaCy's own small CNN ner on Stockmark's train part, as spaCy sets it up, to compare with.

    python benchmarks/spacy_ner.py --data ner.json --output build/spacy_ner

The config is that of `spacy init config --lang ja --pipeline ner --optimize efficiency` (a CPU, no vectors), with this
project's corpus reader; training stops by spaCy's own patience, and the best model on dev is kept.
"""

import argparse
from pathlib import Path

from spacy.cli.init_config import init_config
from spacy.training.initialize import init_nlp
from spacy.training.loop import train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="Stockmark's ner.json")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    config = init_config(lang="ja", pipeline=["ner"], optimize="efficiency", silent=True)
    for part in ("train", "dev"):
        reader = {"@readers": "spacy-luke-ja.StockmarkCorpus.v1", "path": str(args.data), "part": part}
        config["corpora"][part] = reader
    config["training"]["seed"] = args.seed
    args.output.mkdir(parents=True, exist_ok=True)
    nlp = init_nlp(config)
    train(nlp, args.output, use_gpu=-1)


if __name__ == "__main__":
    main()
