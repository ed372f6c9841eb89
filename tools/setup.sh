#!/usr/bin/env bash
# Installs what is missing, and nothing else: `setup.sh run` for building and running, `setup.sh check` for the tests too.
# Shared by ./run, ./check and bench/compare. Needs Debian 12 and root where something is missing.
set -euo pipefail

run_packages=(g++ cmake ninja-build pkg-config ccache
  libfmt-dev libspdlog-dev libcli11-dev libssl-dev libboost1.81-dev libzstd-dev libxxhash-dev
  nlohmann-json3-dev libgtest-dev libgmock-dev libbenchmark-dev)
check_packages=("${run_packages[@]}"
  clang-19 clang-tidy-19 clang-format-19 libclang-rt-19-dev lld-19 llvm-19
  zookeeper zookeeper-bin python3 python3-kazoo libzookeeper-mt-dev gcc git procps util-linux)

case "${1:-run}" in
  run) wanted=("${run_packages[@]}") ;;
  check) wanted=("${check_packages[@]}") ;;
  *) echo "usage: tools/setup.sh run|check" >&2; exit 2 ;;
esac

missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
  echo "setup: these packages are missing and installing them needs root: ${missing[*]}" >&2
  echo "setup: run  sudo apt-get install ${missing[*]}" >&2
  exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "setup: installing ${#missing[@]} packages: ${missing[*]}"
attempt() {
  apt-get -qq update >>"$log" 2>&1 &&
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1
}
for try in 1 2 3; do
  if attempt; then
    echo "setup: done"
    exit 0
  fi
  echo "setup: attempt $try failed" >&2
done
tail -n 20 "$log" >&2
echo "setup: could not install the packages; see above" >&2
exit 1
