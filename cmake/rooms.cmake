# quorate_room(name [PURE] [BINARY binary] [DEPENDS rooms...] [LINK libraries...])
#
# A room is the folder src/name: every .cpp in it is part of the library quorate_name, except
#   x_test.cpp   collected into the GoogleTest binary name_test,
#   x_fuzz.cpp   a libFuzzer binary name_x_fuzz of its own where fuzzing is on,
#   x_bench.cpp  collected into the Google Benchmark binary name_bench,
#   main.cpp     the binary's, where BINARY names one,
#   testing/     what tests and benchmarks share: part of name_test and name_bench.
# PURE rooms build without exceptions; their tests do not (GoogleTest needs none, but may use them).

function(quorate_room name)
  cmake_parse_arguments(ROOM "PURE" "BINARY" "DEPENDS;LINK" ${ARGN})
  set(folder ${CMAKE_SOURCE_DIR}/src/${name})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${folder}/*.cpp)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  set(fuzzers ${sources})
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cpp$")
  set(benches ${sources})
  list(FILTER benches INCLUDE REGEX "_bench\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "(_test|_fuzz|_bench|/main)\\.cpp$")
  set(test_helpers ${sources})
  list(FILTER test_helpers INCLUDE REGEX "/testing/")
  list(FILTER sources EXCLUDE REGEX "/testing/")

  set(kind PUBLIC)
  if(sources)
    add_library(quorate_${name} STATIC ${sources})
    if(ROOM_PURE)
      target_compile_options(quorate_${name} PRIVATE -fno-exceptions)
    endif()
  else()
    add_library(quorate_${name} INTERFACE)
    set(kind INTERFACE)
  endif()
  target_link_libraries(quorate_${name} ${kind} quorate_flags)
  foreach(dependency ${ROOM_DEPENDS})
    target_link_libraries(quorate_${name} ${kind} quorate_${dependency})
  endforeach()
  foreach(library ${ROOM_LINK})
    target_link_libraries(quorate_${name} ${kind} ${QUORATE_LINK_${library}})
  endforeach()

  if(tests)
    add_executable(${name}_test ${tests} ${test_helpers})
    target_link_libraries(${name}_test PRIVATE quorate_${name} GTest::gtest_main GTest::gmock)
    add_test(NAME ${name}_test COMMAND ${name}_test)
    set_tests_properties(${name}_test PROPERTIES LABELS unit TIMEOUT 600)
  endif()
  if(benches)
    add_executable(${name}_bench ${benches} ${test_helpers})
    target_link_libraries(${name}_bench PRIVATE quorate_${name} benchmark::benchmark_main GTest::gtest)
  endif()
  if(QUORATE_FUZZ)
    foreach(fuzzer ${fuzzers})
      get_filename_component(stem ${fuzzer} NAME_WE)
      add_executable(${name}_${stem} ${fuzzer})
      target_link_libraries(${name}_${stem} PRIVATE quorate_${name} -fsanitize=fuzzer)
      # The first directory takes what is found, the second has the seeds.
      set(corpus ${CMAKE_BINARY_DIR}/corpus/${name}_${stem})
      file(MAKE_DIRECTORY ${corpus})
      add_test(NAME ${name}_${stem}
        COMMAND ${name}_${stem} ${corpus} ${CMAKE_BINARY_DIR}/seeds/${name}_${stem}
                -max_total_time=10 -rss_limit_mb=2048 -timeout=10)
      set_tests_properties(${name}_${stem} PROPERTIES LABELS fuzz TIMEOUT 120 FIXTURES_REQUIRED fuzz_seeds)
    endforeach()
  endif()
  if(ROOM_BINARY AND EXISTS ${folder}/main.cpp)
    add_executable(${ROOM_BINARY} ${folder}/main.cpp)
    target_link_libraries(${ROOM_BINARY} PRIVATE quorate_${name})
    set_target_properties(${ROOM_BINARY} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  endif()
endfunction()
