"""The language and translation models of chapters 8, 9 and 10."""

import math

import torch
from torch import nn
from torch.nn import functional as F


class RnnScratch(nn.Module):
    """One layer of tanh units from tensors and autograd."""

    gates = 1

    def __init__(self, vocabulary, hidden):
        super().__init__()

        def normal(*shape):
            return nn.Parameter(torch.randn(shape) * 0.01)

        self.vocabulary, self.hidden = vocabulary, hidden
        self.w_x = nn.ParameterList(normal(vocabulary, hidden) for _ in range(self.gates))
        self.w_h = nn.ParameterList(normal(hidden, hidden) for _ in range(self.gates))
        self.b = nn.ParameterList(nn.Parameter(torch.zeros(hidden)) for _ in range(self.gates))
        self.w_q = normal(hidden, vocabulary)
        self.b_q = nn.Parameter(torch.zeros(vocabulary))

    def begin_state(self, batch):
        return (torch.zeros(batch, self.hidden),)

    def step(self, x, state, w_x, w_h, b):
        (h,) = state
        return (torch.tanh(torch.mm(x, w_x[0]) + torch.mm(h, w_h[0]) + b[0]),)

    def forward(self, tokens, state):
        inputs = F.one_hot(tokens.T, self.vocabulary).float()
        w_x, w_h, b = list(self.w_x), list(self.w_h), list(self.b)
        outputs = []
        for x in inputs:
            state = self.step(x, state, w_x, w_h, b)
            outputs.append(torch.mm(state[0], self.w_q) + self.b_q)
        return torch.cat(outputs, dim=0), state


class GruScratch(RnnScratch):
    """One layer of gated recurrent units."""

    gates = 3

    def step(self, x, state, w_x, w_h, b):
        (h,) = state
        z = torch.sigmoid((x @ w_x[0]) + (h @ w_h[0]) + b[0])
        r = torch.sigmoid((x @ w_x[1]) + (h @ w_h[1]) + b[1])
        candidate = torch.tanh((x @ w_x[2]) + ((r * h) @ w_h[2]) + b[2])
        return (z * h + (1 - z) * candidate,)


class LstmScratch(RnnScratch):
    """One layer of long short-term memory."""

    gates = 4

    def begin_state(self, batch):
        return torch.zeros(batch, self.hidden), torch.zeros(batch, self.hidden)

    def step(self, x, state, w_x, w_h, b):
        h, c = state
        i = torch.sigmoid((x @ w_x[0]) + (h @ w_h[0]) + b[0])
        f = torch.sigmoid((x @ w_x[1]) + (h @ w_h[1]) + b[1])
        o = torch.sigmoid((x @ w_x[2]) + (h @ w_h[2]) + b[2])
        candidate = torch.tanh((x @ w_x[3]) + (h @ w_h[3]) + b[3])
        c = f * c + i * candidate
        return o * torch.tanh(c), c


class RecurrentLanguageModel(nn.Module):
    """One-hot tokens, a recurrent layer, a linear layer."""

    def __init__(self, layer, vocabulary):
        super().__init__()
        self.layer, self.vocabulary = layer, vocabulary
        self.output = nn.Linear(layer.hidden_size, vocabulary)

    def begin_state(self, batch):
        h = torch.zeros(1, batch, self.layer.hidden_size)
        return (h, torch.zeros_like(h)) if isinstance(self.layer, nn.LSTM) else (h,)

    def forward(self, tokens, state):
        inputs = F.one_hot(tokens.T, self.vocabulary).float()
        lstm = isinstance(self.layer, nn.LSTM)
        outputs, state = self.layer(inputs, state if lstm else state[0])
        return self.output(outputs.reshape(-1, outputs.shape[-1])), state if lstm else (state,)


class Seq2SeqEncoder(nn.Module):
    def __init__(self, vocabulary, embed, hidden, layers, dropout):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embed)
        self.rnn = nn.GRU(embed, hidden, layers, dropout=dropout)

    def forward(self, tokens, valid_lens):
        return self.rnn(self.embedding(tokens).permute(1, 0, 2))


