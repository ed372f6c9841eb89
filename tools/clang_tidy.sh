#!/usr/bin/env bash
# clang-tidy over the product's sources, with the compile commands of the given build tree.
#   tools/clang_tidy.sh BUILD_DIR [FILE...]     QUORATE_TIDY_CHECKS adds checks to those of .clang-tidy
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tree=${1:?the build tree}
shift
files=("$@")
[ ${#files[@]} -gt 0 ] || mapfile -t files < <(git ls-files 'src/*.cpp' | grep -vE '_(test|fuzz|bench)\.cpp$')
printf '%s\0' "${files[@]}" | xargs -0 -P "$(nproc)" -n 4 clang-tidy-19 -p "$tree" --quiet --checks="${QUORATE_TIDY_CHECKS:-}" 2> >(grep -vE 'warnings generated|^Suppressed|^Use -header' >&2)
