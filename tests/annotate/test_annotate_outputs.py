"""What annotate writes, in each format; and the files that it leaves alone."""

import csv
import datetime
import decimal
import gzip
import json
import os
from pathlib import Path

import pytest
from spacy.tokens import DocBin
from spacy.vocab import Vocab

import spacy_luke_ja
from annotate_toys import NAMES, TEXTS, files_in, names_of, read_rows, rejects_of, write_jsonl
from spacy_luke_ja.corpora.formats import read_records
from spacy_luke_ja.training.outputs import OutputRefused

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
zstandard = pytest.importorskip("zstandard")

CHUNKS = [1, 40, 1 << 20]
ROWS = [{"id": i, "text": text, "more": {"a": [i]}} for i, text in enumerate(TEXTS)]
FULL = [(text, names) for text, names in zip(TEXTS, NAMES) if text]


def unpack_zstd(content):
    return zstandard.ZstdDecompressor().decompressobj().decompress(content)


@pytest.fixture
def rows(tmp_path):
    return write_jsonl(tmp_path / "in.jsonl", ROWS)


@pytest.mark.parametrize("ending, unpack", [("", bytes), (".gz", gzip.decompress), (".zst", unpack_zstd)])
def test_jsonl(run, rows, ending, unpack):
    whole = run(rows, f"whole.jsonl{ending}")
    run(rows, f"out.jsonl{ending}", chunk_bytes=40)
    content = Path(f"out.jsonl{ending}").read_bytes()
    assert whole.n_chunks == 1 and content == Path(f"whole.jsonl{ending}").read_bytes()
    found = [json.loads(line) for line in unpack(content).decode("utf8").splitlines()]
    assert names_of(found) == NAMES
    assert [{key: row[key] for key in ("id", "text", "more")} for row in found] == ROWS


@pytest.mark.parametrize("chunk_bytes", CHUNKS)
def test_parquet(run, rows, chunk_bytes):
    run(rows, "out.parquet", chunk_bytes=chunk_bytes)
    table = pq.read_table("out.parquet")
    found = table.to_pylist()
    assert names_of(found) == NAMES and [row["id"] for row in found] == list(range(5))
    assert table.schema.field("entities").type.value_type.names == ["start", "end", "label", "text", "score"]


def test_parquet_to_parquet_keeps_types(run, tmp_path):
    day = datetime.datetime(2024, 1, 2, 3, 4, 5)
    columns = {
        "text": pa.array(TEXTS, pa.large_string()),
        "n": pa.array(range(5), pa.int16()),
        "day": pa.array([day] * 5, pa.timestamp("ms")),
        "tags": pa.array([["a"], [], None, ["b", "c"], None], pa.list_(pa.string())),
        "raw": pa.array([b"\xff"] * 5, pa.binary()),
        "nothing": pa.array([None] * 5, pa.float32()),
    }
    table = pa.table(columns)
    pq.write_table(table, tmp_path / "in.parquet")
    for chunk_bytes in CHUNKS:
        run("in.parquet", f"{chunk_bytes}.parquet", chunk_bytes=chunk_bytes)
        found = pq.read_table(f"{chunk_bytes}.parquet")
        assert found.drop_columns("entities").equals(table) and names_of(found.to_pylist()) == NAMES
    run("in.parquet", "out.jsonl")
    row = read_rows("out.jsonl")[0]
    assert row["day"] == day.isoformat() and row["raw"] == "ff" and row["tags"] == ["a"]


def test_fields_of_several_types_in_parquet(run, tmp_path):
    mixed = [1, 2.5, "x", None, {"a": 1}, [1], True]
    write_jsonl(tmp_path / "in.jsonl", [{"text": "東京", "v": value} for value in mixed] + [{"text": "大阪", "w": 1}])
    for chunk_bytes in CHUNKS:
        result = run("in.jsonl", f"{chunk_bytes}.parquet", chunk_bytes=chunk_bytes)
        found = pq.read_table(f"{chunk_bytes}.parquet").to_pylist()
        assert not result.n_rejects and [row["w"] for row in found] == [None] * 7 + [1]
        assert found[2]["v"] == "x" and found[3]["v"] is None and json.loads(found[4]["v"]) == {"a": 1}


