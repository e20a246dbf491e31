"""A size in, a LUKE token classifier with random weights out, in the layout of the published ones.

    python benchmarks/speed_checkpoints.py base build/bench/base

Files and tensors are those of Mizuiro-sakura/luke-japanese-base-finetuned-ner, entity vocabulary and entity embeddings
included: whoever loads it has as much to read. The subwords are those of the embedded checkpoint, with pieces that no
text has added until the vocabulary is as large. The outside tag is likelier than the others, so that a sentence has
a few entities as real ones have.
"""

import argparse
import json
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Tuple

from spacy_luke_ja.models.hf_checkpoint import OWN_KEYS

ROOT = Path(__file__).parents[1]
EMBEDDED = ROOT / "spacy_luke_ja" / "pretrained" / "ja_luke_ner_sm"
SENTENCEPIECE = "sentencepiece.bpe.model"
OUTSIDE_BIAS = 2.5  # found by trying: about two entities in a sentence for the base size
SPECIAL_ENTITIES = {"[MASK2]": 3, "[MASK]": 0, "[PAD]": 2, "[UNK]": 1}


@dataclass(frozen=True)
class Size:
    width: int
    n_layers: int
    n_heads: int
    inner_width: int
    n_entities: int = 570_505
    entity_width: int = 256
    n_pieces: int = 32_768  # the vocabulary has four ids more


SIZES = {"base": Size(768, 12, 12, 3072), "large": Size(1024, 24, 16, 4096)}


def tensor_shapes(size: Size, n_tags: int) -> Dict[str, Tuple[int, ...]]:
    """Name → shape of each tensor of LukeForTokenClassification."""
    width = size.width
    shapes: Dict[str, Tuple[int, ...]] = {}

    def linear(name: str, n_out: int, n_in: int) -> None:
        shapes.update({f"{name}.weight": (n_out, n_in), f"{name}.bias": (n_out,)})

    def norm(name: str) -> None:
        shapes.update({f"{name}.weight": (width,), f"{name}.bias": (width,)})

    shapes["luke.embeddings.word_embeddings.weight"] = (size.n_pieces + 4, width)
    shapes["luke.entity_embeddings.entity_embeddings.weight"] = (size.n_entities, size.entity_width)
    shapes["luke.entity_embeddings.entity_embedding_dense.weight"] = (width, size.entity_width)
    for embeddings in ("luke.embeddings", "luke.entity_embeddings"):
        shapes[f"{embeddings}.position_embeddings.weight"] = (514, width)
        shapes[f"{embeddings}.token_type_embeddings.weight"] = (1, width)
        norm(f"{embeddings}.LayerNorm")
    for i in range(size.n_layers):
        layer = f"luke.encoder.layer.{i}"
        for part in ("query", "key", "value", "w2e_query", "e2w_query", "e2e_query"):
            linear(f"{layer}.attention.self.{part}", width, width)
        linear(f"{layer}.attention.output.dense", width, width)
        norm(f"{layer}.attention.output.LayerNorm")
        linear(f"{layer}.intermediate.dense", size.inner_width, width)
        linear(f"{layer}.output.dense", width, size.inner_width)
        norm(f"{layer}.output.LayerNorm")
    linear("classifier", n_tags, width)
    return shapes


def write_checkpoint(path: Path, size: Size, *, seed: int = 0) -> Path:
    """Write the directory, unless it is there already: config.json comes last."""
    if (path / "config.json").exists():
        return path
    import torch
    from safetensors.torch import save_file

    path.mkdir(parents=True, exist_ok=True)
    config = json.loads((EMBEDDED / "config.json").read_text(encoding="utf8"))
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in tensor_shapes(size, len(config["id2label"])).items():
        if name.endswith(".bias"):
            tensors[name] = torch.zeros(shape)
        elif name.endswith("LayerNorm.weight"):
            tensors[name] = torch.ones(shape)
        else:
            tensors[name] = torch.empty(shape).normal_(std=0.02, generator=generator)
    tensors["classifier.bias"][0] = OUTSIDE_BIAS
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})

    write_tokenizer(path, size)
    config = {key: value for key, value in config.items() if key not in OWN_KEYS}
    config.update(
        vocab_size=size.n_pieces + 4, hidden_size=size.width, num_hidden_layers=size.n_layers,
        num_attention_heads=size.n_heads, intermediate_size=size.inner_width,
        entity_vocab_size=size.n_entities, entity_emb_size=size.entity_width, use_entity_aware_attention=True,
    )  # fmt: skip
    write_json(path / "config.json", config)
    return path


