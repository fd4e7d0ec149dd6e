"""Flags of training: runs against a numpy trainer that follows the papers.

The network is one linear layer either way behind a sigmoid, whose gradient stands below.
`tests/repository/oracle_test.py` asks for every flag of training in `WALKED`.
"""

import numpy as np
import pytest
import tfae_program
from numpy_losses import autoencoder, classifier
from numpy_networks import Layer, Network, affine
from runs import ONE_STEP, Runs, close, variables
from scipy import special

NAMES = [f'{side}/layer_1/{part}' for side in ('encoder', 'decoder') for part in ('kernel', 'bias')]
LINEAR = Network((Layer('linear'),))
BATCHES = ('--units=3', '--batch_size=100', '--order=sequential', '--epochs=2')
STEPS = 8


@pytest.fixture(scope='module')
def digits(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp('digits'))


def gradient(v, x, weights=1):
    """Returns the gradients of mean w (x - sigmoid((x W + b) V + c))^2 by W, b, V and c."""
    w, b, u, c = (v[name] for name in NAMES)
    x = x.reshape(len(x), -1)
    code = x @ w + b
    made = special.expit(code @ u + c)
    slope = weights * 2 * (made - x) / x.size * made * (1 - made)
    behind = slope @ u.T
    return [x.T @ behind, behind.sum(0), code.T @ slope, slope.sum(0)]


def clipped(slopes, norm):
    total = np.sqrt(sum(np.square(slope).sum() for slope in slopes))
    return [slope * min(1, norm / total) for slope in slopes]


# Optimizers: functions of slots, gradient, learning rate and step -> update.


def momentum(s, g, rate, t):
    s['a'] = 0.7 * s.get('a', 0) + g
    return rate * s['a']


def nesterov(s, g, rate, t):
    s['a'] = 0.7 * s.get('a', 0) + g
    return rate * (g + 0.7 * s['a'])


def adagrad(s, g, rate, t):
    s['a'] = s.get('a', 0.1) + g**2
    return rate * g / np.sqrt(s['a'])


def rmsprop(s, g, rate, t):
    s['a'] = 0.8 * s.get('a', 1) + 0.2 * g**2
    s['b'] = 0.5 * s.get('b', 0) + rate * g / np.sqrt(s['a'] + 1e-4)
    return s['b']


def adam(s, g, rate, t):
    s['a'] = 0.5 * s.get('a', 0) + 0.5 * g
    s['b'] = 0.9 * s.get('b', 0) + 0.1 * g**2
    mean, square = s['a'] / (1 - 0.5**t), s['b'] / (1 - 0.9**t)
    return rate * mean / (np.sqrt(square) + 1e-3 / np.sqrt(1 - 0.9**t))


