"""The models of chapter 16, which the benchmark takes too, and their trainings as the sections do them."""

import csv
import io
import sys
import zipfile
from collections import Counter

import torch
from torch import nn
from torch.nn import functional as F


def small(layer):
    """The layer with small weights, drawn as the book has it, and a bias of 0, where it has one."""
    nn.init.normal_(layer.weight, std=0.01)
    if getattr(layer, "bias", None) is not None:
        nn.init.zeros_(layer.bias)
    return layer


def table(rows, width):
    """A vector for each row."""
    return small(nn.Embedding(rows, width))


class MatrixFactorization(nn.Module):
    """Users and items (batch) to ratings (batch)."""

    def __init__(self, users, items, factors):
        super().__init__()
        self.users, self.items = table(users, factors), table(items, factors)
        self.user_bias, self.item_bias = table(users, 1), table(items, 1)

    def forward(self, users, items):
        biases = self.user_bias(users) + self.item_bias(items)
        return (self.users(users) * self.items(items)).sum(1) + biases.squeeze(1)


class AutoRec(nn.Module):
    """The ratings of items by all users (batch, users), 0 where there is none, to what all users would give."""

    def __init__(self, users, hidden, dropout):
        super().__init__()
        self.encoder, self.decoder = small(nn.Linear(users, hidden)), small(nn.Linear(hidden, users))
        self.dropout = nn.Dropout(dropout)

    def forward(self, ratings):
        return self.decoder(self.dropout(torch.sigmoid(self.encoder(ratings))))


class NeuMf(nn.Module):
    """Users and items (batch) to logits (batch): a product of factors beside a perceptron on other factors."""

    def __init__(self, users, items, factors, hidden):
        super().__init__()
        self.product_users, self.product_items = table(users, factors), table(items, factors)
        self.users, self.items = table(users, factors), table(items, factors)
        layers, inputs = [], 2 * factors
        for units in hidden:
            layers += [nn.Linear(inputs, units), nn.ReLU()]
            inputs = units
        self.perceptron, self.output = nn.Sequential(*layers), nn.Linear(factors + inputs, 1, bias=False)

    def forward(self, users, items):
        product = self.product_users(users) * self.product_items(items)
        deep = self.perceptron(torch.cat((self.users(users), self.items(items)), 1))
        return self.output(torch.cat((product, deep), 1)).squeeze(1)

    def both(self, users, chosen, others):
        """The scores of two items for each user."""
        return self(users, chosen), self(users, others)


class Caser(nn.Module):
    """Users (batch) and the last items of each (batch, length) to what they want (batch, 2 factors), by which items are
    scored."""

    def __init__(self, users, items, factors, length=5, horizontal=16, vertical=4, dropout=0.05):
        super().__init__()
        self.users, self.sequence_items = table(users, factors), table(items, factors)
        self.vertical = small(nn.Conv2d(1, vertical, (length, 1)))
        heights = range(1, length + 1)
        self.horizontal = nn.ModuleList(small(nn.Conv2d(1, horizontal, (height, factors))) for height in heights)
        self.dropout = nn.Dropout(dropout)
        self.hidden = small(nn.Linear(vertical * factors + horizontal * length, factors))
        self.items, self.bias = table(items, 2 * factors), table(items, 1)

    def forward(self, users, sequences):
        x = self.sequence_items(sequences).unsqueeze(1)
        features = [self.vertical(x).flatten(1), *(F.relu(conv(x)).squeeze(3).amax(2) for conv in self.horizontal)]
        return torch.cat((F.relu(self.hidden(self.dropout(torch.cat(features, 1)))), self.users(users)), 1)

    def score(self, wants, items):
        return (wants * self.items(items)).sum(1) + self.bias(items).squeeze(1)

    def both(self, users, sequences, chosen, others):
        """The scores of two items for each user, by what they want once; the book computes it for each."""
        wants = self(users, sequences)
        return self.score(wants, chosen), self.score(wants, others)


class FactorizationMachine(nn.Module):
    """The numbers of categories (batch, fields) to logits (batch)."""

    def __init__(self, field_dims, factors):
        super().__init__()
        features = sum(field_dims)
        self.embedding, self.weights = nn.Embedding(features, factors), nn.Embedding(features, 1)
        self.linear = nn.Linear(1, 1)

    def score(self, x, vectors):
        square_of_sum, sum_of_square = vectors.sum(1).square(), vectors.square().sum(1)
        return self.linear(self.weights(x).sum(1)) + 0.5 * (square_of_sum - sum_of_square).sum(1, keepdim=True)

    def forward(self, x):
        return self.score(x, self.embedding(x)).squeeze(1)


