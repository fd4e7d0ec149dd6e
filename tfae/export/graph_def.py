"""Graphs for other programs: sub-pixel nodes are replaced by stock TensorFlow ops.

A graph that holds a compiled op loads only where that op's library is. `portable` writes the same
graph with the stock definition in its place, under the same names, so that TensorFlow Serving, TF
Lite or a plain `tf.import_graph_def` can read it. `extracted` leaves the rest of a run's graph out,
`frozen` makes constants of its variables, `with_variables` gives a graph them anew.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.ops import subpixel, subpixel_fused

_VARIABLE, _READING = 'VarHandleOp', 'ReadVariableOp'


def portable(graph_def: tf.GraphDef) -> tf.GraphDef:
    """A copy of `graph_def`, functions included, without nodes of the compiled library.

    Every other node stays as it is, and a replaced node's name now belongs to the last node of what
    replaces it; what lies before that is named below it.
    """
    result = tf.GraphDef()
    result.CopyFrom(graph_def)
    del result.node[:]
    result.node.extend(_rewritten(graph_def.node, in_function=False))
    for function in result.library.function:
        nodes = list(_rewritten(function.node_def, in_function=True))
        renamed = _renamed_outputs(function.node_def)
        del function.node_def[:]
        function.node_def.extend(nodes)
        for node in function.node_def:
            node.input[:] = [renamed.get(name, name) for name in node.input]
        for key, name in function.ret.items():
            function.ret[key] = renamed.get(name, name)
    return result


def extracted(graph: tf.Graph, tensors: Iterable[tf.Tensor]) -> tf.GraphDef:
    """What of `graph` these tensors need, with the functions of the graph if it calls one."""
    needed: dict[str, tf.Operation] = {}
    left = [tensor.op for tensor in tensors]
    while left:
        op = left.pop()
        if op.name not in needed:
            needed[op.name] = op
            left += [*(x.op for x in op.inputs), *op.control_inputs]
    whole = graph.as_graph_def()
    result = tf.GraphDef(versions=whole.versions)
    result.node.extend(node for node in whole.node if node.name in needed)
    if any(value.func.name or value.list.func for n in result.node for value in n.attr.values()):
        result.library.CopyFrom(whole.library)
    return result


def variables(graph_def: tf.GraphDef) -> list[str]:
    """Names of the variables that `graph_def` reads, in its order."""
    return [node.name for node in graph_def.node if node.op == _VARIABLE]


def frozen(graph_def: tf.GraphDef, values: Mapping[str, np.ndarray]) -> tf.GraphDef:
    """A copy of `graph_def` with constants of these values, by name, in place of its variables."""
    result = tf.GraphDef()
    result.CopyFrom(graph_def)
    for node in result.node:
        if node.op == _VARIABLE:
            kind = node.attr['dtype']
            node.CopyFrom(tf.NodeDef(op='Const', name=node.name, attr={'dtype': kind}))
            node.attr['value'].tensor.CopyFrom(tf.make_tensor_proto(values[node.name]))
        elif node.op == _READING:
            kind = node.attr['dtype']
            node.CopyFrom(
                tf.NodeDef(op='Identity', name=node.name, input=node.input, attr={'T': kind})
            )
    return result


def with_variables(graph_def: tf.GraphDef, values: Mapping[str, np.ndarray]) -> tf.Graph:
    """A graph of the nodes of `graph_def` on new variables, of the names, shapes and types of old.

    Unlike what `tf.import_graph_def` makes of old ones, they can be saved, and draw no first value.
    """
    known = variables(graph_def)
    graph = tf.Graph()
    with graph.as_default():
        given = {}
        for name in known:
            zeros = np.zeros_like(values[name])
            variable = tf.get_variable(name, initializer=zeros, use_resource=True)
            given[f'{name}:0'] = variable.handle
        rest = tf.GraphDef()
        rest.CopyFrom(graph_def)
        del rest.node[:]
        rest.node.extend(node for node in graph_def.node if node.op != _VARIABLE)
        tf.import_graph_def(rest, given, name='')
    return graph


def _shuffle(inputs: list[tf.Tensor], _: str, layout: subpixel.Layout) -> list[tf.Tensor]:
    return [subpixel.stock(inputs[0], layout, True)]


def _unshuffle(inputs: list[tf.Tensor], _: str, layout: subpixel.Layout) -> list[tf.Tensor]:
    return [subpixel.stock(inputs[0], layout, False)]


def _fused(inputs: list[tf.Tensor], activation: str, layout: subpixel.Layout) -> list[tf.Tensor]:
    x, bias = inputs
    return [subpixel_fused.stock(x, bias, activation, layout)]


def _gradient(inputs: list[tf.Tensor], activation: str, layout: subpixel.Layout) -> list[tf.Tensor]:
    y, dy = inputs
    return subpixel_fused.stock_gradient(y, dy, activation, layout)


_DEFINITIONS: dict[str, Callable[[list[tf.Tensor], str, subpixel.Layout], list[tf.Tensor]]] = {
    'SubpixelShuffle': _shuffle,
    'SubpixelUnshuffle': _unshuffle,
    'SubpixelShuffleBiasActivation': _fused,
    'SubpixelShuffleBiasActivationGrad': _gradient,
}
_GRADIENT_OUTPUTS = ('input_gradient', 'bias_gradient')


def _renamed_outputs(nodes: Iterable[tf.NodeDef]) -> dict[str, str]:
    """Inside a function a tensor is named by its op's output; those of IdentityN are `output`."""
    return {
        f'{node.name}:{output}:0': f'{node.name}:output:{k}'
        for node in nodes
        if node.op == 'SubpixelShuffleBiasActivationGrad'
        for k, output in enumerate(_GRADIENT_OUTPUTS)
    }


