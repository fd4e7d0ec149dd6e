import contextlib
import dataclasses
import json
import math
import os
from typing import Literal

import hypothesis
import hypothesis.strategies as st
import pytest

from tfae.core import config, errors


@dataclasses.dataclass(frozen=True)
class Level:
    """A type of its own, written `kind:number`."""

    kind: str
    number: float

    @classmethod
    def from_text(cls, text, who):
        kind, _, number = text.partition(':')
        try:
            return cls(kind, float(number))
        except ValueError:
            raise errors.UsageError(f'{who} is {text!r}; it must be kind:number') from None

    def __str__(self):
        return f'{self.kind}:{config.number(self.number)}'


@dataclasses.dataclass(frozen=True)
class Config(config.Part):
    """A field of every kind."""

    flag: bool = config.option(False, 'Whether.')
    count: int = config.option(3, 'How many.')
    rate: float = config.option(0.5, 'How fast.')
    name: str = config.option('', 'What it is called.')
    kind: Literal['red', 'green'] = config.option('red', 'Of what colour.')
    sizes: tuple[int, ...] = config.option((1, 2), 'How large each is.')
    rates: tuple[float, ...] = config.option((), 'How fast each is.')
    texts: tuple[str, ...] = config.option(('a',), 'What each is called.')
    kinds: tuple[Literal['red', 'green'], ...] = config.option(('red',), 'Of what colour each is.')

    level: Level = config.option(Level('low', 1), 'How much.')
    levels: tuple[Level, ...] = config.option((), 'How much of each.')


KINDS = config.field_types(Config)
finite = st.floats(allow_nan=False)
word = st.text('abc:/._- ', min_size=1).map(str.strip).filter(bool)
level = st.builds(Level, st.sampled_from(['low', 'high']), finite)
configs = st.builds(
    Config,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    finite,
    st.text(st.characters(exclude_characters='\0', exclude_categories=['Cs'])),
    st.sampled_from(['red', 'green']),
    st.lists(st.integers(-(2**63), 2**63 - 1)).map(tuple),
    st.lists(finite).map(tuple),
    st.lists(st.text(st.characters(exclude_characters='\0', exclude_categories=['Cs'])) | word).map(
        tuple
    ),
    st.lists(st.sampled_from(['red', 'green'])).map(tuple),
    level,
    st.lists(level).map(tuple),
)


@hypothesis.given(configs)
def test_the_command_line_holds_every_configuration(made):
    read = {k: config.parse(k, KINDS[k], config.text(getattr(made, k))) for k in KINDS}
    assert Config(**read) == made


@hypothesis.given(configs)
def test_json_holds_every_configuration(made):
    content = json.loads(json.dumps(config.to_dict(made)))
    assert config.from_dict(Config, content, 'here') == made


@hypothesis.given(configs, configs)
def test_differences_are_the_fields_that_differ(a, b):
    lines = config.differences(a, b)
    assert [line.split()[0] for line in lines] == [
        f'--{name}' for name in KINDS if getattr(a, name) != getattr(b, name)
    ]


def test_differences_read_as_flags():
    assert config.differences(Config(), Config(sizes=(3,), flag=True)) == [
        '--flag was false, is true',
        '--sizes was 1,2, is 3',
    ]


def test_fields_keep_their_order_and_their_help():
    assert list(KINDS)[:3] == ['flag', 'count', 'rate']
    assert config.declarations(Config)['count'].help == 'How many.'


def test_a_value_with_a_type_of_its_own_is_a_text_in_json_and_from_python():
    made = Config(level='high:2', levels=('low:0.5', Level('low', 1)))
    assert made.level == Level('high', 2)
    assert made.levels == (Level('low', 0.5), Level('low', 1))
    held = config.to_dict(made)
    assert (held['level'], held['levels']) == ('high:2', ['low:0.5', 'low:1'])
    assert config.differences(Config(), made) == [
        '--level was low:1, is high:2',
        '--levels was , is low:0.5,low:1',
    ]
    with pytest.raises(errors.UsageError, match="--level is 'x'; it must be kind:number"):
        Config(level='x')


def test_absent_fields_keep_their_defaults():
    assert config.from_dict(Config, {'count': 7}, 'here') == Config(count=7)


@pytest.mark.parametrize('text, want', [('', ()), (' ', ()), ('1', (1,)), ('3, 2 ,1', (3, 2, 1))])
def test_a_tuple_is_a_comma_list(text, want):
    assert config.parse('sizes', KINDS['sizes'], text) == want


