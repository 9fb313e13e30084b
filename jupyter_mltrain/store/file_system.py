"""What kind of file system a path lies on."""

from __future__ import annotations

from pathlib import Path

import psutil

_REMOTE = {
    "9p", "afs", "beegfs", "ceph", "cifs", "davfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2",
    "orangefs", "prl_fs", "smb", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "webdav",
}  # fmt: skip


def file_system(path: Path) -> str:
    """Return the name of the file system that `path` lies on, `"ext4"` for example, or `"unknown"`."""
    place = path.resolve()
    mounts = [part for part in psutil.disk_partitions(all=True) if place.is_relative_to(part.mountpoint)]
    # of two mounts on one place the later covers the earlier
    nearest = max(enumerate(mounts), key=lambda mount: (len(mount[1].mountpoint), mount[0]), default=None)
    return nearest[1].fstype.lower() if nearest else "unknown"


def is_local(name: str) -> bool:
    """Tell whether a file system is on this machine alone; one that cannot be told is not trusted to be."""
    return name not in {*_REMOTE, "unknown", ""} and not name.startswith("fuse.")
