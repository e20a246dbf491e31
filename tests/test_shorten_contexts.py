"""scripts/project/shorten_contexts.py: questions with the sentences around their answer."""

import importlib.util
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

SCRIPT = Path(__file__).parents[1] / "scripts" / "project" / "shorten_contexts.py"
spec = importlib.util.spec_from_file_location("shorten_contexts", SCRIPT)
shorten_contexts = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shorten_contexts)


@st.composite
def asked(draw):
    sentence = st.text(alphabet="東京a。！\n", min_size=1, max_size=90)
    context = "".join(draw(st.lists(sentence, min_size=1, max_size=12)))
    start = draw(st.integers(0, len(context) - 1))
    return context, start, draw(st.integers(start + 1, len(context)))


@given(asked(), st.integers(0, 99))
def test_whole_sentences_that_hold_the_answer(given, seed):
    context, answer_start, answer_end = given
    start, end = shorten_contexts.cut(context, answer_start, answer_end, random.Random(seed))
    assert 0 <= start <= answer_start < answer_end <= end <= len(context)
    assert start == 0 or context[start - 1] in "。！\n"
    assert end == len(context) or context[end - 1] in "。！\n"
    assert end - start >= min(shorten_contexts.SHORTEST, len(context))


@pytest.mark.parametrize("n_passes, whole, n_written", [(1, 0.0, 2), (3, 0.0, 6), (2, 1.0, 6)])
def test_the_script(tmp_path, n_passes, whole, n_written):
    context = "序文です。" * 60 + "東京は首都です。" + "結びです。" * 60
    qas = [
        {"id": "1", "question": "首都は", "answers": [{"text": "東京", "answer_start": 300}]},
        {"id": "2", "question": "総理は", "answers": []},
    ]
    data = {"data": [{"title": "都", "paragraphs": [{"context": context, "qas": qas}]}]}
    (tmp_path / "in.json").write_text(json.dumps(data), encoding="utf8")
    arguments = [
        str(tmp_path / "in.json"),
        str(tmp_path / "out.json"),
        "--passes",
        str(n_passes),
        "--whole",
        str(whole),
    ]
    shorten_contexts.main(arguments)
    (article,) = json.loads((tmp_path / "out.json").read_text(encoding="utf8"))["data"]
    written = [(paragraph["context"], own) for paragraph in article["paragraphs"] for own in paragraph["qas"]]
    assert len(written) == n_written
    for text, question in written:
        for answer in question["answers"]:
            assert text[answer["answer_start"] :].startswith("東京")
    assert sum(text == context for text, _ in written) == n_passes + (2 if whole else 0)
    with pytest.raises(FileExistsError):
        shorten_contexts.main(arguments)
