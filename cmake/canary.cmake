# The binary with one mutant of test/mutants built in: its broken sources, in front of the libraries that have the sound
# ones. A campaign of the simulator that passes has to show that it would not have passed with this one (I-504).

function(quorate_canary mutant)
  set(patch ${CMAKE_SOURCE_DIR}/test/mutants/${mutant}.patch)
  set(folder ${CMAKE_BINARY_DIR}/canary)
  file(STRINGS ${patch} files REGEX "^\\+\\+\\+ b/.*\\.cpp")
  list(TRANSFORM files REPLACE "^\\+\\+\\+ b/([^ \t]+).*" "\\1")
  set(broken ${files})
  list(TRANSFORM broken PREPEND ${folder}/)
  list(TRANSFORM files PREPEND ${CMAKE_SOURCE_DIR}/)
  add_custom_command(OUTPUT ${broken}
    COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tools/mutants.py --write ${folder} ${mutant}
    COMMAND ${CMAKE_COMMAND} -E touch ${broken}
    DEPENDS ${patch} ${files} ${CMAKE_SOURCE_DIR}/tools/mutants.py)
  add_executable(quorate_canary ${CMAKE_SOURCE_DIR}/src/cli/main.cpp ${broken})
  target_link_libraries(quorate_canary PRIVATE quorate_cli)
  set_target_properties(quorate_canary PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
endfunction()
