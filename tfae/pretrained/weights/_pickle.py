"""Parses pickles as data, without executing them.

A pickle is a program for a stack machine with instructions that import and call functions. This
machine executes only the instructions for data and records the others: a `Call` holds a name, its
arguments, and the state and items of the object. Nothing is imported or called, so that a malicious
file can only be rejected.
"""

import pickletools
from typing import Any, BinaryIO, NamedTuple

# A state dict of a thousand tensors has 40 000. Each may take 60 bytes of memory.
_MAX_INSTRUCTIONS = 2**18


class NotData(ValueError):
    """The stream is damaged, or contains more than data; the message gives the reason."""


class Global(NamedTuple):
    """A name that a pickle imports."""

    module: str
    name: str


class Call:
    """An object of a pickle: `function(*arguments)`, with its state and items."""

    def __init__(self, function: Any, arguments: Any):
        self.function = function
        self.arguments = arguments
        self.state: Any = None
        self.items: dict[Any, Any] = {}


# Function of a `Call` for an object stored outside of the pickle.
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
    """Returns the content of the pickle at the position of `file`, and moves to its end.

    Strings of Python 2 are decoded as Latin-1.

    Raises: NotData.
    """
    machine = _Machine()
    try:
        for count, (code, argument, _) in enumerate(pickletools.genops(file)):
            if count == _MAX_INSTRUCTIONS:
                raise NotData(f'has more than {_MAX_INSTRUCTIONS} instructions')
            machine.step(code.name, argument)
        return machine.stack[-1]
    except NotData:
        raise
    except Exception as error:  # damaged bytes make pickletools raise nearly anything
        raise NotData(f'is damaged ({type(error).__name__}: {error})') from None


class _Machine:
    """A stack machine with marks and a memo."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """Executes one instruction."""
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
            self._record(name, argument)

    def _fill(self, name: str) -> None:
        """Adds items to the list, dict or call below them."""
        single = {'SETITEM': 2, 'APPEND': 1}.get(name)
        items = self._top(single) if single else self._marked()
        target = self.stack[-1]
        if name.startswith('APPEND') and isinstance(target, list):
            target.extend(items)
        elif name.startswith('SETITEM') and isinstance(target, dict | Call):
            # Hashing a deeply self-containing tuple would take forever.
            if not all(isinstance(key, str | int) for key in items[0::2]):
                raise NotData('has a key that is neither a string nor an integer')
            kept = target if isinstance(target, dict) else target.items
            kept.update(zip(items[0::2], items[1::2], strict=True))
        else:
            raise NotData(f'adds items to a {type(target).__name__}')

    def _record(self, name: str, argument: Any) -> None:
        """Records an import, a call or a persistent object."""
        if name == 'GLOBAL':
            self.stack.append(Global(*argument.split(' ')))
        elif name == 'STACK_GLOBAL':
            words = self._top(2)
            if not all(isinstance(word, str) for word in words):
                raise NotData('imports by a name that is not a string')
            self.stack.append(Global(*words))
        elif name == 'REDUCE':
            function, arguments = self._top(2)
            if not isinstance(arguments, tuple):
                raise NotData(f'calls with a {type(arguments).__name__} instead of a tuple')
            self.stack.append(Call(function, arguments))
        elif name == 'BINPERSID':
            self.stack.append(Call(PERSISTENT, self.stack.pop()))
        elif name == 'BUILD' and isinstance(self.stack[-2], Call):
            state = self.stack.pop()
            self.stack[-1].state = state
        else:
            raise NotData(f'has the instruction {name}, which arrays do not need')

    def _top(self, count: int) -> list[Any]:
        """Pops the topmost `count` values, in their order."""
        if count > len(self.stack):
            raise NotData('pops from an empty stack')
        values = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return values

    def _marked(self) -> list[Any]:
        return self._top(len(self.stack) - self.marks.pop())
