"""The cases of training.py in PyTorch: the updates of a step and their losses.

B batch, Z code.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import _cases
import torch
from torch import nn
from torch.nn import functional

_PIXELS = 784
_ACTIVATIONS = {'relu': nn.ReLU, 'selu': nn.SELU}


class Update(NamedTuple):
    """One update of a step: the trained module and the loss that it minimizes on a batch."""

    trained: nn.Module
    loss: Callable[[torch.Tensor], torch.Tensor]


def updates(case: _cases.Case) -> list[Update]:
    """Returns the updates of a step on images `[B, 784]`; `[B, 1, 28, 28]` for convolutions."""
    families = {
        'dense': _dense,
        'convolutional': _convolutional,
        'variational': _variational,
        'gan': _adversarial,
    }
    return families[case.family](case)


def _reconstructing(model: nn.Module) -> list[Update]:
    def loss(x: torch.Tensor) -> torch.Tensor:
        return functional.binary_cross_entropy_with_logits(model(x), x)

    return [Update(model, loss)]


def _dense(case: _cases.Case) -> list[Update]:
    *hidden, code = case.config['units']
    activation = case.config['activation']
    encoder = _network(_PIXELS, hidden, activation, code)
    decoder = _network(code, hidden[::-1], activation, _PIXELS)
    return _reconstructing(nn.Sequential(*encoder, *decoder))


def _convolutional(case: _cases.Case) -> list[Update]:
    config = case.config
    channels = [1, *config['filters']]
    rows = [*zip(config['kernel_sizes'], config['strides'], strict=True)]
    layers: list[nn.Module] = []
    for i, (kernel, stride) in enumerate(rows):
        padding = (kernel - stride) // 2
        layers.append(nn.Conv2d(channels[i], channels[i + 1], kernel, stride, padding))
        layers.append(_ACTIVATIONS[config['activation']]())
    layers.pop()  # the code is linear
    for i, (kernel, stride) in reversed([*enumerate(rows)]):
        padding = (kernel - stride) // 2
        layers.append(nn.ConvTranspose2d(channels[i + 1], channels[i], kernel, stride, padding))
        layers.append(_ACTIVATIONS[config['activation']]())
    layers.pop()  # logits
    model = nn.Sequential(*layers)
    return _reconstructing(model.to(memory_format=torch.channels_last))


class Variational(nn.Module):
    """Encoder with two heads, and decoder."""

    def __init__(self, case: _cases.Case):
        super().__init__()
        units, size = case.config['units'], case.config['code_size']
        activation = case.config['activation']
        self.hidden = _network(_PIXELS, units, activation)
        self.mean = nn.Linear(units[-1], size)
        self.log_variance = nn.Linear(units[-1], size)
        self.decoder = _network(size, units[::-1], activation, _PIXELS)

    def encoder(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns mean and log-variance `[B, Z]`."""
        hidden = self.hidden(x)
        return self.mean(hidden), self.log_variance(hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the mean of the negative ELBO over the batch, in nats."""
        mean, log_variance = self.encoder(x)
        code = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        logits = self.decoder(code)
        nats = functional.binary_cross_entropy_with_logits(logits, x, reduction='sum')
        kl = torch.sum(torch.exp(log_variance) + mean.square() - 1 - log_variance) / 2
        return (nats + kl) / len(x)


def _variational(case: _cases.Case) -> list[Update]:
    model = Variational(case)
    return [Update(model, model)]


def _adversarial(case: _cases.Case) -> list[Update]:
    config = case.config
    units, size = config['units'], config['code_size']
    critic = _network(_PIXELS, units, config['activation'], 1)
    generator = _network(size, units[::-1], config['generator_activation'], _PIXELS)
    generator.append(nn.Sigmoid())

    def critic_loss(x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            fake = generator(torch.randn(len(x), size))
        gradient = _input_gradient(critic, x + torch.rand(len(x), 1) * (fake - x))
        penalty = (gradient.norm(dim=1) - 1).square().mean()
        return critic(fake).mean() - critic(x).mean() + config['gradient_penalty'] * penalty

    def generator_loss(x: torch.Tensor) -> torch.Tensor:
        return -critic(generator(torch.randn(len(x), size))).mean()

    return [Update(critic, critic_loss), Update(generator, generator_loss)]


def _input_gradient(critic: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Returns the gradients of the critic's output with respect to images `[B, 784]`."""
    if torch.compiler.is_compiling():
        # The only form of a second-order gradient that torch.compile supports.
        return torch.func.grad(lambda x: critic(x).sum())(x)
    x.requires_grad_()
    return torch.autograd.grad(critic(x).sum(), x, create_graph=True)[0]


def _network(size: int, units: Sequence[int], activation: str, last: int = 0) -> nn.Sequential:
    """Builds dense layers on `[B, size]`, and a linear layer of `last` units unless it is 0."""
    layers: list[nn.Module] = []
    for n in units:
        layers += [nn.Linear(size, n), _ACTIVATIONS[activation]()]
        size = n
    if last:
        layers.append(nn.Linear(size, last))
    return nn.Sequential(*layers)
