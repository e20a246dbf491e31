"""What the GPU learns from, as arrays of ids and targets, compressed: for a machine that has neither spaCy nor Sudachi.

    python -m scripts.gpu.pack build/pretraining ner.json data build/gpu --qa assets/jaquad_train_part.json

Writes the corpus with its targets, the annotated sets (Stockmark's train part in many forms, WAC and GSD with Stockmark's
tags, patterns filled many times), the rows of both devs, questions with their answers, and the encoder to begin with.
"""

import argparse
import json
import random
import sys
from pathlib import Path
from typing import Any, Dict, List, Sequence

import numpy as np
from safetensors.torch import load_file

from scripts.pretraining.finetune import LABELS, WINDOWS, Sentences, join_some, read_soft, window_runs
from scripts.pretraining.patterns import SLOT, SWAP_SHARE, Patterns, make_names, read_patterns
from scripts.pretraining.tagger import Tagged
from spacy_luke_ja.corpora.formats import read_records
from spacy_luke_ja.corpora.records import Record
from spacy_luke_ja.corpora.squad import read_squad
from spacy_luke_ja.corpora.stockmark import MD5, read_stockmark, split_records
from spacy_luke_ja.text.decoding import encode_tags
from spacy_luke_ja.text.label_schemes import make_scheme, make_tags

from .rows import save_array
from .shards import write_shards

MAX_PAIR, PAIR_OVERLAP = 512, 128  # subwords
LEFT_OUT = {"aozora_expository", "ict_white_paper"}  # to stay under what a run may bring
MAX_ROW = 126  # of sentences, <s> and </s> aside


def save_rows(output: Path, name: str, rows: Sequence[Tagged], weights: Any = None) -> None:
    """weights: how much each tag counts, of 255; None for 255."""
    save_array(output / f"{name}-ids", np.concatenate([row.ids for row in rows]).astype("uint16"))
    tags = np.concatenate([row.tags for row in rows]).astype("uint8")
    save_array(output / f"{name}-tags", tags)
    save_array(output / f"{name}-weights", np.full(len(tags), 255, "uint8") if weights is None else weights)
    save_array(output / f"{name}-lengths", np.array([len(row.ids) for row in rows], dtype="uint16"))
    print(f"{name}: {len(rows):,} rows, {len(tags):,} subwords", flush=True)


def fill(patterns: Patterns, n_texts: int, sentences: Sentences, seed: int) -> List[Tagged]:
    rng = random.Random(seed)
    rows = []
    for record in patterns.draw(n_texts, rng):
        rows += sentences.tag_windows(record, rng.choice(WINDOWS))
    return [row for row in rows if len(row.ids)]


