"""Simulates a power loss of a running program: keeps only what it flushed to the disk.

A file has the content that it had when it was last flushed, none if it never was. A folder has the
names that it had when it was last flushed; with `names_kept` those it has now, as a file system may
write a rename before the content. `watch` is called in the program's process.
"""

import os
import pathlib
import stat
import threading


def watch(root, states, every, names_kept):
    """Copies what a power loss would leave of `root`, once in `every` flushes."""
    disk = _Disk(pathlib.Path(root).stat().st_ino)
    real, count, lock = os.fsync, [0], threading.Lock()

    def fsync(descriptor):
        with lock:  # several threads flush
            count[0] += 1
            if count[0] % every == 0:
                disk.copy(pathlib.Path(states) / f'{count[0]:04}', root if names_kept else None)
            real(descriptor)
            disk.flushed(descriptor)

    os.fsync = fsync


class _Disk:
    def __init__(self, root):
        self._root = root
        self._content = {}  # inode -> bytes
        self._names = {root: {}}  # inode of a folder -> name -> inode
        self._held = []  # a number of an inode that is in use is not given again

    def flushed(self, descriptor):
        status = os.fstat(descriptor)
        self._held.append(os.dup(descriptor))
        place = f'/proc/self/fd/{descriptor}'
        if stat.S_ISDIR(status.st_mode):
            self._names[status.st_ino] = {}
            for entry in os.scandir(place):
                self._held.append(os.open(entry.path, os.O_RDONLY))
                self._names[status.st_ino][entry.name] = entry.inode()
                if entry.is_dir():
                    self._names.setdefault(entry.inode(), {})
        else:
            self._content[status.st_ino] = pathlib.Path(place).read_bytes()

    def copy(self, target, now):
        """Copies what would be left to `target`; the names are those in `now`."""
        self._copy(target, self._root, pathlib.Path(now) if now else None)

    def _copy(self, target, inode, now):
        if now.is_dir() if now else inode in self._names:
            target.mkdir(parents=True)
            names = self._names.get(inode, {})
            if now:
                names = {entry.name: entry.inode() for entry in os.scandir(now)}
            for name, inner in names.items():
                self._copy(target / name, inner, now / name if now else None)
        else:
            target.write_bytes(self._content.get(inode, b''))