@pytest.mark.parametrize("chunk_bytes", CHUNKS)
def test_spacy(run, rows, chunk_bytes):
    run(rows, "out.spacy", chunk_bytes=chunk_bytes)
    docs = list(DocBin(store_user_data=True).from_disk("out.spacy").get_docs(Vocab()))
    assert [doc.text for doc in docs] == TEXTS
    assert [[f"{ent.text} {ent.label_}" for ent in doc.ents] for doc in docs] == NAMES
    assert all(0 < ent._.luke_score <= 1 for doc in docs for ent in doc.ents)
    assert [doc.user_data["luke_fields"]["id"] for doc in docs] == list(range(5))


def test_spacy_and_back_keeps_the_fields(run, rows):
    run(rows, "out.spacy")
    run("out.spacy", "again.jsonl")
    assert [{key: row[key] for key in ("id", "text", "more")} for row in read_rows("again.jsonl")] == ROWS


@pytest.mark.parametrize("chunk_bytes", CHUNKS)
def test_conll_is_read_by_our_own_reader(run, rows, chunk_bytes):
    run(rows, "out.conll", chunk_bytes=chunk_bytes)
    records = list(read_records("out.conll"))
    found = [[f"{r.text[s.char_start : s.char_end]} {s.label}" for s in r.char_spans] for r in records]
    assert list(zip([r.text for r in records], found)) == FULL
    assert "# id = 3\n" in Path("out.conll").read_text(encoding="utf8")


def test_conll_cannot_hold_line_breaks(run, tmp_path):
    write_jsonl(tmp_path / "in.jsonl", [{"text": "東京\nと大阪"}, {"text": "東京"}])
    result = run("in.jsonl", "out.conll")
    assert result.n_rejects == 1 and "cannot be written as conll" in rejects_of("out.conll")[0]["reason"]
    assert [record.text for record in read_records("out.conll")] == ["東京"]


@pytest.mark.parametrize("name, delimiter", [("out.csv", ","), ("out.tsv", "\t")])
@pytest.mark.parametrize("chunk_bytes", CHUNKS)
def test_tables_have_a_row_per_entity(run, rows, name, delimiter, chunk_bytes):
    run(rows, name, chunk_bytes=chunk_bytes)
    with open(name, encoding="utf8", newline="") as file_:
        found = list(csv.DictReader(file_, delimiter=delimiter))
    assert list(found[0]) == ["source_file", "source_line", "id", "more", "start", "end", "label", "entity", "score"]
    assert [row["id"] for row in found] == ["0", "0", "1", "2", "3", "3", "4", "4"]
    for row in found:
        if row["label"]:
            assert TEXTS[int(row["id"])][int(row["start"]) : int(row["end"])] == row["entity"]
    assert f"{found[0]['entity']} {found[0]['label']}" == NAMES[0][0] and found[2]["start"] == ""


def test_columns_of_tables_are_those_of_all_records(run, tmp_path):
    write_jsonl(tmp_path / "in.jsonl", [{"text": "東京", "a": 1}, {"text": "大阪", "b": '2,"\n'}])
    for chunk_bytes in CHUNKS:
        run("in.jsonl", f"{chunk_bytes}.csv", chunk_bytes=chunk_bytes)
        with open(f"{chunk_bytes}.csv", encoding="utf8", newline="") as file_:
            assert [(row["a"], row["b"]) for row in csv.DictReader(file_)] == [("1", ""), ("", '2,"\n')]


@pytest.mark.parametrize("chunk_bytes", CHUNKS)
@pytest.mark.parametrize("name", ["out.json", "out.jsonl"])
def test_label_studio(run, rows, name, chunk_bytes):
    run(rows, name, output_format="label-studio", chunk_bytes=chunk_bytes)
    content = Path(name).read_text(encoding="utf8")
    tasks = json.loads(content) if name == "out.json" else [json.loads(line) for line in content.splitlines()]
    assert [task["data"] for task in tasks] == ROWS
    regions = [task["predictions"][0]["result"] for task in tasks]
    assert [[f"{r['value']['text']} {r['value']['labels'][0]}" for r in own] for own in regions] == NAMES
    assert {"id", "from_name", "to_name", "type", "value", "score"} == set(regions[0][0])


