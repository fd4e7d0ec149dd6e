"""AlexNet and VGG in PyTorch, with the module names of torchvision; optionally narrow."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

VGG = {
    '11': (1, 1, 2, 2, 2),
    '13': (2, 2, 2, 2, 2),
    '16': (2, 2, 3, 3, 3),
    '19': (2, 2, 4, 4, 4),
}
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Network(nn.Module):
    def __init__(self, features, grid, classifier):
        super().__init__()
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(grid)
        self.classifier = nn.Sequential(*classifier)
        torch.manual_seed(0)
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.kaiming_normal_(parameter)
            else:
                nn.init.normal_(parameter, 0, 0.1)
        self.eval()

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))

    def logits(self, images):
        """Returns logits of images `[N, H, W, 3]` in [0, 1], preprocessed as in torchvision."""
        x = (torch.tensor(images) - torch.tensor(MEAN)) / torch.tensor(DEVIATION)
        with torch.no_grad():
            return self(x.permute(0, 3, 1, 2)).numpy()


def vgg(depth, width=1.0, classes=1000):
    features, channels, units = [], 3, round(4096 * width)
    for count, size in zip(VGG[depth], (64, 128, 256, 512, 512), strict=True):
        for _ in range(count):
            features += [nn.Conv2d(channels, round(size * width), 3, padding=1), nn.ReLU()]
            channels = round(size * width)
        features.append(nn.MaxPool2d(2, 2))
    dense = [nn.Linear(channels * 49, units), nn.ReLU(), nn.Dropout()]
    dense += [nn.Linear(units, units), nn.ReLU(), nn.Dropout(), nn.Linear(units, classes)]
    return Network(features, 7, dense)


def alexnet(width=1.0, classes=1000):
    a, b, c, d, e, units = (round(n * width) for n in (64, 192, 384, 256, 256, 4096))
    features = [nn.Conv2d(3, a, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)]
    features += [nn.Conv2d(a, b, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)]
    features += [nn.Conv2d(b, c, 3, padding=1), nn.ReLU()]
    features += [nn.Conv2d(c, d, 3, padding=1), nn.ReLU()]
    features += [nn.Conv2d(d, e, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)]
    dense = [nn.Dropout(), nn.Linear(e * 36, units), nn.ReLU()]
    dense += [nn.Dropout(), nn.Linear(units, units), nn.ReLU(), nn.Linear(units, classes)]
    return Network(features, 6, dense)


def caffe_alexnet(values, images, mean):
    """Returns the logits of bvlc_alexnet with kernels and biases in TensorFlow's layout.

    Response normalization is PyTorch's, which divides alpha by the size as Caffe does.
    """
    of = {name: [torch.tensor(v) for v in both] for name, both in values.items()}

    def convolved(h, name, stride=1, padding=0, groups=1):
        kernel, bias = of[name]
        return functional.conv2d(
            h, kernel.permute(3, 2, 0, 1), bias, stride, padding, 1, groups
        ).relu()

    def normalized_and_pooled(h):
        h = functional.local_response_norm(h, 5, alpha=1e-4, beta=0.75, k=1.0)
        return functional.max_pool2d(h, 3, 2)

    x = torch.tensor((255 * images - np.float32(mean))[..., ::-1].copy()).permute(0, 3, 1, 2)
    h = normalized_and_pooled(convolved(x, 'conv1', 4))
    h = normalized_and_pooled(convolved(h, 'conv2', 1, 2, 2))
    h = convolved(convolved(h, 'conv3', 1, 1), 'conv4', 1, 1, 2)
    h = functional.max_pool2d(convolved(h, 'conv5', 1, 1, 2), 3, 2)
    h = h.permute(0, 2, 3, 1).flatten(1)
    for name in ('fc6', 'fc7'):
        h = (h @ of[name][0] + of[name][1]).relu()
    return (h @ of['fc8'][0] + of['fc8'][1]).numpy()
