"""A trained pipeline in, an embedded checkpoint in the layout of the published LUKE out (stage 4).

    python scripts/embedded/export.py --pipeline build/embedded/trained --output spacy_luke_ja/pretrained/ja_luke_ner_sm

The weights become float16. What LUKE has beyond XLM-RoBERTa is there too, so that LukeForTokenClassification
loads it strictly: an entity vocabulary of the four special entities, and entity queries that copy the word query,
which is how LUKE starts them.
"""

import argparse
import json
from pathlib import Path
from typing import Dict

import sentencepiece
import torch
from safetensors.torch import load_file, save_file

ENTITY_VOCAB = {"[MASK2]": 3, "[MASK]": 0, "[PAD]": 2, "[UNK]": 1}
ENTITY_WIDTH = 64


def as_luke(tensors: Dict[str, torch.Tensor], n_layers: int, width: int) -> Dict[str, torch.Tensor]:
    """tensors: those of XLMRobertaForTokenClassification; the vocabulary grows by <ent> and <ent2>."""
    luke = {name.replace("roberta.", "luke.", 1): tensor for name, tensor in tensors.items()}
    words = luke["luke.embeddings.word_embeddings.weight"]
    luke["luke.embeddings.word_embeddings.weight"] = torch.cat([words, torch.zeros(2, width)])
    for layer in range(n_layers):
        attention = f"luke.encoder.layer.{layer}.attention.self."
        for query in ("w2e_query", "e2w_query", "e2e_query"):
            for part in ("weight", "bias"):
                luke[f"{attention}{query}.{part}"] = luke[f"{attention}query.{part}"].clone()
    entity = "luke.entity_embeddings."
    luke[f"{entity}entity_embeddings.weight"] = torch.zeros(len(ENTITY_VOCAB), ENTITY_WIDTH)
    luke[f"{entity}entity_embedding_dense.weight"] = torch.zeros(width, ENTITY_WIDTH)
    luke[f"{entity}position_embeddings.weight"] = luke["luke.embeddings.position_embeddings.weight"].clone()
    luke[f"{entity}token_type_embeddings.weight"] = luke["luke.embeddings.token_type_embeddings.weight"].clone()
    for part in ("weight", "bias"):
        luke[f"{entity}LayerNorm.{part}"] = luke[f"luke.embeddings.LayerNorm.{part}"].clone()
    return {name: tensor.half().contiguous() for name, tensor in luke.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pipeline", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    source = args.pipeline / "luke_ner" / "model"
    config = json.loads((source / "config.json").read_text(encoding="utf8"))
    tensors = as_luke(load_file(source / "model.safetensors"), config["num_hidden_layers"], config["hidden_size"])
    args.output.mkdir(parents=True, exist_ok=True)
    config.update(
        architectures=["LukeForTokenClassification"], model_type="luke", vocab_size=config["vocab_size"] + 2,
        entity_vocab_size=len(ENTITY_VOCAB), entity_emb_size=ENTITY_WIDTH, use_entity_aware_attention=True,
    )  # fmt: skip
    write_json(args.output / "config.json", config)
    save_file(tensors, args.output / "model.safetensors", metadata={"format": "pt"})
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
    size = sum(path.stat().st_size for path in args.output.iterdir())
    print(f"{size / 1e6:.1f} MB in {args.output}")


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2), encoding="utf8")


if __name__ == "__main__":
    main()
