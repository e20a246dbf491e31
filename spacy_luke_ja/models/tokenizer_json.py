"""A tokenizer.json, or the vocabulary of one, in; the encoder that the library `tokenizers` makes of it out.

transformers 5 rebuilds many tokenizers from the vocabulary of a tokenizer.json and ignores its normaliser. Here it is
read as it stands, with the few settings of tokenizer_config.json that transformers 4 puts above it.
"""

import json
from typing import Any, Dict, Mapping, Optional, Set

from ..text.tokenizer_encoders import FastTokenizerEncoder
from .hf_checkpoint import Checkpoint
from .tokenizer_settings import TokenizerSettings

FILE = "tokenizer.json"
# Their fast tokenizers take case, accents and Chinese characters from tokenizer_config.json.
WORDPIECE_CLASSES = (
    "BertTokenizer", "ConvBertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "FunnelTokenizer",
    "LayoutLMTokenizer", "LxmertTokenizer", "MobileBertTokenizer", "SqueezeBertTokenizer",
)  # fmt: skip
# Byte-level BPE from vocab.json and merges.txt.
BPE_CLASSES = ("RobertaTokenizer", "LongformerTokenizer", "BartTokenizer")
BERT_SPECIALS = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]"}
ROBERTA_SPECIALS = {"unk_token": "<unk>", "sep_token": "</s>", "pad_token": "<pad>", "cls_token": "<s>"}


def can_build(checkpoint: Checkpoint, tokenizer: TokenizerSettings) -> bool:
    """Whether there is a tokenizer.json, or a vocabulary that makes one."""
    files = checkpoint.files
    return (
        FILE in files
        or (tokenizer.kind in WORDPIECE_CLASSES and "vocab.txt" in files)
        or (tokenizer.kind in BPE_CLASSES and "vocab.json" in files and "merges.txt" in files)
    )


def open_tokenizer_json(checkpoint: Checkpoint, tokenizer: TokenizerSettings) -> FastTokenizerEncoder:
    """Raises a ValueError for files that are damaged."""
    from tokenizers import Tokenizer

    files = checkpoint.files
    try:
        if FILE in files:
            content = with_settings(json.loads(files[FILE]), tokenizer)
        elif "vocab.txt" in files and tokenizer.kind in WORDPIECE_CLASSES:
            content = from_vocab_txt(files["vocab.txt"].decode("utf8"), tokenizer)
        else:
            content = from_vocab_json(json.loads(files["vocab.json"]), files["merges.txt"].decode("utf8"), tokenizer)
        backend = Tokenizer.from_str(json.dumps(content))
    except Exception as error:  # `tokenizers` raises plain ones
        found = next(name for name in (FILE, "vocab.txt", "vocab.json") if name in files)
        raise ValueError(f"{found} of the checkpoint {checkpoint.name} is damaged: {error}") from error
    add_missing(checkpoint.name, backend, tokenizer)
    specials = {**default_specials(tokenizer.kind), **tokenizer.specials}
    ids = {key: backend.token_to_id(token) for key, token in specials.items()}
    unk_id = ids.get("unk_token")
    if unk_id is None:
        unk_id = unknown_id(content["model"], backend)
    pad_id = ids.get("pad_token")
    if pad_id is None:
        pad_id = (content.get("padding") or {}).get("pad_id", checkpoint.config.get("pad_token_id") or 0)
    control_ids: Set[int] = {token["id"] for token in content.get("added_tokens") or [] if token.get("special")}
    control_ids |= {i for i in ids.values() if i is not None}
    return FastTokenizerEncoder(backend, pad_id=pad_id, unk_id=unk_id, control_ids=control_ids)


def default_specials(kind: str) -> Dict[str, str]:
    if kind in WORDPIECE_CLASSES:
        return BERT_SPECIALS
    return ROBERTA_SPECIALS if kind in BPE_CLASSES else {}


def unknown_id(model: Mapping[str, Any], backend: Any) -> Optional[int]:
    if isinstance(model.get("unk_id"), int):
        return model["unk_id"]
    return backend.token_to_id(model["unk_token"]) if model.get("unk_token") else None


def with_settings(content: Dict[str, Any], tokenizer: TokenizerSettings) -> Dict[str, Any]:
    """The content of a tokenizer.json with what transformers 4 takes from tokenizer_config.json instead."""
    settings, normalizer, cut = tokenizer.settings, content.get("normalizer"), content.get("pre_tokenizer")
    if tokenizer.kind in WORDPIECE_CLASSES and normalizer and normalizer["type"] == "BertNormalizer":
        normalizer.update(
            lowercase=settings.get("do_lower_case", True),
            strip_accents=settings.get("strip_accents"),
            handle_chinese_chars=settings.get("tokenize_chinese_chars", True),
        )
    if cut and cut["type"] == "ByteLevel":
        cut["add_prefix_space"] = bool(settings.get("add_prefix_space", False))
    if tokenizer.kind == "LlamaTokenizer":
        content["post_processor"] = llama_template(content, tokenizer)
    return content


