"""Files of questions as SQuAD, JaQuAD and JSQuAD have them: where answers stand, and what is wrong with which question."""

import gzip
import json
import lzma
import unicodedata

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import DocBin
from spacy.vocab import Vocab

from spacy_luke_ja import get_gold_answers, make_qa_example, set_gold_answers
from spacy_luke_ja.corpora.examples import make_asked_length, make_lean_doc
from spacy_luke_ja.corpora.qa import create_squad_corpus, put_title_on_line, read_squad
from spacy_luke_ja.qa_data import get_questions
from spacy_luke_ja.text.width_search import clusters, find_in_any_width

nlp = spacy.blank("ja")
TEXT = "梅雨は北海道にない。梅雨は五月に来る。"


def ask(question="何がない", answers=(("梅雨", 0),), **more):
    stated = [{"text": text, "answer_start": start} for text, start in answers]
    return {"id": "q1", "question": question, "answers": stated, **more}


def write(path, *questions, context=TEXT, title="梅雨"):
    """A file of one paragraph, compressed as its name says."""
    file = {"version": "1.1", "data": [{"title": title, "paragraphs": [{"context": context, "qas": questions}]}]}
    content = json.dumps(file, ensure_ascii=False).encode()
    compress = {".xz": lzma.compress, ".gz": gzip.compress}.get(path.suffix, bytes)
    path.write_bytes(compress(content))
    return path


def answers_of(path, **settings):
    (paragraph,) = read_squad(path, **settings)
    return [[paragraph.text[start:end] for start, end in question.answers] for question in paragraph.questions]


@pytest.mark.parametrize("ending", [".json", ".json.gz", ".json.xz"])
def test_questions_of_a_paragraph(tmp_path, ending):
    first = ask("どこにない", [("北海道", 3)])
    more = ask(
        "いつ来る", [("五月", 13), ("五月に", 13), ("五月", 13)], id="q2", is_impossible=False, question_type="x"
    )
    none = ask("なぜ来る", [], id="q3", is_impossible=True, plausible_answers=[{"text": "五月", "answer_start": 13}])
    (paragraph,) = read_squad(write(tmp_path / f"data{ending}", first, more, none))
    assert paragraph.text == TEXT
    assert [(q.id, q.text, q.answers) for q in paragraph.questions] == [
        ("q1", "どこにない", ((3, 6),)),
        ("q2", "いつ来る", ((13, 15), (13, 16))),
        ("q3", "なぜ来る", ()),
    ]


def test_a_file_as_windows_writes_it(tmp_path):
    path = write(tmp_path / "data.json", ask())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert answers_of(path) == [["梅雨"]]


def test_one_id_twice_and_one_question_twice(tmp_path):
    path = write(tmp_path / "data.json", ask(), ask(answers=[("五月", 13)]), ask(id=7))
    (paragraph,) = read_squad(path)
    assert [(q.id, q.answers) for q in paragraph.questions] == [
        ("q1", ((0, 2),)),
        ("q1", ((13, 15),)),
        ("7", ((0, 2),)),
    ]


# Titles


@pytest.mark.parametrize(
    "answer, answer_start, read",
    [
        ("梅雨", 0, (0, 2)),  # in the title
        ("梅雨", 9, (3, 5)),
        ("北海道", 12, (6, 9)),
        ("雨 [SEP] 梅", 1, (1, 4)),  # across: "雨\n梅"
        ("雨 [SE", 1, (1, 2)),
        ("SEP] 梅雨", 4, (3, 5)),
    ],
)
@pytest.mark.filterwarnings("ignore:.*began or ended with a blank character")
def test_a_title_stands_on_a_line_of_its_own(tmp_path, answer, answer_start, read):
    context = f"梅雨 [SEP] {TEXT}"
    assert context.startswith(answer, answer_start)
    path = write(tmp_path / "data.json", ask(answers=[(answer, answer_start)]), context=context)
    (paragraph,) = read_squad(path)
    assert paragraph.text == f"梅雨\n{TEXT}"
    assert paragraph.questions[0].answers == (read,)


@pytest.mark.parametrize(
    "title, context",
    [
        ("梅雨", "梅雨前線 [SEP] 北にある"),
        ("BERT", "文と文の間に [SEP] が入る"),
        ("", " [SEP] が入る"),
        (None, "梅雨 [SEP] 北にある"),
        ("梅雨", "梅雨[SEP]北にある"),
    ],
)
def test_what_is_no_title_stays(tmp_path, title, context):
    path = write(tmp_path / "data.json", ask(answers=[("[SEP]", context.index("["))]), context=context, title=title)
    (paragraph,) = read_squad(path)
    assert paragraph.text == context and answers_of(path) == [["[SEP]"]]


