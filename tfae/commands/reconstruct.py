"""Plot images and their reconstructions by the run and by PCA of the same code size.

For a run with --corruption it also plots corrupted images and how the run denoises them. Prints
mse and pca_mse over all images of the split, and corrupted_psnr and denoised_psnr of a denoising
run, as `tfae evaluate` does; the PNG shows them too.
"""

import dataclasses
import pathlib

from tfae.analysis import pca, reconstruction
from tfae.commands.shared import command_flags, example_plots
from tfae.core import errors, names
from tfae.core.config import option
from tfae.runs.directory import FIGURES


@dataclasses.dataclass(frozen=True)
class Config(command_flags.LookAtData):
    """The images, and the output file."""

    count: int = option(
        12, 'Number of images in the plot, starting with the first.', within='[1, 100] images'
    )
    output: str = option(
        '', 'Output PNG (default: figures/reconstructions_<split>.png in the run).'
    )


def main(argv: list[str]) -> int:
    """Runs `tfae reconstruct`; returns the exit code 0.

    Raises: UsageError or InputError as `command_flags.LookAtData` does.
    """
    flags = command_flags.read('reconstruct', __doc__, Config, argv)
    if flags.output and not flags.output.endswith('.png'):
        raise errors.UsageError(f'--output is {flags.output!r}; it must end in .png')
    with flags.open(names.RECONSTRUCTION) as run:
        loaded, part = flags.load(run)
        images = run.judged(part.images)
        made = run.normalized(run.reconstruct(part.images))
        size = run.built.model.code_size
        baseline = pca.Baseline(run.normalized(loaded.train.images), size)
        projected = baseline.reconstruct(run.normalized(part.images))
        denoising = run.built.inference.corrupted is not None
        noisy = [run.normalized(each) for each in run.denoise(part.images)] if denoising else []
    mse, pca_mse = (reconstruction.mse(images, each) for each in (made, projected))
    measures: dict[str, float | int] = {'examples': len(images), 'mse': mse, 'pca_mse': pca_mse}
    over = f'over {len(images):,}'
    rows = {
        'original': images,
        f'{run.experiment.model}\nMSE {mse:#.3g}\n{over}': made,
        f'PCA\nMSE {pca_mse:#.3g}\n{over}': projected,
    }
    for name, each in zip(('corrupted', 'denoised'), noisy, strict=denoising):
        psnr = measures[f'{name}_psnr'] = reconstruction.psnr(images, each)
        rows[f'{name}\nPSNR {psnr:.3g} dB\n{over}'] = each
    for measure, value in measures.items():
        print(f'{measure:16} {value:.5f}' if isinstance(value, float) else f'{measure:16} {value}')
    name = f'reconstructions_{flags.split}.png'
    path = pathlib.Path(flags.output or run.folder.place(FIGURES, name))
    shown = {label: each[: flags.count] for label, each in rows.items()}
    title = f'{loaded.name}, {flags.split}: {size} latent dimensions'
    example_plots.save_rows(path, shown, loaded, title, run.unit)
    print(path)
    return 0
