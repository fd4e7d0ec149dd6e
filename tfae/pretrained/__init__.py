"""Published classifiers and the files that hold their weights.

They are no families: networks to be looked into with weights of others, not to be trained. The
file of one defines Config, Outputs with `probabilities`, `class_logits` and `end_points`, and

    NETWORKS                the name of each network -> its Config, with a `width` that scales it
                            and the `preprocessing` of the weights
    Model(config, image_shape=None, classes=1000)
                            with the `image_shape` that it takes and the `parameters` that it wants
    model(images)           -> Outputs; images [B, H, W, 3] in [0, 1], RGB
"""

from types import ModuleType

from tfae.pretrained import alexnet, imagenet, vgg, weights

__all__ = ['alexnet', 'imagenet', 'references', 'vgg', 'weights']


def references() -> dict[str, ModuleType]:
    """Name of a published network -> the module that has it among its `NETWORKS`."""
    return {name: module for module in (alexnet, vgg) for name in module.NETWORKS}


def __dir__() -> list[str]:
    return sorted([*__all__, '__doc__'])
