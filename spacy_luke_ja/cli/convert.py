"""Annotated data in, DocBins for training and a report on what they hold out."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List

from typer import Argument, Exit, Option

from ..corpora.stockmark import MD5, PARTS
from . import app
from .tables import print_table, warnings_as_messages

if TYPE_CHECKING:
    from ..corpora.records import Record

SPLIT_MODES = ("A", "B", "C")


@app.command("convert-stockmark")
def convert_stockmark(
    input_path: Path = Argument(..., help="Stockmark's ner.json"),
    output_path: Path = Argument(..., help="Directory for train.spacy, dev.spacy, test.spacy and report.json"),
    split_mode: str = Option("A", "--split-mode", help="Sudachi's units: A (short), B or C (long)"),
    md5: str = Option(MD5, "--md5", help='The checksum that the file must have; "" takes any'),
    label_map: str = Option(
        "", "--label-map", help="Rename the eight labels: ontonotes, ene, irex, conll, presidio, stockmark"
    ),
) -> None:
    """Convert Stockmark's ner.json by the published split, and report what each part holds."""
    from wasabi import msg

    import spacy_luke_ja

    from ..corpora.formats import write_records
    from ..corpora.stockmark import read_stockmark, split_records
    from ..label_maps import get_label_map
    from ..training.directories import replace_file
    from ..training.outputs import directory_for_files, file_for

    try:
        renamed = get_label_map(label_map, setting="--label-map") if label_map else {}
        directory_for_files(output_path, ("report.json",), inputs=(input_path,))
        for part in PARTS:
            file_for(output_path / f"{part}.spacy", "docbin", inputs=(input_path,))
        all_records = [record.renamed(renamed) for record in read_stockmark(input_path, md5=md5)]
        parts = split_records(all_records)
        empty = [part for part in PARTS if not parts[part]]
        if empty:
            raise ValueError(f"{input_path} has too few sentences to split: none for {', '.join(empty)}")
        nlp = spacy_luke_ja.blank(split_mode=split_mode)
        for part, records in parts.items():
            docbin = mark_docbin(write_records(nlp, records, "docbin"))
            replace_file(output_path / f"{part}.spacy", partial(Path.write_bytes, data=docbin))
        report = make_report(parts)
        report["left_out"] = len(all_records) - sum(map(len, parts.values()))
        content = json.dumps(report, ensure_ascii=False, indent=2)
        replace_file(output_path / "report.json", lambda path: path.write_text(content, encoding="utf8"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg.fail(str(error) if isinstance(error, (OSError, ValueError)) else f"{input_path} is no ner.json: {error!r}")
        raise Exit(1) from error
    print_report(report)
    msg.good(f"Wrote {', '.join(f'{part}.spacy' for part in PARTS)} and report.json to {output_path}")


@app.command("convert")
def convert(
    input_path: Path = Argument(..., help="Annotated texts, in any of the formats above, packed or not"),
    output_path: Path = Argument(..., help="The file to write: .spacy, .jsonl, .json, .conll, .tsv …"),
    format: str = Option("", "--to", help="The format to write; by default the one that the ending stands for"),
    split_mode: str = Option("A", "--split-mode", help="Sudachi's units: A (short), B or C (long)"),
    label_map: str = Option(
        "", "--label-map", help="Rename the eight labels: ontonotes, ene, irex, conll, presidio, stockmark"
    ),
    on_bad_record: str = Option("raise", "--on-bad-record", help='"raise", or "skip" with a warning'),
) -> None:
    """Convert your own annotated texts to a DocBin that loses no entity, or to the format of another tool.

    Formats: docbin (.spacy); jsonl, doccano, prodigy, label-studio, label-studio-min, huggingface, doc-json and
    spacy-tuples (.jsonl, .json); conll, bioes, conll2003, tsv, pipes, conllu (.conll, .iob, .tsv, .txt …).
    """
    from wasabi import msg

    import spacy_luke_ja

    from ..corpora.files import ending_of, pack_for
    from ..corpora.formats import choose_format, read_records, write_records
    from ..corpora.inspection import count_labels
    from ..label_maps import get_label_map
    from ..training.directories import replace_file
    from ..training.outputs import file_for

    try:
        renamed = get_label_map(label_map, setting="--label-map") if label_map else {}
        name = choose_format(output_path, format, setting="--to")
        file_for(output_path, "docbin" if output_path.suffix == ".spacy" else "data", inputs=(input_path,))
        with warnings_as_messages():
            records = list(read_records(input_path, on_bad_record=on_bad_record, setting="--on-bad-record"))
        if not records:
            raise ValueError(f"{input_path} holds no text")
        unmapped = sorted(set(count_labels(records)) - {*renamed, *renamed.values()}) if renamed else []
        if unmapped:
            msg.warn(f"--label-map {label_map} does not have the labels {', '.join(unmapped)}; they stay as they are")
        records = [record.renamed(renamed) for record in records]
        nlp = spacy_luke_ja.blank(split_mode=split_mode)
        content = write_records(nlp, records, name, ending=ending_of(output_path))
        packed = pack_for(output_path, mark_docbin(content) if name == "docbin" else content)
        replace_file(output_path, lambda new: new.write_bytes(packed))
    except (OSError, ValueError) as error:
        msg.fail(str(error))
        raise Exit(1) from error
    labels = count_labels(records)
    print_table(("label", "entities"), labels.most_common())
    msg.good(f"Wrote {len(records)} texts with {sum(labels.values())} entities to {output_path}")


def mark_docbin(content: bytes) -> bytes:
    """A DocBin that says that it is ours, so that it may be replaced."""
    import zlib

    import srsly

    from ..training.outputs import MADE_BY

    # spaCy passes over keys that it does not know.
    return zlib.compress(srsly.msgpack_dumps({**MADE_BY, **srsly.msgpack_loads(zlib.decompress(content))}))


def make_report(parts: Dict[str, List["Record"]]) -> Dict[str, Any]:
    """What each part holds, and each entity that is not whole tokens, per split mode."""
    import spacy_luke_ja

    from ..corpora.inspection import count_labels, find_cut_by_tokens, find_repeated_texts, find_shared_pages

    cut = {}
    for mode in SPLIT_MODES:
        nlp = spacy_luke_ja.blank(split_mode=mode)
        cut[mode] = {part: find_cut_by_tokens(nlp, records) for part, records in parts.items()}
    return {
        "sentences": {part: len(records) for part, records in parts.items()},
        "entities": {part: dict(count_labels(records).most_common()) for part, records in parts.items()},
        "shared_pages": {" and ".join(pair): pages for pair, pages in find_shared_pages(parts).items()},
        "repeated_texts": {" and ".join(names): texts for names, texts in find_repeated_texts(parts).items()},
        "cut_by_tokens": {
            mode: {
                part: [{"text": c.text, "entity": c.char_span[:3], "tokens": c.units} for c in found]
                for part, found in by_part.items()
            }
            for mode, by_part in cut.items()
        },
    }


def print_report(report: Dict[str, Any]) -> None:
    from ..stockmark_labels import LABELS

    labels = sorted({label for counts in report["entities"].values() for label in counts}, key=label_order(LABELS))
    rows = [(label, *(report["entities"][part].get(label, 0) for part in PARTS)) for label in labels]
    rows.append(("all entities", *(sum(report["entities"][part].values()) for part in PARTS)))
    rows.append(("sentences", *(report["sentences"][part] for part in PARTS)))
    for mode, by_part in report["cut_by_tokens"].items():
        rows.append((f"not whole tokens, split mode {mode}", *(len(by_part[part]) for part in PARTS)))
    print_table(("", *PARTS), rows)
    for mode, by_part in report["cut_by_tokens"].items():
        examples = [cut for part in PARTS for cut in by_part[part]][:5]
        shown = ", ".join(f"{cut['text'][slice(*cut['entity'][:2])]} in {cut['tokens']}" for cut in examples)
        if shown:
            print(f"split mode {mode}: {shown} …")
    print("These entities keep their characters in the .spacy files; report.json lists all of them.")
    print(f"{report['left_out']} sentences are in no part, because their page has a sentence in test.")


def label_order(known: Any) -> Any:
    return lambda label: (known.index(label) if label in known else len(known), label)
