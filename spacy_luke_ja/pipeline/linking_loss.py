"""Right entities and what the model makes of mentions in, the loss and its gradients out."""

from typing import List, NamedTuple, Optional, Sequence

import numpy as np
import torch
from torch import Tensor

from ..models.luke import EntityPredictor

# Per text and mention, the rows of the entities that it may stand for.
Candidates = Sequence[Sequence[Sequence[int]]]


class LinkingLoss(NamedTuple):
    """
    summed: the loss of n_terms mentions together. gradients: per text, (n_mentions, entity_emb_size).
    rows: of the entity embeddings, with the gradients of_table and of_bias.
    """

    summed: float
    gradients: List[np.ndarray]
    n_terms: int
    rows: Tensor
    of_table: Tensor
    of_bias: Tensor


def linking_loss(
    outputs: Sequence[np.ndarray],
    gold: Sequence[Sequence[int]],
    module: EntityPredictor,
    *,
    named: np.ndarray,
    candidates: Optional[Candidates] = None,
) -> LinkingLoss:
    """Cross entropy of the right entity of each mention among all that have a title, or among its candidates.

    outputs: per text, (n_mentions, entity_emb_size). gold: per text, the row of each mention's entity, -1 where there
        is none: such a mention has no term, and none that has no subwords.
    named: the rows that have a title. candidates: the right one is always among them.
    """
    gradients = [np.zeros(own.shape, dtype="float32") for own in outputs]
    places = [
        (i, k) for i, own in enumerate(gold) for k, row in enumerate(own) if row >= 0 and np.isfinite(outputs[i][k, 0])
    ]
    right = [gold[i][k] for i, k in places]
    if candidates is None:
        rows, is_left_out = named, np.zeros((len(places), len(named)), dtype=bool)
    else:
        own_rows = [np.union1d(candidates[i][k], row).astype("int64") for (i, k), row in zip(places, right)]
        rows = np.unique(np.concatenate([np.zeros(0, dtype="int64"), *own_rows]))
        is_left_out = np.ones((len(places), len(rows)), dtype=bool)
        for is_other, own in zip(is_left_out, own_rows):
            is_other[np.searchsorted(rows, own)] = False
    device = module.table.device
    at = torch.from_numpy(rows).to(device)
    table, bias = module.table.detach()[at].requires_grad_(), module.predictions.bias.detach()[at].requires_grad_()
    vectors = np.array([outputs[i][k] for i, k in places], dtype="float32").reshape(len(places), table.shape[1])
    inputs = (torch.from_numpy(vectors).to(device).requires_grad_(), table, bias)
    with torch.enable_grad():
        logits = (inputs[0] @ table.T + bias).masked_fill(torch.from_numpy(is_left_out).to(device), -torch.inf)
        target = torch.from_numpy(np.searchsorted(rows, right)).to(device)
        loss = torch.nn.functional.cross_entropy(logits, target, reduction="sum")
        of_vectors, of_table, of_bias = torch.autograd.grad(loss, inputs)
    for (i, k), gradient in zip(places, of_vectors.cpu().numpy()):
        gradients[i][k] = gradient
    return LinkingLoss(loss.item(), gradients, len(places), at, of_table, of_bias)