def test_another_separator_and_none(tmp_path):
    path = write(tmp_path / "data.json", ask(answers=[("東", 5)]), context="梅雨 | 東に")
    assert [p.text for p in read_squad(path)] == ["梅雨 | 東に"]
    assert [p.text for p in read_squad(path, title_separator="|")] == ["梅雨\n東に"]
    path = write(tmp_path / "data.json", ask(answers=[("東", 9)]), context="梅雨 [SEP] 東に")
    assert [p.text for p in read_squad(path, title_separator="")] == ["梅雨 [SEP] 東に"]
    assert answers_of(path) == answers_of(path, title_separator="") == [["東"]]


@given(title=st.text(alphabet="梅雨 [", min_size=1, max_size=4), rest=st.text(alphabet="梅雨\n [", max_size=4))
def test_every_character_but_the_separator_is_found_again(title, rest):
    context = f"{title} [SEP] {rest}"
    text, move = put_title_on_line(context, title, "[SEP]")
    assert text == f"{title}\n{rest}" and move(len(context)) == len(text)
    for i, char in enumerate(context):
        assert len(title) <= i < len(title) + len(" [SEP] ") or text[move(i)] == char


# Answers that do not stand where the file says


@pytest.mark.parametrize(
    "answer, answer_start, read",
    [
        ("北海道", 0, (3, 6)),
        ("北海道", -1, (3, 6)),
        ("北海道", 10**9, (3, 6)),
        (" 北海道\n", 3, (3, 6)),
        ("五月に来る。\n", 13, (13, 19)),
    ],
)
def test_an_answer_that_stands_at_one_other_place_is_mended(tmp_path, answer, answer_start, read):
    path = write(tmp_path / "data.json", ask(answers=[(answer, answer_start)]), ask(id="q2"))
    with pytest.warns(UserWarning, match=r"data.json: 1 answers do not stand at their answer_start .* \(q1\)$"):
        (paragraph,) = read_squad(path)
    assert paragraph.questions[0].answers == (read,) and paragraph.questions[0].n_mended == 1


@pytest.mark.parametrize(
    "context, answer, answer_start, there",
    [
        (TEXT, "梅雨", 3, "北海"),  # two other places
        (TEXT, "沖縄", 3, "北海"),
        (TEXT, "梅雨", -2, "梅雨"),
        ("あああい", "ああ", 2, "あい"),  # two places that overlap
        # The same to a reader, in another width or form, at two places; and a part of a character.
        ("ＮＨＫとＮＨＫ", "NHK", 1, "ＨＫと"),
        ("㈱東京", "株", 0, "㈱"),
    ],
)
def test_an_answer_that_cannot_be_mended(tmp_path, context, answer, answer_start, there):
    path = write(tmp_path / "data.json", ask(answers=[(answer, answer_start)]), context=context)
    said = f"data.json, question q1: the answer '{answer}' does not stand at {answer_start}, where '{there}' stands"
    with pytest.raises(ValueError, match=f'{said}.*; with "skip" for on_bad_record'):
        list(read_squad(path))


@pytest.mark.parametrize(
    "context, answer, answer_start, read",
    [
        ("カ\u3099イドの本", "ガイド", 0, "カ\u3099イド"),
        ("ガイドの本", "カ\u3099イド", 0, "ガイド"),
        ("これはＮＨＫの本", "NHK", 3, "ＮＨＫ"),
        ("これはＮＨＫの本", "NHK", 0, "ＮＨＫ"),
        ("ﾄﾞｰﾑの本", "ドーム", 0, "ﾄﾞｰﾑ"),
        ("ＮＨＫとＮＨＫとNHK", "NHK", 4, "ＮＨＫ"),  # the one that stands where the file says
        ("㈱東京の本", "(株)東京", 0, "㈱東京"),
        ("約１２㌔の", "12キロ", 1, "１２㌔"),
        ("梅雨 [SEP] ＮＨＫの本", "NHK", 9, "ＮＨＫ"),
    ],
)
def test_an_answer_of_another_width_is_mended_and_counted(tmp_path, context, answer, answer_start, read):
    path = write(tmp_path / "data.json", ask(answers=[(answer, answer_start)]), context=context)
    with pytest.warns(UserWarning, match=r"data.json: 1 answers are written in another width or form .*\(q1\)$"):
        assert answers_of(path) == [[read]]


