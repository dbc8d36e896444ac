#!/usr/bin/env bash
# Counts the instructions of the hottest paths (benches/instructions.rs) under callgrind and compares
# them with tests/instructions.txt: more than 3 % above is a regression, and more than 3 % below must
# be recorded.
#
#   tests/instructions.sh            compares
#   tests/instructions.sh --update   records the counts
#
# Needs a CPU with AVX2. Installs Debian's valgrind if it is missing.
set -euo pipefail

[ $# = 0 ] || [ "$*" = --update ] || { echo "usage: $0 [--update]" >&2; exit 2; }
cd "$(dirname "${BASH_SOURCE[0]}")/.."
figures=tests/instructions.txt
program=${CARGO_TARGET_DIR:-target}/release/examples/instructions

if ! grep -qw avx2 /proc/cpuinfo; then
  echo "Skipped: the counts are those of the level avx2, and this CPU has no AVX2."
  exit 0
fi
if ! command -v valgrind >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends valgrind >/dev/null
fi
cargo build --release --locked --bin lossd --example instructions

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# Prints the instructions of a case, those of its preparation left out.
count() {
  if ! valgrind --tool=callgrind --toggle-collect='*run_case*' --callgrind-out-file=/dev/null \
    --log-file="$work/$1.log" "$program" "$1" 2>"$work/$1.err"; then
    cat "$work/$1.err" "$work/$1.log" >&2
    return 1
  fi
  sed -nE 's/.*Collected : ([0-9]+).*/\1/p' "$work/$1.log"
}

"$program" >"$work/cases"
compiler=$(rustc --version)
{
  echo "# The instructions that callgrind counts of each case of benches/instructions.rs."
  echo "# To record new ones: bash tests/instructions.sh --update"
  echo "# Recorded with $compiler."
} >"$work/new"

failed=0
fail() {
  echo "  $1" >&2
  failed=1
}
recorded() { awk -v name="$1" '$1 == name { print $2 }' "$figures"; }

while read -r name; do
  now=$(count "$name")
  if [ "${now:-0}" = 0 ]; then
    echo "$name: callgrind has counted nothing" >&2
    exit 1
  fi
  echo "$name $now" >>"$work/new"
  [ $# = 0 ] || { printf '%-34s %11d\n' "$name" "$now"; continue; }
  before=$(recorded "$name")
  if [ -z "$before" ]; then
    fail "$name: $figures has no figure for it"
    continue
  fi
  hundredths=$(((now - before) * 10000 / before))
  change=$(awk -v x="$hundredths" 'BEGIN { printf "%+.2f %%", x / 100 }')
  printf '%-34s %11d  %s\n' "$name" "$now" "$change"
  if [ "$hundredths" -gt 300 ]; then
    fail "$name: a regression, from $before to $now instructions"
  elif [ "$hundredths" -lt -300 ]; then
    fail "$name: an improvement, from $before to $now instructions: record it"
  fi
done <"$work/cases"

if [ $# = 1 ]; then
  cp "$work/new" "$figures"
  echo "$figures is written."
  exit 0
fi
while read -r name _; do
  grep -qx "$name" "$work/cases" || fail "$name: $figures has a figure, but there is no such case"
done < <(grep -v '^#' "$figures")
echo "To record new figures: bash tests/instructions.sh --update"
if [ "$failed" = 1 ] && ! grep -qF "$compiler" "$figures"; then
  echo "The figures are those of another compiler; this one is $compiler." >&2
fi
exit "$failed"
