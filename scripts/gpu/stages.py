"""The trainings on the GPU, each for so many seconds: encoders, classifiers, answerers, and small ones that learn from
large ones."""

import copy
import math
import time
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .network import Affine, Encoder, Model, Norm
from .rows import BUCKETS, EOS, NONE, PAD, UNK, Batch, Rows, Stream, make_batches

WEIGHTS = {"words": 1.0, "names": 0.5, "wac": 1.0, "gsd": 1.0}  # of the losses, as pretrain.py's

MASK_SHARE = 0.2  # of the units
STUCK = 5.5  # a loss of masked words; by how common they are alone, 6.6


class Clock:
    """How much of the time that a stage has is over; the learning rate depends on it."""

    def __init__(self, seconds: float, *, warmup: float, decay: float):
        self.seconds, self.warmup, self.decay = seconds, warmup, decay
        self.started = time.time()

    @property
    def share(self) -> float:
        return (time.time() - self.started) / self.seconds

    def learn_rate_share(self) -> float:
        return max(0.0, min(1.0, self.share / self.warmup + 1e-3, (1 - self.share) / self.decay))


class Learner:
    """A model with AdamW, a learning rate that follows the clock, and running averages of the weights."""

    def __init__(self, model: nn.Module, learn_rate: float, clock: Clock, *, fast: Sequence[nn.Module] = (),
                 averages: float = 0.0):  # fmt: skip
        """fast: modules that learn five times as fast. averages: the decay of the running averages; 0 for none."""
        self.model, self.clock, self.learn_rate = model, clock, learn_rate
        groups = []
        quick = {id(p) for module in fast for p in module.parameters()}
        for is_quick in (False, True):
            for decays in (False, True):
                own = [p for p in model.parameters() if (p.ndim > 1) == decays and (id(p) in quick) == is_quick]
                groups.append({"params": own, "weight_decay": 0.01 * decays, "scale": 5.0 if is_quick else 1.0})
        self.optimizer = torch.optim.AdamW(groups, lr=learn_rate, betas=(0.9, 0.98), eps=1e-6, fused=True)
        self.parameters = list(model.parameters())
        self.means = [p.detach().clone() for p in self.parameters] if averages else []
        self.averages, self.n_steps = averages, 0

    def step(self, loss: Tensor) -> None:
        share = self.clock.learn_rate_share()
        for group in self.optimizer.param_groups:
            group["lr"] = self.learn_rate * share * group["scale"]
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.n_steps += 1
        if self.n_steps % 10 == 0 and loss.is_cuda:  # the clock must not be ahead of the work
            torch.cuda.synchronize()
        if self.means:
            keep = min(self.averages, self.n_steps / (self.n_steps + 9))
            torch._foreach_lerp_(self.means, [p.detach() for p in self.parameters], 1 - keep)

    def use_averages(self) -> None:
        with torch.no_grad():
            for parameter, mean in zip(self.parameters, self.means):
                parameter.copy_(mean)


# Encoders


class Pretrained(Model):
    def __init__(self, encoder: Encoder, labels: Mapping[str, List[str]]):
        width = encoder.config["hidden_size"]
        sizes = {name: len(labels[name]) for name in ("names", "wac", "gsd")}
        super().__init__(encoder, transform=width, **sizes)
        self.transform_norm = Norm(width)
        self.word_bias = nn.Parameter(torch.zeros(encoder.config["vocab_size"]))

    def forward(self, ids: Tensor, words: Tensor, targets: Mapping[str, Tensor]) -> Dict[str, Tensor]:
        hidden = self.encoder(ids).flatten(0, 1)
        # As many as there are, nearly always, and some more: how many exactly would have to be waited for.
        picked = (words.flatten() < 0).to(torch.uint8).argsort(stable=True)[: round(MASK_SHARE * 1.2 * words.numel())]
        transformed = self.transform_norm(functional.gelu(self.heads["transform"](hidden[picked])))
        scale = 1 / math.sqrt(transformed.shape[-1])
        logits = functional.linear(
            transformed * scale, self.encoder.words.to(hidden.dtype), self.word_bias.to(hidden.dtype)
        )
        losses = {"words": functional.cross_entropy(logits.float(), words.flatten()[picked])}
        for name, values in targets.items():
            losses[name] = functional.cross_entropy(
                self.heads[name](hidden).float(), values.flatten(), ignore_index=NONE
            )
        return losses


