#!/usr/bin/env bash
# Builds the Dockerfile, runs the image locked down, and asks it for a loss.
#
#   tests/image.sh [PROJECT_DIR]        (default: the project that this script stands in)
#
# Needs root on Debian 12, a Rust toolchain and the crates, but neither a container registry nor a
# Docker daemon: buildah builds, podman runs, and the two base images are stand-ins made from Debian
# packages and this machine's own toolchain. They are kept in ${XDG_CACHE_HOME:-$HOME/.cache}/lossd-image,
# where earlier layers are found again. Delete that directory to start from nothing.
set -euo pipefail

project=$(realpath "${1:-$(dirname "${BASH_SOURCE[0]}")/..}")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/lossd-image
image=localhost/lossd:test
stage=localhost/lossd-build:test
revision='image-test'
largest=$((64 * 1024 * 1024))   # bytes; the image is one binary
cid=
work=

say() { printf '%s\n' "$*"; }
fail() {
  printf 'FAIL: %s\n' "$*" >&2
  if [ -n "$cid" ]; then
    printf -- '--- log of the container\n' >&2
    podman logs "$cid" >&2
  fi
  exit 1
}

clean_up() {
  if [ -n "$cid" ]; then podman rm --force --time 1 "$cid" >/dev/null; fi
  if [ -n "$work" ]; then rm -rf "$work"; fi
}
trap clean_up EXIT
trap 'exit 1' INT TERM

[ "$(id -u)" = 0 ] || fail "building and running containers needs root"
command -v rustc >/dev/null || fail "no rustc: the stand-in for the Rust image is made from this machine's toolchain"

# ---- tools -------------------------------------------------------------------------------------

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
install_if_missing buildah podman runc mmdebstrap curl ca-certificates

mkdir -p "$cache"
exec 9>"$cache/lock"
# Runs share one store: one at a time.
flock --timeout 900 9 || fail "another run has held $cache/lock for 15 minutes"
rm -rf "$cache"/run.*            # of runs that were killed
work=$(mktemp -d "$cache/run.XXXXXX")

# Own storage, so that nothing else on the machine is seen or touched. Limits below those of this
# shell, because raising them needs a privilege that containers in continuous integration lack.
cat >"$cache/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$cache/store"
runroot = "$cache/state"
CONF
cat >"$cache/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
CONF
export CONTAINERS_STORAGE_CONF=$cache/storage.conf CONTAINERS_CONF=$cache/containers.conf
export BUILDAH_ISOLATION=chroot
export DISABLE_HC_SYSTEMD=true   # this script calls the health check; there is no systemd to time it

# What an interrupted run left behind would keep its images in use.
buildah rm --all >/dev/null
podman rm --all --force --time 1 >/dev/null

have() { buildah inspect --type image "$1" >/dev/null 2>&1; }

# Runs a command with its output in a file, which is shown only when the command fails.
quietly() {
  local start=$SECONDS
  if ! "${@:2}" >"$work/log" 2>&1; then
    tail -n 40 "$work/log" >&2
    fail "$1"
  fi
  say "$1: $((SECONDS - start)) s"
}

# ---- stand-ins for the base images -------------------------------------------------------------

# A minimal Debian, as small as the official slim image, so that a missing install step still shows.
debian=localhost/stand-in-debian:bookworm
debian_base() {
  if have "$debian"; then return; fi
  quietly "bootstrapping Debian" mmdebstrap --quiet --variant=minbase --mode=root \
    --include=usr-is-merged --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    --aptopt='Apt::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    bookworm "$work/debian.tar"
  quietly "importing Debian" podman import --quiet "$work/debian.tar" "$debian"
  rm "$work/debian.tar"
}

