"""Tokens without subwords by spacy-transformers' own alignment and by SharedEncoder's, on Stockmark and changed copies.

    python benchmarks/shared_alignment.py --data ner.json        # in the second environment

Both use the embedded checkpoint's vocabulary: the first through transformers' tokenizer for LUKE, which has no offsets.
"""

import argparse
import logging
import time
import unicodedata
import warnings
from pathlib import Path
from typing import Callable, Dict, List

import numpy as np

import spacy_luke_ja
from spacy_luke_ja.corpora.stockmark import read_stockmark
from spacy_luke_ja.models.hf_checkpoint import EMBEDDED, open_checkpoint
from spacy_luke_ja.models.hf_tokenizer import open_encoder
from spacy_luke_ja.text.token_subwords import subwords_of_tokens
from spacy_luke_ja.token_splitting import token_offsets

HALF_WIDTH = {unicodedata.normalize("NFKC", chr(code)): chr(code) for code in range(0xFF61, 0xFFA0)}
MARKS = {"\u3099": "ﾞ", "\u309a": "ﾟ"}


def half_width_katakana(text: str) -> str:
    narrow = {char: "".join(MARKS.get(part, HALF_WIDTH.get(part, part)) for part in unicodedata.normalize("NFD", char))
              for char in set(text) if "ァ" <= char <= "ー"}  # fmt: skip
    return "".join(narrow.get(char, char) for char in text)


def full_width_ascii(text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


COPIES: Dict[str, Callable[[str], str]] = {
    "as it is": str,
    "half-width katakana": half_width_katakana,
    "full-width ASCII": full_width_ascii,
    "NFD": lambda text: unicodedata.normalize("NFD", text),
    "、 replaced by 😀": lambda text: text.replace("、", "😀"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="Stockmark's ner.json")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    from spacy_transformers.align import get_alignment
    from spacy_transformers.data_classes import WordpieceBatch
    from spacy_transformers.layers.transformer_model import huggingface_tokenize
    from transformers import AutoTokenizer

    nlp = spacy_luke_ja.blank()
    tokenizer = AutoTokenizer.from_pretrained(EMBEDDED / "ja_luke_ner_sm")
    encoder = open_encoder(open_checkpoint("ja_luke_ner_sm"))
    texts = [record.text for record in read_stockmark(args.data)]
    print(
        "| copy of the texts | tokens | without subwords, stock | ours | tokens that differ | seconds, stock / ours |"
    )
    print("|---|---|---|---|---|---|")
    for name, change in COPIES.items():
        counts, seconds = np.zeros(4, dtype=int), [0.0, 0.0]
        for text in map(change, texts):
            doc = nlp.make_doc(text)
            started = time.perf_counter()
            pieces = WordpieceBatch.from_batch_encoding(huggingface_tokenize(tokenizer, [text]))
            stock = get_alignment([doc[:]], pieces.strings, tokenizer.all_special_tokens)
            seconds[0] += time.perf_counter() - started
            started = time.perf_counter()
            indices, lengths = subwords_of_tokens(encoder.encode(text), token_offsets(doc))
            seconds[1] += time.perf_counter() - started
            theirs = split(stock.data.ravel() - 1, stock.lengths)  # <s> comes first
            for token, their, our in zip(doc, theirs, split(indices, lengths)):
                if not token.is_space:
                    counts += [1, not len(their), not len(our), their.tolist() != our.tolist()]
        print(f"| {name} | {' | '.join(map(str, counts))} | {seconds[0]:.1f} / {seconds[1]:.1f} |", flush=True)


def split(flat: np.ndarray, lengths: np.ndarray) -> List[np.ndarray]:
    return np.split(flat, np.cumsum(lengths))[:-1]


if __name__ == "__main__":
    main()
