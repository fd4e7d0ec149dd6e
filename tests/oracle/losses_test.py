"""The training objective: the loss of a step against numpy, the update against its gradient.

Each run makes one step of gradient descent on the whole training split. Of the variables of step 0
numpy makes the loss and the terms that metrics.jsonl holds; along the way that the variables went,
its slope must be that of their gradient. Of the variables of step 1 it makes the validation loss.
A flag that did nothing, or another thing, would be seen: `tests/repository/oracle_test.py` asks for
every flag of every family in the words below.
"""

import numpy as np
import pytest
import tfae_program
from numpy_losses import (
    PASSING,
    REAL_FROM,
    TELLING,
    Adversarial,
    KSparse,
    OwnFunctions,
    Variational,
    autoencoder,
    classifier,
    contractive,
    cross_entropy,
    divergence,
    diversity,
    halved,
    lasso,
    log_weights,
    regressor,
    siamese,
    sparse,
    variational,
)
from numpy_networks import Layer, Network, affine
from runs import ONE_STEP, RATE, Runs, close, variables
from scipy import special


@pytest.fixture(scope='module')
def digits(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp('digits'))


@pytest.fixture(scope='module')
def odd(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp('odd'), odd=True)


TANH, LINEAR = Layer('tanh'), Layer('linear')
NORMALIZED = Layer('tanh', normalized=True)
TWO = Network((TANH, LINEAR))
HALVED = '--corruption=own_functions:halved'
OWN = ('--model=custom', '--encoder=own_functions:encoder', '--decoder=own_functions:decoder')
VARIATIONAL = ('--model=variational', '--code_size=3', '--restore_from=still.npz')
SIAMESE = ('--model=siamese', '--activation=tanh', '--code_size=4')

# Convolutions of 7x9: strides and pools that do not divide the sides, so that crops matter.
CONVOLUTIONS = (
    '--filters=3,4',
    '--kernel_sizes=3,2',
    '--strides=2,1',
    '--padding=same,valid',
    '--pooling=none,average',
    '--pool_sizes=2,3',
    '--activation=tanh',
    '--batch_normalization',
    '--kernel_initializer=he_normal',
)
STACK = (
    Layer('tanh', normalized=True, strides=2),
    Layer('tanh', normalized=True, padding='valid', pooling='average', pool_size=3),
)
CONVOLUTIONAL = ('--model=convolutional', '--units=', *CONVOLUTIONS)