class DeepFactorizationMachine(nn.Module):
    """The same with a perceptron on the vectors of all fields."""

    def __init__(self, field_dims, factors, hidden=(30, 20, 10), dropout=0.1):
        super().__init__()
        self.machine = FactorizationMachine(field_dims, factors)
        layers, inputs = [], len(field_dims) * factors
        for units in hidden:
            layers += [nn.Linear(inputs, units), nn.ReLU(), nn.Dropout(dropout)]
            inputs = units
        self.perceptron = nn.Sequential(*layers, nn.Linear(inputs, 1))

    def forward(self, x):
        vectors = self.machine.embedding(x)
        return (self.machine.score(x, vectors) + self.perceptron(vectors.flatten(1))).squeeze(1)


def half_squares(prediction, target):
    """Half the squared error of each element."""
    return 0.5 * (prediction - target).square()


def bpr_losses(chosen, other):
    """The loss (batch) of scores (batch) of items that were chosen and of others."""
    return -F.logsigmoid(chosen - other)


# ---- What scripts/parity.py trains ----


def ratings(path):
    """Users, items, stars and times of all ratings, users and items from 0, as integers (n, 4); and how many users and
    items there are."""
    import numpy as np  # not above: the benchmark does without it

    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            text = archive.read("ml-100k/u.data").decode()
    else:
        text = path.read_text().split("\n", 1)[1]  # after the line of names
    rows = np.loadtxt(io.StringIO(text)).astype(np.int64) - [1, 1, 0, 0]
    return rows, int(rows[:, 0].max()) + 1, int(rows[:, 1].max()) + 1


def of_whole_set(record):
    if record["data"] != "full":
        sys.exit(f"the run of recommender/{record['section']} was not on MovieLens 100K: record it anew")
    return record["config"]


def at_random(rows, test_ratio):
    """The rows to train on and those to test with."""
    is_test = torch.rand(len(rows)).numpy() < test_ratio
    return rows[~is_test], rows[is_test]


def latest_apart(rows):
    """The rows of each user in the order of time, without the latest one; and that one."""
    import numpy as np  # as above

    rows = rows[np.lexsort((np.arange(len(rows)), rows[:, 3], rows[:, 0]))]
    users, counts = np.unique(rows[:, 0], return_counts=True)
    last_times = rows[np.cumsum(counts) - 1, 3][np.searchsorted(users, rows[:, 0])]
    # Of several in a user's last second the first of the file.
    latest = np.nonzero(rows[:, 3] == last_times)[0]
    latest = latest[np.unique(rows[latest, 0], return_index=True)[1]]
    is_test = np.zeros(len(rows), dtype=bool)
    is_test[latest] = True
    return rows[~is_test], rows[is_test]


def optimizer_of(net, config):
    return torch.optim.Adam(net.parameters(), lr=config["lr"], weight_decay=config["weight_decay"])


def mf_trainings(record, path, device):
    """The trainings of section 16.3, by the last rating of each user and by random ones."""
    config = of_whole_set(record)
    rows, users, items = ratings(path)

    def trained(parts, suffix):
        train, test = (torch.from_numpy(part).to(device) for part in parts)
        net = MatrixFactorization(users, items, config["num_factors"]).to(device)
        optimizer = optimizer_of(net, config)
        losses_by_epoch, errors_by_epoch = [], []
        for _ in range(config["num_epochs"]):
            total = 0.0
            for chosen in torch.randperm(len(train)).split(config["batch_size"]):
                user, item, stars, _ = train[chosen].T
                losses = half_squares(net(user, item), stars.float())
                optimizer.zero_grad()
                losses.mean().backward()
                optimizer.step()
                total += float(losses.detach().sum())
            with torch.no_grad():
                errors = net(test[:, 0], test[:, 1]) - test[:, 2]
            losses_by_epoch.append(total / len(train))
            errors_by_epoch.append(float(errors.square().mean().sqrt()))
        return {f"train_loss{suffix}": losses_by_epoch, f"test_rmse{suffix}": errors_by_epoch}

    def training():
        return trained(latest_apart(rows), "") | trained(at_random(rows, config["test_ratio"]), "_random-split")

    return {"": training}


def autorec_trainings(record, path, device):
    """The training of section 16.4."""
    config = of_whole_set(record)
    rows, users, items = ratings(path)

    def matrix(part):
        ratings = torch.zeros(items, users)
        ratings[part[:, 1], part[:, 0]] = torch.from_numpy(part[:, 2]).float()
        return ratings.to(device)

    def training():
        train, test = map(matrix, at_random(rows, config["test_ratio"]))
        net = AutoRec(users, config["num_hidden"], config["dropout"]).to(device)
        optimizer = optimizer_of(net, config)
        metrics = {"train_loss": [], "test_rmse": []}
        for _ in range(config["num_epochs"]):
            net.train()
            total = 0.0
            for chosen in torch.randperm(items).split(config["batch_size"]):
                x = train[chosen.to(device)]
                losses = half_squares(net(x) * x.sign(), x).mean(1)  # over all users, with a rating or without
                optimizer.zero_grad()
                losses.mean().backward()
                optimizer.step()
                total += float(losses.detach().sum())
            net.eval()
            with torch.no_grad():
                errors = (net(train) - test)[test > 0]
            metrics["train_loss"].append(total / items)
            metrics["test_rmse"].append(float(errors.square().mean().sqrt()))
        return metrics

    return {"": training}


