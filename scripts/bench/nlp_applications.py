"""The models of sections 15.2, 15.3, 15.5 and 15.7, which the benchmark takes too, and their trainings as the sections do
them."""

import gzip
import json
import re
import sys
import tarfile
from collections import Counter

import torch
from torch import nn
from torch.nn import functional as F

from nlp_pretraining import BertEncoder


class BiRnn(nn.Module):
    """Tokens (batch, steps) to the logits of two classes, by what both directions give at the first and the last step.

    The words' vectors (vocabulary, dimension) stay as they are.
    """

    def __init__(self, vectors, hidden, layers):
        super().__init__()
        self.register_buffer("vectors", vectors)
        self.encoder = nn.LSTM(vectors.shape[1], hidden, layers, bidirectional=True)
        self.decoder = nn.Linear(4 * hidden, 2)

    def forward(self, tokens):
        outputs, _ = self.encoder(F.embedding(tokens.T, self.vectors))
        return self.decoder(torch.cat((outputs[0], outputs[-1]), 1))


class TextCnn(nn.Module):
    """Tokens (batch, steps) to the logits of two classes, by the largest outputs of convolutions over the steps.

    The words' vectors (vocabulary, dimension) stay as they are; a second table, which is trained, begins as they do.
    """

    def __init__(self, vectors, kernel_sizes, channels, dropout):
        super().__init__()
        self.register_buffer("vectors", vectors)
        self.embedding = nn.Embedding.from_pretrained(vectors.clone(), freeze=False)
        self.convs = nn.ModuleList(nn.Conv1d(2 * vectors.shape[1], channels, size) for size in kernel_sizes)
        self.dropout, self.decoder = nn.Dropout(dropout), nn.Linear(len(kernel_sizes) * channels, 2)

    def forward(self, tokens):
        x = torch.cat((self.embedding(tokens), F.embedding(tokens, self.vectors)), 2).permute(0, 2, 1)
        found = torch.cat([F.relu(F.adaptive_max_pool1d(conv(x), 1)).squeeze(-1) for conv in self.convs], 1)
        return self.decoder(self.dropout(found))


def perceptron(inputs, hidden, dropout):
    layers = [nn.Dropout(dropout), nn.Linear(inputs, hidden), nn.ReLU()]
    return nn.Sequential(*layers, nn.Dropout(dropout), nn.Linear(hidden, hidden), nn.ReLU())


class DecomposableAttention(nn.Module):
    """Premises and hypotheses (batch, steps) to the logits of three classes (batch, 3)."""

    def __init__(self, vocabulary, dimension, hidden, dropout):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, dimension)
        self.attend = perceptron(dimension, hidden, dropout)
        self.compare = perceptron(2 * dimension, hidden, dropout)
        self.aggregate = perceptron(2 * hidden, hidden, dropout)
        self.output = nn.Linear(hidden, 3)

    def forward(self, premises, hypotheses):
        a, b = self.embedding(premises), self.embedding(hypotheses)
        scores = torch.bmm(self.attend(a), self.attend(b).permute(0, 2, 1))
        beta = torch.bmm(F.softmax(scores, -1), b)
        alpha = torch.bmm(F.softmax(scores.permute(0, 2, 1), -1), a)
        compared = [self.compare(torch.cat(pair, 2)).sum(1) for pair in ((a, beta), (b, alpha))]
        return self.output(self.aggregate(torch.cat(compared, 1)))


class HuggingFaceEncoder(BertEncoder):
    """BERT's encoder as its authors made it: a norm of the embeddings, GELU, and another epsilon than PyTorch's."""

    def __init__(self, vocabulary, hidden, inner, heads, layers, dropout, max_len, epsilon=1e-12):
        super().__init__(vocabulary, hidden, inner, heads, layers, dropout, max_len)
        self.embedding_norm, self.dropout = nn.LayerNorm(hidden), nn.Dropout(dropout)
        for block in self.blocks:
            block.feed_forward.relu = nn.GELU()
        for module in self.modules():
            if isinstance(module, nn.LayerNorm):
                module.eps = epsilon

    def embedded(self, tokens, segments):
        return self.dropout(self.embedding_norm(super().embedded(tokens, segments)))


class BertClassifier(nn.Module):
    """Tokens and segments (batch, steps) to the logits of three classes (batch, 3)."""

    def __init__(self, encoder, hidden):
        super().__init__()
        self.encoder, self.hidden, self.output = encoder, nn.Linear(hidden, hidden), nn.Linear(hidden, 3)

    def forward(self, tokens, segments, valid_lens):
        encoded = self.encoder(tokens, segments, valid_lens)
        return self.output(torch.tanh(self.hidden(encoded[:, 0])))