# Name -> (arguments, loss).
DENSE = {
    'dense, tied': (
        (
            '--units=9,4',
            '--activation=tanh',
            '--likelihood=bernoulli',
            '--tied',
            '--kernel_initializer=lecun_normal',
        ),
        autoencoder(TWO._replace(tied=True), 'bernoulli'),
    ),
    'dense, regularized': (
        (
            '--units=9,4',
            '--activation=tanh',
            '--code_activation=sigmoid',
            '--regularizer=l1:0.1,kl_sparsity:0.3:0.2,orthogonality:0.05',
            '--weight_decay=0.01',
        ),
        autoencoder(Network((TANH, Layer('sigmoid'))), extra=sparse),
    ),
    'dense, contractive': (
        ('--units=6', '--code_activation=sigmoid', '--regularizer=contractive:0.5', HALVED),
        autoencoder(Network((Layer('sigmoid'),)), noise=halved, extra=contractive),
    ),
    'dense, k-sparse': (
        ('--units=9', '--k_sparse=2', '--output_activation=linear'),
        autoencoder(KSparse((LINEAR,)), output='linear'),
    ),
    'dense, emphasis': (  # everything is hit
        ('--units=9', '--corruption=masking:1', '--emphasis=2,0.5'),
        autoencoder(Network((LINEAR,)), noise=lambda x: 0 * x, weight=2),
    ),
    'custom': (
        (
            *OWN,
            '--code_activation=softplus',
            '--likelihood=bernoulli',
            '--regularizer=l1:0.1',
            '--weight_decay=0.01',
            '--k_sparse=2',
            HALVED,
        ),
        autoencoder(OwnFunctions((Layer('softplus'),)), 'bernoulli', noise=halved, extra=lasso),
    ),
    'custom, emphasis': (
        (
            *OWN,
            '--k_sparse=2',
            '--corruption=masking:1',
            '--emphasis=2,0.5',
            '--output_activation=linear',
        ),
        autoencoder(OwnFunctions((LINEAR,)), output='linear', noise=lambda x: 0 * x, weight=2),
    ),
    'variational': (
        (*VARIATIONAL, '--units=8', '--activation=tanh', '--beta=2.5', HALVED),
        variational(Network((TANH,)), beta=2.5, noise=halved),
    ),
    'variational, free bits': (
        (*VARIATIONAL, '--units=8', '--activation=tanh', '--beta=2.5', '--free_bits=14.6'),
        variational(Network((TANH,)), beta=2.5, free_bits=14.6),
    ),
    'variational, gaussian': (
        (
            *VARIATIONAL,
            '--units=8',
            '--activation=tanh',
            '--likelihood=gaussian',
            '--variance=0.3',
        ),
        variational(Network((TANH,)), variance=0.3),
    ),
    'variational, learned variance': (
        (
            *VARIATIONAL,
            '--units=9,8',
            '--activation=tanh',
            '--batch_normalization',
            '--likelihood=gaussian',
            '--variance=0.3',
            '--learn_variance',
        ),
        variational(Network((NORMALIZED, NORMALIZED)), variance='learned'),
    ),
    'classifier': (
        (
            '--model=classifier',
            '--units=12,6',
            '--activation=tanh',
            '--code_activation=softplus',
            '--batch_normalization',
        ),
        classifier(Network((NORMALIZED, Layer('softplus')))),
    ),
    'siamese, contrastive': (
        (*SIAMESE, '--units=8', '--margin=1.5', '--batch_normalization'),
        siamese(Network((NORMALIZED, LINEAR)), 'contrastive', 1.5),
    ),
    'siamese, triplet': (
        (*SIAMESE, '--units=8', '--margin=0.4', '--loss=triplet', '--normalize_codes'),
        siamese(Network((TANH, LINEAR)), 'triplet', 0.4, unit=True),
    ),
}
# For images of 7x9 with two channels.
ODD = {
    **{
        f'convolutional, {method}': (
            (*CONVOLUTIONAL, '--units=5', f'--upsampling={method}'),
            autoencoder(Network((*STACK, LINEAR), method)),
        )
        for method in ('deconvolution', 'subpixel', 'nearest', 'bilinear', 'bicubic')
    },
    'convolutional, tied': (
        (
            '--model=convolutional',
            '--units=',
            '--filters=3,4',
            '--pooling=none',
            '--strides=3,1',
            '--activation=tanh',
            '--upsampling=deconvolution',
            '--tied',
            '--code_activation=elu',
            '--likelihood=bernoulli',
            '--regularizer=l1:0.1',
            '--weight_decay=0.01',
            HALVED,
        ),
        autoencoder(
            Network((Layer('tanh', strides=3), Layer('elu')), 'deconvolution', tied=True),
            'bernoulli',
            noise=halved,
            extra=lasso,
        ),
    ),
    # 7x9 by kernels of 4 without padding are 4x6, which a margin of 3 on each side restores to 7x9.
    'convolutional, margins': (
        (
            '--model=convolutional',
            '--units=',
            '--filters=3',
            '--kernel_sizes=4',
            '--padding=valid',
            '--pooling=none',
            '--k_sparse=2',
            '--output_activation=linear',
            '--corruption=masking:1',
            '--emphasis=2,0.5',
        ),
        autoencoder(
            KSparse((Layer('linear', padding='valid'),)),
            output='linear',
            noise=lambda x: 0 * x,
            weight=2,
        ),
    ),
    # 7x9 in steps of 3 are 3x3, which come back as 9x9.
    'variational, cropped': (
        (
            *VARIATIONAL,
            *CONVOLUTIONS,
            '--strides=3,1',
            '--kernel_sizes=2',
            '--pooling=max,none',
            '--pool_sizes=1',
            '--padding=same',
            '--units=8',
            '--upsampling=nearest',
        ),
        variational(
            Network(
                (
                    Layer('tanh', normalized=True, strides=3, pooling='max', pool_size=1),
                    NORMALIZED,
                    NORMALIZED,
                ),
                'nearest',
            )
        ),
    ),
    'classifier, convolutional': (
        ('--model=classifier', *CONVOLUTIONS, '--units=6'),
        classifier(Network((*STACK, Layer('relu')))),
    ),
    'regressor, convolutional': (
        ('--model=regressor', *CONVOLUTIONS, '--units=6'),
        regressor(Network((*STACK, Layer('relu'))), range(10)),
    ),
    'regressor, values': (
        (
            *(
                '--model=regressor',
                '--units=12,6',
                '--activation=tanh',
                '--code_activation=softplus',
            ),
            *('--batch_normalization', '--values=3,1,4,1,5,9,2,6,5,-3'),
        ),
        regressor(Network((NORMALIZED, Layer('softplus'))), [3.0, 1, 4, 1, 5, 9, 2, 6, 5, -3]),
    ),
    'siamese, convolutional': (
        (*SIAMESE, *CONVOLUTIONS, '--units=6'),
        siamese(Network((*STACK, NORMALIZED, LINEAR)), 'contrastive', 1.0),
    ),
}


