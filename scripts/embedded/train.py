"""A checkpoint to start from in, a trained pipeline out (stage 3 of the embedded checkpoint).

    python scripts/embedded/train.py --data ner.json --start build/embedded/start --output build/embedded/trained

Trains with the component's own update on Stockmark's train part, and keeps the pipeline with the best F1 on dev.
The test part is not looked at.
"""

import argparse
import random
import time
from pathlib import Path
from typing import Any, Dict

import torch
from spacy.util import fix_random_seed
from thinc.api import Adam, warmup_linear

import spacy_luke_ja
from spacy_luke_ja.corpora.examples import make_example
from spacy_luke_ja.corpora.stockmark import read_stockmark, split_records

# In the order of the published LUKE.
LABELS = ["その他の組織名", "法人名", "地名", "人名", "施設名", "イベント名", "政治的組織名", "製品名"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="Stockmark's ner.json")
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--batch-size", type=int, default=24)
    parser.add_argument("--learn-rate", type=float, default=5e-4)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    fix_random_seed(args.seed)
    torch.manual_seed(args.seed)
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner", config={"model": {"name": str(args.start), "precision": "float32"}})
    parts = split_records(read_stockmark(args.data))
    train = [make_example(nlp, record.text, record.entities) for record in parts["train"]]
    component: Any = nlp.get_pipe("luke_ner")
    component.initialize(lambda: train[:10], nlp=nlp, labels=LABELS)
    n_steps = args.epochs * -(-len(train) // args.batch_size)
    schedule: Any = warmup_linear(args.learn_rate, n_steps // 10, n_steps)
    optimizer = Adam(learn_rate=schedule, L2=0.01, L2_is_weight_decay=True, grad_clip=1.0)
    started, best = time.time(), 0.0
    for epoch in range(args.epochs):
        random.shuffle(train)
        losses: Dict[str, float] = {}
        # Neighbours of like length make batches of little padding; their order is random again.
        order = sorted(train, key=lambda eg: len(eg.predicted.text) + random.uniform(-10, 10))
        batches = [order[i : i + args.batch_size] for i in range(0, len(order), args.batch_size)]
        random.shuffle(batches)
        for batch in batches:
            nlp.update(batch, drop=args.dropout, sgd=optimizer, losses=losses)
            optimizer.step_schedules()
        scores = nlp.evaluate([make_example(nlp, record.text, record.entities) for record in parts["dev"]])
        line = " ".join(f"{key} {scores['char_ents_' + key]:.4f}" for key in "prf")
        loss, seconds = losses["luke_ner"] / len(batches), time.time() - started
        print(f"epoch {epoch + 1} loss {loss:.4f} dev {line} ({seconds:.0f} s)", flush=True)
        if scores["char_ents_f"] > best:
            best = scores["char_ents_f"]
            nlp.to_disk(args.output)
    print(f"best dev F1 {best:.4f}, {time.process_time() / 60:.1f} minutes of CPU")


if __name__ == "__main__":
    main()
