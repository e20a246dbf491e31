"""A pretrained encoder and Stockmark's train part in, a token classifier out (stages 6 and 8).

    python -m scripts.pretraining.finetune build/pretraining/encoder ner.json build/pretraining/teacher-0 --seed 0
    python -m scripts.pretraining.finetune build/pretraining/encoder ner.json build/pretraining/student \
        --soft build/pretraining/soft.npz build/pretraining/other.npz

Every pass sees the sentences in another form: some of their entities swapped for others of the same label, in titles
and lists, in capitals, without stops and commas. With --soft, sentences that teachers have labelled (soft_labels.py,
other_sets.py) are learned from too. What is kept are the running averages of the weights after the epoch with the best
F1 on dev (exact characters). The test part is not looked at. A killed run goes on after its last epoch.
"""

import argparse
import hashlib
import random
import time
from pathlib import Path
from typing import Any, Collection, Dict, List, Mapping, Optional, Sequence

import numpy as np
import sentencepiece
import torch
from torch import nn

from spacy_luke_ja import CharSpan
from spacy_luke_ja.corpora.augmentation import FORMS, collect_mentions, replace_mentions
from spacy_luke_ja.corpora.formats import read_records
from spacy_luke_ja.corpora.records import Record
from spacy_luke_ja.corpora.stockmark import MD5, read_stockmark, split_records
from spacy_luke_ja.evaluation.measures import EvaluatedText, count_matrix, precision_recall_f1
from spacy_luke_ja.models.roberta import Classifier
from spacy_luke_ja.text.label_schemes import TagScheme, make_scheme, make_tags
from spacy_luke_ja.text.ner import encode_tags, find_entities
from spacy_luke_ja.text.subwords import SentencePieceEncoder, Subwords, fairseq_layout
from spacy_luke_ja.text.windows import plan_windows

from .blocks import UNK
from .encoder import best_device, load_classifier, new_classifier
from .heap import keep_heap
from .patterns import make_patterns
from .tagger import MAX_SUBWORDS, Averages, Tagged, join, make_batches, predict, save_classifier, tag_loss
from .training import learn_rate_share, load_state, make_optimizer, save_state, set_learn_rate, settings_of

# In the order of the published LUKE.
LABELS = ("その他の組織名", "法人名", "地名", "人名", "施設名", "イベント名", "政治的組織名", "製品名")
# How often a changed sentence gets each form.
FORM_WEIGHTS = {
    "plain": 4.0, "no_final_stop": 1.0, "no_commas": 1.0, "title": 1.5, "list": 1.5, "upper": 0.5, "wrapped": 1.5,
}  # fmt: skip
WINDOWS = (32, 32, 64, 128)  # in subwords, of which one is drawn for each text of several sentences


class Sentences:
    """Stockmark's sentences as subwords with tags, changed or not."""

    def __init__(self, sp_path: Path, scheme: TagScheme, line_break_id: Optional[int] = None):
        processor = sentencepiece.SentencePieceProcessor(model_file=str(sp_path))
        self.encoder = SentencePieceEncoder(processor, fairseq_layout(processor.get_piece_size(), line_break_id))
        self.scheme = scheme

    def tag(self, text: str, char_spans: Sequence[CharSpan]) -> Tagged:
        subwords = self.encoder.encode(text)
        tags = encode_tags(subwords, list(char_spans), self.scheme)
        return Tagged(subwords.ids[:MAX_SUBWORDS], tags[:MAX_SUBWORDS])

    def tag_windows(self, record: Record, window: int) -> List[Tagged]:
        """The windows in which the text would be read, a Tagged each."""
        subwords = self.encoder.encode(record.text)
        tags = encode_tags(subwords, list(record.char_spans), self.scheme)
        return [Tagged(subwords.ids[run], tags[run]) for run in window_runs(subwords, window)]

    def change(self, records: Sequence[Record], share: float, swap_share: float, rng: random.Random) -> List[Tagged]:
        """Every record once, the given share of them changed; of their entities, swap_share are swapped."""
        mentions = {label: [m for m in own if len(m) > 1] for label, own in collect_mentions(records).items()}
        tagged = []
        for record in records:
            text, char_spans = record.text, record.char_spans
            if rng.random() < share:
                (form,) = rng.choices(list(FORM_WEIGHTS), list(FORM_WEIGHTS.values()))
                text, char_spans = replace_mentions(text, char_spans, mentions, rng, swap_share)
                text, char_spans = FORMS[form](text, char_spans)
            tagged.append(self.tag(text, char_spans))
        return tagged


