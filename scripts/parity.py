"""Trains the book's image classifiers and the nets of sections 13.11 to 13.14, 14.4, 14.10, 15.2, 15.3, 15.5, 15.7, 16.3,
16.4, 16.6, 16.7, 16.9, 16.10, 17.1 and 17.2 in PyTorch, for the page parity.md.

    python3 scripts/parity.py                        every section below, seeds 1 to 3
    python3 scripts/parity.py cnn/resnet --seeds 5 --device cuda --jobs 5
    python3 scripts/parity.py --threads 2 --list

Reads the settings of the recorded runs from `notebooks-md/<section>/run.json`, the data from the folder that the
sections fetch them to (for all but the classifiers also from a folder that D2L_MIRROR names), and adds what the runs
reached to `notebooks-md/parity/pytorch.json`; `cargo xtask weave` puts it on the page.
Needs PyTorch 2, NumPy and Pillow, for the two sections of Kaggle torchvision too, for 15.7 tokenizers. Word vectors are
those that a section of chapter 15 has read and kept.
"""

import argparse
import fcntl
import gzip
import json
import math
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path

try:
    import numpy as np
    import torch
    from PIL import Image
    from torch import nn
except ImportError as error:
    sys.exit(f"{error}: `python3 -m pip install torch numpy pillow` gives what this script needs")

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "notebooks-md"
RESULTS = PAGES / "parity" / "pytorch.json"
DATA = Path(os.environ.get("D2L_DATA_DIR", ROOT / "data"))
sys.path.insert(0, str(ROOT / "scripts" / "bench"))

import adversarial  # noqa: E402
import kaggle  # noqa: E402
import nlp_applications  # noqa: E402
import nlp_pretraining  # noqa: E402
import recommender  # noqa: E402
import segmentation  # noqa: E402
import style_transfer  # noqa: E402
import vision_nets  # noqa: E402


def places_of(path):
    """Where a file or folder may be: where the sections fetch theirs to, and in the mirrors."""
    mirrors = [Path(mirror) for mirror in os.environ.get("D2L_MIRROR", "").split(",") if mirror and "://" not in mirror]
    return [folder / path for folder in [DATA, *mirrors]]


def located(path):
    """The first of those places that has it."""
    places = places_of(path)
    for place in places:
        if place.exists():
            return place
    sys.exit(f"there is no {' and no '.join(map(str, places))}: name a folder that has {path} in D2L_MIRROR")


def mlp_with_dropout(config):
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 256),
        nn.ReLU(),
        nn.Dropout(config["dropout1"]),
        nn.Linear(256, 256),
        nn.ReLU(),
        nn.Dropout(config["dropout2"]),
        nn.Linear(256, 10),
    )


def normal_weights(layer):
    if isinstance(layer, nn.Linear):
        nn.init.normal_(layer.weight, std=0.01)


def xavier_weights(layer):
    if isinstance(layer, (nn.Linear, nn.Conv2d)):
        nn.init.xavier_uniform_(layer.weight)


def cosine(epoch, initial=0.3, last=0.01, steps=20, warmup=0):
    """Half a cosine from `initial` to `last` after a linear warm-up from 0."""
    if epoch < warmup:
        return initial * epoch / warmup
    if epoch >= steps:
        return last
    return last + (initial - last) * (1 + math.cos(math.pi * (epoch - warmup) / (steps - warmup))) / 2


# The trainings of section 11.11: the learning rate of an epoch, counted from 0.
SCHEDULES = {
    "_constant": lambda c, epoch: c["lr"],
    "_square-root": lambda c, epoch: 0.1 / math.sqrt(epoch + 1),
    "_multi-factor": lambda c, epoch: 0.5 * 0.5 ** ((epoch >= 15) + (epoch >= 30)),
    "_cosine": lambda c, epoch: cosine(epoch),
    "_warmup": lambda c, epoch: cosine(epoch, warmup=5),
}


EFFICIENTNET = "efficientnet/efficientnet-lite0-57934424.pth"


def fcn(record, device):
    pictures = "voc2012_subset/VOCdevkit/VOC2012"
    return segmentation.trainings(record, located(pictures), located(EFFICIENTNET), device)


def neural_style(record, device):
    weights = "vgg19/vgg19_conv1_1-conv5_1_u8.safetensors.gz"
    files = [located(f"images/{name}.jpg") for name in ("rainier", "autumn-oak")] + [located(weights)]
    return style_transfer.trainings(record, *files, device)


