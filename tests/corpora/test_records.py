"""Files of annotated texts: what each format says, and what is wrong with which line."""

import json

import pytest
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

import spacy_luke_ja
from spacy_luke_ja import CharSpan
from spacy_luke_ja.corpora.formats import read_records, read_texts
from spacy_luke_ja.corpora.ner import create_entity_corpus
from spacy_luke_ja.corpora.records import Record

TEXT = "山田は訪日した"
RECORD = Record(TEXT, (CharSpan(0, 2, "人名"), CharSpan(4, 5, "地名")))


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "item",
    [
        {"text": TEXT, "entities": [[0, 2, "人名"], [4, 5, "地名"]]},
        {"text": TEXT, "entities": [[4, 5, "地名"], [0, 2, "人名"], [0, 2, "人名"]]},
        {"text": TEXT, "label": [[0, 2, "人名"], [4, 5, "地名"]]},  # doccano
        {"text": TEXT, "entities": [{"start_offset": 0, "end_offset": 2, "label": "人名"}, [4, 5, "地名"]]},
        {"text": TEXT, "spans": [{"start": 0, "end": 2, "label": "人名", "token_start": 0}, [4, 5, "地名"]]},  # Prodigy
        {"text": TEXT, "entities": [{"name": "山田", "span": [0, 2], "type": "人名"}, [4, 5, "地名"]]},  # Stockmark
    ],
)
def test_jsonl(tmp_path, item):
    path = write(
        tmp_path / "data.jsonl", json.dumps(item, ensure_ascii=False) + '\n\n{"text": "何もない", "entities": []}\n'
    )
    assert list(read_records(path)) == [RECORD, Record("何もない", ())]


@pytest.mark.parametrize(
    "line, said",
    [
        (b'{"text": "\xff"}', "this is not UTF-8: the byte 0xff after"),
        (b'{"text": ', "not JSON"),
        (b'{"text": "a", "entities": ' + b"[" * 100_000, "not JSON"),
        (b'{"text": "\\ud83d", "entities": []}', "lone surrogate"),
        (b"[1, 2]", 'object with "text" is needed'),
        (b'{"text": "abc"}', "one of entities, spans, label, labels is needed"),
        (b'{"text": 3, "entities": []}', "text must be a string, got 3"),
        (b'{"text": "abc", "entities": {"a": 1}}', '"entities" must be a list'),
        (b'{"text": "abc", "entities": [[0, 1]]}', "must be .start, end, label. .* got .0, 1."),
        (b'{"text": "abc", "entities": [[0, "1", "X"]]}', "must be whole numbers, got 0 and '1'"),
        (b'{"text": "abc", "entities": [[0, 1, ""]]}', "label of the entity 0–1 must be a string that is not empty"),
        (b'{"text": "abc", "entities": [[2, 9, "X"]]}', "entity 2–9 X is not within the 3 characters of 'abc'"),
        (b'{"text": "abc", "entities": [[-1, 2, "X"]]}', "entity -1–2 X is not within"),
        (b'{"text": "abc", "entities": [[1, 1, "X"]]}', "entity 1–1 X is not within"),
        (b'{"text": "abc", "entities": [[0, 2, "X"], [1, 3, "Y"]]}', "entities 0–2 X and 1–3 Y overlap in 'abc'"),
    ],
)
def test_a_bad_line_is_named_or_skipped(tmp_path, line, said):
    path = write(
        tmp_path / "data.jsonl", b'{"text": "ok", "entities": []}\n' + line + b'\n{"text": "fine", "spans": []}\n'
    )
    with pytest.raises(ValueError, match=f'data.jsonl, line 2: .*{said}.*with "skip" for on_bad_record'):
        list(read_records(path))
    with pytest.warns(UserWarning, match=f"1 of 3 records were skipped; the first is .*data.jsonl, line 2: .*{said}"):
        assert [record.text for record in read_records(path, on_bad_record="skip")] == ["ok", "fine"]