def ranking_quality(scores, known, chosen, cutoff):
    """The hit rate and the AUC of scores (users, items), where `chosen` (users) is to be found among what is not `known`
    (users, items). Equal scores are in no order."""
    own = scores.gather(1, chosen.unsqueeze(1))
    others = ~known
    others.scatter_(1, chosen.unsqueeze(1), False)
    above, equal = ((scores > own) & others).sum(1), ((scores == own) & others).sum(1)
    hits = (cutoff - above).clamp(min=0).minimum(equal + 1) / (equal + 1)
    auc = 1 - (above + 0.5 * equal) / others.sum(1)
    return float(hits.double().mean()), float(auc.double().mean())


def train_ranking(net, inputs, items, known, scores, chosen, config, device):
    """Trains on items (n) that were chosen after inputs, the first of which are users (n), each beside another item that
    its user did not choose, drawn anew each epoch."""
    inputs, items = [tensor.to(device) for tensor in inputs], items.to(device)
    optimizer = optimizer_of(net, config)
    metrics = {"train_loss": [], "test_hit_rate": [], "test_auc": []}
    for _ in range(config["num_epochs"]):
        others = torch.randint(known.shape[1], items.shape, device=device)
        while (wrong := known[inputs[0], others]).any():
            others[wrong] = torch.randint(known.shape[1], (int(wrong.sum()),), device=device)
        net.train()
        total = 0.0
        for batch in torch.randperm(len(items)).to(device).split(config["batch_size"]):
            given = [tensor[batch] for tensor in inputs]
            losses = bpr_losses(*net.both(*given, items[batch], others[batch]))
            optimizer.zero_grad()
            losses.mean().backward()
            optimizer.step()
            total += float(losses.detach().sum())
        net.eval()
        with torch.no_grad():
            hit_rate, auc = ranking_quality(scores(), known, chosen, config["cutoff"])
        metrics["train_loss"].append(total / len(items))
        metrics["test_hit_rate"].append(hit_rate)
        metrics["test_auc"].append(auc)
    return metrics


def ranking_data(rows, users, items, device):
    """The rows to train on, what users chose in them (users, items), and what each chose then (users)."""
    train, test = latest_apart(rows)
    known = torch.zeros(users, items, dtype=torch.bool)
    known[train[:, 0], train[:, 1]] = True
    return torch.from_numpy(train), known.to(device), torch.from_numpy(test[:, 1]).to(device)


def neumf_trainings(record, path, device):
    """The training of section 16.6."""
    config = of_whole_set(record)
    rows, users, items = ratings(path)

    def training():
        train, known, chosen = ranking_data(rows, users, items, device)
        hidden = [config["num_hiddens"]] * config["num_layers"]
        net = NeuMf(users, items, config["num_factors"], hidden).to(device)
        every_item = torch.arange(items, device=device)

        def scores():
            return torch.stack([net(torch.full_like(every_item, user), every_item) for user in range(users)])

        return train_ranking(net, [train[:, 0]], train[:, 1], known, scores, chosen, config, device)

    return {"": training}


def windows(train, length):
    """Users (n), so many items of each that follow one another (n, length), the item after them (n); and the last items of
    each user (users, length)."""
    import numpy as np  # as above

    sequences, last = [], []
    for user in range(train[:, 0].max() + 1):
        own = train[train[:, 0] == user, 1]
        rows = np.lib.stride_tricks.sliding_window_view(own, length + 1)
        sequences.append(np.column_stack((np.full(len(rows), user), rows)))
        last.append(own[-length:])
    sequences = torch.from_numpy(np.concatenate(sequences))
    return sequences[:, 0], sequences[:, 1:-1], sequences[:, -1], torch.from_numpy(np.stack(last))


def seqrec_trainings(record, path, device):
    """The training of section 16.7."""
    config = of_whole_set(record)
    rows, users, items = ratings(path)

    def training():
        train, known, chosen = ranking_data(rows, users, items, device)
        length, dropout = config["sequence_length"], config["dropout"]
        user, sequence, target, last = windows(train.numpy(), length)
        filters = config["num_horizontal"], config["num_vertical"]
        net = Caser(users, items, config["num_factors"], length, *filters, dropout).to(device)
        everyone, last = torch.arange(users, device=device), last.to(device)

        def scores():
            return net(everyone, last) @ net.items.weight.T + net.bias.weight.T

        return train_ranking(net, [user, sequence], target, known, scores, chosen, config, device)

    return {"": training}