CIFAR10_FILES = [f"cifar10/cifar10_batch_{number}.png" for number in range(4)], "cifar10/trainLabels.csv.zip"


def kaggle_cifar10(record, device):
    rows, table = CIFAR10_FILES
    return kaggle.cifar10_trainings(record, [located(path) for path in rows], located(table), device)


def kaggle_dog(record, device):
    return kaggle.dog_trainings(record, located("dog_breed"), located(EFFICIENTNET), device)


def word2vec(record, device):
    return nlp_pretraining.word2vec_trainings(record, located("ptb/ptb.zip"), device)


def bert(record, device):
    return nlp_pretraining.bert_trainings(record, located("wikitext-2/wiki.train.tokens.gz"), device)


def review_archives():
    whole = [place for place in places_of("aclImdb/aclImdb_v1.tar.gz") if place.exists()]
    return whole[:1] or [located(f"imdb/aclImdb_{part}.tar.gz") for part in ("train", "test")]


def word_vectors(config):
    """What the sections keep of a set of vectors that they have read: of the book's file, or of one that stands in."""
    names = [f"word-vectors/{config['embedding']}{part}.safetensors" for part in ("", "-vectors", "-top20k", "-top2716")]
    kept = [place for name in names for place in places_of(name) if place.exists()]
    return kept[0] if kept else located(names[0])


def sentiments(make, record, device):
    return nlp_applications.sentiment_trainings(record, review_archives(), word_vectors(record["config"]), device, make)


def sentence_pairs():
    names = "snli/snli_validation.tsv", "snli_extra/cad_nli_all_combined_train.tsv.gz", "snli/snli_test.tsv"
    return [located(name) for name in names]


def inference_by_attention(record, device):
    return nlp_applications.attention_trainings(record, sentence_pairs(), word_vectors(record["config"]), device)


def inference_by_bert(record, device):
    files = [located(f"bert_minilm_l3/{name}") for name in ("bert_l3_h384_i8.safetensors.gz", "vocab.txt")]
    return nlp_applications.finetuning_trainings(record, sentence_pairs(), *files, device)


def ratings(trainings, record, device):
    whole = [place for place in places_of("ml-100k/ml-100k.zip") if place.exists()]
    return trainings(record, whole[0] if whole else located("ml-100k/ml-100k.inter"), device)


def clicks(trainings, record, device):
    return trainings(record, located, device)


def pictures_from_noise(record, device):
    whole = [place for place in places_of("pokemon/pokemon.zip") if place.exists()]
    archive = whole[0] if whole else located("pokemon/pokemon_sprites.zip")
    return adversarial.picture_trainings(record, archive, device)


# The section that trains on color pictures by Adam, in one of its trainings on mirror images too.
AUGMENTED = "vision/image-augmentation"

