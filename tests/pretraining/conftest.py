"""The stages of scripts/pretraining run on toy corpora, once a session."""

import importlib
import json
import sys
from unittest import mock

import pytest

import toy_corpora
import toys


def call(stage, *args):
    """Run a stage in this process as from the command line: call("texts", corpora, ner, output)."""
    module = importlib.import_module(f"scripts.pretraining.{stage}")
    with mock.patch.object(sys, "argv", [stage, *map(str, args)]):
        # In a process that lives on, the heap is left as it is.
        with mock.patch.object(module, "keep_heap", lambda: None, create=True):
            module.main()


@pytest.fixture(scope="session")
def run_stage():
    return call


@pytest.fixture(scope="session")
def ner_json(tmp_path_factory):
    path = tmp_path_factory.mktemp("stockmark") / "ner.json"
    path.write_text(json.dumps(toys.stockmark_items(80), ensure_ascii=False), encoding="utf8")
    return path


@pytest.fixture(scope="session")
def work(tmp_path_factory, ner_json):
    """What the stages before pretraining make of toy corpora; tests only read it."""
    corpora = toy_corpora.write_corpora(tmp_path_factory.mktemp("corpora"))
    path = tmp_path_factory.mktemp("work")
    call("texts", corpora, ner_json, path / "documents.jsonl", "--md5", "")
    call("vocabulary", path / "documents.jsonl", path, "--n-pieces", 200, "--width", 16, "--epochs", 1)
    call("targets", corpora, ner_json, path / "documents.jsonl", path, "--md5", "")
    call("start", path, path / "start", "--n-layers", 1)
    return path


@pytest.fixture(scope="session")
def teacher(work, ner_json, tmp_path_factory):
    """A classifier that has learned a little."""
    path = tmp_path_factory.mktemp("teacher")
    settings = ("--epochs", 40, "--decay", 0.9, "--learn-rate", 1e-3, "--n-subwords", 256, "--change-share", 0)
    call("finetune", work / "start", ner_json, path, "--md5", "", *settings)
    return path
