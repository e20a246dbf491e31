"""The directory of a small package with meta.json and config.cfg in, the pipeline of its name for spacy.load out.

Such a package has no weights: its config names a checkpoint that comes with this one.
"""

from pathlib import Path
from typing import Any, Dict, Iterable, Union

from spacy.language import Language
from spacy.util import (
    SimpleFrozenDict,
    SimpleFrozenList,
    dict_to_dot,
    get_model_meta,
    load_config,
    load_model_from_config,
)
from spacy.vocab import Vocab


def load_named(
    directory: Path,
    *,
    vocab: Union[Vocab, bool] = True,
    disable: Union[str, Iterable[str]] = SimpleFrozenList(),
    enable: Union[str, Iterable[str]] = SimpleFrozenList(),
    exclude: Union[str, Iterable[str]] = SimpleFrozenList(),
    config: Dict[str, Any] = SimpleFrozenDict(),
) -> Language:
    """What the package's load calls; the settings are those of spacy.load."""
    return load_model_from_config(
        load_config(directory / "config.cfg", overrides=dict_to_dot(config, for_overrides=True)),
        meta=get_model_meta(directory),
        vocab=vocab,
        disable=disable,
        enable=enable,
        exclude=exclude,
    )
