r"""Measures test errors with few labels, pretrained and from scratch, over several label samples.

    python tools/experiments/few_labels.py --seeds=5 \
        semi_supervised_100_mnist semi_supervised_1000_mnist

Each recipe loads a pretrained encoder and trains on --labeled_examples; its first target names the
recipe that trains the same network from scratch. Both are run with each seed, which selects the
labels and the initial variables. The recipe of the pretrained encoder is run first. Runs go to
--output and are kept. Prints the test errors, mean and standard deviation over the seeds, and
writes the table to --output.
"""

import json
import pathlib
import statistics
import subprocess
import sys

import recipes
from absl import app, flags

_SEEDS = flags.DEFINE_integer('seeds', 5, 'Number of label samples.', lower_bound=2)
_OUTPUT = flags.DEFINE_string('output', 'runs/few_labels', 'Folder for the runs.')


def main(argv: list[str]) -> None:
    """Runs what is missing and prints the table."""
    lines = ['| recipe | pretrained | from scratch |', '| --- | --- | --- |']
    for name in argv[1:]:
        for before in recipes.header(name).get('After', []):
            recipes.run(before, [])
        cells = []
        scratch = recipes.header(name)['Target'][0].partition('.')[0]
        for kind in (name, scratch):
            errors = [
                error(kind, pathlib.Path(_OUTPUT.value, kind, str(seed)), seed)
                for seed in range(_SEEDS.value)
            ]
            mean, spread = statistics.mean(errors), statistics.stdev(errors)
            cells.append(f'{100 * mean:.2f} % (± {100 * spread:.2f})')
        lines.append(f'| `{name}` | {" | ".join(cells)} |')
    text = '\n'.join(lines)
    (recipes.ROOT / _OUTPUT.value / 'few_labels.md').write_text(text + '\n')
    print(text)


def error(name: str, logdir: pathlib.Path, seed: int) -> float:
    """Returns the test error of a recipe with the labels and initial variables of a seed."""
    path = recipes.ROOT / logdir / 'evaluation.json'
    if not path.is_file():
        tfae = [sys.executable, '-m', 'tfae']
        seeds = (f'--labeled_seed={seed}', f'--seed={seed}')
        for argv in (
            ['train', f'--recipe={name}', *seeds],
            ['evaluate', '--checkpoint=last'],
        ):
            command = [*tfae, *argv, f'--logdir={logdir}']
            subprocess.run(command, cwd=recipes.ROOT, check=True, stdout=subprocess.DEVNULL)
    return json.loads(path.read_text())['error']


if __name__ == '__main__':
    app.run(main)
