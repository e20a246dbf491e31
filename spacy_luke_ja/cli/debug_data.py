"""A training config in; what its data holds that `spacy debug data` does not look at out."""

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence

from spacy.cli._util import import_code, parse_config_overrides, show_validation_error
from typer import Argument, Context, Exit, Option

from . import app

if TYPE_CHECKING:
    from ..corpora.records import Record

FEW = 50  # entities of a label that are too few to learn from
N_EXAMPLES = 5
N_BAD = 20  # records that are named


@app.command("debug-data", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def debug_data_cli(
    ctx: Context,
    config_path: Path = Argument(..., help="Path to the config", exists=True),
    label_map: str = Option(
        "", "--label-map", help="Count the labels under other names: ontonotes, ene, irex, conll, presidio, stockmark"
    ),
    code_path: Optional[Path] = Option(None, "--code", "-c", help="A Python file with registered functions to import"),
) -> None:
    """Count labels and subwords, and find entities that cut tokens or subwords, unknown pieces and repeated texts.

    Looks at the parts that training.train_corpus and training.dev_corpus name, and at corpora.test where there is one.
    The data comes from the config, or from --paths.train and --paths.dev. Exits with 1 when there is nothing to train
    on, or a record cannot be read and corpora.….on_bad_record is "raise".
    """
    from spacy.util import load_config, load_model_from_config, resolve_dot_names
    from wasabi import msg

    from ..corpora.docbin import record_of_doc
    from ..corpora.inspection import TAUGHT
    from ..evaluation.pipelines import find_encoder
    from ..label_maps import get_label_map
    from .train import check_corpora

    try:
        renamed = get_label_map(label_map, setting="--label-map") if label_map else {}
    except ValueError as error:
        msg.fail(str(error))
        raise Exit(1) from error
    overrides = parse_config_overrides(ctx.args)
    import_code(code_path)
    with show_validation_error(config_path):
        config = load_config(config_path, overrides=overrides, interpolate=False)
        nlp = load_model_from_config(config, auto_fill=True)
    written, config = config, nlp.config.interpolate()
    for reader in config["corpora"].values():  # the data as it is written, not as an augmenter changes it
        if isinstance(reader, dict) and "augmenter" in reader:
            reader["augmenter"] = None
    names = {"train": config["training"]["train_corpus"], "dev": config["training"]["dev_corpus"]}
    if "test" in config["corpora"]:
        names["test"] = "corpora.test"
    try:
        check_corpora(written)
        n_errors = report_bad_records(config)
        corpora = dict(zip(names, resolve_dot_names(config, list(names.values()))))
        docs = {part: [example.reference for example in corpus(nlp)] for part, corpus in corpora.items()}
        parts = {part: [record_of_doc(doc).renamed(renamed) for doc in own] for part, own in docs.items()}
        encoder = find_encoder(nlp)
    except (OSError, ValueError) as error:
        msg.fail(str(error))
        raise Exit(1) from error
    factories = [nlp.get_pipe_meta(name).factory for name in nlp.pipe_names]
    taught = [factory for factory in dict.fromkeys(factories) if factory in TAUGHT]
    finds_entities = len(taught) < len(set(factories))  # what is none of ours counts as such, too
    for factory in taught:
        counts = {part: Counter(label for doc in own for label in TAUGHT[factory](doc)) for part, own in docs.items()}
        if any(counts.values()) or not finds_entities:
            n_errors += report_counts(f"What {factory} learns", counts, parts)
    if finds_entities:
        n_errors += report_labels(parts)
        report_tokens(nlp, parts)
        if encoder is None:
            msg.info("the pipeline has no luke_ner and no luke_span_ner, so its subwords are not looked at")
        else:
            report_subwords(encoder, parts)
    report_repeated(parts)
    if n_errors:
        sys.exit(1)


def report_bad_records(config: Any) -> int:
    """List what cannot be read in files that our own reader is to read, and let it go on without.

    RETURNS: how many of them would stop a training.
    """
    from wasabi import msg

    from ..corpora.formats import find_bad_records
    from ..corpora.parsed import check_on_bad_record

    n_errors = 0
    for name, reader in config["corpora"].items():
        if isinstance(reader, dict) and reader.get("@readers") == "spacy-luke-ja.EntityCorpus.v1" and reader["path"]:
            check_on_bad_record(reader["on_bad_record"])
            bad = find_bad_records(reader["path"])
            if bad:
                msg.fail(f"{len(bad)} records of {reader['path']} ({name}) cannot be read")
                print("\n".join(f"    {message}" for message in bad[:N_BAD]))
                if len(bad) > N_BAD:
                    print(f"    … and {len(bad) - N_BAD} more")
                n_errors += reader["on_bad_record"] == "raise"
                reader["on_bad_record"] = "skip"
    return n_errors


def report_labels(parts: Dict[str, List["Record"]]) -> int:
    """RETURNS: how many findings make training pointless."""
    from wasabi import msg

    from ..corpora.inspection import count_labels

    counts = {part: count_labels(records) for part, records in parts.items()}
    n_errors = report_counts("Labels", counts, parts, what="entity", several="entities")
    spaced = [
        label for label in dict.fromkeys(label for own in counts.values() for label in own) if label != label.strip()
    ]
    if spaced:
        msg.warn(f"labels with spaces around them, which make other labels: {', '.join(map(repr, sorted(spaced)))}")
    n_blank = sum(not record.text.strip() for records in parts.values() for record in records)
    if n_blank:
        msg.warn(f"{n_blank} texts are blank")
    return n_errors


def report_counts(
    title: str,
    counts: Dict[str, Counter],
    parts: Dict[str, List["Record"]],
    *,
    what: str = "label",
    several: str = "examples",
) -> int:
    """counts: label → how often it is in a part. RETURNS: how many findings make training pointless."""
    from wasabi import msg

    from ..stockmark_labels import LABELS
    from .convert import label_order
    from .tables import print_table

    msg.divider(title)
    labels = sorted({label for count in counts.values() for label in count}, key=label_order(LABELS))
    rows: List[Sequence[Any]] = [(label, *(count[label] for count in counts.values())) for label in labels]
    rows.append((f"all {several}", *(sum(count.values()) for count in counts.values())))
    rows.append(("texts", *(len(records) for records in parts.values())))
    print_table(("", *parts), rows)
    n_errors = 0
    for part, records in parts.items():
        if not records:
            msg.fail(f"{part} is empty")
            n_errors += part == "train"
        elif not counts[part]:
            msg.fail(f"no text of {part} has {'an' if what[0] in 'aeiou' else 'a'} {what}")
            n_errors += part == "train"
    for part in parts:
        lacking = [label for label in counts[part] if label not in counts["train"]]
        if lacking:
            msg.warn(f"{part} has labels that train lacks, so they cannot be learned: {', '.join(sorted(lacking))}")
    few = [f"{label} ({n})" for label, n in counts["train"].items() if n < FEW]
    if few:
        msg.warn(f"labels with fewer than {FEW} {several} in train: {', '.join(few)}")
    return n_errors


def report_tokens(nlp: Any, parts: Dict[str, List["Record"]]) -> None:
    from wasabi import msg

    from ..corpora.inspection import find_cut_by_tokens

    msg.divider("Tokens")
    for part, records in parts.items():
        cut = find_cut_by_tokens(nlp, records)
        print(f"{part}: {share(len(cut), n_entities(records))} of the entities are not whole tokens{examples(cut)}")


def report_subwords(encoder: Any, parts: Dict[str, List["Record"]]) -> None:
    import numpy as np
    from wasabi import msg

    from ..corpora.inspection import inspect_subwords

    msg.divider("Subwords")
    for part, records in parts.items():
        found = inspect_subwords(encoder, records)
        if not len(found.lengths):
            continue
        n_subwords, n_chars = int(found.lengths.sum()), sum(len(record.text) for record in records)
        median, p95 = np.percentile(found.lengths, [50, 95])
        print(
            f"{part}: {n_subwords} subwords, {n_chars / max(1, n_subwords):.2f} characters each; per text {median:.0f} "
            f"(median), {p95:.0f} (95 %), {found.lengths.max()} (most)"
        )
        n_unknown = sum(found.unknown.values())
        common = ", ".join(f"{piece} ({n})" for piece, n in found.unknown.most_common(N_EXAMPLES))
        print(f"    {share(n_unknown, n_subwords)} unknown{': ' + common if common else ''}")
        cut = share(len(found.cut), n_entities(records))
        print(f"    {cut} of the entities begin or end inside a subword{examples(found.cut)}")


def report_repeated(parts: Dict[str, List["Record"]]) -> None:
    from wasabi import msg

    from ..corpora.inspection import find_contradictions, find_repeated_texts

    msg.divider("Repeated texts")
    repeated = find_repeated_texts(parts)
    for names, texts in repeated.items():
        say = msg.warn if len(names) > 1 else msg.info
        say(f"{len(texts)} texts stand in {' and '.join(names) if len(names) > 1 else names[0] + ' more than once'}")
        for text in texts[:N_EXAMPLES]:
            print(f"    {text[:60]}{'…' if len(text) > 60 else ''}")
    contradictions = find_contradictions(parts)
    if contradictions:
        msg.warn(f"{len(contradictions)} of them have other entities each time")
        for text in contradictions[:N_EXAMPLES]:
            print(f"    {text[:60]}{'…' if len(text) > 60 else ''}")
    if not repeated:
        msg.good("no text stands twice")


def n_entities(records: List["Record"]) -> int:
    return sum(len(record.char_spans) for record in records)


def share(n: int, total: int) -> str:
    return f"{n} of {total} ({n / max(1, total):.2%})"


def examples(cut: Sequence[Any]) -> str:
    return ": " + "; ".join(str(entity) for entity in cut[:N_EXAMPLES]) if cut else ""
