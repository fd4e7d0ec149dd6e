"""The layers of a static graph: operations grouped by the variables that they use.

Works for any graph of TF1's kind, built by tfae or not. A layer is a product or a convolution with
a variable, and the operations that follow it with the other variables of its scope: bias,
normalization, activation. Pooling, sums of branches and random noise are layers without variables.
Gradients, optimizers, losses and metrics are not layers: no operation with a variable follows them.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import tensorflow.compat.v1 as tf

from tfae.core import names

_VARIABLES = ('VarHandleOp', 'VariableV2', 'Variable', 'AutoReloadVariable')
_INPUTS = ('Placeholder', 'PlaceholderV2', 'PlaceholderWithDefault', 'IteratorGetNext', 'PyFunc')
_RANDOM = re.compile(
    r'(Stateless)?(Random(?!Shuffle|Crop)|TruncatedNormal|Multinomial|Parameterized)'
    r'|Stateful(Random|StandardNormal|TruncatedNormal|Uniform)'  # of a tf.random.Generator
)
_QUEUES = re.compile(r'(Queue|Reader)\w*(Dequeue|Read)|(Queue|Stack)?Dequeue')
# Operations whose results do not depend on the values of their inputs.
_SHAPES = ('Shape', 'ShapeN', 'Size', 'Rank', 'ZerosLike', 'OnesLike')
# Operations that store, compare or log values.
_EFFECTS = re.compile(
    r'Assign|Apply|Save|Restore|Summary|IsVariableInitialized|Assert'
    r'|^Scatter(?!Nd$|NdNonAliasingAdd$)|^ResourceScatter'
)
# The scope of tf.gradients, at any depth.
_GRADIENTS = re.compile(r'(^|/)gradients(_\d+)?/')
_DROPOUT = 'dropout'  # the scope of tf.nn.dropout

_PRODUCTS = {
    'MatMul': 'dense',
    'BatchMatMul': 'matrix product',
    'BatchMatMulV2': 'matrix product',
    'Einsum': 'matrix product',
    'SparseTensorDenseMatMul': 'dense',
    'Conv2D': 'convolution',
    'Conv3D': 'convolution',
    'DepthwiseConv2dNative': 'depthwise convolution',
    'Conv2DBackpropInput': 'transposed convolution',
    'Conv3DBackpropInputV2': 'transposed convolution',
    'GatherV2': 'embedding',
    'Gather': 'embedding',
    'ResourceGather': 'embedding',
}
_NORMALIZING = {names.GAMMA, names.MOVING_MEAN}  # variables
# Variables that no gradient trains, and that are not parameters of a layer.
_STATISTIC = re.compile(rf'(^|/)((moving|renorm)_\w+|{names.SINGULAR_VECTOR})$')
_ACTIVATIONS = {
    **{name: name.lower() for name in ('Relu', 'Relu6', 'Elu', 'Selu', 'Sigmoid', 'Tanh')},
    **{name: name.lower() for name in ('Softmax', 'Softplus', 'Softsign', 'Sin')},
    'LeakyRelu': 'leaky relu',
    'LogSoftmax': 'log softmax',
}
_UNWEIGHTED = {
    'MaxPool': 'max pooling',
    'MaxPoolV2': 'max pooling',
    'MaxPool3D': 'max pooling',
    'AvgPool': 'average pooling',
    'AvgPool3D': 'average pooling',
    'LRN': 'response normalization',
    'ResizeBilinear': 'bilinear upsampling',
    'ResizeNearestNeighbor': 'nearest-neighbor upsampling',
    'ResizeBicubic': 'bicubic upsampling',
}
_SUMS = {'Add', 'AddV2', 'AddN', 'BiasAdd'}
# Sub-pixel convolution; the second is an op of tfae.
_SHUFFLES = ('DepthToSpace', 'SubpixelShuffle', 'SubpixelShuffleBiasActivation')
_COPIES = ('Identity', 'Reshape', 'Squeeze', 'ExpandDims', 'StopGradient', 'Transpose')


class Layer(NamedTuple):
    """A layer; see the module."""

    name: str  # scope of its variables, or name of its operation
    kind: str  # such as 'convolution', 'input' or 'max pooling'
    steps: tuple[str, ...]  # its settings, and what follows within it: '3 × 3 / 2', 'relu'
    shape: tuple[int | None, ...] | None  # of an example of its output; None if unknown
    variables: Mapping[str, int]  # name -> size
    inputs: tuple[int, ...]  # places of layers before it in the list
    operation: str  # name of its first operation


class _Growing:
    """A layer while its operations are found."""

    def __init__(self, op: tf.Operation, kind: str, inputs: Iterable['_Growing'] = ()):
        self.op = op
        self.kind = kind
        self.inputs = list(dict.fromkeys(inputs))
        self.steps: list[str] = []
        self.variables: dict[str, int] = {}
        self.types = {op.type}
        self.last = op  # whose output is the layer's
        self.closed = False  # by an activation, after which no product may follow


def find(graph: tf.Graph) -> list[Layer]:
    """Returns the layers of a graph, each after its inputs; empty without any variable in use."""
    weights = _weights(graph)
    sizes = {op.name: _size(op) for op in weights}
    data = _computed_from_inputs(graph)
    held = _held(graph, weights, data)
    used = {
        op: sorted({name for t in op.inputs for name in held.get(t.op, ())})
        for op in data
        if not _is_source(op)
    }
    used = {op: found for op, found in used.items() if found}
    at: dict[tf.Operation, _Growing] = {}
    grown: list[_Growing] = []
    for op in _needed(graph, data, used):
        layer = _placed(op, [at[t.op] for t in op.inputs if t.op in at], used.get(op, []), grown)
        if layer.op is op and layer not in grown:
            grown.append(layer)
        layer.variables |= {
            name: sizes[name] for name in used.get(op, []) if not _STATISTIC.search(name)
        }
        at[op] = layer
    grown = _merged(grown)
    for layer in grown:
        if not any(layer in other.inputs for other in grown):
            _follow(layer)
    return _finished(grown)


def collapsed(layers: Sequence[Layer], depth: int) -> list[Layer]:
    """Returns layers merged by the first `depth` scopes of their names.

    Neighbors are merged unless another path between them leads through a layer of another scope.
    """
    group = list(range(len(layers)))
    keys = ['/'.join(layer.name.split('/')[:depth]) for layer in layers]
    for i, layer in enumerate(layers):
        for j in layer.inputs:
            if keys[i] == keys[j] and layers[j].inputs:
                _join(group, layers, group[j], group[i])
    leaders = _sorted(layers, group)
    return [_merged_layer(layers, keys, group, leaders, leader) for leader in leaders]


def _merged_layer(
    layers: Sequence[Layer],
    keys: Sequence[str],
    group: Sequence[int],
    leaders: Sequence[int],
    leader: int,
) -> Layer:
    """Returns the layers of the group `leader` as one, whose inputs are places in `leaders`."""
    members = [i for i in range(len(layers)) if group[i] == leader]
    outside = [group[j] for i in members for j in layers[i].inputs if group[j] != leader]
    found = layers[leader]._replace(
        shape=layers[members[-1]].shape,
        variables={k: v for i in members for k, v in layers[i].variables.items()},
        inputs=tuple(leaders.index(j) for j in dict.fromkeys(outside)),
    )
    if len(members) == 1:
        return found
    count = sum(bool(layers[i].variables) for i in members) or len(members)
    kind = f'{count} layer{"s" if count > 1 else ""}'
    return found._replace(name=keys[leader], kind=kind, steps=())


def _weights(graph: tf.Graph) -> list[tf.Operation]:
    """Returns the variables; in a graph without any, as after freezing, the constant arrays."""
    ops = graph.get_operations()
    found = [op for op in ops if op.type in _VARIABLES and _is_floating(op)]
    return found or [
        op
        for op in ops
        if op.type == 'Const' and op.outputs[0].dtype.is_floating and op.outputs[0].shape.rank
    ]


def _is_floating(variable: tf.Operation) -> bool:
    return tf.as_dtype(variable.get_attr('dtype')).is_floating


def _size(variable: tf.Operation) -> int:
    shape = variable.outputs[0].shape
    if variable.type == 'VarHandleOp':
        shape = tf.TensorShape(variable.get_attr('shape'))
    return shape.num_elements() or 0


def _held(
    graph: tf.Graph, weights: Sequence[tf.Operation], data: Mapping[tf.Operation, None]
) -> dict[tf.Operation, frozenset[str]]:
    """Returns operation -> names of the variables that it is computed from, and no input."""
    held = {op: frozenset([op.name]) for op in weights}
    for op in graph.get_operations():
        plain = not _EFFECTS.search(op.type) and op.type not in _SHAPES
        if plain and op not in held and op not in data:
            found = frozenset().union(*(held.get(t.op, frozenset()) for t in op.inputs))
            held |= {op: found} if found else {}
    return held


def _is_source(op: tf.Operation) -> bool:
    """Returns whether an operation gives examples or noise."""
    if op.type in _INPUTS or _QUEUES.match(op.type):
        return _rank(op) != 0 and any(t.dtype != tf.bool for t in op.outputs)
    return bool(_RANDOM.match(op.type)) and op.outputs[0].dtype.is_floating


def _computed_from_inputs(graph: tf.Graph) -> dict[tf.Operation, None]:
    """Returns the operations of the forward pass that depend on examples or noise, in order."""
    sources = [op for op in graph.get_operations() if _is_source(op)]
    # Placeholders of unknown rank are often of single numbers, as of a rate of dropout.
    known = [op for op in sources if _rank(op)]
    found = dict.fromkeys(known or sources)
    for op in graph.get_operations():
        plain = not _EFFECTS.search(op.type) and op.type not in _SHAPES and _rank(op) != 0
        if plain and not _GRADIENTS.search(op.name) and any(t.op in found for t in op.inputs):
            found[op] = None
    return found


def _rank(op: tf.Operation) -> int | None:
    """Returns the largest rank of the outputs; 0 without any, None if it is unknown."""
    ranks = [t.shape.rank for t in op.outputs]
    return None if None in ranks else max(ranks, default=0)


def _needed(
    graph: tf.Graph, data: Mapping[tf.Operation, None], used: Iterable[tf.Operation]
) -> list[tf.Operation]:
    """Returns the operations of `data` that lead to one with a variable, in order."""
    found: set[tf.Operation] = set()
    waiting = list(used)
    while waiting:
        op = waiting.pop()
        if op in data and op not in found:
            found.add(op)
            waiting += [] if _is_source(op) else [t.op for t in op.inputs]
    return [op for op in graph.get_operations() if op in found]


def _placed(
    op: tf.Operation, before: list[_Growing], used: list[str], grown: list[_Growing]
) -> _Growing:
    """Returns the layer of an operation: a new one, or one of `before` that it continues."""
    before = list(dict.fromkeys(before))
    if not before:
        return _Growing(op, 'noise' if _RANDOM.match(op.type) else 'input')
    only = before[0] if len(before) == 1 else None
    product = _PRODUCTS.get(op.type) if used else None
    if product:
        for other in grown:  # the groups of a convolution
            same = other.inputs == before and _scope(other.op.name) == _scope(op.name)
            if same and set(used) <= other.variables.keys():
                return other
        if only and _continues(only, used):
            only.kind = 'separable convolution'
            return only
        layer = _Growing(op, product, before)
        layer.steps += _settings(op)
        return layer
    if only and (kind := _UNWEIGHTED.get(op.type)) and not used:
        layer = _Growing(op, kind, before)
        layer.steps += _settings(op)
        return layer
    if only is None:
        return _Growing(op, 'function', before)
    if used and only.kind in ('input', 'noise'):
        return _Growing(op, 'function', before)
    leaves = {name.rpartition('/')[2] for name in used}
    if leaves & _NORMALIZING and 'norm' not in only.steps:
        only.steps.append('norm')
    if op.type in _SHUFFLES and only.kind == 'convolution':
        only.kind = 'sub-pixel convolution'
    if op.type in _ACTIVATIONS and only.kind not in ('input', 'noise') and not only.closed:
        only.steps.append(_ACTIVATIONS[op.type])
        only.closed = True
    # Statistics of normalization have a smaller rank than what is normalized.
    whole = (_rank(op) or 0) >= (_rank(only.last) or 0)
    if whole and (used or op.type in (*_ACTIVATIONS, *_SHUFFLES, 'ConcatV2')):
        only.last = op
    return only


def _continues(layer: _Growing, used: list[str]) -> bool:
    """Returns whether a product is the second of a separable layer."""
    scopes = {_scope(name) for name in [*used, *layer.variables]}
    return not layer.closed and layer.kind.startswith('depthwise') and len(scopes) == 1


def _settings(op: tf.Operation) -> list[str]:
    """Returns kernel or window and stride of a convolution or a pooling: '3 × 3 / 2'."""
    if 'Pool' in op.type and op.type != 'MaxPoolV2':
        ksize = list(op.get_attr('ksize'))
        sides = ksize[2:] if op.get_attr('data_format').startswith(b'NC') else ksize[1:-1]
    elif 'Conv' in op.type and op.inputs[1].shape.is_fully_defined():
        sides = op.inputs[1].shape.as_list()[:-2]
    else:
        return []
    stride = max(op.get_attr('strides'))
    return [' × '.join(map(str, sides)) + (f' / {stride}' if stride > 1 else '')]


def _merged(grown: list[_Growing]) -> list[_Growing]:
    """Merges functions, and the noise that only one of them uses, into the next function."""
    users: dict[_Growing, dict[_Growing, None]] = {layer: {} for layer in grown}
    for layer in grown:
        for other in layer.inputs:
            users[other][layer] = None
    waiting = dict.fromkeys(grown)
    while waiting:
        layer = next(iter(waiting))
        del waiting[layer]
        plain = layer.kind in ('function', 'noise') and not layer.variables and not layer.steps
        if not plain or [user.kind for user in users[layer]] != ['function']:
            continue
        (user,) = users.pop(layer)
        place = user.inputs.index(layer)
        user.inputs[place : place + 1] = layer.inputs
        user.inputs = list(dict.fromkeys(user.inputs))
        user.types |= layer.types
        for other in layer.inputs:
            del users[other][layer]
            users[other][user] = None
            waiting[other] = None  # it may have a single user now
    return [layer for layer in grown if layer in users]


def _follow(layer: _Growing) -> None:
    """Adds the activation and the reshaping behind a last layer."""
    op = layer.last
    while True:
        after = [c for t in op.outputs for c in t.consumers() if not _GRADIENTS.search(c.name)]
        active = [c for c in after if c.type in _ACTIVATIONS and not layer.closed]
        copies = [c for c in after if c.type in _COPIES]
        if active:
            op = active[0]
            layer.steps.append(_ACTIVATIONS[op.type])
            layer.closed = True
        elif copies:
            op = min(copies, key=lambda c: c.type == 'Identity')
        else:
            break
        layer.last = op


def _finished(grown: list[_Growing]) -> list[Layer]:
    return [
        Layer(
            name,
            _function(layer) if layer.kind == 'function' else layer.kind,
            tuple(layer.steps),
            _shape(layer.last),
            layer.variables,
            tuple(grown.index(other) for other in layer.inputs if other in grown),
            layer.op.name,
        )
        for layer, name in zip(grown, _names(grown), strict=True)
    ]


def _names(grown: Sequence[_Growing]) -> list[str]:
    """Returns the scope of each layer's first variable; its name where others share the scope."""
    firsts = [next(iter(layer.variables), '') for layer in grown]
    scopes: dict[str, set[str]] = {}
    for first in filter(None, firsts):
        scopes.setdefault(_scope(first), set()).add(first)
    found = []
    for layer, first in zip(grown, firsts, strict=True):
        scope = _scope(first or layer.op.name)
        alone = scope and len(scopes.get(scope, ())) < 2
        found.append(scope if alone else first or layer.op.name)
    return found


