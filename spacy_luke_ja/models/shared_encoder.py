"""Docs in, hidden states and the subwords of each token out: an encoder that spaCy's own heads share."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple, cast

import numpy as np
from spacy.tokens import Doc
from thinc.api import Model, chain
from thinc.types import Floats2d, Ragged

from ..text.subwords import Subwords
from ..text.windows import Window, check_window, group_by_length, plan_windows
from .hf_encoder import EncoderShim
from .transformer_batch import WindowedDoc, import_spacy_transformers, make_transformer_batch
from .with_windows import check_window_settings, join_windows

if TYPE_CHECKING:
    from spacy_transformers.data_classes import FullTransformerBatch

# A Doc's plan when it has tokens but no subword: one window of nothing but special subwords.
NO_SUBWORDS = [Window(0, 0, 0, 0)]


@dataclass(frozen=True)
class WindowSettings:
    """What SharedEncoder was asked for; as one object, which thinc does not save, it can be changed when loading."""

    window: Optional[int]
    overlap: int
    max_batch_subwords: int


def SharedEncoder(
    *,
    name: str,
    revision: Optional[str],
    window: Optional[int],
    overlap: int,
    max_batch_subwords: int,
    precision: str,
    training_precision: str,
    frozen_layers: int,
    freeze_embeddings: bool,
) -> Model[List[Doc], "FullTransformerBatch"]:
    """An encoder for the component `transformer` of spacy-transformers (spacy-luke-ja.SharedEncoder.v1).

    name: the checkpoint: ja_luke_sm or ja_luke_ner_sm (embedded), a local directory, or a name on the Hugging Face hub;
        its classifier, if it has one, is left out.
    revision, window, overlap, max_batch_subwords, precision, training_precision, frozen_layers, freeze_embeddings: as
        in spacy-luke-ja.HFTokenClassifier.v1.

    Each token is aligned to exactly the subwords that have one of its characters, each of them once, in the window
    that shows it the most context. Texts of any length are encoded whole. Nothing is read before the first use,
    initialize() or from_disk.
    """
    import_spacy_transformers()
    check_window_settings(window=window, overlap=overlap, max_batch_subwords=max_batch_subwords)
    shim = EncoderShim(
        name,
        revision=revision,
        window=window,
        precision=precision,
        training_precision=training_precision,
        frozen_layers=frozen_layers,
        freeze_embeddings=freeze_embeddings,
    )
    return Model(
        "shared_encoder",
        forward,
        init=init,
        shims=[shim],
        dims={"nO": None},
        attrs={
            "settings": WindowSettings(window, overlap, max_batch_subwords),
            "dropout_rate": None,
            "replace_listener": replace_listener,
            "replace_listener_cfg": replace_listener_cfg,
        },
    )


def Tok2VecSharedEncoder(
    *,
    name: str,
    revision: Optional[str],
    window: Optional[int],
    overlap: int,
    max_batch_subwords: int,
    precision: str,
    training_precision: str,
    frozen_layers: int,
    freeze_embeddings: bool,
    pooling: Model[Ragged, Floats2d],
    grad_factor: float,
) -> Model[List[Doc], List[Floats2d]]:
    """An encoder of its own for one head (spacy-luke-ja.Tok2VecSharedEncoder.v1): what nlp.replace_listeners leaves.

    pooling: a token's subwords → one vector.
    grad_factor: what the gradient is multiplied by on its way to the encoder.
    The others as in SharedEncoder.
    """
    import_spacy_transformers()
    from spacy_transformers.layers import trfs2arrays

    encoder = SharedEncoder(
        name=name,
        revision=revision,
        window=window,
        overlap=overlap,
        max_batch_subwords=max_batch_subwords,
        precision=precision,
        training_precision=training_precision,
        frozen_layers=frozen_layers,
        freeze_embeddings=freeze_embeddings,
    )
    return chain(replace_listener(encoder), trfs2arrays(pooling, grad_factor))


def replace_listener(model: Model) -> Model:
    """Make of a copy of the encoder what can stand in a listener's place."""
    from spacy_transformers.layers import split_trf_batch

    return chain(model, split_trf_batch())