# Debian with a linker and this machine's toolchain, without rustup. The compiler's version is the
# tag: another toolchain makes another stand-in.
rust_base() {
  local toolchain version tag
  toolchain=$(cd "$project" && rustc --print sysroot)
  version=$(cd "$project" && rustc -vV | sed -nE 's/^(release|commit-hash): (.{1,12}).*/\2/p' | paste -sd- -)
  tag=localhost/stand-in-rust:$version
  if ! have "$tag"; then
    debian_base
    mkdir -p "$work/rust/toolchain"
    tar -C "$toolchain" -c --exclude=./share . | tar -C "$work/rust/toolchain" -x
    cp /etc/ssl/certs/ca-certificates.crt "$work/rust/"
    cat >"$work/rust/Dockerfile" <<RECIPE
FROM $debian
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates gcc libc6-dev make pkg-config \
 && rm -rf /var/lib/apt/lists/*
COPY ca-certificates.crt /etc/ssl/certs/
COPY toolchain /usr/local/rust
ENV PATH=/usr/local/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    CARGO_HOME=/usr/local/cargo \
    CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt
RECIPE
    quietly "making the stand-in for $1" buildah bud --pull-never --quiet --tag "$tag" "$work/rust"
    rm -r "$work/rust"
  fi
  buildah tag "$tag" "localhost/$1"
}

while read -r base; do
  case $base in
    scratch) ;;
    rust:*bookworm*) rust_base "$base" ;;
    *) fail "the Dockerfile starts from $base, for which there is no stand-in" ;;
  esac
done < <(awk 'toupper($1) == "FROM" && !($2 in stages) { print $2 } toupper($3) == "AS" { stages[$4] }' "$project/Dockerfile")

# ---- build -------------------------------------------------------------------------------------

# The Docker format, because the OCI one has no place for a health check. The first stage is named
# so that its layers outlive the pruning that follows, which takes the layers of older sources.
build=(buildah bud --pull-never --layers --format docker --build-arg "REVISION=$revision")
quietly "building the binary" "${build[@]}" --target build --tag "$stage" "$project"
quietly "building the image" "${build[@]}" --tag "$image" "$project"
podman image prune --force >/dev/null

size=$(podman image inspect --format '{{.Size}}' "$image")
[ "$size" -le "$largest" ] || fail "the image has $size bytes, more than $largest"
say "image size: $((size / 1024)) KiB"

# ---- refuse to serve everyone unless told so ----------------------------------------------------

code=0
podman run --rm --network host "$image" >"$work/log" 2>&1 9>&- || code=$?
[ "$code" = 64 ] && grep -q -- --open "$work/log" \
  || fail "without keys on every address the exit code is $code: $(cat "$work/log")"
say "without keys and on every address it does not start"

# ---- run, locked down --------------------------------------------------------------------------

free_port() {
  local port
  for _ in $(seq 50); do
    port=$((20000 + RANDOM % 10000))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port"
      return
    fi
  done
  return 1
}
port=$(free_port) || fail "found no free port"
address=127.0.0.1:$port

# Descriptor 9 is closed, so that a container which outlives this script does not keep the lock.
cid=$(podman run --detach --network host --read-only --read-only-tmpfs=false \
  --cap-drop all --security-opt no-new-privileges --env LOSSD_LISTEN="$address" "$image" 9>&-)

status_of() { curl --silent --max-time 5 --output "$work/body" --write-out '%{http_code}' "$@"; }

for attempt in $(seq 100); do
  if [ "$(status_of "http://$address/readyz")" = 200 ]; then break; fi
  [ "$(podman inspect --format '{{.State.Running}}' "$cid")" = true ] || fail "the container stopped before it was ready"
  [ "$attempt" -lt 100 ] || fail "not ready after 100 attempts"
  sleep 0.1
done
say "ready on $address"

pid=$(podman inspect --format '{{.State.Pid}}' "$cid")
field() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$pid/status" | tr -s '[:space:]' ' ' | sed 's/ $//'; }
expect() { [ "$2" = "$3" ] || fail "$1 is '$2', not '$3'"; }
expect "the user" "$(field Uid)" "65532 65532 65532 65532"
expect "the group" "$(field Gid)" "65532 65532 65532 65532"
expect "the effective capabilities" "$(field CapEff)" 0000000000000000
expect "the bounding capabilities" "$(field CapBnd)" 0000000000000000
expect "no-new-privileges" "$(field NoNewPrivs)" 1
expect "the mode of the root file system" "$(awk '$5 == "/" { print substr($6, 1, 2) }' "/proc/$pid/mountinfo")" ro
say "runs as 65532:65532, without capabilities, on a read-only root"

# ---- ask ---------------------------------------------------------------------------------------

json='content-type: application/json'
batch='{"predictions":[1,2,3],"targets":[1,2,5]}'

expect "the status of a loss" "$(status_of -H "$json" --data "$batch" "http://$address/loss/mse")" 200
grep -Eq '"loss": ?1\.3333334[,}]' "$work/body" || fail "POST /loss/mse answered $(cat "$work/body")"
say "POST /loss/mse: $(head -c 200 "$work/body")"

expect "the status of an unknown loss" "$(status_of -H "$json" --data "$batch" "http://$address/loss/no-such-loss")" 404
expect "the status of /version" "$(status_of "http://$address/version")" 200
grep -q "\"$revision\"" "$work/body" || fail "/version does not name the revision $revision: $(cat "$work/body")"

podman healthcheck run "$cid" >"$work/log" 2>&1 || fail "the image's health check says unhealthy: $(cat "$work/log")"
if podman exec --env LOSSD_LISTEN=127.0.0.1:1 "$cid" /lossd probe >"$work/log" 2>&1; then
  fail "the probe is content with an address that nobody listens on"
fi
say "health check: healthy here, unhealthy for a dead address"

# ---- stop --------------------------------------------------------------------------------------

podman stop --time 25 "$cid" >/dev/null
expect "the exit code after SIGTERM" "$(podman inspect --format '{{.State.ExitCode}}' "$cid")" 0
podman logs "$cid" >"$work/log" 2>&1
[ -s "$work/log" ] || fail "the container logged nothing"
if grep -vE '^\{.*\}$' "$work/log" >"$work/odd"; then
  fail "with LOSSD_LOG_FORMAT=json these lines of the log are not JSON: $(head -n 3 "$work/odd")"
fi
say "stopped by SIGTERM with exit code 0"
say "image: OK ($((size / 1024)) KiB)"
