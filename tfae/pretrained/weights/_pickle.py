"""Pickles as data: what a pickle would build, without building it.

A pickle is a program for a stack machine, and two of its instructions import and call what the
file names. This machine knows the instructions that state data, and writes down what the others
ask for: a `Call` is a name, its arguments and the state and items that would have gone into the
object. Nothing is imported and nothing is called, so a file can at worst be refused.
"""

import pickletools
from typing import Any, BinaryIO, NamedTuple

# A state dict of a thousand tensors takes 40 000. Each may cost 60 times its byte in memory.
_MOST_INSTRUCTIONS = 2**18


class NotData(ValueError):
    """The stream is damaged, or asks for more than data; the text says what."""


class Global(NamedTuple):
    """What a pickle names to be imported."""

    module: str
    name: str


class Call:
    """What a pickle asks to be made: `function(*arguments)`, then state and items put into it."""

    def __init__(self, function: Any, arguments: Any):
        self.function = function
        self.arguments = arguments
        self.state: Any = None
        self.items: dict[Any, Any] = {}


# Function of the `Call` that stands for an object kept outside of the pickle.
PERSISTENT = Global('', 'persistent')

_PUSH = {
    *('NONE', 'NEWTRUE', 'NEWFALSE', 'BININT', 'BININT1', 'BININT2', 'LONG1', 'BINFLOAT'),
    *('BINUNICODE', 'SHORT_BINUNICODE', 'BINUNICODE8', 'BINBYTES', 'SHORT_BINBYTES', 'BINBYTES8'),
    *('BINSTRING', 'SHORT_BINSTRING'),
}
_CONSTANTS = {'NONE': None, 'NEWTRUE': True, 'NEWFALSE': False}
_EMPTY = {'EMPTY_DICT': dict, 'EMPTY_LIST': list, 'EMPTY_TUPLE': tuple}
_TUPLES = {'TUPLE1': 1, 'TUPLE2': 2, 'TUPLE3': 3}
_REMEMBER = {'BINPUT', 'LONG_BINPUT', 'MEMOIZE'}
_RECALL = {'BINGET', 'LONG_BINGET'}
_NOTHING = {'PROTO', 'FRAME', 'STOP'}


def load(file: BinaryIO) -> Any:
    """What the pickle at the place of `file` states; the file is left behind its end.

    Texts of Python 2 come as Latin-1.

    Raises: NotData.
    """
    machine = _Machine()
    try:
        for count, (code, argument, _) in enumerate(pickletools.genops(file)):
            if count == _MOST_INSTRUCTIONS:
                raise NotData(f'has more than {_MOST_INSTRUCTIONS} instructions')
            machine.step(code.name, argument)
        return machine.stack[-1]
    except NotData:
        raise
    except Exception as error:  # damaged bytes draw nearly anything from pickletools
        raise NotData(f'is damaged ({type(error).__name__}: {error})') from None


class _Machine:
    """The stack, the marks in it, and what was put aside."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """Follows one instruction."""
        if name in _PUSH:
            self.stack.append(_CONSTANTS.get(name, argument))
        elif name in _EMPTY:
            self.stack.append(_EMPTY[name]())
        elif name in _REMEMBER:
            self.memo[len(self.memo) if argument is None else argument] = self.stack[-1]
        elif name in _RECALL:
            self.stack.append(self.memo[argument])
        elif name == 'MARK':
            self.marks.append(len(self.stack))
        elif name in _TUPLES:
            self.stack.append(tuple(self._top(_TUPLES[name])))
        elif name == 'TUPLE':
            self.stack.append(tuple(self._marked()))
        elif name in ('SETITEM', 'SETITEMS', 'APPEND', 'APPENDS'):
            self._fill(name)
        elif name not in _NOTHING:
            self._ask(name, argument)

    def _fill(self, name: str) -> None:
        """Puts items into the list, dict or call below them."""
        single = {'SETITEM': 2, 'APPEND': 1}.get(name)
        items = self._top(single) if single else self._marked()
        target = self.stack[-1]
        if name.startswith('APPEND') and isinstance(target, list):
            target.extend(items)
        elif name.startswith('SETITEM') and isinstance(target, dict | Call):
            # A tuple that holds itself many times over would take for ever to be a key.
            if not all(isinstance(key, str | int) for key in items[0::2]):
                raise NotData('has a key that is neither a text nor a number')
            kept = target if isinstance(target, dict) else target.items
            kept.update(zip(items[0::2], items[1::2], strict=True))
        else:
            raise NotData(f'puts items into a {type(target).__name__}')

    def _ask(self, name: str, argument: Any) -> None:
        """Writes down what a pickle would have imported, called or fetched."""
        if name == 'GLOBAL':
            self.stack.append(Global(*argument.split(' ')))
        elif name == 'STACK_GLOBAL':
            words = self._top(2)
            if not all(isinstance(word, str) for word in words):
                raise NotData('names by no text what is to be imported')
            self.stack.append(Global(*words))
        elif name == 'REDUCE':
            function, arguments = self._top(2)
            if not isinstance(arguments, tuple):
                raise NotData(f'calls with a {type(arguments).__name__}, which must be a tuple')
            self.stack.append(Call(function, arguments))
        elif name == 'BINPERSID':
            self.stack.append(Call(PERSISTENT, self.stack.pop()))
        elif name == 'BUILD' and isinstance(self.stack[-2], Call):
            state = self.stack.pop()
            self.stack[-1].state = state
        else:
            raise NotData(f'has the instruction {name}, which no file of arrays needs')

    def _top(self, count: int) -> list[Any]:
        """The `count` topmost values, in their order, taken off."""
        if count > len(self.stack):
            raise NotData('takes more from its stack than lies there')
        values = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return values

    def _marked(self) -> list[Any]:
        return self._top(len(self.stack) - self.marks.pop())
