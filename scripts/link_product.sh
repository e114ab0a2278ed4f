#!/usr/bin/env bash
# Gives the Python package of this checkout what it has in a wheel: the programs, the engines, the
# extension module and the examples. They are links, so that .venv/bin/lepton runs the latest build.
#
#   scripts/link_product.sh build/release
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p python/lepton/bin python/lepton/lib
for program in lepton-server lepton-bench; do
    ln -sfn "../../../$1/bin/$program" "python/lepton/bin/$program"
done
ln -sfn "../../../$1/lib/engines" python/lepton/lib/engines
for extension in "$1"/lib/python/_native.*.so; do
    ln -sfn "../../$extension" "python/lepton/${extension##*/}"
done
ln -sfn ../../examples python/lepton/examples