@pytest.mark.parametrize(
    'text, want',
    [
        ('a, b ,c', ('a', 'b', 'c')),
        ('"a,b",c', ('a,b', 'c')),
        (' "a, b" , c', ('a, b', 'c')),
        ('"a ""b"", c"', ('a "b", c',)),
        ('5" disk,b', ('5" disk', 'b')),
        ('"a"b,c', ('"a"b', 'c')),
        ('"a,b', ('"a', 'b')),
        ('a,,b', ('a', '', 'b')),
        ('" a "', (' a ',)),
        ('""', ('',)),
    ],
)
def test_an_element_that_holds_a_comma_stands_in_quotes(text, want):
    assert config.parse('texts', KINDS['texts'], text) == want
    assert config.parse('texts', KINDS['texts'], config.text(want)) == want


def test_help_says_how_a_comma_is_written():
    help = config.declarations(Config)
    assert 'comma: "a,b",c' in help['texts'].shown(KINDS['texts'])
    assert 'Quote' not in help['sizes'].shown(KINDS['sizes'])


@pytest.mark.parametrize('text', ['true', 'True', '1', 'yes'])
def test_a_bool_has_several_spellings(text):
    assert config.parse('flag', bool, text) is True


@pytest.mark.parametrize(
    'name, text, want',
    [
        ('flag', 'maybe', "--flag is 'maybe'; it must be true or false"),
        ('count', '1.5', "--count is '1.5'; it must be an integer"),
        ('count', '', "--count is ''; it must be an integer"),
        ('rate', 'fast', "--rate is 'fast'; it must be a number"),
        ('kind', 'gren', "--kind is 'gren'; it must be one of red, green; did you mean green?"),
        ('sizes', '1,x', "--sizes is 'x'; it must be an integer"),
        ('sizes', '1,,2', "--sizes is ''; it must be an integer"),
        ('kinds', 'red,blue', "--kinds is 'blue'; it must be one of red, green"),
        ('level', 'low', "--level is 'low'; it must be kind:number"),
        ('levels', 'low:1,high', "--levels is 'high'; it must be kind:number"),
    ],
)
def test_a_wrong_text_is_named(name, text, want):
    with pytest.raises(errors.UsageError) as error:
        config.parse(name, KINDS[name], text)
    assert str(error.value) == want


@pytest.mark.parametrize(
    'content, want',
    [
        ([], 'here is list; it must be an object'),
        ({'cuont': 1}, "here has an unknown field 'cuont'; did you mean count?"),
        ({'count': 1.0}, 'here: count is 1.0; it must be an integer'),
        ({'count': True}, 'here: count is True; it must be an integer'),
        ({'rate': '1'}, "here: rate is '1'; it must be a number"),
        ({'rate': False}, 'here: rate is False; it must be a number'),
        ({'flag': 1}, 'here: flag is 1; it must be true or false'),
        ({'name': None}, 'here: name is None; it must be a string'),
        ({'kind': 'blue'}, "here: kind is 'blue'; it must be one of red, green"),
        ({'kind': ['red']}, "here: kind is ['red']; it must be one of red, green"),
        ({'sizes': 3}, 'here: sizes is 3; it must be a comma-separated list, each an integer'),
        ({'sizes': [1, 'x']}, "here: sizes is [1, 'x']; it must be a comma-separated list, each"),
        ({'level': 3}, 'here: level is 3; it must be a string'),
        ({'levels': ['low:1', 3]}, "here: levels is ['low:1', 3]; it must be a comma-separated "),
        ({'texts': 'ab'}, "here: texts is 'ab'; it must be a comma-separated list, each a string"),
    ],
)
def test_a_wrong_value_in_json_is_named(content, want):
    with pytest.raises(errors.InputError) as error:
        config.from_dict(Config, content, 'here')
    assert str(error.value).startswith(want)


@pytest.mark.parametrize('values', [(7,), (1, 2, 3)])
def test_one_value_is_spread_and_as_many_as_layers_stay(values):
    assert config.broadcast('epochs', values, 3) == (values * 3)[:3]


@pytest.mark.parametrize('values', [(), (1, 2), (1, 2, 3, 4)])
def test_any_other_number_of_values_is_refused(values):
    shown = ','.join(map(str, values))
    with pytest.raises(errors.UsageError) as error:
        config.broadcast('epochs', values, 3)
    want = f'--epochs has {len(values)} values ({shown}); it must have 1 or 3'
    assert str(error.value) == want


@dataclasses.dataclass(frozen=True)
class Renamed:
    """Fields that had another name, or choices."""

    color: Literal['gray', 'rgb'] = config.option(
        'rgb', 'Channels.', formerly='colour', former_values={'grey': 'gray'}
    )
    kinds: tuple[Literal['gray', 'rgb'], ...] = config.option(
        (), 'Of each.', former_values={'grey': 'gray'}
    )
    name: str = config.option('', 'Any text.')


