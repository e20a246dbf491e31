"""An encoder of subwords in, a tokenizer.json with which `tokenizers` gives the same ids out, or why there is none.

A sentencepiece model becomes a Unigram model with sentencepiece's own table of normalisation. `tokenizers` applies
that table (Precompiled) by grapheme, and so it tears a letter from its mark, ﾄ from ﾞ: its issues 2116 and 2334.
Here every mark is cut off before, and composed with its letter (NFC) behind the table.
"""

import base64
import json
import re
from typing import Any, Dict, List, Mapping, Tuple

from ..text.characters import RARE_LINE_BREAK
from ..text.subwords import PieceLayout, SentencePieceEncoder, SubwordEncoder, fairseq_layout
from ..text.tokenizer_encoders import FastTokenizerEncoder
from .hf_checkpoint import SENTENCEPIECE, Checkpoint
from .sentencepiece_file import (
    BYTE,
    CONTROL,
    NORMAL,
    UNIGRAM,
    UNKNOWN,
    UNUSED,
    USER_DEFINED,
    SentencePieceFile,
    read_sentencepiece_file,
)
from .tokenizer_json import EMPTY, added_tokens, default_specials, template
from .tokenizer_settings import read_settings

CONFIG = "tokenizer_config.json"
SPECIALS = {
    "bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>",
    "unk_token": "<unk>", "mask_token": "<mask>",
}  # fmt: skip
# A control character, which sentencepiece removes anyway, and which no mark joins.
CUT = "\x01"
# Of the private use area: what stands for a mark between lines on its way through the table, where a special subword
# that a text has is cut, and what stands for these two in texts themselves.
LINE_MARK, SPECIAL_CUT, PRIVATE = "\ue000", "\ue001", "\ue002"


class NotExportable(ValueError):
    """What a directory for transformers cannot hold."""


def export_tokenizer(checkpoint: Checkpoint, encoder: SubwordEncoder, *, max_subwords: int) -> Dict[str, str]:
    """
    max_subwords: what the encoder takes at once, special ones included.
    RETURNS: file name → content, tokenizer.json and tokenizer_config.json; raises NotExportable.
    """
    kind = read_settings(checkpoint).kind
    if isinstance(encoder, SentencePieceEncoder) and is_fairseq(encoder.layout):
        names = SPECIALS
        content = from_sentencepiece(checkpoint, read_sentencepiece_file(checkpoint.files[SENTENCEPIECE]))
    elif isinstance(encoder, FastTokenizerEncoder):
        names = {**default_specials(kind), **read_settings(checkpoint).specials}
        content = json.loads(encoder.backend.to_str())
        content["normalizer"] = in_sequence([*line_breaks(), *filter(None, [content.get("normalizer")])])
        if content["model"]["type"] == "Unigram":  # in which special subwords are pieces like any other
            cut = cut_controls(encoder.piece_names(encoder.control_ids))
            before = [step for step in [content.get("pre_tokenizer")] if step]
            content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [*before, cut]}
    else:
        raise NotExportable(
            f"the tokenizer of the checkpoint {checkpoint.name} ({kind}) does more than a tokenizer.json can say; "
            "exported are LUKE's and XLM-RoBERTa's, and those that are a tokenizer.json already"
        )
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_subwords,
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
        "split_special_tokens": True,  # a "<s>" in a text is text
        **names,
    }
    dump = lambda values: json.dumps(values, ensure_ascii=False, indent=1)
    return {"tokenizer.json": dump(content), CONFIG: dump(settings)}


def is_fairseq(layout: PieceLayout) -> bool:
    """Whether pieces are numbered as in XLM-RoBERTa and LUKE."""
    usual = fairseq_layout(layout.n_ids)
    keys = ("prefix_ids", "suffix_ids", "pad_id", "unk_id", "shift", "prepare", "lead", "cuts_commas")
    return all(getattr(layout, key) == getattr(usual, key) for key in keys)