def folder(name):
    return name.replace(', ', '_').replace(' ', '_').replace('-', '_')


def stepped(runs, name, words):
    """Returns the variables of steps 0 and 1, and the one line of metrics."""
    if '--restore_from=still.npz' in words and not (runs.folder / 'still.npz').exists():
        # Codes that hardly vary: the noise of a sample is far below a digit of the loss.
        still = {
            'encoder/log_variance/kernel': np.zeros([8, 3], np.float32),
            'encoder/log_variance/bias': np.full([3], -30, np.float32),
        }
        np.savez(runs.folder / 'still.npz', **still)
    logdir = runs.train(folder(name), *words, *ONE_STEP)
    (record,) = tfae_program.metrics(logdir)
    return variables(logdir, 0), variables(logdir, 1), record


def validated(runs):
    """Returns the validation examples in their fixed order, which decides the pairs among them."""
    x, y = runs.split('validation')
    order = tfae_program.shuffled(len(x), 0)
    assert sorted(order) == list(range(len(x)))
    return x[order], y[order]


def check(runs, name, words, loss):
    before, after, record = stepped(runs, name, words)
    wanted = loss(before, *runs.split('train'), training=True)
    for term, value in wanted.items():
        close(record[term], value)
    for term, value in loss(after, *validated(runs), training=False).items():
        close(record[f'validation_{term}'], value)
    terms = {key.removeprefix('validation_') for key in record}
    assert terms - {'step', 'phase', 'epoch', 'mse', 'trouble'} == wanted.keys()
    if '--k_sparse=2' in words:
        return  # other values are kept at each place of the way: the loss has jumps
    # The update is along the gradient, and of the trained variables only.
    others = ('training', 'global_step', 'moving_')
    trained = [k for k in before if not any(word in k for word in others)]
    way = {k: after[k] - before[k] for k in trained}
    length = sum(np.square(step).sum() for step in way.values())

    def at(part):
        moved = {**before, **{k: before[k] + part * way[k] for k in trained}}
        return loss(moved, *runs.split('train'), training=True)['loss']

    assert length > 0
    close((at(1e-3) - at(-1e-3)) / 2e-3, -length / RATE, rtol=5e-3)


def check_initial(before, words):
    """Kernels of any shape start with the variance of their initializer."""
    kind = next((w.partition('=')[2] for w in words if 'kernel_initializer' in w), '')
    ratios, numbers = [], 0
    for name, kernel in before.items():
        if not name.endswith('kernel') or name.startswith(('decoder', 'encoder/log_var')):
            continue  # the decoder's may begin equal within a block
        fan_in, fan_out = (np.prod(kernel.shape[:-2]) * n for n in kernel.shape[-2:])
        variance = {'he_normal': 2 / fan_in, 'lecun_normal': 1 / fan_in}
        glorot = 2 / (fan_in + fan_out)
        # The head of a classifier and those of a distribution have the default one.
        own = 'layer_' in name
        ratios.append(np.square(kernel).sum() / (variance.get(kind, glorot) if own else glorot))
        numbers += kernel.size
    assert abs(sum(ratios) / numbers - 1) < 5 * np.sqrt(2 / numbers)


@pytest.mark.parametrize('name', DENSE)
def test_the_loss_of_a_step_and_its_gradient_are_those_of_numpy(digits, name):
    check(digits, name, *DENSE[name])
    check_initial(stepped(digits, name, DENSE[name][0])[0], DENSE[name][0])


@pytest.mark.parametrize('name', ODD)
def test_those_of_convolutions_are_too(odd, name):
    check(odd, name, *ODD[name])
    check_initial(stepped(odd, name, ODD[name][0])[0], ODD[name][0])


