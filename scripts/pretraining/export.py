"""An encoder, tagger or answerer in, an embedded checkpoint in the published LUKE's layout out (stage 9).

    python -m scripts.pretraining.export build/pretraining/encoder spacy_luke_ja/pretrained/ja_luke_sm
    python -m scripts.pretraining.export build/pretraining/student spacy_luke_ja/pretrained/ja_luke_ner_sm \
        --calibrate ner.json --everyday data/everyday/dev.jsonl
    python -m scripts.pretraining.export training/luke_qa_sm/model-best/luke_qa/model \
        spacy_luke_ja/pretrained/ja_luke_qa_sm

The weights become float16, or large matrices numbers of eight bits (models/int8.py). What LUKE has beyond XLM-RoBERTa
is there too, so that LukeModel and its classes with a head load what is float16 strictly: an entity vocabulary of the
four special entities, and for the encoder a pooler with an identity matrix. None of these is trained. There are no
queries of entities' own: it is a LUKE without entity-aware attention. The temperature of the scores is fitted to
Stockmark's dev part and the everyday one.
"""

import argparse
import json
from pathlib import Path
from typing import Any, Dict, List

import sentencepiece
import torch
from safetensors.torch import load_file, save_file

from spacy_luke_ja.corpora.formats import read_records
from spacy_luke_ja.corpora.records import Record
from spacy_luke_ja.corpora.stockmark import MD5, read_stockmark, split_records
from spacy_luke_ja.models.int8 import is_rounded, round_matrices

from .blocks import EOS

ENTITY_VOCAB = {"[MASK2]": 3, "[MASK]": 0, "[PAD]": 2, "[UNK]": 1}
ENTITY_WIDTH = 64
# The layer behind the encoder → the class of transformers.
HEADS = {"classifier": "LukeForTokenClassification", "qa_outputs": "LukeForQuestionAnswering"}


def head_of(tensors: Dict[str, torch.Tensor]) -> str:
    """RETURNS: one of HEADS, or "" for a bare encoder."""
    return next((head for head in HEADS if f"{head}.weight" in tensors), "")


def as_luke(tensors: Dict[str, torch.Tensor], width: int, *, eight_bits: bool = False) -> Dict[str, torch.Tensor]:
    """tensors: those of XLM-RoBERTa with a head, or of its encoder; the vocabulary grows by <ent> and <ent2>.

    RETURNS: those of LUKE with the same head, or of LukeModel where there is none.
    """
    luke = {name.replace("roberta.", "luke.", 1): tensor for name, tensor in tensors.items()}
    words = luke["luke.embeddings.word_embeddings.weight"]
    luke["luke.embeddings.word_embeddings.weight"] = torch.cat([words, torch.zeros(2, width)])
    entity = "luke.entity_embeddings."
    luke[f"{entity}entity_embeddings.weight"] = torch.zeros(len(ENTITY_VOCAB), ENTITY_WIDTH)
    luke[f"{entity}entity_embedding_dense.weight"] = torch.zeros(width, ENTITY_WIDTH)
    luke[f"{entity}position_embeddings.weight"] = luke["luke.embeddings.position_embeddings.weight"].clone()
    luke[f"{entity}token_type_embeddings.weight"] = luke["luke.embeddings.token_type_embeddings.weight"].clone()
    for part in ("weight", "bias"):
        luke[f"{entity}LayerNorm.{part}"] = luke[f"luke.embeddings.LayerNorm.{part}"].clone()
    if not head_of(luke):
        luke.update({"luke.pooler.dense.weight": torch.eye(width), "luke.pooler.dense.bias": torch.zeros(width)})
        luke = {name.removeprefix("luke."): tensor for name, tensor in luke.items()}
    rounded = {name: tensor for name, tensor in luke.items() if eight_bits and is_rounded(name)}
    kept = {name: tensor.half().contiguous() for name, tensor in luke.items() if name not in rounded}
    return {**kept, **round_matrices(rounded)}


