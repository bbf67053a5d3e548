"""The table of workloads: for each name a function that gives the net and one step of its training.

Names, sizes and optimizers are those of `crates/bench/src/workloads.rs`. A workload without a net has an empty one.
"""

import torch
from torch import nn
from torch.nn import functional as F

import adversarial
from detection import TinySsd, multibox_target, ssd_loss, tiny_ssd_anchors
from nlp_applications import BertClassifier, BiRnn, DecomposableAttention, TextCnn
from nlp_pretraining import Bert, BertEncoder, SkipGram, bert_losses, skip_gram_losses
from recommender import Caser, DeepFactorizationMachine, MatrixFactorization, NeuMf, bpr_losses, half_squares
from sequence_nets import (
    AttentionDecoder,
    EncoderDecoder,
    GruScratch,
    LstmScratch,
    RecurrentLanguageModel,
    RnnScratch,
    Seq2SeqDecoder,
    Seq2SeqEncoder,
    TransformerDecoder,
    TransformerEncoder,
    masked_cross_entropy,
)
from segmentation import fcn_resnet18, picture_losses
from style_transfer import CONTENT_LAYERS, STYLE_LAYERS, extract, gram, losses
from vision_nets import (
    alexnet,
    densenet,
    googlenet,
    lenet,
    mlp,
    nin,
    resnet18,
    small_resnet18,
    softmax_regression,
    vgg11,
    vgg19_features,
)

VOCABULARY, SOURCE, TARGET = 28, 184, 201
TREEBANK, WIKITEXT = 6719, 20256
WORDS = 20_000
USERS, MOVIES = 943, 1682


def classifier(net, batch, side, learning_rate):
    """Ten classes of square images with one channel, by stochastic gradient descent."""
    return images_classifier(net, (batch, 1, side, side), torch.optim.SGD(net.parameters(), lr=learning_rate))


def colors_classifier(net, batch, side, learning_rate):
    """Ten classes of square images with three channels, by Adam."""
    return images_classifier(net, (batch, 3, side, side), torch.optim.Adam(net.parameters(), lr=learning_rate))


def images_classifier(net, shape, optimizer):
    """Ten classes of images of a shape, of which the first axis is the batch."""
    images, labels = torch.randn(shape), torch.randint(10, shape[:1])
    loss = nn.CrossEntropyLoss()

    def step():
        optimizer.zero_grad()
        value = loss(net(images), labels)
        value.backward()
        optimizer.step()
        return value

    return net, step


def language_model(net):
    """Next characters, by stochastic gradient descent with clipping; the state goes on from step to step."""
    inputs, labels = torch.randint(VOCABULARY, (32, 35)), torch.randint(VOCABULARY, (32, 35))
    optimizer = torch.optim.SGD(net.parameters(), lr=1)
    loss = nn.CrossEntropyLoss()
    state = net.begin_state(32)

    def step():
        nonlocal state
        state = tuple(s.detach() for s in state)
        logits, state = net(inputs, state)
        value = loss(logits, labels.T.reshape(-1))
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1)
        optimizer.step()
        return value

    return net, step


def concise(layer):
    return language_model(RecurrentLanguageModel(layer(VOCABULARY, 256), VOCABULARY))


def translation(encoder, decoder, *sizes):
    """Translation pairs, by Adam with clipping."""
    batch, steps = 64, 10
    net = EncoderDecoder(encoder(SOURCE, *sizes), decoder(TARGET, *sizes))
    net.train()
    source, target = torch.randint(SOURCE, (batch, steps)), torch.randint(TARGET, (batch, steps))
    source_lens, target_lens = torch.randint(3, steps + 1, (batch,)), torch.randint(3, steps + 1, (batch,))
    begin = torch.ones(batch, 1, dtype=torch.long)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.005)

    def step():
        optimizer.zero_grad()
        logits = net(source, torch.cat([begin, target[:, :-1]], 1), source_lens)
        value = masked_cross_entropy(logits, target, target_lens).sum()
        value.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1)
        optimizer.step()
        return value

    return net, step


def update(optimizer):
    """The update of an optimizer alone, of the parameters of ResNet-18 by gradients that stay the same.

    `optimizer` has PyTorch's fused form, its fastest on a CPU.
    """
    net = resnet18()
    for parameter in net.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer = optimizer(net.parameters())
    loss = torch.zeros(())

    def step():
        optimizer.step()
        return loss

    return net, step