# Flags of the measures, which do not change the training.
ELSEWHERE = {'variational': {'evaluation_samples': 'commands_test'}}


# Losses with unknown noise: within the range of many samples of it.


def within(found, sampled, repeats=40, deviations=6):
    """Returns whether a value is within the samples of `sampled(random)`."""
    values = [sampled(np.random.RandomState(seed)) for seed in range(repeats)]
    assert abs(found - np.mean(values)) < deviations * np.std(values), (found, values[:4])


NOISY = {
    'variational, importance': ('--model=variational', '--units=8', '--code_size=3', '--samples=5'),
    'classifier, dropout': ('--model=classifier', '--units=12', '--dropout=0.8'),
    'variational, warm-up': (
        *('--model=variational', '--units=8', '--code_size=3', '--beta=3', '--kl_warmup_steps=2'),
    ),
    'variational, cycles': (
        *('--model=variational', '--units=8', '--code_size=3', '--kl_warmup_steps=2'),
        '--kl_cycles=2',
    ),
    'gan, critic steps': (
        *('--model=gan', '--units=10', '--code_size=3', '--loss=hinge', '--critic_steps=3'),
    ),
    'gan, conditional': (
        *('--model=gan', '--units=10', '--code_size=3', '--loss=hinge', '--conditional'),
    ),
    'variational, capacity': (
        *('--model=variational', '--units=8', '--code_size=3', '--beta=3', '--kl_warmup_steps=2'),
        '--kl_capacity=5',
    ),
}


def test_several_samples_give_the_importance_weighted_bound(digits):
    before, _, record = stepped(digits, 'variational, importance', NOISY['variational, importance'])
    model = Variational(Network((Layer('relu'),)))
    x, _ = digits.split('train')
    mean, log_variance = model.posterior(before, x)
    close(record['kl'], divergence(mean, log_variance).sum(1).mean())

    def samples(random):
        for _ in range(5):
            z = mean + np.exp(log_variance / 2) * random.normal(size=mean.shape)
            yield model.nll(before, x, z), z

    def bound(random):
        logs = [log_weights(nll, z, mean, log_variance) for nll, z in samples(random)]
        return -np.mean(special.logsumexp(logs, axis=0) - np.log(5))

    within(record['loss'], bound)
    within(record['reconstruction_nats'], lambda r: np.mean([nll for nll, _ in samples(r)]))
    assert record['loss'] < -record['elbo']  # tighter


def test_dropout_scales_what_is_left_of_the_code(digits):
    before, after, record = stepped(digits, 'classifier, dropout', NOISY['classifier, dropout'])
    x, y = digits.split('train')
    code = Network((Layer('relu'),)).encode(before, x)

    def dropped(random):
        kept = random.uniform(size=code.shape) >= 0.8
        return cross_entropy(y, affine(before, 'classifier', code * kept / 0.2)).mean()

    within(record['loss'], dropped)
    x, y = digits.split('validation')
    logits = affine(after, 'classifier', Network((Layer('relu'),)).encode(after, x))
    close(record['validation_loss'], cross_entropy(y, logits).mean())


def test_the_weight_of_the_divergence_rises_over_the_steps_of_its_warm_up(digits):
    words = (*NOISY['variational, warm-up'], *ONE_STEP, '--epochs=3')
    records = tfae_program.metrics(digits.train('warm_up', *words))
    weights = [(r['loss'] - r['reconstruction_nats']) / r['kl'] for r in records]
    np.testing.assert_allclose(weights, [0, 1.5, 3], atol=1e-3)
    for r in records:
        close(r['validation_loss'], r['validation_reconstruction_nats'] + 3 * r['validation_kl'])


def test_the_weight_of_the_divergence_rises_in_cycles(digits):
    words = (*NOISY['variational, cycles'], *ONE_STEP, '--epochs=8')
    records = tfae_program.metrics(digits.train('cycles', *words))
    weights = [(r['loss'] - r['reconstruction_nats']) / r['kl'] for r in records]
    np.testing.assert_allclose(weights, [0, 0.5, 1, 1, 0, 0.5, 1, 1], atol=1e-3)
    for r in records:
        close(r['validation_loss'], r['validation_reconstruction_nats'] + r['validation_kl'])


