#!/usr/bin/env bash
# Fetches Debian's backported qemu-system-x86 and unpacks its two binaries under build/, beside the installed one, which stays as it is.
# Package lists of its own: the system's sources are read, with the suite changed, and not written. Needs a Debian whose
# release has backports; what the package depends on comes with the installed qemu-system-x86.
set -eu -o pipefail
cd "$(dirname "$0")/../../.."
target=build/qemu-backport
binaries="qemu-system-x86_64-microvm qemu-system-x86_64"
missing=0
for binary in $binaries; do [ -x "$target/usr/bin/$binary" ] || missing=1; done
[ $missing -eq 0 ] && exit 0
. /etc/os-release
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/archives/partial"

sources=$work/backports.sources
if [ -f /etc/apt/sources.list.d/debian.sources ]; then
  # The first entry is the release's own; a file of entries is divided by empty lines.
  sed -e '/^$/,$d' -e "s/^Suites:.*/Suites: $VERSION_CODENAME-backports/" /etc/apt/sources.list.d/debian.sources >"$sources"
else
  sources=$work/backports.list
  grep -m 1 "^deb .* $VERSION_CODENAME " /etc/apt/sources.list |
    sed "s/ $VERSION_CODENAME / $VERSION_CODENAME-backports /" >"$sources"
fi
own=(-o "Dir::Etc::sourcelist=$sources" -o Dir::Etc::sourceparts=- -o "Dir::State::Lists=$work/lists" -o APT::Sandbox::User=root)
apt-get -qq "${own[@]}" update
(cd "$work" && apt-get -qq "${own[@]}" download qemu-system-x86)
mkdir -p build
mkdir "$work/root"
# shellcheck disable=SC2086 # a list of words
dpkg-deb --fsys-tarfile "$work"/qemu-system-x86_*.deb | tar -x -C "$work/root" $(printf './usr/bin/%s ' $binaries)
rm -rf "$target"
mv "$work/root" "$target"
