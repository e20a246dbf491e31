"""What a head is asked, where its rows are, how they come back: what differs from task to task around one encoder."""

from dataclasses import dataclass, replace
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from ..text.subwords import PairIds, SubwordEncoder, Subwords
from ..text.windows import Window, check_window, merge_windows, plan_windows, split_rows
from .hf_checkpoint import Checkpoint
from .settings import ModelSettings
from .types import SubwordLogits

DEFAULT_OVERLAP = 64


class Head(NamedTuple):
    """What a checkpoint has behind its encoder.

    task: as the names of transformers' classes have it, LukeForTokenClassification, say.
    mapping: the name of transformers' mapping from configs to such classes.
    layer: the name of the linear layer in BERT's family.
    outputs: those of transformers' classes that are the logits, stacked where there are several.
    of_window: whether a window has one row of logits, made of its first subword; else each subword has one.
    """

    task: str
    mapping: str
    layer: str
    outputs: Tuple[str, ...]
    of_window: bool = False


# The heads that several tasks share.
TOKEN_CLASSIFIER = Head("TokenClassification", "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING", "classifier", ("logits",))
TEXT_CLASSIFIER = Head(
    "SequenceClassification", "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING", "classifier", ("logits",), of_window=True
)


@dataclass(frozen=True)
class Frame:
    """What a checkpoint's encoder has around a window, and how much fits between.

    special: the ids before a window, behind a question, and behind a window.
    start_ids: those that the encoder puts before a text, and so before a window that begins inside one.
    usual_window: subwords in a window of whole sentences, unless the setting says otherwise.
    max_window: the most subwords, special ones not counted, those of a question counted.
    """

    special: PairIds
    pad_id: int
    start_ids: Tuple[int, ...] = ()
    usual_window: int = 0
    max_window: int = 0

    @property
    def n_special(self) -> int:
        return sum(map(len, self.special[:3]))

    def within(self, max_subwords: int) -> "Frame":
        """The same for an encoder that takes so many subwords, special ones included."""
        max_window = max_subwords - self.n_special
        return replace(self, max_window=max_window, usual_window=min(self.usual_window, max_window))

    def surround(self, ids: np.ndarray, *, question: Any = ()) -> np.ndarray:
        """RETURNS: the ids of a window with special ones, and a question's, around them."""
        before, between, after, _ = self.special
        return np.concatenate([before, question, between, ids, after], dtype="int64", casting="unsafe")


class FramedWindow(NamedTuple):
    """A window as the encoder takes it.

    ids: special ones included, and behind them those of entities. type_ids: as in WindowBatch.
    rows: which of the encoder's rows the task reads.
    mentions: (n_entities, 2) as in WindowBatch; None: no entities.
    """

    ids: np.ndarray
    rows: Union[slice, np.ndarray] = slice(None)
    type_ids: Optional[np.ndarray] = None
    mentions: Optional[np.ndarray] = None


class Task:
    """What the window layer leaves to a task; here, the task of which each subword of a text has a row of its own.

    Subclasses name their head, and say what is different. `item` is what encode makes of one input.

    needs_entities: whether the head has entities as inputs, so that a LUKE must keep its embeddings of them.
    """

    head: Head
    needs_entities = False

    def check_settings(self, settings: ModelSettings) -> None:
        """Raise a ValueError for settings that fit no checkpoint."""

    def prepare(self, checkpoint: Checkpoint) -> Checkpoint:
        """RETURNS: what of a checkpoint is loaded, and saved; a ValueError where it cannot do this."""
        return checkpoint

    def read_checkpoint(self, checkpoint: Checkpoint) -> Dict[str, Any]:
        """RETURNS: what a checkpoint says of this task, for the model's attrs; a ValueError where it cannot do it."""
        return {}

    def frame(self, encoder: SubwordEncoder, checkpoint: Checkpoint) -> Frame:
        special = PairIds(encoder.prefix_ids, (), encoder.suffix_ids)
        return Frame(special, encoder.pad_id, encoder.start_ids, usual_window=checkpoint.window)

    def check_fit(self, settings: ModelSettings, frame: Frame, checkpoint_name: str) -> None:
        """Raise a ValueError where the settings window and overlap do not fit an encoder."""
        limit = frame.max_window
        if settings.window is not None and settings.window > limit:
            raise ValueError(
                f"window must be at most {limit} for the checkpoint {checkpoint_name} (its encoder takes "
                f"{limit + frame.n_special} subwords, {frame.n_special} of them special), got {settings.window}"
            )
        check_window(limit, overlap_for(settings.overlap, limit))

    def encode(self, encoder: SubwordEncoder, inputs: Sequence[Any]) -> List[Any]:
        """inputs: Docs. RETURNS: their subwords."""
        return [encoder.encode(doc.text) for doc in inputs]

    def plan(self, item: Any, settings: ModelSettings, frame: Frame) -> List[Window]:
        """RETURNS: the windows that an item is read in."""
        return plan_text(item, settings, frame)

    def place(self, item: Any, window: Window, frame: Frame) -> FramedWindow:
        """Let a sentence inside a text begin with the ids that the encoder puts before a text, to be read alike."""
        ids = item.ids[window.subword_start : window.subword_end]
        start = frame.start_ids
        is_start = 0 < window.subword_start == window.kept_start and tuple(ids[: len(start)]) != start
        if start and is_start and len(window) + len(start) <= frame.max_window:
            ids = np.concatenate([start, ids])
        framed = frame.surround(ids)
        end = len(framed) - len(frame.special.after)
        return FramedWindow(framed, slice(end - len(window), end))

    def join(self, item: Any, plan: Sequence[Window], rows: Sequence[np.ndarray], *, n_tags: int) -> Any:
        """rows: per window. RETURNS: what the model says of an item."""
        merged = merge_windows(rows, plan) if plan else np.zeros((0, n_tags), dtype="float32")
        return SubwordLogits(item, merged)

    def split(self, d_output: Any, plan: Sequence[Window]) -> List[np.ndarray]:
        """The reverse of join, for gradients. RETURNS: per window, those of its rows."""
        return split_rows(d_output, plan)


def overlap_for(overlap: Optional[int], window: int) -> int:
    """The setting overlap, or by default 64, or half the window where that is less."""
    return min(DEFAULT_OVERLAP, window // 2) if overlap is None else overlap


def plan_text(subwords: Subwords, settings: ModelSettings, frame: Frame) -> List[Window]:
    """RETURNS: windows of whole sentences."""
    limit = frame.max_window
    window = settings.window or frame.usual_window
    return plan_windows(subwords, window=window, overlap=overlap_for(settings.overlap, limit), limit=limit)
