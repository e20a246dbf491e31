"""setup.cfg is the table of contents: every entry loads, and is found under its name."""

import configparser
import importlib
from pathlib import Path

import pytest
import spacy

ROOT = Path(__file__).parents[1]
setup = configparser.ConfigParser(delimiters=("=",))
setup.optionxform = str
setup.read(ROOT / "setup.cfg", encoding="utf8")
ENTRIES = [
    (group, name.strip(), target.strip())
    for group, lines in setup["options.entry_points"].items()
    for name, target in (line.split("=") for line in lines.strip().splitlines())
]
GROUPS = [
    "spacy_factories", "spacy_architectures", "spacy_readers", "spacy_scorers", "spacy_tokenizers", "spacy_misc",
    "spacy_displacy_colors", "spacy_cli", "spacy_augmenters", "thinc_optimizers",
]  # fmt: skip


def test_every_group_is_used():
    assert [group for group, _, _ in ENTRIES if group] and {group for group, _, _ in ENTRIES} == set(GROUPS)


@pytest.mark.parametrize("group, name, target", ENTRIES, ids=[name for _, name, _ in ENTRIES])
def test_an_entry_loads_and_is_installed(group, name, target):
    module, _, attribute = target.partition(":")
    loaded = getattr(importlib.import_module(module), attribute)
    registry = getattr(spacy.registry, group.partition("_")[2])
    assert registry.get(name) is loaded


def test_registered_names_are_versioned():
    for group, name, _ in ENTRIES:
        if group not in ("spacy_factories", "spacy_displacy_colors", "spacy_cli"):
            assert name.startswith("spacy-luke-ja.") and name.endswith(".v1")


def test_the_factory_is_known_with_its_scores_and_settings():
    nlp = spacy.blank("ja")
    meta = nlp.get_factory_meta("luke_ner")
    assert meta.default_score_weights["ents_f"] == 1.0
    assert "doc.ents" in meta.assigns
    assert meta.default_config["alignment_mode"] == "split"
