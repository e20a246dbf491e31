"""LUKE's encoder without padding: windows in, each with its entities behind its words, hidden states or logits out.

It is the network of roberta.py. An entity is a row more: what its own table has for it, the mean of the positions of
its mention's subwords, a type, normalised. With entity-aware attention, words and entities ask words and entities by
four queries. The tensors have the names that transformers' LukeModel gives them.
"""

from typing import Any, Iterator, Mapping, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

from .attention import Run, Runs, find_runs, softmax_of_scores
from .roberta import Classifier, Dropout, Embedding, Encoder, LayerNorm, Linear, SelfAttention, new_linear

# What transformers takes where a config.json says nothing.
DEFAULTS = {"entity_vocab_size": 500000, "entity_emb_size": 256, "use_entity_aware_attention": True}

# Of the table of entity embeddings, so many are cast at a time where they are not stored as float32.
PART_ROWS = 2**16


class Entities(NamedTuple):
    """The entities of windows joined end to end; their ids stand behind the words of their window.

    counts: of each window.
    mentions: of each entity, the first subword of its mention and the one behind its last, counted in its window with
        the special ones; at least one.
    """

    counts: Sequence[int]
    mentions: Sequence[Tuple[int, int]]


class EntityEmbeddings(nn.Module):
    def __init__(self, config: Mapping[str, Any]):
        super().__init__()
        width, own_width = config["hidden_size"], config["entity_emb_size"]
        self.entity_embeddings = Embedding(config["entity_vocab_size"], own_width)
        if own_width != width:
            self.entity_embedding_dense = Linear(own_width, width, bias=False)
        self.position_embeddings = Embedding(config["max_position_embeddings"], width)
        self.token_type_embeddings = Embedding(config["type_vocab_size"], width)
        self.LayerNorm = LayerNorm(width, eps=config["layer_norm_eps"])
        self.dropout = Dropout(config["hidden_dropout_prob"])

    def forward(self, ids: Tensor, mentions: Sequence[Tuple[int, int]]) -> Tensor:
        """(n_entities,) → (n_entities, width). Here positions count from 0, unlike words' own."""
        embedded = self.entity_embeddings(ids).to(self.LayerNorm.weight.dtype)  # the table stays as it is stored
        if hasattr(self, "entity_embedding_dense"):
            embedded = self.entity_embedding_dense(embedded)
        counts = torch.tensor([end - start for start, end in mentions], device=ids.device)
        owners = torch.arange(len(mentions), device=ids.device).repeat_interleave(counts)
        positions = torch.cat([torch.arange(start, end) for start, end in mentions]).to(ids.device)
        rows = self.position_embeddings(positions)
        sums = rows.new_zeros(len(mentions), rows.shape[1]).index_add(0, owners, rows)
        means = sums / counts[:, None].to(sums.dtype)
        return self.dropout(self.LayerNorm(embedded + means + self.token_type_embeddings.weight[0]))


