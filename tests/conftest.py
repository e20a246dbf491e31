"""The network is blocked in every test, and toy checkpoints are built once a session."""

import os
import socket
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, str(Path(__file__).parent))

import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

import toys  # noqa: E402

# These machines are slow and noisy: no deadline for an example, and the same examples in every run.
settings.register_profile(
    "suite", deadline=None, derandomize=True, max_examples=200, suppress_health_check=list(HealthCheck)
)
settings.load_profile("suite")


class NetworkBlocked(OSError):
    pass


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise NetworkBlocked("a test tried to reach the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """name → directory: luke and xlmr find the words of toys.LEXICON; random_luke computes something."""
    root = tmp_path_factory.mktemp("checkpoints")
    short = {"B-地名": "LOC", "I-地名": "LOC", "B-人名": "PER", "I-人名": "PER", "B-法人名": "ORG", "I-法人名": "ORG"}
    short["B-政治的組織名"] = "ORG-P"
    return {
        "luke": toys.write_luke(root / "luke", lexicon=toys.LEXICON),
        "random_luke": toys.write_luke(root / "random_luke"),
        "luke_bin": toys.write_luke(root / "luke_bin", weights="pytorch_model.bin"),
        "bare_luke": toys.write_luke(root / "bare_luke", task="MaskedLM", tags=["LABEL_0", "LABEL_1"]),
        "xlmr": toys.write_xlmr(root / "xlmr", lexicon={piece: short[tag] for piece, tag in toys.LEXICON.items()}),
        "fast_xlmr": toys.write_xlmr(root / "fast_xlmr", fast_only=True),
        "bert": toys.write_bert(root / "bert"),
        "roberta": toys.write_roberta(root / "roberta"),
        "deberta": toys.write_deberta(root / "deberta"),
        "slow_bert": toys.write_bert(root / "slow_bert", slow=True),
        "character_bert": toys.write_bert(root / "character_bert", slow=True, subwords="character"),
    }


@pytest.fixture(scope="session")
def answerers(checkpoints, tmp_path_factory):
    """name → directory, for question answering: luke finds the words of toys.ANSWERS; the others compute something."""
    root = tmp_path_factory.mktemp("answerers")
    outputs = ["LABEL_0", "LABEL_1"]
    luke = {"task": "QuestionAnswering", "tags": outputs}
    return {
        "luke": toys.write_luke(root / "luke", **luke, answers=toys.ANSWERS),
        "random_luke": toys.write_luke(root / "random_luke", **luke),
        **{
            name: toys.write_for_task(root / name, checkpoints[name], "QuestionAnswering")
            for name in ("xlmr", "fast_xlmr", "bert", "slow_bert", "roberta", "deberta")
        },
    }


@pytest.fixture
def hub_cache(checkpoints, tmp_path, monkeypatch):
    """The toy LUKE as someone/luke-ner in a Hugging Face cache, and no network; the value is its commit."""
    import shutil

    import huggingface_hub.constants

    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "cache" / "models--someone--luke-ner"
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "sentencepiece.bpe.model", "added_tokens.json"):
        shutil.copy(checkpoints["luke"] / name, snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return commit


@pytest.fixture
def make_nlp(checkpoints):
    """A pipeline with luke_ner on a toy checkpoint: make_nlp("luke", alignment_mode="strict")."""
    import spacy_luke_ja

    def make(checkpoint="luke", *, split_mode="A", model=None, **config):
        nlp = spacy_luke_ja.blank(split_mode=split_mode)
        settings = {"name": str(checkpoints.get(checkpoint, checkpoint)), "overlap": 16, **(model or {})}
        nlp.add_pipe("luke_ner", config={"model": settings, **config})
        return nlp

    return make
