"""Shards that run.py wrote in, a checkpoint to go on from out.

    python -m scripts.gpu.unpack out md-tags build/pretraining/md --vocabulary spacy_luke_ja/pretrained/ja_luke_sm \
        --facts build/gpu/facts.json

Weights of eight bits become float32 again.
"""

import argparse
import json
from pathlib import Path
from typing import Any, Dict

from scripts.pretraining.encoder import write_checkpoint

from .shards import read_shards, to_tensors

# The tensors that tell a class of transformers.
CLASSES = {
    "classifier.weight": "XLMRobertaForTokenClassification", "qa_outputs.weight": "XLMRobertaForQuestionAnswering",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", type=Path)
    parser.add_argument("name", help="md-encoder, md-tags, sm-answers …")
    parser.add_argument("output", type=Path)
    parser.add_argument("--vocabulary", type=Path, required=True, help="a directory with sentencepiece.bpe.model")
    parser.add_argument("--facts", type=Path, help="facts.json, as pack.py writes it: a classifier's tags")
    args = parser.parse_args()
    arrays = read_shards(args.input, args.name)
    tensors = to_tensors(arrays)
    config: Dict[str, Any] = json.loads(str(arrays["config"]))
    config["architectures"] = [next((CLASSES[name] for name in CLASSES if name in tensors), "XLMRobertaModel")]
    if "classifier.weight" in tensors:
        if args.facts is None:
            parser.error("--facts is missing: a classifier needs the names of its tags")
        tags = json.loads(args.facts.read_text(encoding="utf8"))["tags"]
        config["id2label"] = {str(i): tag for i, tag in enumerate(tags)}
        config["label2id"] = {tag: i for i, tag in enumerate(tags)}
    write_checkpoint(args.output, config, tensors, args.vocabulary)
    print(f"{sum(tensor.numel() for tensor in tensors.values()):,} parameters in {args.output}")


if __name__ == "__main__":
    main()