@given(st.text(alphabet="ＮＨK カガハﾊﾞﾊﾟ゙\u3099\u309aー㈱株(ﬁé1①", max_size=12), st.data())
def test_every_place_of_a_text_is_found_in_another_width(text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    wanted = unicodedata.normalize("NFKC", text[start:end])
    places = find_in_any_width(text, wanted)
    assert all(unicodedata.normalize("NFKC", text[a:b]) == wanted and a < b for a, b in places)
    edges = {edge for cluster in clusters(text) for edge in cluster}
    if wanted and {start, end} <= edges:
        assert (start, end) in places


@pytest.mark.parametrize("text", ["カ\u3099イドとガイド", "ＮＨＫとNHK", "ﾄﾞｰﾑとドーム"])
def test_answers_keep_their_width_and_marks(tmp_path, text):
    first, second = text.split("と")
    answers = [(first, 0), (second, text.index("と") + 1)]
    assert answers_of(write(tmp_path / "data.json", ask(answers=answers), context=text)) == [[first, second]]


def test_a_question_stays_while_one_of_its_answers_does(tmp_path):
    path = write(tmp_path / "data.json", ask(answers=[("沖縄", 0), ("北海道", 3), ("", 0)]))
    with pytest.warns(UserWarning, match=r"2 answers stand neither at their answer_start nor .* left out \(q1\)$"):
        assert answers_of(path) == [["北海道"]]


def test_blank_characters_at_the_edges_of_answers_are_left_out_and_counted(tmp_path):
    path = write(tmp_path / "data.json", ask(answers=[("\u3000北海道 ", 0)]), context="\u3000北海道 に")
    with pytest.warns(UserWarning, match=r"1 answers began or ended with a blank character.* \(q1\)$"):
        assert answers_of(path) == [["北海道"]]


# Questions that cannot be read


@pytest.mark.parametrize(
    "question, said",
    [
        (ask(""), "question q1: \"question\" must be a string that is not blank, got ''"),
        (ask("\u200b"), 'question q1: "question" must be a string that is not blank'),
        (ask("\u3000"), 'question q1: "question" must be a string that is not blank'),
        (ask(None), 'question q1: "question" must be a string that is not blank, got None'),
        (ask("\ud83d"), "question q1: .question. has a lone surrogate"),
        (ask(answers=[("", 0)]), "question q1: there is no answer in .answers., .*'text': ''.*, and"),
        (ask(answers=[], is_impossible=False), "question q1: there is no answer"),
        (ask(is_impossible=True), "question q1: .is_impossible. is true, and yet there is the answer '梅雨'"),
        (ask(is_impossible="no"), "question q1: .is_impossible. must be true or false, got 'no'"),
        (
            ask(answers=[("梅雨", "0")]),
            "question q1: an answer must be an object with .text. and .answer_start., a whole",
        ),
        (ask(answers=[("梅雨", True)]), "question q1: an answer must be .* got {'text': '梅雨', 'answer_start': True}"),
        (ask(answers=[(None, 0)]), "question q1: an answer must be an object"),
        ({**ask(), "answers": {"text": ["梅雨"]}}, "question q1: .answers. must be a list, or .* got {'text':"),
        ({**ask(), "answers": {"text": ["梅雨"], "answer_start": []}}, "question q1: .answers. must .* of one length"),
        ({**ask(), "answers": {"text": [5], "answer_start": [0]}}, "question q1: an answer must be an object"),
        ({**ask(), "answers": None}, "question q1: .answers. must be a list, got None"),
        ({**ask(), "answers": ["梅雨"]}, "question q1: an answer must be an object .* got '梅雨'"),
        ({"id": "q1", "question": "何"}, "question q1: an object with .answers. is needed, got {'id': 'q1'"),
        ({"question": "", "answers": []}, "question number 2: .question. must be a string"),
        ("何", "question number 2: an object with .question. is needed, got '何'"),
    ],
)
def test_a_bad_question_is_named_or_skipped(tmp_path, question, said):
    path = tmp_path / "data.json"
    content = {"data": [{"paragraphs": [{"context": TEXT, "qas": [ask(id="a"), question, ask(id="b")]}]}]}
    path.write_text(json.dumps(content), encoding="utf8")
    with pytest.raises(ValueError, match=f'data.json, {said}.*with "skip" for on_bad_record'):
        list(read_squad(path))
    name, _, reason = said.removeprefix("question ").partition(": ")
    with pytest.warns(UserWarning, match=f"1 of 3 questions were left out .{name}.; of the first, {reason}"):
        (paragraph,) = read_squad(path, on_bad_record="skip")
    assert [question.id for question in paragraph.questions] == ["a", "b"]


@pytest.mark.parametrize("context, said", [(" ", "must be a string that is not blank"), ("\ud83d", "a lone surrogate")])
def test_a_context_that_cannot_be_read(tmp_path, context, said):
    path = tmp_path / "data.json"
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": context, "qas": [ask()]}]}]}), encoding="utf8")
    with pytest.raises(ValueError, match=f'question q1: "context" .*{said}'):
        list(read_squad(path))


def test_what_is_left_out_and_mended_is_said_once(tmp_path):
    bad = [ask(answers=[("沖縄", 0)], id=f"bad{i}") for i in range(7)]
    path = write(tmp_path / "data.json", *bad, ask(), ask(answers=[("北海道", 0)], id="q2"))
    with pytest.warns(UserWarning) as warned:
        (paragraph,) = read_squad(path, on_bad_record="skip")
    assert len(paragraph.questions) == 2
    (message,) = [str(warning.message) for warning in warned]
    assert (
        "data.json: 7 of 9 questions were left out (bad0, bad1, bad2, bad3, bad4, …); of the first, the answer"
        in message
    )
    first, *others = message.split("\n")
    assert first.endswith(
        "1 answers do not stand at their answer_start and were mended: each stands at one other place (q2)"
    )
    assert [line.split(":")[0] for line in others] == [f"    question bad{i}" for i in range(1, 7)]


def test_a_paragraph_of_which_nothing_is_left(tmp_path):
    path = write(tmp_path / "data.json", ask(""))
    with pytest.warns(UserWarning, match="1 of 1 questions were left out"):
        assert list(read_squad(path, on_bad_record="skip")) == []


@pytest.mark.parametrize(
    "content, said",
    [
        (b"{", "data.json is not JSON in UTF-8"),
        (b'{"data": "\xff"}', "data.json is not JSON in UTF-8"),
        (b"[" * 100_000, "data.json is not JSON in UTF-8"),
        (b"[]", 'data.json: an object with "data", a list, is needed, got ..'),
        (b'{"data": {}}', 'data.json: an object with "data", a list, is needed'),
        (b'{"data": [{"title": "a"}]}', 'data.json, article 1: an object with "paragraphs", a list, is needed'),
        (b'{"data": [{"paragraphs": [{"qas": []}]}]}', 'article 1, paragraph 1: an object with "context", a str, is'),
        (b'{"data": [{"paragraphs": [{"context": ""}]}]}', 'article 1, paragraph 1: an object with "qas", a list, is'),
    ],
)
def test_a_file_of_another_kind(tmp_path, content, said):
    path = tmp_path / "data.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=said):
        list(read_squad(path, on_bad_record="skip"))


@pytest.mark.parametrize("ending", [".json.gz", ".json.xz"])
def test_a_damaged_file(tmp_path, ending):
    whole = write(tmp_path / f"whole{ending}", ask()).read_bytes()
    for content in (whole[: len(whole) // 2], whole[:-4], whole[:20] + b"\xff\xff\xff" + whole[23:]):
        path = tmp_path / f"data{ending}"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"data{ending} is packed with (gzip|xz), and damaged"):
            list(read_squad(path))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ValueError, match="name must end in .json, .jsonl, each also with .gz, .* got .csv"):
        list(read_squad(tmp_path / "data.csv"))
    with pytest.raises(OSError, match="there is no file .*data.json"):
        list(read_squad(tmp_path / "data.json"))
    with pytest.raises(ValueError, match="on_bad_record must be one of raise, skip, got ignore"):
        create_squad_corpus(tmp_path / "data.json", on_bad_record="ignore")
    with pytest.raises(ValueError, match="path must name a file of questions .* got null"):
        create_squad_corpus(None)
    with pytest.raises(ValueError, match="max_questions must be .*, or 0 for all, got -1"):
        create_squad_corpus(tmp_path / "data.json", max_questions=-1)


# A row for each question

ROWS = [
    {
        "id": "a",
        "title": "梅雨",
        "context": TEXT,
        "question": "どこ",
        "answers": {"text": ["北海道"], "answer_start": [3]},
    },
    {"id": None, "title": "梅雨", "context": TEXT, "question": "なぜ", "answers": {"text": [], "answer_start": []}},
    {"context": "東京へ", "question": "どこ", "answers": {"text": ["東京", "東"], "answer_start": [0, 0]}},
    {"context": "東京へ", "question": "いつ", "answers": []},
    {"id": 5, "context": TEXT, "question": "何", "answers": [{"text": "梅雨", "answer_start": 0}]},
]
READ = [
    (TEXT, [("a", "どこ", ["北海道"]), ("2", "なぜ", [])]),
    ("東京へ", [("3", "どこ", ["東京", "東"]), ("4", "いつ", [])]),
    (TEXT, [("5", "何", ["梅雨"])]),
]
LINES = "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS) + "\n"


@pytest.mark.parametrize("name, content", [
    ("data.jsonl", LINES), ("data.json", LINES), ("data.jsonl.gz", LINES), ("data.jsonl.xz", LINES),
    ("data.jsonl", "\ufeff" + LINES.replace("\n", "\r\n\r\n")),
    ("data.json", json.dumps(ROWS)), ("data.json", json.dumps({"version": "x", "data": ROWS}, indent=1)),
    ("data.jsonl", json.dumps(ROWS, indent=1)),
])  # fmt: skip
def test_a_row_for_each_question(tmp_path, name, content):
    compress = {".xz": lzma.compress, ".gz": gzip.compress}.get(name[-3:], bytes)
    (tmp_path / name).write_bytes(compress(content.encode()))
    read = [
        (p.text, [(q.id, q.text, [p.text[start:end] for start, end in q.answers]) for q in p.questions])
        for p in read_squad(tmp_path / name)
    ]
    assert read == READ


def test_a_single_row(tmp_path):
    (tmp_path / "data.jsonl").write_text(json.dumps(ROWS[0]), encoding="utf8")
    assert answers_of(tmp_path / "data.jsonl") == [["北海道"]]


@pytest.mark.parametrize("row, said", [
    ({**ROWS[0], "context": None}, 'question a: "context" must be a string that is not blank'),
    ({"id": "a", "question": "何", "answers": []}, 'question a: "context" must be a string that is not blank'),
    (5, 'question number 2: an object with "question" is needed, got 5'),
])  # fmt: skip
def test_a_bad_row_is_named_or_skipped(tmp_path, row, said):
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(map(json.dumps, [ROWS[4], row, ROWS[4]])), encoding="utf8")
    with pytest.raises(ValueError, match=said):
        list(read_squad(path))
    with pytest.warns(UserWarning, match="1 of 3 questions were left out"):
        assert sum(len(p.questions) for p in read_squad(path, on_bad_record="skip")) == 2


