"""Settings as attributes: checked when assigned, in force at once, saved and loaded; and nothing half changed."""

import copy
import pickle
from dataclasses import replace

import pytest
import spacy
from spacy.lang.ja import Japanese
from spacy.training import Example
from thinc.api import Config

import spacy_luke_ja
from spacy_luke_ja import LukeNer, LukeQa

TEXT = "山田花子は東京都で日立製作所の社長に会い、訪日した独伊の首相と話した。"


@pytest.fixture
def qa(answerers):
    nlp = spacy_luke_ja.blank()
    return nlp.add_pipe("luke_qa", config={"model": {"name": str(answerers["luke"])}})


def found(nlp):
    doc = nlp(TEXT)
    return [(ent.text, ent.label_) for ent in doc.ents], [tuple(span) for span in doc._.luke_entities], dict(doc.spans)


# Setting, another value, one that cannot be, and what the error says.
NER = [
    ("threshold", 0.8, 7.5, "threshold must be between 0 and 1, got 7.5"),
    ("threshold", {"人名": 0.5}, {"人名": -1}, "threshold must be between 0 and 1, got -1"),
    ("threshold", 0, float("nan"), "threshold"),
    ("threshold", 1, True, "threshold"),
    ("threshold", 0.1, "0.5", "threshold"),
    ("threshold", 0.1, None, "threshold"),
    ("threshold", 0.1, [0.5], "threshold"),
    ("threshold", 0.1 + 0.2, 2, "threshold"),
    ("temperature", 2.5, 0.0, "temperature must be a finite number above 0, got 0.0"),
    ("temperature", None, float("inf"), "temperature"),
    ("cut_cost", 1.5, -1.0, "cut_cost must be a finite number, 0 or more"),
    ("cut_cost", None, "much", "cut_cost"),
    ("alignment_mode", "strict", "outside", "alignment_mode must be one of"),
    ("alignment_mode", "expand", ["strict"], "alignment_mode must be one of"),
    ("label_subwords", "first", "last", "label_subwords must be one of all, first, got last"),
    ("spans_key", "mine", "", "spans_key"),
    ("spans_key", None, 5, "spans_key"),
    ("scheme", "BIO", "BIOSE", "scheme must be one of"),
    ("label_map", {"人名": "PERSON", "地名": "GPE"}, {"人名": 5}, "label_map"),
    ("label_map", None, ["人名"], "label_map"),
    ("tags", None, "O", "tags"),
    ("window", 30, 0, "window must be at least 1, got 0"),
    ("window", None, 2.5, "window"),
    ("overlap", 8, -1, "overlap must be at least 0, got -1"),
    ("overlap", None, "8", "overlap"),
    ("max_batch_subwords", 100, 0, "max_batch_subwords must be at least 1, got 0"),
]  # fmt: skip
QA = [
    ("questions", ("誰？",), "誰？", "questions must be a list of strings"),
    ("questions", (), [""], "question"),
    ("questions", {"社長": "誰？"}, {"社長": ""}, "a question must be a string that is not empty"),
    ("questions", {"社長": "誰？", "所": "どこ？"}, {"": "誰？"}, "the label of a question must be"),
    ("alignment_mode", "split", "outside", "alignment_mode must be one of"),
    ("end_inclusive", False, "no", "end_inclusive must be true or false, got no"),
    ("max_answer_length", 5, 0, "max_answer_length must be at least 1, got 0"),
    ("top_n", 3, 1.5, "top_n must be at least 1, got 1.5"),
    ("null_threshold", 0.5, 1.01, "null_threshold must be between 0 and 1, got 1.01"),
    ("allow_overlap", True, "no", "allow_overlap must be true or false, got no"),
    ("spans_key", "mine", 0, "spans_key"),
    ("window", 20, 0, "window"),
    ("max_batch_subwords", 50, None, "max_batch_subwords"),
]


