"""Measures of codes, images and graphs, from numpy to numpy, one per file.

    activation_maximization   images that a unit responds to most
    anomaly                   anomaly scores, their threshold, AUROC
    classification            confusion, accuracy, k-nearest-neighbor error
    clustering                clusters of codes, and their agreement with classes
    density                   a distribution fitted to codes, for sampling
    frechet                   Frechet distance between two sets of features
    gradcam                   Grad-CAM: the regions that support a score
    imputation                reconstructions for missing values
    integrated_gradients      attribution of a score to pixels
    interpolation             paths between codes
    layer_graph               the layers of a static graph
    linear_denoiser           reduced-rank regression, the baseline of denoising
    morphing                  attributes as directions in latent space
    pca                       principal component analysis, the linear baseline
    plane                     two-dimensional views of latent space
    probe                     accuracy of a linear classifier on codes
    reconstruction            errors and sharpness of reconstructions
    regression                baselines of a regressor: the median, a linear function
    saliency                  gradients of a score with respect to pixels
    table_anomaly             anomaly scores of rows, as sums over the columns
    units                     intermediate activations of a graph, and single units

The modules that explain a score add gradients to a graph. Modules are imported on first use.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfae.analysis import (
        activation_maximization,
        anomaly,
        classification,
        clustering,
        density,
        frechet,
        gradcam,
        imputation,
        integrated_gradients,
        interpolation,
        layer_graph,
        linear_denoiser,
        morphing,
        pca,
        plane,
        probe,
        reconstruction,
        regression,
        saliency,
        table_anomaly,
        units,
    )

__all__ = [
    'activation_maximization',
    'anomaly',
    'classification',
    'clustering',
    'density',
    'frechet',
    'gradcam',
    'imputation',
    'integrated_gradients',
    'interpolation',
    'layer_graph',
    'linear_denoiser',
    'morphing',
    'pca',
    'plane',
    'probe',
    'reconstruction',
    'regression',
    'saliency',
    'table_anomaly',
    'units',
]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f'{__name__}.{name}')
    raise AttributeError(f'tfae.analysis has no {name!r}; it has {", ".join(__all__)}')


def __dir__() -> list[str]:
    return sorted([*__all__, '__doc__'])
