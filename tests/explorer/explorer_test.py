"""The page of `tfae explore`: what it answers, what it refuses, and how it behaves in a browser."""

import concurrent.futures
import contextlib
import io
import json
import threading
import time
import types

import browser as browsers
import numpy as np
import pytest
import tfae_program
from PIL import Image
from werkzeug.test import Client

import tfae
from tfae import data
from tfae.analysis import interpolation
from tfae.core import errors
from tfae.explorer import application, server, space

HOST = '127.0.0.1:80'
SIZE = 12  # of the code: more than has sliders
PARTS = data.load(data.Config('digits'))
IMAGES, LABELS = PARTS.test.images[:200], PARTS.test.labels[:200]
NAMES = PARTS.class_names


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('explorer')
    for size in (2, SIZE):
        words = ('train', f'--units=24,{size}', '--epochs=20', f'--logdir={size}')
        assert tfae_program.run(*words, cwd=folder).code == 0
    return folder


@pytest.fixture(scope='module', params=[2, SIZE])
def run(folder, request):
    with tfae.open(folder / str(request.param)) as run:
        yield run


@pytest.fixture(scope='module')
def codes(run):
    return run.encode(IMAGES).astype(np.float64)


@pytest.fixture(scope='module')
def client(run, codes):
    return Client(page(run, codes, [HOST]))


@pytest.fixture(scope='module')
def ends(codes):
    """Places of the two images whose codes point in the most different directions."""
    units = codes / np.linalg.norm(codes, axis=1, keepdims=True)
    return [int(place) for place in np.unravel_index((units @ units.T).argmin(), [200, 200])]


def page(run, codes, hosts, labels=LABELS):
    about = {'title': 'digits', 'model': 'dense', 'images': 'test images', 'classes': NAMES}
    attributes = space.of_classes(codes, LABELS, NAMES)
    known = space.Space(codes, attributes)
    return application.Application(about, known, IMAGES, labels, run.decode, hosts)


def get(client, path, **headers):
    return client.get(path, headers={'Host': HOST} | headers)


def post(client, path, content, kind='application/json', **headers):
    body = content if isinstance(content, bytes | str) else json.dumps(content)
    return client.post(path, data=body, content_type=kind, headers={'Host': HOST} | headers)


def move(between=None, components=None, strengths=None, **more):
    if between is not None:
        first, second, part, *way = between
        between = {'images': [first, second], 'part': part, 'way': (way or ['linear'])[0]}
    return {
        'between': between,
        'components': components,
        'strengths': [0] * 10 if strengths is None else strengths,
    } | more


def pixels(response):
    """The image `[H, W, K]` of an answer in bytes."""
    assert response.status_code == 200, response.text
    shape = [int(response.headers[f'X-{side}']) for side in ('Height', 'Width', 'Channels')]
    return np.frombuffer(response.data, np.uint8).reshape(shape).astype(int)


def components(response, name='X-Place'):
    return np.array([float(number) for number in response.headers[name].split(',')])


def decoded(run, code):
    """Decodes a code `[Z]`, in 1/255."""
    return 255 * np.clip(run.decode(code[None])[0], 0, 1)


def near(answer, wanted):
    assert np.abs(answer - wanted).max() <= 1


# What is answered.


def test_an_end_of_the_way_between_two_images_is_the_reconstruction_of_one(run, client):
    for part, place in ((0, 3), (1, 17)):
        answer = post(client, '/decode', move([3, 17, part]))
        near(pixels(answer), 255 * run.reconstruct(IMAGES[[place]])[0])


def test_both_ways_between_two_images_are_those_of_the_codes(run, codes, client, ends):
    first, second = codes[ends]
    straight = 0.7 * first + 0.3 * second
    near(pixels(post(client, '/decode', move([*ends, 0.3]))), decoded(run, straight))
    turned = interpolation.spherical(first, second, np.array([0.3]))[0]
    answer = pixels(post(client, '/decode', move([*ends, 0.3, 'spherical'])))
    near(answer, decoded(run, turned))
    assert np.abs(decoded(run, turned) - decoded(run, straight)).max() > 2


