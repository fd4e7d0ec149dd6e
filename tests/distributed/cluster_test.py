"""Several processes on loopback train one run, and lose each other."""

import json
import re
import signal
import socket
import threading
import time
import types
from concurrent import futures

import numpy as np
import pytest
import sample_images
import tensorflow.compat.v1 as tf
import tfae_program
from workers import CONVOLUTIONAL, DENSE, GAN, GREEDY, Workers, addresses, assert_equal

from tfae.core import errors
from tfae.distributed import cluster, coordinator
from tfae.distributed.replica import Replica
from tfae.ops import augmentation, corruption, stateless_random
from tfae.runs import follower

LONG = ('train', '--units=12,4', '--epochs=100000', '--batch_size=48', '--checkpoint_steps=20')


# Two kernels of each side go round the ring by themselves.
LARGE = ('train', '--units=1100,70', '--epochs=1', '--batch_size=48', '--optimizer=momentum')


@pytest.mark.parametrize(
    'count, argv',
    [
        pytest.param(2, GREEDY, id='greedy', marks=pytest.mark.slow),
        pytest.param(4, DENSE, id='dense'),
        pytest.param(2, CONVOLUTIONAL, id='convolutional', marks=pytest.mark.slow),
        pytest.param(2, GAN, id='gan', marks=pytest.mark.slow),
        pytest.param(2, LARGE, id='large'),
    ],
)
def test_workers_end_where_one_ends_noise_included(tmp_path, count, argv):
    alone = tfae_program.run(*argv, '--logdir=alone', cwd=tmp_path)
    assert alone.code == 0, alone
    workers = Workers(tmp_path, count, *argv)
    for k, done in enumerate(workers.wait()):
        assert (done.code, done.err) == (0, ''), done
        said = f'worker {k} of {count}'
        assert [said in line for line in done.out.splitlines()].count(True) == (2 if k else 0)
    assert_equal(workers.logdir, tmp_path / 'alone')
    assert all(not (tmp_path / f'worker_{k}' / 'run').exists() for k in range(1, count))


def test_each_worker_reads_its_share_of_image_files(tmp_path):
    sample_images.fill(tmp_path / 'images', 60, height=8, width=8)
    words = (
        *('train', '--dataset=images', f'--data_dir={tmp_path / "images"}', '--units=6'),
        *('--batch_size=8', '--epochs=3', '--augment=flip'),
    )
    alone = tfae_program.run(*words, '--logdir=alone', cwd=tmp_path)
    assert alone.code == 0, alone
    workers = Workers(tmp_path, 2, *words)
    assert [(done.code, done.err) for done in workers.wait()] == [(0, '')] * 2
    assert_equal(workers.logdir, tmp_path / 'alone')