# ---- what parity.py trains ----


def numbered(texts, min_freq):
    """The ids of the tokens that occur at least so often in texts, lists of tokens: 0 is unknown, 1 padding."""
    counts = Counter(token for text in texts for token in text)
    frequent = [token for token, count in counts.most_common() if count >= min_freq]
    return {token: number for number, token in enumerate(dict.fromkeys(["<unk>", "<pad>", *frequent]))}


def rows_of_ids(texts, ids, steps):
    """The ids (n, steps) of texts, cut off or filled up with padding."""
    rows = ([ids.get(token, 0) for token in text[:steps]] for text in texts)
    return torch.tensor([row + [1] * (steps - len(row)) for row in rows], dtype=torch.int32)


TYPES = {"F32": "<f4", "I8": "i1", "U8": "u1", "U32": "<u4", "U64": "<u8"}


def arrays_of(data):
    """The arrays of a file of safetensors, given as its bytes, by their names."""
    import numpy as np  # not above: the benchmark does without it

    start = 8 + int.from_bytes(data[:8], "little")
    head = json.loads(data[8:start])
    head.pop("__metadata__", None)
    ends = {name: [start + offset for offset in about["data_offsets"]] for name, about in head.items()}
    return {
        name: np.frombuffer(data[slice(*ends[name])], TYPES[about["dtype"]]).reshape(about["shape"])
        for name, about in head.items()
    }


def vectors_of(ids, path):
    """The vectors of tokens with ids (n, dimension), zero for those that have none, and how many have one.

    The file is what the sections keep of word vectors that they have read: the words' bytes, one after the other, where
    each ends, and a row for each, the first of which stands for unknown words.
    """
    arrays = arrays_of(path.read_bytes())
    text, ends = arrays["words"].tobytes(), arrays["ends"].tolist()
    rows = {}
    for row, (start, end) in enumerate(zip([0, *ends], ends)):
        rows.setdefault(text[start:end], row)
    chosen = [rows.get(token.encode(), 0) for token in ids]
    return torch.from_numpy(arrays["vectors"][chosen]), sum(row > 0 for row in chosen)


def xavier_but_embeddings(net):
    for name, parameter in net.named_parameters():
        if parameter.dim() > 1 and not name.startswith("embedding"):
            nn.init.xavier_uniform_(parameter)


def train_classifier(net, examples, tests, config, device, batches=None):
    """Losses and accuracies of each epoch; examples and tests are tensors of the net's inputs, and of the classes last.

    `batches` gives the places of the examples of each minibatch of an epoch, where they are not drawn at random.
    """

    def minibatches(tensors, places):
        return ([tensor[chosen].to(device) for tensor in tensors] for chosen in places)

    size = config["batch_size"]
    batches = batches or (lambda: torch.randperm(count).split(size))
    optimizer = torch.optim.Adam(net.parameters(), lr=config["lr"])
    metrics = {"train_loss": [], "train_acc": [], "test_acc": []}
    count = len(examples[-1])
    for _ in range(config["num_epochs"]):
        net.train()
        total_loss = right = 0.0
        for *inputs, labels in minibatches(examples, batches()):
            scores = net(*inputs)
            losses = F.cross_entropy(scores, labels, reduction="none")
            optimizer.zero_grad()
            losses.mean().backward()
            optimizer.step()
            total_loss += float(losses.detach().sum())
            right += int((scores.argmax(1) == labels).sum())
        metrics["train_loss"].append(total_loss / count)
        metrics["train_acc"].append(right / count)
        net.eval()
        tested = minibatches(tests, torch.arange(len(tests[-1])).split(size))
        with torch.no_grad():
            right = sum(int((net(*inputs).argmax(1) == labels).sum()) for *inputs, labels in tested)
        metrics["test_acc"].append(right / len(tests[-1]))
    return metrics


def probabilities(net, *inputs):
    """Those of each class, for inputs that are one example."""
    net.eval()
    with torch.no_grad():
        return F.softmax(net(*inputs), 1)[0].tolist()


def hold(said, *facts):
    """Ends the program where the recorded run did not say one of these facts of its data."""
    for fact in facts:
        if fact not in said:
            sys.exit(f"the recorded run was on other data or vectors than are here: it does not say `{fact.strip()}`")


# Which archive entries are labeled reviews: the part, the label, and the number in it.
REVIEW = re.compile(r"(?:\./)?aclImdb/(train|test)/(pos|neg)/(\d+)_\d+\.txt")


