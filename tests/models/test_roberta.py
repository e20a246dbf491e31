"""The network without padding computes what the classes of transformers compute."""

import copy
from types import SimpleNamespace

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

import toys
from spacy_luke_ja.models import attention, roberta
from spacy_luke_ja.models.attention import Run, find_runs
from spacy_luke_ja.models.roberta import (
    BLOCK_ROWS,
    Classifier,
    Dropout,
    can_build,
    find_blocks,
    round_up,
)

LENGTHS = [20, 13, 13, 2, 1, 20]
SIZES = {"vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4,
         "intermediate_size": 48, "max_position_embeddings": 34, "num_labels": 5}  # fmt: skip
CONFIGS = {
    "xlm-roberta": transformers.XLMRobertaConfig(**SIZES, type_vocab_size=1, layer_norm_eps=1e-5),
    "roberta": transformers.RobertaConfig(**SIZES, pad_token_id=3),
    "camembert": transformers.CamembertConfig(**SIZES),
    "bert": transformers.BertConfig(**SIZES, layer_norm_eps=1e-3),
}


@pytest.fixture(scope="module", params=CONFIGS)
def pair(request):
    """The class of transformers with spread-out weights, and ours with the same."""
    torch.manual_seed(0)
    config = CONFIGS[request.param]
    theirs = transformers.AutoModelForTokenClassification.from_config(config).eval()
    toys.spread_out(theirs, std=0.3)
    ours = Classifier(config.to_dict(), 5).eval()
    ours.load_state_dict({name: tensor for name, tensor in theirs.state_dict().items() if "position_ids" not in name})
    return theirs, ours


def joined_and_padded(pad_id):
    is_subword = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    ids = torch.randint(4, 60, is_subword.shape, generator=torch.Generator().manual_seed(1))
    return ids[is_subword], {"input_ids": ids.masked_fill(~is_subword, pad_id), "attention_mask": is_subword.long()}


def test_logits(pair):
    theirs, ours = pair
    ids, padded = joined_and_padded(theirs.config.pad_token_id)
    expected = theirs(**padded).logits[padded["attention_mask"].bool()]
    assert float(expected.detach().std()) > 0.1
    torch.testing.assert_close(ours(ids, LENGTHS), expected, atol=1e-5, rtol=1e-5)  # by plain products
    with torch.no_grad():
        torch.testing.assert_close(ours(ids, LENGTHS), expected, atol=1e-5, rtol=1e-5)  # by PyTorch's kernel


@pytest.mark.parametrize(
    "dtype, length, amx, plain",
    [
        (torch.bfloat16, 128, False, True),
        (torch.bfloat16, 40, False, False),
        (torch.bfloat16, 128, True, False),
        (torch.float32, 128, False, False),
    ],
)
def test_the_kernel_of_attention(monkeypatch, dtype, length, amx, plain):
    monkeypatch.setattr(attention, "has_amx", lambda: amx)
    assert roberta.is_plain_quicker(torch.zeros(1, 2, length, 8, dtype=dtype)) == plain


def test_both_kernels_of_attention_agree():
    query, key, value = torch.randn(3, 2, 4, 128, 16, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value)
    torch.testing.assert_close(roberta.plain_attention(query, key, value), expected, atol=1e-5, rtol=1e-5)


def test_blocks_change_nothing(pair, monkeypatch):
    _, ours = pair
    ids, _ = joined_and_padded(1)
    expected = ours(ids, LENGTHS)
    for n_rows in (1, 16, 40):
        monkeypatch.setattr(roberta, "BLOCK_ROWS", n_rows)
        torch.testing.assert_close(ours(ids, LENGTHS), expected, atol=1e-5, rtol=1e-5)


def by_edges(query, key, value, edges, key_edges, longest, longest_key):
    """What varlen_attn computes on CUDA: (n, n_heads, width of a head) each, windows from edge to edge."""
    assert edges is key_edges and edges.dtype == torch.int32 and longest == longest_key == edges.diff().max()
    bounds = edges.tolist()
    attended = [
        torch.nn.functional.scaled_dot_product_attention(*(part[a:b].transpose(0, 1) for part in (query, key, value)))
        for a, b in zip(bounds, bounds[1:])
    ]
    return torch.cat([own.transpose(0, 1) for own in attended])


