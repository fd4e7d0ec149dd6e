"""Transforms graphs for export: stock ops instead of compiled ones, subgraphs, frozen graphs.

A graph with a compiled op loads only where its library is. `portable` replaces each such op by its
stock definition under the same name, so that TensorFlow Serving, TF Lite or a plain
`tf.import_graph_def` can load it. `extracted` prunes a graph, `frozen` converts its variables to
constants, and `with_variables` rebuilds it with new variables.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.ops import subpixel, subpixel_fused

_VARIABLE, _READ = 'VarHandleOp', 'ReadVariableOp'


def portable(graph_def: tf.GraphDef) -> tf.GraphDef:
    """Returns a copy of a graph, functions included, without nodes of the compiled library.

    All other nodes are unchanged. The last node of a replacement has the name of the replaced
    node; the others are in a name scope of that name.
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
    """Returns the subgraph that computes these tensors, with the function library if it is used."""
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
    """Returns the names of the variables in a graph, in its order."""
    return [node.name for node in graph_def.node if node.op == _VARIABLE]


def frozen(graph_def: tf.GraphDef, values: Mapping[str, np.ndarray]) -> tf.GraphDef:
    """Returns a copy of a graph whose variables are constants of these values, by name."""
    result = tf.GraphDef()
    result.CopyFrom(graph_def)
    for node in result.node:
        if node.op == _VARIABLE:
            kind = node.attr['dtype']
            node.CopyFrom(tf.NodeDef(op='Const', name=node.name, attr={'dtype': kind}))
            node.attr['value'].tensor.CopyFrom(tf.make_tensor_proto(values[node.name]))
        elif node.op == _READ:
            kind = node.attr['dtype']
            node.CopyFrom(
                tf.NodeDef(op='Identity', name=node.name, input=node.input, attr={'T': kind})
            )
    return result


def with_variables(graph_def: tf.GraphDef, values: Mapping[str, np.ndarray]) -> tf.Graph:
    """Returns a graph of the nodes of `graph_def` on new variables of the same names.

    Unlike variables imported by `tf.import_graph_def`, these can be saved and are zero-initialized.

    Args:
      graph_def: graph with resource variables.
      values: name of a variable -> array of its shape and type.
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
    """Maps output names inside functions, where a tensor is named by the output of its op."""
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
    """Returns a string attribute; one at its default may be absent from the node."""
    return node.attr[key].s.decode() if key in node.attr else default


def _replacement(node: tf.NodeDef, in_function: bool) -> Iterable[tf.NodeDef]:
    """Returns the stock nodes equivalent to `node`, the last one under its name."""
    data = [name for name in node.input if not name.startswith('^')]
    control = [name for name in node.input if name.startswith('^')]
    layout = subpixel.check_arguments(
        node.name,
        list(node.attr['block_size'].list.i),
        _attribute(node, 'mode', 'DCR'),
        _attribute(node, 'data_format', 'NHWC'),
    )
    # Build the stock definition in a graph of its own.
    graph = tf.Graph()
    with graph.as_default():
        inputs = [tf.placeholder(node.attr['T'].type) for _ in data]
        sources = {x.name: name for x, name in zip(inputs, data, strict=True)}
        with tf.name_scope(f'{node.name}/'):
            outputs = _DEFINITIONS[node.op](
                inputs, _attribute(node, 'activation', 'identity'), layout
            )
        # A trailing slash makes the name absolute.
        name = f'{node.name}/'
        if len(outputs) == 1:
            tf.identity(outputs[0], name)
        else:
            tf.identity_n(outputs, name)
    # Copy its nodes, with the inputs and the device of the replaced node.
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
    """Returns the name of `tensor` in the inputs of a node."""
    if tensor.name in sources:
        return sources[tensor.name]
    if not in_function:
        return tensor.name
    return f'{tensor.op.name}:{tensor.op.op_def.output_arg[tensor.value_index].name}:0'
