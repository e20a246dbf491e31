"""A new label for a trained pipeline, from few sentences that were annotated with it alone: what it learns and forgets.

    python benchmarks/new_label.py --data ../shared/data/ner/gsd_train.jsonl.xz --stockmark assets/ner.json

The sentences: gsd_train.jsonl.xz (megagonlabs/UD_Japanese-GSD), of which one label counts, DATE, called 日付 here. Each
that is learned from has it; of 200 others, half have it. Forgotten is what F1 on Stockmark's dev part loses, over the
labels that were there before, new entities left out. Learning is what README says: add_label, resume_training, passes.
"""

import argparse
import random
from pathlib import Path
from typing import Any, List, Optional, Sequence, Tuple

from out_of_domain import read_annotated
from spacy.language import Language
from spacy.util import fix_random_seed, minibatch

from spacy_luke_ja import CharSpan, make_example
from spacy_luke_ja.corpora.stockmark import read_stockmark, split_records
from spacy_luke_ja.evaluation.measures import EvaluatedText, bootstrap_intervals, labels_of, score_table
from spacy_luke_ja.evaluation.pipelines import load_pipeline
from spacy_luke_ja.evaluation.run import run_pipeline

Annotated = Tuple[str, Tuple[CharSpan, ...]]
N_TEST = 200


def main(argv: Optional[Sequence[str]] = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-p", "--pipeline", default="ja_luke_ner_sm", help="a pipeline or checkpoint")
    parser.add_argument("--data", type=Path, required=True, help="sentences with the new label, gsd_train.jsonl.xz")
    parser.add_argument("--label", default="DATE", help="the label there (default: %(default)s)")
    parser.add_argument("--name", default="日付", help="what it is called here (default: %(default)s)")
    parser.add_argument("--stockmark", type=Path, required=True, help="Stockmark's ner.json, of which dev is read")
    parser.add_argument("-n", type=int, nargs="+", default=[20, 100], help="sentences to learn from")
    parser.add_argument("--passes", type=int, default=20, help="over them (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=8, help="sentences to a step (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    train, test = choose_sentences(read_annotated(args.data), args.label, args.name, max(args.n), args.seed)
    dev = [(record.text, record.char_spans) for record in split_records(read_stockmark(args.stockmark))["dev"]]
    print(f"{args.name}: {sum(len(spans) for _, spans in test)} in {len(test)} others; {len(dev)} sentences of dev")
    print("| sentences | P | R | F1 (95 %) | dev F1 before | after |\n|---|---|---|---|---|---|")
    for n in args.n:
        fix_random_seed(args.seed)
        nlp = load_pipeline(args.pipeline)
        luke_ner: Any = nlp.get_pipe("luke_ner")
        luke_ner.add_label(args.name)  # from here on in float32
        before = dev_f1(nlp, dev, args.name)
        learn(nlp, train[:n], args)
        texts = [only_label(text, args.name) for text in run_pipeline(nlp, test)]
        row = score_table(texts, [args.name])["micro"]
        low, high = bootstrap_intervals(texts, [args.name])["micro"]["f"]
        scores = f"{row['p']:.3f} | {row['r']:.3f} | {row['f']:.3f} ({low:.3f}–{high:.3f})"
        print(f"| {n} | {scores} | {before:.3f} | {dev_f1(nlp, dev, args.name):.3f} |", flush=True)


def choose_sentences(
    annotated: Sequence[Annotated], label: str, name: str, n: int, seed: int
) -> Tuple[List[Annotated], List[Annotated]]:
    """RETURNS: n sentences to learn from, and N_TEST others."""
    own = [(text, tuple(s._replace(label=name) for s in spans if s.label == label)) for text, spans in annotated]
    random.Random(seed).shuffle(own)
    having, lacking = ([item for item in own if bool(item[1]) == has] for has in (True, False))
    return having[N_TEST // 2 :][:n], having[: N_TEST // 2] + lacking[: N_TEST // 2]


def learn(nlp: Language, train: Sequence[Annotated], args: Any) -> None:
    optimizer = nlp.resume_training()
    examples = [make_example(nlp, text, [span[:3] for span in spans]) for text, spans in train]
    for _ in range(args.passes):
        random.shuffle(examples)
        for batch in minibatch(examples, size=args.batch_size):
            nlp.update(batch, sgd=optimizer)


def dev_f1(nlp: Language, dev: Sequence[Any], new: str) -> float:
    texts = [
        EvaluatedText(text.text, text.gold, tuple(span for span in text.found if span.label != new))
        for text in run_pipeline(nlp, dev)
    ]
    return score_table(texts, labels_of(texts))["micro"]["f"]


def only_label(text: EvaluatedText, label: str) -> EvaluatedText:
    return EvaluatedText(text.text, text.gold, tuple(span for span in text.found if span.label == label))


if __name__ == "__main__":
    main()