def augmentation():
    """A pass over 1,000 JPEG files: each decoded, cropped at random, mirrored or not, and made planes of floats.

    A worker has a core of its own, so there are as many as this process has threads.
    """
    from pictures import augmented_jpegs  # not above: few workloads need torchvision

    loader = augmented_jpegs(1000, 32, torch.get_num_threads())

    def step():
        pictures = sum(len(batch) for batch, _ in loader)
        return torch.tensor(float(pictures))

    return nn.Module(), step


def random_boxes(count):
    """Corners of boxes inside the picture, of a tenth to four tenths of its side."""
    corner, sides = 0.6 * torch.rand(count, 2), 0.1 + 0.3 * torch.rand(count, 2)
    return torch.cat((corner, corner + sides), dim=1)


def a_thing_each(pictures):
    """Labels (pictures, 1, 5): the class 0 and a box."""
    return torch.cat((torch.zeros(pictures, 1), random_boxes(pictures)), dim=1).unsqueeze(1)


def labels_of_anchors():
    """What the detector below is to say of each anchor of each picture of a minibatch."""
    anchors, labels = tiny_ssd_anchors(), a_thing_each(32)

    def step():
        _, _, classes = multibox_target(anchors, labels)
        return classes[0].sum()  # how many anchors stand for the thing on the first picture

    return nn.Module(), step


def suppression():
    """Which of a picture's boxes remain."""
    from torchvision.ops import nms  # as above

    boxes, scores = random_boxes(5444), torch.rand(5444)

    def step():
        return torch.tensor(float(len(nms(boxes, scores, 0.5))))

    return nn.Module(), step


def detector():
    """One kind of thing, one on each picture, by stochastic gradient descent with weight decay."""
    net = TinySsd(1)
    pictures, labels = torch.rand(32, 3, 256, 256), a_thing_each(32)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.2, weight_decay=5e-4)

    def step():
        optimizer.zero_grad()
        anchors, scores, offsets = net(pictures)
        true_offsets, masks, classes = multibox_target(anchors, labels)
        value = ssd_loss(scores, classes, offsets, true_offsets, masks).mean()
        value.backward()
        optimizer.step()
        return value

    return net, step


def segmenter():
    """A class for each pixel, by stochastic gradient descent with weight decay."""
    net = fcn_resnet18(21)
    pictures, classes = torch.randn(4, 3, 320, 480), torch.randint(21, (4, 320, 480))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.001, weight_decay=1e-3)

    def step():
        optimizer.zero_grad()
        value = picture_losses(net(pictures), classes).sum()
        value.backward()
        optimizer.step()
        return value

    return net, step


def enlargement():
    """A transposed convolution alone: 21 scores of each cell become those of 32 x 32 pixels."""
    net = nn.ConvTranspose2d(21, 21, 64, stride=32, padding=16, bias=False)
    scores = torch.randn(4, 21, 10, 15, requires_grad=True)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-6)

    def step():
        optimizer.zero_grad()
        scores.grad = None
        value = net(scores).mean()
        value.backward()
        optimizer.step()
        return value

    return net, step


def style_transfer():
    """The pixels of a picture, whose content is one picture's and whose style another's, by Adam."""
    layers = vgg19_features(29, kept=STYLE_LAYERS + CONTENT_LAYERS).requires_grad_(False)
    content, style = torch.randn(1, 3, 300, 450), torch.randn(1, 3, 300, 450)
    with torch.no_grad():
        contents, _ = extract(layers, content)
        grams = [gram(y) for y in extract(layers, style)[1]]
    net = nn.ParameterList([content.clone()])
    (picture,) = net
    optimizer = torch.optim.Adam(net.parameters(), lr=0.3)

    def step():
        optimizer.zero_grad()
        value = sum(losses(picture, extract(layers, picture), contents, grams, (1, 1e3, 10)))
        value.backward()
        optimizer.step()
        return value

    return net, step


def frozen_head():
    """New layers on features that stay, by stochastic gradient descent with momentum and weight decay."""
    net = nn.Sequential(nn.Linear(1000, 256), nn.ReLU(), nn.Linear(256, 120))
    features, labels = torch.randn(32, 1000), torch.randint(120, (32,))
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9, weight_decay=1e-4)
    loss = nn.CrossEntropyLoss(reduction="sum")

    def step():
        optimizer.zero_grad()
        value = loss(net(features), labels)
        value.backward()
        optimizer.step()
        return value

    return net, step


def skip_gram():
    """Centers, each with ten contexts and fifty noise words, by Adam."""
    net = SkipGram(TREEBANK, 100)
    centers, words = torch.randint(TREEBANK, (512,)), torch.randint(TREEBANK, (512, 60))
    labels, mask = (torch.arange(60) < 10).float().repeat(512, 1), torch.ones(512, 60)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)

    def step():
        optimizer.zero_grad()
        value = skip_gram_losses(net(centers, words), labels, mask).mean()
        value.backward()
        optimizer.step()
        return value

    return net, step