def assign_and_save(pipe, make_other, name, value, wrong, message, tmp_path):
    setattr(pipe, name, value)
    expected = pipe.name if name == "spans_key" and value is None else value
    assert getattr(pipe, name) == expected
    with pytest.raises(ValueError, match=message):
        setattr(pipe, name, wrong)
    assert getattr(pipe, name) == expected
    pipe.to_disk(tmp_path / "pipe")
    assert getattr(make_other().from_disk(tmp_path / "pipe"), name) == expected
    assert getattr(make_other().from_bytes(pipe.to_bytes()), name) == expected


@pytest.mark.filterwarnings("ignore:.*map to nothing")
@pytest.mark.parametrize("is_loaded", [True, False])
@pytest.mark.parametrize("name, value, wrong, message", NER)
def test_a_setting_of_luke_ner(make_nlp, tmp_path, is_loaded, name, value, wrong, message):
    nlp = make_nlp(model={"overlap": None})
    pipe = nlp.get_pipe("luke_ner")
    if is_loaded:
        pipe.load()
    make_other = lambda: make_nlp(model={"overlap": None}).get_pipe("luke_ner")
    assign_and_save(pipe, make_other, name, value, wrong, message, tmp_path)
    nlp.to_disk(tmp_path / "nlp")
    loaded = spacy.load(tmp_path / "nlp")
    assert getattr(loaded.get_pipe("luke_ner"), name) == getattr(pipe, name)
    assert loaded.config["components"]["luke_ner"] == nlp.config["components"]["luke_ner"]
    assert found(loaded)[:2] == found(nlp)[:2]


@pytest.mark.parametrize("name, value, wrong, message", QA)
def test_a_setting_of_luke_qa(answerers, tmp_path, qa, name, value, wrong, message):
    make = lambda: spacy_luke_ja.blank().add_pipe("luke_qa", config={"model": {"name": str(answerers["luke"])}})
    assign_and_save(qa, make, name, value, wrong, message, tmp_path)


def test_every_setting_is_checked():
    plain = {"ents_filter", "scorer", "model"}  # functions, which the config names
    for component in (LukeNer, LukeQa):
        names = set(Japanese.get_factory_meta(component.factory).default_config) - plain
        assert names | {"window", "overlap", "max_batch_subwords"} == set(component._settings())


def test_an_assigned_setting_is_in_force_at_once(make_nlp):
    nlp = make_nlp(split_mode="C")
    pipe = nlp.get_pipe("luke_ner")
    assert found(nlp) != ([], [], {})
    pipe.alignment_mode = "strict"
    assert found(nlp)[0] != found(make_nlp(split_mode="C"))[0]
    pipe.threshold = 1.0
    assert not found(nlp)[0]
    pipe.threshold, pipe.alignment_mode = 0.0, "split"
    with pytest.warns(UserWarning, match="map to nothing"):
        pipe.label_map = {"人名": "PERSON"}
    assert {label for _, label in found(nlp)[0]} == {"PERSON"} and pipe.labels == ("PERSON",)
    pipe.spans_key = "mine"
    assert list(found(nlp)[2]) == ["mine"]


def test_windows_change_while_in_use(make_nlp):
    nlp = make_nlp("random_luke", model={"overlap": 8, "precision": "float32"})
    pipe = nlp.get_pipe("luke_ner")
    long = TEXT * 5
    nlp(long)
    pipe.window = 20
    expected = make_nlp("random_luke", model={"overlap": 8, "window": 20, "precision": "float32"})(long)
    assert nlp(long)._.luke_entities == expected._.luke_entities
    for name, value, message in (
        ("window", 63, "window must be at most 62 for the checkpoint"),
        ("overlap", 62, "overlap must be between 0 and window - 1"),
    ):
        with pytest.raises(ValueError, match=message):
            setattr(pipe, name, value)
    assert (pipe.window, pipe.overlap) == (20, 8)
    assert nlp(long)._.luke_entities == expected._.luke_entities
    pipe.change_settings({"window": 8, "overlap": 2})
    assert (pipe.window, pipe.overlap) == (8, 2)


