"""Formats that people have: each is read right, refused by line, or written and read back the same."""

import gzip
import json
import lzma

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin
from spacy.training.converters import iob_to_docs
from spacy.vocab import Vocab

import spacy_luke_ja
from spacy_luke_ja import CharSpan
from spacy_luke_ja.corpora.files import ending_of, pack_for
from spacy_luke_ja.corpora.formats import (
    FORMATS,
    READERS,
    choose_format,
    find_bad_records,
    read_records,
    read_texts,
    write_records,
)
from spacy_luke_ja.corpora.records import Record, make_record
from spacy_luke_ja.text.characters import trim_blank

TEXT = "山田は訪日した"
RECORD = Record(TEXT, (CharSpan(0, 2, "人名"), CharSpan(4, 5, "地名")))
NOTHING = Record("何もない", ())
nlp = spacy_luke_ja.blank()


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def lines(*items):
    return "\n".join(json.dumps(item, ensure_ascii=False) for item in items)


def region(start, end, label, text=None):
    return {"start": start, "end": end, "labels": [label], **({"text": text} if text else {})}


def task(text, *annotations, **fields):
    done = [
        {"id": i, "was_cancelled": False, "result": [
            {"from_name": "label", "to_name": "text", "type": "labels", "value": value} for value in values
        ]}
        for i, values in enumerate(annotations)
    ]  # fmt: skip
    return {"id": 7, "data": {"text": text}, "annotations": done, "predictions": [], **fields}