def from_sentencepiece(checkpoint: Checkpoint, model: SentencePieceFile) -> Dict[str, Any]:
    """The content of a tokenizer.json."""
    kinds = {piece.kind for piece in model.pieces}
    if model.algorithm != UNIGRAM or not model.is_plain or kinds & {UNUSED, BYTE}:
        raise NotExportable(
            f"{SENTENCEPIECE} of the checkpoint {checkpoint.name} is no plain Unigram model: with a space before "
            "texts, runs of spaces as one, and no pieces of bytes. No tokenizer.json for another one is known here"
        )
    vocab: List[Tuple[str, float]] = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    best = max((piece.score for piece in model.pieces if piece.kind == NORMAL), default=0.0)
    for text, score, kind in model.pieces[3:]:
        # What sentencepiece gives a piece of the user's, by its bytes, so that it wins.
        vocab.append((text, len(text.encode("utf8")) * best - 0.1 if kind == USER_DEFINED else score))
    vocab.append(("<mask>", 0.0))
    ids = {text: i for i, (text, _) in enumerate(vocab)}
    names = [*SPECIALS.values(), *entity_tokens(checkpoint, len(vocab))]
    controls = [piece.text for piece in model.pieces if piece.kind in (CONTROL, UNKNOWN)]
    normalizer, cuts = normalizers(model.normalization), [*controls, *SPECIALS.values()]
    marks: List[Mapping[str, Any]] = []
    if checkpoint.line_break_id is not None:
        mark = vocab[checkpoint.line_break_id][0]
        normalizer = mark_line_breaks(normalizer, mark)
        cuts = [own for own in cuts if own != mark]
        marks = [{"type": "Split", "pattern": {"String": SPECIAL_CUT}, "behavior": "Removed", "invert": False}]
    return {
        **EMPTY,
        "added_tokens": added_tokens(ids | entity_tokens(checkpoint, len(vocab)), list(dict.fromkeys(names))),
        "normalizer": in_sequence([*line_breaks(), *normalizer]),
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": False},
                cut_controls(cuts),
                *marks,
            ],
        },
        "post_processor": template(
            ["<s>", "A", "</s>"], ["<s>", "A", "</s>", "</s>", "B", "</s>"], {"<s>": 0, "</s>": 2}
        ),
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": False},
        "model": {"type": "Unigram", "unk_id": ids["<unk>"], "vocab": vocab, "byte_fallback": False},
    }


def entity_tokens(checkpoint: Checkpoint, n_ids: int) -> Dict[str, int]:
    """LUKE's <ent> and <ent2>, whose rows come behind all others.

    n_ids: of the others.
    """
    added = json.loads(checkpoint.files.get("added_tokens.json", b"{}"))
    more = {token: i for token, i in sorted(added.items(), key=lambda item: item[1]) if i >= n_ids}
    return more if list(more.values()) == list(range(n_ids, n_ids + len(more))) else {}


def normalizers(table: bytes) -> List[Mapping[str, Any]]:
    """What sentencepiece does to a text before it cuts it.

    table: of the normalisation, empty for none.
    """
    steps: List[Mapping[str, Any]] = []
    if table:
        steps += [
            replace({"Regex": r"(?=\p{M})"}, CUT),
            {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(table).decode("ascii")},
            replace({"String": CUT}, ""),
            {"type": "NFC"},
        ]
    return [*steps, replace({"Regex": " {2,}"}, " "), replace({"Regex": "^ | $"}, "")]


def cut_controls(controls: List[str]) -> Mapping[str, Any]:
    """Cut what is written like a special subword behind its first character, so that no text becomes one."""
    written = "|".join(f"{re.escape(text[0])}(?={re.escape(text[1:])})" for text in dict.fromkeys(controls) if text[1:])
    return {"type": "Split", "pattern": {"Regex": written}, "behavior": "MergedWithPrevious", "invert": False}


def line_breaks() -> List[Mapping[str, Any]]:
    """As text.subwords.as_encodable: a newline for what else breaks lines."""
    return [replace({"Regex": RARE_LINE_BREAK.pattern}, "\n")]


def mark_line_breaks(steps: List[Mapping[str, Any]], mark: str) -> List[Mapping[str, Any]]:
    """As text.subwords.mark_line_breaks: the special subword between lines, which no text becomes otherwise.

    steps: the other ones of the normalizer. mark: what the vocabulary calls the subword.
    """
    return [
        replace({"Regex": f"[{LINE_MARK}{SPECIAL_CUT}]"}, PRIVATE),
        replace({"Regex": r"\A\s+|\s+\z"}, ""),
        replace({"Regex": r"(?<!\s)[^\S\n\r]*[\n\r]\s*"}, f"{LINE_MARK} "),
        *steps,
        replace({"String": mark}, f"{mark[0]}{SPECIAL_CUT}{mark[1:]}"),
        replace({"String": LINE_MARK}, mark),
    ]


def replace(pattern: Mapping[str, str], content: str) -> Mapping[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}


def in_sequence(steps: List[Mapping[str, Any]]) -> Mapping[str, Any]:
    return {"type": "Sequence", "normalizers": steps}
