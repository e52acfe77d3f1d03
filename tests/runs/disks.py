"""Small disks in files that can lose their power, as if the cable had been pulled.

The file system is shut down without flushing its journal: whatever was not yet in there is gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

# _IOR('X', 125, u32) with the flag "do not flush the journal", as xfstests uses it.
_SHUTDOWN, _NO_LOG_FLUSH = 0x8004587D, 2


@dataclass(frozen=True)
class Kind:
    """A file system and how it is mounted."""

    name: str
    make: tuple[str, ...]
    megabytes: int
    options: str = "loop"

    @property
    def missing(self) -> str | None:
        """What this machine lacks for it."""
        if os.geteuid() != 0:
            return f"{self.name} needs root to be mounted"
        if shutil.which(self.make[0]) is None:
            return f"{self.name} needs {self.make[0]}"
        return None


_MAKE_EXT4 = ("mkfs.ext4", "-q", "-F")
KINDS = (
    Kind("ext4", _MAKE_EXT4, 96),
    Kind("ext4 with noauto_da_alloc", _MAKE_EXT4, 96, "loop,noauto_da_alloc"),
    Kind("xfs", ("mkfs.xfs", "-q", "-f"), 320),
)


class Disk:
    """A file system in a file, mounted at ``path``.

    Raises:
        subprocess.CalledProcessError: it cannot be made or mounted here.
    """

    def __init__(self, folder: Path, kind: Kind = KINDS[0]) -> None:
        """Make it in `folder` and mount it."""
        self._image, self.path, self.kind = folder / "disk.img", folder / "mount", kind
        self.path.mkdir(parents=True)
        with self._image.open("wb") as file:
            file.truncate(kind.megabytes << 20)
        subprocess.run([*kind.make, self._image], check=True, stdout=subprocess.DEVNULL)
        self.mount()

    def mount(self) -> None:
        """Mount it; after a cut this replays the journal."""
        subprocess.run(["mount", "-o", self.kind.options, self._image, self.path], check=True)

    def cut(self) -> None:
        """Pull the cable."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def unmount(self) -> None:
        """Unmount it, as soon as nobody uses it any more."""
        for _ in range(200):
            if subprocess.run(["umount", self.path], stderr=subprocess.DEVNULL).returncode == 0:
                return
            time.sleep(0.05)
        raise AssertionError(f"{self.path} stays busy")

    def remove(self) -> None:
        """Unmount it and remove its file, whatever state it is in."""
        with contextlib.suppress(AssertionError):
            if os.path.ismount(self.path):
                self.unmount()
        self._image.unlink(missing_ok=True)
