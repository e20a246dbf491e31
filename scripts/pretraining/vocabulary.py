"""Documents in, a sentencepiece model and word vectors for its pieces out (stage 2).

    python -m scripts.pretraining.vocabulary build/pretraining/documents.jsonl build/pretraining

The text is cut by Sudachi (mode A) before the sentencepiece model is trained, so that no piece crosses the
edge of a morpheme: entity edges then fall on piece edges. The vectors are word2vec's (skip-gram, gensim).
"""

import argparse
import io
import json
import multiprocessing
import re
import time
from pathlib import Path
from typing import Any, Iterator, List, Tuple

import numpy as np

CUT = "||||"  # never part of a piece; sentencepiece takes it as a border (pretokenization_delimiter)
MAX_SENTENCE_CHARS = 400


def read_sentences(path: Path) -> Iterator[Tuple[str, str]]:
    """YIELDS: source and text of the sentences of the documents that texts.py writes."""
    with path.open(encoding="utf8") as file_:
        for line in file_:
            document = json.loads(line)
            for paragraph in document["paragraphs"]:
                for sentence in re.findall(r"[^。！？\n]*[。！？]?[」』）]*", paragraph["text"]):
                    sentence = sentence.strip()
                    if 5 <= len(sentence) <= MAX_SENTENCE_CHARS and CUT not in sentence:
                        yield document["source"], sentence


_sudachi = None


def cut_by_sudachi(sentence: str) -> str:
    """Put CUT between the morphemes, and at the start: the "▁" of the first word stays a piece of its own."""
    global _sudachi
    if _sudachi is None:
        from sudachipy import Dictionary, SplitMode

        _sudachi = Dictionary().tokenizer(mode=SplitMode.A)
    return CUT + CUT.join(m.surface() for m in _sudachi.tokenize(sentence) if m.surface())


def train_sentencepiece(sentences: List[str], n_pieces: int, seed: int) -> bytes:
    """RETURNS: the content of a sentencepiece model file, which names no path."""
    import sentencepiece

    # All of the text would take longer than the vectors are worth: a fixed, even sample.
    sample = sentences[:: max(1, len(sentences) // 400_000)]
    with multiprocessing.Pool(2) as pool:
        cut = pool.map(cut_by_sudachi, sample, chunksize=2000)
    model = io.BytesIO()
    sentencepiece.set_random_generator_seed(seed)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(cut),
        model_writer=model,
        vocab_size=n_pieces,
        model_type="unigram",
        character_coverage=0.9995,
        normalization_rule_name="nmt_nfkc",
        pretokenization_delimiter=CUT,
        max_sentencepiece_length=8,
        num_threads=2,
        minloglevel=1,
    )
    return model.getvalue()


def import_word2vec() -> Any:
    try:
        from gensim.models import Word2Vec
    except ImportError as error:
        raise ImportError('the word vectors need gensim: pip install "gensim>=4.3"') from error
    return Word2Vec


def train_vectors(sentences: List[str], sp_path: Path, width: int, epochs: int, seed: int) -> np.ndarray:
    """RETURNS: (n_pieces, width) float16, a row per sentencepiece id; zero for a piece that never occurs."""
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=str(sp_path))
    pieces = [[str(i) for i in ids] for ids in processor.encode(sentences, num_threads=2)]
    model = import_word2vec()(
        pieces, vector_size=width, window=5, sg=1, negative=5, sample=1e-4,
        min_count=1, workers=1, epochs=epochs, seed=seed,  # with more workers, no seed gives the same again
    )  # fmt: skip
    vectors = np.zeros((processor.get_piece_size(), width), dtype="float32")
    for key, row in model.wv.key_to_index.items():
        vectors[int(key)] = model.wv.vectors[row]
    return vectors.astype("float16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("documents", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--n-pieces", type=int, default=16_000)
    parser.add_argument("--width", type=int, default=192, help="dimensions of the word vectors")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    import_word2vec()  # what is missing is said before the minutes that sentencepiece takes
    args.output.mkdir(parents=True, exist_ok=True)
    started = time.time()
    sentences = [sentence for _, sentence in read_sentences(args.documents)]
    print(f"{len(sentences):,} sentences, {sum(map(len, sentences)):,} characters ({time.time() - started:.0f} s)")
    sp_path = args.output / "sentencepiece.bpe.model"
    sp_path.write_bytes(train_sentencepiece(sentences, args.n_pieces, args.seed))
    print(f"sentencepiece model ({time.time() - started:.0f} s)", flush=True)
    np.save(args.output / "vectors.npy", train_vectors(sentences, sp_path, args.width, args.epochs, args.seed))
    print(f"vectors ({time.time() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
