"""The shards of the run on a GPU in, checkpoints out.

    python -m scripts.gpu.unpack out md-tags build/pretraining/md --vocabulary spacy_luke_ja/pretrained/ja_luke_sm

Numbers of eight bits become floats again: the checkpoint is what the package would compute with.
"""

import argparse
import json
from pathlib import Path

from .network import save_checkpoint
from .shards import read_shards, to_tensors

CLASSES = {"classifier": "XLMRobertaForTokenClassification", "qa_outputs": "XLMRobertaForQuestionAnswering"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", type=Path)
    parser.add_argument("name", help="md-encoder, md-tags, sm-answers …")
    parser.add_argument("output", type=Path)
    parser.add_argument("--vocabulary", type=Path, required=True, help="a directory with sentencepiece.bpe.model")
    parser.add_argument("--tags", nargs="*", help="of a classifier; those of facts.json")
    parser.add_argument("--facts", type=Path, help="facts.json, as pack.py writes it")
    args = parser.parse_args()
    arrays = read_shards(args.input, args.name)
    tensors = to_tensors(arrays)
    config = json.loads(str(arrays["config"]))
    head = next((head for head in CLASSES if f"{head}.weight" in tensors), None)
    config["architectures"] = [CLASSES[head] if head else "XLMRobertaModel"]
    if head == "classifier":
        tags = json.loads(args.facts.read_text(encoding="utf8"))["tags"]
        config.update(
            id2label={str(i): tag for i, tag in enumerate(tags)}, label2id={tag: i for i, tag in enumerate(tags)}
        )
    save_checkpoint(tensors, config, args.vocabulary / "sentencepiece.bpe.model", args.output)
    print(f"{sum(tensor.numel() for tensor in tensors.values()):,} parameters in {args.output}")


if __name__ == "__main__":
    main()
