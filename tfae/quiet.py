"""What native libraries say where nobody asked."""

import contextlib
import os
import pathlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def native_messages_dropped() -> Iterator[None]:
    """TensorFlow's library greets on stderr while it is loaded, before it reads its log level."""
    kept = os.dup(2)
    with pathlib.Path(os.devnull).open('w') as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def greetings_used_up() -> None:
    """To be called where messages are dropped, with TensorFlow loaded: what it says once is said.

    2.18 and 2.19 tell on stderr, whatever the log level, which pass a first session leaves out.
    """
    tensorflow = sys.modules.get('tensorflow')
    if tensorflow and tensorflow.__version__.startswith(('2.18.', '2.19.')):
        tf = tensorflow.compat.v1
        with tf.Graph().as_default(), tf.Session() as session:
            session.run(tf.constant(0))
