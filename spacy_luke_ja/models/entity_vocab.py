"""A LUKE's entity_vocab.json in, the ids of its entities out; and a checkpoint with fewer entities, or more."""

import json
from dataclasses import replace
from typing import Dict, Iterable, Optional, Sequence, Tuple

from .config_checks import CONFIG
from .hf_checkpoint import ENTITY_VOCAB, NEW_ROW, Checkpoint

MASK, MASK2, PAD, UNK = "[MASK]", "[MASK2]", "[PAD]", "[UNK]"
SPECIAL = (MASK, MASK2, PAD, UNK)
# The names in mLUKE's vocabulary begin with a language, and one row may have a name in each.
JAPANESE = "ja:"
# What transformers takes where tokenizer_config.json says nothing: further subwords of a mention give no position.
MAX_MENTION_LENGTH = 30


def entity_ids(checkpoint: Checkpoint, *names: str) -> Tuple[int, ...]:
    """RETURNS: the ids of entities; a ValueError that names the first that the checkpoint lacks."""
    vocabulary = checkpoint.entity_vocab
    lacking = [name for name in names if name not in vocabulary]
    if lacking:
        raise ValueError(f"{ENTITY_VOCAB} of the checkpoint {checkpoint.name} has no {lacking[0]}")
    return tuple(vocabulary[name] for name in names)


def keep_special_entities(checkpoint: Checkpoint) -> Checkpoint:
    """The same checkpoint, of whose entities only the special ones are read, and saved.

    LUKE's heads for given mentions know no other; of the 570,505 rows of the published base, 584 MB, four are left, as
    in the checkpoints that LUKE's authors fine-tuned. Ids follow the order of those before.
    """
    vocabulary = checkpoint.entity_vocab
    special = {name: vocabulary[name] for name in SPECIAL if name in vocabulary}
    rows = sorted(set(special.values()))
    if len(rows) == checkpoint.config.get("entity_vocab_size"):
        return checkpoint
    return with_rows(checkpoint, {name: rows.index(row) for name, row in special.items()}, rows)


def add_entities(checkpoint: Checkpoint, names: Iterable[str]) -> Checkpoint:
    """The same checkpoint with those of the names, too, that it does not know; their embeddings are drawn."""
    vocabulary = checkpoint.entity_vocab
    known = {name.removeprefix(JAPANESE) for name in vocabulary}
    new = [name for name in dict.fromkeys(names) if name not in known]
    if not new:
        return checkpoint
    size = checkpoint.config.get("entity_vocab_size", max(vocabulary.values(), default=-1) + 1)
    own = range(size) if checkpoint.entity_rows is None else checkpoint.entity_rows
    grown = {**vocabulary, **{name: size + i for i, name in enumerate(new)}}
    return with_rows(checkpoint, grown, [*own, *[NEW_ROW] * len(new)])


def with_rows(checkpoint: Checkpoint, vocabulary: Dict[str, int], rows: Sequence[int]) -> Checkpoint:
    """rows: of the embeddings in the checkpoint's files, as in Checkpoint.entity_rows."""
    config = {**checkpoint.config, "entity_vocab_size": len(rows)}
    contents = {CONFIG: config, ENTITY_VOCAB: vocabulary}
    files = {name: json.dumps(value, ensure_ascii=False, indent=2).encode() for name, value in contents.items()}
    return replace(checkpoint, files={**checkpoint.files, **files}, entity_rows=tuple(rows))


def marker_id(checkpoint: Checkpoint, marker: str) -> int:
    """RETURNS: the id of <ent> or <ent2>, wherever the version of transformers that saved the checkpoint wrote it."""
    found = find_in_added(checkpoint, marker)
    if found is None or found >= checkpoint.vocab_size:
        raise ValueError(
            f"the checkpoint {checkpoint.name} has no id for {marker} in added_tokens.json, tokenizer_config.json or "
            f"tokenizer.json{'' if found is None else f' below its vocab_size, but {found}'}: LUKE's head needs it "
            "around a mention"
        )
    return found


def find_in_added(checkpoint: Checkpoint, marker: str) -> Optional[int]:
    read = lambda name: json.loads(checkpoint.files.get(name, b"{}"))
    added: Dict[str, int] = read("added_tokens.json")
    if marker in added:
        return added[marker]
    decoder = read("tokenizer_config.json").get("added_tokens_decoder") or {}
    listed = [{**token, "id": int(i)} for i, token in decoder.items()]
    listed += read("tokenizer.json").get("added_tokens") or []
    return next((token["id"] for token in listed if token.get("content") == marker), None)


def max_mention_length(checkpoint: Checkpoint) -> int:
    """RETURNS: how many subwords of a mention give its position."""
    length = json.loads(checkpoint.files.get("tokenizer_config.json", b"{}")).get("max_mention_length")
    return length if isinstance(length, int) and length > 0 else MAX_MENTION_LENGTH