def test_a_line_that_is_no_json(tmp_path):
    (tmp_path / "data.jsonl").write_text(json.dumps(ROWS[0]) + "\n{\n", encoding="utf8")
    with pytest.raises(ValueError, match="data.jsonl, line 2 is not JSON in UTF-8"):
        list(read_squad(tmp_path / "data.jsonl"))


@pytest.mark.parametrize("more", [{}, {"is_impossible": None}, {"is_impossible": True}])
def test_no_answers_without_a_word_of_it_are_none(tmp_path, more):
    assert answers_of(write(tmp_path / "data.json", ask(answers=[], **more), ask("どこ", [("北海道", 3)]))) == [
        [],
        ["北海道"],
    ]


# Examples


def gold_texts(example):
    """Question by question, the texts of the right answers."""
    gold = get_gold_answers(example.reference)
    return [(own.question, [example.text[a.char_start : a.char_end] for a in own.answers]) for own in gold]


def test_an_example_for_each_paragraph(tmp_path):
    questions = ask("どこにない", [("北海道", 9 + 3)]), ask("何がない"), ask("なぜ", [], is_impossible=True)
    path = write(tmp_path / "data.json", *questions, context=f"梅雨 [SEP] {TEXT}")
    (example,) = create_squad_corpus(path)(nlp)
    assert example.predicted.text == example.reference.text == f"梅雨\n{TEXT}"
    assert get_questions(example.predicted) == get_questions(example.reference) == ("どこにない", "何がない", "なぜ")
    assert gold_texts(example) == [("どこにない", ["北海道"]), ("何がない", ["梅雨"]), ("なぜ", [])]
    assert get_gold_answers(example.predicted) == []


