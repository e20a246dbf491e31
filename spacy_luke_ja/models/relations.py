"""Pairs of mentions as a task of the window layer: [MASK] and [MASK2] for head and tail, and the text around them."""

from .entity_vocab import MASK, MASK2
from .mentions import MentionTask
from .task import Head

PAIR_CLASSIFIER = Head("EntityPairClassification", "", "classifier", ("logits",))  # LUKE's alone: no mapping has it


class RelationsTask(MentionTask):
    """As LUKE's authors have it: <ent> stands before and behind the head, <ent2> before and behind the tail, and the
    classifier reads the entities [MASK] and [MASK2], whose mentions these are."""

    head = PAIR_CLASSIFIER
    markers, entities = ("<ent>", "<ent2>"), (MASK, MASK2)
    n_joined = 2


RELATIONS = RelationsTask()