def write_tokenizer(path: Path, size: Size) -> None:
    n = size.n_pieces
    (path / SENTENCEPIECE).write_bytes(with_unused_pieces((EMBEDDED / SENTENCEPIECE).read_bytes(), n))
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        (path / name).write_bytes((EMBEDDED / name).read_bytes())
    write_json(path / "added_tokens.json", {"<ent2>": n + 3, "<ent>": n + 2})
    names = {f"百科の見出し語{i}": i for i in range(len(SPECIAL_ENTITIES), size.n_entities)}
    write_json(path / "entity_vocab.json", {**SPECIAL_ENTITIES, **names})


def with_unused_pieces(model: bytes, n_pieces: int) -> bytes:
    """Append pieces of the type UNUSED to a sentencepiece model until it has n_pieces.

    A serialised protobuf followed by another is both merged: https://protobuf.dev/programming-guides/encoding/#last-one-wins
    """
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor()
    processor.LoadFromSerializedProto(model)
    n_own = processor.get_piece_size()
    if n_own > n_pieces:
        raise ValueError(f"the sentencepiece model has {n_own} pieces already, more than {n_pieces}")
    parts = [model]
    for i in range(n_own, n_pieces):
        name = f"unused{i}".encode()
        # SentencePiece: 1 piece, a string; 2 score, a float; 3 type, where 5 is UNUSED. ModelProto: 1 pieces.
        piece = b"\x0a" + bytes([len(name)]) + name + b"\x15" + struct.pack("<f", 0.0) + b"\x18\x05"
        parts.append(b"\x0a" + bytes([len(piece)]) + piece)
    return b"".join(parts)


def write_with_fast_tokenizer(path: Path, source: Path) -> Path:
    """The checkpoint `source` with a tokenizer.json in place of LUKE's tokenizer, its weights linked.

    For those who cannot run LUKE's: nearly the same subwords (NFKC stands for the model's own normalisation).
    """
    import sentencepiece
    from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
    from tokenizers.models import Unigram

    path.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "model.safetensors"):
        (path / name).unlink(missing_ok=True)
        os.symlink((source / name).resolve(), path / name)
    sp = sentencepiece.SentencePieceProcessor()
    sp.LoadFromSerializedProto((source / SENTENCEPIECE).read_bytes())
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    pieces: List[Tuple[str, float]] = [(piece, 0.0) for piece in special]
    # Unused pieces keep their ids and lose to any other.
    pieces += [(sp.id_to_piece(i), -1e4 if sp.is_unused(i) else sp.get_score(i)) for i in range(3, sp.get_piece_size())]
    tokenizer = Tokenizer(Unigram([*pieces, ("<mask>", 0.0)], unk_id=3))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens([*special, "<mask>"])
    tokenizer.save(str(path / "tokenizer.json"))
    config = json.loads((source / "config.json").read_text(encoding="utf8"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": config["max_position_embeddings"] - 2,
        "model_input_names": ["input_ids", "attention_mask"], "bos_token": "<s>", "cls_token": "<s>",
        "eos_token": "</s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>",
    }  # fmt: skip
    write_json(path / "tokenizer_config.json", settings)
    return path


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2), encoding="utf8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("size", choices=list(SIZES))
    parser.add_argument("path", type=Path)
    args = parser.parse_args()
    write_checkpoint(args.path, SIZES[args.size])


if __name__ == "__main__":
    main()