def test_a_setting_that_does_not_fit_the_loaded_labels(make_nlp):
    nlp = make_nlp()
    expected = found(nlp)[:2]
    pipe = nlp.get_pipe("luke_ner")
    for name, value, message in (
        ("threshold", {"魚": 0.5}, "threshold names 魚, but the labels are"),
        ("label_map", {"魚": "FISH"}, "none of the checkpoint's labels"),
        ("tags", ["O", "B-人名"], "tags must name the 17 outputs"),
        ("scheme", "BILOU", "BILOU"),
    ):
        with pytest.raises(ValueError, match=message):
            setattr(pipe, name, value)
        assert found(nlp)[:2] == expected


def test_a_setting_cannot_be_changed_from_inside(make_nlp, qa):
    """It would not be checked."""
    pipe = make_nlp(threshold={"人名": 0.5}).get_pipe("luke_ner")
    with pytest.raises(TypeError):
        pipe.threshold["人名"] = 7.5
    with pytest.raises(AttributeError):
        qa.questions.append("")


def test_numbers_of_numpy(make_nlp):
    import numpy as np

    pipe = make_nlp().get_pipe("luke_ner")
    pipe.temperature, pipe.threshold, pipe.window = np.float32(0.5), np.float64(0.25), np.int64(40)
    assert [type(value) for value in (pipe.temperature, pipe.threshold, pipe.window)] == [float, float, int]
    pipe.to_bytes()


def test_what_is_given_when_loading_goes_first(make_nlp, tmp_path):
    """Also when it is what the setting was before it was changed."""
    nlp = make_nlp()
    nlp.get_pipe("luke_ner").threshold = 0.8
    nlp.get_pipe("luke_ner").window = 30
    nlp.to_disk(tmp_path)
    assert spacy.load(tmp_path).get_pipe("luke_ner").threshold == 0.8
    for given in (0.5, 0.0, 0.8):
        loaded = spacy.load(tmp_path, config={"components": {"luke_ner": {"threshold": given}}})
        assert loaded.get_pipe("luke_ner").threshold == loaded.config["components"]["luke_ner"]["threshold"] == given
        assert loaded.get_pipe("luke_ner").window == 30
        loaded.to_disk(tmp_path / "again")
        assert spacy.load(tmp_path / "again").get_pipe("luke_ner").threshold == given
    plain = spacy.load(tmp_path, config={"components": {"luke_ner": {"model": {"window": None}}}})
    assert plain.get_pipe("luke_ner").window is None and plain.get_pipe("luke_ner").threshold == 0.8


def test_a_config_that_was_edited_goes_first(make_nlp, tmp_path):
    nlp = make_nlp()
    nlp.get_pipe("luke_ner").threshold = 0.8
    nlp.to_disk(tmp_path)
    config = Config().from_disk(tmp_path / "config.cfg", interpolate=False)
    for edited in (0.5, 0.0):
        config["components"]["luke_ner"]["threshold"] = edited
        config.to_disk(tmp_path / "config.cfg")
        assert spacy.load(tmp_path).get_pipe("luke_ner").threshold == edited


def test_a_pipeline_that_is_there_becomes_the_saved_one(make_nlp, tmp_path):
    nlp = make_nlp()
    nlp.get_pipe("luke_ner").threshold = 0.8
    nlp.to_disk(tmp_path)
    for loaded in (make_nlp().from_disk(tmp_path), make_nlp().from_bytes(nlp.to_bytes())):
        assert loaded.get_pipe("luke_ner").threshold == 0.8


def test_a_sourced_component_keeps_its_settings(make_nlp, tmp_path):
    first, second = make_nlp(), spacy_luke_ja.blank()
    first.get_pipe("luke_ner").threshold = 0.3
    second.add_pipe("luke_ner", source=first)
    second.get_pipe("luke_ner").threshold = 0.8
    second.to_disk(tmp_path)
    assert spacy.load(tmp_path).get_pipe("luke_ner").threshold == 0.8