def reviews(archives):
    """The reviews' tokens with their labels, 1 for praise, by parts; each label's by their numbers."""
    found = []
    for path in archives:
        with tarfile.open(path) as archive:
            for entry in archive:
                if name := REVIEW.fullmatch(entry.name):
                    part, label, number = name.groups()
                    text = archive.extractfile(entry).read().decode("utf-8-sig").replace("\r", "").replace("\n", "")
                    found.append((part, label == "pos", int(number), text.split()))
    found.sort(key=lambda review: review[:3])
    return {name: [(tokens, int(label)) for part, label, _, tokens in found if part == name] for name in ("train", "test")}


def first_of_each_label(part, count):
    """So many reviews, half of each label, or one more that praises."""
    kept = []
    for label, share in ((0, count // 2), (1, count - count // 2)):
        kept += [review for review in part if review[1] == label][:share]
    return kept


def sentiment_trainings(record, archives, vectors, device, make):
    """The training of section 15.2 or 15.3, where its run was on these reviews and word vectors; `make` gives its net."""
    config, said = record["config"], "".join(cell["text"] for cell in record["cells"])
    parts = reviews(archives)
    ids = numbered([tokens for tokens, _ in parts["train"]], 5)
    table, known = vectors_of(ids, vectors)
    chosen, counts = [], []
    for name, key, kind in (("train", "examples", "training"), ("test", "test_examples", "test")):
        part = first_of_each_label(parts[name], config[key])
        tokens, labels = zip(*part)
        chosen.append((rows_of_ids(tokens, ids, config["num_steps"]), torch.tensor(labels)))
        counts.append(f"{len(part)} of {len(parts[name])} {kind} reviews")
    counts += [f"{len(ids)} ids for the tokens of all training reviews", f"; {known} of the tokens have a vector"]
    hold(said, *counts)

    def training():
        net = make(config, table)
        net.to(device)
        metrics = train_classifier(net, *chosen, config, device)
        for word in ("great", "bad"):
            sentence = [["this", "movie", "is", "so", word]]
            metrics[f"positive_{word}"] = probabilities(net, rows_of_ids(sentence, ids, 5).to(device))[1:]
        return metrics

    return {"": training}


def bi_rnn(config, table):
    net = BiRnn(table, config["num_hiddens"], config["num_layers"])
    xavier_but_embeddings(net)
    return net


def text_cnn(config, table):
    net = TextCnn(table, (3, 4, 5), config["num_channels"], config["dropout"])
    xavier_but_embeddings(net)
    return net


RELATIONS = ["entailment", "contradiction", "neutral"]

# What marks become, and what is a token already; endings that are cut off; words whose stop belongs to them.
MARKS = {"(": "-LRB-", ")": "-RRB-", "[": "-LSB-", "]": "-RSB-", "{": "-LCB-", "}": "-RCB-"}
WRITTEN = {"``", "''", *MARKS.values()}
ENDINGS = ("n't", "'s", "'m", "'re", "'ve", "'ll", "'d")
ABBREVIATIONS = {"mr", "mrs", "ms", "dr", "st", "mt", "rt", "jr", "sr", "ft"}


def penn_tokens(sentence):
    """The tokens of a sentence as the sections cut it, in the manner of the Penn Treebank."""
    return [token for word in sentence.split() for token in tokens_of_word(word)]


def tokens_of_word(word):
    if word in WRITTEN:
        return [word]
    tokens, start = [], 0
    for at, mark in enumerate(word):
        before, after = word[:at], word[at + 1 :]
        between_digits = before[-1:] in DIGITS and after[:1] in DIGITS
        if mark == '"':
            token = "``" if after and all(c in "([{\"`'" for c in before) else "''"
        elif mark in MARKS:
            token = MARKS[mark]
        elif mark in ",:" and not between_digits:
            token = mark
        elif mark == "&" and not (before[-1:].isalnum() and after[:1].isalnum()) or mark in ";!?#$%`":
            token = mark
        else:
            continue
        tokens += [*tokens_of_rest(word[start:at]), token]
        start = at + 1
    return tokens + tokens_of_rest(word[start:])


DIGITS = set("0123456789")


def tokens_of_rest(rest):
    word = rest.lstrip("-")
    tokens = [rest[: len(rest) - len(word)]] if len(word) < len(rest) else []
    if word[:1] == "'" and word[1:2].isalpha() and word.lower() not in ENDINGS:
        tokens.append("`")
        word = word[1:]
    ends = []
    while (at := last_token(word)) is not None:
        ends.insert(0, word[at:])
        word = word[:at]
    if word.lower() == "cannot":
        tokens += [word[:3], word[3:]]
    elif word:
        tokens.append(word)
    return tokens + ends


def last_token(word):
    """Where the last token of a word begins, if that is one to cut off."""
    if not word or is_abbreviation(word):
        return None
    if word[-1] in ".-":
        return len(word.rstrip(word[-1]))
    if word[-1] == "'":
        return len(word) - 1
    ending = next((ending for ending in ENDINGS if word.lower().endswith(ending)), word)
    return len(word) - len(ending) or None


def is_abbreviation(word):
    if not word.endswith("."):
        return False
    letters = word[:-1].split(".")
    are_initials = len(letters) > 1 and all(len(letter) == 1 and letter.isalpha() for letter in letters)
    return are_initials or word[:-1].lower() in ABBREVIATIONS


def sentence_pairs(path):
    """The tokens of premises and of hypotheses, and the places of their relations."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    header, *lines = (line.strip("\r").split("\t") for line in data.decode().split("\n") if line.strip())
    if "premise" in header:
        columns, labels = ("premise", "hypothesis", "label"), ["0", "2", "1"]
    else:
        columns, labels = ("sentence1", "sentence2", "gold_label"), RELATIONS
    places = [header.index(column) for column in columns]
    pairs = ([line[place] for place in places] for line in lines)
    pairs = [(premise, hypothesis, label) for premise, hypothesis, label in pairs if label in labels]
    return [(*(penn_tokens(unquoted(text)) for text in texts), labels.index(label)) for *texts, label in pairs]


def unquoted(field):
    """A field without the quotes around it, in which each quote of the text stands twice."""
    inner = field[1:-1].replace('""', "") if len(field) > 1 and field[0] == field[-1] == '"' else '"'
    return field if '"' in inner else field[1:-1].replace('""', '"')


def snli(validation, more_pairs, test, config):
    """The pairs to train on where SNLI's own cannot be had, and those to test with."""
    train = sentence_pairs(validation) + sentence_pairs(more_pairs)
    return train[: config.get("examples")], sentence_pairs(test)


def attention_trainings(record, pairs, vectors, device):
    """The training of section 15.5, where its run was on these pairs of sentences and word vectors."""
    config, said = record["config"], "".join(cell["text"] for cell in record["cells"])
    train, test = snli(*pairs, config)
    ids = numbered([sentence for pair in train for sentence in pair[:2]], 5)
    table, known = vectors_of(ids, vectors)
    counts = f"{len(train)} training and {len(test)} test pairs, {len(ids)} ids\n"
    hold(said, counts, f" {len(ids) - known} of {len(ids)} words begin with zeros\n")
    steps = config["num_steps"]
    rows = lambda texts, steps=steps: rows_of_ids(texts, ids, steps)  # noqa: E731
    parts = [(rows(a), rows(b), torch.tensor(labels)) for a, b, labels in (zip(*part) for part in (train, test))]

    def training():
        net = DecomposableAttention(len(ids), table.shape[1], config["num_hiddens"], config["dropout"])
        with torch.no_grad():
            net.embedding.weight.copy_(table)
        net.to(device)
        metrics = train_classifier(net, *parts, config, device)
        pair = [[["he", "is", word, "."]] for word in ("good", "bad")]
        for suffix, length in (("", 4), ("_padded", steps)):
            found = probabilities(net, *(rows(text, length).to(device) for text in pair))
            metrics[f"good_bad_contradiction{suffix}"] = [found[1]]
        return metrics

    return {"": training}


# How the pretrained model calls what stands in each block; its layer norms are named otherwise here.
LAYERS = {
    "attention.self.query": "attention.w_q",
    "attention.self.key": "attention.w_k",
    "attention.self.value": "attention.w_v",
    "attention.output.dense": "attention.w_o",
    "attention.output.LayerNorm": "norm1.norm",
    "intermediate.dense": "feed_forward.inner",
    "output.dense": "feed_forward.outer",
    "output.LayerNorm": "norm2.norm",
}
EMBEDDINGS = {
    "word_embeddings.weight": "token_embedding.weight",
    "token_type_embeddings.weight": "segment_embedding.weight",
    "position_embeddings.weight": "position_embedding",
    "LayerNorm.weight": "embedding_norm.weight",
    "LayerNorm.bias": "embedding_norm.bias",
}


def pretrained_encoder(path):
    """The parameters of a pretrained encoder by their names here; matrices of bytes have a scale for each row."""
    arrays = arrays_of(gzip.decompress(path.read_bytes()))
    scales = {name.removesuffix(".scale"): arrays.pop(name) for name in list(arrays) if name.endswith(".scale")}
    found = {}
    for name, array in arrays.items():
        if name in scales:
            array = array.astype("f4") * scales[name][:, None]
        kind, _, name = name.partition(".")
        if kind == "embeddings":
            name = EMBEDDINGS[name]
        else:
            _, block, name = name.split(".", 2)
            layer, _, name = name.rpartition(".")
            name = f"blocks.{block}.{LAYERS[layer]}.{name}"
        tensor = torch.from_numpy(array.copy())
        found[name] = tensor.unsqueeze(0) if name == "position_embedding" else tensor
    return found


class PairClassifier(BertClassifier):
    """The same without the padding that stands behind the longest pair of a minibatch."""

    def forward(self, tokens, segments, valid_lens):
        steps = int(valid_lens.max())
        return super().forward(tokens[:, :steps], segments[:, :steps], valid_lens)


PLAIN = {"``": '"', "''": '"', "`": "'", **{token: mark for mark, token in MARKS.items()}}


def plain_text(tokens):
    """A sentence as people write it, from tokens as a treebank has them."""
    text = ""
    for token in tokens:
        text += ("" if not text or token.lower() == "n't" else " ") + PLAIN.get(token, token)
    return text


def pairs_of_ids(pairs, tokenizer, max_len):
    """Tokens and segments (n, steps) of pairs of sentences, the length of each pair (n), and the classes (n)."""
    cls, sep, pad = (tokenizer.token_to_id(mark) for mark in ("[CLS]", "[SEP]", "[PAD]"))
    tokens, segments = [], []
    for *sentences, _ in pairs:
        a, b = (tokenizer.encode(plain_text(sentence), add_special_tokens=False).ids for sentence in sentences)
        while len(a) + len(b) > max_len - 3:
            (a if len(a) > len(b) else b).pop()
        tokens.append(torch.tensor([cls, *a, sep, *b, sep]))
        segments.append(torch.tensor([0] * (len(a) + 2) + [1] * (len(b) + 1)))
    filled = nn.utils.rnn.pad_sequence
    lens, labels = torch.tensor([len(row) for row in tokens]), torch.tensor([label for *_, label in pairs])
    return filled(tokens, batch_first=True, padding_value=pad), filled(segments, batch_first=True), lens, labels


def similar_lengths(lens, size):
    """The places of each minibatch's pairs: at random, but those of sixteen minibatches sorted by their lengths."""
    pools = (pool[lens[pool].argsort(stable=True)] for pool in torch.randperm(len(lens)).split(16 * size))
    batches = torch.cat(list(pools)).split(size)
    return [batches[place] for place in torch.randperm(len(batches))]


def finetuning_trainings(record, pairs, weights, pieces, device):
    """The trainings of section 15.7, where its run was on these pairs of sentences and this pretrained model of three
    layers."""
    try:
        from tokenizers import BertWordPieceTokenizer  # not above: the other sections do without it
    except ImportError as error:
        sys.exit(f"{error}: `python3 -m pip install tokenizers` gives what this section needs")

    config, said = record["config"], "".join(cell["text"] for cell in record["cells"])
    tokenizer = BertWordPieceTokenizer(str(pieces), lowercase=True)
    train, test = snli(*pairs, config)
    train, test = (pairs_of_ids(part, tokenizer, config["max_len"]) for part in (train, test[: config["test_examples"]]))
    lens = train[2]
    words = tokenizer.get_vocab_size()
    hold(said, f"paraphrase-MiniLM-L3-v2: {words} word pieces", f"{len(lens)} training and {len(test[2])} test pairs\n")
    hold(said, f"{float(lens.double().mean()):.1f} tokens in the mean, {int(lens.max())} at most")

    def trained(parameters=None):
        encoder = HuggingFaceEncoder(words, 384, 1536, 12, 3, config["dropout"], 128)
        if parameters is not None:
            encoder.load_state_dict(parameters)
        net = PairClassifier(encoder, 384).to(device)
        batches = lambda: similar_lengths(lens, config["batch_size"])  # noqa: E731
        return net, train_classifier(net, train, test, config, device, batches)

    def training():
        net, metrics = trained(pretrained_encoder(weights))
        asked = [(["he", "is", "good", "."], ["he", "is", "bad", "."], 0)]
        *inputs, _ = pairs_of_ids(asked, tokenizer, config["max_len"])
        metrics["good_bad_contradiction"] = [probabilities(net, *(tensor.to(device) for tensor in inputs))[1]]
        if config["scratch"]:
            _, scratch = trained()
            metrics |= {f"{name}_scratch": values for name, values in scratch.items()}
            metrics["gain"] = [metrics["test_acc"][-1] - scratch["test_acc"][-1]]
        return metrics

    return {"": training}
