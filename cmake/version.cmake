# What this build is: a header with the project's version, the commit and its date. From the sources alone, so that the
# same sources give the same binary: never the time of the build. Without git the date is SOURCE_DATE_EPOCH's, if set.

set(QUORATE_COMMIT "release")
set(QUORATE_COMMIT_DATE "unknown date")
find_package(Git QUIET)
if(GIT_FOUND AND EXISTS ${CMAKE_SOURCE_DIR}/.git)
  execute_process(COMMAND ${GIT_EXECUTABLE} -C ${CMAKE_SOURCE_DIR} rev-parse --short=10 HEAD
                  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env TZ=UTC ${GIT_EXECUTABLE} -C ${CMAKE_SOURCE_DIR} log -1
                          --format=%cd "--date=format-local:%Y-%m-%d %H:%M UTC"
                  OUTPUT_VARIABLE date OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT failed AND commit AND date)
    set(QUORATE_COMMIT ${commit})
    set(QUORATE_COMMIT_DATE ${date})
    # Every commit writes a line there.
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/.git/logs/HEAD)
  endif()
elseif(DEFINED ENV{SOURCE_DATE_EPOCH})
  string(TIMESTAMP QUORATE_COMMIT_DATE "%Y-%m-%d %H:%M UTC" UTC)
endif()
configure_file(${CMAKE_SOURCE_DIR}/cmake/build_facts.hpp.in ${CMAKE_BINARY_DIR}/generated/build_facts.hpp @ONLY)
