"""Names of TF1 that are not supported, and what to use instead."""

_RARE_CELL = (
    'a rare recurrent cell or a function for them',
    'tf.contrib.rnn.LSTMCell, or a cell of your own',
)
_FEATURE_COLUMN = 'a feature column', 'tf.feature_column'
_ESTIMATOR = 'a part of the estimators of 2016', 'tf.estimator'
_DISTRIBUTION = (
    'a distribution or a function of them',
    'the package tensorflow-probability, which serves it if installed',
)
_COMPRESSION = 'compression of models', 'the package tensorflow-model-optimization'

# The name below `tf`: what it was, and what to use instead.
GONE = {
    'contrib.bayesflow': ('Bayesian inference', 'the package tensorflow-probability'),
    'contrib.boosted_trees': (
        'gradient-boosted trees',
        'sklearn.ensemble.HistGradientBoostingClassifier',
    ),
    'contrib.checkpoint': ('checkpoints of objects', 'tf.train.Checkpoint'),
    'contrib.compiler': ('XLA by scope', 'ConfigProto.graph_options or TF_XLA_FLAGS'),
    'contrib.cudnn_rnn': (
        'the LSTM of cuDNN',
        'tf.nn.rnn_cell.LSTMCell with tf.nn.dynamic_rnn, or tf.keras.layers.LSTM',
    ),
    'contrib.deprecated': ('the summaries before 1.0', 'tf.summary'),
    'contrib.distributions': _DISTRIBUTION,
    'contrib.eager': ('eager execution before 2.0', 'TensorFlow 2'),
    'contrib.estimator': ('an extension of tf.estimator', 'tf.estimator'),
    'contrib.ffmpeg': ('audio by ffmpeg', 'tf.audio'),
    'contrib.gan': (
        'TFGAN',
        'losses of your own: the package tensorflow-gan (2.1) that it became fails to import today',
    ),
    'contrib.graph_editor': ('an editor of built graphs', 'tf.import_graph_def with input_map'),
    'contrib.grid_rnn': _RARE_CELL,
    'contrib.integrate': ('solvers of differential equations', 'tensorflow-probability'),
    'contrib.kfac': ('the K-FAC optimizer', 'the package kfac'),
    'contrib.layers.bucketized_column': _FEATURE_COLUMN,
    'contrib.layers.crossed_column': _FEATURE_COLUMN,
    'contrib.layers.embedding_column': _FEATURE_COLUMN,
    'contrib.layers.feature_column': _FEATURE_COLUMN,
    'contrib.layers.one_hot_column': _FEATURE_COLUMN,
    'contrib.layers.sparse_column_with_hash_bucket': _FEATURE_COLUMN,
    'contrib.layers.sparse_column_with_keys': _FEATURE_COLUMN,
    'contrib.learn.datasets.load_boston': (
        'a data set that scikit-learn has removed for good',
        'sklearn.datasets.fetch_california_housing',
    ),
    'contrib.learn': _ESTIMATOR,
    'contrib.linear_optimizer': ('linear models', 'sklearn.linear_model'),
    'contrib.lite': ('the converter to TensorFlow Lite', 'tf.lite'),
    'contrib.model_pruning': _COMPRESSION,
    'contrib.nccl': ('communication between GPUs', 'tf.distribute'),
    'contrib.opt': ('an optimizer', 'tf.train, or tf.contrib.opt.AdamWOptimizer'),
    'contrib.predictor': ('inference', 'tf.saved_model.loader'),
    'contrib.quantize': _COMPRESSION,
    'contrib.rnn': _RARE_CELL,
    'contrib.seq2seq': ('a rare decoder or a function for them', 'a Decoder or Helper of your own'),
    'contrib.seq2seq.BeamSearchDecoder': (
        'beam search',
        'BasicDecoder with GreedyEmbeddingHelper, or a Decoder of your own',
    ),
    'contrib.legacy_seq2seq': (
        'a rare model or a function for them',
        'embedding_rnn_seq2seq or embedding_attention_seq2seq',
    ),
    'contrib.session_bundle': ('the format of exported models before 1.0', 'tf.saved_model'),
    'contrib.summary': ('an interface for summaries in eager mode', 'tf.compat.v2.summary'),
    'contrib.tensor_forest': ('random forests', 'sklearn.ensemble.RandomForestClassifier'),
    'contrib.tensorrt': ('TensorRT', 'the package tensorrt'),
    'contrib.tfprof': ('the profiler', 'tf.profiler'),
    'contrib.timeseries': ('models of time series', 'tensorflow-probability'),
}


def line(old: str) -> str:
    """Returns the message for an old name that is not supported."""
    parts = old.split('.')
    prefixes = ('.'.join(parts[:n]) for n in range(len(parts), 0, -1))
    what, instead = next((GONE[name] for name in prefixes if name in GONE), ('', ''))
    told = f'it was {what}; use {instead}' if what else 'it has no replacement'
    return f'tf.{old} is not available in tfae.compat: {told}. `tfae port` cannot rewrite it.'
