"""Times requests to `tfae explore`, sent over HTTP one after the other as its page does.

    python tools/bench/explorer.py --logdir=RUN [--moves=500]

Starts the program on a free port and requests random moves along all components. Each request has
its own connection, since the server closes it. Prints the median and the 95th percentile of the
whole request and of the decoder's time in it. The first requests warm up and are not counted.
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

_WARM_UP = 20


def main() -> None:
    """Prints one line for the whole request and one for the decoder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--logdir', required=True, help='Folder of a run with a decoder.')
    parser.add_argument('--moves', type=int, default=500, help='Timed requests.')
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
    for name, values in zip(('request', 'decoder'), times.T, strict=True):
        median, high = np.quantile(values, [0.5, 0.95])
        print(f'{name:13} median {median:6.2f}   95th percentile {high:6.2f}')


def measured(host: str, moves: int) -> np.ndarray:
    """Returns milliseconds `[moves, 2]` of random moves: the whole request, the decoder alone."""
    known = json.loads(asked(host, 'GET', '/space')[0])
    low, high = (np.array([part[end] for part in known['components']]) for end in ('low', 'high'))
    points = np.random.RandomState(0).uniform(low, high, [_WARM_UP + moves, len(low)])
    found = []
    for components in points:
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
    return np.array(found[_WARM_UP:])


def asked(
    host: str, method: str, path: str, body: str | None = None
) -> tuple[bytes, http.client.HTTPMessage]:
    """Sends a request and returns the content and headers of the response."""
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