@pytest.mark.parametrize(
    "tags",
    [
        "B-人名 I-人名 O O B-地名 O O",
        "B E O O S O O",
        "B-人名 L-人名 O O U-地名 O O",
        "人名 人名 O O 地名 O O",
        "I-人名 I-人名 O O I-地名 O O",
    ],
)
def test_conll(tmp_path, tags):
    tags = tags.replace("B E", "B-人名 E-人名").replace(" S ", " S-地名 ").split()
    rows = [f"{char}\tNOUN\t{tag}" for char, tag in zip(TEXT, tags)]
    path = write(tmp_path / "data.conll", "-DOCSTART- O\n\n" + "\n".join(rows) + "\n\n何 O\n\n")
    assert list(read_records(path)) == [RECORD, Record("何", ())]


def test_conll_columns_comments_and_wide_spaces(tmp_path):
    path = write(
        tmp_path / "x.tsv",
        "# sent_id = 1\n東京　タワー\tNOUN\tB-施設名\n\u3000\t_\tO\n#\tSYM\tO\n大 阪\tNOUN\tB-地名\n",
    )
    (record,) = read_records(path)
    assert record == Record("東京　タワー　#大 阪", (CharSpan(0, 6, "施設名"), CharSpan(8, 11, "地名")))


@pytest.mark.parametrize("tag", ["B", "I-", "_", "o"])
def test_a_tag_without_a_label(tmp_path, tag):
    with pytest.raises(ValueError, match=f"x.conll, line 1: the tag '{tag}' of '東京' has no label; O stands for"):
        list(read_records(write(tmp_path / "x.conll", f"東京 {tag}\n")))


@pytest.mark.parametrize("line", ["東京\tNOUN\t", "\tNOUN\tO", "東京\tNOUN\t "])
def test_an_empty_column(tmp_path, line):
    with pytest.raises(ValueError, match="x.tsv, line 1: a token and its tag are needed, got"):
        list(read_records(write(tmp_path / "x.tsv", line + "\n")))


def test_a_token_that_looks_like_a_comment(tmp_path):
    path = write(tmp_path / "x.conll", "# sent_id = 1\n大阪 B-地名\n# O\n")
    assert list(read_records(path)) == [Record("大阪#", (CharSpan(0, 2, "地名"),))]


@pytest.mark.parametrize("tag", ["X-魚", "b-魚"])
def test_a_prefix_that_no_scheme_has(tmp_path, tag):
    with pytest.raises(ValueError, match=f"x.conll, line 2: the tag '{tag}' of '鯛' has a prefix that no scheme has"):
        list(read_records(write(tmp_path / "x.conll", f"の O\n鯛 {tag}\n")))


def test_spaces_at_the_edges_of_entities_are_left_out_and_counted(tmp_path):
    lines = [
        {"text": "築地 で 鯛", "entities": [[0, 3, "産地"], [4, 6, "魚"]]},
        {"text": "築地　", "entities": [[0, 3, "産地"]]},
    ]
    path = write(tmp_path / "x.jsonl", "\n".join(map(json.dumps, lines)))
    with pytest.warns(
        UserWarning, match="3 entities of .*x.jsonl began or ended with a blank character, .* the first at line 1"
    ):
        records = list(read_records(path))
    assert [span[:2] for record in records for span in record.char_spans] == [(0, 2), (5, 6), (0, 2)]
    path = write(tmp_path / "y.jsonl", '{"text": "築地 で", "entities": [[2, 3, "産地"]]}')
    with pytest.raises(ValueError, match="y.jsonl, line 1: the entity 2–3 産地 is nothing but blank characters"):
        list(read_records(path))


def test_a_text_with_a_line_that_is_not_utf8_is_skipped_whole(tmp_path):
    path = write(tmp_path / "x.conll", "東京 B-地名\n".encode() + b"\xff O\n" + "へ O\n\n大阪 B-地名\n".encode())
    with pytest.raises(ValueError, match="x.conll, line 2: this is not UTF-8"):
        list(read_records(path))
    with pytest.warns(UserWarning, match="1 of 2 records were skipped"):
        assert [record.text for record in read_records(path, on_bad_record="skip")] == ["大阪"]


def test_what_prodigy_has_as_rejected_is_left_out_and_counted(tmp_path):
    answers = ("accept", "reject", "ignore", "another field of this name")
    lines = [{"text": text, "spans": [], "answer": answer} for text, answer in zip("abcd", answers)]
    path = write(tmp_path / "x.jsonl", "\n".join(map(json.dumps, lines)))
    with pytest.warns(UserWarning, match="2 of 4 records of .* were left out: Prodigy has them as not accepted"):
        assert [record.text for record in read_records(path)] == ["a", "d"]