# Name -> (arguments, optimizer, learning rate of step t from 0, largest gradient norm).
RULES = {
    'sgd': (
        (
            '--optimizer=sgd',
            '--learning_rate=4',
            '--learning_rate_decay=linear',
            '--learning_rate_end=0.2',
            '--clip_norm=0.02',
            '--accumulation_steps=4',
        ),
        lambda s, g, rate, t: rate * g,
        lambda t: 4 * (1 - 0.8 * t / STEPS),
        0.02,
    ),
    'momentum': (
        (
            '--optimizer=momentum',
            '--momentum=0.7',
            '--learning_rate=2',
            '--learning_rate_decay=cosine',
            '--learning_rate_end=0.1',
            '--warmup_epochs=0.75',
        ),
        momentum,
        lambda t: 2 * (0.1 + 0.9 * (1 + np.cos(np.pi * t / STEPS)) / 2) * min((t + 1) / 3, 1),
        np.inf,
    ),
    'nesterov': (
        (
            '--optimizer=nesterov',
            '--momentum=0.7',
            '--learning_rate=2',
            '--learning_rate_decay=exponential',
            '--learning_rate_end=0.1',
        ),
        nesterov,
        lambda t: 2 * 0.1 ** (t / STEPS),
        np.inf,
    ),
    'adagrad': (('--optimizer=adagrad', '--learning_rate=0.5'), adagrad, lambda t: 0.5, np.inf),
    'rmsprop': (
        (
            '--optimizer=rmsprop',
            '--momentum=0.5',
            '--rmsprop_decay=0.8',
            '--rmsprop_epsilon=1e-4',
            '--learning_rate=0.05',
        ),
        rmsprop,
        lambda t: 0.05,
        np.inf,
    ),
    'adam': (
        (
            '--optimizer=adam',
            '--adam_beta1=0.5',
            '--adam_beta2=0.9',
            '--adam_epsilon=1e-3',
            '--learning_rate=0.05',
        ),
        adam,
        lambda t: 0.05,
        np.inf,
    ),
}
AUGMENTED = ('--units=3', '--likelihood=own_functions:slant')
STOPPED = ('--units=3', '--learning_rate=0', '--epochs=9', '--early_stopping_epochs=2')
GREEDY = (
    '--units=6,3',
    '--pretraining=greedy',
    '--pretraining_epochs=1,2',
    '--pretraining_learning_rate=0.03,0.05',
)
HEAD = ('--model=classifier', '--units=5', '--head_epochs=2')
RESTORED = ('--units=3', '--restore_from=other.npz', '--restore_map=old:encoder')
SEEDED = ('--units=3', '--seed=1')
FROZEN = (*RULES['adam'][0], '--clip_norm=0.02', '--freeze=encoder:3,decoder/layer_1/bias')
WALKED = [
    BATCHES,
    *(words for words, *_ in RULES.values()),
    (*AUGMENTED, '--augment=flip'),
    STOPPED,
    GREEDY,
    HEAD,
    RESTORED,
    SEEDED,
    FROZEN,
]


@pytest.mark.parametrize('name', RULES)
def test_eight_steps_of_a_rule_end_where_those_of_numpy_do(digits, name):
    words, rule, rate, norm = RULES[name]
    logdir = digits.train(name, *BATCHES, *words)
    assert tfae_program.steps(logdir) == [0, STEPS]
    start, end = variables(logdir, 0), variables(logdir, STEPS)
    x, _ = digits.split('train')
    v, slots = dict(start), [{} for _ in NAMES]
    losses = []
    for t in range(STEPS):
        batch = x[t % 4 * 100 :][:100]
        losses.append(autoencoder(LINEAR)(v, batch, None, True)['loss'])
        slopes = clipped(gradient(v, batch), norm)
        for name, slot, slope in zip(NAMES, slots, slopes, strict=True):
            v[name] = v[name] - rule(slot, slope, rate(t), t + 1)
    for name in NAMES:
        way = np.abs(v[name] - start[name]).max()
        assert way > 1e-3
        np.testing.assert_allclose(end[name], v[name], atol=2e-3 * way)
    records = tfae_program.metrics(logdir)
    for record, mean in zip(records, np.reshape(losses, [2, 4]).mean(1), strict=True):
        close(record['loss'], mean)


def test_frozen_variables_stay_and_later_train_as_in_a_new_run(digits):
    waits = dict(zip(NAMES, (3, 3, 0, STEPS), strict=True))
    logdir = digits.train('frozen', *BATCHES, *FROZEN)
    start, end = variables(logdir, 0), variables(logdir, STEPS)
    x, _ = digits.split('train')
    v, slots = dict(start), [{} for _ in NAMES]
    for t in range(STEPS):
        slopes = gradient(v, x[t % 4 * 100 :][:100])
        pairs = zip(NAMES, slots, slopes, strict=True)
        free = [(name, slot, slope) for name, slot, slope in pairs if t >= waits[name]]
        clips = clipped([slope for *_, slope in free], 0.02)
        for (name, slot, _), slope in zip(free, clips, strict=True):
            v[name] = v[name] - adam(slot, slope, 0.05, t + 1 - waits[name])
    for name in NAMES[:3]:
        way = np.abs(v[name] - start[name]).max()
        assert way > 1e-3
        np.testing.assert_allclose(end[name], v[name], atol=2e-3 * way)
    np.testing.assert_array_equal(end[NAMES[3]], start[NAMES[3]])


