"""Which file system a path is on, since SQLite's write-ahead log needs a local one.

The log's index is shared memory between the processes that use the database, and memory is not shared over a
network. [SQLite, "Write-Ahead Logging": "WAL does not work over a network filesystem"]
"""

from __future__ import annotations

import re
from pathlib import Path

from netwright.errors import StudyError

MOUNTS = Path("/proc/self/mountinfo")

_NETWORK = re.compile(
    r"(fuse\.)?(9p|acfs|afs|beegfs|beegfs_nodev|ceph|cephfs|cifs|coda|curlftpfs|davfs|gcsfuse|gfs2?|glusterfs"
    r"|goofys|gpfs|httpfs|juicefs|lustre|mfs|moosefs|ncpfs|nfs4?|ocfs2|orangefs|panfs|pvfs2|rclone|s3fs"
    r"|seaweedfs|smb3|smbfs|smbnetfs|sshfs|vboxsf|wekafs)"
)
"""Types, as the kernel names them, of file systems that are reached over a network or shared by machines."""


def filesystem_type(path: Path, mountinfo: str) -> str | None:
    r"""Find the type of the file system that holds a path.

    Args:
        path: an absolute path without symbolic links; it need not exist.
        mountinfo: text in the format of ``/proc/self/mountinfo``, see proc(5).

    Returns:
        The type as the kernel names it, e.g. ``ext4``; None if no line covers the path.

    >>> text = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n40 22 0:45 / /home rw shared:7 - nfs4 server:/home rw"
    >>> filesystem_type(Path("/home/ada/runs"), text), filesystem_type(Path("/homely"), text)
    ('nfs4', 'ext4')
    """
    found: str | None = None
    length = -1
    for line in mountinfo.splitlines():
        front, separator, back = line.partition(" - ")
        fields = front.split(" ")
        if not separator or len(fields) < 5:
            continue
        mount_point = Path(_unescape(fields[4]))
        # Of two mounts on the same point the later one hides the earlier, hence >=.
        if path.is_relative_to(mount_point) and len(mount_point.parts) >= length:
            found, length = back.split(" ")[0], len(mount_point.parts)
    return found


def is_network(type_name: str) -> bool:
    """Say whether a file system of this type is reached over a network.

    >>> is_network("nfs4"), is_network("fuse.sshfs"), is_network("ext4"), is_network("fuse.ntfs-3g")
    (True, True, False, False)
    """
    return _NETWORK.fullmatch(type_name) is not None


def require_local(path: Path, mountinfo: str | None = None) -> None:
    """Refuse a database file on a network file system.

    Where the system has no ``/proc/self/mountinfo`` (macOS) nothing is checked here; SQLite itself then
    refuses the mode on file systems that cannot share memory.

    Args:
        path: where the database is or will be.
        mountinfo: text to use in place of the system's.

    Raises:
        StudyError: if the path is on a network file system.
    """
    if mountinfo is None:
        if not MOUNTS.exists():
            return
        mountinfo = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    kind = filesystem_type(path.resolve(), mountinfo)
    if kind is not None and is_network(kind):
        raise StudyError(
            f"{path}: expected a local disk, got a network file system ({kind}), on which SQLite's "
            "write-ahead log can lose or corrupt trials; put the run directory on a local disk, or keep the "
            "trials in a server with a storage URL such as postgresql://user@host/database"
        )


def _unescape(text: str) -> str:
    """Undo the octal escapes of mountinfo: a space is written as backslash 040."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
