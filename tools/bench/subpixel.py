"""Times the sub-pixel ops on the CPU and every stock implementation of the same function.

    python tools/bench/subpixel.py [--rounds=15] [--threads=N] [--only=TEXT] [--table=TABLE]

Each contender runs as a chain of equal ops in the session of its own graph. The input is a
variable, so that neither feeding nor fetching is timed. The contenders take turns in rounds.
Results are medians over the rounds, or minima with --best, which other programs disturb less. With
one thread, processor time is measured, which they disturb least.

Table `shuffle`:

    ours     the compiled op
    d2s      tf.nn.depth_to_space, if it supports the case (DCR, NHWC)
    rtr      reshape, transpose, reshape
    torch    torch.nn.functional.pixel_shuffle, if it supports the case (CRD, NCHW) and is installed
    copy     tf.raw_ops.DeepCopy: copies as many bytes in one thread
    map      tf.negative, or tf.bitwise.invert for integers: reads and writes as many bytes in order

Table `fused`: bias, activation and shuffle, forward only, and forward with the gradients of input
and bias; compared with tf.nn.bias_add, the activation and the faster of the two stock shuffles.
"""

import argparse
import importlib.util
import math
import os
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.ops import op_library, subpixel, subpixel_fused


class Case(NamedTuple):
    """One line of the table; `shape` is that of the input, N H W C or N C H W."""

    shape: tuple[int, ...]
    block: int
    mode: str = 'DCR'
    data_format: str = 'NHWC'
    dtype: str = 'float32'


CASES = [
    Case((64, 14, 14, 4), 2),
    Case((64, 7, 7, 64), 2),
    Case((64, 14, 14, 128), 2),
    Case((64, 14, 14, 32), 2),
    Case((256, 14, 14, 4), 2),
    Case((16, 32, 32, 12), 2),
    Case((16, 96, 80, 12), 2),
    Case((16, 96, 80, 64), 2),
    Case((16, 96, 80, 256), 2),
    Case((1, 270, 480, 4), 2),
    Case((1, 270, 480, 12), 2),
    Case((1, 270, 480, 27), 3),
    Case((1, 270, 480, 48), 4),
    Case((8, 64, 64, 16), 4),
    Case((8, 64, 64, 9), 3),
    Case((4, 128, 128, 1024), 2),
    Case((16, 96, 80, 12), 2, dtype='uint8'),
    Case((1, 540, 960, 12), 2, dtype='uint8'),
    Case((16, 96, 80, 64), 2, dtype='float16'),
    Case((1, 270, 480, 12), 2, dtype='float16'),
    Case((16, 96, 80, 12), 2, dtype='float64'),
    Case((64, 14, 14, 128), 2, 'CRD'),
    Case((16, 96, 80, 12), 2, 'CRD'),
    Case((16, 96, 80, 64), 2, 'CRD'),
    Case((1, 270, 480, 27), 3, 'CRD'),
    Case((1, 270, 480, 48), 4, 'CRD'),
    Case((16, 12, 96, 80), 2, 'CRD', 'NCHW'),
    Case((64, 128, 14, 14), 2, 'CRD', 'NCHW'),
    Case((16, 256, 96, 80), 2, 'CRD', 'NCHW'),
    Case((1, 27, 270, 480), 3, 'CRD', 'NCHW'),
    Case((1, 48, 270, 480), 4, 'CRD', 'NCHW'),
    Case((16, 12, 96, 80), 2, 'DCR', 'NCHW'),
    Case((1, 48, 270, 480), 4, 'DCR', 'NCHW'),
    Case((1, 12, 540, 960), 2, 'CRD', 'NCHW', 'uint8'),
]
CONTENDERS = ('ours', 'd2s', 'rtr', 'torch', 'copy', 'map')
FUSED_CASES = [
    Case((64, 14, 14, 32), 2),
    Case((64, 14, 14, 128), 2),
    Case((16, 96, 80, 12), 2),
    Case((16, 96, 80, 256), 2),
    Case((1, 270, 480, 48), 4),
]
ACTIVATIONS = ('relu', 'selu', 'sigmoid')