def impressions(texts, separator, click_column):
    """Whether there was a click, and the categories, of each row of files."""
    rows = [row for text in texts for row in csv.reader(io.StringIO(text), delimiter=separator, quoting=csv.QUOTE_NONE)]
    rows = [row for row in rows if row and row[click_column] in ("0", "1")]
    return [int(row[click_column]) for row in rows], [row[click_column + 1 :] for row in rows]


def clicks(record, located):
    """The rows to train on and those to test with; `located` gives the path of a file."""
    if record["data"] == "full":
        with zipfile.ZipFile(located("ctr/ctr.zip")) as archive:
            names = {name.rsplit("/", 1)[-1]: name for name in archive.namelist() if "__MACOSX" not in name}
            return [impressions([archive.read(names[part]).decode()], "\t", 0) for part in ("train.csv", "test.csv")]
    if record["data"] != "stand-in":
        sys.exit(f"the run of recommender/{record['section']} was on the sample: record it anew")
    train, dev, test = (located(f"ctr/avazu_{part}.csv").read_text() for part in ("train", "dev", "test"))
    return impressions([train, dev], ",", 1), impressions([test], ",", 1)


def numbered(train, test, min_threshold):
    """The numbers of the categories of both parts' rows (n, fields), and how many each field has."""
    counts = [Counter(column) for column in zip(*train)]
    places = [[category for category, count in field.items() if count >= min_threshold] for field in counts]
    places = [{category: place for place, category in enumerate(field)} for field in places]
    field_dims = [len(field) + 1 for field in places]
    offsets = [sum(field_dims[:field]) for field in range(len(field_dims))]

    def numbers(rows):
        return torch.tensor([[o + p.get(c, len(p)) for o, p, c in zip(offsets, places, row)] for row in rows])

    return numbers(train), numbers(test), field_dims


def area(logits, is_click):
    """The share of pairs of a row with a click and one without in which the first has the larger logit."""
    difference = logits[is_click].unsqueeze(1) - logits[~is_click]
    return float(((difference > 0).double() + 0.5 * (difference == 0).double()).mean())


def train_clicks(net, data, config, lr):
    """Losses and accuracies of each epoch, and of the test rows the AUC and the log loss."""
    (x, y), (test_x, test_y) = data
    for parameter in net.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
        else:
            nn.init.zeros_(parameter)
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    metrics = {name: [] for name in ("train_loss", "train_acc", "test_acc", "test_auc", "test_log_loss")}
    for _ in range(config["num_epochs"]):
        net.train()
        total = right = 0.0
        for chosen in torch.randperm(len(x)).to(x.device).split(config["batch_size"]):
            logits = net(x[chosen])
            loss = F.binary_cross_entropy_with_logits(logits, y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(chosen)
            right += float(((logits > 0) == (y[chosen] > 0)).sum())
        net.eval()
        with torch.no_grad():
            logits = net(test_x)
        metrics["train_loss"].append(total / len(x))
        metrics["train_acc"].append(right / len(x))
        metrics["test_acc"].append(float(((logits > 0) == (test_y > 0)).double().mean()))
        metrics["test_auc"].append(area(logits, test_y > 0))
        metrics["test_log_loss"].append(float(F.binary_cross_entropy_with_logits(logits.double(), test_y.double())))
    return metrics


def click_data(record, located, device):
    """Both parts as tensors, and how many numbers each field has."""
    (train_y, train), (test_y, test) = clicks(record, located)
    train_x, test_x, field_dims = numbered(train, test, record["config"]["min_threshold"])
    pairs = (train_x, torch.tensor(train_y).float()), (test_x, torch.tensor(test_y).float())
    return [[tensor.to(device) for tensor in pair] for pair in pairs], field_dims


def fm_trainings(record, located, device):
    """The training of section 16.9."""
    config = record["config"]
    data, field_dims = click_data(record, located, device)

    def training():
        net = FactorizationMachine(field_dims, config["num_factors"]).to(device)
        return train_clicks(net, data, config, config["lr"])

    return {"": training}


def deepfm_trainings(record, located, device):
    """The two trainings of section 16.10, the second one of a factorization machine by the settings of 16.9."""
    config = record["config"]
    data, field_dims = click_data(record, located, device)

    def deep():
        net = DeepFactorizationMachine(field_dims, config["num_factors"], dropout=config["dropout"]).to(device)
        return train_clicks(net, data, config, config["lr"])

    def flat():
        return train_clicks(FactorizationMachine(field_dims, 20).to(device), data, config, 0.02)

    return {"": deep, "_fm": flat}
