"""A sentencepiece model and the settings beside it in, the encoder of its family out: a row of FAMILIES each.

The ids are those of the slow tokenizers of transformers 4, which call sentencepiece. transformers 5 rebuilds most of
them from the vocabulary alone, with another normalisation.
"""

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ..text.preparation import (
    Preparation,
    hide_word_starts,
    lower,
    put_word_start,
    replace_quotes,
    squeeze_blanks,
    strip_accents,
)
from ..text.subwords import PairIds, PieceLayout, SentencePieceEncoder
from .hf_checkpoint import Checkpoint
from .tokenizer_settings import SPECIALS, TokenizerSettings

BERT_SPECIALS = {
    "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]",
}  # fmt: skip
SP_SPECIALS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
# NormalizerSpec.add_dummy_prefix = false; protobuf merges what is said twice.
NO_DUMMY_PREFIX = b"\x1a\x02\x18\x00"


class Family(NamedTuple):
    """What a tokenizer class of transformers does with a sentencepiece model.

    files: the names that the model has, the first one there is read.
    specials: its special subwords where files do not name them.
    before, between, after: special subwords around texts.
    steps: how a text is prepared: "albert" (blanks, quotes, accents), "lower" (as do_lower_case says), "punctuation"
        (cuts, as split_by_punct says), "blanks" (legacy and add_prefix_space, as T5 and Llama have them).
    defaults: settings where tokenizer_config.json says nothing.
    text_type_id: of the second of two texts.
    """

    files: Tuple[str, ...]
    specials: Dict[str, str]
    before: Tuple[str, ...]
    between: Tuple[str, ...]
    after: Tuple[str, ...]
    steps: Tuple[str, ...] = ()
    defaults: Dict[str, Any] = {}
    text_type_id: int = 0


