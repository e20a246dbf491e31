"""Teachers and documents in, sentences with the teachers' mean probabilities out (stage 7).

    python -m scripts.pretraining.soft_labels build/pretraining/documents.jsonl build/pretraining/soft.npz \
        --teachers build/pretraining/teacher-0 build/pretraining/teacher-1

The sentences are drawn from all documents, those of the corpora that read most like Stockmark's more often, and
a share of them is put in another form first (titles, lists, capitals …). On the label of a name that comes several
times, all its sentences have a vote (votes.py). Those in which the teachers find no entity are
kept in part; the sentences of WAC and GSD are other_sets.py's. Output: ids, probabilities (n_subwords, n_tags) as
float16, starts (of the sentences), tags, and the vocabulary's checksum.
"""

import argparse
import json
import random
import time
from pathlib import Path
from typing import Collection, List, Sequence, Tuple

import numpy as np
import sentencepiece
import torch

from spacy_luke_ja.corpora.augmentation import FORMS
from spacy_luke_ja.models.roberta import Classifier
from spacy_luke_ja.text.subwords import SentencePieceEncoder

from .encoder import best_device, load_classifier
from .finetune import FORM_WEIGHTS, save_soft
from .heap import keep_heap
from .tagger import MAX_SUBWORDS, predict
from .vocabulary import read_sentences
from .votes import vote_on_names

# Source → the share of its sentences that are kept.
SHARES = {
    "kyoto_wiki": 0.08,
    "jawiki_gocon": 0.3,
    "jawiki_wp2txt_linked": 0.7,
    "jawiki_country_linked": 0.3,
    "jaquad_train_contexts": 0.4,
    "wac_train": 0.0,
    "gsd_train": 0.0,
    "wikinews": 0.4,
    "ntrex_news": 1.0,
    "ict_white_paper": 0.05,
    "aozora_expository": 0.0,
    "real_persona_chat": 0.1,
    "multi_party_chat": 0.1,
    "news_chat": 1.0,
    "tanaka_sentences": 0.2,
}
MIN_CHARS, MAX_CHARS = 12, 150


def pick_sentences(documents: Path, n_sentences: int, rng: random.Random, leave_out: Collection[str] = ()) -> List[str]:
    """Each text once; at most n_sentences of those that are kept by the shares."""
    picked = {
        sentence
        for source, sentence in read_sentences(documents)
        if source not in leave_out and MIN_CHARS <= len(sentence) <= MAX_CHARS and rng.random() < SHARES[source]
    }
    ordered = sorted(picked)
    rng.shuffle(ordered)
    return ordered[:n_sentences]


def change_share(sentences: Sequence[str], share: float, rng: random.Random) -> List[str]:
    """Some of the sentences in the forms that finetune.py gives to gold ones."""
    forms = {name: weight for name, weight in FORM_WEIGHTS.items() if name != "plain"}
    return [
        FORMS[rng.choices(list(forms), list(forms.values()))[0]](sentence, ())[0] if rng.random() < share else sentence
        for sentence in sentences
    ]


def read_vocabulary_and_tags(teachers: Sequence[Path]) -> Tuple[bytes, List[str]]:
    """The sentencepiece model and the tags that all teachers share."""
    vocabularies = [(teacher / "sentencepiece.bpe.model").read_bytes() for teacher in teachers]
    configs = [json.loads((teacher / "config.json").read_text(encoding="utf8")) for teacher in teachers]
    tags = [list(config["id2label"].values()) for config in configs]
    for teacher, vocabulary, own_tags in zip(teachers, vocabularies, tags):
        if vocabulary != vocabularies[0] or own_tags != tags[0]:
            raise ValueError(
                f"--teachers must have one vocabulary and one list of tags; {teacher} and {teachers[0]} differ"
            )
    return vocabularies[0], tags[0]


def add_teachers(parser: argparse.ArgumentParser) -> None:
    """The settings of a stage that asks teachers."""
    parser.add_argument("--teachers", type=Path, nargs="+", required=True)
    parser.add_argument("--device", default=best_device())


def read_teachers(teachers: Sequence[Path], device: str) -> Tuple[List[Classifier], bytes, List[str]]:
    """RETURNS: the teachers, and the sentencepiece model and the tags that they share."""
    vocabulary, tags = read_vocabulary_and_tags(teachers)
    return [load_classifier(path).to(device) for path in teachers], vocabulary, tags


def mean_probabilities(teachers: List[Classifier], ids: List[np.ndarray]) -> List[np.ndarray]:
    """RETURNS: (n, n_tags) float16 for each sentence."""
    sums: List[np.ndarray] = []
    for teacher in teachers:
        probabilities = [torch.softmax(torch.from_numpy(logits), dim=-1).numpy() for logits in predict(teacher, ids)]
        sums = [a + b for a, b in zip(sums, probabilities)] if sums else probabilities
    return [(total / len(teachers)).astype("float16") for total in sums]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("documents", type=Path, help="as texts.py writes them")
    parser.add_argument("output", type=Path)
    add_teachers(parser)
    parser.add_argument("--n-sentences", type=int, default=80_000)
    parser.add_argument("--empty-share", type=float, default=0.25, help="kept of the sentences without an entity")
    parser.add_argument("--change-share", type=float, default=0.3)
    parser.add_argument("--vote-weight", type=float, default=0.5, help="of a name's other sentences; 0 for none")
    parser.add_argument("--leave-out", nargs="*", default=[], choices=list(SHARES), help="sources")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    keep_heap()
    started = time.time()
    rng = random.Random(args.seed)
    teachers, vocabulary, tags = read_teachers(args.teachers, args.device)
    encoder = SentencePieceEncoder(sentencepiece.SentencePieceProcessor(model_proto=vocabulary))
    sentences = change_share(
        pick_sentences(args.documents, args.n_sentences, rng, args.leave_out), args.change_share, rng
    )
    ids = [encoder.encode(sentence).ids[:MAX_SUBWORDS] for sentence in sentences]
    labelled = vote_on_names(ids, mean_probabilities(teachers, ids), tags, args.vote_weight)
    # What an O is, gold sentences say often enough.
    kept = [i for i, own in enumerate(labelled) if own.argmax(axis=1).any() or rng.random() < args.empty_share]
    ids, probabilities = [ids[i] for i in kept], [labelled[i] for i in kept]
    save_soft(args.output, ids, probabilities, tags, vocabulary)
    n_subwords = sum(len(own) for own in ids)
    print(f"{len(ids):,} of {len(sentences):,} sentences, {n_subwords:,} subwords ({time.time() - started:.0f} s)")


if __name__ == "__main__":
    main()
