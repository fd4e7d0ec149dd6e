"""No text that a user reads contains a word of `BANNED`.

Scans strings, docstrings and comments of Python files, the assets of pages, and the docs.
"""

import io
import pathlib
import re
import subprocess
import tokenize

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Pattern -> what to write instead.
BANNED = {
    r'pictur': 'image; plot or figure where it is one',
    r'colour|neighbour|behaviour|centre\b|centred|grey|labelled(?!by)|modelled|favour': 'American',
    r'(?<!w)(?:normalis|optimis|regularis|initialis|minimis|maximis|standardis|summaris)': '-ize',
    r'serialis|penalis': '-ize',
    r'enlarg': 'upsample; scale (of a plot)',
    r'\bstrange': 'anomalous',
    r'\bdrawn\b|\bdraws?\b|\bdrew\b|\bdrawing\b': 'sample(d), random, noise; plot (of a figure)',
    r'\btold apart\b|\btells? apart\b|\btells? wrong': 'classify, accuracy, classification error',
    r'\bfalse alarms?\b|\bhits and\b': 'false positive rate, true positive rate',
    r'\bmakes? small\b|\bmade small\b': 'minimize',
    r'\banew\b': 'again',
    r'\bin vain\b': 'timeout after N s',
    r'\bheld against\b': 'compared with; penalized',
    r'\bsave for\b|\bwhereof\b|\bthereof\b|\blest\b|\bnobody\b|\bsomebody\b': 'plain English',
    r'\bsteep': 'gradient magnitude, sharpness',
    r'\bbring(?:s|ing)? back|\bbrought back|\bundo(?:es|ne)?\b': 'reconstruct, denoise, invert',
    r'\brestored\b|\brestoring\b': 'denoised; loaded (from a checkpoint)',
    r'\bbeside\b': 'next to; compared with; besides',
    r'\bverbs?\b': 'command',
    r'\bnumbers of (?:the|a) code|\b\d+-number code|\bcode of \d+ numbers': 'latent dimensions',
    r'\bplanes? of (?:the )?codes\b': 'latent plane',
    r'\bslopes? of the code': 'Jacobian norm, gradient norm',
    r'\bsays? anything\b|\bsay anything\b': 'active (of a latent dimension)',
    r'\b(?:training|train|test|validation|judged) parts?\b': 'split',
    r'\bparts of the data\b': 'split',
    r'\bthe course of the (?:learning )?rate\b': 'learning-rate schedule',
    r'\bwho trains? together\b': 'worker, replica',
    r'\bwish(?:es|ed)?\b|\bis told\b|\bmeets nobody\b': 'request, receive; programs do not wish',
    r'\bmend(?:s|ed|ing)?\b': 'fix',
    r'\breckon': 'estimate, compute',
    r'\blook(?:s|ed|ing)? into\b': 'inspect',
    r'\bin place of\b': 'instead of',
    r'(?<=[\w}\])] )(?<!here )\b(?:is|are|was) no (?!longer|better|worse|more|less)': 'is not a',
    r'\bstand(?:s|ing)? in for\b|\bleft behind\b': 'replace',
    r'\bwanted (?:is|are)\b': 'it must be, expected',
    r'\b(?:a|be) whole numbers?\b(?! of)': 'integer',
    r'\b(?:is|be|are) (?:a text|texts)\b': 'string',
    r'\bis of step\b': 'from step',
    r'\bput back\b|\bat hand\b|\bfor ever\b|\blikeliest\b': 'plain English',
    r'\bfrom the first (?:image )?on\b': 'starting with the first',
    r'\bbehind the (?:convolution|dense|last)': 'after',
    r'\bone (?:file|cell|state|layer) a\b|\bone a (?:layer|time|mechanism)': 'per',
    r'(?:^|[.:] )(?:What|Of|Whatever|Whoever) (?![^.]*\?)': 'begin with the subject',
}
PATTERNS = {re.compile(p, re.IGNORECASE if p[0] != '(' or 'ormalis' in p else 0): p for p in BANNED}
# Names from outside (files of older versions, HTML, matplotlib, TensorFlow).
ALLOWED = re.compile(
    r"'grey'|aria-labelledby|Saver\.restore|saver\.restore"
    r'|images/[\w/]+|https?://\S+|neighbour_error|neighbour\(|neighbour\\1|blank_is_strange'
    r'|strange_examples|restored_psnr|false_alarms'
    r'|TensorFlow-VAE-GAN-DRAW'
    r"|'activation_maximisation'|\(\?:images\|pictures\)"
)


def tracked(*globs):
    """Returns the tracked and the untracked files, without the ignored ones."""
    command = ['git', 'ls-files', '--cached', '--others', '--exclude-standard', *globs]
    names = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()
    return sorted({name for name in names if (ROOT / name).exists()})


def texts(name):
    """Yields `(line, text)` of the texts in a file."""
    content = (ROOT / name).read_text()
    content = re.sub(r'"image/\w+": ".*"', '', content)  # figures of notebooks
    if not name.endswith('.py'):
        yield from enumerate(content.split('\n'), 1)
        return
    before = ''  # the last two tokens
    for token in tokenize.generate_tokens(io.StringIO(content).readline):
        former = before == 'formerly='
        before = f'{before.partition("=")[0] if token.string == "=" else ""}{token.string}'
        if token.type in (tokenize.STRING, tokenize.COMMENT) and not former:
            for k, line in enumerate(token.string.split('\n')):
                text = line.strip() if token.type == tokenize.STRING else line.lstrip('# ')
                yield token.start[0] + k, text.removeprefix('"""').strip()


def found(name):
    """Yields a message for each banned word in a file."""
    for line, text in texts(name):
        plain = ALLOWED.sub('', text)
        for pattern, key in PATTERNS.items():
            if match := pattern.search(plain):
                yield f'{name}:{line}: {match[0].strip()!r} in {text[:80]!r}: {BANNED[key]}'


GLOBS = ('tfae/**', 'tools/**', 'docs/**', 'README.md', 'CONTRIBUTING.md', 'Makefile', 'ops/**')
# docs/evidence/mutants.* quote code.
SKIPPED = re.compile(r'\.(png|ico|so|pyc|json)$|/reference/commands/|evidence/mutants\.(md|jsonl)$')


def test_no_text_has_a_banned_word():
    names = [name for name in tracked(*GLOBS) if not SKIPPED.search(name)]
    assert len(names) > 200
    lines = [line for name in names for line in found(name)]
    assert not lines, f'{len(lines)} places:\n' + '\n'.join(lines)


@pytest.mark.parametrize(
    'text, count',
    [
        ('# The pictures of a run.\n', 1),
        ("x = 'no colour'\n", 1),
        ('"""What is shown."""\n', 1),
        ('"""Returns what is shown.\n\nOf each: one.\n"""\n', 1),
        ('strange = 1  # an identifier is not a text\n', 0),
        ("x = option(formerly='pictures')\n", 0),
    ],
)
def test_a_banned_word_is_found(tmp_path, monkeypatch, text, count):
    (tmp_path / 'a.py').write_text(text)
    monkeypatch.setitem(globals(), 'ROOT', tmp_path)
    assert len(list(found('a.py'))) == count