def test_components_are_the_numbers_of_a_code_of_two_and_principal_ones_of_a_longer(codes):
    known = space.Space(codes, {})
    if codes.shape[1] == 2:
        assert np.array_equal(known.coordinates, codes)
        return
    values, vectors = np.linalg.eigh(np.cov(codes.T))
    wanted = (codes - codes.mean(0)) @ vectors[:, ::-1][:, :10]
    assert np.allclose(np.abs(known.coordinates), np.abs(wanted), atol=1e-9)
    assert np.allclose(known.shares, values[::-1][:10] / values.sum())
    assert np.allclose(known.bounds[2:, 1], 3 * wanted.std(0)[2:])


def test_the_page_may_go_wherever_the_plane_shows_images(codes):
    known = space.Space(codes, {})
    lowest = known.coordinates.mean(0) - 3 * known.coordinates.std(0)
    assert np.all(known.bounds[:, 0] <= lowest + 1e-9)
    inside = (known.coordinates >= known.bounds[:, 0]) & (known.coordinates <= known.bounds[:, 1])
    assert inside[:, :2].mean() > 0.99


def test_components_alone_lead_from_the_mean_code(run, codes, client):
    known = space.Space(codes, {})
    wanted = known.center + 0.5 * known.coordinates.std(0)
    answer = post(client, '/decode', move(components=wanted.tolist()))
    assert np.allclose(components(answer), wanted, rtol=1e-4, atol=1e-4)
    # The code nearest to the mean that has them: least squares, solved by numpy.
    steps = np.linalg.lstsq(codes - codes.mean(0), known.coordinates - known.center, rcond=None)[0]
    code = codes.mean(0) + (wanted - known.center) @ np.linalg.pinv(steps)
    near(pixels(answer), decoded(run, code))


def test_what_no_slider_shows_stays_while_components_move(run, codes, client):
    start = post(client, '/decode', move([3, 17, 0.3]))
    same = post(client, '/decode', move([3, 17, 0.3], components(start).tolist()))
    near(pixels(same), pixels(start))
    elsewhere = post(client, '/decode', move(components=components(start).tolist()))
    moved = np.abs(pixels(elsewhere) - pixels(start)).max()
    assert (moved > 1) == (codes.shape[1] > 10)


def test_a_class_is_added_along_its_mean_code_minus_that_of_the_others(run, codes, client):
    strengths = [0, 0, 1.5, 0, 0, 0, 0, -0.5, 0, 0]
    two, seven = LABELS == 2, LABELS == 7
    wanted = codes[3] + 1.5 * (codes[two].mean(0) - codes[~two].mean(0))
    wanted -= 0.5 * (codes[seven].mean(0) - codes[~seven].mean(0))
    answer = post(client, '/decode', move([3, 3, 0], strengths=strengths))
    near(pixels(answer), decoded(run, wanted))
    assert not np.allclose(components(answer, 'X-Start'), components(answer, 'X-Place'), atol=0.01)


def test_a_saved_image_is_the_answer_enlarged_and_tells_its_code(run, client):
    point = move([3, 17, 0.4], strengths=[1.0] + [0] * 9)
    seen = pixels(post(client, '/decode', point))[..., 0]
    saved = post(client, '/save', point | {'scale': 5})
    assert saved.mimetype == 'image/png'
    assert saved.headers['Content-Disposition'].startswith('attachment')
    with Image.open(io.BytesIO(saved.data)) as image:
        assert np.array_equal(np.asarray(image), np.kron(seen, np.ones([5, 5], int)))
        near(decoded(run, np.array(json.loads(image.text['Code'])))[..., 0], seen)


