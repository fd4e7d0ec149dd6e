"""All scope names, variable names and collection keys of tfae; no other file spells one.

Names are an interface: `tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, 'encoder/layer_1')`
must keep returning the same variables, and TF1 checkpoints are loaded by name. Changing a name
takes a migration of old checkpoints.
"""

# Variables, as TF1's tf.layers named them.
KERNEL = 'kernel'
BIAS = 'bias'
DEPTHWISE_KERNEL = 'depthwise_kernel'
POINTWISE_KERNEL = 'pointwise_kernel'
GAMMA = 'gamma'
BETA = 'beta'
MOVING_MEAN = 'moving_mean'
MOVING_VARIANCE = 'moving_variance'
MEAN_ACTIVATION = 'mean_activation'
SINGULAR_VECTOR = 'spectral_u'  # of a kernel with spectral normalization

# Scopes of a model.
ENCODER = 'encoder'
DECODER = 'decoder'
CLASSIFIER = 'classifier'
REGRESSOR = 'regressor'
DISCRIMINATOR = 'discriminator'
GENERATOR = 'generator'
SCORE = 'score'
CONTRIBUTIONS = 'contributions'  # of columns to the anomaly score
CLASS_EMBEDDING = 'class_embedding'
MEAN = 'mean'  # of a code's distribution
LOG_DISPERSION = 'log_dispersion'  # of counts, in the decoder
LOG_VARIANCE = 'log_variance'  # of a code's distribution; of the pixels, in the decoder
KL_BY_DIMENSION = 'kl_by_dimension'
NORMALIZATION = 'normalization'  # within a layer's scope, and of a table
OFFSET = 'offset'  # of the columns of a table, below the scope `normalization`
SCALE = 'scale'
SPECTRAL_NORMALIZATION = 'spectral_normalization'


def layer(i: int) -> str:
    """Returns the scope of layer `i` of a stack, counted from 1 at the input."""
    return f'layer_{i}'


def pooling(i: int) -> str:
    """Returns the name of the pooling after layer `i`."""
    return f'{layer(i)}_pooling'


# Layers of published networks, with their published numbers, and collections of end points.
END_POINTS = 'end_points'
OUTPUT = 'output'


def convolution(block: int, i: int = 0) -> str:
    """Returns the scope of a convolution, or of the `i`-th one of a block: `conv1`, `conv1_2`."""
    return f'conv{block}_{i}' if i else f'conv{block}'


def response_normalization(i: int) -> str:
    """Returns the name of the local response normalization after convolution `i`."""
    return f'norm{i}'


def pool(i: int) -> str:
    """Returns the name of the pooling after convolution or block `i`."""
    return f'pool{i}'


def fully_connected(i: int) -> str:
    """Returns the scope of a dense layer, with numbers continued from the convolutions: `fc6`."""
    return f'fc{i}'


# Variables of batch renormalization.
MOVING_STDDEV = 'moving_stddev'
RENORM_MEAN = 'renorm_mean'
RENORM_STDDEV = 'renorm_stddev'

# Operations inside a layer's scope.
REGULARIZER = 'Regularizer'
ACTIVITY_REGULARIZER = 'ActivityRegularizer'
CONVOLUTION_2D = 'Conv2D'
UPSAMPLE = 'upsample'
MOVING_AVERAGE = 'AssignMovingAvg'
NEW_VALUE = 'AssignNewValue'

# Operations of the sub-pixel functions.
SHUFFLE_3D = 'shuffle_3d'
UNSHUFFLE_3D = 'unshuffle_3d'
SHUFFLE_BIAS_ACTIVATION = 'shuffle_bias_activation'

# Objectives.
RECONSTRUCTION = 'reconstruction'
BOUND = 'bound'
CLASSIFICATION = 'classification'
REGRESSION = 'regression'
DISTANCES = 'distances'
LOSS = 'loss'

# Tags in TensorBoard, the same for every phase, in training and in validation.
EPOCH = 'epoch'  # prefix of means over an epoch
BATCH = 'batch'  # prefix of values of one batch
PHASE = 'phase'
PHASES = 'phases'

