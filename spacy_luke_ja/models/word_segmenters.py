"""A checkpoint in; what cuts its texts into words first out, for encoders that were trained on Juman++'s words.

Some encoders of ku-nlp and nlp-waseda were trained on texts with a space between any two words of Juman++, and their
files do not say so: their vocabulary does, where many pieces begin with "▁".
"""

import json
import re
import shutil
import threading
import warnings
from dataclasses import replace
from functools import cache
from typing import Any, Callable, Dict, Iterable, List, Tuple

import numpy as np

from ..text.subwords import WORD_START, SubwordEncoder
from ..text.tokenizer_encoders import WordsFirstEncoder
from .hf_checkpoint import Checkpoint
from .tokenizer_families import find_model, load_sentencepiece
from .tokenizer_settings import CONFIG, WORD_SEGMENTER, TokenizerSettings, read_settings

JUMANPP, SUDACHI, NONE = "jumanpp", "sudachi", "none"
# Of text at a time: Juman++ takes 4,096 bytes of UTF-8, Sudachi 49,149.
MAX_BYTES = {JUMANPP: 4000, SUDACHI: 40_000}
WORD_CLASSES = ("AlbertTokenizer", "BigBirdTokenizer", "DebertaV2Tokenizer")
TRAINED_ON_WORDS = re.compile(
    "(ku-nlp/deberta-v2-(tiny|base|large)-japanese"
    "|nlp-waseda/(roberta-(base|large)-japanese(-seq512)?|bigbird-base-japanese))/?$"
)
JAPANESE = re.compile("[ぁ-ゖァ-ヺ一-鿿]")
# Of Japanese pieces with two characters and more: how many tell, and which share begins with "▁" at least. It is 0.4 in
# models trained on Stockmark's sentences in words, 0.01 on the sentences as they are.
FEW_PIECES = 50
SHARE_OF_STARTS = 0.3
# Larger vocabularies have many languages, and spaces from elsewhere.
MANY_PIECES = 100_000


def settle_segmenter(checkpoint: Checkpoint) -> Checkpoint:
    """Note in tokenizer_config.json what cuts the words of texts, so that a saved pipeline keeps its subwords.

    Juman++ does where it is installed, else Sudachi, with a warning. What is noted already stays.
    """
    tokenizer = read_settings(checkpoint)
    settings = dict(tokenizer.settings)
    cuts_by_class = settings.get("word_tokenizer_type") == JUMANPP
    if WORD_SEGMENTER in settings or not (cuts_by_class or is_trained_on_words(checkpoint, tokenizer)):
        return checkpoint
    segmenter = JUMANPP if has_jumanpp() else SUDACHI
    if segmenter == SUDACHI:
        warnings.warn(
            f"the checkpoint {checkpoint.name} was trained on words of Juman++, which is not installed, and gets those "
            "of Sudachi instead: of the subwords of Stockmark's sentences, about 6 % become others. For the words it "
            'knows, install Juman++ (https://github.com/ku-nlp/jumanpp) and run: pip install "spacy-luke-ja[juman]"'
        )
        if cuts_by_class:
            settings.update(word_tokenizer_type=SUDACHI, sudachi_kwargs={"sudachi_split_mode": "A"})
    settings[WORD_SEGMENTER] = segmenter
    content = json.dumps(settings, ensure_ascii=False, indent=2).encode()
    return replace(checkpoint, files={**checkpoint.files, CONFIG: content})


def is_trained_on_words(checkpoint: Checkpoint, tokenizer: TokenizerSettings) -> bool:
    """Whether an encoder was trained on texts with spaces between words, by its name or its vocabulary."""
    if tokenizer.kind not in WORD_CLASSES:
        return False
    names = (checkpoint.name, checkpoint.config.get("_name_or_path") or "")
    if any(TRAINED_ON_WORDS.search(str(name)) for name in names):
        return True
    pieces = list(read_pieces(checkpoint, tokenizer))
    japanese = [piece for piece in pieces if is_long_japanese(piece)]
    if len(japanese) < FEW_PIECES or len(pieces) > MANY_PIECES:
        return False
    return sum(piece[0] == WORD_START for piece in japanese) >= SHARE_OF_STARTS * len(japanese)


