"""Lines of tokens and their tags in, records out, and the other way round: CoNLL style, CoNLL-U, spaCy's pipes."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple

from spacy.tokens import Doc

from ..text.label_schemes import OUTSIDE, SCHEMES, split_prefix, unfounded_tags
from ..text.messages import show
from .files import read_lines
from .records import BadRecord, Read, Record, attempt, make_record
from .tagged_tokens import NO_LABELS, TagsOfFile, find_entities, join_tokens, read_tags, tag_tokens

# In the first line of a table, without an s at their end.
HEADER_TOKENS = {"token", "word", "text", "form", "surface", "char", "character", "単語", "語", "文字", "トークン"}
HEADER_TAGS = {"tag", "label", "ner", "ner_tag", "ne", "entity", "iob", "iob2", "bio", "タグ", "ラベル", "固有表現"}
HEADER_TEXTS = {"sentence", "sentence #", "sentence_id", "sent_id", "sent", "doc_id", "文", "文番号"}
DOC_START = "-DOCSTART-"
TEXT_COMMENT = "# text = "
SCHEME_COMMENT = "# scheme = "  # a first line that says what the tags alone may not
HEADER_WORD = re.compile("[a-z_]+")
CONLLU_ID = re.compile(r"(\d+)(?:([-.])(\d+))?")
CONLLU_TAG = re.compile(r"(?:^|\|)(?:NE|NER)=([^|]*)")
PIPE_TAG = re.compile(r"O|[BIESLU]-.+")


class Row(NamedTuple):
    """A line of a table. space_after: whether there is one, where the table says so."""

    line: int
    token: str
    tag: str
    space_after: Optional[bool] = None


@dataclass
class Block:
    """The rows of one text. text: where the table has it. error: what is wrong with one of its lines."""

    line: int
    rows: List[Row] = field(default_factory=list)
    text: Optional[str] = None
    error: Optional[BadRecord] = None

    def add(self, line: int, parse: Callable[..., List[Row]], *raw: object) -> None:
        try:
            self.rows += parse(line, *raw)
        except BadRecord as error:
            self.refuse(line, str(error))

    def refuse(self, line: int, reason: str) -> None:
        if self.error is None:
            self.error = BadRecord(reason)
            self.error.line = line


def read_tokens(path: Path) -> Read:
    """A table of whichever kind; which one, its lines tell."""
    lines = [line.strip(b"\r") for line in read_lines(path)]
    passed_over = (TEXT_COMMENT.encode(), DOC_START.encode())
    rows = (line for line in lines if line.strip() and not line.startswith(passed_over) and not is_comment(line))
    first = next(rows, b"").decode("utf8", "replace")
    if is_conllu(first):
        return read_conllu(lines)
    return read_pipes(lines) if is_pipes(first) else read_conll(lines)


def is_comment(line: bytes) -> bool:
    return line.startswith(b"#") and b"\t" not in line and (line[1:2] == b" " or b" " not in line)


def read_blocks(blocks: Iterable[Block], *, has_spaces: bool = False, scheme: Optional[str] = None) -> Read:
    """has_spaces: whether rows say where spaces are. scheme: of the tags, where the file says it."""
    blocks = list(blocks)
    tags = read_tags({row.tag for block in blocks for row in block.rows}, scheme=scheme)
    for block in blocks:
        record = attempt(make_block_record, block, tags, has_spaces)
        yield f"line {getattr(record, 'line', None) or block.line}", record


def make_block_record(block: Block, tags: TagsOfFile, has_spaces: bool) -> Record:
    if block.error:
        raise block.error
    meanings = []
    for row in block.rows:
        try:
            meanings.append(tags.split(row.tag, row.token))
        except BadRecord as error:
            error.line = row.line
            raise
    text = block.text
    if text is None and has_spaces:
        text = "".join(row.token + (" " if row.space_after else "") for row in block.rows).rstrip(" ")
    text, offsets = join_tokens([row.token for row in block.rows], text)
    return make_record(text, find_entities(offsets, meanings))


def decode(line: bytes) -> str:
    try:
        return line.decode("utf8")
    except UnicodeDecodeError as error:
        raise BadRecord(f"this is not UTF-8: {error}") from error


# CoNLL style


class Columns(NamedTuple):
    """Where token and tag are in a line; and what tells texts apart, if not only empty lines."""

    token: int = 0
    tag: int = -1
    text: Optional[int] = None


def read_conll(lines: Sequence[bytes]) -> Read:
    """A token and its tag per line, first and last column; an empty line between texts.

    Columns stand between tabs, or in a line without any, between spaces. Before a text, lines that begin with "# " and
    have no tab are comments; one of them may be "# text = " and the text, as in CoNLL-U. Tags may be of any scheme, or
    without prefixes; "# scheme = BIOES" in the first line says so. A header says which columns there are.
    """
    header, columns = find_header(lines)
    if header is not None and columns is None:
        shown = show(lines[header].decode("utf8", "replace"))
        yield f"line {header + 1}", BadRecord(f"{shown} has no tag as the other lines; a header must be removed")
    said = lines[0].decode("utf8", "replace") if lines else ""
    scheme = said.removeprefix(SCHEME_COMMENT).strip() if said.startswith(SCHEME_COMMENT) else None
    if scheme is not None and scheme not in SCHEMES:
        yield "line 1", BadRecord(f"the scheme must be one of {', '.join(SCHEMES)}, got {show(scheme)}")
        return
    blocks = conll_blocks(lines, header, columns or Columns())
    if columns is None:
        refuse_numbers(lines, blocks)
        refuse_prose(lines, blocks)
    yield from read_blocks(blocks, scheme=scheme)


def refuse_numbers(lines: Sequence[bytes], blocks: List[Block]) -> None:
    """A first column that counts the tokens, with others beside the tag, is none of tokens."""
    for block in blocks:
        tokens = [row.token for row in block.rows]
        counted = [[str(i + first) for i in range(len(tokens))] for first in (0, 1)]
        if len(tokens) > 1 and tokens in counted and all(width_of(lines[row.line - 1]) > 2 for row in block.rows):
            block.refuse(block.line, "the first column counts the tokens; a header must name the columns")


def refuse_prose(lines: Sequence[bytes], blocks: List[Block]) -> None:
    """Where no tag has a prefix, lines between spaces must have as many columns as the first one."""
    tags = {row.tag for block in blocks for row in block.rows}
    if OUTSIDE not in tags or any(split_prefix(tag)[0] for tag in tags):
        return
    width = 0
    for block in blocks:
        for row in block.rows:
            own = width_of(lines[row.line - 1]) if b"\t" not in lines[row.line - 1] else 0
            width = width or own
            if own and own != width:
                block.refuse(row.line, f"there are {own} words, {width} in lines before, and no tag with a prefix")


def width_of(line: bytes) -> int:
    return len(columns_of(line.decode("utf8", "replace")))


def conll_blocks(lines: Sequence[bytes], header: Optional[int], columns: Columns) -> List[Block]:
    blocks: List[Block] = []
    block: Optional[Block] = None
    text: Optional[str] = None
    name = ""  # of the text, in a column
    for n, line in enumerate(lines, start=1):
        if n - 1 == header:
            continue
        if block is None and line.startswith(TEXT_COMMENT.encode()):
            text = line.decode("utf8", "replace")[len(TEXT_COMMENT) :]
        elif block is None and line.startswith(b"# ") and b"\t" not in line:
            continue
        elif not line.strip(b" \t") or line.startswith(DOC_START.encode()):
            block = text = None
        else:
            own = "" if columns.text is None else column_of(line, columns.text)
            if block is None or (own and own != name):
                block, text = Block(n, text=text), None
                blocks.append(block)
                name = own or name
            block.add(n, parse_conll_line, line, columns)
    return blocks


def find_header(lines: Sequence[bytes]) -> Tuple[Optional[int], Optional[Columns]]:
    """RETURNS: which line names the columns; and the columns, None where it is a header by its tag alone."""
    place = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith(b"#")), None)
    if place is None:
        return None, None
    rows = [columns_of(line.decode("utf8", "replace")) for line in lines[place:] if line.strip(b" \t")]
    names = [name.strip().casefold() for name in rows[0]]
    short = [name.removesuffix("s") for name in names]
    tokens, tags, texts = (
        [i for i, name in enumerate(short) if name in known or names[i] in known]
        for known in (HEADER_TOKENS, HEADER_TAGS, HEADER_TEXTS)
    )
    if tokens and any(i > tokens[0] for i in tags):
        tag = max(i for i in tags if i > tokens[0])
        return place, Columns(tokens[0], tag, texts[0] if texts and texts[0] != tokens[0] else None)
    first_tag = rows[0][-1].strip()
    tags_after: Set[str] = {row[-1].strip() for row in rows[1:]} - {OUTSIDE}
    has_scheme = bool(tags_after) and all(split_prefix(tag)[0] for tag in tags_after)
    # Among labels without prefixes, two plain words that come once: w and t.
    is_worded = all(HEADER_WORD.fullmatch(name.strip()) for name in (rows[0][0], rows[0][-1]))
    has_scheme = has_scheme or (bool(tags_after) and first_tag not in tags_after and is_worded)
    is_name = len(rows[0]) > 1 and first_tag != OUTSIDE and "-" not in first_tag and first_tag not in NO_LABELS
    return (place if has_scheme and is_name else None), None


def columns_of(text: str) -> List[str]:
    return text.split("\t") if "\t" in text else [column for column in text.split(" ") if column]


def column_of(line: bytes, i: int) -> str:
    columns = columns_of(line.decode("utf8", "replace"))
    return columns[i].strip() if i < len(columns) else ""


def parse_conll_line(n: int, line: bytes, at: Columns) -> List[Row]:
    text = decode(line)
    columns = columns_of(text)
    n_needed = max(2, at.token + 1, at.tag + 1)
    token, tag = (columns[at.token], columns[at.tag].strip()) if len(columns) >= n_needed else ("", "")
    if not token or not tag:
        raise BadRecord(f"a token and its tag are needed, got {show(text)}")
    return [Row(n, token, tag)]


# spaCy's pipes


def is_pipes(line: str) -> bool:
    fields = line.split()
    return "\t" not in line and bool(fields) and all(
        "|" in each and PIPE_TAG.fullmatch(each.rpartition("|")[2]) for each in fields
    )  # fmt: skip


def read_pipes(lines: Sequence[bytes]) -> Read:
    """spaCy's .iob: a text per line, 佐藤|B-PER 健一|I-PER, or with a part of speech between token and tag."""
    blocks = []
    for n, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith(DOC_START.encode()):
            blocks.append(Block(n))
            blocks[-1].add(n, parse_pipes, line)
    return read_blocks(blocks)


