"""The pipeline ja_luke_qa_sm: spacy.load("ja_luke_qa_sm")."""

from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.util import get_model_meta

__version__ = get_model_meta(Path(__file__).parent)["version"]


def load(**overrides: Any) -> Language:
    from spacy_luke_ja.named_pipelines import load_named

    return load_named(Path(__file__).parent, **overrides)
