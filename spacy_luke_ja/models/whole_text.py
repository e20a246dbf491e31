"""What the tasks that give a text one row share: a row for each of its windows, and their mean for the text."""

from typing import List, Sequence

import numpy as np

from ..text.subwords import Subwords
from ..text.windows import Window, average_windows, plan_windows, split_average
from .settings import ModelSettings
from .task import TEXT_CLASSIFIER, Frame, FramedWindow, Task, overlap_for


class WholeTextTask(Task):
    """A text is read in as few windows as the encoder can take, each of whole sentences where it may be.

    What a text's logits are: those of its window; of several, their mean, each weighted by how many subwords of the
    text it has. A text without subwords is a window of special ones.
    """

    head = TEXT_CLASSIFIER

    def plan(self, item: Subwords, settings: ModelSettings, frame: Frame) -> List[Window]:
        if not len(item):
            return [Window(0, 0, 0, 0)] if frame.n_special else []
        limit = frame.max_window
        overlap = overlap_for(settings.overlap, limit)
        return plan_windows(item, window=settings.window or limit, overlap=overlap, limit=limit)

    def place(self, item: Subwords, window: Window, frame: Frame) -> FramedWindow:
        return super().place(item, window, frame)._replace(rows=slice(0, 1))

    def join(self, item: Subwords, plan: Sequence[Window], rows: Sequence[np.ndarray], *, n_tags: int) -> np.ndarray:
        """RETURNS: (n_tags,)."""
        return average_windows(rows, plan, n_tags=n_tags)

    def split(self, d_output: np.ndarray, plan: Sequence[Window]) -> List[np.ndarray]:
        return split_average(d_output, plan)
