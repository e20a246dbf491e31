"""Exact match and F1 of answers without a model: nouns of the sentence that has the most of the question's words.

    python benchmarks/qa_baseline.py --data ../shared/data/qa/{jaquad_dev,jsquad_valid-v1.3}.json.xz

What a model must be better than. Of the sentences of a text, the one that shares the most content words with the
question is taken, rare words in the text counting more; of it, the longest run of nouns that the question does not
have. Scores are those of `spacy luke evaluate-qa`.
"""

import argparse
import math
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Iterable, Iterator, List, Optional, Sequence, Set, Tuple

from spacy.tokens import Doc, Span, Token

import spacy_luke_ja
from spacy_luke_ja.corpora.qa import Paragraph, read_squad
from spacy_luke_ja.text.qa_scores import char_f1, exact_match

NOUNS = {"NOUN", "PROPN", "NUM"}
CONTENT = {*NOUNS, "VERB", "ADJ"}
# 第 and 約, さ and 目, whatever part of speech spaCy gives them.
PARTS_OF_NOUNS = ("接頭辞", "接尾辞-名詞的")
ENDS = "。！？!?\n"


def main(argv: Optional[Sequence[str]] = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    help_ = "files of questions in SQuAD's format, .json, .json.gz or .json.xz"
    parser.add_argument("--data", type=Path, nargs="+", required=True, help=help_)
    parser.add_argument("--limit", type=int, default=0, help="questions of each file, from the first; 0 takes all")
    args = parser.parse_args(argv)
    print("| data | questions | exact match | F1 |\n|---|---|---|---|")
    for path in args.data:
        scores = list(islice(score_answers(list(read_squad(path))), args.limit or None))
        em, f1 = (sum(own[i] for own in scores) / max(1, len(scores)) for i in (0, 1))
        print(f"| {path.name} | {len(scores)} | {em:.3f} | {f1:.3f} |", flush=True)


def score_answers(paragraphs: Iterable[Paragraph]) -> Iterator[Tuple[float, float]]:
    """YIELDS: exact match and F1 of each question."""
    nlp = spacy_luke_ja.blank()
    for paragraph in paragraphs:
        doc = nlp.make_doc(paragraph.text)
        for question in paragraph.questions:
            answer = find_answer(doc, nlp.make_doc(question.text))
            golds = [paragraph.text[start:end] for start, end in question.answers]
            yield exact_match(answer, golds), char_f1(answer, golds)


def find_answer(doc: Doc, question: Doc) -> str:
    """RETURNS: nouns of the first sentence, the likest to the question first, that has some; "" when none has."""
    sentences = split_sentences(doc)
    words = [content_words(sentence) for sentence in sentences]
    n_having = Counter(word for own in words for word in own)
    asked = content_words(question[:])
    likeness = [sum(math.log(1 + len(words) / n_having[word]) for word in sorted(own & asked)) for own in words]
    for i in sorted(range(len(sentences)), key=lambda i: -likeness[i]):
        runs = [run for run in noun_runs(sentences[i]) if run not in question.text]
        if runs:
            return max(runs, key=len)
    return ""


def split_sentences(doc: Doc) -> List[Span]:
    edges = [0, *(token.i + 1 for token in doc if token.text[-1] in ENDS), len(doc)]
    return [doc[start:end] for start, end in zip(edges, edges[1:]) if start < end]


def content_words(tokens: Span) -> Set[str]:
    return {token.lemma_ for token in tokens if token.pos_ in CONTENT}


def noun_runs(sentence: Span) -> Iterator[str]:
    """YIELDS: the texts of neighbouring nouns, as many as there are in a row."""
    start = sentence.start
    for token in sentence:
        if not is_noun(token):
            if start < token.i:
                yield sentence.doc[start : token.i].text
            start = token.i + 1
    if start < sentence.end:
        yield sentence.doc[start : sentence.end].text


def is_noun(token: Token) -> bool:
    return token.pos_ in NOUNS or token.tag_.startswith(PARTS_OF_NOUNS)


if __name__ == "__main__":
    main()