@pytest.mark.parametrize(
    'content, want',
    [
        ({'colour': 'grey'}, Renamed('gray')),
        ({'colour': 'rgb', 'name': 'grey'}, Renamed('rgb', (), 'grey')),
        ({'colour': 'rgb', 'color': 'rgb'}, Renamed('rgb')),
        ({'color': 'grey', 'kinds': ['grey', 'rgb']}, Renamed('gray', ('gray', 'rgb'))),
        ({'color': 'gray'}, Renamed('gray')),
    ],
)
def test_json_of_an_earlier_version_is_read_as_that_of_today(content, want):
    before = json.dumps(content)
    assert config.from_dict(Renamed, content, 'here') == want
    assert json.dumps(content) == before
    assert 'colour' not in config.to_dict(want)


@pytest.mark.parametrize(
    'content, want',
    [
        (
            {'colour': 'rgb', 'color': 'gray'},
            "here: colour is 'rgb' and color is 'gray'; both names",
        ),
        ({'colour': 'blue'}, "here: color is 'blue'; it must be one of gray, rgb"),
        ({'coluor': 'rgb'}, "here has an unknown field 'coluor'; did you mean color?"),
        ({'color': {'grey': 1}}, "here: color is {'grey': 1}; it must be one of gray, rgb"),
    ],
)
def test_json_of_two_versions_at_once_and_wrong_choices_are_named(content, want):
    with pytest.raises(errors.InputError) as error:
        config.from_dict(Renamed, content, 'here')
    assert str(error.value).startswith(want)


@dataclasses.dataclass(frozen=True)
class Checked(config.Part):
    """Fields with bounds, and fields that go with others or without them."""

    rate: float = config.option(0.5, 'Rate.', within='[0, 1)')
    width: float = config.option(1.0, 'Width.', within='(0, 8] pixels')
    sizes: tuple[int, ...] = config.option((1,), 'Sizes.', within='[1, inf) steps')
    depth: int = config.option(0, 'Depth.', within='(-inf, inf)')
    kind: Literal['none', 'red', 'green', 'blue'] = config.option('none', 'Color.')
    kinds: tuple[str, ...] = config.option(('none',), 'Colors.')
    red: float = config.option(0.0, 'For red.', within='[0, 1]', needs=('--kind=red',))
    cold: str = config.option('', 'For two.', needs=('--kind=green,blue',))
    level: str = config.option('', 'For a kind in a list.', needs=('--kinds=a,b',))
    all: str = config.option('', 'For a depth and any kind.', needs=('--depth', '--kind'))
    any: str = config.option('', 'For any of a list.', needs=('--kinds',))
    other: str = config.option('', 'For a flag that only others have.', needs=('--absent',))
    alone: int = config.option(1, 'Without two.', within='[0, 9]', excludes=('--cold', '--kind'))


@pytest.mark.parametrize(
    'fields, want',
    [
        ({'rate': 0, 'width': 8.0, 'sizes': (), 'depth': -(2**63)}, ''),
        ({'rate': 1.0}, '--rate is 1.0; it must lie in [0, 1)'),
        ({'rate': -0.1}, '--rate is -0.1; it must lie in [0, 1)'),
        ({'rate': math.nan}, '--rate is nan; it must lie in [0, 1)'),
        ({'width': 0.0}, '--width is 0.0; it must lie in (0, 8]'),
        ({'width': 8.1}, '--width is 8.1; it must lie in (0, 8]'),
        ({'sizes': (3, 0)}, '--sizes is 3,0; each must lie in [1, inf)'),
        ({'sizes': (3, math.inf)}, '--sizes is 3,inf; each must lie in [1, inf)'),
        ({'depth': -math.inf}, '--depth is -inf; it must lie in (-inf, inf)'),
        ({'kind': 'red', 'red': 1.0}, ''),
        ({'red': 0.0}, ''),  # the default, which nobody asked for
        ({'red': 1.0}, '--red needs --kind=red; it is none'),
        ({'red': 2.0}, '--red is 2.0; it must lie in [0, 1]'),
        ({'kind': 'blue', 'cold': 'x'}, ''),
        ({'kind': 'red', 'cold': 'x'}, '--cold needs --kind=green or blue; it is red'),
        ({'kinds': ('none', 'b:0.3'), 'level': 'x', 'any': 'x'}, ''),
        ({'kinds': ('c:1',), 'level': 'x'}, '--level needs --kinds=a or b; it is c:1'),
        ({'kinds': (), 'level': 'x'}, '--level needs --kinds=a or b; it is empty'),
        ({'any': 'x'}, '--any needs --kinds'),
        ({'kinds': (), 'any': 'x'}, '--any needs --kinds'),
        ({'kind': 'red', 'depth': 1, 'all': 'x'}, ''),
        ({'depth': 1, 'all': 'x'}, '--all needs --kind'),
        ({'kind': 'red', 'all': 'x'}, '--all needs --depth'),
        ({'other': 'x'}, ''),
        ({'alone': 2}, ''),
        ({'kind': 'green', 'cold': 'x'}, ''),
        ({'kind': 'green', 'cold': 'x', 'alone': 2}, '--alone and --cold exclude each other'),
        ({'kind': 'red', 'alone': 2}, '--alone and --kind exclude each other'),
    ],
)
def test_what_the_options_declare_is_held(fields, want):
    if not want:
        assert dataclasses.asdict(Checked(**fields)).items() >= fields.items()
        return
    with pytest.raises(errors.UsageError) as error:
        Checked(**fields)
    assert str(error.value) == want


