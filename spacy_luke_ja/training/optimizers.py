"""Gradients in, steps out: AdamW (spacy-luke-ja.AdamW.v1, for [training.optimizer])."""

from typing import Any, Tuple

from thinc.optimizers import FloatOrSeq, Optimizer
from thinc.types import FloatsXd


class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101) on matrices alone.

    Biases and the weights of normalisation, which are vectors, are not pulled to zero.
    """

    def __call__(
        self, key: Tuple[int, str], weights: FloatsXd, gradient: FloatsXd, *, lr_scale: float = 1.0
    ) -> Tuple[FloatsXd, FloatsXd]:
        if self.averages is not None and key not in self.averages:
            self.averages[key] = weights.copy()  # thinc begins with zeros, and is off for the first steps
        weight_decay = self.L2
        if weights.ndim < 2:
            self.L2 = 0.0
        try:
            return super().__call__(key, weights, gradient, lr_scale=lr_scale)
        finally:
            self.L2 = weight_decay


def create_adamw(
    learn_rate: FloatOrSeq,
    *,
    beta1: FloatOrSeq = 0.9,
    beta2: FloatOrSeq = 0.999,
    eps: FloatOrSeq = 1e-8,
    weight_decay: FloatOrSeq = 0.01,
    grad_clip: FloatOrSeq = 1.0,
    use_averages: bool = False,
) -> Any:
    """
    learn_rate: the step size, a number or a schedule such as warmup_linear.v1.
    weight_decay: the share of a weight that a step takes away, times the learning rate.
    grad_clip: the largest norm of the gradient of all weights of a luke_ner together; in other components, of each
        weight by itself, as thinc does it.
    use_averages: evaluate and save running averages of the weights.
    """
    return AdamW(
        learn_rate,
        L2=weight_decay,
        beta1=beta1,
        beta2=beta2,
        eps=eps,
        grad_clip=grad_clip,
        use_averages=use_averages,
        L2_is_weight_decay=True,
    )
