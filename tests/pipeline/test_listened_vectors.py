"""Vectors of tokens spread over their parts, and gradients of parts summed."""

import numpy as np
import pytest

from spacy_luke_ja.pipeline.listeners import spread, summed_before


def test_a_gradient_of_the_parts_is_the_tokens():
    vectors, origin = np.arange(6, dtype="float32").reshape(3, 2), np.array([0, 1, 1, 2])
    assert spread(vectors, origin).tolist() == [[0, 1], [2, 3], [2, 3], [4, 5]]
    backprop = summed_before(lambda gradients: gradients, [vectors], [origin])
    (gradient,) = backprop([np.array([[1, 1], [2, 2], [3, 3], [4, 4]], dtype="float32")])
    assert gradient.tolist() == [[1, 1], [5, 5], [4, 4]]


def test_vectors_on_other_devices():
    """get_array_module's arrays alone are used: CuPy takes no list as an index."""
    cupy = pytest.importorskip("cupy", reason="needs CuPy and a GPU")
    assert spread(cupy.zeros((2, 3)), np.array([0, 0, 1])).shape == (3, 3)
