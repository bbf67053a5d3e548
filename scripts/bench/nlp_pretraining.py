"""The models of sections 14.4 and 14.8, which the benchmark takes too, and their trainings as the sections do them."""

import gzip
import sys
import zipfile
from collections import Counter

import torch
from torch import nn
from torch.nn import functional as F

from sequence_nets import EncoderBlock


class SkipGram(nn.Module):
    """How well words fit around a center: centers (batch) and words (batch, words) to scores (batch, words)."""

    def __init__(self, vocabulary, dimension):
        super().__init__()
        self.centers, self.contexts = nn.Embedding(vocabulary, dimension), nn.Embedding(vocabulary, dimension)
        for embedding in (self.centers, self.contexts):
            nn.init.xavier_uniform_(embedding.weight)

    def forward(self, centers, words):
        v, u = self.centers(centers).unsqueeze(1), self.contexts(words)
        return torch.bmm(v, u.transpose(1, 2)).squeeze(1)


def skip_gram_losses(scores, labels, mask):
    """The mean over the words of each center that are no padding: (batch)."""
    losses = F.binary_cross_entropy_with_logits(scores, labels, weight=mask, reduction="none")
    return losses.sum(1) / mask.sum(1)


class BertEncoder(nn.Module):
    def __init__(self, vocabulary, hidden, inner, heads, layers, dropout, max_len):
        super().__init__()
        self.token_embedding, self.segment_embedding = nn.Embedding(vocabulary, hidden), nn.Embedding(2, hidden)
        self.position_embedding = nn.Parameter(torch.randn(1, max_len, hidden))
        self.blocks = nn.ModuleList(EncoderBlock(hidden, inner, heads, dropout, bias=True) for _ in range(layers))

    def embedded(self, tokens, segments):
        x = self.token_embedding(tokens) + self.segment_embedding(segments)
        return x + self.position_embedding[:, : x.shape[1]]

    def forward(self, tokens, segments, valid_lens):
        x = self.embedded(tokens, segments)
        for block in self.blocks:
            x = block(x, valid_lens)
        return x


class MaskedLanguageModel(nn.Module):
    """Features (batch, steps, hidden) at positions (batch, predictions) to logits (batch, predictions, vocabulary)."""

    def __init__(self, vocabulary, hidden):
        super().__init__()
        self.hidden, self.norm = nn.Linear(hidden, hidden), nn.LayerNorm(hidden)
        self.output = nn.Linear(hidden, vocabulary)

    def forward(self, x, positions):
        rows = torch.arange(len(x), device=x.device).unsqueeze(1)
        return self.output(self.norm(F.relu(self.hidden(x[rows, positions]))))


