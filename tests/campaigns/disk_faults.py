"""Faults of the file system: it is full, or a folder becomes read-only."""

import contextlib
import ctypes
import os
import pathlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import command_faults
import fault_bench
import tfae_program
from fault_bench import Bench, Count

_PAGE = 4096


@contextlib.contextmanager
def mounted(folder: pathlib.Path) -> Iterator[Any]:
    """Mounts a file system in memory; yields a function that sets its size in bytes."""

    def mount(*options: str) -> None:
        done = subprocess.run(['mount', *options], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f'a file system cannot be mounted here: {done.stderr.strip()}')

    folder.mkdir(parents=True)
    mount('-t', 'tmpfs', '-o', 'size=1g', 'tmpfs', str(folder))
    try:
        yield lambda size: mount('-o', f'remount,size={size}', str(folder))
    finally:
        subprocess.run(['umount', '-l', str(folder)], check=True)


def used(folder: pathlib.Path) -> int:
    """Returns the bytes of a folder, in full pages."""
    files = [path for path in folder.rglob('*') if path.is_file()]
    return sum(-(-path.stat().st_size // _PAGE) * _PAGE for path in files)


def full(bench: Bench, family: str, rounds: int) -> Count:
    """Runs on a file system that fills up, at sizes spread over all that is written."""
    count = Count()
    for i in range(rounds):
        disk = bench.new()
        with mounted(disk) as resize:
            if i % 3 < 2:
                part = (i + bench.chance.random()) / rounds
                resize(2 * _PAGE + int(1.1 * part * used(bench.whole(family))) // _PAGE * _PAGE)
                done = bench.train(family, disk / 'run').wait()
                resize(2**30)
                count += Count(faults=1) + fault_bench.stopped(done, f'{family}, disk full')
                count += bench.ended(family, disk / 'run', f'disk full, {fault_bench.line(done)}')
            else:
                name = bench.chance.choice(list(command_faults.COMMANDS))
                source = command_faults.place(bench, name, family)
                shutil.copytree(source, disk / 'run')
                shutil.rmtree(source.parent)
                before = command_faults.outputs(disk / 'run')
                whole, _ = command_faults.undisturbed(bench, name, family)
                more = sum(len(content) for n, content in whole.items() if n not in before)
                resize(used(disk / 'run') + _PAGE + int(bench.chance.random() * more))
                done = tfae_program.run(*command_faults.command(bench, name), cwd=disk)
                resize(2**30)
                count += Count(faults=1) + fault_bench.stopped(done, f'{name}, disk full')
                count += command_faults.repeated(bench, name, family, disk / 'run', before)
    return count


def without_capabilities() -> None:
    """Drops the capabilities of root, which may write to read-only folders."""
    version, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(version, none):
        raise OSError(ctypes.get_errno(), 'capabilities cannot be dropped')


def readonly(bench: Bench, family: str, rounds: int) -> Count:
    """Makes a folder read-only while training writes to it."""
    count = Count()
    before = without_capabilities if os.geteuid() == 0 else None
    for _ in range(rounds):
        logdir = bench.new()
        logdir.mkdir()
        program = bench.train(family, logdir, before)
        until = time.monotonic() + bench.chance.uniform(0, bench.seconds(family))
        while program.running and time.monotonic() < until:
            time.sleep(0.002)
        folders = [logdir, *(path for path in logdir.rglob('*') if path.is_dir())]
        for path in folders:
            path.chmod(0o555)
        done = program.wait()
        for path in folders:
            path.chmod(0o755)
        count += Count(faults=1) + fault_bench.stopped(done, f'{family}, read-only')
        done = bench.train(family, logdir, before).wait()
        count += fault_bench.stopped(done, f'{family}, read-only before')
        count += bench.ended(family, logdir, f'read-only, {fault_bench.line(done)}')
        shutil.rmtree(logdir)
    return count