def window_runs(subwords: Subwords, window: int) -> List[slice]:
    plan = plan_windows(subwords, window=window, overlap=0, limit=MAX_SUBWORDS)
    return [slice(own.kept_start, own.kept_end) for own in plan]


def evaluate(model: Classifier, records: Sequence[Record], sentences: Sentences) -> np.ndarray:
    """RETURNS: precision, recall and F1 over exact characters and labels."""
    subwords = [sentences.encoder.encode(record.text) for record in records]
    texts = []
    runs = [window_runs(own, WINDOWS[0]) for own in subwords]
    rows = predict(model, [own.ids[run] for own, its_runs in zip(subwords, runs) for run in its_runs])
    for record, own, its_runs in zip(records, subwords, runs):
        logits = np.concatenate([next(rows) for _ in its_runs])
        found = find_entities(own, logits, sentences.scheme)
        spans = tuple(CharSpan(entity.char_start, entity.char_end, entity.label) for entity in found)
        texts.append(EvaluatedText(record.text, record.char_spans, spans))
    return precision_recall_f1(count_matrix(texts, LABELS).sum(axis=(0, 1)))


def save_soft(
    path: Path, ids: Sequence[np.ndarray], probabilities: Sequence[np.ndarray], tags: Sequence[str], vocabulary: bytes
) -> None:
    """Sentences with the probabilities of their tags; vocabulary: the sentencepiece model that the ids are of."""
    np.savez(
        path, ids=np.concatenate(ids).astype("uint16"), probabilities=np.concatenate(probabilities),
        starts=np.cumsum([0] + [len(own) for own in ids]), tags=tags, vocabulary=hashlib.md5(vocabulary).hexdigest(),
    )  # fmt: skip


def read_soft(path: Path, sp_path: Path, tags: Sequence[str]) -> List[Tagged]:
    """What save_soft wrote, if it is of this vocabulary and these tags."""
    with np.load(path) as arrays:
        if str(arrays["vocabulary"]) != hashlib.md5(sp_path.read_bytes()).hexdigest():
            raise ValueError(f"{path} has the subwords of another vocabulary than {sp_path}")
        if list(arrays["tags"]) != list(tags):
            raise ValueError(f"{path} has the tags {', '.join(arrays['tags'])}, not {', '.join(tags)}: see --scheme")
        ids, probabilities, starts = arrays["ids"], arrays["probabilities"], arrays["starts"]
    return [Tagged(ids[a:b], probabilities[a:b]) for a, b in zip(starts[:-1], starts[1:])]


def join_some(
    sentences: Sequence[Tagged],
    share: float,
    blank: int,
    ends: Collection[int],
    rng: np.random.Generator,
    line_break_id: Optional[int] = None,
) -> List[Tagged]:
    """Put a share of the sentences together to texts of two to ten.

    Between them is nothing, where the first ends in a full stop, or a blank or line break, which are one subword unless
    there is a line_break_id.

    blank: the id of "▁", with which each sentence begins. ends: the ids of full stops.
    """
    order = rng.permutation(len(sentences))
    n_joined = int(share * len(sentences))
    texts = [sentences[i] for i in order[n_joined:]]
    first = 0
    while first < n_joined:
        ids: List[np.ndarray] = []
        tags: List[np.ndarray] = []
        n_wanted, n_subwords, window = int(rng.integers(2, 11)), 0, int(rng.choice(WINDOWS))
        for i in order[first : min(first + n_wanted, n_joined)]:
            own = sentences[i]
            if n_subwords + len(own.ids) > window and ids:
                break
            skip = int(
                bool(ids) and len(own.ids) > 0 and own.ids[0] == blank and ids[-1][-1] in ends and rng.random() < 0.6
            )
            if ids and not skip and line_break_id is not None and rng.random() < 0.6:
                ids.append(np.array([line_break_id], dtype=own.ids.dtype))
                tags.append(outside_like(own.tags))
            ids.append(own.ids[skip:])
            tags.append(own.tags[skip:])
            n_subwords += len(own.ids)
            first += 1
        texts.append(Tagged(np.concatenate(ids), np.concatenate(tags)))
    return texts