def test_the_distance_of_the_divergence_from_the_capacity_is_penalized(digits):
    words = (*NOISY['variational, capacity'], *ONE_STEP, '--epochs=4')
    for r, capacity in zip(
        tfae_program.metrics(digits.train('capacity', *words)), [0, 2.5, 5, 5], strict=True
    ):
        close(r['loss'], r['reconstruction_nats'] + 3 * abs(r['kl'] - capacity))
        distance = abs(r['validation_kl'] - 5)
        close(r['validation_loss'], r['validation_reconstruction_nats'] + 3 * distance)


# Alternating objectives: the generator uses the discriminator that has just been updated.

GAN = {
    'gan, non-saturating': (
        (
            '--model=gan',
            '--units=10,8',
            '--loss=non_saturating',
            '--code_size=3',
            '--activation=tanh',
            '--generator_activation=softplus',
            '--batch_normalization',
        ),
        'non_saturating',
        Adversarial(
            Network((TANH, NORMALIZED), encoder='discriminator'),
            Network(
                (Layer('softplus', True), Layer('softplus', True), LINEAR),
                encoder='sizes',
                decoder='generator',
            ),
        ),
    ),
    'gan, wasserstein': (
        (
            '--model=gan',
            '--units=10',
            '--code_size=3',
            '--loss=wasserstein',
            '--gradient_penalty=4',
            '--kernel_initializer=he_normal',
        ),
        'wasserstein',
        Adversarial(
            Network((Layer('leaky_relu'),), encoder='discriminator'),
            Network((Layer('relu'), LINEAR), encoder='sizes', decoder='generator'),
        ),
    ),
    'gan, hinge': (
        ('--model=gan', '--units=10', '--code_size=3', '--loss=hinge'),
        'hinge',
        Adversarial(
            Network((Layer('leaky_relu'),), encoder='discriminator'),
            Network((Layer('relu'), LINEAR), encoder='sizes', decoder='generator'),
        ),
    ),
    'gan, spectral normalization': (
        (
            '--model=gan',
            '--units=10,8',
            '--code_size=3',
            '--loss=hinge',
            '--spectral_normalization',
        ),
        'hinge',
        Adversarial(
            Network((Layer('leaky_relu'), Layer('leaky_relu')), encoder='discriminator'),
            Network((Layer('relu'), Layer('relu'), LINEAR), encoder='sizes', decoder='generator'),
        ),
    ),
    'gan, convolutional': (
        (
            '--model=gan',
            *CONVOLUTIONS,
            '--units=',
            '--code_size=3',
            '--loss=least_squares',
            '--upsampling=bilinear',
        ),
        'least_squares',
        Adversarial(
            Network((STACK[0]._replace(normalized=False), STACK[1]), encoder='discriminator'),
            Network(
                (*(layer._replace(activation='relu') for layer in STACK), LINEAR),
                'bilinear',
                encoder='sizes',
                decoder='generator',
            ),
        ),
    ),
}


def iterated(kernel, u):
    """The vectors v and u' of a step of the power iteration."""
    v = kernel @ u / np.linalg.norm(kernel @ u)
    return v, kernel.T @ v / np.linalg.norm(kernel.T @ v)


def spectral(variables):
    """The variables, with kernels divided by singular values where there are vectors for them."""
    found = dict(variables)
    for name, u in variables.items():
        if name.endswith('/spectral_u'):
            kernel = name.replace('spectral_u', 'kernel')
            v, u = iterated(variables[kernel], u)
            found[kernel] = variables[kernel] / (v @ variables[kernel] @ u)
    return found


