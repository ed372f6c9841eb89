#!/usr/bin/env bash
# Every header compiles alone: a file includes what it names.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
git ls-files 'src/*.hpp' | xargs -P "$(nproc)" -I{} \
  clang++-19 -std=c++23 -Isrc -Wall -Wextra -Wno-pragma-once-outside-header -Wno-unused-private-field -Werror -fsyntax-only -x c++ {}