def test_copies(make_nlp):
    nlp = make_nlp()
    pipe = nlp.get_pipe("luke_ner")
    pipe.threshold = 0.8
    expected = found(nlp)[1]
    for other in (copy.deepcopy(pipe), pickle.loads(pickle.dumps(pipe))):
        assert other.threshold == 0.8
        other.threshold = 0.0
        assert pipe.threshold == 0.8 and [tuple(s) for s in other.predict([nlp.make_doc(TEXT)])[0]] == expected


FISH = lambda nlp: [Example.from_dict(nlp.make_doc("鯛を食べた"), {"entities": [(0, 1, "魚")]})]


@pytest.mark.parametrize("is_loaded", [True, False])
@pytest.mark.parametrize(
    "settings, message",
    [
        ({"threshold": {"人名": 0.5}}, "threshold names 人名"),
        ({"model": {"window": 63}}, "window must be at most 62"),
        ({"model": {"overlap": 62}}, "overlap must be between"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*are given up")
def test_initialize_that_fails_changes_nothing(make_nlp, settings, message, is_loaded):
    nlp = make_nlp("luke", **(settings if "threshold" in settings or not is_loaded else {}))
    pipe = nlp.get_pipe("luke_ner")
    before = found(nlp)[:2] if is_loaded else None
    labels, cfg = pipe.labels, copy.deepcopy(pipe.cfg)
    if is_loaded and "model" in settings:  # as if the setting had come with a config
        pipe.model.attrs["settings"] = replace(pipe.model.attrs["settings"], **settings["model"])
    with pytest.raises(ValueError, match=message):
        pipe.initialize(lambda: FISH(nlp), nlp=nlp)
    pipe.model.attrs["settings"] = replace(pipe.model.attrs["settings"], window=None, overlap=16)
    assert pipe.labels == labels and pipe.cfg == cfg
    assert before in (None, found(nlp)[:2])
    pipe.threshold = 0.0
    pipe.initialize(lambda: FISH(nlp), nlp=nlp)
    assert pipe.labels == ("魚",)
    nlp(TEXT)


def test_a_load_that_fails_changes_nothing(make_nlp, tmp_path, checkpoints):
    nlp = make_nlp()
    expected = found(nlp)[:2]
    pipe = nlp.get_pipe("luke_ner")
    make_nlp("random_luke", label_map={"地名": "GPE"}).get_pipe("luke_ner").to_disk(tmp_path)
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(OSError, match="damaged"):
        pipe.from_disk(tmp_path)
    assert found(nlp)[:2] == expected


def test_labels_of_its_own_are_not_mapped(make_nlp):
    nlp = make_nlp("bare_luke")
    pipe = nlp.get_pipe("luke_ner")
    pipe.initialize(lambda: FISH(nlp), nlp=nlp)
    with pytest.raises(
        ValueError, match="label_map says how to read a checkpoint's labels, and this component has its"
    ):
        pipe.label_map = {"魚": "FISH"}
    assert pipe.labels == ("魚",) and pipe.label_map is None


def test_find_threshold(make_nlp, tmp_path):
    """spaCy's command tries every threshold, on a pipeline whose own was assigned too."""
    from spacy.cli.find_threshold import find_threshold
    from spacy.tokens import DocBin

    nlp = make_nlp()
    nlp.get_pipe("luke_ner").threshold = 1.0
    nlp.to_disk(tmp_path / "nlp")
    gold = make_nlp()(TEXT)
    DocBin(docs=[gold]).to_disk(tmp_path / "dev.spacy")
    _, _, scores = find_threshold(
        str(tmp_path / "nlp"), tmp_path / "dev.spacy", "luke_ner", "threshold", "char_ents_f", n_trials=3
    )
    assert list(scores.values()) == [1.0, 1.0, 0.0]