TWO = [[0, 2, "人名"], [4, 5, "地名"]]
OBJECTS = {
    "ours": ({"text": TEXT, "entities": TWO}, {"text": "何もない", "entities": []}),
    "doccano": (
        {"id": 1, "text": TEXT, "label": TWO, "Comments": []},
        {"id": 2, "text": "何もない", "label": [], "Comments": []},
    ),
    "doccano's relations": (
        {"text": TEXT, "entities": [{"id": i, "start_offset": a, "end_offset": b, "label": c} for i, (a, b, c) in enumerate(TWO)], "relations": []},
        {"text": "何もない", "entities": [], "relations": []},
    ),
    "doccano's annotations": (
        {"text": TEXT, "annotations": [{"start_offset": a, "end_offset": b, "label": c, "user": 1} for a, b, c in TWO]},
        {"text": "何もない", "annotations": []},
    ),
    "prodigy": (
        {"text": TEXT, "_task_hash": 1, "tokens": [{"text": TEXT, "start": 0, "end": 7, "id": 0}],
         "spans": [{"start": a, "end": b, "label": c, "token_start": 0, "token_end": 0} for a, b, c in TWO], "answer": "accept"},
        {"text": "何もない", "_task_hash": 2, "_input_hash": 3, "answer": "accept"},
    ),
    "prodigy with labels to choose from": (
        {"text": TEXT, "labels": ["人名", "地名"], "spans": [{"start": a, "end": b, "label": c} for a, b, c in TWO]},
        {"text": "何もない", "labels": ["人名", "地名"], "spans": []},
    ),
    "label studio": (task(TEXT, [region(0, 2, "人名", "山田"), region(4, 5, "地名", "日")]), task("何もない", [])),
    "label studio, two that agree": (
        task(TEXT, [region(*own) for own in TWO], [region(*own) for own in TWO[::-1]]), task("何もない", [], [])
    ),
    "label studio's JSON-MIN": (
        {"id": 1, "text": TEXT, "label": [region(0, 2, "人名", "山田"), region(4, 5, "地名", "日")], "annotator": 1},
        {"id": 2, "text": "何もない", "annotator": 1, "annotation_id": 3},
    ),
    "JSON-MIN by another name": (
        {"text": TEXT, "ner": [region(*own) for own in TWO], "annotator": 1}, {"text": "何もない", "annotator": 1}
    ),
    "hugging face": (
        {"id": "0", "tokens": list(TEXT), "pos_tags": [1] * 7, "ner_tags": ["B-人名", "I-人名", "O", "O", "B-地名", "O", "O"]},
        {"id": "1", "tokens": ["何も", "ない"], "pos_tags": [1, 1], "ner_tags": ["O", "O"]},
    ),
    "hugging face, numbers": (
        {"tokens": ["山田", "は訪", "日", "した"], "ner_tags": [1, 0, 3, 0], "names": ["O", "B-人名", "I-人名", "B-地名"]},
        {"tokens": ["何もない"], "ner_tags": [0], "names": ["O", "B-人名", "I-人名", "B-地名"]},
    ),
    "tags without prefixes": (
        {"words": list(TEXT), "tags": ["人名", "人名", "O", "O", "地名", "O", "O"]}, {"words": ["何もない"], "tags": ["O"]}
    ),
    "spaCy's tuples": ([TEXT, {"entities": TWO}], ["何もない", {"entities": []}]),
    "displaCy": (
        {"text": TEXT, "ents": [{"start": a, "end": b, "label": c} for a, b, c in TWO], "title": None},
        {"text": "何もない", "ents": []},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_of_many_tools_by_line_and_in_arrays(tmp_path, name):
    items = OBJECTS[name]
    for file_, content in {
        "x.jsonl": lines(*items), "x.json": lines(*items), "one_line.json": json.dumps(items), "y.jsonl": json.dumps(items),
        "pretty.json": json.dumps(items, ensure_ascii=False, indent=2), "pretty.jsonl": json.dumps(items, indent=1),
        "by_line.json": "[\n" + ",\n".join(map(json.dumps, items)) + "\n]\n", "windows.json": "\ufeff" + json.dumps(items, indent=1).replace("\n", "\r\n"),
    }.items():  # fmt: skip
        path = write(tmp_path / file_, content)
        assert list(read_records(path)) == [RECORD, NOTHING], file_
        assert list(read_texts(path)) == [TEXT, NOTHING.text], file_
        for ending, pack in ((".gz", gzip.compress), (".xz", lzma.compress)):
            packed = write(tmp_path / (file_ + ending), pack(content.encode()))
            assert list(read_records(packed)) == [RECORD, NOTHING], file_


def test_a_doc_as_json(tmp_path):
    docs = [nlp.make_doc(text) for text in ("山田は東京に", "何もない")]
    docs[0].set_ents([docs[0].char_span(0, 2, "人名"), docs[0].char_span(3, 5, "地名")])
    docs[0].spans["other"] = [docs[0][:2]]
    docs[1].set_ents([])
    path = write(tmp_path / "x.jsonl", lines(*(doc.to_json() for doc in docs)))
    expected = [Record("山田は東京に", (CharSpan(0, 2, "人名"), CharSpan(3, 5, "地名"))), NOTHING]
    assert list(read_records(path)) == expected
    path = write(tmp_path / "y.jsonl", lines(docs[0].to_json(), nlp.make_doc("何").to_json()))
    with pytest.raises(ValueError, match="y.jsonl, line 2: .* is needed"):
        list(read_records(path))


def test_rows_of_hugging_faces_api_and_numbers_named_beside_the_file(tmp_path):
    feature = {"feature": {"names": ["O", "B-人名", "I-人名"], "_type": "ClassLabel"}, "_type": "Sequence"}
    row = {"tokens": ["山", "田", "は"], "ner_tags": [1, 2, 0]}
    content = {
        "features": [{"name": "tokens", "type": {}}, {"name": "ner_tags", "type": feature}],
        "rows": [{"row_idx": 0, "row": row}],
    }
    expected = [Record("山田は", (CharSpan(0, 2, "人名"),))]
    assert list(read_records(write(tmp_path / "a.json", json.dumps(content)))) == expected
    assert list(read_records(write(tmp_path / "b.json", json.dumps(content, indent=2)))) == expected
    path = write(tmp_path / "c.jsonl", lines(row))
    with pytest.raises(
        ValueError, match='c.jsonl, line 1: "ner_tags" has numbers, got .1, 2, 0., and their names are now'
    ):
        list(read_records(path))
    write(tmp_path / "dataset_info.json", json.dumps({"features": {"ner_tags": feature}}))
    assert list(read_records(path)) == expected


def test_a_row_may_have_its_text(tmp_path):
    row = {
        "text": "「New York 」へ",
        "tokens": ["「", "New", "York", "」", "へ"],
        "ner_tags": ["O", "B-L", "I-L", "O", "O"],
    }
    path = write(tmp_path / "x.jsonl", lines(row))
    assert list(read_records(path)) == [Record(row["text"], (CharSpan(1, 9, "L"),))]


@pytest.mark.parametrize("item, said", [
    ({"text": TEXT, "entities": [], "spans": [{"start": 0, "end": 2, "label": "人名"}]}, '"entities" has 0 entities and "spans" has 1 others'),
    ({"text": TEXT, "entities": [[0, 2, "人名"]], "label": [[4, 5, "地名"]]}, '"entities" has 1 entities and "label" has 1 others'),
    ({"text": TEXT, "label": "肯定", "answer": "accept"}, '"label" must be a list of entities, got .肯定.'),
    ({"text": TEXT, "options": [], "answer": "accept"}, "one of entities, spans"),
    ({"text": TEXT, "label": ["肯定"]}, "an entity must be"),
    ({"text": TEXT, "annotations": [{"label": 3, "start_offset": 0, "end_offset": 2}]}, "label of the entity 0–2 must be a string that is not empty, got 3"),
    ({"text": TEXT, "entities": [[0, 2, "a\ud83d"]]}, "label of the entity 0–2 has a lone surrogate"),
    ({"text": TEXT, "entities": [], "page": "\ud83d"}, "page has a lone surrogate"),
    ({"text": TEXT, "entities": [{"start": 0, "end": 2, "labels": ["A", "B"]}]}, "must have one label"),
    ({"text": TEXT, "entities": [{"start": 0, "end": 2, "labels": []}]}, "must have one label"),
    ({"text": TEXT, "entities": [{"start": 0, "end": 2, "label": "人名", "text": "田中"}]}, "'田中' does not stand at 0–2 人名, but '山田'"),
    ({"tokens": ["a", "b"], "ner_tags": ["O"]}, "there are 2 tokens and 1 tags"),
    ({"tokens": ["a"], "ner_tags": [4], "names": ["O"]}, "has 4, which has no name among"),
    ({"tokens": ["a"], "ner_tags": [True], "names": ["O", "B-A"]}, "has True, which has no name"),
    ({"tokens": ["a", ""], "ner_tags": ["O", "O"]}, "token number 2 is empty"),
    ({"text": "あ", "tokens": ["い"], "ner_tags": ["O"]}, "the token .い. does not stand at character 0"),
    ({"text": "あい", "tokens": ["あ"], "ner_tags": ["O"]}, "no token stands for .い."),
    ({"tokens": ["a"], "ner_tags": ["E-mail"]}, "the tag .E-mail. of .a. may end an entity in BIOES"),
    ([TEXT, {"cats": {}}], "entities.* is needed"),
    (task(TEXT), "the task has no annotation"),
    ({"data": {"text": TEXT}, "predictions": [{"result": []}]}, "has predictions of a model, and no annotation"),
    (task(TEXT, [region(0, 2, "人名")], []), "its 2 annotations differ"),
    (task(TEXT, [{"start": 0, "end": 2, "text": "山田"}]), "regions of text must have labels"),
    ({**task("", []), "data": {"a": "b", "c": "d"}}, "the task must have one text"),
])  # fmt: skip
def test_what_is_ambiguous_or_nonsense_is_named(tmp_path, item, said):
    good = {"text": "ok", "entities": []}
    path = write(tmp_path / "x.jsonl", "\n".join(map(json.dumps, [good, item, good])))
    with pytest.raises(ValueError, match=f"x.jsonl, line 2: .*{said}"):
        list(read_records(path))
    assert len(find_bad_records(path)) == 1
    path = write(tmp_path / "x.json", "[\n" + ",\n".join(map(json.dumps, [good, item, good])) + "]")
    with pytest.warns(UserWarning, match=f"1 of 3 records were skipped; the first is .*x.json, line 3: .*{said}"):
        assert len(list(read_records(path, on_bad_record="skip"))) == 2


def test_label_studios_cancelled_tasks_are_left_out(tmp_path):
    cancelled = task("取消", [])
    cancelled["annotations"][0]["was_cancelled"] = True
    path = write(tmp_path / "x.json", json.dumps([cancelled, *OBJECTS["label studio"]]))
    with pytest.warns(UserWarning, match="1 of 3 records of .* were left out"):
        assert list(read_records(path)) == [RECORD, NOTHING]


@pytest.mark.parametrize("line", [
    '{"text": "a", "text": "b", "entities": []}', '{"text": "a", "entities": [], "entities": [[0, 1, "X"]]}',
    '{"text": "a", "entities": [{"start": 0, "end": 1, "label": "X", "label": "Y"}]}',
])  # fmt: skip
def test_duplicate_keys(tmp_path, line):
    for name, n, content in (("x.jsonl", 1, line), ("x.json", 2, f"[\n{line}\n]")):
        with pytest.raises(
            ValueError, match=f"{name}, line {n}: the key '(text|entities|label)' stands more than once"
        ):
            list(read_records(write(tmp_path / name, content)))


@pytest.mark.parametrize("content, said", [
    (b'[\n{"text": "a", "entities": []},\n{"text": "b"', "line 3: this is not JSON"),
    (b'[\n{"text": "a", "entities": []}\n{"text": "b"}]', "line 3: the array ends otherwise"),
    (b'[\n{"text": "a", "entities": []}\n', "line 3: the array ends otherwise"),
    (b'[\n{"text": "a", "entities": []}\n] x', "line 3: the array ends otherwise"),
    (b'[\n\n"\xff"]', "line 3: this is not UTF-8"),
])  # fmt: skip
def test_broken_arrays(tmp_path, content, said):
    with pytest.raises(ValueError, match=f"x.json, {said}"):
        list(read_records(write(tmp_path / "x.json", content)))


UTF_16 = [
    {"text": "😀山田は東京へ", "entities": [{"start": 2, "end": 4, "label": "人名", "text": "山田"}, {"start": 5, "end": 7, "label": "地名"}]},
    {"text": "😀山田は東京へ", "entities": [{"span": [2, 4], "type": "人名", "name": "山田"}, {"span": [5, 7], "type": "地名", "name": "東京"}]},
    {"text": "😀山田は東京へ", "entities": [{"start": 4, "end": 10, "label": "人名", "text": "山田"}, {"start": 13, "end": 19, "label": "地名", "text": "東京"}]},
    task("😀山田は東京へ", [region(2, 4, "人名", "山田"), region(5, 7, "地名", "東京")]),
]  # fmt: skip


@pytest.mark.parametrize("item", UTF_16)
def test_offsets_in_other_units_are_converted_where_a_text_beside_them_shows_it(tmp_path, item):
    path = write(tmp_path / "x.jsonl", lines({"text": "a", "entities": []}, item))
    with pytest.warns(UserWarning, match="2 entities of .* had offsets in (UTF-16 units|bytes of UTF-8), .* at line 2"):
        records = list(read_records(path))
    assert records[1] == Record("😀山田は東京へ", (CharSpan(1, 3, "人名"), CharSpan(4, 6, "地名")))


@given(st.text("😀あa\u3099 ", min_size=1, max_size=12), st.data())
def test_offsets_of_any_unit_with_their_texts(text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    surface = text[start:end]
    if not surface.strip():
        return
    for encoding, size in (("utf-16-le", 2), ("utf-8", 1)):
        moved = [len(text[:char].encode(encoding)) // size for char in (start, end)]
        found = make_record(text, [(*moved, "X", surface)])
        there = text[found.char_spans[0].char_start : found.char_spans[0].char_end]
        assert there.split() == surface.split()


@pytest.mark.parametrize("content", [
    '{"text": "' + "あ" * 10**6 + '", "entities": [[0, 2, "A"], [1, 3, "B"]]}', '{"text": "あ", "entities": "' + "あ" * 10**6 + '"}',
    '{"text": "あ", "entities": [["' + "あ" * 10**6 + '", 1, "A"]]}', '{"text": "あ", "entities": [[0, 9, "' + "あ" * 10**6 + '"]]}',
    '{"text": ["' + "あ" * 10**6 + '"], "entities": []}', '{"text": "あ", "' + "い" * 10**6 + '": 1, "' + "い" * 10**6 + '": 1}',
    '{"text": "\\ud83d' + "あ" * 10**6 + '", "entities": []}', '{"text": "あ", "entities": [' + '{"a": 1},' * 10**5 + '2]}',
    '{"tokens": ["' + "あ" * 10**6 + '"], "ner_tags": ["X-1"]}', '"' + "あ" * 10**6 + '"',
])  # fmt: skip
@pytest.mark.parametrize("name", ["x.jsonl", "x.json"])
def test_errors_carry_no_whole_texts(tmp_path, name, content):
    with pytest.raises(ValueError, match="x.json") as caught:
        list(read_records(write(tmp_path / name, content)))
    assert len(str(caught.value)) < len(str(tmp_path)) + 900


@pytest.mark.parametrize("content", [
    "東京" * 10**5, "東京 " * 10**5, ("あ" * 10**6 + "\tB-") , "\t".join(["あ" * 10**5] * 10), "あ|B " + "い" * 10**6 + "|O",
    "あ|O い|O\nう|O|O|" + "い" * 10**6, "あ\tB-A\nい\t" + "X-" + "う" * 10**6, "あ\tO\nい\t" + "E-" + "う" * 10**6, "# text = " + "う" * 10**6 + "\nあ\tO",
    "1\tあ\t_\t_\t_\t_\t_\t_\t_\tNE=O\n2\t" + "い" * 10**6, "header" * 10**5 + "\tx\nあ\tB-A",
])  # fmt: skip
def test_errors_of_tables_carry_no_whole_texts(tmp_path, content):
    with pytest.raises(ValueError, match="x.txt, line") as caught:
        list(read_records(write(tmp_path / "x.txt", content)))
    assert len(str(caught.value)) < len(str(tmp_path)) + 900


# Tables


@pytest.mark.parametrize("name, content", [
    ("x.iob", "佐藤|B-PER 健一|I-PER は|O New|B-LOC York|I-LOC へ|O\n"),
    ("x.txt", "佐藤|NN|B-PER 健一|NN|I-PER は|P|O New|NN|B-LOC York|NN|I-LOC へ|P|O\n"),
    ("x.conll", "-DOCSTART- -X- O O\n\n佐藤 NN I-NP I-PER\n健一 NN I-NP I-PER\nは P O O\nNew NN I-NP B-LOC\nYork NN I-NP I-LOC\nへ P O O\n"),
    ("x.tsv", "token\tpos\tner\n佐藤\tNN\tB-PER\n健一\tNN\tE-PER\nは\tP\tO\nNew\tNN\tB-LOC\nYork\tNN\tE-LOC\nへ\tP\tO\n"),
    ("x.tsv", "Sentence #\tWord\tTag\tPOS\n1\t佐藤\tB-PER\tNN\n\t健一\tI-PER\tNN\n\tは\tO\tP\n\tNew\tB-LOC\tNN\n\tYork\tI-LOC\tNN\n\tへ\tO\tP\n"),
    ("x.conllu", "# sent_id = 1\n# text = 佐藤健一はNew Yorkへ\n" + "".join(
        f"{i}\t{form}\t_\tNOUN\t_\t_\t0\troot\t_\t{misc}\n" for i, (form, misc) in enumerate([
            ("佐藤", "SpaceAfter=No|NE=B-PER"), ("健一", "ENE=I-Name|NE=I-PER|SpaceAfter=No"), ("は", "SpaceAfter=No"),
            ("New", "NE=B-LOC"), ("York", "NER=I-LOC|SpaceAfter=No"), ("へ", "_")], start=1))),
    ("x.conll", "".join(
        f"{i}\t{form}\t_\tNOUN\t_\t_\t0\troot\t_\t{misc}\n" for i, (form, misc) in enumerate([
            ("佐藤", "SpaceAfter=No|NE=B-PER"), ("健一", "NE=I-PER|SpaceAfter=No"), ("は", "SpaceAfter=No"),
            ("New", "NE=B-LOC"), ("York", "NE=I-LOC|SpaceAfter=No"), ("へ", "SpaceAfter=No")], start=1))),
])  # fmt: skip
def test_tables(tmp_path, name, content):
    expected = [Record("佐藤健一はNew Yorkへ", (CharSpan(0, 4, "PER"), CharSpan(5, 13, "LOC")))]
    assert list(read_records(write(tmp_path / name, content))) == expected
    assert list(read_records(write(tmp_path / (name + ".gz"), gzip.compress(content.encode())))) == expected


def test_a_column_of_sentences_parts_texts(tmp_path):
    path = write(tmp_path / "x.tsv", "sentence_id\ttoken\ttag\n1\t東京\tB-L\n1\tへ\tO\n2\t大阪\tB-L\n")
    assert [record.text for record in read_records(path)] == ["東京へ", "大阪"]


@pytest.mark.parametrize("name, content, line", [
    ("x.txt", "彼は 東京 へ 行った\nそして 大阪 へ 行った\n", 1),
    ("x.txt", "The weather in Tokyo was fine .\nThen it rained .\n", 1),
    ("x.txt", "彼は東京へ行った。\n", 1),
    ("x.txt", "東京\tB-地名\n彼は 東京 へ\n", 2),
    ("x.tsv", "text\tlabel\n東京へ行った\t肯定\n大阪は雨\t否定\n", 2),
    ("x.conllu", "1\t東京\t_\tPROPN\t_\t_\t0\troot\t_\tSpaceAfter=No\n", 1),
    ("x.conll", "# text = 東京\n1\t東京\t東京\tPROPN\t名詞\t_\t0\troot\t_\t_\n", 2),
    ("x.conllu", "1-2\tdu\t_\t_\t_\t_\t_\t_\t_\t_\n1\tde\t_\t_\t_\t_\t_\t_\t_\tNE=B-X\n", 1),
    ("x.iob", "佐藤|B-PER 健一|I-PER\nは 東京 へ\n", 2),
    ("x.iob", "佐藤|B-PER は|P|O\n", 1),
    ("x.conll", "メール\tE-mail\nは\tO\n", 1),
    ("x.conll", "は\tO\n電車\tS-Bahn\n", 2),
    ("x.conll", "山田\tB-PER\n電車\tS-Bahn\nは\tO\n", 2),
    ("x.conll", "山田\tB-PER\nメール\tE-mail\nは\tO\n", 2),
    ("x.conll", "山田\tB-PER\nメール\tMAIL\nは\tO\n", 2),
    ("x.conll", "1\t佐藤\tB-PER\n2\tは\tO\n", 1),
    ("x.conll", "0 佐藤 B-PER\n1 は O\n", 1),
    ("x.txt", "The type is O\nof blood\n", 2),
    ("x.tsv", "w\tt\n佐藤\tPER\nは\tO\n", 1),
    ("x.conll", "# scheme = BIOEX\n山田\tB-PER\n", 1),
    ("x.conll", "# text = 山本\n山\tO\n田\tO\n", 2),
])  # fmt: skip
def test_what_is_no_table_of_tokens_and_tags(tmp_path, name, content, line):
    with pytest.raises(ValueError, match=f"{name}, line {line}: "):
        list(read_records(write(tmp_path / name, content)))


@pytest.mark.parametrize("tags, labels", [
    ("B-E-mail I-E-mail O", [(0, 2, "E-mail")]),
    ("B-S-Bahn E-S-Bahn S-E-mail", [(0, 2, "S-Bahn"), (2, 3, "E-mail")]),
    ("I-E-mail I-E-mail O", [(0, 2, "E-mail")]),
    ("E-mail O 人名", [(0, 1, "E-mail"), (2, 3, "人名")]),  # no tag has a prefix
    ("S-Bahn ORG-P O", [(0, 1, "S-Bahn"), (1, 2, "ORG-P")]),
    ("B-mail E-mail O", [(0, 2, "mail")]),
    ("S-地名 O O", [(0, 1, "地名")]),
    ("U-PER O O", [(0, 1, "PER")]),
])  # fmt: skip
def test_labels_with_hyphens(tmp_path, tags, labels):
    rows = zip("あいう", tags.split())
    path = write(tmp_path / "x.conll", "\n".join(map("\t".join, rows)))
    assert [record.entities for record in read_records(path)] == [labels]
    path = write(tmp_path / "x.jsonl", lines({"tokens": list("あいう"), "ner_tags": tags.split()}))
    assert [record.entities for record in read_records(path)] == [labels]
    record = make_record("あいう", labels)
    for format in ("conll", "bioes", "conllu", "pipes", "huggingface", "conll2003", "tsv"):
        assert round_trip(tmp_path, format, [record]) == [record], format


# There and back


def round_trip(directory, format, records, ending=None):
    ending = ending or FORMATS[format].endings[0]
    path = directory / f"there{ending}"
    path.write_bytes(pack_for(path, write_records(nlp, records, format, ending=ending_of(path))))
    return list(read_records(path))


# Characters that some format cannot hold are in the tests below.
CHARACTERS = "東京都山田a1 B.、😀か\u3099ー|#"
LABELS = ["人名", "E-mail", "S-Bahn", "LOC", "B-x"]


@st.composite
def records(draw, alphabet=CHARACTERS):
    text = draw(st.text(alphabet, min_size=1, max_size=25).filter(lambda text: text.strip()))
    edges = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    spans = [
        (start, end, draw(st.sampled_from(LABELS)))
        for start, end in zip(edges[::2], edges[1::2])
        if len(range(*trim_blank(text, start, end)))
    ]
    return make_record(text, spans)


@pytest.mark.parametrize("format", [format for format in FORMATS if format not in ("pipes", "conll2003")])
def test_records_come_back_from_each_format(tmp_path, format):
    @given(st.lists(records(), min_size=1, max_size=3))
    @settings(max_examples=60)
    def check(own):
        for ending in FORMATS[format].endings:
            assert round_trip(tmp_path, format, own, ending) == own
        for ending in (".gz", ".xz", ".bz2", ".zst"):
            assert round_trip(tmp_path, format, own, FORMATS[format].endings[0] + ending) == own

    check()


@pytest.mark.parametrize(
    "format, alphabet", [("pipes", "東京都山田、。ーか\u3099😀"), ("conll2003", "東京都山田a1 B.、😀か\u3099ー|")]
)
def test_records_come_back_from_tables_between_spaces(tmp_path, format, alphabet):
    @given(st.lists(records(alphabet), min_size=1, max_size=3))
    @settings(max_examples=60)
    def check(own):
        assert round_trip(tmp_path, format, own) == own

    check()


@pytest.mark.parametrize(
    "format",
    [
        "jsonl",
        "doccano",
        "prodigy",
        "label-studio",
        "label-studio-min",
        "huggingface",
        "docbin",
        "doc-json",
        "spacy-tuples",
    ],
)
def test_line_breaks_blanks_and_odd_characters_come_back(tmp_path, format):
    @given(st.lists(records('東\n\r\t\u2028\x85 　a\x00\u200b\ufeff"\\'), min_size=1, max_size=3))
    @settings(max_examples=40)
    def check(own):
        assert round_trip(tmp_path, format, own) == own

    check()


def test_pages_come_back(tmp_path):
    own = [make_record(TEXT, TWO, "12")]
    for format in ("jsonl", "doccano", "prodigy", "label-studio", "label-studio-min", "huggingface", "doc-json"):
        assert round_trip(tmp_path, format, own) == own, format


@pytest.mark.parametrize("format, text, said", [
    ("conll", "一\n二", "text 2, '一.n二', cannot be written in this format: a line break"),
    ("conllu", "一\r二", "a line break"),
    ("pipes", "東京 大阪", "its spaces have no place"),
    ("pipes", "東|京", "parts columns"),
    ("conll2003", "# 東京", "parts columns or begins a comment"),
    ("tsv", " ", "it has no token"),
])  # fmt: skip
def test_what_a_format_cannot_hold_is_refused(format, text, said):
    with pytest.raises(ValueError, match=said):
        write_records(nlp, [make_record("東京", []), make_record(text, [])], format)
    with pytest.raises(ValueError, match="the tag 'B-地 名' has a character that parts columns"):
        write_records(nlp, [make_record("東京", [(0, 2, "地 名")])], format)


def test_spacy_reads_what_is_written(tmp_path):
    record = make_record("佐藤健一は東京へ", [(0, 4, "人名"), (5, 7, "地名")])
    content = write_records(nlp, [record], "pipes").decode()
    (doc,) = iob_to_docs(content)
    assert [(ent.text.replace(" ", ""), ent.label_) for ent in doc.ents] == [("佐藤健一", "人名"), ("東京", "地名")]
    (item,) = [json.loads(line) for line in write_records(nlp, [record], "doc-json").decode().splitlines()]
    doc = Doc(Vocab()).from_json(item)
    assert [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents] == record.entities


@pytest.mark.parametrize("path, name, format", [
    ("x.spacy", "", "docbin"), ("x.jsonl", "", "jsonl"), ("x.json.gz", "", "jsonl"), ("x.tsv", "", "conll"), ("x.CONLL", "", "conll"),
    ("x.iob", "pipes", "pipes"), ("x.json", "label-studio", "label-studio"),
])  # fmt: skip
def test_which_format_is_written(tmp_path, path, name, format):
    assert choose_format(tmp_path / path, name) == format


def test_formats_that_do_not_fit(tmp_path):
    with pytest.raises(ValueError, match="--to must be one of jsonl, .*, got brat"):
        choose_format(tmp_path / "x.ann", "brat", setting="--to")
    with pytest.raises(ValueError, match="x.conll: the name must end in .jsonl, .json, got .conll"):
        choose_format(tmp_path / "x.conll", "prodigy")
    with pytest.raises(ValueError, match="the name must end in .jsonl, .*, got no ending"):
        choose_format(tmp_path / "x")
    assert all(ending in READERS for own in FORMATS.values() for ending in own.endings)


def test_a_damaged_gzip_file(tmp_path):
    path = write(tmp_path / "x.jsonl.gz", gzip.compress(lines({"text": "a", "entities": []}).encode())[:-4])
    with pytest.raises(ValueError, match="x.jsonl.gz is packed with gzip, and damaged"):
        list(read_records(path))


def test_docs_whose_spaces_nobody_knows(tmp_path):
    words = ["佐藤", "健一", "は", "New", "York", "へ"]
    doc = Doc(Vocab(), words=words)  # as `spacy convert` makes them
    doc.set_ents([doc[0:2].char_span(0, 5, label="PER"), doc[3:5].char_span(0, 8, label="LOC")])
    DocBin(docs=[doc]).to_disk(tmp_path / "x.spacy")
    assert list(read_records(tmp_path / "x.spacy")) == [
        Record("佐藤健一はNew Yorkへ", (CharSpan(0, 4, "PER"), CharSpan(5, 13, "LOC")))
    ]
    assert list(read_texts(tmp_path / "x.spacy")) == ["佐藤健一はNew Yorkへ"]
    spaced = Doc(Vocab(), words=["佐藤", "は"], spaces=[True, False])
    spaced.set_ents([])
    DocBin(docs=[spaced]).to_disk(tmp_path / "y.spacy")
    assert list(read_records(tmp_path / "y.spacy")) == [Record("佐藤 は", ())]
