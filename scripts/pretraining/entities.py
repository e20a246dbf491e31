"""Linked texts in, a luke_linker that knows their titles out, and its scores beside two baselines on held-out links.

    python -m scripts.pretraining.entities ../shared/data build/entities --minutes 60

As LUKE is pretrained: each link is an entity [MASK] at its characters, and the encoder's row for it is compared with
the embeddings of all titles. The words of the encoder stay as they are, and none are masked; its layers go on, or stay
with --frozen. Titles that are linked fewer than --min-count times in the training part are not learned; all links
count in the scores.

Held out are paragraphs drawn at random; others of their articles are in the training part. The baselines: the title
that is the alias itself, and the title that the alias mostly links to in the training part.

Output: train.jsonl, dev.jsonl, test.jsonl, aliases.tsv, start/ (the checkpoint that it began with), model/ (the
pipeline, written anew while it learns), log.jsonl, scores.json.
"""

import argparse
import json
import random
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence

from safetensors.torch import load_file, save_file
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import fix_random_seed

import spacy_luke_ja
from spacy_luke_ja import count_aliases
from spacy_luke_ja.corpora.linking import LinkedText, read_linked
from spacy_luke_ja.linking_data import get_linked_mentions, set_gold_links
from spacy_luke_ja.models.hf_checkpoint import EMBEDDED
from spacy_luke_ja.text.linking import NIL, AliasTable
from spacy_luke_ja.token_splitting import span_at
from spacy_luke_ja.training.optimizers import create_adamw

from .heap import keep_heap
from .texts import LINKED
from .training import learn_rate_share

PARTS = {"test": 0.02, "dev": 0.004}  # shares of the paragraphs
LINKS_PER_STEP = 96
WARMUP, DECAY = 0.05, 0.5  # shares of the time
K = 10


def split_texts(data: Path, seed: int) -> Dict[str, List[LinkedText]]:
    """data: the directory that holds linked/. RETURNS: the paragraphs of each part that have links."""
    texts = [own for name in LINKED for own in read_linked(data / "linked" / f"{name}.jsonl.xz") if own.links]
    random.Random(seed).shuffle(texts)
    parts, first = {}, 0
    for part, share in PARTS.items():
        last = first + max(1, round(share * len(texts)))
        parts[part], first = texts[first:last], last
    return {"train": texts[first:], **parts}


def write_part(path: Path, texts: Sequence[LinkedText]) -> None:
    with path.open("w", encoding="utf8") as file_:
        for text, links in texts:
            record = {"text": text, "links": [{"span": [a, b], "title": title} for a, b, title in links]}
            file_.write(json.dumps(record, ensure_ascii=False) + "\n")


def score_baselines(texts: Sequence[LinkedText], aliases: AliasTable) -> Dict[str, float]:
    """RETURNS: accuracies over all links."""
    right: Counter[str] = Counter()
    for text, links in texts:
        for start, end, title in links:
            alias = text[start:end]
            counts = aliases.titles_of(alias)
            commonest = max(counts, key=lambda own: counts[own]) if counts else None
            right["exact title"] += alias == title
            right["commonest link"] += commonest == title
            right["commonest link, else exact title"] += (commonest or alias) == title
            right["alias is in the training part with this title"] += title in counts
    n_links = sum(len(links) for _, links in texts)
    return {name: n / n_links for name, n in right.items()}


def write_start(path: Path) -> None:
    """ja_luke_sm, with an entity that stands where its mention does, and has numbers to learn from.

    As it is embedded, an entity's positions are those of the words two before it, for these count from the padding; and
    both [MASK] and the matrix behind it are zeros, so that neither would get a gradient.
    """
    shutil.copytree(EMBEDDED / "ja_luke_sm", path, dirs_exist_ok=True)
    tensors = {name: tensor.float() for name, tensor in load_file(path / "model.safetensors").items()}
    words, entity = "embeddings.position_embeddings.weight", "entity_embeddings."
    tensors[f"{entity}position_embeddings.weight"][:-2] = tensors[words][2:]
    for name in ("entity_embedding_dense.weight", "entity_embeddings.weight"):
        tensors[f"{entity}{name}"].normal_(std=0.05)
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})


def make_example(nlp: Language, own: LinkedText) -> Example:
    """Its tokens are the links, and what stands between them."""
    edges = sorted({0, len(own.text), *(char for start, end, _ in own.links for char in (start, end))})
    words = [own.text[start:end] for start, end in zip(edges, edges[1:])]
    docs = [Doc(nlp.vocab, words=words, spaces=[False] * len(words)) for _ in range(2)]
    docs[0].spans["links"] = [span_at(docs[0], start, end, "LINK") for start, end, _ in own.links]
    set_gold_links(docs[1], own.links)
    return Example(*docs)


def make_batches(texts: Sequence[LinkedText], seed: int) -> Iterator[List[LinkedText]]:
    """Over and over, in another order each time."""
    order, batch, n_links = random.Random(seed), [], 0
    while True:
        for own in order.sample(texts, len(texts)):
            batch.append(own)
            n_links += len(own.links)
            if n_links >= LINKS_PER_STEP:
                yield batch
                batch, n_links = [], 0