def is_long_japanese(piece: str) -> bool:
    return len(piece.lstrip(WORD_START)) > 1 and JAPANESE.search(piece) is not None


def read_pieces(checkpoint: Checkpoint, tokenizer: TokenizerSettings) -> Iterable[str]:
    file_name = find_model(checkpoint, tokenizer.kind)
    if file_name is not None:
        processor = load_sentencepiece(checkpoint.name, file_name, checkpoint.files[file_name])
        return (processor.id_to_piece(i) for i in range(processor.get_piece_size()))
    try:
        vocab = json.loads(checkpoint.files.get("tokenizer.json", b"{}"))["model"]["vocab"]
        return list(vocab) if isinstance(vocab, dict) else [piece for piece, _ in vocab]
    except (ValueError, KeyError, TypeError):
        return []  # what is wrong with it is said where it is opened


def cut_words_first(checkpoint: Checkpoint, tokenizer: TokenizerSettings, encoder: SubwordEncoder) -> SubwordEncoder:
    """The encoder, behind the segmenter that settle_segmenter noted."""
    segmenter = tokenizer.settings.get(WORD_SEGMENTER, NONE)
    if segmenter not in (JUMANPP, SUDACHI, NONE):
        raise ValueError(
            f"{WORD_SEGMENTER} in {CONFIG} of the checkpoint {checkpoint.name} must be {JUMANPP}, {SUDACHI} or {NONE}, "
            f"got {segmenter}"
        )
    if segmenter == JUMANPP and not has_jumanpp():
        raise ValueError(
            f"the checkpoint {checkpoint.name} was used with words of Juman++, which is not installed here: with "
            "others it would find less, without a word. Install Juman++ (https://github.com/ku-nlp/jumanpp) and run: "
            'pip install "spacy-luke-ja[juman]"'
        )
    if segmenter == NONE or "word_tokenizer_type" in tokenizer.settings:  # its own tokenizer cuts them
        return encoder
    return WordsFirstEncoder(encoder, Segmenter(segmenter), max_bytes=MAX_BYTES[segmenter])


class Segmenter:
    """A text in, the characters of its words out, (n_words, 2)."""

    def __init__(self, name: str):
        """name: "jumanpp" or "sudachi"."""
        self.name = name

    def __call__(self, text: str) -> np.ndarray:
        return np.array(SEGMENTERS[self.name](text), dtype="int64").reshape(-1, 2)


def has_jumanpp() -> bool:
    try:
        import rhoknp  # noqa: F401
    except ImportError:
        return False
    return shutil.which("jumanpp") is not None


@cache
def open_jumanpp() -> Any:
    import rhoknp

    return rhoknp.Jumanpp()


def find_jumanpp_words(text: str) -> List[Tuple[int, int]]:
    words: List[Tuple[int, int]] = []
    place = 0
    for line in text.splitlines():
        morphemes = open_jumanpp().apply_to_sentence(line).morphemes if line.strip() else []
        for surface in (morpheme.text for morpheme in morphemes):
            start = text.find(surface, place)
            if surface.strip() and start >= 0:
                words.append((start, start + len(surface)))
                place = start + len(surface)
    return words


# Sudachi refuses a second thread.
_sudachi = threading.Lock()


@cache
def open_sudachi() -> Any:
    from sudachipy import Dictionary, SplitMode

    return Dictionary().create(mode=SplitMode.A)


def find_sudachi_words(text: str) -> List[Tuple[int, int]]:
    with _sudachi:
        found = [(morpheme.begin(), morpheme.end()) for morpheme in open_sudachi().tokenize(text)]
    return [(start, end) for start, end in found if text[start:end].strip()]


SEGMENTERS: Dict[str, Callable[[str], List[Tuple[int, int]]]] = {
    JUMANPP: find_jumanpp_words,
    SUDACHI: find_sudachi_words,
}
