"""`tfae tensorboard`: serves the runs of a folder until it is stopped."""

import json
import re
import signal
import urllib.error
import urllib.request

import pytest
import tfae_program


def test_it_serves_the_runs_of_a_folder(tmp_path):
    words = ('--dataset=synthetic', '--synthetic_examples=100', '--epochs=1', '--batch_size=20')
    done = tfae_program.run('train', *words, '--logdir=runs/a', cwd=tmp_path)
    assert done.code == 0, done.err
    server = tfae_program.start('tensorboard', '--logdir=runs', '--port=0', cwd=tmp_path)
    err = server._folder / 'err'
    assert tfae_program.wait_for(lambda: err.exists() and 'http://' in err.read_text(), server)
    address = re.search(r'http://\S+', err.read_text())[0]

    def runs():
        with urllib.request.urlopen(f'{address}data/runs', timeout=10) as answer:
            return json.load(answer)

    assert tfae_program.wait_for(lambda: 'a' in runs(), server)
    stranger = urllib.request.Request(f'{address}data/runs', headers={'Host': 'example.com'})
    with pytest.raises(urllib.error.HTTPError, match='403'):
        urllib.request.urlopen(stranger, timeout=10)
    server.send(signal.SIGTERM)
    assert server.wait().code in (0, 143, -signal.SIGTERM)


def test_a_folder_that_is_missing_is_refused(tmp_path):
    done = tfae_program.run('tensorboard', '--logdir=nowhere', cwd=tmp_path)
    assert done.refusal(1) == '--logdir nowhere is not a folder'


@pytest.mark.parametrize('host', ['a b', 'a..b', 'x' * 64, 'x' * 10**5, '\udcff', ''])
def test_a_host_that_is_no_name_is_refused(tmp_path, host):
    done = tfae_program.run('tensorboard', '--logdir=.', f'--host={host}', cwd=tmp_path)
    assert done.refusal(2).endswith('; it must be a name or an address')