def test_conll_neighbours_and_latin_words(tmp_path):
    path = write(tmp_path / "x.bio", "独 B-地名\n伊 B-地名\nと O\nNew B-地名\nYork I-地名\nと O\n2 O\n. O\n5 O\n")
    assert list(read_records(path)) == [
        Record("独伊とNew Yorkと2.5", (CharSpan(0, 1, "地名"), CharSpan(1, 2, "地名"), CharSpan(3, 11, "地名")))
    ]


def test_bad_conll_lines(tmp_path):
    path = write(tmp_path / "x.conll", "東京 B-地名\n\n大阪\n\n京都 O\n")
    with pytest.raises(ValueError, match="x.conll, line 3: a token and its tag are needed, got '大阪'"):
        list(read_records(path))
    with pytest.warns(UserWarning, match="1 of 3 records were skipped"):
        assert len(list(read_records(path, on_bad_record="skip"))) == 2


def test_docbin_of_another_tokenizer(tmp_path):
    doc = Doc(Vocab(), words=list(TEXT), spaces=[False] * len(TEXT))
    doc.set_ents([doc.char_span(0, 2, "人名"), doc.char_span(4, 5, "地名")])
    bare = Doc(Vocab(), words=["何"])
    DocBin(docs=[doc]).to_disk(tmp_path / "x.spacy")
    assert list(read_records(tmp_path / "x.spacy")) == [RECORD]
    (example,) = create_entity_corpus(tmp_path / "x.spacy")(spacy_luke_ja.blank())
    assert [token.text for token in example.predicted] == ["山田", "は", "訪日", "し", "た"]
    assert [(ent.text, ent.label_) for ent in example.reference.ents] == [("山田", "人名"), ("日", "地名")]
    DocBin(docs=[doc, bare]).to_disk(tmp_path / "y.spacy")
    with pytest.raises(ValueError, match="y.spacy, Doc 2: the Doc has no entity annotation: '何"):
        list(read_records(tmp_path / "y.spacy"))


def test_a_doc_annotated_in_part_is_named(tmp_path):
    doc = Doc(Vocab(), words=["東京", "都"], spaces=[False, False])
    doc.set_ents([doc[:1].char_span(0, 2, label="地名")], default="missing")
    DocBin(docs=[doc]).to_disk(tmp_path / "x.spacy")
    with pytest.raises(ValueError, match="Doc 1: the Doc is annotated in part, which spacy.Corpus.v1 can read"):
        list(read_records(tmp_path / "x.spacy"))


def test_files_as_windows_writes_them(tmp_path):
    line = json.dumps({"text": TEXT, "entities": [[0, 2, "人名"], [4, 5, "地名"]]}, ensure_ascii=False)
    path = write(tmp_path / "x.jsonl", "\ufeff" + line + "\r\n" + line + "\r\n")
    assert list(read_records(path)) == [RECORD, RECORD]
    path = write(tmp_path / "x.conll", "\ufeff東京\tB-地名\r\n\r\n大阪\tB-地名\r\n")
    assert [record.text for record in read_records(path)] == ["東京", "大阪"]


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(
        ValueError, match="name must end in .jsonl, .json, .conll, .*, each also with .gz, .zst, .bz2, .xz, got .csv"
    ):
        list(read_records(tmp_path / "x.csv"))
    with pytest.raises(OSError, match="there is no file .*x.jsonl"):
        list(read_records(tmp_path / "x.jsonl"))
    with pytest.raises(ValueError, match="x.spacy is damaged, or no DocBin"):
        list(read_records(write(tmp_path / "x.spacy", "nothing of the kind")))
    with pytest.raises(ValueError, match="on_bad_record must be one of raise, skip, got ignore"):
        create_entity_corpus(tmp_path / "x.jsonl", on_bad_record="ignore")
    with pytest.raises(ValueError, match="path must name a file .* got null"):
        create_entity_corpus(None)


