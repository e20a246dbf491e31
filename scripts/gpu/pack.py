"""What the GPU learns from, as arrays of ids and targets: for a machine that has neither spaCy nor Sudachi.

    V="--vocabulary spacy_luke_ja/pretrained/ja_luke_sm"
    python -m scripts.gpu.pack build/pretraining ner.json data build/gpu $V --start build/pretraining/released \
        --soft build/pretraining/soft.npz --other build/pretraining/other.npz \
        --qa assets/jaquad_train_part.json assets/jaquad_heldout.json
    python -m scripts.gpu.pack build/pretraining ner.json data build/gpu $V --start-md build/md --only start slots

Writes the corpus with its targets, the annotated sets (Stockmark's train part in many forms, WAC and GSD with
Stockmark's tags, patterns filled many times), the rows of both devs, questions with their answers, and the encoders or
classifiers to begin with: unpack.py makes them of what an earlier run left.
"""

import argparse
import json
import random
from functools import cached_property
from pathlib import Path
from typing import List, Optional, Sequence

import numpy as np
from safetensors.torch import load_file

from scripts.pretraining.finetune import LABELS, WINDOWS, Sentences, join_some, read_soft, window_runs
from scripts.pretraining.names import Names
from scripts.pretraining.patterns import SLOT, SWAP_SHARE, Patterns, make_names, read_patterns
from scripts.pretraining.tagger import Tagged
from spacy_luke_ja.corpora.formats import read_records
from spacy_luke_ja.corpora.records import Record
from spacy_luke_ja.corpora.stockmark import MD5, read_stockmark, split_records
from spacy_luke_ja.text.label_schemes import make_scheme, make_tags
from spacy_luke_ja.text.ner import encode_tags

from .arrays import save_array
from .pack_qa import pair_arrays
from .shards import write_shards

LEFT_OUT = {"aozora_expository", "ict_white_paper"}  # sources unlike today's everyday Japanese
MAX_ROW = 126  # of sentences, <s> and </s> aside
MAX_WINDOW = 510
# How many of the sentences become parts of longer texts, and of Stockmark's names are swapped.
JOIN_SHARE, JOIN_PATTERNS_SHARE, SWAP_NAMES_SHARE = 0.4, 0.15, 0.4
QUESTION_WORDS = ("何", "誰", "どこ", "ですか？", "か？")