def parse_pipes(n: int, line: bytes) -> List[Row]:
    fields = [each.split("|") for each in decode(line).split()]
    for parts in fields:
        if len(parts) not in (2, 3) or len(parts) != len(fields[0]) or not parts[0] or not parts[-1]:
            raise BadRecord(f"token|tag or token|part of speech|tag is needed, got {show('|'.join(parts))}")
    return [Row(n, parts[0], parts[-1]) for parts in fields]


# CoNLL-U


def is_conllu(line: str) -> bool:
    columns = line.split("\t")
    return len(columns) == 10 and bool(CONLLU_ID.fullmatch(columns[0]))


def read_conllu(lines: Sequence[bytes]) -> Read:
    """CoNLL-U with the tags of entities in MISC, as NE=B-PER or NER=B-PER."""
    blocks: List[Block] = []
    block: Optional[Block] = None
    text: Optional[str] = None
    for n, line in enumerate(lines, start=1):
        if line.startswith(b"#"):
            if line.startswith(TEXT_COMMENT.encode()):
                text = line.decode("utf8", "replace")[len(TEXT_COMMENT) :]
        elif not line.strip():
            block = text = None
        else:
            if block is None:
                block = Block(n, text=text)
                blocks.append(block)
            block.add(n, parse_conllu_line, line, block)
    misc = [line.split(b"\t")[-1].decode("utf8", "replace") for line in lines if line.count(b"\t") == 9]
    if not any(CONLLU_TAG.search(each) for each in misc):
        error = BadRecord("this is CoNLL-U without entities; they are read from MISC, as NE=B-人名 or NER=B-人名")
        return iter([(f"line {blocks[0].line}", error)])
    return read_blocks(blocks, has_spaces=any(row.space_after is False for each in blocks for row in each.rows))


