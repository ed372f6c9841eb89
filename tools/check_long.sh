#!/usr/bin/env bash
# The checks that take hours. Each part can be run alone:
#   ./check --long                 all of them, one after the other
#   ./check --long kill            50 times kill -9 under load
#   ./check --long differential    500,000 random steps against Debian's ZooKeeper
#   ./check --long hostile         clients that break the rules, ten times as many
#   ./check --long fuzz            20 minutes for each fuzz target
#   ./check --long crash           the storage's crash tests over many seeds
#   ./check --long mutants         every single-rule breakage of the core, against its tests and 1,000 simulated runs
#   ./check --long analyze         clang's static analyzer over the product
#   ./check --long bench           the whole comparison with Debian's ZooKeeper
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

all_parts=(kill differential hostile fuzz crash mutants analyze bench)
usage() { sed -n '2,11p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//'; }

# Names are judged before anything is installed or built.
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=("${all_parts[@]}")
for name in "${parts[@]}"; do
  case " help -h --help ${all_parts[*]} " in
    *" $name "*) ;;
    *) echo "check --long: no part '$name'" >&2; usage >&2; exit 2 ;;
  esac
  case "$name" in help | -h | --help) usage; exit 0 ;; esac
done

tools/setup.sh check || exit 1
./run --build && ninja -C build/release sim_test || exit 1
quorate=build/release/quorate

long_kill() { /usr/bin/python3 test/kill.py --quorate "$quorate" --long; }
long_differential() { /usr/bin/python3 test/differential.py --quorate "$quorate" --steps 500000 --length 200 --seed "$RANDOM" &&
  /usr/bin/python3 test/differential.py --self --prove; }
long_fuzz() {
  [ -f build/asan-ubsan/build.ninja ] || cmake --preset asan-ubsan || return 1
  ninja -C build/asan-ubsan || return 1
  tools/fuzz_seeds.py build/seeds || return 1
  local target status=0
  for target in build/asan-ubsan/*_fuzz; do
    mkdir -p "build/corpus/$(basename "$target")"
    echo "== $target"
    "$target" "build/corpus/$(basename "$target")" "build/seeds/$(basename "$target")" -max_total_time=1200 -rss_limit_mb=4096 -timeout=10 -print_final_stats=1 ||
      status=1
  done
  return $status
}
long_hostile() { /usr/bin/python3 test/hostile.py --quorate "$quorate" --scale 10; }
long_crash() { QUORATE_CRASH_SEEDS=3000 build/release/sim_test --gtest_filter='Storage*.many_lives*'; }
long_mutants() { ninja -C build/release && python3 tools/mutants.py --table build/mutants.md; }
long_analyze() {
  [ -f build/asan-ubsan/build.ninja ] || cmake --preset asan-ubsan || return 1
  QUORATE_TIDY_CHECKS='clang-analyzer-core.*,clang-analyzer-cplusplus.*,clang-analyzer-deadcode.*' \
    tools/clang_tidy.sh build/asan-ubsan
}
long_bench() { bench/compare; }

status=0
for name in "${parts[@]}"; do
  echo "== $name"
  "long_$name" || status=1
done
exit $status