class Seq2SeqDecoder(nn.Module):
    def __init__(self, vocabulary, embed, hidden, layers, dropout):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embed)
        self.rnn = nn.GRU(embed + hidden, hidden, layers, dropout=dropout)
        self.output = nn.Linear(hidden, vocabulary)

    def init_state(self, encoded, valid_lens):
        return encoded[1]

    def forward(self, tokens, state):
        x = self.embedding(tokens).permute(1, 0, 2)
        context = state[-1].repeat(x.shape[0], 1, 1)
        outputs, state = self.rnn(torch.cat((x, context), 2), state)
        return self.output(outputs).permute(1, 0, 2)


class EncoderDecoder(nn.Module):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, source, target, source_lens):
        encoded = self.encoder(source, source_lens)
        return self.decoder(target, self.decoder.init_state(encoded, source_lens))


def sequence_mask(x, valid_lens, value):
    mask = torch.arange(x.size(1), device=x.device)[None, :] < valid_lens[:, None]
    x[~mask] = value
    return x


def masked_cross_entropy(logits, labels, valid_lens):
    weights = sequence_mask(torch.ones(labels.shape), valid_lens, 0)
    losses = F.cross_entropy(logits.permute(0, 2, 1), labels, reduction="none")
    return (losses * weights).mean(dim=1)


def masked_softmax(scores, valid_lens):
    """Softmax over the last axis of (batch, queries, keys); lengths (batch) or (batch, queries)."""
    shape = scores.shape
    valid_lens = valid_lens.repeat_interleave(shape[1]) if valid_lens.dim() == 1 else valid_lens.reshape(-1)
    scores = sequence_mask(scores.reshape(-1, shape[-1]), valid_lens, -1e6)
    return F.softmax(scores.reshape(shape), dim=-1)


class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, hidden, dropout):
        super().__init__()
        self.w_q = nn.Linear(query_size, hidden, bias=False)
        self.w_k = nn.Linear(key_size, hidden, bias=False)
        self.w_v = nn.Linear(hidden, 1, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries, keys, values, valid_lens):
        queries, keys = self.w_q(queries), self.w_k(keys)
        features = torch.tanh(queries.unsqueeze(2) + keys.unsqueeze(1))
        weights = masked_softmax(self.w_v(features).squeeze(-1), valid_lens)
        return torch.bmm(self.dropout(weights), values)


class AttentionDecoder(nn.Module):
    def __init__(self, vocabulary, embed, hidden, layers, dropout):
        super().__init__()
        self.attention = AdditiveAttention(hidden, hidden, hidden, dropout)
        self.embedding = nn.Embedding(vocabulary, embed)
        self.rnn = nn.GRU(embed + hidden, hidden, layers, dropout=dropout)
        self.output = nn.Linear(hidden, vocabulary)

    def init_state(self, encoded, valid_lens):
        outputs, hidden = encoded
        return outputs.permute(1, 0, 2), hidden, valid_lens

    def forward(self, tokens, state):
        source, hidden, valid_lens = state
        outputs = []
        for x in self.embedding(tokens).permute(1, 0, 2):
            context = self.attention(hidden[-1].unsqueeze(1), source, source, valid_lens)
            x = torch.cat((context, x.unsqueeze(1)), dim=-1)
            output, hidden = self.rnn(x.permute(1, 0, 2), hidden)
            outputs.append(output)
        return self.output(torch.cat(outputs, dim=0)).permute(1, 0, 2)


class MultiHeadAttention(nn.Module):
    def __init__(self, hidden, heads, dropout, bias=False):
        super().__init__()
        self.heads = heads
        self.dropout = nn.Dropout(dropout)
        self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(hidden, hidden, bias=bias) for _ in range(4))

    def split(self, x):
        x = x.reshape(x.shape[0], x.shape[1], self.heads, -1).permute(0, 2, 1, 3)
        return x.reshape(-1, x.shape[2], x.shape[3])

    def forward(self, queries, keys, values, valid_lens):
        queries, keys, values = self.split(self.w_q(queries)), self.split(self.w_k(keys)), self.split(self.w_v(values))
        valid_lens = torch.repeat_interleave(valid_lens, self.heads, dim=0)
        scores = torch.bmm(queries, keys.transpose(1, 2)) / math.sqrt(queries.shape[-1])
        output = torch.bmm(self.dropout(masked_softmax(scores, valid_lens)), values)
        output = output.reshape(-1, self.heads, output.shape[1], output.shape[2]).permute(0, 2, 1, 3)
        return self.w_o(output.reshape(output.shape[0], output.shape[1], -1))


