# What the scripts beside this one share. Sourced, not run.

# install_if_missing PACKAGE...: Debian packages, those that are not there.
install_if_missing() {
  local missing=() package
  for package in "$@"; do
    dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
  done
  if [ "${#missing[@]}" -gt 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  fi
}

# make_venv NAME MODULES PACKAGE...: a virtual environment in target/NAME with these packages, from
# which these modules can be imported. Sets `venv` to its folder.
make_venv() {
  local modules=$2 packages=("${@:3}")
  venv=$(realpath -m "$(dirname "${BASH_SOURCE[0]}")/../target/$1")
  works() { "$venv/bin/python" -c "import $modules" 2>/dev/null; }
  # The list of packages is written last: without it, or where an import fails, all is made anew.
  if [ "$(cat "$venv/packages" 2>/dev/null)" != "${packages[*]}" ] || ! works; then
    rm -rf "$venv"
    mkdir -p "$(dirname "$venv")"
    /usr/bin/python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
    works || { echo "${packages[*]} were installed and cannot be imported" >&2; exit 1; }
    echo "${packages[*]}" >"$venv/packages"
  fi
}

# start_lossd PROGRAM LOG: starts a server on a free port of the loopback address. Sets `server` to its
# process and `address` to where it listens.
start_lossd() {
  "$1" --listen 127.0.0.1:0 2>"$2" &
  server=$!
  for _ in $(seq 100); do
    address=$(sed -nE 's|.*listens on http://([0-9.:]+) .*|\1|p' "$2")
    [ -n "$address" ] && return
    sleep 0.05
  done
  echo "lossd does not listen:" >&2
  cat "$2" >&2
  exit 1
}