@pytest.mark.parametrize("chunk_bytes", CHUNKS)
def test_doccano_is_read_by_our_own_reader(run, rows, chunk_bytes):
    run(rows, "out.jsonl", output_format="doccano", chunk_bytes=chunk_bytes)
    records = list(read_records("out.jsonl"))
    assert [[f"{r.text[s.char_start : s.char_end]} {s.label}" for s in r.char_spans] for r in records] == NAMES
    assert [row["id"] for row in read_rows("out.jsonl")] == list(range(5))


def test_our_jsonl_is_read_by_our_own_reader(run, rows):
    run(rows, "out.jsonl")
    records = list(read_records("out.jsonl"))
    assert [[f"{r.text[s.char_start : s.char_end]} {s.label}" for s in r.char_spans] for r in records] == NAMES


def test_the_same_entities_as_nlp_pipe(run, rows, checkpoints):
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner", config={"model": {"name": str(checkpoints["luke"])}})
    run(rows, "out.jsonl", chunk_bytes=40)
    expected = [
        [(e.start_char, e.end_char, e.label_, round(e._.luke_score, 4)) for e in doc.ents] for doc in nlp.pipe(TEXTS)
    ]
    found = [
        [tuple(e[k] for k in ("start", "end", "label", "score")) for e in r["entities"]] for r in read_rows("out.jsonl")
    ]
    assert found == expected


def test_fields_that_json_cannot_hold(run, tmp_path):
    (tmp_path / "in.jsonl").write_text(
        '{"text": "東京", "n": NaN}\n{"text": "大阪", "n": "\\ud83d"}\n{"text": "京都", "n": [Infinity, 1]}\n',
        encoding="utf8",
    )
    run("in.jsonl", "out.jsonl")
    assert [row["n"] for row in read_rows("out.jsonl")] == [None, [None, 1]]
    assert "cannot be written as" in rejects_of("out.jsonl")[0]["reason"]