class PositionalEncoding(nn.Module):
    def __init__(self, hidden, dropout, max_len=1000):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.table = torch.zeros(1, max_len, hidden)
        positions = torch.arange(max_len, dtype=torch.float32).reshape(-1, 1)
        angles = positions / torch.pow(10000, torch.arange(0, hidden, 2, dtype=torch.float32) / hidden)
        self.table[:, :, 0::2] = torch.sin(angles)
        self.table[:, :, 1::2] = torch.cos(angles)

    def forward(self, x):
        return self.dropout(x + self.table[:, : x.shape[1], :])


class FeedForward(nn.Module):
    def __init__(self, hidden, inner):
        super().__init__()
        self.inner, self.outer = nn.Linear(hidden, inner), nn.Linear(inner, hidden)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.outer(self.relu(self.inner(x)))


class AddNorm(nn.Module):
    def __init__(self, hidden, dropout):
        super().__init__()
        self.dropout, self.norm = nn.Dropout(dropout), nn.LayerNorm(hidden)

    def forward(self, x, y):
        return self.norm(self.dropout(y) + x)


class EncoderBlock(nn.Module):
    def __init__(self, hidden, inner, heads, dropout, bias=False):
        super().__init__()
        self.attention = MultiHeadAttention(hidden, heads, dropout, bias)
        self.norm1 = AddNorm(hidden, dropout)
        self.feed_forward = FeedForward(hidden, inner)
        self.norm2 = AddNorm(hidden, dropout)

    def forward(self, x, valid_lens):
        x = self.norm1(x, self.attention(x, x, x, valid_lens))
        return self.norm2(x, self.feed_forward(x))


class TransformerEncoder(nn.Module):
    def __init__(self, vocabulary, hidden, inner, heads, layers, dropout):
        super().__init__()
        self.hidden = hidden
        self.embedding = nn.Embedding(vocabulary, hidden)
        self.positions = PositionalEncoding(hidden, dropout)
        self.blocks = nn.ModuleList(EncoderBlock(hidden, inner, heads, dropout) for _ in range(layers))

    def forward(self, tokens, valid_lens):
        x = self.positions(self.embedding(tokens) * math.sqrt(self.hidden))
        for block in self.blocks:
            x = block(x, valid_lens)
        return x


class DecoderBlock(nn.Module):
    def __init__(self, hidden, inner, heads, dropout):
        super().__init__()
        self.self_attention = MultiHeadAttention(hidden, heads, dropout)
        self.norm1 = AddNorm(hidden, dropout)
        self.source_attention = MultiHeadAttention(hidden, heads, dropout)
        self.norm2 = AddNorm(hidden, dropout)
        self.feed_forward = FeedForward(hidden, inner)
        self.norm3 = AddNorm(hidden, dropout)

    def forward(self, x, encoded, source_lens):
        batch, steps, _ = x.shape
        lens = torch.arange(1, steps + 1).repeat(batch, 1)
        x = self.norm1(x, self.self_attention(x, x, x, lens))
        x = self.norm2(x, self.source_attention(x, encoded, encoded, source_lens))
        return self.norm3(x, self.feed_forward(x))


class TransformerDecoder(nn.Module):
    def __init__(self, vocabulary, hidden, inner, heads, layers, dropout):
        super().__init__()
        self.hidden = hidden
        self.embedding = nn.Embedding(vocabulary, hidden)
        self.positions = PositionalEncoding(hidden, dropout)
        self.blocks = nn.ModuleList(DecoderBlock(hidden, inner, heads, dropout) for _ in range(layers))
        self.output = nn.Linear(hidden, vocabulary)

    def init_state(self, encoded, valid_lens):
        return encoded, valid_lens

    def forward(self, tokens, state):
        x = self.positions(self.embedding(tokens) * math.sqrt(self.hidden))
        for block in self.blocks:
            x = block(x, *state)
        return self.output(x)