def test_the_page_learns_what_can_be_moved_and_how_far(codes, client):
    answer = get(client, '/space')
    assert answer.mimetype == 'application/json'
    known, wanted = answer.json, space.Space(codes, {})
    assert (known['size'], known['count']) == (codes.shape[1], 200)
    assert known['labels'] == LABELS.tolist()
    assert known['attributes'] == [f'class {number}' for number in range(10)]
    assert np.allclose(known['points'], wanted.coordinates[:, :2], atol=1e-4)
    bounds = [[component['low'], component['high']] for component in known['components']]
    assert np.allclose(bounds, wanted.bounds)


def test_the_gallery_has_a_row_for_each_class(client):
    places = get(client, '/space').json['gallery']
    assert [LABELS[place] for place in places] == [k // 10 for k in range(100)]
    with Image.open(io.BytesIO(get(client, '/gallery.png').data)) as image:
        seen = np.asarray(image)
    assert seen.shape == (80, 80)
    for k in (0, 37, 99):
        row, column = divmod(k, 10)
        one = seen[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        assert np.array_equal(one, pixels(get(client, f'/gallery/{places[k]}'))[..., 0])
        assert np.array_equal(one, np.rint(255 * data.pixels(IMAGES[places[k]])[..., 0]))


def test_without_labels_the_gallery_has_the_first_images(run, codes):
    known = get(Client(page(run, codes, [HOST], None)), '/space').json
    assert (known['labels'], known['gallery']) == (None, list(range(100)))


def test_a_code_of_one_number_has_one_component():
    known = space.Space(np.array([[1.0], [2.0], [6.0]]), {})
    assert known.bounds.shape == (1, 2)
    assert np.array_equal(known.coordinates, [[1.0], [2.0], [6.0]])


def test_a_number_that_is_the_same_in_all_codes_can_be_moved():
    known = space.Space(np.array([[1.0, 5.0], [2.0, 5.0]]), {})
    assert np.array_equal(known.bounds[1], [2.0, 8.0])


def test_one_class_alone_is_no_attribute():
    assert space.of_classes(np.eye(3), np.array([4, 4, 4]), ()) == {}
    assert list(space.of_classes(np.eye(3), np.array([4, 4, 0]), ())) == ['class 0', 'class 4']


def test_the_decoder_is_asked_by_one_thread_at_a_time(codes):
    inside, most = [], []

    def decode(given):
        inside.append(given)
        most.append(len(inside))
        time.sleep(0.01)
        inside.pop()
        return np.zeros([1, 8, 8, 1])

    slow = types.SimpleNamespace(decode=decode)
    client = Client(page(slow, codes, [HOST]))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for answer in pool.map(lambda _: post(client, '/decode', move([0, 1, 0.5])), range(16)):
            assert answer.status_code == 200
    assert most == [1] * 16


def test_a_closed_page_asks_no_decoder_any_more(codes):
    asked = []
    run = types.SimpleNamespace(decode=lambda given: asked.append(given) or np.zeros([1, 8, 8, 1]))
    made = page(run, codes, [HOST])
    assert post(Client(made), '/decode', move([0, 1, 0.5])).status_code == 200
    made.close()
    answer = post(Client(made), '/decode', move([0, 1, 0.5]))
    assert (answer.status_code, answer.text) == (
        503,
        '503 Service Unavailable: the server is shutting down\n',
    )
    assert len(asked) == 1


# What is refused.


@pytest.fixture(scope='module')
def small(folder):
    """A client of the page over codes of two numbers."""
    with tfae.open(folder / '2') as run:
        yield Client(page(run, run.encode(IMAGES), [HOST]))


ZEROS = [0] * 10


@pytest.mark.parametrize(
    'body, text',
    [
        ('', 'the body is not JSON of finite numbers'),
        ('{', 'the body is not JSON of finite numbers'),
        (b'\xff\xfe\xff', 'the body is not JSON of finite numbers'),
        ('[' * 16_000, 'the body is not JSON of finite numbers'),
        (
            '{"between": null, "components": [NaN, 0], "strengths": []}',
            'the body is not JSON of finite numbers',
        ),
        (
            '{"between": null, "components": [0, -Infinity], "strengths": []}',
            'the body is not JSON of finite numbers',
        ),
        (
            '{"between": null, "components": [1e999, 0], "strengths": []}',
            'components is inf; it must be a number in [-1e+06, 1e+06]',
        ),
        ('[]', 'the body is []; it must be an object of between, components, strengths'),
        (move() | {'more': 1}, 'it must be an object of between, components, strengths'),
        (move(scale=2), 'it must be an object of between, components, strengths'),
        (move(components=[0.0]), 'components is [0.0]; it must be a list of 2'),
        (move(components=[0.0] * 3), 'it must be a list of 2'),
        (move(components='00'), "components is '00'; it must be a list of 2"),
        (move(components=[0, '0']), "components is '0'; it must be a number in [-1e+06, 1e+06]"),
        (move(components=[0, True]), 'components is True; it must be a number'),
        (move(components=[0, None]), 'components is None; it must be a number'),
        (move(components=[0, 1e7]), 'components is 10000000.0; it must be a number'),
        (move(components=[0, 10**400]), '...; it must be a number'),
        (move(strengths=[0] * 9), 'it must be a list of 10'),
        (move(strengths=[4, *ZEROS[1:]]), 'strengths is 4; it must be a number in [-3, 3]'),
        (move() | {'between': 3}, 'between is 3; it must be an object of images, part, way'),
        (move([3, 200, 0]), 'images is 200; it must be an integer in [0, 199]'),
        (move([-1, 3, 0]), 'images is -1; it must be an integer in [0, 199]'),
        (move([3, 1.5, 0]), 'images is 1.5; it must be an integer'),
        (move([3, True, 0]), 'images is True; it must be an integer'),
        (move([3, 4, 1.1]), 'part is 1.1; it must be a number in [0, 1]'),
        (move([3, 4, 0, 'round']), "way is 'round'; it must be one of linear, spherical"),
        (move([3, 4, 0, ['linear']]), "way is ['linear']; it must be one of linear, spherical"),
        (move([3, 4, 0, 'x' * 5000]), '...; it must be one of linear, spherical'),
    ],
)
def test_a_wrong_move_is_refused_with_one_line(small, body, text):
    answer = post(small, '/decode', body)
    assert answer.status_code == 400
    assert answer.mimetype == 'text/plain'
    assert answer.text.startswith('400 Bad Request: ')
    assert text in answer.text
    assert answer.text.index('\n') == len(answer.text) - 1 < 300


@pytest.mark.parametrize('scale', [0, 33, 2.0, '2', None, True])
def test_a_wrong_scale_is_refused(small, scale):
    answer = post(small, '/save', move(scale=scale))
    assert answer.status_code == 400
    assert f'scale is {scale!r}; it must be an integer in [1, 32]' in answer.text


def test_a_scale_is_needed_to_save(small):
    assert post(small, '/save', move()).status_code == 400


@pytest.mark.parametrize('path', ['/decode', '/save'])
def test_a_body_that_is_too_large_is_refused(small, path):
    assert post(small, path, b' ' * 20_000).status_code == 413


def test_a_body_of_another_kind_is_refused(small):
    for kind in ('text/plain', 'application/x-www-form-urlencoded', None):
        assert post(small, '/decode', move(components=[0, 0]), kind).status_code == 415


@pytest.mark.parametrize(
    'path',
    [
        '/index.html',
        '/nothing',
        '/../explorer.css',
        '/assets/explorer.css',
        '/../application.py',
        '/..%2f..%2fapplication.py',
        '/%2e%2e/application.py',
        '/explorer.css%00.html',
        '/etc/passwd',
        '/gallery/',
        '/gallery/200',
        '/gallery/-1',
        '/gallery/1.5',
        '/gallery/../space',
        '/gallery/' + '9' * 500,
    ],
)
def test_what_is_no_part_of_the_page_is_not_found(small, path):
    answer = get(small, path)
    assert answer.status_code == 404
    assert answer.mimetype == 'text/plain'
    assert len(answer.text.splitlines()) == 1


@pytest.mark.parametrize(
    'method, path, allowed',
    [
        ('POST', '/', {'GET', 'HEAD'}),
        ('PUT', '/space', {'GET', 'HEAD'}),
        ('DELETE', '/gallery/3', {'GET', 'HEAD'}),
        ('GET', '/decode', {'POST'}),
        ('OPTIONS', '/decode', {'POST'}),
        ('GET', '/save', {'POST'}),
    ],
)
def test_another_method_is_refused_and_the_right_ones_named(small, method, path, allowed):
    answer = small.open(path, method=method, headers={'Host': HOST})
    assert answer.status_code == 405
    assert {*answer.allow} - {'OPTIONS'} == allowed


@pytest.mark.parametrize(
    'host', ['', 'example.com', 'example.com:80', '127.0.0.1:81', '127.0.0.1', '127.0.0.1:80.com']
)
def test_a_page_asked_for_by_another_name_is_refused(small, host):
    for answer in (get(small, '/', Host=host), post(small, '/decode', move(), Host=host)):
        assert answer.status_code == 403
        assert 'the page is not at ' in answer.text


@pytest.mark.parametrize(
    'origin', ['null', 'http://example.com', 'https://127.0.0.1:80', 'http://127.0.0.1:81', '']
)
def test_another_page_may_not_ask(small, origin):
    point = move(components=[0, 0])
    assert post(small, '/decode', point, Origin=f'http://{HOST}').status_code == 200
    answer = post(small, '/decode', point, Origin=origin)
    assert answer.status_code == 403
    assert 'are refused' in answer.text


def test_every_answer_forbids_what_the_page_does_not_need(small):
    anomalous = get(small, '/', Host='example.com')
    for answer in (get(small, '/'), get(small, '/space'), get(small, '/no'), anomalous):
        policy = answer.headers['Content-Security-Policy'].split('; ')
        assert policy[:5] == [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob: data:",
            "connect-src 'self'",
        ]
        assert answer.headers['X-Content-Type-Options'] == 'nosniff'
        assert answer.headers['X-Frame-Options'] == 'DENY'
        assert answer.headers['Referrer-Policy'] == 'no-referrer'


def test_hosts_are_those_of_this_machine_and_the_one_that_is_given():
    here = ['localhost:8000', '127.0.0.1:8000', '[::1]:8000']
    assert sorted(server.hosts('127.0.0.1', 8000)) == sorted(here)
    assert server.hosts('::1', 8000)[0] == '[::1]:8000'
    assert server.hosts('lamp.local', 8000) == ['lamp.local:8000', *here]
    assert {'localhost', 'localhost:80'} <= {*server.hosts('127.0.0.1', 80)}


@pytest.mark.parametrize('host', ['', 'unix:///tmp/socket', 'a b', 'http://localhost'])
def test_a_host_that_is_no_name_is_refused(host):
    with pytest.raises(errors.UsageError, match='it must be a name or an address'):
        server.listen(host, 0)


@pytest.mark.parametrize(
    'arrays, text',
    [
        ({'age': np.zeros(3)}, r'age is float64 \(3,\); it must be finite floats \(2,\)'),
        ({'age': np.array([0, np.nan])}, 'it must be finite floats'),
        ({'age': np.array([1, 2])}, 'age is int64'),
        ({'age': np.array([None, 1])}, 'is not a file of directions .*: age.npy declares object'),
        (
            {str(k): np.zeros(2) for k in range(201)},
            'holds 201 directions; it must hold at most 200',
        ),
    ],
)
def test_a_file_of_other_directions_is_refused(tmp_path, arrays, text):
    path = tmp_path / 'morph.npz'
    np.savez(path, **arrays)
    with pytest.raises(errors.InputError, match=text) as refusal:
        space.of_file(path, 2)
    assert str(path) in str(refusal.value)


def test_a_file_that_is_none_is_refused_and_a_missing_one_holds_nothing(tmp_path):
    path = tmp_path / 'morph.npz'
    assert space.of_file(path, 2) == {}
    for content in (b'', b'PK\x03\x04 and so on', b'text'):
        path.write_bytes(content)
        with pytest.raises(errors.InputError, match='is not a file of directions from tfae morph'):
            space.of_file(path, 2)


# In a browser.


@contextlib.contextmanager
def served(make):
    """The address of the application that `make(hosts)` gives."""
    with server.listen('127.0.0.1', 0) as listening:
        hosts = server.hosts('127.0.0.1', listening.getsockname()[1])
        found = server.bound(listening, make(hosts))
        thread = threading.Thread(target=found.serve_forever, args=[0.05])
        thread.start()
        try:
            yield f'http://{hosts[0]}/'
        finally:
            found.shutdown()
            thread.join()


@pytest.fixture(scope='module')
def address(run, codes):
    with served(lambda hosts: page(run, codes, hosts)) as address:
        yield address


@pytest.fixture
def opened(browser, address):
    """The browser with the page and its first answer, 1280 pixels wide."""
    browsers.resize(browser, 1280, 900)
    browser.get(address)
    waited(browser, lambda: 'ms' in text(browser, 'time') and seen(browser).max() > 0)
    return browser


def waited(driver, condition):
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, 20, 0.02).until(lambda _: condition())


def element(driver, name):
    return driver.find_element('id', name)


def text(driver, name):
    return element(driver, name).text


def seen(driver, channels=1):
    """What is on the canvas of the answer, `[H, W]` or `[H, W, 3]`."""
    script = """
        const canvas = document.getElementById('answer');
        const copy = new OffscreenCanvas(canvas.width, canvas.height);
        const context = copy.getContext('2d', { willReadFrequently: true });
        context.drawImage(canvas, 0, 0);
        const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
        return [canvas.height, canvas.width, Array.from(data)];
    """
    height, width, values = driver.execute_script(script)
    return np.array(values).reshape(height, width, 4)[..., :channels].squeeze()


def slide(driver, name, value):
    script = """
        const [name, value] = arguments, input = document.getElementById(name);
        input.value = value;
        input.dispatchEvent(new Event('input', { bubbles: true }));
    """
    driver.execute_script(script, name, value)


def comes(driver, wanted):
    """Waits until the canvas shows this image, `[H, W]` or `[H, W, 1]`."""
    wanted = wanted.reshape(wanted.shape[:2])
    waited(driver, lambda: np.abs(seen(driver) - wanted).max() <= 1)


def test_dragging_over_the_plane_moves_the_decoder(opened):
    from selenium.webdriver import ActionChains

    before, where = seen(opened), text(opened, 'where')
    plane = element(opened, 'plane')
    drag = ActionChains(opened).move_to_element(plane).click_and_hold()
    drag.move_by_offset(90, 60).move_by_offset(30, 30).perform()
    waited(opened, lambda: text(opened, 'where') != where)
    waited(opened, lambda: np.abs(seen(opened) - before).max() > 20)
    ActionChains(opened).release().perform()
    released = text(opened, 'where')
    ActionChains(opened).move_by_offset(-100, -60).perform()
    assert text(opened, 'where') == released
    assert browsers.complaints(opened) == []


def test_the_point_is_where_the_plane_was_touched(opened, codes):
    from selenium.webdriver import ActionChains

    known = space.Space(codes, {})
    plane = element(opened, 'plane')
    # Far beyond the right end, and as far down: the point goes no farther than the axes.
    drag = ActionChains(opened).move_to_element(plane).click_and_hold()
    drag.move_by_offset(600, 300).release().perform()
    wanted = [known.bounds[0, 1], known.bounds[1, 0]]
    words = [f'{number:.2f}'.replace('-', '−') for number in wanted]
    waited(opened, lambda: all(word in text(opened, 'where') for word in words))


def test_arrow_keys_move_the_point(opened, codes):
    from selenium.webdriver import ActionChains, Keys

    known = space.Space(codes, {})
    opened.execute_script("document.getElementById('plane').focus()")
    ActionChains(opened).send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_UP).perform()
    width = known.bounds[:2, 1] - known.bounds[:2, 0]
    wanted = known.center[:2] + width * [0.02, 0.01]
    words = [f'{number:.2f}'.replace('-', '−') for number in wanted]
    waited(opened, lambda: all(word in text(opened, 'where') for word in words))


