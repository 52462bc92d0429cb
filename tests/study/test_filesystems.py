from __future__ import annotations

from pathlib import Path

import pytest

from netwright.errors import StudyError
from netwright.study.filesystems import filesystem_type, is_network, require_local

# Lines as real kernels print them, with and without optional fields.
MOUNTINFO = r"""
21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
22 21 0:5 / /dev rw,nosuid shared:2 - devtmpfs devtmpfs rw,size=4096k
40 21 0:44 / /home rw,relatime shared:30 master:2 - nfs4 filer:/export/home rw,vers=4.2,addr=10.0.0.9
41 40 254:3 / /home/ada/scratch rw,relatime - xfs /dev/vdb1 rw,attr2
42 21 0:50 / /mnt/my\040share rw,relatime - cifs //nas/share rw,vers=3.1.1
43 21 0:51 / /mnt/ssh rw,nosuid,nodev,relatime shared:5 - fuse.sshfs ada@host:/data rw,user_id=1000
44 21 0:52 / /lustre rw - lustre 10.0.0.1@tcp:/work rw
45 21 254:4 / /mnt/stack rw - ext4 /dev/vdc rw
46 45 0:60 / /mnt/stack rw - nfs filer:/stack rw
47 21 0:61 / /mnt/usb rw - fuseblk /dev/sdb1 rw
48 21 0:62 / /mnt/odd\134name rw - ceph 10.0.0.2:/ rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/data/runs", "ext4"),
        ("/home", "nfs4"),
        ("/home/ada/runs/digits/study.db", "nfs4"),
        ("/home/ada/scratch/runs", "xfs"),
        ("/home/ada/scratchy", "nfs4"),
        ("/homely/runs", "ext4"),
        ("/mnt/my share/runs", "cifs"),
        ("/mnt/ssh/x", "fuse.sshfs"),
        ("/lustre/x", "lustre"),
        ("/mnt/stack/x", "nfs"),  # the later mount hides the earlier
        ("/mnt/usb/x", "fuseblk"),
        (r"/mnt/odd\name/x", "ceph"),
    ],
)
def test_the_innermost_mount_decides(path: str, kind: str) -> None:
    assert filesystem_type(Path(path), MOUNTINFO) == kind


def test_text_that_is_no_mountinfo_says_nothing() -> None:
    assert filesystem_type(Path("/x"), "") is None
    assert filesystem_type(Path("/x"), "garbage\n1 2 - nfs\n") is None


@pytest.mark.parametrize(
    "kind",
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "fuse.sshfs",
        "lustre",
        "gpfs",
        "beegfs",
        "9p",
        "fuse.glusterfs",
    ],
)
def test_network_types(kind: str) -> None:
    assert is_network(kind)


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "zfs", "overlay", "tmpfs", "fuseblk", "fuse.ntfs-3g"]
)
def test_local_types(kind: str) -> None:
    assert not is_network(kind)


def test_a_network_file_system_is_refused_with_the_remedy() -> None:
    with pytest.raises(StudyError, match=r"/lustre/x/study\.db: .*\(lustre\).* local disk.*postgresql://"):
        require_local(Path("/lustre/x/study.db"), MOUNTINFO)
    require_local(Path("/data/study.db"), MOUNTINFO)


def test_a_link_is_followed_to_where_the_file_really_is(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    real = (tmp_path / "real").resolve()
    text = f"21 1 254:0 / / rw - ext4 /dev/vda rw\n40 21 0:44 / {real} rw - nfs4 filer:/x rw\n"
    with pytest.raises(StudyError, match="nfs4"):
        require_local(tmp_path / "link" / "study.db", text)


def test_this_machines_temporary_folder_is_judged_from_the_real_table(tmp_path: Path) -> None:
    mounts = Path("/proc/self/mountinfo")
    if not mounts.exists():
        pytest.skip("no /proc/self/mountinfo on this system")
    assert filesystem_type(tmp_path.resolve(), mounts.read_text()) is not None
