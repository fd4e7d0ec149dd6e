"""The commands of the program `tfae`: each a module with `main(argv) -> exit code`.

A command's flags live in a `FlagValues` of its own; nothing below this folder reads a flag.
"""

# The groups of `tfae --help`, each with its commands.
GROUPS = {
    'Train': ('train', 'tensorboard'),
    'Look into a run': (
        'evaluate',
        'reconstruct',
        'latent',
        'interpolate',
        'morph',
        'sample',
        'probe',
        'cluster',
        'anomaly',
        'explain',
        'classify',
        'variables',
        'embed',
        'report',
        'compare',
        'explore',
    ),
    'Data': ('fetch', 'convert', 'verify'),
    'Deploy': ('export',),
    'Maintain': ('doctor', 'build-op', 'completion'),
}
