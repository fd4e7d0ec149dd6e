"""PyTorch as a contender of training.py, eager or compiled."""

import os
from collections.abc import Callable, Iterator, Sequence

import _cases
import _channel
import _torch_models
import torch


def run(job: _channel.Job, channel: _channel.Channel, compiled: bool) -> None:
    """Runs a fast training loop: data in one tensor, a permutation per epoch, fused Adam.

    The number of threads is the fastest in a trial; fused Adam was always the fastest.
    """
    case = job.trained
    x = torch.from_numpy(_cases.inputs(case, job.count))
    if case.family == 'convolutional':
        x = x.permute(0, 3, 1, 2)  # a view: channels last
    updates = {n: _torch_models.updates(case) for n in sorted({1, os.cpu_count() or 1})}
    ways = {f'{n} threads': steps(found, case, x, n, compiled) for n, found in updates.items()}
    best = _channel.fastest(ways)
    about = f'PyTorch {torch.__version__}, {best}'
    _channel.serve(channel, ways[best], about, parameters(updates[1]))


def parameters(updates: list[_torch_models.Update]) -> int:
    """Returns the number of trained parameters."""
    return sum(p.numel() for update in updates for p in update.trained.parameters())


def steps(
    updates: list[_torch_models.Update],
    case: _cases.Case,
    x: torch.Tensor,
    threads: int,
    compiled: bool,
) -> Callable[[], int]:
    """Returns a function that trains some steps and returns their number of examples."""
    losses = [torch.compile(u.loss) if compiled else u.loss for u in updates]
    optimizers = adams(updates, case)
    feed = batches(x, case.batch)

    def work() -> int:
        torch.set_num_threads(threads)
        for _ in range(_channel.STEPS):
            step(updates, losses, optimizers, next(feed))
        return _channel.STEPS * case.batch

    return work


def adams(updates: list[_torch_models.Update], case: _cases.Case) -> list[torch.optim.Adam]:
    """Returns an optimizer for each update."""
    made = [update.trained.parameters() for update in updates]
    return [torch.optim.Adam(parameters, case.rate, case.betas, fused=True) for parameters in made]


def step(
    updates: list[_torch_models.Update],
    losses: Sequence[Callable[[torch.Tensor], torch.Tensor]],
    optimizers: Sequence[torch.optim.Optimizer],
    batch: torch.Tensor,
) -> list[torch.Tensor]:
    """Runs the updates in turn and returns the loss before each."""
    found = []
    for update, loss, optimizer in zip(updates, losses, optimizers, strict=True):
        if len(updates) > 1:  # no gradients of parameters that this update does not train
            for other in updates:
                other.trained.requires_grad_(other is update)
        optimizer.zero_grad(set_to_none=True)
        found.append(loss(batch))
        found[-1].backward()
        optimizer.step()
    return found


def batches(x: torch.Tensor, size: int) -> Iterator[torch.Tensor]:
    """Yields full batches, in a new order every epoch."""
    while True:
        for indices in torch.randperm(len(x)).split(size):
            if len(indices) == size:
                yield x[indices]