def assert_iterated(before, after):
    vectors = [name for name in before if name.endswith('/spectral_u')]
    assert len(vectors) == 3
    for name in vectors:
        _, u = iterated(before[name.replace('spectral_u', 'kernel')], before[name])
        np.testing.assert_allclose(after[name], u, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('name', GAN)
def test_both_sides_of_a_game_have_their_losses(digits, odd, name):
    words, kind, model = GAN[name]
    runs = odd if 'convolutional' in name else digits
    before, after, record = stepped(runs, name, words)
    if '--spectral_normalization' in words:
        assert_iterated(before, after)
        before, after = spectral(before), spectral(after)
    x, _ = runs.split('train')
    # The discriminator is updated, the generator not yet.
    between = {k: (after if k.startswith('discriminator') else before)[k] for k in before}

    def fake(random):
        return model.generate(before, random.normal(size=[len(x), 3]), x.shape[1:], True)

    def telling(random, v=before):
        return TELLING[kind](model.score(v, x, True), model.score(v, fake(random), True)).mean()

    def passing(random, v=between):
        made = model.generate(v, random.normal(size=[len(x), 3]), x.shape[1:], True)
        return PASSING[kind](model.score(v, made, True)).mean()

    loss = record['discriminator/loss']
    if kind == 'wasserstein':
        penalty = record['discriminator/gradient_penalty']
        close(loss, 4 * penalty - record['discriminator/distance'])
        loss = -record['discriminator/distance']
        within(penalty, lambda random: _penalty(before, x, fake(random), random))
    else:
        limit, real = REAL_FROM[kind], model.score(before, x, True)

        def right(random):
            made = model.score(before, fake(random), True)
            return (np.mean(real > limit) + np.mean(made <= limit)) / 2

        found = record['discriminator/accuracy']
        assert abs(found - np.mean([right(np.random.RandomState(i)) for i in range(20)])) < 0.1
    within(loss, telling)
    within(record['generator/loss'], passing)
    within(record['generator/diversity'], lambda random: diversity(fake(random), x))
    # Each update lowers its own loss.
    one = [np.random.RandomState(0) for _ in range(4)]
    if kind != 'wasserstein':  # whose penalty is a part of it
        assert telling(one[0], between) < telling(one[1])
    assert passing(one[2], {**between, **_of(after, 'generator')}) < passing(one[3])


def _of(v, scope):
    return {k: a for k, a in v.items() if k.startswith(scope)}


def _penalty(v, x, fake, random):
    """Returns `(|ds/dx| - 1)^2` of a dense leaky-ReLU layer, between real and generated images."""
    part = random.uniform(size=[len(x), 1, 1, 1])
    between = x + part * (fake - x)
    h = affine(v, 'discriminator/layer_1', between)
    slope = np.where(h > 0, 1, 0.2) * v['discriminator/score/kernel'][:, 0]
    norms = np.linalg.norm(slope @ v['discriminator/layer_1/kernel'].T, axis=1)
    return np.square(norms - 1).mean()


def test_the_generator_is_trained_at_each_last_of_the_critic_steps(digits):
    words = (*NOISY['gan, critic steps'], *ONE_STEP, '--keep_checkpoints=9', '--batch_size=100')
    logdir = digits.train('critic', *words[:-1], '--epochs=2', words[-1])  # 8 steps
    v = [variables(logdir, step) for step in range(9)]
    moved = {
        scope: [
            step
            for step in range(8)
            if any(np.any(v[step][k] != v[step + 1][k]) for k in _of(v[0], scope))
        ]
        for scope in ('discriminator', 'generator')
    }
    assert moved == {'discriminator': list(range(8)), 'generator': [2, 5]}
    # The score of hinge is linear in w and b: the slope of b is that of the images within margin.
    x, _ = digits.split('train')
    model = GAN['gan, hinge'][2]
    for step in range(8):
        real = x[100 * step % 400 : 100 * step % 400 + 100]
        b = (v[step + 1]['discriminator/score/bias'] - v[step]['discriminator/score/bias'])[0]

        def slope(random, step=step, real=real):
            fake = model.generate(v[step], random.normal(size=[100, 3]), x.shape[1:], True)
            return np.mean(model.score(v[step], real, True) < 1) - np.mean(
                model.score(v[step], fake, True) > -1
            )

        found = [slope(np.random.RandomState(i)) for i in range(20)]
        assert abs(b / RATE - np.mean(found)) <= 6 * np.std(found) + 1e-3


def test_scores_and_codes_of_a_conditional_game_have_the_class(digits):
    before, after, record = stepped(digits, 'gan, conditional', NOISY['gan, conditional'])
    model = GAN['gan, hinge'][2]
    x, y = digits.split('train')
    hot = np.eye(10)[y]

    def score(v, x):
        h = model.discriminator.encode(v, x, True)
        return model.score(v, x, True) + (h * v['discriminator/class_embedding/kernel'][y]).sum(1)

    def fake(random):
        code = np.concatenate([random.normal(size=[len(x), 3]), hot], 1)
        return model.generate(before, code, x.shape[1:], True)

    between = {k: (after if k.startswith('discriminator') else before)[k] for k in before}
    within(
        record['discriminator/loss'],
        lambda random: TELLING['hinge'](score(before, x), score(before, fake(random))).mean(),
    )
    within(
        record['generator/loss'],
        lambda random: PASSING['hinge'](score(between, fake(random))).mean(),
    )