def test_the_chief_keeps_others_from_giving_up_while_it_does_something_else(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(coordinator.time, 'monotonic', lambda: now[0])
    chief, done = coordinator.Coordinator(Replica(0, 2), []), []
    monkeypatch.setattr(chief, 'turn', lambda run, said: done.append(said))
    run = chief.keeping_alive(lambda *given: done.append(given))
    now[0] += 10
    run('before', {})  # nobody waits yet
    chief.begun = True
    run('late', {1: 2})
    run('soon')
    now[0] += 10
    run('later')
    still = coordinator.Turn()
    assert done == [('before', {}), still, ('late', {1: 2}), ('soon',), still, ('later',)]


def test_examples_may_take_longer_to_load_than_the_timeout(monkeypatch):
    chief, worker = (coordinator.Coordinator(Replica(k, 2), []) for k in range(2))
    met, said, calls = threading.Barrier(2), {}, []

    def exchange(self, run, sent):
        said[self.replica.index] = sent
        met.wait(1)  # the timeout of a collective
        agreed = coordinator.Turn(*map(max, *said.values()))
        met.wait(1)
        return agreed

    def load(run):
        for _ in range(6):
            run('encode')

    def run(*given):
        calls.append(*given)
        time.sleep(0.25)

    monkeypatch.setattr(coordinator.Coordinator, 'turn', exchange)
    source = types.SimpleNamespace(load=load)
    program = types.SimpleNamespace(
        phase=types.SimpleNamespace(source=source), begin='begin', train='train'
    )
    session = types.SimpleNamespace(run=run, make_callable=lambda op: lambda: calls.append(op))
    built = types.SimpleNamespace(graph=tf.Graph(), coordinator=worker, programs=[program])
    with futures.ThreadPoolExecutor() as pool:
        code = pool.submit(follower.Follower(built, session).follow)
        chief.wait_for_examples(None, 0)
        assert calls[:6] == ['encode'] * 6
        assert chief.turn(None, coordinator.Turn(steps=2)).steps == 2
        chief.begun = True
        chief.end(None, 7)
        assert code.result() == 7
    assert calls[6:] == ['begin', 'train', 'train']


def test_a_turn_without_steps_is_waited_out(monkeypatch):
    turns = [
        coordinator.Turn(),
        coordinator.Turn(steps=3, stop=15),
        coordinator.Turn(done=1, code=7),
    ]
    worker = coordinator.Coordinator(Replica(1, 2), [])
    monkeypatch.setattr(worker, 'turn', lambda run, said: turns.pop(0))
    monkeypatch.setattr(worker, 'leave', lambda run: None)
    session = type('Session', (), {'run': None})
    built = type('Built', (), {'graph': tf.Graph(), 'coordinator': worker})  # no program to run
    assert follower.Follower(built, session).follow() == 7


def test_a_run_goes_on_with_another_number_of_workers(tmp_path):
    assert tfae_program.run(*DENSE, '--logdir=alone', cwd=tmp_path).code == 0
    workers = Workers(tmp_path, 2, *DENSE, '--checkpoint_steps=10')
    workers.until(lambda: workers.newest() >= 10)
    for program in workers.all:
        program.send(signal.SIGTERM)
    codes = {done.code for done in workers.wait()}
    assert codes <= {0, 143}
    folder = workers.logdir.parent
    done = tfae_program.run(*DENSE, '--logdir=run', cwd=folder)
    assert (done.code, done.err) == (0, '')
    assert_equal(workers.logdir, tmp_path / 'alone')


def test_a_restarted_process_finds_the_package_and_nothing_inside_it(monkeypatch):
    # A folder of the package on the path would hide libraries: tfae/sklearn.py is not scikit-learn.
    replaced = []
    monkeypatch.setattr(cluster.os, 'execv', lambda *call: replaced.append(call))
    monkeypatch.setattr(cluster, '_RESTART_DELAY', 0)
    monkeypatch.setattr(cluster.pathlib.Path, 'iterdir', lambda path: [])
    monkeypatch.setattr(cluster, '_begin_waiting', lambda: None)
    monkeypatch.setenv('PYTHONPATH', '/a:/b')
    cluster.restart(['train', '--epochs=3'])
    assert replaced[0][1][1:] == ['-m', 'tfae', 'train', '--epochs=3']
    found = cluster.os.environ['PYTHONPATH'].split(':')
    assert found == ['/a', '/b', str(tfae_program.ROOT)]


@pytest.mark.parametrize(
    'lost',
    [pytest.param(1, id='worker'), pytest.param(0, id='chief', marks=pytest.mark.slow)],
)
def test_a_killed_process_that_comes_back_is_waited_for(tmp_path, lost):
    workers = Workers(tmp_path, 2, *LONG)
    workers.until(lambda: workers.newest() >= 40)
    workers.all[lost].kill()
    before = workers.newest()
    left = workers.all[1 - lost]
    tfae_program.wait_for(lambda: 'restarting' in left.out(), left)
    workers.all[lost] = workers.start(lost)
    workers.until(lambda: workers.newest() >= before + 40)
    assert re.search(
        rf'worker {1 - lost} of 2: another worker was lost \(\w+\); restarting', left.out()
    )
    chief = workers.all[0]
    assert f'run: at step {before:,} of ' in chief.out()
    workers.all[1].send(signal.SIGTERM)
    ended, followed = workers.wait()
    assert (ended.code, followed.code) == (143, 143)
    step = tfae_program.steps(workers.logdir)[-1]
    assert ended.out.splitlines()[-1] == f'stopped by signal 15 at step {step:,}; saved'
    steps = [record['step'] for record in tfae_program.metrics(workers.logdir)]
    assert steps == sorted(set(steps))


def test_a_worker_that_does_not_come_is_named(tmp_path):
    chief, missing = addresses(2)
    task = {'type': 'chief', 'index': 0}
    task = {'cluster': {'chief': [chief], 'worker': [missing]}, 'task': task}
    done = tfae_program.run(
        *LONG,
        *('--logdir=run', '--cluster_timeout_secs=2'),
        cwd=tmp_path,
        TF_CONFIG=json.dumps(task),
    )
    wanted = (
        f'worker 0 of 2: timeout after --cluster_timeout_secs=2 waiting for worker 1 ({missing})'
    )
    assert done.refusal(1) == wanted


@pytest.mark.slow
def test_a_stopped_worker_is_waited_for_no_longer_than_the_limit(tmp_path):
    """A process that hangs, or a machine that is gone, resets no connection."""
    workers = Workers(tmp_path, 2, *LONG, timeout=8)
    workers.until(lambda: workers.newest() >= 20)
    workers.all[1].send(signal.SIGSTOP)
    chief = workers.all[0]
    tfae_program.wait_for(lambda: 'restarting' in chief.out(), chief)
    assert 'another worker was lost (DeadlineExceeded)' in chief.out()
    workers.all[1].kill()
    assert 'waiting for worker 1' in chief.wait().refusal(1)


@pytest.mark.parametrize(
    'content, wanted',
    [
        ('{"cluster"', r'^TF_CONFIG is .*, which is not JSON: '),
        ('[1]', r'it must be a JSON object$'),
        (
            {'cluster': {'worker': ['a:1', 'b:2']}},
            r'this process has job None; the cluster has worker$',
        ),
        ({'cluster': ['a:1']}, r'its cluster and task must be objects$'),
        ({'cluster': {}, 'task': 1}, r'its cluster and task must be objects$'),
        (
            {'task': {'type': 'worker', 'index': 1}},
            r"^TF_CONFIG has no cluster, and this process is task 1 of job 'worker'",
        ),
        ({'task': {'type': 'ps', 'index': 0}}, r"no cluster, .* task 0 of job 'ps'"),
        (
            {'cluster': {'worker': {'x': 'a:1'}}, 'task': {'type': 'worker', 'index': 0}},
            r"^TF_CONFIG has task 'x' in job worker; the index must be 0 or more$",
        ),
        (
            {'cluster': {'worker': {'1': 'a:1', '01': 'b:2'}}},
            r'^TF_CONFIG has task 1 of job worker twice$',
        ),
        ({'cluster': {'worker': 'a:1'}}, r"^TF_CONFIG has 'a:1' in job worker; it must be"),
        (
            {'cluster': {'worker': {'0': 'a:1', '2': 'b:2'}}, 'task': {'type': 'worker'}},
            r'task index is None; job worker has 2 tasks, so it must be one of 0, 2$',
        ),
        (
            {'cluster': {'worker': ['a:1'], 'ps': ['b:2']}, 'task': {'type': 'ps', 'index': 0}},
            r'^TF_CONFIG has job ps; tfae has no parameter servers or evaluators',
        ),
        (
            {'cluster': {'worker': ['a:1', 'a:1']}, 'task': {'type': 'worker', 'index': 0}},
            r'^TF_CONFIG names a:1 more than once$',
        ),
        (
            {'cluster': {'worker': ['a:1', 'b']}, 'task': {'type': 'worker', 'index': 0}},
            r"^TF_CONFIG has 'b' in job worker; it must be host:port$",
        ),
        (
            {'cluster': {'worker': ['a:1', 'b:70000']}, 'task': {'type': 'worker', 'index': 0}},
            r"^TF_CONFIG has 'b:70000' in job worker",
        ),
        (
            {'cluster': {'worker': ['a:1', 'b:2']}, 'task': {'type': 'worker', 'index': 2}},
            r'^TF_CONFIG: task index is 2; job worker has 2 tasks, so it must lie in \[0, 1\]$',
        ),
        (
            {'cluster': {'chief': ['a:1', 'b:2']}, 'task': {'type': 'chief', 'index': 0}},
            r'^TF_CONFIG names 2 chiefs; there may be only one$',
        ),
        ('[' * 5000, 'which is not JSON: it nests too deeply$'),
    ],
)
def test_a_wrong_tf_config_is_refused(monkeypatch, content, wanted):
    text = content if isinstance(content, str) else json.dumps(content)
    monkeypatch.setenv('TF_CONFIG', text)
    with pytest.raises(errors.UsageError, match=wanted):
        cluster.Config().members()


@pytest.mark.parametrize(
    'fields, wanted',
    [
        ({'cluster': 'a:1,b:2'}, r'must be worker=host:port,host:port or a JSON object$'),
        ({'cluster': 'worker=a:1,b:2'}, r'^--task_index is -1; job worker has 2 tasks'),
        ({'task_index': 1}, r'^--task_index needs --cluster$'),
        ({'job_name': 'chief'}, r'^--job_name needs --cluster$'),
        ({'cluster_timeout_secs': 0.0}, r'^--cluster_timeout_secs is 0'),
        ({'cluster_timeout_secs': 1e20}, r'^--cluster_timeout_secs is 1e\+20'),
        ({'cluster': 'worker=a:1,a..b:2', 'task_index': 0}, r"^--cluster has 'a\.\.b:2' in job"),
        ({'cluster': f'worker={"a" * 64}:1', 'task_index': 0}, r"^--cluster has 'a+:1' in job"),
        ({'cluster': 'worker=a:\u0661', 'task_index': 0}, r"^--cluster has 'a:\u0661' in job"),
        (
            {'cluster': 'worker=a:1', 'job_name': 'x', 'task_index': 0},
            r"has job 'x'; the cluster has",
        ),
    ],
)
def test_wrong_flags_are_refused(fields, wanted):
    with pytest.raises(errors.UsageError, match=wanted):
        cluster.Config(**fields).members()


ALONE = (
    {},
    {'environment': 'cloud'},
    {'cluster': {}},
    {'cluster': {}, 'task': {}},
    {'cluster': {'ps': [], 'worker': None, 'chief': {}}},
    {'task': {'type': 'worker', 'index': 0}},
    {'cluster': {}, 'task': {'type': 'master', 'index': '0'}, 'environment': 'cloud'},
    {'cluster': {'worker': ['a:1']}},
    {'cluster': {'worker': ['a:1'], 'ps': []}, 'task': {'type': 'worker', 'index': 0}},
    {'cluster': {'worker': {'1': 'a:1'}, 'ps': None}, 'task': {'type': 'worker', 'index': 1}},
    {'cluster': {'master': ['a:1']}, 'task': {'type': 'master', 'index': 0}},
)


@pytest.mark.parametrize('content', ALONE, ids=json.dumps)
def test_who_is_no_member_of_a_cluster_trains_alone(monkeypatch, content):
    monkeypatch.setenv('TF_CONFIG', json.dumps(content))
    assert cluster.Config().members() is None


def test_the_tasks_of_a_job_may_be_numbered_with_gaps(monkeypatch):
    jobs = {'worker': {'3': 'b:2', '1': 'a:1'}, 'master': {'0': 'c:3'}}
    task = {'type': 'worker', 'index': 3}
    monkeypatch.setenv('TF_CONFIG', json.dumps({'cluster': jobs, 'task': task}))
    assert cluster.Config().members() == cluster.Members(('c:3', 'a:1', 'b:2'), 2, 300.0)


def test_flags_win_over_the_environment_and_a_chief_is_worker_0(monkeypatch):
    task = {'cluster': {'worker': ['a:1', 'b:2'], 'chief': ['c:3']}}
    task['task'] = {'type': 'worker', 'index': 1}
    monkeypatch.setenv('TF_CONFIG', json.dumps(task))
    assert cluster.Config().members() == cluster.Members(('c:3', 'a:1', 'b:2'), 2, 300.0)
    flags = cluster.Config(cluster='worker=d:4,[::1]:5', task_index=1, cluster_timeout_secs=9.0)
    assert flags.members() == cluster.Members(('d:4', '[::1]:5'), 1, 9.0)
    assert cluster.Config(cluster='worker=d:4', task_index=0).members() is None


def test_shares_that_are_not_equal_are_refused(tmp_path):
    words = ('--batch_size=45', '--cluster=worker=127.0.0.1:1,127.0.0.1:2', '--task_index=0')
    done = tfae_program.run('train', *words, '--logdir=run', cwd=tmp_path)
    assert done.refusal(2) == (
        'a batch has 45 examples; the number must be a multiple of 2 workers'
    )


def test_a_port_that_is_taken_is_refused():
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = taken.getsockname()[1]
        members = cluster.Members((f'127.0.0.1:{port}', '127.0.0.1:1'), 0, 1.0)
        with pytest.raises(errors.InputError, match=rf'^worker 0 of 2 cannot listen at .*:{port}'):
            members.refuse_taken_port()


def test_a_worker_of_other_flags_is_refused(tmp_path):
    chief, other = addresses(2)
    flags = (f'--cluster=worker={chief},{other}', '--cluster_timeout_secs=60', '--logdir=run')
    programs = [
        tfae_program.start(*LONG, *flags, f'--task_index={k}', f'--seed={k}', cwd=tmp_path)
        for k in range(2)
    ]
    done = programs[1].wait()
    programs[0].kill()
    assert done.refusal(2) == 'worker 1 of 2 has different flags from the chief: --seed was 0, is 1'


SEED = np.array([3, 5], np.int64)


def drawn(make, rows, count, parts=1):
    """What each of `count` shares draws, put where its examples lie among `rows`."""
    found = {}
    for k in range(count):
        share = stateless_random.Slice(k, count, parts)
        with stateless_random.slicing(share):
            made = make(tf.constant(SEED), rows // count)
        mine = share.rows(tf.range(rows))
        found[k] = (mine, made)
    with tf.Session() as session:
        pieces = session.run(list(found.values()))
        whole = session.run(make(tf.constant(SEED), rows))
    order = np.argsort(np.concatenate([mine for mine, _ in pieces]))
    return np.concatenate([made for _, made in pieces])[order], whole


@pytest.mark.parametrize('width', [1, 3, 8])
@pytest.mark.parametrize('draw', [stateless_random.uniform, stateless_random.normal])
def test_shares_draw_what_the_whole_batch_draws(draw, width):
    shared, whole = drawn(lambda seed, rows: draw(tf.stack([rows, width]), seed), 12, 4)
    np.testing.assert_array_equal(shared, whole)


def test_shares_of_copies_of_a_batch_draw_what_the_whole_draws():
    def make(seed, rows):
        made = stateless_random.normal([3 * rows, 5], seed, copies=3)
        return tf.transpose(tf.reshape(made, [3, rows, 5]), [1, 0, 2])

    np.testing.assert_array_equal(*drawn(make, 8, 2))


@pytest.mark.parametrize('kind', ['masking', 'gaussian', 'salt_and_pepper', 'dropout'])
def test_shares_are_corrupted_as_the_whole_batch_is(kind):
    noise = corruption.Corruption(kind, 0.5)
    np.testing.assert_array_equal(
        *drawn(lambda seed, rows: corruption.corrupt(tf.ones([rows, 7]), noise, seed), 6, 3)
    )


@pytest.mark.parametrize('parts', [1, 2])
@pytest.mark.parametrize('word', ['flip', 'crop:2', 'jitter:0.3'])
def test_shares_are_augmented_as_the_whole_batch_is(word, parts):
    pixels = np.random.RandomState(0).uniform(size=[1, 6, 5, 1]).astype(np.float32)

    def make(seed, rows):
        return augmentation.augment(
            tf.tile(tf.constant(pixels), [rows, 1, 1, 1]),
            [augmentation.Augmentation.from_text(word)],
            seed,
        )

    np.testing.assert_array_equal(*drawn(make, 8, 2, parts))


def test_a_share_of_numbers_of_another_type_is_refused():
    wanted = 'dtype is float64; for a sliced batch it must be float32'
    with (
        stateless_random.slicing(stateless_random.Slice(0, 2)),
        pytest.raises(ValueError, match=wanted),
    ):
        stateless_random.normal([2, 3], tf.constant(SEED), tf.float64)


def test_random_numbers_come_from_draws_alone():
    """Else all workers would draw the same, each for examples of its own."""
    drawing = re.compile(r'\bstateless_(uniform|normal|truncated_normal)|StatelessRandom(Un|No)')
    files = (tfae_program.ROOT / 'tfae').rglob('*.py')
    found = {path.name for path in files if drawing.search(path.read_text())}
    assert found == {
        'stateless_random.py',
        'pipeline.py',
    }  # the order of the examples is that of all