# Section: its net, made from the section's configuration; how its weights start; which of the section's trainings it
# is, or all of them with their learning rates. Where the net is no classifier: a function of the section's record that
# gives its trainings as `classifications` does.
NETS = {
    "linear-nets/softmax-regression-concise": (lambda c: vision_nets.softmax_regression(), normal_weights, ""),
    "mlp/mlp-concise": (lambda c: vision_nets.mlp(), normal_weights, ""),
    "mlp/dropout": (mlp_with_dropout, normal_weights, "_concise"),
    "cnn/lenet": (lambda c: vision_nets.lenet(), xavier_weights, ""),
    "cnn/alexnet": (lambda c: vision_nets.alexnet(c["side"], c["narrowing"]), xavier_weights, ""),
    "cnn/vgg": (lambda c: vision_nets.vgg11(c["narrowing"], c["side"], c["units"]), xavier_weights, ""),
    "cnn/nin": (lambda c: vision_nets.nin(c["narrowing"]), xavier_weights, ""),
    "cnn/googlenet": (lambda c: vision_nets.googlenet(c["narrowing"]), xavier_weights, ""),
    "cnn/resnet": (lambda c: vision_nets.resnet18(c["narrowing"]), xavier_weights, ""),
    "cnn/densenet": (lambda c: vision_nets.densenet(c["narrowing"]), xavier_weights, ""),
    AUGMENTED: (
        lambda c: vision_nets.small_resnet18(c["narrowing"]),
        xavier_weights,
        {"_flipped": lambda c, epoch: c["lr"], "_plain": lambda c, epoch: c["lr"]},
    ),
    "optimization/lr-scheduler": (lambda c: vision_nets.lenet(nn.ReLU, nn.MaxPool2d), lambda layer: None, SCHEDULES),
    "vision/fcn": fcn,
    "vision/neural-style": neural_style,
    "vision/kaggle-cifar10": kaggle_cifar10,
    "vision/kaggle-dog": kaggle_dog,
    "nlp-pretraining/word2vec-pretraining": word2vec,
    "nlp-pretraining/bert-pretraining": bert,
    "nlp-applications/sentiment-analysis-rnn": partial(sentiments, nlp_applications.bi_rnn),
    "nlp-applications/sentiment-analysis-cnn": partial(sentiments, nlp_applications.text_cnn),
    "nlp-applications/natural-language-inference-attention": inference_by_attention,
    "nlp-applications/natural-language-inference-bert": inference_by_bert,
    "recommender/mf": partial(ratings, recommender.mf_trainings),
    "recommender/autorec": partial(ratings, recommender.autorec_trainings),
    "recommender/neumf": partial(ratings, recommender.neumf_trainings),
    "recommender/seqrec": partial(ratings, recommender.seqrec_trainings),
    "recommender/fm": partial(clicks, recommender.fm_trainings),
    "recommender/deepfm": partial(clicks, recommender.deepfm_trainings),
    "gan/gan": adversarial.gaussian_trainings,
    "gan/dcgan": pictures_from_noise,
}


def images(kind, count, side):
    """The first `count` images `(count, 1, side, side)` from 0 to 1, resized as torchvision does it, and labels."""
    try:
        raw = gzip.decompress((DATA / "fashion-mnist" / f"{kind}-images-idx3-ubyte.gz").read_bytes())[16:]
        labels = gzip.decompress((DATA / "fashion-mnist" / f"{kind}-labels-idx1-ubyte.gz").read_bytes())[8:]
    except FileNotFoundError as error:
        sys.exit(f"{error.filename} is not there: `cargo run --release -p linear-nets` fetches the images")
    pixels = np.frombuffer(raw, dtype=np.uint8).reshape(-1, 28, 28)[:count]
    if side != 28:
        resize = lambda image: np.asarray(Image.fromarray(image).resize((side, side), Image.BILINEAR))  # noqa: E731
        pixels = np.stack([resize(image) for image in pixels])
    x = torch.from_numpy(pixels.astype(np.float32) / 255).unsqueeze(1)
    return x, torch.tensor(list(labels[:count]))


def cifar10(examples):
    """CIFAR-10's first 3,000 training pictures at most, and the 1,000 after those to test with, `(n, 3, 32, 32)` from 0 to 1:
    what the section trains on where it cannot have the whole set."""
    rows, table = CIFAR10_FILES
    try:
        pixels, labels = kaggle.cifar10([DATA / path for path in rows], DATA / table)
    except FileNotFoundError as error:
        sys.exit(f"{error.filename} is not there: `cargo run --release -p vision -- image-augmentation` fetches it")
    x = torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    y = torch.tensor(labels)
    count = min(examples, 3000)
    return (x[:count], y[:count]), (x[3000:], y[3000:])


def mirrored(x):
    """The pictures, every second one with left and right exchanged."""
    return torch.where(torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5, x.flip(3), x)


def train(net, data, config, rate, make_optimizer=torch.optim.SGD, augment=lambda x: x):
    """Losses and accuracies of each epoch, by the book's loop, at the learning rate that `rate` gives each."""
    (x, y), (test_x, test_y) = data
    device = x.device
    loss = nn.CrossEntropyLoss(reduction="none")
    optimizer = make_optimizer(net.parameters(), lr=rate(config, 0))
    metrics = {"train_loss": [], "train_acc": [], "test_acc": []}
    for epoch in range(config["num_epochs"]):
        optimizer.param_groups[0]["lr"] = rate(config, epoch)
        net.train()
        total_loss = correct = 0.0
        for indices in torch.randperm(len(x)).to(device).split(config["batch_size"]):
            scores = net(augment(x[indices]))
            losses = loss(scores, y[indices])
            optimizer.zero_grad()
            losses.mean().backward()
            optimizer.step()
            total_loss += float(losses.detach().sum())
            correct += float((scores.argmax(1) == y[indices]).sum())
        net.eval()
        with torch.no_grad():
            right = sum(
                int((net(test_x[i : i + 256]).argmax(1) == test_y[i : i + 256]).sum()) for i in range(0, len(test_x), 256)
            )
        metrics["train_loss"].append(total_loss / len(x))
        metrics["train_acc"].append(correct / len(x))
        metrics["test_acc"].append(right / len(test_x))
    return metrics


