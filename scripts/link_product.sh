#!/usr/bin/env bash
# Gives the Python package of this checkout what it has in a wheel: the server and the examples. They
# are links, so that .venv/bin/lepton runs what was built last. The server finds its engines beside
# the file that the link leads to.
#
#   scripts/link_product.sh build/release
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p python/lepton/bin
ln -sfn "../../../$1/bin/lepton-server" python/lepton/bin/lepton-server
ln -sfn ../../examples python/lepton/examples