def test_one_call_for_all_windows(pair, monkeypatch):
    theirs, ours = pair
    ids, padded = joined_and_padded(theirs.config.pad_token_id)
    expected = theirs(**padded).logits[padded["attention_mask"].bool()]
    monkeypatch.setattr(roberta, "can_attend_at_once", lambda joined, n_heads: True)
    monkeypatch.setattr(attention, "varlen_attention", lambda: by_edges)
    monkeypatch.setattr(roberta, "round_up", lambda n_rows: n_rows)  # on a GPU, no rows are added
    torch.testing.assert_close(ours(ids, LENGTHS), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, True),
        ({"dtype": torch.float16}, True),
        ({"dtype": torch.float32}, False),
        ({"is_cuda": False}, False),
        ({"shape": (5, 3 * 4 * 12)}, False),  # heads of 12
        ({"shape": (5, 3 * 4 * 264)}, False),
        ({"capability": (7, 5)}, False),
        ({"hip": "6.2"}, False),
        ({"is_built": False}, False),
        ({"kernel": None}, False),
    ],
)
def test_where_there_is_one_call_for_all_windows(changes, expected, monkeypatch):
    case = {"is_cuda": True, "dtype": torch.bfloat16, "shape": (5, 3 * 4 * 32), "device": torch.device("cuda", 0),
            "capability": (8, 0), "hip": None, "is_built": True, "kernel": by_edges, **changes}  # fmt: skip
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: case["capability"])
    monkeypatch.setattr(torch.backends.cuda, "is_flash_attention_available", lambda: case["is_built"], raising=False)
    monkeypatch.setattr(torch.version, "hip", case["hip"])
    monkeypatch.setattr(attention, "varlen_attention", lambda: case["kernel"])
    attention.has_flash_attention.cache_clear()
    assert attention.can_attend_at_once(SimpleNamespace(**case), 4) is expected
    attention.has_flash_attention.cache_clear()


@given(st.lists(st.integers(1, 512), min_size=1), st.integers(1, 2000))
def test_a_block_is_whole_windows(lengths, max_rows):
    blocks = find_blocks(lengths, max_rows)
    assert [length for block in blocks for length in block] == lengths
    assert all(block and (sum(block) <= max_rows or len(block) == 1) for block in blocks)
    assert all(sum(a) + b[0] > max_rows for a, b in zip(blocks, blocks[1:]))


def test_blocks_have_few_sizes():
    sizes = [round_up(n) for n in range(1, BLOCK_ROWS + 1)]
    assert all(n <= size for n, size in enumerate(sizes, start=1)) and sizes[-1] == BLOCK_ROWS
    assert len(set(sizes)) < 32


def test_gradients(pair):
    theirs, ours = pair
    ids, padded = joined_and_padded(theirs.config.pad_token_id)
    weights = torch.randn(len(ids), 5, generator=torch.Generator().manual_seed(3))
    (theirs(**padded).logits[padded["attention_mask"].bool()] * weights).sum().backward()
    (ours(ids, LENGTHS) * weights).sum().backward()
    expected = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    for name, parameter in ours.named_parameters():
        own = parameter.grad
        whole = expected.get(name)
        if whole is None:  # query, key and value are one
            parent, kind = name.rsplit(".", 1)
            whole = torch.cat([expected[f"{parent}.{part}.{kind}"] for part in ("query", "key", "value")])
        torch.testing.assert_close(own, whole, atol=1e-4, rtol=1e-3)
    theirs.zero_grad(), ours.zero_grad()


def test_state_dicts_have_the_names_and_weights_of_transformers(pair):
    theirs, ours = pair
    expected = {name: tensor for name, tensor in theirs.state_dict().items() if "position_ids" not in name}
    found = ours.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


