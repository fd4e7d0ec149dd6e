"""Published classifiers, and readers of their weights.

They are not model families: they are analyzed with published weights, not trained. The module of a
network defines Config, Outputs with `probabilities`, `class_logits` and `end_points`, and

    NETWORKS                name of a network -> its Config, with a `width` that scales it and the
                            `preprocessing` of its weights
    Model(config, image_shape=None, classes=1000)
                            with the `image_shape` of its input and its `parameters`
    model(images)           -> Outputs; images [B, H, W, 3] in [0, 1], RGB
"""

from types import ModuleType

from tfae.pretrained import alexnet, imagenet, vgg, weights

__all__ = ['alexnet', 'imagenet', 'references', 'vgg', 'weights']


def references() -> dict[str, ModuleType]:
    """Returns name of a published network -> the module whose `NETWORKS` has it."""
    return {name: module for module in (alexnet, vgg) for name in module.NETWORKS}


def __dir__() -> list[str]:
    return sorted([*__all__, '__doc__'])
