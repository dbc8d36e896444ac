#!/usr/bin/env bash
# Opens the page at /docs in a real browser that can reach nothing but this machine, and looks at
# what it shows. Argument: the lossd program.
set -euo pipefail
lossd=$(realpath "$1")

if ! command -v chromium >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
fi

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
server=
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || :; rm -rf "$work"' EXIT
start_lossd "$lossd" "$work/log"

timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
  --disable-background-networking --disable-component-update --disable-sync \
  --host-resolver-rules='MAP * ~NOTFOUND, EXCLUDE 127.0.0.1' \
  --user-data-dir="$work/profile" --dump-dom "http://$address/docs" \
  >"$work/page.html" 2>"$work/browser.log"

expect() {
  grep -qF -- "$1" "$work/page.html" || { echo "the page does not show: $1"; exit 1; }
}
expect '<h1>lossd</h1>'
for loss in $("$lossd" losses | cut -d ' ' -f 1); do
  expect "<section id=\"$loss\">"
done
echo "the page shows $("$lossd" losses | wc -l) losses in $(chromium --version 2>/dev/null | cut -d " " -f 1-2)"