def classifications(section, config, device):
    """For each of a section's trainings the end of its metrics' names, and what trains and gives the metrics."""
    make, initialize, trainings = NETS[section]
    if isinstance(trainings, str):
        trainings = {trainings: lambda config, epoch: config["lr"]}
    examples = config.get("examples", 60_000)
    tests = 10_000 if examples >= 60_000 else min(-(-examples // 3), 10_000)
    side = config.get("side", 28)
    is_augmented = section == AUGMENTED
    data = cifar10(examples) if is_augmented else (images("train", examples, side), images("t10k", tests, side))
    data = [[tensor.to(device) for tensor in part] for part in data]
    optimizer = torch.optim.Adam if is_augmented else torch.optim.SGD

    def training(suffix, rate):
        net = make(config)
        net.apply(initialize)
        net.to(device)
        return train(net, data, config, rate, optimizer, mirrored if suffix == "_flipped" else lambda x: x)

    return {suffix: partial(training, suffix, rate) for suffix, rate in trainings.items()}


def run(section, seed, device):
    """What the page keeps of a section's run with one seed, on `device` with its products in full precision."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    trainings = NETS[section]
    if callable(trainings):
        trainings = trainings(recorded(section), device)
    else:
        trainings = classifications(section, configuration(section), device)
    kept = {}
    for suffix, training in trainings.items():
        torch.manual_seed(seed)
        start = time.perf_counter()
        metrics = training()
        seconds = time.perf_counter() - start
        last = ", ".join(f"{name} {values[-1]:.4f}" for name, values in metrics.items())
        print(f"{section}{suffix} seed {seed}: {last}, {seconds:.0f} s", flush=True)
        kept |= {name + suffix: values for name, values in metrics.items()}
    return {"seed": seed, "metrics": kept}


def recorded(section):
    """What the section's recorded run came to."""
    record = PAGES / section / "run.json"
    try:
        return json.loads(record.read_text())
    except FileNotFoundError:
        sys.exit(f"{record} is not there: `cargo xtask record {section.replace('/', ' ')}` writes it")


def configuration(section):
    """The hyperparameters of the section's recorded run."""
    return recorded(section)["config"]


def train_all(sections, seeds, device, threads, jobs):
    """Trains every section with seeds 1 to `seeds`, `jobs` runs at a time, and keeps each section that has them all."""
    with ProcessPoolExecutor(jobs, get_context("spawn"), torch.set_num_threads, (threads,)) as pool:
        pending = {pool.submit(run, section, seed, device): section for section in sections for seed in range(1, seeds + 1)}
        done = {section: [] for section in sections}
        for future in as_completed(pending):
            section = pending[future]
            done[section].append(future.result())
            if len(done[section]) == seeds:
                runs = sorted(done[section], key=lambda run: run["seed"])
                version = torch.__version__.split("+")[0]
                keep(section, {"pytorch": version, "device": device, "config": configuration(section), "runs": runs})


def keep(section, result):
    """Puts a section's result into the file of results, which several of these programs may write to at once."""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with open(RESULTS.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        results[section] = result
        fresh = RESULTS.with_suffix(".new")
        fresh.write_text(json.dumps(dict(sorted(results.items())), indent=2) + "\n")
        fresh.replace(RESULTS)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help="such as cnn/resnet; all if none is named")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="of each run")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--list", action="store_true", help="list the sections instead")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(NETS))
        return
    if unknown := [section for section in arguments.sections if section not in NETS]:
        parser.error(f"there is no {unknown[0]} here; choose from {', '.join(NETS)}")
    for name in ("seeds", "threads", "jobs"):
        if getattr(arguments, name) < 1:
            parser.error(f"--{name}: at least one")
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: PyTorch sees no GPU here")
    train_all(arguments.sections or list(NETS), arguments.seeds, arguments.device, arguments.threads, arguments.jobs)


if __name__ == "__main__":
    main()