def test_sliding_between_two_images_shows_the_way(opened, run, codes, ends):
    for slot, place in enumerate(ends):
        box = element(opened, f'place-{slot}')
        box.clear()
        box.send_keys(f'{place}\t')
    slide(opened, 'part', 0.25)
    comes(opened, decoded(run, 0.75 * codes[ends[0]] + 0.25 * codes[ends[1]]))
    opened.execute_script("""
        const way = document.getElementById('way');
        way.value = 'spherical';
        way.dispatchEvent(new Event('change'));
    """)
    turned = interpolation.spherical(*codes[ends], np.array([0.25]))[0]
    comes(opened, decoded(run, turned))
    assert browsers.complaints(opened) == []


def test_images_are_chosen_from_the_gallery_one_after_the_other(opened, run, codes):
    places = get(Client(page(run, codes, [HOST])), '/space').json['gallery']
    buttons = element(opened, 'gallery').find_elements('tag name', 'button')
    assert len(buttons) == 100
    buttons[23].click()
    buttons[71].click()
    slide(opened, 'part', 1)
    comes(opened, decoded(run, codes[places[71]]))
    slide(opened, 'part', 0)
    comes(opened, decoded(run, codes[places[23]]))
    assert element(opened, 'class-0').text == 'class 2'


def test_a_component_moves_on_from_where_the_slide_ended(opened, run, codes):
    places = [int(element(opened, f'place-{slot}').get_attribute('value')) for slot in (0, 1)]
    slide(opened, 'part', 0)
    comes(opened, decoded(run, codes[places[0]]))
    slide(opened, 'component-1', 0)
    known = space.Space(codes, {})
    shift = np.zeros_like(known.center)
    value = float(element(opened, 'component-1').get_attribute('value'))
    shift[1] = value - known.coordinates[places[0], 1]
    comes(opened, decoded(run, codes[places[0]] + shift @ known._directions.axes))


