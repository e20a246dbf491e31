"""A checkpoint in, an error for one that cannot be right here: what it lacks, and what can be taken instead."""

import json
import warnings
from typing import Any, Mapping, Optional

from .tokenizer_families import find_model
from .tokenizer_json import can_build
from .tokenizer_settings import CUTS_WORDS, PLAIN_CLASSES, TokenizerSettings

LIKE_TOHOKU = "tohoku-nlp/bert-base-japanese-v3 (MeCab and WordPiece)"
LIKE_MODERN = "sbintuitions/modernbert-ja-130m"
# Tokenizer class → what it is, and the nearest checkpoint that works.
KNOWN_CLASSES = {
    "DistilBertJapaneseTokenizer": ("MeCab and sentencepiece by line-distilbert's own code", LIKE_TOHOKU),
    "ElectraSudachipyTokenizer": ("Sudachi's words by the package SudachiTra", LIKE_TOHOKU),
    "BertSudachipyTokenizer": ("Sudachi's words by the package SudachiTra", LIKE_TOHOKU),
}
# model_type → why its checkpoints have no subwords.
WITHOUT_SUBWORDS = {
    "canine": "reads characters by their code points and has no vocabulary",
    "byt5": "reads bytes and has no vocabulary",
    "perceiver": "reads bytes and has no vocabulary",
}


def refuse_tokenizer(checkpoint: Any, tokenizer: TokenizerSettings) -> None:
    """Raise a ValueError for a tokenizer whose class nothing here reads, before its vocabulary is read as another's."""
    kind, name = tokenizer.kind, checkpoint.name
    if kind == CUTS_WORDS or kind in PLAIN_CLASSES or find_model(checkpoint, kind):
        return
    what, instead = KNOWN_CLASSES.get(kind, ("", ""))
    needs_code = tokenizer.own_code and not is_in_transformers(kind)
    if what or needs_code:
        by = what or f"the checkpoint's own code ({tokenizer.own_code})"
        raise ValueError(
            f"the tokenizer of the checkpoint {name} is {kind}: {by}, which is not run here. "
            + (f"The nearest checkpoint that works is {instead}. " if instead else "")
            + "If a tokenizer.json says all that it does, give PreTrainedTokenizerFast as tokenizer_class in "
            "tokenizer_config.json"
        )
    if is_in_transformers(kind):
        return
    if can_build(checkpoint, tokenizer):
        warnings.warn(
            f"the tokenizer of the checkpoint {name} is {kind}, which transformers does not have; its tokenizer.json "
            "is read as it stands, and what that class does beyond it is not done"
        )
        return
    raise ValueError(
        f"the tokenizer of the checkpoint {name} is {kind}, which transformers does not have, and it has no "
        f"tokenizer.json. Save it as a fast tokenizer where it works, or take {LIKE_MODERN} or {LIKE_TOHOKU}"
    )


def is_in_transformers(kind: str) -> bool:
    import transformers

    return any(hasattr(transformers, name) for name in (kind, f"{kind}Fast"))


def why_no_tokenizer(name: str, config: Mapping[str, Any], files: Mapping[str, bytes]) -> Optional[str]:
    """Why a checkpoint has no file of a vocabulary; None where that is not known.

    files: its small files.
    """
    reason = WITHOUT_SUBWORDS.get(str(config.get("model_type")))
    if reason is not None:
        return (
            f"the checkpoint {name} is a {config['model_type']}, which {reason}: there are no subwords to tag. The "
            "nearest that works is an encoder with pieces of one character, tohoku-nlp/bert-base-japanese-char-v3"
        )
    try:
        settings = json.loads(files.get("tokenizer_config.json", b"{}"))
    except ValueError:
        return None
    named = settings.get("auto_map") if isinstance(settings, dict) else None
    own_code = f"the tokenizer of the checkpoint {name} is its own code ({named}), which is not run here"
    return own_code if named else None


def describe_own_code(config: Mapping[str, Any]) -> str:
    """A sentence on a network that is a checkpoint's own code, for an error; empty where it is not."""
    code = config.get("auto_map")
    if not isinstance(code, dict) or not code:
        return ""
    named = ", ".join(sorted(map(str, code.values()))[:2])
    return (
        f". Its network is the checkpoint's own code ({named}), which is not run here; the nearest that works is "
        f"{LIKE_MODERN}"
    )
