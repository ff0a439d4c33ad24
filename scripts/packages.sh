# Debian packages that the scripts beside this file need. To be sourced:
#
#   need_packages valgrind gcc            # installs those that are missing, or returns 1
#   need_packages --arch arm64 libc6:arm64
#
# With GREENLET_NO_INSTALL=1 nothing is installed: what is missing is named and 1 is returned.
# shellcheck shell=bash

package_is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q \
        -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@"
}

# Lists are refreshed only when the first try fails: most machines have them already.
apt_install() {
    apt_get install -y --no-install-recommends "$@" && return
    apt_get update
    apt_get install -y --no-install-recommends "$@"
}

need_packages() {
    local arch='' package log missing=()
    if [ "$1" = --arch ]; then
        arch=$2
        shift 2
    fi
    for package; do
        package_is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "${GREENLET_NO_INSTALL:-0}" = 1 ]; then
        echo "packages: missing and not to be installed: ${missing[*]}" >&2
        return 1
    fi
    if ! command -v apt-get >/dev/null; then
        echo "packages: this machine has no apt-get; please install ${missing[*]}" >&2
        return 1
    fi
    echo "packages: installing ${missing[*]}" >&2
    log=$(mktemp)
    if [ -n "$arch" ] && ! dpkg --print-foreign-architectures | grep -qx "$arch"; then
        as_root dpkg --add-architecture "$arch"
        apt_get update >"$log" 2>&1 || true
    fi
    if ! apt_install "${missing[@]}" >>"$log" 2>&1; then
        tail -n 20 "$log" >&2
        echo "packages: apt-get could not install ${missing[*]} (log: $log)" >&2
        return 1
    fi
    rm -f "$log"
}

# unpack_package ARCH NAME FOLDER: puts a package's files there. It is not installed, so it may be one
# for another architecture, which this machine must have been told of (`need_packages --arch`).
unpack_package() {
    local place status=0
    if [ "${GREENLET_NO_INSTALL:-0}" = 1 ]; then
        echo "packages: not to be downloaded: $2:$1" >&2
        return 1
    fi
    echo "packages: unpacking $2:$1" >&2
    place=$(mktemp -d)
    if (cd "$place" && download_package "$2:$1" >log 2>&1); then
        dpkg-deb --extract "$place"/*.deb "$3" || status=1
    else
        tail -n 20 "$place/log" >&2
        echo "packages: apt-get could not download $2:$1" >&2
        status=1
    fi
    rm -rf "$place"
    return $status
}

# Into this folder; by whoever may write there, which apt's own user may not.
download_package() {
    local get=(apt-get -q -o APT::Sandbox::User=root -o Acquire::Retries=3 download "$1")
    "${get[@]}" && return
    apt_get update
    "${get[@]}"
}