def test_an_attribute_is_added_and_taken_away(opened, run, codes):
    before = seen(opened)
    slide(opened, 'attribute-2', 1.5)
    two = LABELS == 2
    wanted = codes.mean(0) + 1.5 * (codes[two].mean(0) - codes[~two].mean(0))
    comes(opened, decoded(run, wanted))
    element(opened, 'without').click()
    comes(opened, before)


def test_the_saved_file_is_what_the_canvas_shows(opened, tmp_path):
    behavior = {'behavior': 'allow', 'downloadPath': str(tmp_path)}
    opened.execute_cdp_cmd('Browser.setDownloadBehavior', behavior)
    slide(opened, 'part', 0.4)
    waited(opened, lambda: text(opened, 'part-value') == '40 %')
    box = element(opened, 'scale')
    box.clear()
    box.send_keys('7\n')
    path = tmp_path / 'digits_decoded.png'
    waited(opened, path.exists)
    with Image.open(path) as image:
        assert np.array_equal(np.asarray(image), np.kron(seen(opened), np.ones([7, 7], int)))
    assert browsers.complaints(opened) == []


def test_a_colored_answer_has_its_colors(browser):
    colors = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[9, 8, 7], [255] * 3, [0] * 3]])
    run = types.SimpleNamespace(decode=lambda codes: colors[None] / 255)
    codes = np.random.RandomState(0).normal(size=[200, 2])
    with served(lambda hosts: page(run, codes, hosts)) as address:
        browser.get(address)
        waited(browser, lambda: 'ms' in text(browser, 'time'))
        assert np.array_equal(seen(browser, 3), colors)


