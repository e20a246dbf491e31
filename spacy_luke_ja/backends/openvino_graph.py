"""A network of models/roberta.py in, the same as a graph of OpenVINO's operations out."""

from typing import Any, Sequence

import numpy as np
import openvino.opset13 as ops
from openvino import Model, PartialShape, Type
from torch import Tensor

from ..models.int8 import round_rows
from ..models.roberta import JoinedClassifier, TextClassifier

# Added to the scores of what is padding.
FAR_BELOW = -1e4


def build_graph(module: JoinedClassifier, *, int8: bool) -> Model:
    """Inputs: ids (n_windows, n_subwords) int32, padded on the right; lengths (n_windows,) int32.

    int8: whether the encoder's weight matrices, its words' embeddings among them, are rounded to eight bits.
    RETURNS: of which the output is logits (n_windows, n_subwords, n_tags) float32, anything where there is padding.
    """
    ids, lengths = ops.parameter(PartialShape([-1, -1]), Type.i32), ops.parameter(PartialShape([-1]), Type.i32)
    places = count_up(ops.gather(ops.shape_of(ids, "i32"), constant(1), constant(0)))
    is_subword = ops.less(ops.unsqueeze(places, constant(0)), ops.unsqueeze(lengths, constant(1)))
    mask = ops.select(is_subword, constant(0.0), constant(FAR_BELOW))
    mask = ops.unsqueeze(mask, constant([1, 2]))  # (n_windows, heads, queries, keys)
    hidden = embed(module.base_model.embeddings, ids, places, int8=int8)
    for layer in module.base_model.encoder.layer:  # type: ignore[union-attr]
        hidden = add_layer(layer, hidden, mask, int8=int8)
    if isinstance(module, TextClassifier):
        hidden = ops.tanh(linear(hidden, module.dense.weight, module.dense.bias, int8=False))
    last = module.last_layer
    return Model([linear(hidden, last.weight, last.bias, int8=False)], [ids, lengths], "classifier")


def embed(embeddings: Any, ids: Any, places: Any, *, int8: bool) -> Any:
    positions = to_numpy(embeddings.position_embeddings.weight)[embeddings.first_position :]
    at_places = constant(positions + to_numpy(embeddings.token_type_embeddings.weight)[0])
    matrix = embeddings.word_embeddings.weight
    if int8:
        rounded, scales = (ops.gather(constant(part.numpy()), ids, constant(0)) for part in round_rows(matrix))
        words = ops.multiply(ops.convert(rounded, "f32"), scales)
    else:
        words = ops.gather(constant(to_numpy(matrix)), ids, constant(0))
    return normalize(ops.add(words, ops.gather(at_places, places, constant(0))), embeddings.LayerNorm)


def add_layer(layer: Any, hidden: Any, mask: Any, *, int8: bool) -> Any:
    attention, output = layer.attention["self"], layer.attention["output"]
    width = output.dense.out_features
    joined = linear(hidden, attention.weight, attention.bias, int8=int8)
    heads = reshape(joined, (0, 0, 3, attention.n_heads, width // attention.n_heads))
    parts = ops.split(ops.transpose(heads, constant([2, 0, 3, 1, 4])), constant(0), 3)
    query, key, value = (ops.squeeze(part, constant(0)) for part in parts.outputs())
    attended = ops.scaled_dot_product_attention(query, key, value, mask)
    attended = reshape(ops.transpose(attended, constant([0, 2, 1, 3])), (0, 0, width))
    hidden = add_output(output, attended, hidden, int8=int8)
    dense = layer.intermediate["dense"]
    inner = ops.gelu(linear(hidden, dense.weight, dense.bias, int8=int8), "erf")
    return add_output(layer.output, inner, hidden, int8=int8)


def add_output(output: Any, hidden: Any, residual: Any, *, int8: bool) -> Any:
    dense = output.dense
    return normalize(ops.add(residual, linear(hidden, dense.weight, dense.bias, int8=int8)), output.LayerNorm)


def linear(hidden: Any, weight: Tensor, bias: Tensor, *, int8: bool) -> Any:
    matrix = constant(to_numpy(weight))
    if int8:
        rounded, scales = round_rows(weight)
        matrix = ops.multiply(ops.convert(constant(rounded.numpy()), "f32"), constant(scales.numpy()))
    return ops.add(ops.matmul(hidden, matrix, False, True), constant(to_numpy(bias)))


def normalize(hidden: Any, norm: Any) -> Any:
    centred = ops.mvn(hidden, constant([-1]), True, norm.eps, "inside_sqrt")
    return ops.add(ops.multiply(centred, constant(to_numpy(norm.weight))), constant(to_numpy(norm.bias)))


def reshape(node: Any, shape: Sequence[int]) -> Any:
    """0 keeps a side as it is."""
    return ops.reshape(node, constant(shape), True)


def count_up(n: Any) -> Any:
    return ops.range(constant(0), n, constant(1), "i32")


def constant(value: Any) -> Any:
    array = np.asarray(value)
    if array.dtype == np.int64:
        array = array.astype("int32")
    return ops.constant(array.astype("float32") if array.dtype == np.float64 else array)


def to_numpy(tensor: Tensor) -> np.ndarray:
    return tensor.detach().float().numpy()