def mask_units(
    ids: Tensor, is_start: Tensor, share: float, mask_id: int, generator: torch.Generator
) -> Tuple[Tensor, Tensor]:
    """As pretraining/blocks.py masks whole units. RETURNS: the ids to read, and those to predict, −100 elsewhere."""
    is_special = ids <= UNK - 1
    units = (is_start | is_special).flatten().cumsum(0).view_as(ids)
    draws = torch.rand(ids.numel() + 1, device=ids.device, generator=generator)[units]
    is_masked = (draws < share) & ~is_special
    others = torch.randint(UNK + 1, mask_id, ids.shape, device=ids.device, generator=generator)
    read = torch.where(is_masked & (draws < 0.8 * share), mask_id, ids)
    read = torch.where(is_masked & (draws >= 0.8 * share) & (draws < 0.9 * share), others, read)
    return read, torch.where(is_masked, ids, -100)


class StuckError(Exception):
    """The masked words are guessed by how common they are, and no better."""


def pretrain(model: Pretrained, streams: Mapping[str, Stream], seconds: float, *, learn_rate: float, n_subwords: int,
             seed: int = 0, every_long: int = 8, every_ner: int = 16) -> None:  # fmt: skip
    device = streams["corpus"].ids.device
    generator = torch.Generator(device).manual_seed(seed)
    mask_id = model.encoder.config["vocab_size"] - 1

    def losses_of(name: str, length: int) -> Dict[str, Tensor]:
        ids, targets = streams[name].rows(n_subwords // length, length, generator)
        is_start = targets["is_start"] > 0 if name == "corpus" else torch.ones_like(ids, dtype=torch.bool)
        read, words = mask_units(ids, is_start, MASK_SHARE, mask_id, generator)
        return model(read, words, {"names": targets["names"]} if name == "corpus" else {name: targets["tags"]})

    model.train()
    for length in (128, 512):  # compiled before the clock runs
        sum(losses_of("corpus", length).values()).backward()
    model.zero_grad(set_to_none=True)
    clock = Clock(seconds, warmup=0.05, decay=0.4)
    learner = Learner(model, learn_rate, clock)
    sums: Dict[str, List[Tensor]] = {}
    streams["corpus"].passes = 0.0
    said = 0.0
    while clock.share < 1:
        step = learner.n_steps
        is_ner = step % every_ner == every_ner - 1
        name = ("wac", "gsd")[step // every_ner % 2] if is_ner else "corpus"
        losses = losses_of(name, 512 if not is_ner and step % every_long == every_long - 1 else 128)
        learner.step(torch.stack([WEIGHTS[kind] * loss for kind, loss in losses.items()]).sum())
        for kind, loss in losses.items():
            sums.setdefault(kind, []).append(loss.detach())
        if clock.share - said > 0.1:
            said = clock.share
            if said > 0.08 and learner.n_steps > 100 and torch.stack(sums["words"][-50:]).mean() > STUCK:
                raise StuckError
            means = " ".join(f"{kind} {torch.stack(own).mean():.3f}" for kind, own in sums.items())
            rate = learner.n_steps * n_subwords / (time.time() - clock.started)
            print(f"  {said:4.0%} step {learner.n_steps} {means} {rate / 1e3:.0f}k subwords/s", flush=True)
            sums = {}
    print(f"  {learner.n_steps} steps, {streams['corpus'].passes:.1f} passes", flush=True)


# Classifiers


def tag_losses(logits: Tensor, batch: Batch, taught: Optional[Tensor], hard_share: float) -> Tensor:
    """The mean over subwords; taught: a teacher's logits, which count 1 − hard_share where there are gold tags."""
    log_probs = logits.float().log_softmax(-1)
    is_known = batch.weights > 0
    hard = -log_probs.gather(-1, torch.where(is_known, batch.tags, 0)[..., None])[..., 0] * batch.weights
    if taught is None:
        return hard.sum() / is_known.sum().clamp(min=1)
    soft = -(taught.float().softmax(-1) * log_probs).sum(-1)
    mixed = torch.where(is_known, hard_share * hard + (1 - hard_share) * soft, soft)
    is_inner = batch.is_real & (batch.ids > EOS)
    return (mixed * is_inner).sum() / is_inner.sum()


def finetune(model: Model, sets: Mapping[str, Rows], counts: Mapping[str, int], seconds: float, *, learn_rate: float,
             n_subwords: int, teachers: Sequence[Model] = (), hard_share: float = 0.5, dropout: float = 0.1,
             mask_share: float = 0.0, seed: int = 0, averages: float = 0.998) -> None:  # fmt: skip
    """counts: the rows of each set in an epoch. The model has the running averages afterwards."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    device = next(model.parameters()).device
    mask_id = model.encoder.config["vocab_size"] - 1
    model.encoder.set_dropout(dropout)
    model.train()
    clock = Clock(seconds, warmup=0.05, decay=0.9)
    learner = Learner(model, learn_rate, clock, fast=[model.heads], averages=averages)
    losses: List[Tensor] = []
    n_epochs = n_read = 0
    while clock.share < 1:
        for _, batch in make_batches(dict(sets), dict(counts), n_subwords, rng):
            taught = None
            if teachers:
                with torch.no_grad():
                    taught = torch.stack([logits_of(teacher, batch).float() for teacher in teachers]).mean(0)
            ids = batch.ids
            if mask_share:
                ids = torch.where((torch.rand(ids.shape, device=device) < mask_share) & (ids > UNK), mask_id, ids)
            logits = model.heads["tags"](functional.dropout(model.encoder(ids, batch.is_real), dropout))
            loss = tag_losses(logits, batch, taught, hard_share)
            learner.step(loss)
            losses.append(loss.detach())
            n_read += ids.numel()
            if clock.share >= 1:
                break
        n_epochs += 1
        if len(losses) > 200 or clock.share >= 1:
            rate = n_read / (time.time() - clock.started)
            print(
                f"  {clock.share:4.0%} epoch {n_epochs} loss {torch.stack(losses).mean():.4f} {rate / 1e3:.0f}k/s",
                flush=True,
            )
            losses = []
    learner.use_averages()
    model.encoder.set_dropout(0.0)


def logits_of(model: Model, batch: Batch) -> Tensor:
    return model.heads["tags"](model.encoder(batch.ids, batch.is_real))


def predict(model: Model, rows: Rows) -> Tuple[np.ndarray, float, float, float]:
    """RETURNS: (n_subwords, n_tags) float16 logits in the order of the rows; precision, recall, F1 of spans within rows."""
    model.eval()
    order = np.argsort(rows.lengths, kind="stable")
    found: List[Optional[np.ndarray]] = [None] * len(rows)
    right = n_found = n_gold = 0
    with torch.no_grad():
        for start in range(0, len(order), 256):
            picked = order[start : start + 256]
            batch = rows.take(picked)
            logits = logits_of(model, batch).float().cpu().numpy()
            gold = batch.tags.cpu().numpy()
            for i, own, tags in zip(picked, logits, gold):
                n = rows.lengths[i]
                found[i] = own[1 : n + 1].astype("float16")
                a, b = bio_spans(own[1 : n + 1].argmax(-1)), bio_spans(tags[1 : n + 1])
                right, n_found, n_gold = right + len(a & b), n_found + len(a), n_gold + len(b)
    precision, recall = right / max(n_found, 1), right / max(n_gold, 1)
    return np.concatenate(found), precision, recall, 2 * right / max(n_found + n_gold, 1)  # type: ignore[arg-type]


def bio_spans(tags: Sequence[int]) -> set:
    """Odd tags begin a name, the even one behind goes on with it."""
    spans, start, label = set(), 0, 0
    for i, tag in enumerate([*tags, 0]):
        if label and tag != label + 1:
            spans.add((start, i, label))
            label = 0
        if tag % 2 == 1:
            start, label = i, tag
    return spans


# Answerers


class Pairs:
    """Questions with windows of their paragraphs, and where the answers are."""

    def __init__(self, arrays: Mapping[str, np.ndarray], device: str):
        lengths = arrays["lengths"].astype("int64")
        self.lengths, self.starts = lengths, np.cumsum(lengths) - lengths
        self.ids = torch.from_numpy(arrays["ids"].astype("int32")).to(device)
        self.places = torch.from_numpy(np.stack([arrays[n].astype("int64") for n in ("first", "start", "end")], 1)).to(
            device
        )

    def __len__(self) -> int:
        return len(self.lengths)

    def take(self, picked: np.ndarray) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
        """RETURNS: ids, is_real, which rows an answer may have, and (n, 2) its start and end."""
        width = next(bucket for bucket in BUCKETS if bucket >= self.lengths[picked].max())
        device = self.ids.device
        column = torch.arange(width, device=device)[None]
        lengths = torch.from_numpy(self.lengths[picked]).to(device)[:, None]
        at = torch.from_numpy(self.starts[picked]).to(device)[:, None] + column
        ids = torch.where(column < lengths, self.ids[at.clamp(max=len(self.ids) - 1)].long(), PAD)
        places = self.places[torch.from_numpy(picked).to(device)]
        is_open = ((column >= places[:, :1]) & (column < lengths - 1)) | (column == 0)
        return ids, column < lengths, is_open, places[:, 1:]


def pair_batches(pairs: Pairs, n_subwords: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    order = np.lexsort((rng.random(len(pairs)), pairs.lengths // 8))
    plan, start = [], 0
    while start < len(order):
        n = max(1, n_subwords // int(pairs.lengths[order[min(start + 32, len(order) - 1)]]))
        plan.append(order[start : start + n])
        start += n
    for i in rng.permutation(len(plan)):
        yield plan[i]


def answer_logits(model: Model, ids: Tensor, is_real: Tensor, is_open: Tensor) -> Tensor:
    """(n, 2, length) log probabilities of start and end."""
    logits = model.heads["answers"](model.encoder(ids, is_real)).float().transpose(1, 2)
    return logits.masked_fill(~is_open[:, None], -1e4).log_softmax(-1)


def train_answers(model: Model, pairs: Pairs, seconds: float, *, learn_rate: float, n_subwords: int,
                  teacher: Optional[Model] = None, dropout: float = 0.1, seed: int = 0, averages: float = 0.998) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    model.encoder.set_dropout(dropout)
    model.train()
    clock = Clock(seconds, warmup=0.05, decay=0.95)
    learner = Learner(model, learn_rate, clock, fast=[model.heads], averages=averages)
    losses: List[Tensor] = []
    n_epochs = 0.0
    while clock.share < 1:
        for picked in pair_batches(pairs, n_subwords, rng):
            ids, is_real, is_open, gold = pairs.take(picked)
            log_probs = answer_logits(model, ids, is_real, is_open)
            hard = -log_probs.gather(-1, gold[..., None])[..., 0].mean()
            loss = hard
            if teacher is not None:
                with torch.no_grad():
                    taught = answer_logits(teacher, ids, is_real, is_open).exp()
                loss = 0.5 * hard - 0.5 * (taught * log_probs.clamp(min=-50)).sum(-1).mean()
            learner.step(loss)
            losses.append(hard.detach())
            n_epochs += len(picked) / len(pairs)
            if clock.share >= 1:
                break
        if len(losses) > 150 or clock.share >= 1:
            print(f"  {clock.share:4.0%} epoch {n_epochs:.1f} loss {torch.stack(losses).mean():.3f}", flush=True)
            losses = []
    learner.use_averages()
    model.encoder.set_dropout(0.0)


def exact_match(model: Model, pairs: Pairs, n: Optional[int] = None) -> float:
    """The share of the first n windows whose likeliest start and end are the right ones, each by itself."""
    model.eval()
    right = 0
    with torch.no_grad():
        n = min(n or len(pairs), len(pairs))
        for start in range(0, n, 64):
            picked = np.arange(start, min(start + 64, n))
            ids, is_real, is_open, gold = pairs.take(picked)
            right += int((answer_logits(model, ids, is_real, is_open).argmax(-1) == gold).all(-1).sum())
    return right / n


def clone_encoder(encoder: Encoder) -> Encoder:
    return copy.deepcopy(encoder)


__all__ = ["Affine", "Clock", "Learner", "Pairs", "Pretrained", "clone_encoder", "exact_match", "finetune", "predict",
           "pretrain", "train_answers"]  # fmt: skip
