"""Types of given mentions as a task of the window layer: a [MASK] entity for each, behind the sentences around it."""

from .entity_vocab import MASK
from .mentions import MentionTask
from .task import Head

ENTITY_CLASSIFIER = Head("EntityClassification", "", "classifier", ("logits",))  # LUKE's alone: no mapping has it


class TypingTask(MentionTask):
    """As LUKE's authors have it: <s> … <ent> mention <ent> … </s>, and an entity [MASK] whose mention these are."""

    head = ENTITY_CLASSIFIER
    markers, entities = ("<ent>",), (MASK,)


TYPING = TypingTask()