def llama_template(content: Dict[str, Any], tokenizer: TokenizerSettings) -> Any:
    """What stands around texts, which LlamaTokenizerFast makes anew from its settings."""
    names = {"bos_token": "<s>", "eos_token": "</s>", **tokenizer.specials}
    bos = [names["bos_token"]] * bool(tokenizer.settings.get("add_bos_token", True))
    eos = [names["eos_token"]] * bool(tokenizer.settings.get("add_eos_token", False))
    vocab = content["model"]["vocab"]
    ids = dict(vocab) if isinstance(vocab, dict) else {piece: i for i, (piece, _) in enumerate(vocab)}
    ids.update({token["content"]: token["id"] for token in content.get("added_tokens") or []})
    single = [*bos, "A", *eos]
    return template(single, [*single, *bos, "B", *eos], {token: ids[token] for token in (*bos, *eos)})


def template(single: Any, pair: Any, ids: Mapping[str, int]) -> Dict[str, Any]:
    """A post-processor; in single and pair, "A" and "B" are the texts, of which B has the type 1 with all behind it."""

    def pieces(names: Any) -> Any:
        type_of = lambda i: int("B" in names and i >= names.index("B"))
        return [
            {"Sequence": {"id": name, "type_id": type_of(i)}}
            if name in ("A", "B")
            else {"SpecialToken": {"id": name, "type_id": type_of(i)}}
            for i, name in enumerate(names)
        ]

    special = {token: {"id": token, "ids": [i], "tokens": [token]} for token, i in ids.items()}
    return {"type": "TemplateProcessing", "single": pieces(single), "pair": pieces(pair), "special_tokens": special}


def from_vocab_txt(text: str, tokenizer: TokenizerSettings) -> Dict[str, Any]:
    """WordPiece as BertTokenizerFast makes it from a vocab.txt."""
    words = text.split("\n")
    vocab = {word.rstrip("\r"): i for i, word in enumerate(words[:-1] if not words[-1] else words)}
    names, settings = {**BERT_SPECIALS, **tokenizer.specials}, tokenizer.settings
    cls, sep = names["cls_token"], names["sep_token"]
    is_basic = settings.get("do_basic_tokenize", True)
    return {
        **EMPTY,
        "added_tokens": added_tokens(vocab, [*names.values()]),
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": is_basic and settings.get("tokenize_chinese_chars", True),
            "strip_accents": settings.get("strip_accents") if is_basic else False,
            "lowercase": is_basic and settings.get("do_lower_case", True),
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": template(
            [cls, "A", sep], [cls, "A", sep, "B", sep], {token: vocab[token] for token in (cls, sep)}
        ),
        "model": {
            "type": "WordPiece",
            "unk_token": names["unk_token"],
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocab,
        },
    }


def from_vocab_json(vocab: Dict[str, int], merges: str, tokenizer: TokenizerSettings) -> Dict[str, Any]:
    """Byte-level BPE as RobertaTokenizerFast makes it from vocab.json and merges.txt."""
    names = {**ROBERTA_SPECIALS, **tokenizer.specials}
    cls, sep = names["cls_token"], names["sep_token"]
    prefix_space = bool(tokenizer.settings.get("add_prefix_space", False))
    lines = merges.split("\n")[1:-1]  # without the head and what is behind the last line
    return {
        **EMPTY,
        "added_tokens": added_tokens(vocab, [*names.values()]),
        "pre_tokenizer": {
            "type": "ByteLevel",
            "add_prefix_space": prefix_space,
            "trim_offsets": True,
            "use_regex": True,
        },
        "post_processor": template(
            [cls, "A", sep], [cls, "A", sep, sep, "B", sep], {token: vocab[token] for token in (cls, sep)}
        ),
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": vocab,
            "merges": lines,
        },
    }


EMPTY: Dict[str, Any] = {
    "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "decoder": None,
}  # fmt: skip


def added_tokens(vocab: Mapping[str, int], tokens: Any) -> Any:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    found = {token: vocab[token] for token in tokens if token in vocab}
    return [{"id": i, "content": token, **flags} for token, i in sorted(found.items(), key=lambda item: item[1])]


def add_missing(name: str, backend: Any, tokenizer: TokenizerSettings) -> None:
    """Add what tokenizer_config.json and added_tokens.json list beyond a tokenizer.json."""
    from tokenizers import AddedToken

    decoder = tokenizer.settings.get("added_tokens_decoder") or {}
    flags = {token["content"]: token for token in decoder.values()}
    for token, i in sorted(tokenizer.added.items(), key=lambda item: item[1]):
        if backend.token_to_id(token) is None:
            said = flags.get(token, {})
            options = {key: bool(said.get(key)) for key in ("single_word", "lstrip", "rstrip")}
            is_special = token not in tokenizer.plain_added
            normalized = bool(said.get("normalized", not is_special))
            backend.add_tokens([AddedToken(token, special=is_special, normalized=normalized, **options)])
        if backend.token_to_id(token) != i:
            raise ValueError(
                f"the added subword {token} of the checkpoint {name} should have the id {i}, but {FILE} gives "
                f"{backend.token_to_id(token)}; this is not the tokenizer the checkpoint was trained with"
            )