def bert():
    """Hidden words and next sentences of pairs of different lengths, by Adam."""
    batch, steps, predictions = 64, 64, 10
    net = Bert(WIKITEXT, 128, 256, 2, 2, 0.2)
    net.train()
    lens = torch.randint(steps // 2, steps + 1, (batch,))
    tokens = torch.randint(WIKITEXT, (batch, steps))
    segments = (torch.arange(steps) >= steps // 4).long().repeat(batch, 1)
    positions = torch.randint(1, steps // 2, (batch, predictions))
    weights, labels = torch.ones(batch, predictions), torch.randint(WIKITEXT, (batch, predictions))
    are_next = torch.randint(2, (batch,))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.001)

    def step():
        optimizer.zero_grad()
        value = sum(bert_losses(net, tokens, segments, lens, positions, weights, labels, are_next))
        value.backward()
        optimizer.step()
        return value

    return net, step


def embedding_adam():
    """A few vectors of a large table, by Adam: the gradient has all of the table's rows, nearly all of them zeros."""
    net = nn.Embedding(400_000, 50)
    ids = torch.randint(400_000, (4096,))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.001)

    def step():
        optimizer.zero_grad()
        value = net(ids).square().mean()
        value.backward()
        optimizer.step()
        return value

    return net, step


def texts_classifier(net, classes, learning_rate, *inputs):
    """Classes of texts or of pairs of texts, by Adam."""
    net.train()
    labels = torch.randint(classes, inputs[0].shape[:1])
    optimizer = torch.optim.Adam(net.parameters(), lr=learning_rate)

    def step():
        optimizer.zero_grad()
        value = F.cross_entropy(net(*inputs), labels)
        value.backward()
        optimizer.step()
        return value

    return net, step


def texts(batch, steps):
    return torch.randint(WORDS, (batch, steps))


def vectors():
    """A vector of 50 numbers for each word."""
    return torch.randn(WORDS, 50)


def bert_finetuning():
    """Pairs of texts of different lengths."""
    batch, steps = 32, 128
    net = BertClassifier(BertEncoder(WORDS, 256, 512, 4, 2, 0.1, 512), 256)
    segments = (torch.arange(steps) >= steps // 4).long().repeat(batch, 1)
    lens = torch.randint(steps // 2, steps + 1, (batch,))
    return texts_classifier(net, 3, 1e-4, texts(batch, steps), segments, lens)


def factorization():
    """Ratings of movies by people, by Adam with weight decay."""
    net = MatrixFactorization(USERS, MOVIES, 30)
    users, movies, stars = torch.randint(USERS, (512,)), torch.randint(MOVIES, (512,)), torch.randint(1, 6, (512,)).float()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.002, weight_decay=1e-5)

    def step():
        optimizer.zero_grad()
        value = half_squares(net(users, movies), stars).mean()
        value.backward()
        optimizer.step()
        return value

    return net, step


def ranking(net, batch, learning_rate, *sequences):
    """Movies that people chose, each beside one that they did not, by Adam with weight decay; `sequences` are what they chose
    before, if the net sees that."""
    net.train()
    users = torch.randint(USERS, (batch,))
    chosen, others = torch.randint(MOVIES, (batch,)), torch.randint(MOVIES, (batch,))
    optimizer = torch.optim.Adam(net.parameters(), lr=learning_rate, weight_decay=1e-5)

    def step():
        optimizer.zero_grad()
        value = bpr_losses(*net.both(users, *sequences, chosen, others)).mean()
        value.backward()
        optimizer.step()
        return value

    return net, step


def clicks():
    """Rows of categories, with a click or without, by Adam."""
    fields, categories, batch = 34, 100, 2048
    net = DeepFactorizationMachine([categories] * fields, 10)
    net.train()
    rows = torch.randint(categories, (batch, fields)) + categories * torch.arange(fields)
    labels = torch.randint(2, (batch,)).float()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)

    def step():
        optimizer.zero_grad()
        value = F.binary_cross_entropy_with_logits(net(rows), labels)
        value.backward()
        optimizer.step()
        return value

    return net, step


def counting():
    """Lit pixels by class, in as many pictures as MNIST has to learn from: in NumPy."""
    import numpy as np  # one workload needs it

    images = (np.arange(60000 * 784, dtype=np.uint32) * np.uint32(2654435761) >> 24).astype(np.uint8).reshape(60000, 784)
    labels = np.arange(60000) % 10

    def step():
        lit = images >= 128
        n_y = np.array([(labels == y).sum() for y in range(10)], dtype=float)
        n_x = np.array([lit[labels == y].sum(axis=0) for y in range(10)], dtype=float)
        return torch.tensor(((n_x + 1) / (n_y + 2)[:, None]).mean())

    return nn.Module(), step


def adversaries():
    """Pictures that are told from made ones, then made better, by Adam: an update of each net."""
    generator, discriminator = adversarial.picture_nets()
    net = nn.ModuleList((generator, discriminator))
    adversarial.initialize(net)
    x, z = 2 * torch.rand(64, 3, 64, 64) - 1, torch.randn(64, 100, 1, 1)
    generator_optimizer, discriminator_optimizer = (
        torch.optim.Adam(part.parameters(), lr=0.005, betas=(0.5, 0.999)) for part in net
    )

    def step():
        value, _, _ = adversarial.update_discriminator(x, z, discriminator, generator, discriminator_optimizer)
        return value + adversarial.update_generator(z, discriminator, generator, generator_optimizer)

    return net, step


WORKLOADS = {
    "softmax": lambda: classifier(softmax_regression(), 256, 28, 0.1),
    "mlp": lambda: classifier(mlp(), 256, 28, 0.1),
    "lenet": lambda: classifier(lenet(), 256, 28, 0.9),
    "alexnet": lambda: classifier(alexnet(), 16, 224, 0.01),
    "vgg": lambda: classifier(vgg11(4), 16, 224, 0.01),
    "nin": lambda: classifier(nin(), 16, 224, 0.01),
    "googlenet": lambda: classifier(googlenet(), 32, 96, 0.01),
    "resnet": lambda: classifier(resnet18(), 32, 96, 0.01),
    "densenet": lambda: classifier(densenet(), 32, 96, 0.01),
    "rnn-scratch": lambda: language_model(RnnScratch(VOCABULARY, 512)),
    "gru-scratch": lambda: language_model(GruScratch(VOCABULARY, 512)),
    "lstm-scratch": lambda: language_model(LstmScratch(VOCABULARY, 512)),
    "rnn": lambda: concise(nn.RNN),
    "gru": lambda: concise(nn.GRU),
    "lstm": lambda: concise(nn.LSTM),
    "seq2seq": lambda: translation(Seq2SeqEncoder, Seq2SeqDecoder, 32, 32, 2, 0.1),
    "bahdanau": lambda: translation(Seq2SeqEncoder, AttentionDecoder, 32, 32, 2, 0.1),
    "transformer": lambda: translation(TransformerEncoder, TransformerDecoder, 32, 64, 4, 2, 0.1),
    "optimizer-sgd": lambda: update(lambda p: torch.optim.SGD(p, lr=0.01, fused=True)),
    "optimizer-momentum": lambda: update(lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, fused=True)),
    "optimizer-adam": lambda: update(lambda p: torch.optim.Adam(p, lr=0.001, fused=True)),
    "augment-jpegs": lambda: augmentation(),
    "resnet18-cifar": lambda: colors_classifier(small_resnet18(), 128, 32, 0.001),
    "multibox-target": lambda: labels_of_anchors(),
    "nms": lambda: suppression(),
    "ssd": lambda: detector(),
    "fcn": lambda: segmenter(),
    "style-transfer": lambda: style_transfer(),
    "conv-transpose": lambda: enlargement(),
    "frozen-head": lambda: frozen_head(),
    "skip-gram": lambda: skip_gram(),
    "bert": lambda: bert(),
    "embedding-adam": lambda: embedding_adam(),
    "bidirectional-lstm": lambda: texts_classifier(BiRnn(vectors(), 100, 2), 2, 0.01, texts(64, 500)),
    "text-cnn": lambda: texts_classifier(TextCnn(vectors(), (3, 4, 5), 100, 0.5), 2, 0.001, texts(64, 500)),
    "decomposable-attention": lambda: texts_classifier(
        DecomposableAttention(WORDS, 50, 200, 0.2), 3, 0.001, texts(256, 50), texts(256, 50)
    ),
    "bert-finetuning": lambda: bert_finetuning(),
    "matrix-factorization": lambda: factorization(),
    "neumf": lambda: ranking(NeuMf(USERS, MOVIES, 10, (10, 10, 10)), 1024, 0.01),
    "caser": lambda: ranking(Caser(USERS, MOVIES, 10), 4096, 0.04, torch.randint(MOVIES, (4096, 5))),
    "deepfm": lambda: clicks(),
    "dcgan-step": lambda: adversaries(),
    "naive-bayes-train": lambda: counting(),
}
