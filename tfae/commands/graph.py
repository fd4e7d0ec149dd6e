"""Plot the layers of a network as an SVG: shapes, parameters, scopes and shared variables.

    tfae graph --logdir=runs/vae --output=graph.svg
    tfae graph --model=vgg16
    tfae graph --meta_graph=model.ckpt-1000.meta

A run needs no checkpoint, and a published network no weights. --meta_graph takes the graph of any
TF1 program: a meta graph (.meta), or a GraphDef, frozen or not (.pb, or .pbtxt as text). Operations
are grouped by the scopes of the variables that they use; gradients, optimizers, losses and metrics
are left out. An autoencoder is folded at its code, so that encoder and decoder mirror each other.
Layers that share variables have the same mark, and a dashed frame. Prints the layers as a table.
"""

import dataclasses
import pathlib

import tensorflow.compat.v1 as tf

from tfae import pretrained
from tfae.analysis import layer_graph
from tfae.commands.shared import command_flags, graph_files
from tfae.core import errors
from tfae.core.config import Part, option
from tfae.plots import diagram
from tfae.runs.directory import FIGURES, Folder
from tfae.training import graph

_MAX_LAYERS = 60  # of a diagram without --depth
# Kind of a layer -> color of its box; the others have variables or not.
_COLORS = {'input': 'data', 'noise': 'noise', 'sample': 'noise'}


@dataclasses.dataclass(frozen=True)
class Config(Part):
    """The graph, and the output file."""

    logdir: str = option(
        '', 'Folder of the run (alternatives: --model and --meta_graph).', excludes=('--model',)
    )
    model: str = option('', f'Published network: {", ".join(pretrained.references())}.')
    class_count: int = option(
        1000, 'Number of classes of the network.', within='[2, 1048576] classes', needs=('--model',)
    )
    width: float = option(
        1.0,
        'Factor that multiplies the filters and units of every layer except the last.',
        within='(0, 8]',
        needs=('--model',),
    )
    meta_graph: str = option(
        '',
        'Graph file of any TF1 program: .meta, .pb or .pbtxt.',
        excludes=('--logdir', '--model'),
    )
    depth: int = option(
        0,
        'Number of leading scopes: layers that share them are merged into one box; 0: no '
        f'merging, or only as much as needed for at most {_MAX_LAYERS} boxes.',
        within='[0, 100] scopes',
    )
    output: str = option(
        '',
        'Output file, .svg (default: graph.svg in figures/ of the run, or in figures/ of the '
        'working directory).',
    )


def main(argv: list[str]) -> int:
    """Runs `tfae graph`; returns the exit code 0.

    Raises: UsageError without a graph, or for an unknown network; InputError if there is no run, or
      the file holds no graph with variables.
    """
    flags = command_flags.read('graph', __doc__, Config, argv)
    who, built = _graph(flags)
    layers = layer_graph.find(built)
    if not any(layer.variables for layer in layers):
        raise errors.InputError(
            f'{who} has no layer: no operation that depends on an input uses a variable'
        )
    shown = _merged(layers, flags.depth)
    marks = _marks(shown)
    folder = Folder(flags.logdir).place(FIGURES) if flags.logdir else pathlib.Path(FIGURES)
    path = pathlib.Path(flags.output) if flags.output else folder / 'graph.svg'
    if path.suffix != '.svg':
        raise errors.UsageError(f'--output is {path}; it must end in .svg')
    total = sum({k: v for layer in layers for k, v in layer.variables.items()}.values())
    merged = ', merged by scope' if len(shown) < len(layers) else ''
    weighted = sum(bool(layer.variables) for layer in layers)
    note = f'{total:,} parameters in {weighted} layers{merged}' + (
        '; layers with the same mark share variables' if any(marks) else ''
    )
    _print(shown, marks)
    print(f'{total:,} parameters')
    diagram.save(path, _boxes(shown, marks), who, note)
    print(path)
    return 0


def _graph(flags: Config) -> tuple[str, tf.Graph]:
    """Returns a title, and the graph that the flags name."""
    if flags.logdir:
        folder = Folder(flags.logdir)
        experiment = folder.read_config()
        with folder.blaming_config():
            built = graph.forward(experiment)
        return f'{experiment.data.dataset}, {experiment.model}', built
    if flags.model:
        known = pretrained.references()
        module = known[errors.one_of('--model', flags.model, known)]
        config = dataclasses.replace(module.NETWORKS[flags.model], width=flags.width)
        model = module.Model(config, classes=flags.class_count)
        return flags.model, graph.of_images(model, model.image_shape)
    if flags.meta_graph:
        path = pathlib.Path(flags.meta_graph)
        return path.name, graph_files.read(path)
    raise errors.UsageError('tfae graph needs --logdir, --model or --meta_graph')