def test_texts_without_entities(tmp_path):
    (tmp_path / "texts.jsonl").write_text(
        '{"text": "大阪"}\n\n{"text": "鯛", "entities": [[0, 1, "魚"]]}\n', encoding="utf8"
    )
    DocBin(docs=[Doc(Vocab(), ["大阪"], spaces=[False])]).to_disk(tmp_path / "texts.spacy")
    (tmp_path / "texts.conll").write_text("大 B-地名\n阪 I-地名\n", encoding="utf8")
    assert list(read_texts(tmp_path / "texts.jsonl")) == ["大阪", "鯛"]
    assert list(read_texts(tmp_path / "texts.spacy")) == list(read_texts(tmp_path / "texts.conll")) == ["大阪"]


@pytest.mark.parametrize("name, content, said", [
    ("bad.jsonl", '{"text": "大阪"}\n{"text": 1}', "bad.jsonl, line 2: the text must be a string, got 1"),
    ("bad.jsonl", '{"title": "大阪"}', 'bad.jsonl, line 1: an object with "text" is needed'),
    ("bad.spacy", "no DocBin", "bad.spacy is damaged, or no DocBin"),
    ("bad.json", "{}", 'bad.json, line 1: an object with "text" is needed'),
    ("bad.csv", "text", "the name must end in .jsonl, .json, .conll"),
])  # fmt: skip
def test_texts_that_cannot_be_read(tmp_path, name, content, said):
    (tmp_path / name).write_text(content, encoding="utf8")
    with pytest.raises(ValueError, match=said):
        list(read_texts(tmp_path / name))
    with pytest.raises(OSError, match="there is no file nowhere.jsonl"):
        list(read_texts("nowhere.jsonl"))


def test_a_page_may_be_null_or_zero(tmp_path):
    path = tmp_path / "pages.jsonl"
    path.write_text(
        '{"text": "一", "entities": [], "page": null}\n{"text": "二", "entities": [], "curid": 0}\n', encoding="utf8"
    )
    assert [record.page for record in read_records(path)] == ["", "0"]


@pytest.mark.parametrize(
    "header, tags",
    [
        *((header, tags) for tags in ("B-地名 O", "地名 O", "U-地名 O") for header in (
            "token\ttag", "Token\tPOS\tNER", "word label", "WORDS\tLABELS", "単語\tタグ", "# from a corpus\ntokens\tner_tags")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("gap", ["", "\n"])
def test_a_header_of_a_table_is_no_text(tmp_path, header, tags, gap):
    pos = "\t名詞" * (header.count("\t") - 1)
    rows = "".join(f"{token}{pos}\t{tag}\n" for token, tag in zip(("大阪", "へ"), tags.split()))
    (record,) = read_records(write(tmp_path / "data.tsv", f"{header}\n{gap}{rows}"))
    assert (record.text, record.entities) == ("大阪へ", [(0, 2, "地名")])


def test_a_first_line_that_may_be_a_header_is_named(tmp_path):
    path = write(tmp_path / "data.tsv", "形態素\t正解\n大阪\tB-地名\nへ\tO\n\n東京\tB-地名\n")
    with pytest.raises(
        ValueError, match="data.tsv, line 1: '形態素.*正解' has no tag as the other lines; a header must be"
    ):
        list(read_records(path))
    with pytest.warns(UserWarning, match="1 of 3 records were skipped; the first is .*line 1"):
        assert [record.text for record in read_records(path, on_bad_record="skip")] == ["大阪へ", "東京"]


def test_a_first_line_of_a_text_is_no_header(tmp_path):
    for rows in ("大阪\t地名\nへ\tO\n", "大阪\tO\nへ\tO\n", "大阪\tB-地名\n", "word\tO\nへ\tO\n"):
        (record,) = read_records(write(tmp_path / "data.tsv", rows))
        assert record.text.startswith(rows.split("\t")[0])


def test_bad_lines_are_listed(tmp_path):
    path = write(tmp_path / "data.jsonl", "x\n" * 30 + '{"text": "東京", "entities": []}\n')
    with pytest.warns(UserWarning) as warned:
        list(read_records(path, on_bad_record="skip"))
    lines = str(warned[0].message).split("\n")
    assert lines[0].startswith("30 of 31 records were skipped; the first is ") and lines[-1] == "    … and 10 more"
    assert [f"line {n}:" in line for n, line in enumerate(lines[1:-1], start=2)] == [True] * 19
