"""Questions in SQuAD's format in, pairs of question and window as arrays out."""

from pathlib import Path
from typing import Dict, Iterator, List, Tuple

import numpy as np

from spacy_luke_ja.corpora.qa import read_squad
from spacy_luke_ja.text.subwords import SentencePieceEncoder, Subwords

from .arrays import BOS, EOS, Pair, flatten_pairs

MAX_PAIR, MAX_QUESTION, OVERLAP = 512, 96, 128  # subwords; a pair with its four special ids


def make_pairs(question: np.ndarray, text: Subwords, answer: Tuple[int, int]) -> Iterator[Pair]:
    """question: its ids. answer: start and end, in the text's characters."""
    inside = np.flatnonzero((text.char_offsets[:, 1] > answer[0]) & (text.char_offsets[:, 0] < answer[1]))
    question = question[:MAX_QUESTION]
    first, room = len(question) + 3, MAX_PAIR - len(question) - 4
    for begin in range(0, max(1, len(text.ids) - OVERLAP), room - OVERLAP):
        window = text.ids[begin : begin + room]
        ids = np.concatenate([[BOS], question, [EOS, EOS], window, [EOS]])
        if len(inside) and begin <= inside[0] and inside[-1] < begin + len(window):
            yield Pair(ids, first, first + int(inside[0]) - begin, first + int(inside[-1]) - begin)
        else:
            yield Pair(ids, first, 0, 0)


def pair_arrays(path: Path, encoder: SentencePieceEncoder) -> Dict[str, np.ndarray]:
    """The arrays of train_qa.Pairs, with the first answer of each question; those without one are left out."""
    pairs: List[Pair] = []
    for paragraph in read_squad(path, on_bad_record="skip", setting="qa"):
        text = encoder.encode(paragraph.text)
        for question in paragraph.questions:
            if question.answers:
                pairs += make_pairs(encoder.encode(question.text).ids, text, question.answers[0])
    return flatten_pairs(pairs)
