# Language, warnings, sanitizers and fuzzing: the same for every room.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

set(QUORATE_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize (address,undefined or thread)")
option(QUORATE_FUZZ "Instrument for libFuzzer and build the fuzz targets (clang only)" OFF)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(quorate_flags INTERFACE)
target_include_directories(quorate_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(quorate_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Woverloaded-virtual
  -Wcast-align -Wunused -Wnull-dereference -Wimplicit-fallthrough -Werror
  -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports impossible paths inside the standard library with these two.
  target_compile_options(quorate_flags INTERFACE -Wno-null-dereference -Wno-restrict)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(quorate_flags INTERFACE -O2 -g1 -D_FORTIFY_SOURCE=2 -fstack-protector-strong)
  target_link_options(quorate_flags INTERFACE -Wl,-z,relro,-z,now)
  # Results must not depend on it: NDEBUG is not used, assertions stay (R-007).
  set(CMAKE_CXX_FLAGS_RELEASE "")
endif()
if(QUORATE_SANITIZE)
  target_compile_options(quorate_flags INTERFACE -fsanitize=${QUORATE_SANITIZE} -fno-sanitize-recover=all -O1 -g1)
  target_link_options(quorate_flags INTERFACE -fsanitize=${QUORATE_SANITIZE})
endif()
if(QUORATE_FUZZ)
  target_compile_options(quorate_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_link_options(quorate_flags INTERFACE -fuse-ld=lld)
endif()
