"""The convolutional nets of chapters 6, 7 and 13 and the linear ones of chapters 3 and 4."""

import torch
from torch import nn
from torch.nn import functional as F


def softmax_regression():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def lenet(activation=nn.Sigmoid, pool=nn.AvgPool2d):
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        activation(),
        pool(2),
        nn.Conv2d(6, 16, 5),
        activation(),
        pool(2),
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120),
        activation(),
        nn.Linear(120, 84),
        activation(),
        nn.Linear(84, 10),
    )


def narrowed(narrowing, *channels):
    """Numbers of channels divided by `narrowing`, at least one each."""
    return [max(count // narrowing, 1) for count in channels]


def classifier_head(inputs, units):
    """The three linear layers that AlexNet and VGG end with."""
    return [
        nn.Flatten(),
        nn.Linear(inputs, units),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(units, units),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(units, 10),
    ]


def alexnet(side=224, narrowing=1):
    c1, c2, c3, units = narrowed(narrowing, 96, 256, 384, 4096)
    last = (side + 2 - 11) // 4 + 1
    for _ in range(3):
        last = (last - 3) // 2 + 1
    return nn.Sequential(
        nn.Conv2d(1, c1, 11, stride=4, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(c1, c2, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(c2, c3, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(c3, c3, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(c3, c2, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        *classifier_head(c2 * last * last, units),
    )


def vgg11(narrowing, side=224, units=4096):
    """VGG-11 with its channels divided by `narrowing`."""
    layers, inputs = [], 1
    for convolutions, channels in [(1, 64), (1, 128), (2, 256), (2, 512), (2, 512)]:
        (outputs,) = narrowed(narrowing, channels)
        for _ in range(convolutions):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
            inputs = outputs
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, *classifier_head(inputs * (side // 32) ** 2, units))


def vgg19_features(count, kept=()):
    """The first `count` of VGG-19's convolutions, ReLUs and poolings, as torchvision numbers them; He's weights.

    Each ReLU writes over its input, as torchvision's do, but for those after the layers `kept`.
    """
    layers, inputs = [], 3
    for convolutions, outputs in [(2, 64), (2, 128), (4, 256), (4, 512), (4, 512)]:
        for _ in range(convolutions):
            layers.append(nn.Conv2d(inputs, outputs, 3, padding=1))
            nn.init.kaiming_normal_(layers[-1].weight, nonlinearity="relu")
            layers.append(nn.ReLU(inplace=len(layers) - 1 not in kept))
            inputs = outputs
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers[:count])


def nin_block(inputs, outputs, kernel, stride, padding):
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, padding),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 1),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 1),
        nn.ReLU(),
    ]


def nin(narrowing=1):
    c1, c2, c3 = narrowed(narrowing, 96, 256, 384)
    return nn.Sequential(
        *nin_block(1, c1, 11, 4, 0),
        nn.MaxPool2d(3, stride=2),
        *nin_block(c1, c2, 5, 1, 2),
        nn.MaxPool2d(3, stride=2),
        *nin_block(c2, c3, 3, 1, 1),
        nn.MaxPool2d(3, stride=2),
        nn.Dropout(0.5),
        *nin_block(c3, 10, 3, 1, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


class Inception(nn.Module):
    def __init__(self, inputs, c1, c2, c3, c4):
        super().__init__()
        self.path1 = nn.Conv2d(inputs, c1, 1)
        self.path2_1 = nn.Conv2d(inputs, c2[0], 1)
        self.path2_2 = nn.Conv2d(c2[0], c2[1], 3, padding=1)
        self.path3_1 = nn.Conv2d(inputs, c3[0], 1)
        self.path3_2 = nn.Conv2d(c3[0], c3[1], 5, padding=2)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)
        self.path4 = nn.Conv2d(inputs, c4, 1)

    def forward(self, x):
        path1 = F.relu(self.path1(x))
        path2 = F.relu(self.path2_2(F.relu(self.path2_1(x))))
        path3 = F.relu(self.path3_2(F.relu(self.path3_1(x))))
        path4 = F.relu(self.path4(self.pool(x)))
        return torch.cat((path1, path2, path3, path4), dim=1)


def googlenet(narrowing=1):
    def halve():
        return nn.MaxPool2d(3, stride=2, padding=1)

    def inception(inputs, c1, c2, c3, c4):
        c1, c2[0], c2[1], c3[0], c3[1], c4 = narrowed(narrowing, c1, *c2, *c3, c4)
        return Inception(inputs, c1, c2, c3, c4), c1 + c2[1] + c3[1] + c4

    c64, channels, last = narrowed(narrowing, 64, 192, 1024)
    layers = [
        nn.Conv2d(1, c64, 7, stride=2, padding=3),
        nn.ReLU(),
        halve(),
        nn.Conv2d(c64, c64, 1),
        nn.ReLU(),
        nn.Conv2d(c64, channels, 3, padding=1),
        nn.ReLU(),
        halve(),
    ]
    stages = [
        [(64, [96, 128], [16, 32], 32), (128, [128, 192], [32, 96], 64)],
        [
            (192, [96, 208], [16, 48], 64),
            (160, [112, 224], [24, 64], 64),
            (128, [128, 256], [24, 64], 64),
            (112, [144, 288], [32, 64], 64),
            (256, [160, 320], [32, 128], 128),
        ],
        [(256, [160, 320], [32, 128], 128), (384, [192, 384], [48, 128], 128)],
    ]
    for i, stage in enumerate(stages):
        if i > 0:
            layers.append(halve())
        for paths in stage:
            block, channels = inception(channels, *paths)
            layers.append(block)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, 10))


def wide_stem(channels):
    """The first layers of ResNet and DenseNet."""
    return [
        nn.Conv2d(1, channels, 7, stride=2, padding=3),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
    ]


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(outputs)
        changes_shape = inputs != outputs or stride != 1
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride) if changes_shape else None

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        if self.shortcut is not None:
            x = self.shortcut(x)
        y += x
        return F.relu(y)


def residual_blocks(*channels):
    """The four stages of two blocks each, of which all but the first halve the image."""
    blocks, inputs = [], channels[0]
    for outputs, stride in zip(channels, [1, 2, 2, 2]):
        blocks += [Residual(inputs, outputs, stride), Residual(outputs, outputs, 1)]
        inputs = outputs
    return blocks


def resnet18(narrowing=1):
    c1, c2, c3, c4 = narrowed(narrowing, 64, 128, 256, 512)
    blocks = residual_blocks(c1, c2, c3, c4)
    return nn.Sequential(*wide_stem(c1), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c4, 10))


def small_resnet18(narrowing=1):
    """The one of section 13.1 for small pictures in color: a small convolution at the beginning, and no pooling."""
    channels = narrowed(narrowing, 64, 128, 256, 512)
    stem = [nn.Conv2d(3, channels[0], 3, padding=1), nn.BatchNorm2d(channels[0]), nn.ReLU()]
    blocks = residual_blocks(*channels)
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels[-1], 10))


def conv_block(inputs, outputs):
    return nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, outputs, 3, padding=1))


class DenseBlock(nn.Module):
    def __init__(self, convolutions, inputs, growth):
        super().__init__()
        self.blocks = nn.ModuleList(conv_block(inputs + i * growth, growth) for i in range(convolutions))

    def forward(self, x):
        for block in self.blocks:
            x = torch.cat((x, block(x)), dim=1)
        return x


def transition_block(inputs, outputs):
    return [nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, outputs, 1), nn.AvgPool2d(2)]


def densenet(narrowing=1):
    channels, growth = narrowed(narrowing, 64, 32)
    layers, blocks, convolutions = wide_stem(channels), 4, 4
    for block in range(blocks):
        layers.append(DenseBlock(convolutions, channels, growth))
        channels += convolutions * growth
        if block < blocks - 1:
            layers += transition_block(channels, channels // 2)
            channels //= 2
    head = [nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]
    return nn.Sequential(*layers, *head)