def test_an_epoch_in_shuffled_order_sees_every_example_once(digits):
    """At learning rate 0 the mean loss of an epoch is that of the whole split."""
    still = ('--units=3', '--batch_size=100', '--learning_rate=0', '--epochs=2')
    found = {}
    for order in ('shuffled', 'with_replacement', 'sequential'):
        logdir = digits.train(order, *still, f'--order={order}', '--optimizer=sgd')
        found[order] = [record['loss'] for record in tfae_program.metrics(logdir)]
    x, _ = digits.split('train')
    whole = autoencoder(LINEAR)(variables(logdir, 0), x, None, True)['loss']
    close(found['shuffled'], [whole, whole], 2e-6)
    close(found['sequential'], [whole, whole], 2e-6)
    first, second = found['with_replacement']
    assert len({first, second, whole}) == 3
    np.testing.assert_allclose([first, second], whole, rtol=0.05)


def test_shuffled_steps_take_other_examples_than_sequential_ones(digits):
    words = ('--units=3', '--batch_size=100', '--optimizer=sgd', '--learning_rate=1', '--epochs=1')
    ends = [
        variables(digits.train(f'{order}_moving', *words, f'--order={order}'))
        for order in ('shuffled', 'sequential')
    ]
    assert not np.allclose(ends[0][NAMES[0]], ends[1][NAMES[0]], rtol=1e-4)


def moved(x, random, kind):
    """Returns augmented images `[N, 8, 8, 1]`."""
    made = []
    for image in x[..., 0]:
        if kind == 'flip':
            image = image[:, ::-1] if random.uniform() < 0.5 else image
        elif kind == 'crop:2':
            down, right = random.randint(0, 5, 2)
            image = np.pad(image, 2, 'reflect')[down : down + 8, right : right + 8]
        else:
            contrast, brightness = random.uniform(0.6, 1.4, 2)
            image = np.clip((image.mean() + contrast * (image - image.mean())) * brightness, 0, 1)
        made.append(image)
    return np.array(made)[..., None]


@pytest.mark.parametrize('kind', ['flip', 'crop:2', 'jitter:0.4'])
def test_augmentation_changes_the_targets_as_it_says(digits, kind):
    """Recovers the targets from the loss `own_functions.slant`."""
    logdir = digits.train(kind.partition(':')[0], *AUGMENTED, f'--augment={kind}', *ONE_STEP)
    (record,) = tfae_program.metrics(logdir)

    def slant(x):
        return (np.arange(64) * np.square(x.reshape(len(x), 64))).sum(1).mean() / 64

    x, _ = digits.split('train')
    values = [slant(moved(x, np.random.RandomState(i), kind)) for i in range(40)]
    assert abs(record['loss'] - np.mean(values)) < 6 * np.std(values)
    assert abs(record['loss'] - slant(x)) > 1e-4  # something was changed
    close(record['validation_loss'], slant(digits.split('validation')[0]), 1e-5)  # not here


def test_training_stops_when_patience_ends(digits):
    """At learning rate 0 no validation loss is lower than the first."""
    records = tfae_program.metrics(digits.train('stopped', *STOPPED))
    assert [record['epoch'] for record in records] == [1, 2, 3]


def test_variables_are_restored_under_their_new_names(digits):
    given = {
        f'old/layer_1/{k}': np.full(s, 0.25, np.float32)
        for k, s in {'kernel': [64, 3], 'bias': [3]}.items()
    }
    np.savez(digits.folder / 'other.npz', **given)
    start = variables(digits.train('restored', *RESTORED, '--epochs=1'), 0)
    fresh = variables(digits.train('seed_0', '--units=3', '--epochs=1'), 0)
    for name in NAMES:
        if name.startswith('encoder'):
            assert (start[name] == 0.25).all()
        else:
            np.testing.assert_array_equal(start[name], fresh[name])


def test_the_seed_decides_the_run_and_nothing_else_does(digits):
    """The same command gives the same bytes; another seed gives other variables and orders."""
    zero, again, one = (
        variables(digits.train(name, *words, '--epochs=1'))
        for name, words in (
            ('seed_0', ('--units=3',)),
            ('seed_0_again', ('--units=3',)),
            ('seed_1', SEEDED),
        )
    )
    assert all(np.array_equal(zero[name], again[name]) for name in zero)
    assert not any(np.array_equal(zero[name], one[name]) for name in NAMES)


