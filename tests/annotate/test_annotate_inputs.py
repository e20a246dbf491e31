"""What annotate reads: files of each kind, packed or not, folders, patterns, stdin; and what it refuses by name."""

import bz2
import codecs
import csv
import gzip
import io
import json
import lzma
import random
import re

import pytest
from spacy.tokens import DocBin

import spacy_luke_ja
from annotate_toys import NAMES, TEXTS, names_of, read_rows, rejects_of, write_jsonl
from spacy_luke_ja.annotation import encodings
from spacy_luke_ja.annotation.readers import READERS
from spacy_luke_ja.annotation.sources import FORMATS

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
zstandard = pytest.importorskip("zstandard")

ROWS = [{"id": f"n{i}", "text": text, "n": i} for i, text in enumerate(TEXTS)]
CHUNKS = [1, 30, 1 << 20]  # a record each, some, all


def table(delimiter=",", rows=ROWS):
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf8")


def parquet(rows=ROWS, **settings):
    content = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows) if isinstance(rows, list) else rows, content, **settings)
    return content.getvalue()


def docbin(texts=TEXTS):
    nlp = spacy_luke_ja.blank()
    return DocBin(docs=[nlp.make_doc(text) for text in texts]).to_bytes()


def jsonl(rows=ROWS):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf8")


CONTENTS = {
    "a.txt": "\n".join(TEXTS).encode("utf8"),
    "b.txt": ("\n".join(TEXTS) + "\n").encode("utf8"),
    "a.jsonl": jsonl(),
    "a.ndjson": jsonl(),
    "a.json": json.dumps(ROWS, ensure_ascii=False, indent=1).encode("utf8"),
    "a.csv": table(),
    "a.tsv": table("\t"),
    "a.parquet": parquet(),
    "b.parquet": parquet(row_group_size=2),
    "a.spacy": docbin(),
}
PACK = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": lambda content: zstandard.ZstdCompressor().compress(content),
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


@pytest.mark.parametrize("chunk_bytes", CHUNKS)
@pytest.mark.parametrize("name", CONTENTS)
def test_each_format(run, tmp_path, name, chunk_bytes):
    (tmp_path / name).write_bytes(CONTENTS[name])
    result = run(name, "out.jsonl", chunk_bytes=chunk_bytes)
    rows = read_rows("out.jsonl")
    assert names_of(rows) == NAMES and result.n_records == 5 and not result.n_rejects
    assert [row["text"] for row in rows] == TEXTS
    if name.endswith(".txt"):
        assert [(row["file"], row["line"]) for row in rows] == [(name, i) for i in range(1, 6)]
    elif not name.endswith(".spacy"):
        assert [row["id"] for row in rows] == [row["id"] for row in ROWS]
        assert [str(row["n"]) for row in rows] == list("01234")


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("name", [name for name in CONTENTS if not name.endswith(".parquet")])
def test_packed_files(run, tmp_path, name, packing):
    (tmp_path / (name + packing)).write_bytes(PACK[packing](CONTENTS[name]))
    run(name + packing, "out.jsonl", chunk_bytes=30)
    assert names_of(read_rows("out.jsonl")) == NAMES


def test_packing_is_known_by_the_content_and_may_have_several_members(run, tmp_path):
    lines = CONTENTS["a.jsonl"].splitlines(keepends=True)
    contents = {f"{ending[1:]}.jsonl": b"".join(map(pack, lines)) for ending, pack in PACK.items() if ending}
    contents.update({f"{ending[1:]}.json": pack(CONTENTS["a.json"]) for ending, pack in PACK.items() if ending})
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        run(name, f"{name}.out.jsonl", chunk_bytes=30)
        assert names_of(read_rows(f"{name}.out.jsonl")) == NAMES


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.json", "a.csv"])
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_byte_order_marks_and_line_ends_of_windows(run, tmp_path, name, end, mark):
    content = CONTENTS[name].replace(b"\r\n", b"\n").replace(b"\n", end)
    (tmp_path / name).write_bytes(mark + content)
    run(name, "out.jsonl", chunk_bytes=30)
    rows = read_rows("out.jsonl")
    assert [row["text"] for row in rows] == TEXTS and names_of(rows) == NAMES


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp"])
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.json", "a.csv"])
def test_other_encodings(run, tmp_path, name, encoding):
    (tmp_path / name).write_bytes(CONTENTS[name].decode("utf8").encode(encoding))
    run(name, "wrong.jsonl")
    assert "this is not utf-8" in rejects_of("wrong.jsonl")[0]["reason"]
    assert "--encoding names another, such as cp932" in rejects_of("wrong.jsonl")[0]["reason"]
    run(name, "out.jsonl", encoding=encoding, chunk_bytes=30)
    assert names_of(read_rows("out.jsonl")) == NAMES


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.csv", "a.json"])
def test_utf_16_is_refused_by_name(run, tmp_path, name, encoding):
    mark = codecs.BOM_UTF16_LE if encoding == "utf-16-le" else b""
    (tmp_path / name).write_bytes(mark + CONTENTS[name].decode("utf8").encode(encoding))
    with pytest.raises(ValueError, match=f"{name} is UTF-(16|32) by its first bytes.*iconv -f UTF-"):
        run(name, "out.jsonl")
    with pytest.raises(ValueError, match="--encoding cannot be utf-16; iconv"):
        run(name, "out.jsonl", encoding="utf-16")