def fit_temperature_on_dev(checkpoint: Path, records: List[Record]) -> float:
    """The temperature of the checkpoint's scores, by annotated texts that it did not learn from."""
    import spacy_luke_ja
    from spacy_luke_ja.evaluation.calibration import fit_temperature
    from spacy_luke_ja.evaluation.measures import calibration_of
    from spacy_luke_ja.evaluation.run import judge_entities
    from spacy_luke_ja.text.ner import score_entities

    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner", config={"model": {"name": str(checkpoint), "precision": "float32"}})
    entities, correct = judge_entities(nlp, "luke_ner", [(record.text, record.char_spans) for record in records])
    temperature = round(fit_temperature(entities, correct), 3)
    for value in (1.0, temperature):
        error = calibration_of(score_entities(entities, temperature=value), correct)["ece"]
        print(f"temperature {value}: expected calibration error on dev {error:.3f}")
    return temperature


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--calibrate", type=Path, help="Stockmark's ner.json")
    parser.add_argument("--everyday", type=Path, help="more annotated texts for the temperature: everyday/dev.jsonl")
    parser.add_argument("--cut-cost", type=float, default=2.0, help="the classifier's; chosen on dev")
    parser.add_argument("--line-break-cost", type=float, default=0.0, help="the classifier's; chosen on dev")
    parser.add_argument("--window", type=int, default=62, help="subwords in a window of sentences; chosen on dev")
    parser.add_argument("--eight-bits", action="store_true", help="halve the file")
    parser.add_argument("--md5", default=MD5, help='of ner.json; "" takes any file')
    args = parser.parse_args()
    source = args.source
    config: Dict[str, Any] = json.loads((source / "config.json").read_text(encoding="utf8"))
    tensors = as_luke(load_file(source / "model.safetensors"), config["hidden_size"], eight_bits=args.eight_bits)
    args.output.mkdir(parents=True, exist_ok=True)
    head = head_of(tensors)
    if head == "classifier":
        config.setdefault("line_break_id", EOS)  # finetune.py writes its own, if it is given one
        config.update(cut_cost=args.cut_cost, line_break_cost=args.line_break_cost, longest_entity=100)
    if head != "qa_outputs":  # a question is asked of as much as can be
        config["window"] = args.window
    config.update(
        architectures=[HEADS.get(head, "LukeModel")],
        model_type="luke", vocab_size=config["vocab_size"] + 2,
        entity_vocab_size=len(ENTITY_VOCAB), entity_emb_size=ENTITY_WIDTH, use_entity_aware_attention=False,
    )  # fmt: skip
    write_json(args.output / "config.json", config)
    save_file(tensors, args.output / "model.safetensors", metadata={"format": "pt"})
    (args.output / "model.safetensors").chmod(0o644)  # safetensors writes for its owner alone
    model = (source / "sentencepiece.bpe.model").read_bytes()
    (args.output / "sentencepiece.bpe.model").write_bytes(model)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    n_pieces = processor.get_piece_size()
    write_json(args.output / "entity_vocab.json", ENTITY_VOCAB)
    write_json(args.output / "added_tokens.json", {"<ent2>": n_pieces + 3, "<ent>": n_pieces + 2})
    special = {
        "additional_special_tokens": ["<ent>", "<ent2>", "<ent>", "<ent2>"],
        "bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "sep_token": "</s>",
        "unk_token": "<unk>",
        "mask_token": {"content": "<mask>", "lstrip": True, "normalized": True, "rstrip": False, "single_word": False},
    }  # fmt: skip
    write_json(args.output / "special_tokens_map.json", special)
    entity_token = {"__type": "AddedToken", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    tokenizer_config = {
        **special, "tokenizer_class": "MLukeTokenizer", "task": None, "model_max_length": 512, "sp_model_kwargs": {},
        "entity_token_1": {**entity_token, "content": "<ent>"}, "entity_token_2": {**entity_token, "content": "<ent2>"},
        "entity_unk_token": "[UNK]", "entity_pad_token": "[PAD]", "entity_mask_token": "[MASK]",
        "entity_mask2_token": "[MASK2]", "max_entity_length": 32, "max_mention_length": 30,
    }  # fmt: skip
    write_json(args.output / "tokenizer_config.json", tokenizer_config)
    if args.calibrate:
        records = split_records(read_stockmark(args.calibrate, md5=args.md5))["dev"]
        everyday = list(read_records(args.everyday)) if args.everyday else []
        config["score_temperature"] = fit_temperature_on_dev(args.output, [*records, *everyday])
        write_json(args.output / "config.json", config)
    size = sum(path.stat().st_size for path in args.output.iterdir())
    print(f"{size / 1e6:.1f} MB in {args.output}")


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2), encoding="utf8")


if __name__ == "__main__":
    main()