# Scopes, operations and collections that a run adds to the graph of its model.
TRAINING = 'training'
VALIDATION = 'validation'
INFERENCE = 'inference'
PRETRAINING = 'pretraining'
FINE_TUNING = 'fine_tuning'
EXAMPLES = 'examples'
CODES = 'codes'
SUMS = 'sums'
FINITE = 'finite'
SAVE = 'save'
CONFIGURATION = '_TFAE_CONFIGURATION'  # in a checkpoint; no variable's name begins so
TEAM = 'team'
COLLECTIVES = 'collectives'  # one entry per collective operation of a graph
GRADIENT_NORM = 'gradient_norm'
LEARNING_RATE = 'learning_rate'
SUMMARIES = 'summaries'
IMAGES = 'images'
NORMALIZED = 'normalized'  # the images as the model takes them
IMAGE_BYTES = 'image_bytes'  # TensorFlow Serving decodes base64 for names ending in _bytes
CODE = 'code'
FILTERS = 'filters'
DECODED = 'decoded'
LOGITS = 'logits'
PROBABILITIES = 'probabilities'
CLASS_LOGITS = 'class_logits'
PREDICTION = 'prediction'
LABELS = 'labels'
MEASURES = 'measures'
CORRUPTED = 'corrupted'
SAMPLES = 'samples'
SAMPLES_DECODED = 'samples_decoded'
SEED = 'seed'
COUNT = 'count'
HEAD = 'head'

# Variables and scopes of TF1's `tf.contrib` and recurrent cells, where they differ from the above.
BIASES = 'biases'
EMBEDDING = 'embedding'
EMBEDDINGS = 'embeddings'
RECURRENT_KERNEL = 'recurrent_kernel'
PROJECTION_WEIGHTS = 'projection_weights'
CARRY_WEIGHTS = 'carry_w'
CARRY_BIAS = 'carry_b'
TRANSFORM_WEIGHTS = 'transform_w'
TRANSFORM_BIAS = 'transform_b'
INPUT_GATE = 'input'
TRANSFORM = 'transform'
FORGET_GATE = 'forget'
STATE = 'state'
ATTENTION = 'attention'
ATTENTION_WEIGHTS = 'attn_w'
ATTENTION_VECTOR = 'attn_v'
ATTENTION_OUTPUT = 'attn_output_projection'
ATTENTION_V = 'attention_v'
ATTENTION_G = 'attention_g'
ATTENTION_B = 'attention_b'
ATTENTION_LAYER = 'attention_layer'
MEMORY_LAYER = 'memory_layer'
QUERY_LAYER = 'query_layer'
LUONG_ATTENTION = 'luong_attention'
BAHDANAU_ATTENTION = 'bahdanau_attention'
EMBED_SEQUENCE = 'EmbedSequence'
LSTM_CELL = 'lstm_cell'
GRU_CELL = 'gru_cell'
STACK_BIDIRECTIONAL_RNN = 'stack_bidirectional_rnn'
RNN_DECODER = 'rnn_decoder'
LOOP_FUNCTION = 'loop_function'
BASIC_RNN_SEQ2SEQ = 'basic_rnn_seq2seq'
COMBINED_TIED_RNN_SEQ2SEQ = 'combined_tied_rnn_seq2seq'
TIED_RNN_SEQ2SEQ = 'tied_rnn_seq2seq'
EMBEDDING_RNN_DECODER = 'embedding_rnn_decoder'
EMBEDDING_RNN_SEQ2SEQ = 'embedding_rnn_seq2seq'
ATTENTION_DECODER = 'attention_decoder'
EMBEDDING_ATTENTION_DECODER = 'embedding_attention_decoder'
EMBEDDING_ATTENTION_SEQ2SEQ = 'embedding_attention_seq2seq'
ATTENTION_PROJECTION = 'AttnOutputProjection'
TRANSITIONS = 'transitions'
CLUSTERS = 'clusters'
INITIALIZED = 'initialized'
SEQUENCE_LOSS = 'sequence_loss'


def gru_block(name: str) -> str:
    """Returns the variable of TF1's `GRUBlockCell` for one of `GRUCell`."""
    return {
        'gates/kernel': 'w_ru',
        'gates/bias': 'b_ru',
        'candidate/kernel': 'w_c',
        'candidate/bias': 'b_c',
    }[name]


def attention_head(i: int) -> tuple[str, str, str]:
    """Returns the variables and the scope of head `i` of an attention, counted from 0."""
    return f'AttnW_{i}', f'AttnV_{i}', f'Attention_{i}'


def cell(i: int) -> str:
    """Returns the scope of layer `i` of stacked bidirectional cells, counted from 0."""
    return f'cell_{i}'
