"""TF1's `tf.contrib.learn`: data sets and texts; its estimators are `tf.estimator`'s."""

__all__ = ['ModeKeys']


class ModeKeys:
    """Names of what a model is built for."""

    TRAIN = 'train'
    EVAL = 'eval'
    INFER = 'infer'
