"""Docs, their windows and hidden states in, the record that spacy-transformers hands to heads out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Sequence, Tuple

import numpy as np
from spacy.tokens import Doc
from thinc.api import torch2xp
from thinc.types import Ragged

from ..text.subwords import Subwords
from ..text.token_subwords import places_in_windows, subwords_of_tokens, tokens_of_windows
from ..text.windows import Window
from ..token_splitting import token_offsets
from .hf_encoder import piece_strings
from .types import WindowBatch

if TYPE_CHECKING:
    import torch
    from spacy_transformers.data_classes import FullTransformerBatch


@dataclass(frozen=True)
class WindowedDoc:
    """A Doc, its subwords, and the windows they are encoded in; an empty Doc has no window."""

    doc: Doc
    subwords: Subwords
    plan: Sequence[Window]

    def align(self, *, width: int, n_prefix: int) -> Tuple[np.ndarray, np.ndarray]:
        """Find where each token's subwords stand in the Doc's flattened windows, (n_windows × width).

        width: subwords in a row, special and padding ones included.
        n_prefix: special subwords before each window.
        RETURNS: the places, one token after the other, and how many each token has.
        """
        indices, lengths = subwords_of_tokens(self.subwords, token_offsets(self.doc))
        places = places_in_windows(self.plan, width=width, n_prefix=n_prefix)
        return places[indices].astype("int32"), lengths.astype("int32")


def import_spacy_transformers() -> Any:
    try:
        import spacy_transformers.data_classes
    except ImportError as error:
        raise ImportError(
            "spacy-luke-ja.SharedEncoder.v1 needs spacy-transformers, which is not installed; "
            'run: pip install "spacy-transformers>=1.3.5,<1.5"'
        ) from error
    return spacy_transformers


def make_transformer_batch(
    docs: Sequence[WindowedDoc], windows: WindowBatch, hidden: np.ndarray, tokenizer: Any, device: "torch.device"
) -> "FullTransformerBatch":
    """Put together what the component `transformer` passes on.

    windows: the windows of all Docs in order.
    hidden: (n_windows, n_subwords, width) float32.
    tokenizer: the SubwordEncoder that the ids are from.
    device: where the heads compute.
    """
    import torch
    from transformers.modeling_outputs import BaseModelOutput
    from transformers.utils import ModelOutput

    data_classes = import_spacy_transformers().data_classes
    ids = windows.padded_ids()
    width = ids.shape[1]
    wordpieces = data_classes.WordpieceBatch(
        strings=[piece_strings(tokenizer, row) for row in ids.tolist()],
        input_ids=ids,
        attention_mask=windows.is_subword().astype("float32"),
        lengths=windows.lengths.tolist(),
        token_type_ids=None,
    )
    states = torch.from_numpy(hidden).to(device)
    xp_states = torch2xp(states)
    # As FullTransformerBatch.split_by_doc would have it, which goes wrong when a batch has the same Doc twice.
    doc_data, places, lengths = [], [], []
    row = 0
    for windowed in docs:
        rows = slice(row, row + len(windowed.plan))
        doc_places, doc_lengths = windowed.align(width=width, n_prefix=len(tokenizer.prefix_ids))
        data = data_classes.TransformerData.empty()
        if windowed.plan:
            align = Ragged(doc_places, doc_lengths)  # type: ignore[arg-type]
            data = data_classes.TransformerData(wordpieces[rows], ModelOutput(last_hidden_state=xp_states[rows]), align)
        doc_data.append(data)
        places.append(doc_places + np.int32(row * width))
        lengths.append(doc_lengths)
        row = rows.stop
    return data_classes.FullTransformerBatch(
        spans=[
            [d.doc[start:end] for start, end in tokens_of_windows(d.subwords, d.plan, token_offsets(d.doc))]
            for d in docs
        ],
        wordpieces=wordpieces,
        model_output=BaseModelOutput(last_hidden_state=states),
        align=Ragged(np.concatenate(places), np.concatenate(lengths)),  # type: ignore[arg-type]
        cached_doc_data=doc_data,
    )
