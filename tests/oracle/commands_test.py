"""Output of `evaluate`, `probe`, `cluster`, `anomaly` and `sample`, from variables and arrays.

Networks are run in numpy, of the variables of a checkpoint; where scikit-learn must see the very
numbers that the program saw, so that a tie falls the same way, codes come from `tfae.open`.
"""

import math

import numpy as np
import pytest
from numpy_losses import (
    Adversarial,
    Variational,
    cross_entropy,
    divergence,
    log_weights,
    nats_of_bernoulli,
)
from numpy_losses import diversity as diversity_of
from numpy_networks import Layer, Network, affine, flat
from runs import Runs, close, variables
from scipy import ndimage, optimize, special
from sklearn import metrics
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize

import tfae

TANH = Layer('tanh')
DENSE = (
    '--units=16,6',
    '--activation=tanh',
    '--likelihood=bernoulli',
    '--corruption=own_functions:occluded',
    '--epochs=12',
    '--batch_size=20',
    '--learning_rate=0.01',
)
NETWORK = Network((TANH, Layer('linear')))
CLASSIFIER = ('--model=classifier', '--units=12', '--epochs=5', '--batch_size=20')
VARIATIONAL = ('--model=variational', '--units=12', '--code_size=3', '--epochs=6')


@pytest.fixture(scope='module')
def digits(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp('digits'))


def best(logdir):
    """Returns the variables that commands load: of the best checkpoint if there is one."""
    return variables(logdir / 'best' if (logdir / 'best').is_dir() else logdir)


def psnr(x, y):
    return -10 * math.log10(np.mean(np.square(x - y)))


def edges(x):
    """Returns the mean gradient magnitude, from the differences to the pixels below and right."""
    down, right = np.zeros_like(x), np.zeros_like(x)
    down[:, :-1], right[:, :, :-1] = np.diff(x, axis=1), np.diff(x, axis=2)
    return np.hypot(down, right).mean()


def jacobians(encode, x, step=1e-5):
    """Returns the Jacobian `[B, Z, D]` by central differences."""
    columns = []
    for place in np.ndindex(*x.shape[1:]):
        nudge = np.zeros_like(x)
        nudge[(slice(None), *place)] = step
        columns.append((encode(x + nudge) - encode(x - nudge)) / (2 * step))
    return np.stack(columns, -1)


def check_jacobian(found, j, probes=8):
    """Compares an estimate by random signs, whose variance is known: Hutchinson, 1990."""
    gram = np.einsum('bzd,byd->bzy', j, j)
    diagonal = np.einsum('bzz->bz', gram)
    wanted = diagonal.sum(1).mean()
    variance = 2 * (np.square(gram).sum((1, 2)) - np.square(diagonal).sum(1))
    deviation = math.sqrt(variance.mean() / probes / len(j))
    assert abs(found - wanted) < 5 * deviation + 1e-4 * wanted, (found, wanted, deviation)
    return wanted