def parse_conllu_line(n: int, line: bytes, block: Block) -> List[Row]:
    columns = decode(line).split("\t")
    place = CONLLU_ID.fullmatch(columns[0]) if len(columns) == 10 else None
    if place is None:
        raise BadRecord(f"ten columns of CoNLL-U are needed, got {show(columns)}")
    if place[2] == ".":  # a word that is not in the text
        return []
    if place[2] == "-":
        raise BadRecord(f"the token {show(columns[1])} stands for several words, whose entities have no characters")
    tag = CONLLU_TAG.search(columns[9])
    return [Row(n, columns[1], tag[1] if tag else OUTSIDE, "SpaceAfter=No" not in columns[9].split("|"))]


# Writing


def write_conll(records: Sequence[Record], docs: Sequence[Doc], *, scheme: str = "BIO") -> bytes:
    """Tokens and tags between tabs; a text that its tokens do not tell stands before them."""
    blocks = write_blocks(records, docs, lambda tagged, _: ["\t".join(pair) for pair in tagged], scheme=scheme)
    written = {line.rpartition("\t")[2] for line in blocks if "\t" in line}
    first = [f"{SCHEME_COMMENT}{scheme}", ""] if unfounded_tags(written) else []
    return "\n".join([*first, *blocks, ""]).encode("utf8")


