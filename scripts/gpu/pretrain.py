"""Documents with targets and an encoder in, a pretrained encoder out: what scripts/pretraining/pretrain.py learns.

But for parts of speech: masked words (whole units), the name class of every subword, and the tags of WAC and GSD.
"""

import math
from typing import Dict, List, Mapping, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .arrays import EOS, NONE, UNK
from .learner import Budget, Clock, Learner
from .network import Encoder, Model, Norm
from .stream import Stream

WEIGHTS = {"words": 1.0, "names": 0.5, "wac": 1.0, "gsd": 1.0}  # of the losses
NONE_WORD = -100  # what cross_entropy leaves out
MASK_SHARE = 0.2  # of the units
LENGTH, LONG_LENGTH = 128, 512  # of rows
EVERY_LONG, EVERY_NER = 8, 16  # steps
STUCK = 5.5  # a loss of masked words; by how common they are alone, 6.6


class StuckError(Exception):
    """The masked words are guessed by how common they are, and no better."""


class PretrainingModel(Model):
    """The encoder with a linear head for each target, and masked words by the embeddings themselves."""

    def __init__(self, encoder: Encoder, labels: Mapping[str, List[str]]):
        """labels: the content of labels.json."""
        width = encoder.config["hidden_size"]
        n_classes = {name: len(labels[name]) for name in ("names", "wac", "gsd")}
        super().__init__(encoder, transform=width, **n_classes)
        self.transform_norm = Norm(width)
        self.word_bias = nn.Parameter(torch.zeros(encoder.config["vocab_size"]))

    def forward(self, ids: Tensor, words: Tensor, targets: Mapping[str, Tensor]) -> Dict[str, Tensor]:
        """words: (n_rows, length) the masked subwords, NONE_WORD elsewhere. RETURNS: the mean loss of each target."""
        hidden = self.encoder(ids).flatten(0, 1)
        # As many as there are, nearly always, and some more: how many exactly would have to be waited for.
        picked = (words.flatten() < 0).to(torch.uint8).argsort(stable=True)[: round(MASK_SHARE * 1.2 * words.numel())]
        transformed = self.transform_norm(functional.gelu(self.heads["transform"](hidden[picked])))
        # Scaled, because the embeddings are about a hundred times larger than what a softmax wants at first.
        scale = 1 / math.sqrt(transformed.shape[-1])
        embeddings, bias = self.encoder.words.to(hidden.dtype), self.word_bias.to(hidden.dtype)
        logits = functional.linear(transformed * scale, embeddings, bias)
        losses = {"words": functional.cross_entropy(logits.float(), words.flatten()[picked], ignore_index=NONE_WORD)}
        for name, values in targets.items():
            logits = self.heads[name](hidden)
            losses[name] = functional.cross_entropy(logits.float(), values.flatten(), ignore_index=NONE)
        return losses


def mask_units(
    ids: Tensor, is_start: Tensor, *, share: float, mask_id: int, generator: torch.Generator
) -> Tuple[Tensor, Tensor]:
    """Mask whole units, as scripts/pretraining/blocks.py does.

    is_start: (n_rows, length) whether a unit begins here.
    RETURNS: the ids to read, and those to predict, NONE_WORD elsewhere.
    """
    is_special = ids <= EOS
    units = (is_start | is_special).flatten().cumsum(0).view_as(ids)
    draws = torch.rand(ids.numel() + 1, device=ids.device, generator=generator)[units]
    is_masked = (draws < share) & ~is_special
    others = torch.randint(UNK + 1, mask_id, ids.shape, device=ids.device, generator=generator)
    read = torch.where(is_masked & (draws < 0.8 * share), mask_id, ids)
    read = torch.where(is_masked & (draws >= 0.8 * share) & (draws < 0.9 * share), others, read)
    return read, torch.where(is_masked, ids, NONE_WORD)


def pretrain(
    model: PretrainingModel,
    streams: Mapping[str, Stream],
    budget: Budget,
    *,
    learn_rate: float,
    n_subwords: int,
    seed: int = 0,
) -> None:
    """
    streams: corpus, with is_start and names; wac and gsd, with tags. n_subwords: of each step.
    Raises a StuckError after a tenth of the budget when the words are not learned.
    """
    generator = torch.Generator(streams["corpus"].ids.device).manual_seed(seed)
    mask_id = model.encoder.config["vocab_size"] - 1

    def losses_of(name: str, length: int) -> Dict[str, Tensor]:
        ids, targets = streams[name].rows(n_subwords // length, length, generator)
        is_start = targets["is_start"] > 0 if name == "corpus" else torch.ones_like(ids, dtype=torch.bool)
        read, words = mask_units(ids, is_start, share=MASK_SHARE, mask_id=mask_id, generator=generator)
        return model(read, words, {"names": targets["names"]} if name == "corpus" else {name: targets["tags"]})

    model.train()
    for length in (LENGTH, LONG_LENGTH):  # compiled before the clock runs
        torch.stack(list(losses_of("corpus", length).values())).sum().backward()
    model.zero_grad(set_to_none=True)
    streams["corpus"].n_passes = 0.0
    clock = Clock(budget, warmup=0.05, decay=0.4)
    learner = Learner(model, clock, learn_rate=learn_rate)
    sums: Dict[str, List[Tensor]] = {}
    reported = 0.0
    while clock.share < 1:
        losses = losses_of(*plan_step(clock.n_steps))
        learner.step(torch.stack([WEIGHTS[name] * loss for name, loss in losses.items()]).sum())
        for name, loss in losses.items():
            sums.setdefault(name, []).append(loss.detach())
        if clock.share - reported > 0.1:
            reported = clock.share
            if reported > 0.08 and clock.n_steps > 100 and torch.stack(sums["words"][-50:]).mean() > STUCK:
                raise StuckError
            report(clock, sums, n_subwords)
            sums = {}
    print(f"  {clock.n_steps} steps, {streams['corpus'].n_passes:.1f} passes", flush=True)


def plan_step(step: int) -> Tuple[str, int]:
    """RETURNS: which stream the step reads, and the length of its rows."""
    if step % EVERY_NER == EVERY_NER - 1:
        return ("wac", "gsd")[step // EVERY_NER % 2], LENGTH
    return "corpus", LONG_LENGTH if step % EVERY_LONG == EVERY_LONG - 1 else LENGTH


def report(clock: Clock, sums: Mapping[str, List[Tensor]], n_subwords: int) -> None:
    means = " ".join(f"{name} {torch.stack(losses).mean():.3f}" for name, losses in sums.items())
    rate = clock.n_steps * n_subwords / clock.seconds
    print(f"  {clock.share:4.0%} step {clock.n_steps} {means} {rate / 1e3:.0f}k subwords/s", flush=True)