class EntityAwareAttention(SelfAttention):
    """As SelfAttention where there are no entities; its query is that of words for words."""

    def __init__(self, config: Mapping[str, Any]):
        super().__init__(config)
        width = config["hidden_size"]
        self.w2e_query, self.e2w_query, self.e2e_query = (Linear(width, width) for _ in range(3))

    def forward(self, hidden: Tensor, runs: Runs) -> Tensor:
        if not any(run.n_entities for run in runs):
            return super().forward(hidden, runs)
        width = hidden.shape[1]
        joined = nn.functional.linear(hidden, self.weight, self.bias)
        words_for_entities = self.w2e_query(hidden)
        _, entity_rows = split_rows(runs, hidden.device)
        entities = hidden[entity_rows]
        entities_for_words, entities_for_entities = self.e2w_query(entities), self.e2e_query(entities)
        attended, n_before = [], 0
        for run in runs:
            rows = slice(run.first_row, run.first_row + run.n_windows * run.length)
            own = slice(n_before, n_before + run.n_windows * run.n_entities)
            n_before = own.stop
            query, key, value = (self._by_head(part, run.n_windows) for part in joined[rows].chunk(3, dim=1))
            n_words = run.length - run.n_entities
            w2e = self._by_head(words_for_entities[rows], run.n_windows)
            e2w, e2e = (self._by_head(part[own], run.n_windows) for part in (entities_for_words, entities_for_entities))
            for_words = torch.cat([query[:, :, :n_words], e2w], dim=2) @ key[:, :, :n_words].transpose(-1, -2)
            for_entities = torch.cat([w2e[:, :, :n_words], e2e], dim=2) @ key[:, :, n_words:].transpose(-1, -2)
            scores = torch.cat([for_words, for_entities], dim=3)
            found = softmax_of_scores(scores, value, self.dropout)
            attended.append(found.transpose(1, 2).reshape(-1, width))
        n_rows = sum(map(len, attended))
        return torch.cat([*attended, hidden.new_zeros(len(hidden) - n_rows, width).to(attended[0].dtype)])

    def _by_head(self, rows: Tensor, n_windows: int) -> Tensor:
        """(n_windows × length, width) → (n_windows, n_heads, length, width of a head)."""
        length = len(rows) // n_windows
        return rows.reshape(n_windows, length, self.n_heads, rows.shape[1] // self.n_heads).transpose(1, 2)


class LukeEncoder(Encoder):
    def __init__(self, config: Mapping[str, Any]):
        """config: the content of a LUKE's config.json that roberta.can_build takes."""
        config = {**DEFAULTS, **config}
        super().__init__(config)
        self.base_model_prefix = "luke"
        whole = vars(self.config)
        self.entity_embeddings = EntityEmbeddings(whole)
        if config["use_entity_aware_attention"]:
            for layer in self.encoder.layer:  # type: ignore[union-attr]
                layer.attention["self"] = EntityAwareAttention(whole)

    def forward(
        self,
        ids: Tensor,
        lengths: Sequence[int],
        type_ids: Optional[Tensor] = None,
        entities: Optional[Entities] = None,
    ) -> Tensor:
        """
        ids: (n,) windows joined end to end: the ids of each one's words, then of its entities.
        lengths: of the windows, entities counted.
        type_ids: for encoders that are told; only without entities.
        RETURNS: (n, width).
        """
        return self.in_blocks(ids, lengths, type_ids, lambda hidden: hidden, entities)

    def embed_blocks(
        self,
        ids: Tensor,
        blocks: Sequence[Sequence[int]],
        type_ids: Optional[Tensor],
        entities: Optional[Entities] = None,
    ) -> Iterator[Tuple[Runs, Tensor]]:
        if entities is None or not any(entities.counts):
            yield from super().embed_blocks(ids, blocks, type_ids)
            return
        n_windows = n_rows = n_entities = 0
        for block in blocks:
            counts = entities.counts[n_windows : n_windows + len(block)]
            mentions = entities.mentions[n_entities : n_entities + sum(counts)]
            own = ids[n_rows : n_rows + sum(block)]
            n_windows, n_rows, n_entities = n_windows + len(block), n_rows + len(own), n_entities + len(mentions)
            runs = find_runs(block, counts)
            yield runs, self._embed(own, runs, mentions)

    def _embed(self, ids: Tensor, runs: Sequence[Run], mentions: Sequence[Tuple[int, int]]) -> Tensor:
        word_rows, entity_rows = split_rows(runs, ids.device)
        of_words = [run._replace(length=run.length - run.n_entities) for run in runs]
        embedded = [self.embeddings(ids[word_rows], of_words, None)]
        if mentions:
            embedded.append(self.entity_embeddings(ids[entity_rows], mentions))
        return torch.cat(embedded)[torch.cat([word_rows, entity_rows]).argsort()]


class LukeClassifier(Classifier):
    """A linear layer on each row, be it of a word or of an entity."""

    encoder_class = LukeEncoder

    def draw_entities(self) -> None:
        """Give random weights to entities of an encoder that has only zeros for them, as ja_luke_sm has, which never
        read any: two such are one to it, and no gradient tells them apart."""
        embeddings: Any = self.base_model.entity_embeddings
        if not hasattr(embeddings, "entity_embedding_dense"):
            return
        parts = [embeddings.entity_embeddings, embeddings.entity_embedding_dense]
        if not any(part.weight.any() for part in parts):
            for part in parts:
                nn.init.normal_(part.weight, std=0.02)

    def forward(
        self,
        ids: Tensor,
        lengths: Sequence[int],
        type_ids: Optional[Tensor] = None,
        entities: Optional[Entities] = None,
    ) -> Tensor:
        """As LukeEncoder takes them. RETURNS: (n, n_tags)."""
        encoder: Any = self.base_model
        return encoder.in_blocks(ids, lengths, type_ids, self.classify, entities)


class EntityPredictions(nn.Module):
    """transformers' EntityPredictionHead without its decoder, which is the table of entity embeddings."""

    def __init__(self, config: Mapping[str, Any]):
        super().__init__()
        width = config["entity_emb_size"]
        norm = LayerNorm(width, eps=config["layer_norm_eps"])
        self.transform = nn.ModuleDict({"dense": Linear(config["hidden_size"], width), "LayerNorm": norm})
        self.bias = nn.Parameter(torch.empty(config["entity_vocab_size"]))

    def forward(self, hidden: Tensor) -> Tensor:
        return self.transform["LayerNorm"](nn.functional.gelu(self.transform["dense"](hidden)))


class EntityPredictor(LukeClassifier):
    """Which entity a row stands for, as LukeForMaskedLM has it.

    A row becomes a vector that is as wide as the embeddings of entities; compare gives its products with these.
    """

    def __init__(self, config: Mapping[str, Any], n_tags: int, last: str = "entity_predictions"):
        super().__init__(config, n_tags, last)
        self.add_module(last, EntityPredictions(vars(self.config)))

    @property
    def predictions(self) -> EntityPredictions:
        return self.get_submodule(self._last)  # type: ignore[return-value]

    @property
    def table(self) -> nn.Parameter:
        """(entity_vocab_size, entity_emb_size), as it is stored, and read where it is used."""
        encoder: Any = self.base_model
        return encoder.entity_embeddings.entity_embeddings.weight

    def classify(self, hidden: Tensor) -> Tensor:
        """(n, width) → (n, entity_emb_size)."""
        return self.predictions(hidden)

    def compare(self, vectors: Tensor, rows: Optional[Tensor] = None) -> Tensor:
        """
        vectors: (n, entity_emb_size) float32. rows: of the table; all when None.
        RETURNS: (n, n_rows) logits float32.
        """
        vectors = vectors.to(self.table.device)
        if rows is not None:
            rows = rows.to(self.table.device)
            return vectors @ self.table[rows].float().T + self.predictions.bias[rows].float()
        logits = vectors.new_empty(len(vectors), len(self.table))
        for start in range(0, len(self.table), PART_ROWS):
            part = slice(start, start + PART_ROWS)
            torch.matmul(vectors, self.table[part].float().T, out=logits[:, part])
        return logits.add_(self.predictions.bias.float())

    def add_gradient(self, rows: Tensor, of_table: Tensor, of_bias: Tensor) -> None:
        """Add to the gradients of these rows, each named once."""
        for weights, gradient in ((self.table, of_table), (self.predictions.bias, of_bias)):
            if weights.requires_grad:
                weights.grad = torch.zeros_like(weights) if weights.grad is None else weights.grad
                weights.grad[rows] += gradient

    def reset_missing(self, missing: Sequence[str], dtype: torch.dtype) -> None:
        for name in (name for name in missing if name.startswith(f"{self._last}.")):
            parent, _, kind = name.rpartition(".")
            part = self.get_submodule(parent)
            drawn = torch.zeros(getattr(part, kind).shape, dtype=dtype)
            if kind == "weight":
                nn.init.ones_(drawn) if isinstance(part, LayerNorm) else nn.init.normal_(drawn, std=0.02)
            setattr(part, kind, nn.Parameter(drawn))


class LukeJoiningClassifier(LukeClassifier):
    """A linear layer on several rows end to end, the two of a pair of entities, say.

    Each row of the output has what a row adds to the logits in the first place, in the second and so on, side by side:
    n_joined × n_tags. Whoever knows which rows belong together adds them up.
    """

    n_joined = 2
    has_bias = False

    def __init__(self, config: Mapping[str, Any], n_tags: int, last: str = "classifier"):
        super().__init__(config, n_tags, last)
        self.add_module(last, Linear(self.n_joined * self.config.hidden_size, n_tags, bias=self.has_bias))

    def reset_last_layer(self, dtype: torch.dtype) -> None:
        n_in = self.n_joined * self.config.hidden_size
        self.add_module(self._last, new_linear(n_in, self.num_labels, dtype, bias=self.has_bias))

    def classify(self, hidden: Tensor) -> Tensor:
        weights, bias = torch.cat(self.last_layer.weight.chunk(self.n_joined, dim=1)), None
        if self.has_bias:
            bias = nn.functional.pad(self.last_layer.bias, (0, len(weights) - self.num_labels))
        return nn.functional.linear(self.dropout(hidden), weights, bias)


class LukeSpanClassifier(LukeJoiningClassifier):
    """On the first subword of a span, its last, and the entity that stands for it."""

    n_joined = 3
    has_bias = True


# Of each task that has entities, as the names of transformers' classes have it; LukeClassifier for all others.
CLASSIFIERS = {
    "EntityPairClassification": LukeJoiningClassifier,
    "EntitySpanClassification": LukeSpanClassifier,
    "MaskedLM": EntityPredictor,
}


def split_rows(runs: Sequence[Run], device: torch.device) -> Tuple[Tensor, Tensor]:
    """RETURNS: the rows of words, and those of entities, in order."""
    words, entities = [], []
    for run in runs:
        rows = torch.arange(run.first_row, run.first_row + run.n_windows * run.length).view(run.n_windows, -1)
        words.append(rows[:, : run.length - run.n_entities].flatten())
        entities.append(rows[:, run.length - run.n_entities :].flatten())
    return torch.cat(words).to(device), torch.cat(entities).to(device)