def pair_rows(path: Path, sentences: Sentences) -> Dict[str, np.ndarray]:
    """Questions and windows of their paragraphs, <s> question </s></s> window </s>: ids, lengths; first: where the window
    begins; start, end: the subwords of the answer, 0 where it is not in the window as a whole."""
    pairs: Dict[str, List[Any]] = {name: [] for name in ("ids", "lengths", "first", "start", "end", "question")}
    n = 0
    for paragraph in read_squad(path, on_bad_record="skip", setting="qa"):
        text = sentences.encoder.encode(paragraph.text)
        for question in paragraph.questions:
            if not question.answers:
                continue
            char_start, char_end = question.answers[0]
            inside = np.flatnonzero((text.char_offsets[:, 1] > char_start) & (text.char_offsets[:, 0] < char_end))
            asked = sentences.encoder.encode(question.text).ids[:96]
            room = MAX_PAIR - len(asked) - 4
            for begin in range(0, max(1, len(text.ids) - PAIR_OVERLAP), room - PAIR_OVERLAP):
                own = text.ids[begin : begin + room]
                first = len(asked) + 3
                has_answer = len(inside) and begin <= inside[0] and inside[-1] < begin + len(own)
                pairs["ids"].append(np.concatenate([[0], asked, [2, 2], own, [2]]))
                pairs["lengths"].append(len(pairs["ids"][-1]))
                pairs["first"].append(first)
                pairs["start"].append(first + inside[0] - begin if has_answer else 0)
                pairs["end"].append(first + inside[-1] - begin if has_answer else 0)
                pairs["question"].append(n)
            n += 1
    ids = np.concatenate(pairs.pop("ids")).astype("uint16")
    return {"ids": ids, **{name: np.array(values, dtype="uint16") for name, values in pairs.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", type=Path, help="where targets.py wrote corpus.npz")
    parser.add_argument("stockmark", type=Path)
    parser.add_argument("data", type=Path, help="with patterns/ and everyday/")
    parser.add_argument("output", type=Path)
    parser.add_argument(
        "--start", type=Path, required=True, help="the checkpoint to begin with, as unpack.py writes it"
    )
    parser.add_argument("--other", type=Path, help="WAC and GSD with Stockmark's tags, as other_sets.py writes them")
    parser.add_argument("--qa", type=Path, nargs="*", default=[], help="train and held-out questions")
    parser.add_argument("--n-patterns", type=int, default=120_000)
    parser.add_argument("--n-forms", type=int, default=12, help="of each sentence of Stockmark's train part")
    parser.add_argument("--documents", type=Path, help="as texts.py writes them")
    parser.add_argument(
        "--only", nargs="*", help="of corpus, stockmark, slots, empty, other, ablations, dev, qa, start"
    )
    args = parser.parse_args()
    output, only = (
        args.output,
        args.only or ["corpus", "stockmark", "slots", "empty", "other", "ablations", "dev", "qa", "start"],
    )
    output.mkdir(parents=True, exist_ok=True)
    tags = make_tags(LABELS, "BIO")
    sp_path = args.start / "sentencepiece.bpe.model"
    sentences = Sentences(sp_path, make_scheme(tags))
    parts = split_records(read_stockmark(args.stockmark, md5=MD5))
    everyday = list(read_records(args.data / "everyday" / "dev.jsonl"))
    processor = sentences.encoder.processor
    blank, ends = processor.piece_to_id("▁") + 1, {processor.piece_to_id(mark) + 1 for mark in "。！？!?"}
    rng = np.random.default_rng(0)

    def join(rows: Sequence[Tagged], share: float) -> List[Tagged]:
        return [row for row in join_some(rows, share, blank, ends, rng) if len(row.ids) <= MAX_ROW]

    if "start" in only:
        config = json.loads((args.start / "config.json").read_text(encoding="utf8"))
        write_shards(output, "start", load_file(args.start / "model.safetensors"), config, bits=8)
        labels = json.loads((args.input / "labels.json").read_text(encoding="utf8"))
        words = {word: sentences.encoder.encode(word).ids.tolist() for word in ("何", "誰", "どこ", "ですか？", "か？")}
        facts = {"labels": labels, "tags": tags, "full_stops": sorted(ends), "blank": blank, "words": words}
        (output / "facts.json").write_text(json.dumps(facts, ensure_ascii=False), encoding="utf8")
    if "corpus" in only:
        pack_corpus(args.input, args.documents, output)
    if {"slots", "empty", "ablations"} & set(only):
        names = make_names(args.data / "patterns", parts["train"])
        texts = read_patterns(args.data / "patterns")
    if "stockmark" in only:
        rows: List[Tagged] = []
        for i in range(args.n_forms):
            rows += sentences.change(parts["train"], 0.5 if i else 0.0, 0.4, random.Random(i))
        save_rows(output, "stockmark", join(rows, 0.4))
    for name in {"slots", "empty"} & set(only):
        own = [text for text in texts if bool(SLOT.search(text)) == (name == "slots")]
        n = args.n_patterns if name == "slots" else args.n_patterns // 12
        save_rows(output, name, join(fill(Patterns(own, names, swap_share=SWAP_SHARE), n, sentences, seed=1), 0.15))
    if "other" in only and args.other:
        other = [row for row in read_soft(args.other, sp_path, tags) if 0 < len(row.ids) <= MAX_ROW]
        probabilities = np.concatenate([row.tags for row in other]).max(axis=1)
        hard = [Tagged(row.ids, row.tags.argmax(axis=1)) for row in other]
        save_rows(output, "other", hard, (probabilities.astype("float32") * 255).round().astype("uint8"))
    if "ablations" in only:
        poor = make_names(args.data / "patterns", parts["train"], n_listed=12, other_sources=False)
        slots = [text for text in texts if SLOT.search(text)]
        save_rows(
            output,
            "poor",
            join(fill(Patterns(slots, poor, swap_share=SWAP_SHARE), args.n_patterns // 4, sentences, seed=2), 0.15),
        )
    if "dev" in only:
        for name, records in (("dev", parts["dev"]), ("everyday", everyday)):
            save_rows(output, name, dev_rows(records, sentences))
        lengths = [min(len(sentences.encoder.encode(record.text)), 510) for record in parts["test"]]
        save_array(output / "test-lengths", np.array(lengths, dtype="uint16"))  # for the rate alone
    if "qa" in only:
        for name, path in zip(("qa", "qa-heldout"), args.qa):
            for part, array in pair_rows(path, sentences).items():
                save_array(output / f"{name}-{part}", array)
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    print(f"{size / 2**20:.1f} MiB in {output}", file=sys.stderr)


def pack_corpus(directory: Path, documents: Path, output: Path) -> None:
    """The corpora that read like today's Japanese, and the sets with labels of their own."""
    with documents.open(encoding="utf8") as file_:
        sources = [json.loads(line)["source"] for line in file_]
    for name in ("corpus", "wac", "gsd"):
        with np.load(directory / f"{name}.npz") as arrays:
            lengths = np.diff(arrays["starts"])
            own = {part: arrays[part] for part in arrays.files if part != "starts"}
        if name == "corpus":
            if len(sources) != len(lengths):
                raise ValueError(f"{documents} has {len(sources)} documents, corpus.npz {len(lengths)}")
            is_kept = np.array([source not in LEFT_OUT for source in sources])
            rows = np.repeat(is_kept, lengths)
            lengths = lengths[is_kept]
            save_array(output / "corpus-is_start", np.packbits(own["pos_c"][rows] % 2 == 0))
            own = {part: own[part][rows] for part in ("ids", "names")}
        for part, array in own.items():
            save_array(output / f"{name}-{part}", array)
        save_array(output / f"{name}-lengths", lengths.astype("uint32"))
        print(f"{name}: {len(own['ids']):,} subwords", flush=True)


def dev_rows(records: Sequence[Record], sentences: Sentences) -> List[Tagged]:
    """The windows in which texts are read, with their gold tags."""
    rows = []
    for record in records:
        subwords = sentences.encoder.encode(record.text)
        tags = encode_tags(subwords, list(record.char_spans), sentences.scheme)
        rows += [Tagged(subwords.ids[run], tags[run]) for run in window_runs(subwords, WINDOWS[0])]
    return [row for row in rows if len(row.ids)]


if __name__ == "__main__":
    main()
