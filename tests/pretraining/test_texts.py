"""What is left out of the corpora, and what stays of a document."""

import json

import pytest

import toy_corpora
from scripts.pretraining import soft_labels
from scripts.pretraining.texts import LINKED, TEXTS, Document, HeldOut, read_linked, read_texts, take_share, wac_page
from spacy_luke_ja.corpora.stockmark import read_stockmark, split_records

TEXT = "第{}回の大会は札幌の体育館で三日にわたって開かれた。"


@pytest.fixture(scope="module")
def stockmark(tmp_path_factory):
    """ner.json with twenty pages of one sentence each, and a record of each part of its split."""
    path = tmp_path_factory.mktemp("stockmark") / "ner.json"
    items = [{"curid": str(1000 + i), "text": chr(ord("あ") + i) + TEXT.format(i), "entities": []} for i in range(40)]
    path.write_text(json.dumps(items, ensure_ascii=False), encoding="utf8")
    return path, {part: records[0] for part, records in split_records(read_stockmark(path, md5="")).items()}


@pytest.fixture(scope="module")
def held_out(stockmark, tmp_path_factory):
    path, parts = stockmark
    titles = [
        ("jawiki_gocon", parts["test"].page, "任天堂"),
        ("jawiki_gocon", parts["dev"].page, "手塚治虫"),
        ("jawiki_gocon", parts["train"].page, "時間"),
        ("jaquad_train", parts["test"].page, "別の番号の記事"),
    ]
    wac = [
        {"id": f"wiki{int(parts[part].page):08}-00-00", "text": text, "entities": []}
        for part, text in (("test", "足利　尊氏（あしかが　たかうじ）は、武将。"), ("train", "北条時宗は、執権。"))
    ]
    questions = {
        "jaquad_dev": {"三里塚闘争": f"前の文。{parts['test'].text}後の文。", "駅": "無関係な文。"},
        "jsquad_valid-v1.3": {"オセロ (遊戯)": f"オセロ [SEP] {parts['dev'].text}"},
    }
    data = tmp_path_factory.mktemp("data")
    toy_corpora.write_corpora(data, titles=titles, wac=wac, questions=questions, n_sentences=5)
    return HeldOut(path, data, md5="")


def test_titles_by_ids_by_leads_and_by_the_contexts_of_questions(held_out):
    assert held_out.titles == {"任天堂", "手塚治虫", "足利尊氏", "三里塚闘争", "オセロ"}


def document(*texts, source="kyoto_wiki", **fields):
    return Document(source, paragraphs=[{"text": text, "links": []} for text in texts], **fields)


@pytest.mark.parametrize("part, reason", [("test", "page"), ("dev", "page"), ("train", "")])
def test_a_page_of_a_test_or_dev_sentence_is_left_out(held_out, stockmark, part, reason):
    assert held_out.why(document("無関係", source="wac_train", page=stockmark[1][part].page)) == reason


@pytest.mark.parametrize(
    "title, reason",
    [
        ("任天堂", "title"),
        ("手塚治虫", "title"),
        ("オセロ (遊戯)", "title"),
        ("時間", ""),
        ("別の番号の記事", ""),
        ("", ""),
    ],  # fmt: skip
)
def test_a_title_of_such_a_page_is_left_out(held_out, title, reason):
    assert held_out.why(document("無関係", title=title)) == reason


@pytest.mark.parametrize(
    "texts, reason",
    [
        (["任天堂株式会社は、京都市の会社。"], "title in its first words"),
        (["『任天堂』は本。"], "title in its first words"),
        (["足利　尊氏は武将。"], "title in its first words"),
        (["本社は任天堂の隣。"], ""),  # short, so it may be a common word
        (["あ" * 36 + "手塚治虫"], "title in its first words"),
        (["あ" * 37 + "手塚治虫"], ""),
        (["時間は流れる。"], ""),
        (["一つ目の段落。", "任天堂の段落。"], ""),
        ([], ""),
    ],
)
def test_a_text_that_begins_with_such_a_title_is_left_out(held_out, texts, reason):
    assert held_out.why(document(*texts)) == reason


@pytest.mark.parametrize("part, n_chars, reason", [
    ("test", 16, "16 characters in common"),
    ("dev", 16, "16 characters in common"),
    ("test", 15, ""),
])  # fmt: skip
def test_a_run_of_characters_of_a_held_out_sentence_is_left_out(held_out, stockmark, part, n_chars, reason):
    run = stockmark[1][part].text[:n_chars]
    assert held_out.why(document("無関係な段落。", f"これは{run}これは")) == reason