def graph_ops(case: Case) -> dict[str, Callable[[tf.Tensor], tf.Tensor]]:
    """Returns the contenders of `case` that are TensorFlow graphs."""
    arguments = (case.block, case.mode, case.data_format)

    def stock(x: tf.Tensor) -> tf.Tensor:
        layout = subpixel.check_arguments('bench', *arguments)
        return subpixel.stock(x, layout, True)

    integer = not tf.as_dtype(case.dtype).is_floating
    ops = {'ours': lambda x: subpixel.shuffle(x, *arguments), 'rtr': stock}
    if case.mode == 'DCR' and case.data_format == 'NHWC':
        ops['d2s'] = lambda x: tf.nn.depth_to_space(x, case.block)
    ops['copy'] = lambda x: tf.raw_ops.DeepCopy(x=x)
    ops['map'] = tf.bitwise.invert if integer else tf.negative
    return ops


def fused_ops(
    case: Case, activation: str, backward: bool
) -> dict[str, Callable[[tf.Tensor], tf.Tensor | tf.Operation]]:
    """Returns the fused op and the two stock graphs, with or without the gradients."""
    layout = subpixel.check_arguments('bench', case.block, case.mode, case.data_format)

    def shuffled(shuffle: Callable[[tf.Tensor], tf.Tensor]) -> Callable:
        act = subpixel_fused.ACTIVATIONS[activation]
        return lambda x, bias: shuffle(act(tf.nn.bias_add(x, bias)))

    ways = {
        'ours': lambda x, bias: subpixel_fused.shuffle_bias_activation(
            x, bias, case.block, activation
        ),
        'd2s': shuffled(lambda y: tf.nn.depth_to_space(y, case.block)),
        'rtr': shuffled(lambda y: subpixel.stock(y, layout, True)),
    }

    def with_gradients(way: Callable) -> Callable[[tf.Tensor], tf.Tensor | tf.Operation]:
        def op(x: tf.Tensor) -> tf.Tensor | tf.Operation:
            bias = tf.constant(np.linspace(-1, 1, case.shape[3]), x.dtype)
            y = way(x, bias)
            if not backward:
                return y
            # Any incoming gradient of the right shape will do; the output is one.
            return tf.group(*tf.gradients(y, [x, bias], y))

        return op

    return {name: with_gradients(way) for name, way in ways.items()}


def graph_runner(case: Case, op: Callable, length: int, threads: int, low: float = 0) -> Callable:
    """Returns a function that runs `op` `length` times, one after the other."""
    graph = tf.Graph()
    with graph.as_default():
        value = np.random.RandomState(0).uniform(low, low + 100, case.shape).astype(case.dtype)
        with tf.device('/cpu:0'):
            start = tf.placeholder(case.dtype, case.shape)
            x = tf.get_variable('x', initializer=start, use_resource=True)
            x = x.read_value()
            last = None
            for _ in range(length):
                # Control dependencies also prevent the merging of equal ops into one.
                with tf.control_dependencies([] if last is None else [last]):
                    made = op(x)
                    last = made if isinstance(made, tf.Operation) else made.op
        config = tf.ConfigProto(intra_op_parallelism_threads=threads)
        config.inter_op_parallelism_threads = 1
        # Grappler would remove every op whose value is unused: all but one.
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        session = tf.Session(config=config)
        session.run(tf.global_variables_initializer(), {start: value})
        return session.make_callable(last)


def torch_runner(case: Case, length: int, threads: int) -> Callable | None:
    """Returns the same for PyTorch, or None if it does not support the case."""
    wanted = case.mode == 'CRD' and case.data_format == 'NCHW'
    if not wanted or importlib.util.find_spec('torch') is None:
        return None
    import torch

    if threads:
        torch.set_num_threads(threads)
    x = torch.from_numpy(np.random.RandomState(0).uniform(0, 100, case.shape).astype(case.dtype))

    def run() -> None:
        for _ in range(length):
            torch.nn.functional.pixel_shuffle(x, case.block)

    return run


