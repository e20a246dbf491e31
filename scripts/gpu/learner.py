"""A model and a budget in; steps of AdamW, whose learning rate follows what of the budget is spent, out.

train_heads is the training that all tasks share.
"""

import math
import time
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from .network import Model

BatchOfTask = TypeVar("BatchOfTask")

FAST = 5.0  # how many times as fast new heads learn
HARD_SHARE = 0.5  # of the loss, by what is annotated, where there is a teacher


class Budget(NamedTuple):
    """How long a training is: in seconds, for a machine that is lent; or in steps, for what must come out the same."""

    seconds: float = math.inf
    n_steps: float = math.inf


class Clock:
    """How much of a budget is spent; the learning rate rises, stays and falls with it."""

    def __init__(self, budget: Budget, *, warmup: float, decay: float):
        """warmup, decay: shares of the budget."""
        self.budget, self.warmup, self.decay = budget, warmup, decay
        self.n_steps = 0
        self._started = time.time()

    @property
    def seconds(self) -> float:
        return time.time() - self._started

    @property
    def share(self) -> float:
        return max(self.seconds / self.budget.seconds, self.n_steps / self.budget.n_steps)

    def learn_rate_share(self) -> float:
        share = self.share
        return max(0.0, min(1.0, share / self.warmup + 1e-3, (1 - share) / self.decay))


class Learner:
    """AdamW for a model, with running averages of its weights."""

    def __init__(
        self,
        model: nn.Module,
        clock: Clock,
        *,
        learn_rate: float,
        fast: Sequence[nn.Module] = (),
        averages: float = 0.0,
    ):
        """fast: modules that learn faster. averages: the decay of the running averages; 0 for none."""
        self.clock, self.learn_rate, self.averages = clock, learn_rate, averages
        self.parameters = list(model.parameters())
        self.means = [p.detach().clone() for p in self.parameters] if averages else []
        groups = make_groups(self.parameters, [p for module in fast for p in module.parameters()])
        self.optimizer = torch.optim.AdamW(groups, lr=learn_rate, betas=(0.9, 0.98), eps=1e-6, fused=True)

    def step(self, loss: Tensor) -> None:
        share = self.clock.learn_rate_share()
        for group in self.optimizer.param_groups:
            group["lr"] = self.learn_rate * share * group["scale"]
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.clock.n_steps += 1
        if loss.is_cuda and self.clock.n_steps % 10 == 0:  # the clock must not be ahead of the work
            torch.cuda.synchronize()
        if self.means:
            keep = min(self.averages, self.clock.n_steps / (self.clock.n_steps + 9))
            torch._foreach_lerp_(self.means, [p.detach() for p in self.parameters], 1 - keep)

    def use_averages(self) -> None:
        """Put the running averages in the place of the weights."""
        with torch.no_grad():
            for parameter, mean in zip(self.parameters, self.means):
                parameter.copy_(mean)


def make_groups(parameters: Sequence[nn.Parameter], fast: Sequence[nn.Parameter]) -> List[Dict[str, Any]]:
    """Biases and norms do not decay."""
    fast_ids = {id(p) for p in fast}
    groups = []
    for is_fast in (False, True):
        for decays in (False, True):
            own = [p for p in parameters if (p.ndim > 1) == decays and (id(p) in fast_ids) == is_fast]
            groups.append({"params": own, "weight_decay": 0.01 * decays, "scale": FAST if is_fast else 1.0})
    return groups


def train_heads(
    model: Model,
    budget: Budget,
    draw_epoch: Callable[[np.random.Generator], Iterable[BatchOfTask]],
    losses_of: Callable[[BatchOfTask], Tuple[Tensor, Tensor]],
    *,
    learn_rate: float,
    decay: float,
    dropout: float,
    averages: float,
    seed: int,
    judge: Optional[Callable[[], None]] = None,
) -> None:
    """Train for epochs until the budget is spent, the heads faster than the encoder.

    Afterwards the model has the running averages of its weights.

    losses_of: RETURNS the loss that is learned from, and the one that is printed. decay: as Clock's.
    averages: their decay. judge: called now and then.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    model.encoder.set_dropout(dropout)
    model.train()
    clock = Clock(budget, warmup=0.05, decay=decay)
    learner = Learner(model, clock, learn_rate=learn_rate, fast=[model.heads], averages=averages)
    shown: List[Tensor] = []
    n_epochs, judged = 0, 0.0
    while clock.share < 1:
        for batch in draw_epoch(rng):
            loss, to_show = losses_of(batch)
            learner.step(loss)
            shown.append(to_show.detach())
            if clock.share >= 1:
                break
        n_epochs += 1
        if len(shown) > 200 or clock.share >= 1:
            mean, rate = torch.stack(shown).mean(), clock.n_steps / clock.seconds
            print(f"  {clock.share:4.0%} epoch {n_epochs} loss {mean:.4f} {rate:.1f} steps/s", flush=True)
            shown = []
            if judge and clock.share < 1 and clock.share - judged > 0.15:
                judged = clock.share
                judge()
                model.train()
    learner.use_averages()
    model.encoder.set_dropout(0.0)
