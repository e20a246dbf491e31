"""Texts with links in, Examples or an alias table out."""

import json
import lzma

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

import spacy_luke_ja
from spacy_luke_ja import count_aliases
from spacy_luke_ja.linking_data import get_gold_links
from spacy_luke_ja.text.linking import AliasTable, normalize_alias

TEXT = "山田花子は東京へ行った。"
GOOD = {
    "article": "山田",
    "text": TEXT,
    "links": [{"span": [0, 4], "title": "山田花子"}, {"span": [5, 7], "title": None}],
}


def create(path, **settings):
    return spacy.registry.readers.get("spacy-luke-ja.LinkingCorpus.v1")(path, **settings)


@pytest.mark.parametrize("record, message", [
    ({"text": TEXT}, "a record must be"),
    ({"text": TEXT, "links": [{"span": [0, 4]}]}, "a title must be a string that is not empty"),
    ({"text": TEXT, "links": [{"span": [0, 4], "title": " "}]}, "a title must be a string that is not empty"),
    ({"text": TEXT, "links": [{"span": [0, 4], "title": 3}]}, "a title must be a string that is not empty, got 3"),
    ({"text": TEXT, "links": [{"span": [0], "title": "東京"}]}, "a link must be"),
    ({"text": TEXT, "links": [{"span": [0, True], "title": "東京"}]}, "start and end of an entity must be whole numbers"),
    ({"text": TEXT, "links": [{"span": [0, 40], "title": "東京"}]}, "must be characters of the text"),
    ({"text": "東京　へ", "links": [{"span": [2, 3], "title": "東京"}]}, "must be characters of the text"),
    ({"text": TEXT, "links": [{"span": [0, n], "title": "東京"} for n in (4, 2)]}, "name a group as mentions_key"),
    ({"text": TEXT, "links": [{"span": [0, 4], "title": own} for own in ("東京", "大阪")]}, "has two titles"),
])  # fmt: skip
def test_the_linking_reader_refuses_and_skips(tmp_path, record, message):
    nlp, path = spacy_luke_ja.blank(), tmp_path / "data.jsonl"
    path.write_text("\n".join(map(json.dumps, (GOOD, record))), encoding="utf8")
    with pytest.raises(ValueError, match=f"data.jsonl, line 2: .*{message}"):
        list(create(path)(nlp))
    with pytest.warns(UserWarning, match="1 of 2 records were skipped; the first is .*data.jsonl, line 2"):
        (example,) = create(path, on_bad_record="skip")(nlp)
    assert [(own.char_start, own.title) for own in get_gold_links(example.reference)] == [(0, "山田花子"), (5, "NIL")]
    assert [ent.text for ent in example.predicted.ents] == ["山田花子", "東京"] and not get_gold_links(
        example.predicted
    )


def test_packed_files_are_read_and_blanks_at_edges_left_out(tmp_path):
    record = {"text": "昨日は 東京 へ。", "links": [{"span": [3, 7], "title": "東京都"}]}
    path = tmp_path / "data.jsonl.xz"
    path.write_bytes(lzma.compress(json.dumps(record).encode()))
    (example,) = create(path, mentions_key="m")(spacy_luke_ja.blank())
    assert [span.text for span in example.predicted.spans["m"]] == ["東京"]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match="is packed with xz, and damaged"):
        list(create(path)(spacy_luke_ja.blank()))


def test_nested_links_need_a_group(tmp_path):
    record = {"text": TEXT, "links": [{"span": [0, 4], "title": "山田花子"}, {"span": [0, 2], "title": "山田氏"}]}
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(record), encoding="utf8")
    (example,) = create(path, mentions_key="m")(spacy_luke_ja.blank())
    assert {span.text for span in example.predicted.spans["m"]} == {"山田花子", "山田"} and not example.predicted.ents


def test_what_stands_for_what_is_counted(tmp_path):
    records = [
        {
            "text": "東京と東京",
            "links": [{"span": [0, 2], "title": "東京都"}, {"span": [3, 5], "title": "東京 (グループ)"}],
        },
        {
            "text": "ＴＯＫＹＯ、東京",
            "links": [{"span": [0, 5], "title": "東京都"}, {"span": [6, 8], "title": "東京都"}],
        },
        {"text": "東京", "links": [{"span": [0, 2], "title": "NIL"}]},
    ]
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf8")
    table = count_aliases([path])
    assert table.counts == {"東京": {"東京都": 2, "東京 (グループ)": 1}, "TOKYO": {"東京都": 1}}
    assert count_aliases([path, path]).titles_of("東京") == {"東京都": 4, "東京 (グループ)": 2}
    expected = "TOKYO\t東京都\t1\n東京\t東京都\t2\n東京\t東京 (グループ)\t1\n"
    assert table.to_bytes().decode() == expected


words = st.text('東京ABｱ　 \t\n㈱{"é', min_size=1).filter(lambda own: own.strip())


@given(st.lists(st.tuples(words, words, st.integers(1, 9))))
def test_an_alias_table_is_written_and_read(entries):
    table = AliasTable()
    for alias, title, count in entries:
        table.add(alias, title, count)
    again = AliasTable.from_bytes(table.to_bytes(), "table")
    assert again.counts == table.counts and again.to_bytes() == table.to_bytes()
    assert all(normalize_alias(alias) in again.counts for alias, _, _ in entries)
