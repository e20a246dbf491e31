"""An opened checkpoint in, the encoder of its subwords out, tried on one string before anyone relies on it."""

import json
import tempfile
import unicodedata
import warnings
from pathlib import Path
from typing import Any, Mapping

from ..text.subwords import FastTokenizerEncoder, SentencePieceEncoder, SlowTokenizerEncoder, SubwordEncoder
from .hf_checkpoint import FAIRSEQ_TYPES, SENTENCEPIECE, Checkpoint

# Half-width, full-width, squared and decomposed: transformers 5 loads LUKE's tokenizer without its NFKC.
PLAIN_PROBE = "東京と大阪へ行った。"
PROBE = "ﾄﾞｰﾑ　ＡＢＣ１２３㈱か\u3099"


def open_encoder(checkpoint: Checkpoint) -> SubwordEncoder:
    """Choose what encodes this checkpoint's subwords, and check it.

    A sentencepiece.bpe.model in fairseq's layout is read by sentencepiece itself; else a fast tokenizer, else a
    slow one. Raises a ValueError when none works, or when it does not fit the checkpoint.
    """
    if SENTENCEPIECE in checkpoint.files and checkpoint.config.get("model_type") in FAIRSEQ_TYPES:
        return open_sentencepiece(checkpoint)
    tokenizer = open_hf_tokenizer(checkpoint)
    encoder = FastTokenizerEncoder(tokenizer) if tokenizer.is_fast else SlowTokenizerEncoder(tokenizer)
    probe_hf_encoder(checkpoint, encoder)
    return encoder


def open_sentencepiece(checkpoint: Checkpoint) -> SentencePieceEncoder:
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(checkpoint.files[SENTENCEPIECE])
        n_pieces = processor.get_piece_size()
    except RuntimeError as error:
        raise ValueError(f"{SENTENCEPIECE} of the checkpoint {checkpoint.name} is damaged: {error}") from error
    control_ids = {piece: processor.piece_to_id(piece) for piece in ("<unk>", "<s>", "</s>")}
    if n_pieces == 0 or control_ids != {"<unk>": 0, "<s>": 1, "</s>": 2}:
        raise ValueError(
            f"{SENTENCEPIECE} of the checkpoint {checkpoint.name} has {control_ids}, but the layout of "
            "XLM-RoBERTa and LUKE is <unk> 0, <s> 1, </s> 2"
        )
    encoder = SentencePieceEncoder(processor)
    check_special_ids(checkpoint, {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2})
    check_vocabulary_size(checkpoint, n_pieces)
    wide, plain = encoder.encode(PROBE), encoder.encode(unicodedata.normalize("NFKC", PROBE))
    direct = [3 if i == 0 else i + 1 for i in processor.encode(PROBE, out_type=int)]
    if wide.ids.tolist() != direct or direct != plain.ids.tolist():
        raise ValueError(
            f"{SENTENCEPIECE} of the checkpoint {checkpoint.name} gives {direct} for {PROBE!r} and "
            f"{plain.ids.tolist()} for the same in NFKC; the layout of XLM-RoBERTa and LUKE normalises by NFKC"
        )
    return encoder


def check_special_ids(checkpoint: Checkpoint, expected: Mapping[str, Any]) -> None:
    """expected: config.json's key → the tokenizer's id; None where either has no such subword."""
    for key, special_id in expected.items():
        configured = checkpoint.config.get(key)
        if configured is not None and special_id is not None and configured != special_id:
            raise ValueError(
                f"config.json of the checkpoint {checkpoint.name} says {key} {configured}, its tokenizer {special_id}; "
                "this is not the tokenizer the checkpoint was trained with"
            )


def check_vocabulary_size(checkpoint: Checkpoint, n_pieces: int) -> None:
    """In fairseq's layout the vocabulary is the pieces, one more for the shift, <mask>, and the added tokens."""
    added = json.loads(checkpoint.files.get("added_tokens.json", b"{}"))
    # XLM-RoBERTa's files may list <mask> as added too, with the id that it has anyway.
    misplaced = [token for token, i in added.items() if i <= n_pieces]
    if misplaced:
        raise ValueError(
            f"added_tokens.json of the checkpoint {checkpoint.name} gives {misplaced[0]} the id {added[misplaced[0]]}, "
            f"which is that of one of the {n_pieces} pieces of its tokenizer; this is not the tokenizer the checkpoint "
            "was trained with"
        )
    check_rows(checkpoint, 1 + max([n_pieces + 1, *added.values()]))


def check_rows(checkpoint: Checkpoint, n_ids: int) -> None:
    """Whether the embedding table has a row for each id; one that has many more may be another tokenizer's.

    n_ids: every id that the tokenizer can give is smaller.
    """
    size = checkpoint.vocab_size
    sizes = f"the tokenizer of the checkpoint {checkpoint.name} has {n_ids} subwords, but config.json says vocab_size {size}"
    if n_ids > size:
        raise ValueError(f"{sizes}; this is not the tokenizer the checkpoint was trained with")
    if not is_rounded_up(size, n_ids):
        # So it is when tokens were added, and with DeBERTa v3, which has 100 rows to spare.
        warnings.warn(
            f"{sizes}; if it is not the tokenizer the checkpoint was trained with, its ids mean other subwords, and if "
            "tokens were added to it, they are read as any other text"
        )


def is_rounded_up(size: int, n_ids: int) -> bool:
    """Whether an embedding table of `size` rows is one for n_ids, perhaps filled up to a multiple of 8 … 128."""
    return any(-(-n_ids // multiple) * multiple == size for multiple in (1, 8, 16, 32, 64, 128))


def open_hf_tokenizer(checkpoint: Checkpoint) -> Any:
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as directory:
        for name, content in checkpoint.files.items():
            (Path(directory) / name).write_bytes(content)
        try:
            return AutoTokenizer.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
        except Exception as error:  # transformers raises all kinds, according to what is missing
            raise ValueError(
                f"the tokenizer of the checkpoint {checkpoint.name} cannot be opened: {error}. A {SENTENCEPIECE} in "
                "fairseq's layout, a tokenizer.json, or a slow tokenizer that transformers knows is needed"
            ) from error


def probe_hf_encoder(checkpoint: Checkpoint, encoder: Any) -> None:
    tokenizer = encoder.tokenizer
    check_special_ids(
        checkpoint, {key: getattr(tokenizer, key) for key in ("bos_token_id", "pad_token_id", "eos_token_id")}
    )
    check_rows(checkpoint, encoder.n_ids)
    for text in (PLAIN_PROBE, PROBE):
        found = encoder.encode(text).ids.tolist()
        expected = tokenizer(text, add_special_tokens=False)["input_ids"]
        if not found or found != expected:
            raise ValueError(
                f"the tokenizer of the checkpoint {checkpoint.name} ({type(tokenizer).__name__}) gives {found} for "
                f"{text!r} with offsets, and {expected} without; its subwords cannot be relied on"
            )
    if isinstance(encoder, FastTokenizerEncoder):
        offsets = encoder.backend.encode(PLAIN_PROBE, add_special_tokens=False).offsets
        if {char for start, end in offsets for char in range(start, end)} != set(range(len(PLAIN_PROBE))):
            raise ValueError(
                f"the tokenizer of the checkpoint {checkpoint.name} ({type(tokenizer).__name__}) gives no character "
                f"offsets that can be relied on: its subwords of {PLAIN_PROBE!r} stand at {offsets}"
            )