def replace_listener_cfg(model_cfg: Dict[str, Any], listener_cfg: Dict[str, Any]) -> Dict[str, Any]:
    """The config of a head's tok2vec whose listener was replaced."""
    own = {key: listener_cfg[key] for key in ("pooling", "grad_factor")}
    return {**model_cfg, **own, "@architectures": "spacy-luke-ja.Tok2VecSharedEncoder.v1"}


def init(model: Model, X: Any = None, Y: Any = None) -> None:
    """Load the checkpoint, unless one was loaded already, as spacy-transformers' own model does."""
    open_model(model)


def open_model(model: Model) -> EncoderShim:
    shim = cast(EncoderShim, model.shims[0])
    shim.load_once()
    check_window(shim.max_window, model.attrs["settings"].overlap)
    model.set_dim("nO", shim.width)
    tokenizer = shim.tokenizer
    model.attrs.update(prefix_ids=tokenizer.prefix_ids, suffix_ids=tokenizer.suffix_ids, pad_id=tokenizer.pad_id)
    return shim


def forward(model: Model, docs: List[Doc], is_train: bool) -> Tuple["FullTransformerBatch", Callable]:
    shim = open_model(model)
    windowed = [window_doc(model, doc) for doc in docs]
    windows = [(w.subwords, window) for w in windowed for window in w.plan]
    if not windows:
        empty = import_spacy_transformers().data_classes.FullTransformerBatch.empty(len(docs))
        return empty, lambda d_output: docs
    hidden, backprop_hidden = run_encoder(model, windows, is_train)

    def backprop(d_output: "FullTransformerBatch") -> List[Doc]:
        backprop_hidden(d_output.model_output.to_tuple()[0].cpu().numpy())
        return docs

    return make_transformer_batch(windowed, join_windows(model, windows), hidden, shim.tokenizer), backprop


def window_doc(model: Model, doc: Doc) -> WindowedDoc:
    shim = cast(EncoderShim, model.shims[0])
    settings: WindowSettings = model.attrs["settings"]
    subwords = shim.tokenizer.encode(doc.text)
    window = settings.window or shim.usual_window
    plan = plan_windows(subwords, window=window, overlap=settings.overlap, limit=shim.max_window)
    # Heads need rows even for a Doc whose tokens have no subword at all.
    return WindowedDoc(doc, subwords, plan if plan or not len(doc) else NO_SUBWORDS)


def run_encoder(
    model: Model, windows: List[Tuple[Subwords, Window]], is_train: bool
) -> Tuple[np.ndarray, Callable[[np.ndarray], None]]:
    """Run windows of any number and length in batches of little padding.

    RETURNS: hidden states (n_windows, n_subwords, width), zero where there is padding, and a callback that takes
        their gradient.
    """
    shim = cast(EncoderShim, model.shims[0])
    n_special = len(model.attrs["prefix_ids"]) + len(model.attrs["suffix_ids"])
    lengths = [len(window) + n_special for _, window in windows]
    hidden = np.zeros((len(windows), max(lengths), shim.width), dtype="float32")
    backprops: List[Tuple[List[int], Callable]] = []
    for batch in group_by_length(lengths, max_subwords=model.attrs["settings"].max_batch_subwords):
        joined = join_windows(model, [windows[k] for k in batch])
        if is_train:
            rows, backprop = shim.train_step(joined, dropout_rate=model.attrs["dropout_rate"])
            backprops.append((batch, backprop))
        else:
            rows = shim.infer(joined)
        for k, own in zip(batch, np.split(rows, np.cumsum(joined.lengths)[:-1])):
            hidden[k, : lengths[k]] = own

    def backprop_batches(d_hidden: np.ndarray) -> None:
        for batch, backprop in backprops:
            backprop(np.concatenate([d_hidden[k, : lengths[k]] for k in batch]))

    return hidden, backprop_batches
