"""`tfae graph`: the diagram of a run, of a published network, and of any TF1 graph."""

import xml.etree.ElementTree as xml

import pytest
import tensorflow.compat.v1 as tf
import tfae_program

from tfae import layers


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with runs and files of graphs."""
    folder = tmp_path_factory.mktemp('graph')
    for name, words in {
        'vae': ('--model=variational', '--units=12', '--code_size=3'),
        'gan': ('--model=gan', '--units=6', '--code_size=3'),
    }.items():
        words = ('train', '--epochs=0', *words, f'--logdir={name}')
        assert tfae_program.run(*words, cwd=folder).code == 0
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4], 'x')
        for k in range(3):
            with tf.variable_scope(f'block_{k}'):
                x = layers.dense(layers.dense(x, 5, tf.nn.relu, name='a'), 4, name='b')
        tf.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(x))
        tf.train.export_meta_graph(str(folder / 'net.meta'))
        definition = graph.as_graph_def()
    for node in definition.node:
        node.device = '/job:worker/task:3/device:GPU:7'
    (folder / 'net.pb').write_bytes(definition.SerializeToString())
    (folder / 'net.pbtxt').write_text(str(definition))
    definition.node[0].op = 'OpOfElsewhere'
    (folder / 'other.pb').write_bytes(definition.SerializeToString())
    (folder / 'broken.pb').write_bytes(b'\x0a\xff no graph')
    (folder / 'broken.meta').write_bytes(b'\x0a\xff no graph')
    (folder / 'empty.pb').write_bytes(b'')
    return folder


def plotted(folder, *words):
    """`rows of the table, parameters, texts of the SVG` of a graph."""
    done = tfae_program.run('graph', *words, cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    header, *rows, total, path = done.out.splitlines()
    assert header.split() == ['layer', 'kind', 'shape', 'parameters', 'shared']
    root = xml.fromstring((folder / path).read_text())
    return rows, total, [text.text for text in root.iter('{http://www.w3.org/2000/svg}text')]


def test_a_variational_run(folder):
    rows, total, texts = plotted(folder, '--logdir=vae')
    assert [row.split()[0] for row in rows] == [
        'images',
        'encoder/layer_1',
        'encoder/mean',
        'encoder/log_variance',
        'add',
        'decoder/layer_2',
        'decoder/layer_1',
    ]
    trained = tfae_program.checkpoint(folder / 'vae')
    wanted = sum(v.size for k, v in trained.items() if k.startswith(('encoder', 'decoder')))
    wanted -= sum(v.size for k, v in trained.items() if 'Adam' in k)
    assert total == f'{wanted:,} parameters'
    assert texts[:2] == ['digits, variational', f'{wanted:,} parameters in 5 layers']
    assert 'of mean, log_variance' in texts
    assert (folder / 'vae' / 'figures' / 'graph.svg').exists()


def test_the_discriminator_of_a_gan_has_the_same_variables_for_both_inputs(folder):
    rows, _, texts = plotted(folder, '--logdir=gan', '--output=gan.svg')
    marked = [row.split()[0] for row in rows if row.split()[-1] in 'AB']
    assert marked == ['discriminator/layer_1', 'discriminator/score'] * 2
    assert texts.count('A') == texts.count('B') == 2
    assert texts[1].endswith('; layers with the same mark share variables')


def test_a_published_network_needs_no_weights(folder):
    words = ('--model=vgg16', '--width=0.0625', '--class_count=7', '--output=vgg.svg')
    rows, total, _ = plotted(folder, *words)
    assert len(rows) == 1 + 13 + 5 + 3
    filters = [3, 4, 4, 8, 8, 16, 16, 16, 32, 32, 32, 32, 32, 32]
    wanted = sum(9 * a * b + b for a, b in zip(filters, filters[1:], strict=False))
    wanted += (49 * 32 + 1) * 256 + 257 * 256 + 257 * 7
    assert total == f'{wanted:,} parameters'


def test_a_graph_of_another_program_from_each_format(folder):
    found = [
        plotted(folder, f'--meta_graph=net.{kind}', f'--output={kind}.svg')
        for kind in ('meta', 'pb', 'pbtxt')
    ]
    assert found[0][:2] == found[1][:2] == found[2][:2]
    rows, total, _ = found[0]
    assert [row.split()[0] for row in rows] == [
        'x',
        *(f'block_{k}/{name}' for k in range(3) for name in 'ab'),
    ]
    assert total == f'{3 * (4 * 5 + 5 + 5 * 4 + 4)} parameters'
    rows, _, texts = plotted(folder, '--meta_graph=net.pb', '--depth=1', '--output=merged.svg')
    assert [row.split()[:2] for row in rows[1:]] == [[f'block_{k}', '2'] for k in range(3)]
    assert texts[1] == '147 parameters in 6 layers, merged by scope'


@pytest.mark.parametrize(
    'words, code, line',
    [
        ((), 2, 'tfae graph needs --logdir, --model or --meta_graph'),
        (('--logdir=vae', '--model=vgg16'), 2, '--logdir and --model exclude each other'),
        (('--model=vgg17',), 2, "--model is 'vgg17'; it must be one of "),
        (('--logdir=vae', '--output=a.png'), 2, '--output is a.png; it must end in .svg'),
        (('--logdir=none',), 1, 'none is not a run'),
        (('--meta_graph=none.pb',), 1, '--meta_graph none.pb does not exist'),
        (('--meta_graph=broken.pb',), 1, '--meta_graph broken.pb cannot be imported: '),
        (('--meta_graph=broken.meta',), 1, '--meta_graph broken.meta cannot be imported: '),
        (('--meta_graph=other.pb',), 1, '--meta_graph other.pb cannot be imported: '),
        (('--meta_graph=empty.pb',), 1, 'empty.pb has no layer: no operation that depends on '),
        (('--meta_graph=vae',), 1, 'vae cannot be read: it is not a regular file'),
    ],
)
def test_other_words_and_files_are_refused(folder, words, code, line):
    found = tfae_program.run('graph', *words, cwd=folder).refusal(code)
    assert found.startswith(line), found


def test_an_operation_that_is_not_known_is_named(folder):
    line = tfae_program.run('graph', '--meta_graph=other.pb', cwd=folder).refusal(1)
    assert 'OpOfElsewhere' in line