def test_only_the_newest_of_many_moves_is_asked_for_next(opened, run, codes):
    """While one is answered the others wait, and all but the last are dropped."""
    places = [int(element(opened, f'place-{slot}').get_attribute('value')) for slot in (0, 1)]
    count = "return performance.getEntriesByName(location.origin + '/decode').length"
    before = opened.execute_script(count)
    opened.execute_script("""
        const part = document.getElementById('part');
        for (let i = 0; i <= 100; i++) {
            part.value = i / 100;
            part.dispatchEvent(new Event('input'));
        }
    """)
    comes(opened, decoded(run, codes[places[1]]))
    assert opened.execute_script(count) - before == 2


def test_a_server_that_has_ended_is_said_to_have(opened):
    opened.execute_script("window.fetch = () => Promise.reject(new TypeError('no'))")
    slide(opened, 'component-0', 0.1)
    waited(opened, lambda: 'The server does not respond' in text(opened, 'trouble'))


def test_every_control_has_a_name(opened):
    script = """
        return [...document.querySelectorAll('input, select, button, canvas[tabindex]')]
            .filter((node) => !(node.labels?.length || node.getAttribute('aria-label')
                || node.getAttribute('aria-labelledby') || node.textContent.trim()))
            .map((node) => node.outerHTML);
    """
    assert opened.execute_script(script) == []


