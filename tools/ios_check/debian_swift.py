"""Download of Debian 13's Swift compiler into a folder, for an older Debian.

``python -m tools.ios_check.debian_swift`` downloads the package `swiftlang` and its
dependencies (0.6 GB) from the mirror that apt is configured for, and unpacks them into a folder
(2.7 GB). Nothing is installed on the machine. The folder's `swift` and `swiftc` run in that tree
with chroot, which needs root.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import click

FOLDER = Path.home() / ".cache" / "styleexport" / "swift"
SUITE = "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
PACKAGES = (
    "swiftlang",
    "swiftlang-dev",
    "base-files",
    "bash",
    "coreutils",
    "git",
    "libc6-dev",
    "libstdc++-14-dev",
    "findutils",
    "grep",
    "sed",
    "ca-certificates",
)
FOLDERS = ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "proc", "dev", "tmp", "root")
DEVICES = (("null", 1, 3), ("zero", 1, 5), ("random", 1, 8), ("urandom", 1, 9))
# Runs a tool of the tree in the current folder, which is mounted at its own path.
LAUNCHER = """#!/bin/sh
exec unshare -m sh -c '
tree=$1; shift
mount -t proc proc "$tree/proc" 2>/dev/null || mount --rbind /proc "$tree/proc"
rest=${{PWD#/}}; top=/${{rest%%/*}}
mkdir -p "$tree$top" && mount --rbind "$top" "$tree$top"
exec chroot "$tree" /usr/bin/env -i HOME=/root LANG=C.UTF-8 PATH=/usr/libexec/swift/bin:/usr/bin \
  STYLEEXPORT_CONTRACT_EXCHANGE="$STYLEEXPORT_CONTRACT_EXCHANGE" \
  bash -c "cd \\"\\$0\\" && exec \\"\\$@\\"" "$PWD" {tool} "$@"' sh {tree} "$@"
"""


def main() -> int:
    """Download and unpack the compiler; return 0 if it runs."""
    if os.geteuid() != 0 or not Path(KEYRING).is_file():
        click.echo("type as root, on Debian: python -m tools.ios_check.debian_swift")
        return 2
    folder = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else FOLDER
    launcher = folder / "swift"
    if not launcher.is_file():
        fetch(folder / "apt")
        unpack(folder / "apt" / "cache" / "archives", folder / "tree")
    write_launchers(folder)
    return subprocess.run([str(launcher), "--version"], check=False).returncode


def mirror() -> str:
    """Return the address of the Debian archive that apt is configured for."""
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE) $(COMPONENT) $(ORIGIN)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines = [line.split() for line in targets.splitlines()]
    sites = [site for site, *rest in lines if rest == ["main", "Debian"] and "security" not in site]
    if not sites:
        raise SystemExit("apt knows no Debian archive on this machine: apt-get update may help")
    return sites[0]


def fetch(state: Path) -> None:
    """Download the packages with apt, keeping its state apart from the machine's."""
    for part in ("state/lists/partial", "cache/archives/partial"):
        (state / part).mkdir(parents=True, exist_ok=True)
    (state / "state/status").touch()
    (state / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror()} {SUITE} main\n")
    (state / "apt.conf").write_text(
        f'Dir::State "{state}/state";\nDir::State::status "{state}/state/status";\n'
        f'Dir::Cache "{state}/cache";\nDir::Etc::sourcelist "{state}/sources.list";\n'
        'Dir::Etc::sourceparts "-";\n'
    )
    environment = {**os.environ, "APT_CONFIG": str(state / "apt.conf")}
    subprocess.run(["apt-get", "update", "-q"], check=True, env=environment)
    install = ["apt-get", "install", "-yq", "--no-install-recommends", "--download-only"]
    subprocess.run([*install, *PACKAGES], check=True, env=environment)


def unpack(archives: Path, tree: Path) -> None:
    """Extract the packages into a tree; an archive is deleted once it is extracted."""
    for part in FOLDERS:
        (tree / part).mkdir(parents=True, exist_ok=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        if not (tree / name).exists():
            (tree / name).symlink_to(f"usr/{name}")
    for archive in sorted(archives.glob("*.deb")):
        content = subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE
        )
        tar = ["tar", "-x", "-C", str(tree), "--keep-directory-symlink"]
        subprocess.run(tar, stdin=content.stdout, check=True)
        if content.wait():
            raise SystemExit(f"{archive.name} cannot be unpacked")
        archive.unlink()
    shell = tree / "usr/bin/sh"
    if not shell.exists():
        shell.symlink_to("bash")
    for name, major, minor in DEVICES:
        if not (tree / "dev" / name).exists():
            os.mknod(tree / "dev" / name, 0o666 | stat.S_IFCHR, os.makedev(major, minor))


def write_launchers(folder: Path) -> None:
    """Write the scripts that run the tree's compiler and package manager."""
    for tool in ("swiftc", "swift"):
        launcher = folder / tool
        launcher.write_text(LAUNCHER.format(tool=tool, tree=folder / "tree"))
        launcher.chmod(0o755)


if __name__ == "__main__":
    sys.exit(main())
