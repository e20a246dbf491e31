"""Questions with the sentences around their answer alone, which are read in a third of the time; some with all.

    python scripts/project/shorten_contexts.py assets/jaquad_train_part.json build/short.json --passes 2 --whole 0.4

Each pass over the questions cuts anew.
"""

import argparse
import json
import random
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

SENTENCE = re.compile(r"[^。！？\n]*[。！？\n]*")
SHORTEST, LONGEST = 60, 240  # characters, between which lengths are drawn


def main(argv: Optional[Sequence[str]] = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", type=Path, help="a file in SQuAD's format, .json")
    parser.add_argument("output", type=Path)
    parser.add_argument("--passes", type=int, default=1)
    parser.add_argument("--whole", type=float, default=0.0, help="share of questions that come with all, too")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    articles = json.loads(args.input.read_text(encoding="utf8"))["data"]
    rng = random.Random(args.seed)
    paragraphs = [short for _ in range(args.passes) for article in articles for short in shorten(article, rng)]
    for article in articles:
        for paragraph in article["paragraphs"]:
            asked = [question for question in paragraph["qas"] if rng.random() < args.whole]
            paragraphs += [{"context": paragraph["context"], "qas": asked}] * bool(asked)
    rng.shuffle(paragraphs)
    written = json.dumps({"data": [{"title": "", "paragraphs": paragraphs}]}, ensure_ascii=False)
    with args.output.open("x", encoding="utf8") as file_:
        file_.write(written)
    print(f"wrote {args.output}: {sum(len(paragraph['qas']) for paragraph in paragraphs)} questions")


def shorten(article: Dict[str, Any], rng: random.Random) -> Iterator[Dict[str, Any]]:
    """YIELDS: a paragraph for each question of the article; one without an answer keeps its context."""
    for paragraph in article["paragraphs"]:
        context = paragraph["context"]
        for question in paragraph["qas"]:
            if not question["answers"]:
                yield {"context": context, "qas": [question]}
                continue
            answer = question["answers"][0]
            first = answer["answer_start"]
            start, end = cut(context, first, first + len(answer["text"]), rng)
            moved = {**answer, "answer_start": first - start}
            yield {"context": context[start:end], "qas": [{**question, "answers": [moved]}]}


def cut(context: str, answer_start: int, answer_end: int, rng: random.Random) -> Tuple[int, int]:
    """RETURNS: start and end of neighbouring sentences, about as long as drawn, that hold the answer whole."""
    sentences: List[Tuple[int, int]] = [match.span() for match in SENTENCE.finditer(context) if match.group()]
    held = [i for i, (start, end) in enumerate(sentences) if start < answer_end and answer_start < end]
    first, last = held[0], held[-1]
    length = rng.randint(SHORTEST, LONGEST)
    while sentences[last][1] - sentences[first][0] < length:
        ways = [is_before for is_before in (True, False) if (first > 0 if is_before else last + 1 < len(sentences))]
        if not ways:
            break
        if rng.choice(ways):
            first -= 1
        else:
            last += 1
    return sentences[first][0], sentences[last][1]


if __name__ == "__main__":
    main()