def _scope(name: str) -> str:
    return name.rpartition('/')[0]


def _function(layer: _Growing) -> str:
    """Returns what a function of several layers, or of noise, does."""
    if any(map(_RANDOM.match, layer.types)):
        if _DROPOUT in layer.op.name:
            return _DROPOUT
        return 'sample' if len(layer.inputs) > 1 else 'noise'
    if layer.variables:
        return 'function'
    if layer.types <= _SUMS:
        return 'sum'
    if layer.types == {'ConcatV2'}:
        return 'concatenation'
    return 'product' if layer.types == {'Mul'} else 'function'


def _shape(op: tf.Operation) -> tuple[int | None, ...] | None:
    """Returns the shape of an example of the first output that has one."""
    for tensor in op.outputs:
        if tensor.shape.rank:
            return tuple(tensor.shape.as_list()[1:])
    return None


def _join(group: list[int], layers: Sequence[Layer], a: int, b: int) -> None:
    """Merges group `b` into `a` unless a path from `a` to `b` leads through another group."""
    if a == b:
        return
    after: dict[int, set[int]] = {}
    for i, layer in enumerate(layers):
        for j in layer.inputs:
            if group[i] != group[j]:
                after.setdefault(group[j], set()).add(group[i])
    waiting, seen = list(after.get(a, set()) - {b}), set()
    while waiting:
        at = waiting.pop()
        if at == b:
            return
        if at not in seen:
            seen.add(at)
            waiting += after.get(at, set())
    for i, leader in enumerate(group):
        if leader == b:
            group[i] = a


def _sorted(layers: Sequence[Layer], group: Sequence[int]) -> list[int]:
    """Returns the groups, each after its inputs."""
    needs: dict[int, set[int]] = {leader: set() for leader in group}
    for i, layer in enumerate(layers):
        needs[group[i]] |= {group[j] for j in layer.inputs if group[j] != group[i]}
    made: list[int] = []
    while len(made) < len(needs):
        made.append(next(n for n in needs if n not in made and needs[n] <= set(made)))
    return made


def size(shape: Sequence[int | None] | None) -> int | None:
    """Returns the numbers in an example of this shape; None if that is unknown."""
    return None if shape is None or None in shape else math.prod(shape)  # type: ignore[arg-type]