def test_a_state_dict_that_does_not_fit():
    ours = Classifier(CONFIGS["xlm-roberta"].to_dict(), 5)
    state = ours.state_dict()
    name = "roberta.encoder.layer.0.attention.self.key.weight"
    with pytest.raises(RuntimeError, match=f'Missing key.*"{name}"'):
        ours.load_state_dict({key: tensor for key, tensor in state.items() if key != name})
    with pytest.raises(RuntimeError, match=r"the shape of weight should be \(96, 32\), got \(96, 31\)"):
        ours.load_state_dict({key: t[:, :31] if "self" in key and t.ndim == 2 else t for key, t in state.items()})


def test_dropout_is_for_training_alone(pair):
    _, ours = pair
    ids, _ = joined_and_padded(1)
    with torch.no_grad():
        plain = ours.eval()(ids, LENGTHS)
        assert torch.equal(plain, ours(ids, LENGTHS))
        assert not torch.equal(plain, ours.train()(ids, LENGTHS))
    ours.eval()


def test_windows_do_not_see_one_another(pair):
    _, ours = pair
    ids, _ = joined_and_padded(1)
    changed = ids.clone()
    changed[: LENGTHS[0]] = 7
    with torch.no_grad():
        before, after = ours(ids, LENGTHS), ours(changed, LENGTHS)
    torch.testing.assert_close(before[LENGTHS[0] :], after[LENGTHS[0] :], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(before[: LENGTHS[0]], after[: LENGTHS[0]])


@pytest.mark.parametrize("lengths", [[], [5], [5, 5, 3, 5], [1, 2, 3]])
def test_runs_cover_the_windows(lengths):
    runs = find_runs(lengths)
    assert [run.length for run in runs for _ in range(run.n_windows)] == lengths
    ends = [run.first_row + run.n_windows * run.length for run in runs]
    assert [run.first_row for run in runs] == [0, *ends][: len(runs)] and ends[-1:] == [sum(lengths)][: len(runs)]
    assert all(a.length != b.length for a, b in zip(runs, runs[1:]))
    assert find_runs([4, 4, 2]) == [Run(0, 2, 4), Run(8, 1, 2)]


@pytest.mark.parametrize("config, is_possible", [
    ({"model_type": "xlm-roberta"}, True), ({"model_type": "mluke"}, True), ({"model_type": "deberta-v2"}, False), ({}, False),
    ({"model_type": "bert", "position_embedding_type": "relative_key"}, False),
    ({"model_type": "bert", "hidden_act": "relu"}, False), ({"model_type": "roberta", "is_decoder": True}, False),
])  # fmt: skip
def test_what_can_be_built(config, is_possible):
    assert can_build(config) == is_possible


def test_bfloat16_stays_near(pair):
    _, ours = pair
    ids, _ = joined_and_padded(1)
    with torch.no_grad():
        expected = ours(ids, LENGTHS)
        found = copy.deepcopy(ours).bfloat16()(ids, LENGTHS)
    assert found.dtype == torch.bfloat16
    assert 0 < float((found.float() - expected).abs().mean()) < 0.05 * float(expected.std())


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(1000, 101), (3,)])
def test_dropout_keeps_the_share_and_the_mean(p, shape):
    torch.manual_seed(0)
    dropped = Dropout(p).train()(torch.ones(shape, requires_grad=True))
    if p < 1.0:
        kept = dropped[dropped > 0]
        torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - p)))
    if len(shape) == 2:
        share = float((dropped == 0).float().mean())
        assert abs(share - p) < 0.005
        # Neighbours are drawn from the same bits, and yet by themselves.
        assert abs(float(((dropped[:, 1:] == 0) & (dropped[:, :-1] == 0)).float().mean()) - p * p) < 0.005
    assert torch.equal(Dropout(p).eval()(torch.ones(shape)), torch.ones(shape))


def test_the_gradient_of_dropout_goes_where_the_values_went():
    torch.manual_seed(0)
    values = torch.randn(40, 7, requires_grad=True)
    dropped = Dropout(0.3).train()(values)
    dropped.sum().backward()
    torch.testing.assert_close(values.grad * values, dropped)