def test_a_question_that_is_asked_twice_of_a_paragraph_is_learned_twice(tmp_path):
    path = write(tmp_path / "data.json", ask(), ask("どこ", [("北海道", 3)]), ask(answers=[("五月", 13)]))
    (example,) = create_squad_corpus(path)(nlp)
    assert gold_texts(example) == [("何がない", ["梅雨"]), ("どこ", ["北海道"]), ("何がない", ["五月"])]
    assert get_questions(example.predicted) == ("何がない", "どこ")


def test_docs_are_lean(tmp_path):
    """Few tokens, none of the tokenizer's user_data, and no text among the strings that a pipeline saves."""
    context = TEXT * 50
    path = write(tmp_path / "data.json", *(ask(f"何{i}") for i in range(9)), context=context)
    nlp = spacy.blank("ja")
    n_strings = len(nlp.vocab.strings)
    (example,) = create_squad_corpus(path)(nlp)
    for doc in (example.predicted, example.reference):
        assert doc.text == context and len(doc) <= len(context) / 16
        assert "sub_tokens" not in doc.user_data
    assert len(nlp.vocab.strings) == n_strings


@pytest.mark.parametrize("text", ["", " ", "あ", "あ い\n", "\n\u3000あ", "あ😀" * 40, "か\u3099" * 99])
def test_lean_docs_have_every_character(text):
    assert make_lean_doc(Vocab(), text).text == text


