"""How much entity F1 alignment alone costs: gold spans given as predictions, each alignment mode and split mode.

    python benchmarks/alignment.py --data ner.json

F1 is over exact characters of doc.ents, on all sentences of Stockmark's ner.json. No model is run.
"""

import argparse
from pathlib import Path

from spacy.training import Example

import spacy_luke_ja
from spacy_luke_ja import make_example
from spacy_luke_ja.corpora.stockmark import read_stockmark
from spacy_luke_ja.pipeline.ner_doc import annotate_entities, register_extensions
from spacy_luke_ja.scorers.ner import score_char_ents
from spacy_luke_ja.text.alignment import ALIGNMENT_MODES, OUTCOMES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="Stockmark's ner.json")
    args = parser.parse_args()
    records = read_stockmark(args.data)
    register_extensions()
    print("| split mode | alignment mode | P | R | F1 | " + " | ".join(OUTCOMES) + " |")
    print("|---|---|" + "---|" * (3 + len(OUTCOMES)))
    for split_mode in "ABC":
        nlp = spacy_luke_ja.blank(split_mode=split_mode)
        gold = [make_example(nlp, record.text, record.entities) for record in records]
        for mode in ALIGNMENT_MODES:
            examples, counts = [], dict.fromkeys(OUTCOMES, 0)
            for record, example in zip(records, gold):
                doc = example.predicted.copy()
                annotate_entities(
                    doc, record.char_spans, component="gold", alignment_mode=mode, spans_key=None, ents_filter=None
                )
                examples.append(Example(doc, example.reference))
                for outcome in OUTCOMES:
                    counts[outcome] += doc._.luke_alignment[outcome]
            scores = score_char_ents(examples)
            numbers = [f"{scores['char_ents_' + key]:.4f}" for key in "prf"] + [str(counts[key]) for key in OUTCOMES]
            print(f"| {split_mode} | {mode} | " + " | ".join(numbers) + " |", flush=True)


if __name__ == "__main__":
    main()
