"""A checkpoint's small files in, what they say of its tokenizer out: class, settings, special and added subwords."""

import json
from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, Mapping, Optional

from .hf_checkpoint import Checkpoint

CONFIG = "tokenizer_config.json"
# In it, ours alone: what cuts the words of a text before an encoder that was trained on words sees it.
WORD_SEGMENTER = "word_segmenter"
SPECIALS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
# model_type in config.json → the class that transformers takes where no file names one.
DEFAULT_CLASSES = {
    "albert": "AlbertTokenizer",
    "bart": "BartTokenizer",
    "bert": "BertTokenizer",
    "big_bird": "BigBirdTokenizer",
    "camembert": "CamembertTokenizer",
    "canine": "CanineTokenizer",
    "convbert": "ConvBertTokenizer",
    "deberta": "DebertaTokenizer",
    "deberta-v2": "DebertaV2Tokenizer",
    "distilbert": "DistilBertTokenizer",
    "electra": "ElectraTokenizer",
    "ernie": "BertTokenizer",
    "longformer": "LongformerTokenizer",
    "megatron-bert": "BertTokenizer",
    "mobilebert": "MobileBertTokenizer",
    "nystromformer": "AlbertTokenizer",
    "rembert": "RemBertTokenizer",
    "roberta": "RobertaTokenizer",
    "squeezebert": "SqueezeBertTokenizer",
    "t5": "T5Tokenizer",
    "xlm-roberta": "XLMRobertaTokenizer",
    "xlm-roberta-xl": "XLMRobertaTokenizer",
    "xlnet": "XLNetTokenizer",
    "yoso": "AlbertTokenizer",
}
# Classes that say nothing but "tokenizer.json".
PLAIN_CLASSES = ("PreTrainedTokenizer", "TokenizersBackend")
# The one that cuts words first, by MeCab, Sudachi or Juman++.
CUTS_WORDS = "BertJapaneseTokenizer"


@dataclass(frozen=True)
class TokenizerSettings:
    """What the files of a checkpoint say of its tokenizer.

    kind: the class's name in transformers, without Fast; "PreTrainedTokenizer" where it says no more.
    settings: the content of tokenizer_config.json.
    specials: unk_token → "[UNK]" and so on, as far as files say.
    added: added subword → its id.
    plain_added: those of them that are no special ones, but words of texts.
    """

    kind: str
    settings: Mapping[str, Any]
    specials: Mapping[str, str]
    added: Mapping[str, int]
    plain_added: FrozenSet[str]

    @property
    def own_code(self) -> Optional[str]:
        """What of the checkpoint's own code makes the tokenizer, which is not run here; None where none does."""
        named = (self.settings.get("auto_map") or {}).get("AutoTokenizer")
        named = [part for part in (named if isinstance(named, (list, tuple)) else [named]) if part]
        return str(named[0]) if named else None


def read_settings(checkpoint: Checkpoint) -> TokenizerSettings:
    """Raises a ValueError for a file that is damaged."""
    settings = read_file(checkpoint, CONFIG)
    kind = settings.get("tokenizer_class") or checkpoint.config.get("tokenizer_class")
    if not isinstance(kind, str):
        kind = DEFAULT_CLASSES.get(str(checkpoint.config.get("model_type")), "PreTrainedTokenizer")
    cuts_words = {"word_tokenizer_type", "subword_tokenizer_type"} <= settings.keys()
    if cuts_words and not settings.get("auto_map") and "Sudachipy" not in kind:
        kind = CUTS_WORDS
    added: Dict[str, int] = {}
    special = set()
    decoder = settings.get("added_tokens_decoder") or {}
    try:
        for i, token in decoder.items():
            added[token["content"]] = int(i)
            if token.get("special"):
                special.add(token["content"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"added_tokens_decoder in {CONFIG} of the checkpoint {checkpoint.name} must give each id a subword, as "
            f'{{"5": {{"content": "[MASK]", "special": true}}}}, got {str(decoder)[:60]}'
        ) from error
    if not decoder:
        added.update(read_file(checkpoint, "added_tokens.json"))
    # As transformers 4: where tokenizer_config.json lists the added subwords, it alone counts.
    maps = [{} if decoder else read_file(checkpoint, "special_tokens_map.json"), settings]
    specials = {key: content(source[key]) for source in maps for key in SPECIALS if content(source.get(key))}
    for source in maps:
        more = source.get("additional_special_tokens") or []
        special |= {content(token) for token in more}
    special |= set(specials.values())
    return TokenizerSettings(kind.removesuffix("Fast"), settings, specials, added, frozenset(added.keys() - special))


def content(token: Any) -> Any:
    """A special subword, which files write by itself or in an object."""
    return token.get("content") if isinstance(token, dict) else token


def read_file(checkpoint: Checkpoint, name: str) -> Dict[str, Any]:
    try:
        found = json.loads(checkpoint.files.get(name, b"{}"))
    except ValueError as error:
        raise ValueError(f"{name} of the checkpoint {checkpoint.name} is damaged: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{name} of the checkpoint {checkpoint.name} is damaged: it holds no object")
    return found