@pytest.mark.parametrize('width', [360, 390, 700])
def test_nothing_sticks_out_of_a_narrow_window(opened, width):
    browsers.resize(opened, width, 844)
    script = """
        const wide = document.documentElement.clientWidth;
        return [...document.querySelectorAll('body *')]
            .filter((node) => node.getBoundingClientRect().right > wide + 0.5)
            .map((node) => node.outerHTML.slice(0, 80));
    """
    assert opened.execute_script(script) == []
    assert opened.execute_script('return document.documentElement.scrollWidth') <= width


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_text_stands_out_in_light_and_dark(opened, scheme):
    browsers.prefer(opened, scheme)
    script = """
        const ground = (node) => {
            for (; node; node = node.parentElement) {
                const color = getComputedStyle(node).backgroundColor;
                if (!/rgba\\(.*, 0\\)/.test(color)) return color;
            }
        };
        return [...document.querySelectorAll('h1, h2, p, label, small, output, span, button')]
            .filter((node) => node.textContent.trim())
            .map((node) => [node.textContent.trim(), getComputedStyle(node).color, ground(node)]);
    """
    found = opened.execute_script(script)
    assert len(found) > 20
    assert [words for words, *colors in found if browsers.contrast(*colors) < 4.5] == []


def test_names_of_classes_are_text_and_nothing_else(browser, run, codes):
    planted = '<img class=planted src=x onerror="document.title=1">'
    about = {'title': planted, 'model': planted, 'images': planted, 'classes': [planted] * 10}
    known = space.Space(codes, {planted: codes[0]})

    def made(hosts):
        return application.Application(about, known, IMAGES, LABELS, run.decode, hosts)

    with served(made) as address:
        browser.get(address)
        waited(browser, lambda: 'ms' in text(browser, 'time'))
        assert browser.find_elements('css selector', '.planted') == []
        assert planted in text(browser, 'title')
        assert browsers.complaints(browser) == []