@pytest.mark.parametrize(
    "output, settings, error",
    [
        ("out.xlsx", {}, "out.xlsx: the name must end in .jsonl, .*, got .xlsx"),
        ("out", {}, "got no ending"),
        ("out.parquet.gz", {}, "parquet cannot be packed as .gz"),
        ("out.jsonl.bz2", {}, "jsonl cannot be packed as .bz2"),
        ("out.jsonl", {"output_format": "xlsx"}, "--output-format must be one of jsonl, .*, got xlsx"),
        ("out.csv", {"output_format": "doccano"}, "out.csv: the name must end in .jsonl, got .csv"),
        ("out.jsonl", {"label_map": "nowhere"}, "--label-map must be one of stockmark, ontonotes.*got nowhere"),
        ("out.jsonl", {"min_score": 2.0}, "--min-score must be between 0 and 1, got 2.0"),
        ("out.jsonl", {"threshold": -1.0}, "--threshold must be between 0 and 1, got -1.0"),
        ("out.jsonl", {"n_process": 0}, "--n-process must be at least 1, got 0"),
        ("out.jsonl", {"batch_size": 0}, "--batch-size must be at least 1, got 0"),
        ("out.jsonl", {"text_per": "page"}, "--text-per must be line or file, got page"),
        ("out.jsonl", {"encoding": "klingon"}, "--encoding must be one that Python knows.*got klingon"),
        ("out.jsonl", {"entities_column": "text"}, "--entities-column must be another field than text, got"),
        (
            "out.jsonl",
            {"entities_column": "answers", "questions": ("誰ですか",)},
            "another field than text and answers, got",
        ),
        ("out.jsonl", {"model": "./nowhere"}, "there is no directory ./nowhere"),
        ("nowhere/out.jsonl", {}, "there is no directory nowhere"),
        ("folder", {}, "got no ending"),
        ("folder.jsonl", {}, "folder.jsonl must be a file to write, and there is a directory"),
        ("in.jsonl", {"overwrite": True}, "in.jsonl would be overwritten, and is what the command reads"),
        ("there.jsonl", {}, "there.jsonl is there already; give another output, or --overwrite to replace it"),
        ("other.jsonl", {}, "other.jsonl.rejects.jsonl is there already"),
        ("parts.jsonl", {}, "parts.jsonl.parts holds what this program did not write .thesis.txt."),
        ("parts.jsonl", {"overwrite": True}, "parts.jsonl.parts holds what this program did not write .thesis.txt."),
        ("file.jsonl", {}, "file.jsonl.parts"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_touched(run, rows, tmp_path, output, settings, error):
    for name in ("folder.jsonl", "parts.jsonl.parts"):
        (tmp_path / name).mkdir()
    for name in ("there.jsonl", "other.jsonl.rejects.jsonl", "parts.jsonl.parts/thesis.txt", "file.jsonl.parts"):
        (tmp_path / name).write_text("mine")
    before = [(name, (tmp_path / name).read_bytes()) for name in files_in(tmp_path) if (tmp_path / name).is_file()]
    with pytest.raises((ValueError, OSError), match=error):
        run("in.jsonl", output, **settings)
    after = [(name, (tmp_path / name).read_bytes()) for name in files_in(tmp_path) if (tmp_path / name).is_file()]
    left = [name for name, _ in after if not name.startswith("out.jsonl.parts/")]
    assert left == [name for name, _ in before] and set(before) <= set(after)


def test_overwrite_replaces_the_output_and_its_rejects(run, rows, tmp_path):
    (tmp_path / "bad.jsonl").write_text("{\n")
    run("bad.jsonl", "out.jsonl")
    assert len(rejects_of("out.jsonl")) == 1
    run("in.jsonl", "out.jsonl", overwrite=True)
    assert names_of(read_rows("out.jsonl")) == NAMES
    assert files_in(tmp_path) == ["bad.jsonl", "in.jsonl", "out.jsonl"]


def test_a_link_as_output_stays_a_link(run, rows, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out.jsonl").symlink_to("disk/real.jsonl")
    run("in.jsonl", "out.jsonl")
    assert (tmp_path / "out.jsonl").is_symlink()
    assert names_of(read_rows(tmp_path / "disk" / "real.jsonl")) == NAMES
    assert files_in(tmp_path / "disk") == ["real.jsonl"]
    with pytest.raises(OutputRefused, match="out.jsonl is there already"):
        run("in.jsonl", "out.jsonl")


def test_a_link_to_an_input_is_refused(run, rows, tmp_path):
    (tmp_path / "out.jsonl").symlink_to("in.jsonl")
    with pytest.raises(OutputRefused, match="would be overwritten, and is what the command reads"):
        run("in.jsonl", "out.jsonl", overwrite=True)


def test_an_output_inside_the_input_folder_is_not_read(run, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("東京\n", encoding="utf8")
    run("in", "in/out.jsonl")
    first = read_rows("in/out.jsonl")
    run("in", "in/out.jsonl", overwrite=True)
    assert read_rows("in/out.jsonl") == first and len(first) == 1


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_protected(run, rows, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(OSError, match="locked/out.jsonl cannot be written: .*Permission denied"):
        run("in.jsonl", "locked/out.jsonl")


def test_a_folder_that_cannot_be_written(run, rows, monkeypatch):
    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OSError, match="out.jsonl cannot be written: .*Permission denied"):
        run("in.jsonl", "out.jsonl")


@pytest.mark.parametrize("failing", ["part", "counts", "joined"])
def test_a_full_disk_is_named_and_the_run_goes_on_when_there_is_room(run, rows, tmp_path, monkeypatch, failing):
    run("in.jsonl", "whole.jsonl", chunk_bytes=1)
    real, n_calls = os.fsync, 0

    def full(descriptor):
        nonlocal n_calls
        n_calls += 1
        if n_calls == {"part": 4, "counts": 5, "joined": 12}[failing]:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="out.jsonl.parts.* cannot be written: .*No space left on device"):
        run("in.jsonl", "out.jsonl", chunk_bytes=1)
    assert not (tmp_path / "out.jsonl").exists()
    run("in.jsonl", "out.jsonl", chunk_bytes=1)
    assert Path("out.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()


@pytest.mark.parametrize("name, needs", [("out.parquet", "pyarrow"), ("out.jsonl.zst", "zstandard")])
def test_a_package_that_is_missing_is_named(run, rows, monkeypatch, name, needs):
    import sys

    for module in [module for module in sys.modules if module.partition(".")[0] == needs]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf'package {needs}: pip install "spacy_luke_ja\[annotate\]"'):
        run("in.jsonl", name)


def test_nothing_is_left_beside_the_output(run, rows, tmp_path):
    run("in.jsonl", "out.jsonl", chunk_bytes=1)
    assert files_in(tmp_path) == ["in.jsonl", "out.jsonl"]


def test_values_of_parquet_in_cells_have_no_quotes_of_json(run, tmp_path):
    moment = datetime.datetime(2024, 1, 2, 3, 4, 5)
    values = {
        "price": (pa.array([decimal.Decimal("1.10")]), "1.10"),
        "raw": (pa.array([b"\xff"]), "ff"),
        "name": (pa.array(["東京".encode()], pa.binary()), "東京"),
        "day": (pa.array([moment.date()]), "2024-01-02"),
        "at": (pa.array([moment]), moment.isoformat()),
        "hour": (pa.array([moment.time()]), "03:04:05"),
        "took": (pa.array([datetime.timedelta(seconds=61)]), "0:01:01"),
        "n": (pa.array([7]), "7"),
        "part": (pa.array([0.5]), "0.5"),
        "is_new": (pa.array([True]), "true"),
        "tags": (pa.array([["a"]]), '["a"]'),
        "none": (pa.array([None], pa.decimal128(5, 2)), ""),
    }
    columns = {"text": pa.array(["何もない"]), **{name: column for name, (column, _) in values.items()}}
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    for name, delimiter in (("out.csv", ","), ("out.tsv", "\t")):
        run("in.parquet", name)
        with open(name, encoding="utf8", newline="") as file_:
            (row,) = csv.DictReader(file_, delimiter=delimiter)
        assert {name: row[name] for name in values} == {name: shown for name, (_, shown) in values.items()}


TAKEN = [
    *[(output, {}, name) for output in ("out.csv", "out.tsv") for name in ("start", "label", "score", "source_line")],
    ("out.jsonl", {"output_format": "doccano"}, "label"),
    ("out.json", {"text_column": "body"}, "text"),
    ("out.jsonl", {"output_format": "doccano", "text_column": "body"}, "text"),
    ("out.csv", {"questions": ("誰？",)}, "question"),
]


@pytest.mark.parametrize("input_", ["in.csv", "in.tsv", "in.parquet"])
@pytest.mark.parametrize("output, settings, name", TAKEN)
def test_columns_with_names_of_the_output_are_refused_at_once(run, tmp_path, input_, output, settings, name):
    row = {settings.get("text_column", "text"): "東京", name: "x"}
    if input_ == "in.parquet":
        pq.write_table(pa.Table.from_pylist([row]), tmp_path / input_)
    else:
        delimiter = "\t" if input_ == "in.tsv" else ","
        rows = (delimiter.join(cells) for cells in (row, row.values()))
        (tmp_path / input_).write_text("\n".join(rows), encoding="utf8")
    with pytest.raises(
        ValueError, match=f"{input_} cannot be written as .* '{name}' of its own.*jsonl and parquet can"
    ):
        run(input_, output, **settings)
    assert files_in(tmp_path) == [input_]
    for both in ("both.jsonl", "both.parquet"):
        run(input_, both, **{"text_column": settings.get("text_column", "text")})
    assert read_rows("both.jsonl")[0][name] == "x"


def test_names_that_clash_only_with_what_is_not_there(run, tmp_path):
    (tmp_path / "in.csv").write_text("label,question\n東京,x\n", encoding="utf8")
    result = run("in.csv", "out.csv", text_column="label")
    assert not result.n_rejects
    with open("out.csv", encoding="utf8", newline="") as file_:
        (row,) = csv.DictReader(file_)
    assert (row["question"], row["entity"], row["label"]) == ("x", "東京", "地名")


def test_a_record_with_a_name_of_the_output_is_rejected_alone(run, tmp_path):
    write_jsonl(tmp_path / "in.jsonl", [{"text": "東京"}, {"text": "大阪", "start": 1}])
    run("in.jsonl", "out.csv")
    assert "the output has a 'start' of its own" in rejects_of("out.csv")[0]["reason"]


@pytest.mark.parametrize("chunk_bytes", [1, 1 << 20])
@pytest.mark.parametrize(
    "output, n_nulls",
    [("out.jsonl", 4), ("out.spacy", 4), ("out.json", 4), ("out.csv", 2), ("out.parquet", 0), ("out.conll", 0)],
)
def test_numbers_that_json_does_not_have_are_counted(run, tmp_path, output, n_nulls, chunk_bytes):
    lines = ['{"text": "東京", "n": NaN}', '{"text": "大阪", "n": -Infinity, "more": [Infinity, 1, {"a": NaN}]}']
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf8")
    result = run("in.jsonl", output, chunk_bytes=chunk_bytes)
    notes = [note for note in result.notes if "became null" in note]
    assert notes == (
        [f"{n_nulls} numbers (NaN or infinite) of other fields became null, because JSON has none"] if n_nulls else []
    )
    if output == "out.csv":
        with open(output, encoding="utf8", newline="") as file_:
            assert [(row["n"], row["more"]) for row in csv.DictReader(file_)] == [
                ("nan", ""), ("-inf", '[null, 1, {"a": null}]'),
            ]  # fmt: skip


OWNERS = {"owner": "me", "month": "1"}


@pytest.mark.parametrize("chunk_bytes", CHUNKS)
@pytest.mark.parametrize(
    "others, kept",
    [([], OWNERS), ([OWNERS], OWNERS), ([{"owner": "me", "month": "2"}], {"owner": "me"}), ([{}], None)],
)
def test_parquet_keeps_the_metadata_that_all_inputs_agree_on(run, tmp_path, others, kept, chunk_bytes):
    for i, metadata in enumerate([OWNERS, *others]):
        pq.write_table(pa.table({"text": TEXTS}).replace_schema_metadata(metadata), tmp_path / f"{i}.parquet")
    run("*.parquet", "out.parquet", chunk_bytes=chunk_bytes)
    metadata = pq.read_schema("out.parquet").metadata
    assert (metadata or None) == (
        None if kept is None else {key.encode(): value.encode() for key, value in kept.items()}
    )


def test_pandas_finds_its_index_again(run, tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"text": TEXTS}, index=pandas.Index(list("abcde"), name="key"))
    frame.to_parquet(tmp_path / "in.parquet")
    run("in.parquet", "out.parquet")
    found = pandas.read_parquet("out.parquet")
    assert list(found.index) == list("abcde") and found.index.name == "key" and list(found["text"]) == TEXTS
    pandas.DataFrame({"text": ["東京", None, "大阪"]}).to_parquet(tmp_path / "in.parquet")
    run("in.parquet", "out.parquet", overwrite=True)
    assert list(pandas.read_parquet("out.parquet")["text"]) == ["東京", "大阪"]


@pytest.mark.parametrize("output", ["out.jsonl", "out.parquet", "out.csv"])
def test_records_with_the_place_that_they_come_from(run, tmp_path, output):
    write_jsonl(tmp_path / "a.jsonl", [{"text": "東京"}, {"text": "大阪"}])
    (tmp_path / "b.csv").write_text("text,n\n京都,1\n", encoding="utf8")
    for chunk_bytes in CHUNKS:
        run("a.jsonl", "b.csv", output, with_source=True, chunk_bytes=chunk_bytes, overwrite=True)
        if output == "out.csv":
            with open(output, encoding="utf8", newline="") as file_:
                found = list(csv.DictReader(file_))
        else:
            found = read_rows(output) if output == "out.jsonl" else pq.read_table(output).to_pylist()
        places = [(row["source_file"], int(row["source_line"])) for row in found]
        assert places == [("a.jsonl", 1), ("a.jsonl", 2), ("b.csv", 2)]


def test_fields_with_the_names_of_places(run, tmp_path):
    write_jsonl(tmp_path / "a.jsonl", [{"text": "東京", "source_file": "x"}, {"text": "大阪"}])
    run("a.jsonl", "out.jsonl", with_source=True)
    assert "there is a field 'source_file' already, and --with-source" in rejects_of("out.jsonl")[0]["reason"]
    (tmp_path / "b.csv").write_text("text,source_line\n京都,1\n", encoding="utf8")
    with pytest.raises(ValueError, match="b.csv has a column 'source_line' already, and --with-source"):
        run("b.csv", "other.jsonl", with_source=True)
