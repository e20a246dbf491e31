"""Docs in, hidden states and the subwords of each token out: an encoder that spaCy's own heads share."""

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Tuple, cast

import numpy as np
from spacy.tokens import Doc
from thinc.api import Model, chain
from thinc.types import Floats2d, Ragged

from ..text.windows import Window
from .devices import device_of
from .hf_classifier import run_shim
from .hf_encoder import EncoderShim
from .settings import ModelSettings, takes_settings
from .task import FramedWindow, plan_text
from .transformer_batch import WindowedDoc, import_spacy_transformers, make_transformer_batch
from .with_windows import join_windows, run_windows

if TYPE_CHECKING:
    from spacy_transformers.data_classes import FullTransformerBatch

# A Doc's plan when it has tokens but no subword: one window of nothing but special subwords.
NO_SUBWORDS = [Window(0, 0, 0, 0)]


@takes_settings
def SharedEncoder(settings: ModelSettings) -> Model[List[Doc], "FullTransformerBatch"]:
    """An encoder for the component `transformer` of spacy-transformers (spacy-luke-ja.SharedEncoder.v1).

    The settings are those of ModelSettings. The checkpoint's classifier, if it has one, is left out.

    Each token is aligned to exactly the subwords that have one of its characters, each of them once, in the window
    that shows it the most context. Texts of any length are encoded whole. Nothing is read before the first use,
    initialize() or from_disk.
    """
    import_spacy_transformers()
    return Model(
        "shared_encoder",
        forward,
        init=init,
        shims=[EncoderShim(settings)],
        dims={"nO": None},
        attrs={
            "settings": settings,  # thinc saves no such object: it can be changed when loading
            "dropout_rate": None,
            "replace_listener": replace_listener,
            "replace_listener_cfg": replace_listener_cfg,
        },
    )


@takes_settings
def Tok2VecSharedEncoder(
    settings: ModelSettings, *, pooling: Model[Ragged, Floats2d], grad_factor: float
) -> Model[List[Doc], List[Floats2d]]:
    """An encoder of its own for one head (spacy-luke-ja.Tok2VecSharedEncoder.v1): what nlp.replace_listeners leaves.

    pooling: a token's subwords → one vector.
    grad_factor: what the gradient is multiplied by on its way to the encoder.
    """
    import_spacy_transformers()
    from spacy_transformers.layers import trfs2arrays

    return chain(replace_listener(SharedEncoder(**vars(settings))), trfs2arrays(pooling, grad_factor))


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
    model.set_dim("nO", shim.width)
    return shim


def forward(model: Model, docs: List[Doc], is_train: bool) -> Tuple["FullTransformerBatch", Callable]:
    shim = open_model(model)
    frame, settings = shim.frame, model.attrs["settings"]
    windowed = [window_doc(shim, settings, doc) for doc in docs]
    framed = [
        FramedWindow(frame.surround(w.subwords.ids[window.subword_start : window.subword_end]))
        for w in windowed
        for window in w.plan
    ]
    if not framed:
        empty = import_spacy_transformers().data_classes.FullTransformerBatch.empty(len(docs))
        return empty, lambda d_output: docs
    rows, backprop_rows = run_windows(
        lambda batches: run_shim(shim, batches, is_train=is_train, dropout_rate=model.attrs["dropout_rate"]),
        framed,
        pad_id=frame.pad_id,
        max_batch_subwords=settings.max_batch_subwords,
    )
    hidden = np.zeros((len(rows), max(map(len, rows)), shim.width), dtype="float32")
    for own, window_rows in zip(hidden, rows):
        own[: len(window_rows)] = window_rows

    def backprop(d_output: "FullTransformerBatch") -> List[Doc]:
        d_hidden = d_output.model_output.to_tuple()[0].cpu().numpy()
        backprop_rows([d_own[: len(own)] for d_own, own in zip(d_hidden, rows)])
        return docs

    joined = join_windows(framed, pad_id=frame.pad_id)
    batch = make_transformer_batch(windowed, joined, hidden, shim.tokenizer, device=device_of(model.ops))
    return batch, backprop


def window_doc(shim: EncoderShim, settings: ModelSettings, doc: Doc) -> WindowedDoc:
    subwords = shim.tokenizer.encode(doc.text)
    plan = plan_text(subwords, settings, shim.frame)
    # Heads need rows even for a Doc whose tokens have no subword at all.
    return WindowedDoc(doc, subwords, plan if plan or not len(doc) else NO_SUBWORDS)