def score(nlp: Language, texts: Sequence[LinkedText], **settings: Any) -> Dict[str, float]:
    """settings: of luke_linker. RETURNS: shares of all links."""
    for name, value in settings.items():
        setattr(nlp.get_pipe("luke_linker"), name, value)
    docs = nlp.pipe([make_example(nlp, own).predicted for own in texts], batch_size=32)
    right: Counter[str] = Counter()
    for own, doc in zip(texts, docs):
        found = {(link.char_start, link.char_end): link for link in get_linked_mentions(doc, "luke_linker")}
        for start, end, title in own.links:
            link = found[start, end]
            right["accuracy"] += link.title == title
            right["accuracy, the alias itself for NIL"] += title == (
                own.text[start:end] if link.title == NIL else link.title
            )
            right[f"recall at {K}"] += title in dict(link.links)
    n_links = sum(len(own.links) for own in texts)
    return {name: n / n_links for name, n in right.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="with linked/")
    parser.add_argument("output", type=Path)
    parser.add_argument("--minutes", type=float, default=60.0, help="of learning")
    parser.add_argument("--min-count", type=int, default=2, help="links to a title that is learned")
    parser.add_argument("--learn-rate", type=float, default=1e-3)
    parser.add_argument("--frozen", action="store_true", help="the encoder's layers stay as they are")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    keep_heap()
    fix_random_seed(args.seed)
    args.output.mkdir(parents=True, exist_ok=True)
    parts = split_texts(args.data, args.seed)
    for part, texts in parts.items():
        write_part(args.output / f"{part}.jsonl", texts)
    aliases = count_aliases([args.output / "train.jsonl"])
    counts = Counter(title for _, links in parts["train"] for _, _, title in links)
    titles = sorted(title for title, n in counts.items() if title and n >= args.min_count)
    (args.output / "aliases.tsv").write_bytes(aliases.among(titles).to_bytes())
    gold = [title for _, links in parts["test"] for _, _, title in links]
    report: Dict[str, Any] = {
        "links": {part: sum(len(links) for _, links in texts) for part, texts in parts.items()},
        "titles": {"in the training part": len(counts), "learned": len(titles)},
        "share of the test links whose title is learned": share_in(gold, titles),
        "accuracy of baselines": score_baselines(parts["test"], aliases),
    }
    print(json.dumps(report, ensure_ascii=False, indent=2), flush=True)

    write_start(args.output / "start")
    nlp = spacy_luke_ja.blank()
    frozen = {"freeze_embeddings": True, "frozen_layers": 6 if args.frozen else 0}
    model = {"name": str(args.output / "start"), "window": 62, "precision": "float32", **frozen}
    linker: Any = nlp.add_pipe("luke_linker", config={"model": model, "mentions_key": "links", "n_best": K})
    linker.initialize(lambda: [make_example(nlp, parts["train"][0])], titles=titles)
    optimizer: Any = create_adamw(args.learn_rate)
    started, saved, n_steps, losses = time.time(), 0.0, 0, []
    with (args.output / "log.jsonl").open("w", encoding="utf8") as log:
        for batch in make_batches(parts["train"], args.seed):
            done = (time.time() - started) / (60 * args.minutes)
            if done >= 1:
                break
            share = learn_rate_share(int(1000 * done), 1000, int(1000 * WARMUP), int(1000 * DECAY))
            optimizer.learn_rate = args.learn_rate * share
            examples = [make_example(nlp, own) for own in batch]
            losses.append(linker.update(examples, drop=0.1, sgd=optimizer)["luke_linker"])
            n_steps += 1
            if done - saved >= 0.1:
                saved = done
                nlp.to_disk(args.output / "model")
                found = score(nlp, parts["dev"], candidates="vocabulary")
                line = {"done": done, "steps": n_steps, "loss": sum(losses) / len(losses), "dev": found}
                log.write(json.dumps(line) + "\n")
                log.flush()
                losses = []
    report["steps"], report["minutes"] = n_steps, (time.time() - started) / 60
    linker.alias_table = str(args.output / "aliases.tsv")
    report["luke_linker"] = {
        "all titles": score(nlp, parts["test"], candidates="vocabulary"),
        "titles of the alias": score(nlp, parts["test"], candidates="aliases", prior_weight=0.0),
        "titles of the alias, with their shares": score(nlp, parts["test"], prior_weight=1.0),
    }
    nlp.to_disk(args.output / "model")
    weights = load_file(args.output / "model" / "luke_linker" / "model" / "model.safetensors")
    report["bytes of the weights in float16"] = sum(2 * tensor.numel() for tensor in weights.values())
    (args.output / "scores.json").write_text(json.dumps(report, ensure_ascii=False, indent=2), encoding="utf8")
    print(json.dumps(report, ensure_ascii=False, indent=2))


def share_in(gold: Sequence[Any], titles: Sequence[str]) -> float:
    known = {*titles}
    return sum(title in known for title in gold) / max(1, len(gold))


if __name__ == "__main__":
    main()
