from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from jupyter_mltrain.store.file_system import file_system, is_local


def test_the_nearest_mount_tells_the_file_system(tmp_path: Path) -> None:
    expected = subprocess.run(["stat", "-f", "-c", "%T", "/proc", "/dev/shm"], capture_output=True, text=True, check=True)
    assert [file_system(Path("/proc/self")), file_system(Path("/dev/shm/not/yet/there"))] == expected.stdout.split()


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/proc/self/task")
    assert file_system(tmp_path / "link") == "proc"


@pytest.mark.parametrize("name", ["ext4", "xfs", "btrfs", "apfs", "ntfs", "tmpfs", "overlay", "zfs", "fuseblk"])
def test_file_systems_of_this_machine_are_local(name: str) -> None:
    assert is_local(name)


@pytest.mark.parametrize(
    "name", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "lustre", "ceph", "glusterfs", "unknown", ""]
)
def test_others_are_not(name: str) -> None:
    assert not is_local(name)
