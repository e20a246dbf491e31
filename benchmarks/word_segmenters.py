"""How far Sudachi's words, or none, are from those that an encoder of Juman++'s words was trained on, in subwords.

    pip install fugashi jumandic
    python benchmarks/word_segmenters.py --data ner.json --vocab-size 8000

Juman++ itself is in no package registry: MeCab with JUMAN's dictionary, which divides texts by the same rules, stands
for it. A unigram model is trained on half of the sentences in those words, with spaces between; on the other half, the
subwords of each way to cut are compared with those: the same id on the same characters.
"""

import argparse
import io
import json
from pathlib import Path
from typing import Callable, Dict, List, Sequence, Set, Tuple

import numpy as np
import sentencepiece
from sudachipy import Dictionary, SplitMode

from spacy_luke_ja.text.subwords import SentencePieceEncoder
from spacy_luke_ja.text.tokenizer_encoders import WordsFirstEncoder

Cut = Callable[[str], np.ndarray]


def offsets_of(text: str, surfaces: Sequence[str]) -> np.ndarray:
    found: List[Tuple[int, int]] = []
    place = 0
    for surface in surfaces:
        start = text.index(surface, place)
        place = start + len(surface)
        if surface.strip():
            found.append((start, place))
    return np.array(found, dtype="int64").reshape(-1, 2)


def cut_by_juman() -> Cut:
    import fugashi
    import jumandic

    tagger = fugashi.GenericTagger(jumandic.MECAB_ARGS)
    return lambda text: offsets_of(text, [word.surface for word in tagger(text)])


def cut_by_sudachi(mode: SplitMode) -> Cut:
    tokenizer = Dictionary().create(mode=mode)
    return lambda text: offsets_of(text, [morpheme.surface() for morpheme in tokenizer.tokenize(text)])


def train(texts: Sequence[str], cut: Cut, vocab_size: int) -> sentencepiece.SentencePieceProcessor:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(" ".join(text[start:end] for start, end in cut(text)) for text in texts),
        model_writer=model, vocab_size=vocab_size, hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    processor = sentencepiece.SentencePieceProcessor()
    processor.LoadFromSerializedProto(model.getvalue())
    return processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="Stockmark's ner.json")
    parser.add_argument("--vocab-size", type=int, default=8000)
    args = parser.parse_args()
    texts = [item["text"] for item in json.loads(args.data.read_text(encoding="utf8"))]
    juman = cut_by_juman()
    encoder = SentencePieceEncoder(train(texts[::2], juman, args.vocab_size))
    cuts: Dict[str, Cut] = {f"Sudachi {mode}": cut_by_sudachi(getattr(SplitMode, mode)) for mode in "ABC"}
    cuts["no words"] = lambda text: np.array([[0, len(text)]])
    subwords = lambda cut, text: WordsFirstEncoder(encoder, cut, max_bytes=40_000).encode(text)
    as_set: Callable[..., Set] = lambda found: set(zip(found.ids.tolist(), *found.char_offsets.T.tolist()))
    held_out = texts[1::2]
    expected = [as_set(subwords(juman, text)) for text in held_out]
    total = sum(map(len, expected))
    print(f"{len(held_out)} sentences, {total} subwords of {args.vocab_size} pieces")
    for name, cut in cuts.items():
        found = [as_set(subwords(cut, text)) for text in held_out]
        kept = sum(len(own & other) for own, other in zip(expected, found))
        whole = sum(own == other for own, other in zip(expected, found))
        print(f"{name}: {kept / total:.1%} of the subwords, {whole / len(held_out):.1%} of the sentences are the same")


if __name__ == "__main__":
    main()
