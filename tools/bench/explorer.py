"""Times what `tfae explore` answers to a move, as its page asks: one after the other over HTTP.

    python tools/bench/explorer.py --logdir=RUN [--moves=500]

Starts the program on a free port, asks for random moves through all components, each over a
connection of its own as the server closes it, and prints median and 95th percentile of the whole
answer and of the decoder's part in it. The first moves warm up and are not counted.
"""

import argparse
import http.client
import json
import re
import signal
import subprocess
import sys
import time

import numpy as np

_WARMING = 20


def main() -> None:
    """Prints one line for the whole answer and one for the decoder's part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--logdir', required=True, help='Folder of a run with a decoder.')
    parser.add_argument('--moves', type=int, default=500, help='That are timed.')
    given = parser.parse_args()
    words = [sys.executable, '-m', 'tfae', 'explore', f'--logdir={given.logdir}']
    program = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        lines = iter(program.stdout.readline, '')
        address = next((line.strip() for line in lines if line.startswith('http://')), '')
        if not address:
            sys.exit(program.wait())
        times = measured(address.removeprefix('http://').rstrip('/'), given.moves)
    finally:
        program.send_signal(signal.SIGTERM)
        program.wait()
    print(f'{given.logdir}: {given.moves} moves, milliseconds')
    for name, values in zip(('whole answer', 'decoder'), times.T, strict=True):
        median, high = np.quantile(values, [0.5, 0.95])
        print(f'{name:13} median {median:6.2f}   95th percentile {high:6.2f}')


def measured(host: str, moves: int) -> np.ndarray:
    """Milliseconds `[moves, 2]` of random moves: the whole answer, the decoder's part."""
    known = json.loads(asked(host, 'GET', '/space')[0])
    low, high = (np.array([part[end] for part in known['components']]) for end in ('low', 'high'))
    draws = np.random.RandomState(0).uniform(low, high, [_WARMING + moves, len(low)])
    found = []
    for components in draws:
        move = {
            'between': None,
            'components': components.tolist(),
            'strengths': [0.0] * len(known['attributes']),
        }
        start = time.perf_counter()
        content, headers = asked(host, 'POST', '/decode', json.dumps(move))
        seconds = time.perf_counter() - start
        assert len(content) == np.prod(known['shape'])
        timing = re.search(r'dur=([\d.]+)', headers['Server-Timing'])
        found.append([1000 * seconds, float(timing[1])])
    return np.array(found[_WARMING:])


def asked(
    host: str, method: str, path: str, body: str | None = None
) -> tuple[bytes, http.client.HTTPMessage]:
    """Content and headers of an answer."""
    connection = http.client.HTTPConnection(host)
    try:
        connection.request(method, path, body, {'Content-Type': 'application/json'})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            sys.exit(content.decode())
        return content, answer.headers
    finally:
        connection.close()


if __name__ == '__main__':
    main()