def test_an_object_that_is_not_of_the_encoding_is_rejected_alone(run, tmp_path):
    lines = ['{"text": "東京"},'.encode(), '{"text": "大阪"},'.encode("cp932"), '{"text": "京都"}'.encode()]
    (tmp_path / "a.json").write_bytes(b"[\n" + b"\n".join(lines) + b"\n]")
    result = run("a.json", "out.jsonl")
    assert result.n_rejects == 1 and [row["text"] for row in read_rows("out.jsonl")] == ["東京", "京都"]
    (reject,) = rejects_of("out.jsonl")
    assert (reject["object"], reject["reason"]) == (
        2, "this is not utf-8: the byte 0x91 after '{\"text\": \"'; --encoding names another, such as cp932"
    )  # fmt: skip


# Folders and patterns


def make_folder(tmp_path):
    for name in ("in/b.txt", "in/a.txt", "in/deep/a.txt", "in/.hidden.txt", "in/picture.png", "in/.git/x.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"東京\n{name}\n", encoding="utf8")


def test_a_folder_in_the_order_of_names(run, tmp_path):
    make_folder(tmp_path)
    result = run("in", "out.jsonl")
    rows = read_rows("out.jsonl")
    assert [row["file"] for row in rows[::2]] == ["in/a.txt", "in/b.txt", "in/deep/a.txt"]
    assert result.notes == [
        "in: 1 file of other kinds left out: in/picture.png",
        "in: 2 hidden files or folders left out",
    ]


def test_a_text_per_file(run, tmp_path):
    make_folder(tmp_path)
    run("in", "out.jsonl", text_per="file")
    rows = read_rows("out.jsonl")
    assert [(row["file"], row["text"]) for row in rows] == [
        (name, f"東京\n{name}\n") for name in ("in/a.txt", "in/b.txt", "in/deep/a.txt")
    ]
    assert names_of(rows) == [["東京 地名"]] * 3


@pytest.mark.parametrize(
    "inputs, files",
    [
        (["in/*.txt"], ["in/a.txt", "in/b.txt"]),
        (["in/**/a.txt"], ["in/a.txt", "in/deep/a.txt"]),
        (["in/b.txt", "in"], ["in/b.txt", "in/a.txt", "in/deep/a.txt"]),
        (["in/*.txt", "in/a.txt", "./in/a.txt"], ["in/a.txt", "in/b.txt"]),
        (["in/deep", "in/[ab].txt"], ["in/deep/a.txt", "in/a.txt", "in/b.txt"]),
    ],
)
def test_patterns_and_files_that_are_named_twice(run, tmp_path, inputs, files):
    make_folder(tmp_path)
    run(*inputs, "out.jsonl", text_per="file")
    assert [row["file"] for row in read_rows("out.jsonl")] == files


def test_files_of_one_name_are_told_apart(run, tmp_path):
    make_folder(tmp_path)
    run("in/a.txt", "in/deep/a.txt", "out.jsonl", text_per="file")
    assert [row["file"] for row in read_rows("out.jsonl")] == ["in/a.txt", "in/deep/a.txt"]


def test_a_link_to_a_file_is_that_file(run, tmp_path):
    make_folder(tmp_path)
    (tmp_path / "in" / "z.txt").symlink_to("a.txt")
    (tmp_path / "in" / "broken.txt").symlink_to("nowhere")
    result = run("in", "out.jsonl", text_per="file")
    assert [row["file"] for row in read_rows("out.jsonl")] == ["in/a.txt", "in/b.txt", "in/deep/a.txt"]
    assert "in: 2 files of other kinds left out: in/broken.txt, in/picture.png" in result.notes


@pytest.mark.parametrize("given", ["in", "in/*"])
def test_links_to_folders_are_followed_and_loops_do_not_matter(run, tmp_path, given):
    files = (
        "in/a.txt",
        "in/deep/b.txt",
        "elsewhere/c.txt",
        "elsewhere/deeper/d.txt",
        "third/e.txt",
        "in/.hidden/f.txt",
    )
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf8")
    links = {
        "in/linked": "../elsewhere", "in/again": "../elsewhere", "elsewhere/third": "../third", "third/back": "../in",
        "in/loop": ".", "in/up": "..", "in/deep/over": "../deep", "in/nowhere": "nowhere", "in/itself": "itself",
    }  # fmt: skip
    for name, target in links.items():
        (tmp_path / name).symlink_to(target)
    result = run(given, "out.jsonl", text_per="file")
    texts = [row["text"] for row in read_rows("out.jsonl")]
    if given == "in":
        assert texts == ["in/a.txt", "elsewhere/c.txt", "elsewhere/deeper/d.txt", "third/e.txt", "in/deep/b.txt"]
    assert sorted(texts) == sorted(name for name in files if ".hidden" not in name)
    assert any("in/itself, in/nowhere" in note or "nowhere" in note for note in result.notes)


def test_small_files_share_chunks(run, tmp_path):
    (tmp_path / "in").mkdir()
    for i in range(300):
        (tmp_path / "in" / f"{i:03}.txt").write_text("東京", encoding="utf8")
    result = run("in", "out.jsonl", text_per="file")
    assert len(read_rows("out.jsonl")) == 300 and result.n_chunks == 1


def test_kinds_of_files_may_be_mixed(run, tmp_path):
    (tmp_path / "in").mkdir()
    for name, content in CONTENTS.items():
        (tmp_path / "in" / name).write_bytes(content)
    for chunk_bytes in CHUNKS:
        run("in", f"{chunk_bytes}.jsonl", chunk_bytes=chunk_bytes)
        assert names_of(read_rows(f"{chunk_bytes}.jsonl")) == NAMES * len(CONTENTS)


@pytest.mark.parametrize(
    "inputs, error",
    [
        (["nowhere.txt"], "there is no file or folder nowhere.txt"),
        (["*.csv"], r"no file matches \*.csv"),
        (["empty"], "empty has no file to read: names must end in .txt.*: lines, file, jsonl"),
        (
            ["table.xlsx"],
            "table.xlsx: the name must end in .*got .xlsx; this is a workbook: save the sheet as CSV UTF-8",
        ),
        (["README"], "got no ending; --input-format must say what the file is: lines, file, jsonl, .*docbin$"),
        (["mail.eml"], "got .eml; --input-format must say what the file is: lines, file, jsonl, .*docbin$"),
        (["texts.zip"], "got .zip; this is an archive: unpack it, and give the folder"),
        (["texts.tar.gz"], "got .tar; this is an archive: unpack it"),
        (["-", "a.txt"], "- can be read only once, and must be the only input"),
        ([], "an INPUT is needed"),
    ],
)
def test_inputs_that_cannot_be(run, tmp_path, inputs, error):
    (tmp_path / "empty").mkdir()
    for name in ("table.xlsx", "README", "a.txt", "mail.eml", "texts.zip", "texts.tar.gz"):
        (tmp_path / name).write_text("東京")
    with pytest.raises((ValueError, OSError), match=error):
        run(*inputs, "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists() and not (tmp_path / "out.jsonl.parts").exists()


def test_input_format_goes_before_the_name(run, tmp_path):
    (tmp_path / "notes.log").write_text("東京\n", encoding="utf8")
    run("notes.log", "out.jsonl", input_format="lines")
    assert names_of(read_rows("out.jsonl")) == [["東京 地名"]]
    with pytest.raises(ValueError, match="--input-format must be one of lines, .*, got xlsx"):
        run("notes.log", "out2.jsonl", input_format="xlsx")


@pytest.mark.parametrize(
    "content, format, names",
    [
        ("東京\n大阪".encode(), "", [["東京 地名"], ["大阪 地名"]]),
        (b'{"text": "\xe5\xa4\xa7\xe9\x98\xaa"}\n', "jsonl", [["大阪 地名"]]),
        (b"", "", []),
        (gzip.compress("東京".encode(), mtime=0), "lines", [["東京 地名"]]),
        (PACK[".zst"](CONTENTS["a.json"]), "json", NAMES),
        (PACK[".bz2"](CONTENTS["a.spacy"]), "docbin", NAMES),
        (table(), "csv", NAMES),
        (parquet(), "parquet", NAMES),
    ],
)
def test_stdin(run, content, format, names):
    run("-", "out.jsonl", stdin=io.BytesIO(content), input_format=format)
    assert names_of(read_rows("out.jsonl")) == names


def test_stdin_that_looks_otherwise_must_be_named(run):
    with pytest.raises(ValueError, match="looks like JSON; --input-format must say"):
        run("-", "out.jsonl", stdin=io.BytesIO(b'{"text": 1}'))
    with pytest.raises(ValueError, match="packed with gzip; --input-format must say what it is"):
        run("-", "out.jsonl", stdin=io.BytesIO(gzip.compress(b"a", mtime=0)))


# Nothing in them


EMPTY = {
    "a.txt": b"", "a.jsonl": b"", "b.jsonl": b"\n \n", "a.csv": b"", "b.csv": b"text\n", "c.csv": b"text\r\n\r\n",
    "a.parquet": parquet(pa.table({"text": pa.array([], pa.string())})), "a.spacy": docbin([]),
    "a.json": b"[]",
}  # fmt: skip


@pytest.mark.parametrize("output", ["out.jsonl", "out.parquet", "out.csv", "out.spacy", "out.conll", "out.json"])
@pytest.mark.parametrize("name", EMPTY)
def test_empty_inputs_give_empty_outputs(run, tmp_path, name, output):
    (tmp_path / name).write_bytes(EMPTY[name])
    assert run(name, output).n_records == 0
    assert (tmp_path / output).is_file()


# Bad records


def test_lines_of_json_that_are_none(run, tmp_path):
    bad = [b'{"text": "\xff"}', b"{", b'["text"]', b'"text"', b"7", b'{"text": "a", "text": "b"}', b'{"a": 1}']
    good = '{"text": "東京"}'.encode()
    (tmp_path / "a.jsonl").write_bytes(b"\n".join([good, *bad, good, b"[" * 100_000, good]))
    result = run("a.jsonl", "out.jsonl", chunk_bytes=40)
    assert result.n_records == 3 and names_of(read_rows("out.jsonl")) == [["東京 地名"]] * 3
    rejects = rejects_of("out.jsonl")
    assert [(each["file"], each["line"]) for each in rejects] == [("a.jsonl", i) for i in (*range(2, 9), 10)]
    reasons = [
        "utf-8",
        "not JSON",
        "object is needed",
        "object",
        "object",
        "key 'text' stands more",
        "no 'text'",
        "JSON",
    ]
    for each, reason in zip(rejects, reasons):
        assert reason in each["reason"]


def test_tables_with_line_breaks_quotes_and_bad_rows(run, tmp_path):
    rows = [
        'id,text,note', '1,"東京、\n大阪",x', '2,"「""京都""」",', '3,東京', '4,東京,a,b', '', '5,"a\r\nb\n東京",y',
        "6,\x00東京,z",
    ]  # fmt: skip
    (tmp_path / "a.csv").write_bytes("\n".join(rows).encode("utf8"))
    for chunk_bytes in CHUNKS:
        out = f"{chunk_bytes}.jsonl"
        run("a.csv", out, chunk_bytes=chunk_bytes)
        found = {row["id"]: (row["text"], row["note"]) for row in read_rows(out)}
        assert found["1"] == ("東京、\n大阪", "x") and found["2"] == ('「"京都"」', "")
        assert found["5"] == ("a\r\nb\n東京", "y")
        rejects = {each["line"]: each["reason"] for each in rejects_of(out)}
        assert rejects[5] == "there are 2 columns, and 3 in the header"
        assert rejects[6] == "there are 4 columns, and 3 in the header"


def test_quotes_that_are_not_closed(run, tmp_path):
    (tmp_path / "a.csv").write_text('id,text\n1,東京\n2,"大阪\n3,京都\n4,東京\n', encoding="utf8")
    run("a.csv", "out.jsonl")
    assert [row["id"] for row in read_rows("out.jsonl")] == ["1"]
    (reject,) = rejects_of("out.jsonl")
    assert reject["line"] == 3 and "quotes that open here are not closed" in reject["reason"]


def test_a_cell_may_be_long(run, tmp_path):
    (tmp_path / "a.csv").write_text(f"text\n{'あ' * 140_000}\n東京\n", encoding="utf8")
    run("a.csv", "out.jsonl")
    assert names_of(read_rows("out.jsonl")) == [[], ["東京 地名"]]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.parquet"])
def test_a_column_that_is_missing_is_refused_by_name(run, tmp_path, name):
    (tmp_path / name).write_bytes(CONTENTS[name])
    with pytest.raises(ValueError, match=f"{name} has no column 'body'; --text-column must name one of id, text, n"):
        run(name, "out.jsonl", text_column="body")


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", "a.parquet"])
def test_a_field_that_is_taken_is_refused_by_name(run, tmp_path, name):
    rows = [{"text": "東京", "entities": "x"}]
    content = {"a.csv": table, "a.jsonl": jsonl, "a.json": lambda rows: json.dumps(rows).encode(), "a.parquet": parquet}
    make = content[name]
    (tmp_path / name).write_bytes(make(rows=rows) if name == "a.csv" else make(rows))
    with pytest.raises(ValueError, match=f"{name} has a field 'entities' already; --entities-column"):
        run(name, "out.jsonl")
    run(name, "out.jsonl", entities_column="found")
    (row,) = read_rows("out.jsonl")
    assert row["entities"] == "x" and names_of([row], "found") == [["東京 地名"]]


def test_a_field_that_answers_need_is_refused_by_name(run, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(jsonl([{"text": "東京", "answers": "x"}]))
    with pytest.raises(ValueError, match="a.jsonl has a field 'answers' already; answers to questions go there"):
        run("a.jsonl", "out.jsonl", questions=("どこですか",))


def test_columns_must_have_names_of_their_own(run, tmp_path):
    (tmp_path / "a.csv").write_text("text,text\na,b\n")
    with pytest.raises(ValueError, match="a.csv: column names must be unique"):
        run("a.csv", "out.jsonl")


def test_missing_values_of_parquet_are_rejected(run, tmp_path):
    (tmp_path / "a.parquet").write_bytes(parquet([{"text": "東京"}, {"text": None}, {"text": ""}]))
    run("a.parquet", "out.jsonl")
    assert names_of(read_rows("out.jsonl")) == [["東京 地名"], []]
    (reject,) = rejects_of("out.jsonl")
    assert reject["row"] == 2 and reject["reason"] == "'text' is null"


def test_texts_of_parquet_that_are_numbers_are_rejected(run, tmp_path):
    (tmp_path / "a.parquet").write_bytes(parquet([{"text": 1}, {"text": 2}]))
    result = run("a.parquet", "out.jsonl")
    assert result.n_records == 0 and "must be a string, got 1" in rejects_of("out.jsonl")[0]["reason"]


def test_texts_of_parquet_in_a_dictionary(run, tmp_path):
    column = pa.array(["東京", "大阪", "東京"]).dictionary_encode()
    pq.write_table(pa.table({"text": column}), tmp_path / "a.parquet")
    for output in ("out.jsonl", "out.parquet"):
        run("a.parquet", output)
    assert names_of(read_rows("out.jsonl")) == [["東京 地名"], ["大阪 地名"], ["東京 地名"]]
    assert pq.read_table("out.parquet").column("text").to_pylist() == ["東京", "大阪", "東京"]


@pytest.mark.parametrize("packing", [".gz", ".zst", ".bz2", ".xz"])
def test_a_packed_file_that_was_cut_is_read_as_far_as_it_goes(run, tmp_path, packing):
    pads = random.Random(0)
    rows = [{"text": "東京", "n": i, "pad": pads.randbytes(500).hex()} for i in range(1000)]
    packed = PACK[packing](jsonl(rows))
    (tmp_path / f"a.jsonl{packing}").write_bytes(packed[: len(packed) * 3 // 4])
    (tmp_path / "b.txt").write_bytes("大阪".encode())
    result = run(f"a.jsonl{packing}", "b.txt", "out.jsonl", chunk_bytes=100_000)
    rows = read_rows("out.jsonl")
    assert names_of(rows[-1:]) == [["大阪 地名"]] and [row["n"] for row in rows[:-1]] == list(range(len(rows) - 1))
    if packing != ".bz2":  # of which a whole block is lost
        assert len(rows) > 300
    (reject,) = rejects_of("out.jsonl")
    assert result.n_rejects == 1 and reject["file"] == f"a.jsonl{packing}" and "damaged here" in reject["reason"]


@pytest.mark.parametrize("packing", [".gz", ".zst", ".bz2", ".xz"])
@pytest.mark.parametrize("name", ["a.json", "a.spacy"])
def test_a_packed_value_that_was_cut_is_rejected_as_a_whole(run, tmp_path, name, packing):
    (tmp_path / (name + packing)).write_bytes(PACK[packing](CONTENTS[name])[:-9])
    (tmp_path / "b.txt").write_bytes("大阪".encode())
    run(name + packing, "b.txt", "out.jsonl")
    assert names_of(read_rows("out.jsonl")) == [["大阪 地名"]]
    assert f"{name + packing} is packed with" in rejects_of("out.jsonl")[0]["reason"]


@pytest.mark.parametrize("name", ["a.parquet", "a.spacy"])
def test_a_damaged_file_is_named(run, tmp_path, name):
    (tmp_path / name).write_bytes(CONTENTS[name][:-20])
    (tmp_path / "b.txt").write_bytes("大阪".encode())
    try:
        run(name, "b.txt", "out.jsonl")
    except ValueError as error:
        assert f"{name} is damaged, or no Parquet" in str(error)
    else:
        assert name in rejects_of("out.jsonl")[0]["reason"] and names_of(read_rows("out.jsonl")) == [["大阪 地名"]]


@pytest.mark.slow
def test_a_text_of_five_megabytes_among_small_ones(run, tmp_path):
    long = "これは長い文です。" * 190_000  # 5.1 MB
    rows = [{"text": "東京"}, {"text": long + "大阪"}, {"text": "京都"}]
    write_jsonl(tmp_path / "a.jsonl", rows)
    result = run("a.jsonl", "out.jsonl")
    assert names_of(read_rows("out.jsonl")) == [["東京 地名"], ["大阪 地名"], ["京都 地名"]] and not result.n_rejects


# Encodings that were not meant


LEGACY = ["cp932", "shift_jis", "euc_jp", "iso-2022-jp", "latin-1"]


@pytest.mark.parametrize("encoding", LEGACY)
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.csv", "a.tsv", "a.json", "a.csv.gz"])
def test_the_mark_of_utf_8_contradicts_another_encoding(run, tmp_path, name, encoding):
    content = codecs.BOM_UTF8 + CONTENTS[name.removesuffix(".gz")]
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    with pytest.raises(ValueError, match=f"{name} has the mark of UTF-8 .*--encoding is {encoding}; .*auto"):
        run(name, "out.jsonl", encoding=encoding)
    for right in ("utf-8", "UTF8", "utf-8-sig", "auto"):
        run(name, "out.jsonl", encoding=right, overwrite=True)
        assert names_of(read_rows("out.jsonl")) == NAMES


@pytest.mark.parametrize("encoding", LEGACY)
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.csv", "a.tsv"])
def test_lines_of_utf_8_that_are_read_as_another_encoding_are_warned_of(run, tmp_path, name, encoding):
    (tmp_path / name).write_bytes(CONTENTS[name])
    result = run(name, "out.jsonl", encoding=encoding, chunk_bytes=30)
    reasons = [each["reason"] for each in rejects_of("out.jsonl")] if result.n_rejects else []
    n_warned = sum(f"{name} has lines that are UTF-8 and were read as {encoding}" in note for note in result.notes)
    assert n_warned == 1 and all("such as utf-8" in reason for reason in reasons)


def test_one_line_of_utf_8_among_others(run, tmp_path):
    lines = [TEXTS[0].encode("cp932"), "大阪の日立製作所。".encode(), TEXTS[3].encode("cp932")]
    (tmp_path / "a.txt").write_bytes(b"\n".join(lines))
    (tmp_path / "b.txt").write_bytes("\n".join(["ﾃｩ", *TEXTS]).encode("cp932"))  # é in UTF-8
    result = run("a.txt", "b.txt", "out.jsonl", encoding="cp932", text_per="line")
    assert ["a.txt has lines that are UTF-8" in note for note in result.notes] == [True]
    result = run("a.txt", "file.jsonl", encoding="cp932", text_per="file")
    assert not result.notes  # as a whole it is no UTF-8


def test_mail_that_is_read_as_utf_8_is_warned_of(run, tmp_path):
    (tmp_path / "a.txt").write_bytes("東京\nascii".encode("iso-2022-jp"))
    (note,) = run("a.txt", "out.jsonl").notes
    assert "a.txt has lines that are ISO-2022-JP and were read as utf-8" in note and "--encoding iso-2022-jp" in note
    assert not run("a.txt", "again.jsonl", encoding="iso-2022-jp").notes
    assert names_of(read_rows("again.jsonl")) == [["東京 地名"], []]


AUTO_FILES = {
    "utf8.txt": ("\n".join(TEXTS).encode("utf8"), NAMES),
    "cp932.txt": ("\n".join(TEXTS).encode("cp932"), NAMES),
    "marked.txt": (codecs.BOM_UTF8 + "大阪".encode(), [["大阪 地名"]]),
    "ascii_then_cp932.txt": (b"ascii\n" * 50 + "大阪".encode("cp932"), [[]] * 50 + [["大阪 地名"]]),
    "ascii_then_utf8.txt": (b"ascii\n" * 50 + "大阪".encode(), [[]] * 50 + [["大阪 地名"]]),
    "cp932.csv.gz": (gzip.compress(table().decode("utf8").encode("cp932")), NAMES),
    "cp932.jsonl": (jsonl().decode("utf8").encode("cp932"), NAMES),
    "empty.txt": (b"", []),
}


@pytest.mark.parametrize("text_per", ["line", "file"])
def test_auto_looks_at_each_file(run, tmp_path, text_per, monkeypatch):
    monkeypatch.setattr(encodings, "BLOCK", 100)
    for name, (content, _) in AUTO_FILES.items():
        (tmp_path / name).write_bytes(content)
    names = [name for name in AUTO_FILES if text_per == "line" or "ascii" not in name]
    result = run(*names, "out.jsonl", encoding="auto", text_per=text_per)
    assert not result.notes and not result.n_rejects
    if text_per == "line":
        rows = read_rows("out.jsonl")
        assert names_of(rows) == [each for _, names in AUTO_FILES.values() for each in names]
    with pytest.raises(ValueError, match="is there already"):
        run(*names, "out.jsonl", encoding="auto", text_per=text_per)


def test_auto_rejects_a_line_that_is_not_in_the_encoding_of_its_file(run, tmp_path):
    good = [text.encode("utf8") for text in TEXTS]
    (tmp_path / "a.txt").write_bytes(b"\n".join(["大阪".encode("cp932"), *good]))
    result = run("a.txt", "out.jsonl", encoding="auto")
    assert names_of(read_rows("out.jsonl")) == NAMES and result.n_rejects == 1


def test_more_warnings_than_are_shown_are_counted(run, tmp_path):
    for i in range(25):
        (tmp_path / f"{i:02}.txt").write_text(TEXTS[0], encoding="utf8")
    notes = run("*.txt", "out.jsonl", encoding="cp932").notes
    assert len(notes) == 21 and notes[-1] == "5 other warnings are left out here"


# Settings that no record fits


JSON_LIKE = {
    "a.jsonl": jsonl(ROWS[:3]), "a.jsonl.gz": gzip.compress(jsonl(ROWS[:3])), "a.json": json.dumps(ROWS[:3]).encode(),
    "b.jsonl": b"{\n" + jsonl(ROWS[:3]), "a.csv": table(), "a.parquet": parquet(),
}  # fmt: skip


@pytest.mark.parametrize("option", ["text_column", "id_column"])
@pytest.mark.parametrize("output", ["out.jsonl", "out.csv"])
@pytest.mark.parametrize("name", JSON_LIKE)
def test_a_field_that_no_record_has_is_refused_before_anything_is_written(run, tmp_path, name, output, option):
    (tmp_path / name).write_bytes(JSON_LIKE[name])
    flag = "--" + option.replace("_", "-")
    with pytest.raises(ValueError, match=f"{name} has no (column|record with a field) 'body'; {flag} .* id, text, n"):
        run(name, output, **{option: "body"})
    assert [path.name for path in tmp_path.iterdir()] == [name]
    run(name, output)


@pytest.mark.parametrize("name", ["a.txt", "a.spacy"])
def test_ids_that_texts_and_docs_do_not_have(run, tmp_path, name):
    (tmp_path / name).write_bytes(CONTENTS[name])
    there = "file, line, text" if name == "a.txt" else "text"
    with pytest.raises(
        ValueError, match=f"{name} has no record with a field 'n'; --id-column must name one of {there}"
    ):
        run(name, "out.jsonl", id_column="n")
    run(name, "out.jsonl", text_column="body")


def test_a_field_that_only_the_last_record_has_is_no_wrong_setting(run, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(jsonl([{"a": 1}, {"a": 2}, {"text": "東京"}]))
    assert run("a.jsonl", "out.jsonl").n_rejects == 2


@pytest.mark.parametrize("header", ["番号,text".encode("cp932"), b'"id,text', b'"\xff",text'])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.tsv"])
def test_a_header_that_cannot_be_read(run, tmp_path, name, header):
    content = header + b"\n1,a\n"
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    with pytest.raises(ValueError, match=f"{name}: the header cannot be read: (this is not utf-8|the quotes)"):
        run(name, "out.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_where_all_records_are_rejected_the_next_run_may_use_the_name(run, tmp_path):
    (tmp_path / "a.txt").write_bytes("東京\n大阪\n".encode("cp932"))
    for output in ("out.jsonl", "out.csv", "out.parquet"):
        result = run("a.txt", output)
        assert result.n_rejects == 2 and not result.is_written and not (tmp_path / output).exists()
        assert len(rejects_of(output)) == 2
        first = (tmp_path / f"{output}.rejects.jsonl").read_bytes()
        assert run("a.txt", output).n_rejects == 2
        assert run("a.txt", output, encoding="cp932").is_written
        assert not (tmp_path / f"{output}.rejects.jsonl").exists()
        for i in (1, 2):  # rejects may be all that is left of somebody's run: none is lost
            assert (tmp_path / f"{output}.rejects.{i}.jsonl").read_bytes() == first


def test_an_output_that_is_there_stays_where_all_records_are_rejected(run, tmp_path):
    (tmp_path / "a.txt").write_bytes("東京\n大阪\n".encode("cp932"))
    (tmp_path / "out.jsonl").write_text("mine")
    run("a.txt", "out.jsonl", overwrite=True)
    assert (tmp_path / "out.jsonl").read_text() == "mine" and len(rejects_of("out.jsonl")) == 2


def test_all_formats_are_named():
    assert set(FORMATS) == set(READERS)


@pytest.mark.parametrize("output", ["out.jsonl", "out.parquet", "out.csv", "out.conll"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.parquet"])
def test_a_text_within_objects(run, tmp_path, name, output):
    rows = [{"comment": {"no": i, "by": {"body": text}}} for i, text in enumerate(TEXTS)]
    bad = [{"comment": None}, {"comment": {"no": 7, "by": {"body": None}}}]
    make = {"a.jsonl": jsonl, "a.json": lambda rows: json.dumps(rows).encode(), "a.parquet": parquet}[name]
    (tmp_path / name).write_bytes(make([*rows, *bad]))
    for chunk_bytes in CHUNKS:
        run(name, output, text_column="comment.by.body", chunk_bytes=chunk_bytes, overwrite=True)
        reasons = [each["reason"] for each in rejects_of(output)]
        no_text, null = [reason for reason in reasons if "conll" not in reason]
        assert "there is no 'comment.by.body'" in no_text and null == "'comment.by.body' is null"
        if output in ("out.jsonl", "out.parquet"):
            found = read_rows(output) if output == "out.jsonl" else pq.read_table(output).to_pylist()
            assert names_of(found) == NAMES and [row["comment"] for row in found] == [row["comment"] for row in rows]
            assert set(found[0]) == {"comment", "entities"}
    with pytest.raises(
        ValueError, match="no (column|record with a field) 'comment.to'; --text-column must name one of"
    ):
        run(name, "other.jsonl", text_column="comment.to")


def test_a_field_with_that_very_name_goes_before_objects(run, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(jsonl([{"a.b": "東京", "a": {"b": "大阪"}}, {"a": {"b": "大阪"}}, {"a": "x"}]))
    run("a.jsonl", "out.jsonl", text_column="a.b")
    assert names_of(read_rows("out.jsonl")) == [["東京 地名"], ["大阪 地名"]]
    assert "there is no 'a.b'" in rejects_of("out.jsonl")[0]["reason"]
    (tmp_path / "a.csv").write_text("a.b,a\n東京,x\n", encoding="utf8")
    run("a.csv", "again.jsonl", text_column="a.b", id_column="a")
    assert names_of(read_rows("again.jsonl")) == [["東京 地名"]]


@pytest.mark.parametrize(
    "name, delimiter, shown",
    [
        ("a.csv", ";", "';'"),
        ("a.csv", "\t", "tab"),
        ("a.csv", "|", "'|'"),
        ("a.tsv", ",", "','"),
        ("a.tsv", ";", "';'"),
    ],
)
def test_a_table_with_another_delimiter(run, tmp_path, name, delimiter, shown):
    (tmp_path / name).write_bytes(table(delimiter))
    with pytest.raises(ValueError, match=rf"{name} has one column, 'id.*n'; --delimiter {re.escape(shown)} parts it"):
        run(name, "out.jsonl")
    for given in ["tab", "\\t", "\t"] if delimiter == "\t" else [delimiter]:
        run(name, "out.jsonl", delimiter=given, overwrite=True, chunk_bytes=30)
        assert names_of(read_rows("out.jsonl")) == NAMES


@pytest.mark.parametrize("delimiter", ["::", '"', "\n", "tabs"])
def test_a_delimiter_that_cannot_be(run, tmp_path, delimiter):
    (tmp_path / "a.csv").write_bytes(table())
    with pytest.raises(ValueError, match="--delimiter must be one character, or tab, got"):
        run("a.csv", "out.jsonl", delimiter=delimiter)


def test_a_column_with_a_semicolon_in_its_name(run, tmp_path):
    (tmp_path / "a.csv").write_text("a;b\n東京\n", encoding="utf8")
    run("a.csv", "out.jsonl", text_column="a;b")
    assert names_of(read_rows("out.jsonl")) == [["東京 地名"]]
