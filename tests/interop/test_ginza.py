"""luke_ner in a pipeline of GiNZA's: its phrases, clauses and parse are those of the pipeline without it."""

import subprocess
import sys

import pytest

spacy = pytest.importorskip("spacy")
ginza = pytest.importorskip("ginza", reason="needs ja_ginza, and so sudachipy < 0.7: make test-ginza")
pytest.importorskip("ja_ginza", reason="needs ja_ginza, and so sudachipy < 0.7: make test-ginza")

TEXTS = [
    "訪日した独伊の首相は、鹿児島空港前で山田花子に会ったと述べた。",
    "彼女は訪日、訪米のあと、大阪へ行った。東京都民は来なかった。",
    "京都大学前の国会議員",
    "山田花子さんの訪日を伊首相が待つ。",
    "独",
    "",
]
PLACES = {"東京": "B-地名", "日": "B-地名", "独": "B-地名", "伊": "B-地名", "京都": "B-地名", "国会": "B-政治的組織名"}


@pytest.fixture(scope="module")
def plain():
    return spacy.load("ja_ginza")


@pytest.fixture(scope="module")
def with_luke(checkpoints):
    nlp = spacy.load("ja_ginza")
    config = {"ents_filter": {"@misc": "spacy.prioritize_new_ents_filter.v1"}}
    nlp.add_pipe("luke_ner", config={"model": {"name": str(checkpoints["luke"]), "overlap": 16}, **config})
    return nlp


def places(spans):
    return [(span.start_char, span.end_char) for span in spans]


@pytest.mark.parametrize("text", TEXTS)
def test_phrases_clauses_and_parse(plain, with_luke, text):
    expected, doc = plain(text), with_luke(text)
    assert len(doc.tensor) == len(doc)
    assert places(ginza.bunsetu_spans(doc)) == places(ginza.bunsetu_spans(expected))
    assert places(ginza.bunsetu_phrase_spans(doc)) == places(ginza.bunsetu_phrase_spans(expected))
    clauses = [["".join(token.text for token in clause) for clause in ginza.clauses(own)] for own in (doc, expected)]
    assert clauses[0] == clauses[1]
    assert [sent.text for sent in doc.sents] == [sent.text for sent in expected.sents]
    ends = {token.idx + len(token): token for token in doc}
    for token in expected:
        last = ends[token.idx + len(token)]
        assert (last.head.idx + len(last.head), last.dep_) == (token.head.idx + len(token.head), token.dep_)
        assert ginza.clause_head(last).idx + len(ginza.clause_head(last)) == (
            ginza.clause_head(token).idx + len(ginza.clause_head(token))
        )
    for token in doc:
        ginza.sub_tokens("A", lambda unit: unit.surface)(token)
        ginza.bunsetu_bi_label(token), ginza.bunsetu_position_type(token), ginza.is_bunsetu_head(token)


def test_tokens_are_split_here(plain, with_luke):
    assert sum(len(with_luke(text)) for text in TEXTS) > sum(len(plain(text)) for text in TEXTS)


def test_a_stream_gives_what_texts_give_one_by_one(with_luke):
    for doc, text in zip(with_luke.pipe(TEXTS), TEXTS):
        own = with_luke(text)
        assert [(t.text, t.dep_, t.head.i) for t in doc] == [(t.text, t.dep_, t.head.i) for t in own]
        assert doc.user_data == own.user_data


def test_splitting_into_short_units_behind(plain, checkpoints):
    """compound_splitter reads the units of each token, of those that were split too."""
    nlp = spacy.load("ja_ginza")
    model = {"name": str(checkpoints["luke"]), "overlap": 16}
    nlp.add_pipe("luke_ner", before="compound_splitter", config={"model": model})
    ginza.set_split_mode(nlp, "A")
    for text in TEXTS:
        assert nlp(text).text == text


def test_the_ginza_command(with_luke, tmp_path):
    with_luke.to_disk(tmp_path / "both")
    (tmp_path / "texts.txt").write_text("\n".join(text for text in TEXTS if text), encoding="utf8")
    command = [sys.executable, "-m", "ginza.command_line", "-b", str(tmp_path / "both"), str(tmp_path / "texts.txt")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "\t訪\t" in done.stdout and "Traceback" not in done.stderr
