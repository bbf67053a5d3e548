"""The table of workloads: for each name a function that gives the net and one step of its training.

Names, sizes and optimizers are those of `crates/bench/src/workloads.rs`.
"""

import torch
from torch import nn

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
from vision_nets import alexnet, densenet, googlenet, lenet, mlp, nin, resnet18, softmax_regression, vgg11

VOCABULARY, SOURCE, TARGET = 28, 184, 201


def classifier(net, batch, side, learning_rate):
    """Ten classes of square images with one channel, by stochastic gradient descent."""
    images, labels = torch.randn(batch, 1, side, side), torch.randint(10, (batch,))
    optimizer = torch.optim.SGD(net.parameters(), lr=learning_rate)
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
}