def test_batches_count_a_text_for_each_question(tmp_path):
    path = write(tmp_path / "data.json", ask("何"), ask("どこ"), ask("なぜ", [], is_impossible=True))
    (example,) = create_squad_corpus(path)(nlp)
    assert make_asked_length()(example) == 3 * len(TEXT) + 5


@pytest.mark.parametrize("max_questions, n", [(0, 4), (1, 1), (2, 2), (3, 3), (9, 4)])
def test_the_first_questions_only(tmp_path, max_questions, n):
    paragraphs = [{"context": TEXT, "qas": [ask(f"何{i}") for i in own]} for own in ([0, 1], [2, 3])]
    path = tmp_path / "data.json"
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf8")
    examples = list(create_squad_corpus(path, max_questions=max_questions)(nlp))
    assert [q for example in examples for q in get_questions(example.predicted)] == [f"何{i}" for i in range(n)]
    assert all(get_questions(example.predicted) for example in examples)


def test_a_bad_question_behind_the_last_that_is_taken_is_still_named(tmp_path):
    path = write(tmp_path / "data.json", ask(), ask(""))
    with pytest.raises(ValueError, match="question q1: .question. must be"):
        list(create_squad_corpus(path, max_questions=1)(nlp))
    with pytest.warns(UserWarning, match="1 of 2 questions were left out"):
        assert len(list(create_squad_corpus(path, on_bad_record="skip", max_questions=1)(nlp))) == 1


def test_an_example_is_made_of_copies():
    doc = nlp.make_doc(TEXT)
    first, second = make_qa_example(doc, "何", [(0, 2)]), make_qa_example(doc, "どこ", [(3, 6)])
    assert get_questions(doc) == () and get_questions(first.predicted) == ("何",)
    assert [gold.question for gold in get_gold_answers(second.reference)] == ["どこ"]
    with pytest.raises(ValueError, match="answer 3–99 is not within"):
        make_qa_example(doc, "何", [(3, 99)])


def test_docs_with_gold_answers(tmp_path):
    nlp = spacy.blank("ja")
    docs = [nlp.make_doc("山田は東京へ行った。"), nlp.make_doc("何もない。")]
    set_gold_answers(docs[0], "どこへ？", [(3, 5)])
    set_gold_answers(docs[0], "いつ？", [])
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "gold.spacy")
    examples = list(create_squad_corpus(tmp_path / "gold.spacy")(nlp))
    assert [gold_texts(example) for example in examples] == [[("どこへ？", ["東京"]), ("いつ？", [])]]
    assert get_questions(examples[0].predicted) == ("どこへ？", "いつ？")
    (first,) = create_squad_corpus(tmp_path / "gold.spacy", max_questions=1)(nlp)
    assert get_questions(first.predicted) == ("どこへ？",)
    DocBin(docs=docs).to_disk(tmp_path / "bare.spacy")
    with pytest.raises(ValueError, match="has no questions: call .*set_gold_answers"):
        list(create_squad_corpus(tmp_path / "bare.spacy")(nlp))
    (tmp_path / "bad.spacy").write_text("[]")
    with pytest.raises(ValueError, match="bad.spacy is damaged, or no DocBin"):
        list(create_squad_corpus(tmp_path / "bad.spacy")(nlp))
    with pytest.raises(OSError, match="there is no file"):
        list(create_squad_corpus(tmp_path / "none.spacy")(nlp))
