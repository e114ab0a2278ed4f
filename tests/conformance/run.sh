#!/usr/bin/env bash
# Runs h2spec's generic, http2 and hpack suites, strict cases included, against the server, on a
# port that it chooses itself.
#
#   tests/conformance/run.sh REPORT_DIR      writes REPORT_DIR/conformance.xml (JUnit)
set -euo pipefail
reports=$(realpath "$1")
cd "$(dirname "$0")/../.."
h2spec=$PWD/build/tools/h2spec
[ -x "$h2spec" ] ||
    (cd tests/conformance/h2spec && go build -o "$h2spec" github.com/summerwind/h2spec/cmd/h2spec)

work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
.venv/bin/lepton create --model_path examples/digits/model.onnx --output_path "$work/service" \
    >/dev/null
.venv/bin/lepton serve "$work/service" --host 127.0.0.1 --port 0 --ready-file "$work/ready.json" \
    2>"$work/server.log" &
server=$!
for _ in $(seq 100); do
    [ -s "$work/ready.json" ] && break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
[ -s "$work/ready.json" ] || { cat "$work/server.log" >&2; exit 1; }
port=$(.venv/bin/python -c 'import json, sys; print(json.load(open(sys.argv[1]))["port"])' \
    "$work/ready.json")

# A path that is answered with a body: h2spec's flow-control cases need DATA frames in reply.
"$h2spec" generic http2 hpack --strict --host 127.0.0.1 --port "$port" --path /v2 --timeout 2 \
    --junit-report "$reports/conformance.xml" >"$reports/conformance.log" || failed=1
sed -n '/^Failures/,$p' "$reports/conformance.log"
tail -1 "$reports/conformance.log"
kill -0 "$server" || { echo "conformance: the server did not survive" >&2; exit 1; }
exit "${failed:-0}"