def _merged(layers: list[layer_graph.Layer], depth: int) -> list[layer_graph.Layer]:
    """Returns the layers merged by `depth` scopes, or by as many as leave a readable diagram."""
    if depth:
        return layer_graph.collapsed(layers, depth)
    if len(layers) <= _MAX_LAYERS:
        return layers
    deepest = max(layer.name.count('/') for layer in layers)
    for depth in range(deepest, 0, -1):
        found = layer_graph.collapsed(layers, depth)
        if len(found) <= _MAX_LAYERS:
            return found
    return layer_graph.collapsed(layers, 1)


def _marks(layers: list[layer_graph.Layer]) -> list[str]:
    """Returns a mark for each layer that shares variables with another: A, B, ...; else ''."""
    marks: dict[str, str] = {}
    found = []
    for layer in layers:
        others = [other for other in layers if other is not layer]
        shared = any(layer.variables.keys() & other.variables.keys() for other in others)
        known = next((marks[name] for name in layer.variables if name in marks), '')
        mark = (known or _letters(len(set(marks.values())))) if shared else ''
        if mark:
            marks |= dict.fromkeys(layer.variables, mark)
        found.append(mark)
    return found


def _letters(k: int) -> str:
    """Returns A, B, ..., Z, AA, AB, ..."""
    return (_letters(k // 26 - 1) if k >= 26 else '') + chr(ord('A') + k % 26)


def _scope(layer: layer_graph.Layer, layers: list[layer_graph.Layer]) -> str:
    """Returns the name of a layer; of a function without a scope, the names of its inputs."""
    if layer.variables or not layer.inputs or '/' in layer.operation:
        return layer.name
    return f'of {", ".join(layers[j].name.rpartition("/")[2] for j in layer.inputs)}'


def _said(layer: layer_graph.Layer) -> str:
    """Returns kind, settings and activation of a layer."""
    kind, steps = layer.kind, layer.steps
    if steps and steps[0][0].isdigit():  # the size of a kernel or a window
        kind, steps = f'{kind} {steps[0]}', steps[1:]
    return ', '.join([kind, *steps])


def _shape(layer: layer_graph.Layer) -> str:
    if layer.shape is None:
        return ''
    return ' × '.join('?' if side is None else f'{side:,}' for side in layer.shape) or '1'


def _parameters(layer: layer_graph.Layer) -> int:
    return sum(layer.variables.values())


def _boxes(layers: list[layer_graph.Layer], marks: list[str]) -> list[diagram.Box]:
    prefix = _prefix([layer.name for layer in layers if layer.variables])
    found = []
    for layer, mark in zip(layers, marks, strict=True):
        count = _parameters(layer)
        lines = [f'{name}: {size:,}' for name, size in layer.variables.items()]
        found.append(
            diagram.Box(
                _said(layer),
                _scope(layer, layers),
                _shape(layer),
                f'{count:,} parameters' if count else '',
                _color(layer),
                layer_graph.size(layer.shape),
                layer.inputs,
                layer.name.removeprefix(prefix).split('/')[0] if '/' in layer.name else '',
                mark,
                '\n'.join([_said(layer), layer.operation, *lines]),
            )
        )
    return found


def _prefix(names: list[str]) -> str:
    """Returns the scopes that all names begin with."""
    parts = [name.split('/')[:-1] for name in names]
    same = []
    for each in zip(*parts, strict=False):
        if len(set(each)) > 1:
            break
        same.append(f'{each[0]}/')
    return ''.join(same)


def _color(layer: layer_graph.Layer) -> str:
    if layer.kind in _COLORS:
        return _COLORS[layer.kind]
    if 'pooling' in layer.kind:
        return 'reduction'
    if 'convolution' in layer.kind:
        return 'convolution'
    return 'dense' if layer.variables else 'function'


def _print(layers: list[layer_graph.Layer], marks: list[str]) -> None:
    rows = [('layer', 'kind', 'shape', 'parameters', 'shared')]
    rows += [
        (layer.name, _said(layer), _shape(layer), f'{_parameters(layer):,}', mark)
        for layer, mark in zip(layers, marks, strict=True)
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, kind, shape, count, mark in rows:
        print(
            f'{name:{widths[0]}}  {kind:{widths[1]}}  {shape:>{widths[2]}}  '
            f'{count:>{widths[3]}}  {mark}'.rstrip()
        )
