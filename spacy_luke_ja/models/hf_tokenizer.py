"""An opened checkpoint in, the encoder of its subwords out, tried on two strings before anyone relies on it.

One rule for all families, which transformers' own reading of tokenizers has no part in: a tokenizer.json is read by
`tokenizers` itself (tokenizer_json.py); where there is none, a sentencepiece model is read by sentencepiece
(tokenizer_families.py); LUKE's and XLM-RoBERTa's always is. What is left are transformers' slow tokenizers, such as
BertJapaneseTokenizer.
"""

import importlib.util
import json
import tempfile
import unicodedata
import warnings
from pathlib import Path
from typing import Any, List, Mapping

from ..text.subwords import SentencePieceEncoder, SubwordEncoder, fairseq_layout
from ..text.tokenizer_encoders import FastTokenizerEncoder, SlowTokenizerEncoder
from .hf_checkpoint import FAIRSEQ_TYPES, SENTENCEPIECE, Checkpoint
from .refusals import refuse_tokenizer
from .tokenizer_families import FAMILIES, SENTENCEPIECE_FILES, find_model, load_sentencepiece, open_family
from .tokenizer_json import can_build, default_specials, open_tokenizer_json
from .tokenizer_settings import CUTS_WORDS, TokenizerSettings, read_settings
from .word_segmenters import cut_words_first, settle_segmenter

# Half-width, full-width, squared and decomposed: transformers 5 loads LUKE's tokenizer without its NFKC.
PLAIN_PROBE = "東京と大阪へ行った。"
PROBE = "ﾄﾞｰﾑ　ＡＢＣ１２３㈱か\u3099"

# So many rows more than twice its ids, and a table is another tokenizer's.
SPARE_ROWS = 128


def open_encoder(checkpoint: Checkpoint) -> SubwordEncoder:
    """Choose what encodes this checkpoint's subwords, and check it.

    Raises a ValueError when nothing does, or when it does not fit the checkpoint.
    """
    if SENTENCEPIECE in checkpoint.files and checkpoint.config.get("model_type") in FAIRSEQ_TYPES:
        return open_sentencepiece(checkpoint)
    checkpoint = settle_tokenizer(checkpoint)
    tokenizer = read_settings(checkpoint)
    refuse_tokenizer(checkpoint, tokenizer)
    sp_file = find_model(checkpoint, tokenizer.kind)
    encoder: Any
    if tokenizer.kind == CUTS_WORDS:
        encoder = SlowTokenizerEncoder(open_slow_tokenizer(checkpoint, tokenizer))
    elif can_build(checkpoint, tokenizer):
        encoder = open_tokenizer_json(checkpoint, tokenizer)
    elif sp_file is not None:
        encoder = open_family(checkpoint, tokenizer, sp_file)
    else:
        encoder = SlowTokenizerEncoder(open_slow_tokenizer(checkpoint, tokenizer))
    check_encoder(checkpoint, encoder)
    return cut_words_first(checkpoint, tokenizer, encoder)


def settle_tokenizer(checkpoint: Checkpoint) -> Checkpoint:
    """The same checkpoint, with all in its files that its subwords depend on, so that they stay as they are.

    Whoever loads weights keeps this one, and saves it.
    """
    return checkpoint if checkpoint.config.get("model_type") in FAIRSEQ_TYPES else settle_segmenter(checkpoint)


def open_sentencepiece(checkpoint: Checkpoint) -> SentencePieceEncoder:
    """LUKE's and XLM-RoBERTa's own layout, whatever other files say."""
    processor = load_sentencepiece(checkpoint.name, SENTENCEPIECE, checkpoint.files[SENTENCEPIECE])
    control_ids = {piece: processor.piece_to_id(piece) for piece in ("<unk>", "<s>", "</s>")}
    if control_ids != {"<unk>": 0, "<s>": 1, "</s>": 2}:
        raise ValueError(
            f"{SENTENCEPIECE} of the checkpoint {checkpoint.name} has {control_ids}, but the layout of "
            "XLM-RoBERTa and LUKE is <unk> 0, <s> 1, </s> 2"
        )
    encoder = SentencePieceEncoder(processor, fairseq_layout(processor.get_piece_size(), checkpoint.line_break_id))
    check_special_ids(checkpoint, {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2})
    check_vocabulary_size(checkpoint, processor.get_piece_size())
    wide, plain = encoder.encode(PROBE), encoder.encode(unicodedata.normalize("NFKC", PROBE))
    direct = [3 if i == 0 else i + 1 for i in processor.encode(PROBE, out_type=int)]
    if wide.ids.tolist() != direct or direct != plain.ids.tolist():
        raise ValueError(
            f"{SENTENCEPIECE} of the checkpoint {checkpoint.name} gives {direct} for {PROBE!r} and "
            f"{plain.ids.tolist()} for the same in NFKC; the layout of XLM-RoBERTa and LUKE normalises by NFKC"
        )
    return encoder


def check_special_ids(checkpoint: Checkpoint, expected: Mapping[str, Any]) -> None:
    """expected: config.json's key → the tokenizer's id; None where either has no such subword.

    Raises a ValueError for another padding, whose row is no subword's; the ids of other ones are the tokenizer's own
    business in an encoder, and call for a warning.
    """
    for key, special_id in expected.items():
        configured = checkpoint.config.get(key)
        if configured is None or special_id is None or configured == special_id:
            continue
        says = f"config.json of the checkpoint {checkpoint.name} says {key} {configured}, its tokenizer {special_id}"
        if key == "pad_token_id":
            raise ValueError(f"{says}; this is not the tokenizer the checkpoint was trained with")
        warnings.warn(f"{says}, which is what texts get")


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
    told = f"the tokenizer of the checkpoint {checkpoint.name} has {n_ids} subwords, but config.json says vocab_size"
    sizes = f"{told} {size}"
    if n_ids > size or size > 2 * n_ids + SPARE_ROWS:
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