class NextSentencePrediction(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.output = nn.Linear(hidden, 2)

    def forward(self, x):
        return self.output(x)


class Bert(nn.Module):
    """The encoder and both tasks; the book's position embeddings stay as they are drawn, these are trained."""

    def __init__(self, vocabulary, hidden, inner, heads, layers, dropout, max_len=1000):
        super().__init__()
        self.encoder = BertEncoder(vocabulary, hidden, inner, heads, layers, dropout, max_len)
        self.mlm = MaskedLanguageModel(vocabulary, hidden)
        self.hidden = nn.Linear(hidden, hidden)
        self.nsp = NextSentencePrediction(hidden)

    def forward(self, tokens, segments, valid_lens, positions):
        encoded = self.encoder(tokens, segments, valid_lens)
        next_sentence = self.nsp(torch.tanh(self.hidden(encoded[:, 0])))
        return encoded, self.mlm(encoded, positions), next_sentence


def bert_losses(net, tokens, segments, valid_lens, positions, weights, labels, are_next):
    """The loss of the masked language model, over the predictions that are no padding, and of the next sentences."""
    _, scores, next_sentence = net(tokens, segments, valid_lens, positions)
    losses = F.cross_entropy(scores.flatten(0, 1), labels.flatten(), reduction="none")
    return (losses * weights.flatten()).sum() / weights.sum(), F.cross_entropy(next_sentence, are_next)


# ---- what parity.py trains ----


def ids_of(tokens, min_freq, reserved=()):
    """The id of each token and the number of ids: 0 is unknown, then the reserved ones, then the most frequent."""
    import numpy as np  # not above: the benchmark does without it

    counts = Counter(tokens).most_common()
    special = ["<unk>", *reserved]
    frequent = [token for token, count in counts if count >= min_freq and token not in special]
    ids = {token: place for place, token in enumerate(special + frequent)}
    return np.array([ids.get(token, 0) for token in tokens]), len(ids)


def generator():
    """NumPy's generator with the seed that PyTorch's was given."""
    import numpy as np  # as above

    return np.random.default_rng(torch.initial_seed())


def treebank(archive, max_sentences=None):
    """The ids of the words of all sentences, or of the first ones; the number of each one's sentence; and the size of the
    vocabulary."""
    import numpy as np  # as above

    with zipfile.ZipFile(archive) as files:
        lines = files.read("ptb/ptb.train.txt").decode().split("\n")
    sentences = [line.split() for line in lines[:max_sentences]]
    ids, vocabulary = ids_of([word for sentence in sentences for word in sentence], 10)
    return ids, np.repeat(np.arange(len(sentences)), [len(sentence) for sentence in sentences]), vocabulary


def subsample(ids, sentences, rng):
    """Some of the words: the more frequent one is, the more of it is left out."""
    import numpy as np  # as above

    counts = np.bincount(ids)
    kept = rng.random(len(ids)) < np.sqrt(1e-4 * len(ids) / counts[ids])
    return ids[kept], sentences[kept]


def centers_with_words(ids, sentences, max_window, noise_words, rng):
    """Centers (n), the words of each with noise words after contexts, and how many of them are contexts (n)."""
    import numpy as np  # as above

    lengths = np.bincount(sentences)[sentences]
    ids, sentences = ids[lengths > 1], sentences[lengths > 1]
    n = len(ids)
    windows = rng.integers(1, max_window, n, endpoint=True)
    counts, contexts = np.zeros(n, dtype=int), np.full((n, 2 * max_window), -1, dtype=np.int32)
    for offset in (offset for offset in range(-max_window, max_window + 1) if offset != 0):
        at = np.arange(n)
        other = at + offset
        at = at[(other >= 0) & (other < n) & (abs(offset) <= windows)]
        at = at[sentences[at] == sentences[at + offset]]
        contexts[at, counts[at]] = ids[at + offset]
        counts[at] += 1

    # Noise words by the counts of the words that are left, each word's own, to the power of 0.75.
    chances = np.cumsum(np.bincount(ids) ** 0.75)
    words = np.full((n, 2 * max_window * (1 + noise_words)), -1, dtype=np.int32)
    wanting = np.nonzero(np.arange(words.shape[1]) < (1 + noise_words) * counts[:, None])
    while len(wanting[0]) > 0:
        noise = np.searchsorted(chances, rng.random(len(wanting[0])) * chances[-1], side="right")
        words[wanting] = noise
        is_context = np.zeros(len(noise), dtype=bool)
        for context in contexts.T:
            is_context |= noise == context[wanting[0]]
        wanting = tuple(axis[is_context] for axis in wanting)
    places = np.arange(2 * max_window)
    words[:, : 2 * max_window] = np.where(places < counts[:, None], contexts, words[:, : 2 * max_window])
    return ids, words, counts


def train_skip_gram(net, centers, words, counts, config, device):
    """The mean loss of the examples of each epoch."""
    places, each = torch.arange(words.shape[1]), 1 + config["num_noise_words"]
    optimizer = torch.optim.Adam(net.parameters(), lr=config["lr"])
    metrics = {"train_loss": []}
    for _ in range(config["num_epochs"]):
        total = 0.0
        for chosen in torch.randperm(len(centers)).split(config["batch_size"]):
            count = counts[chosen].unsqueeze(1)
            mask, labels = (places < each * count).float(), (places < count).float()
            longest = each * int(count.max())
            minibatch = words[chosen].long().clamp(min=0), labels, mask
            minibatch = [tensor[:, :longest].to(device) for tensor in minibatch]
            losses = skip_gram_losses(net(centers[chosen].to(device), minibatch[0]), *minibatch[1:])
            optimizer.zero_grad()
            losses.sum().backward()
            optimizer.step()
            total += float(losses.detach().sum())
        metrics["train_loss"].append(total / len(centers))
    return metrics


def word2vec_trainings(record, archive, device):
    """The training of section 14.4, where its run was on the whole treebank."""
    config = record["config"]
    if record["data"] != "full":
        sys.exit("the run of nlp-pretraining/word2vec-pretraining was not on the Penn Treebank: record it anew")
    ids, sentences, vocabulary = treebank(archive, config.get("max_sentences"))

    def training():
        rng = generator()
        kept = subsample(ids, sentences, rng)
        examples = centers_with_words(*kept, config["max_window_size"], config["num_noise_words"], rng)
        net = SkipGram(vocabulary, config["embed_size"]).to(device)
        return train_skip_gram(net, *map(torch.from_numpy, examples), config, device)

    return {"": training}


RESERVED = ("<pad>", "<mask>", "<cls>", "<sep>")
PAD, MASK, CLS, SEP = range(1, 5)


def wiki_sentences(path):
    """The ids of all sentences' tokens, and the size of the vocabulary; the length of each sentence; the number of each
    one's paragraph."""
    import numpy as np  # as above

    lines = gzip.decompress(path.read_bytes()).decode().split("\n")
    paragraphs = [line.strip().lower().split(" . ") for line in lines if " . " in line]
    sentences = [sentence.split() for paragraph in paragraphs for sentence in paragraph]
    ids, vocabulary = ids_of([token for sentence in sentences for token in sentence], 5, RESERVED)
    lengths = np.array([len(sentence) for sentence in sentences])
    return ids, vocabulary, lengths, np.repeat(np.arange(len(paragraphs)), [len(paragraph) for paragraph in paragraphs])


def pairs_of_sentences(lengths, paragraphs, max_len, rng):
    """The numbers of the first and second sentence of each pair that fits, and whether the second one comes next."""
    import numpy as np  # as above

    first = np.nonzero(paragraphs[:-1] == paragraphs[1:])[0]
    are_next = rng.random(len(first)) < 0.5
    sizes = np.bincount(paragraphs)  # how many sentences a paragraph has
    other = rng.integers(0, len(sizes), len(first))
    other = (np.cumsum(sizes) - sizes)[other] + rng.integers(0, sizes[other])
    second = np.where(are_next, first + 1, other)
    fits = lengths[first] + lengths[second] + 3 <= max_len
    return first[fits], second[fits], are_next[fits]


def joined(ids, lengths, first, second, max_len):
    """Tokens and segments (n, max_len) of pairs, which `max_len` tokens hold, and the length of each pair (n)."""
    import numpy as np  # as above

    starts, places = np.cumsum(lengths) - lengths, np.arange(max_len)
    a, b = lengths[first][:, None], lengths[second][:, None]
    tokens = np.full((len(first), max_len), PAD)
    tokens[:, 0] = CLS
    tokens[(places == a + 1) | (places == a + b + 2)] = SEP
    for sentences, begin, count in ((first, 1, a), (second, a + 2, b)):
        inside = (begin <= places) & (places < begin + count)
        tokens[inside] = ids[(starts[sentences][:, None] + places - begin)[inside]]
    segments = ((a + 2 <= places) & (places < a + b + 3)).astype(int)
    return tokens, segments, (a + b + 3)[:, 0]


def masked(tokens, lens, vocabulary, rng):
    """The tokens with some replaced; positions, weights and labels (n, predictions) of what is to be predicted."""
    import numpy as np  # as above

    n, max_len = tokens.shape
    candidates = (tokens != PAD) & (tokens != CLS) & (tokens != SEP)
    counts = np.minimum(np.maximum(1, np.rint(lens * 0.15).astype(int)), candidates.sum(1))
    order = np.where(candidates, rng.random(tokens.shape), 2.0).argsort(1)
    chosen = np.arange(round(max_len * 0.15)) < counts[:, None]
    positions = np.where(chosen, order[:, : chosen.shape[1]], 0)
    rows = np.arange(n)[:, None]
    labels = np.where(chosen, tokens[rows, positions], 0)
    # Of ten tokens eight are masked, one stays, and one becomes any token.
    fate, anything = rng.random(chosen.shape), rng.integers(0, vocabulary, chosen.shape)
    shown = np.where(fate < 0.8, MASK, np.where(fate < 0.9, labels, anything))
    tokens = tokens.copy()
    tokens[np.broadcast_to(rows, chosen.shape)[chosen], positions[chosen]] = shown[chosen]
    return tokens, positions, chosen.astype(np.float32), labels


def bert_examples(text, max_len, rng):
    """Tokens, segments, lengths, positions, weights, labels, and whether the second sentence comes next."""
    ids, vocabulary, lengths, paragraphs = text
    first, second, are_next = pairs_of_sentences(lengths, paragraphs, max_len, rng)
    tokens, segments, lens = joined(ids, lengths, first, second, max_len)
    tokens, positions, weights, labels = masked(tokens, lens, vocabulary, rng)
    return tokens, segments, lens, positions, weights, labels, are_next.astype(int)


def train_bert(net, examples, config, device):
    """Both losses, the means over all steps."""
    optimizer = torch.optim.Adam(net.parameters(), lr=config["lr"])
    losses, order = [], []
    net.train()
    for _ in range(config["num_steps"]):
        if not order:
            order = list(torch.randperm(len(examples[0])).split(config["batch_size"]))
        chosen = order.pop(0)
        mlm, nsp = bert_losses(net, *(tensor[chosen].to(device) for tensor in examples))
        optimizer.zero_grad()
        (mlm + nsp).backward()
        optimizer.step()
        losses.append((float(mlm.detach()), float(nsp.detach())))
    return {f"{name}_loss": [sum(each) / len(each)] for name, each in zip(("mlm", "nsp"), zip(*losses))}


def bert_trainings(record, text, device):
    """The training of section 14.10, where its run was on the whole of WikiText-2."""
    config = record["config"]
    if record["data"] != "full":
        sys.exit("the run of nlp-pretraining/bert-pretraining was not on WikiText-2: record it anew")
    text = wiki_sentences(text)

    def training():
        examples = bert_examples(text, config["max_len"], generator())
        sizes = [config[name] for name in ("num_hiddens", "ffn_num_hiddens", "num_heads", "num_layers", "dropout")]
        net = Bert(text[1], *sizes).to(device)
        return train_bert(net, [torch.from_numpy(array) for array in examples], config, device)

    return {"": training}
