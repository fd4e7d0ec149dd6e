"""Starts a headless Chromium for tests of pages; see the fixture `browser` of conftest.py.

Chromium and its driver are the machine's (Debian: `chromium`, `chromium-driver`). Nothing is
fetched: selenium is told where both are, and pages come from files or from this machine.
"""

import contextlib
import importlib.util
import re
import shutil
import tempfile

_CHROMIUM = ('chromium', 'chromium-browser', 'google-chrome')
_FLAGS = (
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--disable-dev-shm-usage',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
)


def missing():
    """Returns what is missing on this machine for these tests; empty if nothing is."""
    if importlib.util.find_spec('selenium') is None:
        return 'selenium is not installed'
    if not any(map(shutil.which, _CHROMIUM)):
        return 'there is no chromium'
    return '' if shutil.which('chromedriver') else 'there is no chromedriver'


@contextlib.contextmanager
def started():
    """Yields a `selenium.webdriver.Chrome` with its own profile, and quits it."""
    from selenium import webdriver

    with tempfile.TemporaryDirectory(prefix='tfae_browser_', ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = next(filter(None, map(shutil.which, _CHROMIUM)))
        for flag in (*_FLAGS, f'--user-data-dir={profile}'):
            options.add_argument(flag)
        options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
        service = webdriver.ChromeService(shutil.which('chromedriver'))
        driver = webdriver.Chrome(options, service)
        try:
            resize(driver, 1280, 900)
            yield driver
        finally:
            driver.quit()


def resize(driver, width, height):
    """Sets the size of pages in CSS pixels, also below that of the smallest window."""
    size = {'width': width, 'height': height, 'deviceScaleFactor': 1, 'mobile': False}
    driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)


def prefer(driver, scheme):
    """Emulates the color scheme `light` or `dark`."""
    feature = {'name': 'prefers-color-scheme', 'value': scheme}
    driver.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': [feature]})


def complaints(driver):
    """Returns warnings and errors of the console since the last call."""
    lines = driver.get_log('browser')
    return [line['message'] for line in lines if line['level'] in ('WARNING', 'SEVERE')]


def luminance(color):
    """Returns the relative luminance (WCAG 2) of an opaque color of `getComputedStyle`."""
    parts = [int(part) / 255 for part in re.findall(r'\d+', color)[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(p * weight for p, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def contrast(one, other):
    """Returns the contrast of two colors (WCAG 2), 1 to 21; text needs 4.5."""
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)