def open_slow_tokenizer(checkpoint: Checkpoint, tokenizer: TokenizerSettings) -> Any:
    """One of transformers' tokenizers written in Python. Raises a ValueError where there is none."""
    import transformers

    needed = (
        "a tokenizer.json, the sentencepiece model of a family that is known here, or a tokenizer in Python that "
        "transformers has is needed"
    )
    with tempfile.TemporaryDirectory() as directory:
        for name, content in checkpoint.files.items():
            (Path(directory) / name).write_bytes(content)
        settings: Any = {"local_files_only": True, "trust_remote_code": False}
        try:
            if tokenizer.kind == CUTS_WORDS:
                opened: Any = transformers.BertJapaneseTokenizer.from_pretrained(directory, local_files_only=True)
            else:
                opened = transformers.AutoTokenizer.from_pretrained(directory, use_fast=False, **settings)
        except Exception as error:  # transformers raises all kinds, according to what is missing
            raise ValueError(
                f"the tokenizer of the checkpoint {checkpoint.name} ({tokenizer.kind}) cannot be opened: "
                f"{what_is_missing(tokenizer) or error}; {needed}"
            ) from error
    if opened.is_fast:
        raise ValueError(
            f"the tokenizer of the checkpoint {checkpoint.name} ({tokenizer.kind}) has other subwords in each version "
            f"of transformers: {needed}. Open it once with transformers 4 and save it, which writes a tokenizer.json"
        )
    return opened


def what_is_missing(tokenizer: TokenizerSettings) -> str:
    """Which package a tokenizer that cuts words needs and lacks; empty where it is another trouble."""
    settings = tokenizer.settings
    cuts = settings.get("word_tokenizer_type")
    if cuts == "mecab":
        options = settings.get("mecab_kwargs") or {}
        dictionary = options.get("mecab_dic", "unidic_lite") or ""
        for module in ("fugashi", dictionary if dictionary in ("unidic_lite", "ipadic", "unidic") else ""):
            if module and importlib.util.find_spec(module) is None:
                return (
                    f"it cuts words with MeCab and the dictionary {dictionary or 'of mecab_option'}, and {module} is "
                    'not installed; run: pip install "spacy-luke-ja[mecab]"'
                )
    return ""


def check_encoder(checkpoint: Checkpoint, encoder: Any) -> None:
    """Raise a ValueError where ids, sizes or offsets do not fit the checkpoint's files."""
    specials = special_ids(checkpoint, encoder)
    check_special_ids(checkpoint, specials)
    check_rows(checkpoint, encoder.n_ids)
    probe_hf_encoder(checkpoint, encoder)


def special_ids(checkpoint: Checkpoint, encoder: Any) -> Mapping[str, Any]:
    """What the tokenizer's files call the special subwords that config.json numbers, too; None for what they do not."""
    tokenizer = read_settings(checkpoint)
    keys = ("bos_token", "pad_token", "eos_token")
    if isinstance(encoder, SlowTokenizerEncoder):
        return {f"{key}_id": getattr(encoder.tokenizer, f"{key}_id") for key in keys}
    if isinstance(encoder, SentencePieceEncoder):
        numbers = {token: i for i, token in encoder.layout.special_names.items()}
        names: Mapping[str, str] = {**FAMILIES[tokenizer.kind].specials, **tokenizer.specials}
        return {f"{key}_id": numbers.get(names.get(key, "")) for key in keys}
    names = {**default_specials(tokenizer.kind), **tokenizer.specials}
    return {f"{key}_id": encoder.backend.token_to_id(names[key]) for key in keys if key in names}


def probe_hf_encoder(checkpoint: Checkpoint, encoder: Any) -> None:
    """Raise a ValueError where an encoder gives no subwords, others than its files have, or no offsets."""
    vocabulary = read_vocabulary(checkpoint) if isinstance(encoder, SlowTokenizerEncoder) else []
    for text in (PLAIN_PROBE, PROBE):
        ids = encoder.encode(text).ids.tolist()
        names = encoder.piece_names(ids) if vocabulary else []
        in_files = [vocabulary[i] for i in ids if i < len(vocabulary)]
        if not ids or names != in_files:
            raise ValueError(
                f"the tokenizer of the checkpoint {checkpoint.name} gives {ids} for {text!r}, which it calls {names} "
                f"and its files {in_files}; its subwords cannot be relied on"
            )
    if isinstance(encoder, FastTokenizerEncoder):
        offsets = encoder.backend.encode(PLAIN_PROBE, add_special_tokens=False).offsets
        if {char for start, end in offsets for char in range(start, end)} != set(range(len(PLAIN_PROBE))):
            raise ValueError(
                f"the tokenizer of the checkpoint {checkpoint.name} gives no character offsets that can be relied on: "
                f"its subwords of {PLAIN_PROBE!r} stand at {offsets}"
            )


def read_vocabulary(checkpoint: Checkpoint) -> List[str]:
    """The pieces of the vocab.txt that is the vocabulary; empty where another file is."""
    others = {"tokenizer.json", "vocab.json", *SENTENCEPIECE_FILES} & checkpoint.files.keys()
    if "vocab.txt" not in checkpoint.files or others:
        return []
    return [line.rstrip("\r") for line in checkpoint.files["vocab.txt"].decode("utf8").split("\n")]