def test_a_part_of_parts_is_held_to_what_each_declares():
    @dataclasses.dataclass(frozen=True)
    class Color(config.Part):
        color: str = config.option('', 'Name.')

    @dataclasses.dataclass(frozen=True)
    class Shade(Color, config.Part):
        shade: int = config.option(0, 'Number.', within='[0, 3]', needs=('--color',))

        def __post_init__(self):
            super().__post_init__()
            if self.shade == 3:
                raise errors.UsageError('three')

    assert Shade('red', 2) == Shade(color='red', shade=2)
    for fields, want in (((), ''), (('', 1), 'needs --color'), (('', 4), 'is 4'), (('a', 3), 'th')):
        with pytest.raises(errors.UsageError, match=want) if want else contextlib.nullcontext():
            Shade(*fields)


def test_help_tells_choices_bounds_and_what_goes_together():
    found = config.declarations(Checked)
    shown = {name: found[name].shown(kind) for name, kind in config.field_types(Checked).items()}
    assert shown['rate'] == 'Rate. Range: [0, 1).'
    assert shown['sizes'] == 'Sizes. Range of each: [1, inf) steps.'
    assert shown['kind'] == 'Color. One of none, red, green, blue.'
    assert shown['red'] == 'For red. Range: [0, 1]. Requires --kind=red.'
    assert shown['cold'] == 'For two. Requires --kind=green or blue.'
    assert shown['all'] == 'For a depth and any kind. Requires --depth and --kind.'
    assert shown['alone'] == 'Without two. Range: [0, 9]. Cannot be combined with --cold or --kind.'


def test_choices_are_those_of_a_literal():
    assert config.choices(KINDS['kind']) == config.choices(KINDS['kinds']) == ('red', 'green')
    assert config.choices(str) == config.choices(KINDS['sizes']) == ()


def test_infinity_is_a_number():
    assert config.parse('rate', float, 'inf') == math.inf


@pytest.mark.parametrize(
    'name, value, want',
    [
        ('name', 3, '3'),
        ('name', (64, 48), '64x48'),
        ('texts', [3, (64, 48)], ('3', '64x48')),
        ('count', '7', 7),
        ('rate', 1, 1.0),
        ('sizes', 5, (5,)),
        ('kinds', 'red,green', ('red', 'green')),
        ('level', 'high:2', Level('high', 2)),
    ],
)
def test_a_python_caller_gives_values_or_texts(name, value, want):
    found = config.from_python(name, KINDS[name], value)
    assert (type(found), found) == (type(want), want)


@pytest.mark.parametrize(
    'name, value, text',
    [
        ('name', (64, 4.5), '--name is (64, 4.5); it must be a string'),
        ('name', (64, True), '--name is (64, True); it must be a string'),
        ('name', (), '--name is (); it must be a string'),
        ('count', 2.5, '--count is 2.5; it must be an integer'),
        ('count', True, '--count is True; it must be an integer'),
        ('sizes', (3, None), '--sizes is None; it must be an integer'),
    ],
)
def test_a_wrong_value_of_a_python_caller_is_named(name, value, text):
    with pytest.raises(errors.UsageError) as caught:
        config.from_python(name, KINDS[name], value)
    assert str(caught.value) == text


@pytest.mark.parametrize('text', ['a\0b', '\0', '\ud800', 'x' * 9 + '\udfff\ud800'])
@pytest.mark.parametrize('field', ['name', 'texts'])
def test_texts_that_no_system_takes_are_refused(field, text):
    value = (text, 'b') if field == 'texts' else text
    with pytest.raises(errors.UsageError, match=f'^--{field} is .*; it must be valid text'):
        Config(**{field: value})
    with pytest.raises(errors.UsageError, match=f'^--{field} is '):
        config.from_dict(Config, {field: list(value) if field == 'texts' else value}, 'a.json')


def test_names_of_files_in_bytes_of_no_encoding_are_texts():
    assert Config(name='\udcff').name == os.fsdecode(b'\xff')