@pytest.mark.parametrize("source", ["ict_white_paper", "aozora_expository"])
def test_corpora_not_from_the_web_may_have_a_run_in_common(held_out, stockmark, source):
    assert held_out.why(document(stockmark[1]["test"].text, source=source)) == ""


@pytest.mark.parametrize("sentence_id, page", [("wiki00080654-00-01", "80654"), ("wiki00010002-01", "10002")])
def test_the_page_of_a_wac_sentence(sentence_id, page):
    assert wac_page(sentence_id) == page


@pytest.mark.parametrize("share, kept", [(1.0, "0123456789"), (0.5, "02468"), (0.15, "07"), (0.05, "0")])
def test_a_share_is_every_nth_paragraph(share, kept):
    assert "".join(p["text"] for p in take_share(document(*"0123456789"), share).paragraphs) == kept


def test_a_blank_line_ends_a_document(tmp_path):
    text = "一行目。\n 二行目。\n\n三行目。\n \n\n\n四行目。"
    corpora = toy_corpora.write_corpora(tmp_path, texts={"wikinews": text, "gsd_train": text}, n_sentences=5)
    found = {source: [] for source in TEXTS}
    for d in read_texts(corpora):
        found[d.source].append([p["text"] for p in d.paragraphs])
    assert found["wikinews"] == [["一行目。", "二行目。"], ["三行目。"], ["四行目。"]]
    # Of GSD, whose sentences come from everywhere, each line is one.
    assert found["gsd_train"] == [["一行目。"], ["二行目。"], ["三行目。"], ["四行目。"]]


def test_articles_of_jaquad_have_their_titles(tmp_path):
    corpora = toy_corpora.write_corpora(tmp_path, n_sentences=10)
    assert [d.title for d in read_texts(corpora) if d.source == "jaquad_train_contexts"] == ["第0記事", "第1記事"]
    corpora = toy_corpora.write_corpora(tmp_path, texts={"jaquad_train_contexts": "一つ。\n\n二つ。"}, n_sentences=10)
    with pytest.raises(ValueError, match="jaquad_train_contexts has 2 documents, but titles.tsv.xz has 1 for it"):
        list(read_texts(corpora))


def test_neighbouring_paragraphs_of_an_article_are_a_document_with_their_links(tmp_path):
    lines = [
        {"article": "中東", "text": "首都はカイロ。", "links": [{"span": [3, 6], "title": "カイロ"}]},
        {"article": "中東", "text": "西はリビア。", "links": []},
        {"article": "紅海", "text": "海。", "links": []},
    ]
    corpora = toy_corpora.write_corpora(tmp_path, linked={LINKED[0]: lines, LINKED[1]: []}, n_sentences=5)
    first, second = read_linked(corpora)
    assert (first.title, second.title) == ("中東", "紅海")
    assert first.paragraphs == [{"text": "首都はカイロ。", "links": [[3, 6]]}, {"text": "西はリビア。", "links": []}]


def test_the_file_that_the_stage_writes(stockmark, tmp_path, run_stage, capsys):
    path, parts = stockmark
    wac = [
        {"id": f"wiki{int(parts['test'].page):08}-00-00", "text": "残らない文。", "entities": []},
        {"id": "wiki00000007-00-00", "text": "残る文。", "entities": []},
        {"id": "wiki00000007-00-01", "text": "次の文。", "entities": []},
    ]
    texts = {"gsd_train": f"残る段落。\n\n前{parts['dev'].text}", "aozora_expository": "\n".join("0123456789" * 4)}
    corpora = toy_corpora.write_corpora(tmp_path / "data", texts=texts, wac=wac, n_sentences=5)
    run_stage("texts", corpora, path, tmp_path / "work" / "documents.jsonl", "--md5", "")
    documents = [json.loads(line) for line in (tmp_path / "work" / "documents.jsonl").open(encoding="utf8")]
    by_source = {}
    for d in documents:
        by_source.setdefault(d["source"], []).append([p["text"] for p in d["paragraphs"]])
    assert by_source["gsd_train"] == [["残る段落。"]]
    assert by_source["wac_train"] == [["残る文。次の文。"]]
    assert by_source["aozora_expository"] == [["0", "0"]]
    assert any(p["links"] for d in documents for p in d["paragraphs"] if d["source"] in LINKED)
    assert "gsd_train                16 characters in common" in capsys.readouterr().out


def test_soft_labels_know_every_source():
    assert set(soft_labels.SHARES) == {*TEXTS, *LINKED, "wac_train"}