def outside_like(tags: np.ndarray) -> np.ndarray:
    """One subword outside of entities, as Tagged has tags: (n,) or (n, n_tags)."""
    outside = np.zeros((1, *tags.shape[1:]), dtype=tags.dtype)
    if tags.ndim == 2:
        outside[0, 0] = 1
    return outside


class Training:
    """Model, running averages and optimizer, and the epochs that are behind them."""

    def __init__(self, model: Classifier, learn_rate: float, decay: float):
        self.model = model
        self.averages = Averages(model, decay)
        # The new classifier learns faster than the encoder.
        self.optimizer = make_optimizer({model.base_model: 1.0, model.last_layer: 5.0}, learn_rate)
        self.learn_rate = learn_rate
        self.n_epochs = 0
        self.best = -1.0

    def run_epoch(self, batches: Sequence[List[Tagged]], *, n_epochs: int, mask_share: float) -> float:
        """n_epochs: that the training will have, for the learning rate. mask_share: of the subwords, that are masked.

        RETURNS: the mean loss.
        """
        device = self.model.last_layer.weight.device
        mask_id = self.model.config.vocab_size - 1
        self.model.train()
        total = 0.0
        for i, batch in enumerate(batches):
            step, n_steps = self.n_epochs * len(batches) + i, n_epochs * len(batches)
            share = learn_rate_share(step, n_steps, max(n_steps // 20, 1), n_steps)
            set_learn_rate(self.optimizer, self.learn_rate * share)
            with torch.autocast(device.type, dtype=torch.bfloat16):
                ids, lengths = join([example.ids for example in batch], device)
                is_masked = (torch.rand(ids.shape, device=device) < mask_share) & (ids > UNK)
                logits = self.model(ids.masked_fill(is_masked, mask_id), lengths)
            loss = tag_loss(logits, batch)
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.averages.update(self.model)
            total += loss.item()
        self.n_epochs += 1
        return total / len(batches)

    @property
    def parts(self) -> Dict[str, Any]:
        return {"model": self.model, "averages": self.averages.model, "optimizer": self.optimizer}

    def save(self, path: Path, settings: Mapping[str, str]) -> None:
        done = {"n_epochs": self.n_epochs, "best": self.best, "n_updates": self.averages.n_updates}
        save_state(path, self.parts, done, settings)

    def load(self, path: Path, settings: Mapping[str, str]) -> None:
        done = load_state(path, self.parts, settings)
        self.n_epochs, self.best, self.averages.n_updates = done["n_epochs"], done["best"], done["n_updates"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoder", type=Path)
    parser.add_argument("data", type=Path, help="Stockmark's ner.json")
    parser.add_argument("output", type=Path)
    parser.add_argument("--soft", type=Path, nargs="+", default=[], help="files of sentences labelled by teachers")
    parser.add_argument("--soft-per-epoch", type=int, default=8000, help="sentences of each such file")
    parser.add_argument("--patterns", type=Path, help="the directory of patterns of everyday texts (patterns.py)")
    parser.add_argument("--patterns-per-epoch", type=int, default=8000, help="texts")
    parser.add_argument(
        "--pattern-kinds", default="slots,empty", help="which patterns: those with slots, those without"
    )
    parser.add_argument(
        "--names-per-list", type=int, help="that fill patterns, the first of each list and no others; all by default"
    )
    parser.add_argument(
        "--join-share", type=float, default=0.0, help="of the sentences, that are put together to texts"
    )
    parser.add_argument(
        "--line-break-id", type=int, help="a subword put where a line ends, say 2, </s>; none by default"
    )
    parser.add_argument(
        "--go-on", action="store_true", help="ENCODER is a classifier of these tags: its last layer stays"
    )
    parser.add_argument(
        "--everyday", type=Path, help="everyday texts with their entities; an epoch is judged by them, too"
    )
    parser.add_argument("--keep-last", action="store_true", help="the last epoch's weights, however good")
    parser.add_argument("--scheme", default="BIO")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--n-train", type=int, help="only so many sentences of the train part, for a learning curve")
    parser.add_argument("--n-subwords", type=int, default=1536, help="of a batch")
    parser.add_argument("--learn-rate", type=float, default=4e-4)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--mask-share", type=float, default=0.0, help="of the subwords, that are masked")
    parser.add_argument("--change-share", type=float, default=0.5)
    parser.add_argument("--swap-share", type=float, default=0.4)
    parser.add_argument("--decay", type=float, default=0.998, help="of the running averages")
    parser.add_argument("--device", default=best_device())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--md5", default=MD5, help='of ner.json; "" takes any file')
    args = parser.parse_args()
    keep_heap()
    torch.manual_seed(0)  # all seeds begin with the same classifier, so that the mean of their weights is of use
    tags = make_tags(LABELS, args.scheme)
    sentences = Sentences(args.encoder / "sentencepiece.bpe.model", make_scheme(tags), args.line_break_id)
    parts = split_records(read_stockmark(args.data, md5=args.md5))
    train = parts["train"]
    if args.n_train:
        train = [train[i] for i in np.random.default_rng(args.seed).permutation(len(train))[: args.n_train]]
    soft = [read_soft(path, args.encoder / "sentencepiece.bpe.model", tags) for path in args.soft]
    # Each sentence of a file comes once before one comes again.
    soft_orders = [np.random.default_rng(args.seed).permutation(len(own)) for own in soft]
    patterns = None
    if args.patterns:
        kinds = {kind: kind in args.pattern_kinds.split(",") for kind in ("slots", "empty")}
        patterns = make_patterns(args.patterns, train, n_listed=args.names_per_list, **kinds)
    processor = sentences.encoder.processor
    ends = {processor.piece_to_id(mark) + 1 for mark in "。！？!?"}
    blank = processor.piece_to_id("▁") + 1
    if args.go_on:
        model = load_classifier(args.encoder, args.dropout).to(args.device)
    else:
        model = new_classifier(args.encoder, len(tags), args.dropout).to(args.device)
    judged = {"dev": parts["dev"]}
    if args.everyday:
        judged["everyday"] = list(read_records(args.everyday))
    training = Training(model, args.learn_rate, args.decay)
    args.output.mkdir(parents=True, exist_ok=True)
    inputs = [args.encoder / "model.safetensors", *args.soft]
    settings = settings_of(args, inputs, free=("encoder", "data", "output", "soft", "device"))
    state_path = args.output / "state.pt"
    if state_path.exists():
        training.load(state_path, settings)
        print(f"goes on after epoch {training.n_epochs}", flush=True)
    started = time.time()
    while training.n_epochs < args.epochs:
        # What an epoch draws depends on the seed and its number alone, so that a killed run goes on as it would have.
        rng = np.random.default_rng((args.seed, training.n_epochs))
        torch.manual_seed(int(rng.integers(2**31)))
        examples = sentences.change(train, args.change_share, args.swap_share, random.Random(int(rng.integers(2**31))))
        for own, order in zip(soft, soft_orders):
            first = training.n_epochs * args.soft_per_epoch
            picked = np.arange(first, first + min(args.soft_per_epoch, len(own))) % len(own)
            examples += [own[i] for i in order[picked]]
        if patterns:
            texts = patterns.draw(args.patterns_per_epoch, random.Random(int(rng.integers(2**31))))
            windows = rng.choice(WINDOWS, len(texts))
            examples += [own for text, w in zip(texts, windows) for own in sentences.tag_windows(text, int(w))]
        hard = [one for one in examples if one.tags.ndim == 1]
        soft_ones = [one for one in examples if one.tags.ndim == 2]
        examples = [
            text
            for own in (hard, soft_ones)
            for text in join_some(own, args.join_share, blank, ends, rng, args.line_break_id)
        ]
        mean_loss = training.run_epoch(
            make_batches(examples, args.n_subwords, rng),
            n_epochs=args.epochs,
            mask_share=args.mask_share,
        )
        scores = {name: evaluate(training.averages.model, records, sentences) for name, records in judged.items()}
        line = " ".join(
            f"{name} " + " ".join(f"{measure} {score:.4f}" for measure, score in zip("PRF", own))
            for name, own in scores.items()
        )
        seconds = time.time() - started
        print(f"epoch {training.n_epochs} loss {mean_loss:.4f} {line} ({seconds:.0f} s)", flush=True)
        mean_f1 = float(np.mean([own[2] for own in scores.values()]))
        if mean_f1 > training.best or args.keep_last:
            training.best = mean_f1
            save_classifier(training.averages.model, args.encoder, args.output, tags, line_break_id=args.line_break_id)
        training.save(state_path, settings)
    state_path.unlink(missing_ok=True)
    print(f"best F1 {training.best:.4f}")


if __name__ == "__main__":
    main()