BERT_LIKE: Any = {"before": ("cls_token",), "between": ("sep_token",), "after": ("sep_token",), "text_type_id": 1}
BIG_BIRD = {**SP_SPECIALS, "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
ALBERT = {**BIG_BIRD, "bos_token": "[CLS]", "eos_token": "[SEP]"}
ROBERTA = {**SP_SPECIALS, "cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>"}
FAMILIES = {
    "AlbertTokenizer": Family(
        ("spiece.model",), ALBERT, **BERT_LIKE, steps=("lower", "albert"),
        defaults={"do_lower_case": True, "remove_space": True, "keep_accents": False},
    ),
    "BigBirdTokenizer": Family(("spiece.model",), BIG_BIRD, **BERT_LIKE),
    "CamembertTokenizer": Family(
        ("sentencepiece.bpe.model",), ROBERTA,
        ("cls_token",), ("sep_token", "sep_token"), ("sep_token",),
    ),
    "DebertaV2Tokenizer": Family(
        ("spm.model",), {"bos_token": "[CLS]", "eos_token": "[SEP]", **BERT_SPECIALS}, **BERT_LIKE,
        steps=("lower", "punctuation"), defaults={"do_lower_case": False, "split_by_punct": False},
    ),
    "GemmaTokenizer": Family(
        ("tokenizer.model",), {**SP_SPECIALS, "bos_token": "<bos>", "eos_token": "<eos>"},
        ("bos_token",), ("eos_token", "bos_token"), ("eos_token",),
        defaults={"add_bos_token": True, "add_eos_token": False},
    ),
    "LlamaTokenizer": Family(
        ("tokenizer.model",), {key: token for key, token in SP_SPECIALS.items() if key != "pad_token"},
        ("bos_token",), ("eos_token", "bos_token"), ("eos_token",), steps=("blanks",),
        defaults={"add_bos_token": True, "add_eos_token": False, "legacy": True, "add_prefix_space": True},
    ),
    "RemBertTokenizer": Family(
        ("sentencepiece.model",), {**BERT_SPECIALS, "bos_token": "[CLS]", "eos_token": "[SEP]"}, **BERT_LIKE,
        steps=("lower",), defaults={"do_lower_case": False},
    ),
    "T5Tokenizer": Family(
        ("spiece.model",), {key: token for key, token in SP_SPECIALS.items() if key != "bos_token"},
        (), ("eos_token",), ("eos_token",), steps=("blanks",),
        defaults={"legacy": True, "add_prefix_space": True, "extra_ids": 100},
    ),
    "XLMRobertaTokenizer": Family(
        ("sentencepiece.bpe.model",), ROBERTA,
        ("cls_token",), ("sep_token", "sep_token"), ("sep_token",),
    ),
    "XLNetTokenizer": Family(
        ("spiece.model",), {**SP_SPECIALS, "cls_token": "<cls>", "sep_token": "<sep>", "mask_token": "<mask>"},
        (), ("sep_token",), ("sep_token", "cls_token"), steps=("lower", "albert"), text_type_id=1,
        defaults={"do_lower_case": False, "remove_space": True, "keep_accents": False},
    ),
}  # fmt: skip
# rinna/japanese-roberta-base: T5's tokenizer, told by hand to put [CLS] before a text, nothing behind, and to lower it.
RINNA = FAMILIES["T5Tokenizer"]._replace(before=("cls_token",), after=(), steps=("lower",))
# The names that a sentencepiece model can have.
SENTENCEPIECE_FILES = tuple(dict.fromkeys(name for family in FAMILIES.values() for name in family.files))


def is_rinna(model_type: Any, kind: str, specials: Any) -> bool:
    """Whether a RoBERTa has the tokenizer of rinna/japanese-roberta-base, and counts positions from 0 then."""
    return model_type == "roberta" and kind == "T5Tokenizer" and "cls_token" in specials


def find_model(checkpoint: Checkpoint, kind: str) -> Optional[str]:
    """The name of the file with the sentencepiece model of this class; None where there is none."""
    family = FAMILIES.get(kind)
    return next((name for name in family.files if name in checkpoint.files), None) if family else None


def open_family(checkpoint: Checkpoint, tokenizer: TokenizerSettings, file_name: str) -> SentencePieceEncoder:
    """file_name: of the sentencepiece model, one that the class has. Raises a ValueError for one that is damaged."""
    family = FAMILIES[tokenizer.kind]
    if is_rinna(checkpoint.config.get("model_type"), tokenizer.kind, tokenizer.specials):
        family = RINNA
    settings = {**family.defaults, **{key: value for key, value in tokenizer.settings.items() if value is not None}}
    if family is RINNA:
        settings["do_lower_case"] = True
    keeps_blanks = "blanks" in family.steps and not settings["legacy"]
    model = checkpoint.files[file_name] + (NO_DUMMY_PREFIX if keeps_blanks else b"")
    processor = load_sentencepiece(checkpoint.name, file_name, model)
    if tokenizer.plain_added - {processor.id_to_piece(i) for i in tokenizer.added.values() if i < len(processor)}:
        words = ", ".join(sorted(tokenizer.plain_added)[:3])
        raise ValueError(
            f"the tokenizer of the checkpoint {checkpoint.name} has added words ({words}), which sentencepiece does "
            "not know; save it once with transformers 4 as a fast tokenizer, so that it has a tokenizer.json"
        )
    return SentencePieceEncoder(processor, make_layout(checkpoint.name, family, tokenizer, settings, processor))


def load_sentencepiece(name: str, file_name: str, model: bytes) -> Any:
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(model)
        n_pieces = processor.get_piece_size()
    except RuntimeError as error:
        raise ValueError(f"{file_name} of the checkpoint {name} is damaged: {error}") from error
    if n_pieces == 0:
        raise ValueError(f"{file_name} of the checkpoint {name} is damaged: it has no pieces")
    return processor


def make_layout(
    name: str, family: Family, tokenizer: TokenizerSettings, settings: Dict[str, Any], processor: Any
) -> PieceLayout:
    """settings: those of the tokenizer with the defaults of its class."""
    n_pieces = processor.get_piece_size()
    shift = {"XLMRobertaTokenizer": 1, "CamembertTokenizer": 4}.get(tokenizer.kind, 0)
    unk_id = 3 if shift else processor.unk_id()
    specials = {**family.specials, **tokenizer.specials}
    ids = number_specials(tokenizer, specials, processor, shift)
    check_added(name, tokenizer, processor, shift)
    chosen = {"bos_token": settings.get("add_bos_token", True), "eos_token": settings.get("add_eos_token", True)}
    numbered = (*ids.values(), *tokenizer.added.values())
    before, between, after = (
        tuple(ids[specials[key]] for key in keys if chosen.get(key, True))
        for keys in (family.before, family.between, family.after)
    )
    pair = PairIds(before, between, after, family.text_type_id) if family is not RINNA and before else None
    keeps_blanks = "blanks" in family.steps and not settings["legacy"]
    return PieceLayout(
        prefix_ids=before,
        suffix_ids=after,
        pad_id=ids.get(specials.get("pad_token", ""), 0),
        unk_id=unk_id,
        n_ids=max(n_pieces + shift + int(settings.get("extra_ids", 0)), *(i + 1 for i in numbered)),
        shift=shift,
        pair=pair,
        control_ids=frozenset(ids.values()) - {unk_id},
        special_names={i: token for token, i in (*tokenizer.added.items(), *ids.items())},
        prepare=make_preparation(family, settings),
        lead=specials["unk_token"] if keeps_blanks else "",
        cuts_commas="albert" in family.steps,
    )


def number_specials(
    tokenizer: TokenizerSettings, specials: Dict[str, str], processor: Any, shift: int
) -> Dict[str, int]:
    """RETURNS: special subword → id. One that no file numbers comes behind all others, in the order of SPECIALS."""
    n_pieces = processor.get_piece_size()
    ids: Dict[str, int] = {}
    # The first ids of fairseq's layouts, which its sentencepiece models have elsewhere.
    fixed = {1: {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}, 4: {"<pad>": 1, "<unk>": 3}}.get(shift, {})
    next_id = 1 + max(n_pieces - 1 + shift, *tokenizer.added.values(), 0)
    for key in SPECIALS:
        token = specials.get(key)
        if token is None or token in ids:
            continue
        sp_id = processor.piece_to_id(token)
        if token in fixed or token in tokenizer.added:
            ids[token] = fixed[token] if token in fixed else tokenizer.added[token]
        elif processor.id_to_piece(sp_id) == token:
            ids[token] = sp_id + shift
        else:
            ids[token] = next_id
            next_id += 1
    return ids


def check_added(name: str, tokenizer: TokenizerSettings, processor: Any, shift: int) -> None:
    """Raise a ValueError where an added subword has the id of a piece that is another."""
    n_pieces = processor.get_piece_size()
    for token, i in tokenizer.added.items():
        if (5 if shift else 0) <= i < n_pieces + shift and processor.id_to_piece(i - shift) != token:
            raise ValueError(
                f"the added subword {token} of the checkpoint {name} has the id {i}, which is that of the piece "
                f"{processor.id_to_piece(i - shift)}; this is not the tokenizer the checkpoint was trained with"
            )


def make_preparation(family: Family, settings: Dict[str, Any]) -> Optional[Preparation]:
    steps: List[Any] = []
    if "lower" in family.steps and settings.get("do_lower_case"):
        steps.append(lower)
    if "albert" in family.steps:
        steps += [squeeze_blanks] * bool(settings["remove_space"]) + [replace_quotes]
        steps += [strip_accents] * (not settings["keep_accents"])
        steps += [lower] * bool(settings["do_lower_case"])  # again: decomposing gives new capitals
    if "blanks" in family.steps and not settings["legacy"]:
        steps.append(put_word_start if settings["add_prefix_space"] else hide_word_starts)
    cuts = "punctuation" in family.steps and bool(settings["split_by_punct"])
    return Preparation(tuple(steps), cuts) if steps or cuts else None