def chain_length(case: Case) -> int:
    """Returns the number of ops in a chain: about 8 MB of input."""
    return max(1, min(40, (8 << 20) // (np.dtype(case.dtype).itemsize * math.prod(case.shape))))


def take_turns(
    runners: dict[str, Callable], length: int, rounds: int, threads: int
) -> dict[str, list[float]]:
    """Returns microseconds per op of each contender, one value per round."""
    clock = time.process_time if threads == 1 else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in runners}
    for turn in range(rounds + 2):
        for name, run in runners.items():
            start = clock()
            run()
            taken = clock() - start
            if turn >= 2:  # The first rounds warm up caches and memory pools.
                times[name].append(taken / length * 1e6)
    return times


def label_of(case: Case) -> str:
    """Returns the label of a case in the table."""
    label = f'{"x".join(map(str, case.shape))} r{case.block} {case.mode} {case.data_format}'
    return label + ('' if case.dtype == 'float32' else f' {case.dtype}')


def geometric_mean(values: list[float]) -> float:
    """Returns the geometric mean; NaN if there are no values."""
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan


def shuffle_table(arguments: argparse.Namespace, figure: Callable) -> None:
    """Prints a line for each of `CASES`, then their means."""
    head = ''.join(f'{name:>9}' for name in CONTENDERS)
    print(f'{"input":<34}{"MB":>6}{head}{"d2s/ours":>10}{"stock/ours":>11}{"copy/ours":>10}')
    over_d2s, over_stock = [], []
    for case in CASES:
        if arguments.only not in label_of(case):
            continue
        length = chain_length(case)
        threads = arguments.threads
        ops = graph_ops(case)
        runners = {name: graph_runner(case, op, length, threads) for name, op in ops.items()}
        torch = torch_runner(case, length, threads)
        if torch:
            runners['torch'] = torch
        rounds = take_turns(runners, length, arguments.rounds, threads)
        times = {name: figure(values) for name, values in rounds.items()}
        stock = min(times[name] for name in ('d2s', 'rtr', 'torch') if name in times)
        over_stock.append(stock / times['ours'])
        if 'd2s' in times:
            over_d2s.append(times['d2s'] / times['ours'])
        figures = ''.join(f'{times.get(name, math.nan):>9.1f}' for name in CONTENDERS)
        d2s = times.get('d2s', math.nan) / times['ours']
        megabytes = np.dtype(case.dtype).itemsize * math.prod(case.shape) / 1e6
        print(
            f'{label_of(case):<34}{megabytes:>6.1f}{figures}{d2s:>10.2f}{over_stock[-1]:>11.2f}'
            f'{times["copy"] / times["ours"]:>10.2f}',
            flush=True,
        )
    print(f'geometric mean over tf.nn.depth_to_space: {geometric_mean(over_d2s):.2f}')
    print(f'geometric mean over the fastest stock op: {geometric_mean(over_stock):.2f}')
    print(f'the slowest case over the fastest stock op: {min(over_stock, default=math.nan):.2f}')


def fused_table(arguments: argparse.Namespace, figure: Callable) -> None:
    """Prints a line for each of `FUSED_CASES` and each activation."""
    columns = ('ours', 'd2s', 'rtr', 'stock/ours')
    head = ''.join(f'{name:>11}' for name in columns)
    print(f'{"bias, activation, shuffle":<46}{head}')
    ratios = []
    for case in FUSED_CASES:
        for activation in ACTIVATIONS:
            for backward in (False, True):
                label = f'{label_of(case)} {activation} {"gradients" if backward else "forward"}'
                if arguments.only not in label:
                    continue
                length = chain_length(case)
                ops = fused_ops(case, activation, backward)
                runners = {
                    name: graph_runner(case, op, length, arguments.threads, -50)
                    for name, op in ops.items()
                }
                rounds = take_turns(runners, length, arguments.rounds, arguments.threads)
                times = {name: figure(values) for name, values in rounds.items()}
                ratios.append(min(times['d2s'], times['rtr']) / times['ours'])
                figures = ''.join(f'{times[name]:>11.1f}' for name in columns[:3])
                print(f'{label:<46}{figures}{ratios[-1]:>11.2f}', flush=True)
    print(f'geometric mean over the fastest stock op: {geometric_mean(ratios):.2f}')
    print(f'the slowest case over the fastest stock op: {min(ratios, default=math.nan):.2f}')


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--threads', type=int, default=0, help='threads; 0: one per core')
    parser.add_argument('--only', default='', help='run only cases whose label contains this text')
    parser.add_argument('--table', choices=['shuffle', 'fused', 'both'], default='both')
    parser.add_argument(
        '--best', action='store_true', help='print the minimum over the rounds, not the median'
    )
    arguments = parser.parse_args()
    tf.disable_eager_execution()
    os.environ.setdefault(op_library.CHOICE, 'compiled')
    print(f'{subpixel.status().why}; TensorFlow {tf.__version__}; {os.cpu_count()} cores')
    threads = arguments.threads or 'one per core'
    what = 'best' if arguments.best else 'median'
    print(f'microseconds, {what} of {arguments.rounds} rounds; threads: {threads}')
    figure = min if arguments.best else statistics.median
    if arguments.table != 'fused':
        shuffle_table(arguments, figure)
    if arguments.table != 'shuffle':
        fused_table(arguments, figure)


if __name__ == '__main__':
    main()
