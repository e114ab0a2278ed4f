#!/usr/bin/env bash
# Installs what one part of the work needs and this machine lacks: Debian packages with apt, Python
# packages into .venv. Asks nothing, and is quick if everything is there.
#
#   scripts/setup.sh build|test|lint|conformance|fuzz|docs|frameworks
#
# `frameworks` makes an environment of its own, .venv-frameworks: torch, tensorflow and the like, 8 GB.
#
# Environment: LEPTON_NO_APT=1 leaves the system's packages alone and only reports missing ones.
set -euo pipefail
cd "$(dirname "$0")/.."

# All Debian packages that Lepton is built, tested or checked with; there is no other list.
build_packages=(
    ca-certificates g++ cmake ninja-build ccache pkg-config python3 python3-dev python3-venv
    libexpected-dev libboost1.81-dev libnghttp2-dev libsimdjson-dev libxxhash-dev libspdlog-dev libfmt-dev
    libcli11-dev prometheus-cpp-dev libprotobuf-dev protobuf-compiler
    nlohmann-json3-dev zlib1g-dev libssl-dev
    libgtest-dev libgmock-dev libbenchmark-dev
)
test_packages=("${build_packages[@]}" curl openssl)
conformance_packages=("${build_packages[@]}" golang-go)
fuzz_packages=("${build_packages[@]}" clang-16 libclang-rt-16-dev)

part=${1:-build}
case $part in
    build | lint | docs) packages=("${build_packages[@]}") ;;
    test | frameworks) packages=("${test_packages[@]}") ;;
    conformance) packages=("${conformance_packages[@]}") ;;
    fuzz) packages=("${fuzz_packages[@]}") ;;
    *)
        echo "setup: unknown part \"$part\", expected build, test, lint, conformance, fuzz, docs or frameworks" >&2
        exit 2
        ;;
esac
[ "$part" = docs ] && packages=(python3 python3-venv)

missing_packages() {
    local package
    for package in "$@"; do
        dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null |
            grep -qx installed || echo "$package"
    done
}

install_packages() {
    # One call of dpkg answers the usual case, in which nothing is missing.
    if command -v dpkg-query >/dev/null; then
        local known
        known=$(dpkg-query --show --showformat='${db:Status-Status}\n' "$@" 2>/dev/null |
            grep -cx installed || true)
        [ "$known" -ge $# ] && return
    fi
    # shellcheck disable=SC1091
    local system="this system" debian=""
    if [ -r /etc/os-release ]; then
        system=$(. /etc/os-release && echo "${PRETTY_NAME:-this system}")
        debian=$(. /etc/os-release && echo "${ID:-}-${VERSION_ID:-}")
    fi
    if [ "$debian" != debian-12 ] || [ -n "${LEPTON_NO_APT:-}" ]; then
        echo "setup: $system is not set up by this script (it knows Debian 12)." >&2
        echo "setup: install what stands for these packages of Debian 12, then set LEPTON_NO_APT=1:" >&2
        echo "  $*" >&2
        [ -n "${LEPTON_NO_APT:-}" ] && return
        exit 1
    fi
    local missing root=()
    mapfile -t missing < <(missing_packages "$@")
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || {
            echo "setup: not root and no sudo; as root, run: apt-get install ${missing[*]}" >&2
            exit 1
        }
        root=(sudo)
    fi
    echo "setup: installing ${#missing[@]} packages with apt: ${missing[*]}" >&2
    local apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
    "${apt[@]}" update
    "${apt[@]}" install --yes --no-install-recommends "${missing[@]}" >/dev/null
}

# Fills an environment, .venv by default, with scripts/requirements/<part>.txt; a copy of the
# installed list tells when to do so again.
install_requirements() {
    local requirements=scripts/requirements/$1.txt venv=${2:-.venv}
    local stamp=$venv/.installed-$1
    [ -f "$requirements" ] || return 0
    cmp -s "$requirements" "$stamp" && return
    [ -x "$venv/bin/python" ] || /usr/bin/python3 -m venv "$venv"
    echo "setup: installing $requirements into $venv" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$stamp"
}

# Installs Lepton itself, in place, as the Makefile does in .venv; its metadata may have changed.
install_lepton() {
    local venv=$1
    cmp -s pyproject.toml "$venv/.installed-pyproject" && return
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
        --no-build-isolation --config-settings=wheel.cmake=false --editable .
    cp pyproject.toml "$venv/.installed-pyproject"
}

install_packages "${packages[@]}"
[ "$part" = docs ] || install_requirements build
case $part in
    build) ;;
    frameworks)
        install_requirements frameworks .venv-frameworks
        install_lepton .venv-frameworks
        ;;
    *) install_requirements "$part" ;;
esac