def write_conll_2003(records: Sequence[Record], docs: Sequence[Doc]) -> bytes:
    blocks = write_blocks(
        records, docs, lambda tagged, _: [f"{token} -X- -X- {tag}" for token, tag in tagged], columns=" \u3000\t#"
    )
    return "\n".join([f"{DOC_START} -X- -X- O", "", *blocks, ""]).encode("utf8")


def write_tsv(records: Sequence[Record], docs: Sequence[Doc]) -> bytes:
    return b"token\ttag\n" + write_conll(records, docs)


def write_conllu(records: Sequence[Record], docs: Sequence[Doc]) -> bytes:
    def rows(tagged: List[Tuple[str, str]], offsets: List[Tuple[int, int]]) -> List[str]:
        starts = [start for start, _ in offsets[1:]] + [offsets[-1][1]]
        lines = []
        for i, ((token, tag), (_, end), following) in enumerate(zip(tagged, offsets, starts), start=1):
            misc = f"NE={tag}" if following > end else f"NE={tag}|SpaceAfter=No"
            lines.append("\t".join([str(i), token, *"_______", misc]))
        return lines

    blocks = write_blocks(records, docs, rows, always_text=True, not_in_tags="|")
    return "\n".join([*blocks, ""]).encode("utf8")


def write_blocks(
    records: Sequence[Record],
    docs: Sequence[Doc],
    rows: Callable[[List[Tuple[str, str]], List[Tuple[int, int]]], List[str]],
    *,
    scheme: str = "BIO",
    always_text: bool = False,
    columns: str = "\t",
    not_in_tags: str = "",
) -> List[str]:
    """columns: what tokens cannot have in them. RETURNS: lines."""
    lines: List[str] = []
    for i, (record, doc) in enumerate(zip(records, docs), start=1):
        tagged = tag_tokens(doc, scheme)
        check_writable(i, record, tagged, columns, not_in_tags)
        tokens = [token for token, _ in tagged]
        if always_text or join_tokens(tokens)[0] != record.text:
            if "\r" in record.text or "\n" in record.text:
                refuse(i, record, "a line break has no place in a line")
            lines.append(TEXT_COMMENT + record.text)
        lines += [*rows(tagged, join_tokens(tokens, record.text)[1]), ""]
    return lines


def write_pipes(records: Sequence[Record], docs: Sequence[Doc]) -> bytes:
    lines = []
    for i, (record, doc) in enumerate(zip(records, docs), start=1):
        tagged = tag_tokens(doc)
        check_writable(i, record, tagged, "| \u3000\t", "|")
        if join_tokens([token for token, _ in tagged])[0] != record.text:
            refuse(i, record, "its spaces have no place between tokens")
        lines.append(" ".join(f"{token}|{tag}" for token, tag in tagged))
    return "\n".join([*lines, ""]).encode("utf8")


def check_writable(i: int, record: Record, tagged: List[Tuple[str, str]], not_in_tokens: str, not_in_tags: str) -> None:
    if not tagged:
        refuse(i, record, "it has no token")
    for token, tag in tagged:
        if any(char in not_in_tags or char.isspace() for char in tag):
            refuse(i, record, f"the tag {show(tag)} has a character that parts columns")
        if any(char in not_in_tokens or char in "\r\n" for char in token) or token.startswith(DOC_START):
            refuse(i, record, f"the token {show(token)} has a character that parts columns or begins a comment")


def refuse(i: int, record: Record, reason: str) -> None:
    raise ValueError(f"text {i}, {show(record.text)}, cannot be written in this format: {reason}; jsonl can hold it")
