"""Attribute tables: both forms, what is asked of them, and what is refused."""

import numpy as np
import pytest

from tfae import data
from tfae.core import errors
from tfae.data import attributes

CSV = 'file,age,smiling,group\na.jpg,31,1,"old, wise"\nb.jpg,,0,young\nc c.jpg,7,,\n'
CELEBA = '3\nSmiling Young \n1.jpg  1 -1\n2.jpg -1 -1\n3.jpg -1  1\n'


def read(tmp_path, text, encoding='utf-8'):
    path = tmp_path / 'table.csv'
    path.write_bytes(text.encode(encoding))
    return attributes.read(path)


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig'])
def test_a_csv_is_read_with_its_quotes_and_empty_cells(tmp_path, encoding):
    table = read(tmp_path, CSV, encoding)
    assert table.keys == ('a.jpg', 'b.jpg', 'c c.jpg')
    assert list(table.columns) == ['age', 'smiling', 'group']
    assert list(table.columns['group']) == ['old, wise', 'young', '']


def test_the_form_of_celeba_is_read(tmp_path):
    table = read(tmp_path, CELEBA)
    assert table.keys == ('1.jpg', '2.jpg', '3.jpg')
    having, known = table.having('Young')
    assert having.tolist() == [False, False, True]
    assert known.all()


@pytest.mark.parametrize(
    'asked, having, known',
    [
        ('smiling', [True, False, False], [True, True, False]),
        ('age>30', [True, False, False], [True, False, True]),
        ('age<31', [False, False, True], [True, False, True]),
        ('group=young', [False, True, False], [True, True, False]),
        ('group=young|old, wise', [True, True, False], [True, True, False]),
    ],
)
def test_what_is_not_known_has_nothing(tmp_path, asked, having, known):
    found = read(tmp_path, CSV).having(asked)
    assert [part.tolist() for part in found] == [having, known]


@pytest.mark.parametrize(
    'asked, text',
    [
        ('smilin', "--attribute is 'smilin'; it must be one of age, .*did you mean smiling"),
        ('group=yong', "that column has no 'yong'; did you mean young"),
        ('group=x', "that column has no 'x'; it holds old, wise, young"),
        ('group', "column group holds 'old, wise', which is not a boolean"),
        ('group>3', "--attribute is 'group>3'; could not convert"),
        ('age>', 'a number must follow < or >'),
        ('age<inf', 'a number must follow < or >'),
        ('=3', "--attribute is '=3'; it must be name"),
    ],
)
def test_what_a_table_cannot_answer_is_refused(tmp_path, asked, text):
    with pytest.raises(errors.UsageError, match=text):
        read(tmp_path, CSV).having(asked)


@pytest.mark.parametrize(
    'text, wanted',
    [
        ('', 'line 1 is empty'),
        ('file\n', "line 1 is 'file'; it must name at least two columns"),
        ('a.jpg,31\nb.jpg,7\n', "line 1 is 'a.jpg,31'; it must name .* that are not numbers"),
        ('file,a,b\nx,1,2\ny,1,NaN\n', 'line 3 has NaN as b; it must be finite'),
        ('file,a\nx,-inf\n', 'line 2 has -inf as a'),
        ('file,a\nx,' + 'y' * 70_000, 'line 2 is too long'),
        ('3\nA\n1.jpg 1\n', 'line 1 declares 3 images; the table has 1 rows'),
        ('1\nA 2\n1.jpg 1 1\n', "line 2 is 'name,A,2'"),
        ('file,a,a\n', "line 1 is 'file,a,a'"),
        ('file,a\n', 'has a header but no row'),
        ('file,a\nx,1\ny\n', 'line 3 has 1 cells; the header has 2'),
        ('file,a\nx,1\nx,0\n', 'line 3 names x again'),
        ('1\nA B\n1.jpg 1\n', 'line 3 has 2 cells; the header has 3'),
        ('file,a\nx,"1\n', 'cannot be read'),
    ],
)
def test_a_damaged_table_is_refused_with_its_line(tmp_path, text, wanted):
    with pytest.raises(errors.InputError, match=f'table.csv.*{wanted}'):
        read(tmp_path, text)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / 'table.csv').write_bytes(b'file,a\n\xff\xfe,1\n')
    with pytest.raises(errors.InputError, match='cannot be read'):
        attributes.read(tmp_path / 'table.csv')
    with pytest.raises(errors.InputError, match='does not exist'):
        attributes.read(tmp_path / 'none.csv')


def test_rows_are_found_by_name_or_place(tmp_path):
    table = read(tmp_path, CSV)
    assert table.places(['b.jpg', 'x.jpg', 'a.jpg'], 3).tolist() == [1, -1, 0]
    table = read(tmp_path, 'index,a\n2,1\n0,0\n')
    assert table.places(None, 4).tolist() == [1, -1, 0, -1]


def test_of_a_column_of_many_words_twenty_are_shown(tmp_path):
    table = read(tmp_path, 'index,word\n' + ''.join(f'{k},w{k:02}\n' for k in range(30)))
    with pytest.raises(errors.UsageError, match=r"'x'; it holds w00, w01, .*, w18, w19$"):
        table.having('word=x')


def test_classes_are_an_attribute():
    part = data.Split(np.zeros([3, 2, 2, 1]), np.array([1, 0, 1]))
    table = attributes.of_classes(part, ('cat', 'dog'))
    assert table.having('class=dog')[0].tolist() == [True, False, True]
    assert table.having('class=1|cat')[0].all()
    with pytest.raises(errors.UsageError, match="that column has no '2'; it holds cat, dog"):
        table.having('class=2')
    assert attributes.of_classes(part, ()).having('class=0')[0].tolist() == [False, True, False]
    with pytest.raises(errors.UsageError, match='--attributes is empty and the data set has no'):
        attributes.of_classes(data.Split(part.images, None), ())