def occluded(x):
    """`own_functions.occluded`, a corruption."""
    made = 0.5 * x + 0.25
    made[:, :, x.shape[2] // 2 :] = 0.5
    return made


def denoised(corrupted, clean, queries, rank):
    """Reduced-rank regression: least squares, the SVD of the fitted values, a clip."""
    inputs, asked = (np.column_stack([np.ones(len(a)), flat(a)]) for a in (corrupted, queries))
    weights = np.linalg.lstsq(inputs, flat(clean), rcond=None)[0]
    center = flat(clean).mean(0)
    leading = np.linalg.svd(inputs @ weights - center)[2][:rank]
    made = center + (asked @ weights - center) @ leading.T @ leading
    return np.clip(made, 0, 1).reshape(queries.shape)


def projected(train, x, count):
    pca = PCA(count, svd_solver='full').fit(flat(train))
    return np.clip(pca.inverse_transform(pca.transform(flat(x))), 0, 1).reshape(x.shape)


def test_evaluate_of_a_denoising_autoencoder(digits):
    v = best(digits.train('dense', *DENSE))
    measured, out = digits.measured('evaluate', 'dense', '--neighbors=3')
    (train, known), (x, labels) = digits.split('train'), digits.split('test')
    code = NETWORK.encode(v, x)

    def restored(x):
        return special.expit(NETWORK.decode(v, NETWORK.encode(v, x), x.shape[1:]))

    noise = np.random.RandomState(0).uniform(size=x.shape)
    wanted = {
        'mse': np.square(x - restored(x)).mean(),
        'sharpness': edges(restored(x)) / edges(x),
        'bce': nats_of_bernoulli(x, NETWORK.decode(v, code, x.shape[1:])).mean(),
        'bce_floor': (special.entr(x) + special.entr(1 - x)).mean(),
        'pca_mse': np.square(x - projected(train, x, 6)).mean(),
        'noise_mse': np.square(noise - restored(noise)).mean(),
        'corrupted_psnr': psnr(x, occluded(x)),
        'denoised_psnr': psnr(x, restored(occluded(x))),
        'linear_denoised_psnr': psnr(x, denoised(occluded(train), train, occluded(x), 6)),
        'mean_activation': code.mean(),
    }
    printed = [line.split() for line in out.splitlines()]
    for name, value in wanted.items():
        close(measured[name], value)
        assert [name, f'{measured[name]:.5f}'] in printed
    assert code.min() < -0.1  # else a mean of absolute values would be the same
    check_jacobian(measured['jacobian_squared_norm'], jacobians(lambda x: NETWORK.encode(v, x), x))
    counts = {
        'examples': len(x),
        'code_size': 6,
        'dead_code_units': 0,
        'active_units': np.sum(code.var(0) > 0.01),
        'parameters': sum(a.size for k, a in v.items() if k.startswith(('encoder', 'decoder'))),
    }
    assert {name: measured[name] for name in counts} == counts
    pca = PCA(6, svd_solver='full').fit(flat(train))
    for name, encode in {
        'knn_error': lambda x: NETWORK.encode(v, x),
        'pca_knn_error': lambda x: pca.transform(flat(x)),
        'pixel_knn_error': flat,
    }.items():
        vote = KNeighborsClassifier(3).fit(encode(train), known).predict(encode(x))
        assert measured[name] == pytest.approx(np.mean(vote != labels), abs=1.5 / len(x))


def test_reconstruct_prints_what_evaluate_prints(digits):
    digits.train('dense', *DENSE)
    lines = {}
    for split in ('validation', 'test'):
        measured, _ = digits.measured('evaluate', 'dense', f'--split={split}')
        out = digits.program('reconstruct', '--logdir=dense', f'--split={split}', '--count=5')
        lines[split] = out.splitlines()[-6:-1]
        of_all = ('mse', 'pca_mse', 'corrupted_psnr', 'denoised_psnr')
        assert lines[split] == [
            f'{"examples":16} {measured["examples"]}',
            *(f'{name:16} {measured[name]:.5f}' for name in of_all),
        ]
    assert lines['validation'] != lines['test']


def test_the_norm_of_a_jacobian_whose_rows_are_alike(digits):
    """All code units are equal, where biased signs have the largest effect."""
    row = np.random.RandomState(0).normal(size=[64, 1]).astype(np.float32)
    np.savez(digits.folder / 'alike.npz', **{'encoder/layer_1/kernel': np.repeat(row, 20, 1)})
    digits.train(
        'alike', '--units=20', '--restore_from=alike.npz', '--learning_rate=0', '--epochs=1'
    )
    measured, _ = digits.measured('evaluate', 'alike')
    x, _ = digits.split('test')
    j = np.broadcast_to(np.repeat(row, 20, 1).T.astype(float), [len(x), 20, 64])
    assert check_jacobian(measured['jacobian_squared_norm'], j) > 100


def test_evaluate_of_convolutions_that_are_normalized_by_moving_moments(tmp_path):
    odd = Runs(tmp_path, odd=True)
    words = ('--filters=3,4', '--strides=2,1', '--pooling=none,max', '--units=5', '--epochs=2')
    logdir = odd.train('run', '--model=convolutional', '--batch_normalization', *words)
    v = best(logdir)
    measured, _ = odd.measured('evaluate', 'run', '--split=validation')
    network = Network(
        (
            Layer(normalized=True, strides=2),
            Layer(normalized=True, pooling='max'),
            Layer('linear'),
        )
    )
    x, _ = odd.split('validation')
    code = network.encode(v, x)
    made = special.expit(network.decode(v, code, x.shape[1:]))
    close(measured['mse'], np.square(x - made).mean())
    close(measured['mean_activation'], code.mean())


def test_evaluate_of_a_variational_autoencoder(digits):
    v = best(digits.train('vae', *VARIATIONAL, '--evaluation_samples=15'))
    measured, _ = digits.measured('evaluate', 'vae')
    model = Variational(Network((Layer('relu'),)))
    x, _ = digits.split('test')
    mean, log_variance = model.posterior(v, x)
    kl = divergence(mean, log_variance)
    close(measured['kl_by_dimension'], kl.mean(0))
    close(measured['kl'], kl.sum(1).mean())
    close(measured['elbo'], -measured['reconstruction_nats'] - measured['kl'])
    assert measured['active_units'] == np.sum(mean.var(0) > 0.01)
    made = special.expit(model.logits(v, mean, x.shape[1:]))
    close(measured['mse'], np.square(x - made).mean())
    nats, bounds = [], []
    for seed in range(12):
        random = np.random.RandomState(seed)
        found = []
        for _ in range(15):
            z = mean + np.exp(log_variance / 2) * random.normal(size=mean.shape)
            nll = model.nll(v, x, z)
            found.append((nll, log_weights(nll, z, mean, log_variance)))
        nats.append(np.mean([nll for nll, _ in found]))
        bound = special.logsumexp([logs for _, logs in found], axis=0) - math.log(15)
        bounds.append(bound.mean())
    for name, values in (('reconstruction_nats', nats), ('log_likelihood', bounds)):
        assert abs(measured[name] - np.mean(values)) < 6 * np.std(values), name
    assert measured['log_likelihood'] > measured['elbo'] + 3 * np.std(bounds)


def test_evaluate_of_a_classifier(digits):
    v = best(digits.train('classifier', *CLASSIFIER))
    measured, _ = digits.measured('evaluate', 'classifier')
    x, y = digits.split('test')
    logits = affine(v, 'classifier', Network((Layer('relu'),)).encode(v, x))
    close(measured['cross_entropy'], cross_entropy(y, logits).mean())
    close(measured['error'], np.mean(logits.argmax(1) != y))
    assert measured['confusion'] == metrics.confusion_matrix(y, logits.argmax(1)).tolist()


def test_evaluate_of_a_regressor(digits):
    v = best(digits.train('regressor', '--model=regressor', '--units=12', '--epochs=3'))
    measured, _ = digits.measured('evaluate', 'regressor')
    (known, labels), (x, y) = digits.split('train'), digits.split('test')
    output = affine(v, 'regressor', Network((Layer('relu'),)).encode(v, x))
    error = 4.5 + 4.5 * output[:, 0] - y
    close(measured['absolute_error'], np.abs(error).mean())
    close(measured['squared_error'], np.square(error).mean())
    close(measured['constant_absolute_error'], np.abs(y - np.median(labels)).mean())
    # Ridge regression by its normal equations, the penalty by leave-one-out residuals.
    a, b = known.reshape(len(known), -1), x.reshape(len(x), -1)
    middle, mean = a.mean(0), labels.mean()
    best_, predicted = np.inf, None
    for penalty in np.logspace(-2, 6, 17):
        inverse = np.linalg.inv((a - middle).T @ (a - middle) + penalty * np.eye(a.shape[1]))
        hat = (a - middle) @ inverse @ (a - middle).T + 1 / len(a)
        residuals = (labels - hat @ labels) / (1 - np.diag(hat))
        if np.square(residuals).mean() < best_:
            best_ = np.square(residuals).mean()
            predicted = mean + (b - middle) @ inverse @ (a - middle).T @ (labels - mean)
    close(measured['ridge_absolute_error'], np.abs(predicted - y).mean())


def test_evaluate_of_a_siamese_network(digits):
    words = ('--model=siamese', '--units=12', '--code_size=4', '--epochs=3', '--normalize_codes')
    v = best(digits.train('siamese', *words))
    measured, _ = digits.measured('evaluate', 'siamese')
    network = Network((Layer('relu'), Layer('linear')))
    codes = [normalize(network.encode(v, digits.split(s)[0])) for s in ('train', 'test')]
    (_, known), (_, y) = digits.split('train'), digits.split('test')
    gaps = np.square(codes[1][:, None] - codes[0]).sum(2)
    wrong = np.mean(known[gaps.argmin(1)] != y)
    assert measured['knn_error'] == pytest.approx(wrong, abs=1.5 / len(y))


def test_evaluate_and_samples_of_a_game(digits):
    words = ('--model=gan', '--units=10', '--code_size=3', '--epochs=4', '--loss=non_saturating')
    v = best(digits.train('gan', *words))
    measured, _ = digits.measured('evaluate', 'gan')
    model = Adversarial(
        Network((Layer('leaky_relu'),), encoder='discriminator'),
        Network((Layer('relu'), Layer('linear')), encoder='sizes', decoder='generator'),
    )
    x, _ = digits.split('test')
    real = model.score(v, x) > 0
    found = {'diversity': [], 'accuracy': []}
    for seed in range(20):
        z = np.random.RandomState(seed).normal(size=[len(x), 3])
        fake = model.generate(v, z, x.shape[1:])
        found['diversity'].append(diversity_of(fake, x))
        found['accuracy'].append((real.mean() + np.mean(model.score(v, fake) <= 0)) / 2)
    for name, values in found.items():
        assert abs(measured[name] - np.mean(values)) < 6 * np.std(values) + 1e-4, name
    # Samples are decoded from codes of N(0, 1), as their moments show.
    digits.measured('sample', 'gan', '--count=1500')
    images = np.load(digits.folder / 'gan/figures/samples.npz')['images'] / 255
    z = np.random.RandomState(0).normal(size=[20000, 3])
    wanted = model.generate(v, z, x.shape[1:])
    for power in (1, 2):
        gap = (images**power).mean(0) - (wanted**power).mean(0)
        assert (np.abs(gap) < 6 * (wanted**power).std(0) / math.sqrt(1500) + 2e-3).all()


def few(labels, count, seed):
    """Returns the indices of `count` labels, balanced over the classes as far as possible."""
    order = np.random.RandomState(seed).permutation(len(labels))
    rank = np.zeros(len(order), int)
    for k in np.unique(labels):
        mine = labels[order] == k
        rank[mine] = np.arange(mine.sum())
    return np.sort(order[np.argsort(rank, kind='stable')[:count]])


def probe(codes, labels, queries, wanted):
    """Returns the error of logistic regression on standardized codes, weight decay 1e-4."""
    regression = LogisticRegression(C=1e4 / len(codes), max_iter=300)
    known = make_pipeline(StandardScaler(), regression).fit(codes.astype(float), labels)
    return np.mean(known.predict(queries.astype(float)) != wanted)


def seen_by_program(digits, name, *splits):
    """Returns images, codes and reconstructions of the splits, as in the program."""
    with tfae.open(digits.folder / name) as run:
        arrays = [digits.arrays[f'x_{split}'] for split in splits]
        return [(x, run.encode(x), run.reconstruct(x)) for x in arrays]


def test_probe(digits):
    digits.train('dense', *DENSE)
    words = ('--labels=40,200', '--repeats=2', '--neighbors=1,4')
    found, _ = digits.measured('probe', 'dense', *words)
    (train, known, _), (x, code, _) = seen_by_program(digits, 'dense', 'train', 'test')
    (_, labels), (_, y) = digits.split('train'), digits.split('test')
    pca = PCA(6, svd_solver='covariance_eigh').fit(flat(train))
    spaces = {
        '': (known, code),
        'pca_': (pca.transform(flat(train)), pca.transform(flat(x))),
        'pixels_': (flat(train), flat(x)),
    }
    for prefix, (a, b) in spaces.items():
        assert found[f'{prefix}probe_error'] == pytest.approx(probe(a, labels, b, y))
        for k in (1, 4):
            vote = KNeighborsClassifier(k).fit(a, labels).predict(b)
            assert found[f'{prefix}{k}_nearest_error'] == pytest.approx(np.mean(vote != y))
        for count in (40, 200):
            chosen = [few(labels, count, seed) for seed in (0, 1)]
            errors = [probe(a[i], labels[i], b, y) for i in chosen]
            wanted = [np.mean(errors), np.std(errors)]
            assert found[f'{prefix}probe_error_{count}_labels'] == pytest.approx(wanted)


def clusters(method, known, asked):
    if method == 'mixture':
        known, asked = known.astype(float), asked.astype(float)
        floor = 1e-3 * known.var(0).mean() + np.finfo(np.float32).tiny
        fitted = GaussianMixture(10, reg_covar=floor, n_init=3, random_state=0).fit(known)
        return fitted.predict(asked)
    if method == 'spherical k-means':
        fitted = KMeans(10, n_init=10, random_state=0).fit(normalize(known))
        found = fitted.predict(normalize(asked))
        assert (found != fitted.predict(asked)).any()  # length would matter here
        return found
    return KMeans(10, n_init=10, random_state=0).fit(known).predict(asked)


def test_cluster(digits):
    digits.train('dense', *DENSE)
    found, _ = digits.measured('cluster', 'dense', '--examples=300')
    (train, known, _), (x, code, _) = seen_by_program(digits, 'dense', 'train', 'test')
    _, y = digits.split('test')
    chosen = np.sort(np.random.RandomState(0).permutation(len(train))[:300])
    fitted = flat(train[chosen])
    pca = PCA(6, svd_solver='covariance_eigh').fit(fitted)
    spaces = {
        'code': ('', known[chosen], code),
        'pixels': ('pixels_', fitted, flat(x)),
        'PCA-6': ('pca_', pca.transform(fitted), pca.transform(flat(x))),
    }
    with np.load(digits.folder / 'dense/figures/cluster.npz') as written:
        assert len(written.files) == 8
        for space, (prefix, a, b) in spaces.items():
            for method in ('k-means', 'spherical k-means', 'mixture'):
                if (space, method) == ('pixels', 'mixture'):
                    continue
                wanted = clusters(method, a, b)
                np.testing.assert_array_equal(written[f'{space}_{method}'], wanted)
                counts = metrics.cluster.contingency_matrix(y, wanted)
                rows, columns = optimize.linear_sum_assignment(-counts)
                key = f'{prefix}{method.replace("-", "").replace(" ", "_")}'
                accuracy = counts[rows, columns].sum() / len(y)
                assert found[f'{key}_accuracy'] == pytest.approx(accuracy)
                close(found[f'{key}_nmi'], metrics.normalized_mutual_info_score(y, wanted))
                close(found[f'{key}_ari'], metrics.adjusted_rand_score(y, wanted))


def residuals(x, made, blur):
    """Returns the blurred error of each pixel `[N, H, W]`."""
    blurred = ndimage.gaussian_filter(made - x, (0, blur, blur, 0), mode='constant')
    return np.sqrt(np.square(blurred).mean(-1))


def traits(x, code, made, spread):
    """Returns the features of the mixture, and the residual of a blur of one pixel."""
    r = [np.square(residuals(x, made, s), dtype=float).mean((1, 2)) for s in (0, 1, 2)]
    return np.column_stack([code / spread, *np.log(np.array(r) + 1e-12)]).astype(float), r[1]


def test_anomaly(digits):
    words = (*DENSE, '--without_classes=7')
    digits.train('normal', *words)
    found, _ = digits.measured('anomaly', 'normal', '--pca_components=5')
    splits = seen_by_program(digits, 'normal', 'train', 'validation', 'test')
    labels = [digits.split(split)[1] for split in ('train', 'validation', 'test')]
    train, held_out = (
        [a[y != 7] for a in split] for split, y in zip(splits[:2], labels[:2], strict=True)
    )
    spread = float(train[1].std())
    features, _ = traits(*train, spread)
    order = np.random.RandomState(0).permutation(len(features))
    floor = 1e-3 * features.var(0).mean() + np.finfo(np.float32).tiny
    count = max(1, min(10, len(features) // (2 * features.shape[1])))
    mixture = GaussianMixture(count, reg_covar=floor, random_state=0).fit(features[order])
    _, usual = traits(*held_out, spread)

    def scores(images):
        features, residual = traits(*images, spread)
        cells = 64 / (4 * math.pi)
        return cells / 2 * residual / usual.mean() - mixture.score_samples(features)

    anomalous, score = labels[2] == 7, scores(splits[2])
    threshold = np.quantile(scores(held_out), 0.95)
    known, asked = flat(train[0]), flat(splits[2][0])
    pca = PCA(5, svd_solver='full').fit(known)
    gaps = np.linalg.norm(asked[:, None] - known, axis=2)
    rivals = {
        'pca': np.square(asked - pca.inverse_transform(pca.transform(asked))).mean(1),
        'neighbor': gaps.min(1),
        'mean': np.linalg.norm(asked - known.mean(0), axis=1),
    }
    wanted = {
        'normal_examples': np.sum(~anomalous),
        'anomalous_examples': np.sum(anomalous),
        'false_positive_rate': np.mean(score[~anomalous] > threshold),
        'true_positive_rate': np.mean(score[anomalous] > threshold),
        'auroc': metrics.roc_auc_score(anomalous, score),
        **{f'{name}_auroc': metrics.roc_auc_score(anomalous, s) for name, s in rivals.items()},
    }
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, abs=2e-3), name
    assert found['auroc_by_class'] == pytest.approx({'7': wanted['auroc']}, abs=2e-3)


@pytest.mark.parametrize('kind', ['gaussian', 'mixture'])
def test_samples_of_what_is_fitted_to_codes(digits, kind):
    v = best(digits.train('dense', *DENSE))
    words = (f'--kind={kind}', *(['--components=3'] if kind == 'mixture' else []))
    digits.measured('sample', 'dense', '--count=200', '--seed=4', *words)
    images = np.load(digits.folder / 'dense/figures/samples.npz')['images']
    ((_, codes, _),) = seen_by_program(digits, 'dense', 'train')
    count = 3 if kind == 'mixture' else 1
    floor = 1e-7 * codes.astype(float).var(0).mean() + np.finfo(np.float32).tiny
    mixture = GaussianMixture(count, reg_covar=floor, random_state=4).fit(codes.astype(float))
    mixture.random_state = 4
    drawn = np.random.RandomState(4).permutation(mixture.sample(200)[0])
    wanted = 255 * special.expit(NETWORK.decode(v, drawn, (8, 8, 1)))
    np.testing.assert_allclose(images, wanted, atol=0.51)


def test_the_judge_of_samples(digits):
    digits.train('vae', *VARIATIONAL, '--evaluation_samples=15')
    v = best(digits.train('classifier', *CLASSIFIER))
    words = ('--count=120', '--seed=2', '--classifier=classifier')
    found, _ = digits.measured('sample', 'vae', *words)
    images = np.load(digits.folder / 'vae/figures/samples.npz')['images'] / 255
    network = Network((Layer('relu'),))
    codes = {s: network.encode(v, digits.split(s)[0]) for s in ('train', 'test')}
    chosen = np.random.RandomState(2).permutation(len(codes['train']))[:120]
    for name, code in (
        ('frechet', network.encode(v, images)),
        ('real_frechet', codes['train'][chosen]),
    ):
        a, b = (np.cov(x, rowvar=False) for x in (code, codes['test']))
        root = np.sqrt(np.abs(np.linalg.eigvals(a @ b).real)).sum()
        gap = np.square(code.mean(0) - codes['test'].mean(0)).sum()
        wanted = gap + np.trace(a) + np.trace(b) - 2 * root
        assert found[name] == pytest.approx(wanted, rel=2e-3)
    logits = affine(v, 'classifier', network.encode(v, images))
    counts = np.bincount(logits.argmax(1), minlength=10)
    assert found['classes'] == {str(k): n for k, n in enumerate(counts.tolist())}
    assert found['classes_seen'] == np.count_nonzero(counts)
