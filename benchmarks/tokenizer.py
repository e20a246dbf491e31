"""The Japanese tokenizer beside spaCy's: the same Doc for every text, and how many times as fast.

    python benchmarks/tokenizer.py --data ../shared/data/stockmark/ner.json

Both read the same texts in turns. Of the Docs text, spaces, tag, pos, lemma, norm, morph (readings are in it) and sub
tokens are compared, for the data and for strings made of what is hard: half width, control and combining characters,
emoji, what NFKC makes longer. Exits with 1 where a Doc differs.
"""

import argparse
import random
import sys
import time
import warnings
from pathlib import Path
from statistics import median
from typing import Any, Callable, List, Sequence

import spacy
from speed_texts import read_sentences

from spacy_luke_ja.tokenizer import create_tokenizer

HARD = "東京都あうアイａ1２ 　\n。、㈱ﾄﾞが\u3099😊\x00…㍿Ａ=|,０〇一百.,👨\u200d👩葛\U000e0100\ufeff"


def main() -> None:
    args = parse_arguments()
    warnings.simplefilter("ignore")
    rng = random.Random(args.seed)
    sentences = read_sentences(args.data, test_only=False)
    strings = ["".join(rng.choices(HARD, k=rng.randrange(1, 25))) for _ in range(args.strings)]
    print(f"{len(sentences)} sentences of {args.data.name}, {len(strings)} strings")
    n_different = 0
    for mode in "ABC":
        nlp = spacy.blank("ja", config={"nlp": {"tokenizer": {"split_mode": mode}}})
        ours, theirs = create_tokenizer(mode)(nlp), nlp.tokenizer
        cold = seconds_of(ours, sentences)
        different = [text for text in [*sentences, *strings] if facts(ours(text)) != facts(theirs(text))]
        n_different += len(different)
        pairs = [(seconds_of(ours, sentences), seconds_of(theirs, sentences)) for _ in range(args.repeats)]
        ratios = sorted(their / own for own, their in pairs)
        own, their = (len(sentences) / median(side) for side in zip(*pairs))
        print(
            f"mode {mode}: {len(different)} Docs differ; {own:.0f} sentences/s ({len(sentences) / cold:.0f} with no "
            f"word seen before), spaCy's {their:.0f}; {median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f}) times "
            "as fast"
        )
        for text in different[:3]:
            print(f"  {text!r}")
    sys.exit(1 if n_different else 0)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("corpus/test.spacy"), help="texts, or Stockmark's ner.json")
    parser.add_argument("--strings", type=int, default=10_000, help="how many hard ones")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def seconds_of(tokenizer: Callable[[str], Any], texts: Sequence[str]) -> float:
    started = time.perf_counter()
    for text in texts:
        tokenizer(text)
    return time.perf_counter() - started


def facts(doc: Any) -> List[Any]:
    tokens = [(t.text, t.whitespace_, t.tag_, t.pos_, t.lemma_, t.norm_, str(t.morph), t.idx) for t in doc]
    return [tokens, doc.user_data]


if __name__ == "__main__":
    main()
