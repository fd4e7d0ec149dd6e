"""The commands of the program `tfae`: each a module with `main(argv) -> exit code`.

Each command defines its flags in its own `FlagValues`; no module outside this folder reads flags.
"""

# The groups of `tfae --help`, each with its commands.
GROUPS = {
    'Train': ('train', 'study', 'sweep', 'tensorboard'),
    'Inspect a run': (
        'evaluate',
        'reconstruct',
        'latent',
        'interpolate',
        'morph',
        'sample',
        'probe',
        'cluster',
        'anomaly',
        'score',
        'impute',
        'explain',
        'classify',
        'graph',
        'variables',
        'embed',
        'report',
        'compare',
        'explore',
    ),
    'Data': ('fetch', 'convert', 'verify'),
    'Deploy': ('export', 'checkpoint'),
    'Run TF1 programs': ('run', 'port'),
    'Maintain': ('doctor', 'build-op', 'completion'),
}