class Packer:
    """The inputs, read once, and the folder that the arrays are written to."""

    def __init__(self, args: argparse.Namespace):
        self.args, self.output = args, args.output
        self.tags = make_tags(LABELS, "BIO")
        self.vocabulary = args.vocabulary / "sentencepiece.bpe.model"
        self.sentences = Sentences(self.vocabulary, make_scheme(self.tags), args.line_break_id)
        self.records = split_records(read_stockmark(args.stockmark, md5=args.md5))
        processor = self.sentences.encoder.processor
        self.blank = processor.piece_to_id("▁") + 1
        self.full_stops = {processor.piece_to_id(mark) + 1 for mark in "。！？!?"}
        self.rng = np.random.default_rng(0)

    @cached_property
    def patterns(self) -> List[str]:
        return read_patterns(self.args.data / "patterns")

    @cached_property
    def names(self) -> Names:
        return make_names(self.args.data / "patterns", self.records["train"])

    def pack_start(self) -> None:
        for name, directory in (("start", self.args.start), ("start-md", self.args.start_md)):
            if directory is not None:
                config = json.loads((directory / "config.json").read_text(encoding="utf8"))
                tensors = load_file(directory / "model.safetensors")
                write_shards(self.output, name, tensors, config, bits=8 if name == "start-md" else self.args.bits)
        facts = {
            "labels": json.loads((self.args.input / "labels.json").read_text(encoding="utf8")),
            "tags": self.tags, "full_stops": sorted(self.full_stops), "blank": self.blank,
            "words": {word: self.sentences.encoder.encode(word).ids.tolist() for word in QUESTION_WORDS},
        }  # fmt: skip
        (self.output / "facts.json").write_text(json.dumps(facts, ensure_ascii=False), encoding="utf8")

    def pack_corpus(self) -> None:
        """The corpora that read like today's Japanese, and the sets with labels of their own."""
        documents = self.args.documents or self.args.input / "documents.jsonl"
        with documents.open(encoding="utf8") as file_:
            is_kept = np.array([json.loads(line)["source"] not in LEFT_OUT for line in file_])
        is_kept &= self.rng.random(len(is_kept)) < self.args.corpus_share
        for name in ("corpus", "wac", "gsd"):
            with np.load(self.args.input / f"{name}.npz") as arrays:
                lengths = np.diff(arrays["starts"])
                parts = {part: arrays[part] for part in arrays.files if part != "starts"}
            if name == "corpus":
                if len(is_kept) != len(lengths):
                    raise ValueError(f"{documents} has {len(is_kept)} documents, but corpus.npz has {len(lengths)}")
                rows = np.repeat(is_kept, lengths)
                lengths = lengths[is_kept]
                save_array(self.output / "corpus-is_start", np.packbits(parts["pos_c"][rows] % 2 == 0))
                parts = {part: parts[part][rows] for part in ("ids", "names")}
            for part, array in parts.items():
                save_array(self.output / f"{name}-{part}", array)
            save_array(self.output / f"{name}-lengths", lengths.astype("uint32"))
            print(f"{name}: {len(parts['ids']):,} subwords", flush=True)

    def pack_stockmark(self) -> None:
        """The train part, once as it is and otherwise half of it in another form."""
        rows: List[Tagged] = []
        for i in range(self.args.n_forms):
            share = 0.5 if i else 0.0
            rows += self.sentences.change(self.records["train"], share, SWAP_NAMES_SHARE, random.Random(i))
        self._save("stockmark", self._join(rows, JOIN_SHARE))

    def pack_slots(self) -> None:
        """Patterns with names."""
        own = [pattern for pattern in self.patterns if SLOT.search(pattern)]
        self._pack_patterns("slots", own, self.names, self.args.n_patterns, seed=1)

    def pack_empty(self) -> None:
        """Patterns without."""
        own = [pattern for pattern in self.patterns if not SLOT.search(pattern)]
        self._pack_patterns("empty", own, self.names, self.args.n_patterns // 12, seed=1)

    def pack_poor(self) -> None:
        """Patterns with few names, to see what the others are worth."""
        own = [pattern for pattern in self.patterns if SLOT.search(pattern)]
        names = make_names(self.args.data / "patterns", self.records["train"], n_listed=12, other_sources=False)
        self._pack_patterns("poor", own, names, self.args.n_patterns // 4, seed=2)

    def pack_other(self) -> None:
        """WAC and GSD."""
        self._pack_soft("other", self.args.other)

    def pack_soft(self) -> None:
        """Sentences that teachers have labelled."""
        self._pack_soft("soft", self.args.soft)

    def _pack_soft(self, name: str, path: Path) -> None:
        """The likeliest tags, which count as much as they are likely."""
        rows = [row for row in read_soft(path, self.vocabulary, self.tags) if 0 < len(row.ids) <= MAX_ROW]
        likely = np.concatenate([row.tags for row in rows]).max(axis=1)
        weights = (likely.astype("float32") * 255).round().astype("uint8")
        self._save(name, [Tagged(row.ids, row.tags.argmax(axis=1)) for row in rows], weights)

    def pack_dev(self) -> None:
        everyday = list(read_records(self.args.data / "everyday" / "dev.jsonl"))
        self._save("dev", self._windows(self.records["dev"]))
        self._save("everyday", self._windows(everyday))
        # Of test, lengths alone, for rate.py.
        lengths = [len(self.sentences.encoder.encode(record.text)) for record in self.records["test"]]
        save_array(self.output / "test-lengths", np.minimum(lengths, MAX_WINDOW).astype("uint16"))

    def pack_qa(self) -> None:
        for name, path in zip(("qa", "qa-heldout"), self.args.qa):
            for part, array in pair_arrays(path, self.sentences.encoder).items():
                save_array(self.output / f"{name}-{part}", array)

    def _pack_patterns(self, name: str, patterns: Sequence[str], names: Names, n_texts: int, *, seed: int) -> None:
        rng = random.Random(seed)
        rows: List[Tagged] = []
        for record in Patterns(patterns, names, swap_share=SWAP_SHARE).draw(n_texts, rng):
            rows += self.sentences.tag_windows(record, rng.choice(WINDOWS))
        self._save(name, self._join([row for row in rows if len(row.ids)], JOIN_PATTERNS_SHARE))

    def _join(self, rows: Sequence[Tagged], share: float) -> List[Tagged]:
        joined = join_some(rows, share, self.blank, self.full_stops, self.rng, self.args.line_break_id)
        return [row for row in joined if len(row.ids) <= MAX_ROW]

    def _windows(self, records: Sequence[Record]) -> List[Tagged]:
        """The windows in which texts are read, with their gold tags."""
        rows = []
        for record in records:
            subwords = self.sentences.encoder.encode(record.text)
            tags = encode_tags(subwords, list(record.char_spans), self.sentences.scheme)
            rows += [Tagged(subwords.ids[run], tags[run]) for run in window_runs(subwords, WINDOWS[0])]
        return [row for row in rows if len(row.ids)]

    def _save(self, name: str, rows: Sequence[Tagged], weights: Optional[np.ndarray] = None) -> None:
        """weights: how much each tag counts, of 255; None for 255."""
        save_array(self.output / f"{name}-ids", np.concatenate([row.ids for row in rows]).astype("uint16"))
        tags = np.concatenate([row.tags for row in rows]).astype("uint8")
        save_array(self.output / f"{name}-tags", tags)
        save_array(self.output / f"{name}-weights", np.full(len(tags), 255, "uint8") if weights is None else weights)
        save_array(self.output / f"{name}-lengths", np.array([len(row.ids) for row in rows], dtype="uint16"))
        print(f"{name}: {len(rows):,} rows, {len(tags):,} subwords", flush=True)


PARTS = ("start", "corpus", "stockmark", "slots", "empty", "other", "soft", "poor", "dev", "qa")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", type=Path, help="with corpus.npz, wac.npz, gsd.npz and labels.json")
    parser.add_argument("stockmark", type=Path, help="ner.json")
    parser.add_argument("data", type=Path, help="with patterns/ and everyday/")
    parser.add_argument("output", type=Path)
    parser.add_argument("--vocabulary", type=Path, required=True, help="a directory with sentencepiece.bpe.model")
    parser.add_argument("--start", type=Path, help="the checkpoint that the small model begins with")
    parser.add_argument("--start-md", type=Path, help="that of the larger one; grown from the small one when not given")
    parser.add_argument("--bits", type=int, default=8, choices=(8, 16), help="of the small one's weights")
    parser.add_argument("--line-break-id", type=int, help="as finetune.py's")
    parser.add_argument("--soft", type=Path, help="sentences labelled by teachers, as soft_labels.py writes them")
    parser.add_argument("--corpus-share", type=float, default=1.0, help="of its documents, drawn at random")
    parser.add_argument("--other", type=Path, help="WAC and GSD with Stockmark's tags, as other_sets.py writes them")
    parser.add_argument("--qa", type=Path, nargs=2, help="questions to learn from, and held-out ones")
    parser.add_argument("--documents", type=Path, help="as texts.py writes them; INPUT/documents.jsonl when not given")
    parser.add_argument("--n-patterns", type=int, default=120_000, help="texts with names")
    parser.add_argument("--n-forms", type=int, default=12, help="of each sentence of Stockmark's train part")
    parser.add_argument("--md5", default=MD5, help='of ner.json; "" for any')
    parser.add_argument("--only", nargs="+", default=PARTS, choices=PARTS)
    args = parser.parse_args()
    for part, value in {"other": args.other, "soft": args.soft, "qa": args.qa}.items():
        if part in args.only and value is None:
            parser.error(f"--{part} is missing, or --only without {part}")
    args.output.mkdir(parents=True, exist_ok=True)
    packer = Packer(args)
    for part in PARTS:
        if part in args.only:
            getattr(packer, f"pack_{part}")()
    size = sum(path.stat().st_size for path in args.output.rglob("*") if path.is_file())
    print(f"{size / 2**20:.1f} MiB in {args.output}", flush=True)


if __name__ == "__main__":
    main()