def _rewritten(nodes: Iterable[tf.NodeDef], in_function: bool) -> Iterable[tf.NodeDef]:
    for node in nodes:
        if node.op in _DEFINITIONS:
            yield from _replacement(node, in_function)
        else:
            yield node


def _attribute(node: tf.NodeDef, key: str, default: str) -> str:
    """A text attribute; one that stands at its default may have been left out."""
    return node.attr[key].s.decode() if key in node.attr else default


def _replacement(node: tf.NodeDef, in_function: bool) -> Iterable[tf.NodeDef]:
    """The stock nodes that do what `node` does, the last one under its name."""
    data = [name for name in node.input if not name.startswith('^')]
    control = [name for name in node.input if name.startswith('^')]
    layout = subpixel.check_arguments(
        node.name,
        list(node.attr['block_size'].list.i),
        _attribute(node, 'mode', 'DCR'),
        _attribute(node, 'data_format', 'NHWC'),
    )
    graph = tf.Graph()
    with graph.as_default():
        inputs = [tf.placeholder(node.attr['T'].type) for _ in data]
        sources = {x.name: name for x, name in zip(inputs, data, strict=True)}
        with tf.name_scope(f'{node.name}/'):
            outputs = _DEFINITIONS[node.op](
                inputs, _attribute(node, 'activation', 'identity'), layout
            )
        # A name that ends in a slash is taken as it is.
        name = f'{node.name}/'
        if len(outputs) == 1:
            tf.identity(outputs[0], name)
        else:
            tf.identity_n(outputs, name)
    for op in graph.get_operations():
        if op.type == 'Placeholder':
            continue
        made = op.node_def
        made.input[:] = [_reference(x, sources, in_function) for x in op.inputs]
        made.input.extend([f'^{before.name}' for before in op.control_inputs])
        made.input.extend(control)
        made.device = node.device
        yield made


def _reference(tensor: Any, sources: dict[str, str], in_function: bool) -> str:
    """How a node names `tensor` as its input."""
    if tensor.name in sources:
        return sources[tensor.name]
    if not in_function:
        return tensor.name
    return f'{tensor.op.name}:{tensor.op.op_def.output_arg[tensor.value_index].name}:0'
