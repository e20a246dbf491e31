"""Line breaks: where entities end, what a checkpoint and a setting say of it, and that sentences are read one by one."""

import json
import shutil

import pytest
import spacy

from spacy_luke_ja.text.characters import LINE_BREAKS

TEXT = "山田\n花子は東京へ。"


def texts_of(nlp, text=TEXT):
    return [text[start:end] for start, end, *_ in nlp(text)._.luke_entities]


@pytest.fixture
def configured(checkpoints, tmp_path):
    """A checkpoint with more in its config.json: configured(line_break_cost=100)."""

    def write(**settings):
        path = tmp_path / "configured"
        shutil.copytree(checkpoints["luke"], path, dirs_exist_ok=True)
        config = json.loads((checkpoints["luke"] / "config.json").read_text())
        (path / "config.json").write_text(json.dumps({**config, **settings}))
        return str(path)

    return write


@pytest.mark.parametrize("line_break", [*LINE_BREAKS, "\r\n", "\n\n", "\n　\n"])
def test_a_high_cost_keeps_names_in_their_lines(make_nlp, line_break):
    text = f"東京{line_break}大阪"
    found = make_nlp(line_break_cost=100.0)(text)._.luke_entities
    assert [text[start:end] for start, end, *_ in found] == ["東京", "大阪"]


def test_the_checkpoints_own_and_the_setting_before_it(make_nlp, configured):
    costly = configured(line_break_cost=100)
    assert texts_of(make_nlp(costly)) == texts_of(make_nlp(line_break_cost=100.0))
    assert texts_of(make_nlp(costly, line_break_cost=0.0)) == texts_of(make_nlp())


def test_it_is_saved(make_nlp, configured, tmp_path):
    for name, nlp in (
        ("own", make_nlp(configured(line_break_cost=100))),
        ("setting", make_nlp(line_break_cost=100.0)),
    ):
        expected = texts_of(nlp)
        nlp.to_disk(tmp_path / name)
        assert texts_of(spacy.load(tmp_path / name)) == expected


@pytest.mark.parametrize(
    "settings, message",
    [
        (
            {"line_break_cost": -1},
            "line_break_cost in config.json of the checkpoint .* finite number, 0 or more, got -1",
        ),
        ({"line_break_id": -1}, "line_break_id in config.json of the checkpoint .* must be the id of .*, got -1"),
        ({"line_break_id": True}, "line_break_id .* got True"),
        ({"line_break_id": 10**6}, "line_break_id .* less than vocab_size .*, or null, got 1000000"),
        ({"window": 0}, "window in config.json of the checkpoint .* must be a number of subwords, at least 1, got 0"),
        ({"window": "all"}, "window in config.json of the checkpoint .* got all"),
        ({"longest_entity": 0}, "longest_entity in config.json .* must be a number of characters, at least 1, got 0"),
    ],
)
def test_what_a_checkpoint_cannot_say(make_nlp, configured, settings, message):
    with pytest.raises(ValueError, match=message):
        make_nlp(configured(**settings))(TEXT)


def test_an_entity_longer_than_the_checkpoints_limit_is_none(make_nlp, configured):
    text = "山田花子は東京へ。"
    assert texts_of(make_nlp(), text) == ["山田花子", "東京"]
    assert texts_of(make_nlp(configured(longest_entity=2)), text) == ["東京"]


def test_a_checkpoint_that_wants_line_breaks_marked(make_nlp, configured, tmp_path):
    """Its entities are on their characters, also when it was saved; what has one line is read as before."""
    marked = make_nlp(configured(line_break_id=2), line_break_cost=100.0)
    found = lambda nlp, text: [(text[start:end], label) for start, end, label, _ in nlp(text)._.luke_entities]
    for line_break in (*LINE_BREAKS, "\r\n", "\n\n", "\n　\n"):
        assert [name for name, _ in found(marked, f"東京{line_break}大阪")] == ["東京", "大阪"]
    assert found(marked, "山田花子は東京へ。") == found(make_nlp(), "山田花子は東京へ。")
    luke_ner = marked.get_pipe("luke_ner")
    assert luke_ner._shim.checkpoint.line_break_id == 2
    marked.to_disk(tmp_path / "saved")
    saved = spacy.load(tmp_path / "saved")
    assert saved.get_pipe("luke_ner").load() is None
    assert found(saved, "山田\n花子は東京へ。") == found(marked, "山田\n花子は東京へ。")


def windows_of(nlp):
    nlp.get_pipe("luke_ner").load()
    attrs = nlp.get_pipe("luke_ner").model.attrs
    return attrs["settings"], attrs["frame"]


@pytest.mark.parametrize("window, expected", [(None, 5), (3, 3)])
def test_the_window_is_the_settings_or_the_checkpoints(make_nlp, configured, window, expected):
    nlp = make_nlp(configured(window=5), model={"window": window})
    settings, frame = windows_of(nlp)
    assert (settings.window or frame.usual_window) == expected
    assert nlp("山田花子は東京へ。" * 20)._.luke_entities


def test_a_checkpoint_that_says_nothing_reads_126_subwords(make_nlp):
    """… or what its encoder takes, if that is less."""
    _, frame = windows_of(make_nlp())
    assert frame.usual_window == frame.max_window == 62


SENTENCES = ["山田花子は東京へ行った。", "日立製作所は大阪にある！", "「独伊の首相が訪日した。」"]


@pytest.mark.parametrize("separator", ["", "\n", " ", "\r\n\r\n"])
def test_a_text_of_sentences_is_read_as_they_are(make_nlp, separator):
    nlp = make_nlp(model={"window": 1, "precision": "float32"})
    expected = [text for sentence in SENTENCES for text in texts_of(nlp, sentence)]
    assert texts_of(nlp, separator.join(SENTENCES)) == expected