def test_a_greedy_phase_trains_its_layer_by_its_own_rate_on_codes_of_those_below(digits):
    words = (*GREEDY, '--activation=softplus', *ONE_STEP, '--keep_checkpoints=9')
    logdir = digits.train('greedy', *words)
    records = tfae_program.metrics(logdir)
    assert [(r['phase'], r['epoch'], r['step']) for r in records] == [
        ('pretraining/layer_1', 1, 1),
        ('pretraining/layer_2', 1, 2),
        ('pretraining/layer_2', 2, 3),
        ('fine_tuning', 1, 4),
    ]
    v = [variables(logdir, step) for step in range(5)]
    x, _ = digits.split('train')
    soft, linear = Layer('softplus'), Layer('linear')
    below = Network((soft,)).encode(v[1], x)

    def first(v):
        h = np.logaddexp(0, affine(v, 'encoder/layer_1', x))
        return np.square(x.reshape(-1, 64) - special.expit(affine(v, 'decoder/layer_1', h))).mean()

    def second(v):
        made = np.logaddexp(0, affine(v, 'decoder/layer_2', affine(v, 'encoder/layer_2', below)))
        return np.square(below - made).mean()

    def whole(v):
        return autoencoder(Network((soft, linear)))(v, x, None, True)['loss']

    phases = [(first, 'layer_1', 0.03), *[(second, 'layer_2', 0.05)] * 2, (whole, 'layer', 0.01)]
    for t, (loss, layer, rate) in enumerate(phases):
        close(records[t]['loss'], loss(v[t]))
        way = {k: v[t + 1][k] - v[t][k] for k in v[t] if k.startswith(('encoder', 'decoder'))}
        assert all((layer in name) == bool(np.any(step)) for name, step in way.items())
        ends = [loss({**v[t], **{k: v[t][k] + s * way[k] for k in way}}) for s in (1e-3, -1e-3)]
        length = sum(np.square(step).sum() for step in way.values())
        close((ends[0] - ends[1]) / 2e-3, -length / rate, 5e-3)


def test_the_best_checkpoint_is_of_the_last_phase_however_low_losses_before_it_were(digits):
    """Codes near zero are reconstructed almost without error, images are not."""
    words = ('--units=6,3', '--activation=sigmoid', '--pretraining=greedy', '--batch_size=40')
    words = (*words, '--pretraining_epochs=3', '--epochs=2', '--pretraining_learning_rate=0.05')
    logdir = digits.train('best', *words, '--learning_rate=1e-4')
    records = tfae_program.metrics(logdir)
    losses = {r['step']: r['validation_loss'] for r in records if r['phase'] == 'fine_tuning'}
    before = [r['validation_loss'] for r in records if r['step'] not in losses]
    assert min(before) < min(losses.values())  # else the test shows nothing
    assert tfae_program.steps(logdir / 'best') == [min(losses, key=losses.get)]


def test_a_head_is_trained_on_frozen_codes_before_the_rest(digits):
    words = (*HEAD, '--code_activation=tanh', *ONE_STEP, '--keep_checkpoints=9')
    logdir = digits.train('head', *words)
    records = tfae_program.metrics(logdir)
    assert [r['phase'] for r in records] == [*['pretraining/head'] * 2, 'fine_tuning']
    v = [variables(logdir, step) for step in range(4)]
    loss = classifier(Network((Layer('tanh'),)))
    for t, record in enumerate(records):
        close(record['loss'], loss(v[t], *digits.split('train'), True)['loss'])
        still = np.array_equal(v[t]['encoder/layer_1/kernel'], v[t + 1]['encoder/layer_1/kernel'])
        assert still == (t < 2)
        assert np.any(v[t]['classifier/kernel'] != v[t + 1]['classifier/kernel'])


@pytest.mark.parametrize('model', ['gan', 'siamese'])
def test_what_is_written_for_tensorboard_trains_nothing(digits, model):
    """The second objective is measured after the update of the first."""
    words = (f'--model={model}', '--units=8,6', '--batch_normalization', '--epochs=2')
    often, seldom = (
        variables(digits.train(f'{model}_{steps}', *words, f'--summary_steps={steps}'))
        for steps in (1, 1000)
    )
    for name in often:
        np.testing.assert_array_equal(often[name], seldom[name])
